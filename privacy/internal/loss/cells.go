package loss

import (
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// snap is the share of a step within which a loss counts as a lattice point.
const snap = 1e-9

// cells collects a law on the half-open cells of a lattice and turns it into a law on the points. One value serves one side:
// on the upper side p is at least, and q at most, the mass of a cell; on the lower side it is the other way round.
type cells struct {
	step, offset float64
	origin       float64 // offset before the shift
	up           bool
	gather       bool    // lower side: the losses around the origin are the lowest ones, merge them there first
	slack        float64 // a loss handed in may lie this far from where it is said to lie
	first        int
	on           []float64 // P-mass on the points
	p            []float64 // P-mass inside the cell above each point
	excess       []float64 // p - e^l q of that cell, l its lower point
	inf          float64
	adds         int
}

// newCells covers the losses of [lo, hi]. The points are shifted by twice the slack, up on the upper side and down on the lower:
// then no loss that should lie on or below (above) a point can lie beyond it.
func newCells(step, offset, lo, hi, slack float64, up bool) (*cells, error) {
	if !inOpen(step, 0, math.Inf(1)) {
		return nil, parameter("step", step, "a positive number")
	}
	span := (hi - lo) / step
	if !(span >= 0 && span < maxPoints) || math.Abs(lo-offset)/step > 1<<30 || math.Abs(hi-offset)/step > 1<<30 {
		return nil, fmt.Errorf("%w: losses %v to %v in steps of %v, at most %d points", ErrTooLarge, lo, hi, step, maxPoints)
	}
	origin := offset
	slack += 8 * ulp * (math.Abs(lo) + math.Abs(hi) + math.Abs(offset) + step)
	if !(slack <= step/4) { // the arrays have no room for a shift of several points
		return nil, fmt.Errorf("%w: losses known within %v in steps of %v", ErrTooLarge, slack, step)
	}
	if up {
		offset += 2 * slack
	} else {
		offset -= 2 * slack
	}
	c := &cells{step: step, offset: offset, origin: origin, up: up, slack: slack}
	c.first = int(math.Floor((lo-offset)/step)) - 2
	n := int(math.Ceil((hi-offset)/step)) + 3 - c.first
	buf := make([]float64, 3*n)
	c.on, c.p, c.excess = buf[:n:n], buf[n:2*n:2*n], buf[2*n:]
	return c, nil
}

// point returns the loss of the i-th point of the arrays.
func (c *cells) point(i int) float64 { return math.FMA(float64(c.first+i), c.step, c.offset) }

// index returns the cell of a loss and its height above the lower point, within [0, step].
func (c *cells) index(l float64) (int, float64) {
	i := int(math.Floor((l-c.offset)/c.step)) - c.first
	for i > 0 && c.point(i) > l {
		i--
	}
	for i+2 < len(c.p) && c.point(i+1) <= l {
		i++
	}
	return i, math.Min(c.step, math.Max(0, l-c.point(i)))
}

// atom adds a point mass at the loss l.
func (c *cells) atom(l, mass float64) {
	if mass <= 0 {
		return
	}
	if c.up {
		l += c.slack
	} else {
		l -= c.slack
	}
	i, d := c.index(l)
	c.adds++
	switch {
	case c.up && c.step-d <= snap*c.step:
		c.on[i+1] += mass
	case !c.up && d <= snap*c.step:
		c.on[i] += mass
	default:
		c.p[i] += mass
		c.excess[i] -= mass * math.Expm1(-d)
	}
}

// cell adds the P-mass p and the Q-mass q of losses within the i-th cell, both on the safe side.
func (c *cells) cell(i int, p, q float64) {
	if p <= 0 {
		return
	}
	c.adds++
	l := c.point(i)
	c.p[i] += p
	switch {
	case math.Abs(l) > 700: // e^l q is lost to underflow: all of the mass goes to one end
		if c.up {
			c.excess[i] += p
		}
	case c.up: // losses below the point count as the point: q shrinks by at most the shift of the lattice
		c.excess[i] += math.Max(0, p-math.Exp(l)*q*(1-8*c.slack-16*ulp*(1+math.Abs(l)/8))) + 4*ulp*p
	default:
		c.excess[i] += p - math.Exp(l)*q*(1+16*ulp*(1+math.Abs(l)/8)) - 4*ulp*p
	}
}

// upper splits each cell between its ends so that P- and Q-mass stay: a spread of v at equal mean (connect the dots,
// Doroshenko et al. 2022). The curve of a cell is convex, at most p - uq below the cell and 0 above, hence below the chord.
func (c *cells) upper() lattice.PMF {
	mass := make([]float64, len(c.p)+1)
	share := -math.Expm1(-c.step) * (1 - 8*ulp)
	for i, p := range c.p {
		b := math.Min(p, math.Max(0, c.excess[i])*(1+float64(c.adds+8)*ulp)/share)
		mass[i] += c.on[i] + (p - b)
		mass[i+1] += b
	}
	grow := 1 + float64(c.adds+16)*ulp
	for i := range mass {
		mass[i] *= grow
	}
	return c.trim(mass, c.inf*grow)
}

// lower puts each cell on its lower point, which leaves the P-mass p - e^l q unused there: its spare. From the top down it then
// merges (a post-processing of the pair) a share of the next occupied point below into the point, as much as the spare pays for: a
// mass m at a distance D below, with a spare s of its own, costs e^l q - m = m(e^D-1) - s e^D. Each point ends at a ratio
// of at least e^l, and only what reaches the bottom is rounded down.
func (c *cells) lower() lattice.PMF {
	mass := make([]float64, len(c.p))
	spare := make([]float64, len(c.p))
	shrink := 1 - float64(c.adds+8)*ulp
	for i := range mass {
		mass[i] = math.Max(0, (c.on[i]+c.p[i])*shrink)
		spare[i] = math.Max(0, c.excess[i]-float64(c.adds+16)*ulp*c.p[i])
	}
	if c.gather && -c.first > 0 && -c.first < len(mass) {
		gather(mass, spare, -c.first, c.step, false)
	}
	merge(mass, spare, c.step, false)
	return c.trim(mass, c.inf*shrink)
}

// merge lifts mass to higher points as far as their spare pays for it (see lower). With moments the spare is a surplus of the
// first moment of e^l (in units of the point) over masses under Q instead.
func merge(mass, spare []float64, step float64, moments bool) {
	for i := len(mass) - 1; i > 0; i-- {
		gather(mass, spare, i, step, moments)
	}
}

// gather lifts mass to the i-th point.
func gather(mass, spare []float64, i int, step float64, moments bool) {
	const down, up = 1 - 8*ulp, 1 + 8*ulp
	for j := i - 1; j >= 0 && spare[i] > 0; j-- {
		if mass[j] <= 0 {
			continue
		}
		lift, grow := lever(float64(i-j)*step, moments)
		if math.IsInf(grow, 1) {
			break
		}
		cost := math.Max(0, (mass[j]*lift-spare[j]*grow)*up+8*ulp*mass[j]*lift)
		if cost <= spare[i] {
			mass[i] = (mass[i] + mass[j]) * down
			spare[i] = math.Max(0, (spare[i]-cost)*down-8*ulp*spare[i])
			mass[j], spare[j] = 0, 0
			continue
		}
		share := spare[i] / cost * down
		mass[i] = (mass[i] + share*mass[j]) * down
		mass[j] *= (1 - share) * down
		spare[j] *= (1 - share) * down * down
		spare[i] = 0
	}
}

// lever returns what a unit of mass costs at the distance d below a point, and what a unit of its spare saves.
func lever(d float64, moments bool) (lift, grow float64) {
	switch {
	case moments:
		return -math.Expm1(-d) * (1 + 8*ulp), math.Exp(-d) * (1 - 8*ulp) * (1 - 4*ulp*d)
	case d > 600:
		return math.Inf(1), math.Inf(1)
	}
	return math.Expm1(d*(1+4*ulp)) * (1 + 8*ulp), math.Exp(d) * (1 - 8*ulp) * (1 - 4*ulp*d)
}

// trim drops the empty ends.
func (c *cells) trim(mass []float64, inf float64) lattice.PMF {
	lo, hi := 0, len(mass)
	for lo < hi && mass[lo] == 0 {
		lo++
	}
	for lo < hi && mass[hi-1] == 0 {
		hi--
	}
	if inf > 1 {
		inf = 1
	}
	return lattice.PMF{Step: c.step, Offset: c.offset, First: c.first + lo, Mass: mass[lo:hi:hi], Inf: inf}
}

// none is the law without mass: the lower law where no other is sound.
func none(step float64) lattice.PMF { return lattice.PMF{Step: step, Mass: []float64{0}} }
