package normal

import "math"

// root is a solution of delta(eps) = target to nearly pair precision, not certified, with d log(delta)/d eps there.
type root struct {
	n     pair // what solve solves for: eps, or nu of a Sampled
	eps   pair
	slope float64
}

// solve finds n >= 0 with log delta(n) + weight(n) = target, where delta is the profile of the Gaussian mu and weight <= 0 falls and
// is concave, with its slope; nil is 0. Zero stands for a target that is reached at 0. It starts at the n of a larger mu where known,
// else where the tail of the loss alone reaches the target.
//
// Log delta is concave: delta(n) is the convolution of two log-concave functions, the normal density of the loss and (1-e^-y)+
// (Prékopa). So Newton's method from the right, where delta <= 1-Phi(x) <= e^(-x²/2)/2 puts the start, stays on the right.
func solve(mu, target, start pair, weight func(n pair) (w pair, slope float64)) root {
	near := mu.scaled(-1)
	at := func(x pair) (n, residue pair, slope float64) {
		n = mu.times(x.plus(near))
		p := difference(x, mu)
		l, _, _ := p.log()
		// d log(delta)/dn = -phi(x)·m(x+mu)/delta, where delta is phi(x)·sqrt(2 pi)·factor for x >= 0
		slope = -x.plus(mu).mills().hi * invSqrtTwoPi().hi / p.factor.hi
		if x.hi < 0 {
			slope *= math.Exp(-0.5 * x.hi * x.hi)
		}
		residue = l.minus(target)
		if weight != nil {
			w, s := weight(n)
			residue, slope = residue.plus(w), slope+s
		}
		return n, residue, slope
	}
	if _, residue, slope := at(near.neg()); residue.hi <= 0 {
		return root{slope: slope}
	}
	x := pair{math.Sqrt(max(0, -2*(target.hi+math.Ln2))), 0}
	if start.hi > 0 {
		x = start.over(mu).minus(near)
	}
	for range 200 {
		n, residue, slope := at(x)
		step := residue.hi / -slope
		n = n.plus(pair{step, 0})
		if n.hi < 0 {
			n = pair{}
		}
		x = n.over(mu).minus(near)
		if !(math.Abs(step) > 0x1p-40*n.hi) {
			return root{n, n, slope}
		}
	}
	n := mu.times(x.plus(near))
	return root{n, n, math.NaN()}
}

// bracket certifies the eps of a delta from bounds of the profile.
type bracket struct {
	delta        float64
	lower, upper func(eps float64) float64 // of the profile at eps
	limit        float64                   // where the profile is certainly below delta, or the end of the domain
}

// epsilon moves a down and b up until the bounds prove them: the profile falls strictly where it is positive.
func (k bracket) epsilon(a, b root) (lo, hi float64, err error) {
	lo = max(0, a.eps.hi)
	for step := stride(a); lo > 0 && !(k.lower(lo) >= k.delta); step *= 2 {
		lo -= max(step, lo-math.Nextafter(lo, 0))
	}
	lo = max(0, lo)
	hi = max(0, b.eps.hi)
	for step := stride(b); !(k.upper(hi) <= k.delta); step *= 2 {
		hi += max(step, math.Nextafter(hi, math.Inf(1))-hi)
		if !(hi < k.limit) {
			hi = k.limit
			break
		}
	}
	if !(k.upper(hi) <= k.delta) {
		return 0, 0, domain("delta", k.delta, "one that an epsilon below the end of the domain reaches")
	}
	return lo, hi, nil
}

// stride is the distance in eps that a unit in the last place of delta makes.
func stride(r root) float64 {
	s := 0x1p-53 / math.Abs(r.slope)
	if s > 0 && !math.IsInf(s, 1) {
		return s
	}
	return math.SmallestNonzeroFloat64
}
