package normal

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/bigfloat"
)

// contains requires lo <= want <= hi and hi-lo <= width·|want|, plus the smallest float64.
func contains(t *testing.T, lo, hi float64, want *big.Float, width float64, msg ...any) {
	t.Helper()
	require.True(t, lo <= hi, msg...)
	if !math.IsInf(lo, -1) {
		require.True(t, want.Cmp(big.NewFloat(lo)) >= 0, append([]any{"%v > %.20g: " + msg[0].(string), lo, want}, msg[1:]...)...)
	}
	if !math.IsInf(hi, 1) {
		require.True(t, want.Cmp(big.NewFloat(hi)) <= 0, append([]any{"%v < %.20g: " + msg[0].(string), hi, want}, msg[1:]...)...)
	}
	w, _ := want.Float64()
	require.LessOrEqual(t, hi-lo, width*math.Abs(w)+8*math.SmallestNonzeroFloat64,
		append([]any{"[%v, %v] is wide: " + msg[0].(string), lo, hi}, msg[1:]...)...)
}

func TestTails(t *testing.T) {
	t.Parallel()
	m := bigfloat.New(200)
	r := rand.New(rand.NewPCG(5, 6))
	xs := []float64{0, -38.1, -38.5, -39.5, 1e-300, -1e-300, 1e-9, -1e-9, 37.5, 38.4, 38.6, -37.6, -8.3, -38, -39.9, 11.827, 1e5, 40, -40, 12}
	for range 150 {
		xs = append(xs, 80*(r.Float64()-0.5), 12*(r.Float64()-0.5), math.Ldexp(r.Float64(), 4-r.IntN(40)))
	}
	for _, x := range xs {
		b := big.NewFloat(x)
		lo, hi, err := Mills(x)
		require.NoError(t, err)
		if x > -37.6 {
			contains(t, lo, hi, m.Mills(b), 0x1p-50, "Mills(%v)", x)
		} else {
			require.Greater(t, hi, 1e300)
			contains(t, lo, math.Inf(1), m.Mills(b), math.Inf(1), "Mills(%v)", x)
		}
		lo, hi, err = LogSF(x)
		require.NoError(t, err)
		contains(t, lo, hi, m.LogSF(b), 0x1p-50, "LogSF(%v)", x)
		if math.Abs(x) > 1e4 {
			continue
		}
		lo, hi, err = SF(x)
		require.NoError(t, err)
		contains(t, lo, hi, m.SF(b), 0x1p-50, "SF(%v)", x)
	}
}

func TestTailsFarOut(t *testing.T) {
	t.Parallel()
	for _, x := range []float64{1e12, 1e90, 1e200, math.MaxFloat64} {
		lo, hi, err := Mills(x)
		require.NoError(t, err)
		require.True(t, lo <= 1/x && 1/x <= hi && hi-lo <= 0x1p-51/x+8e-324, "Mills(%v) = [%v, %v]", x, lo, hi)
		lo, hi, err = SF(x)
		require.NoError(t, err)
		require.True(t, lo == 0 && hi == math.SmallestNonzeroFloat64)
		lo, hi, err = SF(-x)
		require.NoError(t, err)
		require.True(t, lo < 1 && lo > 0.999 && hi == 1)
	}
	lo, hi, err := LogSF(1e90)
	require.NoError(t, err)
	require.True(t, lo < hi && lo > -0.51e180 && hi < -0.49e180, "[%v, %v]", lo, hi)
	lo, hi, err = LogSF(-1e300)
	require.NoError(t, err)
	require.True(t, lo < 0 && lo > -1e-300 && hi == 0)
	lo, hi, err = Mills(math.Inf(1))
	require.NoError(t, err)
	require.True(t, lo == 0 && hi == 0)
	lo, hi, err = Mills(math.Inf(-1))
	require.NoError(t, err)
	require.True(t, lo == math.MaxFloat64 && math.IsInf(hi, 1))
	for _, f := range []func(float64) (float64, float64, error){Mills, SF, LogSF, Quantile} {
		_, _, err := f(math.NaN())
		require.ErrorIs(t, err, ErrDomain)
	}
	_, _, err = LogSF(math.Inf(1))
	require.ErrorIs(t, err, ErrDomain)
	for _, p := range []float64{0, 1, -1, 2, math.Inf(1)} {
		_, _, err := Quantile(p)
		require.ErrorIs(t, err, ErrDomain, "p = %v", p)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	m := bigfloat.New(200)
	r := rand.New(rand.NewPCG(7, 8))
	ps := []float64{5e-324, 1e-310, 1e-300, 1e-15, 0.5, 0.5 + 0x1p-53, 0.5 - 0x1p-54, 1 - 0x1p-53, 0.975, 0.025}
	for range 80 {
		ps = append(ps, r.Float64(), math.Exp(-740*r.Float64()))
	}
	for _, p := range ps {
		lo, hi, err := Quantile(p)
		require.NoError(t, err)
		require.LessOrEqual(t, hi-lo, 0x1p-51*math.Abs(lo)+0x1p-80, "p = %v: [%v, %v]", p, lo, hi)
		want := big.NewFloat(p)
		require.True(t, m.SF(big.NewFloat(lo)).Cmp(want) >= 0, "p = %v: lo = %v is too high", p, lo)
		require.True(t, m.SF(big.NewFloat(hi)).Cmp(want) <= 0, "p = %v: hi = %v is too low", p, hi)
	}
	lo, hi, err := Quantile(0.5)
	require.NoError(t, err)
	require.True(t, lo == 0 && hi == 0)
}

func FuzzQuantile(f *testing.F) {
	f.Add(0.3)
	f.Add(5e-324)
	f.Fuzz(func(t *testing.T, p float64) {
		lo, hi, err := Quantile(p)
		if err != nil {
			return
		}
		require.LessOrEqual(t, lo, hi)
		_, above, err := SF(lo)
		require.NoError(t, err)
		require.GreaterOrEqual(t, above, p)
		below, _, err := SF(hi)
		require.NoError(t, err)
		require.LessOrEqual(t, below, p)
	})
}

func BenchmarkMills(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = Mills(2.3)
	}
}

func BenchmarkQuantile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = Quantile(1e-5)
	}
}
