package bigfloat

import (
	"math"
	"math/big"
)

// Ulps returns |got - want| in units in the last place of want as a float64: the distance of its two neighbours in its binade,
// 2^-1074 below the normal range. A NaN, and an infinity where want is representable, are infinitely far off.
func Ulps(got float64, want *big.Float) float64 {
	if math.IsNaN(got) {
		return math.Inf(1)
	}
	nearest, _ := want.Float64()
	if math.IsInf(got, 0) || math.IsInf(nearest, 0) {
		if got == nearest {
			return 0
		}
		return math.Inf(1)
	}
	e := max(exponent(want)-53, -1074) // exponent e: 2^(e-1) <= |want|
	diff := sub(want.Prec()+64, num(53, got), want)
	ratio, _ := diff.SetMantExp(diff.Abs(diff), -e).Float64()
	return ratio
}

// Trapezoid returns step times the sum of f(i·step) over first <= i <= last, to prec bits. For a function that is analytic
// around the real axis and small at both ends it is the integral, up to an error that falls exponentially in 1/step.
func (m *Math) Trapezoid(step float64, first, last int, f func(x *big.Float) *big.Float) *big.Float {
	w := m.work()
	h, sum := num(w, step), fresh(w)
	for i := first; i <= last; i++ {
		sum.Add(sum, f(mul(w, h, fresh(w).SetInt64(int64(i)))))
	}
	return m.round(sum.Mul(sum, h))
}
