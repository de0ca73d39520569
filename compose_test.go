package surefoot_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/breaker"
	"github.com/surefoot-ml/surefoot/ratelimit"
	"github.com/surefoot-ml/surefoot/retry"
)

var errStepFailed = errors.New("step failed")

func newBreaker(t *testing.T, cfg breaker.Config) *breaker.Breaker {
	t.Helper()
	b, err := breaker.New(cfg)
	require.NoError(t, err)
	return b
}

// An always failing step behind a breaker runs as often as the policy says, and its error reaches the caller.
func TestRetryThroughBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run := surefoot.Runner[int, float64]{
			Retry:   retry.Policy{Attempts: 3},
			Attempt: []surefoot.Admitter{newBreaker(t, breaker.Config{})},
		}
		calls := 0
		_, err := run.Do(t.Context(), 1, func(context.Context, int) (float64, error) { calls++; return 42, errStepFailed })
		require.Equal(t, 3, calls)
		require.ErrorIs(t, err, errStepFailed)
		var attempts *surefoot.AttemptsError
		require.ErrorAs(t, err, &attempts)
		require.Equal(t, 3, attempts.Attempts)
	})
}

// A retry in front of an open breaker waits once, exactly until the next probe, instead of using up its attempts.
func TestRetryWaitsForProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{Failures: 1, Open: 10 * time.Minute})
		run := surefoot.Runner[int, float64]{Retry: retry.Policy{Attempts: 2}, Attempt: []surefoot.Admitter{b}}
		_ = b.Do(t.Context(), func(context.Context) error { return errStepFailed })
		start := time.Now()
		loss, err := run.Do(t.Context(), 1, func(context.Context, int) (float64, error) { return 42, nil })
		require.NoError(t, err)
		require.Equal(t, 42., loss)
		require.Equal(t, 10*time.Minute, time.Since(start))
		require.Equal(t, breaker.Closed, b.State())
	})
}

// Steps that overrun count against the breaker, whatever they call it; steps that the caller cancels do not.
func TestOverrunsOpenBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, returned := range []error{context.DeadlineExceeded, context.Canceled, errStepFailed} {
			b := newBreaker(t, breaker.Config{})
			run := surefoot.Runner[int, float64]{Attempt: []surefoot.Admitter{b}, Watch: &retry.Deadline{Limit: time.Second}}
			for range 5 {
				require.Equal(t, breaker.Closed, b.State())
				_, err := run.Do(t.Context(), 1, func(ctx context.Context, _ int) (float64, error) {
					<-ctx.Done()
					return 0, returned
				})
				require.ErrorIs(t, err, retry.ErrOverran)
			}
			require.Equal(t, breaker.Open, b.State(), "%v", returned)
		}
		b := newBreaker(t, breaker.Config{})
		run := surefoot.Runner[int, float64]{Attempt: []surefoot.Admitter{b}, Watch: &retry.Deadline{Limit: time.Hour}}
		for range 6 {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := run.Do(ctx, 1, func(ctx context.Context, _ int) (float64, error) {
				cancel()
				<-ctx.Done()
				return 0, ctx.Err()
			})
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Equal(t, breaker.Closed, b.State())
	})
}

// What a limiter or a bulkhead refuses does not count against the breaker around it, with a Runner and without.
func TestRefusalsDoNotOpenBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limit, err := ratelimit.New(1.0/3600, 1)
		require.NoError(t, err)
		require.True(t, limit.Allow())
		full, err := ratelimit.NewBulkhead(1, -1)
		require.NoError(t, err)
		_, err = full.Admit(t.Context())
		require.NoError(t, err)
		for _, inner := range []surefoot.Admitter{limit, full} {
			b := newBreaker(t, breaker.Config{})
			run := surefoot.Runner[int, float64]{Attempt: []surefoot.Admitter{b, inner}}
			for range 6 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				_, err := run.Do(ctx, 1, func(context.Context, int) (float64, error) { panic("ran") })
				require.ErrorIs(t, err, context.DeadlineExceeded)
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				err = b.Do(ctx, func(ctx context.Context) error {
					_, err := inner.Admit(ctx)
					return err
				})
				require.ErrorIs(t, err, context.DeadlineExceeded)
				cancel()
			}
			require.Equal(t, breaker.Closed, b.State())
			require.EqualValues(t, 12, b.Counts().Neutral)
		}
	})
}

func TestComposedPathDoesNotAllocate(t *testing.T) { // not parallel: AllocsPerRun counts those of the whole process
	limit, err := ratelimit.New(1e9, 1<<30)
	require.NoError(t, err)
	room, err := ratelimit.NewBulkhead(1, 0)
	require.NoError(t, err)
	b := newBreaker(t, breaker.Config{FailureRate: .5})
	run := surefoot.Runner[int, float64]{Retry: retry.Policy{}, Attempt: []surefoot.Admitter{limit, room, b}}
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = run.Do(ctx, 1, benchStep) }))
}
