package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// leak is a trace that grows with a rhythm and reaches 1 after some 400 rows.
func leak(stamp func(i int) string) string {
	var b strings.Builder
	b.WriteString("t,value\n")
	for i := range 450 {
		fmt.Fprintf(&b, "%s,%.6f\n", stamp(i), .2+float64(i)*.0018+.05*math.Sin(float64(i)/20)+.01*math.Sin(float64(i*i)))
	}
	return b.String()
}

func number1(i int) string { return fmt.Sprint(i) }

func play(t *testing.T, in string, args ...string) []line {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(append([]string{"-trace", "-"}, args...), strings.NewReader(in), &out))
	var lines []line
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	for dec.More() {
		var l line
		require.NoError(t, dec.Decode(&l))
		lines = append(lines, l)
	}
	return lines
}

func TestLeak(t *testing.T) {
	t.Parallel()
	lines := play(t, leak(number1), "-limit", "1")
	require.Len(t, lines, 3)
	alarm, full, end := lines[0], lines[1], lines[2]
	require.Equal(t, []string{"alarm", "exhausted", "end"}, []string{alarm.Event, full.Event, end.Event})
	require.InDelta(t, full.T.(float64)-alarm.T.(float64), *alarm.Left, 15)
	require.LessOrEqual(t, *alarm.Earliest, *alarm.Left)
	require.LessOrEqual(t, *alarm.Left, *alarm.Latest)
	require.Zero(t, *full.Left)
	require.Equal(t, &summary{Rows: 450, Alarms: 1, Exhausted: 1, Horizon: 30}, end.Summary)
	require.NotEmpty(t, alarm.Growth)

	// The same in minutes, with times: the answer is in seconds, and the horizon follows the step.
	slow := play(t, leak(func(i int) string {
		return time.Date(2026, 1, 31, 8, i, 0, 0, time.UTC).Format(time.RFC3339)
	}), "-limit", "1")
	require.Len(t, slow, 3)
	require.Equal(t, 1800., slow[2].Summary.Horizon)
	require.InDelta(t, 60**alarm.Left, *slow[0].Left, .1)
	require.Equal(t, time.Date(2026, 1, 31, 8, int(alarm.T.(float64)), 0, 0, time.UTC).Format(time.RFC3339), slow[0].T)
}

func TestWhatIsSaidComesFromThePast(t *testing.T) {
	t.Parallel()
	all := play(t, leak(number1), "-limit", "1", "-every", "50", "-horizon", "30s")
	half := play(t, strings.Join(strings.SplitAfter(leak(number1), "\n")[:201], ""), "-limit", "1", "-every", "50", "-horizon", "30s")
	for i := range 4 {
		require.Equal(t, "forecast", half[i].Event)
		require.Equal(t, all[i], half[i])
	}
}

// The limit is raised while the alarm stands, then the level drops, and a value is missing.
func TestLimitShiftAndGap(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("\ufefftime, Value ,limit\r\n")
	for i := range 600 {
		v, limit := 10+.2*float64(min(i, 400))+.1*math.Sin(float64(i*i)), ""
		switch {
		case i == 0:
			limit = "100"
		case i == 440:
			limit = "200"
		}
		if i >= 500 {
			v -= 40
		}
		if i == 50 {
			fmt.Fprintf(&b, "%d.5,,\r\n", i)
			continue
		}
		if i == 400 {
			v = 100
		}
		fmt.Fprintf(&b, "%d.5,%.4f,%s\r\n", i, v, limit)
	}
	lines := play(t, b.String(), "-horizon", "1m")
	var events []string
	for _, l := range lines {
		if l.Event != "shift" || math.Abs(l.By) > 1 { // where growth ends there may be a small one
			events = append(events, l.Event)
		}
	}
	require.Equal(t, []string{"alarm", "exhausted", "clear", "shift", "end"}, events)
	shift, end := lines[len(lines)-2], lines[len(lines)-1]
	require.Equal(t, 200., shift.Limit)
	require.InDelta(t, -40, shift.By, .5)
	require.Nil(t, end.Left)
	require.Equal(t, 1, end.Summary.Gaps)
	require.Equal(t, 600, end.Summary.Rows)
}

func TestChart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "leak.csv")
	require.NoError(t, os.WriteFile(file, []byte(leak(number1)), 0o600))
	svg := filepath.Join(dir, "leak.svg")
	require.NoError(t, run([]string{"-trace", file, "-limit", "1", "-svg", svg}, nil, &bytes.Buffer{}))
	drawn, err := os.ReadFile(svg)
	require.NoError(t, err)
	for _, want := range []string{"<svg", "leak.csv", "foreseen", "as it was", "alarm (1)", "exhausted (1)"} {
		require.Contains(t, string(drawn), want)
	}
	// A long trace gives no larger a file, and its extremes are kept.
	x, y := make([]float64, 100_000), make([]float64, 100_000)
	y[77_777] = 5
	for i := range 10_000 {
		y[i] = math.NaN()
	}
	l := thin("", x, y)
	require.Len(t, l.X, 2*across)
	require.Contains(t, l.Y, 5.)
}

func TestHostileTrace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", "line 1: no header"},
		{"1,2\n3,4\n", `line 1: the header "1,2" is not`},
		{"t\n1\n", "line 1: the header"},
		{"t,value,limit,more\n", "line 1: the header"},
		{"t,value,max\n", "line 1: the header"},
		{"t,value\n", "no values"},
		{"t,value\n1,\n", "no values"},
		{"t,value\n1,2\n2,x\n", `line 3: value "x" is not a finite number`},
		{"t,value\n1,2\n2,NaN\n", "line 3: value \"NaN\""},
		{"t,value\n1,2\n2,-Inf\n", "line 3: value \"-Inf\""},
		{"t,value\n1,2\n2,1e999\n", "line 3: value"},
		{"t,value\n1,2\n2,3,4\n", "line 3: 3 fields, the header has 2"},
		{"t,value\n1,2\n2\n", "line 3: 1 fields, the header has 2"},
		{"t,value\n1,2\n\n\n1,3\n", `line 5: t "1" is not after "1" of line 2`},
		{"t,value\n2,2\n1,3\n", `line 3: t "1" is not after "2" of line 2`},
		{"t,value\n1e300,2\n", "line 2: t \"1e300\" is out of range"},
		{"t,value\n1700000000000,2\n", "it is in seconds"},
		{"t,value\nNaN,2\n", "line 2: t \"NaN\" is not"},
		{"t,value\nyesterday,2\n", "line 2: t \"yesterday\" is neither"},
		{"t,value\n9999-01-01T00:00:00Z,2\n", "line 2: t"},
		{"t,value\n1,2\n2026-01-31T08:00:00Z,2\n", "line 3: t"},
		{"t,value,limit\n1,2,\n", "line 2: no limit"},
		{"t,value,limit\n1,2,0\n", "line 2: limit 0 is not positive"},
		{"t,value,limit\n1,2,-3\n", "line 2: limit -3 is not positive"},
		{"t,value,limit\n1,2,inf\n", "line 2: limit \"inf\""},
		{"t,value\n1,\"2\n", "line 2: "},
		{"t,value\n1,a\"2\n", "line 2: "},
		{"t,value\n1,\x1b[31m" + strings.Repeat("x", 100) + "\n", `line 2: value "\x1b[31m` + strings.Repeat("x", 35) + `..."`},
		{"\x00\x01\x02", "line 1: the header"},
	} {
		args := []string{"-trace", "-"}
		if !strings.Contains(c.in, "limit") {
			args = append(args, "-limit", "100")
		}
		var out bytes.Buffer
		require.ErrorContains(t, run(args, strings.NewReader(c.in), &out), c.want, "%q", c.in)
		require.Zero(t, out.Len())
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{}, {"-trace", "no such file", "-limit", "1"}, {"-trace", "-"}, {"-trace", "-", "-limit", "0"}, {"-trace", "-", "-limit", "Inf"},
		{"-trace", "-", "-limit", "1", "-horizon", "-1s"}, {"-trace", "-", "-limit", "1", "-every", "-1"},
		{"-trace", "-", "-limit", "1", "-confidence", "2"}, {"-trace", "-", "-limit", "1", "-confidence", "NaN"}, {"-trace", "-", "-limit", "1", "more"},
		{"-trace", "-", "-limit", "1", "-svg", filepath.Join(t.TempDir(), "no", "such", "folder")},
	} {
		require.Error(t, run(args, strings.NewReader("t,value\n1,2\n"), &bytes.Buffer{}), "%q", args)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("t,value,limit\n1,2,3\n2,,\n3,4,5\n")
	f.Add("time,value\n2026-01-31 08:00:00,1\n")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := read(strings.NewReader(in), 7)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Fatalf("%q: %v names no line", in, err)
			}
			return
		}
		for i, s := range got.samples {
			if i > 0 && !s.at.After(got.samples[i-1].at) || math.IsNaN(s.value) || math.IsInf(s.value, 0) || !(s.limit > 0) {
				t.Fatalf("%q: %+v", in, s)
			}
		}
	})
}
