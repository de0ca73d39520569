package carbon

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSCI(t *testing.T) {
	t.Parallel()
	m := newMeter(t, hourly(100, 300))
	require.NoError(t, m.Add(t.Context(), noon, noon.Add(2*time.Hour), kwh(2)))
	require.NoError(t, m.Add(t.Context(), noon, noon.Add(time.Hour), Energy{Joules: 2 * joulesPerKWh, Source: "model", Estimated: true}))
	// ((E x I) + M) per R, E x I of each interval: (1 kWh x 100 + 1 x 300 + 2 x 100 + 60 g) / 5.
	s, err := m.Totals().SCI(60, 5, "1000 samples")
	require.NoError(t, err)
	require.InDelta(t, (600.+60)/5, float64(s.Score()), 1e-9)
	require.Equal(t, SCI{Operational: 600, Embodied: 60, Units: 5, Unit: "1000 samples", EstimatedEnergy: .5}, s)
	require.Equal(t, "132 gCO2e per 1000 samples", s.String())

	for name, call := range map[string]func() (SCI, error){
		"no unit":       func() (SCI, error) { return m.Totals().SCI(60, 5, "") },
		"no units":      func() (SCI, error) { return m.Totals().SCI(60, 0, "run") },
		"NaN units":     func() (SCI, error) { return m.Totals().SCI(60, math.NaN(), "run") },
		"negative":      func() (SCI, error) { return m.Totals().SCI(60, -1, "run") },
		"infinite":      func() (SCI, error) { return m.Totals().SCI(60, math.Inf(1), "run") },
		"overflow":      func() (SCI, error) { return m.Totals().SCI(60, 1e-308, "run") },
		"no embodied":   func() (SCI, error) { return m.Totals().SCI(0, 5, "run") },
		"NaN embodied":  func() (SCI, error) { return m.Totals().SCI(Grams(math.NaN()), 5, "run") },
		"less than all": func() (SCI, error) { return Totals{KWh: 2, UnknownKWh: 1}.SCI(60, 5, "run") },
		"a gap":         func() (SCI, error) { return Totals{KWh: 2, Gaps: 1, UnknownTime: 1}.SCI(60, 5, "run") },
	} {
		_, err := call()
		require.ErrorContains(t, err, "carbon: SCI", name)
	}
	_, err = Totals{KWh: 2, UnknownKWh: 1, LastErr: errDown}.SCI(60, 5, "run")
	require.ErrorIs(t, err, ErrIncomplete)
	require.ErrorIs(t, err, errDown, "the reason is not lost")
}

func TestEmbodied(t *testing.T) {
	t.Parallel()
	const y = 365 * 24 * time.Hour
	for name, tc := range map[string]struct {
		e    Embodied
		d    time.Duration
		want Grams
	}{
		"a year of four":      {Embodied{Name: "server", Total: 1_200_000, Lifetime: 4 * y}, y, 300_000},
		"of it two of eight":  {Embodied{Name: "server", Total: 1_200_000, Lifetime: 4 * y, Share: .25}, y, 75_000},
		"all of it":           {Embodied{Name: "server", Total: 1_200_000, Lifetime: 4 * y}, 4 * y, 1_200_000},
		"no time":             {Embodied{Name: "server", Total: 1_200_000, Lifetime: 4 * y}, 0, 0},
		"an hour of a device": {Embodied{Name: "gpu", Total: 150_000, Lifetime: 50_000 * time.Hour}, time.Hour, 3},
	} {
		got, err := tc.e.Amortize(tc.d)
		require.NoError(t, err, name)
		require.InDelta(t, float64(tc.want), float64(got), 1e-6, name)
	}
	good := Embodied{Name: "server", Total: 1e6, Lifetime: y}
	for name, change := range map[string]func(*Embodied) time.Duration{
		"no name":        func(e *Embodied) time.Duration { e.Name = ""; return 1 },
		"no total":       func(e *Embodied) time.Duration { e.Total = 0; return 1 },
		"NaN":            func(e *Embodied) time.Duration { e.Total = Grams(math.NaN()); return 1 },
		"no lifetime":    func(e *Embodied) time.Duration { e.Lifetime = 0; return 1 },
		"share over 1":   func(e *Embodied) time.Duration { e.Share = 1.1; return 1 },
		"share NaN":      func(e *Embodied) time.Duration { e.Share = math.NaN(); return 1 },
		"negative share": func(e *Embodied) time.Duration { e.Share = -1; return 1 },
		"negative time":  func(*Embodied) time.Duration { return -1 },
		"over its life":  func(*Embodied) time.Duration { return y + 1 },
	} {
		e := good
		d := change(&e)
		_, err := e.Amortize(d)
		require.ErrorContains(t, err, "carbon: embodied", name)
	}
}

func TestRatedPower(t *testing.T) {
	t.Parallel()
	p := RatedPower{Name: "two A100", Watts: 800, Idle: 100, PUE: 1.5}
	e, err := p.Estimate(time.Hour, .5)
	require.NoError(t, err)
	require.Equal(t, Energy{Joules: 450 * 1.5 * 3600, Source: "estimate: two A100, 800 W x use x PUE 1.5", Estimated: true}, e)
	idle, err := RatedPower{Name: "gpu", Watts: 400, Idle: 50}.Estimate(time.Hour, 0)
	require.NoError(t, err)
	require.InDelta(t, .05, idle.KWh(), 1e-12, "a machine that waits is not one that uses nothing")
	for name, call := range map[string]func() (Energy, error){
		"no name":       func() (Energy, error) { return RatedPower{Watts: 1}.Estimate(1, 1) },
		"no watts":      func() (Energy, error) { return RatedPower{Name: "x"}.Estimate(1, 1) },
		"NaN watts":     func() (Energy, error) { return RatedPower{Name: "x", Watts: math.NaN()}.Estimate(1, 1) },
		"idle over all": func() (Energy, error) { return RatedPower{Name: "x", Watts: 1, Idle: 2}.Estimate(1, 1) },
		"PUE":           func() (Energy, error) { return RatedPower{Name: "x", Watts: 1, PUE: .5}.Estimate(1, 1) },
		"percent":       func() (Energy, error) { return p.Estimate(1, 50) },
		"NaN use":       func() (Energy, error) { return p.Estimate(1, math.NaN()) },
		"negative time": func() (Energy, error) { return p.Estimate(-1, 1) },
	} {
		_, err := call()
		require.ErrorContains(t, err, "carbon: ", name)
	}
}

// TestFacility: what a counter did not see is an estimate, and says so.
func TestFacility(t *testing.T) {
	t.Parallel()
	e, err := kwh(1).Facility(1.58)
	require.NoError(t, err)
	require.InDelta(t, 1.58, e.KWh(), 1e-12)
	require.True(t, e.Estimated)
	require.Equal(t, "counter x PUE 1.58", e.Source)
	same, err := kwh(1).Facility(1)
	require.NoError(t, err)
	require.Equal(t, kwh(1), same)
	for _, pue := range []float64{0, .9, 11, math.NaN(), math.Inf(1)} {
		_, err := kwh(1).Facility(pue)
		require.ErrorContains(t, err, "PUE")
	}
	_, err = kwh(math.NaN()).Facility(1.5)
	require.Error(t, err)
}
