package noise

import "math"

// float is what gradients are made of. Each function of one gives for float32 the bits that it gives for the same numbers in float64.
type float interface{ float32 | float64 }

const (
	lanes = 8 // sums of squares that are kept apart, so that they can be added at once

	// Adding shifter leaves a float64 no bits below one: it rounds to even, and the integer stands in the low bits.
	shifter     = 0x1.8p52
	shifterBits = 0x433<<52 | 1<<51
)

// addSquares adds the square of (g[i]·scale) to lane i mod 8. The conversions forbid fusing, so that every machine has the same bits.
func addSquares[F float](sums *[lanes]float64, g []F, scale float64) {
	a, b, c, d, e, f, h, k := sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]
	for ; len(g) >= lanes; g = g[lanes:] {
		x, y, z, w := float64(g[0])*scale, float64(g[1])*scale, float64(g[2])*scale, float64(g[3])*scale
		a += float64(x * x)
		b += float64(y * y)
		c += float64(z * z)
		d += float64(w * w)
		x, y, z, w = float64(g[4])*scale, float64(g[5])*scale, float64(g[6])*scale, float64(g[7])*scale
		e += float64(x * x)
		f += float64(y * y)
		h += float64(z * z)
		k += float64(w * w)
	}
	*sums = [lanes]float64{a, b, c, d, e, f, h, k}
	for i, v := range g {
		x := float64(v) * scale
		sums[i] += float64(x * x)
	}
}

// steps rounds x·f, which must be below 2^51, to an integer.
func steps(x, f float64) int64 {
	return int64(math.Float64bits(float64(x*f)+shifter)) - shifterBits
}

// addSteps adds the steps of the vector to sum, and returns the sum of their squares: exactly if that is at most 2^53, because then all
// terms and sums on the way are integers of 53 bits, and otherwise a number that is at least 2^53, because rounding keeps the order, or NaN.
// Where a product is too large for steps, 2^51 or more, its square is already beyond.
func addSteps[F float](sum []int64, g []F, f float64) (square float64) {
	sum = sum[:len(g)]
	var s, t float64
	i := 0
	for ; i+2 <= len(g) && i+2 <= len(sum); i += 2 {
		a, b := float64(float64(g[i])*f)+shifter, float64(float64(g[i+1])*f)+shifter
		sum[i] += int64(math.Float64bits(a)) - shifterBits
		sum[i+1] += int64(math.Float64bits(b)) - shifterBits
		a -= shifter
		b -= shifter
		s += a * a
		t += b * b
	}
	for ; i < len(g); i++ {
		a := float64(float64(g[i])*f) + shifter
		sum[i] += int64(math.Float64bits(a)) - shifterBits
		a -= shifter
		s += a * a
	}
	return s + t
}
