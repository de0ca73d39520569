// Package validate finds bad values before they cost a training run: numbers that are not finite, and configurations out
// of their limits.
//
// For most uses call [FiniteValue] on the loss of a step (it fits the Check of a Runner) and [Finite] on its gradients, and
// collect the rules of a configuration in a [Check]: it reports all problems at once, each with its path, value and limit.
// [Privacy], [Training] and [Carbon] are rule sets that are ready for use.
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
// reads a large slice about as fast as memory delivers it.
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

// finiteBlock is how many values are tested before a look at the result: enough to hide the cost of looking, few enough
// to stop early and to be in the cache for a second reading.
const finiteBlock = 4096

// allFinite is isFinite for many: the sum of the products is NaN if one of them is. It has no branches, and several sums so
// that no addition waits for the one before.
func allFinite[T ~float32 | ~float64](xs []T) bool {
	var a, b, c, d T
	for ; len(xs) >= 8; xs = xs[8:] {
		x := xs[:8]
		a += x[0] * 0
		b += x[1] * 0
		c += x[2] * 0
		d += x[3] * 0
		a += x[4] * 0
		b += x[5] * 0
		c += x[6] * 0
		d += x[7] * 0
	}
	for _, x := range xs {
		a += x * 0
	}
	return a+b+c+d == 0
}

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

// Scan reads all of xs. It is slower than [Finite] and tells more.
func Scan[T ~float32 | ~float64](xs []T) FiniteReport {
	var r FiniteReport
	for len(xs) > 0 {
		block := xs[:min(finiteBlock, len(xs))]
		if xs = xs[len(block):]; allFinite(block) {
			r = r.Merge(scanFinite(block))
			continue
		}
		for _, x := range block {
			one := FiniteReport{N: 1}
			switch {
			case isFinite(x):
				one = scanFinite([]T{x})
			case x != x:
				one.NaN = 1
			case x > 0:
				one.PosInf = 1
			default:
				one.NegInf = 1
			}
			r = r.Merge(one)
		}
	}
	return r
}

// scanFinite is Scan for a slice that is not empty and all finite.
func scanFinite[T ~float32 | ~float64](xs []T) FiniteReport {
	normal, one, double := T(0x1p-126), T(1), 0x1p-1022 // the smallest normal numbers
	if one+0x1p-40 != one {                             // T has the precision of a float64
		normal = T(double)
	}
	lo, hi, subnormal := xs[0], xs[0], 0
	for _, x := range xs {
		if x < lo {
			lo = x
		}
		if x > hi {
			hi = x
		}
		if -normal < x && x < normal && x != 0 {
			subnormal++
		}
	}
	return FiniteReport{N: len(xs), Subnormal: subnormal, Min: float64(lo), Max: float64(hi)}
}

// number is a float as an error shows it.
func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
