package privacy

import "math"

// replaceOneGaussian is the Gaussian on a Poisson sample of rate q < 1 under ReplaceOne: the pair P = (1-q)N(0,s²) + qN(1,s²),
// Q = (1-q)N(0,s²) + qN(-1,s²), s = sigma, in units of Clip. Reflection exchanges P and Q, so one direction stands for both.
//
// No other pair of records does worse, at any k = e^eps > 0. Given the other records of the batch (joint convexity), the outputs are
// (1-q)N(0) + qN(x) and (1-q)N(0) + qN(x'), |x|, |x'| <= 1, so with densities f of the three Gaussians
//
//	k >= 1:  H_k = ∫[q·f_x - kq·f_x' - (k-1)(1-q)·f_0]_+ = q·E_x[(1 - k·A - b·B)_+],   A = f_x'/f_x,  B = f_0/f_x
//	k < 1:   H_k = ∫[q·f_x + (1-k)(1-q)·f_0 - kq·f_x']_+ = q·E_x'[(A + b·B - k)_+],    A = f_x/f_x',  B = f_0/f_x'
//
// with b >= 0. A and B are jointly lognormal of mean 1; the logarithms have variances |x-x'|²/s² <= 4/s² and |x|²/s² (|x'|²/s²)
// <= 1/s² and a covariance of at most the root of their product. Both integrands are convex functions of a combination of A and B
// whose coefficients have one sign, hence convex in each and supermodular in (log A, log B). Multiplying A or B by an
// independent lognormal of mean 1 raises a variance, keeps the covariance and, by Jensen's inequality, does not lower the expectation;
// raising the covariance of a normal pair at fixed variances does not lower the expectation of a supermodular function
// (Tchen 1980). So the expectation is largest at variances 4/s² and 1/s² with covariance 2/s², which x = 1, x' = -1 attains.
//
// H_k does not decrease in q: for q' < q the pair of q' is a mixture, in the proportion q'/q, of that of q and of (N(0), N(0)).
type replaceOneGaussian struct{ q, sigma float64 }

func (replaceOneGaussian) infinite() float64 { return 0 }

// logMoment is a quadrature (pair), or where that is not affordable the bound of joint convexity: A <= 1-q + q·e^(2a(a-1)/sigma²),
// the second term of a Gaussian at distance 2.
func (m replaceOneGaussian) logMoment(a float64) float64 {
	s := 1 / m.sigma
	if math.FMA(s, m.sigma, -1) < 0 {
		s = math.Nextafter(s, 2*s) // further apart
	}
	bound := mixedMoment(2*a*(a-1)*s*s, m.q)
	pair := pair{[]float64{0, s, -s}, []float64{1 - m.q, m.q, 0}, []float64{1 - m.q, 0, m.q}}
	if k, ok := pair.logMoment(a); ok {
		return min(bound, k)
	}
	return bound
}

// mixedMoment returns an upper bound on log(1 + q·(e^y - 1)), y >= 0 known to 8 ulp.
func mixedMoment(y, q float64) float64 {
	if y > 700 {
		return up(y+math.Log(q)+math.Exp(-y)/q+16*ulp*(y-math.Log(q)), 8)
	}
	return up(math.Log1p(up(q*math.Expm1(up(y, 8)), 8)), 4)
}
