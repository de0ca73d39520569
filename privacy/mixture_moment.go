package privacy

import (
	"math"
	"math/big"
	"slices"
)

const minWeight = 1e-60

// mixedGaussian is P = sum of weight·N(shift, 1) against Q = N(0, 1), in either direction. The first weight is what the others leave of 1.
//
// Both curves grow when probability moves to larger shifts: the likelihood ratio increases with x, so that of removing is the
// largest P(x>t) - e^eps·Q(x>t), that of adding the largest Q(x<t) - e^eps·P(x<t). Hence shifts, and weights other than the smallest
// shift's, may be rounded up.
//
// The components may leave out some of the largest shifts, of a probability of at most lost in all. Given none of those, P is what stands
// here, so removing costs lost in infinite losses; and as P is at least 1-lost times that, adding costs up to -log(1-lost) more loss.
type mixedGaussian struct {
	list string
	lost float64
}

// mixed returns the law of components by increasing shift, in standard deviations, whose weights, all but the first rounded up, may
// exceed 1 in sum: the smallest shifts then give way.
func mixed(list []Component, lost float64) mixedGaussian {
	rest := new(big.Float).SetPrec(1200).SetInt64(1) // exact: weights are from 1e-60 on
	first := len(list) - 1
	for ; first > 0; first-- {
		list[first].Weight = max(list[first].Weight, minWeight)
		left := new(big.Float).Sub(rest, big.NewFloat(list[first].Weight))
		if left.Cmp(big.NewFloat(minWeight)) < 0 {
			break
		}
		rest = left
	}
	list = list[first:]
	list[0].Weight, _ = rest.Float64()
	return mixedGaussian{encodeComponents(list), lost}
}

func (m mixedGaussian) infinite() float64 { return m.lost }

// pairs returns the laws of removing and of adding.
func (m mixedGaussian) pairs() (remove, add pair) {
	list := decodeComponents(m.list)
	if list[0].Shift != 0 {
		list = slices.Insert(list, 0, Component{})
	}
	n := len(list)
	shift, mix, base := make([]float64, n), make([]float64, n), make([]float64, n)
	base[0] = 1
	for i, x := range list {
		shift[i], mix[i] = x.Shift, x.Weight
	}
	return pair{shift, mix, base}, pair{shift, base, mix}
}

// logMoment takes the larger of two quadratures (pair), or where they are not affordable the bound of joint convexity, the same for both
// directions: A <= sum of weight·e^(a(a-1)shift²/2).
func (m mixedGaussian) logMoment(a float64) float64 {
	remove, add := m.pairs()
	var sum scaled
	for i, s := range remove.shift {
		if y := a * (a - 1) / 2 * s * s; y > 50 {
			sum.add(y, remove.p[i], 8*y+8)
		} else {
			sum.add(0, remove.p[i]*math.Expm1(y), 8*y+16)
		}
	}
	k := sum.log1p(1, 0)
	if there, ok := remove.logMoment(a); ok && there < k {
		if back, ok := add.logMoment(a); ok {
			k = min(k, max(there, back))
		}
	}
	if m.lost > 0 {
		k = up(k+(a-1)*2*m.lost, 4)
	}
	return k
}

// binomialMixture returns the mixture of j hits, j from Binomial(n, q), 0 < q <= 1, each of which moves the sum by unit standard deviations.
// Up to 1e-30 of the probability at the largest j is lost, at the smallest j is rounded up; where more outcomes are left than a mixture
// holds, each is rounded up to the largest of a group.
func binomialMixture(n int64, q, unit float64) mixedGaussian {
	if q == 1 {
		return mixed([]Component{{up(ceil(n)*unit, 2), 1}}, 0)
	}
	const cut = 1e-34
	odds := up(q/(1-q), 4)
	mode := min(n, int64((float64(n)+1)*q))
	above := []float64{1} // relative to the probability of the mode, which 1 over their sum bounds from above
	for j := mode; j < n && above[len(above)-1] > cut; j++ {
		above = append(above, above[len(above)-1]*(float64(n-j)/float64(j+1)*odds))
	}
	var below []float64
	for j, p := mode, 1.0; j > 0 && p > cut; j-- {
		p *= float64(j) / float64(n-j+1) / odds
		below = append(below, p)
	}
	slices.Reverse(below)
	lo, hi := mode-int64(len(below)), mode+int64(len(above)-1)
	p := append(below, above...)
	sum := 0.0
	for _, x := range p {
		sum += x
	}
	margin := float64(16*len(p) + 16)
	lost := 0.0
	if hi < n {
		fall := float64(n-hi) / float64(hi+1) * odds // from hi to hi+1, and less beyond
		lost = up(p[len(p)-1]/sum*fall/(1-fall), 2*margin)
	}
	stride := (len(p) + maxComponents - 1) / maxComponents
	var list []Component
	for len(p) > 0 {
		group := 0.0
		size := min(stride, len(p))
		for _, x := range p[:size] {
			group += x
		}
		p = p[size:]
		lo += int64(size)
		x := Component{Weight: up(group/sum, margin)}
		if lo > 1 {
			x.Shift = up(ceil(lo-1)*unit, 2)
		}
		list = append(list, x)
	}
	return mixed(list, lost)
}
