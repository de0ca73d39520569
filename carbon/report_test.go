package carbon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

// reportExample is a report with everything in it.
func reportExample(t testing.TB) Report {
	t.Helper()
	ctx := context.Background()
	m := meterWith(t, MeterConfig{Start: noon, Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
		switch h := int(at.Sub(noon).Hours()); h {
		case 2:
			return Reading{}, &NoDataError{Zone: "XX", At: at, Until: noon.Add(3 * time.Hour)}
		default:
			r := reading(100.1+float64(h)/3, noon.Add(time.Duration(h)*time.Hour), noon.Add(time.Duration(h+1)*time.Hour))
			r.Strategy, r.Scope, r.Basis = Strategy(h)%(World+1), Lifecycle, Basis(1+h%3)
			r.ExpectedError = float64(h%2) / 7
			r.Source = []string{"=SUM(A1)", "'quoted'", "a, \"b\"", "-1", "näher"}[h%5]
			return r, nil
		}
	})})
	require.NoError(t, m.Add(ctx, noon, noon.Add(5*time.Hour), Energy{Joules: 1e7 / 3, Source: "@gpu"}))
	require.NoError(t, m.Add(ctx, noon.Add(6*time.Hour), noon.Add(9*time.Hour), Energy{Joules: 1e6 / 7, Source: "host", Estimated: true}))
	require.NoError(t, m.Gap("@gpu", noon.Add(5*time.Hour), noon.Add(6*time.Hour+1), errors.New("reset\nby = hand")))
	r := m.Report(noon.Add(24*time.Hour + time.Nanosecond))
	s, err := m.AgainstRunNow()
	require.NoError(t, err)
	r.Savings = []Saving{s, {Against: "+plan", KWh: 1, Grams: 2, Baseline: 1}}
	r.SCI = &SCI{Operational: 10, Embodied: 1.0 / 3, Units: 7, Unit: "=epoch", EstimatedEnergy: .1, EstimatedIntensity: .2}
	return r
}

// reportEqual compares all but the type of the error.
func reportEqual(t testing.TB, want, got Report) {
	t.Helper()
	require.Equal(t, want.Totals.reason(), got.Totals.reason())
	want.Totals.LastErr, got.Totals.LastErr = nil, nil
	if len(want.Totals.Shares) == 0 {
		want.Totals.Shares, got.Totals.Shares = nil, nil
	}
	require.Equal(t, want, got)
}

func TestReportRoundTrip(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]Report{"full": reportExample(t), "empty": {Made: noon}} {
		var text bytes.Buffer
		require.NoError(t, r.WriteJSON(&text), name)
		got, err := ReadReport(bytes.NewReader(text.Bytes()))
		require.NoError(t, err, name)
		reportEqual(t, r, got)
		var table bytes.Buffer
		require.NoError(t, r.WriteCSV(&table), name)
		got, err = ReadReportCSV(bytes.NewReader(table.Bytes()))
		require.NoError(t, err, "%s\n%s", name, table.String())
		reportEqual(t, r, got)
		for _, line := range strings.Split(table.String(), "\n") {
			for _, cell := range strings.Split(line, ",") {
				require.False(t, strings.HasPrefix(strings.Trim(cell, `"`), "="), "a formula: %s", line)
			}
		}
	}
}

// TestReportUnknownIsNoNumber: what is unknown is null in JSON and empty in CSV.
func TestReportUnknownIsNoNumber(t *testing.T) {
	t.Parallel()
	m := newMeter(t, hourly(math.NaN()))
	require.NoError(t, m.Add(t.Context(), noon, noon.Add(time.Hour), kwh(1)))
	var text, table bytes.Buffer
	require.NoError(t, m.Report(noon).WriteJSON(&text))
	require.Contains(t, text.String(), `"grams": null`)
	require.Contains(t, text.String(), `"complete": false`)
	require.NoError(t, m.Report(noon).WriteCSV(&table))
	require.Contains(t, table.String(), "share,counter,,,unknown,direct,unstated,false,1,,,,")
}

func TestReportRefusals(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	require.NoError(t, reportExample(t).WriteJSON(&text))
	good := text.String()
	for name, change := range map[string]func(map[string]any){
		"version":         func(r map[string]any) { r["version"] = 0 },
		"another total":   func(r map[string]any) { r["totals"].(map[string]any)["grams"] = 1 },
		"grams of none":   func(r map[string]any) { r["shares"].([]any)[0].(map[string]any)["grams"] = 0 },
		"basis":           func(r map[string]any) { r["shares"].([]any)[0].(map[string]any)["basis"] = "guessed" },
		"scope":           func(r map[string]any) { r["shares"].([]any)[0].(map[string]any)["scope"] = "" },
		"strategy":        func(r map[string]any) { r["shares"].([]any)[0].(map[string]any)["strategy"] = "best" },
		"negative":        func(r map[string]any) { r["shares"].([]any)[0].(map[string]any)["kwh"] = -1 },
		"backwards":       func(r map[string]any) { r["shares"].([]any)[0].(map[string]any)["to"] = noon.Add(-time.Hour) },
		"no energy":       func(r map[string]any) { r["shares"].([]any)[0].(map[string]any)["energy"] = "" },
		"gap without":     func(r map[string]any) { r["totals"].(map[string]any)["gaps"] = 0 },
		"saving unnamed":  func(r map[string]any) { r["savings"].([]any)[0].(map[string]any)["against"] = "" },
		"SCI of no units": func(r map[string]any) { r["sci"].(map[string]any)["units"] = 0 },
		"more fields":     func(r map[string]any) { r["more"] = 1 },
	} {
		var r map[string]any
		require.NoError(t, json.Unmarshal([]byte(good), &r))
		change(r)
		bad, err := json.Marshal(r)
		require.NoError(t, err)
		_, err = ReadReport(bytes.NewReader(bad))
		require.ErrorContains(t, err, "carbon: report", name)
	}
	for name, r := range map[string]io.Reader{
		"nil": nil, "empty": strings.NewReader(""), "cut": strings.NewReader(good[:len(good)/2]), "two": strings.NewReader(good + good),
		"large": io.LimitReader(reportSpaces{}, maxReportBytes+10), "failing": iotest.ErrReader(errDown),
	} {
		_, err := ReadReport(r)
		require.ErrorContains(t, err, "carbon: report", name)
		_, err = ReadReportCSV(r)
		require.ErrorContains(t, err, "carbon: report", name)
	}
	for name, r := range map[string]Report{
		"NaN":      {Made: noon, Totals: Totals{Shares: []Share{{Energy: "x", KWh: math.NaN(), From: noon, To: noon.Add(1)}}}},
		"unnamed":  {Made: noon, Savings: []Saving{{Grams: 1}}},
		"infinite": {Made: noon, SCI: &SCI{Units: 1e-308, Operational: 1, Unit: "x"}},
		"lines":    {Made: noon, Savings: []Saving{{Against: "a\nb"}}},
		"far":      {Made: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		require.ErrorContains(t, r.WriteJSON(io.Discard), "carbon: report", name)
		require.ErrorContains(t, r.WriteCSV(io.Discard), "carbon: report", name)
	}
	require.ErrorIs(t, Report{Made: noon}.WriteJSON(reportFull{}), errDown)
	require.ErrorIs(t, Report{Made: noon}.WriteCSV(reportFull{}), errDown)
}

type (
	reportSpaces struct{}
	reportFull   struct{}
)

func (reportSpaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
func (reportFull) Write([]byte) (int, error) { return 0, errDown }

func FuzzReport(f *testing.F) {
	var text, table bytes.Buffer
	if err := errors.Join(reportExample(f).WriteJSON(&text), reportExample(f).WriteCSV(&table)); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add(table.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func(io.Reader) (Report, error){ReadReport, ReadReportCSV} {
			r, err := read(bytes.NewReader(data))
			if err != nil {
				require.True(t, strings.HasPrefix(err.Error(), "carbon: report: "), err)
				continue
			}
			var text, table bytes.Buffer
			require.NoError(t, r.WriteJSON(&text))
			again, err := ReadReport(&text)
			require.NoError(t, err)
			reportEqual(t, r, again)
			require.NoError(t, r.WriteCSV(&table))
			again, err = ReadReportCSV(&table)
			require.NoError(t, err)
			reportEqual(t, r, again)
		}
	})
}
