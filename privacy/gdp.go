package privacy

import (
	"fmt"
	"math"
)

// GDP is an accountant by Gaussian differential privacy (Dong, Roth, Su 2022): plain Gaussians with noise multipliers sigma compose to
// exactly one with mu² = sum of 1/sigma². Epsilon and Delta answer for those alone; everything else they refuse with an error that
// matches ErrNoBound. CentralLimit is the approximation that other libraries report for sampled Gaussians.
//
// The zero GDP is ready. All methods are safe for concurrent use; a GDP must not be copied.
type GDP struct{ recorder }

// Estimate is a figure without a proof: it may lie on either side of the truth. It is no Interval, so that it cannot pass for a bound.
type Estimate struct {
	Value  float64 `json:"value"`
	Method string  `json:"method"`
}

// Mu encloses the mu of the composition of everything recorded.
func (g *GDP) Mu() (Interval, error) {
	m, err := g.gaussians()
	if err != nil {
		return Interval{}, err
	}
	if m.mu2 == 0 {
		return nothing(), nil
	}
	mu := math.Sqrt(m.mu2) // mu2 within 4 ulp
	return m.interval(bounds{mu * (1 - 8*ulp), up(mu, 8)}, methodGaussian)
}

// Epsilon encloses the epsilon of everything recorded, at delta, 0 < delta < 1.
func (g *GDP) Epsilon(delta float64) (Interval, error) {
	if err := checkDelta("delta", delta); err != nil {
		return Interval{}, err
	}
	m, err := g.gaussians()
	if err != nil {
		return Interval{}, err
	}
	return m.gaussian(func(mu2 float64) (bounds, error) { return gaussianEpsilonBounds(mu2, delta) })
}

// Delta encloses the delta of everything recorded, at eps >= 0.
func (g *GDP) Delta(eps float64) (Interval, error) {
	if err := checkEpsilon(eps); err != nil {
		return Interval{}, err
	}
	m, err := g.gaussians()
	if err != nil {
		return Interval{}, err
	}
	return m.gaussian(func(mu2 float64) (bounds, error) { return gaussianDeltaBounds(mu2, eps) })
}

// Tradeoff is the trade-off curve of everything recorded, without the search of the function of that name: TPR exceeds the exact
// Φ(Φ⁻¹(FPR)+mu) by rounding alone. The rates lie in [0, 1].
func (g *GDP) Tradeoff(fpr ...float64) ([]OperatingPoint, error) {
	m, err := g.gaussians()
	if err != nil {
		return nil, err
	}
	_, above := gaussianEnds(m.mu2)
	points := make([]OperatingPoint, len(fpr))
	for i, f := range fpr {
		if !(f >= 0 && f <= 1) {
			return nil, &InvalidError{"fpr", f, "a number from 0 to 1"}
		}
		points[i] = OperatingPoint{FPR: f, TPR: f}
		if m.mu2 == 0 {
			continue
		}
		_, hi, err := above.Power(f)
		if err != nil {
			return nil, &NoBoundError{Method: methodGaussian, Reason: fmt.Sprintf("mu² = %g", m.mu2), Cause: err}
		}
		points[i].TPR = min(1, max(f, hi))
	}
	return points, nil
}

func (g *GDP) gaussians() (makeup, error) {
	entries := g.snapshot()
	m := makeupOf(entries)
	if len(m.sampled) == 0 && len(m.others) == 0 {
		return m, nil
	}
	for _, x := range entries {
		for _, p := range x.parts {
			if s, ok := p.mechanism.(sampledGaussian); !ok || s.q != 1 {
				return m, noBound(methodGaussian, fmt.Sprintf("%+v is not a plain Gaussian", x.event))
			}
		}
	}
	return m, noBound(methodGaussian, "an event is not a plain Gaussian")
}

// gaussian answers for a makeup of plain Gaussians.
func (m *makeup) gaussian(ask func(mu2 float64) (bounds, error)) (Interval, error) {
	if m.empty() {
		return nothing(), nil
	}
	b, err := ask(m.mu2)
	if err != nil {
		return Interval{}, &NoBoundError{Method: methodGaussian, Reason: fmt.Sprintf("mu² = %g", m.mu2), Cause: err}
	}
	return m.interval(b, methodGaussian)
}

// CentralLimit approximates the epsilon of Gaussians, plain or on Poisson samples, at delta: in the limit of many steps with
// rate·sqrt(steps) fixed the composition is Gaussian with mu² = sum of rate²·(e^(1/sigma²)-1) (Bu et al. 2020, "Deep learning with
// Gaussian differential privacy"). For runs of practical length it is mostly below the truth, down to a tenth of it, sometimes
// above. It is here for comparison with figures that were computed that way.
func (g *GDP) CentralLimit(delta float64) (Estimate, error) {
	const method = "central limit"
	if err := checkDelta("delta", delta); err != nil {
		return Estimate{}, err
	}
	m := makeupOf(g.snapshot())
	if len(m.others) > 0 {
		return Estimate{}, noBound(method, "it applies to Gaussians only, plain or on Poisson samples")
	}
	mu2 := m.mu2
	for _, p := range m.sampled {
		mu2 += p.Rate * p.Rate * float64(p.Count) * math.Expm1(1/(p.Sigma*p.Sigma))
	}
	if mu2 == 0 {
		return Estimate{Method: method}, nil
	}
	b, err := gaussianEpsilonBounds(mu2, delta)
	if err != nil {
		return Estimate{}, &NoBoundError{Method: method, Reason: fmt.Sprintf("mu² = %g", mu2), Cause: err}
	}
	return Estimate{Value: b.upper, Method: method}, nil
}
