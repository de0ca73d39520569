// Package beta computes tails and quantiles of beta and binomial laws with a stated relative error. For most uses [Quantile],
// for confidence bounds on a proportion, and [Tail], for the tail of a binomial count, are what is needed.
//
// The density is computed by deviances (Loader 2000, "Fast and accurate computation of binomial probabilities"), so that it does not
// lose digits as the counts grow; the tails by the continued fraction DLMF 8.17.22 on the side where it converges.
package beta

import "math"

// Err bounds the relative error of the smaller one of [Tail]'s answers, and of [Density], for a+b up to [MaxSum] while they are above
// 1e-290. It is not proved: a test compares with 25 digits, for a and b from 1/2 to 1e7 and tails down to 1e-280.
const Err = 5e-12

// MaxSum is the largest a+b for which [Err] holds: a point's rounding, relative to the width of the law, grows with its root.
const MaxSum = 1e7

// Point is a place in [0, 1] with its distance from 1, each with all its digits.
type Point struct{ X, Y float64 }

// Logistic returns the point e^z/(1+e^z).
func Logistic(z float64) Point {
	e := math.Exp(-math.Abs(z))
	small, large := e/(1+e), 1/(1+e)
	if z < 0 {
		return Point{small, large}
	}
	return Point{large, small}
}

// Density returns x^a y^b/B(a, b) at y = 1-x: the density of a beta law over log(x/y). It is 0 at both ends.
func Density(p Point, a, b float64) float64 {
	if p.X <= 0 || p.Y <= 0 {
		return 0
	}
	n := a + b
	deviance := excess(a, n*p.X) + excess(b, n*p.Y)
	correction := stirling(n) - stirling(a) - stirling(b)
	return math.Sqrt(a*(b/n)/(2*math.Pi)) * math.Exp(correction-deviance)
}

// Tail returns P(B <= x) and P(B > x) of B with the law beta(a, b), a and b positive.
func Tail(p Point, a, b float64) (below, above float64) {
	below, above, _ = tails(p, a, b)
	return below, above
}

// tails returns the density as well.
func tails(p Point, a, b float64) (below, above, density float64) {
	switch {
	case math.IsNaN(p.X) || math.IsNaN(p.Y) || !(a > 0) || !(b > 0):
		return math.NaN(), math.NaN(), math.NaN()
	case p.X <= 0:
		return 0, 1, 0
	case p.Y <= 0:
		return 1, 0, 0
	}
	density = Density(p, a, b)
	if p.X*(a+b+2) > a+1 {
		above = min(1, density*fraction(Point{p.Y, p.X}, b, a))
		return 1 - above, above, density
	}
	below = min(1, density*fraction(p, a, b))
	return below, 1 - below, density
}

// fraction evaluates the even part of the continued fraction DLMF 8.17.22 from the front, over a (Lentz's method). The whole fraction
// would cancel where x is near one; here all is positive but some terms beyond the b-th, which are then at most a quarter.
func fraction(p Point, a, b float64) float64 {
	c := a * (a*p.Y - b*p.X + 1) / (a + 1)
	f, d := c, 0.0
	for n := 1.0; n < 1e7; n++ {
		k := a + 2*n - 1
		slope := n * (b - n) / k * p.X
		alpha := (a + n - 1) / k * (a + b + n - 1) * slope * p.X
		beta := n + slope + (a+n)/(k+2)*(a*p.Y-b*p.X+1+n*(1+p.Y))
		d = 1 / (beta + alpha*d)
		c = beta + alpha/c
		f *= c * d
		if math.Abs(c*d-1) < 0x1p-51 {
			return 1 / f
		}
	}
	return math.NaN() // fails every comparison
}

// excess returns x·log(x/mean) + mean - x, the deviance of a count.
func excess(x, mean float64) float64 {
	d := x - mean
	if math.Abs(d) >= 0.1*(x+mean) {
		return x*math.Log(x/mean) - d
	}
	// With v = d/(x+mean), log(x/mean) is 2 atanh(v), and 2xv - d is d·v: what remains is d·v + 2x(v³/3 + v⁵/5 + ...).
	v := d / (x + mean)
	sum, term := d*v, 2*x*v
	for j := 3.0; ; j += 2 {
		term *= v * v
		next := sum + term/j
		if next == sum {
			return sum
		}
		sum = next
	}
}

// stirling returns log Gamma(z) - ((z-1/2) log z - z + log(2 pi)/2), the error of Stirling's formula.
func stirling(z float64) float64 {
	if z < 15 {
		l, _ := math.Lgamma(z)
		return l - ((z-0.5)*math.Log(z) - z + 0.5*math.Log(2*math.Pi))
	}
	w := 1 / (z * z)
	return (1./12 - w*(1./360-w*(1./1260-w*(1./1680-w*(1./1188-w*(691./360360-w/156)))))) / z
}
