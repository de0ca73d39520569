package carbon

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func readTrace(t testing.TB, text string, opts TraceOptions) *Trace {
	t.Helper()
	if opts.Zone == "" {
		opts.Zone = "XX"
	}
	tr, err := ReadTrace(strings.NewReader(text), opts)
	require.NoError(t, err)
	return tr
}

// value is the intensity at noon plus the given time, NaN for a gap.
func value(t testing.TB, tr *Trace, after time.Duration) float64 {
	t.Helper()
	at := noon.Add(after)
	r, err := tr.At(context.Background(), at)
	if err != nil {
		require.ErrorIs(t, err, ErrNoData)
		return math.NaN()
	}
	require.NoError(t, r.check(at, tr.signal))
	return float64(r.Intensity)
}

func TestTraceGapsAreNeverValues(t *testing.T) {
	t.Parallel()
	for _, gap := range []string{"", "null", "NULL", "None", "NA", "n/a", "-", "NaN", "nan", "-1", "-0.01", "Inf", "-inf", "1e999", "99999"} {
		tr := readTrace(t, "time,XX\n2024-05-01T12:00Z,100\n2024-05-01T13:00Z,"+gap+"\n2024-05-01T14:00Z,300\n", TraceOptions{})
		require.Equal(t, 1, tr.Skipped(), gap)
		require.Equal(t, 100.0, value(t, tr, 59*time.Minute), gap)
		require.Equal(t, 300.0, value(t, tr, 2*time.Hour), gap)
		_, err := tr.At(t.Context(), noon.Add(90*time.Minute))
		var none *NoDataError
		require.ErrorAs(t, err, &none, gap)
		require.Equal(t, NoDataError{Zone: "XX", At: noon.Add(90 * time.Minute), Until: noon.Add(2 * time.Hour)}, *none)
	}
	tr := readTrace(t, "time,XX\n2024-05-01T12:00Z,0\n2024-05-01T13:00Z,0.0\n", TraceOptions{})
	require.Equal(t, 0.0, value(t, tr, 0), "zero itself is a value")
}

func TestTraceOrderAndDuplicates(t *testing.T) {
	t.Parallel()
	tr := readTrace(t, `time,XX
2024-05-01T14:00Z,300
2024-05-01T12:00Z,999
2024-05-01T13:00Z,200
2024-05-01T12:00Z,100
2024-05-01T13:00Z,
2024-05-01T17:00Z,600
`, TraceOptions{})
	require.Equal(t, 4, tr.Len())
	require.Equal(t, time.Hour, tr.Spacing())
	require.Equal(t, 100.0, value(t, tr, 0), "the later row wins")
	require.Equal(t, 200.0, value(t, tr, time.Hour), "an empty row revises nothing")
	require.Equal(t, 300.0, value(t, tr, 3*time.Hour-1))
	require.True(t, math.IsNaN(value(t, tr, 3*time.Hour)), "a value holds for the spacing, not over a gap")
	require.True(t, math.IsNaN(value(t, tr, 5*time.Hour-time.Millisecond)))
	require.Equal(t, 600.0, value(t, tr, 5*time.Hour))
	require.True(t, math.IsNaN(value(t, tr, 6*time.Hour)), "nor beyond the end")
	require.True(t, math.IsNaN(value(t, tr, -1)), "nor before the start")
	from, to := tr.Span()
	require.Equal(t, []time.Time{noon, noon.Add(6 * time.Hour)}, []time.Time{from, to})
}

func TestTraceSpacingIsRead(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 24 * time.Hour} {
		var b strings.Builder
		b.WriteString("time,XX\n")
		for i := range 6 {
			fmt.Fprintf(&b, "%s,%d\n", noon.Add(time.Duration(i)*step).Format(time.RFC3339), i)
		}
		tr := readTrace(t, b.String(), TraceOptions{})
		require.Equal(t, step, tr.Spacing())
		require.Equal(t, 5.0, value(t, tr, 6*step-1))
		require.True(t, math.IsNaN(value(t, tr, 6*step)))
	}
	// A finer part ends each value at the next row; a stated spacing bridges what the usual step would not.
	mixed := "time,XX\n2024-05-01T12:00Z,1\n2024-05-01T13:00Z,2\n2024-05-01T14:00Z,3\n2024-05-01T14:15Z,4\n2024-05-01T16:15Z,5\n"
	tr := readTrace(t, mixed, TraceOptions{})
	require.Equal(t, 3.0, value(t, tr, 2*time.Hour+14*time.Minute))
	require.Equal(t, 4.0, value(t, tr, 2*time.Hour+15*time.Minute))
	require.True(t, math.IsNaN(value(t, tr, 4*time.Hour)))
	r, err := tr.At(t.Context(), noon.Add(2*time.Hour))
	require.NoError(t, err)
	require.Equal(t, noon.Add(2*time.Hour+15*time.Minute), r.To)
	for range 20 { // on a tie the shorter step: a gap is the safer guess
		require.Equal(t, time.Hour, readTrace(t, "time,XX\n2024-05-01T12:00Z,1\n2024-05-01T14:00Z,2\n2024-05-01T15:00Z,3\n", TraceOptions{}).Spacing())
	}
	tr = readTrace(t, mixed, TraceOptions{Spacing: 2 * time.Hour})
	require.Equal(t, 4.0, value(t, tr, 4*time.Hour))

	_, err = ReadTrace(strings.NewReader("time,XX\n2024-05-01T12:00Z,1\n"), TraceOptions{Zone: "XX"})
	require.ErrorContains(t, err, "spacing")
	tr = readTrace(t, "time,XX\n2024-05-01T12:00Z,1\n", TraceOptions{Spacing: time.Hour})
	require.Equal(t, 1.0, value(t, tr, 59*time.Minute))
}

func TestTraceColumns(t *testing.T) {
	t.Parallel()
	text := "\ufeffZone,When,lb,Est\nYY,2024-05-01 12:00:00,1,false\nXX,2024-05-01 12:00:00,1000,false\nXX,2024-05-01 13:00:00,2000,TRUE\n"
	tr := readTrace(t, text, TraceOptions{
		Source: "own", TimeColumn: "When", ValueColumn: "lb", ZoneColumn: "Zone", EstimatedColumn: "Est",
		Convert: PerMWhPounds, Signal: Marginal, Basis: Forecast,
	})
	r, err := tr.At(t.Context(), noon)
	require.NoError(t, err)
	require.Equal(t, Reading{
		Intensity: PerMWhPounds(1000), Signal: Marginal, Basis: Forecast, Zone: "XX", Source: "own", From: noon, To: noon.Add(time.Hour),
	}, r)
	r, err = tr.At(t.Context(), noon.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, Estimated, r.Basis)
}

func TestTraceErrors(t *testing.T) {
	t.Parallel()
	const head = "time,XX\n2024-05-01T12:00Z,1\n"
	for name, tc := range map[string]struct {
		text string
		opts TraceOptions
		want string
	}{
		"empty":             {"", TraceOptions{}, "header"},
		"no rows":           {"time,XX\n", TraceOptions{}, "no usable value in 0 rows"},
		"only gaps":         {"time,XX\n2024-05-01T12:00Z,null\n", TraceOptions{}, "no usable value in 1 rows"},
		"no such zone":      {head, TraceOptions{Zone: "YY"}, `no column "YY" for ValueColumn; the header has ["time" "XX"]`},
		"no time column":    {head, TraceOptions{TimeColumn: "when"}, `no column "when" for TimeColumn`},
		"column twice":      {"time,XX,XX\n", TraceOptions{}, "occurs twice"},
		"bad time":          {head + "soon,2\n", TraceOptions{}, `line 3, column "time": "soon" is not a time`},
		"bad value":         {head + "2024-05-01T13:00Z,low\n", TraceOptions{}, `line 3, column "XX": "low" is not a number`},
		"bad flag":          {head, TraceOptions{EstimatedColumn: "XX", ValueColumn: "time"}, `line 2, column "time"`},
		"not a flag":        {"time,XX,e\n2024-05-01T12:00Z,1,maybe\n", TraceOptions{EstimatedColumn: "e"}, `"maybe" is not true or false`},
		"field count":       {head + "2024-05-01T13:00Z\n", TraceOptions{}, "line 3"},
		"a stray quote":     {head + "2024-05-01T13:00Z,\"2\n", TraceOptions{}, "line"},
		"line after a long": {"time,XX\n\"2024-05-01T12:00Z\",1\n\n\nx,1\n", TraceOptions{}, "line 5"},
		"too large":         {head, TraceOptions{MaxBytes: 10}, "larger than the limit of 10 bytes"},
		"too large quoted":  {"time,XX\n\"" + strings.Repeat("x\n", 1000), TraceOptions{MaxBytes: 100}, "larger than the limit of 100 bytes"},
		"negative limit":    {head, TraceOptions{MaxBytes: -1}, "MaxBytes"},
		"signal":            {head, TraceOptions{Signal: 7}, "Signal"},
		"basis":             {head, TraceOptions{Basis: 7}, "Basis"},
		"spacing":           {head, TraceOptions{Spacing: -1}, "Spacing"},
	} {
		if tc.opts.Zone == "" {
			tc.opts.Zone = "XX"
		}
		_, err := ReadTrace(strings.NewReader(tc.text), tc.opts)
		require.ErrorContains(t, err, tc.want, name)
		require.ErrorContains(t, err, "carbon: trace: ", name)
	}
	_, err := ReadTrace(strings.NewReader(head), TraceOptions{})
	require.ErrorContains(t, err, "Zone is empty")
	_, err = ReadTrace(nil, TraceOptions{Zone: "XX"})
	require.Error(t, err)
	// A body cut in half is an error, not a shorter trace.
	_, err = ReadTrace(io.MultiReader(strings.NewReader(head), iotest.ErrReader(io.ErrUnexpectedEOF)), TraceOptions{Zone: "XX"})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	// Exactly at the limit is within it.
	_, err = ReadTrace(strings.NewReader(head), TraceOptions{Zone: "XX", MaxBytes: int64(len(head)), Spacing: time.Hour})
	require.NoError(t, err)
	long := strings.Repeat("9", 1<<16) + "x"
	_, err = ReadTrace(strings.NewReader("time,XX\n2024-05-01T12:00Z,"+long+"\n"), TraceOptions{Zone: "XX"})
	require.Error(t, err)
	require.Less(t, len(err.Error()), 200, "an error does not repeat the file")
}

func TestTraceNilAndCancelled(t *testing.T) {
	t.Parallel()
	var none *Trace
	_, err := none.At(t.Context(), noon)
	require.ErrorIs(t, err, ErrNoData)
	_, err = new(Trace).At(t.Context(), noon)
	require.ErrorIs(t, err, ErrNoData)
	require.Zero(t, none.Len()+none.Skipped()+int(none.Spacing()))
	from, to := none.Span()
	require.True(t, from.IsZero() && to.IsZero())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = none.At(ctx, noon)
	require.ErrorIs(t, err, context.Canceled)
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"2018-01-20T12:00Z":             time.Date(2018, 1, 20, 12, 0, 0, 0, time.UTC),
		"2023-05-01T11":                 time.Date(2023, 5, 1, 11, 0, 0, 0, time.UTC),
		"2022-01-01 00:00:00+00:00":     time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC),
		"2023-01-01 00:00:00":           time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC),
		"2021-10-08T13:00:00.000Z":      time.Date(2021, 10, 8, 13, 0, 0, 0, time.UTC),
		"2024-03-10T01:30:00-08:00":     time.Date(2024, 3, 10, 9, 30, 0, 0, time.UTC),
		"2024-03-10T01:30-0800":         time.Date(2024, 3, 10, 9, 30, 0, 0, time.UTC),
		"2024-03-10 01+02":              time.Date(2024, 3, 9, 23, 0, 0, 0, time.UTC),
		"2024-03-10 01:30 UTC":          time.Date(2024, 3, 10, 1, 30, 0, 0, time.UTC),
		" 2024-02-29t23:59:59.999999z ": time.Date(2024, 2, 29, 23, 59, 59, 999999000, time.UTC),
		"2024-05-01T12:00:00,5Z":        time.Date(2024, 5, 1, 12, 0, 0, 5e8, time.UTC),
	} {
		got, err := parseTime(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "2024-05-01", "2024-05-01T", "2024-05-01T1", "2024-05-01T12:0", "2024-05-01T24:00", "2024-05-01x12:00", "2023-02-29T00:00",
		"2024-13-01T00:00", "1714564800", "2024-05-01T12:00PST", "2024-05-01T12:00+1", "2024-05-01T12:00+25:00", "12:00",
		"1969-12-31T23:59:59Z", "2201-01-01T00:00Z", "0000-01-01T00:00Z", "9999-12-31T23:59:59Z",
	} {
		_, err := parseTime(text)
		require.Error(t, err, text)
	}
}

// TestParseTimeIgnoresLocalZone: a time without a zone is UTC on every machine.
func TestParseTimeIgnoresLocalZone(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	time.Local = time.FixedZone("elsewhere", -8*3600)
	for _, text := range []string{"2024-05-01T12", "2024-05-01T12:00", "2024-05-01 12:00:00", "2024-05-01T04:00-08:00"} {
		got, err := parseTime(text)
		require.NoError(t, err)
		require.Equal(t, noon, got, text)
		require.Equal(t, time.UTC, got.Location(), text)
	}
}

// realTrace reads a trace of the shared data, or skips the test.
func realTrace(t testing.TB, name string, opts TraceOptions) *Trace {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "shared", "data", "carbon", "traces", name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the recorded traces are not here")
	}
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	tr, err := ReadTrace(z, opts)
	require.NoError(t, err)
	return tr
}

func TestTraceReal2022(t *testing.T) {
	t.Parallel()
	for zone, first := range map[string]Intensity{"DE": 216.56, "GB": 93.71, "FR": 50.51, "US-CAL-CISO": 275.46, "US-MIDA-PJM": 398.49, "AU-SA": 144.64, "PL": 667.40, "SG": 494.23} {
		tr := realTrace(t, "em_2022_hourly_8zones.csv.gz", TraceOptions{Zone: zone})
		require.Equal(t, 8759, tr.Len(), zone)
		require.Zero(t, tr.Skipped(), zone)
		require.Equal(t, time.Hour, tr.Spacing(), zone)
		from, to := tr.Span()
		require.Equal(t, time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC), from, zone)
		require.Equal(t, time.Date(2022, 12, 31, 23, 0, 0, 0, time.UTC), to, zone)
		r, err := tr.At(t.Context(), from)
		require.NoError(t, err)
		require.Equal(t, first, r.Intensity, zone)
	}
}

func TestTraceRealPortal(t *testing.T) {
	t.Parallel()
	tr := realTrace(t, "em_portal_US-CAL-CISO_2023_hourly.csv.gz", TraceOptions{
		Zone: "US-CAL-CISO", ZoneColumn: "Zone Id", ValueColumn: "Carbon Intensity gCO₂eq/kWh (LCA)", EstimatedColumn: "Data Estimated",
	})
	require.Equal(t, 8760, tr.Len())
	require.Equal(t, time.Hour, tr.Spacing())
	estimated := 0
	for at, end := tr.Span(); at.Before(end); at = at.Add(time.Hour) {
		r, err := tr.At(t.Context(), at)
		require.NoError(t, err)
		if r.Basis == Estimated {
			estimated++
		}
	}
	require.Equal(t, 3, estimated, "hours marked as estimated in the file")
	r, err := tr.At(t.Context(), time.Date(2023, 12, 31, 23, 59, 0, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, Intensity(324.89), r.Intensity)
}

// TestTraceRealPollLog: a live feed in which nearly half the rows repeat an hour, and with long gaps. No hour counts twice
// and none is filled.
func TestTraceRealPollLog(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]struct {
		hours   int
		longest time.Duration
	}{
		"DE":          {8904, 88 * time.Hour},
		"US-CAL-CISO": {9707, 289 * time.Hour},
	} {
		tr := realTrace(t, "em_pollog_"+zone+"_2021-10_2022-12.csv.gz", TraceOptions{
			Zone: zone, ZoneColumn: "zone_name", TimeColumn: "zone_datetime", ValueColumn: "carbon_intensity_avg",
		})
		require.Equal(t, time.Hour, tr.Spacing(), zone)
		require.Equal(t, want.hours, tr.Len(), zone)
		longest := time.Duration(0)
		for i, s := range tr.spans[1:] {
			require.GreaterOrEqual(t, s.from, tr.spans[i].to)
			require.LessOrEqual(t, s.to-s.from, time.Hour.Milliseconds())
			longest = max(longest, time.Duration(s.from-tr.spans[i].from)*time.Millisecond)
		}
		require.Equal(t, want.longest, longest, zone)
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add([]byte("time,XX\n2024-05-01T12:00Z,1\n2024-05-01T13:00Z,null\n"), "XX", "", int64(0))
	f.Add([]byte("\ufeffa,XX,e\n2024-05-01 12:00:00,1,true\n2024-05-01 12:00:00,-1,\n"), "XX", "e", int64(time.Hour))
	f.Add([]byte("time,XX\n\"2024-05-01T12\",\"1\n"), "XX", "", int64(1))
	f.Fuzz(func(t *testing.T, data []byte, zone, estimated string, spacing int64) {
		tr, err := ReadTrace(bytes.NewReader(data), TraceOptions{Zone: zone, EstimatedColumn: estimated, Spacing: time.Duration(spacing), MaxBytes: 1 << 16})
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "carbon: trace: "), err)
			return
		}
		require.Positive(t, tr.Len())
		require.Positive(t, tr.Spacing())
		last := int64(math.MinInt64)
		for _, s := range tr.spans {
			require.True(t, s.value.Valid())
			require.GreaterOrEqual(t, s.from, last)
			require.Greater(t, s.to, s.from)
			last = s.to
			for _, at := range []int64{s.from, s.to - 1} {
				r, err := tr.At(context.Background(), time.UnixMilli(at))
				require.NoError(t, err)
				require.NoError(t, r.check(time.UnixMilli(at), Average))
				require.Equal(t, s.value, r.Intensity)
			}
		}
		_, end := tr.Span()
		_, err = tr.At(context.Background(), end)
		require.ErrorIs(t, err, ErrNoData)
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2018-01-20T12:00Z", "2023-05-01T11", "2022-01-01 00:00:00+00:00", "2024-03-10 01:30 UTC", "2024-05-01T12:00:00.5-0730"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTime(s)
		if err != nil {
			return
		}
		require.Equal(t, time.UTC, got.Location())
		again, err := parseTime(got.Format(time.RFC3339Nano))
		require.NoError(t, err)
		require.True(t, again.Equal(got))
		if std, err := time.Parse(time.RFC3339Nano, s); err == nil {
			require.True(t, std.Equal(got), "%q: RFC 3339 means %v, got %v", s, std, got)
		}
	})
}
