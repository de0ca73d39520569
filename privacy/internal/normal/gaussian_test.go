package normal

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func logUniform(r *rand.Rand, lo, hi float64) float64 {
	return math.Exp(math.Log(lo) + (math.Log(hi)-math.Log(lo))*r.Float64())
}

// points is fewer in short mode.
func points(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// The interval holds the values at mu and at both of its neighbours, and is no wider than they demand: two units of mu times the
// condition, and the rounding of the result.
func TestGaussianDelta(t *testing.T) {
	t.Parallel()
	ref := newReference(420)
	r := rand.New(rand.NewPCG(11, 12))
	for range points(100) {
		mu := logUniform(r, 1e-8, 40)
		x := -5 + 35*r.Float64()
		eps := mu * max(0, x+mu/2)
		if r.IntN(10) == 0 {
			eps = logUniform(r, 1e-12, 1e3)
		}
		g := Gaussian{mu}
		lo, hi, err := g.Delta(eps)
		require.NoError(t, err)
		below, above := ref.next(mu, -1), ref.next(mu, 1)
		var a, b *big.Float // logarithms
		if eps/mu > 300 {
			a, b = ref.deep(below, ref.num(eps)), ref.deep(above, ref.num(eps))
			require.True(t, lo == 0 && hi == math.SmallestNonzeroFloat64, "[%v, %v]", lo, hi)
		} else {
			v, w := ref.gaussian(below, ref.num(eps)), ref.gaussian(above, ref.num(eps))
			require.True(t, v.Cmp(ref.num(lo)) >= 0 && w.Cmp(ref.num(hi)) <= 0, "mu = %v, eps = %v: [%v, %v] misses %v..%v", mu, eps, lo, hi, v, w)
			spread := ref.float(ref.sub(w, v))
			require.LessOrEqual(t, hi-lo, spread*(1+1e-9)+0x1p-50*hi+1e-323, "mu = %v, eps = %v: [%v, %v]", mu, eps, lo, hi)
			a, b = ref.Log(v), ref.Log(w)
		}
		lo, hi, err = g.LogDelta(eps)
		require.NoError(t, err)
		require.True(t, a.Cmp(ref.num(lo)) >= 0 && b.Cmp(ref.num(hi)) <= 0, "log, mu = %v, eps = %v: [%v, %v] misses %v..%v", mu, eps, lo, hi, a, b)
		require.LessOrEqual(t, hi-lo, ref.float(ref.sub(b, a))*(1+1e-9)+0x1p-50*math.Abs(lo)+0x1p-80, "log, mu = %v, eps = %v", mu, eps)
	}
}

// Any mu and eps of the domain, where the exponential of eps is out of reach of any other formula.
func TestGaussianLogDeltaEverywhere(t *testing.T) {
	t.Parallel()
	ref := newReference(1200)
	r := rand.New(rand.NewPCG(13, 14))
	for range points(60) {
		mu := logUniform(r, 1e-30, 1e20)
		x := logUniform(r, 1e-6, 1e25)
		eps := mu * (x + mu/2)
		if r.IntN(4) == 0 {
			eps = mu * mu / 2
		}
		if far := ref.sub(ref.quo(ref.num(eps), ref.next(mu, 1)), ref.half(ref.next(mu, 1))); far.Sign() < 0 {
			continue
		}
		lo, hi, err := Gaussian{mu}.LogDelta(eps)
		require.NoError(t, err)
		a, b := ref.deep(ref.next(mu, -1), ref.num(eps)), ref.deep(ref.next(mu, 1), ref.num(eps))
		require.True(t, a.Cmp(ref.num(lo)) >= 0 && b.Cmp(ref.num(hi)) <= 0, "mu = %v, eps = %v: [%v, %v] misses [%.25g, %.25g]", mu, eps, lo, hi, a, b)
		width := ref.float(ref.sub(b, a))
		require.LessOrEqual(t, hi-lo, width*(1+1e-9)+1e-9+0x1p-50*math.Abs(lo), "mu = %v, eps = %v: [%v, %v]", mu, eps, lo, hi)
	}
}

func TestGaussianEpsilon(t *testing.T) {
	t.Parallel()
	ref := newReference(420)
	r := rand.New(rand.NewPCG(15, 16))
	for range points(80) {
		mu, delta := logUniform(r, 1e-8, 30), logUniform(r, 1e-300, 0.9)
		lo, hi, err := Gaussian{mu}.Epsilon(delta)
		require.NoError(t, err)
		require.True(t, 0 <= lo && lo <= hi && hi-lo <= 1e-13*hi, "mu = %v, delta = %v: [%v, %v]", mu, delta, lo, hi)
		d := ref.num(delta)
		if hi/mu < 300 {
			require.LessOrEqual(t, ref.gaussian(ref.next(mu, 1), ref.num(hi)).Cmp(d), 0, "mu = %v, delta = %v: hi = %v", mu, delta, hi)
		}
		if lo > 0 {
			require.GreaterOrEqual(t, ref.gaussian(ref.next(mu, -1), ref.num(lo)).Cmp(d), 0, "mu = %v, delta = %v: lo = %v", mu, delta, lo)
		}
	}
}

// Values of mpmath 1.2.1: far tails, large and small mu.
func TestGaussianKnown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ mu, delta, eps float64 }{
		{1, 1e-5, 4.377178095681225},
		{5, 1e-5, 33.1037323359225},
		{2, 1e-9, 13.5347722191655},
		{0.01, 1e-5, 0.0272194198145771},
	} {
		lo, hi, err := Gaussian{tt.mu}.Epsilon(tt.delta)
		require.NoError(t, err)
		require.InEpsilon(t, tt.eps, lo, 1e-13)
		require.InEpsilon(t, tt.eps, hi, 1e-13)
	}
}

// No corner gives a NaN, an overflow or a wide interval.
func TestGaussianCorners(t *testing.T) {
	t.Parallel()
	for _, mu := range []float64{1e-30, 1e-8, 1e-6, 1e-3, 1, 37, 1e3, 1e6, 1e8, 1e30} {
		g := Gaussian{mu}
		last := math.Inf(1)
		for _, eps := range []float64{0, 5e-324, 1e-300, 1e-8, 1, 709, 710, 745, 1e4, 1e10, 1e60} {
			lo, hi, err := g.Delta(eps)
			require.NoError(t, err)
			require.True(t, 0 <= lo && lo <= hi && hi <= 1, "mu = %v, eps = %v: [%v, %v]", mu, eps, lo, hi)
			require.LessOrEqual(t, lo, last, "delta rises")
			last = hi
			logLo, logHi, err := g.LogDelta(eps)
			require.NoError(t, err)
			require.True(t, logLo <= logHi && logHi <= 0, "mu = %v, eps = %v: [%v, %v]", mu, eps, logLo, logHi)
		}
		for _, delta := range []float64{5e-324, 1e-300, 1e-12, 0.5, 1 - 0x1p-53} {
			lo, hi, err := g.Epsilon(delta)
			require.NoError(t, err)
			require.True(t, 0 <= lo && lo <= hi && hi-lo <= 1e-13*hi+mu*1e-14 || delta < 1e-300 || delta > 0.5, "mu = %v, delta = %v: [%v, %v]", mu, delta, lo, hi)
		}
	}
}

func TestMaxMu(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(17, 18))
	for range points(80) {
		eps, delta := logUniform(r, 1e-6, 1e4), logUniform(r, 1e-300, 0.5)
		if r.IntN(8) == 0 {
			eps = 0
		}
		lo, hi, err := MaxMu(eps, delta)
		if eps == 0 && delta < 1e-29 {
			if delta > 1e-31 {
				continue
			}
			require.ErrorIs(t, err, ErrDomain)
			continue
		}
		require.NoError(t, err)
		require.True(t, 0 < lo && lo < hi && hi-lo <= 1e-13*hi, "eps = %v, delta = %v: [%v, %v]", eps, delta, lo, hi)
		_, above, err := Gaussian{lo}.Delta(eps)
		require.NoError(t, err)
		require.LessOrEqual(t, above, delta)
		_, back, err := Gaussian{lo}.Epsilon(delta)
		require.NoError(t, err)
		require.LessOrEqual(t, back, eps*(1+1e-15), "the round trip exceeds eps")
		below, _, err := Gaussian{hi}.Delta(eps)
		require.NoError(t, err)
		require.GreaterOrEqual(t, below, delta)
	}
}

func TestPower(t *testing.T) {
	t.Parallel()
	ref := newReference(420)
	for _, tt := range []struct{ fpr, want float64 }{ // mu = 1
		{1e-4, 3.27382e-3}, {1e-3, 0.0182985}, {0.01, 0.0923622}, {0.1, 0.389144}, {0.5, 0.841345},
	} {
		lo, hi, err := Gaussian{1}.Power(tt.fpr)
		require.NoError(t, err)
		require.True(t, lo <= hi && hi-lo <= 1e-14*hi, "[%v, %v]", lo, hi)
		require.InEpsilon(t, tt.want, lo, 1e-5)
	}
	r := rand.New(rand.NewPCG(19, 20))
	for range points(100) {
		// From the quantile to the rates, so that the reference needs no inverse: fpr is off by at most half a unit.
		z, mu := 70*(r.Float64()-0.5), logUniform(r, 1e-8, 30)
		fpr := ref.float(ref.SF(ref.num(z)))
		lo, hi, err := Gaussian{mu}.Power(fpr)
		require.NoError(t, err)
		require.True(t, 0 <= lo && lo <= hi && hi <= 1 && hi-lo <= 1e-12*hi+1e-323, "[%v, %v]", lo, hi)
		if fpr == 1 {
			require.True(t, lo == 1 && hi == 1)
			continue
		}
		want := ref.SF(ref.sub(ref.num(z), ref.num(mu)))
		slack := 2e-16 * math.Exp(min(0, -z)*mu-mu*mu/2) // moves the rate by half a unit of a rate next to 1
		if z > -5 {
			slack = 0
			require.InEpsilon(t, ref.float(want), lo, 1e-12*(1+math.Abs(z)))
		}
		require.True(t, lo <= ref.float(want)*(1+1e-12)+slack, "fpr = %v, mu = %v: %v > %v", fpr, mu, lo, want)
	}
	for _, fpr := range []float64{0, 1} {
		lo, hi, err := Gaussian{2}.Power(fpr)
		require.NoError(t, err)
		require.True(t, lo == fpr && hi == fpr)
	}
	lo, hi, err := Gaussian{1}.Advantage()
	require.NoError(t, err)
	require.True(t, lo < 0.38292492254802624 && 0.3829249225480262 < hi, "[%v, %v]", lo, hi)
}

func TestGaussianRefuses(t *testing.T) {
	t.Parallel()
	bad := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1}
	for _, v := range append([]float64{0, 1e-31, 1e31}, bad...) {
		_, _, err := Gaussian{v}.Delta(1)
		require.ErrorIs(t, err, ErrDomain, "mu = %v", v)
		_, _, err = Gaussian{v}.LogDelta(1)
		require.ErrorIs(t, err, ErrDomain, "mu = %v", v)
		_, _, err = Gaussian{v}.Epsilon(1e-5)
		require.ErrorIs(t, err, ErrDomain, "mu = %v", v)
		_, _, err = Gaussian{v}.Power(0.5)
		require.ErrorIs(t, err, ErrDomain, "mu = %v", v)
	}
	for _, v := range append([]float64{1e61}, bad...) {
		_, _, err := Gaussian{1}.Delta(v)
		require.ErrorIs(t, err, ErrDomain, "eps = %v", v)
		_, _, err = MaxMu(v, 1e-5)
		require.ErrorIs(t, err, ErrDomain, "eps = %v", v)
	}
	for _, v := range append([]float64{0, 1}, bad...) {
		_, _, err := Gaussian{1}.Epsilon(v)
		require.ErrorIs(t, err, ErrDomain, "delta = %v", v)
		_, _, err = MaxMu(1, v)
		require.ErrorIs(t, err, ErrDomain, "delta = %v", v)
	}
	for _, v := range append([]float64{1.1}, bad...) {
		_, _, err := Gaussian{1}.Power(v)
		require.ErrorIs(t, err, ErrDomain, "fpr = %v", v)
	}
}

func FuzzGaussian(f *testing.F) {
	f.Add(1.0, 1.0, 1e-5)
	f.Add(1e-8, 1e-9, 1e-300)
	f.Add(1e20, 1e40, 0.999)
	f.Fuzz(func(t *testing.T, mu, eps, delta float64) {
		g := Gaussian{mu}
		if lo, hi, err := g.Delta(eps); err == nil {
			require.True(t, 0 <= lo && lo <= hi && hi <= 1, "[%v, %v]", lo, hi)
			logLo, logHi, err := g.LogDelta(eps)
			require.NoError(t, err)
			require.True(t, logLo <= logHi && math.Exp(logLo) <= hi*(1+1e-12)+1e-323 && math.Exp(logHi)*(1+1e-12)+1e-323 >= lo, "[%v, %v] and [%v, %v]", lo, hi, logLo, logHi)
		}
		if lo, hi, err := g.Epsilon(delta); err == nil {
			require.True(t, 0 <= lo && lo <= hi, "[%v, %v]", lo, hi)
			_, d, err := g.Delta(hi)
			require.NoError(t, err)
			require.LessOrEqual(t, d, delta)
		}
		if lo, hi, err := MaxMu(eps, delta); err == nil {
			require.True(t, 0 < lo && lo <= hi, "[%v, %v]", lo, hi)
			_, d, err := Gaussian{lo}.Delta(eps)
			require.NoError(t, err)
			require.LessOrEqual(t, d, delta)
		}
	})
}

func BenchmarkGaussianDelta(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = Gaussian{1.3}.Delta(2)
	}
}

func BenchmarkGaussianEpsilon(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = Gaussian{1.3}.Epsilon(1e-5)
	}
}

func BenchmarkMaxMu(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = MaxMu(2, 1e-5)
	}
}
