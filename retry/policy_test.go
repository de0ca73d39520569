package retry_test

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

// What a Runner asks of its retrier and its watcher.
var (
	_ interface {
		Next(attempt int, prev time.Duration, err error) (delay time.Duration, again bool)
	} = retry.Policy{}
	_ interface {
		Watch(ctx context.Context) (watched context.Context, token uint64)
		Release(token uint64, err error) error
	} = (*retry.Deadline)(nil)
)

var errTransient = errors.New("transient")

// busyError says when to come back.
type busyError time.Duration

func (busyError) Error() string               { return "busy" }
func (e busyError) RetryAfter() time.Duration { return time.Duration(e) }

// fatalError is permanent by its method alone, as another package's would be.
type fatalError struct{}

func (fatalError) Error() string   { return "fatal" }
func (fatalError) Permanent() bool { return true }

func TestNext(t *testing.T) {
	t.Parallel()
	fixed := retry.Policy{Attempts: 4, Delays: retry.Constant(time.Second)}
	for _, tt := range []struct {
		name    string
		policy  retry.Policy
		attempt int
		err     error
		delay   time.Duration
		again   bool
	}{
		{"first", fixed, 1, errTransient, time.Second, true},
		{"last but one", fixed, 3, errTransient, time.Second, true},
		{"last", fixed, 4, errTransient, 0, false},
		{"beyond", fixed, math.MaxInt32, errTransient, 0, false},
		{"default attempts", retry.Policy{Delays: retry.Constant(1)}, 2, errTransient, 1, true},
		{"default attempts used up", retry.Policy{}, 3, errTransient, 0, false},
		{"one attempt", retry.Policy{Attempts: 1}, 1, errTransient, 0, false},
		{"success", fixed, 1, nil, 0, false},
		{"permanent", fixed, 1, retry.Permanent(errTransient), 0, false},
		{"permanent by behaviour", fixed, 1, errors.Join(errTransient, fatalError{}), 0, false},
		{"cancelled", fixed, 1, context.Canceled, 0, false},
		{"deadline of something inside", fixed, 1, context.DeadlineExceeded, time.Second, true},
		{"overran, and says so as a cancellation", fixed, 1, errors.Join(&retry.OverranError{}, context.Canceled), time.Second, true},
		{"comes back later", fixed, 1, busyError(time.Hour), time.Hour, true},
		{"comes back sooner than the delay", fixed, 1, busyError(time.Millisecond), time.Second, true},
		{"negative delay", retry.Policy{Delays: retry.Constant(-5)}, 1, errTransient, 0, true},
		{"own classification", retry.Policy{Retryable: func(err error) bool { return err == io.EOF }}, 1, errTransient, 0, false},
		{"permanent whatever the classification", retry.Policy{Retryable: func(error) bool { return true }}, 1, fatalError{}, 0, false},
	} {
		delay, again := tt.policy.Next(tt.attempt, 0, tt.err)
		require.Equal(t, tt.again, again, tt.name)
		require.Equal(t, tt.delay, delay, tt.name)
	}
}

func TestDoCountsAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		start := time.Now()
		err := retry.Policy{Attempts: 3, Delays: retry.Constant(time.Second)}.Do(t.Context(), func(context.Context) error {
			calls++
			return errTransient
		})
		require.Equal(t, 3, calls)
		require.Equal(t, 2*time.Second, time.Since(start), "no delay after the last attempt")
		var gaveUp *retry.GaveUpError
		require.ErrorAs(t, err, &gaveUp)
		require.Equal(t, 3, gaveUp.Attempts)
		require.ErrorIs(t, err, errTransient)
		require.EqualError(t, err, "retry: failed after 3 attempts: transient")
	})
}

// A first attempt of hours is retried like any other: there is no limit on the total time.
func TestLongAttemptIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		require.NoError(t, retry.Policy{}.Do(t.Context(), func(context.Context) error {
			calls++
			<-time.After(16 * time.Hour)
			if calls == 1 {
				return errTransient
			}
			return nil
		}))
		require.Equal(t, 2, calls)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		calls := 0
		require.NoError(t, retry.Policy{}.Do(t.Context(), func(context.Context) error {
			if calls++; calls == 1 {
				return busyError(20 * time.Minute)
			}
			return nil
		}))
		require.Equal(t, 20*time.Minute, time.Since(start))
	})
}

func TestCancelledCallerRunsNothing(t *testing.T) {
	t.Parallel()
	errStop := errors.New("preempted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStop)
	err := retry.Policy{}.Do(ctx, func(context.Context) error { t.Error("ran"); return nil })
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, errStop)
}

func TestCancelDuringDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := retry.Policy{Delays: retry.Constant(time.Hour)}.Do(ctx, func(context.Context) error { return errTransient })
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errTransient, "the last error is not lost")
	})
}

func TestPermanent(t *testing.T) {
	t.Parallel()
	require.NoError(t, retry.Permanent(nil))
	err := retry.Permanent(io.EOF)
	require.ErrorIs(t, err, io.EOF)
	require.EqualError(t, err, "EOF")
	calls := 0
	got := retry.Policy{}.Do(t.Context(), func(context.Context) error { calls++; return err })
	require.Same(t, io.EOF, got, "the cause, not its wrapper")
	require.Equal(t, 1, calls)
}

func TestOnePolicyForAll(t *testing.T) {
	t.Parallel()
	p := retry.Policy{Delays: retry.Exponential{Base: 1, Max: 2}}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				_ = p.Do(t.Context(), func(context.Context) error { return errTransient })
			}
		})
	}
	wg.Wait()
}

func TestExponentialDelays(t *testing.T) {
	t.Parallel()
	plain := retry.Exponential{Base: 3 * time.Second, Max: 20 * time.Second, Factor: 2, Jitter: -1}
	for attempt, want := range map[int]time.Duration{
		-1: 3 * time.Second, 0: 3 * time.Second, 1: 3 * time.Second, 2: 6 * time.Second, 3: 12 * time.Second,
		4: 20 * time.Second, 5: 20 * time.Second, 10_000: 20 * time.Second, math.MaxInt: 20 * time.Second,
	} {
		require.Equal(t, want, plain.Delay(attempt, 0), "attempt %d", attempt)
	}
}

// The cap is a cap, jitter included, and the jitter is still there below it.
func TestJitterSpreadsUnderTheCap(t *testing.T) {
	t.Parallel()
	for _, e := range []retry.Exponential{
		{}, {Max: 10 * time.Second}, {Jitter: 1}, {Jitter: 7}, {Factor: math.Inf(1)}, {Base: math.MaxInt64, Max: math.MaxInt64},
		{Base: math.MaxInt64, Max: math.MaxInt64, Jitter: 1},
		{Base: time.Hour, Max: time.Second}, {Factor: math.NaN(), Jitter: 0.1}, {Factor: 1},
	} {
		longest := e.Max
		if longest == 0 {
			longest = time.Minute
		}
		for _, attempt := range []int{1, 2, 5, 50, 5000} {
			seen := map[time.Duration]bool{}
			for range 100 {
				d := e.Delay(attempt, 0)
				require.GreaterOrEqual(t, d, time.Duration(0), "%+v", e)
				require.LessOrEqual(t, d, longest, "%+v", e)
				seen[d] = true
			}
			require.Greater(t, len(seen), 50, "%+v after attempt %d", e, attempt)
		}
	}
	require.Positive(t, retry.Exponential{Base: math.MaxInt64, Max: math.MaxInt64, Jitter: -1}.Delay(1, 0))
	least, most := time.Hour, time.Duration(0)
	for range 10_000 {
		d := retry.Exponential{}.Delay(1, 0)
		least, most = min(least, d), max(most, d)
	}
	require.InDelta(t, 0.5, least.Seconds(), 0.01)
	require.InDelta(t, 1.5, most.Seconds(), 0.01)
	require.EqualValues(t, 5, retry.Exponential{Base: 5, Jitter: math.NaN()}.Delay(1, 0))
}

func BenchmarkFirstAttempt(b *testing.B) {
	ctx := context.Background()
	ok := func() error { return nil }
	okCtx := func(context.Context) error { return nil }
	b.Run("backoff_v4", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = backoff.Retry(ok, backoff.WithContext(backoff.NewExponentialBackOff(), ctx))
		}
	})
	b.Run("surefoot", func(b *testing.B) {
		b.ReportAllocs()
		p := retry.Policy{}
		for b.Loop() {
			_ = p.Do(ctx, okCtx)
		}
	})
}

func TestFirstAttemptDoesNotAllocate(t *testing.T) {
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		_ = retry.Policy{}.Do(ctx, func(context.Context) error { return nil })
	}))
}
