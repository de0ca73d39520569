package privacy

import "math"

// Laplace adds Laplace noise to a number, or independently to every coordinate of a vector.
type Laplace struct {
	// Scale is the scale b of the noise, of density e^(-|x|/b)/2b, in the unit of Clip.
	Scale float64 `json:"scale"`
	// Clip bounds the L1 norm of the contribution of one record, rounding included.
	Clip float64 `json:"clip"`
	// Relation says which datasets are compared; it must be set.
	Relation Relation `json:"relation"`
}

// epsilon is the largest loss, rounded up.
func (e Laplace) epsilon() float64 {
	if e.Relation == ReplaceOne {
		return over(2*e.Clip, e.Scale)
	}
	return over(e.Clip, e.Scale)
}

// Validate accepts lengths from 1e-100 to 1e100, a set Relation and a quotient of sensitivity and Scale from 1e-12 to 1e6.
func (e Laplace) Validate() error {
	if err := checkLength("Laplace.Scale", e.Scale); err != nil {
		return err
	}
	if err := checkLength("Laplace.Clip", e.Clip); err != nil {
		return err
	}
	if err := checkRelation("Laplace.Relation", e.Relation); err != nil {
		return err
	}
	return checkLoss("Laplace's sensitivity/Scale", e.epsilon())
}

func (Laplace) kind() string         { return "laplace" }
func (e Laplace) relation() Relation { return e.Relation }
func (e Laplace) lower() []leaf      { return []leaf{{laplaceNoise{e.epsilon()}, 1}} }

// laplaceNoise is Laplace noise of scale 1 on an answer that moves by eps.
//
// It covers vectors whose coordinates move by eps_i, sum eps: their product has a privacy profile below. Proof for two: H(v), the
// hockey-stick divergence at e^v, is 1 - e^(v/2)·m(v), m(v) = e^(-max(|v|,eps)/2), for every eps; the loss of the second is ±eps₂ with
// masses 1/2 and e^-eps₂/2 and has density e^((l-eps₂)/2)/4 between. So 1-H of the product is
//
//	½·e^((v-eps₂)/2)·(m₁(v-eps₂) + m₁(v+eps₂) + ½∫m₁(v-l)dl over |l| <= eps₂)
//
// and the bracket is at least 2·e^(-max(|v|-eps₂,eps₁)/2): where |x| > eps₁, ½m₁ is the slope of m₁, so the integral makes up for what
// the end terms lack.
type laplaceNoise struct{ eps float64 }

func (laplaceNoise) infinite() float64 { return 0 }

// logMoment is the closed form of Mironov 2017, "Rényi differential privacy", Proposition 6, without cancellation: with c = a-1 and
// phi(t) = e^t-1-t >= 0,
//
//	e^K = a/(2c+1)·e^(c·eps) + c/(2c+1)·e^(-a·eps) = 1 + [a·phi(c·eps) + c·phi(-a·eps)]/(2c+1).
//
// Rounding: an ulp of t moves phi(t) by at most 2+max(t,0); where t > 50 the logarithm is that of a number in [1/2, 1].
func (m laplaceNoise) logMoment(a float64) float64 {
	c := a - 1
	w := c + a
	t := c * m.eps
	if t > 50 {
		return up(t+math.Log(a/w+c/w*math.Exp(-a*m.eps-t)), 16)
	}
	return up(math.Log1p(up((a*phi(t)+c*phi(-a*m.eps))/w, 160)), 4)
}

// concentrated returns eps-1+e^-eps, the divergence of order 1. With s = c+1/2, e^K = e^(-eps/2)·u(eps), u(x) = cosh(sx)+sinh(sx)/2s,
// is an entire function of s² of order 1/2 whose zeros are the eigenvalues of u” = s²u, u'(0) = u(0)/2, u(eps) = 0: real and negative.
// By Hadamard's product its logarithm is concave in s² > 0, so K lies below its tangent at s = 1/2.
func (m laplaceNoise) concentrated() float64 { return up(phi(-m.eps), 16) }

// pure is the largest loss.
func (m laplaceNoise) pure() float64 { return m.eps }
