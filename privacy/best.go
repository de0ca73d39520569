package privacy

import (
	"errors"
	"sync"

	"github.com/surefoot-ml/surefoot/privacy/internal/contour"
	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
)

// Best is the accountant for most uses: the smallest upper and the largest lower bound that any method of this package proves. It asks
// the closed form of [GDP] or the contour of [Tight] where they apply, the lattice of [PLD] where that leaves a wide interval, and [RDP]
// always; Method names the one whose upper bound it is. It takes about a millisecond for Gaussians on Poisson samples, and some
// hundredths of a second where it needs the lattice, which it leaves out for more than 500 distinct mechanisms.
//
// The zero Best is ready. All methods are safe for concurrent use; a Best must not be copied.
type Best struct {
	recorder
	query  sync.Mutex
	ladder ladder // guarded by query, as below
	work   contour.Workspace
	gauge  gauge
}

const (
	sharpEnough = 1e-6 // relative width at which the lattice is not asked any more
	mostLaws    = 500  // distinct mechanisms, beyond which it is not asked either
)

// Epsilon encloses the epsilon of everything recorded, at delta, 0 < delta < 1.
func (b *Best) Epsilon(delta float64) (Interval, error) {
	if err := checkDelta("delta", delta); err != nil {
		return Interval{}, err
	}
	b.query.Lock()
	defer b.query.Unlock()
	m := makeupOf(b.ladder.read(&b.recorder, true))
	return m.best(methods{
		start:    unknown(),
		renyi:    func() (Interval, error) { return b.ladder.epsilonNow(nil, delta, false) },
		gaussian: func(mu2 float64) (bounds, error) { return gaussianEpsilonBounds(mu2, delta) },
		step:     func(s normal.Sampled, d normal.Direction) (lo, hi float64, err error) { return s.Epsilon(delta, d) },
		contour: func(c contour.Composition, d contour.Direction) (contour.Bound, error) {
			return contourEpsilon(&b.work, c, d, delta)
		},
		lattice: func(sides [][]lattice.Part, floor float64) ([]bounds, error) {
			return latticeEpsilon(sides, delta, floor)
		},
	})
}

// Estimate is Epsilon without the proof, for a display that follows the steps of a run: some microseconds for Gaussians on Poisson samples, five digits
// or more. Where that does not work it is the upper end of Epsilon, in the time that takes. Neither is a filter: see [Filter].
func (b *Best) Estimate(delta float64) (Estimate, error) {
	if err := checkDelta("delta", delta); err != nil {
		return Estimate{}, err
	}
	b.query.Lock()
	m := makeupOf(b.snapshot())
	value, ok := b.gauge.read(&m, delta)
	b.query.Unlock()
	if ok {
		return Estimate{Value: value, Method: methodContour}, nil
	}
	in, err := b.Epsilon(delta)
	return Estimate{Value: in.Upper, Method: in.Method}, err
}

// Delta encloses the delta of everything recorded, at eps >= 0.
func (b *Best) Delta(eps float64) (Interval, error) {
	if err := checkEpsilon(eps); err != nil {
		return Interval{}, err
	}
	b.query.Lock()
	defer b.query.Unlock()
	m := makeupOf(b.ladder.read(&b.recorder, true))
	return m.best(methods{
		start:    bounds{0, 1},
		renyi:    func() (Interval, error) { return b.ladder.deltaNow(nil, eps, false) },
		gaussian: func(mu2 float64) (bounds, error) { return gaussianDeltaBounds(mu2, eps) },
		step:     func(s normal.Sampled, d normal.Direction) (lo, hi float64, err error) { return s.Delta(eps, d) },
		contour: func(c contour.Composition, d contour.Direction) (contour.Bound, error) {
			return b.work.Delta(c, d, eps)
		},
		lattice: func(sides [][]lattice.Part, floor float64) ([]bounds, error) { return latticeDelta(sides, eps, floor) },
	})
}

// methods are the ways to one figure, all of one history.
type methods struct {
	start    bounds // what is known without any
	renyi    func() (Interval, error)
	gaussian func(mu2 float64) (bounds, error)
	step     func(normal.Sampled, normal.Direction) (lo, hi float64, err error)
	contour  func(contour.Composition, contour.Direction) (contour.Bound, error)
	lattice  func(sides [][]lattice.Part, floor float64) ([]bounds, error) // see latticeEpsilon
}

// side is one direction of the comparison: what is proved of it, and by which method the upper bound.
type side struct {
	bounds
	method string
}

func (s *side) learn(b bounds, method string) {
	if b.upper < s.upper {
		s.method = method
	}
	s.bounds = s.also(b)
}

// best intersects what the methods prove of each direction, and takes the larger direction at both ends.
func (m *makeup) best(by methods) (Interval, error) {
	if m.empty() {
		return nothing(), nil
	}
	var errs []error
	whole := side{bounds: by.start}
	if len(m.sampled) == 0 && len(m.others) == 0 {
		b, err := by.gaussian(m.mu2)
		if err == nil {
			whole.learn(b, methodGaussian)
		}
		errs = append(errs, err)
	} else {
		var sides [2]side
		for i, d := range directions() {
			sides[i].bounds = by.start
			if len(m.others) > 0 {
				continue
			}
			b, method, err := m.tight(d, by)
			if err == nil {
				sides[i].learn(b, method)
			}
			errs = append(errs, err)
		}
		errs = append(errs, m.sharpen(&sides, by))
		whole = sides[0]
		if sides[1].upper > sides[0].upper {
			whole.method = sides[1].method
		}
		whole.bounds = sides[0].larger(sides[1].bounds)
	}
	renyi, err := by.renyi()
	if err == nil {
		whole.learn(bounds{0, renyi.Upper}, renyi.Method)
	}
	if whole.method == "" {
		return Interval{}, &NoBoundError{Method: "any method", Reason: "of all that apply", Cause: errors.Join(append(errs, err)...)}
	}
	return m.interval(whole.bounds, whole.method)
}

// sharpen asks the lattice for the directions of which too little is known.
func (m *makeup) sharpen(sides *[2]side, by methods) error {
	wide := [2]bool{sides[0].width() > sharpEnough, sides[1].width() > sharpEnough}
	if !wide[0] && !wide[1] {
		return nil
	}
	if len(m.sampled)+len(m.others) > mostLaws {
		return noBound(methodLattice, "too many distinct mechanisms")
	}
	laws, err := m.laws()
	if err != nil {
		return err
	}
	var ask [][]lattice.Part
	for i := range laws {
		if wide[i] {
			ask = append(ask, laws[i])
		}
	}
	answers, err := by.lattice(ask, max(sides[0].lower, sides[1].lower))
	if err != nil {
		return err
	}
	for i := range sides {
		if wide[i] {
			sides[i].learn(answers[0], methodLattice)
			if len(answers) > 1 { // else one law stands for both directions, or the other direction is known
				answers = answers[1:]
			}
		}
	}
	return nil
}

// boundOf encloses the epsilon of n executions of e at delta by the best method.
func boundOf(e Event, n int, delta float64) (Interval, error) {
	var b Best
	if err := b.Add(e, n); err != nil {
		return Interval{}, err
	}
	return b.Epsilon(delta)
}
