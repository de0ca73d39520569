package resources

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	h, err := NewHistory(HistoryConfig{Steps: []time.Duration{time.Second, time.Minute}, Length: 60})
	require.NoError(t, err)
	start := time.Unix(1_700_000_040, 0) // a full minute
	for i := range 600 {
		h.Observe(start.Add(time.Duration(i)*500*time.Millisecond), float64(i))
	}
	// The last minute is there in seconds, all of it in minutes.
	got := slices.Collect(h.Since(start.Add(250 * time.Second)))
	require.Len(t, got, 50)
	require.True(t, got[0].At.Equal(start.Add(250*time.Second)))
	got[0].At = time.Time{}
	require.Equal(t, Point{Count: 2, Min: 500, Mean: 500.5, Max: 501}, got[0])
	got = slices.Collect(h.Since(start))
	require.Len(t, got, 5)
	for i, p := range got {
		require.True(t, p.At.Equal(start.Add(time.Duration(i)*time.Minute)))
		require.Equal(t, 120, p.Count)
		require.InDelta(t, float64(120*i)+59.5, p.Mean, 1e-9)
		require.Equal(t, float64(120*i), p.Min)
		require.Equal(t, float64(120*i+119), p.Max)
	}
	for range h.Since(start) { // may be left early
		break
	}
}

func TestHistoryHostile(t *testing.T) {
	t.Parallel()
	h, err := NewHistory(HistoryConfig{Steps: []time.Duration{time.Second}, Length: 3})
	require.NoError(t, err)
	require.Empty(t, slices.Collect(h.Since(time.Time{})))
	h.Observe(foreAt(10), math.NaN())
	h.Observe(foreAt(10), math.Inf(1))
	require.Empty(t, slices.Collect(h.Since(time.Time{})))
	h.Observe(foreAt(10), 1)
	h.Observe(foreAt(10), 3) // the same instant
	h.Observe(foreAt(5), 5)  // the clock was set back
	h.Observe(foreAt(5000), 7)
	got := slices.Collect(h.Since(time.Time{}))
	require.Len(t, got, 2, "nothing is made up for a gap")
	require.Equal(t, 3, got[0].Count)
	require.Equal(t, 5.0, got[0].Max)
	for i := range 10 {
		h.Observe(foreAt(6000+float64(i)), 1)
	}
	require.Equal(t, 3, len(slices.Collect(h.Since(time.Time{}))))
	for _, h := range []*History{nil, {}} {
		h.Observe(foreAt(0), 1)
		require.Empty(t, slices.Collect(h.Since(time.Time{})))
	}
}

func TestHistoryConfig(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]HistoryConfig{
		"Length -1":                           {Length: -1},
		"Steps is empty":                      {Steps: []time.Duration{}},
		"Steps[0] 0s":                         {Steps: []time.Duration{0}},
		"Steps[1] 3s is not a multiple of 2s": {Steps: []time.Duration{2 * time.Second, 3 * time.Second}},
		"Steps[1] 2s is not a multiple of 2s": {Steps: []time.Duration{2 * time.Second, 2 * time.Second}},
	} {
		_, err := NewHistory(cfg)
		require.ErrorContains(t, err, "resources: history: "+want)
	}
}

// Two days at one observation a second allocate nothing.
func TestHistoryDay(t *testing.T) {
	h, err := NewHistory(HistoryConfig{})
	require.NoError(t, err)
	i := 0
	require.Zero(t, testing.AllocsPerRun(3, func() { // and a first time: 4 x 12 hours
		for range 12 * 3600 {
			h.Observe(foreAt(float64(i)), math.Sin(float64(i)))
			i++
		}
	}))
	require.Equal(t, 5*60, len(slices.Collect(h.Since(foreAt(float64(i)-5*60)))))
}

func BenchmarkHistory(b *testing.B) {
	h, err := NewHistory(HistoryConfig{})
	require.NoError(b, err)
	now := foreAt(0)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		h.Observe(now, 1)
	}
}
