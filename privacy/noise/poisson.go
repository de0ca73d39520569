package noise

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/surefoot-ml/surefoot/privacy"
)

// PoissonSampler draws batches that each of N records enters independently, and knows what they cost.
//
// The zero PoissonSampler has no records: its batches are empty and its event costs nothing. It is safe for concurrent use, with a
// source per goroutine.
type PoissonSampler struct {
	n         int
	rate      float64
	threshold uint64
	all       bool
	mean      float64 // gap between records, -1/log(1-rate)
}

// From this threshold on, a rate of 1/32, asking 64 records at a time takes fewer words and less time than skipping from one to the next.
const sieveFrom = 1 << 59

// NewPoissonSampler returns a sampler over n records, each drawn with probability floor(rate·2^64)/2^64: at most rate, which is
// what is charged, and below it by less than 2^-64.
func NewPoissonSampler(n int, rate float64) (*PoissonSampler, error) {
	if n < 0 {
		return nil, fmt.Errorf("%w: n = %d, want 0 or more", ErrInvalid, n)
	}
	if !(rate >= 0 && rate <= 1) {
		return nil, fmt.Errorf("%w: rate = %v, want 0 to 1", ErrInvalid, rate)
	}
	p := &PoissonSampler{n: n, rate: rate, all: rate == 1}
	if !p.all {
		p.threshold = uint64(math.Ldexp(rate, 64))
		p.mean = -1 / math.Log1p(-float64(p.threshold)*0x1p-64)
	}
	return p, nil
}

// N returns the number of records.
func (p *PoissonSampler) N() int { return p.n }

// Rate returns the sampling rate that is charged.
func (p *PoissonSampler) Rate() float64 { return p.rate }

// Draw returns the indices of one batch, increasing, in the memory of dst where it suffices. It takes time in proportion to the batch,
// or, from a rate of 1/32, to the records: some 8 words of src for 64 of them. The probabilities are exact either way.
// A batch may be empty; it is a batch like any other, to be noised and charged.
func (p *PoissonSampler) Draw(dst []int, src Source) []int {
	dst = dst[:0]
	switch {
	case p.all:
		for i := range p.n {
			dst = append(dst, i)
		}
	case p.threshold >= sieveFrom:
		for first := 0; first < p.n; {
			open := ^uint64(0)
			if left := p.n - first; left < 64 {
				open = 1<<left - 1
			}
			for in := p.sieve(open, src); in != 0; in &= in - 1 {
				dst = append(dst, first+bits.TrailingZeros64(in))
			}
			first += min(64, p.n-first)
		}
	case p.threshold > 0:
		for i := p.gap(p.n, src, false); i < p.n; {
			dst = append(dst, i)
			i++
			i += p.gap(p.n-i, src, false)
		}
	}
	return dst
}

// sieve returns the bits of open that stay, each with probability threshold·2^-64. It compares as many uniform numbers with the
// threshold, all at once and digit by digit, until each has differed from it.
func (p *PoissonSampler) sieve(open uint64, src Source) (in uint64) {
	for t := p.threshold; open != 0 && t != 0; t <<= 1 {
		w := src.Uint64()
		if t>>63 != 0 {
			in |= open &^ w
			open &= w
		} else {
			open &^= w
		}
	}
	return in
}

// gap returns how many records come before the next one that is drawn, or limit if that is less. At least g come before it with
// probability r^g, r = 1-threshold·2^-64: so the gap is the largest g for which a uniform real number u is below r^g, floor(log u/log r).
// A float64 decides if the numbers that u may be, and the errors of a few roundings and of two logarithms of up to 16 units in the last
// place, leave one integer. Otherwise, or if an exact answer is asked for, powers of r in arbitrary precision do, with more digits of u where
// it needs them. Both draw the same words and have the same result.
func (p *PoissonSampler) gap(limit int, src Source, exact bool) int {
	u := lazy{head: src.Uint64(), bits: 64}
	if u.head > 0 && !exact {
		head := float64(u.head)
		l := -math.Log(head * 0x1p-64)
		margin := p.mean * ((l+1)*0x1p-46 + 2/head)
		lo, hi := l*p.mean-margin, l*p.mean+margin
		if lo >= float64(limit) {
			return limit
		}
		if g := math.Floor(lo); g >= 0 && hi < g+1 {
			return min(int(g), limit)
		}
	}
	lo, hi := 0, limit // u < r^lo
	for lo < hi {
		if g := hi - (hi-lo)/2; p.below(&u, g, src) {
			lo = g
		} else {
			hi = g - 1
		}
	}
	return lo
}

// below reports whether u < r^g.
func (p *PoissonSampler) below(u *lazy, g int, src Source) bool {
	for {
		prec := uint(u.bits) + 128
		power := func(mode big.RoundingMode) *big.Float {
			number := func() *big.Float { return new(big.Float).SetPrec(prec).SetMode(mode) }
			square, product := number().SetUint64(-p.threshold), number().SetInt64(1)
			square.SetMantExp(square, -64)
			for n := g; n > 0; n >>= 1 {
				if n&1 != 0 {
					product.Mul(product, square)
				}
				square.Mul(square, square)
			}
			return product
		}
		n := u.integer()
		if exactly(n, -u.bits).Cmp(power(big.ToPositiveInf)) >= 0 {
			return false
		}
		if exactly(n.Add(n, big.NewInt(1)), -u.bits).Cmp(power(big.ToNegativeInf)) <= 0 {
			return true
		}
		u.extend(src)
	}
}

// Event is what g costs on the batches of this sampler.
func (p *PoissonSampler) Event(g privacy.Gaussian) privacy.Poisson {
	return privacy.Poisson{Rate: p.rate, Gaussian: g}
}
