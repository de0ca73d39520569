package privacy

import "github.com/surefoot-ml/surefoot/privacy/internal/contour"

// gauge estimates the epsilon of a growing run on a line of integration that was planned for an earlier moment of it; it plans a new one
// when the run has drifted away.
type gauge struct {
	delta float64
	sides [2]gaugeSide
}

// gaugeSide is one direction: a line, and the curves of the mechanisms on it.
type gaugeSide struct {
	line   *contour.Line
	steps  float64                      // executions for which the line was planned
	curves map[[2]float64]contour.Curve // by rate and sigma
}

// read returns the larger estimate of the two directions; ok is false where there is none.
func (g *gauge) read(m *makeup, delta float64) (value float64, ok bool) {
	if m.empty() || len(m.others) > 0 || len(m.sampled) == 0 {
		return 0, m.empty()
	}
	if g.delta != delta {
		*g = gauge{delta: delta}
	}
	for i, d := range directions() {
		s := &g.sides[i]
		e, ok := s.read(m, delta)
		if !ok {
			if e, ok = s.plan(m, d, delta); !ok {
				return 0, false
			}
		}
		value = max(value, e)
	}
	return value, true
}

// plan lays a new line for the present moment and reads it.
func (s *gaugeSide) plan(m *makeup, d contour.Direction, delta float64) (float64, bool) {
	line, err := contour.NewLine(m.composition(), d, delta)
	if err != nil {
		return 0, false
	}
	*s = gaugeSide{line: line, steps: m.executions(), curves: make(map[[2]float64]contour.Curve)}
	return s.read(m, delta)
}

func (s *gaugeSide) read(m *makeup, delta float64) (float64, bool) {
	if n := m.executions(); s.line == nil || n > 1.25*s.steps || n < 0.8*s.steps { // beyond that it loses digits
		return 0, false
	}
	var sum contour.Curve
	if m.mu2 > 0 {
		sum.Fold(s.line.Gaussian(m.mu2), 1)
	}
	for _, p := range m.sampled {
		key := [2]float64{p.Rate, p.Sigma}
		c, ok := s.curves[key]
		if !ok {
			var err error
			if c, err = s.line.Curve(p.Rate, p.Sigma); err != nil {
				return 0, false
			}
			s.curves[key] = c
		}
		sum.Fold(c, p.Count)
	}
	e, err := s.line.Epsilon(sum, delta)
	return e.Epsilon, err == nil && !e.Recentre
}

// executions is the number of all steps.
func (m *makeup) executions() float64 {
	n := m.mu2 // plain Gaussians have no count here, and a mu² does as well
	for _, p := range m.sampled {
		n += float64(p.Count)
	}
	return n
}
