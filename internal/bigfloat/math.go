// Package bigfloat computes elementary functions of [big.Float] arguments to any precision, as references in tests of float64 code.
//
// For most uses New(256) is all the precision that is needed; its methods take float64-sized arguments, exact as [big.NewFloat]
// makes them, and return results whose relative error is below 2^(4-prec). Nothing here is fast, and nothing but tests imports it.
package bigfloat

import (
	"fmt"
	"math"
	"math/big"
)

const (
	guard  = 80      // extra bits carried inside
	maxExp = 1 << 30 // largest argument of Exp: beyond it the exponent of a big.Float overflows
)

// Math computes to a fixed precision. It is immutable, so safe for concurrent use; the zero value is not usable, see New.
type Math struct {
	prec uint
	pi   *big.Float // to prec+2*guard bits
	ln2  *big.Float
}

// New returns functions with results of prec bits, 64 to 4096.
func New(prec uint) *Math {
	if prec < 64 || prec > 4096 {
		panic(fmt.Sprintf("bigfloat: prec %d outside [64, 4096]", prec))
	}
	m := &Math{prec: prec}
	wide := prec + 2*guard
	// Machin: pi = 16 atan(1/5) - 4 atan(1/239); ln 2 = 2 atanh(1/3).
	m.pi = sub(wide, scale(inverseTan(wide, 5, -1), 4), scale(inverseTan(wide, 239, -1), 2))
	m.ln2 = scale(inverseTan(wide, 3, 1), 1)
	return m
}

// Prec returns the precision of the results in bits.
func (m *Math) Prec() uint { return m.prec }

// Pi returns pi.
func (m *Math) Pi() *big.Float { return m.round(m.pi) }

func (m *Math) round(x *big.Float) *big.Float { return new(big.Float).SetPrec(m.prec).Set(x) }

// work is the precision inside.
func (m *Math) work() uint { return m.prec + guard }

func fresh(prec uint) *big.Float                { return new(big.Float).SetPrec(prec) }
func add(prec uint, x, y *big.Float) *big.Float { return fresh(prec).Add(x, y) }
func sub(prec uint, x, y *big.Float) *big.Float { return fresh(prec).Sub(x, y) }
func mul(prec uint, x, y *big.Float) *big.Float { return fresh(prec).Mul(x, y) }
func quo(prec uint, x, y *big.Float) *big.Float { return fresh(prec).Quo(x, y) }
func num(prec uint, v float64) *big.Float       { return fresh(prec).SetFloat64(v) }
func scale(x *big.Float, n int) *big.Float      { return fresh(x.Prec()).SetMantExp(x, n) }

// exponent returns e with 2^(e-1) <= |x| < 2^e, and the least int for 0.
func exponent(x *big.Float) int {
	if x.Sign() == 0 {
		return math.MinInt32
	}
	return x.MantExp(nil)
}

// negligible reports whether term no longer changes sum at the given precision.
func negligible(term, sum *big.Float, prec uint) bool {
	return exponent(term) < exponent(sum)-int(prec)-2
}

// inverseTan returns the sum over k of sign^k / ((2k+1) n^(2k+1)): atan(1/n) for sign -1, atanh(1/n) for sign 1.
func inverseTan(prec uint, n int64, sign int) *big.Float {
	square := fresh(prec).SetInt64(n * n)
	power := quo(prec, num(prec, 1), fresh(prec).SetInt64(n))
	sum := fresh(prec).Set(power)
	for k := int64(1); ; k++ {
		power.Quo(power, square)
		if sign < 0 {
			power.Neg(power)
		}
		term := quo(prec, power, fresh(prec).SetInt64(2*k+1))
		if negligible(term, sum, prec) {
			return sum
		}
		sum.Add(sum, term)
	}
}

// Exp returns e^x. It panics beyond |x| = 2^30.
func (m *Math) Exp(x *big.Float) *big.Float { return m.round(m.exp(x)) }

func (m *Math) exp(x *big.Float) *big.Float {
	r, k := m.reduce(x)
	y := m.expm1(r)
	return y.SetMantExp(y.Add(y, num(m.work(), 1)), k)
}

// Expm1 returns e^x - 1.
func (m *Math) Expm1(x *big.Float) *big.Float {
	if exponent(x) < -1 {
		return m.round(m.expm1(fresh(m.work()).Set(x)))
	}
	return m.round(sub(m.work(), m.exp(x), num(m.work(), 1)))
}

// reduce returns r and k with x = r + k ln 2 and |r| below 0.4.
func (m *Math) reduce(x *big.Float) (*big.Float, int) {
	if exponent(x) > 30 {
		panic(fmt.Sprintf("bigfloat: exp of %.4g outside ±2^30", x))
	}
	f, _ := x.Float64()
	k := int(math.Round(f / math.Ln2))
	wide := m.work() + guard
	shift := mul(wide, m.ln2, fresh(wide).SetInt64(int64(k)))
	return fresh(m.work()).Set(sub(wide, x, shift)), k
}

// expm1 is the Taylor series at r/2^s followed by s doublings (1+y)²-1 = 2y+y², for |r| < 1.
func (m *Math) expm1(r *big.Float) *big.Float {
	w := m.work()
	if r.Sign() == 0 {
		return fresh(w)
	}
	s := 4 + int(math.Sqrt(float64(w)/3))
	x := scale(fresh(w).Set(r), -s)
	sum, term := fresh(w).Set(x), fresh(w).Set(x)
	for k := int64(2); ; k++ {
		term.Quo(term.Mul(term, x), fresh(w).SetInt64(k))
		if negligible(term, sum, w) {
			break
		}
		sum.Add(sum, term)
	}
	square := fresh(w)
	for range s {
		square.Mul(sum, sum)
		sum.Add(sum.SetMantExp(sum, 1), square)
	}
	return sum
}

// Log returns the natural logarithm. It panics unless x > 0.
func (m *Math) Log(x *big.Float) *big.Float { return m.round(m.log(x)) }

func (m *Math) log(x *big.Float) *big.Float {
	if x.Sign() <= 0 {
		panic(fmt.Sprintf("bigfloat: log of %.4g", x))
	}
	one := num(64, 1)
	if u := sub(max(x.Prec(), 64)+8, x, one); exponent(u) < -20 {
		return m.log1p(u)
	}
	w := m.work()
	mant := fresh(w)
	e := x.MantExp(mant)
	f, _ := mant.Float64()
	y := num(w, math.Log(f))
	// y += 2 (x-e^y)/(x+e^y) triples the good bits.
	for bits := uint(40); bits < w; bits *= 3 {
		t := m.exp(y)
		y.Add(y, scale(quo(w, sub(w, mant, t), add(w, mant, t)), 1))
	}
	wide := w + guard
	return fresh(w).Set(add(wide, y, mul(wide, m.ln2, fresh(wide).SetInt64(int64(e)))))
}

// Log1p returns log(1+x). It panics unless x > -1.
func (m *Math) Log1p(x *big.Float) *big.Float {
	if exponent(x) < -20 {
		return m.round(m.log1p(x))
	}
	return m.Log(add(max(x.Prec(), m.work())+32, x, num(64, 1))) // exact for |x| up to 2^(prec of x)
}

// log1p is the power series, for |x| below 2^-20.
func (m *Math) log1p(x *big.Float) *big.Float {
	w := m.work()
	sum, power := fresh(w).Set(x), fresh(w).Set(x)
	if x.Sign() == 0 {
		return sum
	}
	for k := int64(2); ; k++ {
		power.Neg(power.Mul(power, x))
		term := quo(w, power, fresh(w).SetInt64(k))
		if negligible(term, sum, w) {
			return sum
		}
		sum.Add(sum, term)
	}
}

// Sin returns the sine of x. It panics beyond |x| = 2^30.
func (m *Math) Sin(x *big.Float) *big.Float { s, _ := m.sincos(x); return m.round(s) }

// Cos returns the cosine of x. It panics beyond |x| = 2^30.
func (m *Math) Cos(x *big.Float) *big.Float { _, c := m.sincos(x); return m.round(c) }

// sincos reduces by pi/2 and sums both Taylor series. The guard covers what a float64 argument can lose by lying near a multiple of pi/2.
func (m *Math) sincos(x *big.Float) (sin, cos *big.Float) {
	if exponent(x) > 30 {
		panic(fmt.Sprintf("bigfloat: sine of %.4g outside ±2^30", x))
	}
	w := m.work()
	f, _ := x.Float64()
	k := int64(math.Round(f / (math.Pi / 2)))
	wide := w + guard
	r := fresh(w).Set(sub(wide, x, mul(wide, scale(m.pi, -1), fresh(wide).SetInt64(k))))
	square := mul(w, r, r)
	series := func(first *big.Float, n int64) *big.Float {
		sum, term := fresh(w).Set(first), fresh(w).Set(first)
		for ; ; n += 2 {
			term.Quo(term.Neg(term.Mul(term, square)), fresh(w).SetInt64((n+1)*(n+2)))
			if negligible(term, sum, w) {
				return sum
			}
			sum.Add(sum, term)
		}
	}
	s, c := series(r, 1), series(num(w, 1), 0)
	switch k & 3 {
	case 0:
		return s, c
	case 1:
		return c, s.Neg(s)
	case 2:
		return s.Neg(s), c.Neg(c)
	default:
		return c.Neg(c), s
	}
}
