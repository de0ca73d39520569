package noise

import "math"

// norm returns an upper bound on the L2 norm of scale·g, where scale is 1 unless squares overflow, and NaN if g holds a NaN or an
// infinity. Each square and each of the len/4 sums per lane rounds once, so the sum is wrong by at most the fraction added below;
// squares that underflow lose at most the smallest float64 each.
func norm(g []float64) (n, scale float64) {
	for _, scale := range [...]float64{1, 0x1p-600} {
		var s [4]float64
		i := 0
		for ; i+4 <= len(g); i += 4 {
			a, b, c, d := g[i]*scale, g[i+1]*scale, g[i+2]*scale, g[i+3]*scale
			s[0] += float64(a * a)
			s[1] += float64(b * b)
			s[2] += float64(c * c)
			s[3] += float64(d * d)
		}
		for ; i < len(g); i++ {
			x := g[i] * scale
			s[i&3] += float64(x * x)
		}
		if n, ok := upper(s, len(g)); ok {
			return n, scale
		}
	}
	return math.NaN(), 1
}

// normSparse is norm of the coordinates from first to end: zeros add nothing, so with the same lanes it has the same bits.
func normSparse(index []int, g []float64, first, end int) (n, scale float64) {
	for _, scale := range [...]float64{1, 0x1p-600} {
		var s [4]float64
		for j, x := range g {
			x *= scale
			s[(index[j]-first)&3] += float64(x * x)
		}
		if n, ok := upper(s, end-first); ok {
			return n, scale
		}
	}
	return math.NaN(), 1
}

func upper(lanes [4]float64, dim int) (n float64, ok bool) {
	s := (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
	d := float64(dim)
	s = s*(1+(d/4+16)*0x1p-52) + d*math.SmallestNonzeroFloat64
	return math.Nextafter(math.Sqrt(s), math.Inf(1)), s <= math.MaxFloat64
}
