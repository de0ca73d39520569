package privacy

import (
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/contour"
	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
)

// gaussianEnds are Gaussians on both sides of the one with mu² within 4 ulp of mu2: 2 ulp in mu, and one for the root.
func gaussianEnds(mu2 float64) (below, above normal.Gaussian) {
	mu := math.Sqrt(mu2)
	return normal.Gaussian{Mu: mu * (1 - 8*ulp)}, normal.Gaussian{Mu: mu * (1 + 8*ulp)}
}

// enclose takes the lower end of one answer and the upper end of another.
func enclose(below, above func() (lo, hi float64, err error)) (bounds, error) {
	lo, _, err := below()
	if err != nil {
		return bounds{}, err
	}
	_, hi, err := above()
	return bounds{lo, hi}, err
}

// gaussianEpsilonBounds encloses the epsilon at delta of the Gaussian with mu² within 4 ulp of mu2.
func gaussianEpsilonBounds(mu2, delta float64) (bounds, error) {
	below, above := gaussianEnds(mu2)
	return enclose(
		func() (lo, hi float64, err error) { return below.Epsilon(delta) },
		func() (lo, hi float64, err error) { return above.Epsilon(delta) })
}

// gaussianDeltaBounds encloses the delta at eps of the Gaussian with mu² within 4 ulp of mu2.
func gaussianDeltaBounds(mu2, eps float64) (bounds, error) {
	below, above := gaussianEnds(mu2)
	return enclose(
		func() (lo, hi float64, err error) { return below.Delta(eps) },
		func() (lo, hi float64, err error) { return above.Delta(eps) })
}

// step returns the sampled Gaussian that m is a single execution of, if it is.
func (m *makeup) step() (normal.Sampled, bool) {
	if m.mu2 > 0 || len(m.others) > 0 || len(m.sampled) != 1 || m.sampled[0].Count != 1 {
		return normal.Sampled{}, false
	}
	return normal.Sampled{Rate: m.sampled[0].Rate, Sigma: m.sampled[0].Sigma}, true
}

// aside is d as package normal names it.
func aside(d contour.Direction) normal.Direction {
	if d == contour.Add {
		return normal.Add
	}
	return normal.Remove
}
