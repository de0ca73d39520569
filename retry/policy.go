// Package retry decides whether a failed attempt is followed by another one, and when.
//
// For most uses put a [Policy] in the Retry field of a Runner and a [Deadline] in its Watch field; around an ordinary call
// that has no Runner use [Policy.Do]. The zero Policy makes three attempts with growing, jittered delays.
//
// Training steps are long, so there is no limit on the total time: what bounds a retry is the number of attempts and the
// caller's context. An attempt that overruns its deadline is cancelled and waited for, never abandoned, because the next
// one must not run beside it.
package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Policy says how often and how fast to try again. It has no state: one value serves any number of goroutines.
type Policy struct {
	// Attempts is the largest number of attempts, the first included. Default 3; 1 means no retry.
	Attempts int
	// Delays are the delays between attempts. Default Exponential{}.
	Delays Delays
	// Retryable says whether an error may go away by itself. Default [Retryable]. Permanent errors are never retried.
	Retryable func(err error) bool
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
	limit := p.Attempts
	if limit <= 0 {
		limit = defaultAttempts
	}
	retryable := p.Retryable
	if retryable == nil {
		retryable = Retryable
	}
	if attempt >= limit || err == nil || permanent(err) || !retryable(err) {
		return 0, false
	}
	delays := p.Delays
	if delays == nil {
		delays = Exponential{}
	}
	delay = max(0, delays.Delay(max(1, attempt), prev))
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) {
		delay = max(delay, later.RetryAfter())
	}
	return delay, true
}

// Do calls fn until it succeeds or the policy gives up. It returns nil, or the last error: as fn returned it after one
// attempt (for [Permanent] the error inside), in a [*GaveUpError] after several. If ctx ends before an attempt or during a
// delay, the error wraps the reason and the last error of fn; if it has ended already, fn is not called.
//
// Use it for calls that may run twice: loading data, asking a provider. A training step belongs into a Runner, which
// restores the state in between.
func (p Policy) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	var (
		last  error
		delay time.Duration
		again bool
	)
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return stopped(ctx, err, attempt-1, last)
		}
		if last = fn(ctx); last == nil {
			return nil
		}
		if delay, again = p.Next(attempt, delay, last); !again {
			return gaveUp(attempt, last)
		}
		sleep(ctx, delay)
	}
}

func gaveUp(attempts int, err error) error {
	if p, ok := err.(*permanentError); ok {
		err = p.err
	}
	if attempts < 2 {
		return err
	}
	return &GaveUpError{Attempts: attempts, Err: err}
}

func stopped(ctx context.Context, err error, attempts int, last error) error {
	if cause := context.Cause(ctx); cause != err {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	if attempts == 0 {
		return fmt.Errorf("retry: stopped before the first attempt: %w", err)
	}
	return &GaveUpError{Attempts: attempts, Err: fmt.Errorf("%w; last error: %w", err, last)}
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
