package lattice

import (
	"fmt"
	"math"
)

// Bound encloses a number: Lower <= truth <= Upper.
type Bound struct{ Lower, Upper float64 }

// factor is a law known from both sides, on one lattice.
type factor struct{ upper, lower PMF }

// discretize puts both sides on another lattice.
func (f *factor) discretize(step float64) (upper, lower PMF, err error) {
	u, _, err := f.upper.onto(step)
	if err != nil {
		return PMF{}, PMF{}, err
	}
	_, l, err := f.lower.onto(step)
	return u, l, err
}

// onto is the upper and the lower law of p on a lattice of another step, through the point of the greatest mass, whose
// cell keeps its mass although its d may be 0: d is off by at most 16u step of the mass, which goes to the offset.
func (p *PMF) onto(step float64) (upper, lower PMF, err error) {
	mode := 0
	for i, m := range p.Mass {
		if m > p.Mass[mode] {
			mode = i
		}
	}
	at := func(i int) float64 { return float64(i-mode) * p.Step }
	first, last := math.Floor(at(0)/step), math.Floor(at(len(p.Mass)-1)/step)+1
	if !(last-first < maxCells) {
		return PMF{}, PMF{}, fmt.Errorf("%w: %v points of step %v", ErrParameter, last-first, step)
	}
	c := cells{step, int(first), make([]moments, int(last-first))}
	for i, m := range p.Mass {
		l := at(i)
		k := min(max(math.Floor(l/step), first), last-1)
		ref := k * step
		d := m * -math.Expm1(ref-l)
		e := m * 8 * unit * (math.Abs(l) + step)
		c.at(int(k)).add(moments{m, d, 4 * unit * m, e + 4*unit*math.Abs(d)})
	}
	o := p.Offset + float64(p.First+mode)*p.Step
	eo := 4*unit*(math.Abs(p.Offset)+math.Abs(o)) + 32*unit*step
	upper = PMF{Step: step, Offset: o + eo, First: int(first), Mass: c.dots(), Inf: p.Inf}
	lower = PMF{Step: step, Offset: o - eo, First: int(first), Mass: c.merge(-int(first), false, false), Inf: p.Inf}
	return upper, lower, nil
}

// Composed is a certified law of the loss of a composition in one direction: the sum of at most a few independent losses,
// each enclosed on its own lattice. It answers any number of queries, sharpest near the delta it was made for, and
// can be composed further as the Prior of a Part. It is immutable and safe for concurrent use. The zero Composed is the law of
// nothing released.
type Composed struct {
	factors []factor
	slack   float64 // delta of the lower factors is too large by at most this
	cap     float64 // greatest possible loss, if positive; +Inf if none, 0 if nothing was released
	zero    float64 // bound of the total variation, hence of delta(0)
	split   bool    // a mixture was taken apart
	curves  [2]*curve
}

// curve is delta of one PMF at its lattice points: between two of them it is linear in e^eps.
type curve struct {
	step, offset float64
	first        int
	delta        []float64 // without inf
	total        float64
	inf          float64
	share        float64 // e^-step - 1
	rel          float64 // relative error of delta
}

// newCurve adds up from the top by delta_k = e^-g delta_(k+1) + (1-e^-g) P(L >= l_(k+1)): positive terms only, so the
// relative error is at most 4 len u.
func newCurve(p PMF) *curve {
	n := len(p.Mass)
	c := &curve{step: p.Step, offset: p.Offset, first: p.First, delta: make([]float64, n), inf: p.Inf, share: math.Expm1(-p.Step), rel: unit*(6*float64(n)+64) + 2e-13}
	keep, gain := math.Exp(-p.Step), -math.Expm1(-p.Step)
	var d, tail float64
	for i := n - 1; i >= 0; i-- {
		c.delta[i] = d
		tail += p.Mass[i]
		d = keep*d + gain*tail
	}
	c.total = tail
	return c
}

// at is delta(y), y moved outward by the rounding of the lattice points.
func (c *curve) at(y float64, upper bool) float64 {
	e := 8 * unit * (math.Abs(y) + math.Abs(c.offset))
	if upper {
		e = -e
	}
	t := (y + e - c.offset) / c.step
	k := math.Floor(t)
	i := k - float64(c.first)
	switch n := float64(len(c.delta)); {
	case n == 0 || i >= n-1:
		return 0
	case i < 0:
		f := -math.Expm1((t - float64(c.first)) * c.step)
		return c.delta[0]*(1-f) + c.total*f
	}
	j := int(i)
	s := (t - k - 1) * c.step
	f := s * (1 + s/2*(1+s/3*(1+s/4*(1+s/5)))) // e^s - 1 within s^5/720 relative
	if c.step > 1e-2 {
		f = math.Expm1(s)
	}
	f /= c.share // share of the lower point
	return c.delta[j]*f + c.delta[j+1]*(1-f)
}

// Delta encloses delta(eps) for a finite eps of any sign.
func (c *Composed) Delta(eps float64) (Bound, error) {
	if c == nil || math.IsNaN(eps) || math.IsInf(eps, 0) {
		return Bound{}, fmt.Errorf("%w: eps %v is not finite", ErrParameter, eps)
	}
	b := Bound{c.side(eps, false), c.side(eps, true)}
	if !(b.Lower <= b.Upper) {
		return Bound{}, fmt.Errorf("lattice: bounds %v..%v of delta contradict each other", b.Lower, b.Upper)
	}
	return b, nil
}

// side is one bound of delta(eps), never NaN: 1 or 0 where nothing is known.
func (c *Composed) side(eps float64, upper bool) float64 {
	if len(c.factors) == 0 {
		return max(0, -math.Expm1(eps))
	}
	if upper {
		d := c.expect(eps, true)
		if eps >= c.cap {
			d = 0
		}
		if eps >= 0 && c.zero < d {
			d = c.zero
		}
		if d <= 1 {
			return d
		}
		return 1
	}
	d := max(c.expect(eps, false)-c.slack, -math.Expm1(eps)) // (1-e^(eps-L))_+ >= 1-e^(eps-L), and E e^-L <= 1
	if d > 0 {
		return min(d, 1)
	}
	return 0
}

// expect is E[D(eps - B)], D the curve of the first factor and B the sum of the others.
func (c *Composed) expect(eps float64, upper bool) float64 {
	i := 0
	if upper {
		i = 1
	}
	first := c.curves[i]
	rel := first.rel + 64*unit
	if len(c.factors) == 1 {
		d := first.at(eps, upper)
		if upper {
			return (d + first.inf) * (1 + rel)
		}
		return (d + first.inf) * (1 - rel)
	}
	b := c.factors[1].lower
	if upper {
		b = c.factors[1].upper
	}
	var sum float64
	for k, m := range b.Mass {
		if m > 0 {
			l := b.Offset + float64(b.First+k)*b.Step
			e := 8 * unit * (math.Abs(l) + math.Abs(b.Offset) + math.Abs(eps))
			if upper {
				e = -e
			}
			sum += m * first.at(eps-l+e, upper)
		}
	}
	rel += unit * float64(len(b.Mass))
	if upper {
		return (sum + first.inf + b.Inf) * (1 + rel)
	}
	return (sum + first.inf) * (1 - rel) // either infinite; the other one is left out
}

// Epsilon encloses eps(delta) = inf{eps >= 0: delta(eps) <= delta}, delta in (0, 1). Upper is +Inf where no finite eps is
// certified.
func (c *Composed) Epsilon(delta float64) (Bound, error) {
	if c == nil || !(delta > 0 && delta < 1) {
		return Bound{}, fmt.Errorf("%w: delta %v is not in (0, 1)", ErrParameter, delta)
	}
	var b Bound
	b.Upper = solve(func(e float64) float64 { return c.side(e, true) }, delta, true)
	b.Lower = solve(func(e float64) float64 { return c.side(e, false) }, delta, false)
	if !(b.Lower <= b.Upper) {
		return Bound{}, fmt.Errorf("lattice: bounds %v..%v of eps contradict each other", b.Lower, b.Upper)
	}
	return b, nil
}

// solve brackets the crossing of one bound of delta, which need not be monotone; the end it returns was evaluated. The true
// delta is monotone, so an eps where the upper bound is at most delta is at least eps(delta), and one where the lower
// bound is at least delta is at most eps(delta).
func solve(bound func(eps float64) float64, delta float64, upper bool) float64 {
	beyond := func(f float64) bool { // eps may be returned as an upper end, or may not as a lower one
		if upper {
			return f <= delta
		}
		return !(f >= delta)
	}
	lo, hi := 0.0, 1e-3
	fl := bound(lo)
	if beyond(fl) {
		return 0
	}
	fh := bound(hi)
	for !beyond(fh) {
		lo, fl = hi, fh
		if hi *= 2; hi > 1e9 {
			if upper {
				return math.Inf(1)
			}
			return lo
		}
		fh = bound(hi)
	}
	// log delta is nearly linear: the false position in it, with bisection when it does not shrink the bracket.
	for i := 0; i < 70 && hi-lo > 1e-13*hi && hi > 1e-13; i++ {
		x := lo + (hi-lo)/2
		if a, b := math.Log(fl/delta), math.Log(fh/delta); i%3 != 2 {
			if t := a / (a - b); t > 0 && t < 1 {
				x = lo + (hi-lo)*min(max(t+float64(1-2*(i%2))*1e-9, 1e-6), 1-1e-6)
			}
		} else if lo > 0 && hi > 4*lo {
			x = math.Sqrt(lo * hi)
		} else if lo == 0 {
			x = hi / 16
		}
		if !(x > lo && x < hi) {
			break
		}
		if f := bound(x); beyond(f) {
			hi, fh = x, f
		} else {
			lo, fl = x, f
		}
	}
	if upper {
		return hi
	}
	return lo
}
