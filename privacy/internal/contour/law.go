package contour

import "math"

// law is the loss law of one part in one direction. Positions are in units of the noise, y = x/sigma, so that the Gaussian weight
// of an exact node is exact and sigma enters through s = 1/sigma alone.
//
// With r(y) = 1-q+q e^v, v = s y - s^2/2 (mixture density over plain density) and l = log r, the loss is l under the mixture (remove)
// or -l under N(0,1) (add), and E e^(zL) is the integral of n0 r^p, p = z+1 (remove) or -z (add).
type law struct {
	q, notq, logq float64
	s, half       float64 // 1/sigma, 1/(2 sigma^2)
	sigma         float64
	count         float64
	add           bool
	cut           float64 // losses at y > cut are left out of the law; +Inf: none are
}

func newLaw(p Part, d Direction) law {
	s := 1 / p.Sigma
	return law{
		q: p.Rate, notq: 1 - p.Rate, logq: math.Log(p.Rate), s: s, half: s * s / 2, sigma: p.Sigma,
		count: float64(p.Count), add: d == Add, cut: math.Inf(1),
	}
}

// power is the exponent of r at z = c.
func (l *law) power(c float64) float64 {
	if l.add {
		return -c
	}
	return c + 1
}

// at returns l(y), w(y) = q e^v/r = l'(y)/s and a bound of the rounding error of l. It counts one ulp (2u) in sigma:
// s is within 3u, s y within 4u, s^2/2 within 7u.
func (l *law) at(y float64) (ell, w, slip float64) {
	sy := l.s * y
	v := sy - l.half
	dv := unit * (4*math.Abs(sy) + 7*l.half + math.Abs(v))
	if v > 700 {
		ell = v + l.logq // the other term of the mixture is below e^-100 of this one
		return ell, 1, dv + unit*(5*math.Abs(l.logq)+2*math.Abs(ell)+1)
	}
	ev := math.Exp(v)
	qe := l.q * ev
	r := l.notq + qe
	w = qe / r
	if ux := l.q * (ev - 1); ux > -0.5 {
		ell = math.Log1p(ux)
		return ell, w, w*(dv+5*unit) + unit*(2*math.Abs(ux)/r+4*math.Abs(ell))
	}
	ell = math.Log(r)
	return ell, w, w*(dv+6*unit) + unit*(3+4*math.Abs(ell))
}

// tilt returns w(y) alone.
func (l *law) tilt(y float64) float64 {
	v := l.s*y - l.half
	if v > 700 {
		return 1
	}
	qe := l.q * math.Exp(v)
	return qe / (l.notq + qe)
}

// reach returns an upper bound of the place of the rightmost maximum of n0 r^p, where all is decreasing beyond it.
// Remove: (log f)' = -y + p s w(y) with w increasing, so that y -> p s w(y) maps upper bounds of its largest fixed point to smaller
// ones, beginning with p s. Add: f is log-concave and the root of -y - c s w(y) is unique.
func (l *law) reach(c float64) float64 {
	if !l.add {
		top := (c + 1) * l.s
		y := top
		for range 6 {
			next := top * l.tilt(y)
			if next > y-0.3 {
				break
			}
			y = next
		}
		return y
	}
	lo, hi := -c*l.s*l.tilt(0), 0.0
	y := 0.0
	for range 40 {
		w := l.tilt(y)
		g := y + c*l.s*w
		if g > 0 {
			hi = y
		} else {
			lo = y
		}
		if hi-lo < 0.1 || math.Abs(g) < 0.02 {
			break
		}
		y -= g / (1 + c*l.s*l.s*w*(1-w))
		if !(y > lo && y < hi) {
			y = (lo + hi) / 2
		}
	}
	return hi
}

// upperTail bounds P(Y > y) of the remove direction from above.
func (l *law) upperTail(y float64) float64 {
	p := l.notq*math.Erfc(y/math.Sqrt2) + l.q*math.Erfc((y-l.s)/math.Sqrt2)
	return p / 2 * (1 + 1e-12*(1+y*y)) // erfc(x) changes by 2 x^2 u relative to u in x
}

// cutAt returns a y, with few bits, beyond which the remove direction has mass at most p.
func (l *law) cutAt(p float64) float64 {
	lo, hi := 0.0, 40+l.s
	for range 60 {
		y := (lo + hi) / 2
		if l.upperTail(y) <= p {
			hi = y
		} else {
			lo = y
		}
		if hi-lo < 1.0/64 {
			break
		}
	}
	return math.Ceil(hi*64) / 64
}
