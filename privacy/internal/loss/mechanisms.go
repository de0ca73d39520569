package loss

import (
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// RandomizedResponse returns the law of k-ary randomized response (the true value with probability 1-p, else a uniform draw)
// under the replacement of the value: the losses are +-ln(hi/lo) and 0 with hi = 1-p+p/k, lo = p/k. It is its own swap.
func RandomizedResponse(p float64, k int) (*Atoms, error) {
	hi, lo, err := response(p, k)
	if err != nil {
		return nil, err
	}
	l := math.Log1p((1 - p) / lo)
	return newAtoms([]atom{
		{loss: l, mass: near(hi, 6*ulp)}, {loss: -l, mass: near(lo, 2*ulp)}, {loss: 0, mass: near(float64(k-2)*lo, 4*ulp)},
	}, l, 0, 16*ulp*(1+l))
}

// RandomizedResponseZeroOut returns the laws of k-ary randomized response where the other data set answers uniformly: remove is
// the pair (answer, uniform) with the losses ln(k hi) and ln(k lo), add is its swap.
func RandomizedResponseZeroOut(p float64, k int) (remove, add *Atoms, err error) {
	hi, lo, err := response(p, k)
	if err != nil {
		return nil, nil, err
	}
	n := float64(k)
	top, bottom := math.Log1p((n-1)*(1-p)), math.Log(p)
	remove, err = newAtoms([]atom{
		{loss: top, mass: near(hi, 6*ulp)},
		{loss: bottom, mass: near((n-1)*lo, 4*ulp)},
	}, top-bottom, bottom, 16*ulp*(1+math.Abs(math.Log(p))+math.Log(n)))
	if err != nil {
		return nil, nil, err
	}
	return remove, remove.Swap(), nil
}

func response(p float64, k int) (hi, lo float64, err error) {
	if !(inOpen(p, 0, 1) && p >= 1e-200) {
		return 0, 0, parameter("probability of a uniform answer", p, "in [1e-200, 1)")
	}
	if k < 2 || int64(k) > 1<<40 {
		return 0, 0, parameter("number of answers", k, "2 to 2^40")
	}
	lo = p / float64(k)
	return 1 - p + lo, lo, nil
}

// ApproximateDP returns the law that dominates every (eps, delta)-DP mechanism (Kairouz, Oh & Viswanath 2015): +Inf with
// probability delta, else eps or -eps with odds e^eps. delta may be 0. It is its own swap, and one of these mechanisms.
func ApproximateDP(eps, delta float64) (*Atoms, error) {
	if err := pureEpsilon(eps); err != nil {
		return nil, err
	}
	if !(delta >= 0 && delta < 1) {
		return nil, parameter("delta", delta, "at least 0 and below 1")
	}
	r := math.Exp(-eps)
	rel := 8*ulp + 2*ulp*eps
	a, err := newAtoms([]atom{
		{loss: eps, mass: near((1-delta)/(1+r), rel)}, {loss: -eps, mass: near((1-delta)*r/(1+r), rel)},
	}, 2*eps, -eps, 0)
	if err != nil {
		return nil, err
	}
	a.inf = interval{delta, delta}
	a.neg = a.inf
	return a, nil
}

// PermuteAndFlip returns a law that dominates the permute-and-flip mechanism: that of every eps-DP mechanism. Its lower law is
// empty. (The Laplace profile seems to dominate too; no proof is known to us.)
func PermuteAndFlip(eps float64) (lattice.Law, error) {
	a, err := ApproximateDP(eps, 0)
	if err != nil {
		return nil, err
	}
	return upperOnly{a}, nil
}

// upperOnly hides the lower law of a law that is only known to dominate.
type upperOnly struct{ *Atoms }

// Delta is Atoms.Delta with 0 as the lower end.
func (u upperOnly) Delta(eps float64) (lo, hi float64, err error) {
	_, hi, err = u.Atoms.Delta(eps)
	return 0, hi, err
}

// Discretize implements lattice.Law.
func (u upperOnly) Discretize(step, tail float64) (upper, lower lattice.PMF, err error) {
	if upper, err = u.discretize(step, tail, true); err != nil {
		return lattice.PMF{}, lattice.PMF{}, err
	}
	return upper, none(step), nil
}

// maxSupport bounds the number of outcomes of a discrete mechanism.
const maxSupport = 1 << 21

// DiscreteLaplace returns the law of integer noise with P(x) = tanh(a/2) e^(-a|x|) under an integer shift: the losses are
// a(s-2x) for 0 < x < s, a s for x <= 0 and -a s for x >= s, so integer multiples of a. It is its own swap.
func DiscreteLaplace(a float64, sensitivity int) (*Atoms, error) {
	if sensitivity < 1 || sensitivity > maxSupport {
		return nil, parameter("sensitivity", sensitivity, "1 to 2^21")
	}
	s := float64(sensitivity)
	if !inOpen(a, 1e-9, maxPure) || a*s > maxPure {
		return nil, parameter("discrete Laplace rate", a, "above 1e-9, at most 500 times the sensitivity")
	}
	r := math.Exp(-a)
	rel := 16*ulp + 4*ulp*a*s
	list := []atom{
		{loss: a * s, mass: near(1/(1+r), rel)},
		{loss: -a * s, mass: near(math.Exp(-a*s)/(1+r), rel)},
	}
	for x := 1; x < sensitivity; x++ {
		list = append(list, atom{loss: a * (s - 2*float64(x)), mass: near(math.Tanh(a/2)*math.Exp(-a*float64(x)), rel)})
	}
	return newAtoms(list, 2*a, -a*s, 2*ulp*a*s)
}

// DiscreteGaussian returns the law of integer noise with P(x) ~ e^(-x^2/(2 sigma^2)) (Canonne, Kamath & Steinke 2020) under an
// integer shift s: the loss at x is (s^2 - 2sx)/(2 sigma^2). The normaliser is the direct sum. It is its own swap.
func DiscreteGaussian(sigma float64, sensitivity int) (*Atoms, error) {
	if !inOpen(sigma, 0.02, 2e4) {
		return nil, parameter("sigma", sigma, "above 0.02 and below 20000")
	}
	if sensitivity < 1 || float64(sensitivity) > math.Min(1<<20, 1e3*sigma*math.Max(1, sigma)) {
		return nil, parameter("sensitivity", sensitivity, "1 to 2^20, and at most 1000 sigma max(1, sigma)")
	}
	s := float64(sensitivity)
	// Beyond reach the weights are below e^-690; the sum of the geometric majorant is below twice the first of them over
	// 1 - e^(-reach/sigma^2).
	reach := math.Ceil(38*sigma) + 1
	if 2*reach+s > maxSupport {
		return nil, fmt.Errorf("%w: %v outcomes", ErrTooLarge, 2*reach+s)
	}
	v := 2 * sigma * sigma
	weight := func(x float64) float64 { return math.Exp(-x * x / v) }
	rest := math.Max(1e-290, 4*weight(reach+1)/-math.Expm1(-2*(reach+1)/v))
	z := 0.0
	for x := reach; x > 0; x-- {
		z += 2 * weight(x)
	}
	z++
	zRel := (2*reach+64)*ulp + rest // the sum errs by an ulp per term, its terms by 3(1+x^2/v) ulp, in the mean below 8
	mass := func(x float64) interval {
		w := weight(x) / z
		if w < 1e-290 {
			return interval{0, 1e-290}
		}
		return near(w, zRel+(8+4*x*x/v)*ulp)
	}
	var list []atom
	for x := -reach; x <= reach+s; x++ {
		list = append(list, atom{(s*s - 2*s*x) / v, mass(x), mass(x - s)})
	}
	a, err := newAtoms(list, 2*s/v, s*s/v, 0)
	if err != nil {
		return nil, err
	}
	a.err = 8 * ulp * math.Max(math.Abs(a.min()), math.Abs(a.max()))
	a.tail = 1e-280
	return a, nil
}
