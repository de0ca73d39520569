package retry_test

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/retry"
)

// Whatever it starts from, the schedule comes near to how long outages last, and needs few attempts for them.
func TestAdaptiveFindsTheRecoveryTime(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]retry.Delays{
		"too short": retry.Constant(time.Second), "default": nil, "too long": retry.Constant(20 * time.Minute),
	} {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			a := &retry.Adaptive{Start: start, Max: time.Hour}
			p := retry.Policy{Attempts: math.MaxInt, Delays: a}
			calls := 0
			for i := range 300 {
				<-time.After(6 * time.Hour)
				if i == 200 {
					calls = 0
				}
				up := time.Now().Add(time.Minute + time.Duration(random.Int64N(int64(4*time.Minute)))) // 1 to 5 minutes
				require.NoError(t, p.Do(t.Context(), func(context.Context) error {
					calls++
					if time.Now().Before(up) {
						return errTransient
					}
					return nil
				}))
			}
			seen, p50, p90 := a.Outages()
			require.Equal(t, 300, seen, name)
			// The truth is 180 and 276 s; the median of 64 has a standard deviation of 15 s.
			require.InDelta(t, 180, p50.Seconds(), 75, name)
			require.InDelta(t, 276, p90.Seconds(), 110, name)
			require.Less(t, calls, 350, "%s: calls for 100 outages, the first attempts included", name)
		})
	}
}

func TestAdaptiveSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &retry.Adaptive{Start: retry.Constant(7 * time.Second), Min: 2 * time.Second, Max: 5 * time.Minute, Jitter: -1}
		outage := func(d time.Duration) {
			a.Delay(1, 0)
			<-time.After(2 * d) // the middle is at d
			token, err := a.Admit(t.Context())
			require.NoError(t, err)
			<-time.After(time.Hour) // the run of the attempt does not count
			a.Done(token, nil)
			<-time.After(time.Minute)
		}
		for range 4 {
			outage(time.Second)
		}
		require.Equal(t, 7*time.Second, a.Delay(1, 0), "not learned yet")
		token, _ := a.Admit(t.Context())
		a.Done(token, nil)
		seen, p50, p90 := a.Outages()
		require.Equal(t, 5, seen)
		require.Equal(t, time.Second, p50)
		require.Equal(t, time.Second, p90)

		require.Equal(t, 2*time.Second, a.Delay(1, 0), "not below Min")
		token, _ = a.Admit(t.Context())
		a.Done(token, nil)
		for range 32 {
			outage(40 * time.Second)
		}
		for range 32 {
			outage(90 * time.Second)
		}
		require.Equal(t, 40*time.Second, a.Delay(1, 0))
		require.Equal(t, 50*time.Second, a.Delay(2, 0))
		require.Equal(t, 50*time.Second, a.Delay(3, 0))
		token, _ = a.Admit(t.Context())
		a.Done(token, nil)
		for range 64 {
			outage(time.Hour)
		}
		require.Equal(t, 5*time.Minute, a.Delay(1, 0), "not above Max")
		require.Equal(t, 5*time.Minute, a.Delay(math.MaxInt, 0))
	})
}

// A success says something of an outage only if its attempt began during it, and it ends it once.
func TestAdaptiveIgnoresOldSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := new(retry.Adaptive)
		before, _ := a.Admit(t.Context())
		<-time.After(time.Second)
		a.Delay(1, 0)
		<-time.After(time.Second)
		a.Done(before, nil)
		seen, _, _ := a.Outages()
		require.Zero(t, seen, "it began before the outage")
		during, _ := a.Admit(t.Context())
		beside, _ := a.Admit(t.Context())
		a.Done(during, errTransient)
		seen, _, _ = a.Outages()
		require.Zero(t, seen)
		<-time.After(2 * time.Second)
		a.Delay(2, 0) // the last failure comes after the beginning of the attempt that will succeed
		a.Done(beside, nil)
		seen, p50, _ := a.Outages()
		require.Equal(t, 1, seen)
		require.Equal(t, time.Second, p50)
		<-time.After(time.Second)
		a.Delay(1, 0)
		a.Done(during, nil)
		seen, _, _ = a.Outages()
		require.Equal(t, 1, seen, "a token of the outage before")
	})
}

func TestAdaptiveInARunner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &retry.Adaptive{Start: retry.Constant(10 * time.Second), Jitter: -1}
		run := surefoot.Runner[int, int]{Retry: retry.Policy{Attempts: 9, Delays: a}, Attempt: []surefoot.Admitter{a}}
		for batch := range 5 {
			attempts := 0
			_, err := run.Do(t.Context(), batch, func(context.Context, int) (int, error) {
				<-time.After(time.Hour)
				if attempts++; attempts < 3 {
					return 0, errTransient
				}
				return 0, nil
			})
			require.NoError(t, err)
		}
		seen, p50, p90 := a.Outages()
		require.Equal(t, 5, seen)
		// The first failure, 10 s, an hour for the second, 5 s to the middle of the second delay.
		require.Equal(t, time.Hour+15*time.Second, p50)
		require.Equal(t, time.Hour+15*time.Second, p90)
	})
}

// A policy whose classes learn tells them too.
func TestAdaptiveInAClass(t *testing.T) {
	t.Parallel()
	a := &retry.Adaptive{Start: retry.Constant(0)}
	p := retry.Policy{Delays: retry.Constant(0), Classes: []retry.Class{{Match: func(err error) bool { return err == errTransient }, Delays: a}}}
	for _, failure := range []error{errTransient, fatalError{}, neutralError{}} {
		calls := 0
		_ = p.Do(t.Context(), func(context.Context) error {
			if calls++; calls < 2 {
				return failure
			}
			return nil
		})
	}
	seen, _, _ := a.Outages()
	require.Equal(t, 1, seen, "its own class alone")
}

func TestAdaptiveForAll(t *testing.T) {
	t.Parallel()
	a := &retry.Adaptive{Start: retry.Constant(0), Min: 1, Max: 2}
	p := retry.Policy{Delays: a}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range 100 {
				calls := 0
				_ = p.Do(t.Context(), func(context.Context) error {
					if calls++; calls <= i%4 {
						return errTransient
					}
					return nil
				})
			}
		})
	}
	wg.Wait()
	seen, p50, p90 := a.Outages()
	require.Positive(t, seen)
	require.LessOrEqual(t, p50, p90)
}
