package contour

import "math"

// plan holds the choices for one evaluation of one direction. None of them enters the proof.
type plan struct {
	c, h   float64 // line Re z = c, spacing
	nodes  int     // nodes k = 0..nodes-1
	high   float64 // c' of the alias bound, above c
	eps    float64 // about eps(delta), or the eps asked for
	logDel float64 // about log delta(eps), or that asked for
	vr     float64 // second derivative of K - log z - log(z+1) at c
	scale  float64 // factor on the steps in x
	tail   float64 // target of the truncated tail in log phi^T
	count  float64 // executions in all: errors of single parts are kept small against 1/count
	work   float64 // most products for the parts of one chunk
}

// cell stands for one or several similar parts while planning.
type cell struct {
	law
	grid  grid
	theta float64
}

// Margins of the plan, as logs relative to delta.
const (
	aliasMargin = 30
	tailMargin  = 30
)

const maxNodes = 30000 // on the line

// planner carries the representatives of the parts.
type planner struct {
	cells []cell
	mu2   float64
	limit int // nodes in x for one planning grid
}

// at evaluates K, K' and K” of the composition at c by coarse sums, and reports whether they are usable.
func (pl *planner) at(c float64) (k, k1, k2 float64, ok bool) {
	k, k1, k2 = c*(c+1)*pl.mu2/2, (2*c+1)*pl.mu2/2, pl.mu2
	for i := range pl.cells {
		ce := &pl.cells[i]
		if !ce.grid.fill(&ce.law, c, coarseStep(&ce.law, c), 10+math.Log(ce.count), pl.limit) {
			return 0, 0, 0, false
		}
		k += ce.count * ce.grid.logZ
		k1 += ce.count * ce.grid.mean
		k2 += ce.count * ce.grid.vr
	}
	return k, k1, k2, k2 < math.Inf(1)
}

// coarseStep is the step at which the error of K is about e^-6/count.
func coarseStep(l *law, c float64) float64 {
	a := min(0.97*math.Pi*l.sigma, 6)
	step := 2 * math.Pi * a / (8 + math.Log(l.count) + a*a/2)
	if l.add {
		y := l.reach(c)
		w := l.tilt(y)
		step /= math.Sqrt(1 + c*w*(1-w)*l.s*l.s)
	}
	return few(min(step, 1.2))
}

// solve finds the root in c of an increasing f, given with its derivative c^2 V in log c, by bracketed Newton steps in log c, to about
// a third of the width 1/sqrt(V) of the saddle.
func (pl *planner) solve(c float64, f func(c float64) (v, slope float64, ok bool)) (float64, bool) {
	lo, hi := -18.5, 18.5
	x := max(lo, min(hi, math.Log(c)))
	for range 60 {
		c = few(math.Exp(x))
		v, slope, ok := f(c)
		var next float64
		switch {
		case !ok:
			hi = x
			next = max((lo+hi)/2, x-1)
		case v > 0:
			hi = x
			next = x - min(1.5, v/slope)
		default:
			lo = x
			next = x + min(1.5, -v/slope)
		}
		if ok && math.Abs(v) < 0.35*math.Sqrt(slope) {
			return c, true
		}
		if !(next > lo && next < hi) {
			next = (lo + hi) / 2
		}
		if hi-lo < 1e-7 {
			return c, ok && x > -18.4 && x < 18.4
		}
		x = next
	}
	return c, false
}

// guess is c of the Gaussian with about the same second moment.
func (pl *planner) guess(logDel float64) float64 {
	return math.Sqrt(2*max(1, -logDel)) / math.Sqrt(pl.spread())
}

// spread is about the variance of the loss.
func (pl *planner) spread() float64 {
	sum := pl.mu2
	for i := range pl.cells {
		sum += pl.cells[i].count * weight(&pl.cells[i].law)
	}
	return sum
}

// weight is about the variance of the loss of one execution.
func weight(l *law) float64 {
	return l.s * l.s * min(1, l.q*l.q*math.Expm1(min(2*l.half, 600))/(2*l.half))
}

// forDelta plans the search for eps(delta): c minimises (K(c)-log delta-log c-log(1+c)-log(2 pi)/2)/c, whose minimum is about eps.
func (pl *planner) forDelta(delta float64) (plan, error) {
	ld := math.Log(delta)
	var p plan
	var k, k1, k2 float64
	c, ok := pl.solve(pl.guess(ld), func(c float64) (float64, float64, bool) {
		var ok bool
		k, k1, k2, ok = pl.at(c)
		v := k2 + 1/(c*c) + 1/((1+c)*(1+c))
		return c*k1 - 1 - c/(1+c) - k + math.Log(c*(1+c)) + 0.919 + ld, c * c * v, ok
	})
	if !ok {
		return p, refuse("no saddle point for delta = %g", delta)
	}
	p.c, p.logDel = c, ld
	p.eps = (k - ld - math.Log(c*(1+c)) - 0.919) / c
	return p, pl.line(&p, k, k1, k2)
}

// forEps plans the evaluation of delta(eps): c is the root of K'(c) = eps + 1/c + 1/(1+c).
func (pl *planner) forEps(eps float64) (plan, error) {
	var p plan
	var k, k1, k2 float64
	spread := pl.spread()
	c, ok := pl.solve(max(0.3/math.Sqrt(spread), (eps-spread/2)/spread), func(c float64) (float64, float64, bool) {
		var ok bool
		k, k1, k2, ok = pl.at(c)
		v := k2 + 1/(c*c) + 1/((1+c)*(1+c))
		return c*(k1-eps) - 1 - c/(1+c), c * c * v, ok
	})
	if !ok {
		return p, refuse("no saddle point for eps = %g", eps)
	}
	p.c, p.eps = c, eps
	v := k2 + 1/(c*c) + 1/((1+c)*(1+c))
	p.logDel = k - c*eps - math.Log(c*(1+c)*math.Sqrt(2*math.Pi*v))
	return p, pl.line(&p, k, k1, k2)
}

// line chooses c', the spacing and the length of the line. On return the grids of the cells are those at c.
func (pl *planner) line(p *plan, k, k1, k2 float64) error {
	c := p.c
	p.count, p.scale = 1, 1
	for i := range pl.cells {
		p.count += pl.cells[i].count
	}
	p.vr = k2 + 1/(c*c) + 1/((1+c)*(1+c))
	lead := math.Log(c * (c + 1) * math.Sqrt(2*math.Pi*p.vr)) // delta is about e^(K-c eps-lead)
	period := (aliasMargin - p.logDel) / c
	// minimise (K(c+d)-K(c)-d eps+log kappa+lead+margin)/d over d
	d := math.Sqrt(2 * (aliasMargin + max(0, lead)) / p.vr)
	best := math.Inf(1)
	try := func(d float64) (r, step float64) {
		high := few(c + d)
		d = high - c
		k3, m3, v3, ok := pl.at(high)
		if !ok {
			return math.Inf(1), math.NaN()
		}
		a := logKappa(high) + lead + aliasMargin
		rise := k3 - k - d*p.eps
		r = (rise + a) / d
		if r < best {
			best, p.high = r, high
		}
		return r, (d*(m3-p.eps) - rise - a) / (d * d * v3)
	}
	first := d
	for range 8 {
		r, step := try(d)
		if math.IsInf(r, 1) {
			d /= 2
			continue
		}
		if !(math.Abs(step) >= 0.15) {
			break
		}
		d *= math.Exp(-max(-1.5, min(1.5, step)))
	}
	if best > 1.5*max(period, 12*math.Sqrt(p.vr)) { // K may turn up so sharply that the steps jump over the minimum
		pl.scan(first, try)
	}
	if !(best < math.Inf(1)) {
		return refuse("the loss has no usable moment above order %g", c+1)
	}
	period = max(period, best)
	if !(period > 0) { // delta is planned far above 1
		return refuse("no spacing at order %g", c+1)
	}
	if _, _, _, ok := pl.at(c); !ok {
		return refuse("the grid at order %g is too long", c+1)
	}
	p.h = few(2 * math.Pi / period)
	return pl.length(p, lead)
}

// scan looks for the minimum of try on a geometric grid around d, then between its neighbours.
func (pl *planner) scan(d float64, try func(d float64) (r, step float64)) {
	const ratio = 1.3
	at, least := 0.0, math.Inf(1)
	for x := d / 32; x < 3*d; x *= ratio {
		r, _ := try(x)
		if r < least {
			at, least = x, r
		}
		if r > 4*least { // far beyond the minimum
			break
		}
	}
	if at == 0 {
		return
	}
	lo, hi := math.Log(at/ratio), math.Log(at*ratio)
	const golden = 0.38
	x := math.Log(at)
	for range 7 {
		y := x + golden*(hi-x)
		if hi-x < x-lo {
			y = x - golden*(x-lo)
		}
		r, _ := try(math.Exp(y))
		switch {
		case r < least && y > x:
			lo, x, least = x, y, r
		case r < least:
			hi, x, least = x, y, r
		case y > x:
			hi = y
		default:
			lo = y
		}
	}
}

// length finds the number of nodes after which the shift bound of the tail is below e^-tailMargin.
func (pl *planner) length(p *plan, lead float64) error {
	t := math.Sqrt(2.2 * tailMargin / p.vr)
	last := math.Inf(1)
	for i := range pl.cells {
		pl.cells[i].theta = firstTheta(&pl.cells[i].grid, &pl.cells[i].law, t)
	}
	for range 80 {
		if !(t/p.h < maxNodes) {
			return refuse("the characteristic function does not decay within %d nodes", maxNodes)
		}
		sum := -t * t * pl.mu2 / 2
		for i := range pl.cells {
			ce := &pl.cells[i]
			var v float64
			ce.theta, v = bestTheta(&ce.grid, &ce.law, ce.theta, t)
			sum += ce.count * min(v, 0)
		}
		p.tail = min(-1, -tailMargin-lead+math.Log(math.Pi*t))
		if sum <= p.tail {
			p.nodes = int(math.Ceil(t/p.h)) + 1
			return nil
		}
		factor := 1.6
		if sum < -0.5 {
			factor = max(1.04, min(1.6, 1.02*math.Sqrt(p.tail/sum)))
		} else if t > 100/math.Sqrt(p.vr) && sum > 0.98*last {
			return refuse("the characteristic function does not decay")
		}
		last = sum
		for i := range pl.cells {
			pl.cells[i].theta *= factor
		}
		t *= factor
	}
	return refuse("the characteristic function decays too slowly")
}

// logKappa is log of (c/(1+c))^c/(1+c), the largest value of (1-e^-y)/e^(cy).
func logKappa(c float64) float64 {
	return -c*math.Log1p(1/c) - math.Log1p(c)
}
