package privacy

import (
	"math"
	"math/big"
)

const mostWang = 256

// WangBound returns the bound of Wang, Balle, Kasiviswanathan 2019 ("Subsampled Rényi differential privacy and analytical moments accountant",
// arXiv 1808.00087, Theorem 27) on the Rényi divergence of one step under ReplaceOne, rounded up, at an order from 2 to 256: the figure
// that other libraries report. The accountants here use a smaller one, see [Renyi].
func (f FixedSize) WangBound(order int) (float64, error) {
	if err := f.Validate(); err != nil {
		return 0, err
	}
	if f.Gaussian.Relation != ReplaceOne {
		return 0, &InvalidError{"FixedSize.Gaussian.Relation", f.Gaussian.Relation, "replace_one"}
	}
	if order < 2 || order > mostWang {
		return 0, &InvalidError{"order", order, "a whole number from 2 to 256"}
	}
	sigma := f.Gaussian.Multiplier()
	half := 1 / (2 * sigma * sigma)
	if !(half <= 1e3) {
		return 0, &InvalidError{"FixedSize.Gaussian.Multiplier", sigma, "at least 0.03 for this bound"}
	}
	// e(j) = e^(j(j-1)/(2 sigma²)). Its differences cancel to a part of e^-(order² half): that many digits are kept.
	prec := uint(320 + 4*float64(order) + 3*float64(order*order)*half)
	num := func(x float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(x) }
	mul := func(a, b *big.Float) *big.Float { return new(big.Float).SetPrec(prec).Mul(a, b) }
	s := mul(num(sigma), num(sigma))
	ratio := exponential(new(big.Float).SetPrec(prec).Quo(num(1), s)) // e^(1/sigma²)
	e := []*big.Float{num(1), num(1)}
	for step := num(1); len(e) < order+2; {
		step = mul(step, ratio)
		e = append(e, mul(e[len(e)-1], step))
	}
	// difference[k] = |k-th forward difference of e at 0|.
	difference := make([]*big.Float, len(e))
	row := append([]*big.Float(nil), e...)
	for k := range difference {
		difference[k] = new(big.Float).Abs(row[0])
		for j := range len(row) - 1 {
			row[j] = new(big.Float).SetPrec(prec).Sub(row[j+1], row[j])
		}
		row = row[:len(row)-1]
	}
	q := new(big.Float).SetPrec(prec).SetRat(big.NewRat(int64(f.Batch), int64(f.Records)))
	power, sum := mul(q, num(float64(order))), num(0) // q^i·C(order, i), from i = 1
	for i := 2; i <= order; i++ {
		power = mul(mul(power, q), new(big.Float).SetPrec(prec).SetRat(big.NewRat(int64(order-i+1), int64(i))))
		term := mul(num(2), e[i])
		var other *big.Float
		if i == 2 {
			other = mul(num(4), new(big.Float).SetPrec(prec).Sub(e[2], num(1)))
		} else {
			other = mul(num(4), new(big.Float).SetPrec(prec).Sqrt(mul(difference[i/2*2], difference[(i+1)/2*2])))
		}
		if other.Cmp(term) < 0 {
			term = other
		}
		sum.Add(sum, mul(power, term))
	}
	return up(logOnePlus(sum)/float64(order-1), 8), nil
}

// exponential returns e^x to the precision of x, 0 <= x < 2^20, but for its last 32 bits.
func exponential(x *big.Float) *big.Float {
	const halvings = 40
	x = new(big.Float).SetMantExp(x, -halvings)
	sum, term := big.NewFloat(1).SetPrec(x.Prec()), big.NewFloat(1).SetPrec(x.Prec())
	for k := int64(1); term.Sign() != 0 && term.MantExp(nil) > -int(x.Prec()); k++ {
		term.Mul(term, x)
		term.Quo(term, new(big.Float).SetInt64(k))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	return sum
}

// logOnePlus returns log(1+x), x >= 0, to a few ulp.
func logOnePlus(x *big.Float) float64 {
	if f, _ := x.Float64(); f <= 1e300 {
		return math.Log1p(f)
	}
	mantissa := new(big.Float)
	exponent := x.MantExp(mantissa)
	m, _ := mantissa.Float64()
	return math.Log(m) + float64(exponent)*math.Ln2
}
