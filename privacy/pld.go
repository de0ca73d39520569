package privacy

import (
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
	"github.com/surefoot-ml/surefoot/privacy/internal/loss"
)

// PLD is an accountant by privacy loss distributions on a lattice: it encloses the exact epsilon of any events whose loss has a known
// law, usually to four digits in some hundredths of a second. It answers where [Tight] does not, and [PLD.Distribution] keeps a composition
// for many questions, for a file, or for composition with others.
//
// Events without a known law are an error that matches ErrNoBound. The zero PLD is ready. All methods are safe for concurrent use; a
// PLD must not be copied.
type PLD struct{ recorder }

// Epsilon encloses the epsilon of everything recorded, at delta, 0 < delta < 1.
func (p *PLD) Epsilon(delta float64) (Interval, error) {
	if err := checkDelta("delta", delta); err != nil {
		return Interval{}, err
	}
	m := makeupOf(p.snapshot())
	return m.byLattice(func(sides [][]lattice.Part) ([]bounds, error) { return latticeEpsilon(sides, delta, 0) })
}

// Delta encloses the delta of everything recorded, at eps >= 0.
func (p *PLD) Delta(eps float64) (Interval, error) {
	if err := checkEpsilon(eps); err != nil {
		return Interval{}, err
	}
	m := makeupOf(p.snapshot())
	return m.byLattice(func(sides [][]lattice.Part) ([]bounds, error) { return latticeDelta(sides, eps, 0) })
}

// byLattice asks for the directions and takes the larger answer at both ends.
func (m *makeup) byLattice(ask func(sides [][]lattice.Part) ([]bounds, error)) (Interval, error) {
	if m.empty() {
		return nothing(), nil
	}
	sides, err := m.laws()
	if err != nil {
		return Interval{}, err
	}
	answers, err := ask(sides)
	if err != nil {
		return Interval{}, &NoBoundError{Method: methodLattice, Reason: "the composition", Cause: err}
	}
	var b bounds
	for _, a := range answers {
		b = b.larger(a)
	}
	return m.interval(b, methodLattice)
}

// laws returns the parts of the remove and of the add direction, of one only where they are the same.
func (m *makeup) laws() ([][]lattice.Part, error) {
	var sides [2][]lattice.Part
	differ := false
	put := func(count int64, remove, add lattice.Law) error {
		if count > maxLatticeSteps {
			return noBound(methodLattice, fmt.Sprintf("%d executions of one mechanism, at most %d", count, maxLatticeSteps))
		}
		if add == nil {
			add = remove
		} else {
			differ = true
		}
		sides[0] = append(sides[0], lattice.Part{Law: remove, Count: int(count), Above: !m.sharp})
		sides[1] = append(sides[1], lattice.Part{Law: add, Count: int(count), Above: !m.sharp})
		return nil
	}
	if m.mu2 > 0 {
		g, err := gaussianLaw(m.mu2)
		if err != nil {
			return nil, err
		}
		if err := put(1, g, nil); err != nil {
			return nil, err
		}
	}
	for _, p := range m.sampled {
		remove, err := lattice.Poisson(p.Rate, p.Sigma, false)
		if err != nil {
			return nil, lawless(err)
		}
		add, err := lattice.Poisson(p.Rate, p.Sigma, true)
		if err != nil {
			return nil, lawless(err)
		}
		if err := put(p.Count, remove, add); err != nil {
			return nil, err
		}
	}
	for _, p := range m.others {
		known, ok := p.mechanism.(lawful)
		if !ok {
			return nil, noBound(methodLattice, fmt.Sprintf("no law is known for the loss of %T%+v", p.mechanism, p.mechanism))
		}
		remove, add, err := known.laws()
		if err != nil {
			return nil, lawless(err)
		}
		if err := put(p.count, remove, add); err != nil {
			return nil, err
		}
	}
	if !differ {
		return sides[:1], nil
	}
	return sides[:], nil
}

const maxLatticeSteps int64 = 1e9

func lawless(err error) error {
	return &NoBoundError{Method: methodLattice, Reason: "the law of a mechanism", Cause: err}
}

// enclosed is a law known from two sides: above has at least its divergence, below at most.
type enclosed struct{ above, below lattice.Law }

func (e enclosed) Discretize(step, tail float64) (upper, lower lattice.PMF, err error) {
	upper, _, err = e.above.Discretize(step, tail)
	if err != nil {
		return upper, lower, err
	}
	_, lower, err = e.below.Discretize(step, tail)
	return upper, lower, err
}

// Upper is the upper law of Discretize.
func (e enclosed) Upper(step, tail float64) (lattice.PMF, error) { return upperOf(e.above, step, tail) }

// upperOf is the upper law, without the other one where the law can tell it alone.
func upperOf(l lattice.Law, step, tail float64) (lattice.PMF, error) {
	if l, ok := l.(interface {
		Upper(step, tail float64) (lattice.PMF, error)
	}); ok {
		return l.Upper(step, tail)
	}
	upper, _, err := l.Discretize(step, tail)
	return upper, err
}

// Lattice is that of above; what lies below is within some ulp of it.
func (e enclosed) Lattice() (step float64, ok bool) { return latticeOf(e.above) }

// Delta encloses delta of one execution where both laws know it.
func (e enclosed) Delta(eps float64) (lo, hi float64, err error) {
	lo, _, err = oneDelta(e.below, eps)
	if err != nil {
		return 0, 0, err
	}
	_, hi, err = oneDelta(e.above, eps)
	return lo, hi, err
}

// latticeOf returns the step of a lattice with all atoms of a law, if there is one.
func latticeOf(l lattice.Law) (step float64, ok bool) {
	if l, has := l.(interface {
		Lattice() (step float64, ok bool)
	}); has {
		return l.Lattice()
	}
	return 0, false
}

// oneDelta encloses delta of one execution.
func oneDelta(l lattice.Law, eps float64) (lo, hi float64, err error) {
	if l, ok := l.(interface {
		Delta(eps float64) (lo, hi float64, err error)
	}); ok {
		return l.Delta(eps)
	}
	b, err := lattice.Delta([]lattice.Part{{Law: l, Count: 1}}, eps)
	return b.Lower, b.Upper, err
}

// gaussianLaw is the loss of the Gaussian with mu² within 4 ulp of mu2.
func gaussianLaw(mu2 float64) (lattice.Law, error) {
	sigma := 1 / math.Sqrt(mu2)
	above, err := lattice.Poisson(1, sigma*(1-8*ulp), false)
	if err != nil {
		return nil, lawless(err)
	}
	below, err := lattice.Poisson(1, sigma*(1+8*ulp), false)
	if err != nil {
		return nil, lawless(err)
	}
	return enclosed{above, below}, nil
}

// latticeEpsilon encloses the epsilon of each direction at delta, sharply where it is the largest of them and of floor.
func latticeEpsilon(sides [][]lattice.Part, delta, floor float64) ([]bounds, error) {
	if all, ok := allByAtoms(sides, func(c *loss.Composed) (lo, hi float64, err error) { return c.Epsilon(delta) }); ok {
		return all, nil
	}
	return each(lattice.Epsilons(sides, delta, floor))
}

// latticeDelta encloses the delta of each direction at eps, as latticeEpsilon does.
func latticeDelta(sides [][]lattice.Part, eps, floor float64) ([]bounds, error) {
	if all, ok := allByAtoms(sides, func(c *loss.Composed) (lo, hi float64, err error) { return c.Delta(eps) }); ok {
		return all, nil
	}
	return each(lattice.Deltas(sides, eps, floor))
}

func each(list []lattice.Bound, err error) ([]bounds, error) {
	out := make([]bounds, len(list))
	for i, b := range list {
		out[i] = bounds{b.Lower, b.Upper}
	}
	return out, err
}

// allByAtoms is byAtoms for every direction.
func allByAtoms(sides [][]lattice.Part, ask func(*loss.Composed) (lo, hi float64, err error)) (all []bounds, ok bool) {
	for _, parts := range sides {
		b, ok := byAtoms(parts, ask)
		if !ok {
			return nil, false
		}
		all = append(all, b)
	}
	return all, true
}

// byAtoms answers for a single mechanism whose losses lie on a lattice of their own, where none of them moves.
func byAtoms(parts []lattice.Part, ask func(*loss.Composed) (lo, hi float64, err error)) (bounds, bool) {
	if len(parts) != 1 {
		return bounds{}, false
	}
	law := parts[0].Law
	below, above := law, law
	if e, ok := law.(enclosed); ok {
		below, above = e.below, e.above
	}
	least, ok := below.(*loss.Atoms)
	if !ok {
		return bounds{}, false
	}
	most, ok := above.(*loss.Atoms)
	if !ok {
		return bounds{}, false
	}
	answer := func(law *loss.Atoms) (bounds, bool) {
		c, err := law.Compose(parts[0].Count)
		if err != nil {
			return bounds{}, false
		}
		lo, hi, err := ask(c)
		return bounds{lo, hi}, err == nil
	}
	b, ok := answer(least)
	if !ok || least == most {
		return b, ok
	}
	upper, ok := answer(most)
	b.upper = upper.upper
	return b, ok
}
