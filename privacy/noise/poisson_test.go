package noise

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy"
)

func poisson(t testing.TB, n int, rate float64) *PoissonSampler {
	p, err := NewPoissonSampler(n, rate)
	require.NoError(t, err)
	return p
}

func TestThresholdNeverExceedsRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 5e-324, 1e-30, 0x1p-64, 1e-9, .01, 1. / 3, .5, .75, 1 - 0x1p-53} {
		p := poisson(t, 1, rate)
		exact := new(big.Rat).Mul(new(big.Rat).SetFloat64(rate), new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), 64)))
		used := new(big.Rat).SetInt(new(big.Int).SetUint64(p.threshold))
		require.LessOrEqual(t, used.Cmp(exact), 0, "rate %v", rate)
		require.Less(t, exact.Sub(exact, used).Cmp(big.NewRat(1, 1)), 0, "rate %v", rate)
	}
}

func TestThresholdIsExact(t *testing.T) {
	t.Parallel()
	p := poisson(t, 4, .75)
	const c = 3 << 62
	require.Equal(t, []int{0, 2}, p.Draw(nil, &script{t, []uint64{0, c, c - 1, math.MaxUint64}}))
	require.Empty(t, poisson(t, 2, 0).Draw(nil, &script{t, []uint64{0, 0}}))
	require.Equal(t, []int{0, 1, 2}, poisson(t, 3, 1).Draw(nil, nil))
	require.Empty(t, new(PoissonSampler).Draw([]int{1, 2}, nil))
}

// Every record is as likely as every other, pairs are independent, and the batch size is binomial.
func TestInclusionFrequencies(t *testing.T) {
	t.Parallel()
	const n, rate, draws = 50, .2, 40_000
	p, src := poisson(t, n, rate), NewNotPrivate(15)
	single := make([]int, n)
	var pair, size, sizeSquare, empty float64
	var batch []int
	for range draws {
		batch = p.Draw(batch, src)
		last := -1
		first, second := false, false
		for _, i := range batch {
			require.Greater(t, i, last)
			last = i
			single[i]++
			first, second = first || i == 3, second || i == 4
		}
		if first && second {
			pair++
		}
		if len(batch) == 0 {
			empty++
		}
		size += float64(len(batch)) / draws
		sizeSquare += float64(len(batch)*len(batch)) / draws
	}
	within := func(p, count float64) {
		t.Helper()
		require.InDelta(t, p*draws, count, 5*math.Sqrt(p*(1-p)*draws)+1)
	}
	for _, c := range single {
		within(rate, float64(c))
	}
	within(rate*rate, pair)
	within(math.Pow(1-rate, n), empty)
	variance := n * rate * (1 - rate)
	require.InDelta(t, n*rate, size, 5*math.Sqrt(variance/draws))
	require.InEpsilon(t, variance, sizeSquare-size*size, 5*math.Sqrt(2.0/draws))
}

func TestSamplerEventIsItsRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 1e-6, 256. / 60000, 1} {
		p := poisson(t, 60000, rate)
		g := accumulator(t, 10, 1).Event(1.1)
		e := p.Event(g)
		require.NoError(t, e.Validate())
		require.Equal(t, privacy.Poisson{Rate: p.Rate(), Gaussian: g}, e)
		require.Equal(t, rate, e.Rate)
		require.Equal(t, 60000, p.N())
	}
}

func TestPoissonSamplerRefuses(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{-1e-9, 1 + 1e-15, math.NaN(), math.Inf(1)} {
		_, err := NewPoissonSampler(1, rate)
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, err := NewPoissonSampler(-1, .5)
	require.ErrorIs(t, err, ErrInvalid)
}

func BenchmarkDraw(b *testing.B) {
	b.ReportAllocs()
	p, src := poisson(b, 30_000, .01), new(Crypto)
	var batch []int
	for b.Loop() {
		batch = p.Draw(batch, src)
	}
}
