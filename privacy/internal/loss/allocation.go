package loss

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// Allocation is the law of a Gaussian mechanism in which a record takes part in exactly one of t steps, drawn uniformly, secretly
// and independently of the other records, where the record's contribution becomes zero in the other data set (Feldman & Shenfeld
// 2025, Theorem 3.1): P is the mean of the N(e_i, sigma^2) and Q = N(0, sigma^2) in t dimensions. Its loss under remove is
// ln(S/t) with S the sum of t independent factors under Q, each e^l for the loss l of one Gaussian step.
type Allocation struct {
	sigma float64
	steps int
	add   bool

	mu   sync.Mutex
	kept [2]*ladder // the last one of either side: the costly part
	tail [2]float64 // its tail
}

// maxLadder bounds the points of one factor; a finer lattice uses every n-th point.
const maxLadder = 6000

// NewAllocation returns the laws of both directions. For one assignment kept for E epochs pass sigma/sqrt(E); epochs that draw
// anew compose. At most 2^20 steps.
func NewAllocation(sigma float64, steps int) (remove, add *Allocation, err error) {
	if !inOpen(sigma, 0.1, 1e6) {
		return nil, nil, parameter("sigma", sigma, "above 0.1 and below 1e6")
	}
	if steps < 1 || steps > 1<<20 {
		return nil, nil, parameter("steps", steps, "1 to 2^20")
	}
	return &Allocation{sigma: sigma, steps: steps}, &Allocation{sigma: sigma, steps: steps, add: true}, nil
}

// Split says which allocations to one of some steps dominate, composed, the allocation to k of t steps (Feldman & Shenfeld 2025,
// Lemma 3.2): short copies of 1 of floor(t/k), and long copies of 1 of one step more.
func Split(k, t int) (short, shortSteps, long, longSteps int, err error) {
	if k < 1 || k > t {
		return 0, 0, 0, 0, parameter("participations", k, "1 to the number of steps")
	}
	long = t % k
	return k - long, t / k, long, t/k + 1, nil
}

// Lattice returns the step that serves best: what is composed for it serves its fractions as well.
func (a *Allocation) Lattice() (step float64, ok bool) {
	lo, hi := gaussian{1 / a.sigma}.support(1e-22 / float64(a.steps))
	return (hi - lo) / maxLadder, true
}

// Discretize implements lattice.Law.
//
// Delta of remove is E_Q[(S/t - u)+] and of add E_Q[(1 - uS/t)+]: both are convex in every factor, the first rising and the
// second falling. So the factors, and every partial sum, may be put on a geometric grid by spreads at equal mean (upper) or by
// merging (lower), under Q; what must be rounded goes up for an upper law of remove or a lower one of add, else down. A sum of
// two grid points lies at a distance on the grid that depends on theirs only, so that no logarithm is taken per pair.
func (a *Allocation) Discretize(step, tail float64) (upper, lower lattice.PMF, err error) {
	var below error
	var wg sync.WaitGroup
	wg.Go(func() { lower, below = a.discretize(step, tail, false) })
	upper, err = a.discretize(step, tail, true)
	wg.Wait()
	if err = errors.Join(err, below); err != nil {
		return lattice.PMF{}, lattice.PMF{}, err
	}
	return upper, lower, nil
}

// Upper is the upper law of Discretize.
func (a *Allocation) Upper(step, tail float64) (lattice.PMF, error) {
	return a.discretize(step, tail, true)
}

func (a *Allocation) discretize(step, tail float64, up bool) (lattice.PMF, error) {
	if !inOpen(tail, 0, 1) {
		return lattice.PMF{}, parameter("tail", tail, "a number above 0 and below 1")
	}
	if !inOpen(step, 0, 10) { // e^l stays finite, as |l| < 450 with sigma above 0.1
		return lattice.PMF{}, parameter("step", step, "above 0 and below 10")
	}
	g := gaussian{1 / a.sigma}
	share := tail / 64 / float64(a.steps)
	lo, hi := g.support(share)
	if n := (hi - lo) / step; n > maxPoints {
		return lattice.PMF{}, fmt.Errorf("%w: losses %v to %v in steps of %v, at most %d points", ErrTooLarge, lo, hi, step, maxPoints)
	}
	every := math.Max(1, math.Ceil((hi-lo)/step/maxLadder))
	if best, _ := a.Lattice(); onLattice(best, step) {
		every = math.Round(best / step)
	}
	n, err := a.ladder(step*every, tail, up)
	if err != nil {
		return lattice.PMF{}, err
	}
	return n.law(a.steps, int(every), step), nil
}

// ladder returns the composed factors on a grid of a step, up to some ulp of it.
func (a *Allocation) ladder(step, tail float64, up bool) (*ladder, error) {
	side := 0
	if up {
		side = 1
	}
	a.mu.Lock()
	n := a.kept[side]
	if n != nil && (math.Abs(n.step-step) > 8*ulp*step || a.tail[side] > tail) {
		n = nil
	}
	a.mu.Unlock()
	if n != nil {
		return n, nil
	}
	share := tail / 64 / float64(a.steps)
	base := mixture{parts: []weighted{one(sampled{base: gaussian{1 / a.sigma}, q: 1})}}
	one, err := base.discretize(step, share, up)
	if err != nil {
		return nil, err
	}
	n = newLadder(one, a.add, up)
	n.power(a.steps, share)
	a.mu.Lock()
	a.kept[side], a.tail[side] = n, tail
	a.mu.Unlock()
	return n, nil
}

// ladder is the law under Q of a partial sum on the points e^(offset + i step) for remove and e^-(offset + i step) for add: the
// index rises with the loss.
type ladder struct {
	add, up      bool
	step, offset float64
	first        int
	mass         []float64
	zero         float64 // mass of the sum 0
	lost         float64 // upper law of remove: first moment of what was cut off at the top
	terms        float64 // number of factors
}

// newLadder takes the law of one factor. Under add its P-masses are the masses under Q and its mass at infinity that of the factor 0. Under
// remove the masses under Q are p e^-l; a sum adds constants to a factor, so that their total counts: at least 1 above, by mass at 0,
// and at most 1 below.
func newLadder(one lattice.PMF, add, up bool) *ladder {
	n := &ladder{add: add, up: up, step: one.Step, offset: one.Offset, first: one.First, terms: 1}
	n.mass = append([]float64(nil), one.Mass...)
	if add {
		n.zero = one.Inf
		return n
	}
	n.lost = one.Inf
	total := 0.0
	for i := range n.mass {
		l := n.point(i)
		n.mass[i] = widen(n.mass[i]*math.Exp(-l), 4*ulp*(2+math.Abs(l)), up)
		total += n.mass[i]
	}
	e := float64(len(n.mass)+8) * ulp
	switch {
	case up:
		n.zero = math.Max(0, 1-total*(1-e))
	case total*(1+e) > 1:
		for i := range n.mass {
			n.mass[i] /= total * (1 + 2*e)
		}
	default:
		n.zero = 1 - total*(1+e)
	}
	return n
}

func (n *ladder) point(i int) float64 { return math.FMA(float64(n.first+i), n.step, n.offset) }

// power replaces the law of one factor by that of the sum of t.
func (n *ladder) power(t int, tail float64) {
	square := *n
	var out *ladder
	for {
		if t&1 == 1 {
			if out == nil {
				c := square
				out = &c
			} else {
				out = out.plus(&square)
				out.prune(tail)
			}
		}
		if t >>= 1; t == 0 {
			*n = *out
			return
		}
		square = *square.plus(&square)
		square.prune(tail)
	}
}

// plus returns the law of the sum of two independent sums.
func (n *ladder) plus(m *ladder) *ladder {
	// The sum of the points i and j lies, for remove, ln(1+e^-|i-j|g) above the higher index and, for add, as much below the lower.
	reach := 2 + int(math.Ceil(math.Ln2/n.step))
	first := min(n.first, m.first) - reach
	last := max(n.first+len(n.mass), m.first+len(m.mass)) + reach
	r := &ladder{add: n.add, up: n.up, step: n.step, offset: n.offset, first: first, terms: n.terms + m.terms}
	out := make([]float64, last-first)
	spare := make([]float64, last-first)
	// One pass per difference d = i-j keeps the split constant.
	for d := n.first - (m.first + len(m.mass) - 1); d <= n.first+len(n.mass)-1-m.first; d++ {
		over, part := n.land(d)
		at := over - first
		if n.add {
			at += min(0, -d) // from i to the lower index
		} else {
			at += max(0, -d)
		}
		from, to := max(0, m.first+d-n.first), min(len(n.mass), m.first+len(m.mass)+d-n.first)
		for i := from; i < to; i++ {
			x := n.mass[i] * m.mass[n.first+i-d-m.first]
			k := n.first + i + at
			if n.up {
				out[k] += x * (1 - part)
				out[k+1] += x * part
			} else {
				out[k] += x
				spare[k] += x * part
			}
		}
	}
	for i, x := range n.mass {
		out[n.first+i-first] += x * m.zero
	}
	for i, x := range m.mass {
		out[m.first+i-first] += x * n.zero
	}
	e := (float64(2*(len(n.mass)+len(m.mass))) + 16) * ulp
	r.zero = widen(n.zero*m.zero, 2*ulp, n.up)
	if n.up {
		for i := range out {
			out[i] *= 1 + e
		}
		// What was cut off in one sum is cut off in the result, with everything that the other may add: the integrand rises
		// by at most the moment cut off.
		r.lost = (n.lost*m.total() + m.lost*n.total()) * (1 + e)
	} else {
		for i := range out {
			out[i] *= 1 - e
			spare[i] = math.Max(0, spare[i]*(1-e)-2*e*out[i])
		}
		merge(out, spare, n.step, !n.add)
	}
	r.mass = out
	return r
}

// total is the whole mass.
func (n *ladder) total() float64 {
	t := n.zero
	for _, x := range n.mass {
		t += x
	}
	return t * (1 + float64(len(n.mass)+2)*ulp)
}

// land returns the point at or below which the sum of two points of the difference d lands, relative to the higher index (remove) or
// the lower one (add), and the share that the next point gets (up), or the spare per mass (down).
func (n *ladder) land(d int) (over int, part float64) {
	l := math.Log1p(math.Exp(-math.Abs(float64(d)) * n.step))
	if n.add {
		l = -l
	}
	const e = 16 * ulp // of l: at most ln 2, with a relative error of a few ulp
	if n.up {
		l += e
	} else {
		l -= e
	}
	over = int(math.Floor(l / n.step))
	rest := l - float64(over)*n.step
	if n.up {
		rest += 2 * ulp
	} else {
		rest -= 2 * ulp
	}
	rest = math.Max(0, rest)
	switch {
	case n.up && n.add:
		part = math.Min(1, math.Expm1(-rest)/math.Expm1(-n.step)*(1+16*ulp))
	case n.up:
		part = math.Min(1, math.Expm1(rest)/math.Expm1(n.step)*(1+16*ulp))
	case n.add:
		part = -math.Expm1(-rest) * (1 - 8*ulp)
	default:
		part = math.Expm1(rest) * (1 - 8*ulp)
	}
	return over, part
}

// prune cuts off both ends where they have at most the probability tail (times the number of factors).
func (n *ladder) prune(tail float64) {
	budget := tail * n.terms
	lo, hi := 0, len(n.mass)
	for sum := 0.0; hi > lo+1; hi-- {
		x := n.mass[hi-1]
		if !n.add && n.up { // remove: what counts is the P-mass
			x *= math.Exp(n.point(hi-1)) * (1 + 64*ulp*(1+math.Abs(n.point(hi-1))))
		}
		if sum += x; sum > budget {
			break
		}
		switch {
		case n.up && !n.add: // f(s+r) <= f(r) + s/t: the mass stays as a constant, the moment is lost
			n.lost += x
			n.zero += n.mass[hi-1]
		case n.up:
			n.zero += x
		default:
			n.mass[hi-2] += n.mass[hi-1] * (1 - 2*ulp)
		}
	}
	for sum := 0.0; hi > lo+1; lo++ {
		x := n.mass[lo]
		if sum += x; sum > budget {
			break
		}
		switch {
		case n.up:
			n.mass[lo+1] += x * (1 + 4*ulp)
		case !n.add:
			n.zero += x * (1 - 4*ulp)
		}
	}
	n.first += lo
	n.mass = n.mass[lo:hi]
	if n.up {
		n.zero *= 1 + 64*float64(len(n.mass)+1)*ulp
		n.lost *= 1 + 64*float64(len(n.mass)+1)*ulp
	} else {
		n.zero = math.Max(0, n.zero*(1-2*float64(len(n.mass)+1)*ulp))
		n.mass[len(n.mass)-1] *= 1 - 2*float64(len(n.mass)+1)*ulp
	}
}

// law returns the law of the loss of sums of t, with the points every step of a finer lattice.
func (n *ladder) law(t, every int, step float64) lattice.PMF {
	shift := math.Log(float64(t)) // off by at most 2 ulp of its value
	if n.add == n.up {
		shift *= 1 + 4*ulp
	} else {
		shift *= 1 - 4*ulp
	}
	p := lattice.PMF{Step: step, First: n.first * every, Mass: make([]float64, (len(n.mass)-1)*every+1)}
	// The offset, and the points every*step, err by a few ulp of the losses.
	round := 24 * ulp * (math.Abs(n.offset) + shift + math.Abs(n.point(0)) + math.Abs(n.point(len(n.mass))))
	if !n.up {
		round = -round
	}
	if n.add {
		p.Offset = n.offset + shift + round
		p.Inf = math.Min(1, n.zero)
		if !n.up {
			p.Inf = 0
		}
	} else {
		p.Offset = n.offset - shift + round
		p.Inf = math.Min(1, n.lost/float64(t)*(1+2*ulp))
	}
	for i, x := range n.mass {
		if !n.add {
			l := n.point(i)
			x = widen(x*math.Exp(l)/float64(t), 8*ulp*(2+math.Abs(l)), n.up)
		}
		p.Mass[i*every] = x
	}
	return p
}
