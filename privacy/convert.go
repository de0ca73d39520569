package privacy

import "math"

const (
	maxOrder  = 0x1p40
	minLadder = -44 // 1+2^-44 is the smallest order tried
	maxLadder = 30
	startRung = 3
)

// The conversion between Rényi and approximate differential privacy, with c = a-1 and K(c) = c·R(a) (Balle et al. 2020,
// "Hypothesis testing interpretations and Rényi differential privacy", Theorem 21; Canonne, Kamath, Steinke 2020, "The discrete
// Gaussian for differential privacy", Proposition 12):
//
//	delta <= e^(K - c·eps + kappa(c)),  kappa(c) = c·log c - (1+c)·log(1+c) < 0.
//
// K + kappa is convex in c, so eps(c) = (K - log delta + kappa)/c has one minimum, and so has log delta.

// kappa returns a value that is at most 6 ulp from kappa(c).
func kappa(c float64) float64 {
	return -(c*math.Log1p(1/c) + math.Log1p(c))
}

// minusLog returns -log x, x > 0. On some machines math.Log is off by up to 35 where x is subnormal.
func minusLog(x float64) float64 {
	if x < 0x1p-1000 {
		return 100*math.Ln2 - math.Log(x*0x1p100)
	}
	return -math.Log(x)
}

// epsilonAt returns an upper bound on eps, clamped at 0, given an upper bound k on K(c).
func epsilonAt(c, k, delta float64) float64 { return epsilonWith(c, kappa(c), k, minusLog(delta)) }

// epsilonWith is epsilonAt with p = kappa(c) and l = -log delta.
func epsilonWith(c, p, k, l float64) float64 {
	return max(0, (k+l+p+10*ulp*(k+l-p))/c*(1+4*ulp))
}

// logDeltaAt returns an upper bound on log delta, clamped at 0, given an upper bound k on K(c).
func logDeltaAt(c, k, eps float64) float64 { return logDeltaWith(c, kappa(c), k, eps) }

// logDeltaWith is logDeltaAt with p = kappa(c).
func logDeltaWith(c, p, k, eps float64) float64 {
	ce := c * eps
	return min(0, k-ce+p+10*ulp*(k+ce-p))
}

// capacityAt returns a lower bound on the K(c) that still gives (eps, delta); it may be negative.
func capacityAt(c float64, b Budget) float64 {
	l, p, ce := minusLog(b.Delta), kappa(c), c*b.Epsilon
	return ce - l - p - 10*ulp*(ce+l-p)
}

// minimise finds the order 1+c that minimises f, which has one minimum in c; +Inf is allowed below some c. The path depends on f
// alone, so that equal histories give equal bits. It starts with c = 2^rung; inside is false at an end of the ladder.
func minimise(f func(order float64) float64, rung int) (order, value float64, inside bool) {
	at := func(x float64) float64 { return f(1 + math.Exp2(x)) }
	here, start := at(float64(rung)), rung
	for rung < maxLadder {
		v := at(float64(rung + 1))
		if v >= here && !math.IsInf(here, 1) {
			break
		}
		rung, here = rung+1, v
	}
	for rung <= start && rung > minLadder {
		v := at(float64(rung - 1))
		if v >= here {
			break
		}
		rung, here = rung-1, v
	}
	lo, hi := float64(max(rung-1, minLadder)), float64(min(rung+1, maxLadder))
	x, v := brent(at, lo, hi, float64(rung), here)
	return 1 + math.Exp2(x), v, x > minLadder+0.01 && x < maxLadder-0.01
}

// brent is Brent's minimiser on [lo, hi] from the point x with value v, to 2e-7: the objectives are flat at the minimum, so the
// value is then good to about 1e-9. It only ever returns a value that f took.
func brent(f func(float64) float64, lo, hi, x, v float64) (arg, value float64) {
	const (
		tolerance = 2e-7
		golden    = 0.3819660112501051
	)
	w, fw, y, fy := x, v, x, v // second and third best
	var step, before float64
	for range 60 {
		mid := (lo + hi) / 2
		if math.Abs(x-mid) <= 2*tolerance-(hi-lo)/2 {
			break
		}
		parabola := false
		if math.Abs(before) > tolerance {
			r, q := (x-w)*(v-fy), (x-y)*(v-fw)
			p := (x-y)*q - (x-w)*r
			q = 2 * (q - r)
			if q > 0 {
				p = -p
			}
			q = math.Abs(q)
			last := before
			before = step
			if math.Abs(p) < math.Abs(q*last/2) && p > q*(lo-x) && p < q*(hi-x) { // false when anything is NaN
				parabola = true
				step = p / q
				if x+step-lo < 2*tolerance || hi-x-step < 2*tolerance {
					step = math.Copysign(tolerance, mid-x)
				}
			}
		}
		if !parabola {
			before = lo - x
			if x < mid {
				before = hi - x
			}
			step = golden * before
		}
		if math.Abs(step) < tolerance {
			step = math.Copysign(tolerance, step)
		}
		u := x + step
		fu := f(u)
		if fu <= v {
			if u >= x {
				lo = x
			} else {
				hi = x
			}
			y, fy, w, fw, x, v = w, fw, x, v, u, fu
			continue
		}
		if u < x {
			lo = u
		} else {
			hi = u
		}
		if fu <= fw || w == x {
			y, fy, w, fw = w, fw, u, fu
		} else if fu <= fy || y == x || y == w {
			y, fy = u, fu
		}
	}
	return x, v
}
