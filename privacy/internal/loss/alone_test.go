package loss

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// Delta of one execution lies within what the lattice encloses, and is at least as sharp.
func TestDeltaAlone(t *testing.T) {
	t.Parallel()
	var laws []lattice.Law
	add := func(l ...lattice.Law) { laws = append(laws, l...) }
	l, err := Laplace(1.5)
	require.NoError(t, err)
	e, err := Exponential(1.5)
	require.NoError(t, err)
	f, err := FixedBatch(1, .1)
	require.NoError(t, err)
	r, err := TruncatedPoissonReplace(1000, .05, 60, 1)
	require.NoError(t, err)
	p, err := PermuteAndFlip(1)
	require.NoError(t, err)
	add(l, e, f, r, p)
	a, b, err := PoissonLaplace(1.5, .1)
	require.NoError(t, err)
	add(a, b)
	a, b, err = TruncatedPoisson(1000, .05, 60, 1)
	require.NoError(t, err)
	add(a, b)
	c, d, err := FixedBatchZeroOut(1, .1)
	require.NoError(t, err)
	add(c, d)
	for i, law := range laws {
		upper, lower, err := law.Discretize(0x1p-9, 1e-14)
		require.NoError(t, err)
		alone := law.(interface {
			Delta(eps float64) (lo, hi float64, err error)
		})
		for eps := 0.0; eps < 3; eps += .1711 {
			lo, hi, err := alone.Delta(eps)
			require.NoError(t, err)
			require.LessOrEqual(t, lo, hi, "law %d at %v", i, eps)
			above, below := pmfDelta(upper, eps), pmfDelta(lower, eps)
			require.GreaterOrEqual(t, above*(1+1e-12)+1e-15, lo, "law %d at %v", i, eps)
			require.LessOrEqual(t, below*(1-1e-12)-1e-15, hi, "law %d at %v", i, eps)
			if _, ok := law.(*Profile); !ok { // of a profile the lattice takes the convex hull
				require.LessOrEqual(t, hi, above+1e-12, "law %d at %v", i, eps)
			}
			require.GreaterOrEqual(t, lo, below-1e-12, "law %d at %v", i, eps)
		}
		_, _, err = alone.Delta(math.NaN())
		require.ErrorIs(t, err, ErrParameter)
	}
}

func pmfDelta(p lattice.PMF, eps float64) float64 {
	sum := p.Inf
	for k, m := range p.Mass {
		sum -= m * min(0, math.Expm1(eps-(p.Offset+float64(p.First+k)*p.Step)))
	}
	return sum
}

// A law with losses much further below than its lattice is long is cut there, not refused.
func TestLongTailBelow(t *testing.T) {
	t.Parallel()
	laplace, err := Laplace(400)
	require.NoError(t, err)
	pure, err := ApproximateDP(400, 0)
	require.NoError(t, err)
	for _, law := range []lattice.Law{laplace, pure} {
		upper, lower, err := law.Discretize(1.37e-4, 1e-12)
		require.NoError(t, err)
		require.LessOrEqual(t, len(upper.Mass), maxSpan+8)
		for _, eps := range []float64{300, 399.99} {
			lo, hi, err := law.(interface {
				Delta(eps float64) (lo, hi float64, err error)
			}).Delta(eps)
			require.NoError(t, err)
			require.GreaterOrEqual(t, pmfDelta(upper, eps), lo, "at %v", eps)
			require.LessOrEqual(t, pmfDelta(lower, eps), hi, "at %v", eps)
			require.InDelta(t, lo, pmfDelta(upper, eps), 1e-3, "at %v", eps)
		}
	}
}

// What an allocation keeps of one question serves the next, and a smaller tail is composed anew.
func TestAllocationKeeps(t *testing.T) {
	t.Parallel()
	remove, _, err := NewAllocation(2, 2)
	require.NoError(t, err)
	step, ok := remove.Lattice()
	require.True(t, ok)
	for _, x := range []struct{ every, tail float64 }{{1, 1e-10}, {3, 1e-9}, {1, 1e-12}} {
		fresh, _, err := NewAllocation(2, 2)
		require.NoError(t, err)
		upper, err := remove.Upper(step/x.every, x.tail)
		require.NoError(t, err)
		want, err := fresh.Upper(step/x.every, x.tail)
		require.NoError(t, err)
		for eps := 0.0; eps < 2; eps += .4 {
			require.InDelta(t, pmfDelta(want, eps), pmfDelta(upper, eps), 1e-8)
		}
	}
}
