package beta

import "math"

// Quantile returns points on both sides of the x with P(B <= x) = p, B with the law beta(a, b) and 0 < p < 1: the tail at lo is at most p
// and that at hi at least p, by as much as [Err] allows them to be wrong. They differ by little more than that.
//
// The root is searched over log(x/y), by Newton's method on the logarithm of the smaller tail within a shrinking bracket.
func Quantile(p, a, b float64) (lo, hi Point) {
	if !(p > 0 && p < 1 && a > 0 && b > 0) {
		nan := Point{math.NaN(), math.NaN()}
		return nan, nan
	}
	z := root(p, a, b)
	at := Logistic(z)
	below, above, density := tails(at, a, b)
	step := 1.5*Err*min(below, above)/density + 4*0x1p-52*(1+math.Abs(z))
	if !(step < 1) { // where the density underflows
		step = 1
	}
	return edge(z, -step, p, a, b), edge(z, step, p, a, b)
}

// edge goes from z on until the tail is on the right side of p.
func edge(z, step, p, a, b float64) Point {
	for ; ; step *= 2 {
		at := Logistic(z + step)
		below, above := Tail(at, a, b)
		low, high := bounds(below, above)
		if step < 0 && high <= p || step > 0 && low >= p || at.X <= 0 || at.Y <= 0 {
			return at
		}
	}
}

// bounds encloses the lower tail.
func bounds(below, above float64) (lo, hi float64) {
	if below <= above {
		return below * (1 - Err), below * (1 + Err)
	}
	return 1 - above*(1+Err), 1 - above*(1-Err)
}

// reach is beyond the logarithm of the smallest float64: the root of a smaller point is cut off there.
const reach = 744.0

func root(p, a, b float64) float64 {
	lower := p <= 0.5
	target := math.Log(p)
	if !lower {
		target = math.Log1p(-p)
	}
	left, right := -reach, reach
	// The law of z is about normal; and sqrt(-2 log p) is about the quantile of small p.
	away := math.Sqrt(max(0, -2*target-1.5) * (1/a + 1/b))
	if lower {
		away = -away
	}
	z := max(left/2, min(right/2, math.Log(a/b)+away))
	for range 200 {
		at := Logistic(z)
		below, above, density := tails(at, a, b)
		tail, slope := below, 1.0
		if !lower {
			tail, slope = above, -1
		}
		miss := math.Log(tail) - target
		if math.Abs(miss) <= Err/4 {
			return z
		}
		if miss*slope > 0 {
			right = z
		} else {
			left = z
		}
		next := z - miss*slope*tail/density
		if !(next > left && next < right) {
			next = (left + right) / 2
		}
		if math.Abs(next-z) <= 0x1p-52*(1+math.Abs(z)) {
			return next
		}
		z = next
	}
	return z
}
