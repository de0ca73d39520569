package carbon

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSavingAgainstRunNow(t *testing.T) {
	t.Parallel()
	// Hours of 500, 400, 300, 200 and 100 g/kWh. The job could start at noon; it runs 1 h, waits 2 h and runs 1 h more.
	m := meterWith(t, MeterConfig{Provider: hourly(500, 400, 300, 200, 100), Start: noon})
	at := func(h float64) time.Time { return noon.Add(time.Duration(h * float64(time.Hour))) }
	e := Energy{Joules: joulesPerKWh, Source: "gpu"}
	require.NoError(t, m.Add(t.Context(), at(0), at(1), e))
	require.NoError(t, m.Add(t.Context(), at(3), at(4), e))
	s, err := m.AgainstRunNow()
	require.NoError(t, err)
	require.Equal(t, "run-now from 2024-05-01T12:00:00Z", s.Against)
	require.InDelta(t, 700, float64(s.Grams), 1e-9)
	require.InDelta(t, 900, float64(s.Baseline), 1e-9)
	require.InDelta(t, 200, float64(s.Saved()), 1e-9)
	p, ok := s.Percent()
	require.True(t, ok)
	require.InDelta(t, 100*200/900., p, 1e-9)

	// The wait before the first step counts, each source by itself, and many steps are one piece of work.
	m = meterWith(t, MeterConfig{Provider: hourly(500, 400, 300, 200, 100), Start: noon})
	for i := range 60 {
		require.NoError(t, m.Add(t.Context(), at(4+float64(i)/60), at(4+float64(i+1)/60), Energy{Joules: joulesPerKWh / 60, Source: "gpu"}))
		require.NoError(t, m.Add(t.Context(), at(4+float64(i)/60), at(4+float64(i+1)/60), Energy{Joules: joulesPerKWh / 60, Source: "cpu", Estimated: true}))
	}
	s, err = m.AgainstRunNow()
	require.NoError(t, err)
	require.InDelta(t, 200, float64(s.Grams), 1e-9)
	require.InDelta(t, 1000, float64(s.Baseline), 1e-9)

	// Work that overlaps itself is not put one behind the other: no energy is moved to later than it was used.
	m = meterWith(t, MeterConfig{Provider: hourly(500, 400, 300), Start: noon})
	for range 4 {
		require.NoError(t, m.Add(t.Context(), at(1), at(2), Energy{Joules: joulesPerKWh, Source: "workers", Estimated: true}))
	}
	s, err = m.AgainstRunNow()
	require.NoError(t, err)
	require.InDelta(t, 2000, float64(s.Baseline), 1e-9)
}

// TestSavingNeedsACounterfactual: no name, no start, or nothing known, no saving.
func TestSavingNeedsACounterfactual(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	m := meterWith(t, MeterConfig{Provider: hourly(nan, 400, 300), Start: noon})
	at := func(h int) time.Time { return noon.Add(time.Duration(h) * time.Hour) }
	require.NoError(t, m.Add(t.Context(), at(1), at(2), kwh(1))) // run-now would fall into the gap
	s, err := m.AgainstRunNow()
	require.NoError(t, err)
	require.Zero(t, s.Grams+s.Baseline, "an unknown baseline is not 0 g, and not a saving either")
	require.Equal(t, 1., s.UncomparedKWh)
	_, ok := s.Percent()
	require.False(t, ok)
	_, err = m.AgainstMean(t.Context(), at(0), at(3))
	require.ErrorIs(t, err, ErrNoData)
	s, err = m.AgainstMean(t.Context(), at(1), at(3))
	require.NoError(t, err)
	require.InDelta(t, 350, float64(s.Baseline), 1e-9)
	require.InDelta(t, -50, float64(s.Saved()), 1e-9, "worse is said too")
	_, err = m.AgainstMean(t.Context(), at(3), at(1))
	require.Error(t, err)

	_, err = newMeter(t, hourly(1)).AgainstRunNow()
	require.ErrorContains(t, err, "Start")
	_, err = (*Meter)(nil).AgainstRunNow()
	require.Error(t, err)

	total := m.Totals()
	s, err = total.Against("the plan of last year", 600)
	require.NoError(t, err)
	require.Equal(t, Saving{Against: "the plan of last year", KWh: 1, Grams: 400, Baseline: 600}, s)
	for name, bad := range map[string]Grams{"": 1, "NaN": Grams(nan), "negative": -1, "infinite": Grams(math.Inf(1))} {
		_, err = total.Against(name, bad)
		require.ErrorContains(t, err, "carbon: ", name)
	}
	require.NoError(t, m.Add(t.Context(), at(2), at(4), kwh(1)))
	_, err = m.Totals().Against("the plan of last year", 600)
	require.ErrorIs(t, err, ErrIncomplete, "what is unknown would count as saved")
	require.ErrorIs(t, err, ErrNoData)

	// A marginal value, or one of another scope, in the time of run-now is no baseline.
	for _, change := range []func(*Reading){
		func(r *Reading) { r.Signal = Marginal }, func(r *Reading) { r.Scope = Direct },
	} {
		m := meterWith(t, MeterConfig{Start: noon, Provider: ProviderFunc(func(_ context.Context, t time.Time) (Reading, error) {
			r := reading(100, t, t.Add(time.Minute))
			if r.Scope = Lifecycle; t.Before(at(1)) {
				change(&r)
			}
			return r, nil
		})})
		require.NoError(t, m.Add(t.Context(), at(1), at(2), kwh(1)))
		s, err := m.AgainstRunNow()
		require.NoError(t, err)
		require.Equal(t, 1., s.UncomparedKWh)
		_, err = m.AgainstMean(t.Context(), at(0), at(2))
		require.Error(t, err)
	}
}

// TestSavingReference meters the best plans with perfect knowledge of the reference results, 200 starts in each zone, and finds
// the published savings against run-now. SUREFOOT_LONG takes all of them.
func TestSavingReference(t *testing.T) {
	t.Parallel()
	slowUnderRace(t)
	type oracle struct {
		Saving float64 `json:"saving_pct"`
	}
	var ref struct {
		Measured struct {
			Policies []struct {
				Zone      string `json:"zone"`
				Job       int    `json:"job_h"`
				Slack     int    `json:"slack_h"`
				Starts    int    `json:"starts"`
				Window    oracle `json:"window_oracle"`
				Interrupt oracle `json:"interrupt_oracle"`
			} `json:"policies_no_cost"`
		} `json:"measured_2022_hourly"`
	}
	require.NoError(t, json.NewDecoder(sharedFile(t, "reference_results.json")).Decode(&ref))
	require.Len(t, ref.Measured.Policies, 32)
	for _, row := range ref.Measured.Policies {
		if os.Getenv("SUREFOOT_LONG") == "" && (row.Job != 6 && row.Zone != "DE" || row.Job > 24) {
			continue
		}
		tr := realTrace(t, "em_2022_hourly_8zones.csv.gz", TraceOptions{Zone: row.Zone})
		values := dev(t, row.Zone)
		var now, window, best float64
		for _, start := range evenStarts(len(values), row.Job+row.Slack, row.Starts) {
			prices := values[start : start+row.Job+row.Slack]
			first, _, err := BestWindow(prices, row.Job)
			require.NoError(t, err)
			hours := make([]int, len(prices))
			for i := range hours {
				hours[i] = i
			}
			sort.SliceStable(hours, func(a, b int) bool { return prices[hours[a]] < prices[hours[b]] })
			hours = hours[:row.Job]
			slices.Sort(hours)
			grams, baseline := meterHours(t, tr, start, hours)
			best, now = best+grams, now+baseline
			for i := range hours {
				hours[i] = first + i
			}
			grams, again := meterHours(t, tr, start, hours)
			window += grams
			require.InDelta(t, baseline, again, 1e-6, "the counterfactual does not depend on the plan")
		}
		require.InDelta(t, row.Interrupt.Saving, 100*(1-best/now), .0051, "%s %d/%d", row.Zone, row.Job, row.Slack)
		require.InDelta(t, row.Window.Saving, 100*(1-window/now), .0051, "%s %d/%d", row.Zone, row.Job, row.Slack)
	}
}

// meterHours meters a kWh in each of some hours after the start.
func meterHours(t *testing.T, p Provider, start int, hours []int) (grams, runNow float64) {
	t.Helper()
	begin := dev0.Add(time.Duration(start) * time.Hour)
	m := meterWith(t, MeterConfig{Provider: p, Start: begin})
	for i := 0; i < len(hours); {
		j := i + 1
		for j < len(hours) && hours[j] == hours[j-1]+1 {
			j++
		}
		from := begin.Add(time.Duration(hours[i]) * time.Hour)
		require.NoError(t, m.Add(context.Background(), from, from.Add(time.Duration(j-i)*time.Hour), kwh(float64(j-i))))
		i = j
	}
	s, err := m.AgainstRunNow()
	require.NoError(t, err)
	require.Zero(t, s.UncomparedKWh)
	require.InDelta(t, float64(m.Totals().Grams), float64(s.Grams), 1e-6)
	return float64(s.Grams), float64(s.Baseline)
}

// TestMeterMeanOfPublishedYear: energy used evenly over 2020 has the mean intensity that was published with the traces of
// "Let's Wait Awhile".
func TestMeterMeanOfPublishedYear(t *testing.T) {
	t.Parallel()
	var ref struct {
		LWA struct {
			Reproduced map[string]struct {
				Mean float64 `json:"mean_ci"`
			} `json:"reproduced"`
		} `json:"lets_wait_awhile_2020"`
	}
	require.NoError(t, json.NewDecoder(sharedFile(t, "reference_results.json")).Decode(&ref))
	for _, zone := range []string{"DE", "FR"} {
		tr := realTrace(t, "lwa_2020_30min_"+zone+".csv.gz", TraceOptions{Zone: zone, ValueColumn: "gco2_per_kwh"})
		from, to := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
		m := newMeter(t, tr)
		require.NoError(t, m.Add(t.Context(), from, to, kwh(1000)))
		mean, ok := m.Totals().MeanIntensity()
		require.True(t, ok)
		require.Zero(t, m.Totals().UnknownKWh)
		require.InDelta(t, ref.LWA.Reproduced[zone].Mean, float64(mean), .0051, zone)
		s, err := m.AgainstMean(t.Context(), from, to)
		require.NoError(t, err)
		require.InDelta(t, float64(s.Baseline), float64(s.Grams), 1e-6, "even use is the mean")
	}
}
