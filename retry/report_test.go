package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func TestReport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := retry.Policy{Attempts: 40, Delays: retry.Linear{Base: time.Second, Max: time.Hour, Jitter: -1}}
		calls := 0
		fail := func(context.Context) error {
			calls++
			<-time.After(time.Minute) // is not waiting
			return fmt.Errorf("failure %d", calls)
		}
		r, err := p.DoReport(t.Context(), func(ctx context.Context) error {
			if calls == 2 {
				return nil
			}
			return fail(ctx)
		})
		require.NoError(t, err)
		require.Equal(t, 3, r.Attempts, "the one that succeeded too")
		require.Equal(t, 3*time.Second, r.Waited)
		require.Len(t, r.Failures, 2)
		for i, want := range []retry.Failure{
			{Attempt: 1, Delay: 0, Err: errors.New("failure 1")},
			{Attempt: 2, Delay: time.Second, Err: errors.New("failure 2")},
		} {
			require.Equal(t, want.Attempt, r.Failures[i].Attempt)
			require.Equal(t, want.Delay, r.Failures[i].Delay)
			require.EqualError(t, r.Failures[i].Err, want.Err.Error())
		}

		calls = 0
		r, err = p.DoReport(t.Context(), fail)
		require.Equal(t, 40, r.Attempts)
		require.Equal(t, 39*40/2*time.Second, r.Waited)
		var gaveUp *retry.GaveUpError
		require.ErrorAs(t, err, &gaveUp)
		require.Equal(t, 40, gaveUp.Attempts)
		require.Equal(t, r.Failures, gaveUp.Failures)
		require.Len(t, r.Failures, 40, "every error")
		for i, f := range r.Failures {
			require.Equal(t, 1+i, f.Attempt)
			require.Equal(t, time.Duration(i)*time.Second, f.Delay)
			require.EqualError(t, f.Err, fmt.Sprintf("failure %d", 1+i))
		}
		require.Equal(t, gaveUp.Err, r.Failures[39].Err, "the last cause")
	})
}

// The number of attempts is that of those made, also when a Do is aborted.
func TestReportOfAborted(t *testing.T) {
	t.Parallel()
	calls := 0
	r, err := retry.Policy{Attempts: 10, Delays: retry.Constant(0)}.DoReport(t.Context(), func(context.Context) error {
		if calls++; calls == 2 {
			return retry.Permanent(errTransient)
		}
		return errors.New("other")
	})
	require.EqualError(t, err, "retry: failed after 2 attempts: transient")
	require.Equal(t, 2, r.Attempts)
	var gaveUp *retry.GaveUpError
	require.ErrorAs(t, err, &gaveUp)
	require.Same(t, errTransient, gaveUp.Err)

	r, err = retry.Policy{}.DoReport(t.Context(), func(context.Context) error { return fatalError{} })
	require.Equal(t, fatalError{}, err)
	require.Equal(t, retry.Report{Attempts: 1, Failures: []retry.Failure{{1, 0, fatalError{}}}}, r)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err = retry.Policy{}.DoReport(ctx, func(context.Context) error { return nil })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, retry.Report{}, r)
}
