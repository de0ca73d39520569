package normal

import "math"

// Errors of this file, from the operation bounds and the truncated series, with room to spare; the tests measure an 8th of them
// against 200-bit values.
const (
	expErr = 0x1p-92 // relative, of e^x for |x| <= 1000
	logErr = 0x1p-94 // of log x, relative to 1+|log x|; of expm1 and log1p, relative to the value
)

func ln2() pair { return pair{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56} }

// exp returns e^x as y·2^k with y in [0.7, 1.42], for |x| <= 1000.
func (x pair) exp() (y pair, k int) {
	n := math.RoundToEven(x.hi / math.Ln2)
	return x.minus(ln2().times(pair{n, 0})).expm1Small().plus(pair{1, 0}), int(n)
}

// expm1 returns e^x-1 for |x| <= 700.
func (x pair) expm1() pair {
	if math.Abs(x.hi) < 0.34 {
		return x.expm1Small()
	}
	y, k := x.exp()
	return y.scaled(k).minus(pair{1, 0})
}

// expm1Small is the Taylor series at x/64, to the power 12, and six doublings (1+y)²-1 = 2y+y², for |x| < 0.36: 0.0057^12/13! is
// below 2^-120 of the sum.
func (x pair) expm1Small() pair {
	if x.hi == 0 {
		return x
	}
	r := x.scaled(-6)
	sum := pair{}
	for _, c := range [...]pair{
		{0x1.1eed8eff8d898p-29, -0x1.2aec959e14c06p-83}, // 1/12!
		{0x1.ae64567f544e4p-26, -0x1.c062e06d1f209p-80}, // 1/11!
		{0x1.27e4fb7789f5cp-22, 0x1.cbbc05b4fa99ap-76},  // 1/10!
		{0x1.71de3a556c734p-19, -0x1.c154f8ddc6c00p-73}, // 1/9!
		{0x1.a01a01a01a01ap-16, 0x1.a01a01a01a01ap-76},  // 1/8!
		{0x1.a01a01a01a01ap-13, 0x1.a01a01a01a01ap-73},  // 1/7!
		{0x1.6c16c16c16c17p-10, -0x1.f49f49f49f49fp-65}, // 1/6!
		{0x1.1111111111111p-7, 0x1.1111111111111p-63},   // 1/5!
		{0x1.5555555555555p-5, 0x1.5555555555555p-59},   // 1/4!
		{0x1.5555555555555p-3, 0x1.5555555555555p-57},   // 1/3!
		{0x1p-1, 0x0.0p+0}, // 1/2!
	} {
		sum = sum.plus(c).times(r)
	}
	y := sum.times(r).plus(r)
	for range 6 {
		y = y.times(y).plus(y.scaled(1))
	}
	return y
}

// log returns the natural logarithm of x > 0.
func (x pair) log() pair {
	if d := x.minus(pair{1, 0}); math.Abs(d.hi) < 0.1 {
		return d.log1p()
	}
	m, e := math.Frexp(x.hi)
	scaled := pair{m, math.Ldexp(x.lo, -e)}
	// One step of Newton from y is exact to the logarithm of the quotient scaled/e^y, which is next to 1 whatever the quality of math.Log.
	y := math.Log(m)
	inverse, k := pair{-y, 0}.exp()
	d := scaled.times(inverse.scaled(k)).minus(pair{1, 0})
	return ln2().times(pair{float64(e), 0}).plus(pair{y, 0}.plus(d.log1p()))
}

// log1p returns log(1+x) for x > -1.
func (x pair) log1p() pair {
	if math.Abs(x.hi) > 0.1 {
		return x.plus(pair{1, 0}).log()
	}
	z := x.over(x.plus(pair{2, 0}))
	square := z.times(z)
	if math.Abs(x.hi) < 0x1p-40 { // z³/3 is below 2^-80 of z, z^5/5 below 2^-160
		return z.plus(z.times(square).times(pair{1.0 / 3, 0})).scaled(1)
	}
	// 2 atanh(x/(2+x)): |z| < 0.053, so that z^28/29 is below 2^-120 of the sum.
	sum := pair{}
	for _, c := range [...]pair{
		{0x1.2f684bda12f68p-5, 0x1.2f684bda12f68p-59},  // 1/27
		{0x1.47ae147ae147bp-5, -0x1.eb851eb851eb8p-61}, // 1/25
		{0x1.642c8590b2164p-5, 0x1.642c8590b2164p-60},  // 1/23
		{0x1.8618618618618p-5, 0x1.8618618618618p-59},  // 1/21
		{0x1.af286bca1af28p-5, 0x1.af286bca1af28p-59},  // 1/19
		{0x1.e1e1e1e1e1e1ep-5, 0x1.e1e1e1e1e1e1ep-61},  // 1/17
		{0x1.1111111111111p-4, 0x1.1111111111111p-60},  // 1/15
		{0x1.3b13b13b13b14p-4, -0x1.3b13b13b13b14p-58}, // 1/13
		{0x1.745d1745d1746p-4, -0x1.745d1745d1746p-59}, // 1/11
		{0x1.c71c71c71c71cp-4, 0x1.c71c71c71c71cp-58},  // 1/9
		{0x1.2492492492492p-3, 0x1.2492492492492p-57},  // 1/7
		{0x1.999999999999ap-3, -0x1.999999999999ap-57}, // 1/5
		{0x1.5555555555555p-2, 0x1.5555555555555p-56},  // 1/3
	} {
		sum = sum.plus(c).times(square)
	}
	return z.plus(z.times(sum)).scaled(1)
}
