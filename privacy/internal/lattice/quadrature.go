package lattice

import "math"

// rule is a Gauss-Legendre rule on [-1, 1].
type rule struct{ x, w []float64 }

// gauss computes the rule of n points by Newton's method on the Legendre polynomial; nodes and weights are good to a few u.
func gauss(n int) rule {
	r := rule{make([]float64, n), make([]float64, n)}
	for i := range n {
		x := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5))
		var d float64
		for range 8 {
			p0, p1 := 1.0, x
			for k := 2; k <= n; k++ {
				p0, p1 = p1, (float64(2*k-1)*x*p1-float64(k-1)*p0)/float64(k)
			}
			d = float64(n) * (x*p1 - p0) / (x*x - 1)
			x -= p1 / d
		}
		r.x[i], r.w[i] = x, 2/((1-x*x)*d*d)
	}
	return r
}

// gaussRules holds the rules of up to maxRule nodes by their number.
func gaussRules() []rule {
	list := make([]rule, maxRule+1)
	for n := 2; n <= maxRule; n++ {
		list[n] = gauss(n)
	}
	return list
}

// maxRule is the greatest number of nodes of a rule.
const maxRule = 16

// quad integrates over outputs of one mixture.
type quad struct {
	m     *Mixture
	tol   float64 // quadrature error relative to the mass of the panel
	rules []rule
	need  [maxRule + 1]float64 // least radius ratio at which the rule of n points is good to tol
}

// newQuad prepares rules for cells of the given loss width.
//
// Quadrature error. The integrands p and p - e^r q are entire: sums of normal densities. On the disc |z-x0| <= R,
// |n(z)| <= n(x0) exp((D R + R^2/2)/s^2), D >= |x0 - mean|. With R = min(4s^2/(D+s), s) the exponent is at most 4.5. A
// panel of half width r = R/t lies in a Bernstein ellipse inside the disc with rho >= 1.98 t for t >= 8, and the rule of
// n points errs by at most r (64/15) M rho^(-2n)/(1-rho^-2) (Trefethen 2008, Theorem 4.5), M <= e^4.5 (p + e^r q)(x0), while
// the mass of the panel is at least 2 r p(x0) e^(-4.5/8). Relative to the mass this is at most 420 (1+e^(r-L)) rho^(-2n).
func newQuad(m *Mixture, step float64) *quad {
	q := &quad{m: m, rules: m.rules}
	q.within(64 * unit * min(1, step))
	return q
}

// within sets the tolerance.
func (q *quad) within(tol float64) {
	q.tol = tol
	for n := 2; n <= maxRule; n++ {
		q.need[n] = max(8, math.Pow(420/tol, 1/float64(2*n))/1.98)
	}
}

// moments are the P-mass of a set of outputs and d = int (1 - e^(ref-L)) dP over it, with bounds of their errors.
type moments struct{ p, d, ep, ed float64 }

func (a *moments) add(b moments) {
	a.p += b.p
	a.d += b.d
	a.ep += b.ep + unit*a.p
	a.ed += b.ed + unit*math.Abs(a.d)
}

// over integrates over [x1, x2].
func (q *quad) over(x1, x2, ref float64) moments {
	var sum moments
	s := q.m.sigma
	last := q.need[maxRule]
	for x1 < x2 {
		dist := max(math.Abs(x1-q.m.lo), math.Abs(x1-q.m.hi)) + s/4
		radius := min(4*s*s/(dist+s), s)
		end, r := x2, (x2-x1)/2
		if !(radius >= last*r) {
			r = radius / last
			if end = x1 + 2*r; !(end < x2) {
				end = x2
			}
			if end == x1 {
				return moments{ep: math.Inf(1), ed: math.Inf(1)}
			}
			r = (end - x1) / 2
		}
		n := 2
		for n < maxRule && radius < q.need[n]*r {
			n++
		}
		sum.add(q.panel(q.rules[n], x1+(end-x1)/2, r, ref))
		x1 = end
	}
	return sum
}

// panel adds up one panel. Per node the weight is off by edens and 16u (nodes off by 2u r change the density by 2u r D/s^2 <= u).
func (q *quad) panel(g rule, mid, r, ref float64) moments {
	var t moments
	e := math.Expm1(ref)
	for i, x := range g.x {
		density, edens, v, ev := q.m.node(mid+r*x, ref, e)
		w := g.w[i] * r * density
		av := math.Abs(v)
		t.p += w
		t.d += w * v
		ew := w * (edens + 16*unit)
		t.ep += ew
		t.ed += ew*av + w*(ev+2*q.tol*(2+av))
	}
	t.ep += (4*unit + 2*q.tol) * t.p
	return t
}

// node is the density of P at x with its relative error and v = 1 - e^(ref-L) with its absolute one; e is expm1(ref) within 4u.
// With the densities n0(1+U_p) and n0(1+U_q) of P and Q, v = (U_p - U_q - e(1+U_q))/(1+U_p): no logarithm is needed, and the rounding
// is relative to U and e, as that of the loss would be.
func (m *Mixture) node(x, ref, e float64) (density, edens, v, ev float64) {
	h := x * x * m.inv
	up, ep, okp := m.excess(m.p, m.restP, x)
	uq, eq, okq := m.excess(m.q, m.restQ, x)
	if !(okp && okq && h <= 600 && math.Abs(ref) <= 600) {
		pt := m.at(x)
		v = -math.Expm1(ref - pt.loss)
		av := math.Abs(v)
		return pt.density, pt.edens, v, (pt.eloss+2*unit*(math.Abs(ref)+math.Abs(pt.loss)))*(1+av)*1.01 + 4*unit*av
	}
	rp, rq := 1+up, 1+uq
	ep += unit * rp
	eq += unit * rq
	v = (up - uq - e*rq) / rp
	ev = (ep+eq*(1+math.Abs(e))+unit*(2*math.Abs(up)+2*math.Abs(uq)+8*math.Abs(e)*rq))/rp + math.Abs(v)*(ep/rp+3*unit)
	return math.Exp(-h) * rp * m.norm(), ep/rp + unit*(7*h+10), v, ev * 1.01
}

// excess is U, where a density is n0(1+U), with its absolute error; false where 1+U is small or exponents are large.
func (m *Mixture) excess(list []Component, rest, x float64) (u, e float64, ok bool) {
	if len(list) == 0 {
		return 0, 0, true
	}
	var abs, top float64
	for i := range list {
		c := list[i].Mean
		a := c * (2*x - c) * m.inv
		top = max(top, math.Abs(a))
		t := list[i].Weight * expm1(a)
		u += t
		abs += math.Abs(t)
	}
	if rest == 0 && len(list) > 1 {
		abs++ // the weights sum to 1 up to rounding only
	}
	return u, (unit*(m.kappa+8*top) + m.werr) * abs, top <= 600 && u >= -0.5
}
