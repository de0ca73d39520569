package beta

import "math"

// Mass returns P(W = k) of W with the binomial law of n trials with success probability p, 0 <= k <= n, as [Err] says.
func Mass(p Point, k, n int) float64 {
	a, b := float64(k), float64(n-k)
	switch {
	case k < 0 || k > n:
		return 0
	case n == 0:
		return 1
	case k == 0:
		return power(p.Y, p.X, b)
	case k == n:
		return power(p.X, p.Y, a)
	}
	return Density(p, a, b) * (float64(n) / a / b)
}

// power returns x^n, y = 1-x.
func power(x, y, n float64) float64 {
	if x > 0.5 {
		return math.Exp(n * math.Log1p(-y))
	}
	return math.Exp(n * math.Log(x))
}
