package privacy

import (
	"fmt"
	"math"
	"sync"

	"github.com/surefoot-ml/surefoot/privacy/internal/contour"
	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
)

// Tight is an accountant for runs of Gaussians, plain or on Poisson samples: it encloses the exact epsilon of the composition from both
// sides, most often to ten digits in a millisecond, by the inverse Laplace transform of the privacy profile (Alghamdi et al. 2023, "The
// saddle-point method in differential privacy") with every error bounded and added. Plain Gaussians alone, and a single step, have a closed form.
//
// Where it proves nothing it answers with an error that matches ErrNoBound, never with the figure of another method: for other
// events, and for runs so short or sampled so rarely that a handful of steps decides everything. Use [Best] to go on from there.
//
// The zero Tight is ready. All methods are safe for concurrent use; a Tight must not be copied.
type Tight struct {
	recorder
	query sync.Mutex
	work  contour.Workspace // guarded by query
}

// Epsilon encloses the epsilon of everything recorded, at delta, 0 < delta < 1.
func (t *Tight) Epsilon(delta float64) (Interval, error) {
	if err := checkDelta("delta", delta); err != nil {
		return Interval{}, err
	}
	return t.both(methods{
		gaussian: func(mu2 float64) (bounds, error) { return gaussianEpsilonBounds(mu2, delta) },
		step:     func(s normal.Sampled, d normal.Direction) (lo, hi float64, err error) { return s.Epsilon(delta, d) },
		contour: func(c contour.Composition, d contour.Direction) (contour.Bound, error) {
			return contourEpsilon(&t.work, c, d, delta)
		},
	})
}

// Delta encloses the delta of everything recorded, at eps >= 0.
func (t *Tight) Delta(eps float64) (Interval, error) {
	if err := checkEpsilon(eps); err != nil {
		return Interval{}, err
	}
	return t.both(methods{
		gaussian: func(mu2 float64) (bounds, error) { return gaussianDeltaBounds(mu2, eps) },
		step:     func(s normal.Sampled, d normal.Direction) (lo, hi float64, err error) { return s.Delta(eps, d) },
		contour: func(c contour.Composition, d contour.Direction) (contour.Bound, error) {
			return t.work.Delta(c, d, eps)
		},
	})
}

// contourEpsilon leaves out a subnormal delta, whose logarithm math.Log gets wrong on some machines: see minusLog.
func contourEpsilon(w *contour.Workspace, c contour.Composition, d contour.Direction, delta float64) (contour.Bound, error) {
	if delta < 0x1p-1022 {
		return contour.Bound{}, noBound(methodContour, fmt.Sprintf("delta = %g is subnormal", delta))
	}
	return w.Epsilon(c, d, delta)
}

// both takes the larger of the two directions, at both ends.
func (t *Tight) both(by methods) (Interval, error) {
	m := makeupOf(t.snapshot())
	if m.empty() {
		return nothing(), nil
	}
	if len(m.others) > 0 {
		return Interval{}, noBound(methodContour, "it applies to Gaussians only, plain or on Poisson samples")
	}
	if len(m.sampled) == 0 {
		return m.gaussian(by.gaussian)
	}
	t.query.Lock()
	defer t.query.Unlock()
	var b bounds
	method := ""
	for _, d := range directions() {
		one, how, err := m.tight(d, by)
		if err != nil {
			return Interval{}, &NoBoundError{Method: how, Reason: "direction " + d.String(), Cause: err}
		}
		b, method = b.larger(one), how
	}
	return m.interval(b, method)
}

// tight encloses the figure of one direction of Gaussians, of which some are on samples.
func (m *makeup) tight(d contour.Direction, by methods) (b bounds, method string, err error) {
	if s, ok := m.step(); ok {
		if lo, hi, err := by.step(s, aside(d)); err == nil {
			return bounds{lo, hi}, methodStep, nil
		}
	}
	c, err := by.contour(m.composition(), d)
	return bounds{c.Lower, c.Upper}, methodContour, err
}

// bounds enclose a number.
type bounds struct{ lower, upper float64 }

// unknown is what is known of any epsilon before anything is proved.
func unknown() bounds { return bounds{0, math.Inf(1)} }

// larger encloses the larger of two numbers.
func (b bounds) larger(o bounds) bounds {
	return bounds{max(b.lower, o.lower), max(b.upper, o.upper)}
}

// also encloses one number that both enclose.
func (b bounds) also(o bounds) bounds {
	return bounds{max(b.lower, o.lower), min(b.upper, o.upper)}
}

// width is relative to upper; +Inf where nothing is known.
func (b bounds) width() float64 {
	switch {
	case b.lower == b.upper:
		return 0
	case b.upper <= math.MaxFloat64:
		return (b.upper - b.lower) / b.upper
	}
	return math.Inf(1)
}
