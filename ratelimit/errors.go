package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrLimited is matched by every refusal of a limiter that waiting can cure.
	ErrLimited = errors.New("ratelimit: rate exceeded")
	// ErrBurst is matched by the refusal of more tokens at once than can ever be there. It is permanent.
	ErrBurst = errors.New("ratelimit: more than the burst")
	// ErrFull is returned by a [Bulkhead] or a [Gradient] that has no room and does not wait, has waited long enough, or
	// gave the place in line to a step of higher priority. It is neutral.
	ErrFull error = neutralError("ratelimit: bulkhead is full")
	// ErrKeys is returned by a [Keyed] that can take no new key without forgetting one that is in use. It is neutral.
	ErrKeys error = neutralError("ratelimit: too many keys in use")
)

// neutralError is a refusal without data, which says nothing about the health of a step.
type neutralError string

func (e neutralError) Error() string { return string(e) }
func (neutralError) Neutral() bool   { return true }

// LimitedError is the refusal of a step for which no token is due in time. It matches [ErrLimited] and
// context.DeadlineExceeded, for it says before the deadline what would be so after it.
type LimitedError struct {
	Wait time.Duration // until the token would have been due
}

func (e *LimitedError) Error() string {
	return fmt.Sprintf("%v: next token is due in %v", ErrLimited, e.Wait)
}

// Is reports whether target is ErrLimited or context.DeadlineExceeded.
func (e *LimitedError) Is(target error) bool {
	return target == ErrLimited || target == context.DeadlineExceeded
}

// RetryAfter is when the token will be due if nobody else takes it.
func (e *LimitedError) RetryAfter() time.Duration { return e.Wait }

// Neutral reports true: a full bucket says nothing about the health of a step.
func (e *LimitedError) Neutral() bool { return true }

// BurstError is the refusal of N tokens at once from a limiter that never has as many. It matches [ErrBurst].
type BurstError struct{ N, Burst int }

func (e *BurstError) Error() string {
	return fmt.Sprintf("%v: %d tokens at once, burst %d", ErrBurst, e.N, e.Burst)
}

// Is reports whether target is ErrBurst.
func (e *BurstError) Is(target error) bool { return target == ErrBurst }

// Permanent reports true: waiting does not enlarge the bucket.
func (e *BurstError) Permanent() bool { return true }

// Neutral reports true.
func (e *BurstError) Neutral() bool { return true }

// endedError is the refusal of a step whose context ended before it was admitted.
type endedError struct{ err error }

func (e *endedError) Error() string { return fmt.Sprintf("ratelimit: %v", e.err) }
func (e *endedError) Unwrap() error { return e.err }
func (e *endedError) Neutral() bool { return true }

// ended returns why ctx ended, or nil if it has not.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != err {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &endedError{err}
}

// neutral reports whether a failure says nothing about what the step asked for: it is what a method Neutral() bool in its
// tree says, or else a cancellation by the caller. Refusals further in are neutral.
func neutral(err error) bool {
	var n interface{ Neutral() bool }
	if errors.As(err, &n) {
		return n.Neutral()
	}
	return errors.Is(err, context.Canceled)
}

// retryAfter is the time that a failure asks for, or 0.
func retryAfter(err error) time.Duration {
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) {
		return later.RetryAfter()
	}
	return 0
}

// longest is beyond any sensible setting and far from where sums of durations overflow.
const longest = 100 * 365 * 24 * time.Hour

// settings collects the first complaint about a configuration.
type settings struct{ err error }

func (s *settings) want(ok bool, name string, value any, range_ string) {
	if !ok && s.err == nil {
		s.err = fmt.Errorf("ratelimit: %s %v is not %s", name, value, range_)
	}
}
