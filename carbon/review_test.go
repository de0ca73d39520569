package carbon

import (
	"context"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlanGateOnForecasts: a provider that only forecasts the present, as NESO's does, is a provider.
func TestPlanGateOnForecasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLearner(LearnerConfig{})
		require.NoError(t, err)
		tl := Timeline{Start: time.Now(), Origin: noon}
		g := newPlanGate(t, PlanGateConfig{
			Work: 100 * time.Hour, Deadline: noon.Add(800 * time.Hour), Learner: l, Timeline: tl,
			Provider: ProviderFunc(func(ctx context.Context, at time.Time) (Reading, error) {
				r, err := known().At(ctx, at)
				r.Basis = Forecast
				return r, err
			}),
		})
		began := work(t, g, tl, 100*time.Hour, time.Hour)
		require.True(t, l.Known())
		require.Greater(t, began[99].Sub(began[0]), 100*time.Hour, "it has paused")
	})
}

// TestPlanGateAsksOncePerSlot: restarts within a slot, and slots in which nobody asks, are counted as slots.
func TestPlanGateAsksOncePerSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := taught(t, time.Hour, 30*24)
		begin := l.Latest().Add(time.Hour)
		tl := Timeline{Start: time.Now(), Origin: begin}
		cfg := PlanGateConfig{Work: 6 * time.Hour, Deadline: begin.Add(40 * time.Hour), Learner: l, Timeline: tl, RegretCap: .1}
		ask := func(g *PlanGate) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if token, err := g.Admit(ctx); err == nil {
				g.Done(token, context.Canceled) // nothing was done
			}
		}
		g := newPlanGate(t, cfg)
		for range 5 {
			ask(g)
			state, err := g.State()
			require.NoError(t, err)
			cfg.State = state
			g = newPlanGate(t, cfg)
			require.Equal(t, 1, g.planned.Seen)
			require.InDelta(t, wave(begin), g.planned.RunNow, wave(begin), "one slot, and a start at most")
		}
		before := g.planned.RunNow
		<-time.After(10 * time.Hour)
		ask(g)
		require.Equal(t, 11, g.planned.Seen)
		require.Equal(t, before, g.planned.RunNow, "run-now was done by then, at prices that nobody knows")
	})
}

func TestThresholdsWithoutAPrice(t *testing.T) {
	t.Parallel()
	k, err := NewKMin(2, 10, 100)
	require.NoError(t, err)
	d, err := NewDoubleThreshold(2, 10, 100, 5)
	require.NoError(t, err)
	s := Slot{Price: math.NaN(), Left: 100, Work: 2}
	require.True(t, k.Run(s), "nothing waits for want of data")
	require.True(t, d.Run(s))
	s.Work = 0
	require.False(t, k.Run(s))
	require.False(t, d.Run(s))
}

func TestSpreadIsChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range []float64{math.NaN(), -1, math.Inf(1)} {
		var p Planner
		_, err := p.Next([]float64{1, 2, 3}, []float64{0, bad, 0}, Task{Work: 1})
		require.ErrorContains(t, err, "spread 1")
	}
}

// TestEarlyCallerHarmsNobody: one whose deadline is too near for the own limit gets an error, and the others a call.
func TestEarlyCallerHarmsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		a := newTestAPI(t, HTTPConfig{PerSecond: 2, Burst: 1, Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			calls++
			return httpResponse(r, 200, "fine"), nil
		})}})
		now := time.Now()
		f := feed{source: "S", zone: "Z", signal: Average, fresh: time.Hour, fetch: func(ctx context.Context, at time.Time) ([]Reading, window, error) {
			_, err := a.get(ctx, "/x", nil, "")
			from := at.Truncate(time.Hour)
			return []Reading{reading(100, from, from.Add(time.Hour))}, window{from, from.Add(time.Hour)}, err
		}}
		_, err := a.get(t.Context(), "/other", nil, "")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = f.at(ctx, now)
		require.ErrorIs(t, err, errEarly)
		_, err = f.at(t.Context(), now)
		require.NoError(t, err)
		require.Equal(t, 2, calls)
	})
}
