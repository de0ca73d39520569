package recovery

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/surefoot-ml/surefoot/retry"
)

// Class is what kind of failure an error is: it decides how to recover.
type Class uint8

// The classes.
const (
	Transient    Class = iota // may go away by itself: network, storage, an attempt that overran; and whatever is unknown
	OutOfMemory               // the device or the host has not enough memory
	BadData                   // this batch cannot be used
	Diverged                  // the state is not to be trained on
	StateUnknown              // the state may be half changed, and cannot be undone
	Cancelled                 // the caller wants to end
	Refused                   // a policy refuses for good, such as an exhausted privacy budget; nothing is broken
	Permanent                 // trying again is useless: a bug, a wrong configuration, a security check
	classes
)

var classNames = [...]string{
	"transient", "out of memory", "bad data", "diverged", "state unknown", "cancelled", "refused", "permanent",
}

// String names the class.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// MarshalText is String.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Mark gives an error a class, for [Classify] to find. It reads and compares like err; the mark of nil is nil.
func Mark(err error, class Class) error {
	if err == nil {
		return nil
	}
	return &marked{err, class}
}

type marked struct {
	err   error
	class Class
}

func (e *marked) Error() string { return e.err.Error() }
func (e *marked) Unwrap() error { return e.err }

// Classify is the default classification. It goes by what is found in the error's tree, in this order: a [Mark]; a
// divergence; a method StateUnknown, OutOfMemory or BadData that says true; ENOMEM; a method Permanent that says true,
// which is a refusal if Neutral does too; the cancellation of the caller. Anything else is Transient.
func Classify(err error) Class {
	var (
		mark    *marked
		unknown interface{ StateUnknown() bool }
		memory  interface{ OutOfMemory() bool }
		data    interface{ BadData() bool }
		final   interface{ Permanent() bool }
		neutral interface{ Neutral() bool }
	)
	switch {
	case errors.As(err, &mark) && mark.class < classes:
		return mark.class
	case errors.Is(err, ErrDiverged):
		return Diverged
	case errors.As(err, &unknown) && unknown.StateUnknown():
		return StateUnknown
	case errors.As(err, &memory) && memory.OutOfMemory(), errors.Is(err, syscall.ENOMEM):
		return OutOfMemory
	case errors.As(err, &data) && data.BadData():
		return BadData
	case errors.As(err, &final) && final.Permanent():
		if errors.As(err, &neutral) && neutral.Neutral() {
			return Refused
		}
		return Permanent
	case errors.Is(err, context.Canceled) && !errors.Is(err, retry.ErrOverran):
		return Cancelled
	}
	return Transient
}
