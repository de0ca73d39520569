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
//   - log1p: u (8|X|(1+|X|)/|1+X|^2 + 4|log1p X|) absolute, times T.
//   - inverse transform: RelErr |value|_2.
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
	transformed := 0
	for _, p := range parts {
		if p.pmf.Step != out.step || len(p.pmf.Mass) == 0 || p.count < 1 {
			return folded{}, fmt.Errorf("lattice: parts of step %v and %v, %d masses, count %d", out.step, p.pmf.Step, len(p.pmf.Mass), p.count)
		}
		count := float64(p.count)
		atom, best := 0, math.Inf(-1)
		for i, m := range p.pmf.Mass {
			if m > 0 {
				if l := math.Log(m) + tilt*out.step*float64(i); l > best {
					atom, best = i, l
				}
			}
		}
		a := p.pmf.Mass[atom]
		clear(x)
		var norm2 float64
		for i, m := range p.pmf.Mass {
			if i == atom || m == 0 {
				continue
			}
			arg := tilt * out.step * float64(i-atom)
			v := m / a * math.Exp(arg) * (1 + sign*unit*(3*math.Abs(arg)+16+float64(len(p.pmf.Mass)/n)))
			j := (i - atom) % n
			if j < 0 {
				j += n
			}
			x[j] += v
		}
		for _, v := range x {
			norm2 += v * v
		}
		out.shift += int64(p.count) * int64(p.pmf.First+atom)
		la := math.Log(a)
		out.scale += count * la
		out.escale += 4 * unit * count * math.Abs(la)
		if norm2 == 0 {
			continue
		}
		transformed++
		plan.Forward(freq, x)
		e1 := plan.RelErr() * math.Sqrt(float64(n)*norm2) * 1.001
		x0 := real(freq[0])
		l0 := math.Log1p(x0)
		out.scale += count * l0
		out.escale += 8 * unit * count * l0
		big := e1 / (1 + x0)
		if !(x0 > -0.5) || !(count*big < 1) {
			return folded{}, fmt.Errorf("lattice: rounding %v of a transform is too large for %d steps", big, p.count)
		}
		for f, z := range freq {
			zr, zi := real(z), imag(z)
			r2 := zr*zr + zi*zi
			abs := math.Sqrt(r2)
			t := zr*(2+zr) + zi*zi
			lr, li := 0.5*math.Log1p(t), math.Atan2(zi, 1+zr)
			if t < -0.5 {
				lr = math.Log(max(math.Hypot(1+zr, zi), 1e-150))
			}
			d2 := math.Exp(2 * lr)
			re[f] += count * (lr - l0)
			im[f] += count * li
			rho[f] += count * unit * (8*abs*(1+abs)/d2 + 8*(math.Abs(lr)+math.Abs(li)+l0))
			size := math.Exp(lr-l0) + big + 8*unit*(1+abs)/(1+x0)
			mag[f] += count * math.Log(size)
			w := count * big / size
			quad[f] += w * w
		}
	}
	out.value = make([]float64, n)
	var sum1, sum2, sum3 float64
	for f := range freq {
		weight := 2.0
		if f == 0 || f == half-1 {
			weight = 1
		}
		size := math.Exp(re[f])
		upto := math.Exp(min(mag[f], 1))
		s, c := math.Sincos(im[f])
		freq[f] = complex(size*c, size*s)
		if rho[f] < 0.5 {
			sum1 += weight * size * (math.Expm1(rho[f]) + 8*unit)
		} else {
			sum1 += weight * (size + upto)
		}
		sum2 += weight * quad[f] * upto * upto
		sum3 += weight * size * size
	}
	plan.Inverse(x, freq)
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

// masses are bounds of the untilted masses of the window: of all that was folded onto each point, so at least the mass of
// the point if upper, and at most that mass plus what the period brought there if not.
func (f *folded) masses(upper bool) []float64 {
	out := make([]float64, len(f.value))
	slope := f.tilt * f.step
	for i, v := range f.value {
		e := f.scale - slope*float64(f.first+int64(i)-f.shift)
		rel := f.escale + 4*unit*(2+math.Abs(f.scale)+math.Abs(e-f.scale))
		if upper {
			out[i] = min(1, (max(0, v)+f.err)*math.Exp(e)*(1+2*rel))
		} else if v > f.err {
			out[i] = min(1, (v-f.err)*math.Exp(e)*max(0, 1-2*rel))
		}
	}
	return out
}
