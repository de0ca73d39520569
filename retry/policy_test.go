package retry_test

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

// What a Runner asks of its retrier and its watcher.
var (
	_ interface {
		Next(attempt int, prev time.Duration, err error) (delay time.Duration, again bool)
	} = retry.Policy{}
	_ interface {
		Watch(ctx context.Context) (watched context.Context, token uint64)
		Release(token uint64, err error) error
	} = (*retry.Deadline)(nil)
)

var errTransient = errors.New("transient")

// busyError says when to come back.
type busyError time.Duration

func (busyError) Error() string               { return "busy" }
func (e busyError) RetryAfter() time.Duration { return time.Duration(e) }

// fatalError is permanent by its method alone, as another package's would be.
type fatalError struct{}

func (fatalError) Error() string   { return "fatal" }
func (fatalError) Permanent() bool { return true }

func TestNext(t *testing.T) {
	t.Parallel()
	fixed := retry.Policy{Attempts: 4, Delays: retry.Constant(time.Second)}
	for _, tt := range []struct {
		name    string
		policy  retry.Policy
		attempt int
		err     error
		delay   time.Duration
		again   bool
	}{
		{"first", fixed, 1, errTransient, time.Second, true},
		{"last but one", fixed, 3, errTransient, time.Second, true},
		{"last", fixed, 4, errTransient, 0, false},
		{"beyond", fixed, math.MaxInt32, errTransient, 0, false},
		{"default attempts", retry.Policy{Delays: retry.Constant(1)}, 2, errTransient, 1, true},
		{"default attempts used up", retry.Policy{}, 3, errTransient, 0, false},
		{"one attempt", retry.Policy{Attempts: 1}, 1, errTransient, 0, false},
		{"success", fixed, 1, nil, 0, false},
		{"permanent", fixed, 1, retry.Permanent(errTransient), 0, false},
		{"permanent by behaviour", fixed, 1, errors.Join(errTransient, fatalError{}), 0, false},
		{"cancelled", fixed, 1, context.Canceled, 0, false},
		{"deadline of something inside", fixed, 1, context.DeadlineExceeded, time.Second, true},
		{"overran, and says so as a cancellation", fixed, 1, errors.Join(&retry.OverranError{}, context.Canceled), time.Second, true},
		{"comes back later", fixed, 1, busyError(time.Hour), time.Hour, true},
		{"comes back sooner than the delay", fixed, 1, busyError(time.Millisecond), time.Second, true},
		{"negative delay", retry.Policy{Delays: retry.Constant(-5)}, 1, errTransient, 0, true},
		{"own classification", retry.Policy{Retryable: func(err error) bool { return err == io.EOF }}, 1, errTransient, 0, false},
		{"permanent whatever the classification", retry.Policy{Retryable: func(error) bool { return true }}, 1, fatalError{}, 0, false},
	} {
		delay, again := tt.policy.Next(tt.attempt, 0, tt.err)
		require.Equal(t, tt.again, again, tt.name)
		require.Equal(t, tt.delay, delay, tt.name)
	}
}

func TestDoCountsAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		start := time.Now()
		err := retry.Policy{Attempts: 3, Delays: retry.Constant(time.Second)}.Do(t.Context(), func(context.Context) error {
			calls++
			return errTransient
		})
		require.Equal(t, 3, calls)
		require.Equal(t, 2*time.Second, time.Since(start), "no delay after the last attempt")
		var gaveUp *retry.GaveUpError
		require.ErrorAs(t, err, &gaveUp)
		require.Equal(t, 3, gaveUp.Attempts)
		require.ErrorIs(t, err, errTransient)
		require.EqualError(t, err, "retry: failed after 3 attempts: transient")
	})
}

// A first attempt of hours is retried like any other: there is no limit on the total time.
func TestLongAttemptIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		require.NoError(t, retry.Policy{}.Do(t.Context(), func(context.Context) error {
			calls++
			<-time.After(16 * time.Hour)
			if calls == 1 {
				return errTransient
			}
			return nil
		}))
		require.Equal(t, 2, calls)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		calls := 0
		require.NoError(t, retry.Policy{}.Do(t.Context(), func(context.Context) error {
			if calls++; calls == 1 {
				return busyError(20 * time.Minute)
			}
			return nil
		}))
		require.Equal(t, 20*time.Minute, time.Since(start))
	})
}

func TestCancelledCallerRunsNothing(t *testing.T) {
	t.Parallel()
	errStop := errors.New("preempted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStop)
	err := retry.Policy{}.Do(ctx, func(context.Context) error { t.Error("ran"); return nil })
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, errStop)
}

func TestCancelDuringDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		err := retry.Policy{Delays: retry.Constant(time.Hour)}.Do(ctx, func(context.Context) error { return errTransient })
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, errTransient, "the last error is not lost")
	})
}

// What ended the context during an attempt is the reason, whatever the attempt says and however long the delay would be.
func TestEndDuringAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		preempted := errors.New("preempted")
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		ctx, cancel := context.WithCancelCause(ctx)
		calls := 0
		r, err := retry.Policy{Delays: retry.Constant(time.Hour)}.DoReport(ctx, func(context.Context) error {
			calls++
			cancel(preempted)
			return errTransient
		})
		require.Equal(t, 1, calls)
		require.Zero(t, r.Waited)
		require.ErrorIs(t, err, preempted)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errTransient)
	})
}

// A delay that the deadline would cut short is not begun.
func TestNoDelayBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		delay, left time.Duration
		attempts    int
		took        time.Duration
	}{
		{time.Hour, time.Second, 1, 0},
		{time.Second, time.Second, 1, 0},
		{time.Second, 1500 * time.Millisecond, 2, time.Second},
		{time.Second, time.Minute, 3, 2 * time.Second},
		{0, 1, 3, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.left)
			defer cancel()
			start := time.Now()
			r, err := retry.Policy{Delays: retry.Constant(tt.delay)}.DoReport(ctx, func(context.Context) error { return errTransient })
			require.Equal(t, tt.took, time.Since(start), tt)
			require.Equal(t, tt.took, r.Waited, tt)
			require.Equal(t, tt.attempts, r.Attempts, tt)
			require.Equal(t, tt.attempts < 3, errors.Is(err, context.DeadlineExceeded), tt)
			require.ErrorIs(t, err, errTransient)
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	err := retry.Policy{}.Do(ctx, func(context.Context) error { return busyError(2 * time.Hour) })
	require.ErrorContains(t, err, "retry: failed after 1 attempts: a delay of 2h0m0s with 59m")
	require.ErrorContains(t, err, "left: context deadline exceeded; last error: busy")
}

func TestMaxElapsed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		max, run, delay time.Duration
		attempts        int
		took            time.Duration
	}{
		{"off", 0, 16 * time.Minute, time.Hour, 5, 5*16*time.Minute + 4*time.Hour},
		{"cut by delays", 10 * time.Second, 0, 4 * time.Second, 3, 8 * time.Second},
		{"ends with the last", 8 * time.Second, 0, 4 * time.Second, 3, 8 * time.Second},
		{"attempts count too", 10 * time.Second, 3 * time.Second, time.Second, 3, 11 * time.Second},
		{"one long attempt", 15 * time.Minute, 16 * time.Minute, 0, 1, 16 * time.Minute},
		{"no delay at all", time.Second, 0, time.Minute, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			p := retry.Policy{Attempts: 5, Delays: retry.Constant(tt.delay), MaxElapsed: tt.max}
			r, err := p.DoReport(t.Context(), func(context.Context) error {
				if tt.run > 0 {
					<-time.After(tt.run)
				}
				return errTransient
			})
			require.Equal(t, tt.attempts, r.Attempts, tt.name)
			require.Equal(t, tt.took, time.Since(start), tt.name)
			require.Equal(t, tt.max > 0, errors.Is(err, retry.ErrElapsed), tt.name)
			require.ErrorIs(t, err, errTransient, tt.name)
		})
	}
}

func TestClasses(t *testing.T) {
	t.Parallel()
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	p := retry.Policy{
		Attempts:  4,
		Delays:    retry.Constant(time.Second),
		Retryable: func(err error) bool { return !errors.Is(err, io.ErrShortWrite) && !errors.Is(err, io.ErrClosedPipe) },
		Classes: []retry.Class{
			{Attempts: 9, Delays: retry.Constant(9)}, // matches nothing
			{Match: is(io.EOF), Attempts: 2, Delays: retry.Constant(time.Minute)},
			{Match: is(io.ErrNoProgress), Attempts: 1},
			{Match: is(io.ErrShortWrite), Delays: retry.Constant(time.Hour)},
			{Match: is(io.ErrUnexpectedEOF), Attempts: 6},
			{Match: is(io.EOF), Attempts: 100},
		},
	}
	for _, tt := range []struct {
		name    string
		attempt int
		err     error
		delay   time.Duration
		again   bool
	}{
		{"no class", 3, errTransient, time.Second, true},
		{"no class, last", 4, errTransient, 0, false},
		{"no class, not retryable", 1, io.ErrClosedPipe, 0, false},
		{"own delays", 1, io.EOF, time.Minute, true},
		{"own attempts, the first that matches", 2, io.EOF, 0, false},
		{"not retried", 1, io.ErrNoProgress, 0, false},
		{"retried whatever the policy says of others", 3, io.ErrShortWrite, time.Hour, true},
		{"attempts of the policy", 4, io.ErrShortWrite, 0, false},
		{"more attempts, delays of the policy", 5, io.ErrUnexpectedEOF, time.Second, true},
		{"permanent all the same", 1, retry.Permanent(io.EOF), 0, false},
		{"asks for longer", 1, retry.WithRetryAfter(io.EOF, time.Hour), time.Hour, true},
	} {
		delay, again := p.Next(tt.attempt, 0, tt.err)
		require.Equal(t, tt.again, again, tt.name)
		require.Equal(t, tt.delay, delay, tt.name)
	}
}

func TestWithRetryAfter(t *testing.T) {
	t.Parallel()
	require.NoError(t, retry.WithRetryAfter(nil, time.Second))
	err := retry.WithRetryAfter(io.EOF, time.Minute)
	require.ErrorIs(t, err, io.EOF)
	require.EqualError(t, err, "EOF")
	delay, again := retry.Policy{Delays: retry.Constant(time.Second)}.Next(1, 0, err)
	require.True(t, again)
	require.Equal(t, time.Minute, delay)
	delay, _ = retry.Policy{Delays: retry.Constant(time.Second)}.Next(1, 0, retry.WithRetryAfter(io.EOF, -time.Hour))
	require.Equal(t, time.Second, delay)
}

func TestPermanent(t *testing.T) {
	t.Parallel()
	require.NoError(t, retry.Permanent(nil))
	err := retry.Permanent(io.EOF)
	require.ErrorIs(t, err, io.EOF)
	require.EqualError(t, err, "EOF")
	calls := 0
	got := retry.Policy{}.Do(t.Context(), func(context.Context) error { calls++; return err })
	require.Same(t, io.EOF, got, "the cause, not its wrapper")
	require.Equal(t, 1, calls)
}

func TestOnePolicyForAll(t *testing.T) {
	t.Parallel()
	p := retry.Policy{Delays: retry.Exponential{Base: 1, Max: 2}}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				_ = p.Do(t.Context(), func(context.Context) error { return errTransient })
			}
		})
	}
	wg.Wait()
}
