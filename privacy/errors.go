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
	// ErrNoBound is matched by the refusal of an accountant whose method proves nothing about what was recorded; another may.
	ErrNoBound = errors.New("privacy: no bound")
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

// ExhaustedError is the refusal of a Filter. Spent, Requested and Limit are in its Measure: the Rényi divergence in nats at Order, the
// rho of zero-concentrated privacy, or the mu² of Gaussians. A filter without a budget has no Measure.
type ExhaustedError struct {
	Event     Event
	Count     int
	Spent     float64
	Requested float64
	Limit     float64
	Measure   string
	Order     float64 // 0 unless Measure is "renyi"
}

func (e *ExhaustedError) Error() string {
	if e.Measure == "" {
		return fmt.Sprintf("%v: no budget, refused %d × %+v", ErrExhausted, e.Count, e.Event)
	}
	return fmt.Sprintf("%v: spent %.6g of %.6g by %v, refused %.6g more for %d × %+v",
		ErrExhausted, e.Spent, e.Limit, measure{Name: e.Measure, Order: e.Order}, e.Requested, e.Count, e.Event)
}

// Is reports whether target is ErrExhausted.
func (e *ExhaustedError) Is(target error) bool { return target == ErrExhausted }

// Permanent tells a retrier that another attempt cannot succeed: a spent budget never comes back.
func (e *ExhaustedError) Permanent() bool { return true }

// Neutral tells a circuit breaker that this says nothing about the health of the step.
func (e *ExhaustedError) Neutral() bool { return true }

// NoBoundError says which method proves nothing, and why. Cause may be nil.
type NoBoundError struct {
	Method string
	Reason string
	Cause  error
}

func noBound(method, reason string) error { return &NoBoundError{Method: method, Reason: reason} }

func (e *NoBoundError) Error() string {
	s := fmt.Sprintf("%v by %s: %s", ErrNoBound, e.Method, e.Reason)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Is reports whether target is ErrNoBound.
func (e *NoBoundError) Is(target error) bool { return target == ErrNoBound }

// Unwrap returns the cause.
func (e *NoBoundError) Unwrap() error { return e.Cause }

// Permanent tells a retrier that another attempt cannot succeed.
func (e *NoBoundError) Permanent() bool { return true }

// Neutral tells a circuit breaker that this says nothing about the health of the step.
func (e *NoBoundError) Neutral() bool { return true }
