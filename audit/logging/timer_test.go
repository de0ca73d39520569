package logging

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		l, _ := newLogger(t, &out, Config{})
		timer, err := NewTimer(l, "save", TimerConfig{Slow: time.Second, Failures: true})
		require.NoError(t, err)
		ctx := With(t.Context(), Scope{Step: 3})
		wait := func(d time.Duration, err error) func(context.Context) error {
			return func(context.Context) error {
				<-time.After(d)
				return err
			}
		}
		for i := range 98 {
			require.NoError(t, timer.Time(ctx, wait(time.Duration(i+1)*time.Millisecond, nil)))
		}
		require.NoError(t, timer.Time(ctx, wait(2*time.Second, nil)))
		boom := errors.New("token=hunter2")
		require.ErrorIs(t, timer.Time(ctx, wait(time.Millisecond, boom)), boom)
		require.PanicsWithValue(t, "x", func() { timer.Time(ctx, func(context.Context) error { panic("x") }) })

		s := timer.Timing()
		require.Equal(t, uint64(101), s.Count)
		require.Equal(t, uint64(2), s.Failed)
		require.Equal(t, 2*time.Second, s.Max)
		require.InEpsilon(t, 49*time.Millisecond, s.P50, 0.033)
		require.InEpsilon(t, 94*time.Millisecond, s.P95, 0.033)
		list := parse(t, out.String())
		require.Len(t, list, 3)
		require.Equal(t, "operation was slow", list[0]["msg"])
		require.Equal(t, "WARN", list[0]["level"])
		require.EqualValues(t, 3, list[0][StepKey])
		require.Equal(t, map[string]any{"text": "token=[redacted:token]", "category": CategoryTransient}, list[1]["error"])
		require.Equal(t, "ERROR", list[2]["level"])
		l.Info("timing", "save", s)
		require.EqualValues(t, 101, parse(t, out.String())[3]["save"].(map[string]any)["count"])
	})
	_, err := NewTimer(nil, "x", TimerConfig{Slow: -1})
	require.Error(t, err)
	var none *Timer
	require.NoError(t, none.Time(t.Context(), func(context.Context) error { return nil }))
	require.Equal(t, Timing{}, none.Timing())
}

// Quantiles are never below the truth, and 1/31 above it at most.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	timer, err := NewTimer(nil, "x", TimerConfig{})
	require.NoError(t, err)
	var all []time.Duration
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		seed := rng.Uint64()
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 3))
			for range 2500 {
				d := time.Duration(rng.Uint64() >> (1 + rng.UintN(60)))
				timer.Record(context.Background(), d, nil)
				mu.Lock()
				all = append(all, d)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	s := timer.Timing()
	require.Equal(t, uint64(10000), s.Count)
	require.Equal(t, all[len(all)-1], s.Max)
	for got, rank := range map[time.Duration]int{s.P50: 5000, s.P90: 9000, s.P95: 9500, s.P99: 9900} {
		want := all[rank-1]
		require.GreaterOrEqual(t, got, want)
		require.LessOrEqual(t, float64(got), float64(want)*(1+1.0/31))
	}
	last := -1
	for _, v := range []uint64{0, 1, 31, 32, 33, 63, 64, 66, 1 << 20, 1<<62 + 1, 1<<63 - 1} {
		b := bucketOf(v)
		require.Greater(t, b, last, v)
		require.Less(t, b, bucketN)
		require.GreaterOrEqual(t, bucketEnd(b), v)
		require.Equal(t, b, bucketOf(bucketEnd(b)))
		require.Equal(t, b+1, bucketOf(bucketEnd(b)+1))
		last = b
	}
}

func TestTimerAllocatesNothing(t *testing.T) {
	timer, err := NewTimer(nil, "x", TimerConfig{Slow: time.Hour, Failures: true})
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() { timer.Record(context.Background(), time.Second, nil) }))
}

type behaves struct {
	permanent, neutral, timeout bool
	after                       time.Duration
}

func (b behaves) Error() string             { return "behaves" }
func (b behaves) Permanent() bool           { return b.permanent }
func (b behaves) Neutral() bool             { return b.neutral }
func (b behaves) Timeout() bool             { return b.timeout }
func (b behaves) RetryAfter() time.Duration { return b.after }

func TestCategory(t *testing.T) {
	t.Parallel()
	var panicked error
	func() {
		defer func() { panicked = recover().(error) }()
		var list []int
		_ = list[len(list)]
	}()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, CategoryNone},
		{errors.New("x"), CategoryTransient},
		{context.Canceled, CategoryCancelled},
		{context.DeadlineExceeded, CategoryTimeout},
		{behaves{timeout: true, permanent: true}, CategoryTimeout},
		{behaves{after: time.Second, neutral: true}, CategoryThrottled},
		{behaves{neutral: true, permanent: true}, CategoryRefused},
		{behaves{permanent: true}, CategoryPermanent},
		{behaves{}, CategoryTransient},
		{fs.ErrPermission, CategoryPermanent},
		{errors.ErrUnsupported, CategoryPermanent},
		{panicked, CategoryPanic},
	} {
		require.Equal(t, tt.want, Category(tt.err), "%#v", tt.err)
		if tt.err != nil {
			require.Equal(t, tt.want, Category(fmt.Errorf("step: %w", tt.err)))
			require.Equal(t, tt.want, Category(errors.Join(errors.New("y"), tt.err)))
		}
	}
	require.True(t, Error(nil).Equal(slog.Attr{}))
	require.Equal(t, "error=[text=behaves category=throttled retry_after=1s]", Error(behaves{after: time.Second}).String())
}
