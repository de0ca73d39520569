package lattice

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// The sizes of the lattice: sure of a first guess, the usual one, and the largest.
const (
	guessPoints = 1 << 11
	minPoints   = 1 << 13
	maxPoints   = 1 << 17
)

// good is the relative width at which the lattice is not refined any more, enough that for the largest ones, and fine that of
// a law to be composed further.
const (
	good   = 1e-4
	enough = 3e-4
	fine   = 1e-5
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
	return EpsilonWithin(parts, delta, good)
}

// EpsilonWithin is Epsilon for a relative width that is good enough: the lattice begins with few points and is refined only
// while the interval is wider. A width of 1 asks for any interval, at a fraction of the time.
func EpsilonWithin(parts []Part, delta, width float64) (Bound, error) {
	h, err := newHunt(parts, delta, false)
	if err == nil {
		err = h.finish(width, 0)
	}
	if err != nil {
		return Bound{}, err
	}
	return h.best, nil
}

// Epsilons encloses eps(delta) for each list of parts, where the greatest of them is what is asked for: a list that certainly does
// not have it is left at the first, wide interval. floor is a lower bound of the greatest that is known already.
func Epsilons(lists [][]Part, delta, floor float64) ([]Bound, error) {
	return largest(lists, floor, func(parts []Part) (*hunt, error) { return newHunt(parts, delta, false) })
}

// largest finishes one hunt per list, the most promising first.
func largest(lists [][]Part, floor float64, begin func([]Part) (*hunt, error)) ([]Bound, error) {
	hunts, errs := make([]*hunt, len(lists)), make([]error, len(lists))
	var wg sync.WaitGroup
	for i, parts := range lists {
		wg.Go(func() { hunts[i], errs[i] = begin(parts) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	order := slices.Clone(hunts)
	slices.SortStableFunc(order, func(a, b *hunt) int { return -cmp.Compare(a.best.Upper, b.best.Upper) })
	for _, h := range order {
		for _, o := range hunts {
			floor = max(floor, o.best.Lower)
		}
		if err := h.finish(good, floor); err != nil {
			return nil, err
		}
	}
	out := make([]Bound, len(hunts))
	for i, h := range hunts {
		out[i] = h.best
	}
	return out, nil
}

// Compose returns the law of the composition, sharpest for delta(eps) near the given delta in (0, 1). Its window holds nearly
// all losses, so that it can be composed further.
func Compose(parts []Part, delta float64) (*Composed, error) {
	h, err := newHunt(parts, delta, true)
	if err == nil {
		err = h.finish(fine, 0)
	}
	if err != nil {
		return nil, err
	}
	return h.whole, nil
}

// Delta encloses delta(eps) of the composition of the parts for a finite eps >= 0, refining the lattice while the answer
// is wide.
func Delta(parts []Part, eps float64) (Bound, error) {
	h, err := newProfile(parts, eps)
	if err == nil {
		err = h.finish(good, 0)
	}
	if err != nil {
		return Bound{}, err
	}
	return h.best, nil
}

// Deltas encloses delta(eps) for each list of parts, as Epsilons does for eps(delta).
func Deltas(lists [][]Part, eps, floor float64) ([]Bound, error) {
	return largest(lists, floor, func(parts []Part) (*hunt, error) { return newProfile(parts, eps) })
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

// stop says whether a larger lattice than n points is not worth its time, if the relative width asked for is want.
func (g *progress) stop(n int, want float64) bool {
	switch {
	case g.width <= want, n >= maxPoints/4 && g.width <= max(want, enough):
		return true
	}
	// A law that is costly to put on a lattice, or whose sides differ, gains too little.
	return g.foreign && (n >= minPoints && g.width <= enough || g.before < 1 && g.width > 0.7*g.before)
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
