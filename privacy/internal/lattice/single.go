package lattice

import "math"

// single is one execution of one mixture, whose delta has a closed form: with x the output of loss eps,
// delta(eps) = P(X > x) - e^eps Q(X > x) = int over y > x of (1 - e^(eps-L)) dP.
type single struct{ q *quad }

// delta encloses delta(eps). Outputs further than 13.5 sigma from the means have a mass below 1e-39.
func (s single) delta(eps float64) Bound {
	m := s.q.m
	lo, hi := m.lo-13.5*m.sigma, m.hi+13.5*m.sigma
	x := lo
	switch {
	case m.loss(hi) < eps:
		x = hi
	case m.loss(lo) < eps:
		x = m.invert(eps, (lo+hi)/2, lo, hi, 1e-14*max(1, math.Abs(eps)))
	}
	// Outputs between x and the true one: the integrand there differs from (1-e^(eps-L))_+ by at most e^|L(x)-eps| - 1, and
	// if the true one is certainly within h of x their mass is at most that of [x-h, x+h].
	e := 1e-38
	if x != lo && x != hi {
		pt, h := m.at(x), 1e-9*m.sigma
		over := math.Expm1(math.Abs(pt.loss-eps)+pt.eloss) * (1 + 1e-9)
		if a, b := m.at(x-h), m.at(x+h); a.loss+a.eloss < eps && b.loss-b.eloss > eps {
			near := s.q.over(x-h, x+h, eps)
			over *= near.p + near.ep
		}
		e += over
	}
	t := s.q.over(x, hi, eps)
	e += t.ed
	out := Bound{max(0, t.d-e), min(1, max(0, t.d)+e)}
	if !(out.Lower <= out.Upper) {
		return Bound{0, 1}
	}
	return out
}

// epsilon encloses eps(delta) by certified values.
func (s single) epsilon(delta float64) Bound {
	return Bound{
		Lower: solve(func(e float64) float64 { return s.delta(e).Lower }, delta, false),
		Upper: solve(func(e float64) float64 { return s.delta(e).Upper }, delta, true),
	}
}
