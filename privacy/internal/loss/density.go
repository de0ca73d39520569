package loss

import (
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// density is a law without atoms.
type density interface {
	// mass returns P- and Q-mass of the losses between lo and hi (either may be infinite): p rounded up and q down if up,
	// p down and q up otherwise. The edges may be off by slack.
	mass(lo, hi float64, up bool) (p, q float64)
	// support returns an interval of losses outside of which lies at most about tail of the P-mass on either side.
	support(tail float64) (lo, hi float64)
	// slack bounds the error of an edge at a loss of absolute value l.
	slack(l float64) float64
}

// weighted is a density times a weight known to lie in [lo, hi].
type weighted struct {
	density
	lo, hi float64
}

// mixture is the law that draws one of several densities, or an atom; the choice is public, so that curves add up.
type mixture struct {
	parts []weighted
	atoms *Atoms  // nil, or the atoms with their masses
	unit  float64 // if above 0, both ends and the atoms are multiples of it
}

// Law is the law of a pair with densities, given by two mixtures: one that dominates it and one that it dominates.
type Law struct {
	upper mixture
	lower *mixture // nil: no lower law is known
	unit  float64
}

// Lattice returns a step that, like its integer fractions, has the atoms and the ends of the law on lattice points, if there
// is one: losses are then not rounded at the top.
func (l *Law) Lattice() (step float64, ok bool) { return l.unit, l.unit > 0 }

// Discretize implements lattice.Law. The lower law is empty where none is known.
func (l *Law) Discretize(step, tail float64) (upper, lower lattice.PMF, err error) {
	if upper, err = l.upper.discretize(step, tail, true); err != nil {
		return lattice.PMF{}, lattice.PMF{}, err
	}
	if l.lower == nil {
		return upper, none(step), nil
	}
	if lower, err = l.lower.discretize(step, tail, false); err != nil {
		return lattice.PMF{}, lattice.PMF{}, err
	}
	return upper, lower, nil
}

// Upper is the upper law of Discretize.
func (l *Law) Upper(step, tail float64) (lattice.PMF, error) {
	return l.upper.discretize(step, tail, true)
}

// Delta encloses the hockey-stick divergence of one execution at eps >= 0.
func (l *Law) Delta(eps float64) (lo, hi float64, err error) {
	if !(eps >= 0 && eps <= math.MaxFloat64) {
		return 0, 0, parameter("eps", eps, "a finite number, at least 0")
	}
	if l.lower != nil {
		lo = l.lower.delta(eps, false)
	}
	return lo, l.upper.delta(eps, true), nil
}

// delta is P(L > eps) - e^eps Q(L > eps), summed over the parts. An edge that is off by s makes it smaller, by at most e^s-1 times the mass.
func (m mixture) delta(eps float64, up bool) float64 {
	u := math.Exp(eps)
	if up {
		u = math.Exp(math.Min(eps, 700)) // a larger one may be infinite, and infinity times 0 would drop the part
	}
	rel := 8*ulp + 4*ulp*eps
	total := 0.0
	for _, w := range m.parts {
		p, q := w.mass(eps, math.Inf(1), up)
		d := p - widen(u*q, rel, !up)
		if up {
			d = math.Min(p, d+4*ulp*p+math.Expm1(2*w.slack(eps))*p)
		} else {
			d -= 4 * ulp * p
		}
		if weight := (interval{w.lo, w.hi}).pick(up); d > 0 && weight > 0 {
			total += widen(d*weight, 4*ulp, up)
		}
	}
	if m.atoms != nil {
		lo, hi, err := m.atoms.Delta(eps)
		if err != nil {
			lo, hi = 0, 1
		}
		total += interval{lo, hi}.pick(up)
	}
	return clamp01(widen(total, float64(len(m.parts)+2)*ulp, up))
}

// twoSided is the Law whose lower and upper mixture are the same.
func twoSided(m mixture, unit float64) *Law { return &Law{upper: m, lower: &m, unit: unit} }

// one is the density with the weight 1.
func one(d density) weighted { return weighted{d, 1, 1} }

// maxSpan bounds the points of a law that is put on a lattice: what lies further below its greatest loss is raised to the lowest point
// (upper) or dropped (lower).
const maxSpan = 1 << 20

// discretize puts one side of a mixture on a lattice.
func (m mixture) discretize(step, tail float64, up bool) (lattice.PMF, error) {
	if !inOpen(tail, 0, 1) {
		return lattice.PMF{}, parameter("tail", tail, "a number above 0 and below 1")
	}
	lo, hi, slack := math.Inf(1), math.Inf(-1), 0.0
	spans := make([]interval, len(m.parts))
	for i, w := range m.parts {
		a, b := w.support(math.Min(0.25, tail/float64(2*len(m.parts)+2)/w.hi))
		spans[i] = interval{a, b}
		lo, hi = math.Min(lo, a), math.Max(hi, b)
	}
	if m.atoms != nil {
		lo, hi = math.Min(lo, m.atoms.min()), math.Max(hi, m.atoms.max())
		slack = m.atoms.slack()
	}
	for _, w := range m.parts {
		slack = math.Max(slack, w.slack(math.Max(math.Abs(lo), math.Abs(hi))))
	}
	floor := math.Inf(-1)
	if (hi-lo)/step > maxSpan {
		floor = hi - maxSpan*step
		lo = floor
		for i := range spans {
			spans[i].lo = math.Max(spans[i].lo, floor)
		}
	}
	origin, gather := 0.0, !up && !(m.unit > 0 && onLattice(m.unit, step))
	if gather {
		origin = m.bottom(lo, step)
	}
	c, err := newCells(step, origin, math.Min(lo, origin), hi, slack, up)
	if err != nil {
		return lattice.PMF{}, err
	}
	c.gather = gather
	for i, w := range m.parts {
		weight := w.lo
		if up {
			weight = w.hi
		}
		c.density(w.density, weight, spans[i].lo, spans[i].hi)
	}
	if m.atoms != nil {
		m.atoms.into(c, floor)
	}
	if up {
		return c.upper(), nil
	}
	return c.lower(), nil
}

// bottom chooses the origin of the lower lattice. Nothing lies below the lowest cell to merge with, so the lattice is laid such that
// the losses below origin + step have the merged loss origin: the fixed point of c -> ln(P(L<c)/Q(L<c)) + step. Any
// origin is sound.
func (m mixture) bottom(lo, step float64) float64 {
	origin := lo
	for range 60 {
		var p, q float64
		for _, w := range m.parts {
			a, b := w.mass(math.Inf(-1), origin+step, true)
			p, q = p+w.lo*a, q+w.lo*b
		}
		if m.atoms != nil {
			for _, x := range m.atoms.atoms {
				if x.loss < origin+step {
					p, q = p+x.mass.lo, q+x.q.lo
				}
			}
		}
		next := math.Log(p/q) - 1e-9*step
		if !(next > origin+1e-6*step) {
			break
		}
		origin = math.Min(next, origin+step)
	}
	return origin
}

// density adds weight times d. P-mass above hi goes to infinity and P-mass below lo to the lowest point on the upper side;
// both are dropped on the lower side.
func (c *cells) density(d density, weight, lo, hi float64) {
	if weight <= 0 {
		return
	}
	add := func(i int, a, b float64) {
		p, q := d.mass(a, b, c.up)
		c.cell(i, widen(p*weight, 2*ulp, c.up), widen(q*weight, 2*ulp, !c.up))
	}
	// The lattice before the shift gives the edges: the losses of a cell stay on the safe side of the shifted point.
	edge := func(i int) float64 { return math.FMA(float64(c.first+i), c.step, c.origin) }
	from := min(len(c.p)-2, max(1, int(math.Floor((lo-c.origin)/c.step))-c.first))
	to := min(len(c.p)-2, max(from, int(math.Ceil((hi-c.origin)/c.step))-c.first))
	for i := from; i < to; i++ {
		add(i, edge(i), edge(i+1))
	}
	if !c.up {
		return
	}
	above, _ := d.mass(edge(to), math.Inf(1), true)
	below, _ := d.mass(math.Inf(-1), edge(from), true)
	c.inf += widen(above*weight, 4*ulp, true)
	c.on[from] += widen(below*weight, 4*ulp, true)
	c.adds++
}

// pair is a base pair of laws with densities, with losses ln(P/Q), seen through the masses of P and Q.
type pair interface {
	// masses returns intervals around P- and Q-mass of the losses between lo and hi, edges exact.
	masses(lo, hi float64) (p, q interval)
	// support returns the base losses outside of which lies at most about tail of P on the right and of Q on the left.
	support(tail float64) (lo, hi float64)
	// slack bounds the change of an edge at l that the rounding inside of masses amounts to.
	slack(l float64) float64
}

// interval is a certified enclosure of a nonnegative number.
type interval struct{ lo, hi float64 }

func (i interval) mix(w float64, j interval) interval {
	const m = 6 * ulp
	return interval{lo: ((1-w)*i.lo + w*j.lo) * (1 - m), hi: ((1-w)*i.hi + w*j.hi) * (1 + m)}
}

func (i interval) plus(j interval) interval {
	return interval{(i.lo + j.lo) * (1 - 2*ulp), (i.hi + j.hi) * (1 + 2*ulp)}
}

func (i interval) pick(up bool) float64 {
	if up {
		return i.hi
	}
	return i.lo
}

// sampled is the Poisson subsampling of a base pair (Zhu et al. 2022, Theorem 11): remove is ((1-q)Q+qP, Q), add the swap. Its
// base loss is an increasing function of the loss (remove) or a decreasing one (add), so that cells map to cells.
type sampled struct {
	base pair
	q    float64
	add  bool
}

// inverse returns the base loss of a remove loss: ln((e^l - (1-q))/q), -Inf at or below ln(1-q).
func (s sampled) inverse(l float64) float64 {
	if math.IsInf(l, 0) || s.q == 1 {
		return l
	}
	if l > 600 {
		return l - math.Log(s.q)
	}
	if x := math.Expm1(l) / s.q; x > -0.5 {
		return math.Log1p(x)
	}
	if rest := math.Exp(l) - (1 - s.q); rest > 0 {
		return math.Log(rest / s.q)
	}
	return math.Inf(-1)
}

// forward is the remove loss of a base loss.
func (s sampled) forward(l float64) float64 {
	switch {
	case s.q == 1:
		return l
	case l > 30:
		return l + math.Log(s.q+(1-s.q)*math.Exp(-l))
	case s.q*math.Expm1(l) > -0.5:
		return math.Log1p(s.q * math.Expm1(l))
	default:
		return math.Log((1 - s.q) + s.q*math.Exp(l))
	}
}

func (s sampled) mass(lo, hi float64, up bool) (p, q float64) {
	if s.add {
		p, q := s.base.masses(s.inverse(-hi), s.inverse(-lo))
		return q.pick(up), q.mix(s.q, p).pick(!up)
	}
	bp, bq := s.base.masses(s.inverse(lo), s.inverse(hi))
	return bq.mix(s.q, bp).pick(up), bq.pick(!up)
}

func (s sampled) support(tail float64) (lo, hi float64) {
	a, b := s.base.support(tail)
	if s.add {
		return -s.forward(b), -s.forward(a)
	}
	return s.forward(a), s.forward(b)
}

// slack: the inverse has a backward error of a few ulp(1+|l|) (see the two branches: in the first the error of x moves l by
// q|x|e^-l 2ulp, in the second e^l errs by |l| ulp and 1-q by ulp (1-q) <= ulp e^l); an error of the base loss moves l by less.
func (s sampled) slack(l float64) float64 {
	return 16*ulp*(1+l) + s.base.slack(l+math.Abs(math.Log(s.q)))
}

// positive restricts a density to the losses above 0.
type positive struct{ density }

func (d positive) mass(lo, hi float64, up bool) (p, q float64) {
	if hi <= 0 {
		return 0, 0
	}
	return d.density.mass(math.Max(lo, 0), hi, up)
}

func (d positive) support(tail float64) (lo, hi float64) {
	_, hi = d.density.support(tail)
	return 0, math.Max(0, hi)
}

// mirrored is the swap of a density: the law of -L under Q.
type mirrored struct{ density }

func (d mirrored) mass(lo, hi float64, up bool) (p, q float64) {
	q, p = d.density.mass(-hi, -lo, !up)
	return p, q
}

func (d mirrored) support(tail float64) (lo, hi float64) {
	lo, hi = d.density.support(tail)
	return -hi, -lo
}
