package carbon

import (
	"errors"
	"sync"
	"time"
)

// fuse keeps calls from an API that is down or has asked to be left alone. After so many failures in a row it opens for a
// while; then one call tries, and its outcome closes the fuse or opens it again.
type fuse struct {
	limit    int
	cooldown time.Duration

	mu       sync.Mutex // guards the rest
	failures int        // in a row
	open     bool
	probing  bool      // the one call that tries is under way
	until    time.Time // nobody calls before
	cause    *APIError
}

// enter refuses a call with an error, or lets it pass; then leave must follow. It says whether the call is the one that tries.
func (f *fuse) enter(source string, now time.Time) (probe bool, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rest := f.until.Sub(now)
	if rest <= 0 && f.open && f.probing {
		rest = f.cooldown
	}
	switch {
	case rest <= 0:
		f.probing = f.open
		return f.open, nil
	case f.open:
		return false, &APIError{Source: source, Kind: ErrResting, After: rest, Err: f.cause, unasked: true}
	default: // it has asked for it
		asked := *f.cause
		asked.After, asked.unasked = rest, true
		return false, &asked
	}
}

// leave takes in how a call ended and reports whether that opened or closed the fuse. answered is false where the
// outcome says nothing about the API. While the fuse is open only the outcome of the call that tries counts: that of one
// which began before is old.
func (f *fuse) leave(now time.Time, probe, answered bool, failure *APIError) (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if probe {
		f.probing = false
	}
	before := f.open
	switch {
	case !answered, f.open && !probe:
	case failure != nil && failure.broken():
		f.failures++
		f.cause = failure
		if f.open || f.failures >= f.limit {
			f.open = true
			f.until = now.Add(f.cooldown)
		}
	default:
		f.failures, f.open = 0, false
	}
	if failure != nil && failure.After > 0 {
		f.cause = failure
		if until := now.Add(failure.After); until.After(f.until) {
			f.until = until
		}
	}
	return f.open != before
}

// broken reports whether the API is to blame. A refusal is an answer: the API lives.
func (e *APIError) broken() bool {
	return e.Kind == ErrUnavailable || e.Kind == ErrGone || e.Kind == ErrBody
}

// apiError is the *APIError in err, or nil.
func apiError(err error) *APIError {
	var failed *APIError
	if errors.As(err, &failed) {
		return failed
	}
	return nil
}
