package resources

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of a callback that was contained.
type PanicError struct {
	Where string // which callback
	Value any    // what was passed to panic; nil if the callback ended its goroutine
	Stack []byte // of the panicking goroutine
}

// Error does not hold the stack: it may be long, and show values that belong in no log.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return fmt.Sprintf("resources: %s ended its goroutine", e.Where)
	}
	return fmt.Sprintf("resources: %s panicked: %v", e.Where, e.Value)
}

// Unwrap returns the panic value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// contained calls back and returns a panic as an error.
func contained(where string, call func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Where: where, Value: v, Stack: debug.Stack()}
		}
	}()
	return call()
}
