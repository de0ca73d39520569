package carbon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	_ Forecaster = (*Trace)(nil)
	_ History    = (*Trace)(nil)
)

func TestReadTraceJSON(t *testing.T) {
	t.Parallel()
	const rows = `{"datetime":"2024-05-01T13:00Z","carbonIntensity":450,"isEstimated":true},
		{"datetime":"2024-05-01T12:00:00.000Z","carbonIntensity":"480"},{"datetime":"2024-05-01T14:00Z","carbonIntensity":null},
		{"datetime":"2024-05-01T15:00Z"},{"datetime":"2024-05-01T16:00Z","carbonIntensity":-1}`
	opts := TraceOptions{Zone: "XX", EstimatedColumn: "isEstimated", Scope: Lifecycle}
	for name, text := range map[string]string{
		"list":   "[" + rows + "]",
		"member": `{"zone":"XX","history":[` + rows + `]}`,
		"lines":  strings.ReplaceAll(strings.ReplaceAll(rows, "},", "}\n"), "\t", ""),
		"BOM":    "\ufeff[" + rows + "]",
	} {
		tr, err := ReadTraceJSON(strings.NewReader(text), opts)
		require.NoError(t, err, name)
		require.Equal(t, 2, tr.Len(), name)
		require.Equal(t, 3, tr.Skipped(), name)
		r, err := tr.At(t.Context(), noon.Add(90*time.Minute))
		require.NoError(t, err)
		require.Equal(t, Reading{
			Intensity: 450, Signal: Average, Basis: Estimated, Scope: Lifecycle, Zone: "XX", Source: "recorded trace",
			From: noon.Add(time.Hour), To: noon.Add(2 * time.Hour),
		}, r)
		_, err = tr.At(t.Context(), noon.Add(2*time.Hour))
		require.ErrorIs(t, err, ErrNoData)
	}
	tr, err := ReadTraceJSON(strings.NewReader(`[{"location":"a","time":"2024-05-01T12:00Z","rating":1000},{"location":"b","time":"2024-05-01T12:00Z","rating":5}]`),
		TraceOptions{Zone: "a", ZoneColumn: "location", TimeColumn: "time", ValueColumn: "rating", Convert: PerMWhPounds, Signal: Marginal, Spacing: time.Hour})
	require.NoError(t, err)
	r, err := tr.At(t.Context(), noon)
	require.NoError(t, err)
	require.InDelta(t, 453.59, float64(r.Intensity), .01)
	require.Equal(t, Marginal, r.Signal)
}

func TestReadTraceJSONErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "no usable value", "[]": "no usable value", "null": "neither", "7": "neither", `["x"]`: "neither",
		"{}": "no member", `{"history":{}}`: `"history"`, `{"data":null}`: `"data"`,
		`[{"datetime":"never","carbonIntensity":1}]`:                                                 "never",
		`[{"datetime":"2024-05-01T12:00Z","carbonIntensity":1},{"datetime":1,"carbonIntensity":{}}]`: "object 2",
		`[{"datetime":"2024-05-01T12:00Z","carbonIntensity":true}]`:                                  "true",
		`[{"datetime":"2024-05-01T12:00Z","carbonIntensity":1}`:                                      "object 1",
		`[{"datetime":"2024-05-01T12:00Z","carbonIntensity":1}]`:                                     "Spacing",
		`[` + strings.Repeat(" ", 2000):                                                              "larger than",
	} {
		_, err := ReadTraceJSON(strings.NewReader(text), TraceOptions{Zone: "XX", MaxBytes: 1000})
		require.ErrorContains(t, err, want, text)
	}
	_, err := ReadTraceJSON(nil, TraceOptions{Zone: "XX"})
	require.Error(t, err)
	_, err = ReadTraceJSON(strings.NewReader("[]"), TraceOptions{})
	require.Error(t, err)
	_, err = ReadTraceJSON(strings.NewReader("[]"), TraceOptions{Zone: "XX", Scope: 9})
	require.ErrorContains(t, err, "Scope")
}

// A saved answer of a provider replays as it is.
func TestReadTraceJSONRecorded(t *testing.T) {
	t.Parallel()
	body := recordedBody(t, "electricitymaps", "v3_carbon_intensity_history.json")
	tr, err := ReadTraceJSON(strings.NewReader(string(body)), TraceOptions{Zone: "DE", ZoneColumn: "zone", EstimatedColumn: "isEstimated"})
	require.NoError(t, err)
	require.Equal(t, 24, tr.Len())
	from, to := tr.Span()
	all, err := tr.History(t.Context(), from, to)
	require.NoError(t, err)
	want, err := parseElectricityMaps(body, mapsAsked{zone: "DE", scope: Lifecycle, step: time.Hour})
	require.NoError(t, err)
	require.Len(t, all, len(want))
	for i, r := range all {
		require.Equal(t, want[i].Intensity, r.Intensity)
		require.Equal(t, want[i].Basis, r.Basis)
		require.Equal(t, want[i].From, r.From)
		require.Equal(t, want[i].To, r.To)
	}
}

func TestTraceStretch(t *testing.T) {
	t.Parallel()
	const text = "time,XX\n2024-05-01T12:00Z,1\n2024-05-01T13:00Z,2\n2024-05-01T14:00Z,\n2024-05-01T15:00Z,4\n"
	tr, err := ReadTrace(strings.NewReader(text), TraceOptions{Zone: "XX"})
	require.NoError(t, err)
	values := func(readings []Reading, err error) string {
		if err != nil {
			require.ErrorIs(t, err, ErrNoData)
		}
		out := ""
		for _, r := range readings {
			out += fmt.Sprint(float64(r.Intensity), " ")
		}
		return out
	}
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	require.Equal(t, "1 2 4 ", values(tr.History(t.Context(), at(-600), at(600))))
	require.Equal(t, "1 2 ", values(tr.History(t.Context(), at(59), at(61))))
	require.Equal(t, "2 ", values(tr.History(t.Context(), at(60), at(180))))
	require.Equal(t, "", values(tr.History(t.Context(), at(120), at(180))))
	require.Equal(t, "", values(tr.History(t.Context(), at(240), at(600))))
	require.Equal(t, "", values(tr.Forecast(t.Context(), at(0), at(600))))
	_, err = tr.History(t.Context(), noon, noon)
	require.Error(t, err)
	ahead, err := ReadTrace(strings.NewReader(text), TraceOptions{Zone: "XX", Basis: Forecast})
	require.NoError(t, err)
	require.Equal(t, "", values(ahead.History(t.Context(), at(0), at(600))))
	require.Equal(t, "1 2 4 ", values(ahead.Forecast(t.Context(), at(0), at(600))))
	var none *Trace
	_, err = none.History(t.Context(), at(0), at(1))
	require.ErrorIs(t, err, ErrNoData)
}

func FuzzReadTraceJSON(f *testing.F) {
	f.Add(`[{"datetime":"2024-05-01T12:00Z","carbonIntensity":450,"isEstimated":true},{"datetime":"2024-05-01T13:00Z","carbonIntensity":"4e2"}]`)
	f.Add(`{"zone":"XX","history":[{"datetime":"2024-05-01T12:00Z","carbonIntensity":1e999}],"data":[]}`)
	f.Add(`{"datetime":"2024-05-01T12:00Z"} {"datetime":"2024-05-01 13","carbonIntensity":0}`)
	f.Fuzz(func(t *testing.T, text string) {
		tr, err := ReadTraceJSON(strings.NewReader(text), TraceOptions{Zone: "XX", EstimatedColumn: "isEstimated", Spacing: time.Hour})
		if err != nil {
			require.Nil(t, tr)
			return
		}
		from, to := tr.Span()
		all, err := tr.History(t.Context(), from, to)
		require.NoError(t, err)
		require.Len(t, all, tr.Len())
		for i, r := range all {
			require.NoError(t, r.check(r.From, Average))
			if i > 0 {
				require.False(t, r.From.Before(all[i-1].To), "no overlap")
			}
		}
	})
}
