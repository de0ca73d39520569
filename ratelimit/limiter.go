// Package ratelimit bounds how often, and how many at once, steps may begin.
//
// For most uses take a [Limiter] for a rate and a [Bulkhead] for a number at once, and put them among the admitters of a
// Runner, or call Wait and Do on their own. [ProviderCall], [DataLoading], [Checkpointing] and [Step] are settings to
// begin with.
//
//   - [Limiter] is a rate that you know: a token bucket ([New]), evenly spaced ([NewSmooth]), or so many in any window of
//     time ([NewWindow]).
//   - [Adaptive] is a quota that another side may cut: it slows down when steps fail, and pauses when told to.
//   - [Bulkhead] is a number at once that you know, with a line in which higher priorities stand further in front.
//   - [Gradient] is a number at once that nobody knows: it finds it from the latency.
//   - [Keyed] keeps one of these for each key, in bounded memory.
//
// All of them have the methods of [Admitter], so that one can be swapped for another. What they refuse is neutral to a
// circuit breaker, and says when to come back where that is known. Their nil and zero values do not limit.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Admitter is what everything in this package has in common, and what a Runner asks of a policy.
type Admitter interface {
	// Admit waits until the step may run, or refuses with an error; then Done is not called.
	Admit(ctx context.Context) (token uint64, err error)
	// Done is called once for each success of Admit, with the token that it returned and the outcome of the step.
	Done(token uint64, err error)
}

// errAborted is the outcome of a function that did not return.
var errAborted = errors.New("ratelimit: step did not return")

// do runs fn if a admits it.
func do(ctx context.Context, a Admitter, fn func(context.Context) error) error {
	token, err := a.Admit(ctx)
	if err != nil {
		return err
	}
	err = errAborted
	defer func() { a.Done(token, err) }()
	err = fn(ctx)
	return err
}

// Limiter admits steps at a rate. Those that wait are served first come, first served, and each is weighed: a step of n
// takes n tokens. It is safe for concurrent use. A nil or zero Limiter does not limit.
type Limiter struct {
	meter meter
	turn  *Bulkhead // of one: the first in line waits for its tokens, the others for their turn

	mu      sync.Mutex // guards waiting, and the state of meter
	waiting int        // tokens that those in line want
}

func newLimiter(m meter) *Limiter {
	return &Limiter{meter: m, turn: &Bulkhead{room: newRoom(BulkheadConfig{Permits: 1, MaxWait: -1}, 1)}}
}

// New returns a token bucket: a limiter of a number of steps per second, with a burst of them after a quiet time. In any
// time t at most burst + t·perSecond steps are due: one whose timer rings late may begin right before the next. NewSmooth
// and NewWindow count from when a step begins. The bucket is full at first. The rate is positive and finite: leave the
// limiter out to have no limit. A step of more than burst is refused.
func New(perSecond float64, burst int) (*Limiter, error) {
	if !(perSecond > 0) || math.IsInf(perSecond, 1) {
		return nil, fmt.Errorf("ratelimit: rate %v per second is not a positive number", perSecond)
	}
	if burst < 1 {
		return nil, fmt.Errorf("ratelimit: burst %d is below 1", burst)
	}
	return newLimiter(&bucket{tokens: rate.NewLimiter(rate.Limit(perSecond), burst)}), nil
}

// NewSmooth returns a limiter that spaces steps evenly, as a leaky bucket does: after a step begins, the next begins no
// sooner than gap later, however long it was quiet before. Nothing accumulates. After a step of n there are n gaps, so that
// every weight can be admitted. The gap is from a nanosecond to 100 years.
func NewSmooth(gap time.Duration) (*Limiter, error) {
	var s settings
	s.want(gap > 0 && gap <= longest, "gap", gap, "positive and at most 100 years")
	if s.err != nil {
		return nil, s.err
	}
	return newLimiter(&smooth{gap: gap}), nil
}

// NewWindow returns a limiter of n tokens in any window of time d, wherever it begins: each token can be taken again when d
// has passed. Unlike counters of two fixed windows it is exact, for which it remembers when each of up to n tokens was taken,
// in 8 bytes. A step of more than n is refused. One that would wait behind steps of several tokens may be told a time, in
// its [LimitedError], that is too early, but never one that is too late. n is from 1 to 1048576, d positive and at most 100
// years.
func NewWindow(n int, d time.Duration) (*Limiter, error) {
	var s settings
	s.want(n >= 1 && n <= maxPermits, "window of", n, fmt.Sprintf("from 1 to %d", maxPermits))
	s.want(d > 0 && d <= longest, "window of", d, "positive and at most 100 years")
	if s.err != nil {
		return nil, s.err
	}
	return newLimiter(&window{n: n, d: d, epoch: time.Now()}), nil
}

// Allow takes a token if there is one and nobody waits for it, without waiting.
func (l *Limiter) Allow() bool { return l.AllowN(1) }

// AllowN is Allow for n tokens, or none if n is not positive.
func (l *Limiter) AllowN(n int) bool {
	if l == nil || l.meter == nil || n <= 0 {
		return true
	}
	now := time.Now()
	l.mu.Lock()
	ok := l.waiting == 0 && l.meter.take(now, now, n)
	l.mu.Unlock()
	return ok
}

// Wait takes a token and returns when it is due. If that is after ctx's deadline it fails at once with a [*LimitedError]
// and takes none; if ctx ends while waiting, the token goes to the next in line.
func (l *Limiter) Wait(ctx context.Context) error { return l.WaitN(ctx, 1) }

// WaitN is Wait for n tokens, or none if n is not positive. More than can ever be there is a [*BurstError].
func (l *Limiter) WaitN(ctx context.Context, n int) error {
	if err := ended(ctx); err != nil || l.AllowN(n) {
		return err
	}
	if most := l.meter.most(); n > most {
		return &BurstError{N: n, Burst: most}
	}
	return l.queue(ctx, n)
}

// queue waits in line for n tokens. Whether they can come in time is known from the start: everybody in front is counted.
func (l *Limiter) queue(ctx context.Context, n int) error {
	l.mu.Lock()
	now := time.Now()
	if wait := l.meter.due(now, l.waiting, n); late(ctx, now, wait) {
		l.mu.Unlock()
		return &LimitedError{Wait: wait}
	}
	l.waiting += n
	l.mu.Unlock()

	turn, err := l.turn.Admit(ctx)
	if err == nil {
		err = l.first(ctx, n)
		l.turn.Done(turn, nil)
		return err
	}
	l.mu.Lock()
	l.waiting -= n
	l.mu.Unlock()
	return err
}

// first waits at the head of the line. It takes its tokens only when they are there, so that one who leaves owes nothing,
// and looks again after each wait, for the rate may have changed.
func (l *Limiter) first(ctx context.Context, n int) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.waiting -= n }()
	now := time.Now()
	for since := now; !l.meter.take(since, now, n); now = time.Now() {
		wait := l.meter.due(now, 0, n)
		if late(ctx, now, wait) {
			return &LimitedError{Wait: wait}
		}
		if since = now.Add(wait); wait <= 0 {
			continue
		}
		timer.Reset(wait)
		l.mu.Unlock()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		l.mu.Lock()
		if err := ended(ctx); err != nil {
			return err
		}
	}
	return nil
}

// late reports whether a wait from now on does not end before ctx's deadline.
func late(ctx context.Context, now time.Time, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && wait >= deadline.Sub(now)
}

// Admit waits like Wait, so that a Limiter is an admitter. The token means nothing.
func (l *Limiter) Admit(ctx context.Context) (token uint64, err error) { return 0, l.Wait(ctx) }

// Done does nothing: a token that was taken stays taken, whatever came of the step.
func (l *Limiter) Done(uint64, error) {}

func (l *Limiter) fresh(now time.Time) bool {
	if l == nil || l.meter == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting == 0 && l.meter.fresh(now)
}
