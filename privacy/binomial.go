package privacy

import "math"

// overflow returns the probability that Binomial(n, q) is b or more, from below and from above, and a lower bound on the share of exactly b in
// it; 0 < q < 1, 1 <= b <= n. All probabilities are taken relative to that of the mode, by the ratios of neighbours.
func overflow(n int64, q float64, b int64) (lo, hi, share float64) {
	const cut = 1e-300
	odds := q / (1 - q)
	mode := min(n, int64((float64(n)+1)*q))
	steps := 1.0
	var above, below compensated // sums of the probabilities from b on, and below b
	exact, rest := 0.0, 0.0
	count := func(j int64, p float64) {
		if j >= b {
			above.add(p)
		} else {
			below.add(p)
		}
		if j == b {
			exact = p
		}
		steps++
	}
	// Beyond the cuts, more than 30 standard deviations away, the ratios are below 1 by more than 1/steps.
	p, j := 1.0, mode
	count(j, p)
	for ; j < n && p > cut; j++ {
		p *= float64(n-j) / float64(j+1) * odds
		count(j+1, p)
	}
	if j < n {
		rest = cut * steps * 1e3
	}
	p, j = 1.0, mode
	for ; j > 0 && p > cut; j-- {
		p *= float64(j) / float64(n-j+1) / odds
		count(j-1, p)
	}
	if j > 0 {
		rest += cut * steps * 1e3
	}
	err := 16 * steps * ulp
	if above.value() == 0 { // b lies beyond what was summed
		return 0, 1e-250, 0
	}
	sum := above.value() + below.value()
	lo = math.Max(0, above.value()/(sum+rest)*(1-err))
	hi = math.Min(1, up((above.value()+rest)/sum*(1+err), 8))
	return lo, hi, math.Max(0, exact/(above.value()+rest)*(1-err))
}
