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

// stop says whether a larger lattice than n points is not worth its time.
func stop(b Bound, n int) bool {
	w := b.Upper - b.Lower
	return w <= good*b.Upper || n >= maxPoints/4 && w <= enough*b.Upper
}

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
	if m, ok := parts[0].Law.(*Mixture); ok && len(parts) == 1 && parts[0].Count == 1 {
		return single{newQuad(m, 1)}.delta(eps), nil
	}
	p, err := newPlan(parts, 1e-6)
	if err != nil {
		return Bound{}, err
	}
	p.at(eps)
	best := Bound{0, 1}
	for n := guessPoints; n <= maxPoints; n *= 4 {
		c, err := p.compose(n)
		if err != nil {
			if n > guessPoints {
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
		if stop(best, n) || best.Upper < 1e-300 {
			break
		}
		p.settle(best.Upper)
		p.aim(eps)
	}
	return best, nil
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
	p, err := newPlan(parts, delta)
	if err != nil {
		return Bound{}, nil, err
	}
	best := Bound{0, math.Inf(1)}
	if m, ok := parts[0].Law.(*Mixture); ok && len(parts) == 1 && parts[0].Count == 1 {
		best = single{newQuad(m, 1)}.epsilon(delta)
		if !wide {
			return best, nil, nil
		}
		p.aim(best.Lower)
	} else if err := p.search(delta); err != nil {
		return Bound{}, nil, err
	}
	p.wide = wide
	p.aim(p.guess)
	var last *Composed
	for n := minPoints; n <= maxPoints; n *= 4 {
		c, err := p.compose(n)
		if err != nil {
			if last != nil {
				break
			}
			return Bound{}, nil, err
		}
		b, err := c.Epsilon(delta)
		if err != nil {
			return Bound{}, nil, err
		}
		last = c
		best = Bound{max(best.Lower, b.Lower), min(best.Upper, b.Upper)}
		if !(best.Lower <= best.Upper) {
			return Bound{}, nil, fmt.Errorf("lattice: two certified intervals of eps do not meet: %v and %v", b, best)
		}
		if stop(b, n) || best.Upper == 0 {
			break
		}
		p.follow(best)
	}
	return best, last, nil
}

// follow aims at the middle of a narrow interval; at one end of a wide one that does not hold the guess.
func (p *plan) follow(b Bound) (sure bool) {
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
		c, err := p.compose(guessPoints)
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
