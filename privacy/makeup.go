package privacy

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/surefoot-ml/surefoot/privacy/internal/contour"
	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// makeup is a history by what the engines can do with its mechanisms. It depends on the counts alone, not on the order of the steps.
type makeup struct {
	mu2     float64 // of all plain Gaussians in one, within 4 ulp; 0 if there is none
	sampled []contour.Part
	others  []part
	sharp   bool // the mechanisms are exactly the events, so that lower bounds hold too
	rounded bool // up to some ulp in a parameter that the engines do not count
}

// sharp reports whether an event costs exactly what its mechanisms cost. Where they only bound it, a lower bound of theirs says nothing.
func sharp(e Event) bool {
	switch e := e.(type) {
	case Gaussian, Laplace, DiscreteLaplace, DiscreteGaussian, RandomizedResponse, Pure, Approximate:
		return true // of the last two, what is meant is the worst mechanism of the kind
	case Poisson:
		return e.Rate == 0 || e.Rate >= minRate // a smaller one was rounded up
	case Mixture:
		return !slices.ContainsFunc(e.Components(), func(x Component) bool { return x.Weight < minWeight })
	case FixedSize:
		return e.Gaussian.Relation == AddRemove // attained where all other records pull the other way
	case Sampled:
		return sharp(e.Event)
	case Repeated:
		return sharp(e.Event)
	case Composed:
		for _, each := range e.Events() {
			if !sharp(each) {
				return false
			}
		}
		return true
	}
	return false
}

// lawful is a mechanism with laws of its privacy loss for the lattice; add is nil where one direction stands for both.
type lawful interface {
	laws() (remove, add lattice.Law, err error)
}

func makeupOf(entries []entry) makeup {
	m := makeup{sharp: true}
	counts := make(map[mechanism]int64)
	var order []part
	for _, x := range entries {
		m.sharp = m.sharp && sharp(x.event)
		if _, ok := x.event.(FixedSize); ok {
			m.rounded = true // its rate
		}
		for _, p := range x.parts {
			n := x.count * p.count
			have, known := counts[p.mechanism]
			if known && have > math.MaxInt64-n {
				order = append(order, part{p.mechanism, n}) // one of its own
				continue
			}
			if !known {
				order = append(order, part{p.mechanism, 0})
			}
			counts[p.mechanism] = have + n
		}
	}
	var mu2 compensated
	for _, p := range order {
		if p.count == 0 {
			p.count = counts[p.mechanism]
		}
		g, ok := p.mechanism.(sampledGaussian)
		switch {
		case !ok:
			m.others = append(m.others, p)
		case g.q == 1:
			mu2.add(float64(p.count) / (g.sigma * g.sigma))
		default:
			m.sampled = append(m.sampled, contour.Part{Rate: g.q, Sigma: g.sigma, Count: p.count})
		}
	}
	m.mu2 = mu2.value()
	slices.SortFunc(m.sampled, func(a, b contour.Part) int {
		return cmp.Or(cmp.Compare(a.Rate, b.Rate), cmp.Compare(a.Sigma, b.Sigma), cmp.Compare(a.Count, b.Count))
	})
	return m
}

func (m *makeup) empty() bool { return m.mu2 == 0 && len(m.sampled) == 0 && len(m.others) == 0 }

// composition is the part of m that the contour takes; all of it where there are no others.
func (m *makeup) composition() contour.Composition {
	return contour.Composition{Parts: m.sampled, Mu2: m.mu2}
}

func directions() [2]contour.Direction {
	return [2]contour.Direction{contour.Remove, contour.Add}
}

// interval turns what was proved of the mechanisms into what holds of the events. Bounds that contradict each other, or are none, are
// an error: they would be a defect of an engine, and no number must come of it.
func (m *makeup) interval(b bounds, method string) (Interval, error) {
	if !(b.lower >= 0 && b.lower <= b.upper && b.upper <= math.MaxFloat64) {
		return Interval{}, noBound(method, fmt.Sprintf("[%v, %v] is no interval", b.lower, b.upper))
	}
	in := Interval{Lower: b.lower, Upper: b.upper, Method: method, Converged: b.width() <= narrow}
	switch {
	case !m.sharp:
		in.Lower = 0
	case m.rounded || len(m.others) > 0:
		in.Lower *= 1 - 1e-9 // their parameters are quotients rounded up by an ulp; the Gaussian engines count that themselves
	}
	return in, nil
}

// narrow is the relative width at which an interval counts as converged.
const narrow = 1e-4

const (
	methodContour  = "contour"
	methodLattice  = "lattice"
	methodGaussian = "gaussian"
	methodStep     = "single step"
)
