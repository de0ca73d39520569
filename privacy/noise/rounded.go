package noise

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// RoundedGaussian draws a real Gaussian number of mean 0 and standard deviation sigma, rounded to the nearest integer: exactly, although
// the real number is never written down.
//
// Noise of that kind on integers is a Gaussian mechanism to the letter: n + round(z) = round(n + z), so that what is released is
// computed from n + z, and costs no more than that under any sampling, order or accountant. No delta pays for it.
//
// The method is a ziggurat (Marsaglia, Tsang 2000, "The ziggurat method for generating random variables") made exact: all numbers in it
// are reals, of which only the digits are drawn that a comparison needs (Karney 2016, "Sampling exactly from the normal distribution").
//
// Let f(x) = e^(-x²/2). Slabs i = 1, ..., 255 are rectangles [0, x_i) × [y_i, y_(i+1)) of one area v, a dyadic number: x_i is a multiple of
// 2^-20 and y_(i+1) = y_i + v/x_i defines the heights, y_1 = 0, as rational numbers. They cover the area under f left of 4, because
// x_1 = 4, f(x_i) <= y_i for i > 1 and y_256 >= 1: a point under f at a height in [y_i, y_(i+1)) has f(x) > y_i >= f(x_i), hence x < x_i.
// So a point of a random slab, drawn again until it lies under f, is uniform in that area, and its abscissa has the density f. Slab 0 has
// the area v too, and stands for the tail beyond 4, see tail.go.
//
// The abscissa is u·x_i, u real and uniform. 55 bits of u are drawn first. Where they put it below an edge e_i with
// f(e_i) >= y_(i+1), the point is under f whatever its height. The sample is floor(sigma·u·x_i + 1/2): sigma·x_i is an integer times
// 2^-20, its product with the interval of u that the bits leave is exact in 128 bits, and all but few such intervals are rounded to one
// integer. That settles 98 samples of 100 with integer arithmetic; see wedge.go for the others. On every machine equal words of the
// source give equal samples.
//
// It is safe for concurrent use, with a source per goroutine. The zero RoundedGaussian panics.
type RoundedGaussian struct {
	sigma uint64
	clear uint64 // bits below 2^-20·sigma·u·x_i that are at most this decide on the integer
}

// slab is a layer of the ziggurat.
type slab struct {
	edge  uint32  // 2^20·x_i
	inner uint32  // e_i = x_i·inner·2^-31
	low   float64 // y_i, rounded to nearest
}

const (
	headBits = 55 // of u in the first word; 8 more choose the slab and one the sign
	edgeBits = 20
)

// Rounded returns the sampler for an integer sigma from 1 to 2^40.
func Rounded(sigma uint64) (*RoundedGaussian, error) {
	if sigma < 1 || sigma > maxSigma {
		return nil, fmt.Errorf("%w: sigma = %d, want 1 to 2^40", ErrInvalid, sigma)
	}
	// Left out of the product below: its lower word, and what later bits of u add, up to 4·2^20·sigma·2^-55.
	return &RoundedGaussian{sigma, 1<<edgeBits - 2 - sigma>>(headBits-22)}, nil
}

// Sample returns one draw. Its absolute value is below 2^62 except with probability e^(-2^42).
func (g *RoundedGaussian) Sample(src Source) int64 {
	w := src.Uint64()
	if n, ok := g.quick(w); ok {
		return n
	}
	return g.finish(w, src)
}

// Fill fills dst with draws, those that as many calls of Sample return, in less time.
func (g *RoundedGaussian) Fill(dst []int64, src Source) {
	if crypto, ok := src.(*Crypto); ok {
		for len(dst) > 0 {
			dst = dst[g.fill(dst, crypto):]
		}
		return
	}
	for i := range dst {
		dst[i] = g.Sample(src)
	}
}

// fill is Fill from the words that src has ready, up to the first that does not decide by itself. It returns how many draws it made.
func (g *RoundedGaussian) fill(dst []int64, src *Crypto) int {
	words := src.unread()
	dst = dst[:min(len(dst), len(words)/8)]
	for i := range dst {
		w := binary.LittleEndian.Uint64(words[8*i:])
		n, ok := g.quick(w)
		if !ok {
			src.left -= 8 * (i + 1)
			dst[i] = g.finish(w, src)
			return i + 1
		}
		dst[i] = n
	}
	src.left -= 8 * len(dst)
	return len(dst)
}

// quick is the draw that begins with w, where w alone decides.
func (g *RoundedGaussian) quick(w uint64) (n int64, ok bool) {
	s := &ziggurat[uint8(w)]
	n, ok = g.round(w, s.edge)
	return n, ok && uint32(w>>33) < s.inner
}

// round returns the sample for the abscissa and the sign that w has in the slab with the given edge, where the bits in w decide on it.
func (g *RoundedGaussian) round(w uint64, edge uint32) (n int64, ok bool) {
	q, _ := bits.Mul64(w>>9<<9, g.sigma*uint64(edge))
	q += 1 << (edgeBits - 1)
	sign := -int64(w >> 8 & 1)
	return int64(q>>edgeBits) ^ sign - sign, q&(1<<edgeBits-1) <= g.clear
}
