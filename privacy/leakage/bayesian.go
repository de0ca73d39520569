package leakage

import (
	"math"

	"github.com/surefoot-ml/surefoot/privacy/leakage/internal/beta"
)

// Bayesian returns the epsilon that is exceeded with posterior probability 1-alpha, under independent Jeffreys priors for the two error
// rates (Zanella-Béguelin et al. 2022, "Bayesian estimation of differential privacy"). It is a credible bound and no confidence bound: at
// a true epsilon of 0 it is always a little above it. It is 0 for a test that did worse than guessing.
func (t TwoRun) Bayesian(delta, alpha float64) (float64, error) {
	if err := t.check(delta, alpha); err != nil {
		return 0, err
	}
	// Compared without a product, which might not fit 32 bits.
	if t.missed().Rate()+t.alarms().Rate() > 1 {
		return 0, nil
	}
	eps := largest(0, func(e float64) bool { return t.posterior(e, delta) <= alpha })
	return max(0, eps*(1-1e-12)), nil
}

// posterior is the probability that the error rates are such as an (epsilon, delta)-DP mechanism allows: neither test nor its negation
// may tell members from non-members better. For each false positive rate x, that is a range of false negative rates.
func (t TwoRun) posterior(epsilon, delta float64) float64 {
	e, inv := math.Exp(epsilon), math.Exp(-epsilon)
	a := float64(t.FalseNegatives) + 0.5
	b := float64(t.Members-t.FalseNegatives) + 0.5
	f := func(x beta.Point) float64 {
		// Below the range by either pair, so that no digit is lost: y >= lo, 1-y >= hi.
		lo := max(0, x.Y-delta-math.Expm1(epsilon)*x.X, inv*(x.Y-delta))
		hi := max(0, x.X-delta-math.Expm1(epsilon)*x.Y, inv*(x.X-delta))
		if !(lo+hi < 1) {
			return 0
		}
		tooLow, _ := beta.Tail(beta.Point{X: lo, Y: 1 - lo}, a, b)
		tooHigh, _ := beta.Tail(beta.Point{X: hi, Y: 1 - hi}, b, a)
		return max(0, 1-tooLow-tooHigh)
	}
	// Where the two bounds cross, where they reach zero, and where the range is empty.
	cross := (1 - delta) / (1 + e)
	edge := (1 - delta) * inv
	return beta.Mean(f, float64(t.FalsePositives)+0.5, float64(t.NonMembers-t.FalsePositives)+0.5,
		cross, 1-cross, delta, 1-delta, edge, 1-edge)
}
