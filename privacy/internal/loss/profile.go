package loss

import (
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// Profile is the law of a pair known by a bound on its curve only: H(e^eps) = sup P(A) - e^eps Q(A). It has an upper law; the
// lower one is empty, unless the constructor knows a pair below.
type Profile struct {
	// Right bounds H of (P, Q) and Left that of the swapped pair (Q, P), at eps >= 0, from above, rounding included. Both
	// must be bounds of curves of mechanisms (decreasing convex functions of e^eps); they need not be such themselves.
	Right, Left func(eps float64) float64

	lower *mixture
}

// Delta encloses the hockey-stick divergence of one execution at eps >= 0.
func (p *Profile) Delta(eps float64) (lo, hi float64, err error) {
	if !(eps >= 0 && eps <= math.MaxFloat64) {
		return 0, 0, parameter("eps", eps, "a finite number, at least 0")
	}
	if p.lower != nil {
		lo = p.lower.delta(eps, false)
	}
	return lo, clamp01(p.Right(eps)), nil
}

// Discretize implements lattice.Law. The upper law has its points at the multiples of step, and connects the dots from above.
//
// Right half, from the top down: the mass m of the point l_j is the least one with D(l_(j-1)) >= H(l_(j-1)) for
// D(l_(j-1)) = D(l_j) + (1-e^-g)(R_j + m), R_j = sum over i > j of m_i e^(l_j-l_i): all terms are positive, and an excess at
// one point lowers the next masses, so that errors do not pile up. D >= H on the points and the linearity of D between
// them give D >= H for u >= 1. The left half is built likewise from the swapped curve and mirrored, the rest is an atom at 0: then
// D(u) = P - uQ + u D'(1/u) for u < 1 with the totals P, Q of both masses, and D >= H there as P >= 1 and P >= Q, which is
// D(1) >= D'(1).
func (p *Profile) Discretize(step, tail float64) (upper, lower lattice.PMF, err error) {
	if upper, err = p.Upper(step, tail); err != nil || p.lower == nil {
		return upper, none(step), err
	}
	if lower, err = p.lower.discretize(step, tail, false); err != nil {
		return lattice.PMF{}, lattice.PMF{}, err
	}
	return upper, lower, nil
}

// Upper is the upper law of Discretize.
func (p *Profile) Upper(step, tail float64) (lattice.PMF, error) {
	if !inOpen(tail, 0, 1) {
		return lattice.PMF{}, parameter("tail", tail, "a number above 0 and below 1")
	}
	if !inOpen(step, 0, 1e6) { // the rounding margins are factors 1 + O(step ulp)
		return lattice.PMF{}, parameter("step", step, "above 0 and below 1e6")
	}
	below, err := sample(p.Left, step, tail)
	if err != nil {
		return lattice.PMF{}, err
	}
	above, err := sample(p.Right, step, tail)
	if err != nil {
		return lattice.PMF{}, err
	}
	hull(below, above, step)
	left, _, at := chords(below, step)
	// The recursion errs by 8 ulp per point, e^-l by l ulp.
	above[0] = math.Max(above[0], at*(1+32*float64(len(left)+4)*(1+step)*ulp))
	right, inf, _ := chords(above, step)
	grow := 1 + 64*float64(len(left)+len(right)+4)*(1+step)*ulp
	mass := make([]float64, len(left)+len(right)+1)
	total := 0.0
	for i, m := range left { // mass under Q of the loss (i+1) step
		mass[len(left)-1-i] = m * math.Exp(-float64(i+1)*step) * (1 - 4*ulp*(2+float64(i+1)*step))
		total += mass[len(left)-1-i]
	}
	for i, m := range right {
		mass[len(left)+1+i] = m
		total += m
	}
	mass[len(left)] = math.Max(0, 1-total-inf)
	for i := range mass {
		mass[i] *= grow
	}
	return lattice.PMF{Step: step, First: -len(left), Mass: mass, Inf: math.Min(1, inf*grow)}, nil
}

// sample returns the curve at 0, step, 2 step, ... until it is at most tail.
func sample(h func(float64) float64, step, tail float64) ([]float64, error) {
	if d := h(maxPoints * step); d > tail { // the curve falls: do not sample in vain
		return nil, fmt.Errorf("%w: curve above %v after %d points", ErrTooLarge, tail, maxPoints)
	}
	var curve []float64
	for i := 0; ; i++ {
		d := h(float64(i) * step)
		if !(d >= 0) || math.IsInf(d, 0) {
			return nil, fmt.Errorf("%w: curve is %v at %v", ErrParameter, d, float64(i)*step)
		}
		curve = append(curve, math.Min(1, d))
		if d <= tail {
			return curve, nil
		}
		if i >= maxPoints {
			return nil, fmt.Errorf("%w: curve above %v after %d points", ErrTooLarge, tail, i)
		}
	}
}

// hull lowers the two halves of a curve to the lower convex hull over u = e^l of their points, (0, 1) included: the true curve is
// convex and below the points, hence below every chord between them. The chords err by less than 1e-14, which is added.
func hull(left, right []float64, step float64) {
	const margin = 1e-14
	type vertex struct {
		u, h float64
		at   int
	}
	n := len(left) - 1
	value := func(i int) vertex {
		u := math.Exp(float64(i) * step)
		if i < 0 {
			return vertex{u, math.Min(1, 1-u+u*left[-i]), i}
		}
		return vertex{u, right[i], i}
	}
	chain := []vertex{{0, 1, -n - 1}}
	far := int(math.Min(600/step, maxPoints+1)) // e^l stays finite
	last := min(len(right)-1, far)
	for i := -min(n, far); i <= last; i++ {
		v := value(i)
		for len(chain) > 1 {
			a, b := chain[len(chain)-2], chain[len(chain)-1]
			if (b.h-a.h)*(v.u-b.u) < (v.h-b.h)*(b.u-a.u) {
				break
			}
			chain = chain[:len(chain)-1]
		}
		chain = append(chain, v)
	}
	for k := 1; k < len(chain); k++ {
		a, b := chain[k-1], chain[k]
		for i := a.at + 1; i < b.at; i++ {
			if i < -n {
				continue
			}
			u := math.Exp(float64(i) * step)
			w := (u - a.u) / (b.u - a.u)
			h := a.h*(1-w) + b.h*w + margin
			if i < 0 {
				left[-i] = math.Min(left[-i], math.Max(0, h-1+u)/u)
			}
			if i >= 0 {
				right[i] = math.Min(right[i], h)
			}
			if i == 0 {
				left[0] = math.Min(left[0], h)
			}
		}
	}
}

// chords returns the masses of the points step, 2 step, ..., the mass at infinity, and D at 0.
func chords(curve []float64, step float64) (mass []float64, inf, at float64) {
	n := len(curve) - 1
	mass = make([]float64, n)
	inf = curve[n]
	fall := -math.Expm1(-step)
	decay := math.Exp(-step)
	d, r := inf, 0.0
	for j := n; j >= 1; j-- {
		m := math.Max(0, (curve[j-1]-d)/fall-r)
		mass[j-1] = m
		d += fall * (r + m)
		r = decay * (r + m)
	}
	return mass, inf, d
}
