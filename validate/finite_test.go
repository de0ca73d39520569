package validate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

type named float32 // a type of the caller's own

var (
	nan    = math.NaN()
	inf    = math.Inf(1)
	bad    = []float64{nan, inf, -inf, math.Float64frombits(0x7ff0000000000001), math.Float64frombits(0xffffffffffffffff)}
	finite = []float64{0, math.Copysign(0, -1), 1, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0x1p-127}
)

func TestFinite(t *testing.T) {
	t.Parallel()
	testFinite[float32](t)
	testFinite[float64](t)
	testFinite[named](t)
	require.NoError(t, Finite("x", []float64{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64}))
	require.NoError(t, Finite[float32]("x", nil))
}

// testFinite puts every bad value at every place of slices whose lengths surround those of lanes and blocks.
func testFinite[T ~float32 | ~float64](t *testing.T) {
	for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 33, finiteBlock - 1, finiteBlock, finiteBlock + 1, 2*finiteBlock + 5} {
		xs := make([]T, n)
		for i := range xs {
			xs[i] = T(finite[i%len(finite)])
		}
		require.NoError(t, Finite("x", xs))
		places := []int{0, n / 2, n - 1, max(0, n-6), min(n-1, finiteBlock)}
		if n < 40 {
			places = places[:0]
			for i := range n {
				places = append(places, i)
			}
		}
		for _, i := range places {
			for _, v := range bad {
				kept := xs[i]
				xs[i] = T(v)
				err := Finite("grads", xs)
				var got *NotFiniteError
				require.ErrorAs(t, err, &got)
				require.ErrorIs(t, err, ErrNotFinite)
				require.Equal(t, i, got.Index)
				require.Equal(t, "grads", got.Name)
				require.Equal(t, math.IsNaN(v), math.IsNaN(got.Value))
				if i+1 < n {
					next := xs[i+1]
					xs[i+1] = T(-v) // the first one counts, and opposite infinities do not cancel
					require.ErrorAs(t, Finite("grads", xs), &got)
					require.Equal(t, i, got.Index)
					xs[i+1] = next
				}
				xs[i] = kept
			}
		}
	}
}

func TestFiniteValue(t *testing.T) {
	t.Parallel()
	for _, v := range finite {
		require.NoError(t, FiniteValue("loss", v))
		require.NoError(t, FiniteValue("loss", named(v)))
	}
	for _, v := range bad {
		var got *NotFiniteError
		require.ErrorAs(t, FiniteValue("loss", v), &got)
		require.Equal(t, -1, got.Index)
		require.ErrorIs(t, FiniteValue("loss", named(v)), ErrNotFinite)
	}
	require.EqualError(t, FiniteValue("loss", nan), "validate: loss is NaN, must be finite")
	require.EqualError(t, Finite("w", []float32{0, float32(-inf)}), "validate: w[1] is -Inf, must be finite")
	require.EqualError(t, FiniteValue("a\nb\u202e", inf), `validate: a\nb\u202e is +Inf, must be finite`)
	require.NotErrorIs(t, errors.New("x"), ErrNotFinite)
	var check func(loss float32) error = func(loss float32) error { return FiniteValue("loss", loss) }
	require.NoError(t, check(1), "it fits Runner.Check")
}

func TestFiniteDoesNotAllocate(t *testing.T) {
	xs := make([]float32, 10000)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if Finite("x", xs) != nil || FiniteValue("x", xs[0]) != nil {
			t.Error("not finite")
		}
	}))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if Scan(xs).N != len(xs) {
			t.Error("wrong count")
		}
	}))
}

func TestScan(t *testing.T) {
	t.Parallel()
	require.Zero(t, Scan[float32](nil))
	require.Equal(t, FiniteReport{N: 5, NaN: 2, PosInf: 2, NegInf: 1}, Scan([]float64{nan, inf, inf, -inf, nan}))
	require.Equal(t, FiniteReport{N: 7, NaN: 1, PosInf: 1, NegInf: 1, Subnormal: 1, Min: -3, Max: 2},
		Scan([]float32{2, 0, -3, float32(nan), float32(inf), float32(-inf), 1e-40}))
	require.Equal(t, FiniteReport{N: 4, Subnormal: 2, Min: -0x1p-1074, Max: 0x1p-1022},
		Scan([]float64{0x1p-1022, -0x1p-1074, 0x1p-1023, 0}), "the limit is that of the type")
	require.Equal(t, FiniteReport{N: 1, Min: 1e-40, Max: 1e-40}, Scan([]float64{1e-40}))
	require.Equal(t, FiniteReport{N: 2, Min: 0x1p-126, Max: 0x1p-126}, Scan([]named{0x1p-126, 0x1p-126}))
	r := Scan([]float64{nan, 4})
	require.Equal(t, 1, r.Finite())
	require.Equal(t, r, FiniteReport{}.Merge(r))
	require.Equal(t, r, r.Merge(FiniteReport{}))
}

// floats reads values of a type out of fuzz input.
func floats[T ~float32 | ~float64](data []byte, size int, decode func([]byte) T) []T {
	var xs []T
	for ; len(data) >= size; data = data[size:] {
		xs = append(xs, decode(data))
	}
	return xs
}

// naive is Scan, written without any trick.
func naive[T ~float32 | ~float64](xs []T, normal float64) (r FiniteReport, first int) {
	first = -1
	for i, x := range xs {
		v := float64(x)
		r.N++
		switch {
		case math.IsNaN(v):
			r.NaN++
		case math.IsInf(v, 1):
			r.PosInf++
		case math.IsInf(v, -1):
			r.NegInf++
		default:
			if r.Finite() == 1 {
				r.Min, r.Max = v, v
			}
			r.Min, r.Max = math.Min(r.Min, v), math.Max(r.Max, v)
			if v != 0 && math.Abs(v) < normal {
				r.Subnormal++
			}
			continue
		}
		if first < 0 {
			first = i
		}
	}
	return r, first
}

func checkAgainstNaive[T ~float32 | ~float64](t *testing.T, xs []T, normal float64, split int) {
	want, first := naive(xs, normal)
	if got := Scan(xs); got != want {
		t.Fatalf("Scan(%v) = %+v, want %+v", xs, got, want)
	}
	split %= len(xs) + 1
	if got := Scan(xs[:split]).Merge(Scan(xs[split:])); got != want {
		t.Fatalf("merged at %d: %+v, want %+v", split, got, want)
	}
	var bad *NotFiniteError
	if errors.As(Finite("x", xs), &bad) != (first >= 0) || bad != nil && bad.Index != first {
		t.Fatalf("Finite(%v) = %v, want index %d", xs, bad, first)
	}
}

func FuzzFinite(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 0x7f, 1, 0, 0x80, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x80}, uint16(1), byte(0))
	f.Add(make([]byte, 100), uint16(3), byte(255))
	f.Fuzz(func(t *testing.T, data []byte, split uint16, repeat byte) {
		if len(data) > 0 && repeat > 250 { // long enough for several blocks
			for len(data) < 9*finiteBlock {
				data = append(data, data...)
			}
		}
		checkAgainstNaive(t, floats(data, 4, func(b []byte) float32 {
			return math.Float32frombits(binary.LittleEndian.Uint32(b))
		}), 0x1p-126, int(split))
		checkAgainstNaive(t, floats(data, 8, func(b []byte) float64 {
			return math.Float64frombits(binary.LittleEndian.Uint64(b))
		}), 0x1p-1022, int(split))
	})
}

func BenchmarkFinite(b *testing.B) {
	for _, n := range []int{1 << 12, 1 << 24} {
		xs, dst := make([]float32, n), make([]float32, n)
		for i := range xs {
			xs[i] = float32(i%1000) - 500
		}
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("n=%d/%s", n, name), func(b *testing.B) {
				b.SetBytes(int64(n) * 4)
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
		run("Finite", func() {
			if Finite("x", xs) != nil {
				b.Fatal()
			}
		})
		run("IsNaN", func() {
			for _, x := range xs {
				if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
					b.Fatal()
				}
			}
		})
		run("copy", func() { copy(dst, xs) })
		run("Scan", func() {
			if Scan(xs).N != n {
				b.Fatal()
			}
		})
		run("naiveScan", func() {
			if r, _ := naive(xs, 0x1p-126); r.N != n {
				b.Fatal()
			}
		})
	}
}
