package carbon

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newMeter(t testing.TB, p Provider) *Meter {
	t.Helper()
	m, err := NewMeter(MeterConfig{Provider: p})
	require.NoError(t, err)
	return m
}

func kwh(x float64) Energy { return Energy{Joules: x * joulesPerKWh, Source: "counter"} }

func TestMeterWeighsByTime(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for name, tc := range map[string]struct {
		from, to      time.Duration
		want, unknown float64 // g and kWh, of 1 kWh
	}{
		"within one interval":     {10 * time.Minute, 20 * time.Minute, 100, 0},
		"a whole interval":        {time.Hour, 2 * time.Hour, 300, 0},
		"first and last partial":  {30 * time.Minute, 2*time.Hour + 30*time.Minute, 100*.25 + 300*.5 + 500*.25, 0},
		"not the last intensity":  {0, 3 * time.Hour, 300, 0},
		"into a gap":              {2 * time.Hour, 4 * time.Hour, 250, .5},
		"over a gap":              {2 * time.Hour, 5 * time.Hour, (500 + 200) / 3., 1 / 3.},
		"in a gap":                {3 * time.Hour, 4 * time.Hour, 0, 1},
		"beyond the end":          {4 * time.Hour, 8 * time.Hour, 50, .75},
		"before the start":        {-time.Hour, time.Hour, 50, .5},
		"a nanosecond":            {0, 1, 100, 0},
		"a boundary is the next":  {time.Hour, time.Hour + 1, 300, 0},
		"partial start in a gap":  {3*time.Hour + 45*time.Minute, 4*time.Hour + 15*time.Minute, 100, .5},
		"far before and far past": {-10 * time.Hour, 15 * time.Hour, (100 + 300 + 500 + 200) / 25., 21 / 25.},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMeter(t, hourly(100, 300, 500, nan, 200))
			require.NoError(t, m.Add(t.Context(), noon.Add(tc.from), noon.Add(tc.to), kwh(1)))
			got := m.Totals()
			require.InDelta(t, 1, got.KWh, 1e-9)
			require.InDelta(t, tc.want, float64(got.Grams), 1e-9)
			require.InDelta(t, tc.unknown, got.UnknownKWh, 1e-9)
			require.Equal(t, tc.unknown > 0, got.LastErr != nil)
			mean, ok := got.MeanIntensity()
			require.Equal(t, tc.unknown < 1, ok)
			if ok {
				require.InDelta(t, tc.want/(1-tc.unknown), float64(mean), 1e-6)
			}
		})
	}
}

func TestMeterProvenance(t *testing.T) {
	t.Parallel()
	p := ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
		r := reading(100, at.Truncate(time.Hour), at.Truncate(time.Hour).Add(time.Hour))
		switch at.Hour() {
		case 13:
			r.Basis, r.Source = Estimated, "model"
		case 14:
			r.Basis, r.Source = Forecast, "model"
		case 15:
			return Reading{}, errDown
		}
		return r, nil
	})
	m := newMeter(t, p)
	for i := range 4 {
		from := noon.Add(time.Duration(i) * time.Hour)
		require.NoError(t, m.Add(t.Context(), from, from.Add(time.Hour), kwh(1)))
		require.NoError(t, m.Add(t.Context(), from, from.Add(30*time.Minute), Energy{Joules: joulesPerKWh, Source: "model", Estimated: true}))
	}
	got := m.Totals()
	require.InDelta(t, 8, got.KWh, 1e-9)
	require.InDelta(t, 600, float64(got.Grams), 1e-9)
	require.InDelta(t, 2, got.UnknownKWh, 1e-9)
	require.InDelta(t, 4, got.EstimatedEnergyKWh, 1e-9)
	require.InDelta(t, 4, got.EstimatedIntensityKWh, 1e-9)
	require.ErrorIs(t, got.LastErr, errDown)
	share := func(source string, basis Basis, energy string, from, to time.Duration) Share {
		s := Share{Zone: "XX", Source: source, Basis: basis, Energy: energy, EnergyEstimated: energy == "model", KWh: 1, Grams: 100, UnratedKWh: 1}
		if basis == 0 {
			s.Zone, s.Grams, s.UnratedKWh = "", 0, 0
		}
		s.From, s.To = noon.Add(from), noon.Add(to)
		return s
	}
	const h = time.Hour
	require.Equal(t, []Share{
		share("", 0, "counter", 3*h, 4*h),
		share("", 0, "model", 3*h, 3*h+h/2),
		share("model", Estimated, "counter", h, 2*h),
		share("model", Estimated, "model", h, h+h/2),
		share("model", Forecast, "counter", 2*h, 3*h),
		share("model", Forecast, "model", 2*h, 2*h+h/2),
		share("test", Measured, "counter", 0, h),
		share("test", Measured, "model", 0, h/2),
	}, got.Shares)
}

// TestMeterRefusesMarginal: average and marginal values never meet in one sum.
func TestMeterRefusesMarginal(t *testing.T) {
	t.Parallel()
	m := newMeter(t, ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
		r := reading(100, at, at.Add(time.Minute))
		if at.After(noon) {
			r.Signal = Marginal
		}
		return r, nil
	}))
	require.NoError(t, m.Add(t.Context(), noon, noon.Add(time.Minute), kwh(1)))
	next := noon.Add(time.Minute)
	require.ErrorIs(t, m.Add(t.Context(), next, next.Add(time.Minute), kwh(1)), ErrSignal)
	require.ErrorIs(t, m.Add(t.Context(), noon, next.Add(time.Minute), Energy{Joules: 1, Source: "other"}), ErrSignal)
	require.InDelta(t, 1, m.Totals().KWh, 1e-12, "all of it or nothing")
}

func TestMeterUnknownIsNotZero(t *testing.T) {
	t.Parallel()
	calls := 0
	for name, tc := range map[string]struct {
		p    ProviderFunc
		most int // calls for two hours
	}{
		"a failing provider is asked once": {func(context.Context, time.Time) (Reading, error) { calls++; return Reading{}, errDown }, 1},
		"a gap without end is probed":      {func(context.Context, time.Time) (Reading, error) { calls++; return Reading{}, ErrNoData }, 24},
		"a known gap is skipped": {func(_ context.Context, at time.Time) (Reading, error) {
			calls++
			return Reading{}, &NoDataError{Zone: "XX", At: at, Until: noon.Add(3 * time.Hour)}
		}, 1},
		"an Until that lies behind": {func(_ context.Context, at time.Time) (Reading, error) {
			calls++
			return Reading{}, &NoDataError{Zone: "XX", At: at, Until: at}
		}, 24},
		"NaN": {func(_ context.Context, at time.Time) (Reading, error) {
			calls++
			return reading(math.NaN(), at, at.Add(time.Hour)), nil
		}, 1},
		"a zero reading": {func(context.Context, time.Time) (Reading, error) { calls++; return Reading{}, nil }, 1},
	} {
		calls = 0
		m := newMeter(t, tc.p)
		require.NoError(t, m.Add(t.Context(), noon, noon.Add(2*time.Hour), kwh(1)), name)
		got := m.Totals()
		require.InDelta(t, 1, got.UnknownKWh, 1e-9, name)
		require.Zero(t, got.Grams, name)
		require.Error(t, got.LastErr, name)
		_, ok := got.MeanIntensity()
		require.False(t, ok, "%s: unknown is no mean of 0", name)
		require.LessOrEqual(t, calls, tc.most, name)
	}
	// A cancelled context loses no energy.
	m := newMeter(t, hourly(100))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, m.Add(ctx, noon, noon.Add(time.Hour), kwh(1)))
	require.Zero(t, m.Totals().UnknownKWh, "nor its price")
	require.InDelta(t, 100, float64(m.Totals().Grams), 1e-9)
}

func TestMeterRefusals(t *testing.T) {
	t.Parallel()
	m := newMeter(t, hourly(100))
	later := noon.Add(time.Hour)
	for name, err := range map[string]error{
		"empty":     m.Add(t.Context(), noon, noon, kwh(1)),
		"backwards": m.Add(t.Context(), later, noon, kwh(1)),
		"NaN":       m.Add(t.Context(), noon, later, kwh(math.NaN())),
		"negative":  m.Add(t.Context(), noon, later, kwh(-1)),
		"infinite":  m.Add(t.Context(), noon, later, kwh(math.Inf(1))),
		"absurd":    m.Add(t.Context(), noon, later, Energy{Joules: 2e15, Source: "x"}),
		"no source": m.Add(t.Context(), noon, later, Energy{Joules: 1}),
		"nil":       (*Meter)(nil).Add(t.Context(), noon, later, kwh(1)),
		"zero":      new(Meter).Add(t.Context(), noon, later, kwh(1)),
	} {
		require.ErrorContains(t, err, "carbon: ", name)
	}
	require.Zero(t, m.Totals().KWh)
	require.Zero(t, (*Meter)(nil).Totals())
	_, err := NewMeter(MeterConfig{})
	require.Error(t, err)
	require.NoError(t, m.Add(t.Context(), noon, later, kwh(0)), "no energy is a fact, not an error")
}

// TestMeterBounds: a provider whose values hold for a nanosecond, or that renames its source each time, costs neither
// time nor memory without end, and no energy.
func TestMeterBounds(t *testing.T) {
	t.Parallel()
	n := 0
	m := newMeter(t, ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
		n++
		r := reading(100, at, at.Add(1))
		r.Source = "source " + strconv.Itoa(n)
		return r, nil
	}))
	require.NoError(t, m.Add(t.Context(), noon, noon.Add(time.Hour), kwh(1)))
	require.Equal(t, maxParts+1, n)
	got := m.Totals()
	require.InDelta(t, 1, got.KWh, 1e-9)
	require.InDelta(t, 1, got.UnknownKWh, 1e-6)
	require.ErrorContains(t, got.LastErr, "more than 200000 changes")
	require.LessOrEqual(t, len(got.Shares), maxOrigins+2)
	require.Equal(t, othersName, got.Shares[1].Source)
	require.Equal(t, Measured, got.Shares[1].Basis)
}

func TestMeterConcurrent(t *testing.T) {
	t.Parallel()
	m := newMeter(t, hourly(100, 200))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				assert.NoError(t, m.Add(t.Context(), noon, noon.Add(2*time.Hour), Energy{Joules: joulesPerKWh, Source: fmt.Sprint(i), Estimated: true}))
				_ = m.Totals()
			}
		})
	}
	wg.Wait()
	require.InDelta(t, 800*150, float64(m.Totals().Grams), 1e-6)
}

// TestMeterAgainstPublishedRunNow: the run-now emissions of 22,944 jobs (8 zones, 1 kWh per hour) as published with "On
// the Limitations of Carbon-Aware Temporal and Spatial Workload Shifting" (EuroSys 2024). SUREFOOT_LONG takes all, else every twelfth.
func TestMeterAgainstPublishedRunNow(t *testing.T) {
	t.Parallel()
	slowUnderRace(t)
	f, err := os.Open(filepath.Join("..", "..", "shared", "data", "carbon", "traces", "published_oracle_eurosys24.csv.gz"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the published results are not here")
	}
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	rows, err := csv.NewReader(z).ReadAll()
	require.NoError(t, err)
	traces := map[string]*Trace{}
	step := 12
	if os.Getenv("SUREFOOT_LONG") != "" {
		step = 1
	}
	checked := 0
	for i := 1; i < len(rows); i += step {
		row := rows[i]
		zone := row[0]
		if traces[zone] == nil {
			traces[zone] = realTrace(t, "em_2022_hourly_8zones.csv.gz", TraceOptions{Zone: zone})
		}
		hours, err := strconv.Atoi(row[1])
		require.NoError(t, err)
		start, err := strconv.Atoi(row[3])
		require.NoError(t, err)
		want, err := strconv.ParseFloat(row[4], 64)
		require.NoError(t, err)
		m := newMeter(t, traces[zone])
		from := time.Date(2022, 1, 1, start, 0, 0, 0, time.UTC)
		require.NoError(t, m.Add(t.Context(), from, from.Add(time.Duration(hours)*time.Hour), kwh(float64(hours))))
		got := m.Totals()
		if !assert.InDelta(t, want, float64(got.Grams), .011) || !assert.Zero(t, got.UnknownKWh) {
			t.Fatal(row)
		}
		checked++
	}
	require.Equal(t, 22944/step, checked)
}

// A forgotten start must not multiply the energy.
func TestMeterRefusesEndlessIntervals(t *testing.T) {
	t.Parallel()
	m, err := NewMeter(MeterConfig{Provider: TypicalDay(0)})
	require.NoError(t, err)
	require.Error(t, m.Add(t.Context(), time.Time{}, time.Now(), Energy{Joules: 1, Source: "counter"}))
	require.Zero(t, m.Totals().KWh)
}
