package compliance

import "fmt"

// State is what a finding says. The zero State is Unknown.
type State uint8

const (
	Unknown State = iota // evidence is missing, stale or unusable
	Pass                 // the mechanical part of the rule holds on the evidence
	Manual               // only a human can decide
	Fail                 // the evidence contradicts the rule
)

// rank orders states by how bad they are, which neither their numbers nor their names do.
func (s State) rank() int {
	switch s {
	case Pass:
		return 0
	case Manual:
		return 1
	case Fail:
		return 3
	}
	return 2 // Unknown, and what is no state
}

// Worse reports whether s counts before other where states are aggregated: Fail, Unknown, Manual, Pass.
func (s State) Worse(other State) bool { return s.rank() > other.rank() }

// Worst returns the state that counts for all of them. That of none is Unknown.
func Worst(states ...State) State {
	if len(states) == 0 {
		return Unknown
	}
	worst := Pass
	for _, s := range states {
		if s.Worse(worst) {
			worst = s
		}
	}
	return worst
}

// String returns "PASS", "FAIL", "UNKNOWN" or "MANUAL".
func (s State) String() string {
	switch s {
	case Pass:
		return "PASS"
	case Manual:
		return "MANUAL"
	case Fail:
		return "FAIL"
	}
	return "UNKNOWN"
}

// MarshalText returns String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *State) UnmarshalText(text []byte) error {
	for _, known := range []State{Unknown, Pass, Manual, Fail} {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return invalid("state", fmt.Sprintf("%q", clip(string(text))), "PASS, FAIL, UNKNOWN or MANUAL")
}

// Answer is a yes or no that may be missing. The zero Answer is missing.
type Answer uint8

const (
	Unanswered Answer = iota
	Yes
	No
)

// String returns "yes", "no" or "".
func (a Answer) String() string {
	switch a {
	case Yes:
		return "yes"
	case No:
		return "no"
	}
	return ""
}

// MarshalText returns String.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText accepts "yes", "no" and "".
func (a *Answer) UnmarshalText(text []byte) error {
	for _, known := range []Answer{Unanswered, Yes, No} {
		if known.String() == string(text) {
			*a = known
			return nil
		}
	}
	return invalid("answer", fmt.Sprintf("%q", clip(string(text))), `"yes", "no" or ""`)
}
