package retry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrElapsed is matched by the error of a Do that made no further attempt because of MaxElapsed. The error of the last
// attempt is found beside it.
var ErrElapsed = errors.New("retry: no time left for another attempt")

// GaveUpError is the error of Do after more than one attempt, or when it was stopped between attempts. It wraps the last
// error.
type GaveUpError struct {
	Attempts int // that were made
	Err      error
	Failures []Failure // every attempt that failed, oldest first
}

func (e *GaveUpError) Error() string {
	return fmt.Sprintf("retry: failed after %d attempts: %v", e.Attempts, e.Err)
}

func (e *GaveUpError) Unwrap() error { return e.Err }

// Permanent marks an error as one that another attempt cannot cure. It reads and compares like err; Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string   { return e.err.Error() }
func (e *permanentError) Unwrap() error   { return e.err }
func (e *permanentError) Permanent() bool { return true }

// WithRetryAfter says that the attempt after err should not come before d is over. It reads and compares like err;
// WithRetryAfter(nil, d) is nil.
func WithRetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &laterError{err, max(0, d)}
}

type laterError struct {
	err  error
	wait time.Duration
}

func (e *laterError) Error() string             { return e.err.Error() }
func (e *laterError) Unwrap() error             { return e.err }
func (e *laterError) RetryAfter() time.Duration { return e.wait }

// allFailedError holds the errors of several ways to one value, none of which worked. Each is found by errors.Is and
// errors.As, but the whole is permanent or neutral only if every one is: one way that may work tomorrow is enough.
type allFailedError struct{ errs []error }

func (e *allFailedError) Error() string {
	texts := make([]string, len(e.errs))
	for i, err := range e.errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e *allFailedError) Unwrap() []error { return e.errs }
func (e *allFailedError) Permanent() bool { return !slices.ContainsFunc(e.errs, not(permanent)) }
func (e *allFailedError) Neutral() bool   { return !slices.ContainsFunc(e.errs, not(neutral)) }

// RetryAfter returns when the first way that may still work can be tried.
func (e *allFailedError) RetryAfter() time.Duration {
	soonest := time.Duration(-1)
	for _, err := range e.errs {
		if wait := retryAfter(err); !permanent(err) && (soonest < 0 || wait < soonest) {
			soonest = wait
		}
	}
	return max(0, soonest)
}

// allFailed joins the errors of ways that failed; a single one stays as it is.
func allFailed(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return &allFailedError{errs}
}

func not(is func(error) bool) func(error) bool { return func(err error) bool { return !is(err) } }

func permanent(err error) bool {
	switch e := err.(type) {
	case interface{ Permanent() bool }:
		return e.Permanent()
	case interface{ Unwrap() error }:
		return permanent(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), permanent)
	}
	return false
}

func neutral(err error) bool {
	var n interface{ Neutral() bool }
	if errors.As(err, &n) {
		return n.Neutral()
	}
	return errors.Is(err, context.Canceled)
}

// retryAfter is how long err asks to wait; zero if it does not.
func retryAfter(err error) time.Duration {
	var later interface{ RetryAfter() time.Duration }
	if !errors.As(err, &later) {
		return 0
	}
	return max(0, later.RetryAfter())
}
