package lattice

import (
	"fmt"
	"math"
)

// hunt is the search for eps(delta) or delta(eps) of one list of parts: first on small lattices, then as finely as it takes.
type hunt struct {
	query func(*Composed) (Bound, error)
	moved func(*plan, Bound) // aims anew after an answer
	least float64            // an answer below it need not be known better than one of this size
	wide  bool
	plans []*plan
	best  Bound
	whole *Composed // of the finest lattice, where wide
}

// newHunt finds what small lattices prove, and where to look further.
func newHunt(parts []Part, delta float64, wide bool) (*hunt, error) {
	if err := validate(parts); err != nil {
		return nil, err
	}
	if !(delta > 0 && delta < 1) {
		return nil, fmt.Errorf("%w: delta %v is not in (0, 1)", ErrParameter, delta)
	}
	h := &hunt{wide: wide, least: 1e-5, best: Bound{0, math.Inf(1)}}
	h.query = func(c *Composed) (Bound, error) { return c.Epsilon(delta) }
	h.moved = func(p *plan, b Bound) { p.follow(b) }
	if parts = released(parts); len(parts) == 0 {
		h.best, h.whole = Bound{}, &Composed{}
		return h, nil
	}
	known := false
	if one, ok := alone(parts); ok {
		if h.best, known = crossing(one, delta), true; !wide {
			return h, nil
		}
	}
	if lone(parts) {
		var err error
		h.best, h.whole, err = untilted(parts, delta*negligible, h.query)
		return h, err
	}
	plans, err := newPlans(parts, delta, wide)
	if err != nil {
		return nil, err
	}
	for i, p := range plans {
		if known {
			p.aim(h.best.Lower)
		} else if err := h.search(p); err != nil {
			if i > 0 {
				break // the lower side alone is lost
			}
			return nil, err
		}
		p.aim(p.guess)
		h.plans = append(h.plans, p)
	}
	return h, nil
}

// newProfile is newHunt for delta(eps).
func newProfile(parts []Part, eps float64) (*hunt, error) {
	if err := validate(parts); err != nil {
		return nil, err
	}
	if !(eps >= 0 && eps <= math.MaxFloat64) {
		return nil, fmt.Errorf("%w: eps %v is not finite and at least 0", ErrParameter, eps)
	}
	h := &hunt{best: Bound{0, 1}}
	h.query = func(c *Composed) (Bound, error) { return c.Delta(eps) }
	h.moved = func(p *plan, b Bound) {
		if p.side == lowerSide {
			p.settle(b.Lower)
		} else {
			p.settle(b.Upper)
		}
		if err := p.clip(eps); err == nil {
			p.aim(eps)
		}
	}
	if parts = released(parts); len(parts) == 0 {
		h.best = Bound{}
		return h, nil
	}
	if one, ok := alone(parts); ok {
		h.best = one(eps)
		return h, nil
	}
	if lone(parts) {
		var err error
		h.best, _, err = untilted(parts, 1e-16, h.query)
		return h, err
	}
	plans, err := newPlans(parts, 1e-6, false)
	if err != nil {
		return nil, err
	}
	for i, p := range plans {
		p.at(eps)
		h.moved(p, Bound{p.delta, p.delta})
		c, err := p.upTo(guessPoints, true)
		if err == nil {
			_, err = h.ask(c)
		}
		if err != nil {
			if i > 0 {
				break // the lower side alone is lost
			}
			return nil, err
		}
		h.moved(p, h.best)
		h.plans = append(h.plans, p)
	}
	return h, nil
}

// search finds a guess of eps on small lattices, whose windows begin near it.
func (h *hunt) search(p *plan) error {
	p.wide = false
	defer func() { p.wide = h.wide }()
	for range 8 {
		c, err := p.upTo(guessPoints, true)
		if err != nil {
			return err
		}
		b, err := h.ask(c)
		if err != nil {
			return err
		}
		sure := p.follow(b)
		if !h.wide {
			if err := p.clip(p.guess); err != nil {
				return err
			}
			p.aim(p.guess)
		}
		if sure {
			break
		}
	}
	return nil
}

// ask learns what a composition proves, and returns that.
func (h *hunt) ask(c *Composed) (Bound, error) {
	b, err := h.query(c)
	if err != nil {
		return b, err
	}
	h.best = Bound{max(h.best.Lower, b.Lower), min(h.best.Upper, b.Upper)}
	if !(h.best.Lower <= h.best.Upper) {
		return b, fmt.Errorf("lattice: two certified intervals do not meet: %v and %v", b, h.best)
	}
	return b, nil
}

// satisfied says whether the greater of the answer and floor is known to the relative width.
func (h *hunt) satisfied(width, floor float64) bool {
	b := h.best
	return b.Upper <= math.MaxFloat64 && b.Upper-max(b.Lower, floor) <= width*max(b.Upper, h.least)
}

// finish refines until the greater of the answer and floor is known to the relative width, or that is not worth its time.
func (h *hunt) finish(width, floor float64) error {
	for i, p := range h.plans {
		if !h.wide && h.satisfied(width, floor) {
			break
		}
		if err := h.refine(p, width, floor); err != nil {
			if i > 0 {
				break // the lower side alone is lost
			}
			return err
		}
	}
	return nil
}

func (h *hunt) refine(p *plan, width, floor float64) error {
	var last *progress
	duel := true
	for n := h.next(p, guessPoints, width, floor); n <= maxPoints; n = h.next(p, n, width, floor) {
		c, err := p.upTo(n, last == nil)
		if err != nil {
			if last != nil || !h.wide {
				break
			}
			return err
		}
		if h.wide && p == h.plans[0] {
			h.whole = c
		}
		b, err := h.ask(c)
		if err != nil {
			return err
		}
		if c.split && duel && !h.wide && !h.satisfied(width, floor) { // one lattice may do better than two
			p.whole = true
			duel = false
			if one, err := p.upTo(n, false); err == nil {
				w, err := h.ask(one)
				if err != nil {
					return err
				}
				p.whole = w.Upper-w.Lower < b.Upper-b.Lower
				duel = w.Upper-w.Lower < 4*(b.Upper-b.Lower)
			}
		}
		if last = p.progress(h.best, last); last.stop(n, width) || h.best.Upper < 1e-300 || !h.wide && h.satisfied(width, floor) {
			break
		}
		h.moved(p, h.best)
	}
	return nil
}

// next is the size of the lattice after one of n points, above maxPoints where that is not worth its time: the width falls about with n to the
// power 3/2 where the lattice is fine enough, and a large lattice is for answers that hardly say anything.
func (h *hunt) next(p *plan, n int, width, floor float64) int {
	if h.wide || p.foreign {
		return 4 * n
	}
	b := h.best
	now := (b.Upper - max(b.Lower, floor)) / b.Upper
	switch {
	case !(now <= 0.5) && n < maxPoints/4:
		return 4 * n
	case n >= maxPoints/4 && now <= 1e-3, n >= maxPoints/2 && now <= 1e-2:
		return 2 * maxPoints
	}
	m := 2 * n
	for m < maxPoints/4 && math.Pow(float64(m/n), 1.5) < now/width {
		m *= 2
	}
	return m
}
