package carbon

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMean(t *testing.T) {
	t.Parallel()
	hour := func(i int, v float64) Reading {
		return reading(v, noon.Add(time.Duration(i)*time.Hour), noon.Add(time.Duration(i+1)*time.Hour))
	}
	readings := []Reading{hour(2, 300), hour(0, 100), hour(1, 200), hour(9, math.NaN())}
	mean, err := Mean(readings, noon, noon.Add(3*time.Hour))
	require.NoError(t, err)
	require.Equal(t, Intensity(200), mean)
	mean, err = Mean(readings, noon.Add(45*time.Minute), noon.Add(75*time.Minute))
	require.NoError(t, err)
	require.Equal(t, Intensity(150), mean, "the first and last count by their part")
	require.Equal(t, Intensity(300), readings[0].Intensity, "in their own order still")

	_, err = Mean(readings, noon, noon)
	require.ErrorContains(t, err, "empty")
	_, err = Mean(readings, noon, noon.Add(4*time.Hour))
	require.ErrorIs(t, err, ErrNoData)
	_, err = Mean(readings, noon.Add(-time.Hour), noon.Add(time.Hour))
	require.ErrorIs(t, err, ErrNoData)
	_, err = Mean(append(readings, hour(1, 500)), noon, noon.Add(3*time.Hour))
	require.ErrorIs(t, err, ErrReading, "two values for one time")
	_, err = Mean(readings, noon.Add(9*time.Hour), noon.Add(10*time.Hour))
	require.ErrorIs(t, err, ErrReading, "NaN is no value")

	marginal, direct, lifecycle := hour(1, 200), hour(1, 200), hour(0, 100)
	marginal.Signal, direct.Scope, lifecycle.Scope = Marginal, Direct, Lifecycle
	_, err = Mean([]Reading{hour(0, 100), marginal}, noon, noon.Add(2*time.Hour))
	require.ErrorIs(t, err, ErrSignal)
	_, err = Mean([]Reading{lifecycle, direct}, noon, noon.Add(2*time.Hour))
	require.ErrorIs(t, err, ErrScope)
	_, err = Mean([]Reading{lifecycle, hour(1, 200)}, noon, noon.Add(2*time.Hour))
	require.NoError(t, err, "an unstated scope meets both")
}

func TestReadingProvenance(t *testing.T) {
	t.Parallel()
	good := reading(100, noon, noon.Add(time.Hour))
	good.ExpectedError, good.Low, good.High, good.Scope, good.Strategy = .05, 90, 110, Lifecycle, Climatology
	require.NoError(t, good.check(noon, Average))
	for name, spoil := range map[string]func(*Reading){
		"null":     func(r *Reading) { r.Intensity = Intensity(math.NaN()) },
		"negative": func(r *Reading) { r.Intensity = -1 },
		"infinite": func(r *Reading) { r.Intensity = Intensity(math.Inf(1)) },
		"scope":    func(r *Reading) { r.Scope = 3 },
		"error":    func(r *Reading) { r.ExpectedError = math.NaN() },
		"minus":    func(r *Reading) { r.ExpectedError = -.1 },
		"endless":  func(r *Reading) { r.ExpectedError = math.Inf(1) },
		"bounds":   func(r *Reading) { r.Low = 120 },
		"low":      func(r *Reading) { r.Low = Intensity(math.NaN()) },
		"basis":    func(r *Reading) { r.Basis = 0 },
		"signal":   func(r *Reading) { r.Signal = 0 },
	} {
		bad := good
		spoil(&bad)
		require.ErrorIs(t, bad.check(noon, Average), ErrReading, name)
	}
	require.ErrorIs(t, good.check(noon, Marginal), ErrSignal)
}

func TestReadingAgeOfNewest(t *testing.T) {
	t.Parallel()
	r := reading(1, noon, noon.Add(time.Hour))
	require.Zero(t, r.Age(noon))
	require.Equal(t, time.Hour, r.Age(noon.Add(2*time.Hour)))
	r.Newest = noon.Add(-3 * time.Hour)
	require.Equal(t, 3*time.Hour, r.Age(noon), "the age is that of the newest real value")
}

func TestScopeAndStrategyNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "unstated lifecycle direct", Scope(0).String()+" "+Lifecycle.String()+" "+Direct.String())
	seen := map[string]bool{}
	for s := Strategy(0); s <= World; s++ {
		seen[s.String()] = true
	}
	require.Len(t, seen, int(World)+1)
	require.Equal(t, "unknown", (World + 1).String())
	require.Equal(t, PerMWhKilograms(7), Intensity(7))
}
