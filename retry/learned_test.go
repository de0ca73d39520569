package retry_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func lasting(d time.Duration, err error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// The limit is the quantile of the last hundred durations, computed here the long way, times the factor.
func TestLearnedDeadlineFollows(t *testing.T) {
	t.Parallel()
	for _, q := range []float64{0, 0.5, 0.95, 1} {
		synctest.Test(t, func(t *testing.T) {
			d := retry.LearnedDeadline{Quantile: q}
			if q == 0 {
				q = 0.95
			}
			rnd := rand.New(rand.NewPCG(1, 2))
			var took []time.Duration
			for i := range 350 {
				x := time.Duration(1+rnd.IntN(50)) * time.Second
				require.NoError(t, d.Do(t.Context(), func(context.Context) error { <-time.After(x); return nil }))
				took = append(took, x)
				if i < 9 {
					require.Zero(t, d.Current(), "warming up")
					continue
				}
				last := slices.Sorted(slices.Values(took[max(0, len(took)-100):]))
				want := last[max(0, int(math.Ceil(q*float64(len(last))))-1)] * 3 / 2
				require.Equal(t, want, d.Current(), i)
			}
		})
	}
}

func TestLearnedDeadlineOverruns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.LearnedDeadline{Cap: time.Hour}
		require.ErrorIs(t, d.Do(t.Context(), lasting(2*time.Hour, nil)), retry.ErrOverran, "the cap holds during the warm-up")
		for range 100 {
			require.NoError(t, d.Do(t.Context(), lasting(10*time.Second, nil)))
		}
		require.Equal(t, 15*time.Second, d.Current())

		for range 200 { // failures in time, and cancellations by the caller, say nothing
			require.ErrorIs(t, d.Do(t.Context(), lasting(time.Second, errTransient)), errTransient)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			require.NotErrorIs(t, d.Do(ctx, lasting(time.Hour, nil)), retry.ErrOverran)
			cancel()
		}
		require.Equal(t, 15*time.Second, d.Current())

		// The step has become slower for good. The limit gives way, without ever having seen how long it takes now.
		overruns := 0
		for d.Do(t.Context(), lasting(50*time.Second, nil)) != nil {
			overruns++
		}
		require.Equal(t, 18, overruns, "six for each factor of 1.5, until 50.6 s")
		for range 100 {
			require.NoError(t, d.Do(t.Context(), lasting(50*time.Second, nil)))
		}
		require.Equal(t, 75*time.Second, d.Current())

		for range 1000 {
			_ = d.Do(t.Context(), lasting(24*time.Hour, nil))
		}
		require.Equal(t, time.Hour, d.Current(), "the cap")
		for range 100 {
			require.NoError(t, d.Do(t.Context(), lasting(time.Microsecond, nil)))
		}
		require.Equal(t, 10*time.Millisecond, d.Current(), "the floor")
	})
}

func TestLearnedDeadlineLateSuccess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.LearnedDeadline{Quantile: 1, WarmUp: 1, Factor: 2}
		require.NoError(t, d.Do(t.Context(), lasting(time.Second, nil)))
		require.Equal(t, 2*time.Second, d.Current())
		require.NoError(t, d.Do(t.Context(), func(context.Context) error { <-time.After(time.Minute); return nil }))
		require.Equal(t, 2*time.Minute, d.Current(), "a late success has its full length")
	})
	var none *retry.LearnedDeadline
	ctx, token := none.Watch(t.Context())
	require.Equal(t, t.Context(), ctx)
	require.Equal(t, errTransient, none.Release(token, errTransient))
	require.Zero(t, none.Current())
}
