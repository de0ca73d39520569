package privacy

import (
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
)

// gaussianEpsilon returns an upper bound on the epsilon at delta of the Gaussian with mu² at most mu2, +Inf where nothing is proved.
func gaussianEpsilon(mu2, delta float64) float64 {
	b, err := gaussianEpsilonBounds(mu2, delta)
	if err != nil || !(b.upper >= 0) {
		return math.Inf(1)
	}
	return b.upper
}

// muOf returns the largest mu, rounded down, whose Gaussian is within b; 0 where there is none that can be told.
func muOf(b Budget) float64 {
	mu, _, err := normal.MaxMu(b.Epsilon, b.Delta)
	if err != nil || !(mu > 0) {
		return 0
	}
	return mu
}
