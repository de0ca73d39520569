package normal

import "math"

// Domains of the mechanisms.
const (
	tiny, huge = 1e-30, 1e30 // of mu, sigma, and of a rate other than 0
	maxEpsilon = 1e60
)

// Gaussian is the mu-GDP Gaussian mechanism: mu is the L2 sensitivity over the standard deviation, and of several mechanisms
// the root of the sum of squares. Both directions of add/remove are the same law, and so is replace-one with its own sensitivity.
//
// Every answer covers a Mu that is off by one unit in the last place, as a rounded quotient is. Mu lies in [1e-30, 1e30].
type Gaussian struct{ Mu float64 }

func (g Gaussian) check() error {
	if !within(g.Mu, tiny, huge) {
		return domain("mu", g.Mu, "1e-30 to 1e30")
	}
	return nil
}

// span returns the neighbours of mu: delta and epsilon grow with it.
func (g Gaussian) span() (lo, hi pair) {
	return pair{math.Nextafter(g.Mu, 0), 0}, pair{math.Nextafter(g.Mu, math.Inf(1)), 0}
}

func checkEpsilon(eps float64) error {
	if !within(eps, 0, maxEpsilon) {
		return domain("eps", eps, "0 to 1e60")
	}
	return nil
}

func checkDelta(delta float64) error {
	if !(delta > 0 && delta < 1) {
		return domain("delta", delta, "above 0 and below 1")
	}
	return nil
}

// Delta returns the smallest delta with which the mechanism is (eps, delta)-DP, 0 <= eps <= 1e60 (Balle, Wang 2018, "Improving the
// Gaussian mechanism", Theorem 8).
func (g Gaussian) Delta(eps float64) (lo, hi float64, err error) {
	a, b, err := g.at(eps)
	if err != nil {
		return 0, 0, err
	}
	return a.lower(), min(1, b.upper()), nil
}

// LogDelta returns the logarithm of Delta, for tails below the range of float64.
func (g Gaussian) LogDelta(eps float64) (lo, hi float64, err error) {
	a, b, err := g.at(eps)
	if err != nil {
		return 0, 0, err
	}
	lo, _ = a.logInterval()
	_, hi = b.logInterval()
	return lo, min(0, hi), nil
}

// at returns numbers on both sides of delta.
func (g Gaussian) at(eps float64) (below, above positive, err error) {
	if err := g.check(); err != nil {
		return below, above, err
	}
	if err := checkEpsilon(eps); err != nil {
		return below, above, err
	}
	lo, hi := g.span()
	return tail(pair{eps, 0}, lo, 0, -1), tail(pair{eps, 0}, hi, 0, 1), nil
}

// Epsilon returns the smallest eps >= 0 with which the mechanism is (eps, delta)-DP, 0 < delta < 1.
func (g Gaussian) Epsilon(delta float64) (lo, hi float64, err error) {
	if err := g.check(); err != nil {
		return 0, 0, err
	}
	if err := checkDelta(delta); err != nil {
		return 0, 0, err
	}
	muLo, muHi := g.span()
	target := pair{delta, 0}.log()
	b := solve(muHi, target, pair{}, nil)
	a := solve(muLo, target, b.n, nil)
	return bracket{
		delta: delta,
		lower: func(eps float64) float64 { return tail(pair{eps, 0}, muLo, 0, -1).lower() },
		upper: func(eps float64) float64 { return tail(pair{eps, 0}, muHi, 0, 1).upper() },
		limit: maxEpsilon,
	}.epsilon(a, b)
}
