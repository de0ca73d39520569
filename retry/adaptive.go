package retry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Adaptive delays follow what was observed: an outage lasts from the first failure to the next attempt that succeeds. The
// second attempt comes when half of the last 100 outages were over, the third when nine of ten were, and so on in steps of
// the same length. A recovery is noticed only by trying: it lies somewhere between the last failure and the start of the
// attempt that succeeds, and is taken to be in the middle, so that delays that are too long shrink.
//
// It must be told of successes. [Policy.Do] tells it; in a Runner put it into Attempt as well as into the Delays of Retry,
// or it will never learn. One value is for one thing that may fail: do not share it between a disk and a provider.
//
// The zero value is ready to use. It is safe for concurrent use and must not be copied after first use.
type Adaptive struct {
	// Start are the delays until five outages were observed. Default Exponential{}.
	Start Delays
	// Min is the least middle of a delay. Default 100 ms.
	Min time.Duration
	// Max is the longest delay, jitter and those of Start included. Default 10 min.
	Max time.Duration
	// Jitter is that of [Exponential].
	Jitter float64

	down atomic.Bool // an outage goes on: what asks of a success that there be no lock without one

	mu sync.Mutex
	// Guarded by mu.
	epoch       time.Time // the first failure of all, from which tokens count
	first, last time.Time // failure of the outage that goes on
	outages     durations
}

const outagesToLearn = 5

// Delay returns the delay after the given attempt, which has just failed.
func (a *Adaptive) Delay(attempt int, prev time.Duration) time.Duration {
	longest := a.Max
	if longest <= 0 {
		longest = 10 * time.Minute
	}
	now := time.Now()
	a.mu.Lock()
	if a.epoch.IsZero() {
		a.epoch = now
	}
	if !a.down.Load() {
		a.first = now
		a.down.Store(true)
	}
	a.last = now
	seen, middle := a.outages.seen, a.outages.quantile(0.5)
	if attempt > 1 {
		middle = max(a.outages.quantile(0.9)-middle, middle/2)
	}
	a.mu.Unlock()

	if seen >= outagesToLearn {
		return spread(max(float64(middle), orElse(a.Min, 100*time.Millisecond)), longest, a.Jitter)
	}
	start := a.Start
	if start == nil {
		start = Exponential{}
	}
	return min(start.Delay(attempt, prev), longest)
}

// Admit admits every attempt.
func (a *Adaptive) Admit(context.Context) (token uint64, err error) {
	if !a.down.Load() {
		return 0, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return 1 + uint64(time.Since(a.epoch)), nil
}

// Done learns from a success. Failures are learned of from Delay.
func (a *Adaptive) Done(token uint64, err error) {
	if err != nil || token == 0 || !a.down.Load() {
		return // also a success that began before there was an outage, which says nothing about it
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recovered(a.epoch.Add(time.Duration(token - 1)))
}

// succeeded is Done for an attempt whose beginning is known.
func (a *Adaptive) succeeded(began time.Time) {
	if a.down.Load() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.recovered(began)
	}
}

func (a *Adaptive) recovered(began time.Time) {
	if !a.down.Load() || began.Before(a.first) {
		return
	}
	failed := a.last
	if began.Before(failed) { // two attempts side by side
		failed = began
	}
	a.outages.add(failed.Add(began.Sub(failed) / 2).Sub(a.first))
	a.down.Store(false)
}

// Outages returns how many outages have been observed, and how long half and nine of ten of the last 100 lasted at most.
func (a *Adaptive) Outages() (seen int, p50, p90 time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.outages.seen, a.outages.quantile(0.5), a.outages.quantile(0.9)
}
