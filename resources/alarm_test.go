package resources

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// foreTold is a predictor that says what it is told.
type foreTold struct{ left time.Duration }

func (*foreTold) Observe(time.Time, float64) {}

func (p *foreTold) Forecast(float64) Forecast { return Forecast{Left: p.left} }

func TestAlarm(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		left []int // seconds, -1 never
		want string
	}{
		{"three in a row", []int{90, 60, 60, 60, 60}, "...!!"},
		{"two are not enough", []int{60, 60, 61, 60, 60, 61}, "......"},
		{"the limit itself at once", []int{-1, 0, 0}, ".!!"},
		{"it takes more to end", []int{50, 50, 50, 70, 89, 90, 91, 91, 90, 91, 91, 91, 91}, "..!!!!!!!!!.."},
		{"never ends it", []int{50, 50, 50, -1, -1, -1}, "..!!!."},
		{"around the horizon it does not flap", []int{60, 60, 60, 61, 59, 61, 59, 61, 61, 61, 61}, "..!!!!!!!!!"},
		{"it comes again", []int{50, 50, 50, -1, -1, -1, 50, 50, 50}, "..!!!...!"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := new(foreTold)
			var events []AlarmEvent
			a, err := NewAlarm(AlarmConfig{Horizon: time.Minute, Predictor: p, OnEvent: func(e AlarmEvent) { events = append(events, e) }})
			require.NoError(t, err)
			got, changes := "", 0
			was := false
			for i, s := range row.left {
				p.left = time.Duration(s) * time.Second
				if s < 0 {
					p.left = Never
				}
				_, standing := a.Observe(foreAt(float64(i)), float64(i), 100)
				if standing {
					got += "!"
				} else {
					got += "."
				}
				if standing != was {
					changes++
					require.Len(t, events, changes)
					require.Equal(t, AlarmEvent{At: foreAt(float64(i)), Raised: standing, Value: float64(i), Limit: 100, Forecast: Forecast{Left: p.left}}, events[changes-1])
				}
				was = standing
			}
			require.Equal(t, row.want, got)
			require.Len(t, events, changes)
		})
	}
}

func TestAlarmLeak(t *testing.T) {
	t.Parallel()
	var raised []time.Time
	a, err := NewAlarm(AlarmConfig{Horizon: 30 * time.Second, OnEvent: func(e AlarmEvent) { raised = append(raised, e.At) }})
	require.NoError(t, err)
	s := foreReference[0].build(newForeDraw(5))
	end := 0
	for end < len(s.value) && s.value[end] < 1 {
		a.Observe(foreAt(float64(end)), s.value[end], 1)
		end++
	}
	require.Len(t, raised, 1)
	require.InDelta(t, 30, foreAt(float64(end)).Sub(raised[0]).Seconds(), 12)
}

func TestAlarmConfig(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]AlarmConfig{
		"Horizon 0s":       {},
		"Clear 1s":         {Horizon: time.Minute, Clear: time.Second},
		"After is neg":     {Horizon: time.Minute, After: -1},
		"Horizon -1s is n": {Horizon: -time.Second},
	} {
		_, err := NewAlarm(cfg)
		require.ErrorContains(t, err, "resources: alarm: "+want)
	}
	for _, a := range []*Alarm{nil, {}} {
		f, standing := a.Observe(foreAt(0), 2, 1)
		require.Equal(t, Never, f.Left)
		require.False(t, standing)
	}
}

// A callback may use the alarm, and many goroutines may observe.
func TestAlarmConcurrent(t *testing.T) {
	t.Parallel()
	var a *Alarm
	a, err := NewAlarm(AlarmConfig{Horizon: time.Minute, OnEvent: func(AlarmEvent) { a.Observe(foreAt(0), math.NaN(), 1) }})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				a.Observe(foreAt(float64(i)), float64(i%7+g), 5)
			}
		})
	}
	wg.Wait()
}
