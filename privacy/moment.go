package privacy

import "math"

// ulp is the unit roundoff. The error margins below assume that exp, expm1, log and log1p are within 2 units in the last place.
const ulp = 0x1p-53

const (
	maxBinomial = 1 << 13 // largest integer order that is summed term by term
	maxNodes    = 1 << 18 // largest quadrature grid
)

// sampledGaussian is the Gaussian with noise multiplier sigma on a Poisson sample of rate q.
//
// With x ~ N(0, sigma²), v = (x-1/2)/sigma² and r = 1-q+q·e^v, the Rényi divergence of order a is log A(a)/(a-1), A(a) = E[r^a]:
// the direction that removes a record, which is the larger one (Mironov, Talwar, Zhang 2019, "Rényi differential privacy of the
// sampled Gaussian mechanism", arXiv 1908.10530).
type sampledGaussian struct{ q, sigma float64 }

func (sampledGaussian) infinite() float64 { return 0 }

// logMoment returns an upper bound on log A(a) for a > 1. Integer orders are exact sums, other orders quadratures; both exceed
// the exact value by less than 1e-11 of it, mostly 1e-14. Where neither is affordable (sigma below about 0.01) a closed form stands in.
func (m sampledGaussian) logMoment(a float64) float64 {
	if m.q == 0 {
		return 0
	}
	// Sampling cannot hurt, and q = 1 is the plain Gaussian.
	bound := up(a*(a-1)/(2*m.sigma*m.sigma), 6)
	if m.q == 1 {
		return bound
	}
	if a == math.Floor(a) && a <= maxBinomial {
		return min(bound, m.binomial(int(a)))
	}
	if l, ok := m.quadrature(a); ok {
		return min(bound, l)
	}
	if a <= maxBinomial {
		return min(bound, m.closed(a))
	}
	return bound
}

func (m sampledGaussian) binomial(n int) float64 {
	half := 1 / (2 * m.sigma * m.sigma)
	sum := binomialSum(n, m.q, func(i float64) float64 { return i * (i - 1) * half })
	return sum.log1p(1, 0)
}

// binomialSum is the sum over i of C(n,i) q^i (1-q)^(n-i) e^y(i), less 1, in the form free of cancellation: the weights of e^y sum to 1
// and y is 0 for i < 2, so it is the sum over i >= 2 with expm1 for exp. A y that is good to 5 ulp will do.
func binomialSum(n int, q float64, exponent func(i float64) float64) scaled {
	logQ, logP := math.Log(q), math.Log1p(-q)
	var sum scaled
	var choose compensated
	chooseErr := 0.0
	for i := 1; i <= n; i++ {
		step := math.Log(float64(n-i+1) / float64(i))
		choose.add(step)
		chooseErr += 1 + 4*math.Abs(step)
		if i < 2 {
			continue
		}
		hits, misses := float64(i)*logQ, float64(n-i)*logP
		e, y := choose.value()+hits+misses, exponent(float64(i))
		eta := chooseErr - 5*(hits+misses) + 5*y + 20
		if y > 50 {
			sum.add(e+y, 1, eta)
		} else {
			sum.add(e, math.Expm1(y), eta)
		}
	}
	return sum
}

// closed bounds A from above for real orders: (1+y)^a <= sum over j <= floor(a) of C(a,j) y^j, plus y^a, by induction on a from
// (1+y)^a <= 1+y^a for a <= 1, since the derivatives are ordered. With y = q·e^v/(1-q) every moment is closed.
func (m sampledGaussian) closed(a float64) float64 {
	logQ, logP := math.Log(m.q), math.Log1p(-m.q)
	half := 1 / (2 * m.sigma * m.sigma)
	var sum scaled
	var choose compensated
	chooseErr := 0.0
	add := func(j float64) {
		hits, misses, y := j*logQ, (a-j)*logP, j*(j-1)*half
		sum.add(choose.value()+hits+misses+y, 1, chooseErr-5*(hits+misses)+5*math.Abs(y)+20)
	}
	for j := 0.0; j <= a; j++ {
		if j > 0 {
			step := math.Log((a - j + 1) / j)
			choose.add(step)
			chooseErr += 2 + 4*math.Abs(step)
		}
		add(j)
	}
	choose, chooseErr = compensated{}, 0
	add(a)
	l := math.Log(sum.total(1, 0))
	return up(max(sum.shift+l+8*ulp*(sum.shift+math.Abs(l)), 0), 4)
}

// quadrature is the trapezoid rule on A-1 = E[f], f = r^a - 1 - a(r-1) >= 0 (the subtracted terms have mean 0), free of
// cancellation: with l = log r, c = a-1 and phi(t) = e^t-1-t, f = e^l·(phi(cl) + c·phi(-l)). It reports false where it would
// need more than maxNodes nodes.
//
// Discretisation error. Write u = r-1, f = u²h, h = a(a-1)∫(1-s)(1+su)^(a-2)ds over [0,1]. On the line Im x = b, v moves by
// iθ, θ = b/sigma² < π. There |1+su| lies between cos(θ/2) and 1 times its value at Re x, and |u|² = u² + 4q²e^v sin²(θ/2), so
//
//	∫|f·n| <= e^(b²/2sigma²)·C·(A-1 + 4q² sin²(θ/2)·E[e^v h]),  C = 1 for a >= 2, else 1/cos(θ/2).
//
// Under N(1, sigma²), to which e^v shifts n, A-1 = q²·E₁[4sinh²(v/2)h] >= q²·E₁[v²h] >= q²·E₁[h]·Var(v), the variance under the
// density proportional to n₁h. Its negative log density has second derivative (in v) at most sigma²+k: log h is convex for
// a >= 2 (k = 0), and its second derivative is at least -1/4 otherwise (k = 1/4). So Var(v) >= 1/(sigma²+k) by the Cramér-Rao
// inequality. With b = βsigma the trapezoid rule is therefore wrong by at most the fraction
//
//	2·e^(β²/2)·C·(1+4k+β²)/(e^(2πβsigma/dx)-1)  of A-1;
//
// step chooses dx to make that e^-accuracy, here below 1e-17.
//
// Cut ends. Beyond lo = -10sigma and hi = max(a,2)+10sigma, g = f·n falls at least like e^(-9.7|x|/sigma): to the right because
// (log f)' <= (2/(1-e^-v) + max(a-2,0))/sigma², to the left because f grows at most like (1/2-x)². Both the rest of the integral
// and of the sum are then at most g(end)·sigma/9.7.
func (m sampledGaussian) quadrature(a float64) (float64, bool) {
	return m.trapezoid(a, m.step(a, 39.5))
}

func (m sampledGaussian) step(a, accuracy float64) (dx float64) {
	theta, amplify, extra := 3.1, 1.0, 1.0
	if a < 2 {
		theta, amplify, extra = 2*math.Pi/3, 2.0, 2.0
	}
	beta := min(8.6, theta*m.sigma) // 8.6 makes dx largest for the accuracy used
	dx = 2 * math.Pi * beta * m.sigma / (beta*beta/2 + math.Log(2*amplify*(extra+beta*beta)) + accuracy)
	return float64(math.Nextafter32(float32(dx), 0)) // 24 bits: the nodes k·dx are exact
}

func (m sampledGaussian) trapezoid(a, dx float64) (float64, bool) {
	c, s := a-1, m.sigma
	lo, hi := math.Floor(-10*s/dx), math.Ceil((max(a, 2)+10*s)/dx)
	if !(hi-lo <= maxNodes) {
		return 0, false
	}
	half := 1 / (2 * s * s)
	logQ := math.Log(m.q)
	var sum scaled
	for k := lo; k <= hi; k++ {
		x := k * dx
		e := -x * x * half
		v := (x - 0.5) / (s * s)
		l, err := m.loss(v, logQ)
		if l == 0 {
			continue
		}
		// A relative error of l moves f by at most 2+a·max(l,0) times that.
		eta := -4*e + (2+a*max(l, 0))*(err/math.Abs(l)+1) + 40
		t := c * l
		if t > 50 {
			sum.add(e+l+t, 1+c*phi(-l)*math.Exp(-t), eta)
		} else {
			sum.add(e+l, phi(t)+c*phi(-l), eta)
		}
		if k == lo || k == hi {
			sum.end()
		}
	}
	return sum.log1p(dx/(s*math.Sqrt(2*math.Pi)), s/(9.7*dx)), true
}

// loss returns l = log(1-q+q·e^v) and a bound on its error in ulp, when v is known to 3 ulp.
func (m sampledGaussian) loss(v, logQ float64) (l, err float64) {
	if v+logQ > 30 {
		l = v + logQ + math.Log1p((1-m.q)/m.q*math.Exp(-v))
		return l, 5*v - 6*logQ + 4*l
	}
	u := m.q * math.Expm1(v)
	if u < -0.5 {
		hit := m.q * math.Exp(v)
		l = math.Log(1 - m.q + hit)
		return l, 3*hit/(1-m.q+hit)*math.Abs(v) - 4*l + 8
	}
	l = math.Log1p(u)
	return l, 3*min(1, u+m.q)*math.Abs(v) + 12*math.Abs(l)
}

// phi returns e^t-1-t without cancellation.
func phi(t float64) float64 {
	if t < -1 || t > 1 {
		return math.Expm1(t) - t
	}
	p := 1.0
	for k := 20.0; k > 2; k-- {
		p = 1 + p*t/k
	}
	return p * t * t / 2
}

// scaled sums non-negative terms g·e^e, each with an error of eta·ulp relative, whose exponents may exceed what a float64 holds.
type scaled struct {
	shift     float64 // the sums stand for themselves times e^shift
	sum       compensated
	err, ends float64
	last      float64
}

func (s *scaled) add(e, g, eta float64) {
	if e-s.shift > 200 {
		f := math.Exp(s.shift - e)
		s.sum = compensated{s.sum.sum * f, s.sum.carry * f}
		s.err, s.ends, s.shift = s.err*f, s.ends*f, e
	}
	s.last = g * math.Exp(e-s.shift)
	s.sum.add(s.last)
	s.err += s.last * (eta + math.Abs(e-s.shift))
}

// end marks the term just added as the last on its side.
func (s *scaled) end() { s.ends += s.last }

// total returns an upper bound on factor times (the sum plus tail times the ends), without the shift.
func (s *scaled) total(factor, tail float64) float64 {
	return up(factor*(s.sum.value()+s.ends*tail+s.err*1.01*ulp), 16)
}

// log1p returns an upper bound on log(1 + factor·(sum + tail·ends)).
func (s *scaled) log1p(factor, tail float64) float64 {
	if s.shift == 0 {
		return up(math.Log1p(s.total(factor, tail)), 4)
	}
	l := math.Log(s.total(factor, tail) + math.Exp(-s.shift))
	return up(s.shift+l+8*ulp*(s.shift+math.Abs(l)), 4)
}

// compensated is Neumaier's summation.
type compensated struct{ sum, carry float64 }

func (c *compensated) add(x float64) {
	t := c.sum + x
	if math.Abs(c.sum) >= math.Abs(x) {
		c.carry += (c.sum - t) + x
	} else {
		c.carry += (x - t) + c.sum
	}
	c.sum = t
}

func (c *compensated) value() float64 { return c.sum + c.carry }

// up returns x raised by n ulp relative and at least one representable step; x >= 0.
func up(x float64, n float64) float64 {
	return math.Nextafter(x*(1+n*ulp), math.Inf(1))
}
