package loss

import (
	"fmt"
	"math"
)

// Composed is the exact law of a composition on an integer lattice: no loss is rounded.
type Composed struct {
	unit, base float64 // losses base + i*unit, each within err
	err        float64
	first      int
	mass       []float64
	rel        float64  // bound of the relative error of every mass
	inf        interval // mass at +Inf
	lost       float64  // bound of the mass that is listed nowhere
}

// tiny masses at the ends of a law are dropped and counted as lost.
const tiny = 1e-290

// maxWork bounds the multiplications of one composition: about a second.
const maxWork = 1 << 29

// Compose returns the law of steps executions. The losses must lie on a lattice (see Lattice); two losses compose by the
// binomial law (Kairouz, Oh & Viswanath 2015, Theorem 3.3, for (eps, delta)-DP), more by repeated squaring.
func (a *Atoms) Compose(steps int) (*Composed, error) {
	if steps < 1 || steps > 1<<30 {
		return nil, parameter("steps", steps, "1 to 2^30")
	}
	if a.unit <= 0 || len(a.atoms) == 0 {
		return nil, parameter("law", "off any lattice", "losses on a lattice")
	}
	t := float64(steps)
	c := &Composed{unit: a.unit, base: a.base * t}
	// The sum of the masses at infinity is 1-(1-inf)^T.
	c.inf.hi = math.Min(1, -math.Expm1(t*math.Log1p(-math.Min(1, a.inf.hi)))*(1+16*ulp))
	c.inf.lo = -math.Expm1(t*math.Log1p(-math.Min(1, a.inf.lo))) * (1 - 16*ulp)
	c.lost = math.Min(1, a.tail*t*(1+4*ulp))
	var err error
	if len(a.atoms) == 2 {
		err = c.binomial(a, steps)
	} else {
		err = c.power(a, steps)
	}
	if err != nil {
		return nil, err
	}
	reach := math.Max(math.Abs(a.min()), math.Abs(a.max()))
	c.err = t*a.err + 16*ulp*t*(reach+math.Abs(a.base))
	return c, nil
}

// binomial composes two losses: C(T, j) p^j r^(T-j) = (p+r)^T times a binomial law of odds p/r.
func (c *Composed) binomial(a *Atoms, steps int) error {
	lo, hi := a.atoms[0], a.atoms[1]
	gap := int(math.Round((hi.loss - lo.loss) / a.unit))
	odds := hi.mass.hi / lo.mass.hi
	q := odds / (1 + odds)
	spread := math.Max(a.spread(0), a.spread(1))
	mode := min(int64(steps), int64(float64(steps+1)*q))
	w, err := weigh(0, int64(steps), mode, tiny, func(j int64) float64 {
		return float64(int64(steps)-j) / float64(j+1) * odds
	})
	if err != nil {
		return err
	}
	n := len(w.Lower)
	if n*gap > maxPoints {
		return fmt.Errorf("%w: %d points", ErrTooLarge, n*gap)
	}
	whole := lo.mass.hi + hi.mass.hi
	scale := math.Exp(float64(steps) * math.Log(whole))
	if math.Abs(whole-1) < 0.5 { // 1-inf, up to rounding
		scale = math.Exp(float64(steps) * math.Log1p(-(a.inf.lo+a.inf.hi)/2))
	}
	c.first = int(math.Round((lo.loss-a.base)/a.unit))*steps + gap*int(w.First)
	c.mass = make([]float64, (n-1)*gap+1)
	for i := range n {
		c.mass[i*gap] = (w.Lower[i] + w.Upper[i]) / 2 * scale
		c.rel = math.Max(c.rel, (w.Upper[i]-w.Lower[i])/w.Lower[i])
	}
	// weigh knows the ratio up to 8 ulp; the odds err by twice the spread, the scale by T times (spread + 4 ulp).
	c.rel += float64(steps) * (4*spread + (8+4*math.Abs(math.Log(whole)))*ulp)
	c.lost += w.Beyond * (1 + c.rel)
	return nil
}

// spread is the relative half width of the i-th mass.
func (a *Atoms) spread(i int) float64 {
	m := a.atoms[i].mass
	if m.hi <= tiny {
		return 0
	}
	return (m.hi - m.lo) / m.hi
}

// power composes by repeated squaring of the direct convolution, all terms positive: the relative error of a product is at most
// the sum of those of the factors plus an ulp per term.
func (c *Composed) power(a *Atoms, steps int) error {
	at := func(x atom) int { return int(math.Round((x.loss - a.base) / a.unit)) }
	first := at(a.atoms[0])
	span := at(a.atoms[len(a.atoms)-1]) - first
	if span >= maxPoints {
		return fmt.Errorf("%w: %d points", ErrTooLarge, span)
	}
	square := run{first: first, mass: make([]float64, span+1)}
	for i, x := range a.atoms {
		if x.mass.hi <= tiny {
			square.lost += x.mass.hi
			continue
		}
		square.mass[at(x)-first] += x.mass.hi
		square.rel = math.Max(square.rel, a.spread(i)+4*ulp)
	}
	square = square.trim()
	out := run{mass: []float64{1}}
	work := 0.0
	times := func(x, y run) (run, error) {
		if work += float64(len(x.mass)) * float64(len(y.mass)); work > maxWork {
			return run{}, fmt.Errorf("%w: more than %d products", ErrTooLarge, int64(maxWork))
		}
		return x.times(y), nil
	}
	var err error
	for n := steps; ; {
		if n&1 == 1 {
			if out, err = times(out, square); err != nil {
				return err
			}
		}
		if n >>= 1; n == 0 {
			break
		}
		if square, err = times(square, square); err != nil {
			return err
		}
	}
	c.first, c.mass, c.rel = out.first, out.mass, out.rel
	c.lost = math.Min(1, c.lost+out.lost)
	return nil
}

// run is a run of masses on integer points.
type run struct {
	first     int
	mass      []float64
	rel, lost float64
}

func (r run) times(s run) run {
	mass := make([]float64, len(r.mass)+len(s.mass)-1)
	for i, x := range r.mass {
		if x == 0 {
			continue
		}
		row := mass[i : i+len(s.mass)]
		for j, y := range s.mass {
			row[j] += x * y
		}
	}
	n := float64(min(len(r.mass), len(s.mass)) + 2)
	// A product that underflows loses less than 1e-307 each.
	lost := (r.lost + s.lost + float64(len(r.mass))*float64(len(s.mass))*1e-307) * (1 + 1e-9)
	return run{r.first + s.first, mass, (r.rel + s.rel + n*ulp) * (1 + r.rel + s.rel + n*ulp), lost}.trim()
}

// trim drops tiny masses at both ends.
func (r run) trim() run {
	lo, hi := 0, len(r.mass)
	for ; lo < hi-1 && r.mass[lo] < tiny; lo++ {
		r.lost += r.mass[lo] * 2
	}
	for ; lo < hi-1 && r.mass[hi-1] < tiny; hi-- {
		r.lost += r.mass[hi-1] * 2
	}
	r.first += lo
	r.mass = r.mass[lo:hi]
	return r
}

// Delta encloses delta at eps.
func (c *Composed) Delta(eps float64) (lo, hi float64, err error) {
	if math.IsNaN(eps) || math.IsInf(eps, 0) {
		return 0, 0, parameter("eps", eps, "a finite number")
	}
	return c.below(eps), c.above(eps), nil
}

// sum adds the terms mass (1-e^(eps-l)) from the top; every term errs by a few ulp, so the sum by an ulp per term more.
func (c *Composed) sum(eps float64) float64 {
	total := 0.0
	for i := len(c.mass) - 1; i >= 0; i-- {
		l := math.FMA(float64(c.first+i), c.unit, c.base)
		if l <= eps {
			break
		}
		if c.mass[i] > 0 {
			total -= c.mass[i] * math.Expm1(eps-l)
		}
	}
	return total
}

func (c *Composed) margin() float64 { return c.rel + float64(len(c.mass)+16)*ulp }

func (c *Composed) above(eps float64) float64 {
	e := c.err + 8*ulp*math.Abs(eps)
	return clamp01((c.inf.hi + c.lost + c.sum(eps-e)*(1+c.margin())) * (1 + 4*ulp))
}

func (c *Composed) below(eps float64) float64 {
	e := c.err + 8*ulp*math.Abs(eps)
	return clamp01((c.inf.lo + c.sum(eps+e)*math.Max(0, 1-c.margin())) * (1 - 4*ulp))
}

// Epsilon encloses the least eps >= 0 with delta(eps) <= delta. The upper end is +Inf where the mass at infinity exceeds delta.
func (c *Composed) Epsilon(delta float64) (lo, hi float64, err error) {
	if !inOpen(delta, 0, 1) {
		return 0, 0, parameter("delta", delta, "above 0 and below 1")
	}
	top := math.Max(0, math.FMA(float64(c.first+len(c.mass)), c.unit, c.base)) + 2*c.err
	// delta falls with eps: least is the smallest eps of a bisection at which f is at most delta.
	least := func(f func(float64) float64) (no, yes float64) {
		if f(0) <= delta {
			return 0, 0
		}
		if !(f(top) <= delta) {
			return top, math.Inf(1)
		}
		for no, yes = 0, top; ; {
			mid := no + (yes-no)/2
			if !(mid > no && mid < yes) || yes-no <= 2*ulp*yes {
				return no, yes
			}
			if f(mid) <= delta {
				yes = mid
			} else {
				no = mid
			}
		}
	}
	_, hi = least(c.above)
	lo, _ = least(c.below)
	if c.inf.lo > delta {
		lo = math.Inf(1)
	}
	return lo, hi, nil
}
