package noise

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
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
	// .75 = .11 in binary: 0 and 10 stay, 11 does not. Of four records the digits are 0, 11, 10, 11.
	p := poisson(t, 4, .75)
	require.Equal(t, []int{0, 2}, p.Draw(nil, &script{t, []uint64{0b1110, 0b1010}}))
	// .3 has many digits: a number that begins with all of them is not below it.
	p = poisson(t, 64, .3)
	same := make([]uint64, bits.Len64(p.threshold)-bits.TrailingZeros64(p.threshold)+bits.LeadingZeros64(p.threshold))
	for i := range same {
		same[i] = -(p.threshold >> (63 - i) & 1)
	}
	require.Empty(t, p.Draw(nil, &script{t, same}))
	same[len(same)-1] = 1 << 17 // and those with a zero in the last place are
	require.Len(t, p.Draw(nil, &script{t, same}), 63)
	require.Empty(t, poisson(t, 2, 0).Draw(nil, &script{t, nil}))
	require.Equal(t, []int{0, 1, 2}, poisson(t, 3, 1).Draw(nil, nil))
	require.Empty(t, new(PoissonSampler).Draw([]int{1, 2}, nil))
}

// Each number of records has the probability that it should, for rates of both methods and where they meet.
func TestGapsAndSieve(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{1e-4, .01, 1./32 - 1e-6, 1. / 32, .3, .97} {
		const n, draws = 70, 40_000
		p, src := poisson(t, n, rate), NewNotPrivate(16, math.Float64bits(rate))
		sizes, gaps, want, wantGaps := make([]int, n+1), make([]int, n+1), make([]float64, n+1), make([]float64, n+1)
		words := 0
		for range draws {
			batch := p.Draw(nil, counting{src, &words})
			sizes[len(batch)]++
			first := n
			if len(batch) > 0 {
				first = batch[0]
			}
			gaps[first]++
		}
		for k := range want {
			a, _ := math.Lgamma(n + 1)
			b, _ := math.Lgamma(float64(k) + 1)
			c, _ := math.Lgamma(float64(n-k) + 1)
			want[k] = math.Exp(a - b - c + float64(k)*math.Log(rate) + float64(n-k)*math.Log1p(-rate))
			wantGaps[k] = math.Pow(1-rate, float64(k))
			if k < n {
				wantGaps[k] *= rate
			}
		}
		chiSquare(t, sizes, want)
		chiSquare(t, gaps, wantGaps)
		if rate < 1./32 {
			require.InEpsilon(t, 1+n*rate, float64(words)/draws, .02)
		} else {
			require.Less(t, words, 17*draws)
		}
	}
}

// A gap is the largest g with u < r^g, whatever decides it, and both ways draw the same words.
func TestGapTwoWays(t *testing.T) {
	t.Parallel()
	slow := 0
	for _, rate := range []float64{0x1p-64, 1e-15, 1e-9, 1e-5, .001, .03, 1. / 40, .2, .5, 1 - 0x1p-53} {
		p, rng := poisson(t, 1, rate), NewNotPrivate(17, math.Float64bits(rate))
		r, _ := new(big.Float).SetPrec(2000).SetMantExp(new(big.Float).SetUint64(-p.threshold), -64).Float64()
		for trial := range 150 {
			limit := 1 + int(rng.Uint64()%math.MaxInt>>(rng.Uint64()%63))
			w := rng.Uint64() >> (rng.Uint64() % 64)
			if trial%2 == 0 { // on the limit between two gaps
				w = uint64(max(0, math.Pow(r, float64(rng.Uint64()%60))*0x1p64-float64(rng.Uint64()%3)))
			}
			rest := []uint64{rng.Uint64(), rng.Uint64(), rng.Uint64()}
			a, b := &script{t, append([]uint64{w}, rest...)}, &script{t, append([]uint64{w}, rest...)}
			want := p.gap(limit, a, true)
			require.Equal(t, want, p.gap(limit, b, false), "rate %v, limit %d, word %x", rate, limit, w)
			require.Equal(t, a.words, b.words)
			if len(a.words) < 3 {
				slow++
			}
			if want < 1000 { // u, of which 256 bits are known, lies between the powers
				u := new(big.Int)
				for _, w := range append([]uint64{w}, rest...) {
					u.Lsh(u, 64).Or(u, new(big.Int).SetUint64(w))
				}
				power := func(g int) *big.Int { // in units of 2^-256-64g
					n := new(big.Int).SetUint64(-p.threshold)
					return n.Lsh(n.Exp(n, big.NewInt(int64(g)), nil), 256)
				}
				require.Negative(t, new(big.Int).Lsh(u, 64*uint(want)).Cmp(power(want)))
				if want < limit {
					require.GreaterOrEqual(t, new(big.Int).Lsh(u, 64*uint(want+1)).Cmp(power(want+1)), 0)
				}
			}
		}
	}
	require.Greater(t, slow, 5, "no word was on a limit")
	// r = 1/2: u = .0111... is below r, u = .1000... is not.
	p := poisson(t, 1, .5)
	require.Equal(t, 1, p.gap(9, &script{t, []uint64{1<<63 - 1}}, false))
	require.Equal(t, 0, p.gap(9, &script{t, []uint64{1 << 63}}, false))
	require.Equal(t, 9, p.gap(9, &script{t, []uint64{0, 0}}, false), "u = 0 needs no more digits for that")
}

// Every record is as likely as every other, pairs are independent, and the batch size is binomial.
func TestInclusionFrequencies(t *testing.T) {
	t.Parallel()
	const n, rate, draws = 50, .2, 20_000
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
	for _, rate := range []float64{1e-4, .01, .03, .04, .3} {
		b.Run(fmt.Sprint("rate=", rate), func(b *testing.B) {
			b.ReportAllocs()
			p, src := poisson(b, 100_000, rate), new(Crypto)
			var batch []int
			for b.Loop() {
				batch = p.Draw(batch, src)
			}
		})
	}
	b.Run("word by word", func(b *testing.B) {
		b.ReportAllocs()
		p, src := poisson(b, 100_000, .01), new(Crypto)
		var batch []int
		for b.Loop() {
			batch = batch[:0]
			for i := range p.n {
				if src.Uint64() < p.threshold {
					batch = append(batch, i)
				}
			}
		}
	})
}
