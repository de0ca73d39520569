package contour

import (
	"fmt"
	"math"
)

// Line estimates eps of a composition that grows step by step, for one direction. The line of integration is planned once, for the
// composition expected at the end; each distinct mechanism is put on it once (Curve), executions are folded in as multiples, and a query
// costs a few microseconds. Any line is exact in principle; as the composition drifts away from the expected one the estimate
// loses digits, and says so. A Line is not for concurrent use.
type Line struct {
	d      Direction
	p      plan
	work   scratch
	series series
}

// Curve is the cumulant function K(z) = log E e^(zL) of a mechanism, or of a sum of mechanisms, on one Line. The zero Curve is that of
// a mechanism that releases nothing.
type Curve struct {
	k, mean, vr float64      // K(c), K'(c), K''(c)
	at          []complex128 // K(c+ikh)-K(c)
}

// Estimate is a value without a certificate.
type Estimate struct {
	Epsilon float64
	// Recentre says that the line lies off the saddle point of this sum or ends too early for it: plan a new one.
	Recentre bool
}

// NewLine plans a line for the expected composition and the delta that will be asked for.
func NewLine(expected Composition, d Direction, delta float64) (*Line, error) {
	if !(delta > 0 && delta < 1) || d > Add {
		return nil, fmt.Errorf("contour: delta %g is not in (0, 1) or the direction %v is unknown", delta, d)
	}
	var w Workspace
	if err := w.load(expected); err != nil {
		return nil, err
	}
	if err := w.fits(); err != nil {
		return nil, err
	}
	pl := w.lay(d, expected.Mu2, 0)
	p, err := pl.forDelta(delta)
	if err != nil {
		return nil, err
	}
	return &Line{d: d, p: p}, nil
}

// Nodes returns the number of complex numbers in a Curve.
func (l *Line) Nodes() int { return l.p.nodes }

// Curve returns the curve of one execution of the Gaussian with noise multiplier sigma on a Poisson sample of the given rate.
func (l *Line) Curve(rate, sigma float64) (Curve, error) {
	var w Workspace
	if err := w.load(Composition{Parts: []Part{{Rate: rate, Sigma: sigma, Count: 1}}}); err != nil {
		return Curve{}, err
	}
	if err := w.fits(); err != nil {
		return Curve{}, err
	}
	law := newLaw(w.parts[0], l.d)
	step, ok := l.work.step(&law, &l.p)
	if !ok || !l.work.fine.fill(&law, l.p.c, step, 37+math.Log(l.p.count), maxGrid) {
		return Curve{}, refuse("rate %g, noise multiplier %g do not fit on the line", rate, sigma)
	}
	g := &l.work.fine
	re, im := l.work.values(&law, &l.p)
	out := Curve{k: g.logZ, mean: g.mean, vr: g.vr, at: make([]complex128, l.p.nodes)}
	for k := range out.at {
		a, b := re[k], im[k]
		lg := math.Log1p(max(2*a+a*a+b*b, -1)) / 2
		out.at[k] = complex(max(lg, -1e6), math.Atan2(b, 1+a)+float64(k)*l.p.h*g.mean)
	}
	return out, nil
}

// Gaussian returns the curve of Gaussians without subsampling, mu2 = sum of count/sigma^2.
func (l *Line) Gaussian(mu2 float64) Curve {
	c := l.p.c
	out := Curve{k: c * (c + 1) * mu2 / 2, mean: (2*c + 1) * mu2 / 2, vr: mu2, at: make([]complex128, l.p.nodes)}
	for k := range out.at {
		t := float64(k) * l.p.h
		out.at[k] = complex(-t*t*mu2/2, t*(2*c+1)*mu2/2)
	}
	return out
}

// Fold adds n executions of o, a curve of the same Line.
func (c *Curve) Fold(o Curve, n int64) {
	if len(c.at) == 0 {
		c.at = make([]complex128, len(o.at))
	}
	f := float64(n)
	c.k += f * o.k
	c.mean += f * o.mean
	c.vr += f * o.vr
	for k, v := range o.at[:min(len(o.at), len(c.at))] {
		c.at[k] += complex(f*real(v), f*imag(v))
	}
}

// Epsilon estimates eps(delta) of the folded sum.
func (l *Line) Epsilon(sum Curve, delta float64) (Estimate, error) {
	if !(delta > 0 && delta < 1) {
		return Estimate{}, fmt.Errorf("contour: delta %g is not in (0, 1)", delta)
	}
	if len(sum.at) == 0 {
		return Estimate{}, nil
	}
	if len(sum.at) != l.p.nodes {
		return Estimate{}, fmt.Errorf("contour: a curve of %d nodes is not of this line of %d", len(sum.at), l.p.nodes)
	}
	s := &l.series
	c, h := l.p.c, l.p.h
	*s = series{c: c, h: h, k: sum.k, m: sum.mean, sup: math.Inf(1), amp: s.amp[:0], phase: s.phase[:0]}
	for k, v := range sum.at {
		t := float64(k) * h
		a := math.Exp(real(v)) / (math.Hypot(c, t) * math.Hypot(1+c, t))
		if k > 0 {
			a *= 2
			if a < 1e-14*s.amp[0] {
				break
			}
		}
		s.amp = append(s.amp, a)
		s.phase = append(s.phase, imag(v)-t*sum.mean-math.Atan2(t, c)-math.Atan2(t, 1+c))
	}
	s.fixed = 1e-13 * s.amp[0]
	ld := math.Log(delta)
	vr := sum.vr + 1/(c*c) + 1/((1+c)*(1+c))
	start := (sum.k - ld - math.Log(c*(c+1)*math.Sqrt(2*math.Pi*vr))) / c
	eps, _, ok := s.root(start, ld)
	if !ok {
		return Estimate{}, refuse("no root near eps = %g", start)
	}
	short := len(s.amp) == l.p.nodes && s.amp[l.p.nodes-1] > 1e-9*s.amp[0]
	return Estimate{Epsilon: max(0, eps), Recentre: short || l.drift(sum, eps) > 0.3}, nil
}

// drift returns |log(c*/c)|, c* the root of K'(c) = eps + 1/c + 1/(1+c) with K' taken as linear.
func (l *Line) drift(sum Curve, eps float64) float64 {
	c := l.p.c
	lo, hi := c/16, c*16
	for range 24 {
		mid := math.Sqrt(lo * hi)
		if sum.mean+sum.vr*(mid-c)-eps-1/mid-1/(1+mid) > 0 {
			hi = mid
		} else {
			lo = mid
		}
		if hi/lo < 1.02 {
			break
		}
	}
	return math.Abs(math.Log(hi / c))
}
