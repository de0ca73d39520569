package noise

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func layered(t testing.TB, layers ...Layer) *Accumulator {
	a, err := NewLayered(layers...)
	require.NoError(t, err)
	return a
}

// Each layer keeps its own bound and all of them together the bound that is charged, in integers, whatever the vector is.
func TestLayersAreClippedByThemselves(t *testing.T) {
	t.Parallel()
	shapes := [][]Layer{
		{{1, 1}}, {{3, 1}, {4, 1}}, {{3, .1}, {1, 20}, {7, 3}}, {{1, 1e-6}, {2, 1}}, {{5, 1e-90}, {5, 1e-90}}, {{2, 1e90 / 4}, {2, 1e90 / 3}},
		{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}, {{1 << 12, 1}, {3, .01}},
	}
	rng := rand.New(rand.NewPCG(21, 0))
	for _, layers := range shapes {
		a := layered(t, layers...)
		limit := new(big.Int).Lsh(big.NewInt(1), uint(2*a.gridBits))
		var total float64
		allowed := new(big.Int)
		for i, l := range layers {
			total += l.Clip / layers[0].Clip * (l.Clip / layers[0].Clip)
			allowed.Add(allowed, new(big.Int).SetUint64(a.parts[i].square))
		}
		require.InEpsilon(t, math.Sqrt(total)*layers[0].Clip, a.Clip(), 1e-14)
		require.Equal(t, a.Clip(), a.Event(1).Clip)
		require.LessOrEqual(t, allowed.Cmp(limit), 0, "the squared layer norms add up to more than is charged: %v", layers)
		grid := a.clip / a.unit
		for range 10 {
			g := make([]float64, a.Dim())
			var index []int
			var values []float64
			long := false
			first := 0
			for _, l := range layers {
				norm := l.Clip * math.Exp(3*rng.NormFloat64())
				long = long || norm > 1.01*l.Clip
				s := 0.0
				part := g[first : first+l.Dim]
				for i := range part {
					part[i] = rng.NormFloat64()
					s += part[i] * part[i]
				}
				for i := range part {
					part[i] *= norm / math.Sqrt(s)
					index, values = append(index, first+i), append(values, part[i])
				}
				first += l.Dim
			}
			b := layered(t, layers...)
			require.NoError(t, a.Add(g))
			require.NoError(t, b.AddSparse(index, values))
			require.Equal(t, a, b, "dense and sparse have the same bits")
			require.Zero(t, a.Dropped())
			if long {
				require.Equal(t, 1, a.Clipped())
			}
			for i, p := range a.parts {
				square := squared(a.sum[p.first:p.end])
				require.LessOrEqual(t, square.Cmp(new(big.Int).SetUint64(p.square)), 0)
				got, _ := new(big.Float).SetInt(square).Float64()
				want := 0.0
				for _, x := range g[p.first:p.end] {
					want += x / layers[i].Clip * (x / layers[i].Clip)
				}
				require.InDelta(t, min(1, math.Sqrt(want)), math.Sqrt(got)*grid/layers[i].Clip, 3e-3, "layer %d of %v", i, layers)
			}
			a.Reset()
		}
		// A NaN in one layer drops the record from all.
		g := make([]float64, a.Dim())
		g[0], g[len(g)-1] = layers[0].Clip/2, math.NaN()
		require.NoError(t, a.Add(g))
		require.Equal(t, 1, a.Dropped())
		require.Equal(t, make([]int64, len(g)), a.sum)
	}
}

// Sparse vectors that skip coordinates and whole layers, and contributions that must be taken out again.
func TestSparseLayersWithGaps(t *testing.T) {
	t.Parallel()
	layers := []Layer{{5, 1}, {9, .2}, {1, 3}, {6, .5}}
	rng := rand.New(rand.NewPCG(22, 0))
	for range 300 {
		a, b := layered(t, layers...), layered(t, layers...)
		g := make([]float64, a.Dim())
		index, values := []int{}, []float64{}
		for i := range g {
			if rng.IntN(3) == 0 {
				g[i] = rng.NormFloat64()
				index, values = append(index, i), append(values, g[i])
			}
		}
		require.NoError(t, a.Add(g))
		require.NoError(t, b.AddSparse(index, values))
		require.Equal(t, a, b)
		// A contribution that is taken out again leaves nothing, whichever layer was too long.
		before := append([]int64(nil), a.sum...)
		for i := range layers {
			for _, add := range []func() error{
				func() error { return a.Add([]float64{9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}) },
				func() error { return a.AddSparse([]int{0, 3, 5, 6, 13, 14, 15, 20}, []float64{9, 9, 9, 9, 9, 9, 9, 9}) },
			} {
				dropped := a.Dropped()
				a.parts[i].threshold *= 1.5
				require.NoError(t, add())
				a.parts[i].threshold /= 1.5
				require.Equal(t, before, a.sum)
				require.Equal(t, dropped+1, a.Dropped())
			}
		}
	}
}

func TestLayersRefuse(t *testing.T) {
	t.Parallel()
	for _, layers := range [][]Layer{
		nil, {{0, 1}}, {{1, 0}}, {{1, math.NaN()}}, {{1, 1}, {-1, 1}}, {{1, 1}, {1, 1e-7}}, {{1 << 14, 1e-6}, {1, 1}}, {{math.MaxInt, 1}, {math.MaxInt, 1}},
		{{1, 1e90}, {1, 1e90}},
	} {
		_, err := NewLayered(layers...)
		require.ErrorIs(t, err, ErrInvalid, "%v", layers)
	}
	a := layered(t, Layer{1, 1}, Layer{2, 1})
	require.ErrorIs(t, a.Merge(layered(t, Layer{2, 1}, Layer{1, 1})), ErrInvalid)
	flat := accumulator(t, 3, a.Clip())
	require.ErrorIs(t, a.Merge(flat), ErrInvalid)
}

func TestGivenNorms(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(23, 0))
	layers := []Layer{{5, 1}, {9, .2}}
	for range 500 {
		a, b := layered(t, layers...), layered(t, layers...)
		g := make([]float64, a.Dim())
		var s [2]float64
		for i := range g {
			g[i] = rng.NormFloat64() * .3
			s[i/5-i/10] += g[i] * g[i]
		}
		require.NoError(t, a.Add(g))
		// As precise as float32.
		require.NoError(t, b.AddWithNorm(g, float64(float32(math.Sqrt(s[0]))), float64(float32(math.Sqrt(s[1])))))
		require.Zero(t, b.Dropped())
		for i := range g {
			require.InDelta(t, a.sum[i], b.sum[i], 2, "coordinate %d", i)
		}
		// A norm that is too large clips more; nothing else happens.
		b.Reset()
		require.NoError(t, b.AddWithNorm(g, 1e3, 1e300))
		require.Zero(t, b.Dropped())
		require.Less(t, squared(b.sum).Cmp(squared(a.sum)), 1)
	}
	// Norms that lie cannot raise the sensitivity, however large the vector is.
	for _, c := range []struct{ length, norm float64 }{{1.01, 1}, {2, .5}, {1e3, 0}, {1e9, 1}, {1e18, 1}, {1e300, 1e-300}, {math.Inf(1), 1}, {math.NaN(), 1}} {
		for _, dim := range []int{1, 2, 10_000} {
			a := accumulator(t, dim, 1)
			g := make([]float64, dim)
			require.NoError(t, a.AddWithNorm(g, 0))
			require.Zero(t, a.Dropped())
			for i := range g {
				g[i] = c.length // sums of squares beyond 2^64 among them
			}
			g[0] = .1
			g[dim-1] = c.length
			require.NoError(t, a.AddWithNorm(g, c.norm))
			require.Equal(t, 1, a.Dropped(), "%v", c)
			require.Equal(t, make([]int64, dim), a.sum)
		}
	}
	a := accumulator(t, 1, 1)
	for i, norm := range []float64{math.NaN(), math.Inf(1), -1} {
		require.NoError(t, a.AddWithNorm([]float64{.5}, norm))
		require.Equal(t, i+1, a.Dropped())
	}
	require.ErrorIs(t, a.AddWithNorm([]float64{1}), ErrInvalid)
	require.ErrorIs(t, a.AddWithNorm([]float64{1}, 1, 1), ErrInvalid)
	require.ErrorIs(t, a.AddWithNorm(nil, 1), ErrInvalid)
}

func TestNonFiniteCanFail(t *testing.T) {
	t.Parallel()
	a := accumulator(t, 2, 1)
	a.FailNonFinite(true)
	require.NoError(t, a.Add([]float64{.1, .2}))
	want := append([]int64(nil), a.sum...)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.ErrorIs(t, a.Add([]float64{.1, bad}), ErrNonFinite)
		require.ErrorIs(t, a.AddSparse([]int{1}, []float64{bad}), ErrNonFinite)
		require.ErrorIs(t, a.AddWithNorm([]float64{1, 1}, bad), ErrNonFinite)
	}
	require.Equal(t, want, a.sum)
	require.Equal(t, [2]int{1, 0}, [2]int{a.Examples(), a.Dropped()})
	a.FailNonFinite(false)
	require.NoError(t, a.Add([]float64{.1, math.NaN()}))
	require.Equal(t, [2]int{2, 1}, [2]int{a.Examples(), a.Dropped()})
}

func TestSetClip(t *testing.T) {
	t.Parallel()
	a := layered(t, Layer{2, 3}, Layer{1, 4})
	require.NoError(t, a.SetClip(10))
	require.NoError(t, a.Add([]float64{100, 0, 100}))
	require.InDelta(t, 6, float64(a.sum[0])*a.clip/a.unit, .01)
	require.InDelta(t, 8, float64(a.sum[2])*a.clip/a.unit, .01)
	require.ErrorIs(t, a.SetClip(1), ErrInvalid, "in the middle of a batch")
	a.Reset()
	require.ErrorIs(t, a.SetClip(0), ErrInvalid)
	require.ErrorIs(t, a.SetClip(math.NaN()), ErrInvalid)
	require.Equal(t, 10.0, a.Clip())
	require.ErrorIs(t, a.Merge(layered(t, Layer{2, 3}, Layer{1, 4})), ErrInvalid)
}

func TestLayersAllocateNothing(t *testing.T) {
	a := layered(t, Layer{50, 1}, Layer{50, 2})
	g, index := make([]float64, 100), []int{1, 60}
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = a.Add(g) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = a.AddWithNorm(g, 0, 0) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = a.AddSparse(index, g[:2]) }))
}

// The same work without a grid: norm, then sum += factor·x in float64.
func BenchmarkAddPlainLoop(b *testing.B) {
	for _, dim := range []int{1 << 10, 1 << 20} {
		b.Run(map[bool]string{true: "dim=1024", false: "dim=1048576"}[dim == 1<<10], func(b *testing.B) {
			b.ReportAllocs()
			sum, g := make([]float64, dim), vectors(1, 1, dim)[0]
			b.SetBytes(int64(8 * dim))
			for b.Loop() {
				s := 0.0
				for _, x := range g {
					s += x * x
				}
				f := min(1, 1/math.Sqrt(s))
				for i, x := range g {
					sum[i] += f * x
				}
			}
		})
	}
}

func BenchmarkAddWithNorm(b *testing.B) {
	b.ReportAllocs()
	a, g := accumulator(b, 1<<10, 1), vectors(1, 1, 1<<10)[0]
	n, _ := norm(g)
	b.SetBytes(8 << 10)
	for b.Loop() {
		if err := a.AddWithNorm(g, n); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever the bits of a vector and of the norms given for it, no layer exceeds its bound, and dense and sparse agree bit for bit.
func FuzzLayers(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f}, 1.0, .5, 1.0, 1.0)
	f.Add(make([]byte, 80), 1e-3, 3.0, 0.0, math.Inf(1))
	f.Fuzz(func(t *testing.T, raw []byte, clip1, clip2, norm1, norm2 float64) {
		if len(raw) < 16 || len(raw) > 4096 {
			t.Skip()
		}
		g := make([]float64, len(raw)/8)
		var index []int
		var values []float64
		for i := range g {
			g[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
			if g[i] != 0 {
				index, values = append(index, i), append(values, g[i])
			}
		}
		split := len(g)/3 + 1
		layers := []Layer{{split, clip1}, {len(g) - split, clip2}}
		dense, err := NewLayered(layers...)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			t.Skip()
		}
		sparse, given := layered(t, layers...), layered(t, layers...)
		require.NoError(t, dense.Add(g))
		require.NoError(t, sparse.AddSparse(index, values))
		require.Equal(t, dense, sparse)
		require.NoError(t, given.AddWithNorm(g, norm1, norm2))
		limit := new(big.Int).Lsh(big.NewInt(1), uint(2*dense.gridBits))
		for _, a := range []*Accumulator{dense, given} {
			for _, p := range a.parts {
				require.LessOrEqual(t, squared(a.sum[p.first:p.end]).Cmp(new(big.Int).SetUint64(p.square)), 0)
			}
			require.LessOrEqual(t, squared(a.sum).Cmp(limit), 0)
			if a.Dropped() > 0 {
				require.Zero(t, squared(a.sum).Sign())
			}
		}
		for _, x := range g {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				require.Equal(t, 1, dense.Dropped())
				require.Equal(t, 1, given.Dropped())
				return
			}
		}
		require.Zero(t, dense.Dropped())
	})
}
