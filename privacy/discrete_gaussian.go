package privacy

import "math"

// DiscreteGaussian adds integer noise with probabilities in proportion to e^(-x²/(2·StdDev²)) to a whole number (Canonne, Kamath,
// Steinke 2020, "The discrete Gaussian for differential privacy", arXiv 2004.00010). It is a mechanism for one number: in a vector every
// coordinate is an event of its own.
type DiscreteGaussian struct {
	// StdDev is in grid units. The standard deviation of the noise itself is a little smaller.
	StdDev float64 `json:"std_dev"`
	// Sensitivity bounds the contribution of one record, in grid units, from 1 to 2^30. ReplaceOne doubles it.
	Sensitivity int `json:"sensitivity"`
	// Relation says which datasets are compared; it must be set.
	Relation Relation `json:"relation"`
}

// Validate accepts what the fields say, if the quotient of StdDev and Sensitivity (twice it under ReplaceOne) lies from 1e-6 to 1e12.
func (e DiscreteGaussian) Validate() error {
	if err := checkLength("DiscreteGaussian.StdDev", e.StdDev); err != nil {
		return err
	}
	if err := checkSteps("DiscreteGaussian.Sensitivity", e.Sensitivity); err != nil {
		return err
	}
	if err := checkRelation("DiscreteGaussian.Relation", e.Relation); err != nil {
		return err
	}
	if m := e.StdDev / distance(e.Sensitivity, e.Relation); !(m >= minMultiplier && m <= maxMultiplier) {
		return &InvalidError{"DiscreteGaussian's StdDev/Sensitivity", m, "a number from 1e-6 to 1e12"}
	}
	return nil
}

func (DiscreteGaussian) kind() string         { return "discrete_gaussian" }
func (e DiscreteGaussian) relation() Relation { return e.Relation }
func (e DiscreteGaussian) lower() []leaf {
	return []leaf{{discreteNoise{e.StdDev, distance(e.Sensitivity, e.Relation)}, 1}}
}

// discreteNoise has the probabilities e^(-x²/2sigma²)/Θ(0), Θ(t) the sum of e^(-(x+t)²/2sigma²) over the integers x, on an answer that
// moves by at most shift, a whole number. They are log-concave, so the optimal tests are thresholds and the largest move is the worst.
type discreteNoise struct{ sigma, shift float64 }

func (discreteNoise) infinite() float64 { return 0 }

// logMoment is exact but for rounding, at every order. Completing the square gives, with c = a-1,
//
//	K = a·c·shift²/(2sigma²) - Y,  Y = log Θ(0)/Θ(f) >= 0,
//
// f the distance from c·shift to the next integer. The first term X is the curve of the continuous Gaussian and the zero-concentrated
// bound of the paper (its Proposition 5). The divergence of order 1 is X/(a·c), since the noise has mean 0, so K >= X/a; and
// Y <= 1/(8sigma²), so K >= X·(1-1/(4ac)): the difference loses less than one bit.
//
// Rounding: Y is wrong by less than 40 ulp of X (f is exact to an ulp, f <= c·shift, and each term's exponent times the term is below
// X), X by 6.
func (m discreteNoise) logMoment(a float64) float64 {
	c := a - 1
	x := a * c * m.shift * m.shift / (2 * m.sigma * m.sigma)
	return up(x-m.dent(c)+64*ulp*x, 2)
}

// dent is Y.
func (m discreteNoise) dent(c float64) float64 {
	p := c * m.shift
	rest := math.FMA(c, m.shift, -p)
	f := p - math.Round(p) + (rest - math.Round(rest))
	f = math.Abs(f - math.Round(f))

	v := m.sigma * m.sigma
	if m.sigma >= 0.4 {
		// Poisson summation: Θ(f) is in proportion to 1 + 2Σ e^(-2π²sigma²k²)·cos(2πkf).
		theta, lost := 1.0, 0.0
		for k := 1.0; k < 6; k++ {
			e, s := math.Exp(-2*math.Pi*math.Pi*v*k*k), math.Sin(math.Pi*k*f)
			theta += 2 * e
			lost += 4 * e * s * s
		}
		return -math.Log1p(-lost / theta)
	}
	// Pairs of x and -x: e^(f²/2sigma²)·Θ(f) - Θ(0) is a sum of positive terms.
	theta, more := 1.0, 0.0
	for x := 1.0; x < 7; x++ {
		theta += 2 * math.Exp(-x*x/(2*v))
		e := math.Expm1(-x * f / v)
		more += math.Exp(-x*(x-2*f)/(2*v)) * e * e
	}
	return f*f/(2*v) - math.Log1p(more/theta)
}

// concentrated is the paper's Proposition 5.
func (m discreteNoise) concentrated() float64 {
	return up(m.shift*m.shift/(2*m.sigma*m.sigma), 6)
}
