package lattice

import (
	"fmt"
	"math"
)

// single is one execution of one mixture, whose delta has a closed form: with x the output of loss eps,
// delta(eps) = P(X > x) - e^eps Q(X > x) = int over y > x of (1 - e^(eps-L)) dP.
type single struct{ q *quad }

func newSingle(m *Mixture) single {
	q := newQuad(m, 1)
	q.within(unit / 8)
	return single{q}
}

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

// alone returns delta(eps) of a single execution of a law that knows it, without a lattice.
func alone(parts []Part) (delta func(eps float64) Bound, ok bool) {
	if len(parts) != 1 || parts[0].Count != 1 {
		return nil, false
	}
	switch l := parts[0].Law.(type) {
	case *Mixture:
		return newSingle(l).delta, true
	case interface {
		Delta(eps float64) (lo, hi float64, err error)
	}:
		return func(eps float64) Bound {
			lo, hi, err := l.Delta(eps)
			if err != nil || !(lo >= 0 && lo <= hi && hi <= 1) {
				return Bound{0, 1}
			}
			return Bound{lo, hi}
		}, true
	}
	return nil, false
}

// crossing encloses eps(delta) by certified values of delta(eps).
func crossing(f func(eps float64) Bound, delta float64) Bound {
	return Bound{
		Lower: solve(func(e float64) float64 { return f(e).Lower }, delta, false),
		Upper: solve(func(e float64) float64 { return f(e).Upper }, delta, true),
	}
}

// untilted puts a single execution of a law on finer and finer lattices of its own, without a tilt, a transform or a window; want
// is the answer asked for. It returns the last lattice.
func untilted(parts []Part, tail float64, want func(*Composed) (Bound, error)) (Bound, *Composed, error) {
	p, err := newPlan(parts, tail, upperSide)
	if err != nil {
		return Bound{}, nil, err
	}
	var span float64
	for _, s := range p.rough {
		span = max(span, s.loss[len(s.loss)-1]-s.loss[0])
	}
	p.period, p.side = max(span, 1e-9), bothSides
	if parts[0].Above {
		p.side = upperSide
	}
	var best *Composed
	var b Bound
	var last *progress
	for n := guessPoints; n <= maxPoints; n *= 4 {
		step, _ := p.points(n)
		u, l, err := parts[0].put(step, tail, p.side)
		if err != nil {
			if best != nil {
				break
			}
			return Bound{}, nil, err
		}
		if len(l.Mass) == 0 {
			p.side = upperSide
			l = PMF{Step: step, Mass: []float64{1}}
		}
		c := &Composed{factors: []factor{{u, l}}}
		c.cap, c.zero = limits(parts)
		c.tables()
		next, err := want(c)
		if err != nil {
			return Bound{}, nil, err
		}
		if best != nil {
			next = Bound{max(b.Lower, next.Lower), min(b.Upper, next.Upper)}
		}
		if b, best = next, c; !(b.Lower <= b.Upper) {
			return Bound{}, nil, fmt.Errorf("lattice: two certified intervals do not meet: %v", b)
		}
		if last = p.progress(b, last); last.stop(n, enough) {
			break
		}
	}
	return b, best, nil
}

// lone says whether untilted applies.
func lone(parts []Part) bool {
	if len(parts) != 1 || parts[0].Count != 1 || parts[0].Law == nil {
		return false
	}
	_, mixture := parts[0].Law.(*Mixture)
	return !mixture
}
