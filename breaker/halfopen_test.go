package breaker_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

// Probes at once and successes wanted are two numbers.
func TestProbesAndSuccesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			probes, successes uint32
		}{{1, 3}, {2, 5}, {3, 1}, {3, 3}} {
			b := halfOpen(t, breaker.Config{Probes: tt.probes, ProbeSuccesses: tt.successes})
			for done := uint32(0); done < tt.successes; {
				require.Equal(t, breaker.HalfOpen, b.State())
				var running []uint64
				for {
					token, err := b.Admit(t.Context())
					if err != nil {
						require.ErrorIs(t, err, breaker.ErrOpen)
						break
					}
					running = append(running, token)
				}
				if tt.successes >= tt.probes {
					require.Len(t, running, int(min(tt.probes, tt.successes-done)), "%+v, %d done", tt, done)
				} else {
					require.Len(t, running, int(tt.probes))
				}
				for _, token := range running {
					b.Done(token, nil)
					done++
				}
			}
			require.Equal(t, breaker.Closed, b.State(), "%+v", tt)
		}
	})
}

// Every series of ten probes closes the breaker exactly if at most 3 of 10 fail, as soon as that is certain.
func TestProbesByRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for series := range 1 << 10 {
			b := halfOpen(t, breaker.Config{Failures: 1, ProbeSuccesses: 7, ProbeFailures: 3})
			good, bad := 0, 0
			for i := 0; good < 7 && bad <= 3; i++ {
				require.Equal(t, breaker.HalfOpen, b.State())
				if series>>i&1 == 0 {
					good++
					require.NoError(t, ends(b, nil))
				} else {
					bad++
					require.Equal(t, errFailed, ends(b, errFailed))
				}
			}
			require.LessOrEqual(t, good+bad, 10)
			want := breaker.Open
			if good == 7 {
				want = breaker.Closed
			}
			require.Equal(t, want, b.State(), "%010b", series)
		}
	})
}

// Each overdue probe is one failure, and several fall due at once.
func TestProbesOverdue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var last breaker.Change
		b := halfOpen(t, breaker.Config{
			Probes: 3, ProbeSuccesses: 2, ProbeFailures: 1, ProbeLimit: time.Minute,
			OnChange: func(c breaker.Change) { last = c },
		})
		lost, err := b.Admit(t.Context())
		require.NoError(t, err)
		<-time.After(time.Minute)
		require.NoError(t, ends(b, nil), "one may fail")
		require.Equal(t, breaker.HalfOpen, b.State())
		require.Equal(t, breaker.Counts{Successes: 1, Failures: 1}, countsWithoutRefused(b))
		b.Done(lost, nil)
		require.EqualValues(t, 1, b.Counts().Dropped)

		_, err = b.Admit(t.Context())
		require.NoError(t, err)
		<-time.After(time.Minute)
		require.ErrorIs(t, ends(b, nil), breaker.ErrOpen)
		require.Equal(t, breaker.ProbeOverdue, last.Reason)
		require.EqualValues(t, 2, last.Counts.Failures)

		b = halfOpen(t, breaker.Config{Probes: 3, ProbeFailures: 1, ProbeLimit: time.Minute})
		for range 3 {
			_, err = b.Admit(t.Context())
			require.NoError(t, err)
		}
		<-time.After(time.Minute)
		require.ErrorIs(t, ends(b, nil), breaker.ErrOpen)
		require.Equal(t, breaker.Open, b.State())
	})
}

// Half-open lasts as long as the probes need, or as long as it may.
func TestLongestHalfOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var last breaker.Change
		cfg := breaker.Config{
			Open: time.Minute, OpenFactor: 2, ProbeSuccesses: 3, MaxHalfOpen: 10 * time.Minute,
			OnChange: func(c breaker.Change) { last = c },
		}
		b := halfOpen(t, cfg)
		start := time.Now()
		for _, row := range []struct {
			at    time.Duration // since half-open began
			state breaker.State // after a step that succeeds, if it is admitted
		}{
			{0, breaker.HalfOpen},
			{5 * time.Minute, breaker.HalfOpen},
			{10 * time.Minute, breaker.Open}, // one success was wanting
			{12*time.Minute - 1, breaker.Open},
			{12 * time.Minute, breaker.HalfOpen}, // anew
			{22*time.Minute - 2, breaker.HalfOpen},
			{22*time.Minute - 1, breaker.Closed},
		} {
			<-time.After(row.at - time.Since(start))
			err := ends(b, nil)
			require.Equal(t, row.state == breaker.Open, err != nil, row.at)
			require.Equal(t, row.state, b.State(), row.at)
			if row.at == 10*time.Minute {
				var open *breaker.OpenError
				require.ErrorAs(t, err, &open)
				require.Equal(t, 2*time.Minute, open.RetryAfter(), "the next period, which is longer")
				require.Equal(t, breaker.HalfOpenOver, last.Reason)
				require.Equal(t, "half-open period over", last.Reason.String())
				require.EqualValues(t, 2, last.Counts.Successes)
			}
		}

		b = halfOpen(t, cfg)
		late, err := b.Admit(t.Context())
		require.NoError(t, err)
		<-time.After(24 * time.Hour)
		require.Equal(t, breaker.HalfOpen, b.State(), "looking changes nothing")
		b.Isolate()
		b.Resume()
		require.NoError(t, ends(b, nil), "it began anew")
		b.Done(late, errFailed)
		require.EqualValues(t, 1, b.Counts().Dropped)

		b = halfOpen(t, breaker.Config{ProbeSuccesses: 2})
		for range 2 {
			<-time.After(100 * 24 * time.Hour)
			require.NoError(t, ends(b, nil), "no limit by default")
		}
		require.Equal(t, breaker.Closed, b.State())
	})
}

func countsWithoutRefused(b *breaker.Breaker) breaker.Counts {
	c := b.Counts()
	c.Refused = 0
	return c
}

// The open period grows with each probing that failed, to its cap, and begins anew when the breaker has closed.
func TestOpenPeriodGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{Failures: 1, Open: 10 * time.Second, OpenFactor: 3, MaxOpen: 4 * time.Minute})
		start := time.Now()
		for i, row := range []struct {
			at    time.Duration // since the start
			ends  error
			admit bool
			until time.Duration // of the open state after it, since the start
		}{
			{0, errFailed, true, 10 * time.Second},
			{10*time.Second - 1, nil, false, 10 * time.Second},
			{10 * time.Second, errFailed, true, 40 * time.Second},
			{40*time.Second - 1, nil, false, 40 * time.Second},
			{40 * time.Second, errFailed, true, 130 * time.Second},
			{200 * time.Second, errFailed, true, 440 * time.Second}, // 4 minutes, not 4.5
			{440 * time.Second, errFailed, true, 680 * time.Second},
			{680 * time.Second, nil, true, 0},
			{700 * time.Second, errFailed, true, 710 * time.Second},
			{710 * time.Second, errFailed, true, 740 * time.Second},
		} {
			<-time.After(row.at - time.Since(start))
			err := ends(b, row.ends)
			if !row.admit {
				require.ErrorIs(t, err, breaker.ErrOpen, "row %d", i)
			} else {
				require.Equal(t, row.ends, err, "row %d", i)
			}
			if s := b.Snapshot(); row.until == 0 {
				require.Equal(t, breaker.Closed, s.State, "row %d", i)
				require.Zero(t, s.Until)
			} else {
				require.Equal(t, breaker.Open, s.State, "row %d", i)
				require.Equal(t, start.Add(row.until), s.Until, "row %d", i)
			}
		}
	})
}

// Without MaxOpen a period grows to an hour, or not at all if it is longer.
func TestOpenPeriodDefaultCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct{ open, longest time.Duration }{{time.Minute, time.Hour}, {2 * time.Hour, 2 * time.Hour}} {
			b := halfOpen(t, breaker.Config{Open: tt.open, OpenFactor: 100})
			_ = ends(b, errFailed)
			require.Equal(t, tt.longest, time.Until(b.Snapshot().Until))
		}
	})
}

// The growth does not overflow, however often probes fail.
func TestOpenPeriodNeverOverflows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const cap = 100 * 365 * 24 * time.Hour
		b := newBreaker(t, breaker.Config{Failures: 1, Open: 1, OpenFactor: 1e6, MaxOpen: cap})
		require.NoError(t, b.Restore(breaker.Snapshot{State: breaker.HalfOpen, Reopened: 1 << 53}))
		require.Equal(t, errFailed, ends(b, errFailed))
		require.Equal(t, time.Now().Add(cap), b.Snapshot().Until)
		require.Greater(t, math.Pow(1e6, 1<<53), math.MaxFloat64)
	})
}

// Jitter only shortens, by at most its part, and differs.
func TestOpenPeriodJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seen := map[time.Duration]bool{}
		var sum time.Duration
		for range 1000 {
			b := newBreaker(t, breaker.Config{Failures: 1, Open: 10 * time.Second, Jitter: .4})
			_ = ends(b, errFailed)
			period := time.Until(b.Snapshot().Until)
			require.LessOrEqual(t, period, 10*time.Second)
			require.GreaterOrEqual(t, period, 6*time.Second)
			seen[period] = true
			sum += period
		}
		require.Greater(t, len(seen), 900)
		// Uniform on 4 s: the mean of 1000 has a deviation of 4 s / √12 / √1000 = 37 ms.
		require.InDelta(t, 8, (sum / 1000).Seconds(), 6*.037)
	})
}
