package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

// 90 successes, the edge of a window, 10 failures: ten of a hundred is not half.
func TestRateAcrossWindows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var last breaker.Change
		b := newBreaker(t, breaker.Config{FailureRate: .5, Window: time.Minute, OnChange: func(c breaker.Change) { last = c }})
		<-time.After(50 * time.Second)
		for range 90 {
			require.NoError(t, ends(b, nil))
		}
		<-time.After(11 * time.Second)
		for range 10 {
			require.ErrorIs(t, ends(b, errFailed), errFailed)
		}
		require.Equal(t, breaker.Closed, b.State())
		require.Equal(t, breaker.Counts{Successes: 90, Failures: 10, ConsecutiveFailures: 10}, b.Counts())

		<-time.After(time.Minute) // all is forgotten, also when nobody calls
		require.Equal(t, breaker.Counts{ConsecutiveFailures: 10}, b.Counts())
		for range 9 {
			require.ErrorIs(t, ends(b, errFailed), errFailed)
		}
		require.Equal(t, breaker.Closed, b.State(), "fewer than MinSteps")
		require.ErrorIs(t, ends(b, errFailed), errFailed)
		require.Equal(t, breaker.Open, b.State())
		require.Equal(t, breaker.FailureRateReached, last.Reason)
		require.Equal(t, breaker.Counts{Failures: 10, ConsecutiveFailures: 20}, last.Counts)
	})
}

// A rate is reached when it is met exactly, also where floating point is not exact.
func TestRateMetExactly(t *testing.T) {
	t.Parallel()
	for percent := 1; percent <= 100; percent++ {
		b := newBreaker(t, breaker.Config{FailureRate: float64(percent) / 100, MinSteps: 100})
		for range 100 - percent {
			_ = ends(b, nil)
		}
		for range percent {
			require.Equal(t, breaker.Closed, b.State())
			_ = ends(b, errFailed)
		}
		require.Equal(t, breaker.Open, b.State(), "%d%%", percent)
	}
}

// Steps that take longer than the window count all the same: their result belongs to the time when it came.
func TestStepsLongerThanWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		long := func(b *breaker.Breaker, err error) {
			token, refused := b.Admit(t.Context())
			require.NoError(t, refused)
			<-time.After(2 * time.Hour)
			b.Done(token, err)
		}
		b := newBreaker(t, breaker.Config{FailureRate: 1, MinSteps: 1, Window: time.Minute})
		long(b, errFailed)
		require.Equal(t, breaker.Open, b.State())

		b = newBreaker(t, breaker.Config{Failures: 3, FailureRate: 1, Window: time.Minute})
		long(b, errFailed)
		long(b, errFailed)
		require.Equal(t, breaker.Closed, b.State())
		require.EqualValues(t, 1, b.Counts().Failures, "the window holds one")
		long(b, errFailed)
		require.Equal(t, breaker.Open, b.State(), "a row is a row, whatever the window")
	})
}

// A window in steps holds exactly the last results, whenever they came.
func TestWindowInSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var last breaker.Change
		b := newBreaker(t, breaker.Config{FailureRate: .5, WindowSteps: 6, MinSteps: 4, OnChange: func(c breaker.Change) { last = c }})
		for i, row := range []struct {
			takes               time.Duration
			ends                error
			successes, failures uint64 // in the window, after it
			state               breaker.State
		}{
			{time.Hour, errFailed, 0, 1, breaker.Closed},
			{time.Hour, errFailed, 0, 2, breaker.Closed},
			{time.Hour, nil, 1, 2, breaker.Closed},
			{time.Hour, nil, 2, 2, breaker.Closed}, // half of 4, but a success opens nothing
			{time.Hour, nil, 3, 2, breaker.Closed},
			{time.Hour, nil, 4, 2, breaker.Closed},
			{9 * time.Hour, verdict{true}, 4, 2, breaker.Closed},
			{time.Hour, nil, 5, 1, breaker.Closed}, // the first is forgotten
			{time.Hour, nil, 6, 0, breaker.Closed},
			{time.Hour, errFailed, 5, 1, breaker.Closed},
			{time.Hour, errFailed, 4, 2, breaker.Closed},
			{time.Second, errFailed, 0, 0, breaker.Open},
		} {
			require.Equal(t, row.ends, takes(b, row.takes, row.ends), "row %d", i)
			require.Equal(t, row.state, b.State(), "row %d", i)
			c := b.Counts()
			require.Equal(t, [2]uint64{row.successes, row.failures}, [2]uint64{c.Successes, c.Failures}, "row %d", i)
		}
		require.Equal(t, breaker.FailureRateReached, last.Reason)
		require.Equal(t, breaker.Counts{Successes: 3, Failures: 3, Neutral: 1, ConsecutiveFailures: 3}, last.Counts)
	})
}

// A window of less than ten nanoseconds has parts all the same.
func TestShortestWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{Failures: 9, Window: 1})
		_ = ends(b, errFailed)
		<-time.After(9)
		require.EqualValues(t, 1, b.Counts().Failures)
		<-time.After(1)
		require.Zero(t, b.Counts().Failures)
	})
}

// Without MinSteps, a window of fewer than ten steps makes a rate once it is full.
func TestShortWindowInSteps(t *testing.T) {
	t.Parallel()
	b := newBreaker(t, breaker.Config{FailureRate: 1, WindowSteps: 3})
	for range 3 {
		require.Equal(t, breaker.Closed, b.State())
		_ = ends(b, errFailed)
	}
	require.Equal(t, breaker.Open, b.State())
}
