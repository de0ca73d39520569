package noise

import "fmt"

// RoundedGaussian draws a real Gaussian number of mean 0 and standard deviation sigma, rounded to the nearest integer: exactly, although
// the real number is never written down.
//
// Noise of that kind on integers is a Gaussian mechanism to the letter: n + round(z) = round(n + z), so that what is released is
// computed from n + z, and costs no more than that under any sampling, order or accountant. No delta pays for it.
//
// The method is that of DiscreteGaussian with a real offset. Write |z| = sigma·(v + x), x in [0, 1). The density is
// e^(-v²/2)·e^(-vx)·e^(-x²/2): v is drawn with weight e^(-v²/2), x = (u+r)/sigma uniformly, that is an integer u below sigma and a real r in
// [0, 1), and the pair is accepted with probability e^(-vx)·e^(-x²/2), by trials that compare uniform numbers with x (Karney 2016,
// "Sampling exactly from the normal distribution"). Of r only the digits are drawn that a comparison needs, and the first, which rounds.
//
// The zero RoundedGaussian panics.
type RoundedGaussian struct {
	offset DiscreteGaussian
}

// Rounded returns the sampler for an integer sigma from 1 to 2^40.
func Rounded(sigma uint64) (*RoundedGaussian, error) {
	d, err := Discrete(sigma)
	if err != nil {
		return nil, fmt.Errorf("%w, of a rounded Gaussian", err)
	}
	return &RoundedGaussian{*d}, nil
}

// Sample returns one draw. Its absolute value is below 2^62 except with probability e^(-2^42).
func (g *RoundedGaussian) Sample(src Source) int64 {
	sigma := g.offset.sigma
	if sigma == 0 {
		panic("noise: RoundedGaussian not made by Rounded")
	}
	for {
		negative, v := g.offset.whole(src)
		x := offset{u: below(src, sigma)}
		if !g.expHalfSquare(&x, src) || !g.expMultiple(v, &x, src) {
			continue
		}
		y := int64(sigma*v + x.u + x.word(0, src)>>63)
		if negative {
			return -y
		}
		return y
	}
}

// expHalfSquare is true with probability e^(-x²/2): trial n succeeds with probability x·x/(2n).
func (g *RoundedGaussian) expHalfSquare(x *offset, src Source) bool {
	for n := uint64(1); ; n++ {
		if !x.exceeds(g.offset.sigma, src) || !x.exceeds(2*n*g.offset.sigma, src) {
			return n&1 != 0
		}
	}
}

// expMultiple is true with probability e^(-v·x): trial n of each of the v factors succeeds with probability x/n.
func (g *RoundedGaussian) expMultiple(v uint64, x *offset, src Source) bool {
	for ; v > 0; v-- {
		n := uint64(1)
		for x.exceeds(n*g.offset.sigma, src) {
			n++
		}
		if n&1 == 0 {
			return false
		}
	}
	return true
}

// offset is u + r, r a uniform real number in [0, 1) of which the first words were drawn.
type offset struct {
	u     uint64
	drawn int
	first uint64
	rest  []uint64
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
