package privacy

import "math"

// gaussianEpsilon returns an upper bound on the epsilon at delta of the Gaussian with mu² at most mu2, +Inf where nothing is proved.
func gaussianEpsilon(mu2, delta float64) float64 {
	b, err := gaussianEpsilonBounds(mu2, delta)
	if err != nil || !(b.upper >= 0) {
		return math.Inf(1)
	}
	return b.upper
}

// muOf returns the largest mu, to 13 digits and rounded down, whose Gaussian is within b; 0 if that is too small to matter.
func muOf(b Budget) float64 {
	fits := func(x float64) bool { return gaussianEpsilon(math.Exp(2*x), b.Delta) <= b.Epsilon }
	lo, hi := math.Log(1e-12), math.Log(1e9)
	if !fits(lo) {
		return 0
	}
	if fits(hi) {
		return math.Exp(hi)
	}
	for hi-lo > 1e-13*max(1, math.Abs(lo)) {
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi {
			break
		}
		if fits(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Exp(lo) * (1 - 4*ulp)
}
