// Package validate finds bad values before they cost a training run: numbers that are not finite, and configurations out
// of their limits.
//
// For most uses call [FiniteValue] on the loss of a step (it fits the Check of a Runner) and [Finite] on its gradients, and
// state the rules of a configuration as [Rules]: a value is checked without reflection or allocation, all problems come at
// once, each with its path, value and limit, and the same rules are written as a JSON Schema. [PrivacyRules], [TrainingRules],
// [CarbonRules] and [MonitorRules] are ready for use. Where there is no fixed type, call the rules of a [Check] one by one.
//
// [Describe] gives the moments of a tensor in one reading, [Filter] applies policies to what is not finite or out of range,
// for float32 and float64; [FiniteBF16] and [DescribeBF16] read bfloat16. Data sets are in validate/dataset.
//
// Nothing is converted, filled in or cut on the way: a value passes as it is or is reported. NaN and infinities pass no
// rule. Strings come into errors quoted and cut short, secrets not at all.
package validate

import (
	"errors"
	"math"
	"strconv"
)

// ErrNotFinite is matched by every [NotFiniteError].
var ErrNotFinite = errors.New("validate: not finite")

// NotFiniteError is the first value that is NaN or infinite.
type NotFiniteError struct {
	Name  string
	Index int // in the slice, or -1 for a single value
	Value float64
}

func (e *NotFiniteError) Error() string {
	name := printable(e.Name, maxPath)
	if e.Index >= 0 {
		name += "[" + strconv.Itoa(e.Index) + "]"
	}
	return "validate: " + name + " is " + number(e.Value) + ", must be finite"
}

// Is reports whether target is [ErrNotFinite].
func (e *NotFiniteError) Is(target error) bool { return target == ErrNotFinite }

// FiniteValue returns a [*NotFiniteError] if x is NaN or infinite. The name is for the error.
func FiniteValue[T ~float32 | ~float64](name string, x T) error {
	if isFinite(x) {
		return nil
	}
	return &NotFiniteError{Name: name, Index: -1, Value: float64(x)}
}

// Finite returns a [*NotFiniteError] for the first of xs that is NaN or infinite. It does not allocate otherwise, and
// reads a large slice as fast as memory delivers it.
func Finite[T ~float32 | ~float64](name string, xs []T) error {
	for done := 0; done < len(xs); done += finiteBlock {
		block := xs[done:min(done+finiteBlock, len(xs))]
		if allFinite(block) {
			continue
		}
		for i, x := range block {
			if !isFinite(x) {
				return &NotFiniteError{Name: name, Index: done + i, Value: float64(x)}
			}
		}
	}
	return nil
}

// isFinite uses that zero times NaN or an infinity is NaN.
func isFinite[T ~float32 | ~float64](x T) bool { return x*0 == 0 }

// FiniteReport counts what kinds of numbers a slice holds.
type FiniteReport struct {
	N         int // values in all
	NaN       int
	PosInf    int
	NegInf    int
	Subnormal int     // too small for full precision: a sign of vanishing gradients
	Min, Max  float64 // of the finite values; both 0 if there are none
}

// Finite returns the number of finite values.
func (r FiniteReport) Finite() int { return r.N - r.NaN - r.PosInf - r.NegInf }

// Merge returns the report on both slices together.
func (r FiniteReport) Merge(o FiniteReport) FiniteReport {
	switch {
	case o.Finite() == 0:
	case r.Finite() == 0:
		r.Min, r.Max = o.Min, o.Max
	default:
		r.Min, r.Max = min(r.Min, o.Min), max(r.Max, o.Max)
	}
	r.N += o.N
	r.NaN += o.NaN
	r.PosInf += o.PosInf
	r.NegInf += o.NegInf
	r.Subnormal += o.Subnormal
	return r
}

// Scan reads all of xs. It takes about twice the time of [Finite] and tells more; [Describe] tells the moments, too.
func Scan[T ~float32 | ~float64](xs []T) FiniteReport { return Describe(xs).FiniteReport }

// number is a float as an error shows it.
func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
