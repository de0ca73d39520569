package loss

import "math"

// upperTail encloses 1 - Phi(x). The error of math.Erfc is below 5 units in the last place (measured: 4.04, near
// 0.84375); a relative error e of its argument
// moves the tail by at most (1+x^2)e.
func upperTail(x float64) interval {
	if math.IsInf(x, 0) {
		if x > 0 {
			return interval{}
		}
		return interval{1, 1}
	}
	t := 0.5 * math.Erfc(x/math.Sqrt2)
	if t < 1e-300 {
		return interval{0, 1e-300}
	}
	e := 16 * ulp
	if x > 0 {
		e += 4 * ulp * x * x
	}
	return interval{t * (1 - e), t * (1 + e)}
}

// between encloses Phi(b) - Phi(a), with each end known up to err.
func between(a, b, err float64) interval {
	if !(a < b) {
		return interval{}
	}
	if a+b < 0 {
		a, b = -b, -a
	}
	from, to := aroundTail(a, err), aroundTail(b, err)
	return interval{
		lo: math.Max(0, from.lo-to.hi) * (1 - 2*ulp),
		hi: math.Max(0, from.hi-to.lo) * (1 + 2*ulp),
	}
}

// aroundTail encloses 1 - Phi on [x-err, x+err], err <= 1e-3: the logarithm of the tail falls with a slope (Mills) below 1+max(0, x).
func aroundTail(x, err float64) interval {
	t := upperTail(x)
	e := err * (1.01 + math.Max(0, x)) * (1 + 1e-3)
	if !(err <= 1e-3 && e <= 1e-3) || math.IsInf(x, 0) {
		return interval{upperTail(x + err).lo, upperTail(x - err).hi}
	}
	return interval{t.lo * (1 - e), t.hi * (1 + e*(1+e))}
}

// quantile returns a z with 1 - Phi(z) <= e^(-z^2/2)/2 <= tail.
func quantile(tail float64) float64 { return math.Sqrt(-2 * math.Log(math.Max(tail, 1e-300))) }

// gaussian is the pair N(mu, 1), N(0, 1): loss mu z - mu^2/2 at z.
type gaussian struct{ mu float64 }

func (g gaussian) masses(lo, hi float64) (p, q interval) {
	a, b := lo/g.mu, hi/g.mu
	half := g.mu / 2
	err := 4 * ulp * (half + math.Max(finite(a), finite(b)))
	return between(a-half, b-half, err), between(a+half, b+half, err)
}

// finite returns |x|, or 0 for an infinity.
func finite(x float64) float64 {
	if math.IsInf(x, 0) {
		return 0
	}
	return math.Abs(x)
}

func (g gaussian) support(tail float64) (lo, hi float64) {
	z := quantile(tail)
	return -g.mu*z - g.mu*g.mu/2, g.mu*z + g.mu*g.mu/2
}

func (g gaussian) slack(float64) float64 { return 0 } // the rounding of the edges is part of masses

// curve bounds the hockey stick of the pair at e^eps from above: phi(x1)(m(x1) - m(x2)) with Mills ratios, or the difference
// of the two tails, whichever bound is smaller.
func (g gaussian) curve(eps float64) float64 {
	x := eps/g.mu - g.mu/2
	err := 4 * ulp * (math.Abs(eps/g.mu) + g.mu)
	a, b := upperTail(x-err), upperTail(x+g.mu+err)
	if b.lo == 0 || eps > 700 {
		return a.hi
	}
	d := a.hi - math.Exp(eps)*b.lo*(1-4*ulp*(1+math.Abs(eps)))
	return math.Max(0, math.Min(a.hi, d+4*ulp*a.hi))
}
