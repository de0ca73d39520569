// Package retry decides whether a failed attempt is followed by another one, and when.
//
// For most uses put a [Policy] in the Retry field of a Runner, and a [Deadline], or for steps of unknown length a
// [Watchdog], in its Watch field; around an ordinary call that has no Runner use [Policy.Do]. The zero Policy makes three
// attempts with growing, jittered delays; [ForStep], [ForLoading], [ForCheckpoint] and [ForProvider] are policies with
// reasons.
//
// Training steps are long, so there is no limit on the total time unless you ask for one: what bounds a retry is the number
// of attempts and the caller's context. An attempt that overruns its deadline is cancelled and waited for, never abandoned,
// because the next one must not run beside it. [Hedge] runs calls side by side, and [Fallback] puts one in the place of
// another: both are for calls that change nothing.
//
// What a failure means is read from its behaviour: see [Permanent], [WithRetryAfter], [Status] for HTTP, and [Class] for
// errors with rules of their own. A [Budget] shared by many callers keeps retries from multiplying the load of something
// that is failing, and [Adaptive] delays learn how long that lasts.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Policy says how often and how fast to try again. But for a Budget and for Delays that learn, which are shared on purpose,
// it has no state: one value serves any number of goroutines.
type Policy struct {
	// Attempts is the largest number of attempts, the first included. Default 3; 1 means no retry.
	Attempts int
	// Delays are the delays between attempts. Default Exponential{}.
	Delays Delays
	// Retryable says whether an error may go away by itself. Default [Retryable]. Permanent errors are never retried.
	Retryable func(err error) bool
	// Classes are kinds of errors with rules of their own. The first that matches counts.
	Classes []Class
	// Budget bounds retries over many calls. Nil means no bound.
	Budget *Budget
	// MaxElapsed is the time from the beginning of Do after which no attempt begins; a delay that would end later is not
	// even begun. An attempt under way is not cut short, so one that took longer is not retried. Default: no limit. Only
	// Do heeds it: Next is told of no time, so in a Runner the context is what bounds a batch.
	MaxElapsed time.Duration
}

const defaultAttempts = 3

// Retryable is the default classification: everything is worth another attempt but a permanent error (its Permanent method
// says true) and the cancellation of the caller. An attempt that overran its own deadline is.
func Retryable(err error) bool {
	return err != nil && !permanent(err) && (!errors.Is(err, context.Canceled) || errors.Is(err, ErrOverran))
}

// Next reports whether the attempt that failed with err is followed by another, and after which delay. Attempts count from
// 1; prev is the delay before the failed one. If the error says when to come back (its RetryAfter method), the delay is at
// least that long, whatever the limits of Delays: coming earlier would only burn the attempt.
func (p Policy) Next(attempt int, prev time.Duration, err error) (delay time.Duration, again bool) {
	delay, again, _ = p.next(attempt, prev, err)
	return delay, again
}

// next also returns why there is no other attempt, if that is for a reason other than the error and its attempts.
func (p *Policy) next(attempt int, prev time.Duration, err error) (delay time.Duration, again bool, refusal error) {
	if err == nil || permanent(err) {
		return 0, false, nil
	}
	limit, delays := p.Attempts, p.Delays
	if class := p.class(err); class != nil {
		if class.Attempts > 0 {
			limit = class.Attempts
		}
		if class.Delays != nil {
			delays = class.Delays
		}
	} else if p.Retryable != nil && !p.Retryable(err) || p.Retryable == nil && !Retryable(err) {
		return 0, false, nil
	}
	if limit <= 0 {
		limit = defaultAttempts
	}
	p.Budget.failed(err)
	if attempt >= limit {
		return 0, false, nil
	}
	if !p.Budget.allows() {
		return 0, false, ErrBudget
	}
	if delays == nil {
		delays = Exponential{}
	}
	wait := retryAfter(err)
	if p.MaxElapsed > 0 && wait > p.MaxElapsed { // no caller has that much time, and it may be a peer's mistake
		return 0, false, ErrElapsed
	}
	return max(0, delays.Delay(max(1, attempt), prev), wait), true, nil
}

// class is the one that err belongs to, or nil.
func (p *Policy) class(err error) *Class {
	for i := range p.Classes {
		if c := &p.Classes[i]; c.Match != nil && c.Match(err) {
			return c
		}
	}
	return nil
}

// Do calls fn until it succeeds or the policy gives up. It returns nil, or the last error: as fn returned it after one
// attempt (for [Permanent] the error inside), in a [*GaveUpError] after several. If ctx ends before an attempt or during a
// delay, or would end before the delay does, there is no further attempt, and none is waited for in vain: the error wraps
// the reason (context.DeadlineExceeded in the last case, or [ErrBudget], [ErrElapsed]) and the last error of fn. If ctx has
// ended already, fn is not called.
//
// Use it for calls that may run twice: loading data, asking a provider. A training step belongs into a Runner, which
// restores the state in between.
func (p Policy) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	var r Report
	return p.do(ctx, fn, &r)
}

// DoReport is Do with an account of how it went, also of a success.
func (p Policy) DoReport(ctx context.Context, fn func(ctx context.Context) error) (Report, error) {
	var r Report
	err := p.do(ctx, fn, &r)
	return r, err
}

func (p *Policy) do(ctx context.Context, fn func(ctx context.Context) error, r *Report) error {
	var (
		last         error
		delay        time.Duration
		start, began time.Time
	)
	learns := p.learns()
	if p.MaxElapsed > 0 {
		start = time.Now()
	}
	for {
		if err := ctx.Err(); err != nil {
			return r.stopped(whyEnded(ctx, err), last)
		}
		if learns {
			began = time.Now()
		}
		r.Attempts++
		if last = fn(ctx); last == nil {
			p.Budget.Done(0, nil)
			if learns {
				p.succeeded(began)
			}
			return nil
		}
		r.failed(delay, last)
		next, again, refusal := p.next(r.Attempts, delay, last)
		if again {
			refusal = p.tooLate(ctx, next, start)
		}
		if refusal != nil {
			return r.stopped(refusal, last)
		}
		if !again {
			return r.gaveUp(last)
		}
		delay = next
		r.Waited += sleep(ctx, delay)
	}
}

// tooLate says why a delay that begins now would end in vain, or returns nil.
func (p *Policy) tooLate(ctx context.Context, delay time.Duration, start time.Time) error {
	if ctx.Err() != nil {
		return nil // which says more
	}
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline); delay >= left {
			return fmt.Errorf("a delay of %v with %v left: %w", delay, left, context.DeadlineExceeded)
		}
	}
	if p.MaxElapsed > 0 {
		if elapsed := time.Since(start); delay > p.MaxElapsed-elapsed {
			return fmt.Errorf("%w: a delay of %v after %v of %v", ErrElapsed, delay, elapsed, p.MaxElapsed)
		}
	}
	return nil
}

// learns reports whether there are delays that want to know of a success.
func (p *Policy) learns() bool {
	if _, ok := p.Delays.(*Adaptive); ok {
		return true
	}
	for i := range p.Classes {
		if _, ok := p.Classes[i].Delays.(*Adaptive); ok {
			return true
		}
	}
	return false
}

// succeeded tells the delays that want to know of the success of an attempt.
func (p *Policy) succeeded(began time.Time) {
	if a, ok := p.Delays.(*Adaptive); ok {
		a.succeeded(began)
	}
	for i := range p.Classes {
		if a, ok := p.Classes[i].Delays.(*Adaptive); ok {
			a.succeeded(began)
		}
	}
}

// whyEnded is why ctx ended: its error, and the cause if there is one.
func whyEnded(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// sleep waits for d or until ctx ends, and returns how long that was.
func sleep(ctx context.Context, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	start := time.Now()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return time.Since(start)
}
