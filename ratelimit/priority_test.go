package ratelimit_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

func TestNewBulkheadWithRefuses(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]ratelimit.BulkheadConfig{
		"ratelimit: Permits -1 is not from 1 to 1048576":                 {Permits: -1},
		"ratelimit: Queue -1 is not 0 or more":                           {Queue: -1},
		"ratelimit: Age -1ns is not between 0 and 24 hours":              {Age: -1},
		"ratelimit: Age 24h0m0.000000001s is not between 0 and 24 hours": {Age: 24*time.Hour + 1},
	} {
		_, err := ratelimit.NewBulkheadWith(cfg)
		require.EqualError(t, err, want)
	}
	b := must(ratelimit.NewBulkheadWith(ratelimit.BulkheadConfig{}))
	require.NoError(t, b.Do(t.Context(), func(context.Context) error {
		require.ErrorIs(t, b.Do(t.Context(), nil), ratelimit.ErrFull, "one permit, no wait")
		return nil
	}))
}

// Each row is one who comes at a time with a priority, while the permit is held for 10 minutes and then by each for an hour.
func TestPrioritiesAge(t *testing.T) {
	t.Parallel()
	type comes struct {
		at       time.Duration
		priority int
	}
	for name, tt := range map[string]struct {
		line []comes
		want []int // indices in line, in the order in which they are served
	}{
		"first come, first served":  {[]comes{{0, 0}, {0, 0}, {time.Second, 0}}, []int{0, 1, 2}},
		"higher ones first":         {[]comes{{0, 0}, {0, 2}, {0, 1}, {0, 2}, {0, -1}}, []int{1, 3, 2, 0, 4}},
		"one less than a minute on": {[]comes{{0, 0}, {59 * time.Second, 1}}, []int{1, 0}},
		"one minute makes them equal, and who came first goes first": {[]comes{{0, 0}, {time.Minute, 1}}, []int{0, 1}},
		"five minutes outweigh four":                                 {[]comes{{0, 0}, {5 * time.Minute, 4}}, []int{0, 1}},
		"nobody is above 1000":                                       {[]comes{{0, 1000}, {1, math.MaxInt}, {2, math.MinInt}, {3, -1000}}, []int{0, 1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := bulkhead(t, 1, -1)
				held, err := b.Admit(t.Context())
				require.NoError(t, err)
				time.AfterFunc(10*time.Minute, func() { b.Done(held, nil) })
				var mu sync.Mutex
				var got []int
				var wg sync.WaitGroup
				start := time.Now()
				for i, c := range tt.line {
					<-time.After(c.at - time.Since(start))
					wg.Go(func() {
						_ = b.At(c.priority).Do(t.Context(), func(context.Context) error {
							mu.Lock()
							defer mu.Unlock()
							got = append(got, i)
							<-time.After(time.Second)
							return nil
						})
					})
					synctest.Wait()
				}
				require.Equal(t, len(tt.line), b.Waiting())
				wg.Wait()
				require.Equal(t, tt.want, got)
			})
		})
	}
}

// However many of higher priority keep coming, one who waits is served when these could not have come before it.
func TestNobodyStarves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := must(ratelimit.NewBulkheadWith(ratelimit.BulkheadConfig{MaxWait: -1, Age: 10 * time.Second}))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 4 { // always three in line
			wg.Go(func() {
				for b.At(5).Do(ctx, func(context.Context) error { <-time.After(time.Second); return nil }) == nil {
				}
			})
		}
		<-time.After(time.Minute + time.Second/2)
		start := time.Now()
		require.NoError(t, b.Do(ctx, func(context.Context) error { return nil }))
		require.InDelta(t, 50+3, time.Since(start).Seconds(), 1, "5 priorities of 10 s, and those in front by then")
		cancel()
		wg.Wait()
		require.Zero(t, b.InUse())
	})
}

func TestFullLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := must(ratelimit.NewBulkheadWith(ratelimit.BulkheadConfig{MaxWait: -1, Queue: 2}))
		held, err := b.Admit(t.Context())
		require.NoError(t, err)
		got := make([]error, 4)
		for i, priority := range []int{0, 1, 2, 1} {
			go func() {
				got[i] = errPreempted // still in line
				var token uint64
				if token, got[i] = b.At(priority).Admit(t.Context()); got[i] == nil {
					b.Done(token, nil)
				}
			}()
			synctest.Wait()
			require.Equal(t, min(i+1, 2), b.Waiting())
		}
		require.ErrorIs(t, got[0], ratelimit.ErrFull, "the last in line makes room for a higher priority")
		require.ErrorIs(t, got[3], ratelimit.ErrFull, "who would be the last is refused")
		b.Done(held, nil)
		synctest.Wait()
		require.NoError(t, got[1])
		require.NoError(t, got[2])
	})
}

func TestAtSharesTheBulkhead(t *testing.T) {
	t.Parallel()
	require.Nil(t, (*ratelimit.Bulkhead)(nil).At(1))
	require.NoError(t, (&ratelimit.Bulkhead{}).At(1).Do(t.Context(), func(context.Context) error { return nil }))
	b := bulkhead(t, 1, 0)
	urgent := b.At(3)
	token, err := urgent.Admit(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, b.InUse())
	_, err = b.Admit(t.Context())
	require.ErrorIs(t, err, ratelimit.ErrFull)
	b.Done(token, nil)
	require.Zero(t, urgent.InUse())
}

// Goroutines that give up at random moments take no permit with them.
func TestManyGiveUp(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]ratelimit.BulkheadConfig{
		"without end": {Permits: 2, MaxWait: -1},
		"short":       {Permits: 2, MaxWait: time.Microsecond, Queue: 8},
	} {
		b := must(ratelimit.NewBulkheadWith(cfg))
		var running, most, served atomic.Int64
		var wg sync.WaitGroup
		for g := range 32 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(1, uint64(g)))
				for range 300 {
					ctx, cancel := context.WithCancel(t.Context())
					stop := time.AfterFunc(time.Duration(r.IntN(20_000)), cancel)
					_ = b.At(r.IntN(5)).Do(ctx, func(context.Context) error {
						served.Add(1)
						now := running.Add(1)
						for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
						}
						running.Add(-1)
						return nil
					})
					stop.Stop()
					cancel()
				}
			})
		}
		wg.Wait()
		require.Zero(t, b.InUse(), name)
		require.Zero(t, b.Waiting(), name)
		require.LessOrEqual(t, most.Load(), int64(2), name)
		require.Positive(t, served.Load(), name)
		for range 2 { // both permits are there
			_, err := b.Admit(t.Context())
			require.NoError(t, err, name)
		}
	}
}

// FuzzPriorities compares the line with a slice that is searched for the one who has waited longest, with a minute added for
// each priority.
func FuzzPriorities(f *testing.F) {
	f.Add([]byte{1, 0, 4, 8, 3, 40, 12, 1, 1, 2, 5, 1, 1})
	f.Add([]byte{13, 0, 0, 0, 16, 28, 40, 1, 3, 255, 28, 1, 1, 2, 2})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 2 || len(ops) > 300 {
			return
		}
		size, queue := 1+int(ops[0]%3), int(ops[0]/3%4)
		synctest.Test(t, func(t *testing.T) {
			type place struct {
				rank   time.Time
				cancel context.CancelFunc
				done   chan struct{}
				token  uint64
				err    error
			}
			b := must(ratelimit.NewBulkheadWith(ratelimit.BulkheadConfig{Permits: size, MaxWait: -1, Queue: queue}))
			var held, line []*place
			ends := func(i int, p *place, want error) {
				select {
				case <-p.done:
					require.ErrorIs(t, p.err, want, "op %d", i)
				default:
					t.Fatalf("op %d: is still in line", i)
				}
			}
			best := func(sign int) int { // ties go to who came first, so the last of equals is the last in line
				at := 0
				for i, p := range line {
					if c := sign * p.rank.Compare(line[at].rank); c < 0 || sign < 0 && c == 0 {
						at = i
					}
				}
				return at
			}
			serve := func(i int) {
				for len(held) < size && len(line) > 0 {
					at := best(1)
					ends(i, line[at], nil)
					held = append(held, line[at])
					line = slices.Delete(line, at, at+1)
				}
			}
			for i, op := range ops[1:] {
				arg := int(op / 4)
				switch op % 4 {
				case 0: // one comes
					priority := arg%8 - 3
					ctx, cancel := context.WithCancel(t.Context())
					p := &place{rank: time.Now().Add(-time.Duration(priority) * time.Minute), cancel: cancel, done: make(chan struct{})}
					go func() {
						defer close(p.done)
						p.token, p.err = b.At(priority).Admit(ctx)
					}()
					synctest.Wait()
					line = append(line, p)
					if len(held) == size && queue > 0 && len(line) > queue {
						at := best(-1)
						ends(i, line[at], ratelimit.ErrFull)
						line[at].cancel()
						line = slices.Delete(line, at, at+1)
					}
				case 1: // a permit comes back
					if len(held) > 0 {
						at := arg % len(held)
						b.Done(held[at].token, nil)
						held[at].cancel()
						held = slices.Delete(held, at, at+1)
					}
				case 2: // one in line leaves
					if len(line) > 0 {
						at := arg % len(line)
						line[at].cancel()
						synctest.Wait()
						ends(i, line[at], context.Canceled)
						line = slices.Delete(line, at, at+1)
					}
				case 3:
					<-time.After(time.Duration(arg) * 20 * time.Second)
				}
				synctest.Wait()
				serve(i)
				require.Equal(t, len(held), b.InUse(), "op %d", i)
				require.Equal(t, len(line), b.Waiting(), "op %d", i)
			}
			for _, p := range append(line, held...) {
				p.cancel()
			}
		})
	})
}
