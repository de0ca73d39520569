package lattice

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// unit is the unit roundoff of float64.
const unit = 0x1p-53

// ErrParameter is wrapped by every refusal of a parameter of a law, of a list of parts, of delta or of epsilon.
var ErrParameter = errors.New("lattice: parameter out of range")

// Component is one normal law of a Mixture.
type Component struct {
	Weight float64 // probability, at least 0
	Mean   float64 // in the units that sigma is in
}

// Mixture is the law of L = log(dP/dQ) under P for two mixtures of normal laws with one standard deviation, where every
// mean of P is at least every mean of Q (or every one at most), so that the loss is monotone in the output. It covers
// Poisson subsampling (add, remove, replace-one), the mixture mechanism of Choquette-Choo et al. 2023
// (arXiv 2310.15526) and groups of records (Ganesh 2024, arXiv 2401.10294). The zero Mixture is not valid.
type Mixture struct {
	p, q  []Component // the components of mean other than 0; means mirrored so that those of P are the greater ones
	sigma float64
	inv   float64 // 1/(2 sigma^2)
	scale float64 // 1/(sigma sqrt(2 pi))
	werr  float64 // bound of the relative error of the weights
	// The weight of the component of mean 0, if there is one, is what the others leave: the density is
	// n0 (1 + sum_i p_i (e^(a_i)-1)), which is exact for losses of any smallness.
	restP, restQ float64
	lo, hi       float64 // least and greatest mean
	rules        []rule
	kappa        float64 // constant of the rounding bound of one loss
}

// NewMixture returns the law for P against Q. The weights of each must sum to 1 within 1e-9; the weight of a component
// of mean 0 is replaced by what the others leave of 1.
func NewMixture(p, q []Component, sigma float64) (*Mixture, error) {
	if !(sigma >= 1e-6 && sigma <= 1e9) {
		return nil, fmt.Errorf("%w: sigma %v is not from 1e-6 to 1e9", ErrParameter, sigma)
	}
	m := &Mixture{sigma: sigma, inv: 1 / (2 * sigma * sigma), scale: 1 / (sigma * math.Sqrt(2*math.Pi))}
	var err error
	if m.p, m.restP, err = tidy(p); err != nil {
		return nil, fmt.Errorf("%w: first mixture %w", ErrParameter, err)
	}
	if m.q, m.restQ, err = tidy(q); err != nil {
		return nil, fmt.Errorf("%w: second mixture %w", ErrParameter, err)
	}
	minP, maxP := span(m.p, m.restP)
	minQ, maxQ := span(m.q, m.restQ)
	switch {
	case minP >= maxQ:
	case maxP <= minQ:
		mirror(m.p)
		mirror(m.q)
		minP, maxP, minQ, maxQ = -maxP, -minP, -maxQ, -minQ
	default:
		return nil, fmt.Errorf("%w: means %v..%v and %v..%v overlap: the loss is not monotone", ErrParameter, minP, maxP, minQ, maxQ)
	}
	m.lo, m.hi = min(minP, minQ), max(maxP, maxQ)
	if !(m.hi-m.lo <= 1e4*sigma && max(-m.lo, m.hi) <= 1e4*sigma) {
		return nil, fmt.Errorf("%w: means %v..%v are more than 1e4 sigma from 0, sigma %v", ErrParameter, m.lo, m.hi, sigma)
	}
	m.rules = gaussRules()
	reach := max(-m.lo, m.hi)
	m.kappa = float64(18+len(m.p)+len(m.q)) + 4*reach*reach*m.inv
	return m, nil
}

// tidy checks and sorts the components and takes out the one of mean 0, whose weight is the second result.
func tidy(list []Component) ([]Component, float64, error) {
	out := make([]Component, 0, len(list))
	sum, rest, zero := 0.0, 1.0, false
	for _, c := range list {
		if !(c.Weight >= 0 && c.Weight <= 1 && math.Abs(c.Mean) <= 1e12) {
			return nil, 0, fmt.Errorf("has weight %v at mean %v", c.Weight, c.Mean)
		}
		sum += c.Weight
		if c.Mean == 0 {
			zero = true
		} else if c.Weight > 0 {
			out = append(out, c)
		}
	}
	if !(math.Abs(sum-1) <= 1e-9) {
		return nil, 0, fmt.Errorf("has weights that sum to %v", sum)
	}
	slices.SortFunc(out, func(a, b Component) int { return cmp.Compare(a.Weight, b.Weight) })
	sum = 0
	for _, c := range out {
		sum += c.Weight
	}
	rest = 1 - sum
	if !zero {
		// The greatest weight takes up the rounding of the sum.
		if len(out) == 0 {
			return nil, 0, errors.New("is empty")
		}
		if out[len(out)-1].Weight += rest; len(out) == 1 {
			out[0].Weight = 1
		}
		rest = 0
	}
	if !(rest >= 0) {
		if !(rest >= -1e-9) {
			return nil, 0, fmt.Errorf("has weights that sum to %v", sum)
		}
		rest = 0
	}
	return out, rest, nil
}

func span(list []Component, rest float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, c := range list {
		lo, hi = min(lo, c.Mean), max(hi, c.Mean)
	}
	if rest > 0 {
		lo, hi = min(lo, 0), max(hi, 0)
	}
	return lo, hi
}

func mirror(list []Component) {
	for i := range list {
		list[i].Mean = -list[i].Mean
	}
}

// Poisson is the pair of the Gaussian mechanism of noise multiplier sigma on a Poisson sample of rate q for a record that
// is present or not: (1-q) N(0) + q N(1) against N(0), exchanged if add is true.
func Poisson(q, sigma float64, add bool) (*Mixture, error) {
	if !(q > 0 && q <= 1) {
		return nil, fmt.Errorf("%w: sampling rate %v is not above 0 and at most 1", ErrParameter, q)
	}
	mix, base := []Component{{1 - q, 0}, {q, 1}}, []Component{{1, 0}}
	if add {
		mix, base = base, mix
	}
	return NewMixture(mix, base, sigma)
}

// PoissonReplaceOne is the pair (1-q) N(0) + q N(1) against (1-q) N(0) + q N(-1): one record replaced by another, at
// distance 2 in units of the clip norm. Both directions are the same.
func PoissonReplaceOne(q, sigma float64) (*Mixture, error) {
	if !(q > 0 && q <= 1) {
		return nil, fmt.Errorf("%w: sampling rate %v is not above 0 and at most 1", ErrParameter, q)
	}
	return NewMixture([]Component{{1 - q, 0}, {q, 1}}, []Component{{1 - q, 0}, {q, -1}}, sigma)
}

// point is what is known of the law at one output.
type point struct {
	density float64 // of P
	loss    float64
	eloss   float64 // bound of the absolute error of loss
	edens   float64 // bound of the relative error of density
}

// at evaluates density and loss. With U = sum_i p_i (e^(a_i)-1), a_i = c_i(2x-c_i)/(2 sigma^2), the density is n0(1+U)
// and its logarithm relative to n0 is log1p(U). Error: a_i is off by at most 5u|a_i| and the
// rounding of x as a node moves it by at most u|a_i|+2u c^2/(2 sigma^2), so e^(a_i)-1 by at most
// 5u|a|e^a + 9u|e^a-1| <= u(5(1+|a|)+9)|e^a-1|, because |a|e^a <= (1+|a|)|e^a-1|. Library functions are taken to be
// within 4u.
func (m *Mixture) at(x float64) point {
	h := x * x * m.inv
	lp, ep, ok := m.side(m.p, m.restP, x)
	lq, eq, okq := m.side(m.q, m.restQ, x)
	if !ok || !okq || h > 600 || lp > 600 {
		return m.far(x)
	}
	return point{
		density: math.Exp(lp-h) * m.norm(),
		loss:    lp - lq,
		eloss:   ep + eq + unit*math.Abs(lp-lq),
		edens:   ep + unit*(9*h+2*math.Abs(lp)+10),
	}
}

func (m *Mixture) norm() float64 { return m.scale }

// side is the logarithm of one density relative to n0 and its error bound; false where exponents are too large.
func (m *Mixture) side(list []Component, rest, x float64) (l, e float64, ok bool) {
	if len(list) == 0 {
		return 0, 0, true
	}
	var sum, abs, top float64
	for i := range list {
		c := list[i].Mean
		a := c * (2*x - c) * m.inv
		top = max(top, math.Abs(a))
		t := list[i].Weight * expm1(a)
		sum += t
		abs += math.Abs(t)
	}
	if !(top <= 600) {
		return 0, 0, false
	}
	rel := unit*(m.kappa+8*top) + m.werr
	if sum >= -0.5 {
		l = math.Log1p(sum)
		if rest == 0 && len(list) > 1 {
			abs++ // the weights sum to 1 up to rounding only
		}
		return l, rel*abs/(1+sum) + 4*unit*math.Abs(l), true
	}
	if len(list) == 1 && rest == 0 {
		c := list[0].Mean
		l = c * (2*x - c) * m.inv
		return l, unit * (8*math.Abs(l) + 4*c*c*m.inv), true
	}
	sum = rest
	for i := range list {
		c := list[i].Mean
		sum += list[i].Weight * math.Exp(c*(2*x-c)*m.inv)
	}
	l = math.Log(sum)
	if len(list) > 1 { // rest is good to u per weight
		rel += unit * float64(len(list)) / sum
	}
	return l, rel + 4*unit*math.Abs(l), true
}

// expm1 is math.Expm1 within 9u, faster where nothing cancels.
func expm1(a float64) float64 {
	if math.Abs(a) > 0.7 {
		return math.Exp(a) - 1
	}
	return math.Expm1(a)
}

// far evaluates where exponentials leave the range of float64, through the greatest exponent.
func (m *Mixture) far(x float64) point {
	lp, big := m.logDensity(m.p, m.restP, x)
	lq, bigq := m.logDensity(m.q, m.restQ, x)
	e := (unit*(m.kappa+6*(big+bigq)) + m.werr) * 2
	return point{density: math.Exp(lp) * m.norm(), loss: lp - lq, eloss: e, edens: e + 10*unit}
}

func (m *Mixture) logDensity(list []Component, rest, x float64) (l, big float64) {
	top := math.Inf(-1)
	if rest > 0 {
		top = math.Log(rest) - x*x*m.inv
	}
	for _, c := range list {
		t := math.Log(c.Weight) - (x-c.Mean)*(x-c.Mean)*m.inv
		top = max(top, t)
		big = max(big, -t)
	}
	var sum float64
	if rest > 0 {
		sum = math.Exp(math.Log(rest) - x*x*m.inv - top)
		big = max(big, x*x*m.inv-math.Log(rest))
	}
	for _, c := range list {
		sum += math.Exp(math.Log(c.Weight) - (x-c.Mean)*(x-c.Mean)*m.inv - top)
	}
	return top + math.Log(sum), big
}

// slope is dL/dx: the difference of the posterior means of the components, over sigma^2. No proof rests on it.
func (m *Mixture) slope(x float64) float64 {
	return 2 * m.inv * (m.posterior(m.p, m.restP, x) - m.posterior(m.q, m.restQ, x))
}

func (m *Mixture) posterior(list []Component, rest, x float64) float64 {
	top := 0.0
	for _, c := range list {
		top = max(top, c.Mean*(2*x-c.Mean)*m.inv)
	}
	sum, mean := rest*math.Exp(-top), 0.0
	for _, c := range list {
		t := c.Weight * math.Exp(c.Mean*(2*x-c.Mean)*m.inv-top)
		sum += t
		mean += t * c.Mean
	}
	return mean / sum
}

// loss is at(x).loss alone.
func (m *Mixture) loss(x float64) float64 { return m.lossAt(x).loss }

// lossAt is at(x) without the density.
func (m *Mixture) lossAt(x float64) point {
	lp, ep, ok := m.side(m.p, m.restP, x)
	lq, eq, okq := m.side(m.q, m.restQ, x)
	if !ok || !okq {
		return m.far(x)
	}
	return point{loss: lp - lq, eloss: ep + eq + unit*math.Abs(lp-lq)}
}

// invert finds an x of [lo, hi] whose loss is about l, from a guess; an end where the loss does not reach l.
func (m *Mixture) invert(l, guess, lo, hi, tol float64) float64 {
	x, _ := m.solve(l, guess, lo, hi, tol)
	return x
}

// solve is invert with what is known at x.
func (m *Mixture) solve(l, guess, lo, hi, tol float64) (x float64, p point) {
	x = min(max(guess, lo), hi)
	for range 80 {
		p = m.lossAt(x)
		f := p.loss - l
		if math.Abs(f) <= tol+p.eloss || !(hi-lo > 0) {
			return x, p
		}
		if f > 0 {
			hi = x
		} else {
			lo = x
		}
		next := x - f/m.slope(x)
		if !(next > lo && next < hi) {
			next = lo + (hi-lo)/2
			if next == lo || next == hi {
				return x, p
			}
		}
		x = next
	}
	return x, m.lossAt(x)
}

// above bounds P(X > x) from above; below bounds P(X < x).
func (m *Mixture) above(x float64) float64 {
	t := m.restP * math.Erfc(x/(m.sigma*math.Sqrt2))
	for _, c := range m.p {
		t += c.Weight * math.Erfc((x-c.Mean)/(m.sigma*math.Sqrt2))
	}
	return t/2*(1+1e-9+8*m.werr) + 1e-300
}

func (m *Mixture) below(x float64) float64 {
	t := m.restP * math.Erfc(-x/(m.sigma*math.Sqrt2))
	for _, c := range m.p {
		t += c.Weight * math.Erfc((c.Mean-x)/(m.sigma*math.Sqrt2))
	}
	return t/2*(1+1e-9+8*m.werr) + 1e-300
}

// cut returns the outputs beyond which at most tail of P lies on either side, at most 13.5 sigma from the means.
func (m *Mixture) cut(tail float64) (lo, hi float64) {
	solve := func(f func(float64) float64, far, near float64) float64 {
		for range 60 {
			mid := (far + near) / 2
			if f(mid) <= tail {
				far = mid
			} else {
				near = mid
			}
		}
		return far
	}
	mid := (m.lo + m.hi) / 2
	return solve(m.below, m.lo-13.5*m.sigma, mid), solve(m.above, m.hi+13.5*m.sigma, mid)
}

// cutOther returns an output beyond which Q has about the given mass. No proof rests on it.
func (m *Mixture) cutOther(tail float64) float64 {
	lo, hi := m.lo, m.hi+13.5*m.sigma
	for range 50 {
		x := lo + (hi-lo)/2
		t := m.restQ * math.Erfc(x/(m.sigma*math.Sqrt2))
		for _, c := range m.q {
			t += c.Weight * math.Erfc((x-c.Mean)/(m.sigma*math.Sqrt2))
		}
		if t/2 <= tail {
			hi = x
		} else {
			lo = x
		}
	}
	return hi
}

// sup is the supremum of the loss, +Inf where there is none: the greatest mean belongs to P alone or to both.
func (m *Mixture) sup() float64 {
	_, hp := span(m.p, m.restP)
	_, hq := span(m.q, m.restQ)
	if hp > hq {
		return math.Inf(1)
	}
	wp, wq := m.restP, m.restQ
	if hp != 0 {
		wp, wq = weightAt(m.p, hp), weightAt(m.q, hp)
	}
	if hp == 0 && len(m.p) == 0 && wq > 0.5 {
		sum := 0.0
		for _, c := range m.q {
			sum += c.Weight
		}
		return -math.Log1p(-sum) * (1 + 16*unit + 4*m.werr)
	}
	l := math.Log(wp / wq)
	return l + unit*(8*(1+math.Abs(l))+2*float64(len(m.p)+len(m.q))/min(wp, wq)) + 4*m.werr
}

func weightAt(list []Component, mean float64) float64 {
	var w float64
	for _, c := range list {
		if c.Mean == mean {
			w += c.Weight
		}
	}
	return w
}
