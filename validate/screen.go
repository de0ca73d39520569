package validate

import (
	"errors"
	"strconv"
)

// Policy says what [Filter] does with a value of a kind.
type Policy uint8

const (
	Fail  Policy = iota // ends with an error
	Drop                // leaves the value out
	Count               // keeps the value; it is in the report
)

// Screen says which values [Filter] lets through. The zero Screen fails for NaN and infinities and knows no range.
type Screen struct {
	NaN   Policy
	Inf   Policy
	Range Policy  // for finite values outside of Min and Max
	Min   float64 // Min and Max are compared if they differ
	Max   float64
}

// ErrScreen is returned for a Screen that is not a possible one.
var ErrScreen = errors.New("validate: screen must have known policies and a finite Min up to a finite Max")

// ErrRange is matched by every [RangeError].
var ErrRange = errors.New("validate: out of range")

// RangeError is the first value outside of a range.
type RangeError struct {
	Name     string
	Index    int
	Value    float64
	Min, Max float64
}

func (e *RangeError) Error() string {
	return "validate: " + printable(e.Name, maxPath) + "[" + strconv.Itoa(e.Index) + "] is " + number(e.Value) +
		", must be in [" + number(e.Min) + ", " + number(e.Max) + "]"
}

// Is reports whether target is [ErrRange].
func (e *RangeError) Is(target error) bool { return target == ErrRange }

// Screened is what [Filter] met, whatever the policies.
type Screened struct {
	Moments        // of all values that were read
	OutOfRange int // finite values outside of Min and Max
	Dropped    int
}

// Filter reads xs under the policies of s. It never changes xs: where values are dropped, what it returns is a new slice,
// in the same order, and otherwise it is xs itself. On an error (a [*NotFiniteError], [*RangeError] or [ErrScreen]) there is no
// slice, and the report covers all of xs all the same.
func Filter[T ~float32 | ~float64](name string, xs []T, s Screen) ([]T, Screened, error) {
	ranged := s.Min != s.Max
	if max(s.NaN, s.Inf, s.Range) > Count || !isFinite(s.Min) || !isFinite(s.Max) || s.Min > s.Max {
		return nil, Screened{}, ErrScreen
	}
	r := Screened{Moments: Describe(xs)}
	clean := r.Finite() == r.N && (!ranged || r.N == 0 || s.Min <= r.Min && r.Max <= s.Max)
	if clean {
		return xs, r, nil
	}
	var kept []T
	var err error
	dropping := s.NaN == Drop && r.NaN > 0 || s.Inf == Drop && r.PosInf+r.NegInf > 0 || s.Range == Drop && ranged
	if dropping {
		kept = make([]T, 0, len(xs))
	}
	for i, x := range xs {
		v := float64(x)
		policy := Count
		switch {
		case v != v:
			policy = s.NaN
		case !isFinite(v):
			policy = s.Inf
		case ranged && (v < s.Min || v > s.Max):
			policy = s.Range
			r.OutOfRange++
		}
		switch {
		case policy == Drop:
			r.Dropped++
			continue
		case policy == Fail && err == nil && !isFinite(v):
			err = &NotFiniteError{Name: name, Index: i, Value: v}
		case policy == Fail && err == nil:
			err = &RangeError{Name: name, Index: i, Value: v, Min: s.Min, Max: s.Max}
		}
		if dropping {
			kept = append(kept, x)
		}
	}
	switch {
	case err != nil:
		return nil, r, err
	case r.Dropped > 0:
		return kept, r, nil
	}
	return xs, r, nil
}
