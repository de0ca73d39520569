package noise

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy"
)

func accumulator(t testing.TB, dim int, clip float64) *Accumulator {
	a, err := NewAccumulator(dim, clip)
	require.NoError(t, err)
	return a
}

func vectors(seed uint64, n, dim int) [][]float64 {
	rng := rand.New(rand.NewPCG(seed, 0))
	v := make([][]float64, n)
	for i := range v {
		v[i] = make([]float64, dim)
		for j := range v[i] {
			v[i][j] = rng.NormFloat64() * math.Exp(3*rng.NormFloat64())
		}
	}
	return v
}

func squared(sum []int64) *big.Int {
	s := new(big.Int)
	for _, n := range sum {
		s.Add(s, new(big.Int).Mul(big.NewInt(n), big.NewInt(n)))
	}
	return s
}

func TestContributionIsTheVectorOnTheGrid(t *testing.T) {
	t.Parallel()
	for _, clip := range []float64{1e-90, .3, 1, 7e5, 1e90} {
		a := accumulator(t, 3, clip)
		grid := math.Ldexp(clip, -a.gridBits)
		require.NoError(t, a.Add([]float64{clip / 3, 0, -clip / 7}))
		require.Zero(t, a.Clipped())
		require.InDelta(t, clip/3/grid, a.sum[0], .5001)
		require.InDelta(t, -clip/7/grid, a.sum[2], .5001)
		a.Reset()
		require.Zero(t, a.Examples())
		require.NoError(t, a.Add([]float64{3 * clip, 0, 4 * clip}))
		require.Equal(t, 1, a.Clipped())
		require.InEpsilon(t, .6*float64(int64(1)<<a.gridBits), a.sum[0], 1e-5)
		require.InEpsilon(t, .8*float64(int64(1)<<a.gridBits), a.sum[2], 1e-5)
	}
}

// Whatever the bits of a vector, its contribution is at most clip, in integers, and dense and sparse agree bit for bit.
func FuzzContribution(f *testing.F) {
	for _, v := range [][]float64{{1, 2, 3}, {math.NaN()}, {math.Inf(-1), 1}, {math.MaxFloat64, math.MaxFloat64}, {5e-324}, {0, 0, 1e155, 0, 1e-155}, {1.0000000000000002}} {
		var b []byte
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		f.Add(b, 1.0)
	}
	f.Fuzz(func(t *testing.T, raw []byte, clip float64) {
		if !(clip >= 1e-90 && clip <= 1e90) || len(raw) < 8 || len(raw) > 4096 {
			t.Skip()
		}
		g := make([]float64, len(raw)/8)
		var index []int
		var values []float64
		finite, largest := true, 0.0
		for i := range g {
			g[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
			finite = finite && !math.IsNaN(g[i]) && !math.IsInf(g[i], 0)
			largest = max(largest, math.Abs(g[i]))
			if g[i] != 0 {
				index, values = append(index, i), append(values, g[i])
			}
		}
		dense, sparse := accumulator(t, len(g), clip), accumulator(t, len(g), clip)
		require.NoError(t, dense.Add(g))
		require.NoError(t, sparse.AddSparse(index, values))
		require.Equal(t, dense.sum, sparse.sum)
		require.Equal(t, [3]int{1, dense.Dropped(), dense.Clipped()}, [3]int{sparse.Examples(), sparse.Dropped(), sparse.Clipped()})
		limit := new(big.Int).Lsh(big.NewInt(1), uint(2*dense.gridBits))
		require.LessOrEqual(t, squared(dense.sum).Cmp(limit), 0)
		require.Equal(t, finite, dense.Dropped() == 0)
		if largest > clip {
			require.Equal(t, finite, dense.Clipped() == 1)
			if finite { // a long vector keeps nearly all of the allowed norm
				kept, _ := new(big.Float).SetInt(squared(dense.sum)).Float64()
				require.Greater(t, math.Sqrt(kept), .997*math.Ldexp(1, dense.gridBits))
			}
		}
	})
}

// 10^7 equal elements: sums of squares that round once per element lose up to a fraction of 10^-9, sums in float32 most of the norm.
func TestNormIsNeverBelow(t *testing.T) {
	t.Parallel()
	g := make([]float64, 10_000_000)
	for _, x := range []float64{.1, 1. / 3, 1e-160, 1e160} {
		for i := range g {
			g[i] = x
		}
		n, scale := norm(g)
		exact := new(big.Float).SetPrec(200).SetFloat64(x)
		exact.Mul(exact, exact).Mul(exact, big.NewFloat(float64(len(g)))).Sqrt(exact)
		got := new(big.Float).SetPrec(200).SetFloat64(n)
		got.Quo(got, new(big.Float).SetFloat64(scale))
		require.GreaterOrEqual(t, got.Cmp(exact), 0, "x = %v", x)
		ratio, _ := got.Quo(got, exact).Float64()
		if x > 1e-150 {
			require.Less(t, ratio, 1+1e-8)
		}
	}
	for i := range g {
		g[i] = .1
	}
	a := accumulator(t, len(g), 1)
	require.NoError(t, a.Add(g))
	require.Equal(t, 1, a.Clipped())
	require.LessOrEqual(t, squared(a.sum).Cmp(new(big.Int).SetUint64(a.parts[0].square)), 0)
}

func TestNaNContributesNothing(t *testing.T) {
	t.Parallel()
	a := accumulator(t, 4, 1)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.NoError(t, a.Add([]float64{.1, bad, .1, .1}))
		require.NoError(t, a.AddSparse([]int{1, 3}, []float64{.1, bad}))
	}
	require.Equal(t, 6, a.Examples())
	require.Equal(t, 6, a.Dropped())
	require.Zero(t, a.Clipped())
	require.Equal(t, make([]int64, 4), a.sum)
}

// Should the scaling ever let a contribution exceed the clip norm, the integer check drops it.
func TestIntegerCheckIsTheLastWord(t *testing.T) {
	t.Parallel()
	a := accumulator(t, 2, 1)
	a.parts[0].threshold *= 1.01
	require.NoError(t, a.Add([]float64{3, 4}))
	require.NoError(t, a.AddSparse([]int{0, 1}, []float64{3, 4}))
	require.Equal(t, 2, a.Dropped())
	require.Equal(t, make([]int64, 2), a.sum)
}

// The sum has the same bits for any order of the records, any number of workers and any micro-batches.
func TestSumIsExact(t *testing.T) {
	t.Parallel()
	const dim = 17
	records := vectors(1, 500, dim)
	records[100][3] = math.NaN()
	want := accumulator(t, dim, 1)
	for _, g := range records {
		require.NoError(t, want.Add(g))
	}
	require.Positive(t, want.Clipped())
	require.Less(t, want.Clipped(), 500)
	for workers := 1; workers <= 8; workers++ {
		rng := rand.New(rand.NewPCG(uint64(workers), 1))
		part := make([]*Accumulator, workers)
		for i := range part {
			part[i] = accumulator(t, dim, 1)
		}
		for _, i := range rng.Perm(len(records)) {
			require.NoError(t, part[rng.IntN(workers)].Add(records[i]))
		}
		for _, p := range part[1:] {
			require.NoError(t, part[0].Merge(p))
			require.Equal(t, accumulator(t, dim, 1), p, "merged means moved")
		}
		require.Equal(t, want, part[0])

		noisy, same := make([]float64, dim), make([]float64, dim)
		require.NoError(t, part[0].Release(noisy, 1, NewNotPrivate(9)))
		again := *want
		again.sum = append([]int64(nil), want.sum...)
		require.NoError(t, again.Release(same, 1, NewNotPrivate(9)))
		require.Equal(t, same, noisy)
	}
}

func TestReleaseAddsTheNoiseThatIsCharged(t *testing.T) {
	t.Parallel()
	const dim, clip, multiplier = 100_000, .7, 1.3
	a := accumulator(t, dim, clip)
	dst := make([]float64, dim)
	// An empty batch is noised like any other.
	require.NoError(t, a.Release(dst, multiplier, NewNotPrivate(10)))
	var m1, m2 float64
	for _, x := range dst {
		m1 += x / dim
		m2 += x * x / dim
	}
	std := multiplier * clip
	require.InDelta(t, 0, m1, 5*std/math.Sqrt(dim))
	require.InEpsilon(t, std*std, m2, 5*math.Sqrt(2./dim))

	// The sum is in it, once, and gone afterwards.
	g := make([]float64, dim)
	for i := range g {
		g[i] = .001
	}
	for range 1000 {
		require.NoError(t, a.Add(g))
	}
	require.NoError(t, a.Release(dst, multiplier, NewNotPrivate(10)))
	mean := 0.0
	for _, x := range dst {
		mean += x / dim
	}
	require.InDelta(t, m1+1000*.001, mean, 1e-3)
	require.Zero(t, a.Examples())
	require.NoError(t, a.Release(g, multiplier, NewNotPrivate(10)))
	require.InDelta(t, mean-1, average(g), 1e-3)
}

func average(x []float64) (mean float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	return mean
}

func TestEventIsWhatIsReleased(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 0))
	for range 2000 {
		clip, m := math.Exp(20*rng.Float64()-10), math.Exp(8*rng.Float64()-3)
		a := accumulator(t, 5, clip)
		e := a.Event(m)
		require.NoError(t, e.Validate())
		require.Equal(t, clip, e.Clip)
		require.Equal(t, privacy.AddRemove, e.Relation)
		require.LessOrEqual(t, e.Multiplier(), m, "more noise charged than asked for")
		require.InEpsilon(t, m, e.Multiplier(), 1e-15)
		steps := math.Ceil(math.Ldexp(m, a.gridBits))
		require.GreaterOrEqual(t, steps/math.Ldexp(1, a.gridBits), m, "less noise added than asked for")
	}
	require.Error(t, accumulator(t, 1, 1).Event(math.NaN()).Validate())
}

func TestReleaseParallel(t *testing.T) {
	t.Parallel()
	const dim = 1003
	run := func() []float64 {
		a := accumulator(t, dim, 1)
		require.NoError(t, a.Add(vectors(3, 1, dim)[0]))
		dst := make([]float64, dim)
		require.NoError(t, a.ReleaseParallel(dst, 2, []Source{NewNotPrivate(1), NewNotPrivate(2), NewNotPrivate(3)}))
		return dst
	}
	a := run()
	require.Equal(t, a, run())
	seen := map[float64]bool{}
	for _, x := range a {
		require.False(t, seen[x], "two coordinates share their noise")
		seen[x] = true
	}
}

func TestAccumulatorRefuses(t *testing.T) {
	t.Parallel()
	for _, dim := range []int{0, -1, math.MinInt} {
		_, err := NewAccumulator(dim, 1)
		require.ErrorIs(t, err, ErrInvalid)
	}
	for _, clip := range []float64{0, -1, math.NaN(), math.Inf(1), 1e-91, 1e91} {
		_, err := NewAccumulator(1, clip)
		require.ErrorIs(t, err, ErrInvalid)
	}
	a := accumulator(t, 3, 1)
	require.NoError(t, a.Add([]float64{.1, .2, .3}))
	before := append([]int64(nil), a.sum...)
	src := NewNotPrivate(12)
	dst := make([]float64, 3)
	twice := []Source{src, NewNotPrivate(1), src}
	for i, err := range []error{
		a.Add([]float64{1, 2}), a.Add(nil), a.AddSparse([]int{0}, nil), a.AddSparse([]int{1, 1}, []float64{1, 1}),
		a.AddSparse([]int{2, 1}, []float64{1, 1}), a.AddSparse([]int{-1}, []float64{1}), a.AddSparse([]int{3}, []float64{1}),
		a.Merge(nil), a.Merge(a), a.Merge(accumulator(t, 4, 1)), a.Merge(accumulator(t, 3, 2)),
		a.Release(dst[:2], 1, src), a.Release(dst, 0, src), a.Release(dst, -1, src), a.Release(dst, math.NaN(), src), a.Release(dst, math.Inf(1), src),
		a.Release(dst, 1./33, src), a.Release(dst, 1<<20+1, src), a.Release(dst, 1, nil), a.ReleaseParallel(dst, 1, nil), a.ReleaseParallel(dst, 1, twice),
		new(Accumulator).Add(nil), new(Accumulator).Release(nil, 1, src),
	} {
		require.ErrorIs(t, err, ErrInvalid, "case %d", i)
	}
	require.Equal(t, before, a.sum)
	require.Equal(t, 1, a.Examples())
	require.Equal(t, make([]float64, 3), dst)
	require.Equal(t, NewNotPrivate(12).Uint64(), src.Uint64(), "a refused release draws nothing")

	// So many records that a coordinate could overflow: where an int can count them.
	if math.MaxInt == math.MaxInt32 {
		return
	}
	a.examples = 1<<(sumBits-a.gridBits) - 1
	require.NoError(t, a.Add([]float64{.1, .2, .3}))
	require.ErrorIs(t, a.Add([]float64{.1, .2, .3}), ErrInvalid)
	require.ErrorIs(t, a.AddSparse([]int{0}, []float64{.1}), ErrInvalid)
	other := accumulator(t, 3, 1)
	require.NoError(t, other.Add([]float64{.1, .2, .3}))
	require.ErrorIs(t, a.Merge(other), ErrInvalid)
}

// The grid is at least 2^20 steps per clip norm, and rounding takes at most a thousandth of it.
func TestGridFollowsDimension(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ dim, bits int }{{1, 20}, {1<<22 - 100, 20}, {1<<22 + 1, 21}, {1<<30 - 1000, 24}} {
		bits, threshold := grid(c.dim)
		require.Equal(t, c.bits, bits, "dim %d", c.dim)
		require.Greater(t, threshold, .999*math.Ldexp(1, bits))
		require.Less(t, threshold, math.Ldexp(1, bits)-math.Sqrt(float64(c.dim))/2)
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	a, g := accumulator(t, 100, 1), make([]float64, 100)
	short := make([]float32, 100)
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = a.Add(g) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = a.AddFloat32(short) }))
}

func BenchmarkAdd(b *testing.B) {
	for _, dim := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("dim=%d", dim), func(b *testing.B) {
			b.ReportAllocs()
			a, g := accumulator(b, dim, 1), vectors(1, 1, dim)[0]
			b.SetBytes(int64(8 * dim))
			for b.Loop() {
				if err := a.Add(g); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRelease(b *testing.B) {
	const dim = 1 << 16
	for _, workers := range []int{1, 4} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.ReportAllocs()
			a, dst := accumulator(b, dim, 1), make([]float64, dim)
			var srcs []Source
			for range workers {
				srcs = append(srcs, new(Crypto))
			}
			for b.Loop() {
				if err := a.ReleaseParallel(dst, 1, srcs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/dim, "ns/coordinate")
		})
	}
}
