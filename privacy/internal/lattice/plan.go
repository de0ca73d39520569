package lattice

import (
	"fmt"
	"math"
	"slices"
)

// Part is a law, or a composition made before, composed Count times with itself. Exactly one of Law and Prior is set.
type Part struct {
	Law   Law
	Prior *Composed
	Count int
	// Above says that only the upper end is asked for, which saves time; the lower one may be as if the law released nothing.
	Above bool
}

// sketch is a rough law of one execution, for choices on which no proof rests: losses with their masses, which sum to 1.
type sketch struct {
	count      float64
	loss, mass []float64
}

// side is what a plan is made for.
type side int

const (
	bothSides side = iota
	upperSide
	lowerSide
)

// plan holds the choices for one composition: all that makes an answer sharp and nothing that makes it sound.
type plan struct {
	delta   float64
	parts   []Part
	side    side
	foreign bool    // a law is not a mixture
	unit    float64 // of a lattice that carries the atoms of such laws, if above 0
	finest  float64 // step below which such a law has too many points
	rough   []sketch
	grid    []float64 // candidates of the tilt
	k       []float64 // sum of log moments at them
	front   []float64 // log of what divides e^(k-c eps)
	guess   float64   // of eps
	far     float64   // Q-mass of the greatest losses of a mixture that may count as infinite, per step; 0 if none
	raw     []sketch  // as it is without that
	most    float64   // see limits
	zero    float64
	whole   bool    // no mixture is taken apart
	small   float64 // share of delta that one truncation or alias may cost
	wide    bool    // the window is to hold nearly all losses, not only those above eps
	tilt    float64
	first   float64 // lowest loss of the window
	period  float64
}

// maxLaw is about the greatest number of points of a law that is not a mixture.
const maxLaw = 1 << 19

// negligible is the share of delta that one truncation or alias may cost in a law to be composed further, and slight that in an answer.
const (
	negligible = 1e-10
	slight     = 1e-7
)

// newPlans makes one plan for both sides of the answer, if they are near each other, else one for the upper side, and one for the
// lower side if there is one.
func newPlans(parts []Part, delta float64, wide bool) ([]*plan, error) {
	p, err := newPlan(parts, delta, upperSide)
	if err != nil {
		return nil, err
	}
	if p.wide = wide; wide {
		p.small = negligible
		if err := p.clip(p.guess); err != nil {
			return nil, err
		}
		p.aim(p.guess)
	}
	if !p.foreign {
		p.side = bothSides
		return []*plan{p}, nil
	}
	for _, part := range parts {
		if part.Above {
			return []*plan{p}, nil
		}
	}
	low, err := newPlan(parts, delta, lowerSide)
	switch {
	case err != nil: // nothing is known from below
		return []*plan{p}, nil
	case wide || math.Abs(p.guess-low.guess) < 0.05*p.guess:
		p.side = bothSides
		return []*plan{p}, nil
	}
	return []*plan{p, low}, nil
}

func newPlan(parts []Part, delta float64, by side) (*plan, error) {
	p := &plan{delta: delta, parts: parts, side: by, small: slight}
	p.most, p.zero = limits(parts)
	for _, part := range parts {
		if part.Prior != nil {
			for i := range part.Prior.factors {
				f := &part.Prior.factors[i].upper
				if by == lowerSide {
					f = &part.Prior.factors[i].lower
				}
				s := (&power{*f, part.Count}).coarse()
				for k := range s.loss {
					s.loss[k] += f.Offset
				}
				if len(s.loss) > 0 {
					p.rough = append(p.rough, s)
				}
			}
			continue
		}
		if _, ok := part.Law.(*Mixture); !ok {
			p.foreign = true
		}
		s, err := part.roughly(by)
		if err != nil {
			return nil, err
		}
		if s.count = float64(part.Count); len(s.loss) > 0 {
			p.rough = append(p.rough, s)
			if _, ok := part.Law.(*Mixture); !ok {
				p.finest = max(p.finest, (s.loss[len(s.loss)-1]-s.loss[0])/maxLaw)
			}
		}
	}
	if len(p.rough) == 0 {
		return nil, fmt.Errorf("lattice: no law has any mass")
	}
	p.unit = unitOf(parts)
	p.finest = max(p.finest, p.unit/4096) // atoms stay where they are on any of them
	p.raw = p.rough
	if err := p.sum(); err != nil {
		return nil, err
	}
	p.guess = p.saddle()
	for range 2 {
		if err := p.clip(p.guess); err != nil {
			return nil, err
		}
		p.guess = p.saddle()
	}
	p.aim(p.guess)
	return p, nil
}

// clip chooses far for a guess of eps: where the Q-mass of all steps together costs the smallest share of delta. Rare jumps to
// great losses, which nearly all count in full anyway, then do not make the period long.
func (p *plan) clip(eps float64) error {
	prior := slices.ContainsFunc(p.parts, func(x Part) bool { return x.Prior != nil })
	if p.foreign || prior || p.wide {
		p.far, p.rough = 0, p.raw
		return p.sum()
	}
	var total float64
	for _, s := range p.raw {
		total += s.count
	}
	p.far = 1e-6 * p.delta * math.Exp(-max(0, eps)) / total
	p.rough = make([]sketch, len(p.raw))
	for i, s := range p.raw {
		p.rough[i] = s.clipped(p.far)
	}
	return p.sum()
}

// clipped gathers the greatest losses, of the Q-mass far, in one.
func (s sketch) clipped(far float64) sketch {
	n, rest := len(s.loss), 0.0
	var mass float64
	for ; n > 1; n-- {
		q := s.mass[n-1] * math.Exp(-s.loss[n-1])
		if !(rest+q <= far) || s.loss[n-1] < s.loss[n-2] {
			break
		}
		rest += q
		mass += s.mass[n-1]
	}
	if n == len(s.loss) {
		return s
	}
	return sketch{s.count, append(slices.Clone(s.loss[:n]), s.loss[n]), append(slices.Clone(s.mass[:n]), mass)}
}

// sum tabulates the moments of the sketches.
func (p *plan) sum() error {
	p.grid, p.k = p.grid[:0], p.k[:0]
	for z := 1e-3; z < 1e8; z *= 1.3 {
		k := logMomentOf(p.rough, z)
		if !(k < 1e12) {
			break
		}
		p.grid = append(p.grid, z)
		p.k = append(p.k, k)
	}
	if len(p.grid) == 0 {
		return fmt.Errorf("lattice: losses are too large for any tilt")
	}
	// The saddle point: delta(eps) is about e^(K(c)-c eps)/(c(1+c) sqrt(2 pi V)), V = K''(c) + 1/c^2 + 1/(1+c)^2; Chernoff
	// where K'' makes no sense.
	p.front = make([]float64, len(p.grid))
	for i, c := range p.grid {
		p.front[i] = c*math.Log1p(1/c) + math.Log1p(c)
		if i > 0 && i+1 < len(p.grid) {
			a, b := p.grid[i-1], p.grid[i+1]
			v := 2 * ((p.k[i+1]-p.k[i])/(b-c) - (p.k[i]-p.k[i-1])/(c-a)) / (b - a)
			p.front[i] = max(p.front[i], math.Log(c*(1+c))+0.5*math.Log(2*math.Pi*(max(v, 0)+1/c/c+1/(1+c)/(1+c))))
		}
	}
	return nil
}

// saddle is a guess of eps.
func (p *plan) saddle() float64 {
	eps := math.Inf(1)
	for i, c := range p.grid {
		eps = min(eps, (p.k[i]-p.front[i]-math.Log(p.delta))/c)
	}
	return eps
}

// at aims at eps and guesses delta there.
func (p *plan) at(eps float64) {
	l := 0.0
	for i, c := range p.grid {
		l = min(l, p.k[i]-p.front[i]-c*eps)
	}
	p.settle(math.Exp(l))
	p.aim(eps)
}

// settle takes a guess of delta.
func (p *plan) settle(delta float64) { p.delta = min(max(delta, 1e-60), 0.5) }

// aim chooses tilt and period for a guess of eps: the shortest period that keeps aliases from the left,
// e^(-c period), and from the right, e^(K(z)-z first-(z-c) period), small against delta. Tilts under which delta is a
// much smaller share of the tilted law than under the best one are left out: there rounding drowns it.
func (p *plan) aim(eps float64) {
	eps = max(0, eps)
	p.guess = eps
	need := -math.Log(p.delta) - math.Log(p.small)
	p.period = math.Inf(1)
	share := math.Inf(-1)
	for i, c := range p.grid {
		share = max(share, c*eps-p.k[i])
	}
	low := math.Inf(-1)
	if p.wide {
		for _, z := range p.grid {
			low = max(low, -(logMomentOf(p.rough, -z)+need)/z)
		}
	}
	for i, c := range p.grid {
		if c*eps-p.k[i] < share-7 {
			continue
		}
		first, left := eps-2/c, need/c
		if p.wide && low < first {
			first, left = low, 0 // hardly anything below
		}
		right := math.Inf(1)
		for j := i + 1; j < len(p.grid); j++ {
			z := p.grid[j]
			right = min(right, (p.k[j]-z*first+need)/(z-c))
		}
		if l := max(left, right); l < p.period {
			p.period, p.tilt, p.first = l, c, first
		}
	}
	if math.IsInf(p.period, 1) {
		c := p.grid[len(p.grid)-1]
		p.period, p.tilt, p.first = need/c, c, eps-2/c
	}
	p.period *= 1.05
}

func logMomentOf(rough []sketch, z float64) float64 {
	var k float64
	for _, s := range rough {
		var m float64
		for i, l := range s.loss {
			m += s.mass[i] * math.Expm1(z*l)
		}
		k += s.count * math.Log1p(m)
	}
	return k
}

// roughly sketches one side of a law: a mixture on a grid of outputs, another one on a coarse lattice. The sketch is empty if the
// law has no such side.
func (p *Part) roughly(by side) (sketch, error) {
	if m, ok := p.Law.(*Mixture); ok {
		return m.sketch(math.Inf(-1), math.Inf(1)), nil
	}
	step := 1.0
	if unit := unitOf([]Part{*p}); unit > 0 {
		step = min(step, unit)
	}
	var last sketch
	for range 12 {
		pmf, lower, err := p.put(step, 1e-20, by)
		if err != nil {
			if len(last.loss) > 0 {
				break
			}
			return sketch{}, err
		}
		if by == lowerSide {
			pmf = lower
		}
		n := 0 // lattice points that matter
		for _, m := range pmf.Mass {
			if m > 1e-18 {
				n++
			}
		}
		last = sketch{}
		var sum float64
		for i, m := range pmf.Mass {
			if m > 0 {
				last.loss = append(last.loss, pmf.Offset+float64(pmf.First+i)*step)
				last.mass = append(last.mass, m)
				sum += m
			}
		}
		for i := range last.mass {
			last.mass[i] /= sum
		}
		if n == 0 || n >= 300 && n <= 8000 || n > 8000 && step >= 1 || n < 100 && step < 1e-3 || step < 1e-12 {
			break
		}
		step *= min(4, max(1.0/256, float64(n)/3000))
	}
	return last, nil
}

// unitOf is the step of a lattice that carries the atoms of as many of the laws as possible, 0 if none has any.
func unitOf(parts []Part) float64 {
	unit := 0.0
	for _, p := range parts {
		l, ok := p.Law.(interface {
			Lattice() (step float64, ok bool)
		})
		if !ok {
			continue
		}
		u, ok := l.Lattice()
		if !ok || !(u > 0) {
			continue
		}
		if unit == 0 {
			unit = u
			continue
		}
		for k := 1.0; k <= 64; k++ { // the greatest common measure, if it is near
			n := u / (unit / k)
			if r := math.Round(n); r >= 1 && math.Abs(n-r) <= 1e-12*n {
				unit /= k
				break
			}
		}
	}
	return unit
}

// points chooses the step of a lattice of about n points, at least the period long, that carries the atoms of the laws where one can.
func (p *plan) points(n int) (step float64, points int) {
	step = max(p.period/float64(n), p.finest)
	if !(p.unit > 0) {
		return step, n
	}
	if step <= p.unit {
		return p.unit / math.Floor(p.unit/step*(1+1e-12)), n
	}
	for m := n; m <= maxPoints; m *= 2 {
		if p.unit*float64(m) >= p.period {
			return p.unit, m
		}
	}
	return step, n
}

// sketch samples the outputs of [a, b], with the loss relative to log(P/Q) of that set.
func (m *Mixture) sketch(a, b float64) sketch {
	x0, x1 := m.cut(1e-40)
	x0, x1 = max(x0, a), min(x1, b)
	dx := m.sigma * min(1, m.sigma/(m.hi-m.lo+1e-300)) / 6
	n := min(max(int((x1-x0)/dx), 32), 4000)
	dx = (x1 - x0) / float64(n)
	s := sketch{loss: make([]float64, n), mass: make([]float64, n)}
	var sum, other float64
	for i := range n {
		pt := m.at(x0 + (float64(i)+0.5)*dx)
		s.loss[i], s.mass[i] = pt.loss, pt.density*dx
		sum += s.mass[i]
		other += s.mass[i] * math.Expm1(-pt.loss)
	}
	shift := -math.Log1p(other / sum)
	if math.IsInf(a, -1) && math.IsInf(b, 1) {
		shift = 0
	}
	for i := range n {
		s.mass[i] /= sum
		s.loss[i] -= shift
	}
	return s
}
