package bigfloat

import (
	"math"
	"math/big"
)

// series is the border between the two algorithms for the Mills ratio, in the argument of Mills.
const series = 12

// Mills returns the Mills ratio (1-Phi(x))/phi(x) of the standard normal distribution, for x > -4e4.
func (m *Math) Mills(x *big.Float) *big.Float { return m.round(m.mills(x)) }

// SF returns the upper tail 1-Phi(x) of the standard normal distribution, for |x| < 4e4.
func (m *Math) SF(x *big.Float) *big.Float { return m.round(m.sf(x)) }

func (m *Math) sf(x *big.Float) *big.Float {
	if x.Sign() < 0 {
		return sub(m.work(), num(64, 1), m.tail(fresh(x.Prec()).Neg(x)))
	}
	return m.tail(x)
}

// LogSF returns log(1-Phi(x)) for every x above -4e4.
func (m *Math) LogSF(x *big.Float) *big.Float {
	w := m.work()
	if x.Sign() < 0 {
		t := m.tail(fresh(x.Prec()).Neg(x))
		if exponent(t) < -20 {
			return m.round(m.log1p(t.Neg(t)))
		}
		return m.round(m.log(sub(w, num(64, 1), t)))
	}
	square := scale(mul(w, x, x), -1)
	norm := scale(m.log(scale(m.pi, 1)), -1)
	return m.round(sub(w, sub(w, m.log(m.mills(x)), square), norm))
}

// Erfc returns the complementary error function, for |x| < 2e4.
func (m *Math) Erfc(x *big.Float) *big.Float {
	wide := m.work() + guard
	return m.round(scale(m.sf(mul(wide, x, fresh(wide).Sqrt(num(wide, 2)))), 1))
}

// density is e^(-x²/2)/sqrt(2 pi).
func (m *Math) density(x *big.Float) *big.Float {
	w := m.work()
	square := scale(mul(w+guard, x, x), -1)
	return quo(w, m.exp(square.Neg(square)), fresh(w).Sqrt(scale(m.pi, 1)))
}

// tail is 1-Phi(x) for x >= 0.
func (m *Math) tail(x *big.Float) *big.Float { return mul(m.work(), m.density(x), m.mills(x)) }

func (m *Math) mills(x *big.Float) *big.Float {
	if f, _ := x.Float64(); f < series {
		return m.millsSeries(x)
	}
	return m.millsFraction(x)
}

// millsSeries: (Phi(x)-1/2)/phi(x) is the sum over k of x^(2k+1)/(2k+1)!!, without cancellation, and the Mills ratio is
// sqrt(pi/2) e^(x²/2) less that: for x > 0 that costs x²/ln 2 bits, which are added first.
func (m *Math) millsSeries(x *big.Float) *big.Float {
	f, _ := x.Float64()
	extra := uint(0)
	if f > 0 {
		extra = uint(f*f/math.Ln2) + 16
	}
	wider := m
	if extra > 0 {
		wider = New(m.prec + extra)
	}
	w := wider.work()
	square := mul(w, x, x)
	sum, term := fresh(w).Set(x), fresh(w).Set(x)
	for k := int64(3); x.Sign() != 0; k += 2 {
		term.Quo(term.Mul(term, square), fresh(w).SetInt64(k))
		if negligible(term, sum, w) && float64(k) > f*f {
			break
		}
		sum.Add(sum, term)
	}
	half := quo(w, num(w, 0.5), wider.density(x))
	return fresh(m.work()).Set(half.Sub(half, sum))
}

// millsFraction is Laplace's continued fraction 1/(x+1/(x+2/(x+3/...))), whose convergents lie alternately above and below
// the value, so that two neighbours bound the error.
func (m *Math) millsFraction(x *big.Float) *big.Float {
	w := m.work()
	// p/q by the recurrence p_k = x p_(k-1) + k p_(k-2).
	p0, q0 := num(w, 0), num(w, 1)
	p1, q1 := num(w, 1), fresh(w).Set(x)
	for k := int64(1); ; k++ {
		kk := fresh(w).SetInt64(k)
		p0, p1 = p1, add(w, mul(w, x, p1), mul(w, kk, p0))
		q0, q1 = q1, add(w, mul(w, x, q1), mul(w, kk, q0))
		if k%8 != 0 {
			continue
		}
		before, now := quo(w, p0, q0), quo(w, p1, q1)
		if negligible(sub(w, now, before), now, m.prec+8) {
			return now
		}
	}
}
