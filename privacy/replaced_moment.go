package privacy

import "math"

// replacedGaussian is the Gaussian on a batch drawn without replacement of a share q of the records, q < 1, when one record is replaced;
// sigma is in units of the distance 2·Clip of two records.
//
// Let d be the curve of the Gaussian at that distance, d(k) = H_k(N(1,sigma²), N(0,sigma²)). By advanced joint convexity (Balle, Barthe,
// Gaboardi 2018, "Privacy amplification by subsampling", arXiv 1807.01647, Theorem 2) H_u <= h(u) = q·d(1+(u-1)/q) for u >= 1, and since the
// relation is symmetric, H_u <= 1-u+u·h(1/u) for u < 1. From E_Q[(P/Q)^a] = 1 + a(a-1)∫t^(a-2)·(H_t - (1-t)_+)dt,
//
//	A - 1 <= a(a-1)∫ (u^(a-2) + u^(-a-1))·h(u) du  over u > 1.
//
// Here h(u) = E[(r-u)_+] with r the likelihood ratio of Poisson sampling, 1-q+q·e^v, v = (x-1/2)/sigma², x ~ N(0,sigma²), so the
// inner integrals close:
//
//	A - 1 <= E[g(r); r > 1],  g(r) = (r^a - 1 - a(r-1)) + (r^(1-a) - 1 + (a-1)(r-1)).
//
// Theorem 27 of Wang, Balle, Kasiviswanathan 2019 ("Subsampled Rényi differential privacy and analytical moments accountant", arXiv
// 1808.00087) is never smaller. With w = r-1 = q·(R-1) > 0 and a whole a, g <= sum over j >= 2 of C(a,j)·w^j, plus C(a,2)·w²; and that
// theorem has 2·min{2E[(R-1)²], E[R²]} or more for 2E[(R-1)²; R>1], and no less than E[|R-1|^j] or 2E[R^j] for E[(R-1)^j; R>1], j > 2. It
// interpolates linearly between whole orders, where log A is convex: there is a pair with the curve h.
type replacedGaussian struct{ q, sigma float64 }

func (replacedGaussian) infinite() float64 { return 0 }

// logMoment is the smaller of the bounds by the profile and by expansion. The latter is tight for small rates, and asked where it can win.
func (m replacedGaussian) logMoment(a float64) float64 {
	k := m.profile(a)
	if !(a <= mostBirrell && m.sigma >= 0.03) {
		return k
	}
	// What its first and last terms come to at least. E[(R-1)^n] >= E[R^n] - n·E[R^(n-1)], at least half of the first where n is large.
	s, n := 1/(m.sigma*m.sigma), math.Ceil(a)+3
	excess := k
	if k < 1 {
		excess = math.Expm1(k)
	}
	first := m.q * m.q * a * (a - 1) / 2 * math.Expm1(s)
	last := math.Log((a-1)/a) + n*(math.Log(m.q)+s*(n-1)/2) - 5
	if first > excess || s*(n-1) > math.Log(2*n) && last > math.Log(excess) {
		return k
	}
	return min(k, newExpansion(m.q, m.sigma, a).replaced(false))
}

// profile is a quadrature, or where that is not affordable the bound of joint convexity: A <= 1-q + q·e^(a(a-1)/(2sigma²)).
func (m replacedGaussian) profile(a float64) float64 {
	bound := mixedMoment(up(a*(a-1)/(2*m.sigma*m.sigma), 4), m.q)
	accuracy := 60.0
	for {
		k, rest, ok := m.trapezoid(a, accuracy)
		if !ok {
			return bound
		}
		if !(rest > 1e-13) || accuracy > 600 {
			return min(bound, k)
		}
		accuracy += 35 + math.Log(rest)
	}
}

// plan chooses the substitution x = 1/2 + s·log(1+e^t), t on a grid of distance dt, to make the nodes s·dt apart as far as the
// discretisation error allows: at most e^-accuracy·(I + 5a + 1), I the integral.
//
// For w = e^(t+iθ), |θ| <= π/3: Re x >= 1/2, |Im x| <= s·|θ|, and |dx| <= 2·dRe x since |1+w| <= 2(|w|+1/2). On the way e^v turns by less
// than ψ = s·π/(3sigma²); for ψ < π, |r| lies between cos(ψ/2) >= 0 and 1 times r at Re x, where r >= 1, so that
// |g| <= r^a + r·(2a-1) + cos^(1-a)(ψ/2) + 2a - 1, and the normal density grows by at most e^(β²/2), β = s·π/(3·sigma). With E[r] = 1 and
// E[r^a; r>1] <= I + a the integral of |g| along the line is at most 2·e^(β²/2)·(I + 5a + cos^(1-a)(ψ/2)), and the trapezoid rule is wrong
// by twice that over e^(2π²/(3dt))-1.
func (m replacedGaussian) plan(a, accuracy float64) (s, dt float64) {
	best := 0.0
	for i := 1.0; i <= 40; i++ {
		beta := min(3.0*m.sigma, math.Sqrt(2*accuracy)) * i / 40
		psi := beta / m.sigma
		width := beta * m.sigma * 3 / math.Pi
		d := 2 * math.Pi * math.Pi / 3 / (accuracy + beta*beta/2 - (a-1)*math.Log(math.Cos(psi/2)) + 1.5)
		if width*d > best {
			best, s, dt = width*d, width, d
		}
	}
	return s, float64(math.Nextafter32(float32(dt), 0))
}

// trapezoid returns an upper bound on log A and the part of A-1 in it that is a bound on the error.
//
// Cut ends. To the left g only falls, so the rest of the sum is at most g·n(0)·s·e^t. To the right g <= 2a·r^a, the density times r^a
// falls at least like e^-(L/sigma)x beyond a + L·sigma, and nodes are nearly s·dt apart, so it is at most 2a·r^a·n·sigma/L, increased by a half.
func (m replacedGaussian) trapezoid(a, accuracy float64) (k, rest float64, ok bool) {
	c, logQ := a-1, math.Log(m.q)
	s, dt := m.plan(a, accuracy)
	cut := math.Sqrt(2*accuracy) + 1
	first := -math.Ceil(accuracy / 3 / dt)
	last := math.Ceil(max((a+cut*m.sigma)/s, 3) / dt)
	if !(last-first <= maxNodes) {
		return 0, 0, false
	}
	sampled := sampledGaussian(m)
	var sum scaled
	for i := first; i <= last; i++ {
		t := i * dt
		away, slope := math.Log1p(math.Exp(t)), 1/(1+math.Exp(-t)) // softplus and its derivative
		if t > 30 {
			away, slope = t, 1 // off by less than e^-30, which the next line covers
			away += math.Exp(-t)
		}
		x := 0.5 + s*away
		e := -x * x / (2 * m.sigma * m.sigma)
		l, err := sampled.loss(s*away/(m.sigma*m.sigma), logQ)
		l = max(l, 0)
		l += 4*err*ulp + math.SmallestNonzeroFloat64 // v is known to 10 ulp, loss assumes 3; g grows with l
		y := c * l
		eta := 20*math.Abs(e) + 4*(l+y) + 80
		low, share := phi(-y), 1.0 // the second term of g is phi(-cl) + c·phi(l)
		if l < 50 {
			share = phi(l) * math.Exp(-l)
		}
		if y > 50 {
			sum.add(e+l+y, slope*(1+c*(phi(-l)+share)*math.Exp(-y)), eta)
			sum.add(e, slope*low, eta)
		} else {
			sum.add(e+l, slope*(phi(y)+c*phi(-l)+c*share), eta)
			sum.add(e, slope*low, eta)
		}
		switch i {
		case first:
			sum.add(0, 1.01*(math.Exp(l)*(phi(y)+c*phi(-l)+c*share)+low)*math.Exp(t)/dt, 100)
		case last:
			sum.add(e+l+y, 3*a*m.sigma/(cut*s*dt), eta)
		}
	}
	factor := s * dt / (m.sigma * math.Sqrt(2*math.Pi)) * (1 + 4e-15)
	bare := sum.shift + math.Log(sum.total(factor, 0))
	rest = math.Exp(math.Log(5*a+1) - accuracy - bare)
	sum.add(math.Log(5*a+1)-accuracy, 2/factor, 20)
	return sum.log1p(factor*(1+2*math.Exp(-accuracy)), 0), rest, true
}
