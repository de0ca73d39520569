package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

// admitter is what a runner wants of an admission policy.
type admitter interface {
	Admit(ctx context.Context) (token uint64, err error)
	Done(token uint64, err error)
}

var _ admitter = (*breaker.Breaker)(nil)

var errFailed = errors.New("failed")

// verdict is an error that says itself whether it counts.
type verdict struct{ neutral bool }

func (v verdict) Error() string { return fmt.Sprintf("neutral: %v", v.neutral) }
func (v verdict) Neutral() bool { return v.neutral }

// exit ends the goroutine, out of line so that vet does not call what follows unreachable.
func exit() { runtime.Goexit() }

func newBreaker(t testing.TB, cfg breaker.Config) *breaker.Breaker {
	t.Helper()
	b, err := breaker.New(cfg)
	require.NoError(t, err)
	return b
}

// ends runs a step that returns err, and returns what Do returned.
func ends(b *breaker.Breaker, err error) error {
	return b.Do(context.Background(), func(context.Context) error { return err })
}

// halfOpen returns a breaker whose next step is a probe.
func halfOpen(t *testing.T, cfg breaker.Config) *breaker.Breaker {
	t.Helper()
	b := newBreaker(t, cfg)
	for b.State() == breaker.Closed {
		require.ErrorIs(t, ends(b, errFailed), errFailed)
	}
	<-time.After(or(cfg.Open, time.Minute))
	require.Equal(t, breaker.HalfOpen, b.State())
	return b
}

func or[T comparable](v, def T) T {
	if v == *new(T) {
		return def
	}
	return v
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg  breaker.Config
		want string
	}{
		{breaker.Config{FailureRate: -.1}, "breaker: FailureRate -0.1 is not between 0 and 1"},
		{breaker.Config{FailureRate: 1.1}, "breaker: FailureRate 1.1 is not between 0 and 1"},
		{breaker.Config{FailureRate: math.NaN()}, "breaker: FailureRate NaN is not between 0 and 1"},
		{breaker.Config{Window: -1}, "breaker: Window -1ns is not between 0 and 876000h0m0s"},
		{breaker.Config{Window: math.MaxInt64}, "breaker: Window 2562047h47m16.854775807s is not between 0 and 876000h0m0s"},
		{breaker.Config{Open: -time.Second}, "breaker: Open -1s is not between 0 and 876000h0m0s"},
		{breaker.Config{ProbeLimit: -time.Hour}, "breaker: ProbeLimit -1h0m0s is not between 0 and 876000h0m0s"},
		{breaker.Config{Name: "\xff"}, `breaker: Name "\xff" is not UTF-8`},
		{breaker.Config{SlowRate: math.Inf(1), SlowAfter: 1}, "breaker: SlowRate +Inf is not between 0 and 1"},
		{breaker.Config{SlowRate: .5}, "breaker: SlowRate 0.5 needs SlowAfter"},
		{breaker.Config{SlowAfter: -1}, "breaker: SlowAfter -1ns is not between 0 and 876000h0m0s"},
		{breaker.Config{Window: time.Hour, WindowSteps: 9}, "breaker: Window 1h0m0s and WindowSteps 9 are both set"},
		{breaker.Config{WindowSteps: 1<<20 + 1}, "breaker: WindowSteps 1048577 is above 1048576"},
		{breaker.Config{WindowSteps: 5, MinSteps: 6}, "breaker: MinSteps 6 is above WindowSteps 5"},
		{breaker.Config{OpenFactor: .5}, "breaker: OpenFactor 0.5 is not between 1 and 1e6"},
		{breaker.Config{OpenFactor: math.NaN()}, "breaker: OpenFactor NaN is not between 1 and 1e6"},
		{breaker.Config{OpenFactor: math.Inf(1)}, "breaker: OpenFactor +Inf is not between 1 and 1e6"},
		{breaker.Config{MaxOpen: time.Second}, "breaker: MaxOpen 1s is below Open 1m0s"},
		{breaker.Config{MaxOpen: time.Minute, Open: time.Hour}, "breaker: MaxOpen 1m0s is below Open 1h0m0s"},
		{breaker.Config{Jitter: 1.5}, "breaker: Jitter 1.5 is not between 0 and 1"},
	} {
		b, err := breaker.New(tt.cfg)
		require.EqualError(t, err, tt.want)
		require.Nil(t, b)
	}
	for _, cfg := range []breaker.Config{
		{}, {FailureRate: 1, Window: 1, Open: 1, ProbeLimit: 1},
		{FailureRate: 1, SlowRate: 1, SlowAfter: time.Hour, WindowSteps: 1, Jitter: 1, OpenFactor: 1e6, ProbeFailures: math.MaxUint32},
		{WindowSteps: 1 << 20, Probes: math.MaxUint32, ProbeSuccesses: math.MaxUint32},
		{FailureRate: 1e-9, Window: 100 * 365 * 24 * time.Hour, Open: 100 * 365 * 24 * time.Hour, Failures: math.MaxUint32},
	} {
		b := newBreaker(t, cfg)
		require.NoError(t, ends(b, nil))
		require.Equal(t, breaker.Closed, b.State())
	}
}

func TestZeroAndNil(t *testing.T) {
	t.Parallel()
	var zero breaker.Breaker
	require.Equal(t, breaker.Closed, zero.State())
	for range 5 {
		require.ErrorIs(t, ends(&zero, errFailed), errFailed)
	}
	require.ErrorIs(t, ends(&zero, nil), breaker.ErrOpen)
	require.Equal(t, breaker.Open, zero.State())

	var none *breaker.Breaker
	require.ErrorIs(t, ends(none, nil), breaker.ErrOpen)
	none.Done(1, nil)
	require.Equal(t, breaker.Open, none.State())
	require.Zero(t, none.Counts())
}

// The life of a breaker as rows of time, event and what is to be seen after it.
func TestLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{Failures: 3, Open: time.Minute, Probes: 2})
		start := time.Now()
		for i, row := range []struct {
			at    time.Duration // since the start
			ends  error         // how a step ends, if it is admitted
			admit bool
			state breaker.State // after it
		}{
			{0, errFailed, true, breaker.Closed},
			{1 * time.Second, errFailed, true, breaker.Closed},
			{2 * time.Second, nil, true, breaker.Closed}, // a success: failures are counted anew
			{1 * time.Hour, errFailed, true, breaker.Closed},
			{2 * time.Hour, errFailed, true, breaker.Closed},
			{3 * time.Hour, context.Canceled, true, breaker.Closed}, // neither ends the row nor lengthens it
			{4 * time.Hour, context.DeadlineExceeded, true, breaker.Open},
			{4*time.Hour + time.Second, nil, false, breaker.Open},
			{4*time.Hour + time.Minute - 1, nil, false, breaker.Open},
			{4*time.Hour + time.Minute, errFailed, true, breaker.Open}, // a probe
			{4*time.Hour + 2*time.Minute - 1, nil, false, breaker.Open},
			{4*time.Hour + 3*time.Minute, nil, true, breaker.HalfOpen}, // one of two
			{9 * time.Hour, verdict{true}, true, breaker.HalfOpen},
			{9 * time.Hour, nil, true, breaker.Closed},
			{9 * time.Hour, errFailed, true, breaker.Closed},
			{9 * time.Hour, errFailed, true, breaker.Closed},
			{9 * time.Hour, errFailed, true, breaker.Open},
		} {
			<-time.After(row.at - time.Since(start))
			ran := false
			err := b.Do(t.Context(), func(context.Context) error { ran = true; return row.ends })
			require.Equal(t, row.admit, ran, "row %d", i)
			if row.admit {
				require.Equal(t, row.ends, err, "row %d", i)
			} else {
				require.ErrorIs(t, err, breaker.ErrOpen, "row %d", i)
			}
			require.Equal(t, row.state, b.State(), "row %d", i)
		}
	})
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{Name: "loader", Failures: 1})
		_ = ends(b, errFailed)
		opened := time.Now()
		<-time.After(10 * time.Second)

		err := ends(b, nil)
		require.EqualError(t, err, `breaker: "loader" is open, next probe in 50s`)
		var open *breaker.OpenError
		require.ErrorAs(t, err, &open)
		require.Equal(t, breaker.OpenError{Name: "loader", State: breaker.Open, Until: opened.Add(time.Minute)}, *open)
		require.True(t, open.Neutral())
		require.Equal(t, breaker.Neutral, breaker.Classify(fmt.Errorf("inner: %w", err)))

		// A caller who waits exactly as long as told is admitted.
		<-time.After(open.RetryAfter())
		require.Zero(t, open.RetryAfter())
		token, err := b.Admit(t.Context())
		require.NoError(t, err)

		err = ends(b, nil)
		require.ErrorIs(t, err, breaker.ErrOpen)
		require.EqualError(t, err, `breaker: "loader" is half-open and its probes are under way`)
		require.ErrorAs(t, err, &open)
		require.Zero(t, open.RetryAfter())
		b.Done(token, nil)
		require.Equal(t, breaker.Closed, b.State())
		require.EqualError(t, &breaker.OpenError{State: breaker.Open}, "breaker is open")
	})
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, breaker.Config{})
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errFailed)
		err := b.Do(ctx, func(context.Context) error { panic("ran") })
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, errFailed)
		require.NoError(t, ends(b, nil), "the probe's place was free")
	})
}

// A probe whose end is never told, or that does not end, holds the breaker for a bounded time.
func TestProbeOverdue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var changes []breaker.Change
		b := halfOpen(t, breaker.Config{ProbeLimit: 10 * time.Minute, OnChange: func(c breaker.Change) { changes = append(changes, c) }})
		lost, err := b.Admit(t.Context())
		require.NoError(t, err)
		<-time.After(10*time.Minute - 1)
		require.ErrorIs(t, ends(b, nil), breaker.ErrOpen)
		require.Equal(t, breaker.HalfOpen, b.State())

		<-time.After(1)
		err = ends(b, nil)
		var open *breaker.OpenError
		require.ErrorAs(t, err, &open)
		require.Equal(t, time.Minute, open.RetryAfter())
		require.Equal(t, breaker.ProbeOverdue, changes[len(changes)-1].Reason)
		require.EqualValues(t, 1, changes[len(changes)-1].Counts.Failures)

		<-time.After(open.RetryAfter())
		b.Done(lost, errFailed) // at last: it counts nothing
		require.EqualValues(t, 1, b.Counts().Dropped)
		require.NoError(t, ends(b, nil))
		require.Equal(t, breaker.Closed, b.State())
	})
}

// A probe that is late but told before anybody asked is taken for what it is.
func TestLateProbeStillCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, breaker.Config{ProbeLimit: time.Minute})
		token, err := b.Admit(t.Context())
		require.NoError(t, err)
		<-time.After(time.Hour)
		b.Done(token, nil)
		require.Equal(t, breaker.Closed, b.State())
	})
}

func TestGoexitInProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, breaker.Config{})
		go func() {
			_ = b.Do(t.Context(), func(context.Context) error { exit(); return nil })
		}()
		synctest.Wait()
		require.Equal(t, breaker.Open, b.State(), "counted as a failure")
		<-time.After(time.Minute)
		require.NoError(t, ends(b, nil), "the place is free")
	})
}

func TestPanicInProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, onChange := range []func(breaker.Change){nil, func(breaker.Change) {}, func(breaker.Change) { panic("listener") }} {
			b := halfOpen(t, breaker.Config{OnChange: onChange})
			require.PanicsWithValue(t, "step", func() {
				_ = b.Do(t.Context(), func(context.Context) error { panic("step") })
			})
			require.Equal(t, breaker.Open, b.State(), "counted as a failure")
			<-time.After(time.Minute)
			require.NoError(t, ends(b, nil), "the place is free")
		}
	})
}

// The caller's cancellation opens nothing, closes nothing, and frees the place of a probe.
func TestCancellationIsNeutral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{Failures: 1})
		for range 6 {
			require.ErrorIs(t, ends(b, context.Canceled), context.Canceled)
		}
		require.Equal(t, breaker.Closed, b.State())
		require.EqualValues(t, 6, b.Counts().Neutral)

		b = halfOpen(t, breaker.Config{})
		for range 3 {
			require.ErrorIs(t, ends(b, context.Canceled), context.Canceled)
			require.Equal(t, breaker.HalfOpen, b.State())
		}
		require.NoError(t, ends(b, nil))
		require.Equal(t, breaker.Closed, b.State())
	})
}

func TestTokenCountsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{Failures: 2})
		token, err := b.Admit(t.Context())
		require.NoError(t, err)
		for range 3 {
			b.Done(token, errFailed)
		}
		require.Equal(t, breaker.Counts{Failures: 1, ConsecutiveFailures: 1, Dropped: 2}, b.Counts())
		for _, unknown := range []uint64{0, 1, 7 << 16, math.MaxUint64, token + 1, token + 1<<16} {
			b.Done(unknown, errFailed)
		}
		require.Equal(t, breaker.Counts{Failures: 1, ConsecutiveFailures: 1, Dropped: 8}, b.Counts())

		b = halfOpen(t, breaker.Config{Probes: 3})
		token, err = b.Admit(t.Context())
		require.NoError(t, err)
		for range 3 {
			b.Done(token, nil)
		}
		require.Equal(t, breaker.HalfOpen, b.State(), "one success, told three times, is not three")
		require.Equal(t, breaker.Counts{Successes: 1, Dropped: 2}, b.Counts())
	})
}

// What began in an older state does not decide in a newer one, and is seen in the counts.
func TestLateResults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(t, breaker.Config{Failures: 1})
		var late []uint64
		for range 4 {
			token, err := b.Admit(t.Context())
			require.NoError(t, err)
			late = append(late, token)
		}
		_ = ends(b, errFailed)
		b.Done(late[0], nil)
		require.Equal(t, breaker.Open, b.State())
		<-time.After(time.Minute)
		probe, err := b.Admit(t.Context())
		require.NoError(t, err)
		b.Done(late[1], nil)
		b.Done(late[2], errFailed)
		require.Equal(t, breaker.HalfOpen, b.State())
		b.Done(probe, nil)
		b.Done(late[3], errFailed)
		require.Equal(t, breaker.Closed, b.State())
		require.Equal(t, breaker.Counts{Dropped: 4}, b.Counts())
	})
}

func TestProbesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const probes = 3
		b := halfOpen(t, breaker.Config{Probes: probes})
		var (
			admitted, refused atomic.Int64
			end               = make(chan struct{})
		)
		for range 50 {
			go func() {
				err := b.Do(context.Background(), func(context.Context) error {
					admitted.Add(1)
					<-end
					return nil
				})
				if errors.Is(err, breaker.ErrOpen) {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()
		require.EqualValues(t, probes, admitted.Load())
		require.EqualValues(t, 50-probes, refused.Load())
		require.EqualValues(t, 50-probes, b.Counts().Refused)
		close(end)
		synctest.Wait()
		require.Equal(t, breaker.Closed, b.State())
	})
}

// With three probes, one success does not close, and one failure opens.
func TestProbesSucceed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t, breaker.Config{Probes: 3})
		require.NoError(t, ends(b, nil))
		require.NoError(t, ends(b, nil))
		require.Equal(t, breaker.HalfOpen, b.State())
		require.ErrorIs(t, ends(b, errFailed), errFailed)
		require.Equal(t, breaker.Open, b.State())
		<-time.After(time.Minute)
		for range 3 {
			require.Equal(t, breaker.HalfOpen, b.State())
			require.NoError(t, ends(b, nil))
		}
		require.Equal(t, breaker.Closed, b.State())
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var changes, same atomic.Int64
	b := newBreaker(t, breaker.Config{Failures: 2, FailureRate: .5, Open: time.Nanosecond, Probes: 2, OnChange: func(c breaker.Change) {
		if c.From != c.To {
			changes.Add(1)
		} else {
			same.Add(1)
		}
	}})
	var wg sync.WaitGroup
	var ran, refused atomic.Uint64
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				result := []error{nil, errFailed, context.Canceled}[(g+i)%3]
				err := b.Do(context.Background(), func(context.Context) error { ran.Add(1); return result })
				if errors.Is(err, breaker.ErrOpen) {
					refused.Add(1)
				}
				_, _ = b.State(), b.Counts()
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 16000, ran.Load()+refused.Load())
	require.Equal(t, refused.Load(), b.Counts().Refused)
	require.Positive(t, changes.Load())
	require.Zero(t, same.Load())
}
