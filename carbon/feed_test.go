package carbon

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// newTestFeed answers with the hour of t and counts the calls; fail, if set, is what it ends with instead.
func newTestFeed(fresh time.Duration) (f *feed, calls *int, fail *error) {
	calls, fail = new(int), new(error)
	f = &feed{source: "Test", zone: "XX", signal: Average, fresh: fresh}
	f.fetch = func(_ context.Context, t time.Time) ([]Reading, window, error) {
		*calls++
		from := t.Truncate(time.Hour)
		asked := window{from, from.Add(time.Hour)}
		if *fail != nil {
			return nil, asked, *fail
		}
		return []Reading{reading(float64(*calls%1000), from, from.Add(time.Hour))}, asked, nil
	}
	return f, calls, fail
}

func TestFeedRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, calls, fail := newTestFeed(10 * time.Minute)
		at := noon.Add(time.Minute)
		r, err := f.at(t.Context(), at)
		require.NoError(t, err)
		require.Zero(t, r.Strategy, "straight from its source")
		*fail = &APIError{Source: "Test", Kind: ErrUnavailable}
		<-time.After(11 * time.Minute)
		r, err = f.at(t.Context(), at)
		require.NoError(t, err, "what it said before is better than nothing")
		require.Equal(t, Cached, r.Strategy)
		require.Equal(t, 2, *calls)
		_, err = f.at(t.Context(), at.Add(day))
		require.ErrorIs(t, err, ErrUnavailable)
		require.Equal(t, 2, *calls, "it rests")

		// Over a day in which it is asked every second, a dead source is called a few dozen times at most.
		for start := time.Now(); time.Since(start) < day; {
			_, _ = f.at(t.Context(), at)
			<-time.After(time.Second * 10)
		}
		require.Less(t, *calls, 2+6+25)
		*fail = nil
		<-time.After(longestPause)
		r, err = f.at(t.Context(), at)
		require.NoError(t, err)
		require.Zero(t, r.Strategy)
	})
}

func TestFeedHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, calls, fail := newTestFeed(time.Minute)
		*fail = &APIError{Source: "Test", Kind: ErrQuota, After: 3 * time.Hour}
		_, err := f.at(t.Context(), noon)
		require.ErrorIs(t, err, ErrQuota)
		<-time.After(3*time.Hour - 1)
		_, err = f.at(t.Context(), noon)
		require.ErrorIs(t, err, ErrQuota)
		require.Equal(t, 1, *calls)
		*fail = nil
		<-time.After(time.Second)
		_, err = f.at(t.Context(), noon)
		require.NoError(t, err)
	})
}

// A refused question does not keep others from being asked.
func TestFeedRefusedForItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, calls, fail := newTestFeed(time.Minute)
		*fail = &APIError{Source: "Test", Kind: ErrPlan}
		_, err := f.at(t.Context(), noon)
		require.ErrorIs(t, err, ErrPlan)
		_, err = f.at(t.Context(), noon.Add(time.Minute))
		require.ErrorIs(t, err, ErrPlan)
		require.Equal(t, 1, *calls)
		*fail = nil
		_, err = f.at(t.Context(), noon.Add(day))
		require.NoError(t, err)
	})
}

func TestFeedBetterBasisCounts(t *testing.T) {
	t.Parallel()
	f := &feed{source: "Test", signal: Average, fresh: time.Nanosecond}
	var next Reading
	f.fetch = func(context.Context, time.Time) ([]Reading, window, error) {
		bad := reading(-1, noon.Add(-time.Hour), noon)
		return []Reading{next, bad}, window{noon.Add(-day), noon.Add(day)}, nil
	}
	for _, step := range []struct {
		basis     Basis
		say, want Intensity
	}{{Forecast, 1, 1}, {Forecast, 2, 2}, {Measured, 3, 3}, {Forecast, 4, 3}, {Estimated, 5, 3}, {Measured, 6, 6}} {
		next = reading(float64(step.say), noon, noon.Add(time.Hour))
		next.Basis = step.basis
		r, err := f.at(t.Context(), noon)
		require.NoError(t, err)
		require.Equal(t, step.want, r.Intensity)
	}
	_, err := f.at(t.Context(), noon.Add(-time.Minute))
	require.ErrorIs(t, err, ErrNoData, "a reading that breaks the rules is none")
	_, err = f.at(t.Context(), noon.Add(-2*time.Hour))
	require.ErrorIs(t, err, ErrNoData)
}

// The memory stays small over years of readings, and what is asked for is found all the same.
func TestFeedIsBounded(t *testing.T) {
	t.Parallel()
	f := &feed{source: "Test", zone: "XX", signal: Average, fresh: time.Hour}
	f.fetch = func(_ context.Context, at time.Time) (readings []Reading, asked window, err error) {
		asked = window{at.Truncate(time.Hour), at.Truncate(time.Hour).Add(30 * day)}
		for from := asked.from; from.Before(asked.to); from = from.Add(time.Hour) {
			readings = append(readings, reading(1, from, from.Add(time.Hour)))
		}
		return readings, asked, nil
	}
	for i := range 40 {
		at := noon.Add(time.Duration(i) * -29 * day)
		r, err := f.at(t.Context(), at)
		require.NoError(t, err)
		require.True(t, r.Covers(at))
	}
	require.LessOrEqual(t, len(f.readings), maxKept)
}

// Callers for different times, some of whom give up, each get their own answer.
func TestFeedConcurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &feed{source: "Test", zone: "XX", signal: Average, fresh: time.Minute}
		var mu sync.Mutex
		under, calls := 0, 0
		f.fetch = func(ctx context.Context, at time.Time) ([]Reading, window, error) {
			mu.Lock()
			under++
			calls++
			if under != 1 {
				t.Error("two calls at once")
			}
			mu.Unlock()
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			mu.Lock()
			under--
			mu.Unlock()
			from := at.Truncate(time.Hour)
			return []Reading{reading(float64(from.Hour()), from, from.Add(time.Hour))}, window{from, from.Add(time.Hour)}, ctx.Err()
		}
		random := rand.New(rand.NewPCG(1, 2))
		var wg sync.WaitGroup
		for i := range 200 {
			at := noon.Add(time.Duration(random.IntN(8)) * time.Hour)
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if i%5 == 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(4000))*time.Millisecond)
			}
			wg.Go(func() {
				defer cancel()
				r, err := f.at(ctx, at)
				if err == nil && !(r.Covers(at) && r.Intensity == Intensity(at.Hour())) || err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("asked for %v: %v, %v", at, r, err)
				}
			})
		}
		wg.Wait()
		require.Less(t, calls, 40)
	})
}

// What was fetched is answered from memory, at no cost to a loop that asks in every step.
func TestFeedFromMemoryDoesNotAllocate(t *testing.T) {
	f, calls, _ := newTestFeed(time.Hour)
	ctx, at := t.Context(), noon.Add(time.Minute)
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := f.at(ctx, at); err != nil {
			t.Fatal(err)
		}
	})
	require.Zero(t, allocs)
	require.Equal(t, 1, *calls)
}

func BenchmarkFeedFromMemory(b *testing.B) {
	f, _, _ := newTestFeed(time.Hour)
	ctx, at := b.Context(), noon.Add(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.at(ctx, at); err != nil {
			b.Fatal(err)
		}
	}
}
