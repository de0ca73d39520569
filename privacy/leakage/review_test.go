package leakage

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A bound is a number, also where the rates are as small as float64 allows.
func TestSubnormalKappa(t *testing.T) {
	t.Parallel()
	for kappa, truth := range map[float64]float64{1e-310: 713.802, math.SmallestNonzeroFloat64: 744.441, 1e-300: 690.776} {
		eps, err := Attack{Hits: Proportion{100, 100}, Kappa: kappa}.Epsilon(0, .05)
		require.NoError(t, err)
		require.LessOrEqual(t, eps, truth)
		require.Greater(t, eps, 650.0)
	}
}

// Far from its references a canary has no exposure, or one that cannot be told: never a wrong number.
func TestExposureFarOut(t *testing.T) {
	t.Parallel()
	references := make([]float64, 1000)
	for i := range references {
		references[i] = 100 + 3*math.Sin(float64(i)*1.7)*math.Sqrt(-2*math.Log((float64(i)+.5)/1000))
	}
	for _, canary := range []float64{130, 1e3, 1e4, 1e8, 1e100} {
		e, err := NewSampledExposure(canary, references)
		require.NoError(t, err)
		bits, err := e.SkewNormal()
		require.NoError(t, err)
		require.Less(t, bits, 1e-9, canary)
	}
	for _, canary := range []float64{-1e15, -1e200, -math.MaxFloat64} {
		e, err := NewSampledExposure(canary, references)
		require.NoError(t, err)
		for _, f := range []func() (float64, error){e.SkewNormal, e.Gaussian} {
			if bits, err := f(); err != nil {
				require.ErrorIs(t, err, ErrInvalid)
			} else {
				require.False(t, math.IsInf(bits, 0) || math.IsNaN(bits), canary)
			}
		}
	}
}
