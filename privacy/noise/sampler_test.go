package noise

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy"
)

var (
	_ Sampler = (*PoissonSampler)(nil)
	_ Sampler = (*FixedSampler)(nil)
	_ Sampler = (*TruncatedSampler)(nil)
	_ Sampler = (*ShuffledSampler)(nil)
	_ Sampler = (*AllocationSampler)(nil)
	_ Spender = (*privacy.Filter)(nil)
)

func fixed(t testing.TB, n, batch int) *FixedSampler {
	s, err := NewFixedSampler(n, batch)
	require.NoError(t, err)
	return s
}

func truncated(t testing.TB, n int, rate float64, largest int) *TruncatedSampler {
	s, err := NewTruncatedSampler(n, rate, largest)
	require.NoError(t, err)
	return s
}

func shuffled(t testing.TB, n, batch int) *ShuffledSampler {
	s, err := NewShuffledSampler(n, batch)
	require.NoError(t, err)
	return s
}

func allocation(t testing.TB, n, steps int) *AllocationSampler {
	s, err := NewAllocationSampler(n, steps)
	require.NoError(t, err)
	return s
}

func increasing(t *testing.T, batch []int, n int) {
	t.Helper()
	for i, r := range batch {
		if r < 0 || r >= n || (i > 0 && r <= batch[i-1]) {
			t.Fatalf("not increasing below %d: %v", n, batch)
		}
	}
}

// tally encodes a batch of records below 20 as a set.
func tally(batch []int) (set int) {
	for _, r := range batch {
		set |= 1 << r
	}
	return set
}

// All subsets of the size are equally likely.
func TestFixedSampler(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, batch, subsets int }{{1, 1, 1}, {5, 1, 5}, {7, 3, 35}, {6, 6, 1}, {8, 7, 8}} {
		s, src := fixed(t, c.n, c.batch), NewNotPrivate(51, uint64(c.n))
		counts := map[int]int{}
		var batch []int
		for range 2000 * c.subsets {
			batch = s.Draw(batch, src)
			if len(batch) != c.batch {
				t.Fatalf("batch of %d", len(batch))
			}
			increasing(t, batch, c.n)
			counts[tally(batch)]++
		}
		require.Len(t, counts, c.subsets)
		uniform(t, counts)
	}
	// A small batch of very many records draws little more than one word for each.
	words := 0
	batch := fixed(t, math.MaxInt, 1000).Draw(nil, counting{NewNotPrivate(52), &words})
	require.Len(t, batch, 1000)
	increasing(t, batch, math.MaxInt)
	require.Less(t, words, 3000)
	require.Empty(t, new(FixedSampler).Draw([]int{1}, nil))
	require.Error(t, new(FixedSampler).Event(gaussian()).Validate())
}

type counting struct {
	Source
	words *int
}

func (c counting) Uint64() uint64 {
	*c.words++
	return c.Source.Uint64()
}

func uniform(t *testing.T, counts map[int]int) {
	t.Helper()
	var c []int
	var p []float64
	for _, n := range counts {
		c, p = append(c, n), append(p, 1/float64(len(counts)))
	}
	chiSquare(t, c, p)
}

// Every set has its probability: that of Poisson if it is small, and of full sets the same for all.
func TestTruncatedSampler(t *testing.T) {
	t.Parallel()
	const n, rate, largest, draws = 5, .5, 2, 100_000
	s, src := truncated(t, n, rate, largest), NewNotPrivate(53)
	counts, p := make([]int, 1<<n), make([]float64, 1<<n)
	var batch []int
	for range draws {
		batch = s.Draw(batch, src)
		increasing(t, batch, n)
		counts[tally(batch)]++
	}
	for set := range p {
		size := 0
		for b := set; b != 0; b &= b - 1 {
			size++
		}
		switch { // of the 32 equally likely sets 26 have 2 records or more
		case size < largest:
			p[set] = 1. / 32
		case size == largest:
			p[set] = 26. / 32 / 10
		}
	}
	for set, c := range counts {
		require.Equal(t, p[set] == 0, c == 0)
	}
	chiSquare(t, counts, p)

	// Where nothing is cut off, the draws are those of Poisson.
	a, b := NewNotPrivate(54), NewNotPrivate(54)
	for range 100 {
		require.Equal(t, poisson(t, 50, .3).Draw(nil, a), truncated(t, 50, .3, 50).Draw(nil, b))
	}
}

// The event of a truncated sampler holds for one rate exactly: that of the draw.
func TestTruncatedRateIsExact(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 1e-30, 1e-18, 1e-9, .01, 1. / 3, .75, 1 - 0x1p-53} {
		s := truncated(t, 10, rate, 5)
		require.LessOrEqual(t, s.Rate(), rate)
		require.InDelta(t, rate, s.Rate(), 0x1p-64)
		require.Equal(t, s.poisson.threshold, uint64(math.Ldexp(s.Rate(), 64)))
		require.Equal(t, float64(s.poisson.threshold), math.Ldexp(s.Rate(), 64), "no digit is lost")
		require.Equal(t, s.Rate(), s.Event(gaussian()).Rate)
	}
	require.Equal(t, 1.0, truncated(t, 10, 1, 5).Rate())
}

// Each epoch is a partition of the records, all orders are equally likely, and epochs do not depend on each other.
func TestShuffledSampler(t *testing.T) {
	t.Parallel()
	s, src := shuffled(t, 5, 2), NewNotPrivate(55)
	require.Equal(t, 3, s.Period())
	require.Zero(t, s.Left())
	counts, changes := map[int]int{}, map[int]int{}
	last := 0
	for range 30_000 {
		var sets []int
		for step, size := range []int{2, 2, 1} {
			batch := s.Draw(nil, src)
			if len(batch) != size || s.Left() != 2-step {
				t.Fatalf("batch of %d, %d left", len(batch), s.Left())
			}
			increasing(t, batch, 5)
			sets = append(sets, tally(batch))
		}
		if sets[0]|sets[1]|sets[2] != 31 {
			t.Fatal("an epoch is not all records")
		}
		counts[sets[0]<<5|sets[1]]++
		changes[last<<5|sets[0]]++
		last = sets[0]
	}
	require.Len(t, counts, 30)
	uniform(t, counts)
	for key, n := range changes {
		if key>>5 == 0 {
			require.Equal(t, 1, n)
			delete(changes, key)
		}
	}
	require.Len(t, changes, 100)
	uniform(t, changes)
	require.Equal(t, 1, shuffled(t, 5, 5).Period())
	require.Equal(t, 1, shuffled(t, 1, 1).Period())
	require.Equal(t, 2, shuffled(t, math.MaxInt16, math.MaxInt16-1).Period())
}

// Each record goes to each step with the same probability, whatever the others do, and comes once per epoch.
func TestAllocationSampler(t *testing.T) {
	t.Parallel()
	s, src := allocation(t, 3, 4), NewNotPrivate(56)
	counts := map[int]int{}
	var batch []int
	for range 40_000 {
		where := [3]int{-1, -1, -1}
		for step := range 4 {
			batch = s.Draw(batch, src)
			if s.Left() != 3-step {
				t.Fatal("batches left:", s.Left())
			}
			increasing(t, batch, 3)
			for _, r := range batch {
				if where[r] != -1 {
					t.Fatal("a record came twice")
				}
				where[r] = step
			}
		}
		if slices.Contains(where[:], -1) {
			t.Fatal("a record did not come")
		}
		counts[where[0]<<4|where[1]<<2|where[2]]++
	}
	require.Len(t, counts, 64)
	uniform(t, counts)
}

func gaussian() privacy.Gaussian {
	return privacy.Gaussian{StdDev: 1.1, Clip: 1, Relation: privacy.AddRemove}
}

func TestSamplersReturnTheirEvents(t *testing.T) {
	t.Parallel()
	g := gaussian()
	special := g
	special.Relation = privacy.ReplaceSpecial
	for _, c := range []struct {
		sampler  Sampler
		want     privacy.Event
		period   int
		expected float64
	}{
		{poisson(t, 1000, .02), privacy.Poisson{Rate: .02, Gaussian: g}, 1, 20},
		{fixed(t, 1000, 20), privacy.FixedSize{Batch: 20, Records: 1000, Gaussian: g}, 1, 20},
		{truncated(t, 1000, .25, 300), privacy.TruncatedPoisson{Rate: .25, MaxBatch: 300, Records: 1000, Gaussian: g}, 1, 250},
		{shuffled(t, 1000, 30), special, 34, 30},
		{allocation(t, 1000, 50), privacy.Allocation{Steps: 50, Times: 1, Epochs: 1, Gaussian: special}, 50, 20},
	} {
		require.NoError(t, c.want.Validate())
		require.Equal(t, c.want, c.sampler.Cost(g))
		require.Equal(t, c.period, c.sampler.Period())
		require.InEpsilon(t, c.expected, c.sampler.Expected(), 1e-15)
	}
}

// E shuffled epochs cost what one Gaussian with 1/sqrt(E) of the noise costs; random bins and Poisson batches at the same noise far
// less, which is what charging a shuffled list as either would claim.
func TestShufflingIsNotPoisson(t *testing.T) {
	t.Parallel()
	const n, batch, epochs, delta = 10_000, 100, 4, 1e-5
	g := gaussian()
	epsilon := func(a privacy.Accountant, e privacy.Event, times int) privacy.Interval {
		require.NoError(t, a.Add(e, times))
		got, err := a.Epsilon(delta)
		require.NoError(t, err)
		return got
	}
	shuffle := epsilon(new(privacy.GDP), shuffled(t, n, batch).Cost(g), epochs)
	once := epsilon(new(privacy.GDP), privacy.Gaussian{StdDev: g.StdDev, Clip: math.Sqrt(epochs), Relation: privacy.ReplaceSpecial}, 1)
	require.InEpsilon(t, once.Upper, shuffle.Upper, 1e-6)
	require.InEpsilon(t, once.Upper, shuffle.Lower, 1e-6)
	bins := epsilon(new(privacy.RDP), allocation(t, n, n/batch).Cost(g), epochs)
	rate := epsilon(new(privacy.RDP), poisson(t, n, float64(batch)/n).Cost(g), epochs*n/batch)
	require.Less(t, bins.Upper, shuffle.Lower/2)
	require.Less(t, rate.Upper, shuffle.Lower/2)
}

func TestSamplersRefuse(t *testing.T) {
	t.Parallel()
	for i, err := range []error{
		second(NewFixedSampler(0, 0)), second(NewFixedSampler(5, 6)), second(NewFixedSampler(5, 0)), second(NewFixedSampler(-1, -1)),
		second(NewTruncatedSampler(0, .5, 1)), second(NewTruncatedSampler(5, .5, 0)), second(NewTruncatedSampler(5, .5, 6)),
		second(NewTruncatedSampler(5, math.NaN(), 1)), second(NewTruncatedSampler(5, 1.1, 1)), second(NewTruncatedSampler(1<<30+1, .1, 1)),
		second(NewShuffledSampler(0, 0)), second(NewShuffledSampler(5, 6)), second(NewShuffledSampler(5, -1)),
		second(NewAllocationSampler(0, 1)), second(NewAllocationSampler(1, 0)), second(NewAllocationSampler(1, 1<<20+1)),
	} {
		require.ErrorIs(t, err, ErrInvalid, "case %d", i)
	}
}

func second[T any](_ T, err error) error { return err }

func TestDrawAllocations(t *testing.T) {
	src, dst := NewNotPrivate(57), make([]int, 0, 1000)
	for want, s := range map[float64][]Sampler{
		0: {poisson(t, 1000, .1), truncated(t, 1000, .1, 50), shuffled(t, 1000, 100)},
		1: {fixed(t, 1000, 100), allocation(t, 1000, 1)}, // the hash table; the bins of an epoch
	} {
		for _, s := range s {
			s.Draw(dst, src)
			require.LessOrEqual(t, testing.AllocsPerRun(100, func() { s.Draw(dst, src) }), want, "%T", s)
		}
	}
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		schedule Schedule
		want     []float64
	}{
		"constant":              {Constant(3), []float64{3, 3, 3, 3, 3}},
		"linear":                {Linear(4, 2, 4), []float64{4, 3.5, 3, 2.5, 2, 2}},
		"linear at once":        {Linear(4, 2, 0), []float64{2, 2}},
		"exponential":           {Exponential(8, .5), []float64{8, 4, 2, 1}},
		"staircase":             {Staircase(8, .5, 2), []float64{8, 8, 4, 4, 2}},
		"staircase of one step": {Staircase(8, .5, 0), []float64{8, 8, 8}},
	} {
		var got []float64
		for step := range c.want {
			got = append(got, c.schedule(step))
		}
		require.Equal(t, c.want, got, name)
		require.Equal(t, c.schedule(0), c.schedule(-1), name)
	}
}

func BenchmarkSamplers(b *testing.B) {
	for name, s := range map[string]Sampler{
		"poisson": poisson(b, 100_000, .01), "fixed": fixed(b, 100_000, 1000), "truncated": truncated(b, 100_000, .01, 1100),
		"shuffled": shuffled(b, 100_000, 1000), "allocation": allocation(b, 100_000, 100),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			src := new(Crypto)
			var batch []int
			for b.Loop() {
				batch = s.Draw(batch, src)
			}
		})
	}
}
