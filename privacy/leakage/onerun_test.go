package leakage

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
)

// exactPValue follows the theorem term by term with 300 bits.
func exactPValue(o OneRun, epsilon, delta float64) float64 {
	const bits = 300
	f := func(x float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(x) }
	odds := f(math.Exp(epsilon)) // its rounding is the reference's own error
	total := new(big.Float).SetPrec(bits).SetInt64(0)
	mass := make([]*big.Float, o.Guesses+1)
	power := f(1)
	for k := range mass {
		c := new(big.Float).SetPrec(bits).SetInt(new(big.Int).Binomial(int64(o.Guesses), int64(k)))
		mass[k] = c.Mul(c, power)
		total.Add(total, mass[k])
		power = f(0).Mul(power, odds)
	}
	p := new(big.Float).SetPrec(bits)
	for k := o.Correct; k <= o.Guesses; k++ {
		p.Add(p, mass[k])
	}
	below, most := f(0), f(0)
	for i := 1; i <= o.Correct; i++ {
		below.Add(below, mass[o.Correct-i])
		if mean := new(big.Float).SetPrec(bits).Quo(below, f(float64(i))); mean.Cmp(most) > 0 {
			most = mean
		}
	}
	p.Add(p, most.Mul(most, f(2*float64(o.Canaries)*delta)))
	v, _ := p.Quo(p, total).Float64()
	return min(1, v)
}

func TestPValueIsTheTheorem(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	for range 400 {
		o := OneRun{Canaries: 1 + rng.IntN(400)}
		o.Guesses = 1 + rng.IntN(o.Canaries)
		o.Correct = rng.IntN(o.Guesses + 1)
		epsilon := []float64{0, 0.3, 1, 3, 8, 20}[rng.IntN(6)]
		delta := []float64{0, 1e-9, 1e-5, 0.01}[rng.IntN(4)]
		p, err := o.PValue(epsilon, delta)
		require.NoError(t, err)
		want := exactPValue(o, epsilon, delta)
		if want < 1e-200 {
			require.Less(t, p, 1e-199)
			continue
		}
		require.InEpsilon(t, want, p, 1e-9, "%+v %g %g", o, epsilon, delta)
		require.GreaterOrEqual(t, p, want*(1-1e-12))
	}
}

// Far above the mode the probabilities underflow, and still decide what delta can hide.
func TestPValueFarAboveTheMode(t *testing.T) {
	t.Parallel()
	for _, o := range []OneRun{{1500, 1500, 1490}, {1500, 1500, 1500}, {1400, 1300, 1100}} {
		p, err := o.PValue(0, 1e-6)
		require.NoError(t, err)
		require.InEpsilon(t, exactPValue(o, 0, 1e-6), p, 1e-9)
		require.Greater(t, p, 1e-7)
	}
}

func TestEpsilonIsRejectedItself(t *testing.T) {
	t.Parallel()
	for _, o := range []OneRun{{1000, 100, 90}, {50, 50, 40}, {100000, 3000, 2900}} {
		for _, delta := range []float64{0, 1e-6} {
			eps, err := o.Epsilon(delta, 0.05)
			require.NoError(t, err)
			p, err := o.PValue(eps, delta)
			require.NoError(t, err)
			require.LessOrEqual(t, p, 0.05)
			p, err = o.PValue(eps+1e-9, delta)
			require.NoError(t, err)
			require.Greater(t, p, 0.05*(1-1e-8))
		}
	}
}

// More right guesses never give a smaller bound, more delta or confidence never a larger one, and no count a larger one than all right.
func TestBoundsAreMonotone(t *testing.T) {
	t.Parallel()
	eps, mu := 0.0, 0.0
	for v := 0; v <= 120; v++ {
		o := OneRun{300, 120, v}
		e, err := o.Epsilon(1e-5, 0.05)
		require.NoError(t, err)
		m, err := o.Mu(0.05)
		require.NoError(t, err)
		require.GreaterOrEqual(t, e, eps-1e-12)
		require.GreaterOrEqual(t, m, mu-1e-12)
		eps, mu = e, m
		for _, c := range []struct{ delta, alpha float64 }{{1e-3, 0.05}, {1e-5, 0.01}} {
			less, err := o.Epsilon(c.delta, c.alpha)
			require.NoError(t, err)
			require.LessOrEqual(t, less, e+1e-12)
		}
	}
	// All right at delta 0: P(W >= r) = q^r <= alpha.
	all, err := OneRun{120, 120, 120}.Epsilon(0, 0.05)
	require.NoError(t, err)
	q := math.Pow(0.05, 1./120)
	require.InEpsilon(t, math.Log(q/(1-q)), all, 1e-9)
}

func TestGaussianCurveIsRoundedDown(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(6, 6))
	for range 2000 {
		p := math.Exp(-40 * rng.Float64())
		if rng.IntN(3) == 0 {
			p = rng.Float64()
		}
		z := quantileNear(p, []float64{math.NaN(), rng.NormFloat64() * 5}[rng.IntN(2)])
		lo, hi, err := normal.Quantile(p)
		require.NoError(t, err)
		require.InDelta(t, -(lo+hi)/2, z, 1e-12*(1+math.Abs(z)), "p %g", p)
		mu := 6 * rng.Float64()
		if z-mu < -36 {
			continue
		}
		lo, _, err = normal.SF(-(z - mu))
		require.NoError(t, err)
		require.LessOrEqual(t, lowerTail(z-mu)*(1-1e-11), lo)
		require.InEpsilon(t, lo, lowerTail(z-mu), 1e-11)
	}
}

func TestRankingCountsByDefinition(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	for range 500 {
		n := 1 + rng.IntN(12)
		scores, in := make([]float64, n), make([]bool, n)
		for i := range scores {
			scores[i], in[i] = float64(rng.IntN(5)), rng.IntN(2) == 0
		}
		g := Guesses{rng.IntN(n + 1), 0}
		g.Out = rng.IntN(n - g.In + 1)
		if g.total() == 0 {
			continue
		}
		correct := 0
		for i, s := range scores {
			notLower, notHigher := 0, 0
			for _, other := range scores {
				if other >= s {
					notLower++
				}
				if other <= s {
					notHigher++
				}
			}
			if notLower <= g.In && in[i] || notHigher <= g.Out && !in[i] {
				correct++
			}
		}
		want := OneRun{n, g.total(), correct}
		require.Equal(t, want, rank(scores, in).count(g), "%v %v %+v", scores, in, g)
		// The order in the lists says nothing.
		order := rng.Perm(n)
		var shuffled []float64
		var coins []bool
		for _, i := range order {
			shuffled, coins = append(shuffled, scores[i]), append(coins, in[i])
		}
		require.Equal(t, want, rank(shuffled, coins).count(g))
	}
}

func TestDefaultGuessesFit(t *testing.T) {
	t.Parallel()
	for m := 1; m < 3000; m++ {
		require.NoError(t, checkGuesses(DefaultGuesses(m), m), m)
	}
	require.Equal(t, []Guesses{{50, 50}, {17, 16}, {6, 5}}, DefaultGuesses(100))
	require.True(t, slices.Equal([]Guesses{{1, 0}}, DefaultGuesses(1)))
}
