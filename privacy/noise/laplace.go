package noise

import (
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/privacy"
)

// DiscreteLaplace draws integers y with probability exactly proportional to e^(-|y|/scale).
//
// The scale is a fraction t/2^k with t below 2^53, as every float64 of its range is. An integer x >= 0 with weight e^(-x/t) is
// u + t·v, u below t with weight e^(-u/t), v geometric with ratio 1/e; then x div 2^k has weight e^(-y·2^k/t) (Canonne, Kamath,
// Steinke 2020, Algorithm 2). Zero with a negative sign is rejected: it would count twice. No floating point is involved.
//
// The zero DiscreteLaplace panics.
type DiscreteLaplace struct {
	scale float64
	t     uint64
	shift uint
}

// Laplace returns the sampler for a scale from 1/32 to 2^30. For integer queries of sensitivity d it gives (d/scale, 0)-differential
// privacy.
func Laplace(scale float64) (*DiscreteLaplace, error) {
	if !(scale >= 1./32 && scale <= 1<<30) {
		return nil, fmt.Errorf("%w: scale = %v, want 1/32 to 2^30", ErrInvalid, scale)
	}
	fraction, exponent := math.Frexp(scale)
	return &DiscreteLaplace{scale, uint64(math.Ldexp(fraction, 53)), uint(53 - exponent)}, nil
}

// Scale returns the scale.
func (d *DiscreteLaplace) Scale() float64 { return d.scale }

// Sample returns one draw. It is exact except with probability e^-2000, where an integer would overflow.
func (d *DiscreteLaplace) Sample(src Source) int64 {
	if d.t == 0 {
		panic("noise: DiscreteLaplace not made by Laplace")
	}
	for {
		u := below(src, d.t)
		if !expFraction(u, d.t, src) {
			continue
		}
		v := uint64(0)
		for v < 2047 && expFraction(1, 1, src) {
			v++
		}
		y := int64((u + d.t*v) >> d.shift)
		if src.Uint64()&1 == 0 {
			return y
		}
		if y != 0 {
			return -y
		}
	}
}

// expFraction is true with probability e^-f, f = u/t <= 1, t < 2^53: trial n of von Neumann's series succeeds with probability f/n.
// The product n·t fits for n up to 2047, and no further trial is reached except with probability 1/2047!.
func expFraction(u, t uint64, src Source) bool {
	n := uint64(1)
	for below(src, n*t) < u && n < 2047 {
		n++
	}
	return n&1 != 0
}

// Event is what one Release costs under AddRemove where a record changes one of the counts, by at most sensitivity.
func (d *DiscreteLaplace) Event(sensitivity int) privacy.DiscreteLaplace {
	return privacy.DiscreteLaplace{Scale: d.scale, Sensitivity: sensitivity, Relation: privacy.AddRemove}
}

// Release writes the counts plus independent noise into dst, which may be counts itself; where a sum would overflow, the nearest
// int64. Charge Event before. A record that changes several counts costs one event for each of them. On error nothing is written.
func (d *DiscreteLaplace) Release(dst, counts []int64, src Source) error {
	switch {
	case d.t == 0:
		return fmt.Errorf("%w: DiscreteLaplace not made by Laplace", ErrInvalid)
	case len(dst) != len(counts):
		return fmt.Errorf("%w: destination of length %d for %d counts", ErrInvalid, len(dst), len(counts))
	case src == nil:
		return fmt.Errorf("%w: source is nil", ErrInvalid)
	}
	for i, n := range counts {
		dst[i] = saturate(n, d.Sample(src))
	}
	return nil
}

// saturate adds; a function of the noisy sum alone, it reveals nothing that the sum does not.
func saturate(a, b int64) int64 {
	s := a + b
	switch {
	case a > 0 && b > 0 && s < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && s >= 0:
		return math.MinInt64
	}
	return s
}
