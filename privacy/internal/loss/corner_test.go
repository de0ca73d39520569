package loss

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Losses that are known no better than the step are refused; they once lay outside of the lattice.
func TestStepBelowRounding(t *testing.T) {
	t.Parallel()
	for _, p := range []float64{1 - 1e-14, 1 - 2e-15, 1 - 0x1p-53} {
		a, err := RandomizedResponse(p, 10)
		require.NoError(t, err)
		unit, ok := a.Lattice()
		require.True(t, ok)
		remove, add, err := a.Poisson(0.3)
		require.NoError(t, err)
		for _, l := range []*Atoms{a, remove, add} {
			for _, step := range []float64{unit, unit / 3, unit / 100} {
				if _, _, err := l.Discretize(step, 1e-9); err != nil {
					require.ErrorIs(t, err, ErrTooLarge)
				}
			}
		}
	}
}

// The number of points within the reach of the exponential may exceed every integer.
func TestProfileTinyStep(t *testing.T) {
	t.Parallel()
	remove, add, err := FixedBatchZeroOut(1, 0.1)
	require.NoError(t, err)
	for _, p := range []*Profile{remove, add} {
		for _, step := range []float64{1e-300, 1e-12} {
			_, _, err := p.Discretize(step, 1e-9)
			require.ErrorIs(t, err, ErrTooLarge)
		}
		if _, _, err = p.Discretize(1e-300, 0.9); err != nil {
			require.ErrorIs(t, err, ErrTooLarge)
		}
	}
}

// Beyond the reach of the exponential delta is enclosed all the same.
func TestDeltaOfLargeLosses(t *testing.T) {
	t.Parallel()
	l, err := FixedBatch(0.05, 0.5) // losses about 800 with probability 1/2
	require.NoError(t, err)
	for eps, want := range map[float64]float64{690: 0.498301577161594, 705: 0.495073762565851, 750: 0.443170063484469, 790: 0.291116916416654, 2000: 8.32209692747596e-199} {
		lo, hi, err := l.Delta(eps)
		require.NoError(t, err)
		require.LessOrEqual(t, lo, want*(1+1e-14), "eps %v", eps)
		require.GreaterOrEqual(t, hi, want*(1-1e-14), "eps %v", eps)
	}
}
