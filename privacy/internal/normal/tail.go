// Package normal computes with the standard normal distribution, and with the privacy mechanisms that have a closed form in it,
// as certified intervals: lo <= exact value <= hi for the exact float64 arguments. For most uses [Gaussian] and [Sampled] are
// what is needed; the tails below them are for other closed forms.
//
// Nothing here rests on the accuracy of package math: all is done in pairs of float64 with proved error bounds (see pair), and the
// answers of the root searches are accepted only after evaluation of the bound on the right side. Intervals are a few units in the
// last place wide, more only where the argument itself is badly conditioned.
package normal

import (
	"errors"
	"fmt"
	"math"
)

// ErrDomain is matched by the refusal of an argument: NaN, infinite, or outside the documented range.
var ErrDomain = errors.New("normal: outside the domain")

func domain(field string, value float64, want string) error {
	return fmt.Errorf("%w: %s = %v, want %s", ErrDomain, field, value, want)
}

// within is false for a NaN.
func within(v, lo, hi float64) bool { return v >= lo && v <= hi }

// reach is the largest |x| that the pair functions take.
const reach = 1e90

// sf returns 1-Phi(x) for |x| <= reach, as a relative interval for any x.
func sf(x pair) positive {
	half := x.times(x).scaled(-1)
	a := x.abs()
	p := positive{half, a.mills().times(invSqrtTwoPi()), 2 * millsErr}
	if x.hi >= 0 {
		return p
	}
	if half.hi > 900 {
		return positive{pair{}, pair{1, 0}, 0x1p-1000}
	}
	y, k := p.split()
	return positive{pair{}, pair{1, 0}.minus(y.scaled(k)), 4 * arithmeticErr} // 1-S >= 1/2
}

// Mills returns the Mills ratio (1-Phi(x))/phi(x) = sqrt(pi/2)·erfcx(x/sqrt 2) for any x. It overflows below -37.6: hi is +Inf there.
func Mills(x float64) (lo, hi float64, err error) {
	switch {
	case math.IsNaN(x):
		return 0, 0, domain("x", x, "a number")
	case math.IsInf(x, 1):
		return 0, 0, nil
	case x < -40:
		return math.MaxFloat64, math.Inf(1), nil
	case x > reach: // between x/(x²+1) and 1/x
		v := 1 / x
		return max(0, math.Nextafter(v, math.Inf(-1))), math.Nextafter(v, math.Inf(1)), nil
	}
	a := pair{math.Abs(x), 0}
	m := a.mills()
	if x >= 0 {
		return m.lower(millsErr), m.upper(millsErr), nil
	}
	// sqrt(2 pi) e^(x²/2) - m(-x), the second at most half of the first.
	y, k := a.times(a).scaled(-1).exp()
	y = sqrtTwoPi().times(y).minus(pair{math.Ldexp(m.hi, -k), math.Ldexp(m.lo, -k)})
	lo, hi = math.Ldexp(y.lower(arithmeticErr), k), math.Ldexp(y.upper(arithmeticErr), k)
	return min(lo, math.MaxFloat64), hi, nil
}

// SF returns the upper tail 1-Phi(x); the lower one is SF(-x).
func SF(x float64) (lo, hi float64, err error) {
	switch {
	case math.IsNaN(x):
		return 0, 0, domain("x", x, "a number")
	case x > 40:
		return 0, math.SmallestNonzeroFloat64, nil
	case x < -40:
		return 1 - 0x1p-53, 1, nil
	}
	p := sf(pair{x, 0})
	return p.lower(), min(1, p.upper()), nil
}

// LogSF returns log(1-Phi(x)) for x up to 1e90, where it is near -1e180.
func LogSF(x float64) (lo, hi float64, err error) {
	if !(x <= reach) {
		return 0, 0, domain("x", x, "at most 1e90")
	}
	if x < 0 { // log1p(-S(-x)), relative
		if x < -40 {
			return -math.SmallestNonzeroFloat64, 0, nil
		}
		y, k := sf(pair{-x, 0}).split()
		if k < -900 { // S is below 2^-900 and log1p(-S) = -S to more digits than there are
			lo, hi, _ = SF(-x)
			return math.Nextafter(-hi, math.Inf(-1)), -lo, nil
		}
		l := y.scaled(k).neg().log1p()
		return l.lower(arithmeticErr), min(0, l.upper(arithmeticErr)), nil
	}
	lo, hi = sf(pair{x, 0}).logInterval()
	return lo, hi, nil
}

// Quantile returns the x with 1-Phi(x) = p, 0 < p < 1: the upper quantile. That of the lower tail is its negative.
// Next to p = 1/2 the width is 2^-85 absolutely.
func Quantile(p float64) (lo, hi float64, err error) {
	if !(p > 0 && p < 1) {
		return 0, 0, domain("p", p, "above 0 and below 1")
	}
	x, y := quantile(p)
	if p == 0.5 {
		return 0, 0, nil
	}
	return x.lower(0), y.upper(0), nil
}

// quantile returns pairs on both sides of the quantile, for 0 < p < 1.
func quantile(p float64) (lo, hi pair) {
	if p == 0.5 {
		return pair{}, pair{}
	}
	if p > 0.5 {
		lo, hi = upperQuantile(pair{1, 0}.minus(pair{p, 0})) // exact
		return hi.neg(), lo.neg()
	}
	return upperQuantile(pair{p, 0})
}

// upperQuantile solves 1-Phi(x) = p for 0 < p <= 1/2. Log(1-Phi) is concave and falls with slope -1/m(x), so that Newton's method
// from the right, where 1-Phi(x) <= e^(-x²/2)/2 puts the start, stays on the right. Both ends are then moved apart until the sign
// of the residue proves them.
func upperQuantile(p pair) (lo, hi pair) {
	target := p.log()
	x := pair{math.Sqrt(max(0, -2*(target.hi+math.Ln2))), 0}
	residue := func(x pair) (r pair, err float64) {
		l, low, high := sf(x).log()
		return l.minus(target), max(low, high) + arithmeticErr*(1+math.Abs(target.hi))
	}
	for range 100 {
		r, _ := residue(x)
		step := r.times(x.mills())
		x = x.plus(step)
		if x.hi < 0 {
			x = pair{}
		}
		if math.Abs(step.hi) <= 0x1p-70*math.Abs(x.hi) {
			break
		}
	}
	for margin := 0x1p-86 * (1 + x.hi); ; margin *= 2 {
		lo, hi = x.minus(pair{margin, 0}), x.plus(pair{margin, 0})
		if lo.hi < 0 {
			lo = pair{} // p is at most 1/2
		}
		a, aErr := residue(lo)
		b, bErr := residue(hi)
		if (lo.hi == 0 || a.hi >= aErr) && b.hi <= -bErr {
			return lo, hi
		}
		if !(margin < 1e3) {
			return pair{}, pair{reach, 0} // unreachable
		}
	}
}
