package ratelimit_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

// admitter is what a Runner asks of a policy.
type admitter interface {
	Admit(ctx context.Context) (token uint64, err error)
	Done(token uint64, err error)
}

var _, _ admitter = (*ratelimit.Limiter)(nil), (*ratelimit.Bulkhead)(nil)

func limiter(t testing.TB, perSecond float64, burst int) *ratelimit.Limiter {
	t.Helper()
	l, err := ratelimit.New(perSecond, burst)
	require.NoError(t, err)
	return l
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, perSecond := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := ratelimit.New(perSecond, 1)
		require.ErrorContains(t, err, "per second")
	}
	_, err := ratelimit.New(1, 0)
	require.EqualError(t, err, "ratelimit: burst 0 is below 1")
}

func TestLimiterPaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 2, 3)
		start := time.Now()
		for i, want := range []time.Duration{0, 0, 0, 500, 1000, 1500} {
			require.NoError(t, l.Wait(t.Context()))
			require.Equal(t, want*time.Millisecond, time.Since(start), "token %d", i)
		}
		require.False(t, l.Allow())
		<-time.After(500 * time.Millisecond)
		require.True(t, l.Allow())
		require.False(t, l.Allow())
	})
}

// A wait that cannot end in time fails at once, takes nothing, and says both what it is and when to come back.
func TestLimiterDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 0.1, 1)
		require.NoError(t, l.Wait(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		start := time.Now()
		err := l.Wait(ctx)
		require.Zero(t, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, ratelimit.ErrLimited)
		require.NotErrorIs(t, err, ratelimit.ErrBurst)
		require.EqualError(t, err, "ratelimit: rate exceeded: next token is due in 10s")
		var later interface{ RetryAfter() time.Duration }
		require.ErrorAs(t, err, &later)
		require.Equal(t, 10*time.Second, later.RetryAfter())
		var neutral interface{ Neutral() bool }
		require.ErrorAs(t, err, &neutral)
		require.True(t, neutral.Neutral())

		<-time.After(10 * time.Second)
		require.True(t, l.Allow(), "the refused wait took no token")
	})
}

func TestLimiterBurstIsPermanent(t *testing.T) {
	t.Parallel()
	l := limiter(t, 1, 5)
	err := l.WaitN(t.Context(), 6)
	require.ErrorIs(t, err, ratelimit.ErrBurst)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	require.EqualError(t, err, "ratelimit: more than the burst: 6 tokens at once, burst 5")
	var permanent interface{ Permanent() bool }
	require.ErrorAs(t, err, &permanent)
	require.True(t, permanent.Permanent())
	require.NoError(t, l.WaitN(t.Context(), 5), "the refusal took no token")
	require.NoError(t, l.WaitN(t.Context(), 0))
	require.NoError(t, l.WaitN(t.Context(), -1))
}

func TestLimiterCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, 1.0/60, 1)
		require.NoError(t, l.Wait(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		start := time.Now()
		require.ErrorIs(t, l.Wait(ctx), context.Canceled)
		require.Equal(t, 10*time.Second, time.Since(start))
		<-time.After(50 * time.Second)
		require.True(t, l.Allow(), "the token of the one who left is there for the next")
		require.ErrorIs(t, l.Wait(ctx), context.Canceled, "an ended context takes nothing")
	})
}

func TestNoLimiter(t *testing.T) {
	t.Parallel()
	for _, l := range []*ratelimit.Limiter{nil, {}} {
		require.True(t, l.Allow())
		require.NoError(t, l.Wait(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, l.Wait(ctx), context.Canceled)
	}
}

func TestLimiterDoesNotAllocate(t *testing.T) {
	l := limiter(t, 1e9, 1<<30)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		token, err := l.Admit(t.Context())
		if err != nil {
			t.Error(err)
		}
		l.Done(token, nil)
	}))
}
