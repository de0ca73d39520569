package retry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrOverran is matched by the error of an attempt that was cancelled because it took too long.
var ErrOverran = errors.New("retry: attempt overran its deadline")

// OverranError is why the context of an attempt was cancelled. It matches [ErrOverran] and context.DeadlineExceeded.
type OverranError struct{ Limit time.Duration }

func (e *OverranError) Error() string { return fmt.Sprintf("%v of %v", ErrOverran, e.Limit) }

// Is reports whether target is ErrOverran or context.DeadlineExceeded.
func (e *OverranError) Is(target error) bool {
	return target == ErrOverran || target == context.DeadlineExceeded
}

// Neutral reports false: a breaker counts the attempt as a failure, also when the step called its end a cancellation.
func (e *OverranError) Neutral() bool { return false }

// Deadline bounds each attempt by the clock: a watcher for a Runner. When the limit is over it cancels the context of the
// attempt, and that is all: a step that does not listen goes on, and is waited for. A step that succeeds late has
// succeeded. It is safe for concurrent use and must not be copied after first use.
type Deadline struct {
	// Limit of one attempt; zero or less means none.
	Limit time.Duration

	mu      sync.Mutex
	last    uint64
	watched map[uint64]watch
}

type watch struct {
	ctx    context.Context
	cancel context.CancelFunc
	cause  *OverranError // tells this watch from another one around it
}

// Watch returns a context that is cancelled with an [*OverranError] as its cause when the limit is over, and a token for
// Release.
func (d *Deadline) Watch(ctx context.Context) (watched context.Context, token uint64) {
	if d == nil || d.Limit <= 0 {
		return ctx, 0
	}
	cause := &OverranError{d.Limit}
	ctx, cancel := context.WithTimeoutCause(ctx, d.Limit, cause)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watched == nil {
		d.watched = map[uint64]watch{}
	}
	d.last++
	d.watched[d.last] = watch{ctx, cancel, cause}
	return ctx, d.last
}

// Release ends the watch of a token. It returns err, preceded by the [*OverranError] if the attempt overran; nil stays nil.
func (d *Deadline) Release(token uint64, err error) error {
	if d == nil {
		return err
	}
	d.mu.Lock()
	w, ok := d.watched[token]
	delete(d.watched, token)
	d.mu.Unlock()
	if !ok {
		return err
	}
	cause := context.Cause(w.ctx)
	w.cancel()
	if err == nil || errors.Is(err, ErrOverran) || cause != error(w.cause) {
		return err
	}
	return fmt.Errorf("%w: %w", cause, err)
}
