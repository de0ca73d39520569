package surefoot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// ErrGoexit is the outcome of a step that ended its goroutine with runtime.Goexit (as t.FailNow does in tests).
var ErrGoexit = errors.New("surefoot: step called runtime.Goexit")

// RefusedError says that an admitter refused, so that the step did not run in this attempt. It wraps the admitter's error.
type RefusedError struct {
	Stage string // "gate" or "attempt"
	Index int    // place in Runner.Gates or Runner.Attempt, from 0
	Err   error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("surefoot: refused by %s %d: %v", e.Stage, e.Index, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// Neutral reports true: a refusal says nothing about the health of the step, so a breaker must not count it.
func (e *RefusedError) Neutral() bool { return true }

// AttemptsError is the error of a batch that failed after more than one attempt, or was stopped between attempts. It wraps
// the last attempt's error.
type AttemptsError struct {
	Attempts int       // attempts made, refused ones included
	Failures []Failure // every one of them, the last included
	Err      error
}

// Failure is one failed attempt.
type Failure struct {
	Err   error
	Delay time.Duration // between it and the next attempt; of the last one the delay that was not waited for, or 0
}

func (e *AttemptsError) Error() string {
	return fmt.Sprintf("surefoot: failed after %d attempts: %v", e.Attempts, e.Err)
}

func (e *AttemptsError) Unwrap() error { return e.Err }

// RestoreError says that the state could not be put back before another attempt. The state is unknown: the training loop
// must not go on without loading a checkpoint.
type RestoreError struct {
	Attempt int   // the attempt that could not be made, from 2
	Err     error // what Restore returned
	Cause   error // why there was to be another attempt
}

func (e *RestoreError) Error() string {
	return fmt.Sprintf("surefoot: restore before attempt %d: %v (after: %v)", e.Attempt, e.Err, e.Cause)
}

func (e *RestoreError) Unwrap() []error { return []error{e.Err, e.Cause} }

// Permanent reports true: running the step on an unknown state cannot help.
func (e *RestoreError) Permanent() bool { return true }

// StateUnknown reports true, so that whoever keeps checkpoints can tell this from failures that left the state as it was.
func (e *RestoreError) StateUnknown() bool { return true }

// PanicError is the outcome of a step, or another part of a Runner, that panicked.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // of the panicking goroutine
}

// Error does not hold the stack: it may be long, and show values that belong in no log.
func (e *PanicError) Error() string { return fmt.Sprintf("surefoot: panic: %v", e.Value) }

// Unwrap returns the panic value if it is an error, such as a runtime.Error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Neutral reports false: a panic is a failure of the step, whatever it was called with.
func (e *PanicError) Neutral() bool { return false }

// Recovered returns a step that returns the panics of the given one as a [*PanicError], so that they can be retried like
// any other failure. Use it where Restore undoes everything that a step interrupted anywhere may have done.
func Recovered[In, Out any](step Step[In, Out]) Step[In, Out] {
	return func(ctx context.Context, in In) (out Out, err error) {
		defer func() {
			if v := recover(); v != nil {
				err = aborted(v)
			}
		}()
		return step(ctx, in)
	}
}

// aborted is the outcome of a function that did not return: v is what recover returned, nil for runtime.Goexit.
func aborted(v any) error {
	if v == nil {
		return ErrGoexit
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

// permanent reports whether an error in err's tree asks not to be retried. One that has the method speaks for all it wraps;
// of several joined errors one is enough.
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
