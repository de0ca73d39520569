package carbon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// CacheConfig configures a [Cache]. Source is required.
type CacheConfig struct {
	// Source is asked when nothing that was said before will do.
	Source Provider
	// TTL is how long an answer is taken for fresh, counted in the times asked for. Default 5 minutes.
	TTL time.Duration
	// Timeout bounds one call to the source. Default 10 seconds.
	Timeout time.Duration
	// Logger is told when the source fails and when it is back, once each. Default silent.
	Logger *slog.Logger

	// took is called with each answer, in the goroutine of the call, after waiting callers have it.
	took func(ctx context.Context, t time.Time, r Reading)
}

func (c *CacheConfig) complete() error {
	if c.Source == nil {
		return errors.New("carbon: cache: Source is nil")
	}
	for _, d := range []struct {
		name string
		is   *time.Duration
		then time.Duration
	}{{"TTL", &c.TTL, 5 * time.Minute}, {"Timeout", &c.Timeout, 10 * time.Second}} {
		if *d.is < 0 {
			return fmt.Errorf("carbon: cache: %s %v is negative", d.name, *d.is)
		}
		if *d.is == 0 {
			*d.is = d.then
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Cache stands before a [Provider]. An answer is used for its TTL; then, as long as its interval lasts, it is still used while a
// new one is fetched in the background. Only where nothing covers the asked time does a caller wait, and all who wait share one
// call. A source that fails is left alone for a minute, twice as long after each further failure, at most an hour, or as long as its
// error says (RetryAfter); until then the answer is what was said before with the strategy [Cached], or the error.
//
// All of this is counted in the times that are asked for, so that a replay of the past goes like the present. Safe for concurrent
// use. The calls belong to the cache: [Cache.Close] ends them and waits. Create one with [NewCache].
type Cache struct {
	cfg CacheConfig
	now atomic.Pointer[held]

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex // guards the rest
	last     *held      // the newest answer
	call     *cacheCall // under way
	failures int
	failedAt time.Time // of the failure, in the times asked for
	next     time.Time // not asked before
	err      error     // of the last call
	closed   bool
}

// held is an answer and the stretch in which it is given without a thought.
type held struct {
	Reading
	from, until time.Time
}

func (h *held) at(t time.Time) bool { return h != nil && t.Before(h.until) && !t.Before(h.from) }

type cacheCall struct {
	done chan struct{}
	at   time.Time
	got  *held
	err  error
	late bool // somebody has given up on it: the source has failed, whatever it says in the end
}

var errCacheClosed = errors.New("carbon: cache is closed")

// NewCache checks the configuration and returns an empty cache.
func NewCache(cfg CacheConfig) (*Cache, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Cache{cfg: cfg, ctx: ctx, stop: stop}, nil
}

// At returns the reading valid at t. It waits for the source only where nothing that was said before covers t, and no longer
// than ctx allows.
func (c *Cache) At(ctx context.Context, t time.Time) (Reading, error) {
	if h := c.now.Load(); h.at(t) {
		return h.Reading, nil
	}
	for range 2 { // the call that is joined may be for another time; the second is not
		r, call, err := c.known(t)
		if call == nil {
			return r, err
		}
		late := time.NewTimer(c.cfg.Timeout + c.cfg.Timeout/10)
		select {
		case <-call.done:
			late.Stop()
		case <-ctx.Done():
			late.Stop()
			return Reading{}, fmt.Errorf("carbon: cache: %w", context.Cause(ctx))
		case <-late.C: // a source that does not heed its context must not hold up anybody, nor be waited for again at once
			return Reading{}, c.giveUp(call, t)
		}
		if call.got != nil && call.got.Covers(t) {
			return call.got.Reading, nil
		}
		if call.err != nil && call.at.Equal(t) {
			return Reading{}, call.err
		}
	}
	r, _, err := c.known(t)
	if err == nil && r.From.IsZero() {
		err = &NoDataError{At: t}
	}
	return r, err
}

// known answers from what was said before; where that is not enough it returns the call to wait for.
func (c *Cache) known(t time.Time) (Reading, *cacheCall, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	covered := c.last != nil && c.last.Covers(t)
	fresh := covered && c.last.at(t)
	resting := c.err != nil && t.Before(c.next) && !t.Before(c.failedAt)
	var call *cacheCall
	if !fresh && !resting && !c.closed {
		if c.call == nil {
			c.fetch(t)
		}
		call = c.call
	}
	switch {
	case covered:
		r := c.last.Reading
		if !fresh && c.err != nil {
			r.Strategy = Cached
		}
		return r, nil, nil
	case call != nil:
		return Reading{}, call, nil
	case c.closed:
		return Reading{}, nil, errCacheClosed
	default:
		return Reading{}, nil, c.err
	}
}

// fetch starts a call. The caller holds mu.
func (c *Cache) fetch(t time.Time) {
	call := &cacheCall{done: make(chan struct{}), at: t}
	c.call = call
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.Timeout)
		r, err := c.ask(ctx, t)
		cancel()
		c.finish(call, r, err)
		if err == nil && c.cfg.took != nil {
			c.cfg.took(c.ctx, t, call.got.Reading)
		}
	}()
}

// ask calls the source. What breaks the contract of Provider is an error, and so is a panic: it must not end a training run.
func (c *Cache) ask(ctx context.Context, t time.Time) (r Reading, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("carbon: cache: the source panicked: %v", p)
		}
	}()
	r, err = c.cfg.Source.At(ctx, t)
	if err == nil {
		err = r.check(t, r.Signal)
	}
	return r, err
}

func (c *Cache) finish(call *cacheCall, r Reading, err error) {
	c.mu.Lock()
	defer func() {
		c.call = nil
		c.mu.Unlock()
		close(call.done)
	}()
	if err != nil {
		call.err = err
		if !call.late { // else its failure was counted
			c.fail(call.at, err)
		}
		return
	}
	if c.err != nil {
		c.cfg.Logger.Info("carbon: source is back", "source", r.Source, "zone", r.Zone)
	}
	c.failures, c.err = 0, nil
	if r.Strategy == 0 {
		r.Strategy = Fresh
	}
	h := &held{Reading: r, from: call.at, until: earlier(r.To, call.at.Add(c.cfg.TTL))}
	call.got, c.last = h, h
	c.now.Store(h)
}

// giveUp notes one failure, however many wait.
func (c *Cache) giveUp(call *cacheCall, t time.Time) error {
	err := fmt.Errorf("carbon: cache: no answer within %v: %w", c.cfg.Timeout, context.DeadlineExceeded)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !call.late || t.After(c.failedAt) && !t.Before(c.next) {
		call.late = true
		c.fail(t, err)
	}
	return err
}

// fail notes a failure of the source. The caller holds mu.
func (c *Cache) fail(at time.Time, err error) {
	if c.ctx.Err() != nil {
		c.err = err
		return
	}
	if c.err == nil {
		c.cfg.Logger.Warn("carbon: source fails", "error", err)
	}
	pause := firstPause
	if !errors.Is(err, ErrNoData) {
		c.failures++
		pause = min(firstPause<<min(c.failures-1, 16), longestPause)
	}
	var told interface{ RetryAfter() time.Duration }
	if errors.As(err, &told) {
		pause = max(pause, min(told.RetryAfter(), day))
	}
	c.err, c.failedAt, c.next = err, at, at.Add(pause)
}

// Err is the error of the last call to the source; nil after an answer and before the first call.
func (c *Cache) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the calls under way and waits for them. Afterwards only what was said before is answered.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.wg.Wait()
	return nil
}
