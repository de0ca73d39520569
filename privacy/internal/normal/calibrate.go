package normal

import "math"

// MaxMu returns the largest mu of a Gaussian that is (eps, delta)-DP: Gaussian{lo} is, by its own Delta with the slack of a unit in
// the last place, and Gaussian{hi} is not, or only just. The noise multiplier 1/lo, rounded up, is the analytic calibration of
// Balle, Wang 2018. It takes 0 <= eps <= 1e60 and 0 < delta < 1, and refuses what needs a mu outside [1e-30, 1e30].
func MaxMu(eps, delta float64) (lo, hi float64, err error) {
	if err := checkEpsilon(eps); err != nil {
		return 0, 0, err
	}
	if err := checkDelta(delta); err != nil {
		return 0, 0, err
	}
	mu := findMu(eps, delta)
	if !within(mu, 2*tiny, huge/2) {
		return 0, 0, domain("mu", mu, "1e-30 to 1e30")
	}
	at := func(mu float64) (below, above float64) {
		below, above, _ = Gaussian{mu}.Delta(eps) // the domain is checked
		return below, above
	}
	step := mu * 0x1p-52
	for lo = mu; ; step *= 2 {
		if _, above := at(lo); above <= delta {
			break
		}
		if lo -= step; !(lo > tiny) {
			return 0, 0, domain("mu", lo, "1e-30 to 1e30")
		}
	}
	step = mu * 0x1p-52
	for hi = mu; ; step *= 2 {
		if below, _ := at(hi); below >= delta {
			return lo, hi, nil
		}
		if hi += step; !(hi < huge) {
			return 0, 0, domain("mu", hi, "1e-30 to 1e30")
		}
	}
}

// findMu solves delta(eps; mu) = delta approximately: Newton's method on log delta in log mu, where d delta/d mu = phi(x), kept in a
// bracket. It starts below the solution: delta <= 1-Phi(x), and delta <= delta(0) = 2 Phi(mu/2) - 1.
func findMu(eps, delta float64) float64 {
	z, _ := quantile(delta)
	root := math.Sqrt(z.hi*z.hi + 2*eps)
	mu := root - z.hi
	if z.hi > 0 {
		mu = 2 * eps / (root + z.hi)
	}
	if _, z := quantile(0.5 - 0.5*delta); delta > 1e-8 {
		mu = max(mu, 2*z.hi)
	} else {
		mu = max(mu, 2*sqrtTwoPi().hi*(0.5*delta))
	}
	target := pair{delta, 0}.log()
	lo, hi := 0.0, math.Inf(1)
	for range 200 {
		if !within(mu, tiny, huge) {
			return mu
		}
		m := pair{mu, 0}
		x := pair{eps, 0}.over(m).minus(m.scaled(-1))
		p := difference(x, m)
		l, _, _ := p.log()
		residue := l.minus(target).hi
		if residue < 0 {
			lo = mu
		} else {
			hi = mu
		}
		slope := mu * invSqrtTwoPi().hi / p.factor.hi
		if x.hi < 0 {
			slope *= math.Exp(-0.5 * x.hi * x.hi)
		}
		next := mu * math.Exp(max(-1, min(1, -residue/slope)))
		if math.Abs(next-mu) <= 0x1p-51*mu {
			return next
		}
		if !(next > lo && next < hi) {
			if next = math.Sqrt(lo) * math.Sqrt(hi); !(next > lo && next < hi) {
				return mu
			}
		}
		mu = next
	}
	return mu
}
