package breaker

import (
	"fmt"
	"time"
)

// State is the state of a breaker. As text it is its name.
type State uint8

const (
	Closed       State = iota // every step runs
	HalfOpen                  // only probes run
	Open                      // no step runs, for a time
	Isolated                  // no step runs, until told otherwise
	ForcedClosed              // every step runs and is counted; nothing opens the breaker
	Disabled                  // every step runs and nothing is counted
)

var stateNames = [...]string{"closed", "half-open", "open", "isolated", "forced-closed", "disabled"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText returns the name of the state, or an error if there is no such state.
func (s State) MarshalText() ([]byte, error) {
	if int(s) >= len(stateNames) {
		return nil, fmt.Errorf("breaker: State %d is not below %d", uint8(s), len(stateNames))
	}
	return []byte(stateNames[s]), nil
}

// UnmarshalText sets the state to the one of that name.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if string(text) == name {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("breaker: State %.40q is none of %q", text, stateNames)
}

// Reason is why a breaker changed its state.
type Reason uint8

const (
	FailuresReached    Reason = iota + 1 // Config.Failures failed in a row: Closed to Open
	FailureRateReached                   // Config.FailureRate: Closed to Open
	OpenPeriodOver                       // the open period has passed and a step came: Open to HalfOpen
	ProbeFailed                          // HalfOpen to Open
	ProbeOverdue                         // Config.ProbeLimit has passed and a step came: HalfOpen to Open
	ProbesSucceeded                      // HalfOpen to Closed
	SlowRateReached                      // Config.SlowRate: Closed to Open
	ProbeSlow                            // HalfOpen to Open
	ByHand                               // Breaker.Isolate, ForceClosed, Disable, Resume or Reset
	ByRestore                            // Breaker.Restore
	HalfOpenOver                         // Config.MaxHalfOpen has passed and a step came: HalfOpen to Open
)

var reasonNames = [...]string{
	FailuresReached:    "failures reached",
	FailureRateReached: "failure rate reached",
	OpenPeriodOver:     "open period over",
	ProbeFailed:        "probe failed",
	ProbeOverdue:       "probe overdue",
	ProbesSucceeded:    "probes succeeded",
	SlowRateReached:    "slow rate reached",
	ProbeSlow:          "probe slow",
	ByHand:             "by hand",
	ByRestore:          "by restore",
	HalfOpenOver:       "half-open period over",
}

func (r Reason) String() string {
	if r > 0 && int(r) < len(reasonNames) {
		return reasonNames[r]
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

// Counts are the results in the present state. In the closed and forced closed state they are those of the last
// Config.Window, or the last Config.WindowSteps of them (Neutral excepted), or all if there is no window.
type Counts struct {
	Successes           uint64 `json:"successes"`
	Failures            uint64 `json:"failures"`
	Neutral             uint64 `json:"neutral"`
	Slow                uint64 `json:"slow"`                 // of the successes and failures, those slower than Config.SlowAfter
	ConsecutiveFailures uint64 `json:"consecutive_failures"` // since the last success, whatever the window; 0 in other states

	// Since New, in all states.
	Refused uint64 `json:"refused"` // steps that were refused
	Dropped uint64 `json:"dropped"` // results that counted nothing: of an older state, given twice, or with a token never given out
}
