package plot

import "math"

// scaled returns the chart with logarithms in place of the values of logarithmic axes. What has none becomes a gap.
func (c *Chart) scaled() *Chart {
	s := *c
	s.Panels = make([]Panel, len(c.Panels))
	for i, p := range c.Panels {
		s.Panels[i] = p
		s.Panels[i].Lines = make([]Line, len(p.Lines))
		for j, l := range p.Lines {
			l.X, l.Y = logarithms(l.X, c.LogX), logarithms(l.Y, p.LogY)
			s.Panels[i].Lines[j] = l
		}
		s.Panels[i].Limits = make([]Limit, len(p.Limits))
		for j, l := range p.Limits {
			l.Y = logarithm(l.Y, p.LogY)
			s.Panels[i].Limits[j] = l
		}
	}
	s.Marks = make([]Mark, len(c.Marks))
	for i, m := range c.Marks {
		m.X = logarithm(m.X, c.LogX)
		s.Marks[i] = m
	}
	return &s
}

func logarithms(values []float64, wanted bool) []float64 {
	if !wanted {
		return values
	}
	logs := make([]float64, len(values))
	for i, v := range values {
		logs[i] = logarithm(v, true)
	}
	return logs
}

// logarithm is not finite, and so a gap, for what is not positive.
func logarithm(v float64, wanted bool) float64 {
	if !wanted {
		return v
	}
	return math.Log10(v)
}
