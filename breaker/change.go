package breaker

import (
	"fmt"
	"time"
)

// State is the state of a breaker.
type State uint8

const (
	Closed   State = iota // every step runs
	HalfOpen              // only probes run
	Open                  // no step runs
)

func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case HalfOpen:
		return "half-open"
	case Open:
		return "open"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Reason is why a breaker changed its state.
type Reason uint8

const (
	FailuresReached    Reason = iota + 1 // Config.Failures failed in a row: Closed to Open
	FailureRateReached                   // Config.FailureRate: Closed to Open
	OpenPeriodOver                       // Config.Open has passed and a step came: Open to HalfOpen
	ProbeFailed                          // HalfOpen to Open
	ProbeOverdue                         // Config.ProbeLimit has passed and a step came: HalfOpen to Open
	ProbesSucceeded                      // HalfOpen to Closed
)

func (r Reason) String() string {
	switch r {
	case FailuresReached:
		return "failures reached"
	case FailureRateReached:
		return "failure rate reached"
	case OpenPeriodOver:
		return "open period over"
	case ProbeFailed:
		return "probe failed"
	case ProbeOverdue:
		return "probe overdue"
	case ProbesSucceeded:
		return "probes succeeded"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Change is one change of state; From and To always differ.
type Change struct {
	Name     string // Config.Name
	From, To State
	Reason   Reason
	Counts   Counts // of the state that was left, the result that caused the change included
	At       time.Time
}

// Counts are the results in the present state. In the closed state they are those of the last Config.Window, or since the
// breaker closed if there is no window.
type Counts struct {
	Successes, Failures, Neutral uint64
	ConsecutiveFailures          uint64 // since the last success in the closed state, whatever the window

	// Since New, in all states.
	Refused uint64 // steps that were refused
	Dropped uint64 // results that counted nothing: of an older state, given twice, or with a token never given out
}
