package resources

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryLevelIsReachable: each band of the ladder is hit by some value.
func TestEveryLevelIsReachable(t *testing.T) {
	t.Parallel()
	absent := Value[float64]{V: .95}
	for _, tc := range []struct {
		limits Thresholds
		used   Value[float64]
		want   Level
	}{
		{Thresholds{}, Of(0.), Normal},
		{Thresholds{}, Of(.799), Normal},
		{Thresholds{}, Of(.8), Warn},
		{Thresholds{}, Of(.85), Warn},
		{Thresholds{}, Of(.9), Critical},
		{Thresholds{}, Of(1.5), Critical},
		{Thresholds{}, absent, Unknown},
		{Thresholds{}, Of(math.NaN()), Unknown},
		{Thresholds{Warn: .5, Critical: .6}, Of(.55), Warn},
		{Thresholds{Warn: .5, Critical: .6}, Of(.6), Critical},
		{Thresholds{Warn: .7, Critical: .7}, Of(.7), Critical},
	} {
		require.Equal(t, tc.want, tc.limits.Level(tc.used), "%+v", tc)
	}
}

// TestLevelsOrderByRank: as text "warn" is above "critical".
func TestLevelsOrderByRank(t *testing.T) {
	t.Parallel()
	require.Equal(t, Critical, max(Warn, Critical, Normal, Unknown))
	require.Greater(t, Warn.String(), Critical.String())
	require.Equal(t, []string{"unknown", "normal", "warn", "critical", "unknown"},
		[]string{Unknown.String(), Normal.String(), Warn.String(), Critical.String(), Level(9).String()})
}

func TestThresholdsValidate(t *testing.T) {
	t.Parallel()
	for _, good := range []Thresholds{{}, {Warn: .5}, {Critical: 1}, {Resume: .8}, {Warn: .7, Critical: .7}, {.1, .3, .2, .05}} {
		require.NoError(t, good.Validate(), "%+v", good)
	}
	for _, bad := range []Thresholds{{Warn: .95}, {Critical: .5}, {Resume: .7}, {Resume: .95}, {Warn: -1}, {Critical: 80}, {Critical: math.NaN()}, {Warn: math.NaN()}, {Clear: .85}, {Clear: -1}, {Clear: math.NaN()}} {
		require.ErrorContains(t, bad.Validate(), "resources: thresholds", "%+v", bad)
	}
	require.InDelta(t, .85, Thresholds{}.withDefaults().Resume, 1e-12)
	require.InDelta(t, .76, Thresholds{}.withDefaults().Clear, 1e-12)
}
