package noise

import (
	"fmt"
	"math/big"
)

const maxSigma = 1 << 40

// DiscreteGaussian draws integers y with probability exactly proportional to e^(-y²/(2 sigma²)).
//
// Write |y| = sigma·v + u, 0 <= u < sigma, f = u/sigma. The weight is e^(-v²/2)·e^(-vf)·e^(-f²/2). So v is drawn with weight
// e^(-v²/2), u uniformly, and the pair is accepted with probability e^(-vf)·e^(-f²/2) (the decomposition of Karney 2016, "Sampling
// exactly from the normal distribution", on integers). Zero with a negative sign is rejected: it would count twice.
//
// Every step is exact. v inverts its distribution function at a real uniform number of which only as many bits are drawn as the
// comparison needs; the first 63 decide except with probability 2^-60, and then inverse computes as many more digits as it takes.
// u is uniform by rejection. e^-x is von Neumann's alternating series (as in Canonne, Kamath, Steinke 2020, Algorithm 1): the
// number of successes of independent trials with probability x, x/2, x/3, ... before the first failure is even with probability
// e^-x. The trials have rational probabilities and compare uniform integers. No floating point is involved.
//
// The zero DiscreteGaussian panics.
type DiscreteGaussian struct {
	sigma uint64
	table [10]uint64 // floor(2^63·P(v <= k)) for k = 0, 1, ...
}

// Discrete returns the sampler for an integer sigma from 1 to 2^40.
func Discrete(sigma uint64) (*DiscreteGaussian, error) {
	if sigma < 1 || sigma > maxSigma {
		return nil, fmt.Errorf("%w: sigma = %d, want 1 to 2^40", ErrInvalid, sigma)
	}
	return &DiscreteGaussian{sigma, [...]uint64{
		0x49012d8ca4167395, 0x7548bcc2a3d077c9, 0x7f2a0ae374ed25d7, 0x7ff9a9198cc84608, 0x7fffee18dc77aca1,
		0x7fffffed516b91a2, 0x7ffffffff8d106d2, 0x7ffffffffffefbb6, 0x7ffffffffffffff2, 0x7fffffffffffffff,
	}}, nil
}

// Sample returns one draw. Its absolute value is below 2^62 except with probability e^(-2^42).
func (d *DiscreteGaussian) Sample(src Source) int64 {
	if d.sigma == 0 {
		panic("noise: DiscreteGaussian not made by Discrete")
	}
	for {
		negative, v := d.whole(src)
		u := below(src, d.sigma)
		if negative && v == 0 && u == 0 {
			continue
		}
		if !d.expHalfSquare(u, src) || !d.expMultiple(v, u, src) {
			continue
		}
		y := int64(d.sigma*v + u)
		if negative {
			return -y
		}
		return y
	}
}

// whole draws a sign and the v with weight e^(-v²/2).
func (d *DiscreteGaussian) whole(src Source) (negative bool, v uint64) {
	w := src.Uint64()
	prefix := w >> 1
	for prefix > d.table[v] { // the last entry is 2^63-1
		v++
	}
	if prefix == d.table[v] {
		v = inverse(prefix, src)
	}
	return w&1 != 0, v
}

// expHalfSquare is true with probability e^(-f²/2), f = u/sigma: trial n succeeds with probability f·f/(2n).
func (d *DiscreteGaussian) expHalfSquare(u uint64, src Source) bool {
	for n := uint64(1); ; n++ {
		if below(src, d.sigma) >= u || below(src, 2*n*d.sigma) >= u {
			return n&1 != 0
		}
	}
}

// expMultiple is true with probability e^(-v·f), f = u/sigma: trial n of each of the v factors succeeds with probability f/n.
func (d *DiscreteGaussian) expMultiple(v, u uint64, src Source) bool {
	for ; v > 0; v-- {
		n := uint64(1)
		for below(src, n*d.sigma) < u {
			n++
		}
		if n&1 == 0 {
			return false
		}
	}
	return true
}

// inverse returns the v for which a uniform real number that begins with the 63 bits of prefix lies in [P(<v), P(<=v)). It draws
// further bits, and computes the distribution function to more digits, until the comparison is decided.
func inverse(prefix uint64, src Source) uint64 {
	drawn := new(big.Int).SetUint64(prefix)
	for bits := uint(63); ; {
		drawn.Lsh(drawn, 64).Or(drawn, new(big.Int).SetUint64(src.Uint64()))
		bits += 64
		// The number lies in [drawn, drawn+1)·2^-bits; one more unit on both sides covers the error of cumulative, < 2^-bits.
		lo := new(big.Float).SetMantExp(new(big.Float).SetInt(new(big.Int).Sub(drawn, big.NewInt(1))), -int(bits))
		hi := new(big.Float).SetMantExp(new(big.Float).SetInt(new(big.Int).Add(drawn, big.NewInt(2))), -int(bits))
		below := new(big.Float)
		for v, p := range cumulative(bits) {
			if hi.Cmp(p) <= 0 && lo.Cmp(below) >= 0 {
				return uint64(v)
			}
			below = p
		}
	}
}

// cumulative returns P(v <= k) for k = 0, 1, ... up to where it is 1 within 2^-bits, each within 2^-bits: it carries 128 bits more,
// and takes a few thousand operations at most.
func cumulative(bits uint) []*big.Float {
	prec := bits + 128
	number := func() *big.Float { return new(big.Float).SetPrec(prec) }
	tiny := number().SetMantExp(big.NewFloat(1), -int(prec))

	root, term := number().SetInt64(1), number().SetInt64(1) // e^(1/2) by its series
	for n := int64(1); term.Cmp(tiny) > 0; n++ {
		term.Quo(term, number().SetInt64(2*n))
		root.Add(root, term)
	}
	x := number().Quo(number().SetInt64(1), root)
	square := number().Mul(x, x)

	weight, ratio, sum := number().SetInt64(1), x, number()
	var sums []*big.Float
	for weight.Cmp(tiny) > 0 { // e^(-k²/2): the ratio of neighbours is e^(-(2k+1)/2)
		sum = number().Add(sum, weight)
		sums = append(sums, sum)
		weight = number().Mul(weight, ratio)
		ratio = number().Mul(ratio, square)
	}
	for k, s := range sums {
		sums[k] = number().Quo(s, sum)
	}
	return sums
}
