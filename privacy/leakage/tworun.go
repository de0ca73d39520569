package leakage

import (
	"math"

	"github.com/surefoot-ml/surefoot/privacy/leakage/internal/beta"
)

// TwoRun is the outcome of a test that tells members from non-members by one rule: in Members independent trials with the record it said
// "no" FalseNegatives times, and in NonMembers without it "yes" FalsePositives times.
//
// The rule must be fixed before the scores are looked at. What picks the best of several thresholds is no bound: [AuditScores] corrects
// for it, or chooses on one part and tests on another.
type TwoRun struct {
	FalseNegatives int `json:"fn"`
	Members        int `json:"n_pos"`
	FalsePositives int `json:"fp"`
	NonMembers     int `json:"n_neg"`
}

// Validate accepts 1 to 9,000,000 trials of either kind and no more errors than trials.
func (t TwoRun) Validate() error {
	if err := checkCount("Members", t.Members, 1, maxCount); err != nil {
		return err
	}
	if err := checkCount("NonMembers", t.NonMembers, 1, maxCount); err != nil {
		return err
	}
	if err := checkCount("FalseNegatives", t.FalseNegatives, 0, t.Members); err != nil {
		return err
	}
	return checkCount("FalsePositives", t.FalsePositives, 0, t.NonMembers)
}

func (t TwoRun) missed() Proportion { return Proportion{t.FalseNegatives, t.Members} }
func (t TwoRun) alarms() Proportion { return Proportion{t.FalsePositives, t.NonMembers} }

func (t TwoRun) check(delta, alpha float64) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if err := checkDelta(delta); err != nil {
		return err
	}
	return checkAlpha(alpha)
}

// ClopperPearson returns a lower bound on the epsilon at delta: it exceeds the true one with a probability of at most alpha (Nasr, Song,
// Thakurta, Papernot, Carlini 2021, "Adversary instantiation"). It is 0 where nothing can be said.
//
// Proof: each error rate exceeds its upper bound with a probability of at most alpha/2; where neither does, both TPR <= e^eps·FPR + delta
// and TNR <= e^eps·FNR + delta give what is returned.
func (t TwoRun) ClopperPearson(delta, alpha float64) (float64, error) {
	if err := t.check(delta, alpha); err != nil {
		return 0, err
	}
	return t.errors(alpha / 2).epsilon(delta), nil
}

// Jeffreys is ClopperPearson with upper ends of Jeffreys' credible intervals in place of confidence bounds: tighter, and no confidence
// bound.
func (t TwoRun) Jeffreys(delta, alpha float64) (float64, error) {
	if err := t.check(delta, alpha); err != nil {
		return 0, err
	}
	return errorRates{t.alarms().jeffreysUpper(alpha / 2), t.missed().jeffreysUpper(alpha / 2)}.epsilon(delta), nil
}

// Mu returns a lower bound on the mu of a mechanism whose trade-off curve is that of mu-GDP, with ClopperPearson's confidence. It says
// nothing about the epsilon of other mechanisms.
func (t TwoRun) Mu(alpha float64) (float64, error) {
	if err := t.check(0, alpha); err != nil {
		return 0, err
	}
	return t.errors(alpha / 2).mu(), nil
}

// GaussianEpsilon returns the epsilon at delta > 0 of the mu-GDP that [TwoRun.Mu] refutes.
func (t TwoRun) GaussianEpsilon(delta, alpha float64) (float64, error) {
	if err := t.check(delta, alpha); err != nil {
		return 0, err
	}
	return epsilonOfMu(t.errors(alpha/2).mu(), delta)
}

// errors bounds both error rates from above, each with a probability of failure of at most alpha.
func (t TwoRun) errors(alpha float64) errorRates {
	return errorRates{t.alarms().upper(alpha), t.missed().upper(alpha)}
}

// errorRates are upper bounds on the false positive and the false negative rate of a rule.
type errorRates struct{ alarms, missed beta.Point }

// epsilon is what the rates refute, in either direction.
func (e errorRates) epsilon(delta float64) float64 {
	return max(logRatio(e.missed.Y, e.alarms.X, delta), logRatio(e.alarms.Y, e.missed.X, delta))
}

// logRatio is max(0, log((power-delta)/size)), rounded down.
func logRatio(power, size, delta float64) float64 {
	p := math.Nextafter(power-delta, 0)
	if !(p > size) {
		return 0
	}
	ratio := min(p/size, math.MaxFloat64) // which a subnormal size exceeds
	l := math.Log(ratio*(1-0x1p-51)) * (1 - 0x1p-51)
	return max(0, l)
}

// mu is Phi^-1(1-FPR) - Phi^-1(FNR), rounded down and at least 0: a test that is worse than guessing shows nothing.
func (e errorRates) mu() float64 {
	m := upperQuantile(e.alarms.X, e.alarms.Y) + upperQuantile(e.missed.X, e.missed.Y)
	if !(m > 0) {
		return 0
	}
	return math.Nextafter(m, 0)
}
