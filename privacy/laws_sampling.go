package privacy

import (
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
	"github.com/surefoot-ml/surefoot/privacy/internal/loss"
)

// The laws of the privacy loss of samplings and mixtures of Gaussians.

func (m replaceOneGaussian) laws() (remove, add lattice.Law, err error) {
	if m.q <= minRate {
		return nil, nil, noBound(methodLattice, "so small a rate was rounded up")
	}
	return alone(lattice.PoissonReplaceOne(m.q, m.sigma))
}

func (m replacedGaussian) laws() (remove, add lattice.Law, err error) {
	return alone(loss.FixedBatch(2*m.sigma, m.q)) // which measures the noise in units of Clip
}

func (m allocated) laws() (remove, add lattice.Law, err error) {
	return both(loss.NewAllocation(m.sigma, m.steps))
}

func (m mixedGaussian) laws() (remove, add lattice.Law, err error) {
	var mix []lattice.Component
	for _, x := range decodeComponents(m.list) {
		mix = append(mix, lattice.Component{Weight: x.Weight, Mean: x.Shift})
	}
	base := []lattice.Component{{Weight: 1}}
	remove, err = lattice.NewMixture(mix, base, 1)
	if err != nil {
		return nil, nil, err
	}
	add, err = lattice.NewMixture(base, mix, 1)
	if err != nil {
		return nil, nil, err
	}
	if m.lost > 0 {
		remove, add = incomplete{remove, m.lost, false}, incomplete{add, m.lost, true}
	}
	return remove, add, nil
}

// incomplete is the law of a mixture without the shifts that it lost, made whole as mixedGaussian says. Its lower side is that of what is left,
// dropped masses being losses of -Inf.
type incomplete struct {
	law  lattice.Law
	lost float64
	add  bool
}

func (l incomplete) Discretize(step, tail float64) (upper, lower lattice.PMF, err error) {
	upper, lower, err = l.law.Discretize(step, tail)
	if l.add {
		upper.Offset = math.Nextafter(upper.Offset+2*l.lost, math.Inf(1))
	} else {
		upper.Inf = up(upper.Inf+l.lost, 2)
	}
	return upper, lower, err
}

// Delta encloses delta of one execution: a loss that is larger by x adds less than x to it.
func (l incomplete) Delta(eps float64) (lo, hi float64, err error) {
	shift := 0.0
	if l.add {
		shift = 2 * l.lost
	}
	above, err := lattice.Delta([]lattice.Part{{Law: l.law, Count: 1}}, max(0, eps-shift))
	if err != nil {
		return 0, 0, err
	}
	below, err := lattice.Delta([]lattice.Part{{Law: l.law, Count: 1}}, eps)
	return below.Lower, min(1, up(above.Upper+2*l.lost+8*ulp*eps, 4)), err
}

func (m blended) laws() (remove, add lattice.Law, err error) {
	plain, back, err := lawsOf(m.plain)
	if err != nil {
		return nil, nil, err
	}
	full, fullBack, err := lawsOf(m.full)
	if err != nil {
		return nil, nil, err
	}
	remove = blend{plain, full, m.lo, m.hi}
	if back == nil && fullBack == nil {
		return remove, nil, nil
	}
	if back == nil {
		back = plain
	}
	if fullBack == nil {
		fullBack = full
	}
	return remove, blend{back, fullBack, m.lo, m.hi}, nil
}

// lawsOf returns laws whose upper sides share the lattice of the multiples of a step: those of a batch that no limit truncates.
func lawsOf(m mechanism) (remove, add lattice.Law, err error) {
	switch m := m.(type) {
	case sampledGaussian:
		return both(loss.TruncatedPoisson(1, m.q, 1, m.sigma))
	case replaceOneGaussian:
		return alone(loss.TruncatedPoissonReplace(1, m.q, 1, m.sigma))
	case replacedGaussian:
		return m.laws()
	}
	return nil, nil, noBound(methodLattice, "a truncated batch of another kind")
}

// blend is the law of a curve of at most 1-p times that of plain and p times that of full, p from lo to hi. What it encloses is the pair that
// tells which of the two it was.
type blend struct {
	plain, full lattice.Law
	lo, hi      float64
}

func (b blend) Discretize(step, tail float64) (upper, lower lattice.PMF, err error) {
	plain, plainLower, err := b.plain.Discretize(step, tail)
	if err != nil {
		return upper, lower, err
	}
	full, fullLower, err := b.full.Discretize(step, tail)
	if err != nil {
		return upper, lower, err
	}
	align(&plain, &full, math.Max, math.Inf(1))
	align(&plainLower, &fullLower, math.Min, math.Inf(-1))
	return sum(plain, full, 1-b.lo, b.hi, 1+8*ulp), sum(plainLower, fullLower, 1-b.hi, b.lo, 1-8*ulp), nil
}

// Upper is the upper law of Discretize.
func (b blend) Upper(step, tail float64) (lattice.PMF, error) {
	plain, err := upperOf(b.plain, step, tail)
	if err != nil {
		return lattice.PMF{}, err
	}
	full, err := upperOf(b.full, step, tail)
	if err != nil {
		return lattice.PMF{}, err
	}
	align(&plain, &full, math.Max, math.Inf(1))
	return sum(plain, full, 1-b.lo, b.hi, 1+8*ulp), nil
}

// align gives y the lattice of x, which moves both towards one side by what their offsets differ beyond whole steps.
func align(x, y *lattice.PMF, extreme func(x, y float64) float64, side float64) {
	n := math.Round((y.Offset - x.Offset) / x.Step)
	if n != 0 {
		y.First += int(n)
		y.Offset -= n * x.Step
		y.Offset += math.Copysign(4*ulp*(math.Abs(n)*x.Step+math.Abs(x.Offset)), side)
	}
	x.Offset = extreme(x.Offset, y.Offset)
	y.Offset = x.Offset
}

// sum returns the masses of both, weighted and multiplied by a factor that covers rounding.
func sum(x, y lattice.PMF, weightX, weightY, factor float64) lattice.PMF {
	first := min(x.First, y.First)
	mass := make([]float64, max(x.First+len(x.Mass), y.First+len(y.Mass))-first)
	for i, p := range x.Mass {
		mass[x.First-first+i] += weightX * p * factor
	}
	for i, p := range y.Mass {
		mass[y.First-first+i] += weightY * p * factor
	}
	return lattice.PMF{Step: x.Step, Offset: x.Offset, First: first, Mass: mass, Inf: (weightX*x.Inf + weightY*y.Inf) * factor}
}
