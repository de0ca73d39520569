package beta

import (
	"math"
	"slices"

	"github.com/surefoot-ml/surefoot/privacy/leakage/internal/quadrature"
)

// Mean returns the mean of f over the law beta(a, b), to about 1e-12 for f between 0 and 1. The cuts are where f has kinks. To integrate over
// the angle t with x = sin²t takes away the poles that the law has at the ends for a or b of 1/2.
func Mean(f func(x Point) float64, a, b float64, cuts ...float64) float64 {
	lo, _ := Quantile(1e-16, a, b)
	hi, _ := Quantile(1e-16, b, a)
	from, to := math.Asin(math.Sqrt(lo.X)), math.Pi/2-math.Asin(math.Sqrt(hi.X))
	angles := []float64{from, to}
	for _, c := range append(cuts, a/(a+b)) {
		angles = append(angles, min(to, max(from, math.Asin(math.Sqrt(min(1, max(0, c)))))))
	}
	slices.Sort(angles)
	return quadrature.Integrate(func(t float64) float64 {
		s, c := math.Sincos(t)
		if s <= 0 || c <= 0 {
			return 0
		}
		at := Point{s * s, c * c}
		return f(at) * Density(at, a, b) * 2 / (s * c)
	}, 1e-12, angles...)
}
