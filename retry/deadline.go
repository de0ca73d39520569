package retry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrOverran is matched by the error of an attempt that was cancelled because it took too long.
var ErrOverran = errors.New("retry: attempt overran its deadline")

// OverranError is why the context of an attempt was cancelled. It matches [ErrOverran] and context.DeadlineExceeded.
type OverranError struct {
	Limit time.Duration
	// Elapsed is how long the attempt had run, if the limit is one of silence after a beat; else it is zero.
	Elapsed time.Duration
}

func (e *OverranError) Error() string {
	if e.Elapsed != 0 {
		return fmt.Sprintf("%v of %v without a beat, after %v", ErrOverran, e.Limit, e.Elapsed)
	}
	return fmt.Sprintf("%v of %v", ErrOverran, e.Limit)
}

// Is reports whether target is ErrOverran or context.DeadlineExceeded.
func (e *OverranError) Is(target error) bool {
	return target == ErrOverran || target == context.DeadlineExceeded
}

// Neutral reports false: a breaker counts the attempt as a failure, also when the step called its end a cancellation.
func (e *OverranError) Neutral() bool { return false }

// join returns err, preceded by e if err is not nil and does not say it.
func (e *OverranError) join(err error) error {
	if e == nil || err == nil || errors.Is(err, ErrOverran) {
		return err
	}
	return fmt.Errorf("%w: %w", e, err)
}

// Deadline bounds each attempt by the clock: a watcher for a Runner. When the limit is over it cancels the context of the
// attempt, and that is all: a step that does not listen goes on, and is waited for. A step that succeeds late has
// succeeded. It is safe for concurrent use and must not be copied after first use. The attempts share one timer, and one
// that ends in time allocates next to nothing unless it asks for the Done channel of its context; see [Watchdog].
type Deadline struct {
	// Limit of one attempt; zero or less means none.
	Limit time.Duration

	watches watches
}

// Watch returns a context that is cancelled with an [*OverranError] as its cause when the limit is over, and a token for
// Release.
func (d *Deadline) Watch(ctx context.Context) (watched context.Context, token uint64) {
	if d == nil || d.Limit <= 0 {
		return ctx, 0
	}
	return d.watches.begin(ctx, limits{hard: d.Limit})
}

// Release ends the watch of a token. It returns err, preceded by the [*OverranError] if the attempt overran; nil stays nil.
func (d *Deadline) Release(token uint64, err error) error {
	if d == nil {
		return err
	}
	e, _ := d.watches.finish(token, false)
	return e.over.join(err)
}

// Do runs fn under the limit, waits for it even when it does not listen, and returns its error as [Deadline.Release] does.
func (d *Deadline) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return do(ctx, d, fn)
}
