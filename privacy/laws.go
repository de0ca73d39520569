package privacy

import (
	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
	"github.com/surefoot-ml/surefoot/privacy/internal/loss"
)

// The laws of the privacy loss of each mechanism that has one, for the lattice. A mechanism known by its curve alone has none.

func (m pureLoss) laws() (remove, add lattice.Law, err error) {
	return alone(loss.ApproximateDP(m.eps, 0))
}

func (m approximateLoss) laws() (remove, add lattice.Law, err error) {
	return alone(loss.ApproximateDP(m.eps, m.delta))
}

func (m permuteAndFlip) laws() (remove, add lattice.Law, err error) {
	return alone(loss.PermuteAndFlip(m.eps))
}

func (m boundedRange) laws() (remove, add lattice.Law, err error) {
	return alone(loss.Exponential(m.eps))
}

func (m answers) laws() (remove, add lattice.Law, err error) {
	if m.special {
		return both(loss.RandomizedResponseZeroOut(m.p, m.k))
	}
	return alone(loss.RandomizedResponse(m.p, m.k))
}

func (m laplaceNoise) laws() (remove, add lattice.Law, err error) {
	return rounded(func(down float64) (lattice.Law, lattice.Law, error) { return alone(loss.Laplace(m.eps * down)) })
}

func (m geometricNoise) laws() (remove, add lattice.Law, err error) {
	return rounded(func(down float64) (lattice.Law, lattice.Law, error) { return alone(m.atoms(down)) })
}

func (m geometricNoise) atoms(down float64) (*loss.Atoms, error) {
	return loss.DiscreteLaplace(m.decay*down, steps(m.shift))
}

func (m discreteNoise) laws() (remove, add lattice.Law, err error) { return alone(m.atoms()) }

func (m discreteNoise) atoms() (*loss.Atoms, error) {
	return loss.DiscreteGaussian(m.sigma, steps(m.shift))
}

func (m sampledNoise) laws() (remove, add lattice.Law, err error) {
	if m.q <= minRate {
		return nil, nil, noBound(methodLattice, "so small a rate was rounded up")
	}
	switch base := m.base.(type) {
	case laplaceNoise:
		return rounded(func(down float64) (lattice.Law, lattice.Law, error) {
			return both(loss.PoissonLaplace(base.eps*down, m.q))
		})
	case geometricNoise:
		return rounded(func(down float64) (lattice.Law, lattice.Law, error) { return m.atoms(base.atoms(down)) })
	case discreteNoise:
		return m.atoms(base.atoms())
	}
	return nil, nil, noBound(methodLattice, "no law is known for a sample of this mechanism")
}

// atoms returns the laws of a Poisson sample.
func (m sampledNoise) atoms(base *loss.Atoms, err error) (remove, add lattice.Law, _ error) {
	if err != nil {
		return nil, nil, err
	}
	return both(base.Poisson(m.q))
}

// rounded encloses the law of a mechanism whose parameter was rounded up by at most 2 ulp: law gets the factor that undoes it.
func rounded(law func(down float64) (remove, add lattice.Law, err error)) (remove, add lattice.Law, err error) {
	remove, add, err = law(1)
	if err != nil {
		return nil, nil, err
	}
	below, belowAdd, err := law(1 - 4*ulp)
	if err != nil {
		return nil, nil, err
	}
	if add != nil {
		add = enclosed{add, belowAdd}
	}
	return enclosed{remove, below}, add, nil
}

// alone is a law that is its own swap; a nil pointer stays nil.
func alone[L lattice.Law](l L, err error) (remove, add lattice.Law, _ error) {
	if err != nil {
		return nil, nil, err
	}
	return l, nil, nil
}

func both[L lattice.Law](remove, add L, err error) (lattice.Law, lattice.Law, error) {
	if err != nil {
		return nil, nil, err
	}
	return remove, add, nil
}

// steps is a number of grid steps; beyond 2^30 all are too many.
func steps(shift float64) int { return int(min(shift, maxSteps)) }
