package main

import (
	"bytes"
	"compress/gzip"
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

// trace writes a made-up trace of 80 days, with a gap, and returns its path.
func trace(t *testing.T, step time.Duration, change func(hour float64, v float64) string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprintln(z, "time,XX,YY")
	begin := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := begin; at.Before(begin.Add(80 * 24 * time.Hour)); at = at.Add(step) {
		h := at.Sub(begin).Hours()
		v := 300 + 100*math.Sin(h*2*math.Pi/24) + 60*math.Sin(h/31) + 20*math.Sin(h/7.7)
		fmt.Fprintf(z, "%s,%s,1\n", at.Format(time.RFC3339), change(h, v))
	}
	require.NoError(t, z.Close())
	path := filepath.Join(t.TempDir(), "trace.csv.gz")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

func plain(h, v float64) string { return fmt.Sprintf("%.2f", v) }

func answerOf(t *testing.T, args ...string) answer {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(args, &out))
	var a answer
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&a))
	require.False(t, dec.More())
	return a
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Hour, 30 * time.Minute} {
		path := trace(t, step, plain)
		a := answerOf(t, "-trace", path, "-zone", "XX", "-work", "6h", "-slack", "24h", "-resume", "0.1h", "-starts", "30", "-seed", "3", "-json")
		require.Equal(t, "XX", a.Zone)
		require.Equal(t, []float64{6, 24, .1}, []float64{a.Work, a.Slack, a.Resume})
		require.InDelta(t, a.Saved.Limit, a.Saved.Perfect, 1e-9, "a perfect forecast reaches the limit")
		for _, v := range []float64{a.Saved.Window, a.Saved.Climatology, a.Saved.KMin, a.Saved.Threshold} {
			require.LessOrEqual(t, v, a.Saved.Limit+1e-9)
		}
		require.Greater(t, a.Share, .9, "the made-up grid is easy")
		require.InDelta(t, a.Saved.Climatology/a.Saved.Limit, a.Share, 1e-12)
		require.Positive(t, a.PerPlan)
		again := answerOf(t, "-trace", path, "-zone", "XX", "-work", "6h", "-slack", "24h", "-resume", "0.1h", "-starts", "30", "-seed", "3", "-json")
		again.PerPlan = a.PerPlan
		require.Equal(t, a, again)
		other := answerOf(t, "-trace", path, "-zone", "XX", "-work", "6h", "-slack", "24h", "-resume", "0.1h", "-starts", "30", "-seed", "4", "-json")
		require.NotEqual(t, a.Saved, other.Saved)
		safe := answerOf(t, "-trace", path, "-zone", "XX", "-work", "6h", "-slack", "24h", "-starts", "30", "-cap", ".01", "-json")
		require.LessOrEqual(t, safe.WorstRegret, 1.)
	}
}

// TestThePlanKnowsOnlyThePast: what comes after the window changes nothing, and neither does the last hour of it unless it is
// reached.
func TestThePlanKnowsOnlyThePast(t *testing.T) {
	t.Parallel()
	cut := 31*24. + 20
	show := func(change func(h, v float64) string) []bool {
		s, err := read(trace(t, time.Hour, change), "XX")
		require.NoError(t, err)
		q := question{work: 6 * time.Hour, slack: 48 * time.Hour, resume: 6 * time.Minute}
		j, err := q.newJob(s, 31*24)
		require.NoError(t, err)
		_, err = q.replay(s, []*job{j})
		require.NoError(t, err)
		return j.run[:20]
	}
	want := show(plain)
	require.Equal(t, want, show(func(h, v float64) string {
		if h >= cut {
			v = 1000 - v
		}
		return plain(h, v)
	}))
}

func TestShow(t *testing.T) {
	t.Parallel()
	path := trace(t, time.Hour, func(h, v float64) string {
		if h > 200 && h < 210 {
			return "" // a gap in the past
		}
		return plain(h, v)
	})
	svg := filepath.Join(t.TempDir(), "plan.svg")
	var out bytes.Buffer
	require.NoError(t, run([]string{"-trace", path, "-zone", "XX", "-work", "6h", "-slack", "30h", "-start", "2024-02-10T05:00Z", "-svg", svg}, &out))
	text := out.String()
	require.Contains(t, text, "2024-02-10 05:00")
	require.Equal(t, 6, strings.Count(text[strings.Index(text, "2024-02-10  "):strings.Index(text, "run-now   ")], "#"), text)
	for _, name := range []string{"planned", "limit", "window", "kmin", "threshold"} {
		require.Contains(t, text, "\n  "+name)
	}
	drawn, err := os.ReadFile(svg)
	require.NoError(t, err)
	require.Contains(t, string(drawn), "<svg")
	require.Contains(t, string(drawn), "planned")
	out.Reset()
	require.NoError(t, run([]string{"-trace", path, "-zone", "XX", "-work", "6h", "-slack", "30h", "-starts", "5"}, &out))
	require.Contains(t, out.String(), "of the limit")
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	path := trace(t, time.Hour, plain)
	for _, args := range [][]string{
		{}, {"-trace", path}, {"-trace", path, "-zone", "ZZ"}, {"-trace", path + ".no", "-zone", "XX"},
		{"-trace", path, "-zone", "XX", "-work", "0h"}, {"-trace", path, "-zone", "XX", "-slack", "-1h"}, {"-trace", path, "-zone", "XX", "-resume", "-1h"},
		{"-trace", path, "-zone", "XX", "-cap", "NaN"}, {"-trace", path, "-zone", "XX", "-starts", "-1"}, {"-trace", path, "-zone", "XX", "-json"},
		{"-trace", path, "-zone", "XX", "-starts", "1", "-svg", "x"}, {"-trace", path, "-zone", "XX", "-start", "now"}, {"-trace", path, "-zone", "XX", "x"},
		{"-trace", path, "-zone", "XX", "-start", "2024-01-02T00:00Z"}, {"-trace", path, "-zone", "XX", "-slack", "10000h", "-starts", "3"},
	} {
		require.Error(t, run(args, &bytes.Buffer{}), "%q", args)
	}
}
