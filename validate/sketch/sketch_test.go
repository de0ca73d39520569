package sketch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDistinct(t *testing.T) {
	t.Parallel()
	require.Zero(t, new(Distinct).Estimate())
	for _, n := range []int{1, 2, 10, 100, 1000, 10000, 100000, 1000000} {
		var worst float64
		for trial := range 5 {
			var d Distinct
			for i := range n {
				h := Hash(strconv.Itoa(trial) + ":" + strconv.Itoa(i))
				d.Add(h)
				if i%3 == 0 {
					d.Add(h) // again
				}
			}
			worst = max(worst, math.Abs(d.Estimate()-float64(n))/float64(n))
		}
		require.Less(t, worst, 0.033, "%d: four standard errors", n)
		if n <= 100 {
			require.Less(t, worst, 0.011)
		}
	}
	var full Distinct
	full.Add(0)
	for i := range uint64(registers) {
		full.Add(i << ranks)
	}
	require.False(t, math.IsNaN(full.Estimate()))
}

// The hash puts nearly equal values as far apart as any.
func TestHash(t *testing.T) {
	t.Parallel()
	seen := map[uint64]string{}
	var ones [64]int
	const n = 60000
	for i := range n {
		s := fmt.Sprintf("%06d", i)
		if i%2 == 0 {
			s = string(make([]byte, i/2%300)) + strconv.Itoa(i) // long ones, of zeros mostly
		}
		h := Hash(s)
		require.Empty(t, seen[h])
		require.Equal(t, h, HashBytes([]byte(s)))
		seen[h] = s
		for b := range ones {
			ones[b] += int(h >> b & 1)
		}
	}
	for b, count := range ones {
		require.InDelta(t, n/2, count, 6*math.Sqrt(n)/2, "bit %d", b)
	}
	lengths := map[uint64]bool{}
	for n := range 300 {
		lengths[Hash(string(make([]byte, n)))] = true
	}
	require.Len(t, lengths, 300, "zeros of every length")
}

func draws(n int) map[string][]float64 {
	rng := rand.New(rand.NewPCG(1, 7))
	m := map[string][]float64{}
	for range n {
		m["normal"] = append(m["normal"], rng.NormFloat64())
		m["lognormal"] = append(m["lognormal"], math.Exp(3*rng.NormFloat64()))
		m["whole"] = append(m["whole"], float64(rng.IntN(10)))
		m["wide"] = append(m["wide"], math.Float64frombits(rng.Uint64()&^(1<<62)))
		m["one"] = append(m["one"], -2.5)
		m["zeros"] = append(m["zeros"], math.Copysign(0, float64(rng.IntN(2))-0.5))
	}
	return m
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	require.True(t, math.IsNaN(new(Quantiles).Quantile(0.5)))
	for name, xs := range draws(20000) {
		var q Quantiles
		for _, x := range xs {
			require.True(t, q.Add(x))
		}
		for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			require.False(t, q.Add(x))
		}
		slices.Sort(xs)
		require.Equal(t, xs[0], q.Min(), name)
		require.Equal(t, xs[len(xs)-1], q.Max(), name)
		for _, p := range []float64{0, 1e-9, 0.001, 0.25, 0.5, 0.75, 0.9, 0.999, 1} {
			want := xs[max(0, int(math.Ceil(p*float64(len(xs))))-1)]
			require.InDelta(t, want, q.Quantile(p), RelativeError*math.Abs(want)+1e-300, "%s %v", name, p)
		}
		var n uint64
		last := math.Inf(-1)
		for b := range q.Buckets() {
			require.Less(t, b.Low, b.High)
			require.GreaterOrEqual(t, b.Low, last)
			last = b.High
			inside := 0
			if len(xs) < 30000 && n%7 == 0 { // a sample of the buckets
				for _, x := range xs {
					if b.Low <= x && x < b.High && b.Low >= 0 || b.Low < x && x <= b.High && b.High <= 0 && x < 0 {
						inside++
					}
				}
				require.Equal(t, uint64(inside), b.Count, "%s %v", name, b)
			}
			n += b.Count
		}
		require.Equal(t, q.N(), n)
		require.True(t, math.IsNaN(q.Quantile(math.NaN())))
	}
}

// Merged parts are the whole, bit for bit, in every order.
func TestMerge(t *testing.T) {
	t.Parallel()
	for name, xs := range draws(3000) {
		var whole Quantiles
		var wholeD Distinct
		parts, partsD := make([]Quantiles, 4), make([]Distinct, 4)
		for i, x := range xs {
			whole.Add(x)
			wholeD.Add(Hash(fmt.Sprint(x)))
			if k := i * 5 / len(xs) % 4; k < 3 {
				parts[k].Add(x)
				partsD[k].Add(Hash(fmt.Sprint(x)))
			} else {
				parts[0].Add(x)
				partsD[0].Add(Hash(fmt.Sprint(x)))
			}
		}
		for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}} {
			var merged Quantiles
			var mergedD Distinct
			for _, k := range order {
				merged.Merge(&parts[k])
				mergedD.Merge(&partsD[k])
			}
			require.Equal(t, slices.Collect(whole.Buckets()), slices.Collect(merged.Buckets()), name)
			require.Equal(t, whole.n, merged.n)
			require.Equal(t, [2]float64{whole.min, whole.max}, [2]float64{merged.min, merged.max})
			require.Equal(t, wholeD.max, mergedD.max)
		}
	}
}

func FuzzQuantiles(f *testing.F) {
	f.Add(1.0, -1.0, 0.0, 0.5)
	f.Add(5e-324, math.MaxFloat64, math.Copysign(0, -1), 0.01)
	f.Add(math.Inf(1), math.NaN(), -5e-324, 1.0)
	f.Fuzz(func(t *testing.T, a, b, c, p float64) {
		var q Quantiles
		var xs []float64
		for _, x := range []float64{a, b, c, a} {
			if q.Add(x) {
				xs = append(xs, x)
			}
		}
		got := q.Quantile(p)
		if len(xs) == 0 || !(p >= 0 && p <= 1) {
			if !math.IsNaN(got) {
				t.Fatal(got)
			}
			return
		}
		slices.Sort(xs)
		want := xs[max(0, int(math.Ceil(p*float64(len(xs))))-1)]
		if math.Abs(got-want) > RelativeError*math.Abs(want)+1e-300 {
			t.Fatalf("%v of %v: %v", p, xs, got)
		}
	})
}

func TestAddDoesNotAllocate(t *testing.T) {
	var q Quantiles
	var d Distinct
	for i := range 100 {
		q.Add(float64(i))
		d.Add(uint64(i))
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		q.Add(17)
		d.Add(Hash("a text"))
	}))
}

func Example() {
	var morning, evening Quantiles
	for i := range 1000 {
		morning.Add(float64(i))
		evening.Add(float64(1000 + i))
	}
	morning.Merge(&evening)
	fmt.Printf("median %.0f of %d\n", morning.Quantile(0.5), morning.N())
	// Output: median 998 of 2000
}

func BenchmarkSketch(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 7))
	xs := make([]float64, 4096)
	for i := range xs {
		xs[i] = rng.NormFloat64()
	}
	text := string(make([]byte, 130))
	b.Run("Quantiles.Add", func(b *testing.B) {
		var q Quantiles
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			q.Add(xs[i&4095])
		}
	})
	b.Run("Distinct.Add", func(b *testing.B) {
		var d Distinct
		b.ReportAllocs()
		for i := uint64(0); b.Loop(); i++ {
			d.Add(i * 0x9e3779b97f4a7c15)
		}
	})
	b.Run("Hash 130 B", func(b *testing.B) {
		b.SetBytes(130)
		for b.Loop() {
			_ = Hash(text)
		}
	})
}

// TestAddAll: many at once are the same as one by one.
func TestAddAll(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	var one, all Quantiles
	for range 200 {
		xs := make([]float64, r.IntN(40))
		for i := range xs {
			switch r.IntN(6) {
			case 0:
				xs[i] = math.Float64frombits(r.Uint64())
			case 1:
				xs[i] = []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64}[r.IntN(6)]
			default:
				xs[i] = r.NormFloat64()
			}
		}
		n := 0
		for _, x := range xs {
			if one.Add(x) {
				n++
			}
		}
		require.Equal(t, n, all.AddAll(xs))
		require.Equal(t, one, all)
	}
}
