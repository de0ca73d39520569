package privacy

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCurve(t *testing.T) {
	t.Parallel()
	// A Gaussian with noise multiplier 2, at some orders: its epsilon can only be larger than at the best one.
	var c Curve
	for _, o := range []float64{1.5, 2, 4, 8, 16, 32, 64} {
		c.Orders, c.Divergences = append(c.Orders, o), append(c.Divergences, o/8)
	}
	var r RDP
	require.NoError(t, r.Step(Gaussian{2, 1, AddRemove}))
	got, order, err := c.Epsilon(1e-5)
	require.NoError(t, err)
	best, err := r.Epsilon(1e-5)
	require.NoError(t, err)
	require.Equal(t, 8.0, order)
	require.True(t, got.Converged)
	require.GreaterOrEqual(t, got.Upper, best.Upper)
	require.Less(t, got.Upper, 1.1*best.Upper)
	delta, _, err := c.Delta(got.Upper)
	require.NoError(t, err)
	require.InEpsilon(t, 1e-5, delta.Upper, 1e-12)

	// By the divergence of the smallest order alone: delta(0)² <= 1-e^-D.
	small := Curve{[]float64{2}, []float64{1e-7}}
	zero, _, err := small.Epsilon(3.2e-4)
	require.NoError(t, err)
	require.Zero(t, zero.Upper)
	some, _, err := small.Epsilon(3.1e-4)
	require.NoError(t, err)
	require.Positive(t, some.Upper)
	delta, _, err = small.Delta(0)
	require.NoError(t, err)
	require.InEpsilon(t, math.Sqrt(1e-7), delta.Upper, 1e-3)

	for _, bad := range []Curve{
		{}, {[]float64{2}, nil}, {[]float64{1}, []float64{1}}, {[]float64{2}, []float64{-1e-300}}, {[]float64{2}, []float64{math.NaN()}},
		{[]float64{math.NaN()}, []float64{1}}, {[]float64{2}, []float64{math.Inf(1)}},
	} {
		_, _, err := bad.Epsilon(1e-5)
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, _, err = c.Epsilon(0)
	require.ErrorIs(t, err, ErrInvalid)
	_, _, err = c.Delta(-1)
	require.ErrorIs(t, err, ErrInvalid)
}
