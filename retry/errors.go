package retry

import (
	"errors"
	"fmt"
)

// GaveUpError is the error of Do after more than one attempt, or when it was stopped between attempts. It wraps the last
// error.
type GaveUpError struct {
	Attempts int // that were made
	Err      error
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

func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}
