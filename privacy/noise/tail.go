package noise

import (
	"math"
	"math/big"
)

// tail is the draw in slab 0, beyond 4·sigma, or a rejection.
//
// Write |z|/sigma = k + s with an integer k >= 4 and s in [0, 1), f = e^(-k²/2)·e^(-ks)·e^(-s²/2). One draw in 8 goes on; k is drawn
// with probability 63/64·64^(4-k), s uniformly, and the pair is accepted with probability f/(c·64^(4-k)), c = v·63/512. Then s has
// the density 1/8·63/64·f/c = f/v given slab 0, as points under the curve have given any other slab. The factors of the acceptance are at
// most 1, because c > e^-8, and from one k to the next e^(-k²/2) shrinks by a factor below e^-4.5 < 1/64. The first is compared with a
// uniform real number; the others are trials with uniform integers, as in DiscreteGaussian.
func (g *RoundedGaussian) tail(w uint64, src Source, exact bool) (n int64, ok bool) {
	if w>>9&7 != 0 {
		return 0, false
	}
	k := 4 + geometric(src)
	if !reaches(k, src, exact) {
		return 0, false
	}
	s := offset{u: below(src, g.sigma)}
	if !s.expHalfSquare(g.sigma, src) || !s.expMultiple(k, g.sigma, src) {
		return 0, false
	}
	return int64(g.sigma*k + s.u + s.word(0, src)>>63), true
}

// reaches is true with probability e^(-k²/2)/(c·64^(4-k)), that is if t·v·63·2^(-9-6(k-4)) is below the curve at k.
func reaches(k uint64, src Source, exact bool) bool {
	t := lazy{head: src.Uint64(), bits: 64}
	if x := float64(k); !exact {
		const area = slabArea * 0x1p-40
		d := math.Exp(6*math.Ln2*(x-4)-x*x/2)/(area*63/512) - float64(t.head>>11)*0x1p-53
		if math.Abs(d) > floatMargin {
			return d > 0
		}
	}
	x := new(big.Float).SetUint64(k)
	scale := big.NewInt(63 * slabArea)
	for {
		lo := t.integer()
		lo.Mul(lo, scale)
		hi := new(big.Int).Add(lo, scale)
		exponent := -49 - t.bits - 6*int(k-4)
		if under, decided := curve(x, x, exactly(lo, exponent), exactly(hi, exponent)); decided {
			return under
		}
		t.extend(src)
	}
}

// offset is the number (u+r)/sigma, u an integer below sigma and r a uniform real number in [0, 1) of which the first words were drawn.
type offset struct {
	u     uint64
	drawn int
	first uint64
	rest  []uint64
}

// expHalfSquare is true with probability e^(-x²/2), x the offset: trial n succeeds with probability x·x/(2n).
func (x *offset) expHalfSquare(sigma uint64, src Source) bool {
	for n := uint64(1); ; n++ {
		if !x.exceeds(sigma, src) || !x.exceeds(2*n*sigma, src) {
			return n&1 != 0
		}
	}
}

// expMultiple is true with probability e^(-v·x): trial n of each of the v factors succeeds with probability x/n.
func (x *offset) expMultiple(v, sigma uint64, src Source) bool {
	for ; v > 0; v-- {
		n := uint64(1)
		for x.exceeds(n*sigma, src) {
			n++
		}
		if n&1 == 0 {
			return false
		}
	}
	return true
}

// word returns word i of the digits of r.
func (x *offset) word(i int, src Source) uint64 {
	if x.drawn == 0 {
		x.first, x.drawn = src.Uint64(), 1
	}
	if i == 0 {
		return x.first
	}
	for ; x.drawn <= i; x.drawn++ {
		x.rest = append(x.rest, src.Uint64())
	}
	return x.rest[i-1]
}

// exceeds reports whether a fresh uniform real number in [0, n) is below u + r.
func (x *offset) exceeds(n uint64, src Source) bool {
	if w := below(src, n); w != x.u {
		return w < x.u
	}
	for i := 0; ; i++ {
		if w, own := src.Uint64(), x.word(i, src); w != own {
			return w < own
		}
	}
}
