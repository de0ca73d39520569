package loss

import "math"

// AllocationRenyi encloses the Renyi divergence of the remove direction of the allocation to one of t steps, for the integer
// order alpha >= 2 (Feldman & Shenfeld 2025, Theorem 4.4 and Corollary 4.6):
//
//	e^((alpha-1)D) = alpha! t^-alpha [z^alpha] f(z)^t,  f = sum_k z^k c_k/k!,  c_k = e^(k(k-1)/(2 sigma^2)).
//
// With f = e^z + h, h starting at z^2, the power is the sum of C(t,j) e^((t-j)z) h^j, and j = 0 gives exactly 1: all that is
// above 1 is a sum of positive terms over j <= alpha/2, computed in logarithms without cancellation.
func AllocationRenyi(sigma float64, t, alpha int) (lo, hi float64, err error) {
	if !inOpen(sigma, 0.05, 1e6) {
		return 0, 0, parameter("sigma", sigma, "above 0.05 and below 1e6")
	}
	if t < 1 || t > 1<<30 {
		return 0, 0, parameter("steps", t, "1 to 2^30")
	}
	if alpha < 2 || alpha > 512 {
		return 0, 0, parameter("order", alpha, "2 to 512")
	}
	factorial := make([]float64, alpha+1) // logarithms
	for k := 1; k <= alpha; k++ {
		factorial[k] = factorial[k-1] + math.Log(float64(k))
	}
	h := make([]float64, alpha+1)
	h[0], h[1] = math.Inf(-1), math.Inf(-1)
	for k := 2; k <= alpha; k++ {
		x := float64(k) * float64(k-1) / (2 * sigma * sigma)
		h[k] = x + math.Log(-math.Expm1(-x)) - factorial[k]
	}
	power := []float64{0} // ln of the coefficients of h^j from z^(2j) on
	excess := math.Inf(-1)
	choose := 0.0 // ln C(t, j)
	terms := make([]float64, 0, alpha+1)
	far := math.Abs(h[alpha]) + factorial[alpha] + float64(alpha)*math.Log(float64(t)+1)
	for j := 1; j <= alpha/2 && j <= t; j++ {
		next := make([]float64, alpha+1-2*j)
		for k := range next {
			terms = terms[:0]
			for i := 0; i <= k && i < len(power); i++ {
				terms = append(terms, power[i]+h[2+k-i])
			}
			next[k] = logSum(terms)
		}
		power = next
		choose += math.Log(float64(t-j+1)) - math.Log(float64(j))
		terms = terms[:0]
		for k, x := range power {
			left := alpha - 2*j - k
			switch {
			case t > j:
				x += float64(left)*math.Log(float64(t-j)) - factorial[left]
			case left > 0:
				continue
			}
			terms = append(terms, x)
		}
		terms = append(terms[:len(terms):len(terms)], excess-choose)
		excess = choose + logSum(terms)
	}
	excess += factorial[alpha] - float64(alpha)*math.Log(float64(t))
	// Per factor of h a logarithm errs by a few ulp of the largest logarithm, plus an ulp per summand.
	e := ulp * float64(alpha) * (8*far + 4*float64(alpha) + 64)
	value := func(x float64) float64 {
		if x > 30 {
			return x + math.Log1p(math.Exp(-x))
		}
		return math.Log1p(math.Exp(x))
	}
	n := float64(alpha - 1)
	return value(excess-e) / n * (1 - 16*ulp), value(excess+e) / n * (1 + 16*ulp), nil
}

// logSum is ln of the sum of the exponentials.
func logSum(x []float64) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = math.Max(top, v)
	}
	if math.IsInf(top, -1) {
		return top
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

// AllocationAdd bounds delta of the add direction of epochs allocations to one of t steps, drawn anew, from above without a lattice
// (Feldman & Shenfeld 2025, Theorem 4.5): the inequality of the means puts S/t above e^-(1-1/t)/(2 sigma^2) times a log-normal
// factor, so that delta is at most that of a Gaussian at the distance sqrt(E/t)/sigma and eps - E(1-1/t)/(2 sigma^2).
func AllocationAdd(sigma float64, t, epochs int, eps float64) (float64, error) {
	if !inOpen(sigma, 0.05, 1e6) {
		return 0, parameter("sigma", sigma, "above 0.05 and below 1e6")
	}
	if t < 1 || t > 1<<30 {
		return 0, parameter("steps", t, "1 to 2^30")
	}
	if epochs < 1 || epochs > 1<<30 {
		return 0, parameter("epochs", epochs, "1 to 2^30")
	}
	if math.IsNaN(eps) || math.IsInf(eps, 0) {
		return 0, parameter("eps", eps, "a finite number")
	}
	n, e := float64(t), float64(epochs)
	shift := e * (1 - 1/n) / (2 * sigma * sigma)
	mu := math.Sqrt(e/n) / sigma
	// delta falls with eps and grows with mu: round both to the safe side.
	l := eps - shift - 8*ulp*(math.Abs(eps)+shift)
	return clamp01(gaussian{mu * (1 + 8*ulp)}.curve(l)), nil
}
