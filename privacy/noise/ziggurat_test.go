package noise

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/bigfloat"
)

const zigguratPrec = 300

// at returns n·2^exponent as an exact ratio, and e^(-x²/2) of it.
func at(n uint64, exponent int) *big.Rat {
	r, _ := new(big.Float).SetPrec(64).SetMantExp(new(big.Float).SetUint64(n), exponent).Rat(nil)
	return r
}

func density(m *bigfloat.Math, x *big.Rat) *big.Float {
	h := new(big.Rat).Mul(x, x)
	h.Mul(h, big.NewRat(-1, 2))
	return m.Exp(real(h))
}

func real(r *big.Rat) *big.Float { return new(big.Float).SetPrec(zigguratPrec).SetRat(r) }

// heights returns y_1, ..., y_256, which are rational numbers.
func heights() []*big.Rat {
	y := []*big.Rat{nil, new(big.Rat)}
	for i := 1; i < 256; i++ {
		next := new(big.Rat).Quo(at(slabArea, -40), at(uint64(ziggurat[i].edge), -edgeBits))
		y = append(y, next.Add(next, y[i]))
	}
	return y
}

// clearly is how far two numbers must be apart to differ, whatever the rounding of 300 bits.
var clearly = new(big.Float).SetMantExp(big.NewFloat(1), -250)

func requireAbove(t *testing.T, a, b *big.Float, name string, i int) {
	t.Helper()
	require.Positive(t, new(big.Float).SetPrec(zigguratPrec).Sub(a, b).Cmp(clearly), "%s, slab %d", name, i)
}

// Every inequality that the sampler rests on, and that the table is the tightest that fulfils them.
func TestZigguratTable(t *testing.T) {
	t.Parallel()
	m, y := bigfloat.New(zigguratPrec), heights()
	require.Equal(t, slab{}, ziggurat[0], "the tail has no slab")
	require.Equal(t, uint32(4<<edgeBits), ziggurat[1].edge)
	require.Zero(t, ziggurat[1].low)
	one := new(big.Rat).SetInt64(1)
	for i := 1; i < 256; i++ {
		s := &ziggurat[i]
		low, _ := y[i].Float64()
		require.Equal(t, low, s.low)
		if i > 1 { // f(x_i) <= y_i, and not so for the multiple of 2^-20 before
			requireAbove(t, real(y[i]), density(m, at(uint64(s.edge), -edgeBits)), "covered", i)
			requireAbove(t, density(m, at(uint64(s.edge)-1, -edgeBits)), real(y[i]), "tight", i)
		}
		if i == 255 {
			require.Zero(t, s.inner, "the uppermost slab reaches beyond the curve")
			break
		}
		edge := at(uint64(s.edge), -edgeBits)
		requireAbove(t, density(m, new(big.Rat).Mul(edge, at(uint64(s.inner), -31))), real(y[i+1]), "inside", i)
		requireAbove(t, real(y[i+1]), density(m, new(big.Rat).Mul(edge, at(uint64(s.inner)+1, -31))), "all that is inside", i)
		require.Negative(t, y[i].Cmp(y[i+1]))
	}
	require.Positive(t, y[256].Cmp(one), "the slabs reach the top")
	top, _ := y[256].Float64()
	require.Equal(t, slab{low: top}, ziggurat[256])
	require.Less(t, top, 1+2e-8, "and hardly beyond")

	// The tail: c·64^(4-k) >= e^(-k²/2).
	c := new(big.Rat).Mul(at(slabArea, -40), big.NewRat(63, 512))
	for k := int64(4); k < 30; k++ {
		requireAbove(t, real(c), density(m, big.NewRat(k, 1)), "tail", int(k))
		c.Mul(c, big.NewRat(1, 64))
	}
	// So much of the area is not under the curve: rejections.
	share := math.Sqrt(math.Pi/2) / (256 * slabArea * 0x1p-40)
	require.InDelta(t, .98933, share, 1e-5)
}

// Equal words give equal samples whether integers and float64 decide where they can, or arbitrary precision does.
func TestZigguratTwoWays(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(81, 0))
	paths := map[string]int{}
	for trial := range 24_000 {
		g := rounded(t, []uint64{1, 3, 1 << 15, 1<<20 + 1, 1 << 40}[trial%5])
		w := rng.Uint64()
		if i := 1 + w&255; trial%2 == 0 && i < 256 { // where it is close: at an edge, or at the limit of a cell
			s := &ziggurat[i]
			u := uint64(s.inner) << (headBits - 31)
			if trial%4 == 0 {
				half := new(big.Int).SetUint64(rng.Uint64N(4*g.sigma)*2 + 1)
				scale := new(big.Int).SetUint64(g.sigma * uint64(s.edge))
				u = half.Lsh(half, headBits+edgeBits-1).Div(half, scale).Uint64()
			}
			w = i | w&256 | (u+rng.Uint64N(5)-2)<<9
		} else if trial%16 == 1 {
			w &= 256 // the tail
		}
		a, b := NewNotPrivate(82, uint64(trial)), NewNotPrivate(82, uint64(trial))
		n, ok := g.try(w, a, true)
		m, same := g.try(w, b, false)
		require.Equal(t, [2]any{n, ok}, [2]any{m, same}, "sigma %d, word %x", g.sigma, w)
		require.Equal(t, a.Uint64(), b.Uint64(), "they draw the same")
		if m, quick := g.quick(w); quick {
			require.True(t, ok)
			require.Equal(t, n, m)
			paths["quick"]++
		} else {
			paths[fmt.Sprint(w&255 == 0, ok)]++
		}
	}
	for _, name := range []string{"quick", "true true", "true false", "false true", "false false"} {
		require.Greater(t, paths[name], 40, "%s: %v", name, paths)
	}
}

// words returns bits of x, in [0, 1): the first, then as many further words as given.
func words(x *big.Rat, first uint, more int) []uint64 {
	n := new(big.Int).Lsh(x.Num(), first+64*uint(more))
	n.Div(n, x.Denom())
	out := make([]uint64, more+1)
	for i := more; i >= 0; i-- {
		out[i] = new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
		n.Rsh(n, 64)
	}
	return out
}

// A point as close to the curve as 2^-100 falls on its side, by the digits that are drawn when they are needed.
func TestWedgeDrawsMoreDigits(t *testing.T) {
	t.Parallel()
	m, y, rng := bigfloat.New(zigguratPrec), heights(), rand.New(rand.NewPCG(83, 0))
	g := rounded(t, 1<<20)
	for i := 1; i < 256; i += 2 {
		s := &ziggurat[i]
		// u in the wedge, of 55 + 128 bits, and the t at which the curve passes.
		from := max(uint64(s.inner), 1<<30)
		head := (from + (1<<31-from)/4 + rng.Uint64N((1<<31-from)/4)) << (headBits - 31)
		tail := []uint64{rng.Uint64(), rng.Uint64()}
		n := new(big.Int).SetUint64(head)
		for _, w := range tail {
			n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(w))
		}
		u := new(big.Rat).SetFrac(n, new(big.Int).Lsh(big.NewInt(1), headBits+128))
		f, _ := density(m, new(big.Rat).Mul(u, at(uint64(s.edge), -edgeBits))).Rat(nil)
		next := new(big.Rat).Sub(y[i+1], y[i])
		f.Sub(f, y[i]).Quo(f, next)
		if f.Sign() < 0 || f.Cmp(big.NewRat(1, 1)) >= 0 {
			continue // not within this slab
		}
		for _, inside := range []bool{true, false} {
			d := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 100))
			if inside {
				d.Neg(d)
			}
			h := words(new(big.Rat).Add(f, d), 64, 2)
			for _, exact := range []bool{true, false} {
				src := &script{t, []uint64{h[0], tail[0], h[1], tail[1], h[2]}}
				x := lazy{head: head, bits: headBits}
				require.Equal(t, inside, under(uint8(i), &x, src, exact), "slab %d", i)
				require.Len(t, src.words, 1+1, "slab %d: one more word of each decides", i)
			}
		}
	}
	// The same u where it lies on the limit of two cells.
	undecided := 0
	for range 300 {
		i := 1 + rng.IntN(255)
		edge := ziggurat[i].edge
		cell := int64(rng.Uint64N(uint64(edge) - 1))
		u := new(big.Rat).SetFrac64(2*cell+1, 2*int64(edge)) // sigma·x = cell + 1/2
		for _, above := range []int64{0, 1} {
			d := new(big.Rat).SetFrac(big.NewInt(2*above-1), new(big.Int).Lsh(big.NewInt(1), 130))
			b := words(new(big.Rat).Add(u, d), headBits, 2)
			if uint32(b[0]>>(headBits-31)) >= ziggurat[i].inner {
				continue
			}
			src := &script{t, b[1:]}
			n, ok := g.try(b[0]<<9|256|uint64(i), src, false)
			require.True(t, ok)
			require.Equal(t, -cell-above, n)
			if m, quick := g.quick(b[0]<<9 | 256 | uint64(i)); quick { // the limit itself has no more digits
				require.Equal(t, n, m)
				require.EqualValues(t, 1, above)
				require.Len(t, src.words, 2)
			} else if len(src.words) == 0 { // 119 bits are not enough
				undecided++
			}
		}
	}
	require.Greater(t, undecided, 300)
}

// A k of the tail is reached with the probability that it should be, decided to any depth.
func TestTailReaches(t *testing.T) {
	t.Parallel()
	m := bigfloat.New(zigguratPrec)
	c := new(big.Rat).Mul(at(slabArea, -40), big.NewRat(63, 512))
	for k := uint64(4); k < 9; k++ {
		p, _ := density(m, big.NewRat(int64(k), 1)).Rat(nil)
		p.Quo(p, c)
		c.Mul(c, big.NewRat(1, 64))
		w := words(p, 64, 2)
		for _, exact := range []bool{true, false} {
			require.True(t, reaches(k, &script{t, []uint64{w[0], w[1] - 1}}, exact))
			require.False(t, reaches(k, &script{t, []uint64{w[0], w[1] + 1}}, exact))
			require.True(t, reaches(k, &script{t, []uint64{w[0], w[1], w[2] - 1}}, exact))
			require.False(t, reaches(k, &script{t, []uint64{w[0], w[1], w[2] + 1}}, exact))
			if w[0] > 0 {
				require.True(t, reaches(k, &script{t, []uint64{w[0] - 1}}, exact))
			}
			require.False(t, reaches(k, &script{t, []uint64{w[0] + 1}}, exact))
		}
	}
	require.EqualValues(t, 0, geometric(&script{t, []uint64{0b100000}}))
	require.EqualValues(t, 1, geometric(&script{t, []uint64{0b1000000}}))
	require.EqualValues(t, 22, geometric(&script{t, []uint64{0, 1 << 60, 1 << 12}}))
}

// Draws that begin in slab 0 are accepted as often as the tail of the Gaussian is in v, and distributed like it.
func TestTailDistribution(t *testing.T) {
	t.Parallel()
	const n, sigma = 1_500_000, 50
	g, src := rounded(t, sigma), NewNotPrivate(84)
	counts, p := make([]int, 60), make([]float64, 60)
	upper := func(x float64) float64 { return math.Sqrt(math.Pi/2) * math.Erfc(x/math.Sqrt2) }
	for range n / 8 { // the other seven are rejected at once
		if y, ok := g.try(0, src, false); ok {
			counts[min(int(y)-4*sigma, 58)]++
		} else {
			counts[59]++
		}
	}
	rest := 1.0
	for i := range 58 {
		a, b := max(4, 4+(float64(i)-.5)/sigma), 4+(float64(i)+.5)/sigma
		p[i] = (upper(a) - upper(b)) * 8 / (slabArea * 0x1p-40)
		rest -= p[i]
	}
	p[58] = upper(4+57.5/sigma) * 8 / (slabArea * 0x1p-40)
	p[59] = rest - p[58]
	chiSquare(t, counts, p)
	for w := uint64(512); w < 4096; w += 512 {
		_, ok := g.try(w, &script{t, nil}, false)
		require.False(t, ok)
	}
}

// Both samplers of the distribution agree in a test of their own samples, cell by cell, the tails included.
func TestZigguratAgreesWithOffsets(t *testing.T) {
	t.Parallel()
	const n, sigma, cells = 400_000, 1 << 20, 128
	g, d := rounded(t, sigma), sampler(t, sigma)
	a, b := make([]float64, cells), make([]float64, cells)
	one, two := NewNotPrivate(85), NewNotPrivate(86)
	buffer := make([]int64, 1000)
	cell := func(y int64) int { return min(max(int(float64(y)/sigma*14)+cells/2, 0), cells-1) }
	for range n / len(buffer) {
		g.Fill(buffer, one)
		for _, y := range buffer {
			a[cell(y)]++
			b[cell(byOffset(d, two))]++
		}
	}
	stat, df := 0.0, 0.0
	for i := range a {
		if a[i]+b[i] >= 20 {
			stat += (a[i] - b[i]) * (a[i] - b[i]) / (a[i] + b[i])
			df++
		}
	}
	require.Greater(t, df, 100.0)
	require.Less(t, stat, df+6*math.Sqrt(2*df)+6)
}

// How often the slower ways are taken, which is a property of the table, and that Fill draws what Sample draws.
func TestZigguratRates(t *testing.T) {
	t.Parallel()
	const n = 1_000_000
	g, src := rounded(t, 1<<20), NewNotPrivate(87)
	slow, cell := 0, 0
	for range n {
		w := src.Uint64()
		s := &ziggurat[uint8(w)]
		if _, ok := g.quick(w); !ok {
			slow++
		}
		if _, ok := g.round(w, s.edge); !ok && uint8(w) != 0 {
			cell++
		}
	}
	share := 1. / 256 // slab 0
	for i := 1; i < 256; i++ {
		share += (1 - float64(ziggurat[i].inner)*0x1p-31) / 256
	}
	require.InDelta(t, .0189, share, 1e-4)
	require.InDelta(t, share, float64(slow)/n, 5*math.Sqrt(share/n)+1e-5)
	require.Less(t, cell, 30, "2^-19 of the samples are not rounded at once")

	crypto := new(Crypto)
	crypto.refill()
	twin := &Crypto{buf: crypto.buf, left: crypto.left} // the same words, as long as no more than the buffer are drawn
	want, got := make([]int64, 1500), make([]int64, 1500)
	for i := range want {
		want[i] = g.Sample(twin)
	}
	g.Fill(got[:700], crypto)
	g.Fill(got[700:701], crypto)
	g.Fill(got[701:], crypto)
	require.Equal(t, want, got)
	require.Equal(t, twin.left, crypto.left)
	require.Positive(t, crypto.left)
	long := make([]int64, 10*keystreamBuffer) // across refills
	g.Fill(long, crypto)
	counts := make([]int, 2)
	for _, y := range long {
		counts[uint64(y)>>63]++
	}
	chiSquare(t, counts, []float64{.5, .5})
}
