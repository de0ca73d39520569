package contour

import "math"

// series is the sum over the line, ready to be evaluated at any eps:
//
//	S_h(eps) = e^(K-c eps) h/(2 pi) * sum_k amp_k cos(phase_k - t_k (eps-M)),
//
// k and -k taken together. Theorem 1 (Poisson summation of the non-negative integrable e^(cy) delta(y), whose transform is O(t^-2)):
// S_h(eps) = sum over all m of e^(c m P) delta(eps + m P), P = 2 pi/h. So S_h >= delta, and for every c' > c
//
//	S_h - delta <= 1/(e^(cP)-1) + kappa(c') e^(K(c')-c' eps-(c'-c)P) / (1-e^(-(c'-c)P)):
//
// delta <= 1 for m < 0; (1-e^-y)_+ <= kappa(c') e^(c'y) for m > 0. In the add direction without Gaussian parts the loss is at most sup,
// and the second term is 0 where eps + P >= sup.
//
// Beyond the last node N: sum over k > N of h/(kh)^2 <= 1/(N h), hence a tail of at most e^(K-c eps) B/(pi N h).
type series struct {
	c, h         float64
	k, errK      float64 // K(c), error of K(c) - c eps less the part that depends on eps
	m, absM      float64
	kHigh, high  float64 // upper bound of K(c'), c'
	period       float64 // 2 pi/h, not above it
	sup          float64 // largest loss, +Inf if none
	cutMass      float64
	logTail      float64 // log of B/(pi N h)
	amp, phase   []float64
	fixed, slope float64 // error of the sum: fixed + slope*|eps-M| + ...
}

// assemble turns the totals of one direction into a series.
func (s *series) assemble(t *totals, p *plan, mu2 float64, sums float64) {
	c, h := p.c, p.h
	amp, phase := s.amp[:0], s.phase[:0]
	if n := len(t.logs); cap(amp) < n {
		all := make([]float64, 2*n)
		amp, phase = all[:0:n], all[n:n:2*n]
	}
	gauss := mu2 * 9 * unit // four ulp of mu2 and the products
	// the Gaussian part: K = z(z+1) mu2/2
	k := t.k + c*(c+1)*mu2/2
	*s = series{
		c: c, h: h, k: k, m: t.m + (2*c+1)*mu2/2, absM: t.absM + (2*c+1)*mu2/2,
		errK:  1.05 * (t.errK + unit*(sums+4)*(t.absK+c*(c+1)*mu2) + c*(c+1)*gauss),
		kHigh: t.high + p.high*(p.high+1)*mu2/2*(1+20*unit) + 1e-12*(1+math.Abs(t.high)), high: p.high,
		period: 2 * math.Pi / h * (1 - 4*unit), sup: math.Inf(1), cutMass: t.cut * (1 + 1e-12),
		amp: amp, phase: phase,
	}
	if mu2 == 0 && t.sup > 0 {
		s.sup = t.sup * (1 + sums*unit)
	}
	last := float64(len(t.logs)-1) * h
	far := last + h
	s.logTail = t.logB*(1-1e-10) - far*far*mu2/2*(1-1e-14) - math.Log(math.Pi*last) + 1e-10
	if len(t.logs) < 2 {
		s.logTail = math.Inf(1)
	}
	for k := range t.logs {
		tk := float64(k) * h
		size := math.Hypot(c, tk) * math.Hypot(1+c, tk)
		lg := t.logs[k] - tk*tk*mu2/2
		a := math.Exp(lg) / size
		e := t.errs[k] + tk*tk*gauss + tk*(2*c+1)*gauss +
			unit*(sums+6)*tk*s.absM + unit*(8+2*math.Abs(lg)+6*math.Abs(t.args[k]))
		if k > 0 {
			a *= 2
		}
		if (k > 0 && t.lost[k]) || !(e < 0.5) {
			s.fixed += a * math.Exp(e) * (1 + 1e-9)
			a, e = 0, 0
		}
		s.amp = append(s.amp, a)
		s.phase = append(s.phase, t.args[k]-math.Atan2(tk, c)-math.Atan2(tk, 1+c))
		s.fixed += a * (math.Expm1(e) + 20*unit)
		s.slope += a * tk * 4 * unit
	}
	// drop the far nodes that weigh nothing
	var total, off float64
	for _, a := range s.amp {
		total += a
	}
	n := len(s.amp)
	for n > 1 && off+s.amp[n-1] < 1e-17*s.amp[0] {
		n--
		off += s.amp[n]
	}
	s.amp, s.phase = s.amp[:n], s.phase[:n]
	s.fixed = 1.05 * (s.fixed + off + float64(n)*unit*total)
}

// at returns the sum and its derivative in eps.
func (s *series) at(eps float64) (y, dy float64) {
	x := eps - s.m
	for k, a := range s.amp {
		t := float64(k) * s.h
		sin, cos := math.Sincos(s.phase[k] - t*x)
		y += a * cos
		dy += a * t * sin
	}
	return y, dy
}

// logAt estimates log S_h(eps) and its derivative.
func (s *series) logAt(eps float64) (v, dv float64) {
	y, dy := s.at(eps)
	return s.k - s.c*eps + math.Log(s.h/(2*math.Pi)*y), dy/y - s.c
}

// sides are proved bounds of delta(eps), relative to e^logRef.
type sides struct {
	lower, upper                   float64
	rounding, truncation, aliasing float64
}

// bounds evaluates delta(eps) from both sides, relative to e^logRef. NaN in, NaN out: callers accept only what compares true.
func (s *series) bounds(eps, logRef float64) sides {
	y, _ := s.at(eps)
	x := math.Abs(eps - s.m)
	errY := s.fixed + s.slope*(x+math.Abs(eps)+math.Abs(s.m))
	g := s.k - s.c*eps - logRef
	e := s.errK + 6*unit*(math.Abs(s.k)+math.Abs(s.c*eps)+math.Abs(logRef)+1)
	front := s.h / (2 * math.Pi)
	up, down := math.Exp(g+e)*(1+16*unit), math.Exp(g-e)*(1-16*unit)
	var r sides
	tail := up * math.Exp(s.logTail)
	r.truncation = tail + math.Exp(math.Log(s.cutMass)-logRef)*(1+1e-12)
	r.aliasing = s.alias(eps, logRef)
	r.upper = (up*front*(y+errY) + r.truncation) * (1 + 8*unit)
	r.lower = (down*front*(y-errY)-tail-r.aliasing)*(1-8*unit) - 8*unit*(tail+r.aliasing)
	r.rounding = (up*(y+errY) - down*(y-errY)) / 2 * front
	return r
}

// alias bounds S_h - delta at eps, relative to e^logRef; every exponential is of a difference.
func (s *series) alias(eps, logRef float64) float64 {
	cp := s.c * s.period
	d := (s.high - s.c) * s.period
	slip := 8 * unit * (cp + d + math.Abs(logRef) + math.Abs(s.kHigh) + math.Abs(s.high*eps))
	left := math.Exp(-cp-logRef+slip) / -math.Expm1(-cp)
	right := 0.0
	if !(eps+s.period*(1-4*unit) >= s.sup) {
		right = math.Exp(logKappa(s.high)+s.kHigh-s.high*eps-d-logRef+slip) / -math.Expm1(-d)
	}
	return (left + right) * (1 + 1e-9)
}
