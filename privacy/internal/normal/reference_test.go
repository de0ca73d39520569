package normal

import (
	"math"
	"math/big"

	"github.com/surefoot-ml/surefoot/internal/bigfloat"
)

// reference evaluates the textbook formulas, cancellation and all, with enough bits for it.
type reference struct {
	*bigfloat.Math
	bits uint
}

func newReference(bits uint) reference { return reference{bigfloat.New(bits), bits} }

func (r reference) num(v float64) *big.Float          { return r.fresh().SetFloat64(v) }
func (r reference) fresh() *big.Float                 { return new(big.Float).SetPrec(r.bits) }
func (r reference) add(x, y *big.Float) *big.Float    { return r.fresh().Add(x, y) }
func (r reference) sub(x, y *big.Float) *big.Float    { return r.fresh().Sub(x, y) }
func (r reference) mul(x, y *big.Float) *big.Float    { return r.fresh().Mul(x, y) }
func (r reference) quo(x, y *big.Float) *big.Float    { return r.fresh().Quo(x, y) }
func (r reference) half(x *big.Float) *big.Float      { return r.fresh().SetMantExp(x, -1) }
func (r reference) cdf(x *big.Float) *big.Float       { return r.SF(r.fresh().Neg(x)) }
func (r reference) float(x *big.Float) float64        { f, _ := x.Float64(); return f }
func (r reference) next(v float64, to int) *big.Float { return r.num(math.Nextafter(v, math.Inf(to))) }

// gaussian is Phi(mu/2-eps/mu) - e^eps Phi(-mu/2-eps/mu).
func (r reference) gaussian(mu, eps *big.Float) *big.Float {
	half, far := r.half(mu), r.quo(eps, mu)
	return r.sub(r.SF(r.sub(far, half)), r.mul(r.Exp(eps), r.SF(r.add(far, half))))
}

// deep is the logarithm of gaussian in the form of Mills ratios, for eps >= mu²/2 where e^eps is out of reach.
func (r reference) deep(mu, eps *big.Float) *big.Float {
	half, far := r.half(mu), r.quo(eps, mu)
	x, y := r.sub(far, half), r.add(far, half)
	l := r.Log(r.sub(r.Mills(x), r.Mills(y)))
	l = r.sub(l, r.half(r.mul(x, x)))
	return r.sub(l, r.half(r.Log(r.mul(r.num(2), r.Pi()))))
}

// sampled is P(L > eps) - e^eps Q(L > eps), by the point where the likelihood ratio crosses e^±eps.
func (r reference) sampled(q, sigma, eps *big.Float, dir Direction) *big.Float {
	one := r.num(1)
	ratio, exp := r.Exp(eps), r.Exp(eps)
	if dir == Add {
		ratio = r.quo(one, exp)
	}
	t := r.quo(r.add(r.sub(ratio, one), q), q)
	if t.Sign() <= 0 { // only in the direction Add: the loss ends before eps
		return r.num(0)
	}
	x := r.add(r.mul(r.mul(sigma, sigma), r.Log(t)), r.num(0.5))
	a, b := r.quo(x, sigma), r.quo(r.sub(x, one), sigma)
	mixture := func(tail func(*big.Float) *big.Float) *big.Float {
		return r.add(r.mul(r.sub(one, q), tail(a)), r.mul(q, tail(b)))
	}
	if dir == Remove {
		return r.sub(mixture(r.SF), r.mul(exp, r.SF(a)))
	}
	return r.sub(r.cdf(a), r.mul(exp, mixture(r.cdf)))
}
