package retry_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.Deadline{Limit: 500 * time.Millisecond}
		start := time.Now()
		ctx, token := d.Watch(t.Context())
		<-ctx.Done()
		require.Equal(t, 500*time.Millisecond, time.Since(start), "half a second is not rounded to none")
		err := d.Release(token, ctx.Err())
		require.ErrorIs(t, err, retry.ErrOverran)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "retry: attempt overran its deadline of 500ms: context deadline exceeded")
		require.Equal(t, errTransient, d.Release(token, errTransient), "a token counts once")

		ctx, token = d.Watch(t.Context())
		<-ctx.Done()
		require.NoError(t, d.Release(token, nil), "a late success is a success")

		ctx, token = d.Watch(t.Context())
		<-ctx.Done()
		err = d.Release(token, context.Cause(ctx))
		require.EqualError(t, err, "retry: attempt overran its deadline of 500ms", "the cause is not said twice")

		_, token = d.Watch(t.Context())
		require.Equal(t, errTransient, d.Release(token, errTransient), "an attempt in time keeps its own error")
	})
}

// The end of the caller's context is not an overrun of the attempt.
func TestDeadlineOfTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.Deadline{Limit: time.Hour}
		outer, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ctx, token := d.Watch(outer)
		<-ctx.Done()
		err := d.Release(token, ctx.Err())
		require.NotErrorIs(t, err, retry.ErrOverran)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// An overrun counts as a failure although the step called it a cancellation.
func TestOverrunIsNotNeutral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.Deadline{Limit: time.Second}
		ctx, token := d.Watch(t.Context())
		<-ctx.Done()
		err := d.Release(token, context.Canceled)
		var verdict interface{ Neutral() bool }
		require.ErrorAs(t, err, &verdict)
		require.False(t, verdict.Neutral())
		require.True(t, retry.Retryable(err))
	})
}

// The overrun of a deadline further out is not that of the one within.
func TestDeadlineWithinDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outer, inner := retry.Deadline{Limit: time.Second}, retry.Deadline{Limit: time.Hour}
		ctx, around := outer.Watch(t.Context())
		ctx, within := inner.Watch(ctx)
		<-ctx.Done()
		err := inner.Release(within, ctx.Err())
		require.Equal(t, context.DeadlineExceeded, err)
		require.EqualError(t, outer.Release(around, err), "retry: attempt overran its deadline of 1s: context deadline exceeded")
	})
}

func TestNoDeadline(t *testing.T) {
	t.Parallel()
	for _, d := range []*retry.Deadline{nil, {}, {Limit: -1}} {
		ctx, token := d.Watch(t.Context())
		require.Equal(t, t.Context(), ctx)
		require.NoError(t, ctx.Err())
		require.Equal(t, errTransient, d.Release(token, errTransient))
	}
}

func TestManyWatches(t *testing.T) {
	t.Parallel()
	d := retry.Deadline{Limit: time.Hour}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				ctx, token := d.Watch(t.Context())
				if err := d.Release(token, nil); err != nil || !errors.Is(ctx.Err(), context.Canceled) {
					t.Error("not released")
				}
			}
		})
	}
	wg.Wait()
}
