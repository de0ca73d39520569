package retry

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// EscalatingDeadline is a [Deadline] that gives a step that took too long more time in the next attempt.
//
// A watcher is not told the number of the attempt, so the limit follows from what happened: every overrun multiplies it by
// Factor, up to Cap, and a success in time puts it back. In a loop that retries a step until it succeeds that is the same
// as a limit per attempt. After a step that was given up the limit stays where it was until something succeeds. Attempts
// that overrun side by side under the same limit raise it once. An attempt that fails in time changes nothing; one that
// succeeds late has overrun. Steps that have nothing to do with each other should not share one.
//
// It is safe for concurrent use and must not be copied after first use.
type EscalatingDeadline struct {
	// Limit of the first attempt; zero or less means none at all.
	Limit time.Duration
	// Factor is the growth after an overrun, at least 1. Default 1.5.
	Factor float64
	// Cap is the longest limit. Default 5 times Limit; less than Limit means Limit.
	Cap time.Duration

	raised  atomic.Int64 // the limit in force, 0 for Limit
	watches watches
}

// Current returns the limit of the next attempt.
func (d *EscalatingDeadline) Current() time.Duration {
	if d == nil {
		return 0
	}
	if raised := d.raised.Load(); raised != 0 {
		return time.Duration(raised)
	}
	return max(0, d.Limit)
}

// Watch returns a context that is cancelled with an [*OverranError] as its cause when the current limit is over, and a
// token for Release.
func (d *EscalatingDeadline) Watch(ctx context.Context) (watched context.Context, token uint64) {
	limit := d.Current()
	if limit == 0 {
		return ctx, 0
	}
	return d.watches.begin(ctx, limits{hard: limit})
}

// Release ends the watch of a token and learns from it. It returns err, preceded by the [*OverranError] if the attempt
// overran; nil stays nil.
func (d *EscalatingDeadline) Release(token uint64, err error) error {
	if d == nil {
		return err
	}
	e, ok := d.watches.finish(token, false)
	switch {
	case e.over != nil:
		d.raise(e.limit)
	case ok && err == nil && d.raised.Load() != 0:
		d.raised.Store(0)
	}
	return e.over.join(err)
}

// Do runs fn under the current limit, waits for it even when it does not listen, and returns its error as
// [EscalatingDeadline.Release] does.
func (d *EscalatingDeadline) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return do(ctx, d, fn)
}

// raise follows the limit that was overrun by the next one, unless somebody else has changed it meanwhile.
func (d *EscalatingDeadline) raise(limit time.Duration) {
	factor, longest := d.Factor, d.Cap
	if !(factor >= 1) {
		factor = 1.5
	}
	if longest <= 0 {
		longest = times(d.Limit, 5)
	}
	next := max(d.Limit, min(times(limit, factor), longest))
	if limit == d.Limit {
		d.raised.CompareAndSwap(0, int64(next))
	}
	d.raised.CompareAndSwap(int64(limit), int64(next))
}

// times returns d × factor, or the longest duration if that is too much.
func times(d time.Duration, factor float64) time.Duration {
	if f := float64(d) * factor; f < math.MaxInt64 {
		return time.Duration(f)
	}
	return math.MaxInt64
}
