package resources

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// admitter is the interface the runner of a training step expects.
type admitter interface {
	Admit(ctx context.Context) (token uint64, err error)
	Done(token uint64, err error)
}

var (
	_ admitter = (*Gate)(nil)
	_ Source   = (*Sampler)(nil)
)

var errBlind = errors.New("no /proc")

type sourceFunc func(ctx context.Context) (Sample, error)

func (f sourceFunc) Sample(ctx context.Context) (Sample, error) { return f(ctx) }

func memoryAt(used float64) Sample {
	return Sample{Memory: Memory{Total: Of(uint64(1e6)), Available: Of(uint64(1e6 * (1 - used)))}}
}

// fixed is a source of one share of memory used.
func fixed(used float64) sourceFunc {
	return func(context.Context) (Sample, error) { return memoryAt(used), nil }
}

// bySecond is a source of shares of memory used, one per second from now; the last one stays. A negative one is a failure.
func bySecond(used ...float64) sourceFunc {
	start := time.Now()
	return func(context.Context) (Sample, error) {
		v := used[min(int(time.Since(start)/time.Second), len(used)-1)]
		if v < 0 {
			return Sample{}, errBlind
		}
		return memoryAt(v), nil
	}
}

func newGate(t testing.TB, cfg GateConfig) *Gate {
	t.Helper()
	g, err := NewGate(cfg)
	require.NoError(t, err)
	return g
}

func TestGateAdmits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		used    []float64
		cfg     GateConfig
		want    time.Duration
		refused bool
	}{
		"normal":                       {[]float64{.5}, GateConfig{}, 0, false},
		"warn":                         {[]float64{.899}, GateConfig{}, 0, false},
		"critical, then well below":    {[]float64{.9, .95, .5}, GateConfig{}, 2 * time.Second, false},
		"hysteresis":                   {[]float64{.95, .89, .86, .849}, GateConfig{}, 3 * time.Second, false},
		"between, never critical":      {[]float64{.88}, GateConfig{}, 0, false},
		"refused after MaxWait":        {[]float64{.95}, GateConfig{}, 30 * time.Second, true},
		"refused, stated wait":         {[]float64{.95}, GateConfig{MaxWait: 1500 * time.Millisecond}, 1500 * time.Millisecond, true},
		"refused at once":              {[]float64{.95}, GateConfig{MaxWait: -1}, 0, true},
		"proceeds after MaxWait":       {[]float64{.95}, GateConfig{MaxWait: 5 * time.Second, Proceed: true}, 5 * time.Second, false},
		"own thresholds":               {[]float64{.5, .3}, GateConfig{Memory: Thresholds{Warn: .4, Critical: .5}}, time.Second, false},
		"Resume itself is not below":   {[]float64{.95, .5, .4}, GateConfig{Memory: Thresholds{Warn: .4, Critical: .9, Resume: .5}}, 2 * time.Second, false},
		"the source fails":             {[]float64{-1}, GateConfig{}, 0, false},
		"the source fails in the wait": {[]float64{.95, -1}, GateConfig{}, time.Second, false},
		"a slower check":               {[]float64{.95, .1}, GateConfig{Check: 10 * time.Second}, 10 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tc.cfg.Source = bySecond(tc.used...)
				g := newGate(t, tc.cfg)
				start := time.Now()
				_, err := g.Admit(t.Context())
				require.Equal(t, tc.want, time.Since(start))
				if !tc.refused {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, ErrExhausted)
			})
		})
	}
}

func TestExhaustedError(t *testing.T) {
	t.Parallel()
	g := newGate(t, GateConfig{Source: fixed(.95), MaxWait: -1, Check: 3 * time.Second})
	_, err := g.Admit(t.Context())
	var refusal *ExhaustedError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "memory", refusal.Resource)
	require.InDelta(t, .95, refusal.Used, 1e-6)
	require.InDelta(t, .85, refusal.Limit, 1e-12)
	require.Contains(t, err.Error(), "resources: exhausted: memory 95.0% used, not below 85.0% after ")
	var neutral interface{ Neutral() bool }
	require.ErrorAs(t, err, &neutral)
	require.True(t, neutral.Neutral())
	var later interface{ RetryAfter() time.Duration }
	require.ErrorAs(t, err, &later)
	require.Equal(t, 3*time.Second, later.RetryAfter())
	var permanent interface{ Permanent() bool }
	require.NotErrorAs(t, err, &permanent)
}

func TestGateWatchesDiskAndCPU(t *testing.T) {
	t.Parallel()
	full := memoryAt(.1)
	full.Disk = Disk{Total: Of(uint64(100)), Free: Of(uint64(1))}
	busy := memoryAt(.1)
	busy.CPU = Of(1.0)
	gpus := memoryAt(.1)
	gpus.GPUs = []GPU{{}, {MemoryTotal: Of(uint64(100)), MemoryUsed: Of(uint64(1))}, {MemoryTotal: Of(uint64(100)), MemoryUsed: Of(uint64(99))}, {MemoryTotal: Of(uint64(100)), MemoryUsed: Of(uint64(2))}}
	for name, tc := range map[string]struct {
		sample Sample
		cfg    GateConfig
		want   string
	}{
		"disk":             {full, GateConfig{Disk: &Thresholds{}}, "disk"},
		"disk, unwatched":  {full, GateConfig{}, ""},
		"cpu":              {busy, GateConfig{CPU: &Thresholds{}, Disk: &Thresholds{}}, "cpu"},
		"cpu, unwatched":   {busy, GateConfig{Disk: &Thresholds{}}, ""},
		"an absent disk":   {memoryAt(.1), GateConfig{Disk: &Thresholds{}}, ""},
		"no memory at all": {Sample{}, GateConfig{}, ""},
		"one full gpu":     {gpus, GateConfig{GPU: &Thresholds{}}, "gpu"},
		"no gpu":           {memoryAt(.1), GateConfig{GPU: &Thresholds{}}, ""},
		"gpu, unwatched":   {gpus, GateConfig{}, ""},
		"another one": {memoryAt(.1), GateConfig{Others: []Watched{
			{Name: "swap", Used: func(*Sample) Value[float64] { return Value[float64]{} }},
			{Name: "files", Limits: Thresholds{Critical: .99}, Used: func(s *Sample) Value[float64] { return Of(.89 + s.Memory.Used().V) }},
		}}, "files"},
		"a limit of zero": {Sample{Memory: Memory{Total: Of(uint64(0)), Available: Of(uint64(0))}}, GateConfig{}, "memory"},
	} {
		tc.cfg.MaxWait = -1
		tc.cfg.Source = sourceFunc(func(context.Context) (Sample, error) { return tc.sample, nil })
		_, err := newGate(t, tc.cfg).Admit(t.Context())
		if tc.want == "" {
			require.NoError(t, err, name)
			continue
		}
		var refusal *ExhaustedError
		require.ErrorAs(t, err, &refusal, name)
		require.Equal(t, tc.want, refusal.Resource, name)
	}
}

// TestGateResourcesAreHeldApart: what is in its hysteresis band holds only if it was critical itself.
func TestGateResourcesAreHeldApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		g := newGate(t, GateConfig{CPU: &Thresholds{}, Source: sourceFunc(func(context.Context) (Sample, error) {
			s := memoryAt(.95)
			if time.Since(start) >= 2*time.Second {
				s = memoryAt(.2)
			}
			s.CPU = Of(.89)
			return s, nil
		})})
		_, err := g.Admit(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, time.Since(start))
		require.Equal(t, Warn, g.Level())
	})
}

// TestGateNotANumberReleases: a value that is no value any more does not hold.
func TestGateNotANumberReleases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cpu := 1.0
		g := newGate(t, GateConfig{CPU: &Thresholds{}, Source: sourceFunc(func(context.Context) (Sample, error) {
			s := memoryAt(.1)
			s.CPU, cpu = Of(cpu), math.NaN()
			return s, nil
		})})
		start := time.Now()
		_, err := g.Admit(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(start))
	})
}

// TestGateReportsInOrder: a callback that takes its time is not overtaken by the next event, and holds up only one step.
func TestGateReportsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inside atomic.Int64
		var order []Level
		g := newGate(t, GateConfig{Source: bySecond(.95, .2), OnLevel: func(c Change) {
			assert.EqualValues(t, 1, inside.Add(1))
			defer inside.Add(-1)
			if order = append(order, c.Now); c.Closed {
				<-time.After(10 * time.Second)
			}
		}})
		var wg sync.WaitGroup
		for _, want := range []time.Duration{10 * time.Second, time.Second} {
			wg.Go(func() {
				start := time.Now()
				_, err := g.Admit(t.Context())
				assert.NoError(t, err)
				assert.Equal(t, want, time.Since(start))
			})
			synctest.Wait()
		}
		wg.Wait()
		require.Equal(t, []Level{Critical, Normal}, order)
	})
}

func TestGateReportsChangesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var got []Change
		start := time.Now()
		g := newGate(t, GateConfig{
			Source:  bySecond(.5, .5, .85, .85, .95, .95, .87, .84, .5, -1, -1, -1, .5),
			OnLevel: func(c Change) { got = append(got, c) },
			Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		})
		for time.Since(start) < 20*time.Second {
			_, err := g.Admit(t.Context())
			require.NoError(t, err)
			<-time.After(100 * time.Millisecond)
		}
		type row struct {
			after    time.Duration
			was, now Level
			closed   bool
			err      error
		}
		var rows []row
		for _, c := range got {
			require.Equal(t, "memory", c.Resource)
			rows = append(rows, row{c.At.Sub(start).Truncate(time.Second), c.Was, c.Now, c.Closed, c.Err})
		}
		require.Equal(t, []row{
			{0, Unknown, Normal, false, nil},
			{2 * time.Second, Normal, Warn, false, nil},
			{4 * time.Second, Warn, Critical, true, nil},
			{6 * time.Second, Critical, Warn, true, nil},
			{7 * time.Second, Warn, Warn, false, nil},
			{8 * time.Second, Warn, Normal, false, nil},
			{9 * time.Second, Normal, Unknown, false, errBlind},
			{12 * time.Second, Unknown, Normal, false, nil},
		}, rows)
		require.Equal(t, len(got), strings.Count(log.String(), "\n"), log.String())
	})
}

// TestGateWarningLasts: a share that hovers around Warn is one change, not one per sample.
func TestGateWarningLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var levels []Level
		g := newGate(t, GateConfig{Source: bySecond(.7, .81, .79, .81, .78, .8, .75, .79), OnLevel: func(c Change) { levels = append(levels, c.Now) }})
		for range 10 {
			_, err := g.Admit(t.Context())
			require.NoError(t, err)
			<-time.After(time.Second)
		}
		require.Equal(t, []Level{Normal, Warn, Normal}, levels)
	})
}

// TestGateCallsBackOutsideLocks: what Others call may use the gate.
func TestGateCallsBackOutsideLocks(t *testing.T) {
	t.Parallel()
	var g *Gate
	g = newGate(t, GateConfig{Source: fixed(.5), Others: []Watched{{Name: "x", Used: func(*Sample) Value[float64] {
		_ = g.Level()
		return Of(.85)
	}}}})
	_, err := g.Admit(t.Context())
	require.NoError(t, err)
	require.Equal(t, Warn, g.Level())
}

// TestGateProceedCostsOneWait: with Proceed a resource that stays critical costs one MaxWait, not one per step.
func TestGateProceedCostsOneWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var closed []bool
		g := newGate(t, GateConfig{
			Source: bySecond(.95, .95, .95, .95, .95, .95, .95, .95, .2, .95), MaxWait: 3 * time.Second, Proceed: true,
			OnLevel: func(c Change) { closed = append(closed, c.Closed) },
		})
		start := time.Now()
		admit := func() time.Duration {
			_, err := g.Admit(t.Context())
			require.NoError(t, err)
			return time.Since(start)
		}
		require.Equal(t, 3*time.Second, admit())
		<-time.After(2 * time.Second)
		require.Equal(t, 5*time.Second, admit())
		<-time.After(3 * time.Second) // 8 s: recovered
		require.Equal(t, 8*time.Second, admit())
		<-time.After(time.Second) // 9 s: critical again, and MaxWait anew
		require.Equal(t, 12*time.Second, admit())
		require.Equal(t, []bool{true, false, false, true, false}, closed)
	})
}

func TestGateContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("shutdown")
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, GateConfig{Source: fixed(.95), MaxWait: time.Hour})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(7*time.Second, func() { cancel(cause) })
		start := time.Now()
		_, err := g.Admit(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.NotErrorIs(t, err, ErrExhausted)
		require.Equal(t, 7*time.Second, time.Since(start))
		_, err = g.Admit(ctx)
		require.ErrorIs(t, err, context.Canceled)

		timed, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err = g.Admit(timed)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// TestGateManyWorkers: one sample at a time for all, and no more than one per Check.
func TestGateManyWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls, inside atomic.Int64
		start := time.Now()
		g := newGate(t, GateConfig{Source: sourceFunc(func(context.Context) (Sample, error) {
			assert.EqualValues(t, 1, inside.Add(1))
			defer inside.Add(-1)
			calls.Add(1)
			<-time.After(100 * time.Millisecond)
			if time.Since(start) > 10*time.Second {
				return memoryAt(.1), nil
			}
			return memoryAt(.95), nil
		})})
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				_, err := g.Admit(t.Context())
				assert.NoError(t, err)
				assert.LessOrEqual(t, time.Since(start), 11200*time.Millisecond)
			})
		}
		wg.Wait()
		require.LessOrEqual(t, calls.Load(), int64(11))
	})
}

// TestGateAskerLeaves: the cancellation of the worker that samples is not taken for a failure of the source.
func TestGateAskerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, GateConfig{
			OnLevel: func(c Change) { assert.NoError(t, c.Err) },
			Source: sourceFunc(func(ctx context.Context) (Sample, error) {
				select {
				case <-ctx.Done():
					return Sample{}, ctx.Err()
				case <-time.After(3 * time.Second):
					return memoryAt(.1), nil
				}
			}),
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := g.Admit(ctx)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		synctest.Wait()
		start := time.Now()
		_, err := g.Admit(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4*time.Second, time.Since(start))
		wg.Wait()
	})
}

func TestGateSourceHangsOrPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		g := newGate(t, GateConfig{Timeout: 2 * time.Second, Source: sourceFunc(func(ctx context.Context) (Sample, error) {
			if calls++; calls == 1 {
				panic("source bug")
			}
			<-ctx.Done()
			return Sample{}, ctx.Err()
		})})
		require.PanicsWithValue(t, "source bug", func() { _, _ = g.Admit(t.Context()) })
		start := time.Now()
		_, err := g.Admit(t.Context())
		require.NoError(t, err, "blindness holds nobody up")
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestGateCallbackMayUseTheGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g *Gate
		var levels []Level
		g = newGate(t, GateConfig{Source: bySecond(.95, .2), OnLevel: func(c Change) { levels = append(levels, g.Level()) }})
		_, err := g.Admit(t.Context())
		require.NoError(t, err)
		require.Equal(t, []Level{Critical, Normal}, levels)
	})
}

// TestGateBoundsEveryWait: whatever the source does, a call takes at most MaxWait and one call of the source.
func TestGateBoundsEveryWait(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			cfg := GateConfig{
				MaxWait: time.Duration(1 + rng.Int64N(int64(time.Minute))),
				Check:   time.Duration(1 + rng.Int64N(int64(20*time.Second))),
				Timeout: time.Duration(1 + rng.Int64N(int64(3*time.Second))),
				Proceed: rng.IntN(2) == 0,
				Disk:    &Thresholds{},
			}
			var mu sync.Mutex
			cfg.Source = sourceFunc(func(ctx context.Context) (Sample, error) {
				mu.Lock()
				kind, used := rng.IntN(6), rng.Float64()
				mu.Unlock()
				switch kind {
				case 0:
					return Sample{}, errBlind
				case 1:
					<-ctx.Done()
					return Sample{}, ctx.Err()
				case 2:
					<-ctx.Done()
					return memoryAt(.99), nil
				case 3:
					return memoryAt(used), errBlind
				default:
					return memoryAt(.85 + used/7), nil
				}
			})
			g := newGate(t, cfg)
			bound := cfg.MaxWait + cfg.Timeout
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					for range 10 {
						start := time.Now()
						_, err := g.Admit(t.Context())
						assert.LessOrEqual(t, time.Since(start), bound)
						if err != nil {
							assert.ErrorIs(t, err, ErrExhausted)
							assert.False(t, cfg.Proceed)
						}
						<-time.After(time.Second)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestGateNilAndZero(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	for _, g := range []*Gate{nil, new(Gate)} {
		_, err := g.Admit(ctx)
		require.NoError(t, err)
		require.Equal(t, Unknown, g.Level())
		g.Done(0, nil)
	}
	cancel()
	_, err := (*Gate)(nil).Admit(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestNewGateRefusals(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]GateConfig{
		"Source":                      {},
		"memory":                      {Source: fixed(0), Memory: Thresholds{Warn: 2}},
		"disk":                        {Source: fixed(0), Disk: &Thresholds{Critical: .1}},
		"cpu":                         {Source: fixed(0), CPU: &Thresholds{Resume: 90}},
		"Check":                       {Source: fixed(0), Check: -1},
		"Timeout":                     {Source: fixed(0), Timeout: -1},
		"Others 0: Name \"\"":         {Source: fixed(0), Others: []Watched{{}}},
		"Others 0: Name \"x\"":        {Source: fixed(0), Others: []Watched{{Name: "x"}}},
		"\"memory\" is watched twice": {Source: fixed(0), Others: []Watched{{Name: "memory", Used: fullestGPU}}},
	} {
		_, err := NewGate(cfg)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "resources: ")
	}
}

func TestGateOpenPathDoesNotAllocate(t *testing.T) {
	g := newGate(t, GateConfig{Source: fixed(.5), Check: time.Hour})
	ctx := context.Background()
	_, err := g.Admit(ctx)
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		token, _ := g.Admit(ctx)
		g.Done(token, nil)
	}))
}

// However short Check is, a sample that was just taken counts.
func TestGateWithTinyCheck(t *testing.T) {
	t.Parallel()
	samples := 0
	g, err := NewGate(GateConfig{Check: 1, MaxWait: -1, Source: sourceFunc(func(context.Context) (Sample, error) {
		samples++
		return Sample{Memory: Memory{Total: Of(uint64(100)), Available: Of(uint64(90))}}, nil
	})})
	require.NoError(t, err)
	_, err = g.Admit(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, samples, 2)
}
