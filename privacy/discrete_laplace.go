package privacy

import "math"

// DiscreteLaplace adds integer noise with probabilities in proportion to e^(-|x|/Scale) to a whole number (Ghosh, Roughgarden,
// Sundararajan 2009, "Universally utility-maximizing privacy mechanisms").
type DiscreteLaplace struct {
	// Scale is in grid units, from 1e-100 to 1e100.
	Scale float64 `json:"scale"`
	// Sensitivity bounds the contribution of one record, in grid units, from 1 to 2^30. ReplaceOne doubles it.
	Sensitivity int `json:"sensitivity"`
	// Relation says which datasets are compared; it must be set.
	Relation Relation `json:"relation"`
}

// Validate accepts what the fields say, if the quotient of Sensitivity (twice it under ReplaceOne) and Scale lies from 1e-12 to 1e6.
func (e DiscreteLaplace) Validate() error {
	if err := checkLength("DiscreteLaplace.Scale", e.Scale); err != nil {
		return err
	}
	if err := checkSteps("DiscreteLaplace.Sensitivity", e.Sensitivity); err != nil {
		return err
	}
	if err := checkRelation("DiscreteLaplace.Relation", e.Relation); err != nil {
		return err
	}
	return checkLoss("DiscreteLaplace's Sensitivity/Scale", e.noise().pure())
}

func (e DiscreteLaplace) noise() geometricNoise {
	return geometricNoise{over(1, e.Scale), distance(e.Sensitivity, e.Relation)}
}

func (DiscreteLaplace) kind() string         { return "discrete_laplace" }
func (e DiscreteLaplace) relation() Relation { return e.Relation }
func (e DiscreteLaplace) lower() []leaf      { return []leaf{{e.noise(), 1}} }

// geometricNoise has the probabilities tanh(decay/2)·e^(-decay·|x|) on an answer that moves by at most shift. They are log-concave, so
// the optimal tests are thresholds and the largest move is the worst.
type geometricNoise struct{ decay, shift float64 }

func (geometricNoise) infinite() float64 { return 0 }

// logMoment is exact but for rounding, at every order. The loss is eps = decay·shift for x <= 0, -eps for x >= shift, and falls in
// steps of 2·decay between. Summing the geometric series, with c = a-1, d = decay, z = e^-d, w = e^(-(2c+1)d), D = (1+z)(1-w),
//
//	e^K = A·e^(c·eps) + B·e^(-a·eps),  A = (1-zw)/D,  B = (z-w)/D,  A+B = 1,
//	e^K - 1 = A·phi(c·eps) + B·phi(-a·eps) + eps·(c·A-a·B),  phi(t) = e^t-1-t >= 0,
//	c·A-a·B = 2e^(-ad)·N/D,  N = c·sinh(ad) - a·sinh(cd) >= 0.
//
// For ad <= 1.2 the power series of N has positive terms only. Otherwise 2e^(-ad)·N is c(1+w')(1-z²)/2 + (1-w')c(1-z)²/2 less (1-w')z,
// w' = e^(-2cd): at most 0.97 of the former, and its error is counted.
func (m geometricNoise) logMoment(a float64) float64 {
	c, d, eps := a-1, m.decay, m.decay*m.shift
	z := math.Exp(-d)
	den := -(1 + z) * math.Expm1(-(c+a)*d)
	x := c * d
	first, second := -math.Expm1(-2*a*d)/den, -z*math.Expm1(-2*x)/den
	t := c * eps
	if t > 50 {
		return up(t+math.Log(first+second*math.Exp(-a*eps-t)), 32)
	}
	var n float64
	if y := a * d; y <= 1.2 {
		// b is y^2k - x^2k, f is 1/(2k+1)!.
		step, xx := d*d*(c+a), 1.0
		b, f := 0.0, 1.0
		for k := 1.0; k < 12; k++ {
			b = y*y*b + xx*step
			xx *= x * x
			f /= 2 * k * (2*k + 1)
			n += b * f
		}
		n *= 2 * math.Exp(-y) * c * y
	} else {
		gain := -c*(1+math.Exp(-2*x))*math.Expm1(-2*d)/2 - math.Expm1(-2*x)*c*math.Expm1(-d)*math.Expm1(-d)/2
		less := -math.Expm1(-2*x) * z
		n = gain - less + 16*ulp*(gain+less)
	}
	return up(math.Log1p(up(first*phi(t)+second*phi(-a*eps)+eps*n/den, 400)), 4)
}

// concentrated is that of a pure mechanism.
func (m geometricNoise) concentrated() float64 { return pureLoss{m.pure()}.concentrated() }

// pure is the largest loss, rounded up.
func (m geometricNoise) pure() float64 { return up(m.decay*m.shift, 1) }
