package normal

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// phi(x)(m(x) - m(x+h)) in every regime: h lost in x, x lost in h, both small, x on either side of 0.
func TestDifference(t *testing.T) {
	t.Parallel()
	ref := newReference(900)
	r := rand.New(rand.NewPCG(31, 32))
	for range points(200) {
		h := logUniform(r, 1e-30, 1e3)
		x := logUniform(r, 1e-30, 1e8)
		switch r.IntN(4) {
		case 0:
			x = -h / 2 * r.Float64()
		case 1:
			h = x * logUniform(r, 1e-25, 1)
		}
		p := difference(pair{x, 0}, pair{h, 0})
		require.Less(t, p.err, 1e-6, "x = %v, h = %v", x, h)
		want := ref.quo(ref.sub(ref.Mills(ref.num(x)), ref.Mills(ref.add(ref.num(x), ref.num(h)))),
			ref.fresh().Sqrt(ref.mul(ref.num(2), ref.Pi())))
		if x < 0 {
			want = ref.mul(want, ref.Exp(ref.half(ref.mul(ref.num(x), ref.num(-x)))))
			require.Zero(t, p.drop.hi)
		} else {
			require.InEpsilon(t, x*x/2+1e-300, p.drop.hi+1e-300, 1e-15)
		}
		require.LessOrEqual(t, relativeError(p.factor, want, max(1e-250, p.err*(1+1e-6))), 1.0, "x = %v, h = %v: err = %v", x, h, p.err)
	}
}

// A slack of eps, and the error of x, move the two sides apart and not towards each other.
func TestTailSides(t *testing.T) {
	t.Parallel()
	for _, mu := range []float64{0.01, 1, 30, 1e6, 1e8} {
		m := pair{mu, 0}
		for _, x := range []float64{-1, 0.5, 3} {
			eps := mu * max(0.1, x+mu/2)
			e := pair{eps, 0}
			above, below := tail(e, m, 0, 1), tail(e, m, 0, -1)
			if mu > 1e3 { // else the shift is lost in the logarithm
				a, _, _ := above.log()
				b, _, _ := below.log()
				require.Positive(t, a.minus(b).hi, "mu = %v, eps = %v", mu, eps)
			}
			const slack = 1e-3
			lo, hi := tail(e, m, slack, -1), tail(e, m, slack, 1)
			require.LessOrEqual(t, lo.lower(), tail(e.plus(pair{slack, 0}), m, 0, 1).upper())
			require.GreaterOrEqual(t, hi.upper(), tail(e.minus(pair{slack, 0}), m, 0, -1).lower())
			require.Greater(t, hi.lower(), above.upper())
			require.Less(t, lo.upper(), below.lower())
		}
	}
}

// The rounding of a positive covers its error.
func TestPositive(t *testing.T) {
	t.Parallel()
	p := positive{pair{2, 0}, pair{3, 0}, 0.01}
	v := 3 * math.Exp(-2)
	require.InEpsilon(t, v*1.01, p.upper(), 1e-10)
	require.InEpsilon(t, v*0.99, p.lower(), 1e-10)
	require.Greater(t, p.upper(), v*1.0099999)
	lo, hi := p.logInterval()
	require.True(t, lo <= math.Log(v*0.99) && hi >= math.Log(v*1.01) && hi-lo < 0.031, "[%v, %v]", lo, hi)
	q := p.times(pair{2, 0}, 0.01)
	require.InEpsilon(t, 2*v*1.0201, q.upper(), 1e-10)
	require.LessOrEqual(t, q.lower(), 2*v*0.9801)

	swallowed := relative(pair{}, pair{-1e-40, 0}, 1e-30) // a factor of which only the size of its error is known
	require.Zero(t, swallowed.lower())
	require.GreaterOrEqual(t, swallowed.upper(), 1e-30)
	lo, _ = swallowed.logInterval()
	require.True(t, math.IsInf(lo, -1))
	require.InDelta(t, 0.01, better(swallowed, p).err, 0)

	deep := positive{pair{1e6, 0}, pair{1, 0}, 0}
	require.True(t, deep.lower() == 0 && deep.upper() == math.SmallestNonzeroFloat64)
	subnormal := positive{pair{740, 0}, pair{1, 0}, 0}
	ref := newReference(200)
	want := ref.Exp(ref.num(-740))
	require.True(t, want.Cmp(big.NewFloat(subnormal.lower())) > 0 && want.Cmp(big.NewFloat(subnormal.upper())) < 0)
}
