package normal

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/bigfloat"
)

const prec = 260

func (x pair) big() *big.Float {
	return new(big.Float).SetPrec(prec).Add(new(big.Float).SetFloat64(x.hi), new(big.Float).SetFloat64(x.lo))
}

// randomPair draws a pair with |x| in [2^lo, 2^hi].
func randomPair(r *rand.Rand, lo, hi int) pair {
	x := math.Ldexp(1+r.Float64(), lo+r.IntN(hi-lo))
	if r.IntN(2) == 0 {
		x = -x
	}
	return fastTwoSum(x, x*(r.Float64()-0.5)*0x1p-52)
}

// relativeError of got, in units of unit.
func relativeError(got pair, want *big.Float, unit float64) float64 {
	diff := new(big.Float).SetPrec(prec).Sub(got.big(), want)
	if diff.Sign() == 0 {
		return 0
	}
	ratio, _ := diff.Quo(diff, want).Float64()
	return math.Abs(ratio) / unit
}

func TestPairArithmetic(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	fresh := func() *big.Float { return new(big.Float).SetPrec(prec) }
	const u2 = 0x1p-106
	for range 8000 {
		x, y := randomPair(r, -200, 200), randomPair(r, -200, 200)
		if r.IntN(2) == 0 { // near each other, so that sums cancel
			y = x.neg().plus(randomPair(r, -260, -100))
		}
		for _, z := range []pair{x.plus(y), x.times(y), x.over(y)} {
			require.LessOrEqual(t, math.Abs(z.lo), math.Abs(z.hi)*0x1p-52)
		}
		require.LessOrEqual(t, relativeError(x.plus(y), fresh().Add(x.big(), y.big()), u2), 3.01, "%v + %v", x, y)
		require.LessOrEqual(t, relativeError(x.times(y), fresh().Mul(x.big(), y.big()), u2), 5.01, "%v · %v", x, y)
		require.LessOrEqual(t, relativeError(x.over(y), fresh().Quo(x.big(), y.big()), u2), 15.01, "%v / %v", x, y)
	}
}

// The declared error bounds exceed what is measured by a factor of 8 at least.
func TestElementaryErrors(t *testing.T) {
	t.Parallel()
	m := bigfloat.New(prec)
	r := rand.New(rand.NewPCG(3, 4))
	n := 600
	if testing.Short() {
		n = 200
	}
	var exp, expm1, log, log1p, mills float64
	for range n {
		x := randomPair(r, -60, 10)
		if math.Abs(x.hi) < 1000 {
			y, k := x.exp()
			require.True(t, y.hi > 0.7 && y.hi < 1.42, "%v", y)
			want := m.Exp(x.big())
			exp = max(exp, relativeError(y, want.SetMantExp(want, -k), expErr))
		}
		if math.Abs(x.hi) < 700 {
			expm1 = max(expm1, relativeError(x.expm1(), m.Expm1(x.big()), logErr))
		}
		for _, v := range []pair{randomPair(r, -900, 900).abs(), pair{1, 0}.plus(randomPair(r, -80, -1))} {
			want := m.Log(v.big())
			diff, _ := new(big.Float).SetPrec(prec).Sub(v.log().big(), want).Float64()
			w, _ := want.Float64()
			log = max(log, math.Abs(diff)/(1+math.Abs(w))/logErr)
		}
		for _, v := range []pair{randomPair(r, -100, -1), randomPair(r, -2, 300).abs()} {
			log1p = max(log1p, relativeError(v.log1p(), m.Log1p(v.big()), logErr))
		}
		for _, v := range []pair{randomPair(r, -60, 5).abs(), randomPair(r, 3, 300).abs(), {12 * r.Float64(), 0}} {
			mills = max(mills, relativeError(v.mills(), m.Mills(v.big()), millsErr))
		}
	}
	t.Logf("of the bound: exp %.4f, expm1 %.4f, log %.4f, log1p %.4f, mills %.4f", exp, expm1, log, log1p, mills)
	for _, v := range []float64{exp, expm1, log, log1p, mills} {
		require.Less(t, v, 1.0/8)
	}
	for _, x := range []float64{0, 1e-300, strip, math.Nextafter(strip, 0), 11.8271, 1e100} { // the pole leaves the strip
		require.Less(t, relativeError(pair{x, 0}.mills(), m.Mills(big.NewFloat(x)), millsErr), 0.25, "x = %v", x)
	}
}

// The literals are the correctly rounded constants.
func TestConstants(t *testing.T) {
	t.Parallel()
	m := bigfloat.New(prec)
	two := big.NewFloat(2)
	fresh := func() *big.Float { return new(big.Float).SetPrec(prec) }
	root := fresh().Sqrt(fresh().Mul(two, m.Pi()))
	for _, tt := range []struct {
		got  pair
		want *big.Float
	}{
		{ln2(), m.Log(two)},
		{sqrtTwoPi(), root},
		{invSqrtTwoPi(), fresh().Quo(big.NewFloat(1), root)},
	} {
		require.Less(t, relativeError(tt.got, tt.want, 0x1p-106), 1.0, "%v", tt.got)
	}
}
