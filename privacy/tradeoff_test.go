package privacy

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// The curve of a Gaussian is known: TPR = Φ(Φ⁻¹(FPR) + mu).
func TestTradeoffOfGaussian(t *testing.T) {
	t.Parallel()
	const mu = 1.
	var g GDP
	require.NoError(t, g.Step(plain(1/mu)))
	rates := []float64{0, 1e-6, 1e-3, .01, .1, .3, .5, .8, .99, 1}
	points, err := Tradeoff(&g, rates...)
	require.NoError(t, err)
	closed, err := g.Tradeoff(rates...)
	require.NoError(t, err)
	for i, p := range points {
		require.Equal(t, rates[i], p.FPR)
		require.LessOrEqual(t, closed[i].TPR, p.TPR*(1+1e-14))
		quantile := -math.Sqrt2 * math.Erfcinv(2*p.FPR)
		exact := math.Erfc(-(quantile+mu)/math.Sqrt2) / 2
		require.GreaterOrEqual(t, p.TPR, exact*(1-1e-12), "FPR %v", p.FPR)
		require.InDelta(t, exact, closed[i].TPR, 1e-9*exact, "FPR %v", p.FPR)
		require.InDelta(t, exact, p.TPR, 1e-4*exact+1e-12, "FPR %v", p.FPR)
	}
	require.Equal(t, 1., points[len(points)-1].TPR)
	for _, bad := range []float64{-1e-9, 1.1, math.NaN()} {
		_, err := Tradeoff(&g, bad)
		require.ErrorIs(t, err, ErrInvalid)
		_, err = g.Tradeoff(bad)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

// A looser accountant gives a curve that is higher everywhere; nothing spent gives the diagonal; no answer gives no curve.
func TestTradeoffOfAccountants(t *testing.T) {
	t.Parallel()
	var b Best
	var r RDP
	for _, a := range []Accountant{&b, &r} {
		require.NoError(t, a.Add(sampled(.01, 1), 1000))
	}
	rates := []float64{1e-4, .01, .1, .5, .9}
	tight, err := Tradeoff(&b, rates...)
	require.NoError(t, err)
	loose, err := Tradeoff(&r, rates...)
	require.NoError(t, err)
	for i := range rates {
		require.Less(t, tight[i].TPR, loose[i].TPR)
		require.Greater(t, tight[i].TPR, rates[i])
		if i > 0 {
			require.Greater(t, tight[i].TPR, tight[i-1].TPR)
		}
	}
	var none RDP
	diagonal, err := Tradeoff(&none, rates...)
	require.NoError(t, err)
	for i, p := range diagonal {
		require.InDelta(t, rates[i], p.TPR, 1e-12)
	}
	var g GDP
	require.NoError(t, g.Step(sampled(.01, 1)))
	_, err = Tradeoff(&g, .1)
	require.ErrorIs(t, err, ErrNoBound)
}
