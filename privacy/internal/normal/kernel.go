package normal

// tail returns delta(eps) of the Gaussian mu: above it for side 1, below it for side -1, as close as the arithmetic allows. eps may
// be off by slack.
//
// With x = eps/mu - mu/2 and y = x+mu, delta = Phi(-x) - e^eps Phi(-y) and y²-x² = 2 eps, hence delta = phi(x)(m(x) - m(y)), m the
// Mills ratio: no e^eps. Delta falls in x, so that the error of x is a shift of it.
func tail(eps, mu pair, slack float64, side float64) positive {
	far, near := eps.over(mu), mu.scaled(-1)
	shift := (far.hi+near.hi)*0x1p-98 + slack/mu.hi*(1+0x1p-40)
	return difference(far.minus(near).minus(pair{side * shift, 0}), mu)
}

// difference returns phi(x)(m(x) - m(x+h)), h > 0, x+h > 0 and |x| <= 1e90.
func difference(x, h pair) positive {
	half := x.times(x).scaled(-1)
	if x.hi < 0 {
		if half.hi > 900 {
			return positive{pair{}, pair{1, 0}, 0x1p-1000}
		}
		// 1 - phi(x)(m(-x) + m(x+h)), with an absolute error
		y, k := positive{half, x.neg().mills().plus(x.plus(h).mills()).times(invSqrtTwoPi()), 0}.split()
		p := relative(pair{}, pair{1, 0}.minus(y.scaled(k)), arithmeticErr)
		if p.err > 0x1p-60 {
			// m(x)-m(x+h) is the integral of g(s) = 1-s·m(s) over an interval of |s| <= h, where |g-1| <= 1.3|s|, and phi(x) is
			// within x²/2 of phi(0).
			p = better(p, positive{pair{}, h.times(invSqrtTwoPi()), 1.4*h.hi + 0x1p-100})
		}
		return p
	}
	m, n := x.mills(), x.plus(h).mills()
	p := relative(half, m.minus(n), 2*millsErr*m.hi)
	if p.err > 0x1p-60 {
		p = better(p, short(x, h, m, half))
		if x.hi > 1 {
			// Between h/(y²+3) and h/(x²+1), from x/(x²+1) <= m(x) <= (x²+2)/(x³+3x) (Birnbaum 1942; Sampford 1953).
			square := x.times(x)
			p = better(p, positive{half, h.over(square), ((2*x.hi+h.hi)*h.hi + 3) / square.hi * (1 + 0x1p-40)})
		}
	}
	return p.times(invSqrtTwoPi(), 0)
}

// short is difference for an h that is lost in x: h·g(x), g(s) = 1-s·m(s) = -m'(s), where g falls with slope at most m(x).
func short(x, h, m, half pair) positive {
	p := relative(half, pair{1, 0}.minus(x.times(m)), 0x1p-90*(1+x.hi*m.hi))
	if !(p.err < 0.5) {
		return p
	}
	p.err += 2 * h.hi * m.hi / p.factor.hi
	return p.times(h, 0)
}

// relative turns an absolute error of factor into a relative one. Where it swallows the factor, the result covers 0 and factor+err.
func relative(drop, factor pair, err float64) positive {
	if factor.hi > 2*err {
		return positive{drop, factor, err / factor.hi * (1 + 0x1p-40)}
	}
	return positive{drop, pair{max(0, factor.hi) + err*(1+0x1p-40), 0}, 1}
}

func better(a, b positive) positive {
	if b.err < a.err {
		return b
	}
	return a
}
