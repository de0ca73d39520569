package carbon

import (
	"errors"
	"fmt"
)

// ErrScope is returned when lifecycle and direct values would meet in one sum.
var ErrScope = errors.New("carbon: lifecycle and direct values do not mix")

// Scope says which emissions are counted. The zero value is unstated: the source does not say.
type Scope uint8

const (
	// Lifecycle counts the building of plants and the making of fuel too: wind and nuclear power are not 0.
	Lifecycle Scope = iota + 1
	// Direct counts what leaves the stack.
	Direct
)

// String returns "lifecycle", "direct" or "unstated".
func (s Scope) String() string {
	switch s {
	case Lifecycle:
		return "lifecycle"
	case Direct:
		return "direct"
	default:
		return "unstated"
	}
}

// meet takes in the scope of a reading. One that its source does not state meets every other.
func (s *Scope) meet(r Reading) error {
	switch {
	case r.Scope == 0 || r.Scope == *s:
	case *s == 0:
		*s = r.Scope
	default:
		return fmt.Errorf("%w: source %q gives %s values after %s ones", ErrScope, r.Source, r.Scope, *s)
	}
	return nil
}
