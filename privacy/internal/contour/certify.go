package contour

import "math"

// totals are the proved sums over parts: what the assembly needs, and nothing that grows with their number.
type totals struct {
	k, absK, errK float64 // K(c), sum of |T K|, error
	m, absM       float64 // sum of T m and of |T m|
	high          float64 // upper bound of K(c')
	logB          float64 // bound of log of the product of |phi|^T beyond the last node
	sup           float64 // upper bound of the largest loss (add)
	cut           float64 // mass of the losses cut off, at most
	grid          int     // nodes in x
	work          float64 // nodes in x times nodes on the line
	// per node of the line, k >= 1: log|phi|, its argument, the error of log phi, all summed with T; lost marks nodes whose
	// error is beyond half of |phi|, where logs holds an upper bound.
	logs, args, errs []float64
	lost             []bool
}

func (t *totals) reset(nodes int) {
	l, a, e, b := t.logs, t.args, t.errs, t.lost
	if cap(l) < nodes {
		all := make([]float64, 3*nodes)
		l, a, e, b = all[:nodes:nodes], all[nodes:2*nodes:2*nodes], all[2*nodes:], make([]bool, nodes)
	}
	*t = totals{logs: l[:nodes], args: a[:nodes], errs: e[:nodes], lost: b[:nodes]}
	clear(t.logs)
	clear(t.args)
	clear(t.errs)
	clear(t.lost)
}

// merge adds the sums of another range of parts.
func (t *totals) merge(o *totals) {
	t.k += o.k
	t.absK += o.absK
	t.errK += o.errK
	t.m += o.m
	t.absM += o.absM
	t.high += o.high
	t.logB += o.logB
	t.sup += o.sup
	t.cut += o.cut
	t.grid += o.grid
	for k, l := range o.logs {
		t.logs[k] += l
		t.args[k] += o.args[k]
		t.errs[k] += o.errs[k]
		t.lost[k] = t.lost[k] || o.lost[k]
	}
}

// scratch is what the work on one part needs.
type scratch struct {
	coarse, fine grid
	strip        strip
	phases       phases
	re, im       []float64
}

// step lays the coarse grid and chooses the step of the fine one: alpha(t) count |phi|^T <= 1e-14 along the line, with |phi|^T taken as
// e^(-0.6 tail (t/last)^2).
func (sc *scratch) step(l *law, p *plan) (float64, bool) {
	last := float64(p.nodes) * p.h
	logT := math.Log(p.count)
	if !sc.coarse.fill(l, p.c, coarseStep(l, p.c), 37+logT, maxGrid) {
		return 0, false
	}
	sc.strip.measure(&sc.coarse, l, p.c)
	step := min(sc.strip.spacing(0, -36-logT), coarseStep(l, p.c))
	for f := 0.25; f <= 1; f += 0.25 {
		step = min(step, sc.strip.spacing(f*last, -32-logT-0.6*p.tail*f*f))
	}
	if sc.coarse.cut {
		step = max(step/5, min(step, sc.strip.cutSpacing(p.count, l.s*l.tilt(l.cut))))
	}
	return few(step * p.scale), true
}

// part adds the proved quantities of one part to t; theta is where the search for the best shift begins. sums is the number of
// additions that any of its numbers passes through.
func (sc *scratch) part(t *totals, l *law, p *plan, theta, sums float64) error {
	n := float64(p.nodes)
	last := n * p.h
	step, ok := sc.step(l, p)
	if !ok {
		return refuse("the grid at order %g is too long", p.c+1)
	}
	theta, guess := bestTheta(&sc.coarse, l, theta, last)
	if guess < -6 { // few executions: the shift bound itself must be summed with a small relative error
		a := min(9, 0.9*min(math.Pi/2, math.Pi-theta)*l.sigma)
		step = few(min(step, 2*math.Pi*a/(a*a/2+7-guess)))
	}
	if !(step > 0x1p-16) {
		return refuse("the grid in x is too fine")
	}
	g := &sc.fine
	if !g.fill(l, p.c, step, 37+math.Log(p.count), maxGrid) {
		return refuse("the grid at order %g is too long", p.c+1)
	}
	work := float64(len(g.wt)) * n
	if t.work += work; !(work <= 6e7 && t.work <= p.work) {
		return refuse("%d nodes in x for %d on the line", len(g.wt), p.nodes)
	}
	slope := g.slacken()
	sc.strip.measure(g, l, p.c)
	flat := sc.strip.alpha(0)
	errK := g.errK() + flat
	if !(errK < 0.01) {
		return refuse("the quadrature of K errs by %g", errK)
	}
	t.grid += len(g.wt)
	t.k += l.count * g.logZ
	t.absK += l.count * math.Abs(g.logZ)
	t.errK += l.count * errK
	t.m += l.count * g.mean
	t.absM += l.count * math.Abs(g.mean)
	t.logB += l.count * shiftBound(g, l, &sc.strip, theta, math.Exp(guess)/p.count, last, errK)
	high, ok := l.upperK(&sc.coarse, p.high, p.count)
	if !ok {
		return refuse("no bound of K(%g)", p.high)
	}
	t.high += l.count * high
	if l.add {
		t.sup -= l.count * math.Log1p(-l.q) * (1 + 1e-14)
	}
	if !math.IsInf(l.cut, 1) {
		t.cut += l.count * l.upperTail(l.cut)
	}
	sc.line(t, l, p, sums, slope, flat)
	return nil
}

// values returns phi-1 of the fine grid at the nodes of the line.
func (sc *scratch) values(l *law, p *plan) (re, im []float64) {
	if cap(sc.re) < p.nodes {
		all := make([]float64, 2*p.nodes)
		sc.re, sc.im = all[:p.nodes:p.nodes], all[p.nodes:]
	}
	re, im = sc.re[:p.nodes], sc.im[:p.nodes]
	clear(re)
	clear(im)
	sign := 1.0
	if l.add {
		sign = -1
	}
	sc.phases.add(&sc.fine, sign, sc.fine.mean, p.h, re, im)
	return re, im
}

// line adds log phi at the nodes of the line. With |phi-hat - phi| <= e < |phi-hat|/2 the logarithm errs by e/(|phi-hat|-e), and its
// computation by 8u times |phi-hat - 1| and 4u times itself; sums of parts by u per addition.
func (sc *scratch) line(t *totals, l *law, p *plan, sums, slope, flat float64) {
	re, im := sc.values(l, p)
	block := max(1, (p.nodes+11)/12) // alpha increases: one value serves a block
	var alpha float64
	for k := 1; k < p.nodes; k++ {
		if k%block == 1 || block == 1 {
			alpha = flat + sc.strip.alpha(float64(min(k+block-1, p.nodes))*p.h)
		}
		a, b := re[k], im[k]
		e := slope*float64(k)*p.h + alpha
		two := 2*a + (a*a + b*b)
		var lg, rnd, size float64
		if two > -0.75 {
			lg = math.Log1p(two) / 2
			size = math.Sqrt(1 + two)
			rnd = 4 * unit * (2*math.Abs(a) + a*a + b*b) / (1 + two)
		} else {
			size = math.Hypot(1+a, b)
			lg = math.Log(size)
			rnd = 16 * unit
		}
		size *= 1 - 1e-12
		arg := math.Atan2(b, 1+a)
		if !(e < 0.5*size) {
			t.logs[k] += l.count * math.Log((size+e)*(1+4e-12))
			t.lost[k] = true
			continue
		}
		t.logs[k] += l.count * lg
		t.args[k] += l.count * arg
		t.errs[k] += l.count * (e/(size-e)*1.0001 + rnd + 16*unit*(math.Abs(a)+math.Abs(b)) +
			unit*(6+sums)*(math.Abs(lg)+math.Abs(arg)))
	}
}

// upperK bounds K(c) from above with a cheap grid: Z <= (computed Z)(1+rest) + inner Z.
func (l *law) upperK(g *grid, c, count float64) (float64, bool) {
	step := coarseStep(l, c)
	var st strip
	for i := range 10 {
		if !g.fill(l, c, step, 20+math.Log(count), maxGrid) {
			return 0, false
		}
		st.measure(g, l, c)
		inner, rest := st.split(0)
		if inner < 0.1/count && (rest < 0.1/count || i > 2 && rest < 1/count) {
			g.slacken()
			return g.logZ + math.Log1p(rest) - math.Log1p(-inner) + g.errK(), true
		}
		step = few(step * 0.7)
	}
	return 0, false
}
