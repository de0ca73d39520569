package carbon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// cacheSource is a source that counts what it is asked.
type cacheSource struct {
	calls atomic.Int64
	at    func(ctx context.Context, t time.Time) (Reading, error)
}

func (s *cacheSource) At(ctx context.Context, t time.Time) (Reading, error) {
	s.calls.Add(1)
	return s.at(ctx, t)
}

var errCacheDown = errors.New("down")

func cacheHour(t time.Time) Reading {
	from := t.Truncate(time.Hour)
	return reading(wave(from), from, from.Add(time.Hour))
}

func cacheOf(t testing.TB, s Provider, change ...func(*CacheConfig)) *Cache {
	t.Helper()
	cfg := CacheConfig{Source: s}
	for _, f := range change {
		f(&cfg)
	}
	c, err := NewCache(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// TestCacheInTime asks at times and compares what is answered and how often the source was asked by then.
func TestCacheInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := false
		s := &cacheSource{at: func(_ context.Context, at time.Time) (Reading, error) {
			if down {
				return Reading{}, errCacheDown
			}
			return cacheHour(at), nil
		}}
		var log bytes.Buffer
		c := cacheOf(t, s, func(c *CacheConfig) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for _, row := range []struct {
			after time.Duration
			down  bool
			want  Strategy // 0: an error
			calls int64
		}{
			{0, false, Fresh, 1},
			{4 * time.Minute, false, Fresh, 1},
			{6 * time.Minute, false, Fresh, 2},  // and fetched again behind it
			{10 * time.Minute, false, Fresh, 2}, // the second answer
			{12 * time.Minute, true, Fresh, 3},  // stale while it is fetched
			{12*time.Minute + 30*time.Second, true, Cached, 3},
			{13 * time.Minute, true, Cached, 4},
			{14 * time.Minute, true, Cached, 4}, // two minutes of rest now
			{15 * time.Minute, true, Cached, 5},
			{59 * time.Minute, true, Cached, 6},
			{60 * time.Minute, true, 0, 6}, // the interval is over: nothing stale
			{76 * time.Minute, true, 0, 7},
			{110 * time.Minute, false, Fresh, 8},
			{111 * time.Minute, false, Fresh, 8},
		} {
			down = row.down
			r, err := c.At(t.Context(), noon.Add(row.after))
			synctest.Wait()
			require.Equal(t, row.calls, s.calls.Load(), row.after)
			if row.want == 0 {
				require.ErrorIs(t, err, errCacheDown, row.after)
				continue
			}
			require.NoError(t, err, row.after)
			require.Equal(t, row.want, r.Strategy, row.after)
			require.True(t, r.Covers(noon.Add(row.after)))
		}
		require.NoError(t, c.Err())
		require.Equal(t, 1, strings.Count(log.String(), "source fails"), "once per change: %s", log.String())
		require.Equal(t, 1, strings.Count(log.String(), "source is back"))
	})
}

func TestCacheOneCallForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &cacheSource{at: func(ctx context.Context, at time.Time) (Reading, error) {
			<-time.After(time.Second)
			return cacheHour(at), ctx.Err()
		}}
		c := cacheOf(t, s)
		var wg sync.WaitGroup
		first, give := context.WithCancel(t.Context())
		wg.Go(func() {
			_, err := c.At(first, noon)
			require.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for range 50 {
			wg.Go(func() {
				_, err := c.At(t.Context(), noon)
				require.NoError(t, err, "the first caller's end is not theirs")
			})
		}
		synctest.Wait()
		give()
		wg.Wait()
		require.EqualValues(t, 1, s.calls.Load())
	})
}

// TestCacheDeadSources: one that hangs without heeding its context, one that panics, one that breaks the contract, one that says
// when to come back.
func TestCacheDeadSources(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		hung := &cacheSource{at: func(context.Context, time.Time) (Reading, error) { <-let; return Reading{}, errCacheDown }}
		c := cacheOf(t, hung)
		start := time.Now()
		_, err := c.At(t.Context(), noon)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 11*time.Second, time.Since(start))
		_, err = c.At(t.Context(), noon.Add(time.Second))
		require.Error(t, err)
		require.Equal(t, 11*time.Second, time.Since(start), "not waited for again at once")
		close(let)
		require.NoError(t, c.Close())

		for name, at := range map[string]func(context.Context, time.Time) (Reading, error){
			"panic": func(context.Context, time.Time) (Reading, error) { panic("x") },
			"stale": func(_ context.Context, at time.Time) (Reading, error) { return cacheHour(at.Add(-5 * time.Hour)), nil },
			"zero":  func(context.Context, time.Time) (Reading, error) { return Reading{}, nil },
		} {
			_, err := cacheOf(t, &cacheSource{at: at}).At(t.Context(), noon)
			require.Error(t, err, name)
		}

		quota := &cacheSource{at: func(context.Context, time.Time) (Reading, error) {
			return Reading{}, &APIError{Kind: ErrQuota, After: 20 * time.Minute}
		}}
		c = cacheOf(t, quota)
		for _, m := range []int{0, 5, 19, 21} {
			_, err := c.At(t.Context(), noon.Add(time.Duration(m)*time.Minute))
			require.ErrorIs(t, err, ErrQuota)
		}
		require.EqualValues(t, 2, quota.calls.Load())
	})
}

// TestCacheCountsACallOnce: a source that lets many wait has failed once, not once for each of them.
func TestCacheCountsACallOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		c := cacheOf(t, &cacheSource{at: func(context.Context, time.Time) (Reading, error) { <-let; return Reading{}, errCacheDown }})
		ask := func(at time.Time) {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					_, err := c.At(t.Context(), at)
					require.ErrorIs(t, err, context.DeadlineExceeded)
				})
			}
			wg.Wait()
		}
		ask(noon)
		require.Equal(t, noon.Add(firstPause), c.next)
		ask(noon.Add(time.Hour)) // the same call hangs still
		require.Equal(t, noon.Add(time.Hour+2*firstPause), c.next)
		close(let)
		synctest.Wait()
		require.Equal(t, 2, c.failures, "its end was no news")
		require.NoError(t, c.Close())
	})
}

func TestCacheClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := false
		s := &cacheSource{at: func(ctx context.Context, _ time.Time) (Reading, error) {
			<-ctx.Done()
			ended = true
			return Reading{}, ctx.Err()
		}}
		c, err := NewCache(CacheConfig{Source: s, Timeout: time.Hour})
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.At(t.Context(), noon)
			require.Error(t, err)
		})
		synctest.Wait()
		require.NoError(t, c.Close())
		require.True(t, ended)
		wg.Wait()
		_, err = c.At(t.Context(), noon)
		require.Error(t, err)
		require.EqualValues(t, 1, s.calls.Load())
		require.NoError(t, c.Close())
	})
	for _, cfg := range []CacheConfig{{}, {Source: &cacheSource{}, TTL: -1}, {Source: &cacheSource{}, Timeout: -1}} {
		_, err := NewCache(cfg)
		require.Error(t, err)
	}
}

func TestCacheAllocates(t *testing.T) {
	c := cacheOf(t, &cacheSource{at: func(_ context.Context, at time.Time) (Reading, error) { return cacheHour(at), nil }})
	chain := chainOf(t, ChainConfig{Source: &cacheSource{at: func(_ context.Context, at time.Time) (Reading, error) { return cacheHour(at), nil }}})
	for _, p := range []Provider{c, chain} {
		_, err := p.At(t.Context(), noon)
		require.NoError(t, err)
		_, err = p.At(t.Context(), noon)
		require.NoError(t, err)
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = p.At(t.Context(), noon) }))
	}
}

func BenchmarkCachedIntensity(b *testing.B) {
	source := &cacheSource{at: func(_ context.Context, at time.Time) (Reading, error) { return cacheHour(at), nil }}
	for name, p := range map[string]Provider{"cache": cacheOf(b, source), "chain": chainOf(b, ChainConfig{Source: source})} {
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			_, err := p.At(ctx, noon)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if r, err := p.At(ctx, noon); err != nil || r.Intensity == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}
