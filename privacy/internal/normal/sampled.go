package normal

import "math"

// Direction says which of two neighbouring datasets holds the record.
type Direction uint8

const (
	// Remove is the direction P = (1-q)N(0)+qN(1) against Q = N(0): the larger loss.
	Remove Direction = 1
	// Add is the direction P = N(0) against Q = (1-q)N(0)+qN(1), whose loss stays below -log(1-q).
	Add Direction = 2
)

// Sampled is one step of the Gaussian mechanism on a Poisson sample under add/remove: Rate is the probability q of a record to be in
// the sample, 0 or within [1e-30, 1], and Sigma the noise multiplier, standard deviation over L2 sensitivity, within [1e-30, 1e30].
//
// Every answer covers a Sigma that is off by one unit in the last place, as a rounded quotient is.
//
// With mu = 1/Sigma and delta_G the profile of the Gaussian mu, both directions are one evaluation of it:
//
//	Remove: delta(eps) = q·delta_G(nu), e^nu = 1 + (e^eps-1)/q
//	Add:    delta(eps) = e^eps·t·delta_G(nu), e^-nu = t/q, t = e^-eps-1+q; 0 where t <= 0
//
// Proof. The likelihood ratio of the mixture and N(0) is r = 1-q+q·e^v, v the loss of the plain Gaussian. Remove: r > e^eps where
// v > nu, and E_0[(r-e^eps)+] = q E_0[(e^v-e^nu)+]. Add: 1-e^eps·r = e^eps(t-q·e^v), positive where v < -nu, and E_0[(t-q·e^v)+] =
// q E_0[(e^-nu-e^v)+] = q·e^-nu E_1[(e^-v-e^nu)+] with the roles of N(0) and N(1) changed over, which is q·e^-nu·delta_G(nu).
type Sampled struct{ Rate, Sigma float64 }

func (s Sampled) check(dir Direction) error {
	switch {
	case !(s.Rate == 0 || within(s.Rate, tiny, 1)):
		return domain("rate", s.Rate, "0 or 1e-30 to 1")
	case !within(s.Sigma, tiny, huge):
		return domain("sigma", s.Sigma, "1e-30 to 1e30")
	case dir != Remove && dir != Add:
		return domain("direction", float64(dir), "Remove or Add")
	}
	return nil
}

// span returns mu for the neighbours of sigma: delta and epsilon grow with it.
func (s Sampled) span() (lo, hi pair) {
	one := pair{1, 0}
	return one.over(pair{math.Nextafter(s.Sigma, math.Inf(1)), 0}), one.over(pair{math.Nextafter(s.Sigma, 0), 0})
}

// Delta returns the smallest delta with which the step is (eps, delta)-DP in one direction, 0 <= eps <= 1e60.
func (s Sampled) Delta(eps float64, dir Direction) (lo, hi float64, err error) {
	if err := s.check(dir); err != nil {
		return 0, 0, err
	}
	if err := checkEpsilon(eps); err != nil {
		return 0, 0, err
	}
	if s.Rate == 0 {
		return 0, 0, nil
	}
	muLo, muHi := s.span()
	return s.delta(eps, muLo, -1, dir), s.delta(eps, muHi, 1, dir), nil
}

// delta is above the profile at mu for side 1, and below it for side -1.
func (s Sampled) delta(eps float64, mu pair, side float64, dir Direction) float64 {
	var p positive
	switch q, e := (pair{s.Rate, 0}), (pair{eps, 0}); {
	case s.Rate == 1:
		p = tail(e, mu, 0, side)
	case dir == Remove:
		nu := s.nu(e)
		p = tail(nu, mu, nu.hi*0x1p-90, side).times(q, 0)
	default:
		nu, weight, slack := s.added(e, side)
		if !(weight.hi > 0) {
			return 0
		}
		p = tail(nu, mu, slack, side).times(weight, 0x1p-90)
	}
	if side > 0 {
		return min(1, p.upper())
	}
	return p.lower()
}

// added returns nu, up to slack, and e^eps·t of the direction Add for 0 < q < 1, both moved to the side on which delta is larger (1)
// or smaller by more than the error of t; a weight of 0 where delta is 0. Next to the largest loss -log(1-q), t is the difference to it.
func (s Sampled) added(eps pair, side float64) (nu, weight pair, slack float64) {
	q := pair{s.Rate, 0}
	move := func(x pair) pair { return x.plus(pair{side * 0x1p-91 * math.Abs(x.hi), 0}) }
	if eps.hi < 40 { // -log(1-q) is at most 53 log 2
		if u := eps.neg().expm1().over(q); u.hi > -0.5 {
			u = move(u)
			y, k := eps.exp()
			if nu = u.log1p().neg(); nu.hi < 0 {
				nu = pair{} // eps = 0
			}
			return nu, u.plus(pair{1, 0}).times(y.scaled(k)).times(q), nu.hi * 0x1p-90
		}
	}
	gap := eps.minus(move(q.neg().log1p().neg()))
	if !(gap.hi < 0) {
		return pair{}, pair{}, 0
	}
	weight = gap.expm1().neg()
	l := q.log()
	nu = l.plus(eps).minus(weight.log()) // so eps <= nu-l and -log(weight) <= nu-l: the three errors of 2^-94 are below slack
	if nu.hi < 0 {
		nu = pair{}
	}
	return nu, weight, (1 + nu.hi - l.hi) * 0x1p-91
}

// nu returns log(1 + (e^eps-1)/q), with a relative error below 2^-90.
func (s Sampled) nu(eps pair) pair {
	q := pair{s.Rate, 0}
	if eps.hi < 500 {
		return eps.expm1().over(q).log1p()
	}
	return eps.minus(q.log()) // log1p(-(1-q)e^-eps) is below 2^-700
}

// epsOf is the inverse of nu in the direction Remove, and of -log(1-(1-e^-eps)/q) in the direction Add.
func (s Sampled) epsOf(nu pair, dir Direction) pair {
	q := pair{s.Rate, 0}
	switch {
	case dir == Add && nu.hi > 700:
		return q.neg().log1p().neg()
	case dir == Add:
		return nu.neg().expm1().times(q).log1p().neg()
	case nu.hi < 500:
		return nu.expm1().times(q).log1p()
	}
	return nu.plus(q.log()) // e^-nu/q is below 2^-600
}

// Epsilon returns the smallest eps >= 0 with which the step is (eps, delta)-DP in one direction, 0 < delta < 1.
func (s Sampled) Epsilon(delta float64, dir Direction) (lo, hi float64, err error) {
	if err := s.check(dir); err != nil {
		return 0, 0, err
	}
	if err := checkDelta(delta); err != nil {
		return 0, 0, err
	}
	if s.Rate == 0 {
		return 0, 0, nil
	}
	muLo, muHi := s.span()
	k := bracket{
		delta: delta,
		lower: func(eps float64) float64 { return s.delta(eps, muLo, -1, dir) },
		upper: func(eps float64) float64 { return s.delta(eps, muHi, 1, dir) },
		limit: maxEpsilon,
	}
	if dir == Add && s.Rate < 1 {
		k.limit = pair{-s.Rate, 0}.log1p().neg().upper(arithmeticErr) // delta is 0
	}
	b := s.root(muHi, delta, pair{}, dir)
	return k.epsilon(s.root(muLo, delta, b.n, dir), b)
}

// root solves in nu, where log delta is concave in both directions, and goes back to eps.
func (s Sampled) root(mu pair, delta float64, start pair, dir Direction) root {
	q := pair{s.Rate, 0}
	target := pair{delta, 0}.log().minus(q.log())
	if dir == Remove || s.Rate == 1 {
		r := solve(mu, target, start, nil)
		eps := s.epsOf(r.n, Remove)
		// d nu/d eps = e^eps/(e^eps-1+q)
		return root{r.n, eps, r.slope / (1 - (1-s.Rate)*math.Exp(-eps.hi))}
	}
	// log(e^(eps-nu)) = -log((1-q)e^nu+q) is concave in nu.
	r := solve(mu, target, start, func(nu pair) (pair, float64) {
		return s.epsOf(nu, Add).minus(nu), -(1 - s.Rate) / (1 - s.Rate + s.Rate*math.Exp(-nu.hi))
	})
	// d nu/d eps = e^-eps/(e^-eps-1+q) = (1-q+q·e^-nu)/(q·e^-nu)
	return root{r.n, s.epsOf(r.n, Add), r.slope * ((1-s.Rate)*math.Exp(r.n.hi)/s.Rate + 1)}
}

// Variation returns the total variation distance of the two laws of the step, q(2 Phi(1/(2 sigma)) - 1), which is Delta(0).
func (s Sampled) Variation() (lo, hi float64, err error) { return s.Delta(0, Remove) }

// Run is Steps executions of Sampled; a Rate of 1 is the plain Gaussian.
type Run struct {
	Sampled
	Steps int
}

// VariationBound returns an upper bound on the total variation distance of all runs together, at most 1: total variation adds up.
// Where it is at most delta, epsilon is exactly 0.
func VariationBound(runs ...Run) (float64, error) {
	sum := 0.0
	for _, r := range runs {
		if r.Steps < 0 {
			return 0, domain("steps", float64(r.Steps), "at least 0")
		}
		_, v, err := r.Variation()
		if err != nil {
			return 0, err
		}
		term := math.Nextafter(float64(r.Steps), math.Inf(1)) * v // more than 2^53 steps round
		if r.Steps == 0 || v == 0 {
			continue
		}
		sum = math.Nextafter(sum+math.Nextafter(term, math.Inf(1)), math.Inf(1))
	}
	return min(1, sum), nil
}
