package noise

import (
	"math"
	"math/big"
	"math/bits"
)

// floatMargin is added to both sides of every comparison in float64 that decides something. The errors of these comparisons, a few
// roundings and one call of math.Exp, stay below 2^-46 even where math.Exp errs by 16 units in the last place.
const floatMargin = 0x1p-40

// finish is the draw that begins with w, which does not decide it alone.
func (g *RoundedGaussian) finish(w uint64, src Source) int64 {
	if g.sigma == 0 {
		panic("noise: RoundedGaussian not made by Rounded")
	}
	for {
		if n, ok := g.try(w, src, false); ok {
			return n
		}
		w = src.Uint64()
		if n, ok := g.quick(w); ok {
			return n
		}
	}
}

// try returns the sample that begins with w, or says that it is rejected. An exact try decides in arbitrary precision whatever it can
// from the words drawn so far; the other one draws the same words and has the same results, sooner.
func (g *RoundedGaussian) try(w uint64, src Source, exact bool) (n int64, ok bool) {
	i := uint8(w)
	if i == 0 {
		if n, ok = g.tail(w, src, exact); !ok {
			return 0, false
		}
	} else {
		edge := ziggurat[i].edge
		u := lazy{head: w >> 9, bits: headBits}
		if !under(i, &u, src, exact) {
			return 0, false
		}
		if n, ok = g.round(w, edge); ok && !exact {
			return n, true
		}
		n = g.cell(&u, edge, src)
	}
	if w>>8&1 != 0 {
		n = -n
	}
	return n, true
}

// under reports whether the point (u·x_i, y) with a uniform y in [y_i, y_(i+1)) lies under the curve. Its height is drawn here.
func under(i uint8, u *lazy, src Source, exact bool) bool {
	s, next := &ziggurat[i], &ziggurat[int(i)+1]
	if uint32(u.head>>(headBits-31)) < s.inner {
		return true // for all heights: none is drawn
	}
	t := lazy{head: src.Uint64(), bits: 64}
	if !exact {
		x := float64(u.head) * (0x1p-75 * float64(s.edge))
		d := math.Exp(-x*x/2) - (s.low + float64(t.head>>11)*0x1p-53*(next.low-s.low))
		if math.Abs(d) > floatMargin {
			return d > 0
		}
	}
	for {
		lo, hi := height(i, &t)
		xlo, xhi := u.times(s.edge)
		if under, decided := curve(xlo, xhi, lo, hi); decided {
			return under
		}
		u.extend(src)
		t.extend(src)
	}
}

// cell returns floor(sigma·u·x + 1/2), x = edge·2^-20. It draws digits of u until both ends of their interval have the same.
func (g *RoundedGaussian) cell(u *lazy, edge uint32, src Source) int64 {
	for {
		n, shift := u.integer(), uint(u.bits+edgeBits)
		scale := new(big.Int).SetUint64(g.sigma * uint64(edge))
		half := new(big.Int).Lsh(big.NewInt(1), shift-1)
		lo := new(big.Int).Mul(n, scale)
		hi := new(big.Int).Add(lo, scale)
		lo.Add(lo, half).Rsh(lo, shift)
		hi.Add(hi, half).Sub(hi, big.NewInt(1)).Rsh(hi, shift) // the upper end is not attained
		if lo.Cmp(hi) == 0 {
			return lo.Int64()
		}
		u.extend(src)
	}
}

// lazy is a uniform real number in [0, 1) of which the first bits were drawn.
type lazy struct {
	head uint64
	more []uint64
	bits int
}

func (d *lazy) extend(src Source) {
	d.more = append(d.more, src.Uint64())
	d.bits += 64
}

// integer returns n; the number lies in [n, n+1)·2^-bits.
func (d *lazy) integer() *big.Int {
	n := new(big.Int).SetUint64(d.head)
	for _, w := range d.more {
		n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(w))
	}
	return n
}

// times returns the ends of the interval of d·edge·2^-20, exactly.
func (d *lazy) times(edge uint32) (lo, hi *big.Float) {
	scale := new(big.Int).SetUint64(uint64(edge))
	n := d.integer()
	n.Mul(n, scale)
	lo = exactly(n, -d.bits-edgeBits)
	hi = exactly(n.Add(n, scale), -d.bits-edgeBits)
	return lo, hi
}

// exactly returns n·2^exponent.
func exactly(n *big.Int, exponent int) *big.Float {
	f := new(big.Float).SetPrec(uint(n.BitLen() + 1)).SetInt(n)
	return f.SetMantExp(f, exponent)
}

// slabArea is v·2^40.
const slabArea = 0x1444eddc3

// height returns bounds on y_i + t·(y_(i+1)-y_i) = v·2^20·(1/a_1 + ... + 1/a_(i-1) + t/a_i), where a_j is the edge of slab j. In units of
// 2^-(64+bits of t) each quotient is rounded down, by less than one unit.
func height(i uint8, t *lazy) (lo, hi *big.Float) {
	one := new(big.Int).Lsh(big.NewInt(1), uint(64+t.bits))
	sum, q := new(big.Int), new(big.Int)
	for j := uint8(1); j < i; j++ {
		sum.Add(sum, q.Div(one, big.NewInt(int64(ziggurat[j].edge))))
	}
	edge := big.NewInt(int64(ziggurat[i].edge))
	n := t.integer()
	low := new(big.Int).Add(sum, q.Div(q.Lsh(n, 64), edge))
	n.Add(n, big.NewInt(1))
	high := sum.Add(sum, q.Div(q.Lsh(n, 64), edge))
	high.Add(high, big.NewInt(int64(i)))
	area := big.NewInt(slabArea)
	return exactly(low.Mul(low, area), -84-t.bits), exactly(high.Mul(high, area), -84-t.bits)
}

// curve reports whether y < e^(-x²/2) for a y in [ylo, yhi) and an x in [xlo, xhi), all at least 0, if that is the same for all of
// them. It compares y·e^(x²/2) with 1.
func curve(xlo, xhi, ylo, yhi *big.Float) (under, decided bool) {
	product := func(x, y *big.Float, mode big.RoundingMode) int {
		prec := max(x.Prec(), y.Prec()) + 64
		number := func() *big.Float { return new(big.Float).SetPrec(prec).SetMode(mode) }
		h := number().Mul(x, x)
		h.SetMantExp(h, -1)
		p := number().Mul(exponential(h), y)
		return p.Cmp(big.NewFloat(1))
	}
	if product(xhi, yhi, big.ToPositiveInf) <= 0 {
		return true, true
	}
	return false, product(xlo, ylo, big.ToNegativeInf) >= 0
}

// exponential returns a bound on e^h, h >= 0, from the side that the mode of h rounds to: terms of the series are positive, and where
// each is at most half of the one before, all that are left out are at most the last.
func exponential(h *big.Float) *big.Float {
	number := func() *big.Float { return new(big.Float).SetPrec(h.Prec()).SetMode(h.Mode()) }
	sum, term := number().SetInt64(1), number().SetInt64(1)
	twice := number().SetMantExp(h, 1)
	for n := int64(1); ; n++ {
		k := number().SetInt64(n)
		term.Quo(term.Mul(term, h), k)
		sum.Add(sum, term)
		if k.Cmp(twice) >= 0 && (term.Sign() == 0 || term.MantExp(nil) < sum.MantExp(nil)-int(h.Prec())) {
			if h.Mode() == big.ToPositiveInf {
				sum.Add(sum, term)
			}
			return sum
		}
	}
}

// geometric returns a number that is at least m with probability 2^-6m.
func geometric(src Source) (m uint64) {
	for {
		z := uint64(bits.TrailingZeros64(src.Uint64()|1<<60)) / 6
		m += z
		if z < 10 {
			return m
		}
	}
}
