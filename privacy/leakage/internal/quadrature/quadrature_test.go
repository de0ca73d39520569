package quadrature

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Gauss's rule of 7 points is exact up to degree 13, Kronrod's extension of it up to 22; either is off beyond.
func TestRulesAreExactForPolynomials(t *testing.T) {
	t.Parallel()
	for degree := 0; degree <= 26; degree++ {
		gauss, kronrod := rules(func(x float64) float64 { return math.Pow(x, float64(degree)) }, 0, 2)
		want := math.Pow(2, float64(degree+1)) / float64(degree+1)
		require.Equal(t, degree <= 13, math.Abs(gauss/want-1) < 1e-14, "Gauss, degree %d", degree)
		if degree <= 22 {
			require.InEpsilon(t, want, kronrod, 1e-14, "Kronrod, degree %d", degree)
		}
	}
}

func TestIntegrate(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 2./3, Integrate(math.Sqrt, 1e-12, 0, 1), 1e-12)
	require.InDelta(t, 1, Integrate(func(x float64) float64 { return math.Abs(x) }, 1e-12, -1, 0, 0, 1), 1e-14)
	require.InDelta(t, math.Sqrt(math.Pi), Integrate(func(x float64) float64 { return math.Exp(-x * x) }, 1e-13, -9, 0, 9), 1e-12)
	require.Zero(t, Integrate(math.Sqrt, 1e-12, 1))
	require.True(t, math.IsNaN(Integrate(math.Log, 1e-12, -1, 1)), "not a number on the way")
}
