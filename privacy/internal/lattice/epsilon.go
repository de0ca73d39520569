package lattice

import (
	"fmt"
	"math"
	"slices"
)

// The sizes of the lattice: sure of a first guess, the usual one, and the largest.
const (
	guessPoints = 1 << 11
	minPoints   = 1 << 13
	maxPoints   = 1 << 17
)

// good is the relative width at which the lattice is not refined any more, and enough that for the largest one.
const (
	good   = 1e-5
	enough = 3e-4
)

func validate(parts []Part) error {
	var total float64
	for i, p := range parts {
		if (p.Law == nil) == (p.Prior == nil) || p.Count < 1 {
			return fmt.Errorf("%w: part %d has count %d, and a law and a prior composition or neither", ErrParameter, i, p.Count)
		}
		total += float64(p.Count)
	}
	if !(total <= 1e9) {
		return fmt.Errorf("%w: %v steps, limit 1e9", ErrParameter, total)
	}
	return nil
}

// released leaves out the compositions of nothing.
func released(parts []Part) []Part {
	return slices.DeleteFunc(slices.Clone(parts), func(p Part) bool { return p.Prior != nil && len(p.Prior.factors) == 0 })
}

// Epsilon encloses eps(delta) of the composition of the parts, delta in (0, 1), refining the lattice while the answer is
// wide. Upper is +Inf where nothing finite is certified.
func Epsilon(parts []Part, delta float64) (Bound, error) {
	b, _, err := refine(parts, delta, false)
	return b, err
}

// Compose returns the law of the composition, sharpest for delta(eps) near the given delta in (0, 1). Its window holds nearly
// all losses, so that it can be composed further.
func Compose(parts []Part, delta float64) (*Composed, error) {
	_, c, err := refine(parts, delta, true)
	return c, err
}

// Delta encloses delta(eps) of the composition of the parts for a finite eps >= 0, refining the lattice while the answer
// is wide.
func Delta(parts []Part, eps float64) (Bound, error) {
	if err := validate(parts); err != nil {
		return Bound{}, err
	}
	if !(eps >= 0 && eps <= math.MaxFloat64) {
		return Bound{}, fmt.Errorf("%w: eps %v is not finite and at least 0", ErrParameter, eps)
	}
	if parts = released(parts); len(parts) == 0 {
		return Bound{}, nil
	}
	if one, ok := alone(parts); ok {
		return one(eps), nil
	}
	if lone(parts) {
		b, _, err := untilted(parts, 1e-16, func(c *Composed) (Bound, error) { return c.Delta(eps) })
		return b, err
	}
	plans, err := newPlans(parts, 1e-6, false)
	if err != nil {
		return Bound{}, err
	}
	best := Bound{0, 1}
	for i, p := range plans {
		p.at(eps)
		b, err := p.deltas(eps)
		if err != nil {
			if i > 0 {
				break // the lower side alone is lost
			}
			return Bound{}, err
		}
		best = Bound{max(best.Lower, b.Lower), min(best.Upper, b.Upper)}
		if !(best.Lower <= best.Upper) {
			return Bound{}, fmt.Errorf("lattice: two certified intervals of delta do not meet: %v and %v", b, best)
		}
	}
	return best, nil
}

// deltas refines delta(eps).
func (p *plan) deltas(eps float64) (Bound, error) {
	best := Bound{0, 1}
	var last *progress
	for n := guessPoints; n <= maxPoints; n *= 4 {
		c, err := p.upTo(n, last == nil)
		if err != nil {
			if last != nil {
				break
			}
			return Bound{}, err
		}
		b, err := c.Delta(eps)
		if err != nil {
			return Bound{}, err
		}
		best = Bound{max(best.Lower, b.Lower), min(best.Upper, b.Upper)}
		if !(best.Lower <= best.Upper) {
			return Bound{}, fmt.Errorf("lattice: two certified intervals of delta do not meet: %v and %v", b, best)
		}
		if last = p.progress(best, last); last.stop(n) || best.Upper < 1e-300 {
			break
		}
		if p.side != lowerSide {
			p.settle(best.Upper)
		} else {
			p.settle(best.Lower)
		}
		p.aim(eps)
	}
	return best, nil
}

// upTo composes on a lattice of n points or, where a law refuses so fine a one, on a coarser one if retry is set.
func (p *plan) upTo(n int, retry bool) (c *Composed, err error) {
	for ; ; n /= 4 {
		if c, err = p.compose(n); err == nil || !retry || !p.foreign || n < 1<<8 {
			return c, err
		}
	}
}

// progress is the relative width of an answer, or of its change where one side is sought, after one more refinement.
type progress struct {
	bound         Bound
	width, before float64
	foreign       bool
}

func (p *plan) progress(b Bound, last *progress) *progress {
	now := &progress{bound: b, before: math.Inf(1), width: 1, foreign: p.foreign}
	if last != nil {
		now.before = last.width
	}
	switch {
	case b.Upper == b.Lower:
		now.width = 0
	case p.side == bothSides:
		now.width = (b.Upper - b.Lower) / b.Upper
	case last == nil:
	case p.side == upperSide:
		now.width = math.Abs(last.bound.Upper/b.Upper - 1)
	default:
		now.width = math.Abs(b.Lower/last.bound.Lower - 1)
	}
	if !(now.width <= 1) {
		now.width = 1
	}
	return now
}

// stop says whether a larger lattice than n points is not worth its time.
func (g *progress) stop(n int) bool {
	switch {
	case g.width <= good, n >= maxPoints/4 && g.width <= enough:
		return true
	}
	// A law that is costly to put on a lattice, or whose sides differ, gains too little.
	return g.foreign && (n >= minPoints && g.width <= enough || g.before < 1 && g.width > 0.7*g.before)
}

func refine(parts []Part, delta float64, wide bool) (Bound, *Composed, error) {
	if err := validate(parts); err != nil {
		return Bound{}, nil, err
	}
	if !(delta > 0 && delta < 1) {
		return Bound{}, nil, fmt.Errorf("%w: delta %v is not in (0, 1)", ErrParameter, delta)
	}
	if parts = released(parts); len(parts) == 0 {
		return Bound{}, &Composed{}, nil
	}
	var first *Bound
	if one, ok := alone(parts); ok {
		b := crossing(one, delta)
		if first = &b; !wide {
			return b, nil, nil
		}
	}
	if lone(parts) {
		return untilted(parts, delta*negligible, func(c *Composed) (Bound, error) { return c.Epsilon(delta) })
	}
	plans, err := newPlans(parts, delta, wide)
	if err != nil {
		return Bound{}, nil, err
	}
	best := Bound{0, math.Inf(1)}
	var whole *Composed
	for i, p := range plans {
		b, c, err := p.refine(delta, first)
		if err != nil {
			if i > 0 {
				break // the lower side alone is lost
			}
			return Bound{}, nil, err
		}
		if whole == nil {
			whole = c
		}
		best = Bound{max(best.Lower, b.Lower), min(best.Upper, b.Upper)}
		if !(best.Lower <= best.Upper) {
			return Bound{}, nil, fmt.Errorf("lattice: two certified intervals of eps do not meet: %v and %v", b, best)
		}
	}
	return best, whole, nil
}

// refine answers on finer and finer lattices; known is what is known of the answer before, if anything is.
func (p *plan) refine(delta float64, known *Bound) (Bound, *Composed, error) {
	best := Bound{0, math.Inf(1)}
	wide := p.wide
	if known != nil {
		best = *known
		p.aim(best.Lower)
	} else {
		p.wide = false
		if err := p.search(delta); err != nil {
			return Bound{}, nil, err
		}
	}
	p.wide = wide
	p.aim(p.guess)
	var c *Composed
	var last *progress
	for n := minPoints; n <= maxPoints; n *= 4 {
		next, err := p.upTo(n, c == nil)
		if err != nil {
			if c != nil {
				break
			}
			return Bound{}, nil, err
		}
		c = next
		b, err := c.Epsilon(delta)
		if err != nil {
			return Bound{}, nil, err
		}
		best = Bound{max(best.Lower, b.Lower), min(best.Upper, b.Upper)}
		if !(best.Lower <= best.Upper) {
			return Bound{}, nil, fmt.Errorf("lattice: two certified intervals of eps do not meet: %v and %v", b, best)
		}
		if last = p.progress(b, last); last.stop(n) || best.Upper == 0 {
			break
		}
		p.follow(best)
	}
	return best, c, nil
}

// follow aims at the middle of a narrow interval; at one end of a wide one that does not hold the guess.
func (p *plan) follow(b Bound) (sure bool) {
	if p.side != bothSides {
		v := b.Upper
		if p.side == lowerSide {
			v = b.Lower
		}
		switch {
		case v > 0.5*p.guess && v < 1.5*p.guess:
			p.aim(v)
			return true
		case v < p.guess && p.side == upperSide:
			p.aim(v)
			return false
		case v > p.guess && p.side == lowerSide:
			p.aim(1.1 * v)
			return false
		}
		p.aim(p.guess)
		return true
	}
	switch {
	case b.Upper-b.Lower < 0.3*b.Upper:
		p.aim(b.Lower + (b.Upper-b.Lower)/2)
		return true
	case b.Upper < 1.1*p.first || b.Upper < 0.7*p.guess: // below the window
		p.aim(max(b.Lower, b.Upper/4))
	case b.Lower > p.guess:
		p.aim(min(1.5*b.Lower, b.Upper))
	default:
		p.aim(p.guess)
		return true
	}
	return false
}

// search finds a guess of eps on small lattices.
func (p *plan) search(delta float64) error {
	for range 8 {
		c, err := p.upTo(guessPoints, true)
		if err != nil {
			return err
		}
		b, err := c.Epsilon(delta)
		if err != nil {
			return err
		}
		if p.follow(b) {
			break
		}
	}
	return nil
}
