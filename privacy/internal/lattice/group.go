package lattice

import (
	"fmt"
	"math"
)

// maxGroup bounds the records of a group: one component of the mixture each.
const maxGroup = 256

// PoissonGroup is the pair for a group of k records that are present or not, each sampled at rate q (Ganesh 2024, arXiv
// 2401.10294, Theorem 3.1): sum_j Binomial(k, q)(j) N(j) against N(0), exchanged if add is true.
func PoissonGroup(k int, q, sigma float64, add bool) (*Mixture, error) {
	if k < 1 || k > maxGroup || !(q > 0 && q <= 1) {
		return nil, fmt.Errorf("%w: group of %d records, limit %d, sampling rate %v", ErrParameter, k, maxGroup, q)
	}
	if q == 1 {
		return group([]float64{0}, k, 1, sigma, add)
	}
	w := make([]float64, k+1)
	w[0] = math.Exp(float64(k) * math.Log1p(-q))
	for j := 1; j <= k; j++ {
		w[j] = w[j-1] * (float64(k-j+1) / float64(j)) * (q / (1 - q))
	}
	if !(w[0] > 1e-280) {
		return nil, fmt.Errorf("%w: group of %d records at rate %v", ErrParameter, k, q)
	}
	return group(w, 0, 1, sigma, add)
}

// BatchGroup is the pair for a group of k records that are present or not in a data set of n, in batches of m drawn without
// replacement (Ganesh 2024, Theorem 3.3): sum_j Hypergeometric(n, k, m)(j) N(2j) against N(0), exchanged if add is true; sigma
// is the noise over the clip norm, n the size of the larger data set. It needs n-m >= k.
func BatchGroup(n, m, k int, sigma float64, add bool) (*Mixture, error) {
	if k < 1 || k > maxGroup || m < 1 || m > n || n-m < k {
		return nil, fmt.Errorf("%w: group of %d records (limit %d), batches of %d of %d", ErrParameter, k, maxGroup, m, n)
	}
	w := make([]float64, k+1)
	w[0] = 1
	for i := range k {
		w[0] *= float64(n-m-i) / float64(n-i)
	}
	for j := range min(k, m) {
		w[j+1] = w[j] * (float64(k-j) / float64(j+1)) * (float64(m-j) / float64(n-k-m+j+1))
	}
	if !(w[0] > 1e-280) {
		return nil, fmt.Errorf("%w: group of %d records in batches of %d of %d", ErrParameter, k, m, n)
	}
	return group(w, 0, 2, sigma, add)
}

// group makes the mixture of weights w at multiples of step, or of the one at sure*step. The weights come from products of at
// most 3k factors of relative error u, and one exponential of relative error below 1000u.
func group(w []float64, sure int, step, sigma float64, add bool) (*Mixture, error) {
	var mix []Component
	if sure > 0 {
		mix = []Component{{1, float64(sure) * step}}
	} else {
		for j, p := range w {
			mix = append(mix, Component{p, float64(j) * step})
		}
	}
	base := []Component{{1, 0}}
	if add {
		mix, base = base, mix
	}
	m, err := NewMixture(mix, base, sigma)
	if err != nil {
		return nil, err
	}
	m.werr = unit * (1000 + 4*float64(len(w)))
	return m, nil
}
