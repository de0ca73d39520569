package privacy

import "math"

// pair holds two mixtures of unit Gaussians on common centres: P = sum of p[i]·N(shift[i], 1) and Q = sum of q[i]·N(shift[i], 1).
// shift[0] = 0, the others are not; the weights of each law sum to 1 and are known to 1 ulp each, p-q likewise.
type pair struct{ shift, p, q []float64 }

// maxPairWork is the largest number of exponentials that one quadrature may cost.
const maxPairWork = 1 << 18

// logMoment returns an upper bound on log A, A = E_Q[(P/Q)^a], by the trapezoid rule on A-1 = ∫F with
// F = P^a·Q^(1-a) - Q - a(P-Q) >= 0: the subtracted terms have integral 0. It reports false where that would cost too much. The
// excess is below 1e-12 of the value unless A-1 is below 1e-280.
func (m *pair) logMoment(a float64) (float64, bool) {
	accuracy := 60.0
	for {
		k, rest, ok := m.trapezoid(a, accuracy)
		if !ok || !(rest > 1e-13) || accuracy > 600 {
			return k, ok
		}
		accuracy += 35 + math.Log(rest)
	}
}

// step returns the largest distance of nodes for which the discretisation error is at most e^-accuracy·(A-1+2a).
//
// On the line Im x = b every term of P and Q grows by e^(b²/2) and turns by an angle b·shift (up to a common one). While the angles
// of Q spread over less than π, e^(b²/2)·Q >= |Q(x+ib)| >= e^(b²/2)·cos(b·span/2)·Q, span that of the centres of Q, and likewise for
// P, which therefore has no zero and a power. So ∫|F(x+ib)|dx <= e^(b²/2)·(cos^(1-a)·A + (a-1) + a), and the trapezoid rule is
// wrong by at most twice that over e^(2πb/dx)-1.
func (m *pair) step(a, accuracy, spanP, spanQ float64) float64 {
	most := math.Sqrt(2 * accuracy)
	if span := max(spanP, spanQ); span > 0 {
		most = min(most, 2.9/span)
	}
	best := 0.0
	for i := 1.0; i <= 40; i++ {
		b := most * i / 40
		best = max(best, 2*math.Pi*b/(accuracy+b*b/2-(a-1)*math.Log(math.Cos(b*spanQ/2))+0.8))
	}
	return float64(math.Nextafter32(float32(best), 0)) // 24 bits: the nodes k·dx are exact
}

// ends returns the smallest and the largest centre of positive weight.
func (m *pair) ends(weight []float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for i, w := range weight {
		if w > 0 {
			lo, hi = min(lo, m.shift[i]), max(hi, m.shift[i])
		}
	}
	return lo, hi
}

// trapezoid returns an upper bound on log A and the part of A-1 in it that is a bound on the error.
//
// Cut ends. F <= G + (a-1)·Q, G = P^a·Q^(1-a). Since (log P)' is -x plus a mean of centres of P, (log G)' <= -x + a·max - (a-1)·min of
// the centres of P and Q, so both G and Q fall at least like e^-L|x| beyond the ends chosen here, and what the sum omits there is
// at most (G + (a-1)·Q)/L.
func (m *pair) trapezoid(a, accuracy float64) (k, rest float64, ok bool) {
	c := a - 1
	loP, hiP := m.ends(m.p)
	loQ, hiQ := m.ends(m.q)
	dx := m.step(a, accuracy, hiP-loP, hiQ-loQ)
	cut := math.Sqrt(2*accuracy) + 1
	first := math.Floor((min(a*loP-c*hiQ, loQ) - cut) / dx)
	last := math.Ceil((max(a*hiP-c*loQ, hiQ) + cut) / dx)
	if !((last-first)*float64(len(m.shift)) <= maxPairWork) {
		return 0, 0, false
	}
	var sum scaled
	v := make([]float64, len(m.shift))
	for i := first; i <= last; i++ {
		x := i * dx
		e := -x * x / 2
		l, d, errD := m.loss(x, v)
		t := c * l
		eta := 4*(math.Abs(d)+math.Abs(l)+math.Abs(t)-e) + errD + 60
		switch {
		case l < -50: // r^a - 1 - a(r-1) = (a-1)(1-r) - r(1-r^(a-1))
			sum.add(e+d, c, eta)
		case t > 50:
			sum.add(e+d+l+t, 1+c*phi(-l)*math.Exp(-t), eta)
		default:
			sum.add(e+d+l, phi(t)+c*phi(-l), eta)
		}
		if i == first || i == last {
			sum.add(e+d+l+t, 1/(cut*dx), eta)
			sum.add(e+d, c/(cut*dx), eta)
		}
	}
	factor := dx / math.Sqrt(2*math.Pi) * (1 + 1e-15)
	bare := sum.shift + math.Log(sum.total(factor, 0))
	rest = math.Exp(math.Log(2*a) - accuracy - bare)
	sum.add(math.Log(2*a)-accuracy, 2/factor, 20)
	return sum.log1p(factor*(1+2*math.Exp(-accuracy)), 0), rest, true
}

// loss returns l = log(P/Q) at x, moved away from 0 by its error, and d = log(Q/N(0,1)) with a bound on its error in ulp. The integrand
// grows with |l| and is larger for l than for -l: a Taylor series of e^(al)-1-a(e^l-1) in l has no negative coefficient.
func (m *pair) loss(x float64, v []float64) (l, d, errD float64) {
	n := float64(len(v))
	top := 0.0
	for i, s := range m.shift {
		v[i] = s * (x - s/2) // to 2 ulp
		top = max(top, v[i])
	}
	d, errD = logSum(m.q, v)
	l, err := 0.0, math.Inf(1)
	if top <= 600 {
		u, errU := 0.0, 0.0
		for i := 1; i < len(v); i++ {
			if w := m.p[i] - m.q[i]; w != 0 {
				t := w * math.Expm1(v[i])
				u += t
				errU += math.Abs(t) * (n + 8 + 4*max(v[i], 0))
			}
		}
		scale := math.Exp(-d)
		u *= scale
		errU = errU*scale + math.Abs(u)*(errD+6)
		if u > -0.5 && u < 1e6 {
			l = math.Log1p(u)
			err = 1.1*errU/(1+u) + 4*math.Abs(l)
		}
	}
	if math.IsInf(err, 1) {
		p, errP := logSum(m.p, v)
		l, err = p-d, errP+errD+2*math.Abs(p-d)
	}
	err = err*1.01*ulp + math.SmallestNonzeroFloat64
	if l < -err {
		return l - err, d, errD
	}
	return math.Abs(l) + err, d, errD
}

// logSum returns the logarithm of the sum of weight·e^v, every v known to 2 ulp, and a bound on its error in ulp.
func logSum(weight, v []float64) (l, err float64) {
	top := math.Inf(-1)
	for i, w := range weight {
		if w > 0 {
			top = max(top, v[i])
		}
	}
	sum, n := 0.0, float64(len(v))
	for i, w := range weight {
		if w > 0 {
			t := w * math.Exp(v[i]-top)
			sum += t
			err += t * (4*(math.Abs(v[i])+math.Abs(top)) + n + 6)
		}
	}
	l = top + math.Log(sum)
	return l, 1.01*err/sum + 2*math.Abs(l) + 4*math.Abs(l-top)
}
