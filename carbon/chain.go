package carbon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ChainConfig configures a [Chain]. Zone is required.
type ChainConfig struct {
	// Zone is the key of the grid zone, as [NewTable] takes it.
	Zone string
	// Source knows the present; its [History] and its [Forecaster] are used where it has them. Nil where there is no source
	// to ask, for want of a key, say: the chain then goes without and says so.
	Source Provider
	// Neighbours are zones whose grid behaves like this one's.
	Neighbours []NeighbourZone
	// Dir is a directory for what is seen, so that a restart begins with it: see [Archive]. Empty keeps nothing.
	Dir string
	// Signal of the values. Default Average. There are no figures of earlier years for marginal ones.
	Signal Signal
	// Scope of the values. Default that of the source. There are no figures of earlier years for direct ones.
	Scope Scope
	// Step is the length of a slot of the forecasts. Default an hour.
	Step time.Duration
	// TTL and Timeout are as in [CacheConfig], for the source and each neighbour.
	TTL, Timeout time.Duration
	// Refresh is how often the source's forecast is asked for. Default an hour.
	Refresh time.Duration
	// Retention is as in [ArchiveConfig].
	Retention time.Duration
	// Logger is told when the strategy changes, a source fails or is back, or nothing can be written; once each. Default
	// silent.
	Logger *slog.Logger
}

// NeighbourZone is another zone and who knows it.
type NeighbourZone struct {
	Zone   string
	Source Provider
}

func (c *ChainConfig) complete() error {
	if c.Signal == 0 {
		c.Signal = Average
	}
	if c.Scope > Direct {
		return fmt.Errorf("carbon: chain: Scope %d is not lifecycle or direct", c.Scope)
	}
	if c.Refresh < 0 {
		return fmt.Errorf("carbon: chain: Refresh %v is negative", c.Refresh)
	}
	if c.Refresh == 0 {
		c.Refresh = time.Hour
	}
	for i, n := range c.Neighbours {
		if n.Source == nil || n.Zone == "" || n.Zone == c.Zone {
			return fmt.Errorf("carbon: chain: Neighbours[%d]: zone %q needs a source and must be another zone than %q", i, clip(n.Zone), clip(c.Zone))
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Chain answers for one zone whatever happens to its source. In this order:
//
//   - [Fresh]: what the source says, cached for a while
//   - [Cached]: what it said earlier for this very time, as a value or a forecast
//   - [Climatology]: the zone's own past (see [Learner]), blended with the source's last forecast where that has proved better
//   - [Neighbour]: a neighbour's value times the ratio of the two levels over the last week
//   - [Typical], [Yearly], [Country], [World]: figures of earlier years (see [Table])
//
// Each reading says its strategy and its expected error, and bounds that hold for 80 %. The errors are those that each strategy
// was seen to make in this zone at this age, followed as values come; before there are any, those measured on other zones. Own
// past and neighbours compete by their expected error, and so do the figures of earlier years where there is neither.
//
// A source that fails holds nobody up for longer than Timeout, once; see [Cache]. A chain is a [Provider], a [Forecaster], and
// an [Outlooker] for a [Replanner]. Time is what the caller says it is. Safe for concurrent use. Create one with [NewChain], end
// it with [Chain.Close].
type Chain struct {
	cfg     ChainConfig
	archive *Archive
	cache   *Cache // nil without a source
	near    []nearby
	now     atomic.Pointer[held]

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	tending sync.Mutex // one goroutine asks for forecasts and histories at a time
	asked   time.Time  // for forecasts, in the times asked for
	filled  time.Time  // the end of the history that was asked for last

	mu       sync.Mutex // guards the rest
	known    *fallback
	strategy Strategy
	failing  map[string]bool
}

// nearby is a neighbour's cache and archive.
type nearby struct {
	zone    string
	cache   *Cache
	archive *Archive
}

// NewChain checks the configuration and reads what an earlier chain has seen. A directory that cannot be used is no error: the
// chain goes on without, and says so to the Logger.
func NewChain(ctx context.Context, cfg ChainConfig) (*Chain, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	table, err := NewTable(cfg.Zone)
	if err != nil {
		return nil, err
	}
	var zones []string
	for _, n := range cfg.Neighbours {
		zones = append(zones, n.Zone)
	}
	f, err := newFallback(cfg.Zone, cfg.Signal, cfg.Scope, cfg.Step, table, zones)
	if err != nil {
		return nil, err
	}
	c := &Chain{cfg: cfg, known: f, failing: map[string]bool{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if err := c.caches(); err != nil {
		c.stop()
		return nil, err
	}
	c.archive = c.open(ctx, cfg.Zone)
	for i := range c.near {
		c.near[i].archive = c.open(ctx, c.near[i].zone)
	}
	c.recall(ctx)
	if cfg.Source == nil {
		cfg.Logger.Warn("carbon: no source for this zone", "zone", cfg.Zone)
	}
	return c, nil
}

func (c *Chain) caches() error {
	cfg := CacheConfig{TTL: c.cfg.TTL, Timeout: c.cfg.Timeout, Logger: c.cfg.Logger}
	for i, n := range c.cfg.Neighbours {
		cfg.Source = n.Source
		cfg.took = func(ctx context.Context, _ time.Time, r Reading) { c.tookNear(ctx, i, r) }
		cache, err := NewCache(cfg)
		if err != nil {
			return err
		}
		c.near = append(c.near, nearby{zone: n.Zone, cache: cache})
	}
	if c.cfg.Source == nil {
		return nil
	}
	cfg.Source = ProviderFunc(c.ask)
	cfg.took = c.took
	var err error
	c.cache, err = NewCache(cfg)
	return err
}

// ask refuses a source of another signal or scope before the cache takes its answer.
func (c *Chain) ask(ctx context.Context, t time.Time) (Reading, error) {
	r, err := c.cfg.Source.At(ctx, t)
	if err != nil {
		return r, err
	}
	if err := r.check(t, c.cfg.Signal); err != nil {
		return Reading{}, err
	}
	scope := c.cfg.Scope
	return r, scope.meet(r)
}

func (c *Chain) open(ctx context.Context, zone string) *Archive {
	if c.cfg.Dir == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	a, err := OpenArchive(ctx, ArchiveConfig{Dir: c.cfg.Dir, Zone: zone, Signal: c.cfg.Signal, Retention: c.cfg.Retention, Logger: c.cfg.Logger})
	if err != nil {
		c.cfg.Logger.Warn("carbon: what is seen will not survive a restart", "zone", zone, "error", err)
		return nil
	}
	return a
}

// recall replays the archives in order of time, at most recallSlots of the newest slots.
func (c *Chain) recall(ctx context.Context) {
	const recallSlots = 5000
	type seen struct {
		of int // a neighbour, or -1
		Reading
	}
	var all []seen
	take := func(a *Archive, of int) {
		if a == nil {
			return
		}
		from := time.Unix(0, 0)
		readings, err := a.History(ctx, from, from.Add(190*365*day))
		if err != nil {
			if !errors.Is(err, ErrNoData) {
				c.state("archive "+a.cfg.Zone, err)
			}
			return
		}
		last := readings[len(readings)-1].To
		for _, r := range readings {
			if last.Sub(r.From) <= recallSlots*c.known.learner.Step() {
				all = append(all, seen{of, r})
			}
		}
	}
	for i, n := range c.near {
		take(n.archive, i)
	}
	take(c.archive, -1)
	slices.SortStableFunc(all, func(a, b seen) int { return a.From.Compare(b.From) })
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range all {
		if s.of < 0 {
			_ = c.known.observe(s.Reading) // a reading that covers no slot teaches nothing
		} else {
			_ = c.known.near(s.of, s.Reading)
		}
	}
}

// At returns the best that can be known for t. The error matches [ErrNoData], and only then, where there is nothing at all: for a
// marginal signal or a direct scope without any history.
func (c *Chain) At(ctx context.Context, t time.Time) (Reading, error) {
	if h := c.now.Load(); h.at(t) {
		return h.Reading, nil
	}
	var cause error
	if c.cache != nil {
		r, err := c.cache.At(ctx, t)
		if err == nil {
			return c.direct(t, r), nil
		}
		cause = err
	}
	r, err := c.fallenBack(ctx, t)
	if err != nil {
		return Reading{}, errors.Join(err, cause)
	}
	return r, nil
}

// direct completes a reading of the source.
func (c *Chain) direct(t time.Time, r Reading) Reading {
	c.mu.Lock()
	if r.ExpectedError == 0 {
		r.ExpectedError = c.known.revised.expected()
	}
	c.mu.Unlock()
	c.changed(r)
	if h := c.cache.now.Load(); h.at(t) && h.From.Equal(r.From) {
		c.now.Store(&held{Reading: r, from: h.from, until: h.until})
	}
	return r
}

func (c *Chain) fallenBack(ctx context.Context, t time.Time) (Reading, error) {
	for i, n := range c.near {
		if r, err := n.cache.At(ctx, t); err == nil {
			c.mu.Lock()
			_ = c.known.near(i, r)
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	r, err := c.known.at(t)
	c.mu.Unlock()
	if err == nil {
		c.changed(r)
	}
	return r, err
}

// changed says when the answers begin to come from somewhere else.
func (c *Chain) changed(r Reading) {
	c.mu.Lock()
	before := c.strategy
	c.strategy = r.Strategy
	c.mu.Unlock()
	if before != r.Strategy && (before != 0 || r.Strategy != Fresh) {
		c.cfg.Logger.Info("carbon: intensity is come by in another way", "zone", c.cfg.Zone, "strategy", r.Strategy.String(), "before", before.String(),
			"source", r.Source, "expected_error", r.ExpectedError)
	}
}

// Outlook fills dst with the forecast for n slots from the one that contains from; see [Learner.Outlook]. At each horizon it is
// the zone's own past, the source's forecast, or a blend of the two, whichever has proved best; without either, figures of
// earlier years.
func (c *Chain) Outlook(dst *Outlook, from time.Time, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known.outlook(dst, from, n)
}

// Forecast implements [Forecaster] without asking anybody: a reading of Basis Forecast for each slot.
func (c *Chain) Forecast(ctx context.Context, from, to time.Time) ([]Reading, error) {
	if err := checkStretch(from, to); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	step := c.known.learner.Step()
	if to.Sub(from) > maxHorizon {
		return nil, fmt.Errorf("carbon: chain: a forecast of %v is longer than %v", to.Sub(from), maxHorizon)
	}
	var out []Reading
	for at := from; at.Before(to); at = at.Truncate(step).Add(step) {
		r, err := c.known.at(at)
		if err != nil {
			return nil, err
		}
		if r.Strategy >= Typical { // an interval of a year
			r.From, r.To = at.Truncate(step), at.Truncate(step).Add(step)
		}
		r.Basis = Forecast
		out = append(out, r)
	}
	return out, nil
}

// Close ends what is under way, waits for it, and leaves the archive complete.
func (c *Chain) Close() error {
	c.stop()
	if c.cache != nil {
		_ = c.cache.Close()
	}
	for _, n := range c.near {
		_ = n.cache.Close()
	}
	c.wg.Wait()
	return nil
}
