package carbon

import "math"

// gauge follows the errors of one way to an answer at one age: their mean size, and their quantiles for the interval. It
// starts from a prior that counts as much as priorCount errors.
type gauge struct {
	node
	prior float64 // mean size of the errors
	abs   float64 // of those seen
}

const priorCount = 24

// newGauge starts with normally distributed errors of a mean size, the quantiles of which are sqrt(pi/2) times as wide.
func newGauge(prior float64) gauge {
	g := gauge{prior: prior}
	g.pace = .5
	for i, z := range normal {
		g.q[i] = z * prior * math.Sqrt(math.Pi/2)
	}
	return g
}

func (g *gauge) add(e float64) {
	g.track(e)
	g.abs += (math.Abs(max(-4*mostError, min(4*mostError, e))) - g.abs) / g.count
}

// expected is the mean size of the errors to expect.
func (g *gauge) expected() float64 {
	n := min(g.count, memory)
	return (g.prior*priorCount + g.abs*n) / (priorCount + n)
}

// onLine is a value on the straight line between two.
func onLine(a, b, share float64) float64 { return a + share*(b-a) }

// atAge interpolates in a table of ages in hours; it is level before the first and after the last.
func atAge(ages, table []float64, age float64) float64 {
	if age <= ages[0] {
		return table[0]
	}
	for i := 1; i < len(ages); i++ {
		if age <= ages[i] {
			return onLine(table[i-1], table[i], (age-ages[i-1])/(ages[i]-ages[i-1]))
		}
	}
	return table[len(table)-1]
}
