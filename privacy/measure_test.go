package privacy

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// For plain Gaussians a filter by rho admits what one by Rényi divergence does, at its best order; one by mu² admits all that is true.
func TestFiltersOfGaussians(t *testing.T) {
	t.Parallel()
	for _, b := range []Budget{{1, 1e-6}, {.1, 1e-8}, {20, 1e-5}, {300, 1e-9}} {
		e := Gaussian{40 / b.Epsilon, 1, AddRemove}
		if b.Epsilon > 10 {
			e.StdDev = 3
		}
		renyi := newFilter(t, b, e)
		rho, err := NewConcentratedFilter(b, AddRemove)
		require.NoError(t, err)
		mu, err := NewGaussianFilter(b, AddRemove)
		require.NoError(t, err)
		n := remaining(t, renyi, e)
		require.InDelta(t, n, remaining(t, rho, e), 1+1e-6*float64(n))
		most := remaining(t, mu, e)
		require.GreaterOrEqual(t, most, n)
		require.Less(t, float64(most), 1.6*float64(n)+3)

		// Exactly what the closed form allows.
		require.LessOrEqual(t, gaussianEpsilon(float64(most)/(e.StdDev*e.StdDev)*(1-1e-12), b.Delta), b.Epsilon)
		require.Greater(t, gaussianEpsilon(float64(most+1)/(e.StdDev*e.StdDev), b.Delta), b.Epsilon)
		for _, f := range []*Filter{rho, mu} {
			require.Zero(t, f.Order())
			k := remaining(t, f, e)
			require.NoError(t, f.SpendN(e, k))
			require.LessOrEqual(t, f.Spent().Upper, b.Epsilon)
			require.Greater(t, f.Spent().Upper, b.Epsilon*math.Sqrt(float64(k)/float64(k+1))*.98)
			var full *ExhaustedError
			require.ErrorAs(t, f.Spend(e), &full)
			require.InEpsilon(t, full.Limit, full.Spent, 2/float64(k))
			require.Greater(t, full.Spent+full.Requested, full.Limit*(1-1e-9))

			state, err := f.State()
			require.NoError(t, err)
			again, err := NewConcentratedFilter(b, AddRemove) // takes over the measure of the state
			require.NoError(t, err)
			require.NoError(t, again.Restore(state))
			require.Equal(t, f.Spent(), again.Spent())
			require.ErrorIs(t, again.Spend(e), ErrExhausted)
		}
	}
}

func TestFiltersRefuseWhatTheyCannotAddUp(t *testing.T) {
	t.Parallel()
	b := Budget{1, 1e-6}
	for _, make := range []func(Budget, Relation) (*Filter, error){NewConcentratedFilter, NewGaussianFilter} {
		f, err := make(b, AddRemove)
		require.NoError(t, err)
		require.ErrorIs(t, f.Spend(sampled(.01, 1)), ErrInvalid, "a sampled Gaussian has no rho worth its name and no mu")
		require.NoError(t, f.Spend(sampled(0, 1)))
		require.ErrorIs(t, f.Spend(Gaussian{30, 1, ReplaceOne}), ErrInvalid)
		require.NoError(t, f.Spend(sampled(1, 30)))
		_, err = make(b, 0)
		require.ErrorIs(t, err, ErrInvalid)
		_, err = make(Budget{}, AddRemove)
		require.ErrorIs(t, err, ErrInvalid)
	}
}
