package noise

import "math"

// norm returns an upper bound on the L2 norm of scale·g, where scale is 1 unless squares overflow, and NaN if g holds a NaN or an
// infinity. Each square and each of the sums per lane rounds once, so the sum is wrong by at most the fraction added below;
// squares that underflow lose at most the smallest float64 each.
func norm[F float](g []F) (n, scale float64) {
	for _, scale := range [...]float64{1, 0x1p-600} {
		var s [lanes]float64
		i := 0
		if scale == 1 {
			i = wideSquares(&s, g)
		}
		addSquares(&s, g[i:], scale)
		if n, ok := upper(s, len(g)); ok {
			return n, scale
		}
	}
	return math.NaN(), 1
}

// normSparse is norm of the coordinates from first to end: zeros add nothing, so with the same lanes it has the same bits.
func normSparse[F float](index []int, g []F, first, end int) (n, scale float64) {
	for _, scale := range [...]float64{1, 0x1p-600} {
		var s [lanes]float64
		for j, v := range g {
			x := float64(v) * scale
			s[(index[j]-first)&(lanes-1)] += float64(x * x)
		}
		if n, ok := upper(s, end-first); ok {
			return n, scale
		}
	}
	return math.NaN(), 1
}

func upper(s [lanes]float64, dim int) (n float64, ok bool) {
	all := ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
	d := float64(dim)
	all = all*(1+(d/lanes+16)*0x1p-52) + d*math.SmallestNonzeroFloat64
	return math.Nextafter(math.Sqrt(all), math.Inf(1)), all <= math.MaxFloat64
}
