package lattice

import (
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/internal/fft"
)

// power is a law composed count times with itself.
type power struct {
	pmf   PMF
	count int
}

// logMoment bounds log sum_k Mass[k] e^(z k Step), k counted from index 0, from above. Horner's rule over positive terms:
// the relative error is at most
// 8 len u; what underflows is below 1e-300.
func (p *PMF) logMoment(z float64) float64 {
	r := math.Exp(-math.Abs(z) * p.Step)
	s, at := 0.0, p.First
	if z >= 0 {
		for _, m := range p.Mass {
			s = s*r + m
		}
		at += len(p.Mass) - 1
	} else {
		for i := len(p.Mass) - 1; i >= 0; i-- {
			s = s*r + p.Mass[i]
		}
	}
	e := z * p.Step * float64(at)
	return math.Log(max(s, 1e-300)) + e + 8*unit*(float64(len(p.Mass))+2+math.Abs(e)) + math.Abs(z)*p.Step*float64(len(p.Mass))*2*unit
}

// logMoments is the sum over the parts: log E e^(zL) without the offset.
func logMoments(parts []power, z float64) float64 {
	var k float64
	for _, p := range parts {
		k += float64(p.count) * p.pmf.logMoment(z)
	}
	return k + 4*unit*math.Abs(k)
}

// folded is the composition of laws of one step, tilted by e^(tilt L), normalized and folded to a period of n points:
// value[i] belongs to the points first+i+mn, m any integer, and is known up to err.
type folded struct {
	step, tilt float64
	first      int64
	value      []float64
	err        float64
	shift      int64   // the mass of index k is value e^(scale - tilt step (k-shift))
	scale      float64 // known up to escale
	escale     float64
}

// fold composes by one transform per law, powers, and one inverse transform. upper says whether masses are rounded up.
//
// The greatest tilted mass a of each law stays out of its transform: with x = (the other masses)/a and X its transform,
// log phi(f) = log1p(X(f)) - log1p(X(0)), so the error of a law of rare jumps is relative to the jumps. Bounds, u = 2^-53:
//   - transform: the 2-norm of the error of X is at most e1 = RelErr sqrt(n) |x|_2. A power of it changes by at most
//     T (|phi|+E)^(T-1) |e|, E = e1/(1+X(0)), so by Cauchy-Schwarz the values of the result by at most 1/n |T (|phi|+E)^(T-1)...|_2 E.
//   - log1p: u (9|X|(1+|X|)/|1+X|^2 + 8|log1p X|) absolute, the first at most 8u where |1+X|^2 < 1/2, times T,
//     with u more of the second for every part, and the rounding of -T log1p(X(0)) where it is subtracted.
//   - inverse transform: RelErr |value|_2.
//
// Few jumps, w = T log1p(X), w(0) < 8: then X(0) stays in, and exp(w)-1 is transformed; the 1 is the point of no jump. With the
// real part expm1(Re w) cos(Im w) - 2 sin^2(Im w/2), and both from the half angle, every rounding is relative to the jumps here as well: at most
// 32u (|expm1(Re w)| + 2 sin^2 + e^(Re w) |sin Im w|), and 16u (1 + e^(Re w)) more where |Im w| > 1, for a sine near a zero beyond the first.
func fold(parts []power, tilt float64, first int64, plan *fft.Plan, upper bool) (folded, error) {
	n := plan.Len()
	half := n/2 + 1
	out := folded{step: parts[0].pmf.Step, tilt: tilt, first: first}
	sign := -1.0
	if upper {
		sign = 1
	}
	re, im, rho, mag, quad := make([]float64, half), make([]float64, half), make([]float64, half), make([]float64, half), make([]float64, half)
	x, freq := make([]float64, n), make([]complex128, half)
	transformed, lambda, ceiling := 0, 0.0, 0.0
	adds := float64(len(parts) + 7) // roundings of one term of a sum over the parts, that of its logarithm included
	for _, p := range parts {
		if p.pmf.Step != out.step || len(p.pmf.Mass) == 0 || p.count < 1 {
			return folded{}, fmt.Errorf("lattice: parts of step %v and %v, %d masses, count %d", out.step, p.pmf.Step, len(p.pmf.Mass), p.count)
		}
		count := float64(p.count)
		atom := p.pmf.heaviest(tilt)
		a := p.pmf.Mass[atom]
		clear(x)
		var norm2 float64
		slope := tilt * out.step
		powers := newLadder(slope)
		wraps := 16*unit*(2+slope) + unit*float64(len(p.pmf.Mass)/n)
		j := (n - atom%n) % n
		for from := 0; from < len(p.pmf.Mass); from += len(powers) {
			base := slope * float64(from-atom)
			e := math.Exp(base) / a
			rel := sign * (unit*4*math.Abs(base) + wraps)
			for i, m := range p.pmf.Mass[from:min(from+len(powers), len(p.pmf.Mass))] {
				if m != 0 && from+i != atom {
					v := m * (e * powers[i])
					x[j] += v + v*rel
				}
				if j++; j == n {
					j = 0
				}
			}
		}
		for _, v := range x {
			norm2 += v * v
		}
		out.shift += int64(p.count) * int64(p.pmf.First+atom)
		la := math.Log(a)
		out.scale += count * la
		out.escale += adds * unit * count * math.Abs(la)
		if norm2 == 0 {
			continue
		}
		transformed++
		plan.Forward(freq, x)
		e1 := plan.RelErr() * math.Sqrt(float64(n)*norm2) * 1.001
		x0 := real(freq[0])
		l0 := math.Log1p(x0)
		lambda += count * l0
		big := e1 / (1 + x0)
		if !(x0 > -0.5) || !(count*big < 1) {
			return folded{}, fmt.Errorf("lattice: rounding %v of a transform is too large for %d steps", big, p.count)
		}
		ceiling += count * (big + 16*unit)
		for f, z := range freq {
			zr, zi := real(z), imag(z)
			r2 := zr*zr + zi*zi
			abs := math.Sqrt(r2)
			t := zr*(2+zr) + zi*zi
			d2 := 1 + t
			lr, li, own := 0.0, math.Atan2(zi, 1+zr), 8.0
			if t < -0.5 { // then 1+X(f) is good to 2u
				d := max(math.Hypot(1+zr, zi), 1e-150)
				lr, d2 = math.Log(d), d*d
			} else {
				lr = 0.5 * math.Log1p(t)
				own = 9 * abs * (1 + abs) / d2
			}
			re[f] += count * lr
			im[f] += count * li
			rho[f] += count * unit * (own + adds*(math.Abs(lr)+math.Abs(li)))
			// (|phi|+E)^T = |phi|^T e^(T log1p(E/|phi|))
			own = math.Sqrt(d2) / (1 + x0) * (1 - 8*unit)
			add := big + 8*unit*(1+abs)/(1+x0)
			if more := add / own; more < 1e-2 {
				mag[f] += count * more
			} else {
				mag[f] += count * math.Log1p(more) * (1 + 8*unit)
			}
			w := count * big / (own + add)
			quad[f] += w * w
		}
	}
	out.value = make([]float64, n)
	bare := lambda < 8
	base, extra := 0.0, 0.0 // e^base is the tilted mass in all
	if bare {
		base = lambda
	} else {
		out.scale += lambda
		extra = 2 * adds * unit * lambda
		out.escale += extra
	}
	most := math.Exp(base + ceiling + 32*unit)
	var sum1, sum2, sum3 float64
	for f := range freq {
		weight := 2.0
		if f == 0 || f == half-1 {
			weight = 1
		}
		r := rho[f] + extra
		rel := r + r*r // e^r - 1 is less
		var size, round, a, b float64
		if bare {
			less := math.Expm1(re[f])
			if size = 1 + less; re[f] < -0.5 {
				size = math.Exp(re[f])
			}
			s, c := math.Sincos(im[f] / 2)
			h := 2 * s * s
			a, b = less*(1-h)-h, size*2*s*c
			if round = 32 * unit * (math.Abs(less) + h + math.Abs(b)); math.Abs(im[f]) > 1 {
				round += 16 * unit * (1 + size)
			}
		} else {
			e := re[f] - lambda
			if !(e > -200) { // what is left out is part of round
				e = -200
				size = math.Exp(-200)
				round = 2 * size
			} else {
				size = math.Exp(e)
				s, c := math.Sincos(im[f])
				a, b = size*c, size*s
				round = 16 * unit * size
			}
		}
		var upto float64 // of the size with errors
		if g := mag[f] + r; g < 0.5 {
			upto = min(most, size*(1+g+g*g)*(1+16*unit))
		} else {
			upto = min(most, math.Exp(re[f]-lambda+base+g)*(1+16*unit))
		}
		freq[f] = complex(a, b)
		if r < 0.5 {
			sum1 += weight * (size*rel + round)
		} else {
			sum1 += weight * (size + upto + round)
		}
		sum2 += weight * quad[f] * upto * upto
		sum3 += weight * (a*a + b*b)
	}
	plan.Inverse(x, freq)
	if bare {
		x[0]++
	}
	out.err = 1.01 * (sum1/float64(n) + math.Sqrt(float64(transformed)*sum2)/float64(n) + plan.RelErr()*math.Sqrt(sum3/float64(n)))
	// Position j of x is the index shift+j modulo n.
	j := int(((first-out.shift)%int64(n) + int64(n)) % int64(n))
	copy(out.value, x[j:])
	copy(out.value[n-j:], x[:j])
	if !(out.err < 1) || math.IsNaN(out.scale) {
		return folded{}, fmt.Errorf("lattice: rounding error %v of the composition is too large", out.err)
	}
	return out, nil
}

// rungs is the length of a ladder.
const rungs = 16

// newLadder holds e^(slope i), i < rungs, fewer where the slope is steep.
func newLadder(slope float64) []float64 {
	n := rungs
	if !(math.Abs(slope) < 1) {
		n = 1
	}
	powers := make([]float64, n)
	for i := range powers {
		powers[i] = math.Exp(slope * float64(i))
	}
	return powers
}

// heaviest is the index of about the greatest tilted mass.
func (p *PMF) heaviest(tilt float64) int {
	at, best, slope := -1, 0.0, tilt*p.Step
	grow := math.Exp(slope)
	for i, m := range p.Mass { // best is Mass[at] e^(slope (at-i)), so that it never leaves the range of float64 for long
		if m > 0 && m >= best {
			at, best = i, m
		}
		best /= grow
	}
	return max(at, 0)
}

// masses are bounds of the untilted masses of the window: of all that was folded onto each point, so at least the mass of
// the point if upper, and at most that mass plus what the period brought there if not.
func (f *folded) masses(upper bool) []float64 {
	out := make([]float64, len(f.value))
	slope := f.tilt * f.step
	powers := newLadder(-slope)
	for from := 0; from < len(out); from += len(powers) {
		l := slope * float64(f.first+int64(from)-f.shift)
		e := math.Exp(f.scale - l)
		rel := 2 * (f.escale + 4*unit*(6+math.Abs(f.scale)+math.Abs(l)+rungs*slope))
		more, less := 1+rel, max(0, 1-rel)
		for i, v := range f.value[from:min(from+len(powers), len(out))] {
			e := e * powers[i]
			if upper {
				out[from+i] = min(1, (max(0, v)+f.err)*e*more)
			} else if v > f.err {
				out[from+i] = min(1, (v-f.err)*e*less)
			}
		}
	}
	return out
}
