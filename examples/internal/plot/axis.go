package plot

import (
	"math"
	"strconv"
)

// span is a range of values, empty while low is above high.
type span struct{ low, high float64 }

func emptyRange() span { return span{math.Inf(1), math.Inf(-1)} }

// add widens the range to a value; one that is not finite is ignored.
func (s *span) add(v float64) {
	if finite(v) {
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
}

// axis maps values to pixels and has ticks at round values.
type axis struct {
	span
	from, to float64 // pixels of low and high
	ticks    []float64
	decimals int // of the labels
	exponent bool
	decades  bool // the values are logarithms to base 10
}

// newAxis returns an axis over r with about the wanted number of ticks, at whole decades only if the values are logarithms and there are
// two. It makes up a range if r has none or is a point.
func newAxis(r span, wanted int, from, to float64, decades bool) axis {
	switch {
	case r.low > r.high:
		r = span{0, 1}
	case r.high-r.low < max(1e-9*math.Abs(r.low), 1e-9*math.Abs(r.high), 1e-200):
		half := max(math.Abs(r.low)/10, 0.5)
		r = span{r.low - half, r.high + half}
	}
	a := axis{span: r, from: from, to: to, decades: decades}
	step := roundStep((r.high - r.low) / float64(wanted))
	if decades && math.Floor(r.high) > math.Ceil(r.low) {
		step = max(1, step)
	}
	for k := math.Ceil(r.low/step - 1e-9); k*step <= r.high+1e-9*step && len(a.ticks) < 4*wanted; k++ {
		a.ticks = append(a.ticks, k*step+0) // a sum with zero turns -0 to 0
	}
	a.decimals = max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	largest := max(math.Abs(r.low), math.Abs(r.high))
	a.exponent = largest >= 1e7 || a.decimals > 6
	return a
}

// roundStep is the nearest 1, 2 or 5 times a power of ten that is not below x.
func roundStep(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= x*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

func (a *axis) at(v float64) float64 {
	return a.from + (v-a.low)/(a.high-a.low)*(a.to-a.from)
}

func (a *axis) label(v float64) string {
	if a.decades {
		return strconv.FormatFloat(math.Pow(10, v), 'g', 3, 64)
	}
	if a.exponent {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v, 'f', a.decimals, 64)
}
