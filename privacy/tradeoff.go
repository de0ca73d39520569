package privacy

import "math"

// OperatingPoint is a bound on any test that tells from the output which of two related datasets was used: with false positive rate FPR it
// has a true positive rate of at most TPR.
type OperatingPoint struct {
	FPR float64 `json:"fpr"`
	TPR float64 `json:"tpr"`
}

// Tradeoff returns bounds on the true positive rate at the given false positive rates, each in [0, 1], from the delta of an accountant
// or a Distribution at many eps. It asks some 60 times per rate: of a PLD accountant, ask its Distribution.
//
// A mechanism that is (eps, delta)-differentially private gives TPR <= e^eps·FPR + delta and 1-FPR <= e^eps·(1-TPR) + delta
// (Wasserman, Zhou 2010; Dong, Roth, Su 2022, Proposition 2.4 and 2.12). Each of the two bounds has one minimum in eps, because delta is a
// convex function of k = e^eps, and so is its perspective delta/k of 1/k; over all eps they are exact.
func Tradeoff(of interface {
	Delta(eps float64) (Interval, error)
}, fpr ...float64) ([]OperatingPoint, error) {
	t := tradeoff{of: of, known: make(map[float64]float64)}
	points := make([]OperatingPoint, len(fpr))
	for i, f := range fpr {
		if !(f >= 0 && f <= 1) {
			return nil, &InvalidError{"fpr", f, "a number from 0 to 1"}
		}
		low := t.smallest(func(k, delta float64) float64 { return up(k*f*(1+16*ulp)+delta, 4) })
		high := t.smallest(func(k, delta float64) float64 { return up(1-max(0, 1-delta-f-4*ulp)/k*(1-16*ulp), 1) })
		points[i] = OperatingPoint{FPR: f, TPR: min(1, max(f, min(low, high)))}
	}
	if len(fpr) > 0 && len(t.known) == 0 {
		return nil, t.err
	}
	return points, nil
}

type tradeoff struct {
	of interface {
		Delta(float64) (Interval, error)
	}
	known map[float64]float64 // upper bounds on delta by eps
	err   error
}

// delta is 1 where there is no answer: any eps may be left out.
func (t *tradeoff) delta(eps float64) float64 {
	d, ok := t.known[eps]
	if ok {
		return d
	}
	in, err := t.of.Delta(eps)
	if err != nil {
		t.err = err
		return 1
	}
	t.known[eps] = in.Upper
	return in.Upper
}

// smallest minimises value(e^eps, delta(eps)), which has one minimum: on a geometric grid of eps, then by golden section.
func (t *tradeoff) smallest(value func(k, delta float64) float64) float64 {
	const (
		steps  = 36
		lowest = 1e-5
		top    = 40.
		golden = 0.6180339887498949
	)
	at := func(eps float64) float64 { return value(math.Exp(eps), t.delta(eps)) }
	grid := func(i int) float64 {
		if i <= 0 {
			return 0
		}
		return lowest * math.Pow(top/lowest, float64(min(i, steps)-1)/(steps-1))
	}
	best, where := at(0), 0
	for i := 1; i <= steps; i++ {
		if v := at(grid(i)); v < best {
			best, where = v, i
		}
	}
	a, b := grid(where-1), grid(where+1)
	c, d := b-golden*(b-a), a+golden*(b-a)
	fc, fd := at(c), at(d)
	for range 18 {
		best = min(best, fc, fd)
		if fc <= fd {
			b, d, fd = d, c, fc
			c = b - golden*(b-a)
			fc = at(c)
		} else {
			a, c, fc = c, d, fd
			d = a + golden*(b-a)
			fd = at(d)
		}
	}
	return min(best, fc, fd)
}
