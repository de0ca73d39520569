package contour

import (
	"fmt"
	"math"
)

// Epsilon is Composition.Epsilon with the buffers of w.
func (w *Workspace) Epsilon(c Composition, d Direction, delta float64) (Bound, error) {
	if !(delta > 0 && delta < 1) {
		return Bound{}, fmt.Errorf("contour: delta %g is not in (0, 1)", delta)
	}
	if d > Add {
		return Bound{}, fmt.Errorf("contour: unknown direction %v", d)
	}
	if err := w.load(c); err != nil {
		return Bound{}, err
	}
	if w.variation(c.Mu2) <= delta {
		return Bound{}, nil // delta(0) <= delta
	}
	if err := w.fits(); err != nil {
		return Bound{}, err
	}
	return w.attempts(d, func(cut float64) (Bound, error) {
		pl := w.lay(d, c.Mu2, cut*delta)
		p, err := pl.forDelta(delta)
		if err != nil {
			return Bound{}, err
		}
		if err := w.prove(&p, d, c.Mu2, cut*delta); err != nil {
			return Bound{}, err
		}
		b, err := w.series.invert(&p)
		if err == nil && b.width() > 1e-9 && b.Upper > 0 && w.totals[0].grid*p.nodes < 4e6 {
			b = w.again(b, &pl, &p, d, c.Mu2, delta, cut)
		}
		return b, err
	})
}

// again repeats the evaluation on the line through the saddle point of the answer, where the first line lay off it or was too short,
// and returns the intersection of both intervals.
func (w *Workspace) again(b Bound, pl *planner, p *plan, d Direction, mu2, delta, cut float64) Bound {
	next, err := pl.forEps((b.Lower + b.Upper) / 2)
	if b.Lower == 0 {
		next, err = pl.forEps(b.Upper)
	}
	if err != nil {
		return b
	}
	next.logDel = p.logDel
	if w.prove(&next, d, mu2, cut*delta) != nil {
		return b
	}
	c, err := w.series.invert(&next)
	if err != nil {
		return b
	}
	return b.meet(c)
}

// meet returns the intersection of two intervals for the same value, with the shares of the narrower one.
func (b Bound) meet(c Bound) Bound {
	lower, upper := max(b.Lower, c.Lower), min(b.Upper, c.Upper)
	if c.width() < b.width() {
		b = c
	}
	b.Lower, b.Upper = lower, upper
	return b
}

// Delta is Composition.Delta with the buffers of w.
func (w *Workspace) Delta(c Composition, d Direction, eps float64) (Bound, error) {
	if !(eps >= 0 && eps <= math.MaxFloat64) {
		return Bound{}, fmt.Errorf("contour: eps %g is not finite and >= 0", eps)
	}
	if d > Add {
		return Bound{}, fmt.Errorf("contour: unknown direction %v", d)
	}
	if err := w.load(c); err != nil {
		return Bound{}, err
	}
	if c.Mu2 == 0 {
		if d == Add && eps >= w.largest() || len(w.parts) == 0 {
			return Bound{}, nil
		}
	}
	if err := w.fits(); err != nil {
		return Bound{}, err
	}
	return w.attempts(d, func(cut float64) (Bound, error) {
		pl := w.lay(d, c.Mu2, 0)
		p, err := pl.forEps(eps)
		if cut > 0 {
			// the mass to cut needs the size of delta; a tiny cut finds it where the whole law has no plan
			for _, mass := range [...]float64{1e-40, 1e-25, 1e-15} {
				if err == nil || p.logDel < 0 {
					break
				}
				pl = w.lay(d, c.Mu2, mass)
				p, err = pl.forEps(eps)
			}
			if cut *= math.Exp(min(0, p.logDel)); !(cut > 0) {
				return Bound{}, refuse("the size of delta(%g) is unknown", eps)
			}
			pl = w.lay(d, c.Mu2, cut)
			p, err = pl.forEps(eps)
		}
		if err != nil {
			return Bound{}, err
		}
		if err := w.prove(&p, d, c.Mu2, cut); err != nil {
			return Bound{}, err
		}
		return w.series.evaluate(&p, eps)
	})
}

// largest bounds the loss of the add direction from above: it is at most -log(1-q) per execution.
func (w *Workspace) largest() float64 {
	var sum float64
	for _, p := range w.parts {
		sum -= float64(p.Count) * math.Log1p(-p.Rate)
	}
	return sum * (1 + 1e-14 + float64(len(w.parts))*2*unit)
}

// attempts tries the whole law first and, in the remove direction, the law without the far losses of total mass cut*delta:
// delta_cut <= delta <= delta_cut + cut*delta. All intervals are sound, so they are intersected.
func (w *Workspace) attempts(d Direction, try func(cut float64) (Bound, error)) (Bound, error) {
	b, err := try(0)
	if err == nil && b.width() <= 1e-8 || d == Add {
		return b.judge(err)
	}
	for _, cut := range [...]float64{1e-9, 1e-7} {
		next, nextErr := try(cut)
		switch {
		case nextErr != nil:
		case err != nil:
			b, err = next, nil
		default:
			b = b.meet(next)
		}
		if err == nil && b.width() <= 1e-8 {
			break
		}
	}
	return b.judge(err)
}

// width is the relative width of the interval.
func (b Bound) width() float64 {
	if b.Upper == b.Lower {
		return 0
	}
	return (b.Upper - b.Lower) / b.Upper
}

// judge keeps the promise that a returned interval is one: ordered, finite, narrow.
func (b Bound) judge(err error) (Bound, error) {
	if err != nil {
		return Bound{}, err
	}
	if !(b.Lower >= 0 && b.Lower <= b.Upper && b.Upper <= math.MaxFloat64) {
		return Bound{}, refuse("the interval [%g, %g] is none", b.Lower, b.Upper)
	}
	if !(b.width() <= wide) {
		return Bound{}, refuse("the interval [%g, %g] is too wide", b.Lower, b.Upper)
	}
	return b, nil
}

// evaluate returns the interval of delta(eps).
func (s *series) evaluate(p *plan, eps float64) (Bound, error) {
	y, _ := s.at(eps)
	if !(y > 0) {
		return Bound{}, refuse("the sum is lost in its error at eps = %g", eps)
	}
	ref, _ := s.logAt(eps)
	if ref < -700 {
		return Bound{}, refuse("delta is about e^%.0f", ref)
	}
	r := s.bounds(eps, ref)
	scale := math.Exp(ref)
	slip := 8 * unit * (1 + math.Abs(ref)) // exp of ref as a float64: only the exponential itself errs
	b := Bound{
		Lower: scale * r.lower * (1 - slip), Upper: min(1, scale*r.upper*(1+slip)),
		Rounding: r.rounding, Truncation: r.truncation, Aliasing: r.aliasing, Nodes: p.nodes,
	}
	if !(b.Lower > 0) {
		b.Lower = 0
	}
	if !(r.upper > 0) {
		return Bound{}, refuse("no upper bound at eps = %g", eps)
	}
	return b, nil
}

// invert returns the interval of eps(delta). Only the monotony of the true delta is used: delta_up(a) <= delta proves eps(delta) <= a,
// delta_lo(b) > delta proves eps(delta) >= b.
func (s *series) invert(p *plan) (Bound, error) {
	ref := p.logDel
	eps, slope, ok := s.root(p.eps, ref)
	if !ok {
		return Bound{}, refuse("no root near eps = %g", p.eps)
	}
	eps = min(eps, s.sup)
	out := Bound{Nodes: p.nodes}
	if eps <= 0 {
		r := s.bounds(0, ref)
		out.Rounding, out.Truncation, out.Aliasing = r.rounding, r.truncation, r.aliasing
		if r.upper <= 1 {
			return out, nil
		}
		eps = 0
	}
	r := s.bounds(eps, ref)
	out.Rounding, out.Truncation, out.Aliasing = r.rounding, r.truncation, r.aliasing
	found := false
	step := 1.05*max(r.upper-1, 0)/slope + 4*unit*math.Abs(eps)
	for range 60 {
		a := eps + step
		if a >= s.sup {
			out.Upper, found = s.sup, true
			break
		}
		if s.bounds(a, ref).upper <= 1 {
			out.Upper, found = a, true
			break
		}
		step = 1.5*step + 1e-300
	}
	if !found {
		return Bound{}, refuse("no upper bound near eps = %g", eps)
	}
	step = 1.05*max(1-r.lower, 0)/slope + 4*unit*math.Abs(eps)
	for range 60 {
		b := eps - step
		if !(b > 0) {
			break
		}
		if s.bounds(b, ref).lower > 1 {
			out.Lower = b
			break
		}
		step = 1.5*step + 1e-300
	}
	return out, nil
}

// root solves log S_h(eps) = ref from start by bracketed Newton steps. Where the sum is lost in its error, the root lies to the left if
// the error is below e^ref, and only to the right can it be seen if not.
func (s *series) root(start, ref float64) (eps, slope float64, ok bool) {
	lo, hi := math.Inf(-1), math.Inf(1)
	eps = start
	for range 100 {
		y, dy := s.at(eps)
		var step float64
		if !(y > 2*s.fixed) {
			if v := s.k - s.c*eps + math.Log(s.h/(2*math.Pi)*3*s.fixed) - ref; v > 0 {
				lo = max(lo, eps)
				step = max(2, v) / s.c
			} else {
				hi = min(hi, eps)
				step = -2 / s.c
			}
		} else {
			v := s.k - s.c*eps + math.Log(s.h/(2*math.Pi)*y) - ref
			slope = s.c - dy/y
			if v > 0 {
				lo = max(lo, eps)
			} else {
				hi = min(hi, eps)
			}
			if slope > 0 {
				step = v / slope
			} else {
				step = math.Copysign(1/s.c, v)
			}
			step = max(-8/s.c, min(8/s.c, step))
			if slope > 0 && math.Abs(v) < 1e-13*(1+math.Abs(s.c*eps)+math.Abs(ref)) || math.Abs(step) < 4*unit*math.Abs(eps) {
				return eps, slope, slope > 0
			}
		}
		next := eps + step
		if !(next > lo && next < hi) {
			next = (lo + hi) / 2
		}
		if next == eps {
			return eps, slope, slope > 0
		}
		eps = next
	}
	return eps, slope, false
}
