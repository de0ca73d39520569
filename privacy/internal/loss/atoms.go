package loss

import (
	"fmt"
	"math"
	"slices"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// atom is a loss with its P-mass and its Q-mass; the loss is off by at most the err of the law.
type atom struct {
	loss    float64
	mass, q interval
}

// Atoms is the law of a pair on countably many outcomes: losses with their P-masses, a mass at +Inf, and what lies beyond the
// listed losses of an infinite support as a bound. The zero value is the empty law.
type Atoms struct {
	atoms []atom   // by rising loss
	inf   interval // P-mass where Q is 0
	neg   interval // Q-mass where P is 0
	tail  float64  // bound of the P-mass, and of the Q-mass, that is listed nowhere
	err   float64  // bound of the error of every loss
	base  float64  // the losses are base + i*unit
	unit  float64  // 0 if they are on no common lattice
}

func (a *Atoms) min() float64 {
	if len(a.atoms) == 0 {
		return 0
	}
	return a.atoms[0].loss
}

func (a *Atoms) max() float64 {
	if len(a.atoms) == 0 {
		return 0
	}
	return a.atoms[len(a.atoms)-1].loss
}

func (a *Atoms) slack() float64 { return a.err }

// Lattice returns the distance of the lattice that carries all finite losses, and whether there is one. Discretize is exact up
// to rounding for this step and its integer fractions.
func (a *Atoms) Lattice() (step float64, ok bool) { return a.unit, a.unit > 0 }

// Discretize implements lattice.Law.
func (a *Atoms) Discretize(step, tail float64) (upper, lower lattice.PMF, err error) {
	if upper, err = a.discretize(step, tail, true); err != nil {
		return lattice.PMF{}, lattice.PMF{}, err
	}
	if lower, err = a.discretize(step, tail, false); err != nil {
		return lattice.PMF{}, lattice.PMF{}, err
	}
	return upper, lower, nil
}

// Upper is the upper law of Discretize.
func (a *Atoms) Upper(step, tail float64) (lattice.PMF, error) { return a.discretize(step, tail, true) }

func (a *Atoms) discretize(step, tail float64, up bool) (lattice.PMF, error) {
	if !inOpen(tail, 0, 1) {
		return lattice.PMF{}, parameter("tail", tail, "a number above 0 and below 1")
	}
	// Rare large losses may go to infinity, rare small ones to the lowest loss kept: both keep the lattice short.
	lo, hi, sum := 0, len(a.atoms), 0.0
	for hi > 0 && sum+a.atoms[hi-1].mass.hi <= tail/4 {
		hi--
		sum += a.atoms[hi].mass.hi
	}
	for sum = 0; lo+1 < hi && sum+a.atoms[lo].mass.hi <= tail/4; lo++ {
		sum += a.atoms[lo].mass.hi
	}
	if hi > lo && (a.atoms[hi-1].loss-a.atoms[lo].loss)/step > maxSpan {
		floor := a.atoms[hi-1].loss - maxSpan*step
		for lo+1 < hi && a.atoms[lo].loss < floor {
			lo++
		}
	}
	kept := *a
	kept.atoms = a.atoms[lo:hi]
	offset, gather := 0.0, false
	switch {
	case a.unit > 0 && onLattice(a.unit, step):
		offset = a.base
	case !up:
		offset, gather = mixture{atoms: &kept}.bottom(kept.min(), step), true
	}
	c, err := newCells(step, offset, kept.min(), kept.max(), a.err, up)
	if err != nil {
		return lattice.PMF{}, err
	}
	kept.into(c, math.Inf(-1))
	c.gather = gather
	if !up {
		return c.lower(), nil
	}
	for _, x := range a.atoms[hi:] {
		c.inf += x.mass.hi
	}
	for _, x := range a.atoms[:lo] {
		c.atom(kept.min(), x.mass.hi)
	}
	c.adds += len(a.atoms)
	return c.upper(), nil
}

// onLattice reports whether unit is an integer multiple of step, up to rounding. No proof rests on it: atoms go where they are.
func onLattice(unit, step float64) bool {
	n := math.Round(unit / step)
	return n >= 1 && math.Abs(unit-n*step) <= 64*ulp*unit
}

// into adds the atoms to cells, those below floor as if they were there (upper) or not at all (lower).
func (a *Atoms) into(c *cells, floor float64) {
	for _, x := range a.atoms {
		if x.loss >= floor || c.up {
			c.atom(math.Max(x.loss, floor), x.mass.pick(c.up))
		}
	}
	c.inf += a.inf.pick(c.up)
	if c.up {
		c.inf += a.tail
	}
}

// Swap returns the law of the swapped pair (Q, P).
func (a *Atoms) Swap() *Atoms {
	s := &Atoms{inf: a.neg, neg: a.inf, tail: a.tail, err: a.err, base: -a.base, unit: a.unit}
	s.atoms = make([]atom, len(a.atoms))
	for i, x := range a.atoms {
		s.atoms[len(a.atoms)-1-i] = atom{-x.loss, x.q, x.mass}
	}
	return s
}

// Poisson returns the laws of the mechanism run on a record that takes part with probability q: remove is the pair
// ((1-q)Q+qP, Q), add its swap, for a base pair of P with and Q without the record (Zhu et al. 2022, Theorem 11).
func (a *Atoms) Poisson(q float64) (remove, add *Atoms, err error) {
	if !(q > 0 && q <= 1) {
		return nil, nil, parameter("sampling probability", q, "above 0 and at most 1")
	}
	if q == 1 {
		return a, a.Swap(), nil
	}
	s := sampled{q: q}
	// An error of the base loss moves the loss by less; log1p, log and their arguments err by a few ulp of 1 + the base loss.
	far := math.Max(math.Abs(a.min()), math.Abs(a.max()))
	r := &Atoms{tail: a.tail, err: a.err + 16*ulp*(1+far)}
	if a.neg.hi > 0 {
		r.atoms = append(r.atoms, atom{math.Log1p(-q), a.neg.mix(q, interval{}), a.neg})
	}
	for _, x := range a.atoms {
		r.atoms = append(r.atoms, atom{s.forward(x.loss), x.q.mix(q, x.mass), x.q})
	}
	if len(r.atoms) == 2 { // two losses always lie on a lattice
		r.base, r.unit = r.min(), r.max()-r.min()
	}
	r.inf = interval{}.mix(q, a.inf)
	return r, r.Swap(), nil
}

// Delta encloses the hockey-stick divergence of one execution at eps.
func (a *Atoms) Delta(eps float64) (lo, hi float64, err error) {
	if math.IsNaN(eps) || math.IsInf(eps, 0) {
		return 0, 0, parameter("eps", eps, "a finite number")
	}
	lo, hi = a.inf.lo, a.inf.hi+a.tail
	e := a.err + 4*ulp*math.Abs(eps)
	for i := len(a.atoms) - 1; i >= 0; i-- {
		x := a.atoms[i]
		if x.loss+e <= eps {
			break
		}
		hi -= x.mass.hi * math.Expm1(eps-x.loss-e) * (1 + 8*ulp)
		lo -= x.mass.lo * math.Min(0, math.Expm1(eps-x.loss+e)) * (1 - 8*ulp)
	}
	n := float64(len(a.atoms)+8) * ulp
	return clamp01(lo * (1 - n)), clamp01(hi * (1 + n)), nil
}

// newAtoms orders the atoms, merges equal losses and drops empty ones. A Q-mass left out is that of the loss.
func newAtoms(list []atom, unit, base, err float64) (*Atoms, error) {
	a := &Atoms{unit: unit, base: base, err: err}
	slices.SortStableFunc(list, func(x, y atom) int {
		switch {
		case x.loss < y.loss:
			return -1
		case x.loss > y.loss:
			return 1
		}
		return 0
	})
	for _, x := range list {
		if math.IsNaN(x.loss) || math.IsInf(x.loss, 0) || !(x.mass.lo <= x.mass.hi) {
			return nil, fmt.Errorf("%w: loss %v with mass in [%v, %v]", ErrParameter, x.loss, x.mass.lo, x.mass.hi)
		}
		if x.mass.hi == 0 {
			continue
		}
		if x.q.hi == 0 {
			r, e := math.Exp(-x.loss), err+4*ulp*(2+math.Abs(x.loss))
			x.q = interval{x.mass.lo * r * (1 - e), x.mass.hi * r * (1 + e)}
		}
		if n := len(a.atoms); n > 0 && a.atoms[n-1].loss == x.loss {
			a.atoms[n-1].mass = a.atoms[n-1].mass.plus(x.mass)
			a.atoms[n-1].q = a.atoms[n-1].q.plus(x.q)
			continue
		}
		a.atoms = append(a.atoms, x)
	}
	return a, nil
}

// near encloses m with the relative error rel.
func near(m, rel float64) interval {
	return interval{widen(m, rel, false), widen(m, rel, true)}
}
