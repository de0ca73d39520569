package retry_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

func TestExponentialDelays(t *testing.T) {
	t.Parallel()
	plain := retry.Exponential{Base: 3 * time.Second, Max: 20 * time.Second, Factor: 2, Jitter: -1}
	for attempt, want := range map[int]time.Duration{
		-1: 3 * time.Second, 0: 3 * time.Second, 1: 3 * time.Second, 2: 6 * time.Second, 3: 12 * time.Second,
		4: 20 * time.Second, 5: 20 * time.Second, 10_000: 20 * time.Second, math.MaxInt: 20 * time.Second,
	} {
		require.Equal(t, want, plain.Delay(attempt, 0), "attempt %d", attempt)
	}
}

// The cap is a cap, jitter included, and the jitter is still there below it.
func TestJitterSpreadsUnderTheCap(t *testing.T) {
	t.Parallel()
	for _, e := range []retry.Exponential{
		{}, {Max: 10 * time.Second}, {Jitter: 1}, {Jitter: 7}, {Factor: math.Inf(1)}, {Base: math.MaxInt64, Max: math.MaxInt64},
		{Base: math.MaxInt64, Max: math.MaxInt64, Jitter: 1},
		{Base: time.Hour, Max: time.Second}, {Factor: math.NaN(), Jitter: 0.1}, {Factor: 1},
	} {
		longest := e.Max
		if longest == 0 {
			longest = time.Minute
		}
		for _, attempt := range []int{1, 2, 5, 50, 5000} {
			seen := map[time.Duration]bool{}
			for range 100 {
				d := e.Delay(attempt, 0)
				require.GreaterOrEqual(t, d, time.Duration(0), "%+v", e)
				require.LessOrEqual(t, d, longest, "%+v", e)
				seen[d] = true
			}
			require.Greater(t, len(seen), 50, "%+v after attempt %d", e, attempt)
		}
	}
	require.Positive(t, retry.Exponential{Base: math.MaxInt64, Max: math.MaxInt64, Jitter: -1}.Delay(1, 0))
	least, most := time.Hour, time.Duration(0)
	for range 10_000 {
		d := retry.Exponential{}.Delay(1, 0)
		least, most = min(least, d), max(most, d)
	}
	require.InDelta(t, 0.5, least.Seconds(), 0.01)
	require.InDelta(t, 1.5, most.Seconds(), 0.01)
	require.EqualValues(t, 5, retry.Exponential{Base: 5, Jitter: math.NaN()}.Delay(1, 0))
}

func TestLinearDelays(t *testing.T) {
	t.Parallel()
	plain := retry.Linear{Base: 3 * time.Second, Max: 20 * time.Second, Jitter: -1}
	for attempt, want := range map[int]time.Duration{
		-1: 3 * time.Second, 0: 3 * time.Second, 1: 3 * time.Second, 2: 6 * time.Second, 6: 18 * time.Second,
		7: 20 * time.Second, math.MaxInt: 20 * time.Second,
	} {
		require.Equal(t, want, plain.Delay(attempt, 0), "attempt %d", attempt)
	}
}

func TestFibonacciDelays(t *testing.T) {
	t.Parallel()
	plain := retry.Fibonacci{Base: time.Second, Max: 300 * time.Hour, Jitter: -1}
	for i, want := range []time.Duration{1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144} {
		require.Equal(t, want*time.Second, plain.Delay(i+1, 0), "attempt %d", i+1)
	}
	require.Equal(t, 832040*time.Second, plain.Delay(30, 0))
	require.Equal(t, 300*time.Hour, plain.Delay(31, 0))
	require.Equal(t, 300*time.Hour, plain.Delay(math.MaxInt, 0), "and at once: the sum does not run to the end")
	require.Equal(t, time.Second, plain.Delay(math.MinInt, 0))
}

// The named jitters are those of the article: ceiling = min(cap, base*2^n), n from 1; full = random(0, ceiling), equal =
// ceiling/2 + random(0, ceiling/2).
func TestNamedJitters(t *testing.T) {
	t.Parallel()
	const base, longest, draws = 5 * time.Second, 100 * time.Second, 20_000
	for attempt := 1; attempt < 8; attempt++ {
		ceiling := min(longest, base<<attempt).Seconds()
		for _, tt := range []struct {
			name              string
			delays            retry.Delays
			least, most, mean float64
		}{
			{"full", retry.Exponential{Base: base, Max: longest, Jitter: retry.FullJitter}, 0, ceiling, ceiling / 2},
			{"equal", retry.Exponential{Base: base * 3 / 2, Max: longest, Jitter: retry.EqualJitter}, ceiling / 2, ceiling, ceiling * 3 / 4},
		} {
			least, most, sum := math.Inf(1), 0.0, 0.0
			for range draws {
				d := tt.delays.Delay(attempt, 0).Seconds()
				least, most, sum = min(least, d), max(most, d), sum+d
			}
			// The least of n draws misses the bound by 1/n of the width, by ten times that once in e^10; the mean has a
			// standard deviation of width/sqrt(12 n), of which five are allowed.
			width := tt.most - tt.least
			require.InDelta(t, tt.least, least, 10*width/draws, "%s after attempt %d", tt.name, attempt)
			require.InDelta(t, tt.most, most, 10*width/draws, "%s after attempt %d", tt.name, attempt)
			require.InDelta(t, tt.mean, sum/draws, 5*width/math.Sqrt(12*draws), "%s after attempt %d", tt.name, attempt)
		}
	}
}

func TestDecorrelatedDelays(t *testing.T) {
	t.Parallel()
	d := retry.Decorrelated{Base: 2 * time.Second, Max: time.Minute}
	for _, tt := range []struct{ prev, least, most time.Duration }{
		{-5, 2 * time.Second, 6 * time.Second},
		{0, 2 * time.Second, 6 * time.Second},
		{time.Second, 2 * time.Second, 6 * time.Second},
		{4 * time.Second, 2 * time.Second, 12 * time.Second},
		{19 * time.Second, 2 * time.Second, 57 * time.Second},
		{time.Minute, 2 * time.Second, time.Minute},
		{math.MaxInt64, 2 * time.Second, time.Minute},
	} {
		least, most, capped := time.Duration(math.MaxInt64), time.Duration(0), 0
		for range 10_000 {
			got := d.Delay(1, tt.prev)
			least, most = min(least, got), max(most, got)
			if got == time.Minute {
				capped++
			}
		}
		slack := float64(tt.most-tt.least) / 1000
		require.GreaterOrEqual(t, least, tt.least)
		require.LessOrEqual(t, most, tt.most)
		require.InDelta(t, float64(tt.least), float64(least), slack, "after %v", tt.prev)
		require.InDelta(t, float64(tt.most), float64(most), slack, "after %v", tt.prev)
		require.Less(t, capped, 10, "late delays still differ")
	}
	require.Equal(t, 3*time.Second, retry.Decorrelated{Base: time.Hour, Max: 3 * time.Second}.Delay(1, 0))
	require.Positive(t, retry.Decorrelated{Base: math.MaxInt64, Max: math.MaxInt64}.Delay(1, math.MaxInt64))
	require.Positive(t, retry.Decorrelated{Base: 1, Max: math.MaxInt64}.Delay(1, math.MaxInt64))
}

// Jitter is on by default: three draws differ.
func TestDelaysDiffer(t *testing.T) {
	t.Parallel()
	for _, d := range []retry.Delays{
		retry.Exponential{}, retry.Linear{}, retry.Fibonacci{}, retry.Decorrelated{}, &retry.Adaptive{},
	} {
		a, b, c := d.Delay(3, time.Second), d.Delay(3, time.Second), d.Delay(3, time.Second)
		require.True(t, a != b && b != c && a != c, "%T: %v %v %v", d, a, b, c)
	}
}

func FuzzDelays(f *testing.F) {
	f.Add(3, int64(time.Second), int64(time.Second), int64(time.Minute), 2.0, 0.5)
	f.Add(math.MaxInt, int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64), math.Inf(1), 1.0)
	f.Add(math.MinInt, int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64), math.NaN(), math.NaN())
	f.Add(100, int64(1), int64(1), int64(1), 1.0000001, 1e-300)
	f.Fuzz(func(t *testing.T, attempt int, prev, base, longest int64, factor, jitter float64) {
		from, upTo := time.Duration(base), time.Duration(longest)
		bound := upTo
		if bound <= 0 {
			bound = time.Minute
		}
		adaptiveBound := upTo
		if adaptiveBound <= 0 {
			adaptiveBound = 10 * time.Minute
		}
		for _, tt := range []struct {
			delays retry.Delays
			bound  time.Duration
		}{
			{retry.Exponential{Base: from, Max: upTo, Factor: factor, Jitter: jitter}, bound},
			{retry.Linear{Base: from, Max: upTo, Jitter: jitter}, bound},
			{retry.Fibonacci{Base: from, Max: upTo, Jitter: jitter}, bound},
			{retry.Decorrelated{Base: from, Max: upTo}, bound},
			{&retry.Adaptive{Start: retry.Exponential{Base: from, Max: math.MaxInt64, Jitter: jitter}, Max: upTo}, adaptiveBound},
		} {
			d := tt.delays.Delay(attempt, time.Duration(prev))
			require.GreaterOrEqual(t, d, time.Duration(0), "%+v", tt.delays)
			require.LessOrEqual(t, d, tt.bound, "%+v", tt.delays)
		}
		// Without jitter a delay is its own mean, and grows with the attempts.
		if attempt < math.MaxInt {
			for _, d := range []retry.Delays{
				retry.Exponential{Base: from, Max: upTo, Factor: factor, Jitter: -1},
				retry.Linear{Base: from, Max: upTo, Jitter: -1},
				retry.Fibonacci{Base: from, Max: upTo, Jitter: -1},
			} {
				require.LessOrEqual(t, d.Delay(attempt, 0), d.Delay(attempt+1, 0), "%+v", d)
			}
		}
	})
}
