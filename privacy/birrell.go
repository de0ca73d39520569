package privacy

import "math"

const (
	mostBirrell  = 256
	mostExpanded = 16 // terms of an expansion; more seldom help
)

// BirrellBound returns the bound of Birrell, Ebrahimi, Behnia, Pacheco 2024 ("Differentially private stochastic gradient descent with
// fixed-size minibatches: tighter RDP guarantees with or without replacement", arXiv 2408.10456, Theorem 3.3 under AddRemove, else Theorem
// 3.4) on the Rényi divergence of one step, rounded up, at a real order from above 1 to 256, with the number of terms that makes it
// smallest.
//
// It needs a batch below Records and a noise of 0.06 clips or more. It is good where the rate is low and the noise is not; at high orders it
// is far too large. The accountants use smaller figures, see [Renyi]: the exact curve under AddRemove, else a sharper form of this
// expansion, or where that is smaller the bound of the privacy profile.
func (f FixedSize) BirrellBound(order float64) (float64, error) {
	if err := f.Validate(); err != nil {
		return 0, err
	}
	if f.Batch == f.Records {
		return 0, &InvalidError{"FixedSize.Batch", f.Batch, "below Records for this bound"}
	}
	if !(order > 1 && order <= mostBirrell) {
		return 0, &InvalidError{"order", order, "a number above 1, at most 256"}
	}
	sigma := f.Gaussian.doubled().Multiplier()
	if !(sigma >= 0.03) {
		return 0, &InvalidError{"FixedSize.Gaussian.StdDev", f.Gaussian.StdDev, "at least 0.06·Clip for this bound"}
	}
	x := newExpansion(ratio(f.Batch, f.Records), sigma, order)
	k := 0.0
	if f.Gaussian.Relation == AddRemove {
		k = x.removed()
	} else {
		k = x.replaced(true)
	}
	if !(k >= 0 && k <= math.MaxFloat64) {
		return 0, noBound("birrell", "the bound is beyond the range of float64")
	}
	return divergence(k, order), nil
}

// expansion bounds A = E[(1+q·u)^a·(1+q·w)^(1-a)] by Taylor's theorem in q, where u = R-1 and w = S-1 for two likelihood ratios to a common
// Gaussian, the means of the three at most 1 apart and sigma the noise. That is the moment of (1-q)·N(0)+q·N(x) against
// (1-q)·N(0)+q·N(y), and where w = 0 that of the pair of AddRemove.
//
// With (a)_j = a(a-1)...(a-j+1) the derivatives at 0 and the integral form of the remainder after m terms are
//
//	F_k = sum over j of C(k,j)·(a)_j·(1-a)_(k-j)·E[u^j·w^(k-j)]
//	q^m/(m-1)!·∫(1-t)^(m-1)·sum over j of C(m,j)·(a)_j·(1-a)_(m-j)·E[u^j·(1+tq·u)^(a-j)·w^(m-j)·(1+tq·w)^(1-a-m+j)]dt  over [0,1].
//
// Moments. M_k = E[u^k] is largest at the largest distance for even k (u is a martingale in the squared distance), and by Hölder's
// inequality E[|u|^j·|w|^(k-j)] <= B_k, B_k = M_k for even k, else sqrt(M_(k-1)·M_(k+1)). With s = 1/sigma², b = e^s-1 and E[R·f(R)] =
// E[f(R·e^s)], E[R·(R-1)^k] = E[(e^s·u+b)^k], so that all is positive in
//
//	M_(k+1) = (e^(sk)-1)·M_k + sum over j < k of C(k,j)·e^(sj)·b^(k-j)·M_j,  M_0 = 1, M_1 = 0.
//
// Terms. F_1 = 0. F_2 = a(a-1)·E[(R-S)²] = a(a-1)·(e^A+e^B-2e^((A+B-C)/2)), A, B, C <= s the squared distances over sigma²: it grows with
// C, then with A and B, up to the 2a(a-1)·(e^s-e^(s/2)) of the paper. Such a triangle does not fit in the ball that records are clipped to,
// and the largest value is a(a-1)·(e^s-1), see second. For k > 2 let f = a^(k-1)·(a-1). If all of (-1)^(k-j)·(a)_j·(1-a)_(k-j) were f,
// F_k would be f·E[(R-S)^k]; what they differ by adds at most its size times B_k. And E[(R-S)^k] <= 4·B_k for even k, 2·B_k for odd k
// (3 in the paper): where the common density is not the smallest, R-S is at most the excess of one over the other, relative to that other;
// where it is, the excess over the common one; and where R < S an odd power is negative.
//
// Remainder. 1+tq·w >= 1-q; so (1+tq·u)^(a-j) <= (1-q)^(a-j) for j >= a, and else it is at most (1+tq·|u|)^n, n = ceil(a)-j, whose
// powers have ∫(1-t)^(m-1)·t^l dt = (m-1)!·l!/(m+l)! (the paper adds 1 to that power, for u < 0). With g_k = q^k·B_k/k! this is the sum over j of
//
//	C(m,j)·|(a)_j·(1-a)_(m-j)|·(1-q)^(-(a+m-j-1))·(g_m·(1-q)^(a-j) for j >= a, else sum over l <= n of (n)_l·g_(m+l)).
//
// All of it holds for real a > 1 and q < 1. The sigma of the paper is twice the one here.
type expansion struct {
	q, s, a float64
	logB    float64
	err     []float64   // of moment, upwards, in units of 1
	moment  []float64   // upper bounds on log M_k
	logs    []float64   // log k!
	fall    []float64   // (a)_j/a^j
	rise    []float64   // (-1)^j·(1-a)_j/a^j
	sum     compensated // log k! of the last of logs
}

func newExpansion(q, sigma, a float64) *expansion {
	s := up(1/(sigma*sigma), 4)
	x := &expansion{q: q, s: s, a: a, logB: logExpm1(s), fall: []float64{1}, rise: []float64{1}}
	size := int(math.Ceil(a)) + mostExpanded + 2
	x.moment = append(make([]float64, 0, size), 0, math.Inf(-1), x.logB+16*ulp*(1+math.Abs(x.logB)))
	x.err = append(make([]float64, 0, size), 0, 0, 32*ulp*(1+math.Abs(x.logB)))
	x.logs = append(make([]float64, 0, size), 0, 0, math.Ln2)
	x.sum.add(math.Ln2)
	return x
}

// logExpm1 returns log(e^y-1), y > 0, to a few ulp of the larger of it and y.
func logExpm1(y float64) float64 { return y + math.Log(-math.Expm1(-y)) }

// grow extends moment to k.
func (x *expansion) grow(k int) {
	for len(x.moment) <= k {
		n := len(x.moment) - 1 // the moments to n give that of n+1
		x.sum.add(math.Log(float64(n + 1)))
		x.logs = append(x.logs, x.sum.value())
		exponent := func(j int) float64 {
			if j == n {
				return logExpm1(x.s*float64(n)) + x.moment[n]
			}
			return x.logs[n] - x.logs[j] - x.logs[n-j] + x.s*float64(j) + float64(n-j)*x.logB + x.moment[j]
		}
		top := math.Inf(-1)
		for j := 0; j <= n; j++ {
			top = max(top, exponent(j))
		}
		sum := scaled{shift: top}
		worst := 0.0
		for j := 0; j <= n; j++ {
			if e := exponent(j); e > top-100 { // false for M_1 = 0
				sum.add(e, 1, 40+8*(x.logs[n]+x.s*float64(n)+float64(n-j)*math.Abs(x.logB)+math.Abs(x.moment[j])))
				worst = max(worst, x.err[j])
			}
		}
		margin := float64(n)*math.Exp(-100)/sum.sum.value() + 2*sum.err/sum.sum.value()*ulp + 64*ulp*(1+math.Abs(top))
		sum.add(top-100, float64(n), 40)
		x.moment = append(x.moment, sum.log())
		x.err = append(x.err, worst+margin)
	}
}

// absolute returns an upper bound on log B_k.
func (x *expansion) absolute(k int) float64 {
	if k%2 == 0 {
		x.grow(k)
		return x.moment[k]
	}
	x.grow(k + 1)
	return (x.moment[k-1] + x.moment[k+1]) / 2
}

// factors extends fall and rise to k; both are good to 4k ulp.
func (x *expansion) factors(k int) {
	for j := len(x.fall); j <= k; j++ {
		i := float64(j - 1)
		x.fall = append(x.fall, x.fall[j-1]*(x.a-i)/x.a)
		x.rise = append(x.rise, x.rise[j-1]*((x.a-1)+i)/x.a)
	}
}

// weight returns log((a·q)^k/k!), and what it is wrong by in ulp.
func (x *expansion) weight(k int) (l, eta float64) {
	x.grow(k)
	power := float64(k) * (math.Log(x.a) + math.Log(x.q))
	return power - x.logs[k], 8*(float64(k)*(math.Log(x.a)-math.Log(x.q))+x.logs[k]) + 16
}

// choose returns C(n,k), n up to 2^5.
func choose(n, k int) float64 {
	c := 1.0
	for i := 1; i <= k; i++ {
		c = c * float64(n-k+i) / float64(i) // a whole number each time
	}
	return c
}

// replaced returns the smallest bound on log A over the number of terms, either as published or with smaller constants.
func (x *expansion) replaced(published bool) float64 {
	var head scaled
	x.second(&head, published)
	head.add(-650, 1, 8) // more than all that underflows
	odd := 2.0
	if published {
		odd = 3
	}
	bound, again := math.Inf(1), false
	for m := 3; m < mostExpanded; m++ {
		total := head
		x.remainder(&total, m, published)
		k := total.log1p(1, 0)
		if worse := !(k < bound); worse && again {
			break
		} else {
			again = worse
		}
		bound = min(bound, k)
		w, eta := x.weight(m)
		same := (x.a - 1) / x.a
		part := 4 * same
		if m%2 == 1 {
			part = odd * same
		}
		for j := 0; j <= m; j++ {
			c := x.fall[j] * x.rise[m-j]
			part += choose(m, j) * (math.Abs(c-same) + 16*float64(m)*ulp*(math.Abs(c)+same))
		}
		b := x.absolute(m)
		head.add(w+b, part, eta+8*math.Abs(b)+8*float64(m))
	}
	return bound
}

// second adds the bound on q²/2·F_2.
//
// Let d, e be the differences of the two records from the common one, a = |d|²/4, b = |e|²/4, p = <d,e>/4 in units of the clip. Then
// e^A+e^B-2e^((A+B-C)/2) is the sum over k >= 1 of s^k/k! times a^k+b^k-2p^k, and each of these is at most 1, its value for d = 2, e = 0. It is
// an integral of (density - density)² over the common density, convex in the common record, which may so be taken from the sphere.
// For p <= 0, a^k+b^k-2p^k <= a+b+2|p|, the squared distance of the two over 4. For a+b <= 1 and p > 0 it is at most a+b. Else the
// angles of d and e with the diameter are at most those with cosines √a and √b, so that p >= ab - √(ab(1-a)(1-b)) = g² - gz > 0, g = √(ab),
// z = √((1-a)(1-b)); by the inequalities of Cauchy and Schwarz and of Bernoulli, with h = 1+g+...+g^(k-1) >= k·g^(k-1),
//
//	1-a^k-b^k+2p^k = (1-a^k)(1-b^k) - g^2k + 2p^k >= z²h² + g^2k - 2k·g^(2k-1)·z >= (zh - g^k)² >= 0.
func (x *expansion) second(sum *scaled, published bool) {
	eta := 16 * (2 + x.s + math.Abs(x.logB) - math.Log(x.q))
	if published {
		sum.add(2*math.Log(x.q)+x.s/2+logExpm1(x.s/2), x.a*(x.a-1), eta)
		return
	}
	sum.add(2*math.Log(x.q)+x.logB, x.a*(x.a-1)/2, eta)
}

// remainder adds the bound on the remainder after m terms.
func (x *expansion) remainder(sum *scaled, m int, published bool) {
	x.factors(m)
	less := math.Log1p(-x.q)
	n := int(math.Ceil(x.a))
	// C(m,j)·|(a)_j·(1-a)_(m-j)|·(1-q)^j·(n-j)_l/a^m/a^l, now with l = 0, or without the power of 1-q in rest.
	var inner [mostExpanded]float64
	rest := 0.0
	for j := 0; j <= m; j++ {
		c := choose(m, j) * math.Abs(x.fall[j]) * x.rise[m-j]
		if float64(j) >= x.a {
			rest += c
		} else {
			inner[j] = c * math.Exp(float64(j)*less)
		}
	}
	power := -(x.a + float64(m-1)) * less
	for l := 0; l <= n; l++ {
		total := 0.0
		for j := range min(m+1, n) {
			total += inner[j]
			inner[j] *= float64(max(n-j-l, 0)) / x.a
		}
		w, eta := x.weight(m + l)
		b := x.absolute(m + l)
		eta += 8*math.Abs(b) + 8*power + 16*float64(m+l)
		if l == 0 {
			sum.add(w+b-float64(m-1)*less, rest, eta)
			if published {
				total *= 2
			}
		}
		sum.add(w+b+power, total, eta)
	}
}

// removed returns the smallest bound on log A over the number of terms, for w = 0. The terms are q^k·(a)_k·M_k/k!, those beyond a of either
// sign; at a whole order they end, and the sum is exact.
func (x *expansion) removed() float64 {
	var head scaled
	head.add(-650, 1, 8)
	minus := 0.0 // what the negative terms are at least
	n := int(math.Ceil(x.a))
	bound := math.Inf(1)
	for m := 2; m < n+mostExpanded; m++ {
		x.factors(m)
		if m > 2 {
			total := head
			x.tail(&total, m)
			k := total.log1p(1, 0)
			if minus > 0 && total.shift == 0 {
				k = up(math.Log1p(max(0, math.Nextafter(total.total(1, 0)-minus, 1e300))), 4)
			}
			bound = min(bound, k)
		}
		c := x.fall[m]
		if c == 0 {
			break
		}
		w, eta := x.weight(m)
		e := w + x.moment[m]
		eta += 8*math.Abs(x.moment[m]) + 8*float64(m)
		if c > 0 {
			head.add(e, c, eta)
		} else {
			minus -= math.Exp(e-x.err[m]) * c * (1 - min(1, (eta+math.Abs(e)+16)*2*ulp))
		}
	}
	return bound
}

// tail adds the bound on the remainder after m terms for w = 0.
func (x *expansion) tail(sum *scaled, m int) {
	n := int(math.Ceil(x.a))
	inner := math.Abs(x.fall[m]) // times (n-m)_l/a^l
	power := max(0, (x.a-float64(m))*math.Log1p(-x.q))
	for l := 0; l <= max(n-m, 0); l++ {
		w, eta := x.weight(m + l)
		b := x.absolute(m + l)
		eta += 8*math.Abs(b) + 8*power + 16*float64(m+l)
		if l == 0 && m < n {
			sum.add(w+b, inner, eta) // the 1 that the paper adds
		}
		sum.add(w+b+power, inner, eta)
		inner *= float64(n-m-l) / x.a
	}
}
