package lattice

import (
	"fmt"
	"math"
)

// item is a piece of a mixture on its way into a composition: composed count times in the upper law, keep times in the
// lower one. rough is its law without the hole.
type item struct {
	piece
	count, keep int
	rough       sketch
}

// threshold is the greatest loss of the bulk, in steps of the lattice of the jumps.
const threshold = 8

// maxJumps and maxShare bound the expected number of jumps of a part that is taken apart, one or the other.
const (
	maxJumps = 60
	maxShare = 0.01
)

// split makes a hole of the outputs whose loss is near that of most, if the others, the jumps, are rare; inner is what
// happens in the hole.
func (it *item) split(step float64) (outer piece, inner item, ok bool) {
	if it.keep < 2 {
		return it.piece, item{}, false
	}
	s := it.rough
	var mass, mid, far float64
	for k, l := range s.loss {
		if mass += s.mass[k]; mass > 0.5 {
			mid = l
			break
		}
	}
	for k, l := range s.loss {
		if math.Abs(l-mid) > threshold*step {
			far += s.mass[k]
		}
	}
	if !(far > 0 && far < 0.3 && (s.count*far < maxJumps || far < maxShare)) {
		return it.piece, item{}, false
	}
	x0, x1 := it.m.cut(1e-40)
	x0, x1 = max(x0, it.lo), min(x1, it.hi)
	center := it.m.loss(x0)
	for lo, hi := x0, x1; hi-lo > 1e-6*it.m.sigma; { // the median
		x := lo + (hi-lo)/2
		if it.m.below(x)-it.m.below(x0) < (it.m.below(x1)-it.m.below(x0))/2 {
			lo, center = x, it.m.loss(x)
		} else {
			hi = x
		}
	}
	x := it.m.invert(center, x0, x0, x1, step/100)
	a := it.m.invert(center-threshold*step, x, x0, x, step/100)
	b := it.m.invert(center+threshold*step, x, x, x1, step/100)
	if a <= x0 {
		a = it.lo
	}
	if b >= x1 {
		b = it.hi
	}
	if !(a < b) || a == it.lo && b == it.hi {
		return it.piece, item{}, false
	}
	outer = it.piece
	outer.hole, outer.a, outer.b = true, a, b
	inner = item{piece{m: it.m, lo: a, hi: b}, it.count, it.keep, it.m.sketch(a, b)}
	inner.rough.count = float64(it.count)
	return outer, inner, true
}

// quota is a number of jumps exceeded with probability at most small in count steps of jump probability p, with that
// probability: Chernoff, P(N >= n) <= exp(-(n log(n/mu) - n + mu)), n > mu = count p.
func quota(count int, p, small float64) (int, float64) {
	mu := float64(count) * p * (1 + 1e-12)
	for n := math.Ceil(mu) + 1; n < float64(count); n++ {
		if e := math.Exp(-(n*math.Log(n/mu)-n+mu)*(1-1e-12) + 1e-12); e <= small {
			return int(n), e // at most n-1 jumps, one more kept
		}
	}
	return count, 0
}

// level puts items on one lattice: their laws, with those that are split replaced by their jumps, and what happens in the
// holes, for a lattice of the returned step and lowest loss. Nothing is split if that lattice of n points would not be a
// good deal finer. slack is the probability of more jumps than the lower law allows for.
func (p *plan) level(items []item, step, tail, floor float64, n int) (l level, err error) {
	outer := make([]piece, len(items))
	deeper := make([]*item, len(items))
	var rough []sketch
	for i := range items {
		outer[i] = items[i].piece
		if o, in, ok := items[i].split(step); ok && n > 0 && !p.whole {
			outer[i], deeper[i] = o, &in
			rough = append(rough, in.rough)
		}
	}
	if len(rough) > 0 {
		if l.step, l.lo = p.bulkScale(rough, step, n); !(l.step < step/3) {
			for i := range items {
				outer[i], deeper[i] = items[i].piece, nil
			}
		}
	}
	for i, it := range items {
		up, low, err := outer[i].discretize(step, tail, p.far, floor)
		if err != nil {
			return level{}, err
		}
		l.up = append(l.up, power{up, it.count})
		if it.keep > 0 {
			l.low = append(l.low, power{low, it.keep})
		}
		in := deeper[i]
		if in == nil {
			continue
		}
		o := outer[i]
		jumps := (o.m.below(o.a) + o.m.above(o.b)) / max(1e-9, 1-o.m.below(o.lo)-o.m.above(o.hi)) * (1 + 1e-9)
		n, miss := quota(it.keep, min(1, jumps), p.delta*p.small)
		l.slack += miss
		in.keep = it.keep - n
		l.inner = append(l.inner, *in)
	}
	return l, nil
}

// level is what plan.level returns.
type level struct {
	up, low  []power
	inner    []item
	step, lo float64
	slack    float64
}

// compose builds the two sides of the composition on a lattice of n points.
//
// Two scales. Split the outputs of a step into bulk and jumps. Upper: the step followed by a fresh output of the pair
// conditioned on the bulk, whether or not the bulk was hit, releases more than the step; it is the independent sum of the
// law of the jumps, where the bulk is one atom, and of the law of the conditioned pair. Lower: the composition released
// with all jumps and all bits that say whether the bulk was hit, but with outputs of the bulk for the first count-n hits
// only, and with nothing at all if there are more than n jumps, releases less. Its delta is at least that of the jumps
// summed with count-n conditioned bulks, less P(more than n jumps). So the bulk has a lattice of its own, thousands of
// times finer, and may be split again.
func (p *plan) compose(n int) (*Composed, error) {
	step, n := p.points(n)
	var total float64
	for _, part := range p.parts {
		total += float64(part.Count)
	}
	tail := p.delta * negligible / total
	var items []item
	var up, low []power
	slack := 0.0
	for _, part := range p.parts {
		if c := part.Prior; c != nil {
			for i := range c.factors {
				u, l, err := c.factors[i].discretize(step)
				if err != nil {
					return nil, err
				}
				up, low = append(up, power{u, part.Count}), append(low, power{l, part.Count})
			}
			slack += c.slack * float64(part.Count)
			continue
		}
		if m, ok := part.Law.(*Mixture); ok {
			s := m.sketch(math.Inf(-1), math.Inf(1))
			s.count = float64(part.Count)
			items = append(items, item{m.whole(), part.Count, part.Count, s})
			continue
		}
		u, l, err := part.put(step, tail, p.side)
		if err != nil {
			return nil, err
		}
		up = append(up, power{u, part.Count})
		if len(l.Mass) > 0 { // without it the part is left out: what the others release is a part of the whole
			low = append(low, power{l, part.Count})
		}
	}
	l, err := p.level(items, step, tail, -80/p.tilt, max(n/4, 1<<11))
	if err != nil {
		return nil, err
	}
	up, low = append(up, l.up...), append(low, l.low...)
	if p.side == upperSide {
		low = nil
	}
	c := &Composed{factors: make([]factor, 1)}
	first := p.first
	slack += l.slack
	if c.split = len(l.inner) > 0; c.split {
		n := max(n/4, 1<<11)
		bulk, s, err := p.bulk(l, tail, n, 2)
		if err != nil {
			return nil, err
		}
		slack += s
		first -= max(0, l.lo+l.step*float64(n))
		c.factors = append(c.factors, bulk)
	}
	main := &c.factors[0]
	var s float64
	if *main, s, err = windows(up, low, p.tilt, first, n, p.wide); err != nil {
		return nil, err
	}
	c.slack = math.Expm1(slack+s) * (1 + 1e-12) // products of shares besides the sum
	c.cap, c.zero = p.most, p.zero
	c.tables()
	return c, nil
}

// bulk composes what happens in the holes of a level, on a lattice of n points of its own; deeper is the number of scales
// that may follow.
func (p *plan) bulk(above level, tail float64, n, deeper int) (f factor, slack float64, err error) {
	next := 0
	if deeper > 0 {
		next = max(n/2, 1<<10)
	}
	l, err := p.level(above.inner, above.step, tail, math.Inf(-1), next)
	if err != nil {
		return f, 0, err
	}
	slack = l.slack
	if len(l.inner) > 0 {
		in, s, err := p.bulk(l, tail, next, deeper-1)
		if err != nil {
			return f, 0, err
		}
		slack += s
		up, low, err := in.discretize(above.step)
		if err != nil {
			return f, 0, err
		}
		l.up, l.low = append(l.up, power{up, 1}), append(l.low, power{low, 1})
	}
	f, s, err := windows(l.up, l.low, p.tilt, above.lo, n, p.wide)
	return f, slack + s, err
}

// bulkScale chooses the lattice of n points of a composed bulk: its step and its lowest loss.
func (p *plan) bulkScale(rough []sketch, coarse float64, n int) (step, lo float64) {
	var v float64
	for _, s := range rough {
		for i, l := range s.loss {
			v += s.count * s.mass[i] * l * l
		}
	}
	if !(v < 1e200) {
		return math.Inf(1), 0 // no choice to make
	}
	sd := max(math.Sqrt(v), 1e-150)
	need := -math.Log(p.delta) - math.Log(p.small)
	lo, hi := math.Inf(-1), math.Inf(1)
	end := 50/sd + 100/(threshold*coarse)
	for z := 0.1 / sd; z < end; z *= 1.25 {
		lo = max(lo, -(logMomentOf(rough, -z)+need)/z)
	}
	for z := max(0.1/sd, 1.3*p.tilt); z < max(end, 20*p.tilt); z *= 1.25 {
		hi = min(hi, (logMomentOf(rough, z)-p.tilt*lo+need)/(z-p.tilt))
	}
	width := (hi - lo) * 1.1
	for range 4 { // connecting the dots makes the law wider
		step = max(width/float64(n), 2*threshold*coarse/(1<<15))
		var smear float64
		for _, s := range rough {
			for i, l := range s.loss {
				smear += s.count * s.mass[i] * min(math.Abs(l)*step, step*step/4)
			}
		}
		width = (hi - lo) * 1.1 * math.Sqrt(1+smear/(sd*sd))
	}
	return step, lo - (step*float64(n)-(hi-lo))/2
}

// check refuses what a foreign law must not return. A lower law without mass becomes one without points.
func check(u, l *PMF, step float64) error {
	for _, p := range []*PMF{u, l} {
		if p.Step != step || len(p.Mass) == 0 || len(p.Mass) > 2*maxCells || !(math.Abs(p.Offset) < 1e300) || !(p.Inf >= 0 && p.Inf < 1) ||
			p.First > 1<<30 || p.First < -(1<<30) {
			return fmt.Errorf("lattice: a law gave step %v for %v, %d masses, offset %v, infinite mass %v", p.Step, step, len(p.Mass), p.Offset, p.Inf)
		}
		var sum float64
		for _, m := range p.Mass {
			if !(m >= 0) {
				return fmt.Errorf("lattice: a law gave a mass of %v", m)
			}
			sum += m
		}
		if !(sum > 0 && sum < 1+1e-6) {
			if p == l && sum == 0 {
				l.Mass = nil
				continue
			}
			return fmt.Errorf("lattice: a law gave masses that sum to %v", sum)
		}
	}
	return nil
}

// limits are bounds of a composition that cost nothing: the greatest loss and the total variation.
func limits(parts []Part) (most, zero float64) {
	var sum, tv float64
	for _, p := range parts {
		sup, v := math.Inf(1), 1.0
		if m, ok := p.Law.(*Mixture); ok {
			sup, v = m.sup(), m.variation()
		} else if p.Prior != nil {
			sup, v = p.Prior.cap, p.Prior.zero
		}
		sum += float64(p.Count) * sup
		tv += float64(p.Count) * v
	}
	most = math.Inf(1)
	if sum > 0 {
		most = sum * (1 + 1e-12)
	}
	return most, min(1, tv*(1+1e-12))
}

func (c *Composed) tables() {
	if len(c.factors) > 0 {
		c.curves = [2]*curve{newCurve(c.factors[0].lower), newCurve(c.factors[0].upper)}
	}
}

// variation bounds the total variation of P and Q: the integral of (p-q)_+, which is that of p-q above the zero of the loss.
func (m *Mixture) variation() float64 {
	q := newQuad(m, 1)
	lo, hi := m.lo-13.5*m.sigma, m.hi+13.5*m.sigma
	x := m.invert(0, (m.lo+m.hi)/2, lo, hi, 1e-12)
	pt := m.at(x)
	t := q.over(x, hi, 0)
	return min(1, t.d+t.ed+1e-38+math.Abs(pt.loss)+pt.eloss)
}
