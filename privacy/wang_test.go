package privacy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The published bound, to all digits of an independent evaluation (mpmath), and never below the curve that the accountants use.
func TestWangBound(t *testing.T) {
	t.Parallel()
	if slow {
		t.Skip("arithmetic alone: minutes under the race detector")
	}
	for _, c := range []struct {
		batch, records int
		sigma          float64 // over the clip
		order          int
		want           float64
	}{
		{1, 100, 2, 2, 5.43508638e-4}, {1, 100, 2, 16, 3.13406092}, {1, 100, 4, 2, 1.13603714e-4}, {1, 100, 4, 16, 9.72968945e-4},
		{1, 1000, 2, 8, 2.20743682e-5}, {5, 100, 6, 16, 1.04842403e-2}, {1, 10, 10, 32, 2.61799305e-2},
	} {
		f := FixedSize{c.batch, c.records, Gaussian{c.sigma, 1, ReplaceOne}}
		got, err := f.WangBound(c.order)
		require.NoError(t, err)
		require.InEpsilon(t, c.want, got, 5e-9, "%+v", c)
		ours, err := Renyi(f, float64(c.order))
		require.NoError(t, err)
		require.LessOrEqual(t, ours, got)
	}
	f := FixedSize{1, 100, Gaussian{2, 1, ReplaceOne}}
	for _, order := range []int{-1, 0, 1, 257} {
		_, err := f.WangBound(order)
		require.ErrorIs(t, err, ErrInvalid)
	}
	high, err := f.WangBound(256)
	require.NoError(t, err)
	require.Less(t, high, 256/2.+1e-9) // the plain Gaussian
	f.Gaussian.Relation = AddRemove
	_, err = f.WangBound(2)
	require.ErrorIs(t, err, ErrInvalid)
}
