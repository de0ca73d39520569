package loss

import "math"

// wedge is the pair whose loss has the P-density height e^((l-eps)/2) on [-eps, eps], and hence the Q-density
// height e^(-(l+eps)/2).
type wedge struct{ height, eps float64 }

func (w wedge) masses(lo, hi float64) (p, q interval) {
	lo, hi = math.Max(lo, -w.eps), math.Min(hi, w.eps)
	if !(lo < hi) {
		return interval{}, interval{}
	}
	rel := 8*ulp + 2*ulp*w.eps
	p = near(2*w.height*math.Exp((lo-w.eps)/2)*math.Expm1((hi-lo)/2), rel)
	q = near(-2*w.height*math.Exp(-(lo+w.eps)/2)*math.Expm1((lo-hi)/2), rel)
	return p, q
}

func (w wedge) support(float64) (lo, hi float64) { return -w.eps, w.eps }

func (w wedge) slack(float64) float64 { return 0 }

// maxPure is the largest pure epsilon of one execution that the laws of this package accept.
const maxPure = 500

func pureEpsilon(eps float64) error {
	if !inOpen(eps, 1e-9, maxPure) {
		return parameter("epsilon", eps, "above 1e-9 and below 500")
	}
	return nil
}

// laplaceAtoms are the atoms of the Laplace pair: x <= 0 has the loss eps, x >= 1 the loss -eps.
func laplaceAtoms(eps float64) (*Atoms, error) {
	return newAtoms([]atom{{loss: eps, mass: interval{0.5, 0.5}}, {loss: -eps, mass: near(0.5*math.Exp(-eps), 4*ulp+ulp*eps)}}, 0, 0, 0)
}

// Laplace returns the law of the Laplace mechanism with eps = sensitivity/scale: atoms at both ends (1/2 at eps, e^-eps/2 at
// -eps) and, from L = (1-2x)eps on 0 < x < 1, the density e^((l-eps)/2)/4 between. The swapped pair has the same law.
func Laplace(eps float64) (*Law, error) {
	if err := pureEpsilon(eps); err != nil {
		return nil, err
	}
	a, err := laplaceAtoms(eps)
	if err != nil {
		return nil, err
	}
	return twoSided(mixture{[]weighted{one(sampled{base: wedge{0.25, eps}, q: 1})}, a, eps}, eps), nil
}

// PoissonLaplace returns the laws of the Laplace mechanism on a Poisson sample, one record more or less.
func PoissonLaplace(eps, q float64) (remove, add *Law, err error) {
	if err := pureEpsilon(eps); err != nil {
		return nil, nil, err
	}
	a, err := laplaceAtoms(eps)
	if err != nil {
		return nil, nil, err
	}
	r, s, err := a.Poisson(q)
	if err != nil {
		return nil, nil, err
	}
	base := wedge{0.25, eps}
	remove = twoSided(mixture{[]weighted{one(sampled{base: base, q: q})}, r, 0}, r.max())
	add = twoSided(mixture{[]weighted{one(sampled{base: base, q: q, add: true})}, s, 0}, s.max())
	return remove, add, nil
}

// Exponential returns the law of the exponential mechanism with the weights e^(eps score/(2 sensitivity)), for every score.
//
// The mechanism has a loss range [t, t+eps] for some t in [-eps, 0] (Durfee & Rogers 2019, Lemma 3.2); spreading the loss to
// the two ends gives the curve (1-e^t)(1-u e^(-eps-t))/(1-e^-eps) at u = e^l, e^t < u < e^(t+eps). Its supremum over t lies at
// t = (l-eps)/2: h(u) = (1-e^((l-eps)/2))^2/(1-e^-eps) on |l| <= eps. This is the curve of the pair with the P-density
// e^((l-eps)/2)/(2(1-e^-eps)) (differentiate twice), and the supremum of dominating curves that are curves of a pair composes.
// The lower law is the mechanism on two candidates whose scores swap, a randomized response with eps/2.
func Exponential(eps float64) (*Law, error) {
	if err := pureEpsilon(eps); err != nil {
		return nil, err
	}
	half, err := ApproximateDP(eps/2, 0)
	if err != nil {
		return nil, err
	}
	height := -0.5 / math.Expm1(-eps)
	return &Law{
		upper: mixture{parts: []weighted{{sampled{base: wedge{height, eps}, q: 1}, 1, 1 + 8*ulp}}},
		lower: &mixture{atoms: half},
		unit:  eps,
	}, nil
}
