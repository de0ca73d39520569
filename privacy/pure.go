package privacy

import "math"

// Pure is any mechanism that is Epsilon-differentially private.
type Pure struct {
	// Epsilon is in nats, from 1e-12 to 1e6.
	Epsilon float64 `json:"epsilon"`
	// Relation says for which datasets Epsilon holds; it must be set.
	Relation Relation `json:"relation"`
}

// Approximate is any mechanism that is (Epsilon, Delta)-differentially private. Its Delta adds up beside the curve: no epsilon is known
// at or below the sum.
type Approximate struct {
	// Epsilon is in nats, 0 or from 1e-12 to 1e6.
	Epsilon float64 `json:"epsilon"`
	// Delta is in [0, 1).
	Delta float64 `json:"delta"`
	// Relation says for which datasets the guarantee holds; it must be set.
	Relation Relation `json:"relation"`
}

// PermuteAndFlip chooses one of several candidates by the permute-and-flip mechanism (McKenna, Sheldon 2020, "Permute-and-flip",
// arXiv 2010.12603). It is accounted for as Epsilon-differentially private, which is all that is proven here; it may cost less.
type PermuteAndFlip struct {
	// Epsilon, in nats, from 1e-12 to 1e6: a candidate is accepted with the probability e^(Epsilon·(score-best)/(2·sensitivity)).
	Epsilon float64 `json:"epsilon"`
	// Relation says for which datasets the sensitivity of the scores holds; it must be set.
	Relation Relation `json:"relation"`
}

// Validate accepts an Epsilon from 1e-12 to 1e6 and a set Relation.
func (e Pure) Validate() error {
	if err := checkLoss("Pure.Epsilon", e.Epsilon); err != nil {
		return err
	}
	return checkRelation("Pure.Relation", e.Relation)
}

// Validate accepts an Epsilon of 0 or from 1e-12 to 1e6, a Delta in [0, 1) and a set Relation.
func (e Approximate) Validate() error {
	if e.Epsilon != 0 {
		if err := checkLoss("Approximate.Epsilon", e.Epsilon); err != nil {
			return err
		}
	}
	if !(e.Delta >= 0 && e.Delta < 1) {
		return &InvalidError{"Approximate.Delta", e.Delta, "a number from 0 to 1, 1 excluded"}
	}
	return checkRelation("Approximate.Relation", e.Relation)
}

// Validate accepts an Epsilon from 1e-12 to 1e6 and a set Relation.
func (e PermuteAndFlip) Validate() error {
	if err := checkLoss("PermuteAndFlip.Epsilon", e.Epsilon); err != nil {
		return err
	}
	return checkRelation("PermuteAndFlip.Relation", e.Relation)
}

func (Pure) kind() string         { return "pure" }
func (e Pure) relation() Relation { return e.Relation }
func (e Pure) lower() []leaf      { return []leaf{{pureLoss{e.Epsilon}, 1}} }

func (Approximate) kind() string         { return "approximate" }
func (e Approximate) relation() Relation { return e.Relation }
func (e Approximate) lower() []leaf {
	switch {
	case e.Delta > 0:
		return []leaf{{approximateLoss{pureLoss{e.Epsilon}, e.Delta}, 1}}
	case e.Epsilon > 0:
		return []leaf{{pureLoss{e.Epsilon}, 1}}
	}
	return nil
}

func (PermuteAndFlip) kind() string         { return "permute_and_flip" }
func (e PermuteAndFlip) relation() Relation { return e.Relation }
func (e PermuteAndFlip) lower() []leaf      { return []leaf{{permuteAndFlip{pureLoss{e.Epsilon}}, 1}} }

// pureLoss is the worst eps-differentially private mechanism: randomized response with the losses eps and -eps, in either direction
// (the moments are convex in the likelihood ratio, so its values move to the two ends).
type pureLoss struct{ eps float64 }

// approximateLoss is the worst (eps, delta)-differentially private one: an infinite loss with probability delta, else pureLoss
// (Kairouz, Oh, Viswanath 2015, "The composition theorem for differential privacy", arXiv 1311.0776).
type approximateLoss struct {
	pureLoss
	delta float64
}

type permuteAndFlip struct{ pureLoss }

func (pureLoss) infinite() float64          { return 0 }
func (m approximateLoss) infinite() float64 { return m.delta }

func (m pureLoss) logMoment(order float64) float64 {
	return answerMoment(m.eps, 1/(1+math.Exp(-m.eps)), order)
}

// concentrated returns eps·tanh(eps/2), the divergence of order 1: with s = c+1/2, e^K = cosh(s·eps)/cosh(eps/2), and
// log cosh(√x) is concave, so K lies below its tangent in s² at s = 1/2.
func (m pureLoss) concentrated() float64 { return up(m.eps*math.Tanh(m.eps/2), 8) }

// answerMoment returns an upper bound on K(a-1), a > 1, of a loss that is eps with probability hi, -eps with probability hi·e^-eps, else 0.
// With c = a-1,
//
//	e^K - 1 = hi·(e^(c·eps)-1) + hi·e^-eps·(e^(-c·eps)-1) = hi·(e^(c·eps)-1)·(1-e^(-a·eps)):
//
// no cancellation at any order. It increases in eps and in hi.
//
// Rounding: t = c·eps and hi within 6 ulp move expm1(t) by at most 6·(1+t) ulp where t <= 50; beyond, log of a number in [hi/2, 2] adds an
// absolute error far below an ulp of t.
func answerMoment(eps, hi, a float64) float64 {
	t := (a - 1) * eps
	h := -hi * math.Expm1(-a*eps)
	if t > 50 {
		return up(t+math.Log(h+math.Exp(-t)), 16)
	}
	return up(math.Log1p(up(h*math.Expm1(t), 400)), 4)
}
