package ratelimit_test

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

func TestNewGradientRefuses(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]ratelimit.GradientConfig{
		"Min -1":        {Min: -1},
		"Min 3 is not":  {Min: 3, Max: 2},
		"Max 2000000":   {Max: 2_000_000},
		"Initial 3":     {Max: 2, Initial: 3},
		"Queue -1":      {Queue: -1},
		"Window -1":     {Window: -1},
		"MinSamples -1": {MinSamples: -1},
		"Tolerance 0.9": {Tolerance: .9},
		"Tolerance NaN": {Tolerance: math.NaN()},
		"Smoothing 2":   {Smoothing: 2},
		"Backoff 1":     {Backoff: 1},
		"Baseline -1":   {Baseline: -1},
		"MaxLatency -1": {MaxLatency: -1},
	} {
		_, err := ratelimit.NewGradient(cfg)
		require.ErrorContains(t, err, "ratelimit: "+field)
	}
}

func TestNoGradient(t *testing.T) {
	t.Parallel()
	for _, g := range []*ratelimit.Gradient{nil, {}} {
		require.NoError(t, g.Do(t.Context(), func(context.Context) error { return nil }))
		require.Zero(t, g.Limit()+g.InUse()+int(g.Baseline()))
	}
}

// Each row runs ten rounds of steps of a latency at once, as many as are let through, or half of it, and tells where the
// number then is.
func TestGradientNumber(t *testing.T) {
	t.Parallel()
	type row struct {
		latency  time.Duration
		half     bool
		min, max int
	}
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		cfg  ratelimit.GradientConfig
		rows []row
	}{
		"grows while latency stays": {ratelimit.GradientConfig{Initial: 10, Max: 20}, []row{
			{1000 * ms, false, 16, 17}, {1400 * ms, false, 20, 20}, {1500 * ms, false, 20, 20}, {3000 * ms, false, 6, 12},
		}},
		"not above Max": {ratelimit.GradientConfig{Initial: 10, Max: 11}, []row{
			{time.Second, false, 11, 11}, {time.Second, false, 11, 11},
		}},
		"not below Min": {ratelimit.GradientConfig{Initial: 4, Min: 3}, []row{
			{100 * ms, false, 4, 4}, {time.Minute, false, 3, 3}, {time.Minute, false, 3, 3},
		}},
		"falls to one": {ratelimit.GradientConfig{Initial: 8, MinSamples: 1}, []row{
			{100 * ms, false, 8, 8}, {9 * time.Second, false, 2, 4}, {9 * time.Second, false, 1, 1},
		}},
		"not on what used less than half": {ratelimit.GradientConfig{Initial: 40}, []row{
			{time.Second, true, 40, 40}, {10 * time.Second, true, 40, 40},
		}},
		"too slow for any health": {ratelimit.GradientConfig{Initial: 10, Smoothing: 1e-9, MaxLatency: 2 * time.Second}, []row{
			{2 * time.Second, false, 9, 10}, {2100 * ms, false, 3, 4},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := must(ratelimit.NewGradient(tt.cfg))
				for i, r := range tt.rows {
					n := g.Limit()
					if r.half {
						n = n/2 - 1
					}
					for range 10 {
						n = min(n, g.Limit())
						var tokens []uint64
						for range n {
							tokens = append(tokens, must(g.Admit(t.Context())))
						}
						<-time.After(r.latency)
						for _, token := range tokens {
							g.Done(token, nil)
						}
					}
					require.GreaterOrEqual(t, g.Limit(), r.min, "row %d", i)
					require.LessOrEqual(t, g.Limit(), r.max, "row %d", i)
				}
			})
		})
	}
}

// server is slower when more than its capacity run at once.
type server struct {
	base     time.Duration
	capacity int64
	running  atomic.Int64
	calls    atomic.Int64
}

func (s *server) call(context.Context) error {
	s.calls.Add(1)
	load := s.running.Add(1)
	defer s.running.Add(-1)
	<-time.After(time.Duration(float64(s.base) * max(1, float64(load)/float64(s.capacity))))
	return nil
}

func TestGradientFindsCapacity(t *testing.T) {
	t.Parallel()
	for _, capacity := range []int64{1, 4, 16} {
		synctest.Test(t, func(t *testing.T) {
			g := must(ratelimit.NewGradient(ratelimit.GradientConfig{MaxWait: -1}))
			s := &server{base: 100 * time.Millisecond, capacity: capacity}
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 60 {
				wg.Go(func() {
					for g.Do(ctx, s.call) == nil {
					}
				})
			}
			<-time.After(5 * time.Minute)
			before := s.calls.Load()
			<-time.After(time.Minute)
			require.GreaterOrEqual(t, g.Limit(), int(capacity))
			require.LessOrEqual(t, g.Limit(), int(2*capacity)+3)
			require.InEpsilon(t, 600*capacity, s.calls.Load()-before, .05, "the capacity is used")
			require.InDelta(t, .1, g.Baseline().Seconds(), .05)
			cancel()
			wg.Wait()
			require.Zero(t, g.InUse())
		})
	}
}

// In a long incident a baseline that is an average becomes the latency of the incident, and the number grows again. It does
// grow again when the latency stays for good, and when it goes back.
func TestGradientStaysLowInLongIncidents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := must(ratelimit.NewGradient(ratelimit.GradientConfig{Max: 30}))
		round := func(latency time.Duration, until time.Duration) (most int) {
			for start := time.Now(); time.Since(start) < until; {
				n := g.Limit()
				most = max(most, n)
				var tokens []uint64
				for range n {
					tokens = append(tokens, must(g.Admit(t.Context())))
				}
				<-time.After(latency)
				for _, token := range tokens {
					g.Done(token, nil)
				}
			}
			return most
		}
		round(100*time.Millisecond, 10*time.Minute)
		require.Equal(t, 30, g.Limit())
		require.Equal(t, 100*time.Millisecond, g.Baseline())
		round(time.Second, 10*time.Minute)
		require.Equal(t, 1, round(time.Second, 50*time.Minute), "in all of the incident")
		require.Less(t, g.Baseline(), 180*time.Millisecond)
		round(100*time.Millisecond, 5*time.Minute)
		require.Equal(t, 100*time.Millisecond, g.Baseline(), "at once")
		require.Equal(t, 30, g.Limit())

		round(200*time.Millisecond, time.Hour)
		require.Equal(t, 30, g.Limit(), "twice as slow for good is learned within the hour")
	})
}

func TestGradientFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := must(ratelimit.NewGradient(ratelimit.GradientConfig{Initial: 100, Backoff: .5, Min: 10}))
		flight := func(n int) (tokens []uint64) {
			for range n {
				tokens = append(tokens, must(g.Admit(t.Context())))
			}
			<-time.After(time.Second)
			return tokens
		}
		for _, token := range flight(20) {
			g.Done(token, answer{neutral: true})
		}
		for _, token := range flight(20) {
			g.Done(token, context.Canceled)
		}
		require.Equal(t, 100, g.Limit())
		for _, token := range flight(100) {
			g.Done(token, errStep)
			g.Done(token, errStep)
			require.Equal(t, 50, g.Limit(), "once for all that were under way")
		}
		require.Zero(t, g.InUse())
		require.Zero(t, g.Baseline(), "failures are not measured")
		for _, want := range []int{25, 12, 10, 10} {
			require.Equal(t, errStep, g.Do(t.Context(), func(context.Context) error { <-time.After(1); return errStep }))
			require.Equal(t, want, g.Limit())
		}
		for range 10 {
			_, err := g.Admit(t.Context())
			require.NoError(t, err)
		}
		_, err := g.Admit(t.Context())
		require.ErrorIs(t, err, ratelimit.ErrFull)
	})
}

// Permits that are held when the number falls below them are not handed on, and those that it gains are handed out at once.
func TestGradientLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := must(ratelimit.NewGradient(ratelimit.GradientConfig{Initial: 4, Backoff: .5, MaxWait: -1, MinSamples: 1, Smoothing: 1}))
		var held []uint64
		for range 4 {
			held = append(held, must(g.Admit(t.Context())))
		}
		var came atomic.Int64
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				token := must(g.Admit(t.Context()))
				came.Add(1)
				<-time.After(time.Second)
				g.Done(token, nil)
			})
		}
		<-time.After(1)
		g.Done(held[0], errStep) // 2 at once from here on
		g.Done(held[1], context.Canceled)
		synctest.Wait()
		require.Equal(t, 2, g.InUse())
		require.Zero(t, came.Load())
		g.Done(held[2], context.Canceled)
		synctest.Wait()
		require.EqualValues(t, 1, came.Load())
		<-time.After(time.Second)
		synctest.Wait()
		require.Positive(t, g.Limit())
		g.Done(held[3], context.Canceled)
		wg.Wait()
		require.EqualValues(t, 6, came.Load())
		require.Zero(t, g.InUse())
	})
}

func TestGradientDoesNotAllocate(t *testing.T) {
	g := must(ratelimit.NewGradient(ratelimit.GradientConfig{}))
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		token, _ := g.Admit(t.Context())
		g.Done(token, nil)
	}))
}

// FuzzGradient runs steps of any latency and outcome against what always holds: bounds, permits, tokens that count once.
func FuzzGradient(f *testing.F) {
	f.Add(uint64(1), []byte{0, 0, 4, 12, 1, 3, 0, 2, 9, 1, 1, 1, 0, 0, 3})
	f.Add(uint64(2), []byte{0, 0, 0, 0, 0, 255, 1, 5, 9, 13, 2, 6, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, seed uint64, ops []byte) {
		if len(ops) > 500 {
			return
		}
		r := rand.New(rand.NewPCG(seed, 0))
		synctest.Test(t, func(t *testing.T) {
			low := 1 + r.IntN(3)
			high := low + r.IntN(10)
			g := must(ratelimit.NewGradient(ratelimit.GradientConfig{
				Min: low, Max: high, Initial: low + r.IntN(high-low+1), MinSamples: 1 + r.IntN(3), Window: time.Second, Baseline: time.Minute,
			}))
			var held, spent []uint64
			began := map[uint64]time.Time{}
			lowest := time.Duration(math.MaxInt64)
			for i, op := range ops {
				arg := int(op / 4)
				switch op % 4 {
				case 0:
					limit := g.Limit()
					token, err := g.Admit(t.Context())
					require.Equal(t, len(held) < limit, err == nil, "op %d", i)
					if err == nil {
						held = append(held, token)
						began[token] = time.Now()
					}
				case 1, 2:
					if len(held) == 0 {
						continue
					}
					at := arg % len(held)
					token := held[at]
					err := error(nil)
					limit := g.Limit()
					if op%4 == 2 {
						err = []error{errStep, context.Canceled}[arg%2]
					} else {
						lowest = min(lowest, time.Since(began[token]))
					}
					g.Done(token, err)
					if err != nil {
						require.LessOrEqual(t, g.Limit(), limit, "op %d: a failure", i)
					}
					held[at] = held[len(held)-1]
					held, spent = held[:len(held)-1], append(spent, token)
					limit = g.Limit()
					g.Done(spent[arg%len(spent)], nil)
					require.Equal(t, limit, g.Limit(), "op %d: once more", i)
				case 3:
					<-time.After(time.Duration(arg) * 100 * time.Millisecond)
				}
				require.GreaterOrEqual(t, g.Limit(), low, "op %d", i)
				require.LessOrEqual(t, g.Limit(), high, "op %d", i)
				require.Equal(t, len(held), g.InUse(), "op %d", i)
				if b := g.Baseline(); b != 0 {
					require.GreaterOrEqual(t, b, min(lowest, time.Duration(float64(lowest)*(1-1e-9))), "op %d", i)
				}
			}
		})
	})
}

// The number after each window, worked out by hand from the formula in the doc.
func TestGradientFormula(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := must(ratelimit.NewGradient(ratelimit.GradientConfig{Initial: 100, MinSamples: 1, Window: 1, Smoothing: 1}))
		for i, tt := range []struct {
			latency time.Duration
			want    int
		}{
			{10 * time.Second, 100}, // opens the first window
			{10 * time.Second, 110}, // g = 1: 100 + 10
			{15 * time.Second, 120}, // g = 1, at the tolerance: 110 + 10.49
			{30 * time.Second, 60},  // g = 1/2: 60.24 + 0
			{20 * time.Second, 49},  // g = 3/4: 45.18 + 3.88
			{90 * time.Second, 24},  // g = 1/2, no less
			{10 * time.Second, 29},  // g = 1: 24.53 + 4.95
		} {
			var tokens []uint64
			for range g.Limit() {
				tokens = append(tokens, must(g.Admit(t.Context())))
			}
			<-time.After(tt.latency)
			g.Done(tokens[0], nil) // ends the window
			require.Equal(t, tt.want, g.Limit(), "row %d", i)
			for _, token := range tokens[1:] {
				g.Done(token, context.Canceled)
			}
		}
	})
}
