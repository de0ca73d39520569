package retry

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Idempotent is a call that may run twice, and even beside itself, with the same effect as once: reading a shard, asking a
// provider. [Hedge] and [Fallback] take nothing else. A training step is not one: two attempts that run side by side, or
// one that is cancelled when the other is done, each change the weights and the random state, and each releases something
// of the data that the privacy budget must be charged for.
//
// It must return soon after its context is cancelled, and what it returns must not need that context any longer: read a
// body before you return it.
type Idempotent[T any] func(ctx context.Context) (T, error)

// Hedge makes a call again while the first one is slow, and takes what comes first. It helps against stragglers, not
// against failures: a call that fails is not repeated, so put a Hedge inside a [Policy.Do].
//
// The zero value hedges a call that takes longer than nineteen of twenty did. It is safe for concurrent use and must not be
// copied after first use.
type Hedge[T any] struct {
	// Delay before the next call is made beside those that run. Zero means learned: the Quantile of how long the last 100
	// calls took, and no hedging until there were 20.
	Delay time.Duration
	// Quantile of a learned delay, between 0 and 1. About this part of all calls is not made twice. Default 0.95.
	Quantile float64
	// Calls is the largest number that are made, the first included. Default 2.
	Calls int
	// Budget: no hedging while it allows no retries. Nil means no bound.
	Budget *Budget

	mu    sync.Mutex
	taken durations // guarded by mu
}

const callsToLearn = 20

// Do returns the value of the first call that succeeds. Then, or after a permanent error, it cancels the other calls; it
// waits until they have returned. If no call succeeds it returns what they returned, joined: permanent or neutral only if
// every one was. If ctx has ended already, no call is made. A panic in a call goes on in the goroutine of Do, after the
// others have returned.
func (h *Hedge[T]) Do(ctx context.Context, call Idempotent[T]) (T, error) {
	if err := ctx.Err(); err != nil {
		var none T
		return none, new(Report).stopped(whyEnded(ctx, err), nil)
	}
	calls, delay := h.Calls, h.delay()
	if calls <= 0 {
		calls = 2
	}
	if delay <= 0 {
		calls = 1
	}
	racing, cancel := context.WithCancel(ctx)
	defer cancel()
	r := race[T]{ctx: racing, call: call, results: make(chan outcome[T])}
	start := time.Now()
	r.launch()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for r.running > 0 {
		select {
		case <-timer.C:
			if r.made < calls && racing.Err() == nil && h.Budget.allows() {
				r.launch()
				timer.Reset(delay)
			}
		case o := <-r.results:
			if racing.Err() == nil && o.returned && o.err == nil {
				h.learn(time.Since(start))
			}
			r.end(o, racing.Err() != nil && ctx.Err() == nil)
			if r.decided || permanent(o.err) {
				cancel()
			}
		}
	}
	return r.result()
}

// delay is after how long another call is made; zero if that is not known.
func (h *Hedge[T]) delay() time.Duration {
	if h.Delay > 0 {
		return h.Delay
	}
	q := h.Quantile
	if !(q > 0 && q < 1) {
		q = 0.95
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken.seen < callsToLearn {
		return 0
	}
	return max(h.taken.quantile(q), time.Millisecond)
}

// learn notes how long the first call took. If another one was faster, that is a lower bound; but it is longer than the
// delay, and that is all that its quantile needs to know.
func (h *Hedge[T]) learn(took time.Duration) {
	if h.Delay <= 0 {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.taken.add(took)
	}
}

// race is what one Do knows of its calls. Only its goroutine touches it.
type race[T any] struct {
	ctx           context.Context
	call          Idempotent[T]
	results       chan outcome[T]
	made, running int
	decided       bool
	winner        outcome[T] // the first success, or a panic, once decided
	errs          []error
}

// outcome is how a call ended. One that did not return panicked, or left by runtime.Goexit if there is no value.
type outcome[T any] struct {
	value    T
	err      error
	returned bool
	panicked any
}

func (r *race[T]) launch() {
	r.made++
	r.running++
	go func() {
		var o outcome[T]
		defer func() {
			if !o.returned {
				o.panicked = recover()
			}
			r.results <- o
		}()
		o.value, o.err = r.call(r.ctx)
		o.returned = true
	}()
}

// end takes in the end of a call; lost if the call had been told to stop by then.
func (r *race[T]) end(o outcome[T], lost bool) {
	r.running--
	switch {
	case !o.returned && (!r.decided || r.winner.returned), // also after a success: a panic is not to be hidden
		o.returned && o.err == nil && !r.decided:
		r.winner, r.decided = o, true
	case o.err != nil && !lost:
		r.errs = append(r.errs, o.err)
	}
}

func (r *race[T]) result() (T, error) {
	switch {
	case !r.decided:
		var none T
		return none, allFailed(r.errs)
	case r.winner.returned:
		return r.winner.value, nil
	case r.winner.panicked == nil:
		runtime.Goexit()
	}
	panic(r.winner.panicked)
}
