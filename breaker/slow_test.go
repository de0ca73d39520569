package breaker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

// takes runs a step that ends with err after d.
func takes(b *breaker.Breaker, d time.Duration, err error) error {
	return b.Do(context.Background(), func(context.Context) error { <-time.After(d); return err })
}

// Slow successes open the breaker, while their callers see them succeed.
func TestSlowRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, cfg := range map[string]breaker.Config{
			"steps": {WindowSteps: 6}, "time": {Window: time.Hour},
		} {
			var last breaker.Change
			cfg.SlowAfter, cfg.SlowRate, cfg.MinSteps = 10*time.Second, .5, 4
			cfg.OnChange = func(c breaker.Change) { last = c }
			b := newBreaker(t, cfg)
			for i, row := range []struct {
				takes time.Duration
				ends  error
				slow  uint64
				state breaker.State
			}{
				{11 * time.Second, nil, 1, breaker.Closed},
				{10 * time.Second, nil, 1, breaker.Closed},              // just as long is not slow
				{11 * time.Second, context.Canceled, 1, breaker.Closed}, // says nothing
				{11 * time.Second, errFailed, 2, breaker.Closed},        // of 3
				{9 * time.Second, nil, 2, breaker.Closed},               // of 4, but it was not a slow one that made it so
				{1 * time.Second, errFailed, 2, breaker.Closed},         // of 5
				{10*time.Second + 1, nil, 0, breaker.Open},              // 3 of 6
			} {
				require.Equal(t, row.ends, takes(b, row.takes, row.ends), "%s row %d", name, i)
				require.Equal(t, row.state, b.State(), "%s row %d", name, i)
				require.Equal(t, row.slow, b.Counts().Slow, "%s row %d", name, i)
			}
			require.Equal(t, breaker.SlowRateReached, last.Reason)
			require.Equal(t, breaker.Counts{Successes: 4, Failures: 2, Neutral: 1, Slow: 3}, last.Counts, name)
		}
	})
}

// SlowAfter alone counts, and opens nothing.
func TestSlowCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{SlowAfter: time.Second, Failures: 1})
		for range 50 {
			require.NoError(t, takes(b, time.Minute, nil))
		}
		require.Equal(t, breaker.Counts{Successes: 50, Slow: 50}, b.Counts())
		_ = ends(b, errFailed)
		<-time.After(time.Minute)
		require.NoError(t, takes(b, time.Minute, nil))
		require.Equal(t, breaker.Closed, b.State(), "without a SlowRate a slow probe is a good one")
	})
}

// A slow probe does not close a breaker that opens for slowness, and its caller does not see that.
func TestSlowProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var last breaker.Change
		b := halfOpen(t, breaker.Config{
			SlowAfter: time.Second, SlowRate: .5, ProbeSuccesses: 2, ProbeFailures: 1,
			OnChange: func(c breaker.Change) { last = c },
		})
		require.NoError(t, takes(b, 2*time.Second, nil))
		require.Equal(t, breaker.HalfOpen, b.State())
		require.NoError(t, takes(b, time.Second, nil))
		require.Equal(t, breaker.HalfOpen, b.State(), "two have succeeded, one of them slowly")
		require.NoError(t, takes(b, 2*time.Second, nil))
		require.Equal(t, breaker.Open, b.State())
		require.Equal(t, breaker.ProbeSlow, last.Reason)
		require.Equal(t, breaker.Counts{Successes: 3, Slow: 2}, last.Counts)
		<-time.After(time.Minute)
		require.NoError(t, takes(b, time.Second, nil))
		require.NoError(t, takes(b, 0, nil))
		require.Equal(t, breaker.Closed, b.State())
	})
}

// Steps that run side by side are timed each by itself, also when places of tickets are used again.
func TestSlowSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{SlowAfter: time.Minute})
		var tokens []uint64
		for range 10 {
			token, err := b.Admit(t.Context())
			require.NoError(t, err)
			tokens = append(tokens, token)
			<-time.After(20 * time.Second)
		} // the oldest began 200 s ago, the latest 20 s
		for _, i := range []int{9, 0, 4, 8, 7, 6} {
			b.Done(tokens[i], nil) // begun 20, 200, 120, 40, 60, 80 s ago
		}
		require.Equal(t, breaker.Counts{Successes: 6, Slow: 3}, b.Counts())
		again, err := b.Admit(t.Context())
		require.NoError(t, err)
		b.Done(again, nil)
		require.Equal(t, breaker.Counts{Successes: 7, Slow: 3}, b.Counts())
	})
}
