package ratelimit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

// However a minute is cut out, it has no more calls than the quota, with callers that take all they can get; and in the long
// run they get most of it.
func TestProviderCallKeepsTheQuota(t *testing.T) {
	t.Parallel()
	for _, quota := range []int{1, 2, 5, 6, 11, 12, 60, 61, 100, 1000} {
		synctest.Test(t, func(t *testing.T) {
			a := must(ratelimit.NewAdaptive(ratelimit.ProviderCall(quota)))
			start := time.Now()
			var at []time.Duration
			for len(at) < 4*quota {
				require.NoError(t, a.Wait(t.Context()))
				at = append(at, time.Since(start))
				if len(at) == 3*quota/2 {
					<-time.After(5 * time.Minute) // the bucket is full again
				}
			}
			for i := quota; i < len(at); i++ {
				require.GreaterOrEqual(t, at[i]-at[i-quota], time.Minute, "%d calls from the %dth on", quota+1, i-quota)
			}
			require.GreaterOrEqual(t, a.Rate()*60, .8*float64(quota))
		})
	}
	for _, quota := range []int{0, -1, -100} {
		_, err := ratelimit.NewAdaptive(ratelimit.ProviderCall(quota))
		require.ErrorContains(t, err, "PerSecond")
	}
}

func TestCheckpointing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := must(ratelimit.NewBulkheadWith(ratelimit.Checkpointing()))
		var errs [3]error
		for i, place := range []*ratelimit.Bulkhead{b, b, b.At(1)} {
			go func() {
				errs[i] = place.Do(t.Context(), func(context.Context) error { <-time.After(time.Minute); return nil })
			}()
			synctest.Wait()
		}
		require.ErrorIs(t, b.Do(t.Context(), nil), ratelimit.ErrFull)
		<-time.After(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, [3]error{1: ratelimit.ErrFull}, errs, "the last checkpoint takes the place of the one that waited")
	})
}

func TestOtherPresets(t *testing.T) {
	t.Parallel()
	b := must(ratelimit.NewBulkheadWith(ratelimit.Step()))
	require.NoError(t, b.Do(t.Context(), func(context.Context) error {
		require.ErrorIs(t, b.Do(t.Context(), nil), ratelimit.ErrFull)
		return nil
	}))
	g := must(ratelimit.NewGradient(ratelimit.DataLoading(8)))
	require.Equal(t, 1, g.Limit())
	_, err := ratelimit.NewGradient(ratelimit.DataLoading(-1))
	require.Error(t, err)
}
