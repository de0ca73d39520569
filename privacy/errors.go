package privacy

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalid is matched by every refusal of a parameter, an event or a saved state; nothing was changed.
	ErrInvalid = errors.New("privacy: invalid")
	// ErrExhausted is matched by the refusal of an event that no longer fits the budget; nothing was charged.
	ErrExhausted = errors.New("privacy: budget exhausted")
)

// InvalidError says which field was refused, with its value and the limit that it breaks.
type InvalidError struct {
	Field string
	Value any
	Want  string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("privacy: %s = %v, want %s", e.Field, e.Value, e.Want)
}

// Is reports whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// Permanent tells a retrier that another attempt cannot succeed.
func (e *InvalidError) Permanent() bool { return true }

// Neutral tells a circuit breaker that this says nothing about the health of the step.
func (e *InvalidError) Neutral() bool { return true }

// ExhaustedError is the refusal of a Filter. Spent, Requested and Limit are Rényi divergences in nats at Order.
type ExhaustedError struct {
	Event     Event
	Count     int
	Spent     float64
	Requested float64
	Limit     float64
	Order     float64
}

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("%v: spent %.6g of %.6g at Rényi order %.6g, refused %.6g more for %d × %+v",
		ErrExhausted, e.Spent, e.Limit, e.Order, e.Requested, e.Count, e.Event)
}

// Is reports whether target is ErrExhausted.
func (e *ExhaustedError) Is(target error) bool { return target == ErrExhausted }

// Permanent tells a retrier that another attempt cannot succeed: a spent budget never comes back.
func (e *ExhaustedError) Permanent() bool { return true }

// Neutral tells a circuit breaker that this says nothing about the health of the step.
func (e *ExhaustedError) Neutral() bool { return true }
