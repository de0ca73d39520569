package loss

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// grid of eps that meets points, cells and the far ends.
func someEps(r *rand.Rand, reach float64) []float64 {
	eps := []float64{0, reach, -reach, reach / 2, -reach / 3}
	for range 40 {
		eps = append(eps, (2*r.Float64()-1)*reach*1.1)
	}
	return eps
}

func exactly(f func(eps float64) float64) func(float64) (lo, hi float64) {
	return func(eps float64) (lo, hi float64) { d := f(eps); return d * (1 - 1e-11), d*(1+1e-11) + 1e-15 }
}

func TestAtomsDominate(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		var list []*Atoms
		add := func(a *Atoms, err error) {
			require.NoError(t, err)
			list = append(list, a, a.Swap())
			for _, q := range []float64{1, 0.5, 0.9999, 1e-3 + 0.3*r.Float64()} {
				remove, add, err := a.Poisson(q)
				require.NoError(t, err)
				list = append(list, remove, add)
			}
		}
		add(RandomizedResponse(r.Float64(), 2+r.IntN(20)))
		add(ApproximateDP(5*r.Float64()+0.01, 1e-4*r.Float64()))
		add(DiscreteLaplace(0.01+2*r.Float64(), 1+r.IntN(6)))
		add(DiscreteGaussian(0.2+3*r.Float64(), 1+r.IntN(4)))
		remove, _, err := RandomizedResponseZeroOut(r.Float64(), 2+r.IntN(20))
		add(remove, err)
		for _, a := range list {
			step := math.Pow(10, -0.5-2.5*r.Float64())
			if step < 1e-6*(a.max()-a.min()) {
				continue
			}
			dominates(t, a, step, 1e-20, func(eps float64) (lo, hi float64) {
				lo, hi, err := a.Delta(eps)
				require.NoError(t, err)
				return lo, hi
			}, someEps(r, math.Min(50, a.max()+step)))
		}
	}
}

// On its own lattice a law is exact: the two sides agree up to rounding.
func TestAtomsOnLattice(t *testing.T) {
	t.Parallel()
	for _, law := range []func() (*Atoms, error){
		func() (*Atoms, error) { return RandomizedResponse(0.7, 5) },
		func() (*Atoms, error) { return ApproximateDP(0.3, 1e-6) },
		func() (*Atoms, error) { return DiscreteLaplace(0.2, 3) },
		func() (*Atoms, error) { return DiscreteGaussian(2.3, 2) },
	} {
		a, err := law()
		require.NoError(t, err)
		unit, ok := a.Lattice()
		require.True(t, ok)
		for _, n := range []float64{1, 7} {
			c, err := a.Compose(10)
			require.NoError(t, err)
			lo, hi, err := c.Epsilon(1e-5)
			require.NoError(t, err)
			below, above := bracket(t, a, unit/n, 10, 60, 1e-5)
			require.LessOrEqual(t, below, hi*(1+1e-11))
			require.GreaterOrEqual(t, above, lo*(1-1e-11))
			require.InDelta(t, below, above, 2e-8*above, "unit/%v", n)
		}
	}
}

func TestGoldenAtoms(t *testing.T) {
	t.Parallel()
	for _, r := range references(t, "discrete_gaussian") {
		if r.Q == 1 {
			continue
		}
		a, err := DiscreteGaussian(r.Sigma, r.Sensitivity)
		require.NoError(t, err)
		remove, add, err := a.Poisson(r.Q)
		require.NoError(t, err)
		below, above := bracket(t, remove, 2e-3, r.Steps, 4, r.Delta)
		swapped, over := bracket(t, add, 2e-3, r.Steps, 4, r.Delta)
		require.LessOrEqual(t, math.Max(above, over), r.Expect.PLD.Upper*(1+2e-4))
		require.Greater(t, math.Max(below, swapped), math.Max(above, over)*(1-8e-3))
		t.Logf("%s [%.6f, %.6f] peer %.6f", r.ID, math.Max(below, swapped), math.Max(above, over), r.Expect.PLD.Upper)
	}
}

func laplaceCurve(eps0 float64) func(eps float64) float64 {
	return func(eps float64) float64 {
		switch {
		case eps >= eps0:
			return 0
		case eps <= -eps0:
			return -math.Expm1(eps)
		}
		return -math.Expm1((eps - eps0) / 2) // P(x<=cut) - e^eps Q(x<=cut) at the cut of the loss eps
	}
}

// poissonCurve samples a curve that is its own swap.
func poissonCurve(base func(float64) float64, q float64, add bool) func(eps float64) float64 {
	remove := func(eps float64) float64 {
		if k := 1 + math.Expm1(eps)/q; k > 0 {
			return q * base(math.Log(k))
		}
		return -math.Expm1(eps)
	}
	if !add {
		return remove
	}
	return func(eps float64) float64 { return -math.Expm1(eps) + math.Exp(eps)*remove(-eps) }
}

func TestLaplaceDominates(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		eps0 := math.Exp(4*r.Float64() - 2.5)
		l, err := Laplace(eps0)
		require.NoError(t, err)
		step := eps0 * math.Pow(10, -3*r.Float64())
		dominates(t, l, step, 1e-20, exactly(laplaceCurve(eps0)), someEps(r, eps0))
		e, err := Exponential(eps0)
		require.NoError(t, err)
		up, _, err := e.Discretize(step, 1e-20)
		require.NoError(t, err)
		// Every pair on {s, s+eps0} lies below.
		f := folded{up.Step, up.Offset, up.First, up.Mass, up.Inf}
		for range 30 {
			s, eps := -r.Float64()*eps0, (2*r.Float64()-1)*eps0
			p := math.Expm1(s) / math.Expm1(-eps0)
			d := p*math.Max(0, -math.Expm1(eps-s-eps0)) + (1-p)*math.Max(0, -math.Expm1(eps-s))
			require.GreaterOrEqual(t, f.delta(eps)*(1+1e-12)+1e-15, d)
		}
		q := math.Exp(-5 * r.Float64())
		remove, add, err := PoissonLaplace(eps0, q)
		require.NoError(t, err)
		dominates(t, remove, step*q, 1e-20, exactly(poissonCurve(laplaceCurve(eps0), q, false)), someEps(r, eps0))
		dominates(t, add, step*q, 1e-20, exactly(poissonCurve(laplaceCurve(eps0), q, true)), someEps(r, eps0))
	}
}

func TestGoldenLaplace(t *testing.T) {
	t.Parallel()
	for _, r := range references(t, "laplace") {
		l, err := Laplace(1 / r.B)
		require.NoError(t, err)
		unit, ok := l.Lattice()
		require.True(t, ok)
		lo, hi := bracket(t, l, unit/20, r.Steps, float64(r.Steps)/r.B+1, r.Delta)
		if want, ok := r.exact(t); ok {
			require.LessOrEqual(t, lo, want*(1+1e-12), r.ID)
			require.GreaterOrEqual(t, hi, want*(1-1e-12), r.ID)
		} else {
			require.LessOrEqual(t, lo, r.Expect.PLD.Upper, r.ID)
			require.GreaterOrEqual(t, hi, r.Expect.Optimistic.Lower, r.ID)
		}
		require.Less(t, hi-lo, 2e-3*hi, r.ID)
		t.Logf("%s [%.8f, %.8f] width %.1e", r.ID, lo, hi, (hi-lo)/hi)
	}
	for _, r := range references(t, "subsampled_laplace") {
		remove, add, err := PoissonLaplace(1/r.B, r.Q)
		require.NoError(t, err)
		lo, hi := 0.0, 0.0
		for _, l := range []*Law{remove, add} {
			unit, ok := l.Lattice()
			require.True(t, ok)
			a, b := bracket(t, l, unit/50, r.Steps, math.Min(8, float64(r.Steps)*unit+1), r.Delta)
			lo, hi = math.Max(lo, a), math.Max(hi, b)
		}
		require.LessOrEqual(t, hi, r.Expect.PLD.Upper*(1+1e-3), r.ID)
		require.LessOrEqual(t, lo, r.Expect.PLD.Upper, r.ID)
		require.Less(t, hi-lo, 3e-2*hi, r.ID)
		t.Logf("%s [%.7f, %.7f] peer %.7f", r.ID, lo, hi, r.Expect.PLD.Upper)
	}
}

// The bounded-range law halves the total variation of randomized response; no law of permute-and-flip beats it from below.
func TestSelection(t *testing.T) {
	t.Parallel()
	e, err := Exponential(1)
	require.NoError(t, err)
	up, _, err := e.Discretize(1e-3, 1e-12)
	require.NoError(t, err)
	require.InDelta(t, math.Tanh(0.25), folded{up.Step, up.Offset, up.First, up.Mass, up.Inf}.delta(0), 1e-6)
	lo, hi := bracket(t, e, 0.01, 10, 11, 1e-5)
	require.Less(t, lo, hi)
	p, err := PermuteAndFlip(1)
	require.NoError(t, err)
	_, down, err := p.Discretize(0.01, 1e-12)
	require.NoError(t, err)
	require.Zero(t, folded{down.Step, down.Offset, down.First, down.Mass, down.Inf}.delta(-5))
	_, flip := bracket(t, p, 0.01, 10, 11, 1e-5)
	require.Less(t, hi, flip)
}

func TestWeights(t *testing.T) {
	t.Parallel()
	sum := func(w Weights) (lo, hi float64) {
		for i := range w.Lower {
			lo += w.Lower[i]
			hi += w.Upper[i]
		}
		return lo, hi + w.Beyond
	}
	for _, c := range []struct {
		n    int64
		q    float64
		tail float64
	}{{10, .3, 1e-9}, {1e6, 1e-6, 1e-20}, {1e6, .5, 1e-12}, {1, .999999, 1e-300}, {50, 1e-12, 1e-100}, {1e9, 1e-3, 1e-15}} {
		w, err := Binomial(c.n, c.q, c.tail)
		require.NoError(t, err)
		lo, hi := sum(w)
		require.True(t, lo <= 1+1e-12 && hi >= 1-1e-12 && hi-lo < 1e-8, "%v: %v %v", c, lo, hi)
		require.LessOrEqual(t, w.Beyond, c.tail*(1+1e-6)+1e-289)
	}
	w, err := Binomial(4, 0.25, 1e-12)
	require.NoError(t, err)
	for i, want := range []float64{81, 108, 54, 12, 1} {
		require.InEpsilon(t, want/256, w.Upper[i], 1e-13)
		require.LessOrEqual(t, w.Lower[i], want/256)
		require.GreaterOrEqual(t, w.Upper[i], want/256)
	}
	h, err := Hypergeometric(10, 4, 5, 1e-12)
	require.NoError(t, err)
	for i, want := range []float64{6, 60, 120, 60, 6} {
		require.InEpsilon(t, want/252, h.Upper[i], 1e-13)
	}
	h, err = Hypergeometric(10, 10, 5, 1e-12)
	require.NoError(t, err)
	require.Equal(t, int64(5), h.First)
	require.InDelta(t, 1, h.Upper[0], 1e-13)
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	bad := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0}
	for _, x := range bad {
		for name, f := range map[string]func() error{
			"laplace":      func() error { _, err := Laplace(x); return err },
			"sampled":      func() error { _, _, err := PoissonLaplace(1, x); return err },
			"sampled eps":  func() error { _, _, err := PoissonLaplace(x, 0.5); return err },
			"exponential":  func() error { _, err := Exponential(x); return err },
			"flip":         func() error { _, err := PermuteAndFlip(x); return err },
			"pure":         func() error { _, err := ApproximateDP(x, 0); return err },
			"approximate":  func() error { _, err := ApproximateDP(1, x-1); return err },
			"response":     func() error { _, err := RandomizedResponse(x, 2); return err },
			"zero out":     func() error { _, _, err := RandomizedResponseZeroOut(x, 2); return err },
			"discrete":     func() error { _, err := DiscreteLaplace(x, 1); return err },
			"gaussian":     func() error { _, err := DiscreteGaussian(x, 1); return err },
			"batch":        func() error { _, err := FixedBatch(x, 0.1); return err },
			"batch q":      func() error { _, err := FixedBatch(1, x); return err },
			"batch zero":   func() error { _, _, err := FixedBatchZeroOut(x, 0.1); return err },
			"truncated":    func() error { _, _, err := TruncatedPoisson(100, x, 50, 1); return err },
			"truncated ro": func() error { _, err := TruncatedPoissonReplace(100, 0.1, 50, x); return err },
			"weights":      func() error { _, err := Binomial(10, x-1, 0.1); return err },
			"weights tail": func() error { _, err := Binomial(10, 0.1, x); return err },
			"step": func() error {
				l, err := Laplace(1)
				require.NoError(t, err)
				_, _, err = l.Discretize(x, 1e-9)
				return err
			},
			"tail": func() error {
				l, err := FixedBatch(1, 0.1)
				require.NoError(t, err)
				_, _, err = l.Discretize(0.1, x)
				return err
			},
			"atoms tail": func() error {
				l, err := DiscreteGaussian(1, 1)
				require.NoError(t, err)
				_, _, err = l.Discretize(0.1, x)
				return err
			},
		} {
			if err := f(); x == 0 && name == "approximate" {
				require.ErrorIs(t, err, ErrParameter, name)
			} else {
				require.ErrorIs(t, err, ErrParameter, "%s %v", name, x)
			}
		}
	}
	l, err := Laplace(400)
	require.NoError(t, err)
	_, _, err = l.Discretize(1e-9, 1e-9)
	require.ErrorIs(t, err, ErrTooLarge)
}

var (
	_ lattice.Law = (*Atoms)(nil)
	_ lattice.Law = (*Law)(nil)
	_ lattice.Law = (*Profile)(nil)
)
