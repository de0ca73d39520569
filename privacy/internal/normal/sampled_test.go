package normal

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var directions = [...]Direction{Remove, Add}

func TestSampledDelta(t *testing.T) {
	t.Parallel()
	ref := newReference(500)
	r := rand.New(rand.NewPCG(21, 22))
	positive := 0
	for range points(80) {
		s := Sampled{logUniform(r, 1e-7, 1), logUniform(r, 0.1, 30)}
		eps := logUniform(r, 1e-10, 40)
		if r.IntN(3) == 0 { // inside the loss of the direction Add
			eps = -math.Log1p(-s.Rate) * (1 - logUniform(r, 1e-12, 1))
		}
		for _, dir := range directions {
			lo, hi, err := s.Delta(eps, dir)
			require.NoError(t, err)
			a := ref.sampled(ref.num(s.Rate), ref.next(s.Sigma, 1), ref.num(eps), dir)
			b := ref.sampled(ref.num(s.Rate), ref.next(s.Sigma, -1), ref.num(eps), dir)
			if ref.float(b) < 1e-130 { // below the digits of the reference
				require.Less(t, lo, 1e-100)
				continue
			}
			positive++
			require.True(t, a.Cmp(ref.num(lo)) >= 0 && b.Cmp(ref.num(hi)) <= 0, "%+v, %v, eps = %v: [%v, %v] misses %.20g..%.20g", s, dir, eps, lo, hi, a, b)
			rounding := 0x1p-50
			if dir == Add { // the distance to the largest loss is known to so many digits only
				rounding += 0x1p-90 / (1 - eps/-math.Log1p(-s.Rate))
			}
			require.LessOrEqual(t, hi-lo, ref.float(ref.sub(b, a))*(1+1e-9)+rounding*hi, "%+v, %v, eps = %v: [%v, %v]", s, dir, eps, lo, hi)
		}
	}
	require.Greater(t, positive, points(80))
}

func TestSampledEpsilon(t *testing.T) {
	t.Parallel()
	ref := newReference(700)
	r := rand.New(rand.NewPCG(23, 24))
	positive := 0
	for range points(60) {
		s := Sampled{logUniform(r, 1e-7, 1), logUniform(r, 0.1, 30)}
		delta := logUniform(r, 1e-120, 1e-2)
		for _, dir := range directions {
			lo, hi, err := s.Epsilon(delta, dir)
			require.NoError(t, err)
			require.True(t, 0 <= lo && lo <= hi && hi-lo <= 1e-13*hi, "%+v, %v, delta = %v: [%v, %v]", s, dir, delta, lo, hi)
			d := ref.num(delta)
			at := func(eps float64, to int) *big.Float {
				return ref.sampled(ref.num(s.Rate), ref.next(s.Sigma, to), ref.num(eps), dir)
			}
			require.LessOrEqual(t, at(hi, -1).Cmp(d), 0, "%+v, %v, delta = %v: hi = %v", s, dir, delta, hi)
			if lo > 0 {
				positive++
				require.GreaterOrEqual(t, at(lo, 1).Cmp(d), 0, "%+v, %v, delta = %v: lo = %v", s, dir, delta, lo)
			}
		}
	}
	require.Greater(t, positive, points(60))
}

func TestSampledAtRateOneIsGaussian(t *testing.T) {
	t.Parallel()
	for _, mu := range []float64{1e-8, 0x1p-5, 0.25, 1, 2, 64, 1e8} {
		sigma := 1 / mu
		for _, dir := range directions {
			for _, delta := range []float64{1e-300, 1e-10, 0.1} {
				lo, hi, err := Sampled{1, sigma}.Epsilon(delta, dir)
				require.NoError(t, err)
				gLo, gHi, err := Gaussian{mu}.Epsilon(delta)
				require.NoError(t, err)
				require.InDelta(t, gLo, lo, 1e-14*gLo)
				require.InDelta(t, gHi, hi, 1e-14*gHi)
			}
			for _, eps := range []float64{0, 1e-3, 1, 50, 51, 800} {
				lo, hi, err := Sampled{1, sigma}.Delta(eps, dir)
				require.NoError(t, err)
				gLo, gHi, err := Gaussian{mu}.Delta(eps)
				require.NoError(t, err)
				require.True(t, lo <= gHi && gLo <= hi, "mu = %v, eps = %v: [%v, %v] and [%v, %v]", mu, eps, lo, hi, gLo, gHi)
			}
		}
	}
}

func TestSampledCorners(t *testing.T) {
	t.Parallel()
	for _, q := range []float64{0, 1e-30, 1e-9, 0.01, 0.5, 1 - 0x1p-53, 1} {
		for _, sigma := range []float64{1e-30, 1e-3, 1, 1e6, 1e30} {
			s := Sampled{q, sigma}
			for _, dir := range directions {
				last := math.Inf(1)
				for _, eps := range []float64{0, 5e-324, 1e-300, 1e-8, 1, 36, 37, 49, 51, 499, 501, 709, 710, 1e10, 1e60} {
					lo, hi, err := s.Delta(eps, dir)
					require.NoError(t, err)
					require.True(t, 0 <= lo && lo <= hi && hi <= 1, "%+v, %v, eps = %v: [%v, %v]", s, dir, eps, lo, hi)
					require.LessOrEqual(t, lo, last, "delta rises")
					last = hi
				}
				for _, delta := range []float64{5e-324, 1e-300, 1e-12, 0.4} {
					lo, hi, err := s.Epsilon(delta, dir)
					require.NoError(t, err)
					require.True(t, 0 <= lo && lo <= hi, "%+v, %v, delta = %v: [%v, %v]", s, dir, delta, lo, hi)
					if dir == Add && q < 1 {
						require.LessOrEqual(t, lo, -math.Log1p(-q)*(1+1e-15))
					}
					if delta > 5e-324 && q > 0 && sigma <= 1e6 && sigma >= 1e-3 {
						require.LessOrEqual(t, hi-lo, 1e-12*hi, "%+v, %v, delta = %v: [%v, %v]", s, dir, delta, lo, hi)
					}
				}
			}
		}
	}
}

// One step at q = 0.01, sigma = 1.1, delta = 1e-5: a contour integral that seems to converge gives 0.138503 here.
func TestSampledKnown(t *testing.T) {
	t.Parallel()
	lo, hi, err := Sampled{0.01, 1.1}.Epsilon(1e-5, Remove)
	require.NoError(t, err)
	require.InEpsilon(t, 0.14229068819223922, lo, 1e-13)
	require.InEpsilon(t, 0.14229068819223922, hi, 1e-13)
}

func TestVariationBound(t *testing.T) {
	t.Parallel()
	ref := newReference(300)
	r := rand.New(rand.NewPCG(25, 26))
	for range points(50) {
		runs := make([]Run, 1+r.IntN(3))
		want := ref.num(0)
		for i := range runs {
			runs[i] = Run{Sampled{logUniform(r, 1e-9, 1), logUniform(r, 1e-3, 1e6)}, r.IntN(3)}
			mu := ref.quo(ref.num(1), ref.next(runs[i].Sigma, -1))
			one := ref.sub(ref.num(1), ref.mul(ref.num(2), ref.SF(ref.half(mu))))
			want = ref.add(want, ref.mul(ref.mul(one, ref.num(runs[i].Rate)), ref.num(float64(runs[i].Steps))))
		}
		got, err := VariationBound(runs...)
		require.NoError(t, err)
		if want.Cmp(ref.num(1)) >= 0 {
			require.InDelta(t, 1, got, 0)
			continue
		}
		require.True(t, want.Cmp(ref.num(got)) <= 0, "%v < %.20g", got, want)
		require.LessOrEqual(t, got, ref.float(want)*(1+1e-14))
	}
	got, err := VariationBound()
	require.NoError(t, err)
	require.Zero(t, got)
	_, err = VariationBound(Run{Sampled{0.5, 1}, -1})
	require.ErrorIs(t, err, ErrDomain)
	_, err = VariationBound(Run{Sampled{0.5, math.NaN()}, 1})
	require.ErrorIs(t, err, ErrDomain)
	got, err = VariationBound(Run{Sampled{1, 1e-3}, math.MaxInt}, Run{Sampled{0, 1}, 7})
	require.NoError(t, err)
	require.InDelta(t, 1, got, 0)
}

func TestSampledRefuses(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, s := range []Sampled{{nan, 1}, {-0.1, 1}, {1.5, 1}, {1e-31, 1}, {0.5, nan}, {0.5, 0}, {0.5, -1}, {0.5, math.Inf(1)}, {0.5, 1e31}} {
		_, _, err := s.Delta(1, Remove)
		require.ErrorIs(t, err, ErrDomain, "%+v", s)
		_, _, err = s.Epsilon(1e-5, Add)
		require.ErrorIs(t, err, ErrDomain, "%+v", s)
		_, _, err = s.Variation()
		require.ErrorIs(t, err, ErrDomain, "%+v", s)
	}
	s := Sampled{0.5, 1}
	for _, v := range []float64{nan, -1, math.Inf(1)} {
		_, _, err := s.Delta(v, Remove)
		require.ErrorIs(t, err, ErrDomain)
		_, _, err = s.Epsilon(v, Remove)
		require.ErrorIs(t, err, ErrDomain)
	}
	for _, dir := range []Direction{0, 3} {
		_, _, err := s.Delta(1, dir)
		require.ErrorIs(t, err, ErrDomain)
	}
}

func FuzzSampled(f *testing.F) {
	f.Add(0.01, 1.0, 1.0, 1e-5)
	f.Add(1e-30, 1e-3, 1e-9, 1e-300)
	f.Add(1-0x1p-53, 0.1, 36.7, 1e-320)
	f.Fuzz(func(t *testing.T, q, sigma, eps, delta float64) {
		s := Sampled{q, sigma}
		for _, dir := range directions {
			if lo, hi, err := s.Delta(eps, dir); err == nil {
				require.True(t, 0 <= lo && lo <= hi && hi <= 1, "[%v, %v]", lo, hi)
				if v, top, err := s.Variation(); err == nil {
					require.LessOrEqual(t, lo, top, "above the total variation %v", v)
				}
			}
			if lo, hi, err := s.Epsilon(delta, dir); err == nil {
				require.True(t, 0 <= lo && lo <= hi, "[%v, %v]", lo, hi)
				_, d, err := s.Delta(hi, dir)
				require.NoError(t, err)
				require.LessOrEqual(t, d, delta)
			}
		}
	})
}

func BenchmarkSampledEpsilon(b *testing.B) {
	for name, dir := range map[string]Direction{"remove": Remove, "add": Add} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = Sampled{0.01, 1.1}.Epsilon(1e-5, dir)
			}
		})
	}
}
