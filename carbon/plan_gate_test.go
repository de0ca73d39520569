package carbon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var _ admitter = (*PlanGate)(nil)

// known is a provider of the wave.
func known() Provider {
	return ProviderFunc(func(ctx context.Context, t time.Time) (Reading, error) {
		from := t.Truncate(time.Hour)
		return reading(wave(from), from, from.Add(time.Hour)), ctx.Err()
	})
}

func newPlanGate(t testing.TB, cfg PlanGateConfig) *PlanGate {
	t.Helper()
	if cfg.Provider == nil {
		cfg.Provider = known()
	}
	g, err := NewPlanGate(cfg)
	require.NoError(t, err)
	return g
}

// work runs steps of the given length until that much work is done and returns the hours in which steps began.
func work(t testing.TB, g *PlanGate, tl Timeline, total, step time.Duration) (began []time.Time) {
	t.Helper()
	for done := time.Duration(0); done < total; done += step {
		token, err := g.Admit(t.Context())
		require.NoError(t, err)
		began = append(began, tl.At(time.Now()))
		<-time.After(tl.Wall(step))
		g.Done(token, nil)
	}
	return began
}

// TestPlanGateFindsTheCleanHours: a gate that was fed the past runs in about the best hours, and is done in time.
func TestPlanGateFindsTheCleanHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := taught(t, time.Hour, 30*24)
		begin := l.Latest().Add(time.Hour)
		tl := Timeline{Start: time.Now(), Origin: begin}
		deadline := begin.Add(30 * time.Hour)
		var changes []PlanChange
		var log bytes.Buffer
		g := newPlanGate(t, PlanGateConfig{
			Work: 6 * time.Hour, Deadline: deadline, Learner: l, Timeline: tl, Resume: 6 * time.Minute,
			OnChange: func(c PlanChange) { changes = append(changes, c) },
			Logger:   slog.New(slog.NewTextHandler(&log, nil)),
		})
		began := work(t, g, tl, 6*time.Hour, 15*time.Minute)
		require.False(t, tl.At(time.Now()).After(deadline))
		prices := make([]float64, 30)
		for i := range prices {
			prices[i] = wave(begin.Add(time.Duration(i) * time.Hour))
		}
		var p Planner
		_, best, err := p.Plan(nil, prices, Task{Work: 6, Start: .1 * l.Level()})
		require.NoError(t, err)
		cost := .1 * l.Level()
		for _, at := range began {
			cost += wave(at.Truncate(time.Hour)) / 4
		}
		now, _ := Cost(prices, ones(6), .1*l.Level(), false)
		require.Less(t, cost, now-.6*(now-best), "run-now %v, best %v", now, best)
		s := g.Stats()
		require.Equal(t, PlanStats{Done: 6 * time.Hour, Pauses: s.Pauses}, s)
		require.Positive(t, s.Pauses)
		require.NotEmpty(t, changes)
		require.True(t, changes[0].Paused)
		require.Contains(t, log.String(), "carbon plan gate")
		// A job that takes longer than it said is not held up.
		start := time.Now()
		require.NoError(t, g.Wait(t.Context()))
		require.Equal(t, start, time.Now())
	})
}

// TestPlanGateMeetsTheDeadline puts random jobs in front of a provider that does everything a provider can do wrong,
// with restarts in between.
func TestPlanGateMeetsTheDeadline(t *testing.T) {
	t.Parallel()
	seeds := 100
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { hostileJob(t, rand.New(rand.NewPCG(uint64(seed), 77))) })
	}
}

func hostileJob(t *testing.T, rng *rand.Rand) {
	step := []time.Duration{5 * time.Minute, time.Hour, 30 * time.Minute}[rng.IntN(3)]
	l := taught(t, step, 24*rng.IntN(20))
	tl := replay([]float64{.5, 1, 60, 3600}[rng.IntN(4)])
	if l.Known() {
		tl.Origin = l.Latest().Add(time.Duration(rng.Int64N(int64(3 * time.Hour))))
	}
	total := time.Duration(1 + rng.Int64N(int64(10*time.Hour)))
	cfg := PlanGateConfig{
		Provider:  &hostile{rng: rand.New(rand.NewPCG(rng.Uint64(), 1))},
		Work:      total,
		Resume:    []time.Duration{0, 6 * time.Minute}[rng.IntN(2)],
		RegretCap: []float64{0, .1}[rng.IntN(2)],
		Learner:   l,
		Timeline:  tl,
		Timeout:   []time.Duration{0, time.Millisecond, time.Hour}[rng.IntN(3)],
	}
	if rng.IntN(2) == 0 {
		cfg.Provider = known()
	}
	if rng.IntN(4) == 0 {
		k, err := NewKMin(1+int(total/step), 100, 500)
		assert.NoError(t, err)
		cfg.Policy = k
	}
	// The deadline leaves room for what a restart and rounding cost.
	room := cfg.Resume + time.Duration(rng.Int64N(int64(30*time.Hour)))
	cfg.Deadline = tl.Origin.Add(total + room)
	g, err := NewPlanGate(cfg)
	if !assert.NoError(t, err) {
		return
	}
	left := total
	for left > 0 {
		token, err := g.Admit(t.Context())
		if !assert.NoError(t, err) {
			return
		}
		d := min(left, time.Duration(1+rng.Int64N(int64(time.Hour))))
		<-time.After(tl.Wall(d))
		g.Done(token, nil)
		left -= d
		if rng.IntN(5) == 0 {
			cfg.State, err = g.State()
			assert.NoError(t, err)
			g, err = NewPlanGate(cfg)
			if !assert.NoError(t, err) {
				return
			}
		}
	}
	late := tl.At(time.Now()).Sub(cfg.Deadline)
	// Waits are rounded up to a nanosecond of wall time each.
	assert.LessOrEqual(t, late, time.Millisecond, "work %v, step %v, room %v", total, step, room)
}

func TestPlanGateAccountsWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tl := replay(1)
		g := newPlanGate(t, PlanGateConfig{Work: 10 * time.Hour, Deadline: noon.Add(10 * time.Hour), Timeline: tl})
		a, err := g.Admit(t.Context())
		require.NoError(t, err)
		<-time.After(time.Hour)
		b, err := g.Admit(t.Context())
		require.NoError(t, err)
		<-time.After(time.Hour)
		require.Equal(t, 2*time.Hour, g.Stats().Done)
		g.Done(a, nil)
		<-time.After(time.Hour)
		g.Done(b, errDown) // what it did alone is lost
		require.Equal(t, 2*time.Hour, g.Stats().Done)
		g.Done(b, nil) // one too many
		require.Equal(t, 2*time.Hour, g.Stats().Done)
		require.Equal(t, 8*time.Hour, g.Stats().Left)
	})
}

func TestPlanGateState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := taught(t, time.Hour, 30*24)
		begin := l.Latest().Add(time.Hour)
		tl := Timeline{Start: time.Now(), Origin: begin, Speed: 10}
		cfg := PlanGateConfig{Provider: known(), Work: 8 * time.Hour, Deadline: begin.Add(40 * time.Hour), Learner: l, Timeline: tl, Resume: time.Minute, RegretCap: .05}
		g := newPlanGate(t, cfg)
		work(t, g, tl, 3*time.Hour, time.Hour)
		state, err := g.State()
		require.NoError(t, err)
		cfg.State = state
		again := newPlanGate(t, cfg)
		require.Equal(t, g.Stats().Done, again.Stats().Done)
		require.Equal(t, g.planned.followed, again.planned.followed)
		require.Equal(t, g.planned.cfg.Start, again.planned.cfg.Start)
		second, err := again.State()
		require.NoError(t, err)
		require.JSONEq(t, string(state), string(second))
		work(t, again, tl, 5*time.Hour, time.Hour)
		require.False(t, tl.At(time.Now()).After(cfg.Deadline))

		for name, bad := range map[string]string{
			"empty":    "",
			"text":     "x",
			"trailing": string(state) + "{}",
			"version":  `{"version":9}`,
			"unknown":  `{"version":1,"extra":1}`,
			"another":  `{"version":1,"work_ns":1,"deadline":"2024-05-01T12:00:00Z","done_ns":0}`,
		} {
			cfg.State = []byte(bad)
			_, err := NewPlanGate(cfg)
			require.Error(t, err, name)
		}
	})
}

func TestPlanGateRefusesAndEnds(t *testing.T) {
	t.Parallel()
	good := PlanGateConfig{Provider: known(), Work: time.Hour, Deadline: noon.Add(time.Hour)}
	for name, change := range map[string]func(*PlanGateConfig){
		"provider": func(c *PlanGateConfig) { c.Provider = nil },
		"work":     func(c *PlanGateConfig) { c.Work = 0 },
		"deadline": func(c *PlanGateConfig) { c.Deadline = time.Time{} },
		"resume":   func(c *PlanGateConfig) { c.Resume = -1 },
		"timeout":  func(c *PlanGateConfig) { c.Timeout = -1 },
		"cap":      func(c *PlanGateConfig) { c.RegretCap = -1 },
		"timeline": func(c *PlanGateConfig) { c.Timeline.Speed = -1 },
	} {
		cfg := good
		change(&cfg)
		_, err := NewPlanGate(cfg)
		require.Error(t, err, name)
	}
	var none *PlanGate
	token, err := none.Admit(t.Context())
	require.NoError(t, err)
	none.Done(token, nil)
	require.Zero(t, none.Stats())
	_, err = none.State()
	require.Error(t, err)
	require.NoError(t, new(PlanGate).Wait(t.Context()))

	synctest.Test(t, func(t *testing.T) {
		l := taught(t, time.Hour, 30*24)
		begin := l.Latest().Add(time.Hour)
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		g := newPlanGate(t, PlanGateConfig{Work: time.Hour, Deadline: begin.Add(1000 * time.Hour), Learner: l, Timeline: Timeline{Start: time.Now(), Origin: begin}})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, err := g.Admit(ctx)
				assert.ErrorIs(t, err, gone)
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		<-time.After(time.Minute)
		cancel(gone)
		wg.Wait()
		require.ErrorIs(t, g.Wait(ctx), gone)
	})
}

func FuzzPlanState(f *testing.F) {
	f.Add([]byte(`{"version":1,"work_ns":3600000000000,"deadline":"2024-05-01T13:00:00Z","done_ns":5}`))
	f.Add([]byte(`{"version":1,"work_ns":3600000000000,"deadline":"2024-05-01T13:00:00Z","done_ns":5,"start_cost":1,"plan":{"begun":true,"work":3,"seen":2,"certificate":[true],"certified_at":1,"deviated":true}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := NewLearner(LearnerConfig{})
		require.NoError(t, err)
		g, err := NewPlanGate(PlanGateConfig{Provider: known(), Work: time.Hour, Deadline: noon.Add(time.Hour), State: data, RegretCap: .1, Learner: l})
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, g.Stats().Left, time.Duration(0))
		g.planned.Run(Slot{At: noon, Price: 100, Left: 5, Work: 2})
		_, err = g.State()
		require.NoError(t, err)
	})
}
