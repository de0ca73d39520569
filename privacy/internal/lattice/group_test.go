package lattice

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPoissonGroup: reference values are upper bounds on a grid of 5e-4, at most 1e-4 above the truth.
func TestPoissonGroup(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		k            int
		q, sigma     float64
		count        int
		delta, upper float64
	}{{2, .01, 1, 1000, 1e-5, 3.979185}, {4, .01, 2, 1000, 1e-5, 2.893521}, {8, .001, 1, 1000, 1e-6, 1.753592}, {1, .01, 1, 1000, 1e-5, 1.828244}} {
		var b Bound
		for _, add := range []bool{false, true} {
			m, err := PoissonGroup(row.k, row.q, row.sigma, add)
			require.NoError(t, err)
			d, err := Epsilon([]Part{{Law: m, Count: row.count}}, row.delta)
			require.NoError(t, err)
			b = Bound{max(b.Lower, d.Lower), max(b.Upper, d.Upper)}
		}
		require.LessOrEqual(t, b.Lower, row.upper+1e-6, "%+v", row)
		require.InEpsilon(t, row.upper, b.Upper, 1e-3, "%+v", row)
	}
}

// TestBatchGroup: one record in batches of m of n is Poisson sampling at m/n with half the noise.
func TestBatchGroup(t *testing.T) {
	t.Parallel()
	for _, add := range []bool{false, true} {
		m, err := BatchGroup(1000, 10, 1, 2, add)
		require.NoError(t, err)
		a, err := Epsilon([]Part{{Law: m, Count: 300}}, 1e-6)
		require.NoError(t, err)
		b, err := Epsilon([]Part{{Law: poisson(t, .01, 1, add), Count: 300}}, 1e-6)
		require.NoError(t, err)
		require.LessOrEqual(t, max(a.Lower, b.Lower), min(a.Upper, b.Upper))
		require.InEpsilon(t, a.Upper, b.Upper, 1e-3)
		two, err := BatchGroup(1000, 10, 2, 2, add)
		require.NoError(t, err)
		c, err := Epsilon([]Part{{Law: two, Count: 300}}, 1e-6)
		require.NoError(t, err)
		require.Greater(t, c.Lower, a.Upper)
	}
}

func TestGroupRefusals(t *testing.T) {
	t.Parallel()
	for _, k := range []int{-1, 0, maxGroup + 1} {
		_, err := PoissonGroup(k, .1, 1, false)
		require.ErrorIs(t, err, ErrParameter)
		_, err = BatchGroup(10000, 10, k, 1, false)
		require.ErrorIs(t, err, ErrParameter)
	}
	_, err := PoissonGroup(256, .999, 1, false)
	require.ErrorIs(t, err, ErrParameter)
	_, err = BatchGroup(10, 10, 1, 1, false)
	require.ErrorIs(t, err, ErrParameter)
	m, err := PoissonGroup(3, 1, 2, false)
	require.NoError(t, err)
	b, err := Epsilon([]Part{{Law: m, Count: 1}}, 1e-5)
	require.NoError(t, err)
	require.InDelta(t, gaussian(1.5, b.Upper), 1e-5, 1e-9)
}
