package retry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// LearnedDeadline is a [Deadline] whose limit follows from how long attempts take: a quantile of the last 100 durations
// times a factor.
//
// Successes enter with the time they took, late ones too. An attempt that was cancelled by the limit enters with the limit:
// it would have taken at least that long. So a step that has become slower for good is not cancelled for ever: with the
// default quantile the limit grows by Factor for every six overruns among the last hundred. An attempt that failed in time
// or was cancelled by the caller says nothing about how long a success takes, and does not enter.
//
// The zero value learns with the defaults. It is safe for concurrent use and must not be copied after first use.
type LearnedDeadline struct {
	// Quantile of the durations, between 0 and 1. Default 0.95.
	Quantile float64
	// Factor times the quantile is the limit, at least 1. Default 1.5.
	Factor float64
	// WarmUp is the number of successes before there is a limit. Default 10.
	WarmUp int
	// Floor is the shortest limit. Default 10 ms, so that a fast step does not fall to a pause of the scheduler.
	Floor time.Duration
	// Cap is the longest limit, and the limit during the warm-up. Default none.
	Cap time.Duration

	limit   atomic.Int64 // that was learned, 0 before
	watches watches

	mu        sync.Mutex // guards what follows
	taken     durations
	successes int
}

// Current returns the limit of the next attempt, or 0 for none.
func (d *LearnedDeadline) Current() time.Duration {
	if d == nil {
		return 0
	}
	if limit := d.limit.Load(); limit != 0 {
		return time.Duration(limit)
	}
	return max(0, d.Cap)
}

// Watch returns a context that is cancelled with an [*OverranError] as its cause when the current limit is over, and a
// token for Release.
func (d *LearnedDeadline) Watch(ctx context.Context) (watched context.Context, token uint64) {
	if d == nil {
		return ctx, 0
	}
	return d.watches.begin(ctx, limits{hard: d.Current()})
}

// Release ends the watch of a token and learns from it. It returns err, preceded by the [*OverranError] if the attempt
// overran; nil stays nil.
func (d *LearnedDeadline) Release(token uint64, err error) error {
	if d == nil {
		return err
	}
	switch e, ok := d.watches.finish(token, err == nil); {
	case !ok:
		return err
	case err == nil:
		d.learn(e.elapsed, true)
		return nil
	case e.over != nil:
		d.learn(e.limit, false)
		return e.over.join(err)
	default:
		return err
	}
}

// Do runs fn under the current limit, waits for it even when it does not listen, and returns its error as
// [LearnedDeadline.Release] does.
func (d *LearnedDeadline) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return do(ctx, d, fn)
}

func (d *LearnedDeadline) learn(took time.Duration, success bool) {
	quantile, factor, warmUp, floor := d.Quantile, d.Factor, d.WarmUp, d.Floor
	if !(quantile > 0 && quantile <= 1) {
		quantile = 0.95
	}
	if !(factor >= 1) {
		factor = 1.5
	}
	if warmUp <= 0 {
		warmUp = 10
	}
	if floor <= 0 {
		floor = 10 * time.Millisecond
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taken.add(took); success {
		d.successes++
	}
	if d.successes < warmUp {
		return
	}
	limit := max(times(d.taken.quantile(quantile), factor), floor)
	if d.Cap > 0 {
		limit = min(limit, d.Cap)
	}
	d.limit.Store(int64(limit))
}
