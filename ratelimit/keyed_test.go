package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

func keyed(t testing.TB, most int, perSecond float64, burst int) *ratelimit.Keyed[int, *ratelimit.Limiter] {
	t.Helper()
	k, err := ratelimit.NewKeyed(most, func(int) (*ratelimit.Limiter, error) { return ratelimit.New(perSecond, burst) })
	require.NoError(t, err)
	return k
}

// allow asks for n tokens of a key.
func allow(k *ratelimit.Keyed[int, *ratelimit.Limiter], key, n int) (ok bool, err error) {
	err = k.Use(key, func(l *ratelimit.Limiter) error { ok = l.AllowN(n); return nil })
	return ok, err
}

func TestNewKeyedRefuses(t *testing.T) {
	t.Parallel()
	_, err := ratelimit.NewKeyed(0, func(int) (*ratelimit.Limiter, error) { return nil, nil })
	require.EqualError(t, err, "ratelimit: 0 keys, want 1 or more")
	_, err = ratelimit.NewKeyed[int, *ratelimit.Limiter](1, nil)
	require.ErrorContains(t, err, "need a function")
	k := must(ratelimit.NewKeyed(1, func(int) (*ratelimit.Limiter, error) { return nil, errStep }))
	require.ErrorIs(t, k.Use(1, func(*ratelimit.Limiter) error { return nil }), errStep)
	require.Zero(t, k.Len())
}

func TestNoKeyed(t *testing.T) {
	t.Parallel()
	for _, k := range []*ratelimit.Keyed[string, *ratelimit.Bulkhead]{nil, {}} {
		token, err := k.At("a").Admit(t.Context())
		require.NoError(t, err)
		k.At("a").Done(token, nil)
		require.NoError(t, k.Use("a", func(b *ratelimit.Bulkhead) error {
			return b.Do(t.Context(), func(context.Context) error { return nil })
		}))
		require.Zero(t, k.Len())
	}
}

// Everything that can be kept per key is forgotten when it is idle, and not before.
func TestKeyedForgetsWhatIsIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			busy time.Duration // until the only key can be forgotten, after its step ends
			held bool          // it cannot while its step runs
			at   func(key int) ratelimit.Admitter
		}{
			"bucket": {busy: 10 * time.Second, at: must(ratelimit.NewKeyed(1, func(int) (*ratelimit.Limiter, error) {
				return ratelimit.New(.1, 3)
			})).At},
			"smooth": {busy: 10 * time.Second, at: must(ratelimit.NewKeyed(1, func(int) (*ratelimit.Limiter, error) {
				return ratelimit.NewSmooth(10 * time.Second)
			})).At},
			"window": {busy: 10 * time.Second, at: must(ratelimit.NewKeyed(1, func(int) (*ratelimit.Limiter, error) {
				return ratelimit.NewWindow(5, 10*time.Second)
			})).At},
			"adaptive": {busy: time.Minute, at: must(ratelimit.NewKeyed(1, func(int) (*ratelimit.Adaptive, error) {
				return ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: .1, Burst: 3})
			})).At},
			"bulkhead": {held: true, at: must(ratelimit.NewKeyed(1, func(int) (*ratelimit.Bulkhead, error) {
				return ratelimit.NewBulkhead(5, 0)
			})).At},
			"gradient": {held: true, at: must(ratelimit.NewKeyed(1, func(int) (*ratelimit.Gradient, error) {
				return ratelimit.NewGradient(ratelimit.GradientConfig{Initial: 5})
			})).At},
		} {
			token, err := tt.at(1).Admit(t.Context())
			require.NoError(t, err, name)
			if tt.held {
				<-time.After(time.Hour)
				_, err = tt.at(2).Admit(t.Context())
				require.ErrorIs(t, err, ratelimit.ErrKeys, name)
			}
			tt.at(1).Done(token, nil)
			if tt.busy > 0 {
				<-time.After(tt.busy - 1)
				_, err = tt.at(2).Admit(t.Context())
				require.ErrorIs(t, err, ratelimit.ErrKeys, name)
				<-time.After(1)
			}
			_, err = tt.at(2).Admit(t.Context())
			require.NoError(t, err, name)
			_, err = tt.at(1).Admit(t.Context())
			require.ErrorIs(t, err, ratelimit.ErrKeys, "%s: forgotten, and 2 is in use", name)
			tt.at(1).Done(token, nil) // of a key that is gone
			if tt.held {
				tt.at(2).Done(token, nil) // of another
				_, err = tt.at(1).Admit(t.Context())
				require.ErrorIs(t, err, ratelimit.ErrKeys, "%s: 2 still holds its permit", name)
			}
		}
	})
	var neutral interface{ Neutral() bool }
	require.ErrorAs(t, ratelimit.ErrKeys, &neutral)
	require.True(t, neutral.Neutral())
}

// A flood of keys gets no more than its own, and takes nothing from those that are there.
func TestKeyedFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keyed(t, 100, 1, 5)
		for range 5 {
			require.True(t, must(allow(k, -1, 1)))
		}
		admitted := 0
		for key := range 100_000 {
			ok, err := allow(k, key, 5)
			if err != nil {
				require.ErrorIs(t, err, ratelimit.ErrKeys)
			} else if ok {
				admitted++
			}
			require.False(t, must(allow(k, -1, 1)), "the empty bucket was not forgotten")
		}
		require.Equal(t, 99, admitted)
		require.Equal(t, 100, k.Len())
		<-time.After(5 * time.Second)
		require.True(t, must(allow(k, 1_000_000, 5)), "all are full again")
		require.True(t, must(allow(k, -1, 5)))
		require.Equal(t, 100, k.Len())
	})
}

func TestKeyedWaitersAreNotForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := keyed(t, 1, 1, 1)
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				token, err := k.At(1).Admit(t.Context())
				require.NoError(t, err)
				k.At(1).Done(token, nil)
			})
		}
		<-time.After(time.Second / 2)
		_, err := allow(k, 2, 1)
		require.ErrorIs(t, err, ratelimit.ErrKeys)
		wg.Wait()
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}

// A key that is not equal to itself could be put in, but neither found nor deleted.
func TestKeyedNaN(t *testing.T) {
	t.Parallel()
	k := must(ratelimit.NewKeyed(3, func(float64) (*ratelimit.Bulkhead, error) { return ratelimit.NewBulkhead(1, 0) }))
	for range 10 {
		_, err := k.At(math.NaN()).Admit(t.Context())
		require.ErrorIs(t, err, ratelimit.ErrKeys)
	}
	require.Zero(t, k.Len())
}

func TestKeyedUnderContention(t *testing.T) {
	t.Parallel()
	var built atomic.Int64
	k := must(ratelimit.NewKeyed(4, func(int) (*ratelimit.Bulkhead, error) {
		built.Add(1)
		return ratelimit.NewBulkhead(2, -1)
	}))
	var running [8]atomic.Int64
	var ran, refused atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 500 {
				key := (g + i) % len(running)
				err := k.Use(key, func(b *ratelimit.Bulkhead) error {
					return b.Do(t.Context(), func(context.Context) error {
						if running[key].Add(1) > 2 {
							return errStep
						}
						ran.Add(1)
						running[key].Add(-1)
						return nil
					})
				})
				if errors.Is(err, ratelimit.ErrKeys) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 16*500, ran.Load()+refused.Load())
	require.LessOrEqual(t, k.Len(), 4)
	require.GreaterOrEqual(t, built.Load(), int64(len(running)))
}

// FuzzKeyed compares with limiters of which none is ever forgotten: a step that is not refused for want of room is admitted
// exactly when it would be there.
func FuzzKeyed(f *testing.F) {
	f.Add([]byte{0, 0, 4, 8, 12, 1, 16, 20, 3, 40, 24, 28, 4})
	f.Add([]byte{2, 0, 4, 8, 12, 1, 16, 20, 3, 40, 24, 28, 4, 255, 0, 4})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 1 || len(ops) > 500 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			build := func(int) (*ratelimit.Limiter, error) {
				switch ops[0] % 3 {
				case 0:
					return ratelimit.New(2, 3)
				case 1:
					return ratelimit.NewSmooth(time.Second)
				}
				return ratelimit.NewWindow(3, 2*time.Second)
			}
			most := 1 + int(ops[0]/3%12)
			k := must(ratelimit.NewKeyed(most, build))
			all := map[int]*ratelimit.Limiter{}
			for i, op := range ops[1:] {
				if op%4 == 3 {
					<-time.After(time.Duration(op/4) * time.Second / 8)
					continue
				}
				key, n := int(op/4%20), 1+int(op%4)
				if all[key] == nil {
					all[key] = must(build(key))
				}
				before := k.Len()
				ok, err := allow(k, key, n)
				if err != nil {
					require.ErrorIs(t, err, ratelimit.ErrKeys, "op %d", i)
					require.Equal(t, most, before, "op %d: there was room", i)
					continue
				}
				require.Equal(t, all[key].AllowN(n), ok, "op %d: key %d", i, key)
				require.LessOrEqual(t, k.Len(), most, "op %d", i)
			}
		})
	})
}

func TestKeyedDoesNotAllocate(t *testing.T) {
	k := keyed(t, 10, 1e9, 1<<30)
	at := k.At(1)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		token, err := at.Admit(t.Context())
		if err != nil {
			t.Error(err)
		}
		at.Done(token, nil)
	}))
}

func ExampleKeyed() {
	perTenant, err := ratelimit.NewKeyed(1000, func(string) (*ratelimit.Limiter, error) {
		return ratelimit.NewWindow(2, time.Hour)
	})
	if err != nil {
		panic(err)
	}
	for range 3 {
		err = perTenant.Use("blue", func(l *ratelimit.Limiter) error {
			fmt.Println(l.Allow())
			return nil
		})
		if err != nil {
			fmt.Println(err) // more than 1000 tenants in an hour
		}
	}
	// Output:
	// true
	// true
	// false
}

// A key that cannot be hashed panics, as in any map, and leaves the others as they were.
func TestKeyedUnhashableKey(t *testing.T) {
	t.Parallel()
	k, err := ratelimit.NewKeyed(4, func(any) (*ratelimit.Bulkhead, error) { return ratelimit.NewBulkhead(1, 0) })
	require.NoError(t, err)
	require.Panics(t, func() {
		_ = k.Use([]byte("tenant"), func(*ratelimit.Bulkhead) error { return nil })
	})
	require.NoError(t, k.Use("tenant", func(*ratelimit.Bulkhead) error { return nil }))
}
