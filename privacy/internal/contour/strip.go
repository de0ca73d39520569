package contour

import "math"

// strip bounds the error of the trapezoid rule on a grid (Theorem 3). f = n0 r^(p(c)+-it) is analytic for |Im y| < pi sigma, where
// r(y+ib) = r(y) ((1-w) + w e^(i theta)), theta = b s. For a rule that ends half a step right of its last node, at X,
//
//	|step*sum - integral to X| <= 2/(e^(2 pi a/step)-1) * max over +-a of the integral to X of |f(y+ia)|
//	                            + integral over 0..a of |f(X+ib)-f(X-ib)| / (e^(2 pi b/step)+1) db
//
// (residues of 1/(e^(-+2 pi i y/step)-1) on two half strips; at X both kernels are -1/(e^(2 pi b/step)+1)). All is divided by Z.
//
// Inner part: |n0(y+ia)| = n0 e^(a^2/2), |r(y+ia)|^p <= r^p F, F = 1 (remove) or (1-4w(1-w) sin^2(theta/2))^(-c/2) (add), and
// |e^(itl)| <= e^(tA), A = arg((1-w)+w e^(i theta)). A increases with w, hence with y, so for every split Y
//
//	integral <= Z e^(a^2/2) [F*(Y) e^(tA(Y)) + F*(X) e^(tA(X)) P_c(y > Y)],
//
// F*(Y) the largest F left of Y: 4w(1-w) is replaced by 1 once w > 1/2.
//
// End part: A <= wbar theta, wbar = w if w <= 1/2 (A is concave in theta) else 1, and log F <= c/2 * (-log(1-k S)/S) * 0.3624 theta at
// S = sin^2(theta_a/2) (convex in S, sin^2(x/2) <= 0.3624 x). So |f(X+-ib)| <= f(X) e^(beta b), beta = a/2 + t wbar s + beta_F, and the
// end part is at most 2 f(X)/(rate-beta), rate = 2 pi/step, or 2 f(X) a e^(a (beta-rate)) where that is not positive. Where the law is cut
// at X, f(X) is not tiny; there the difference is at most 2 b max|f'|, |f'/f| = |-y + (p+it) s w(y)| <= D on the segment with
// |w(X+ib)| <= w(X)/sqrt(1-4w(1-w) sin^2(theta/2)), so that it is at most
// 2 f(X) D/(rate-beta)^2 as well.
type strip struct {
	n       int
	entries [heights * (depths + 2)]entry
	tail    float64
	density float64
	step    float64
	wbar    float64 // times s
	end     float64 // |X|
	power   float64
	// splits: nodes Y and bounds of P_c(y > Y); node 0 stands for none
	node [depths]int
	mass [depths]float64
}

const (
	heights = 7 // values of a
	depths  = 5 // splits
)

// entry is the bound for one height and one split: log of the inner part is max(base1+t slope1, base2+t slope2) - log(e^(2 pi a/step)-1).
type entry struct {
	a, base1, slope1, base2, slope2 float64
	inv                             float64 // 1/a
	beta, steep                     float64 // of the end part: beta at t = 0, s |w| at most
}

// measure fills the table from the profile of a grid.
func (st *strip) measure(g *grid, l *law, c float64) {
	st.n, st.tail, st.density, st.step = 0, g.tail, g.density, g.step
	st.end, st.power = math.Abs(g.end), g.power
	we := min(1, l.tilt(g.end)*(1+1e-11))
	st.wbar = l.s
	if we <= 0.5 {
		st.wbar = we * l.s
	}
	// the splits: nodes whose right tail mass falls just below e^depth
	depth := [depths]float64{-2, -6, -14, -24, -34}
	st.node = [depths]int{}
	next := depths - 1
	limit := math.Exp(depth[next])
	sum := g.density * g.step
	curve := g.step * g.step / 8
	bulge := math.Exp(curve)
	prev := sum
	for j, wt := range g.wt {
		cell := max(prev, wt) * bulge
		if l.add {
			cell *= math.Exp(curve * c * min(0.25, g.w[max(j-1, 0)]) * l.s * l.s)
		}
		for sum+cell > limit && next >= 0 {
			k := max(j-1, 0)
			st.node[next], st.mass[next] = k, 1.01*sum
			next--
			if next >= 0 {
				limit = math.Exp(depth[next])
			}
		}
		if next < 0 {
			break
		}
		sum += cell
		prev = wt
	}
	top := min(0.97*math.Pi*l.sigma, 9)
	for _, f := range [heights]float64{0.03, 0.1, 0.2, 0.34, 0.5, 0.72, 1} {
		a := f * top
		theta := a * l.s
		sin, cos := math.Sincos(theta)
		half := (1 - cos) / 2 // sin^2(theta/2)
		arg := func(w float64) float64 { return math.Atan2(w*sin, 1-w+w*cos) * (1 + 1e-11) }
		grow := func(w float64) float64 {
			if !l.add {
				return 0
			}
			k := 1.0
			if w <= 0.5 {
				k = 4 * w * (1 - w)
			}
			return -c / 2 * math.Log1p(-k*half) * (1 + 1e-11)
		}
		lead := a*a/2 + 2*math.Ln2
		e := entry{a: a, inv: 1 / a, base2: math.Inf(-1), beta: a / 2}
		argE, growE := arg(we), grow(we)
		e.steep = l.s * we / math.Sqrt(max(0, 1-4*we*(1-we)*half)) * (1 + 1e-9)
		if l.add && half > 0 {
			e.beta += growE / half * 0.3624 * l.s
		}
		e.base1, e.slope1 = lead-math.Ln2+growE, argE // one term alone
		st.put(e)
		if l.add && theta <= math.Pi/2 {
			// |a+b e^(i theta)| >= a, so |f(y+ia)| <= n0 e^(a^2/2) (1-q)^-c e^(tA), and Z >= (E r)^-c = 1
			e.base1 = a*a/2 + math.Ln2 - c*math.Log1p(-l.q)*(1+1e-11)
			st.put(e)
		}
		for k, j := range st.node {
			if j == 0 {
				continue
			}
			w := g.w[j]
			e.base1, e.slope1 = lead+grow(w), arg(w)
			e.base2, e.slope2 = lead+growE+math.Log(st.mass[k]), argE
			st.put(e)
		}
	}
}

func (st *strip) put(e entry) {
	if st.n < len(st.entries) {
		st.entries[st.n] = e
		st.n++
	}
}

// logInner is the log of the numerator of the inner part at t: the inner part is e^it/(e^(2 pi a/step)-1).
func (e *entry) logInner(t float64) float64 {
	return max(e.base1+t*e.slope1, e.base2+t*e.slope2)
}

// alpha bounds the quadrature error of f-hat(t)/Z, with the parts of the law outside the nodes; it increases with t.
func (st *strip) alpha(t float64) float64 {
	inner, rest := st.split(t)
	return inner + rest
}

// split returns alpha in two parts: the inner part, relative to the true Z, and the rest, relative to Z as computed.
func (st *strip) split(t float64) (inside, rest float64) {
	best, inner, beta := math.Inf(1), math.Inf(1), 0.0
	height, steep := 1.0, math.Inf(1)
	rate := 2 * math.Pi / st.step
	end := math.Log(2 * st.density)
	for i := range st.entries[:st.n] {
		e := &st.entries[i]
		in := e.logInner(t) - rate*e.a
		b := e.beta + t*st.wbar
		if v := max(in, end+(b-rate)*e.a); v < best {
			best, inner, beta, height, steep = v, in, b, e.a, e.steep
		}
	}
	inner = math.Exp(inner) / -math.Expm1(-rate*height)
	last := endPart(beta, rate, height)
	if beta < rate {
		slope := st.end + height + math.Hypot(st.power, t)*steep
		last = min(last, slope/((rate-beta)*(rate-beta)))
	}
	return 1.05 * inner, 1.05 * (st.tail + 2*st.density*last)
}

// endPart bounds the integral of e^(beta b)/(e^(rate b)+1) over 0..a.
func endPart(beta, rate, a float64) float64 {
	if beta < 0.9*rate {
		return 1 / (rate - beta)
	}
	return a * math.Exp(max(0, (beta-rate)*a))
}

// cutSpacing returns the step at which the end part of a cut law falls to about 1e-10/count at t = 0; it only plans.
func (st *strip) cutSpacing(count, steep float64) float64 {
	return 2 * math.Pi / math.Sqrt(2e10*count*st.density*(st.end+math.Abs(st.power)*steep)+1)
}

// spacing returns the step at which alpha(t) falls to about e^need; it only plans.
func (st *strip) spacing(t, need float64) float64 {
	best := math.Inf(1)
	end := math.Log(2*st.density) - need
	for i := range st.entries[:st.n] {
		e := &st.entries[i]
		if v := (e.logInner(t) - need) * e.inv; v < best {
			beta := e.beta + t*st.wbar
			best = min(best, max(v, beta+min(0.25*beta, max(0, end*e.inv))))
		}
	}
	return 2 * math.Pi / best
}
