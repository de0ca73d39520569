package noise

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// script yields the given words, then fails the test.
type script struct {
	t     *testing.T
	words []uint64
}

func (s *script) Uint64() uint64 {
	require.NotEmpty(s.t, s.words, "more words drawn than expected")
	w := s.words[0]
	s.words = s.words[1:]
	return w
}

func sampler(t testing.TB, sigma uint64) *DiscreteGaussian {
	d, err := Discrete(sigma)
	require.NoError(t, err)
	return d
}

// digits returns floor(2^bits·p).
func digits(p *big.Float, bits int) *big.Int {
	n, _ := new(big.Float).SetMantExp(p, bits).Int(nil)
	return n
}

func TestInverseTable(t *testing.T) {
	t.Parallel()
	p := cumulative(256)
	for k, want := range sampler(t, 1).table {
		require.Equal(t, want, digits(p[k], 63).Uint64(), "P(v <= %d)", k)
	}
	// The digits do not depend on the precision asked for.
	for k, q := range cumulative(1024)[:10] {
		require.Equal(t, digits(q, 256), digits(p[k], 256))
	}
	// And they are the distribution: e^(-k²/2) over its sum, in float64.
	sum := 0.0
	for k := range 40 {
		sum += math.Exp(-float64(k*k) / 2)
	}
	first, _ := p[0].Float64()
	require.InEpsilon(t, 1/sum, first, 1e-15)
	second, _ := p[1].Float64()
	require.InEpsilon(t, (1+math.Exp(-.5))/sum, second, 1e-15)
}

// Where 63 bits do not decide, the following ones do, to any depth.
func TestInverseDrawsMoreBits(t *testing.T) {
	t.Parallel()
	for k, prefix := range sampler(t, 1).table {
		p := cumulative(400)[k]
		if k == 9 { // 1 - 10^-22: the prefix is the last one there is
			require.EqualValues(t, 9, inverse(prefix, &script{t, []uint64{0}}))
			require.EqualValues(t, 10, inverse(prefix, &script{t, []uint64{math.MaxUint64 - 1<<47}}))
			continue
		}
		word := func(i int) uint64 {
			n := digits(p, 63+64*(i+1))
			return n.And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
		}
		a, b := word(0), word(1)
		require.EqualValues(t, k, inverse(prefix, &script{t, []uint64{a - 1000}}))
		require.EqualValues(t, k+1, inverse(prefix, &script{t, []uint64{a + 1000}}))
		require.EqualValues(t, k, inverse(prefix, &script{t, []uint64{a, b - 1000}}))
		require.EqualValues(t, k+1, inverse(prefix, &script{t, []uint64{a, b + 1000}}))
		require.EqualValues(t, k, inverse(prefix, &script{t, []uint64{a, b, word(2) - 1000}}))
	}
	// Through Sample: an undecided prefix, a positive sign, u = 0.
	d := sampler(t, 1)
	require.EqualValues(t, 1, d.Sample(&script{t, []uint64{d.table[0] << 1, math.MaxUint64, 0, 5, 5}}))
}

func TestBelowIsUniform(t *testing.T) {
	t.Parallel()
	const n = 3 << 62 // a quarter of all words must be rejected
	require.EqualValues(t, 1, below(&script{t, []uint64{0, 2}}, n), "the word 0 is one too many, 2 is half of the range")
	src := NewNotPrivate(1)
	var counts [3]int
	for range 30000 {
		counts[below(src, n)>>62]++
	}
	chiSquare(t, counts[:], []float64{1. / 3, 1. / 3, 1. / 3})
}

// chiSquare fails where the statistic is more than 6 standard deviations above its mean, degrees of freedom ± sqrt(2·df): a chance
// below 1e-6 for the cells used here. Cells with an expectation below 20 are pooled.
func chiSquare(t *testing.T, counts []int, p []float64) {
	t.Helper()
	total := 0
	for _, c := range counts {
		total += c
	}
	var restC, restP, stat float64
	cells := 0
	term := func(c, p float64) {
		e := p * float64(total)
		stat += (c - e) * (c - e) / e
		cells++
	}
	for i, c := range counts {
		if p[i]*float64(total) < 20 {
			restC, restP = restC+float64(c), restP+p[i]
			continue
		}
		term(float64(c), p[i])
	}
	if restP*float64(total) >= 5 {
		term(restC, restP)
	}
	df := float64(cells - 1)
	require.Less(t, stat, df+6*math.Sqrt(2*df)+6, "chi-square with %v degrees of freedom", df)
}

func TestPointProbabilities(t *testing.T) {
	t.Parallel()
	for _, sigma := range []uint64{1, 2, 3, 7, 20} {
		t.Run(fmt.Sprint(sigma), func(t *testing.T) {
			t.Parallel()
			d, src := sampler(t, sigma), NewNotPrivate(2, sigma)
			reach := int(8 * sigma)
			counts, p := make([]int, 2*reach+1), make([]float64, 2*reach+1)
			sum := 0.0
			for i := range p {
				x := float64(i-reach) / float64(sigma)
				p[i] = math.Exp(-x * x / 2)
				sum += p[i]
			}
			for i := range p {
				p[i] /= sum
			}
			for range 400_000 {
				counts[int(d.Sample(src))+reach]++
			}
			chiSquare(t, counts, p)
		})
	}
}

func TestLooksNormal(t *testing.T) {
	t.Parallel()
	looksNormal(t, 3, func(t *testing.T, sigma uint64) func(Source) int64 { return sampler(t, sigma).Sample })
}

// looksNormal: at large sigma the draws, scaled, are standard normal up to terms of order e^(-2π²sigma²): moments within 5 standard errors, and
// the Kolmogorov-Smirnov distance below 2.5/sqrt(n), which chance exceeds once in 130,000.
func looksNormal(t *testing.T, seed uint64, sampler func(t *testing.T, sigma uint64) func(Source) int64) {
	for _, sigma := range []uint64{1 << 20, 1<<25 + 7, 1 << 40} {
		t.Run(fmt.Sprint(sigma), func(t *testing.T) {
			t.Parallel()
			const n = 200_000
			sample, src := sampler(t, sigma), NewNotPrivate(seed, sigma)
			z := make([]float64, n)
			var m1, m2, m4 float64
			residues, sixteenth := make([]int, 16), make([]float64, 16)
			for i := range z {
				y := sample(src)
				residues[uint64(y)%16]++
				x := float64(y) / float64(sigma)
				z[i] = x
				m1 += x / n
				m2 += x * x / n
				m4 += x * x * x * x / n
			}
			root := math.Sqrt(n)
			require.InDelta(t, 0, m1, 5/root)
			require.InDelta(t, 1, m2, 5*math.Sqrt(2)/root)
			require.InDelta(t, 3, m4, 5*math.Sqrt(96)/root)
			slices.Sort(z)
			distance := 0.0
			for i, x := range z {
				p := math.Erfc(-x/math.Sqrt2) / 2
				distance = max(distance, p-float64(i)/n, float64(i+1)/n-p)
			}
			require.Less(t, distance*root, 2.5)
			for i := range sixteenth {
				sixteenth[i] = 1. / 16
			}
			chiSquare(t, residues, sixteenth)
		})
	}
}

func TestAcceptanceProbabilities(t *testing.T) {
	t.Parallel()
	const n, sigma = 200_000, 1000
	d, src := sampler(t, sigma), NewNotPrivate(4)
	for _, u := range []uint64{0, 1, 300, 700, 999} {
		f := float64(u) / sigma
		for name, c := range map[string]struct {
			draw func() bool
			want float64
		}{
			"half square": {func() bool { return d.expHalfSquare(u, src) }, math.Exp(-f * f / 2)},
			"once":        {func() bool { return d.expMultiple(1, u, src) }, math.Exp(-f)},
			"three times": {func() bool { return d.expMultiple(3, u, src) }, math.Exp(-3 * f)},
		} {
			hits := 0
			for range n {
				if c.draw() {
					hits++
				}
			}
			require.InDelta(t, c.want, float64(hits)/n, 5*math.Sqrt(c.want*(1-c.want)/n)+1e-12, "%s u %d", name, u)
		}
	}
}

func TestDiscreteRefuses(t *testing.T) {
	t.Parallel()
	for _, sigma := range []uint64{0, 1<<40 + 1, math.MaxUint64} {
		_, err := Discrete(sigma)
		require.ErrorIs(t, err, ErrInvalid)
	}
	require.Panics(t, func() { new(DiscreteGaussian).Sample(NewNotPrivate()) })
}

func TestSources(t *testing.T) {
	t.Parallel()
	a, err := NewCrypto()
	require.NoError(t, err)
	var b Crypto // the zero value draws its own key
	seen := map[uint64]bool{}
	ones := 0
	for range 3 * keystreamBuffer / 8 {
		for _, s := range []Source{a, &b} {
			w := s.Uint64()
			require.False(t, seen[w], "a word came twice")
			seen[w] = true
			for ; w != 0; w &= w - 1 {
				ones++
			}
		}
	}
	bits := float64(64 * len(seen))
	require.InDelta(t, bits/2, ones, 6*math.Sqrt(bits)/2)

	one, same, other, longer := NewNotPrivate(7, 1), NewNotPrivate(7, 1), NewNotPrivate(7, 2), NewNotPrivate(7, 1, 0)
	for range 100 {
		w := one.Uint64()
		require.Equal(t, w, same.Uint64())
		require.NotEqual(t, w, other.Uint64())
		require.NotEqual(t, w, longer.Uint64())
	}
	var zero, zero2 NotPrivate
	require.Equal(t, zero.Uint64(), zero2.Uint64())
	require.True(t, Private(a) && Private(&b))
	require.False(t, Private(one) || Private(&script{}) || Private(nil))
}

func BenchmarkSample(b *testing.B) {
	src, err := NewCrypto()
	require.NoError(b, err)
	for _, sigma := range []uint64{1000, 1 << 20, 1<<25 + 7, 1 << 40} {
		b.Run(fmt.Sprintf("sigma=%d", sigma), func(b *testing.B) {
			b.ReportAllocs()
			d := sampler(b, sigma)
			for b.Loop() {
				d.Sample(src)
			}
		})
	}
}

func BenchmarkCrypto(b *testing.B) {
	b.ReportAllocs()
	var src Crypto
	b.SetBytes(8)
	for b.Loop() {
		src.Uint64()
	}
}
