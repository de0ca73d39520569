package lattice_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
	"github.com/surefoot-ml/surefoot/privacy/internal/loss"
)

func first[L lattice.Law](l L, _ lattice.Law, err error) (lattice.Law, error) { return l, err }

// TestForeign: laws of other mechanisms. References: dp_accounting 0.4.4 (truncated, Laplace for ten steps, as an upper bound on a grid
// of 1e-4), closed forms, and direct convolution.
func TestForeign(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		law      func() (lattice.Law, error)
		count    int
		lo, hi   float64 // of the upper end
		relative float64 // width, 1 where nothing is known from below
	}{
		{"Laplace", func() (lattice.Law, error) { return loss.Laplace(1) }, 1, .99997999989, .99997999991, 1e-9},
		{"Laplace, ten", func() (lattice.Law, error) { return loss.Laplace(1) }, 10, 9.98996, 9.98996241, 1e-7},
		{"Laplace, hundred", func() (lattice.Law, error) { return loss.Laplace(1) }, 100, 68.2528, 68.2531, 1e-5},
		{"truncated", func() (lattice.Law, error) { return first(loss.TruncatedPoisson(60000, .004, 300, 1)) }, 1000, .75, .75128, 1},
		{"allocation", func() (lattice.Law, error) { return first(loss.NewAllocation(1, 100)) }, 1, .6208, .6211, 1e-3},
		{"zero-out", func() (lattice.Law, error) { return first(loss.FixedBatchZeroOut(2, .01)) }, 1000, 1.555, 1.5615, 1},
		{"permute-and-flip", func() (lattice.Law, error) { return loss.PermuteAndFlip(1) }, 10, 9.9997, 9.9998, 1},
	} {
		if lattice.UnderRace && c.count != 10 && c.count != 100 { // the others take long
			continue
		}
		law, err := c.law()
		require.NoError(t, err, c.name)
		b, err := lattice.EpsilonWithin([]lattice.Part{{Law: law, Count: c.count}}, 1e-5, 1e-5)
		require.NoError(t, err, c.name)
		require.GreaterOrEqual(t, b.Upper, c.lo, "%s: %v", c.name, b)
		require.LessOrEqual(t, b.Upper, c.hi, "%s: %v", c.name, b)
		require.GreaterOrEqual(t, b.Lower, (1-c.relative)*b.Upper, "%s: %v", c.name, b)
		if testing.Short() || lattice.UnderRace {
			continue
		}
		above, err := lattice.Epsilon([]lattice.Part{{Law: law, Count: c.count, Above: true}}, 1e-5)
		require.NoError(t, err, c.name)
		require.GreaterOrEqual(t, above.Upper, b.Lower, c.name)
		require.InEpsilon(t, b.Upper, above.Upper, 1e-3, c.name)
		require.LessOrEqual(t, above.Lower, b.Upper, c.name)
		d, err := lattice.Delta([]lattice.Part{{Law: law, Count: c.count}}, b.Upper)
		require.NoError(t, err, c.name)
		require.LessOrEqual(t, d.Lower, 1e-5, "%s: delta(%v) in %v", c.name, b.Upper, d)
		require.Less(t, d.Upper, 1.05e-5, "%s: delta(%v) in %v", c.name, b.Upper, d)
	}
}

// TestOwnLattice: atoms that stay where they are lose next to nothing, one by one and mixed; the exact composition is the reference.
func TestOwnLattice(t *testing.T) {
	t.Parallel()
	discrete, err := loss.DiscreteLaplace(.5, 4)
	require.NoError(t, err)
	response, err := loss.RandomizedResponse(.3, 10)
	require.NoError(t, err)
	pure, err := loss.ApproximateDP(.7, 1e-7)
	require.NoError(t, err)
	zero, _, err := loss.RandomizedResponseZeroOut(.3, 5)
	require.NoError(t, err)
	for i, law := range []*loss.Atoms{discrete, response, pure, zero} {
		for _, n := range []int{1, 2, 5, 60} {
			c, err := law.Compose(n)
			require.NoError(t, err)
			lo, hi, err := c.Epsilon(1e-5)
			require.NoError(t, err)
			b, err := lattice.Epsilon([]lattice.Part{{Law: law, Count: n}}, 1e-5)
			require.NoError(t, err)
			require.LessOrEqual(t, b.Lower, hi)
			require.GreaterOrEqual(t, b.Upper, lo)
			require.InEpsilon(t, hi, b.Upper, 1e-8, "law %d, %d executions: %v, exact %v..%v", i, n, b, lo, hi)
			require.InEpsilon(t, lo, b.Lower, 1e-8, "law %d, %d executions: %v, exact %v..%v", i, n, b, lo, hi)
		}
	}
	// Losses of multiples of 1 and of 1/2.
	coarse, err := loss.ApproximateDP(1, 0)
	require.NoError(t, err)
	b, err := lattice.Epsilon([]lattice.Part{{Law: discrete, Count: 4}, {Law: coarse, Count: 7}}, 1e-5)
	require.NoError(t, err)
	require.Less(t, b.Upper-b.Lower, 1e-8*b.Upper, "%v", b)
}

// TestNothingBelow: a law with no lower side leaves the others theirs.
func TestNothingBelow(t *testing.T) {
	t.Parallel()
	flip, err := loss.PermuteAndFlip(.5)
	require.NoError(t, err)
	laplace, err := loss.Laplace(.5)
	require.NoError(t, err)
	alone, err := lattice.Epsilon([]lattice.Part{{Law: laplace, Count: 20}}, 1e-5)
	require.NoError(t, err)
	b, err := lattice.Epsilon([]lattice.Part{{Law: laplace, Count: 20}, {Law: flip, Count: 2}}, 1e-5)
	require.NoError(t, err)
	require.LessOrEqual(t, b.Lower, alone.Upper)
	require.GreaterOrEqual(t, b.Lower, alone.Lower*.99)
	require.Greater(t, b.Upper, alone.Lower)
	require.LessOrEqual(t, b.Upper, alone.Upper+1)
	c, err := lattice.Compose([]lattice.Part{{Law: flip, Count: 1}}, 1e-5)
	require.NoError(t, err)
	b, err = c.Epsilon(1e-5)
	require.NoError(t, err)
	require.Zero(t, b.Lower)
	require.InDelta(t, .5, b.Upper, 1e-4)
}

// picky refuses steps below a limit.
type picky struct {
	lattice.Law
	limit float64
}

var errPicky = errors.New("too fine")

func (p picky) Discretize(step, tail float64) (upper, lower lattice.PMF, err error) {
	if step < p.limit {
		return upper, lower, errPicky
	}
	return p.Law.Discretize(step, tail)
}

// TestPicky: a law that refuses a fine lattice gets a coarser one.
func TestPicky(t *testing.T) {
	t.Parallel()
	law, err := lattice.Poisson(.1, 1, false)
	require.NoError(t, err)
	fine, err := lattice.Epsilon([]lattice.Part{{Law: law, Count: 100}}, 1e-5)
	require.NoError(t, err)
	for _, limit := range []float64{1e-4, 1e-2} {
		b, err := lattice.Epsilon([]lattice.Part{{Law: picky{law, limit}, Count: 100}}, 1e-5)
		require.NoError(t, err, "limit %v", limit)
		require.LessOrEqual(t, b.Lower, fine.Upper)
		require.GreaterOrEqual(t, b.Upper, fine.Lower)
		require.Less(t, b.Upper, 1.2*fine.Upper)
	}
	_, err = lattice.Epsilon([]lattice.Part{{Law: picky{law, math.Inf(1)}, Count: 100}}, 1e-5)
	require.ErrorIs(t, err, errPicky)
}
