package breaker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

// What a hand does, and what a step that ends in errFailed then finds, as rows.
func TestByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var changes []breaker.Change
		b := newBreaker(t, breaker.Config{Failures: 1, Open: time.Minute, OnChange: func(c breaker.Change) { changes = append(changes, c) }})
		nothing := func() {}
		for i, row := range []struct {
			wait   time.Duration
			hand   func()
			before breaker.State // after the hand
			admit  bool          // a step, which fails
			after  breaker.State
		}{
			{0, b.Resume, breaker.Closed, true, breaker.Open},
			{0, b.Resume, breaker.Open, false, breaker.Open},
			{0, b.Isolate, breaker.Isolated, false, breaker.Isolated},
			{time.Hour, b.Isolate, breaker.Isolated, false, breaker.Isolated},
			{0, b.Resume, breaker.HalfOpen, true, breaker.Open}, // a probe
			{0, b.ForceClosed, breaker.ForcedClosed, true, breaker.ForcedClosed},
			{0, nothing, breaker.ForcedClosed, true, breaker.ForcedClosed},
			{0, b.Resume, breaker.Closed, true, breaker.Open},
			{0, b.Disable, breaker.Disabled, true, breaker.Disabled},
			{0, b.Disable, breaker.Disabled, true, breaker.Disabled},
			{0, b.Isolate, breaker.Isolated, false, breaker.Isolated},
			{0, b.ForceClosed, breaker.ForcedClosed, true, breaker.ForcedClosed},
			{0, b.Disable, breaker.Disabled, true, breaker.Disabled},
			{0, b.Resume, breaker.Closed, true, breaker.Open},
			{0, b.Reset, breaker.Closed, true, breaker.Open},
			{0, b.Isolate, breaker.Isolated, false, breaker.Isolated},
			{0, b.Reset, breaker.Closed, true, breaker.Open},
			{time.Minute, b.Resume, breaker.HalfOpen, true, breaker.Open},
			{time.Minute, b.Reset, breaker.Closed, true, breaker.Open},
		} {
			<-time.After(row.wait)
			row.hand()
			require.Equal(t, row.before, b.State(), "row %d", i)
			err := ends(b, errFailed)
			if row.admit {
				require.Equal(t, errFailed, err, "row %d", i)
			} else {
				require.ErrorIs(t, err, breaker.ErrOpen, "row %d", i)
			}
			require.Equal(t, row.after, b.State(), "row %d", i)
		}
		for _, c := range changes {
			require.NotEqual(t, c.From, c.To)
			byHand := c.To >= breaker.Isolated || c.From >= breaker.Isolated || c.To == breaker.Closed
			require.Equal(t, byHand, c.Reason == breaker.ByHand, "%+v", c)
		}
	})
}

// An isolated breaker says so, and that nobody knows until when.
func TestIsolatedError(t *testing.T) {
	t.Parallel()
	b := newBreaker(t, breaker.Config{Name: "disk"})
	b.Isolate()
	_, err := b.Admit(t.Context())
	require.EqualError(t, err, `breaker: "disk" is isolated`)
	var open *breaker.OpenError
	require.ErrorAs(t, err, &open)
	require.Equal(t, breaker.OpenError{Name: "disk", State: breaker.Isolated}, *open)
	require.Zero(t, open.RetryAfter())
}

// A forced closed breaker counts as a closed one does; a disabled one counts nothing, late results included.
func TestForcedClosedCounts(t *testing.T) {
	t.Parallel()
	b := newBreaker(t, breaker.Config{Failures: 2, FailureRate: .1, MinSteps: 1, WindowSteps: 4})
	b.ForceClosed()
	for range 7 {
		require.Equal(t, errFailed, ends(b, errFailed))
	}
	require.NoError(t, ends(b, nil))
	require.Equal(t, errFailed, ends(b, errFailed))
	require.Equal(t, breaker.Counts{Successes: 1, Failures: 3, ConsecutiveFailures: 1}, b.Counts())

	late, err := b.Admit(t.Context())
	require.NoError(t, err)
	b.Disable()
	b.Done(late, errFailed)
	require.Equal(t, breaker.Counts{Dropped: 1}, b.Counts())
	free, err := b.Admit(t.Context())
	require.NoError(t, err)
	for range 7 {
		require.Equal(t, errFailed, ends(b, errFailed))
	}
	require.Panics(t, func() { _ = b.Do(t.Context(), func(context.Context) error { panic("step") }) })
	require.Equal(t, breaker.Counts{Dropped: 1}, b.Counts())
	b.Resume()
	b.Done(free, errFailed)
	b.Done(free, errFailed)
	require.Equal(t, breaker.Closed, b.State())
	require.Equal(t, breaker.Counts{Dropped: 1}, b.Counts())
}

// Results of steps admitted before a hand moved count nothing after.
func TestLateResultsByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{Failures: 1, Probes: 2})
		admit := func() uint64 {
			token, err := b.Admit(t.Context())
			require.NoError(t, err)
			return token
		}
		closed := admit()
		b.Reset() // from closed to closed, and yet anew
		b.Done(closed, errFailed)
		require.Equal(t, breaker.Closed, b.State())
		require.Equal(t, breaker.Counts{Dropped: 1}, b.Counts())

		b.Isolate()
		b.Resume()
		probe := admit()
		b.Isolate()
		b.Done(probe, errFailed)
		require.Equal(t, breaker.Isolated, b.State())
		b.Resume()
		first := admit()
		b.Done(probe, errFailed)
		require.Equal(t, breaker.HalfOpen, b.State())
		second := admit()
		b.Reset()
		b.Done(first, nil)
		b.Done(second, errFailed)
		require.Equal(t, breaker.Closed, b.State())
		require.Equal(t, breaker.Counts{Dropped: 5}, b.Counts())
	})
}

// The listener of a change by hand may use hands.
func TestByHandFromListener(t *testing.T) {
	t.Parallel()
	var b *breaker.Breaker
	var reasons []breaker.Reason
	b = newBreaker(t, breaker.Config{Failures: 1, OnChange: func(c breaker.Change) {
		reasons = append(reasons, c.Reason)
		if c.Reason == breaker.FailuresReached {
			b.Isolate()
			b.Reset()
		}
	}})
	require.Equal(t, errFailed, ends(b, errFailed))
	require.Equal(t, breaker.Closed, b.State())
	require.Equal(t, []breaker.Reason{breaker.FailuresReached, breaker.ByHand, breaker.ByHand}, reasons)
}

// The counts told are those in the window at that time, though nobody asked for a while.
func TestByHandCountsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var last breaker.Change
		b := newBreaker(t, breaker.Config{Window: time.Minute, OnChange: func(c breaker.Change) { last = c }})
		for name, hand := range map[string]func(){
			"Isolate": b.Isolate,
			"Reset":   b.Reset, // of a forced closed breaker
			"Restore": func() { require.NoError(t, b.Restore(breaker.Snapshot{State: breaker.Disabled})) },
		} {
			for _, tt := range []struct {
				wait time.Duration
				want uint64
			}{{59 * time.Second, 1}, {time.Minute, 0}} {
				b.Reset()
				if name == "Reset" {
					b.ForceClosed()
				}
				require.NoError(t, ends(b, nil))
				<-time.After(tt.wait)
				hand()
				require.Equal(t, tt.want, last.Counts.Successes, "%s after %v", name, tt.wait)
			}
		}
	})
}

// A reset, and only closing, makes the next open period the first one again.
func TestResetEndsGrowth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		period := func(b *breaker.Breaker) time.Duration {
			err := ends(b, nil)
			var open *breaker.OpenError
			require.True(t, errors.As(err, &open))
			return open.RetryAfter()
		}
		b := halfOpen(t, breaker.Config{Failures: 1, OpenFactor: 2})
		_ = ends(b, errFailed)
		require.Equal(t, 2*time.Minute, period(b))
		require.EqualValues(t, 1, b.Snapshot().Reopened)
		b.Isolate()
		b.Resume()
		_ = ends(b, errFailed)
		require.Equal(t, 4*time.Minute, period(b))
		b.Reset()
		require.Zero(t, b.Snapshot().Reopened)
		_ = ends(b, errFailed)
		require.Equal(t, time.Minute, period(b))
	})
}

func TestByHandZeroAndNil(t *testing.T) {
	t.Parallel()
	var none *breaker.Breaker
	for _, hand := range []func(){none.Isolate, none.ForceClosed, none.Disable, none.Resume, none.Reset} {
		hand()
	}
	require.Equal(t, breaker.Open, none.State())
	require.Equal(t, breaker.Open, none.Snapshot().State)
	require.Error(t, none.Restore(breaker.Snapshot{}))
	var zero breaker.Breaker
	zero.Isolate()
	require.Equal(t, breaker.Isolated, zero.State())
	zero.Reset()
	require.NoError(t, ends(&zero, nil))
}
