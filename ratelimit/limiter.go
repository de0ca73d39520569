// Package ratelimit bounds how often, and how many at once, steps may begin.
//
// For most uses take a [Limiter] for a rate and a [Bulkhead] for a number at once, and put them among the admitters of a
// Runner, or call Wait and Do on their own. What they refuse is neutral to a circuit breaker, and says when to come back
// where that is known.
package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

var (
	// ErrLimited is matched by every refusal of a Limiter that waiting can cure.
	ErrLimited = errors.New("ratelimit: rate exceeded")
	// ErrBurst is matched by the refusal of more tokens at once than the burst can ever hold. It is permanent.
	ErrBurst = errors.New("ratelimit: more than the burst")
)

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

// BurstError is the refusal of N tokens at once from a bucket that holds fewer. It matches [ErrBurst].
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

// Limiter is a token bucket: it admits steps at a steady rate, and a burst of them after a quiet time. It is safe for
// concurrent use. A nil or zero Limiter does not limit.
type Limiter struct {
	bucket *rate.Limiter
	// Only the first waiter reserves its tokens, and holds turn while it waits for them. When a reservation is cancelled
	// the bucket takes back only what no later reservation stands on: so there is never a later one.
	turn *semaphore.Weighted

	mu     sync.Mutex // guards behind
	behind int        // tokens that the waiters behind the first want
}

// New returns a limiter of a number of steps per second, with a bucket of burst tokens, full at first. The rate is positive
// and finite: leave the limiter out to have no limit.
func New(perSecond float64, burst int) (*Limiter, error) {
	if !(perSecond > 0) || math.IsInf(perSecond, 1) {
		return nil, fmt.Errorf("ratelimit: rate %v per second is not a positive number", perSecond)
	}
	if burst < 1 {
		return nil, fmt.Errorf("ratelimit: burst %d is below 1", burst)
	}
	return &Limiter{bucket: rate.NewLimiter(rate.Limit(perSecond), burst), turn: semaphore.NewWeighted(1)}, nil
}

// Allow takes a token if there is one, without waiting.
func (l *Limiter) Allow() bool { return l == nil || l.bucket == nil || l.bucket.Allow() }

// Wait takes a token and returns when it is due. If that is after ctx's deadline it fails at once with a [*LimitedError]
// and takes none; if ctx ends while waiting, the token goes to the next in line.
func (l *Limiter) Wait(ctx context.Context) error { return l.WaitN(ctx, 1) }

// WaitN is Wait for n tokens, or none if n is not positive. More than the burst is a [*BurstError].
func (l *Limiter) WaitN(ctx context.Context, n int) error {
	if err := ended(ctx); err != nil || l == nil || l.bucket == nil || n <= 0 {
		return err
	}
	if burst := l.bucket.Burst(); n > burst {
		return &BurstError{N: n, Burst: burst}
	}
	if l.bucket.AllowN(time.Now(), n) {
		return nil
	}
	return l.queue(ctx, n)
}

// queue waits in line for n tokens. Whether they can come in time is known from the start: everybody in front is counted.
func (l *Limiter) queue(ctx context.Context, n int) error {
	l.mu.Lock()
	now := time.Now()
	wait := l.due(now, l.behind+n)
	if deadline, ok := ctx.Deadline(); ok && wait >= deadline.Sub(now) {
		l.mu.Unlock()
		return &LimitedError{Wait: wait}
	}
	l.behind += n
	l.mu.Unlock()

	err := l.turn.Acquire(ctx, 1)
	l.mu.Lock()
	l.behind -= n
	if err != nil {
		l.mu.Unlock()
		return ended(ctx)
	}
	defer l.turn.Release(1)
	reserved := l.bucket.ReserveN(time.Now(), n)
	l.mu.Unlock()

	timer := time.NewTimer(reserved.Delay())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		reserved.Cancel()
		return ended(ctx)
	}
}

// due is how long after now n tokens will be there, those already reserved apart.
func (l *Limiter) due(now time.Time, n int) time.Duration {
	missing := float64(n) - l.bucket.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	seconds := missing / float64(l.bucket.Limit())
	if seconds >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64
	}
	return time.Duration(math.Ceil(seconds * float64(time.Second)))
}

// Admit waits like Wait, so that a Limiter is an admitter. The token means nothing.
func (l *Limiter) Admit(ctx context.Context) (token uint64, err error) { return 0, l.Wait(ctx) }

// Done does nothing: a token that was taken stays taken, whatever came of the step.
func (l *Limiter) Done(uint64, error) {}
