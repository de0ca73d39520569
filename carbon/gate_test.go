package carbon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errDown = errors.New("provider down")

// replay starts the trace at noon now, at the given speed.
func replay(speed float64) Timeline { return Timeline{Start: time.Now(), Origin: noon, Speed: speed} }

func newGate(t testing.TB, cfg GateConfig) *Gate {
	t.Helper()
	if cfg.Pause == 0 {
		cfg.Pause = 300
	}
	if cfg.MaxWait == 0 {
		cfg.MaxWait = 12 * time.Hour
	}
	g, err := NewGate(cfg)
	require.NoError(t, err)
	return g
}

// waited waits at the gate and returns for how long, in wall time.
func waited(t testing.TB, g *Gate) time.Duration {
	t.Helper()
	start := time.Now()
	require.NoError(t, g.Wait(t.Context()))
	return time.Since(start)
}

func TestGateWaits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		values []float64 // from noon on, hourly
		resume Intensity
		max    time.Duration
		want   time.Duration
		stats  GateStats
	}{
		"low":                          {[]float64{200}, 0, 0, 0, GateStats{}},
		"at the threshold":             {[]float64{300}, 0, 0, 0, GateStats{}},
		"at the upper of two":          {[]float64{300}, 250, 0, 0, GateStats{}},
		"between, never paused":        {[]float64{280}, 250, 0, 0, GateStats{}},
		"until it falls":               {[]float64{500, 500, 300}, 0, 0, 2 * time.Hour, GateStats{2 * time.Hour, 1, 0}},
		"not until it falls to Resume": {[]float64{500, 280, 251, 250}, 250, 0, 3 * time.Hour, GateStats{3 * time.Hour, 1, 0}},
		"until MaxWait":                {[]float64{500, 500, 500}, 0, 90 * time.Minute, 90 * time.Minute, GateStats{90 * time.Minute, 1, 1}},
		"no data":                      {nil, 0, 0, 0, GateStats{}},
		"until the data ends":          {[]float64{500, math.NaN(), 500}, 0, 0, time.Hour, GateStats{time.Hour, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, GateConfig{Provider: hourly(tc.values...), Resume: tc.resume, MaxWait: tc.max, Timeline: replay(1)})
				require.Equal(t, tc.want, waited(t, g))
				require.Equal(t, tc.stats, g.Stats())
			})
		})
	}
}

func TestGateInCompressedTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, GateConfig{Provider: hourly(500, 500, 300), Timeline: replay(3600)})
		require.Equal(t, 2*time.Second, waited(t, g))
		require.Equal(t, GateStats{Paused: 2 * time.Hour, Pauses: 1}, g.Stats())
	})
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, GateConfig{Provider: hourly(500, 500, 500), MaxWait: time.Hour, Timeline: replay(1440)})
		require.Equal(t, 2500*time.Millisecond, waited(t, g))
	})
}

// TestGateForcedStaysOpen: a grid that is always dirty costs one MaxWait, not one per step.
func TestGateForcedStaysOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var changes []Change
		g := newGate(t, GateConfig{
			Provider: hourly(500, 500, 500, 200, 500, 500, 500), MaxWait: time.Hour, Timeline: replay(1),
			OnChange: func(c Change) { changes = append(changes, c) },
		})
		require.Equal(t, time.Hour, waited(t, g))
		for range 60 { // two hours of steps of two minutes
			require.Zero(t, waited(t, g))
			<-time.After(2 * time.Minute)
		}
		require.Equal(t, GateStats{time.Hour, 1, 1}, g.Stats())
		<-time.After(5 * time.Minute) // 15:05, clean: the bound starts afresh
		require.Zero(t, waited(t, g))
		<-time.After(time.Hour)
		require.Equal(t, time.Hour, waited(t, g))
		require.Equal(t, GateStats{2 * time.Hour, 2, 2}, g.Stats())

		require.Len(t, changes, 5)
		require.Equal(t, Change{At: noon, Paused: true, Reading: reading(500, noon, noon.Add(time.Hour))}, changes[0])
		require.Equal(t, Change{At: noon.Add(time.Hour), Forced: true}, changes[1])
		require.Equal(t, Intensity(200), changes[2].Reading.Intensity)
		require.False(t, changes[2].Paused || changes[2].Forced)
		require.True(t, changes[3].Paused)
		require.True(t, changes[4].Forced)
	})
}

// TestGateProviderDiesWhilePaused: the pause ends although nothing will ever say that the intensity is low.
func TestGateProviderDiesWhilePaused(t *testing.T) {
	t.Parallel()
	dirty := reading(500, noon, noon.Add(100*time.Hour))
	for name, tc := range map[string]struct {
		dead ProviderFunc
		want time.Duration
	}{
		"errors": {func(context.Context, time.Time) (Reading, error) { return Reading{}, errDown }, 10 * time.Minute},
		"hangs": {func(ctx context.Context, _ time.Time) (Reading, error) {
			<-ctx.Done()
			return Reading{}, ctx.Err()
		}, 10*time.Minute + defaultTimeout},
		"hangs, then says dirty": {func(ctx context.Context, _ time.Time) (Reading, error) {
			<-ctx.Done()
			return dirty, nil
		}, 2 * time.Hour},
		"NaN": {func(context.Context, time.Time) (Reading, error) {
			r := dirty
			r.Intensity = Intensity(math.NaN())
			return r, nil
		}, 10 * time.Minute},
		"stale for ever": {func(context.Context, time.Time) (Reading, error) {
			return reading(500, noon, noon.Add(time.Minute)), nil
		}, 10 * time.Minute},
		"dirty for ever": {func(context.Context, time.Time) (Reading, error) { return dirty, nil }, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, GateConfig{
					MaxWait: 2 * time.Hour, Timeline: replay(1),
					Provider: ProviderFunc(func(ctx context.Context, at time.Time) (Reading, error) {
						if at.Before(noon.Add(10 * time.Minute)) {
							return dirty, nil
						}
						return tc.dead(ctx, at)
					}),
				})
				require.Equal(t, tc.want, waited(t, g))
				require.Zero(t, waited(t, g), "and it stays open")
			})
		})
	}
}

// TestGateDeadlineCutsACall: a call of the provider that is still going on when MaxWait is used up ends as forced, not as a
// failure of the provider.
func TestGateDeadlineCutsACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var last Change
		g := newGate(t, GateConfig{
			MaxWait: time.Hour, Timeout: 3 * time.Hour, Timeline: replay(1),
			OnChange: func(c Change) { last = c },
			Provider: ProviderFunc(func(ctx context.Context, at time.Time) (Reading, error) {
				if at.After(noon) {
					<-ctx.Done()
					return Reading{}, ctx.Err()
				}
				return reading(500, at, at.Add(time.Hour)), nil
			}),
		})
		require.Equal(t, time.Hour, waited(t, g))
		require.Equal(t, Change{At: noon.Add(time.Hour), Forced: true}, last)
		require.Equal(t, GateStats{time.Hour, 1, 1}, g.Stats())
	})
}

// TestGateErrorsSpendOneBudget: an alternation of errors and dirty readings cannot stretch the pauses beyond MaxWait.
func TestGateErrorsSpendOneBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		g := newGate(t, GateConfig{
			MaxWait: time.Hour, Timeline: replay(1),
			Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
				if calls++; calls%3 == 0 {
					return Reading{}, errDown
				}
				return reading(500, at, at.Add(time.Hour)), nil
			}),
		})
		var sum time.Duration
		for range 500 {
			sum += waited(t, g)
			<-time.After(5 * time.Minute)
		}
		require.Equal(t, time.Hour, sum)
		require.Equal(t, time.Hour, g.Stats().Paused)
		require.Equal(t, uint64(1), g.Stats().Forced)
	})
}

// TestGateMissingProviderNeverBlocks: run-now, said once, whatever the number of steps and failures.
func TestGateMissingProviderNeverBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var changes []Change
		calls := 0
		up := false
		g := newGate(t, GateConfig{
			Timeline: replay(1),
			Logger:   slog.New(slog.NewTextHandler(&log, nil)),
			OnChange: func(c Change) { changes = append(changes, c) },
			Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
				if calls++; !up {
					return Reading{}, errDown
				}
				return reading(100, at, at.Add(time.Hour)), nil
			}),
		})
		for range 1000 {
			require.Zero(t, waited(t, g))
			<-time.After(time.Minute)
		}
		require.Len(t, changes, 1)
		require.Equal(t, Change{At: noon, Err: errDown}, changes[0])
		require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		require.LessOrEqual(t, calls, 201, "a failing provider is not asked per step")
		up = true
		<-time.After(5 * time.Minute)
		require.Zero(t, waited(t, g))
		require.Len(t, changes, 2)
		require.NoError(t, changes[1].Err)
		require.Equal(t, 2, strings.Count(log.String(), "\n"))
	})
}

func TestGateRefusesTheOtherSignal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		gate, reading Signal
		want          time.Duration
	}{{Average, Average, time.Hour}, {Marginal, Marginal, time.Hour}, {Average, Marginal, 0}, {Marginal, Average, 0}, {0, Marginal, 0}} {
		synctest.Test(t, func(t *testing.T) {
			var last error
			g := newGate(t, GateConfig{
				Signal: tc.gate, MaxWait: time.Hour, Timeline: replay(1),
				OnChange: func(c Change) { last = c.Err },
				Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
					r := reading(500, at, at.Add(time.Hour))
					r.Signal = tc.reading
					return r, nil
				}),
			})
			require.Equal(t, tc.want, waited(t, g))
			if tc.want == 0 {
				require.ErrorIs(t, last, ErrSignal)
			}
		})
	}
}

func TestGateContextEndsTheWaitAtOnce(t *testing.T) {
	t.Parallel()
	cause := errors.New("shutdown")
	for name, tc := range map[string]struct {
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want []error
	}{
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 42*time.Second)
		}, []error{context.DeadlineExceeded}},
		"cause": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(42*time.Second, func() { cancel(cause) })
			return ctx, func() { cancel(nil) }
		}, []error{context.Canceled, cause}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGate(t, GateConfig{Provider: hourly(500, 500), Timeline: replay(1)})
				ctx, cancel := tc.ctx(t.Context())
				defer cancel()
				start := time.Now()
				_, err := g.Admit(ctx)
				for _, want := range tc.want {
					require.ErrorIs(t, err, want)
				}
				require.ErrorContains(t, err, "carbon: ")
				require.Equal(t, 42*time.Second, time.Since(start))
				require.Error(t, g.Wait(ctx), "a context that is over refuses")
			})
		})
	}
}

// TestGateChargesOnlyWaiting: hours in which no step waits do not use up MaxWait, and are no pause.
func TestGateChargesOnlyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, GateConfig{Provider: hourly(500, 500, 500, 500, 500, 500, 500, 500), MaxWait: time.Hour, Timeline: replay(1)})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		require.ErrorIs(t, g.Wait(ctx), context.DeadlineExceeded)
		<-time.After(5 * time.Hour)
		require.Equal(t, GateStats{20 * time.Minute, 1, 0}, g.Stats())
		require.Equal(t, 40*time.Minute, waited(t, g), "the rest of MaxWait")
		require.Equal(t, GateStats{time.Hour, 1, 1}, g.Stats())
	})
}

// TestGateDoesNotPoll: a pause of hours asks a few times an hour, even if each answer claims to be outdated at once.
func TestGateDoesNotPoll(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		validity time.Duration
		most     int
	}{
		"hourly":      {time.Hour, 6*12 + 1},
		"a minute":    {time.Minute, 6*60 + 1},
		"no validity": {1, 6*120 + 1}, // a tenth of Check: 30 s
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				g := newGate(t, GateConfig{
					MaxWait: 6 * time.Hour, Timeline: replay(1),
					Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
						calls++
						return reading(500, at, at.Add(tc.validity)), nil
					}),
				})
				require.Equal(t, 6*time.Hour, waited(t, g))
				require.LessOrEqual(t, calls, tc.most)
			})
		})
	}
}

// TestGateManyWaiters: one call at a time for all, and all go on at the same instant.
func TestGateManyWaiters(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		values []float64
		want   time.Duration
	}{"falls": {[]float64{500, 500, 300}, 2 * time.Hour}, "forced": {[]float64{500, 500, 500, 500}, 3 * time.Hour}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var calls, inside atomic.Int64
				slow := ProviderFunc(func(ctx context.Context, at time.Time) (Reading, error) {
					assert.Equal(t, int64(1), inside.Add(1), "one call at a time")
					defer inside.Add(-1)
					calls.Add(1)
					<-time.After(time.Second)
					return hourly(tc.values...).At(ctx, at)
				})
				g := newGate(t, GateConfig{Provider: slow, MaxWait: 3 * time.Hour, Timeline: replay(1)})
				var wg sync.WaitGroup
				for range 50 {
					wg.Go(func() {
						start := time.Now()
						assert.NoError(t, g.Wait(t.Context()))
						assert.LessOrEqual(t, time.Since(start), tc.want+6*time.Second)
					})
				}
				wg.Wait()
				require.LessOrEqual(t, calls.Load(), int64(3*13))
				require.LessOrEqual(t, g.Stats().Paused, tc.want+6*time.Second, "side by side counts once")
				require.Equal(t, uint64(1), g.Stats().Pauses)
			})
		})
	}
}

// TestGateForceWakesAll: the step whose bound is up first ends the pause for those behind it too.
func TestGateForceWakesAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, GateConfig{
			MaxWait: time.Hour, Check: 100 * time.Hour, Timeline: replay(1),
			Provider: ProviderFunc(func(_ context.Context, at time.Time) (Reading, error) {
				<-time.After(9 * time.Second)
				return reading(500, at, at.Add(1000*time.Hour)), nil
			}),
		})
		var wg sync.WaitGroup
		for _, want := range []time.Duration{time.Hour, time.Hour - 5*time.Second} {
			wg.Go(func() {
				start := time.Now()
				assert.NoError(t, g.Wait(t.Context()))
				assert.Equal(t, want, time.Since(start))
			})
			<-time.After(5 * time.Second)
		}
		wg.Wait()
	})
}

// TestGateAskerLeaves: when the goroutine that asks is cancelled, another one takes over, and its cancellation is not
// taken for a failure of the provider.
func TestGateAskerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		g := newGate(t, GateConfig{
			Timeline: replay(1),
			OnChange: func(c Change) { assert.NoError(t, c.Err) },
			Provider: ProviderFunc(func(ctx context.Context, at time.Time) (Reading, error) {
				calls.Add(1)
				select {
				case <-ctx.Done():
					return Reading{}, ctx.Err()
				case <-time.After(4 * time.Second):
					return reading(100, at, at.Add(time.Hour)), nil
				}
			}),
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { assert.ErrorIs(t, g.Wait(ctx), context.DeadlineExceeded) })
		synctest.Wait()
		wg.Go(func() {
			start := time.Now()
			assert.NoError(t, g.Wait(t.Context()))
			assert.Equal(t, 5*time.Second, time.Since(start))
		})
		wg.Wait()
		require.Equal(t, int64(2), calls.Load())
	})
}

func TestGateSurvivesAPanickingProvider(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := true
		g := newGate(t, GateConfig{Timeline: replay(1), Provider: ProviderFunc(func(ctx context.Context, at time.Time) (Reading, error) {
			if first {
				first = false
				panic("provider bug")
			}
			return hourly(500, 300).At(ctx, at)
		})})
		require.PanicsWithValue(t, "provider bug", func() { _ = g.Wait(t.Context()) })
		require.Equal(t, time.Hour, waited(t, g))
	})
}

func TestGateCallbackMayUseTheGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g *Gate
		var seen []GateStats
		g = newGate(t, GateConfig{Provider: hourly(500, 300), Timeline: replay(1), OnChange: func(c Change) {
			seen = append(seen, g.Stats())
			if !c.Paused {
				require.NoError(t, g.Wait(t.Context()))
			}
		}})
		require.Equal(t, time.Hour, waited(t, g))
		require.Equal(t, []GateStats{{Pauses: 1}, {time.Hour, 1, 0}}, seen)
	})
}

// TestGateReportsInOrder: a callback that takes its time is not overtaken by the next event, and holds up only one step.
func TestGateReportsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inside atomic.Int64
		var order []bool
		g := newGate(t, GateConfig{
			Provider: hourly(500, 300), Timeline: replay(1),
			OnChange: func(c Change) {
				assert.Equal(t, int64(1), inside.Add(1))
				defer inside.Add(-1)
				if order = append(order, c.Paused); c.Paused {
					<-time.After(90 * time.Minute)
				}
			},
		})
		var wg sync.WaitGroup
		for _, want := range []time.Duration{90 * time.Minute, time.Hour} {
			wg.Go(func() {
				start := time.Now()
				assert.NoError(t, g.Wait(t.Context()))
				assert.Equal(t, want, time.Since(start))
			})
			synctest.Wait()
		}
		wg.Wait()
		require.Equal(t, []bool{true, false}, order)
	})
}

// TestGateTimeGoingNowhere: a provider that repeats one dirty answer, valid for ever, cannot hold a step beyond the bound.
func TestGateTimeGoingNowhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		frozen := ProviderFunc(func(context.Context, time.Time) (Reading, error) {
			return reading(500, time.Unix(0, 0), time.Unix(1<<40, 0)), nil
		})
		g := newGate(t, GateConfig{Provider: frozen, MaxWait: time.Hour})
		require.Equal(t, time.Hour, waited(t, g))
	})
}

func TestGateNilAndZero(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	for _, g := range []*Gate{nil, new(Gate)} {
		require.NoError(t, g.Wait(ctx))
		require.Zero(t, g.Stats())
		g.Done(0, nil)
	}
	cancel()
	require.ErrorIs(t, (*Gate)(nil).Wait(ctx), context.Canceled)
}

func TestNewGateRefusals(t *testing.T) {
	t.Parallel()
	good := GateConfig{Provider: hourly(1), Pause: 300, MaxWait: time.Hour}
	_, err := NewGate(good)
	require.NoError(t, err)
	for field, change := range map[string]func(*GateConfig){
		"Provider": func(c *GateConfig) { c.Provider = nil },
		"Pause":    func(c *GateConfig) { c.Pause = 0 },
		"Pause ":   func(c *GateConfig) { c.Pause = Intensity(math.NaN()) },
		"Resume":   func(c *GateConfig) { c.Resume = 301 },
		"Resume ":  func(c *GateConfig) { c.Resume = -1 },
		"Signal":   func(c *GateConfig) { c.Signal = 9 },
		"MaxWait":  func(c *GateConfig) { c.MaxWait = 0 },
		"MaxWait ": func(c *GateConfig) { c.MaxWait = -1 },
		"Check":    func(c *GateConfig) { c.Check = -1 },
		"Timeout":  func(c *GateConfig) { c.Timeout = -1 },
		"timeline": func(c *GateConfig) { c.Timeline.Speed = 60 },
	} {
		cfg := good
		change(&cfg)
		_, err := NewGate(cfg)
		require.ErrorContains(t, err, strings.TrimSpace(field))
		require.ErrorContains(t, err, "carbon: ")
	}
}

func TestGateOpenPathDoesNotAllocate(t *testing.T) {
	g := newGate(t, GateConfig{Provider: hourly(100), Timeline: replay(1)})
	ctx := context.Background()
	require.NoError(t, g.Wait(ctx))
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		token, _ := g.Admit(ctx)
		g.Done(token, nil)
	}))
}

// TestGateRealTrace replays ten days of California at a day per minute: every wait is bounded, and an hour of work per
// step emits less than it would have without the gate.
func TestGateRealTrace(t *testing.T) {
	t.Parallel()
	tr := realTrace(t, "em_2022_hourly_8zones.csv.gz", TraceOptions{Zone: "US-CAL-CISO"})
	synctest.Test(t, func(t *testing.T) {
		tl := Timeline{Start: time.Now(), Origin: time.Date(2022, 6, 1, 7, 0, 0, 0, time.UTC), Speed: 1440}
		g := newGate(t, GateConfig{Provider: tr, Pause: 240, Resume: 220, MaxWait: 16 * time.Hour, Timeline: tl})
		meter, err := NewMeter(MeterConfig{Provider: tr})
		require.NoError(t, err)
		runNow, err := NewMeter(MeterConfig{Provider: tr})
		require.NoError(t, err)
		for i := range 48 {
			require.LessOrEqual(t, waited(t, g), tl.Wall(16*time.Hour))
			at := tl.At(time.Now())
			<-time.After(tl.Wall(time.Hour))
			e := Energy{Joules: joulesPerKWh, Source: "test"}
			require.NoError(t, meter.Add(t.Context(), at, tl.At(time.Now()), e))
			start := tl.Origin.Add(time.Duration(i) * time.Hour)
			require.NoError(t, runNow.Add(t.Context(), start, start.Add(time.Hour), e))
		}
		got, plain := meter.Totals(), runNow.Totals()
		require.InDelta(t, 48, got.KWh, 1e-9)
		require.Zero(t, got.UnknownKWh)
		require.Less(t, got.Grams, .9*plain.Grams)
		t.Logf("48 h of work: %.0f g, run-now %.0f g (-%.1f %%); %+v", got.Grams, plain.Grams, 100*(1-got.Grams/plain.Grams), g.Stats())
	})
}
