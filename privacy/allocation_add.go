package privacy

import "math"

// add returns an upper bound on log E[S^-c], c = a-1, within about 2e-3 of E[S^-c]-1, or of that of removing (a logarithm of 1 + it is given) if
// that is larger. It reports false where the integral below would be too long.
//
// With S^-c = ∫z^(c-1)·e^(-zS)dz / Gamma(c) and independent terms,
//
//	E[S^-c] - 1 = ∫ W·(G-1) dτ / Gamma(c),  z = e^τ,  W = z^c·e^-z,  G = E[e^(-z(S-1))] = (1+h(z/steps))^steps,
//
// where h(y) = E[phi(-y(L-1))], phi(w) = e^w-1-w >= 0. G is convex in z (a moment generating function) and, since it increases, in τ; W is
// log-concave. On a cell of τ, G-1 lies below its chord and W below its tangent exponential, and the product integrates in closed form.
//
// Ends. G(0) = 1 and convexity give G-1 <= (G(z0)-1)·z/z0 below z0, where the integral is at most (G(z0)-1)·z0^c/(c+1). Beyond z1, with
// z^c <= z^(c+p)/z1^p, it is at most Gamma(c+p)·E[S^-(c+p)]/z1^p, and the moment there is bounded by that of the geometric mean.
func (m allocated) add(a, remove float64) (float64, bool) {
	c, s2, steps := a-1, m.sigma*m.sigma, float64(m.steps)
	if !(c <= 1e4 && m.sigma >= 0.2 && m.sigma <= 1e4) {
		return 0, false
	}
	gamma, _ := math.Lgamma(c + 1)
	gamma -= math.Log(c) // of Gamma(c); all in all good to 1e-10 for the orders admitted
	spare := math.Log(math.Expm1(min(remove, 600))) - 14
	z1 := math.Inf(1) // its logarithm
	for p := 1.0; p < 2048; p *= 1.5 {
		beyond, _ := math.Lgamma(c + p)
		z1 = min(z1, (beyond-gamma+(c+p)/(2*s2)+(c+p)*(c+p)/(2*s2*steps)-spare)/p)
	}
	z1 += 1e-9
	z0 := math.Log(c+1) - 18/(c+2) - math.Sqrt(36/(c+2))
	width := 0.04 / math.Sqrt(1+c)
	cells := math.Ceil((z1 - z0) / width)
	if !(cells >= 1 && cells <= 4000) {
		return 0, false
	}
	width = (z1 - z0) / cells
	var sum scaled
	excess, ok := m.excess(math.Exp(z0))
	sum.add(c*z0, excess/(c+1), 100)
	for i := 0.0; i < cells && ok; i++ {
		var next float64
		next, ok = m.excess(math.Exp(z0 + (i+1)*width))
		next = max(next, excess) // so the slope is not negative; larger is safe
		mid := z0 + (i+0.5)*width
		z := math.Exp(mid)
		slope := c - z
		half := slope * width / 2
		level := width * (1 + half*half/6*math.Cosh(half)) // at least ∫e^(slope·x)dx
		moment := slope * width * width * width / 12       // at least ∫x·e^(slope·x)dx
		if slope > 0 {
			moment *= math.Cosh(half)
		}
		g := (excess+next)/2*level + (next-excess)/width*moment
		sum.add(c*mid-z, max(g, 0), 20*(c*math.Abs(mid)+z)+200)
		excess = next
	}
	if !ok {
		return 0, false
	}
	l := math.Log(sum.total(1, 0)) + sum.shift - gamma
	k := math.Exp(l)*(1+1e-9) + math.Exp(spare)*(1+1e-9)
	if !(k < 1e200) {
		return 0, false
	}
	return up(math.Log1p(k), 4), true
}

// excess returns an upper bound on G(z)-1, and false where that is too large to be of use.
//
// h is a trapezoid rule over x ~ N(0,1), u = s·x - s²/2, L = e^u, s = 1/sigma. On the line Im x = b with s·b <= π/2 the real part of L is not
// negative, so |phi(-y(L-1))| <= y²·(|L|+1)²/2·e^y, whose mean is at most y²·e^y·(e^(s²)+3)/2, and the rule is wrong by twice that times
// e^(b²/2)/(e^(2πb/dx)-1). Beyond -cut, phi <= phi(y), beyond s+cut, phi <= y·L, which shifts the normal density by s.
// An error of u by 4·ulp·(s²+15s) moves a term with |u| >= s/1000 by less than 1e-10·(2+y)·(1+s) of it, and the others weigh less than 1e-6 of h.
func (m allocated) excess(z float64) (float64, bool) {
	const cut = 11
	s, steps := 1/m.sigma, float64(m.steps)
	y := z / steps
	if !(y < 200) {
		return 0, false
	}
	b := min(math.Pi/2*m.sigma, 8)
	accuracy := 40 + y + s*s
	dx := 2 * math.Pi * b / (accuracy + b*b/2 + 0.1)
	first, last := math.Floor(-cut/dx), math.Ceil((s+cut)/dx)
	sum := 0.0
	for i := first; i <= last; i++ {
		x := i * dx
		sum += phi(-y*math.Expm1(s*x-s*s/2)) * math.Exp(-x*x/2)
	}
	normal := math.Exp(-cut*cut/2) / cut
	h := (sum*dx + (phi(y)+y)*normal) / math.Sqrt(2*math.Pi)
	h = h*(1+1e-9*(2+y)*(1+s)) + 4*y*y*math.Exp(-40)
	l := steps * math.Log1p(h)
	if !(l < 600) {
		return 0, false
	}
	return math.Expm1(l) * (1 + 1e-12), true
}
