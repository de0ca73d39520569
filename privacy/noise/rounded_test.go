package noise

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func rounded(t testing.TB, sigma uint64) *RoundedGaussian {
	g, err := Rounded(sigma)
	require.NoError(t, err)
	return g
}

// byOffset is the sampler of the same distribution that has no ziggurat and no floating point. Write |z| = sigma·(v + x), x in [0, 1):
// v is drawn with weight e^(-v²/2), x uniformly, and the pair is accepted with probability e^(-vx)·e^(-x²/2).
func byOffset(d *DiscreteGaussian, src Source) int64 {
	for {
		negative, v := d.whole(src)
		x := offset{u: below(src, d.sigma)}
		if !x.expHalfSquare(d.sigma, src) || !x.expMultiple(v, d.sigma, src) {
			continue
		}
		y := int64(d.sigma*v + x.u + x.word(0, src)>>63)
		if negative {
			return -y
		}
		return y
	}
}

// Every integer has the mass of the interval that is rounded to it; at sigma = 1 and 2 that differs from the discrete Gaussian visibly.
func TestRoundedPointProbabilities(t *testing.T) {
	t.Parallel()
	for _, sigma := range []uint64{1, 2, 3, 7, 20} {
		t.Run(fmt.Sprint(sigma), func(t *testing.T) {
			t.Parallel()
			g, src := rounded(t, sigma), NewNotPrivate(71, sigma)
			reach := int(9 * sigma)
			counts, p := make([]int, 2*reach+1), make([]float64, 2*reach+1)
			for i := range p {
				y := math.Abs(float64(i - reach))
				tail := func(x float64) float64 { return math.Erfc(x/float64(sigma)/math.Sqrt2) / 2 }
				p[i] = tail(y-.5) - tail(y+.5)
			}
			for range 400_000 {
				counts[int(g.Sample(src))+reach]++
			}
			chiSquare(t, counts, p)
			clear(counts)
			for range 100_000 { // what checks the sampler is right itself
				counts[int(byOffset(sampler(t, sigma), src))+reach]++
			}
			chiSquare(t, counts, p)
			if sigma == 1 { // P(0) is 0.383 here and 0.399 there: 10 standard errors apart
				require.InDelta(t, .38292, float64(counts[reach])/100_000, .008)
			}
		})
	}
}

func TestRoundedLooksNormal(t *testing.T) {
	t.Parallel()
	looksNormal(t, 72, func(t *testing.T, sigma uint64) func(Source) int64 { return rounded(t, sigma).Sample })
}

// Where the integers tie, the digits of r decide, to any depth, and they stay what they were.
func TestOffsetDrawsDigitsWhenNeeded(t *testing.T) {
	t.Parallel()
	x := offset{u: 3}
	require.True(t, x.exceeds(8, &script{t, []uint64{2 << 61}}), "2 < 3: no digit is needed")
	require.False(t, x.exceeds(8, &script{t, []uint64{4 << 61}}))
	require.Zero(t, x.drawn)
	require.True(t, x.exceeds(8, &script{t, []uint64{3 << 61, 99, 100}}), "3.99 < 3.100")
	require.False(t, x.exceeds(8, &script{t, []uint64{3 << 61, 101}}), "the first word is 100 for good")
	require.False(t, x.exceeds(8, &script{t, []uint64{3 << 61, 100, 8, 7}}))
	require.True(t, x.exceeds(8, &script{t, []uint64{3 << 61, 100, 6}}))
	require.True(t, x.exceeds(8, &script{t, []uint64{3 << 61, 100, 7, 0, 1}}))
	require.EqualValues(t, 1, x.word(2, nil))
}

// The trials have the probabilities they should, for offsets whose digits matter: r uniform, the average of e^(-vx) over the interval.
func TestRoundedAcceptance(t *testing.T) {
	t.Parallel()
	const n, sigma = 200_000, 2
	src := NewNotPrivate(73)
	for u := range uint64(sigma) {
		for v := range uint64(3) {
			hits, want := 0, 0.0
			for i := range 1000 { // midpoints: wrong by less than 10^-6
				x := (float64(u) + (float64(i)+.5)/1000) / sigma
				want += math.Exp(-float64(v)*x-x*x/2) / 1000
			}
			for range n {
				x := offset{u: u}
				if x.expHalfSquare(sigma, src) && x.expMultiple(v, sigma, src) {
					hits++
				}
			}
			require.InDelta(t, want, float64(hits)/n, 5*math.Sqrt(want*(1-want)/n), "u %d v %d", u, v)
		}
	}
}

func TestRoundedRefuses(t *testing.T) {
	t.Parallel()
	for _, sigma := range []uint64{0, 1<<40 + 1, math.MaxUint64} {
		_, err := Rounded(sigma)
		require.ErrorIs(t, err, ErrInvalid)
	}
	require.Panics(t, func() { new(RoundedGaussian).Sample(NewNotPrivate()) })
}

func TestRoundedAllocatesNothing(t *testing.T) {
	g, src := rounded(t, 3), NewNotPrivate(74)
	require.Zero(t, testing.AllocsPerRun(10_000, func() { g.Sample(src) }))
}

func BenchmarkRounded(b *testing.B) {
	for _, sigma := range []uint64{1 << 20, 1 << 40} {
		b.Run(fmt.Sprintf("sigma=%d", sigma), func(b *testing.B) {
			b.ReportAllocs()
			g, src := rounded(b, sigma), new(Crypto)
			for b.Loop() {
				g.Sample(src)
			}
		})
	}
	b.Run("without ziggurat", func(b *testing.B) {
		b.ReportAllocs()
		d, src := sampler(b, 1<<20), new(Crypto)
		for b.Loop() {
			byOffset(d, src)
		}
	})
}

// The mark: 1.5 times the ziggurat of math/rand on the same words.
func BenchmarkFill(b *testing.B) {
	perSample := func(b *testing.B, n int) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sample")
	}
	for _, sigma := range []uint64{1 << 20, 1 << 40} {
		b.Run(fmt.Sprintf("sigma=%d", sigma), func(b *testing.B) {
			b.ReportAllocs()
			g, src, dst := rounded(b, sigma), new(Crypto), make([]int64, 1<<14)
			for b.Loop() {
				g.Fill(dst, src)
			}
			perSample(b, len(dst))
		})
	}
	b.Run("float64 of math/rand", func(b *testing.B) {
		b.ReportAllocs()
		rng, dst := rand.New(new(Crypto)), make([]float64, 1<<14)
		for b.Loop() {
			for i := range dst {
				dst[i] = rng.NormFloat64()
			}
		}
		perSample(b, len(dst))
	})
	b.Run("words", func(b *testing.B) {
		b.ReportAllocs()
		src, dst := new(Crypto), make([]uint64, 1<<14)
		for b.Loop() {
			for i := range dst {
				dst[i] = src.Uint64()
			}
		}
		perSample(b, len(dst))
	})
}
