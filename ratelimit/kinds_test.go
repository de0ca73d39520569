package ratelimit_test

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

// pacer is what all kinds of limiters have in common.
type pacer interface {
	admitter
	Allow() bool
	AllowN(n int) bool
	Wait(ctx context.Context) error
	WaitN(ctx context.Context, n int) error
}

var (
	_ pacer    = (*ratelimit.Adaptive)(nil)
	_ pacer    = (*ratelimit.Limiter)(nil)
	_ admitter = (*ratelimit.Gradient)(nil)
	_ admitter = ratelimit.Admitter(nil)
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// kinds are limiters of one step per second each.
func kinds() map[string]pacer {
	return map[string]pacer{
		"bucket":   must(ratelimit.New(1, 1)),
		"smooth":   must(ratelimit.NewSmooth(time.Second)),
		"window":   must(ratelimit.NewWindow(1, time.Second)),
		"adaptive": must(ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: 1})),
	}
}

func TestKindsRefuseSettings(t *testing.T) {
	t.Parallel()
	for _, gap := range []time.Duration{0, -1, math.MinInt64, math.MaxInt64} {
		_, err := ratelimit.NewSmooth(gap)
		require.ErrorContains(t, err, "ratelimit: gap")
		_, err = ratelimit.NewWindow(1, gap)
		require.ErrorContains(t, err, "ratelimit: window of "+gap.String()+" is not positive")
	}
	for _, n := range []int{0, -1, 1<<20 + 1} {
		_, err := ratelimit.NewWindow(n, time.Second)
		require.ErrorContains(t, err, "is not from 1 to 1048576")
	}
}

// What holds for one kind holds for all, so that one can be swapped for another.
func TestKindsAreAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, l := range kinds() {
			start := time.Now()
			for want := range 4 {
				token, err := l.Admit(t.Context())
				require.NoError(t, err, name)
				l.Done(token, nil)
				require.Equal(t, time.Duration(want)*time.Second, time.Since(start), name)
			}
			require.False(t, l.Allow(), name)
			require.True(t, l.AllowN(0), name)
			require.NoError(t, l.WaitN(t.Context(), -1), name)

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := l.Wait(ctx)
			require.ErrorIs(t, err, ratelimit.ErrLimited, name)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			var later interface{ RetryAfter() time.Duration }
			require.ErrorAs(t, err, &later, name)
			require.Equal(t, time.Second, later.RetryAfter(), name)
			cancel()

			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(time.Second/2, cancel)
			require.ErrorIs(t, l.Wait(ctx), context.Canceled, name)
			<-time.After(time.Second / 2)
			require.True(t, l.Allow(), "%s: who left took nothing", name)
			<-time.After(time.Hour)
			require.True(t, l.Allow(), name)
			require.False(t, l.Allow(), "%s: nothing accumulates beyond one", name)
		}
	})
}

func TestKindsNever(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]pacer{
		"limiter": (*ratelimit.Limiter)(nil), "zero": &ratelimit.Limiter{},
		"adaptive": (*ratelimit.Adaptive)(nil), "zero adaptive": &ratelimit.Adaptive{},
	} {
		require.True(t, l.AllowN(math.MaxInt32), name)
		require.NoError(t, l.WaitN(t.Context(), math.MaxInt32), name)
		l.Done(1, errPreempted)
	}
}

func TestSmoothWeighs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := must(ratelimit.NewSmooth(time.Second))
		start := time.Now()
		for _, tt := range []struct {
			n     int
			after time.Duration
		}{{3, 0}, {1, 3 * time.Second}, {10, 4 * time.Second}, {1, 14 * time.Second}} {
			require.NoError(t, l.WaitN(t.Context(), tt.n))
			require.Equal(t, tt.after, time.Since(start))
		}
		require.ErrorIs(t, l.WaitN(t.Context(), math.MaxInt), ratelimit.ErrBurst)
	})
}

// A counter of two fixed windows lets through twice the limit around their border, and a bucket its burst on top of it.
func TestWindowIsExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := must(ratelimit.NewWindow(5, time.Minute))
		<-time.After(59 * time.Second)
		for range 5 {
			require.True(t, l.Allow())
		}
		<-time.After(2 * time.Second)
		require.False(t, l.Allow())
		start := time.Now()
		require.NoError(t, l.WaitN(t.Context(), 5))
		require.Equal(t, 58*time.Second, time.Since(start))
		var burst *ratelimit.BurstError
		require.ErrorAs(t, l.WaitN(t.Context(), 6), &burst)
		require.Equal(t, &ratelimit.BurstError{N: 6, Burst: 5}, burst)
	})
}

// Nothing is granted twice when many ask at once: real goroutines, real time.
func TestKindsUnderContention(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]pacer{
		"bucket":   must(ratelimit.New(1e-9, 100)),
		"window":   must(ratelimit.NewWindow(100, time.Hour)),
		"adaptive": must(ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: 1e-9, Burst: 100})),
	} {
		var granted atomic.Int64
		var wg sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for range 16 {
			wg.Go(func() {
				for range 100 {
					if l.Wait(ctx) == nil {
						granted.Add(1)
					}
					l.Done(0, nil)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 100, granted.Load(), name)
	}
}

func TestKindsDoNotAllocate(t *testing.T) {
	for name, l := range map[string]pacer{
		"smooth":   must(ratelimit.NewSmooth(1)),
		"window":   must(ratelimit.NewWindow(1000, 1)),
		"adaptive": must(ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: 1e9, Burst: 1 << 30})),
	} {
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			token, err := l.Admit(t.Context())
			if err != nil {
				t.Error(err)
			}
			l.Done(token, nil)
		}), name)
	}
}
