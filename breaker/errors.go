package breaker

import (
	"errors"
	"fmt"
	"time"
)

// ErrOpen is what errors.Is finds in the error of a refused step. The error itself is an [*OpenError].
var ErrOpen = errors.New("breaker: open")

// OpenError is the refusal of a step. It wraps [ErrOpen].
type OpenError struct {
	Name  string    // Config.Name
	State State     // Open, HalfOpen when all probes are under way, or Isolated
	Until time.Time // when the next probe is due; zero if nobody knows: it depends on the probes under way, or on you
}

func (e *OpenError) Error() string {
	who := "breaker"
	if e.Name != "" {
		who = fmt.Sprintf("breaker: %q", e.Name)
	}
	switch {
	case e.State == HalfOpen:
		return who + " is half-open and its probes are under way"
	case e.State != Open || e.Until.IsZero():
		return who + " is " + e.State.String()
	}
	return fmt.Sprintf("%s is open, next probe in %v", who, e.RetryAfter().Round(time.Millisecond))
}

func (e *OpenError) Unwrap() error { return ErrOpen }

// Neutral reports true: a refusal says nothing about the health of the step, so another breaker must not count it.
func (e *OpenError) Neutral() bool { return true }

// RetryAfter returns the time from now until the next probe is due: zero if it is overdue or Until is not known.
func (e *OpenError) RetryAfter() time.Duration {
	if e.Until.IsZero() {
		return 0
	}
	return max(0, time.Until(e.Until))
}
