package contour

import "math"

// Theorem 2 (shift bound). For 0 < y < pi sigma, theta = y s, F and A as in strip.go,
//
//	sup over |t'| >= t of |phi(t')| <= e^(y^2/2) E_c[F e^(-tA)].
//
// r is entire and without zeros for |Im| < pi sigma, so the contour of the integral of n0 r^p e^(itl) may be moved to Im = y (add: -y).
// There |n0| = n0 e^(y^2/2), |r| = r sqrt(1-4w(1-w) sin^2(theta/2)), |e^(itl)| = e^(-tA), A >= 0: the right side decreases in t.
// It is exact for q = 1, and one number covers the whole tail of the line.
//
// The expectation itself is a trapezoid sum of G(x) = n0 (r(x+iy) r(x-iy))^(p/2) e^(-tA(x)). Off the real axis, with
// g(beta) = arg((1-w)+w e^(i beta)), Re A(x+ia) = (g(theta+a s) - g(a s-theta))/2. That is not negative if a s <= theta (both terms
// are then >= 0, g being odd) or if theta and a s are at most pi/2 (g(a s+theta)-g(a s-theta) is the argument of
// (1-w)^2 + w^2 e^(2i theta) + 2w(1-w) cos(a s) e^(i theta), whose imaginary part is 2 w sin(theta) (w cos(theta) + (1-w) cos(a s))).
// g is not increasing on all of (0, pi) when w < 1/2, so a larger strip would not do. |G(x+ia)| <= f(x) e^(a^2/2) F at theta + a s.

// shiftSum returns the sum over every stride-th node of wt F e^(-tA).
func shiftSum(g *grid, theta, t float64, stride int) float64 {
	sin, cos := math.Sincos(theta)
	half := (1 - cos) / 2
	var sum float64
	for j := stride / 2; j < len(g.wt); j += stride {
		w := g.w[j]
		a := math.Atan2(w*sin, 1-w+w*cos)
		sum += g.wt[j] * math.Exp(g.power/2*math.Log1p(-4*w*(1-w)*half)-t*a)
	}
	return sum * float64(stride)
}

// logShift estimates log B at theta on a planning grid.
func logShift(g *grid, l *law, theta, t float64) float64 {
	y := theta * l.sigma
	return y*y/2 + math.Log(shiftSum(g, theta, t, 1))
}

// bestTheta improves theta for t by trial on a planning grid.
func bestTheta(g *grid, l *law, theta, t float64) (best, value float64) {
	const top, factor = 0.97 * math.Pi, 1.35
	if !(theta > 0) {
		theta = 1e-3
	}
	theta = min(theta, top)
	value = logShift(g, l, theta, t)
	up, moved := true, false
	for range 24 {
		next := theta / factor
		if up {
			next = min(theta*factor, top)
		}
		if v := logShift(g, l, next, t); v < value {
			theta, value, moved = next, v, true
			continue
		}
		if !up || moved {
			break
		}
		up = false
	}
	return theta, value
}

// firstTheta is the optimum of the second-order expansion of log B in theta.
func firstTheta(g *grid, l *law, t float64) float64 {
	var mean, square, mixed float64
	for j, wt := range g.wt {
		w := g.w[j]
		mean += wt * w
		square += wt * w * w
		mixed += wt * w * (1 - w)
	}
	d := l.sigma*l.sigma + t*t*max(0, square-mean*mean) - g.power*mixed
	if !(d > 0) {
		d = l.sigma * l.sigma
	}
	return min(t*mean/d, 2.5)
}

// shiftBound returns a bound of log sup over t' >= t of |phi(t')| by the shift theta, never above 0. The quadrature error of B should be
// small against fine; errZ is the relative error of Z as the grid has it. The sum takes every stride-th node, odd so that the rule keeps its end.
func shiftBound(g *grid, l *law, st *strip, theta, fine, t, errZ float64) float64 {
	if !(theta > 0 && theta < 0.98*math.Pi) {
		return 0
	}
	y := theta * l.sigma * (1 + 4*unit)
	grow := func(w, angle float64) float64 { // log F*
		if !l.add {
			return 0
		}
		sin := math.Sin(min(angle, math.Pi) / 2)
		k := 1.0
		if w <= 0.5 {
			k = 4 * w * (1 - w)
		}
		return g.power / 2 * math.Log1p(-k*sin*sin)
	}
	we := l.tilt(g.end)
	high := min(math.Pi/2, math.Pi-theta) * l.sigma
	var alpha float64
	stride := 9
	for ; ; stride -= 2 {
		rate := 2 * math.Pi / (g.step * float64(stride))
		alpha = math.Inf(1)
		for _, f := range [...]float64{0.97, 0.7, 0.45, 0.25, 0.12} {
			a := min(f*high, 9)
			grown := grow(we, theta+a*l.s)
			far := math.Exp(grown)
			if l.add { // the better of all splits, as in strip.go
				for k, j := range st.node {
					if j > 0 {
						far = min(far, math.Exp(grow(g.w[j], theta+a*l.s))+math.Exp(grown)*st.mass[k])
					}
				}
			}
			inner := math.Exp(a*a/2+math.Ln2-rate*a) * far / -math.Expm1(-rate*a)
			alpha = min(alpha, inner+2*g.density*math.Exp(grown)*endPart(a/2, rate, a))
		}
		if stride == 1 || alpha < 0.01*fine {
			break
		}
	}
	sum := shiftSum(g, theta, t, stride)
	rest := g.tail + float64(stride)*g.wt[len(g.wt)-1] // the first node left out by the stride weighs less than the last one kept
	if l.add {
		// left: F* at the last node. Right: |r(x+iy)| increases in x while theta <= pi/2, so log G falls at least like -x there.
		rest *= math.Exp(grow(g.w[len(g.w)-1], theta))
		x := g.end - g.step/2
		if theta <= math.Pi/2 && x > 0 {
			rest += g.wt[0] * math.Exp(grow(g.w[0], theta)) / (g.step * x)
		} else {
			rest += g.tail * math.Exp(grow(1, theta))
		}
	}
	if g.cut {
		rest += y * g.density // the vertical end of the shifted contour
	}
	b := y*y/2 + math.Log((sum*(1+1e-9)+alpha+rest)*(1+1.05*errZ)) + 1e-12
	if !(b < 0) {
		return 0
	}
	return b
}
