package breaker_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

func TestListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			b       *breaker.Breaker
			changes []breaker.Change
		)
		start := time.Now()
		b = newBreaker(t, breaker.Config{Name: "gpu", Failures: 2, Probes: 2, OnChange: func(c breaker.Change) {
			changes = append(changes, c)
			require.Equal(t, c.To, b.State())
			require.Zero(t, b.Counts().Failures)
			if c.To == breaker.Open {
				require.ErrorIs(t, ends(b, nil), breaker.ErrOpen) // a whole step from within
			}
			panic("a listener's panic")
		}})
		require.NoError(t, ends(b, nil))
		require.Equal(t, errFailed, ends(b, errFailed))
		require.Equal(t, errFailed, ends(b, errFailed), "the listener's panic is not the step's outcome")
		<-time.After(time.Hour)
		require.Equal(t, breaker.HalfOpen, b.State())
		require.Len(t, changes, 1, "reading the state changes nothing")
		require.NoError(t, ends(b, nil))
		require.Equal(t, errFailed, ends(b, errFailed))
		<-time.After(time.Minute)
		require.NoError(t, ends(b, nil))
		require.NoError(t, ends(b, nil))

		h := time.Hour
		for i, want := range []breaker.Change{
			{"gpu", breaker.Closed, breaker.Open, breaker.FailuresReached, breaker.Counts{Successes: 1, Failures: 2, ConsecutiveFailures: 2}, start},
			{"gpu", breaker.Open, breaker.HalfOpen, breaker.OpenPeriodOver, breaker.Counts{Refused: 1}, start.Add(h)},
			{"gpu", breaker.HalfOpen, breaker.Open, breaker.ProbeFailed, breaker.Counts{Successes: 1, Failures: 1, Refused: 1}, start.Add(h)},
			{"gpu", breaker.Open, breaker.HalfOpen, breaker.OpenPeriodOver, breaker.Counts{Refused: 2}, start.Add(h + time.Minute)},
			{"gpu", breaker.HalfOpen, breaker.Closed, breaker.ProbesSucceeded, breaker.Counts{Successes: 2, Refused: 2}, start.Add(h + time.Minute)},
		} {
			require.Equal(t, want, changes[i], "change %d", i)
		}
		require.Len(t, changes, 5)
	})
}

// While one goroutine tells the listener, others run on, and their changes are told after, in order.
func TestSlowListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			told  []breaker.State
			gate  = make(chan struct{})
			first sync.Once
		)
		b := newBreaker(t, breaker.Config{Failures: 1, OnChange: func(c breaker.Change) {
			first.Do(func() { <-gate })
			told = append(told, c.To)
		}})
		go func() { _ = ends(b, errFailed) }()
		synctest.Wait()
		<-time.After(time.Minute)
		require.NoError(t, ends(b, nil))
		require.Equal(t, breaker.Closed, b.State())
		require.Empty(t, told)
		close(gate)
		synctest.Wait()
		require.Equal(t, []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Closed}, told)
	})
}

// A listener that ends its goroutine takes nobody else's news with it, nor the lock.
func TestGoexitInListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []breaker.State
		b := newBreaker(t, breaker.Config{Failures: 1, OnChange: func(c breaker.Change) {
			told = append(told, c.To)
			if c.To == breaker.Open {
				exit()
			}
		}})
		go func() { _ = ends(b, errFailed) }()
		synctest.Wait()
		<-time.After(time.Minute)
		require.NoError(t, ends(b, nil))
		require.Equal(t, []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Closed}, told)
	})
}
