package lattice

import (
	"fmt"
	"math"
)

// maxCells bounds the cells of one discretization.
const maxCells = 1 << 22

// piece is the pair of a mixture conditioned on the outputs of [lo, hi], where the outputs of the hole [a, b] are reported
// as one (an atom of the loss). The full mixture is the piece from -Inf to +Inf without a hole.
//
// A step whose outputs are split into the hole and the rest is a piece with that hole, followed by the pair conditioned
// on the hole where the hole was hit.
type piece struct {
	m      *Mixture
	lo, hi float64
	hole   bool
	a, b   float64
}

// Discretize implements Law.
func (m *Mixture) Discretize(step, tail float64) (upper, lower PMF, err error) {
	return m.whole().discretize(step, tail, 0, math.Inf(-1))
}

func (m *Mixture) whole() piece { return piece{m: m, lo: math.Inf(-1), hi: math.Inf(1)} }

// ratio is log(P(I)/Q(I)) of the outputs of [x1, x2] with a bound of its error, and P(I) with its error.
func (q *quad) ratio(x1, x2 float64) (l, el float64, mass moments) {
	x1, x2 = max(x1, q.m.lo-13.5*q.m.sigma), min(x2, q.m.hi+13.5*q.m.sigma)
	t := q.over(x1, x2, 0)
	t.ep += 1e-38
	t.ed += 1e-38
	r := t.d / t.p
	l = -math.Log1p(-r)
	er := (t.ed + math.Abs(r)*t.ep) / t.p * 1.01
	el = er/(1-r-er) + 8*unit*math.Abs(l)
	return l, el, t
}

// discretize is Law.Discretize with a floor: outputs of a loss below floor are rounded up to about floor (upper) or dropped
// (lower). The outputs at the top that have the Q-mass far may also be moved to +Inf (upper) or rounded down (lower): to delta(eps) that
// makes a difference of at most e^eps far in one step.
func (c piece) discretize(step, tail, far, floor float64) (upper, lower PMF, err error) {
	if !(step >= 1e-300 && step <= 1e3) || !(tail >= 0 && tail <= 1) {
		return PMF{}, PMF{}, fmt.Errorf("%w: step %v, tail %v", ErrParameter, step, tail)
	}
	q := newQuad(c.m, step)
	norm, base, ebase := moments{p: 1}, 0.0, 0.0
	if !math.IsInf(c.lo, -1) || !math.IsInf(c.hi, 1) {
		base, ebase, norm = q.ratio(c.lo, c.hi)
	}
	if !(norm.p > 1e-30 && norm.ep < 1e-3*norm.p) {
		return PMF{}, PMF{}, fmt.Errorf("lattice: mass %v of a piece is too small", norm.p)
	}
	xlo, xhi := c.m.cut(max(tail*norm.p, 1e-40))
	clipped := false
	if far > 0 && math.IsInf(c.lo, -1) && math.IsInf(c.hi, 1) {
		x := max(c.m.cutOther(far), c.m.hi, xlo+c.m.sigma)
		if c.hole { // its outputs are counted with it
			x = max(x, c.b)
		}
		if clipped = x < xhi; clipped {
			xhi = x
		}
	}
	open := xhi < c.hi
	top := 0.0
	if open {
		top = c.m.above(xhi) / (norm.p - norm.ep)
	}
	bottom := 0.0
	if xlo > c.lo {
		bottom = c.m.below(xlo) / (norm.p - norm.ep)
	}
	xlo, xhi = max(xlo, c.lo), min(xhi, c.hi)

	g := &grid{q: q, step: step, base: base, a: c.a, b: c.b, inner: c.hole, edges: step * 1e-7}
	atom, eo := moments{}, ebase
	if !c.hole {
		g.offset = c.aim(q, step, base, xlo, xhi)
	} else {
		l, el, t := q.ratio(max(g.a, c.lo), min(g.b, c.hi)) // as the pair conditioned on the hole has it
		g.offset, atom = l-base, t
		eo += el + unit*(math.Abs(l)+math.Abs(base))
	}
	first := math.Floor((max(c.m.loss(xlo)-base, floor) - g.offset) / step)
	last := math.Ceil((c.m.loss(xhi) - base - g.offset) / step)
	if c.hole {
		first, last = min(first, 0), max(last, 1)
	}
	if !(last-first < maxCells) {
		return PMF{}, PMF{}, fmt.Errorf("%w: %v cells of width %v, limit %d", ErrParameter, last-first, step, maxCells)
	}
	g.first, g.last = int(first), max(int(last), int(first)+1)
	g.fill(xlo, xhi, floor)

	scale := 1 / norm.p
	escale := (norm.ep/norm.p + 2*unit) * 1.01
	upper = PMF{Step: step, Offset: g.offset, First: g.first, Inf: top * (1 + 1e-12)}
	lower = upper
	lower.Inf = 0
	upper.Offset += eo * 1.01
	lower.Offset -= eo * 1.01
	where := -1
	var before moments
	if c.hole {
		where = -g.first
		before = g.outer.list[where]
		g.outer.list[where].add(moments{p: atom.p, ep: atom.ep, ed: atom.p * eo * 1.01})
	}
	lower.Mass = g.outer.merge(where, g.low.p > 0, false)
	if c.hole {
		g.outer.list[where] = before
	}
	upper.Mass = g.outer.dots()
	if c.hole {
		upper.Mass[where] += atom.p + atom.ep
	}
	if clipped {
		end := c.m.lossAt(xhi)
		l := end.loss - end.eloss - 8*unit*(math.Abs(base)+math.Abs(g.offset)+math.Abs(end.loss))
		for k := len(lower.Mass) - 1; k >= 0; k-- {
			if g.ref(g.first+k) <= l {
				lower.Mass[k] += max(0, c.m.above(xhi)*(1-2.1e-9-17*c.m.werr)-2e-300)
				break
			}
		}
	}
	upper.Mass[0] += g.low.p + g.low.ep + bottom*norm.p*(1+4*unit)
	for i := range upper.Mass {
		upper.Mass[i] *= scale * (1 + escale)
		lower.Mass[i] *= scale * (1 - escale)
	}
	return upper, lower, nil
}

// aim chooses the offset of the lattice for a law whose greatest part may lie within a few steps: the one under which
// merging keeps the greatest mean. No proof rests on it.
func (c piece) aim(q *quad, step, base, xlo, xhi float64) float64 {
	total := c.m.below(xhi) - c.m.below(xlo)
	lo, hi := xlo, xhi
	for range 50 {
		mid := lo + (hi-lo)/2
		if c.m.below(mid)-c.m.below(xlo) < total/2 {
			lo = mid
		} else {
			hi = mid
		}
	}
	l := c.m.loss(lo)
	a := c.m.invert(l-step, lo, xlo, lo, step/100)
	b := c.m.invert(l+step, lo, lo, xhi, step/100)
	if !(c.m.below(b)-c.m.below(a) > 0.05*total) {
		return 0
	}
	center, _, _ := q.ratio(a, b)
	rough := *q
	rough.within(1e-9 * min(1, step))
	a = c.m.invert(l-10*step, a, xlo, a, step/100)
	b = c.m.invert(l+32*step, b, b, xhi, step/100)
	mean := func(offset float64) float64 {
		g := &grid{q: &rough, step: step, base: base, offset: offset, edges: step * 1e-5}
		g.first = int(math.Floor((c.m.loss(a)-base-offset)/step)) - 1
		g.last = int(math.Ceil((c.m.loss(b)-base-offset)/step)) + 1
		g.fill(a, b, math.Inf(-1))
		var sum, p float64
		for i, m := range g.outer.merge(-1, a > xlo, b < xhi) {
			sum += m * (offset + float64(g.first+i)*step)
			p += m
		}
		return sum / p
	}
	best, most := center-base, mean(center-base)
	try := func(o float64) {
		if m := mean(o); m > most {
			best, most = o, m
		}
	}
	for i := 1; i < 8; i++ {
		try(center - base + float64(i)/8*step)
	}
	for d := step / 16; d > step/1e6; d /= 2 {
		at := best
		try(at - d)
		try(at + d)
	}
	return best
}

// grid fills the cells of a piece.
type grid struct {
	q            *quad
	step         float64
	edges        float64 // tolerance of the losses at which cells end
	base, offset float64 // the loss of lattice point k is offset + k*step, that of the mixture base more
	inner        bool
	a, b         float64
	first, last  int
	outer        cells // outside of [a, b]
	low          moments
}

func (g *grid) ref(k int) float64 { return g.base + (g.offset + float64(k)*g.step) }

// fill integrates cell by cell over [xlo, xhi]; what lies below the floor goes to low, what lies in [a, b] is left out.
func (g *grid) fill(xlo, xhi, floor float64) {
	n := g.last - g.first
	g.outer = cells{g.step, g.first, make([]moments, n)}
	if l := g.ref(g.first); floor > math.Inf(-1) && g.q.m.loss(xlo) < l {
		x := g.q.m.invert(l, xlo, xlo, xhi, g.step*1e-11)
		if g.inner && x > g.a { // keep to the outputs below the hole
			x = max(xlo, min(x, g.a))
		}
		g.low = g.q.over(xlo, x, g.q.m.loss(x))
		xlo = x
	}
	if !g.inner {
		g.segment(&g.outer, xlo, xhi)
		return
	}
	a, b := max(g.a, xlo), min(g.b, xhi)
	g.segment(&g.outer, xlo, a)
	g.segment(&g.outer, b, xhi)
}

// segment adds the outputs of [x1, x2]. A cell edge x need not be exact: the true loss at it differs from the lattice
// point by at most t = |computed loss - point| + eloss. Connecting the dots beyond the end of a cell errs by at most the
// mass times the overshoot, because chords of r -> (r-e^eps)_+ have slopes from 0 to 1; p*t is added to the error of d.
// Merging needs no bound of the losses in a cell.
func (g *grid) segment(c *cells, x1, x2 float64) {
	if !(x1 < x2) {
		return
	}
	m := g.q.m
	end, start := m.lossAt(x2), m.lossAt(x1)
	k := min(max(int(math.Floor((start.loss-g.base-g.offset)/g.step)), g.first), g.last-1)
	over := max(0, g.ref(k)-start.loss) + start.eloss
	var w1, w2, w3 float64 // widths of the last cells, to extrapolate
	for x := x1; x < x2; k++ {
		ref := g.ref(k)
		next := g.ref(k + 1)
		to, t := x2, max(0, end.loss-next)+end.eloss
		if end.loss > next && k+1 < g.last {
			guess := 3*w1 - 3*w2 + w3
			if !(w3 > 0 && guess > w1/2 && guess < 2*w1) {
				guess = g.step / m.slope(x)
			}
			var pt point
			to, pt = m.solve(next, x+guess, x, x2, g.edges)
			t = math.Abs(pt.loss-next) + pt.eloss
			w1, w2, w3 = to-x, w1, w2
		}
		s := g.q.over(x, to, ref)
		s.ed += s.p * (over + t + 4*unit*math.Abs(ref)) * 1.01
		c.at(k).add(s)
		x, over = to, t
	}
}
