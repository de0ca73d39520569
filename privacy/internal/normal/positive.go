package normal

import "math"

// positive is a number that differs from e^-drop·factor, drop >= 0, by at most err relative to that. It does not underflow.
type positive struct {
	drop, factor pair
	err          float64
}

// arithmeticErr covers the few pair operations and the exponential between a positive and its float64, relative.
const arithmeticErr = 0x1p-88

// split returns e^-drop·factor as y·2^k.
func (p positive) split() (y pair, k int) {
	y, k = p.drop.neg().exp()
	return y.times(p.factor), k
}

// upper returns a float64 not below p.
func (p positive) upper() float64 {
	if p.drop.hi > 900 { // the factor is below e^100 in every domain here
		return math.SmallestNonzeroFloat64
	}
	y, k := p.split()
	v := math.Ldexp(y.upper(p.err+arithmeticErr), k)
	if v < 0x1p-1020 { // Ldexp rounded
		v = math.Nextafter(v, math.Inf(1))
	}
	return v
}

// lower returns a float64 not above p, at least 0.
func (p positive) lower() float64 {
	if p.drop.hi > 900 {
		return 0
	}
	y, k := p.split()
	v := math.Ldexp(y.lower(p.err+arithmeticErr), k)
	if v < 0x1p-1020 {
		v = math.Nextafter(v, math.Inf(-1))
	}
	return max(0, v)
}

// log returns the logarithm and the bounds of its absolute error below and above; low is +Inf where nothing is known from below.
func (p positive) log() (l pair, low, high float64) {
	f := p.factor.log()
	l = f.minus(p.drop)
	rounding := arithmeticErr*(1+math.Abs(f.hi)) + p.drop.hi*0x1p-100
	high = p.err + rounding
	low = math.Inf(1)
	if p.err < 0.5 {
		low = 2*p.err + rounding // -log(1-e) <= 2e up to 1/2
	}
	return l, low, high
}

// logInterval rounds the logarithm outward.
func (p positive) logInterval() (lo, hi float64) {
	l, low, high := p.log()
	return math.Nextafter(l.hi+(l.lo-low*(1+0x1p-30)), math.Inf(-1)), math.Nextafter(l.hi+(l.lo+high*(1+0x1p-30)), math.Inf(1))
}

// times multiplies by a factor known to a relative err.
func (p positive) times(factor pair, err float64) positive {
	p.factor = p.factor.times(factor)
	p.err = p.err + err*(1+p.err) + 0x1p-100
	return p
}
