package leakage

import (
	"fmt"
	"math"
	"slices"

	"github.com/surefoot-ml/surefoot/privacy/leakage/internal/quadrature"
)

// SkewNormal extrapolates by a skew-normal law, fitted to the references by maximum likelihood, as the paper does: an estimate whose error
// is that of the law far out in its tail. It needs at least 10 references. The shape is kept within 50, for the likelihood of few values may
// grow with it for ever.
func (e *SampledExposure) SkewNormal() (float64, error) {
	if len(e.references) < 10 {
		return 0, fmt.Errorf("%w: %d references to fit a skew-normal law to, want at least 10", ErrTooFew, len(e.references))
	}
	b := fitBell(e.references)
	if !(b.deviation > 0 && b.deviation <= math.MaxFloat64) {
		return 0, fmt.Errorf("%w: the references have a deviation of %v", ErrTooFew, b.deviation)
	}
	z := make([]float64, len(e.references))
	for i, v := range e.references {
		z[i] = (v - b.mean) / b.deviation
	}
	law := fitSkewNormal(z)
	bits := max(0, -law.logCDF((e.canary-b.mean)/b.deviation)/math.Ln2)
	if !(bits <= math.MaxFloat64) {
		return 0, e.tooFar()
	}
	return bits, nil
}

// skewNormal has the density 2/scale·phi(t)·Phi(shape·t), t = (x-location)/scale.
type skewNormal struct{ location, scale, shape float64 }

const maxShape = 50.0

// logDensity is without its constant, log(2/pi)/2.
func (s skewNormal) logDensity(x float64) float64 {
	t := (x - s.location) / s.scale
	return -t*t/2 - math.Log(s.scale) + logLowerTail(s.shape*t)
}

// logLowerTail is log Phi(z), good to some ten digits.
func logLowerTail(z float64) float64 {
	if z > -30 {
		return math.Log(lowerTail(z))
	}
	w := 1 / (z * z)
	return -z*z/2 - math.Log(-z*math.Sqrt(2*math.Pi)) + math.Log1p(-w*(1-3*w*(1-5*w)))
}

// logCDF integrates the density below x, as a multiple of its largest value there.
func (s skewNormal) logCDF(x float64) float64 {
	peak := s.location // the density rises up to its mode, which lies within one scale of the location
	for _, t := range []float64{-1, 1} {
		peak = s.ascend(peak, peak+t*s.scale)
	}
	highest := min(x, peak)
	top := s.logDensity(highest)
	width := 1e-6 * s.scale // below that place, where it has fallen by e^-40
	for s.logDensity(highest-width) > top-40 {
		width *= 2
	}
	beyond := 1e-6 * s.scale // and above it, lest the law is a needle in a long range
	for highest+beyond < x && s.logDensity(highest+beyond) > top-40 {
		beyond *= 2
	}
	x = min(x, highest+beyond)
	mass := quadrature.Integrate(func(v float64) float64 { return math.Exp(s.logDensity(v) - top) }, 1e-9*width,
		highest-width, highest, x)
	return min(0, math.Log(mass)+top+math.Log(2/math.Pi)/2)
}

// ascend searches the mode between two places by thirds: the density is log-concave.
func (s skewNormal) ascend(a, b float64) float64 {
	for range 60 {
		c, d := a+(b-a)/3, b-(b-a)/3
		if s.logDensity(c) < s.logDensity(d) {
			a = c
		} else {
			b = d
		}
	}
	return (a + b) / 2
}

// fitSkewNormal maximises the likelihood of standardised values, from a symmetric start and two skew ones.
func fitSkewNormal(values []float64) skewNormal {
	law := func(p [3]float64) skewNormal {
		return skewNormal{p[0], math.Exp(min(20, max(-20, p[1]))), maxShape * math.Tanh(p[2]/maxShape)}
	}
	cost := func(p [3]float64) float64 {
		s, sum := law(p), 0.0
		for _, v := range values {
			sum -= s.logDensity(v)
		}
		if math.IsNaN(sum) {
			return math.Inf(1)
		}
		return sum
	}
	best, least := [3]float64{}, math.Inf(1)
	for _, start := range [][3]float64{{0, 0, 0.1}, {-1, 0.3, 2}, {1, 0.3, -2}} {
		p := descend(cost, start)
		p = descend(cost, p) // anew, with a large simplex: a flat one may have stopped short
		if c := cost(p); c < least {
			best, least = p, c
		}
	}
	return law(best)
}

// descend is the simplex method of Nelder and Mead 1965 in three dimensions.
func descend(cost func([3]float64) float64, start [3]float64) [3]float64 {
	type vertex struct {
		at    [3]float64
		value float64
	}
	simplex := []vertex{{start, cost(start)}}
	for i := range start {
		p := start
		p[i] += 0.5
		simplex = append(simplex, vertex{p, cost(p)})
	}
	along := func(from, to [3]float64, t float64) vertex {
		for i := range from {
			from[i] += t * (to[i] - from[i])
		}
		return vertex{from, cost(from)}
	}
	for range 500 {
		slices.SortStableFunc(simplex, func(a, b vertex) int {
			switch {
			case a.value < b.value:
				return -1
			case a.value > b.value:
				return 1
			}
			return 0
		})
		if simplex[3].value-simplex[0].value <= 1e-12*(1+math.Abs(simplex[0].value)) {
			break
		}
		var centre [3]float64
		for _, v := range simplex[:3] {
			for i := range centre {
				centre[i] += v.at[i] / 3
			}
		}
		worst := &simplex[3]
		reflected := along(worst.at, centre, 2)
		switch {
		case reflected.value < simplex[0].value:
			if further := along(worst.at, centre, 3); further.value < reflected.value {
				reflected = further
			}
			*worst = reflected
		case reflected.value < simplex[2].value:
			*worst = reflected
		default:
			half := along(worst.at, centre, 0.5)
			if reflected.value < worst.value {
				half = along(worst.at, centre, 1.5)
			}
			if half.value < min(worst.value, reflected.value) {
				*worst = half
				continue
			}
			for i := 1; i < len(simplex); i++ {
				simplex[i] = along(simplex[0].at, simplex[i].at, 0.5)
			}
		}
	}
	return simplex[0].at
}
