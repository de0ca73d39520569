package validate

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// exactMoments are computed with rationals.
func exactMoments(xs []float64) (mean, m2 float64) {
	sum := new(big.Rat)
	n := int64(0)
	for _, x := range xs {
		if isFinite(x) {
			sum.Add(sum, new(big.Rat).SetFloat64(x))
			n++
		}
	}
	if n == 0 {
		return 0, 0
	}
	sum.Quo(sum, big.NewRat(n, 1))
	squares := new(big.Rat)
	for _, x := range xs {
		if isFinite(x) {
			d := new(big.Rat).SetFloat64(x)
			d.Sub(d, sum)
			squares.Add(squares, d.Mul(d, d))
		}
	}
	mean, _ = sum.Float64()
	m2, _ = squares.Float64()
	return mean, m2
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, tt := range []struct {
		name string
		draw func(i int) float64
	}{
		{"normal", func(int) float64 { return rng.NormFloat64() }},
		{"far from zero", func(int) float64 { return 1e9 + rng.NormFloat64() }},
		{"outlier first", func(i int) float64 {
			if i == 0 {
				return 1e12
			}
			return rng.NormFloat64()
		}},
		{"a step", func(i int) float64 { return float64(i/5000) * 1e6 }},
		{"constant", func(int) float64 { return 0.1 }},
		{"subnormal", func(int) float64 { return rng.Float64() * 0x1p-1030 }},
		{"with holes", func(i int) float64 { return []float64{1, nan, 2, inf, -inf, 0}[i%6] }},
		{"none finite", func(int) float64 { return nan }},
	} {
		for _, n := range []int{1, 2, 7, 9, 4095, 4097, 9000} {
			xs := make([]float64, n)
			var added Moments
			for i := range xs {
				xs[i] = tt.draw(i)
				added.Add(xs[i])
			}
			mean, m2 := exactMoments(xs)
			got := Describe(xs)
			merged := Describe(xs[:n/3]).Merge(Describe(xs[n/3:]))
			scale := math.Abs(mean) + math.Sqrt(m2/float64(n))
			for name, m := range map[string]Moments{"Describe": got, "Add": added, "Merge": merged} {
				require.Equal(t, got.FiniteReport, m.FiniteReport, "%s %s", tt.name, name)
				require.Equal(t, got.Zero, m.Zero)
				require.InDelta(t, mean, m.Mean, 1e-13*scale+float64(n)*math.SmallestNonzeroFloat64, "%s %s n=%d", tt.name, name, n)
				require.InDelta(t, m2, m.M2, 1e-9*m2+1e-15*math.Abs(mean)*math.Sqrt(m2*float64(n))+1e-30*float64(n)*mean*mean, "%s %s n=%d", tt.name, name, n)
			}
			if m2 > 0 && tt.name == "normal" {
				require.InEpsilon(t, m2, got.M2, 1e-12)
			}
		}
	}
	require.True(t, math.IsNaN(Describe([]float64{1}).Variance()))
	require.Equal(t, 2.0, Describe([]float32{1, 3}).Variance())
	require.InDelta(t, math.Sqrt2, Describe([]float32{1, 3}).Std(), 1e-15)
	require.Zero(t, Describe[float32](nil))
	huge := Describe([]float64{math.MaxFloat64, -math.MaxFloat64, math.MaxFloat64})
	require.Equal(t, math.MaxFloat64, huge.Max)
	require.True(t, math.IsInf(huge.M2, 1) && isFinite(huge.Mean))
	require.Equal(t, Moments{FiniteReport: FiniteReport{N: 3, Subnormal: 1, Max: 1}, Zero: 1, Mean: (1 + 0x1p-130) / 3, M2: 2.0 / 3},
		roundM2(Describe([]float32{0, 1, 0x1p-130})))
}

func roundM2(m Moments) Moments {
	if math.Abs(m.M2-2.0/3) < 1e-15 {
		m.M2 = 2.0 / 3
	}
	return m
}

func TestBF16(t *testing.T) {
	t.Parallel()
	require.NoError(t, FiniteBF16[uint16]("x", nil))
	for _, n := range []int{1, 63, 64, 65, 200, finiteBlock + 70} {
		xs := make([]uint16, n)
		for i := range xs {
			xs[i] = []uint16{0, 0x8000, 0x3f80, 0x7f7f, 0xff7f, 1, 0x807f}[i%7]
		}
		require.NoError(t, FiniteBF16("x", xs))
		for _, at := range []int{0, n / 2, n - 1} {
			for _, bits := range []uint16{0x7f80, 0xff80, 0x7f81, 0xffff} {
				kept := xs[at]
				xs[at] = bits
				var got *NotFiniteError
				require.ErrorAs(t, FiniteBF16("x", xs), &got)
				require.Equal(t, at, got.Index)
				xs[at] = kept
			}
		}
	}
	require.Equal(t, Moments{FiniteReport: FiniteReport{N: 7, NaN: 1, PosInf: 1, NegInf: 1, Subnormal: 1, Min: 0, Max: 1}, Zero: 1,
		Mean: 2.0 / 4, M2: 1}, roundTo(DescribeBF16([]uint16{0x7fc0, 0x7f80, 0xff80, 0, 1, 0x3f80, 0x3f80})))
	for bits := range 1 << 16 {
		v := fromBF16(uint16(bits))
		require.Equal(t, isFinite(v), FiniteBF16("x", []uint16{uint16(bits)}) == nil)
	}
}

func roundTo(m Moments) Moments {
	m.Mean, m.M2 = math.Round(m.Mean*1e12)/1e12, math.Round(m.M2*1e12)/1e12
	return m
}

// The machine's wide instructions give what the portable code gives, bit for bit.
func checkPortable(t *testing.T, data []byte) {
	single := floats(data, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
	double := floats(data, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
	half := floats(data, 2, func(b []byte) float32 { return float32(binary.LittleEndian.Uint16(b)) })
	bits := make([]uint16, len(half))
	for i, x := range half {
		bits[i] = uint16(x)
	}
	if n, ok := wideFinite32(single); ok != noneMax32(single[:n]) {
		t.Fatalf("finite32: %v", single)
	}
	if n, ok := wideFinite64(double); ok != noneMax64(double[:n]) {
		t.Fatalf("finite64: %v", double)
	}
	if n, ok := wideFinite16(bits); ok != noneMax16(bits[:n]) {
		t.Fatalf("finite16: %v", bits)
	}
	var report FiniteReport
	single = single[:copyFinite(&report, single, single)]
	double = double[:copyFinite(&report, double, double)]
	for _, pivot := range []float64{0, 1.7, -1e30} {
		var a, b lanes32
		n := a.wide(single, pivot)
		b.rest(single[:n], pivot)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("describe32(%v): %v, want %v", single, a, b)
		}
		var c, d lanes64
		n = c.wide(double, pivot)
		d.rest(double[:n], pivot)
		if fmt.Sprint(c) != fmt.Sprint(d) {
			t.Fatalf("describe64(%v): %v, want %v", double, c, d)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add(make([]byte, 128))
	f.Add([]byte{0, 0, 0x80, 0x7f, 1, 0, 0x80, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x80})
	rng := rand.New(rand.NewPCG(3, 4))
	long := make([]byte, 1024)
	for i := range long {
		long[i] = byte(rng.Uint32())
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, data []byte) { checkPortable(t, data) })
}

func TestFilter(t *testing.T) {
	t.Parallel()
	xs := []float64{1, nan, 2, inf, 3, -inf, 100}
	same := func(a, b []float64) bool { return len(a) == len(b) && &a[0] == &b[0] }
	for _, tt := range []struct {
		screen Screen
		want   []float64
		err    string
	}{
		{Screen{}, nil, "validate: g[1] is NaN, must be finite"},
		{Screen{NaN: Count}, nil, "validate: g[3] is +Inf, must be finite"},
		{Screen{NaN: Drop, Inf: Drop}, []float64{1, 2, 3, 100}, ""},
		{Screen{NaN: Drop, Inf: Drop, Max: 10}, nil, "validate: g[6] is 100, must be in [0, 10]"},
		{Screen{NaN: Drop, Inf: Drop, Max: 10, Range: Drop}, []float64{1, 2, 3}, ""},
		{Screen{NaN: Drop, Inf: Drop, Max: 10, Range: Count}, []float64{1, 2, 3, 100}, ""},
		{Screen{Max: nan}, nil, ErrScreen.Error()},
		{Screen{Min: 1, Max: 0}, nil, ErrScreen.Error()},
		{Screen{NaN: 7}, nil, ErrScreen.Error()},
	} {
		got, r, err := Filter("g", xs, tt.screen)
		if tt.err != "" {
			require.EqualError(t, err, tt.err)
			require.Nil(t, got)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tt.want, got)
		require.Equal(t, len(xs)-len(got), r.Dropped)
		require.Equal(t, FiniteReport{N: 7, NaN: 1, PosInf: 1, NegInf: 1, Min: 1, Max: 100}, r.FiniteReport)
	}
	got, r, err := Filter("g", xs, Screen{NaN: Count, Inf: Count, Max: 10, Range: Count})
	require.NoError(t, err)
	require.True(t, same(got, xs), "nothing dropped, nothing copied")
	require.Equal(t, 1, r.OutOfRange)
	_, _, err = Filter("g", []float64{11}, Screen{Max: 10})
	require.ErrorIs(t, err, ErrRange)
	got, _, err = Filter("g", xs[:1], Screen{})
	require.NoError(t, err)
	require.True(t, same(got, xs[:1]))
	require.Equal(t, 2.0, xs[2], "what was given is as it was")
	empty, _, err := Filter[float64]("g", nil, Screen{Max: 1})
	require.NoError(t, err)
	require.Empty(t, empty)
	all, _, err := Filter("g", []float64{nan}, Screen{NaN: Drop})
	require.NoError(t, err)
	require.Empty(t, all)
}

// onePass is what anybody would write.
func onePass(xs []float32) (m Moments) {
	for _, x := range xs {
		v := float64(x)
		if math.IsNaN(v) {
			m.NaN++
			continue
		}
		if v == 0 {
			m.Zero++
		}
		m.N++
		if v < m.Min || m.N == 1 {
			m.Min = v
		}
		if v > m.Max || m.N == 1 {
			m.Max = v
		}
		m.Mean += v
		m.M2 += v * v
	}
	return m
}

func BenchmarkDescribe(b *testing.B) {
	for _, n := range []int{1 << 13, 1 << 24} {
		single, double, half := make([]float32, n), make([]float64, n/2), make([]uint16, 2*n)
		for i := range single {
			single[i] = float32(i%1000) - 500
			double[i/2], half[2*i], half[2*i+1] = float64(single[i]), 0x3f80, 0xbf81
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
		dst := make([]float32, n)
		run("copy", func() { copy(dst, single) })
		run("Finite", func() { _ = Finite("x", single) })
		run("Finite64", func() { _ = Finite("x", double) })
		run("FiniteBF16", func() { _ = FiniteBF16("x", half) })
		run("portable", func() { _ = noneMax32(single) })
		run("Describe", func() { _ = Describe(single) })
		run("Describe64", func() { _ = Describe(double) })
		run("onePass", func() { _ = onePass(single) })
	}
}

// TestMomentsOfTheLargest: the mean of finite numbers is finite, whatever they are.
func TestMomentsOfTheLargest(t *testing.T) {
	t.Parallel()
	const big = 1.7e308
	xs := make([]float64, 3*4096)
	for i := range xs {
		if xs[i] = big; i < 4096 {
			xs[i] = -big
		}
	}
	var m Moments
	for _, x := range []float64{big, -big, big, -big} {
		m.Add(x)
	}
	for _, m := range []Moments{Describe(xs), m} {
		require.False(t, math.IsNaN(m.Mean) || math.IsInf(m.Mean, 0), "%+v", m)
		require.False(t, math.IsNaN(m.M2) || m.M2 < 0, "%+v", m)
	}
}
