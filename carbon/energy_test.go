package carbon

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCPUEnergyEstimate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		model CPUEnergy
		cpu   time.Duration
		want  float64 // J
	}{
		"defaults": {CPUEnergy{}, time.Hour, 4 * 3600},
		"stated":   {CPUEnergy{WattsPerCore: 8, PUE: 1.58}, 10 * time.Second, 8 * 1.58 * 10},
		"nothing":  {CPUEnergy{}, 0, 0},
	} {
		e, err := tc.model.Estimate(tc.cpu)
		require.NoError(t, err, name)
		require.InDelta(t, tc.want, e.Joules, 1e-9, name)
		require.True(t, e.Estimated, "%s: an estimate is marked so", name)
		require.Contains(t, e.Source, "estimate", name)
		require.NoError(t, e.check(), name)
	}
	e, err := CPUEnergy{WattsPerCore: 1000}.Estimate(time.Hour)
	require.NoError(t, err)
	require.InDelta(t, 1, e.KWh(), 1e-12)
}

func TestCPUEnergyRefusals(t *testing.T) {
	t.Parallel()
	for name, model := range map[string]CPUEnergy{
		"negative watts": {WattsPerCore: -1}, "NaN watts": {WattsPerCore: math.NaN()}, "absurd watts": {WattsPerCore: 1e6},
		"PUE below 1": {PUE: .9}, "NaN PUE": {PUE: math.NaN()}, "absurd PUE": {PUE: 11},
	} {
		_, err := model.Estimate(time.Second)
		require.ErrorContains(t, err, "carbon: ", name)
	}
	_, err := CPUEnergy{}.Estimate(-time.Second)
	require.ErrorContains(t, err, "negative", "a CPU counter that went back is not energy")
}
