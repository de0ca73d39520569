package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func source(name string, value float64, err error) retry.Source[float64] {
	return retry.Source[float64]{Name: name, Get: func(context.Context) (float64, error) { return value, err }}
}

func TestFallback(t *testing.T) {
	t.Parallel()
	live, cache, constant := source("live", 0, errTransient), source("cache", 0, io.EOF), source("constant", 400, nil)

	found, err := retry.Fallback[float64]{constant, live}.Do(t.Context())
	require.NoError(t, err)
	require.Equal(t, retry.Found[float64]{Value: 400, Source: "constant"}, found)

	found, err = retry.Fallback[float64]{live, cache, constant}.Do(t.Context())
	require.NoError(t, err)
	require.Equal(t, 400.0, found.Value)
	require.Equal(t, "constant", found.Source)
	require.ErrorIs(t, found.Missed, errTransient)
	require.ErrorIs(t, found.Missed, io.EOF)
	require.EqualError(t, found.Missed, `retry: source "live": transient; retry: source "cache": EOF`)

	found, err = retry.Fallback[float64]{live, cache}.Do(t.Context())
	require.Zero(t, found)
	require.ErrorIs(t, err, errTransient, "the original error")
	require.ErrorIs(t, err, io.EOF, "and that of the fallback")
	require.True(t, retry.Retryable(err))

	_, err = retry.Fallback[float64]{live}.Do(t.Context())
	require.EqualError(t, err, `retry: source "live": transient`)
	_, err = retry.Fallback[float64](nil).Do(t.Context())
	require.Equal(t, retry.ErrNoSource, err)
}

func TestFallbackOfTheCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	preempted := errors.New("preempted")
	f := retry.Fallback[float64]{
		{Name: "live", Get: func(context.Context) (float64, error) { cancel(preempted); return 0, errTransient }},
		{Name: "cache", Get: func(context.Context) (float64, error) { t.Error("asked"); return 0, nil }},
	}
	_, err := f.Do(ctx)
	require.ErrorIs(t, err, errTransient)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, preempted)
	require.False(t, retry.Retryable(err))
	_, err = f[1:].Do(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// What the sources say of another attempt is weighed: one that may work tomorrow is enough, and the soonest counts.
func TestFallbackIsRetried(t *testing.T) {
	t.Parallel()
	var neutral interface{ Neutral() bool }
	for _, tt := range []struct {
		name    string
		errs    []error
		again   bool
		delay   time.Duration
		neutral bool
	}{
		{"one permanent", []error{fatalError{}, errTransient}, true, time.Second, false},
		{"all permanent", []error{fatalError{}, retry.Permanent(io.EOF)}, false, 0, false},
		{"the soonest", []error{busyError(time.Hour), busyError(time.Minute), busyError(2 * time.Hour)}, true, time.Minute, false},
		{"one at any time", []error{busyError(time.Hour), errTransient}, true, time.Second, false},
		{"a permanent one will not do", []error{fatalError{}, busyError(time.Hour)}, true, time.Hour, false},
		{"all neutral", []error{neutralError{}, neutralError{}}, true, time.Second, true},
		{"one neutral", []error{neutralError{}, errTransient}, true, time.Second, false},
	} {
		var f retry.Fallback[float64]
		for i, err := range tt.errs {
			f = append(f, source(fmt.Sprint(i), 0, err))
		}
		_, err := f.Do(t.Context())
		delay, again := retry.Policy{Delays: retry.Constant(time.Second)}.Next(1, 0, err)
		require.Equal(t, tt.again, again, tt.name)
		require.Equal(t, tt.delay, delay, tt.name)
		require.ErrorAs(t, err, &neutral)
		require.Equal(t, tt.neutral, neutral.Neutral(), tt.name)
		for _, one := range tt.errs {
			require.ErrorIs(t, err, one)
		}
	}
}

// A hedged provider that is retried for a while, and a constant behind it.
func TestFallbackBehindAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hedge := retry.Hedge[float64]{Delay: time.Second}
		policy := retry.ForProvider()
		calls := 0
		f := retry.Fallback[float64]{
			{Name: "provider", Get: func(ctx context.Context) (value float64, err error) {
				err = policy.Do(ctx, func(ctx context.Context) (err error) {
					value, err = hedge.Do(ctx, func(context.Context) (float64, error) {
						calls++
						return 0, retry.Status(503, "600", time.Now())
					})
					return err
				})
				return value, err
			}},
			source("constant", 400, nil),
		}
		start := time.Now()
		found, err := f.Do(t.Context())
		require.NoError(t, err)
		require.Equal(t, "constant", found.Source)
		require.Equal(t, 1, calls)
		require.Zero(t, time.Since(start), "ten minutes are too long to wait")
		require.ErrorIs(t, found.Missed, retry.ErrElapsed)
		var status *retry.StatusError
		require.ErrorAs(t, found.Missed, &status)
		require.Equal(t, 503, status.Code)
	})
}

func ExampleFallback() {
	intensity := retry.Fallback[float64]{
		{Name: "provider", Get: func(context.Context) (float64, error) { return 0, retry.Status(503, "", time.Now()) }},
		{Name: "yesterday", Get: func(context.Context) (float64, error) { return 231, nil }},
	}
	found, err := intensity.Do(context.Background())
	fmt.Println(found.Value, "g/kWh from", found.Source, err)
	fmt.Println(found.Missed)
	// Output:
	// 231 g/kWh from yesterday <nil>
	// retry: source "provider": retry: HTTP status 503
}
