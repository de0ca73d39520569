package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

func bulkhead(t testing.TB, n int, wait time.Duration) *ratelimit.Bulkhead {
	t.Helper()
	b, err := ratelimit.NewBulkhead(n, wait)
	require.NoError(t, err)
	return b
}

func TestNewBulkheadRefuses(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, -1, math.MinInt, 1<<20 + 1} {
		_, err := ratelimit.NewBulkhead(n, 0)
		require.ErrorContains(t, err, "want 1 to")
	}
}

func TestBulkheadWaits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		wait      time.Duration
		heldFor   time.Duration
		want      error
		wantAfter time.Duration
	}{
		{"not at all", 0, time.Second, ratelimit.ErrFull, 0},
		{"in vain", 2 * time.Second, 5 * time.Second, ratelimit.ErrFull, 2 * time.Second},
		{"long enough", 10 * time.Second, 5 * time.Second, nil, 5 * time.Second},
		{"without end", -1, time.Hour, nil, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := bulkhead(t, 1, tt.wait)
				first, err := b.Admit(t.Context())
				require.NoError(t, err)
				time.AfterFunc(tt.heldFor, func() { b.Done(first, nil) })
				start := time.Now()
				second, err := b.Admit(t.Context())
				require.ErrorIs(t, err, tt.want)
				require.Equal(t, tt.wantAfter, time.Since(start))
				if err == nil {
					b.Done(second, nil)
				}
				<-time.After(2 * time.Hour)
				require.Zero(t, b.InUse())
			})
		})
	}
}

func TestFullIsNeutral(t *testing.T) {
	t.Parallel()
	var neutral interface{ Neutral() bool }
	require.ErrorAs(t, ratelimit.ErrFull, &neutral)
	require.True(t, neutral.Neutral())
}

// A waiter that gives up must not eat the permit that comes free in the same moment.
func TestAbandonedWaiterEatsNoPermit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead(t, 1, -1)
		for range 200 {
			held, err := b.Admit(t.Context())
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			time.AfterFunc(time.Second, func() { b.Done(held, nil) })
			if token, err := b.Admit(ctx); err == nil {
				b.Done(token, nil)
			} else {
				require.ErrorIs(t, err, context.Canceled)
			}
			synctest.Wait()
			require.Zero(t, b.InUse())
		}
		token, err := b.Admit(t.Context())
		require.NoError(t, err)
		b.Done(token, nil)
	})
}

func TestPermitComesBackHoweverTheStepEnds(t *testing.T) {
	t.Parallel()
	b := bulkhead(t, 1, 0)
	errStep := errors.New("step")
	require.Equal(t, errStep, b.Do(t.Context(), func(context.Context) error { return errStep }))
	require.PanicsWithValue(t, "step", func() {
		_ = b.Do(t.Context(), func(context.Context) error { panic("step") })
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = b.Do(t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
	})
	wg.Wait()
	require.Zero(t, b.InUse())
	require.NoError(t, b.Do(t.Context(), func(context.Context) error {
		require.Equal(t, 1, b.InUse())
		require.ErrorIs(t, b.Do(t.Context(), nil), ratelimit.ErrFull)
		return nil
	}))
}

func TestTokensCountOnce(t *testing.T) {
	t.Parallel()
	b := bulkhead(t, 2, 0)
	first, err := b.Admit(t.Context())
	require.NoError(t, err)
	second, err := b.Admit(t.Context())
	require.NoError(t, err)
	b.Done(first, nil)
	b.Done(first, nil)
	b.Done(12345, nil)
	b.Done(0, nil)
	require.Equal(t, 1, b.InUse())
	third, err := b.Admit(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, first, third, "a permit given out again has another token")
	b.Done(first, nil) // late, of the earlier holder
	require.Equal(t, 2, b.InUse())
	_, err = b.Admit(t.Context())
	require.ErrorIs(t, err, ratelimit.ErrFull)
	b.Done(second, nil)
	b.Done(third, nil)
	require.Zero(t, b.InUse())
}

func TestNoBulkhead(t *testing.T) {
	t.Parallel()
	for _, b := range []*ratelimit.Bulkhead{nil, {}} {
		token, err := b.Admit(t.Context())
		require.NoError(t, err)
		b.Done(token, nil)
		require.Zero(t, b.InUse())
	}
}

// FuzzBulkhead runs sequences of operations against a model: the set of tokens that are out.
func FuzzBulkhead(f *testing.F) {
	f.Add(uint8(2), []byte{0, 0, 0, 1, 2, 3, 1, 1, 0, 4})
	f.Fuzz(func(t *testing.T, n uint8, ops []byte) {
		size := 1 + int(n%5)
		b := bulkhead(t, size, 0)
		out := map[uint64]bool{}
		var seen []uint64
		for _, op := range ops {
			if op%3 == 0 || len(seen) == 0 {
				token, err := b.Admit(t.Context())
				require.Equal(t, len(out) < size, err == nil)
				if err == nil {
					require.False(t, out[token])
					out[token] = true
					seen = append(seen, token)
				}
			} else {
				token := seen[int(op/3)%len(seen)]
				b.Done(token, nil) // often not for the first time
				delete(out, token)
			}
			require.Equal(t, len(out), b.InUse())
		}
	})
}

func TestBulkheadUnderContention(t *testing.T) {
	t.Parallel()
	b := bulkhead(t, 3, -1)
	var running, most atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 500 {
				_ = b.Do(t.Context(), func(context.Context) error {
					now := running.Add(1)
					for {
						if seen := most.Load(); now <= seen || most.CompareAndSwap(seen, now) {
							break
						}
					}
					runtime.Gosched()
					running.Add(-1)
					return nil
				})
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, most.Load(), int64(3))
	require.Zero(t, b.InUse())
}

func TestBulkheadDoesNotAllocate(t *testing.T) {
	b := bulkhead(t, 1, 0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		token, _ := b.Admit(t.Context())
		b.Done(token, nil)
	}))
}
