package loss

import (
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// Fixed-size batches drawn without replacement under add or remove one record need no law of their own: the dominating pair is
// that of a Poisson-sampled Gaussian with q = batch/n, n the size of the larger data set, and half the noise, because the
// record displaces another one.

func sampledGaussian(sigma, q float64) error {
	if !inOpen(sigma, 1e-3, 1e9) {
		return parameter("sigma", sigma, "above 1e-3 and below 1e9")
	}
	if !(q > 0 && q <= 1) {
		return parameter("sampling probability", q, "above 0 and at most 1")
	}
	return nil
}

// replaced is the law of the curve h(u) = q d(1+(u-1)/q) for u >= 1, h(u) = 1-u+u h(1/u) below, d the curve of a Gaussian at the
// distance mu: what a batch of n q of n records, drawn without replacement, loses about the replacement of one record. Advanced
// joint convexity (Balle, Barthe & Gaboardi 2018, Theorem 2 and 9) gives h for u >= 1, the symmetry of the relation the rest.
//
// On u > 1 that is the curve of the remove pair of Poisson sampling with the same q and mu, so its masses are those of that
// pair; on u < 1 the swap; at u = 1 the rest is an atom of mass 1 - P(L>0) - Q(L>0) = (1-q)(1-2Phi(-mu/2)).
func replaced(mu, q float64) mixture {
	above := positive{sampled{base: gaussian{mu}, q: q}}
	mass := (1 - q) * math.Erf(mu/(2*math.Sqrt2))
	atoms := &Atoms{atoms: []atom{{loss: 0, mass: near(mass, 16*ulp), q: near(mass, 16*ulp)}}}
	if mass == 0 {
		atoms = nil
	}
	return mixture{parts: []weighted{one(above), one(mirrored{above})}, atoms: atoms}
}

// FixedBatch returns the law of a Gaussian step on a batch of fixed size drawn without replacement, under the replacement of
// one record: sigma is the noise over the clip norm, q the batch size over n. The relation is symmetric: one law serves both
// directions. The lower law is that of the data set whose other records all oppose the replaced one (the remove pair of Poisson
// sampling at twice the sensitivity); the laws agree for one step and part with the number of steps.
func FixedBatch(sigma, q float64) (*Law, error) {
	if err := sampledGaussian(sigma, q); err != nil {
		return nil, err
	}
	lower := mixture{parts: []weighted{one(sampled{base: gaussian{2 / sigma}, q: q})}}
	return &Law{upper: replaced(2/sigma, q), lower: &lower}, nil
}

// FixedBatchZeroOut returns the laws of a Gaussian step on a batch of fixed size drawn without replacement, where one record's
// contribution becomes zero. With u = 1+q(k-1) and b = u/k advanced joint convexity gives the curve
// q((1-b) d(ln k; 2/sigma) + b d(ln k; 1/sigma)) for remove and q d(ln k; 1/sigma) for add, u >= 1; each direction takes its
// other half from the swap. The lower laws are those of the data set whose other records are zero: Poisson sampling.
func FixedBatchZeroOut(sigma, q float64) (remove, add *Profile, err error) {
	if err := sampledGaussian(sigma, q); err != nil {
		return nil, nil, err
	}
	near, far := gaussian{1 / sigma}, gaussian{2 / sigma}
	in := sampled{q: q}
	removed := func(eps float64) float64 {
		l := in.inverse(eps)
		b := clamp01(math.Exp(eps-l) * (1 - 16*ulp*(1+l)))
		l -= 16 * ulp * (1 + l)
		return q * ((1-b)*far.curve(l) + b*near.curve(l)) * (1 + 8*ulp)
	}
	added := func(eps float64) float64 {
		l := in.inverse(eps)
		return q * near.curve(l-16*ulp*(1+l)) * (1 + 8*ulp)
	}
	below := mixture{parts: []weighted{one(sampled{base: near, q: q})}}
	above := mixture{parts: []weighted{one(sampled{base: near, q: q, add: true})}}
	return &Profile{Right: removed, Left: added, lower: &below}, &Profile{Right: added, Left: removed, lower: &above}, nil
}

// truncation returns the probability that the others fill the batch, and the probability that the record is then in it.
func truncation(n int64, q float64, batch int64) (full interval, inside float64, err error) {
	if n < 1 || n > 1<<40 {
		return full, 0, parameter("data set size", n, "1 to 2^40")
	}
	if batch < 1 {
		return full, 0, parameter("largest batch", batch, "at least 1")
	}
	if batch >= n {
		return full, 0, nil
	}
	others, err := Binomial(n-1, q, 1e-290)
	if err != nil {
		return full, 0, err
	}
	all, err := Binomial(n, q, 1e-290)
	if err != nil {
		return full, 0, err
	}
	full = others.tailOf(batch)
	inside = q // the mean of q B/(k+1) over k >= B others
	if full.lo > 0 {
		inside = math.Min(q, float64(batch)/float64(n)*all.tailOf(batch+1).hi/full.lo*(1+8*ulp))
	}
	return full, math.Max(inside, math.Min(q, 1e-9)), nil
}

// TruncatedPoisson returns the laws of a Gaussian step on a Poisson sample with probability q of n records, cut down to a uniform
// subset of at most batch records; one record more or less, n public and known to the accountant.
//
// The number of others sampled does not depend on the record. Fewer than batch: plain Poisson. Else (probability p) the record
// displaces one of a uniform subset with the mean probability q_c = (batch/n) P[Bin(n,q) > batch]/p: the pair of a fixed batch,
// at twice the sensitivity. Curves of both cases add up by joint convexity (Ganesh 2025 with the tighter second pair). The laws
// grow with q_c (a curve convex in q and least at 0), so that q_c may be rounded up. No lower law is given.
func TruncatedPoisson(n int64, q float64, batch int64, sigma float64) (remove, add *Law, err error) {
	if err := sampledGaussian(sigma, q); err != nil {
		return nil, nil, err
	}
	full, inside, err := truncation(n, q, batch)
	if err != nil {
		return nil, nil, err
	}
	side := func(add bool) *Law {
		m := mixture{parts: []weighted{{sampled{base: gaussian{1 / sigma}, q: q, add: add}, 1 - full.hi, 1 - full.lo}}}
		if full.hi == 0 {
			return twoSided(m, 0)
		}
		m.parts = append(m.parts, weighted{sampled{base: gaussian{2 / sigma}, q: inside, add: add}, full.lo, full.hi})
		return &Law{upper: m}
	}
	return side(false), side(true), nil
}

// TruncatedPoissonReplace is TruncatedPoisson under the replacement of one record: the plain case has the pair
// (1-q)N(0)+qN(1), (1-q)N(0)+qN(-1) (in units of the clip norm), the other one the curve of FixedBatch. One law serves both
// directions. That the first pair dominates is the accepted result for Poisson sampling (Lebeda, Regehr, Kamath & Steinke 2024).
func TruncatedPoissonReplace(n int64, q float64, batch int64, sigma float64) (*Law, error) {
	if err := sampledGaussian(sigma, q); err != nil {
		return nil, err
	}
	full, inside, err := truncation(n, q, batch)
	if err != nil {
		return nil, err
	}
	m := mixture{parts: []weighted{{opposed{1 / sigma, q}, 1 - full.hi, 1 - full.lo}}}
	if full.hi == 0 {
		return twoSided(m, 0), nil
	}
	other := replaced(2/sigma, inside)
	for _, w := range other.parts {
		m.parts = append(m.parts, weighted{w.density, full.lo, full.hi})
	}
	if other.atoms != nil {
		x := other.atoms.atoms[0]
		x.mass.hi *= full.hi * (1 + 2*ulp)
		x.mass.lo *= full.lo * (1 - 2*ulp)
		x.q = x.mass
		m.atoms = &Atoms{atoms: []atom{x}}
	}
	return &Law{upper: m}, nil
}

// opposed is the pair (1-q)N(0,1)+qN(mu,1) against (1-q)N(0,1)+qN(-mu,1). Its loss rises with z: with w = e^(mu z) and
// c = q e^(-mu^2/2), e^l = (1-q+cw)/(1-q+c/w), which gives mu z = l/2 + asinh((1-q)/c sinh(l/2)).
type opposed struct{ mu, q float64 }

func (o opposed) at(l float64) float64 {
	if math.IsInf(l, 0) {
		return l
	}
	if o.q == 1 {
		return l / (2 * o.mu)
	}
	// The argument of asinh may overflow: work with its logarithm.
	half := math.Abs(l) / 2
	y := math.Log1p(-o.q) - math.Log(o.q) + o.mu*o.mu/2 + math.Log(math.Sinh(math.Min(half, 300))) + math.Max(0, half-300)
	if y > 30 {
		y += math.Ln2
	} else {
		y = math.Asinh(math.Exp(y))
	}
	return math.Copysign(half+y, l) / o.mu
}

func (o opposed) mass(lo, hi float64, up bool) (p, q float64) {
	a, b := o.at(lo), o.at(hi)
	err := 4 * ulp * (o.mu + math.Max(finite(a), finite(b)))
	center := between(a, b, err)
	return center.mix(o.q, between(a-o.mu, b-o.mu, err)).pick(up), center.mix(o.q, between(a+o.mu, b+o.mu, err)).pick(!up)
}

func (o opposed) support(tail float64) (lo, hi float64) {
	z := quantile(tail) + o.mu
	return o.loss(-z), o.loss(z)
}

func (o opposed) loss(z float64) float64 {
	s := sampled{q: o.q}
	m := o.mu * o.mu / 2
	return s.forward(o.mu*z-m) - s.forward(-o.mu*z-m)
}

// slack: the derivative of mu z by l is at least 1/2, and an error of the argument of asinh, relative e, moves it by less
// than e; e is the error of its logarithm, whose last term is above -50 for steps above 1e-20.
func (o opposed) slack(l float64) float64 {
	return 32 * ulp * (64 + l + o.mu*o.mu + math.Abs(math.Log(o.q)) + math.Abs(math.Log1p(-math.Min(o.q, 1-ulp))))
}

var _ lattice.Law = (*Law)(nil)
