package privacy

import (
	"encoding/json"
	"math"
)

// Sampled applies a mechanism to a batch that each record enters independently, under AddRemove. The mechanism is a Laplace, a
// DiscreteLaplace or a DiscreteGaussian; for a Gaussian there is Poisson. The Rényi curve is exact at whole orders up to 8192, an upper
// bound elsewhere: mostly closer than 1 % above order 3, but up to several times too large below order 2 where single losses are large.
type Sampled struct {
	// Rate is the probability, or an upper bound on the probability, that a record enters the batch. 0 costs nothing, 1 is Event.
	Rate float64
	// Event is what one batch is given to.
	Event Event
}

// Validate accepts a Rate from 0 to 1 and a valid Event of those types under AddRemove.
func (s Sampled) Validate() error {
	if !(s.Rate >= 0 && s.Rate <= 1) {
		return &InvalidError{"Sampled.Rate", s.Rate, "a number from 0 to 1"}
	}
	switch e := s.Event.(type) {
	case Laplace, DiscreteLaplace, DiscreteGaussian:
		if err := e.Validate(); err != nil {
			return err
		}
		if r := e.relation(); r != AddRemove {
			return &InvalidError{"Sampled.Event's Relation", r, "AddRemove"}
		}
		return nil
	case Gaussian:
		return &InvalidError{"Sampled.Event", "Gaussian", "Poisson instead of Sampled"}
	}
	return &InvalidError{"Sampled.Event", s.Event, "a Laplace, DiscreteLaplace or DiscreteGaussian"}
}

func (Sampled) kind() string { return "sampled" }

func (s Sampled) relation() Relation {
	if s.Event == nil {
		return 0
	}
	return s.Event.relation()
}

// minRate keeps the square of a rate from underflow.
const minRate = 1e-60

// lower rounds tiny rates up, as Poisson does.
func (s Sampled) lower() []leaf {
	base := s.Event.lower()
	switch s.Rate {
	case 0:
		return nil
	case 1:
		return base
	}
	return []leaf{{sampledNoise{max(s.Rate, minRate), base[0].mechanism}, 1}}
}

type sampledJSON struct {
	Rate  float64         `json:"rate"`
	Event json.RawMessage `json:"event"`
}

// MarshalJSON writes {"rate", "event"}, the event as MarshalEvent does.
func (s Sampled) MarshalJSON() ([]byte, error) {
	return wrap(s.Event, func(event json.RawMessage) any { return sampledJSON{s.Rate, event} })
}

// UnmarshalJSON reads what MarshalJSON writes, with known fields only.
func (s *Sampled) UnmarshalJSON(data []byte) error {
	var v sampledJSON
	e, err := unwrap(data, &v, &v.Event)
	if err != nil {
		return err
	}
	*s = Sampled{v.Rate, e}
	return nil
}

// sampledNoise is base, additive symmetric noise, on a Poisson sample of rate q, 0 < q < 1.
//
// With r the likelihood ratio of a moved to an unmoved answer, rho = 1-q+q·r and c = a-1, the moment is A(a) = E[rho^a] if the record is
// removed and B(a) = E[rho^-c] if it is added, under the unmoved answer. B <= A (as in Mironov, Talwar, Zhang 2019, "Rényi differential
// privacy of the sampled Gaussian mechanism", Theorem 5, for every a > 1): the noise being symmetric, E[f(r)] = E[r·f(1/r)], so it is enough that, with
// tau = 1-q+q/r,
//
//	rho^a - rho^-c >= r·(tau^-c - tau^a)  for r > 1.
//
// Write x = log rho, y = -log tau. Multiplied out, rho·tau >= 1, so x >= y > 0, and the claim is
// sinh((c+1/2)x)/sinh((c+1/2)y) >= r·e^(-(x+y)/2). At c = 0 both sides are equal (rho-1 = r·(1-tau)), and the left side grows with c since
// t·coth t grows with t.
type sampledNoise struct {
	q    float64
	base mechanism
}

func (sampledNoise) infinite() float64 { return 0 }

// logMoment returns an upper bound on log A(a), exact but for rounding at whole orders up to maxBinomial. Between them it interpolates
// two functions that are convex in the order: log A, and log J with u = rho-1 and
//
//	J(a) = (A(a)-1)/(a(a-1)) = ∫(1-s)·E[u²·(1+s·u)^(a-2)]ds over [0,1],
//
// an integral of exponentials in a. J(1) is the Kullback-Leibler divergence: at most q times that of base, by convexity, and at most
// J(2)/(1-q), since u >= -q. Beyond maxBinomial there is what holds at any order: sampling cannot hurt, and a mechanism with losses up to
// eps now has losses up to log(1+q·(e^eps-1)).
func (m sampledNoise) logMoment(a float64) float64 {
	bound := m.base.logMoment(a)
	if p, ok := m.base.(interface{ pure() float64 }); ok {
		bound = min(bound, pureLoss{m.pureEpsilon(p.pure())}.logMoment(a))
	}
	n := math.Floor(a)
	if n > maxBinomial || n == maxBinomial && a > n {
		return bound
	}
	if n == a {
		sum := m.binomial(int(n))
		return min(bound, sum.log1p(1, 0))
	}
	f := a - n
	above := m.binomial(int(n) + 1)
	logA, logJ := above.log1p(1, 0)*f, (above.log()-math.Log(n*(n+1)))*f
	if n > 1 {
		below := m.binomial(int(n))
		logA += below.log1p(1, 0) * (1 - f)
		logJ += (below.log() - math.Log(n*(n-1))) * (1 - f)
	} else {
		const c = 1.0 / (1 << 44)
		mean := m.base.logMoment(1+c) / c
		logJ += min(math.Log(m.q*mean), above.log()-math.Log(2)-math.Log1p(-m.q)) * (1 - f)
	}
	logJ += math.Log(a * (a - 1))
	// All of these logarithms are below 2^20 or, beyond, of the size of logA; each is wrong by some ulp of itself.
	excess := logJ + 64*ulp*(4+math.Abs(logJ)+math.Abs(above.log())+math.Abs(logA)+math.Abs(math.Log(a-1)))
	if excess < 50 {
		bound = min(bound, up(math.Log1p(up(math.Exp(excess), 8)), 4))
	}
	return min(bound, up(logA, 8))
}

// log returns an upper bound on the logarithm of the sum.
func (s *scaled) log() float64 {
	l := math.Log(s.total(1, 0))
	return s.shift + l + 8*ulp*(math.Abs(s.shift)+math.Abs(l))
}

// pureEpsilon returns log(1+q·(e^eps-1)), rounded up.
func (m sampledNoise) pureEpsilon(eps float64) float64 {
	if eps > 700 { // q is at least 1e-60
		l := eps + math.Log(m.q)
		return up(l+math.Log1p((1-m.q)/m.q*math.Exp(-eps)), 16)
	}
	return up(math.Log1p(up(m.q*math.Expm1(eps), 2000)), 8)
}

// binomial is A(n)-1.
func (m sampledNoise) binomial(n int) scaled { return binomialSum(n, m.q, m.base.logMoment) }
