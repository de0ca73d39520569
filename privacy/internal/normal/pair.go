package normal

import "math"

// pair is the unevaluated sum hi+lo of two float64 with |lo| <= ulp(hi)/2: about 106 bits.
//
// Relative errors with u = 2^-53, from Joldes, Muller, Popescu 2017, "Tight and rigorous error bounds for basic building blocks of
// double-word arithmetic" (ACM TOMS 44): plus 3u²+13u³, times 5u², over 15u²+56u³. They hold while no operation overflows or
// reaches 2^-960. The domains of this package exclude that, but for an eps or p below 1e-280, which then loses an absolute 1e-290: no
// answer is that sensitive. Products are converted explicitly, or the compiler could fuse them.
type pair struct{ hi, lo float64 }

func twoSum(a, b float64) pair {
	s := a + b
	t := s - a
	return pair{s, (a - (s - t)) + (b - t)}
}

// fastTwoSum needs |a| >= |b| or a = 0.
func fastTwoSum(a, b float64) pair {
	s := a + b
	return pair{s, b - (s - a)}
}

func twoProd(a, b float64) pair {
	p := float64(a * b)
	return pair{p, math.FMA(a, b, -p)}
}

func (x pair) neg() pair { return pair{-x.hi, -x.lo} }

func (x pair) abs() pair {
	if x.hi < 0 {
		return x.neg()
	}
	return x
}

func (x pair) plus(y pair) pair {
	s, t := twoSum(x.hi, y.hi), twoSum(x.lo, y.lo)
	v := fastTwoSum(s.hi, s.lo+t.hi)
	return fastTwoSum(v.hi, t.lo+v.lo)
}

func (x pair) minus(y pair) pair { return x.plus(y.neg()) }

func (x pair) times(y pair) pair {
	c := twoProd(x.hi, y.hi)
	t := math.FMA(x.hi, y.lo, float64(x.lo*y.hi))
	return fastTwoSum(c.hi, c.lo+t)
}

func (x pair) over(y pair) pair {
	q := x.hi / y.hi
	c := twoProd(y.hi, q)
	r := fastTwoSum(c.hi, c.lo+float64(y.lo*q)) // y·q
	d := (x.hi - r.hi) + (x.lo - r.lo)
	return fastTwoSum(q, d/y.hi)
}

// scaled multiplies by 2^n exactly, away from underflow and overflow.
func (x pair) scaled(n int) pair { return pair{math.Ldexp(x.hi, n), math.Ldexp(x.lo, n)} }

// upper and lower round outward, after a relative error of at most rel of a value that may have any sign.
func (x pair) upper(rel float64) float64 {
	return math.Nextafter(x.hi+(x.lo+math.Abs(x.hi)*(rel*(1+0x1p-30))), math.Inf(1))
}

func (x pair) lower(rel float64) float64 { return -x.neg().upper(rel) }
