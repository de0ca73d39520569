package resources

import (
	"encoding/json"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ladderOf(t testing.TB, cfg LadderConfig) *Ladder {
	t.Helper()
	cfg.Name = "memory"
	l, err := NewLadder(cfg)
	require.NoError(t, err)
	return l
}

func TestLadder(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	nan := Of(math.NaN())
	for name, tc := range map[string]struct {
		cfg  LadderConfig
		used []Value[float64] // a second apart
		want []Level
	}{
		"up and down": {
			LadderConfig{},
			[]Value[float64]{Of(.5), Of(.8), Of(.9), Of(.851), Of(.849), Of(.77), Of(.761), Of(.759), Of(.79)},
			[]Level{Normal, Warn, Critical, Critical, Warn, Warn, Warn, Normal, Normal},
		},
		"jumps":         {LadderConfig{}, []Value[float64]{Of(.95), Of(.1), Of(1.5), Of(.1)}, []Level{Critical, Normal, Critical, Normal}},
		"around Warn":   {LadderConfig{}, []Value[float64]{Of(.81), Of(.79), Of(.81), Of(.79)}, []Level{Warn, Warn, Warn, Warn}},
		"never reached": {LadderConfig{}, []Value[float64]{Of(.79), Of(.77)}, []Level{Normal, Normal}},
		"absent":        {LadderConfig{}, []Value[float64]{{}, Of(.95), {V: .95}, Of(.87), nan}, []Level{Unknown, Critical, Unknown, Warn, Unknown}},
		"for a while": {
			LadderConfig{For: 2 * time.Second},
			[]Value[float64]{Of(.95), Of(.95), Of(.5), Of(.95), Of(.85), Of(.85), Of(.95), Of(.95), Of(.95), Of(.5)},
			[]Level{Normal, Normal, Normal, Normal, Normal, Warn, Warn, Warn, Critical, Normal},
		},
		"for a while, once there": {
			LadderConfig{For: time.Second},
			[]Value[float64]{Of(.95), Of(.95), Of(.86), Of(.95), Of(.84), Of(.95), Of(.95)},
			[]Level{Normal, Critical, Critical, Critical, Warn, Warn, Critical},
		},
		"own limits": {
			LadderConfig{Limits: Thresholds{Warn: .5, Clear: .2, Resume: .6, Critical: .95}},
			[]Value[float64]{Of(.5), Of(.2), Of(.95), Of(.6), Of(.59), Of(.19)},
			[]Level{Warn, Warn, Critical, Critical, Warn, Normal},
		},
	} {
		var told []Change
		tc.cfg.OnLevel = func(c Change) { told = append(told, c) }
		l := ladderOf(t, tc.cfg)
		was, changes := Unknown, 0
		for i, used := range tc.used {
			at := start.Add(time.Duration(i) * time.Second)
			require.Equal(t, tc.want[i], l.Update(at, used), "%s %d", name, i)
			require.Equal(t, tc.want[i], l.Level())
			if tc.want[i] != was {
				changes++
				last := told[len(told)-1]
				require.Equal(t, [3]any{was, tc.want[i], at}, [3]any{last.Was, last.Now, last.At}, name)
				require.Equal(t, "memory", last.Resource)
			}
			was = tc.want[i]
		}
		require.Len(t, told, changes, name)
	}
}

// TestLadderClockGoesBack: levels are not reached sooner, and nothing breaks.
func TestLadderClockGoesBack(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := ladderOf(t, LadderConfig{For: time.Minute})
	require.Equal(t, Normal, l.Update(start, Of(.99)))
	require.Equal(t, Normal, l.Update(start.Add(-time.Hour), Of(.99)))
	require.Equal(t, Critical, l.Update(start.Add(time.Minute), Of(.99)))
}

// TestLadderCallbacks: however many goroutines update, changes are told one at a time, each beginning where the last ended.
func TestLadderCallbacks(t *testing.T) {
	t.Parallel()
	var l *Ladder
	last := Unknown // only touched by callbacks: the race detector checks that
	l = ladderOf(t, LadderConfig{OnLevel: func(c Change) {
		assert.Equal(t, last, c.Was)
		assert.NotEqual(t, c.Was, c.Now)
		last = c.Now
		_ = l.Level()
	}})
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 500 {
				l.Update(time.Now(), Of(float64((worker*7+i*13)%100)/100))
			}
		})
	}
	wg.Wait()
	l.Update(time.Now(), Of(.1))
	require.Equal(t, Normal, last)
}

func TestLadderNilAndConfig(t *testing.T) {
	t.Parallel()
	for _, l := range []*Ladder{nil, new(Ladder)} {
		require.Equal(t, Unknown, l.Update(time.Now(), Of(.99)))
		require.Equal(t, Unknown, l.Level())
	}
	for want, cfg := range map[string]LadderConfig{
		"Name is missing":       {},
		"For is -1ns":           {Name: "x", For: -1},
		"thresholds: Clear":     {Name: "x", Limits: Thresholds{Clear: .9}},
		"are not 0 < Clear <= ": {Name: "x", Limits: Thresholds{Clear: -1}},
	} {
		_, err := NewLadder(cfg)
		require.ErrorContains(t, err, want)
	}
	text, err := json.Marshal(Critical)
	require.NoError(t, err)
	require.Equal(t, `"critical"`, string(text))
}

func TestLadderDoesNotAllocate(t *testing.T) {
	l := ladderOf(t, LadderConfig{OnLevel: func(Change) {}})
	at := time.Now()
	l.Update(at, Of(.5))
	require.Zero(t, testing.AllocsPerRun(1000, func() { l.Update(at, Of(.6)) }))
}

func BenchmarkLadder(b *testing.B) {
	l := ladderOf(b, LadderConfig{OnLevel: func(Change) {}})
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		l.Update(at, Of(.6))
	}
}
