package leakage

import (
	"fmt"
	"math"
)

// Config says what to audit for. The zero value asks for a bound on epsilon at delta 0 with 95 % confidence.
type Config struct {
	// Method is how the bound is obtained: [MethodOneRun] by default for canaries, [MethodClopperPearson] for scores and counts.
	Method Method `json:"method,omitempty"`
	// Alpha is the probability with which the bound may be wrong, 0.05 by default.
	Alpha float64 `json:"alpha,omitempty"`
	// Delta is that of the epsilon, at least 0 and below 1; the Gaussian methods need one above 0.
	Delta float64 `json:"delta"`
	// Claim is the epsilon that an accountant gave as an upper bound at Delta, to be compared with; 0 for none.
	Claim float64 `json:"claim,omitempty"`
}

// complete returns the configuration with its defaults.
func (c Config) complete(usual Method) (Config, error) {
	if c.Method == 0 {
		c.Method = usual
	}
	if c.Alpha == 0 {
		c.Alpha = 0.05
	}
	if c.Method > MethodGaussian || c.Method.canaries() != usual.canaries() {
		return c, invalid("Method", c.Method, "one that fits what is audited, such as "+usual.String())
	}
	if err := checkAlpha(c.Alpha); err != nil {
		return c, err
	}
	if err := checkDelta(c.Delta); err != nil {
		return c, err
	}
	if c.Delta == 0 && (c.Method == MethodGaussian || c.Method == MethodOneRunGaussian) {
		return c, invalid("Delta", c.Delta, "above 0: a Gaussian mechanism has no epsilon without")
	}
	if !(c.Claim >= 0 && c.Claim <= math.MaxFloat64) {
		return c, invalid("Claim", c.Claim, "a finite number above 0, or 0 for none")
	}
	return c, nil
}

// report starts a report with what the configuration says.
func (c Config) report(members, nonMembers int) Report {
	return Report{
		Method: c.Method, Members: members, NonMembers: nonMembers,
		Confidence: 1 - c.Alpha, Delta: c.Delta, Claim: c.Claim, Rules: 1,
	}
}

// AuditCanaries bounds the epsilon of one training run from below, by the scores of all canaries, higher for what looks like it was in the
// data, and by which of them were in. Coins must have decided that, one fair coin for each: [NewPlan] draws them.
//
// It makes each of the guesses and corrects for their number, so they may be many; without any it makes [DefaultGuesses]. The list must
// not depend on the coins.
//
// Proof: which canaries a guess is about follows from the scores alone, so that it is a function of what the run released; each guess has a
// fixed number of canaries and with alpha/K each of the K bounds fails with a probability of at most alpha/K, so that one of them fails
// with at most alpha.
func AuditCanaries(scores []float64, in []bool, guesses []Guesses, cfg Config) (Report, error) {
	cfg, err := cfg.complete(MethodOneRun)
	if err != nil {
		return Report{}, err
	}
	if err := checkCount("number of scores", len(scores), 1, maxCount); err != nil {
		return Report{}, err
	}
	if len(in) != len(scores) {
		return Report{}, invalid("number of memberships", len(in), fmt.Sprintf("%d, one per score", len(scores)))
	}
	if err := checkNumbers("scores", scores); err != nil {
		return Report{}, err
	}
	if guesses == nil {
		guesses = DefaultGuesses(len(scores))
	}
	if err := checkGuesses(guesses, len(scores)); err != nil {
		return Report{}, err
	}
	members := 0
	for _, b := range in {
		if b {
			members++
		}
	}
	r := cfg.report(members, len(in)-members)
	r.Rules = len(guesses)
	r.Assumptions = []string{
		"every canary was put into the data or left out by a fair coin of its own, which nothing else depended on",
		"the scores were computed from what the run released, without knowledge of the coins",
		"the guesses were fixed before the coins were looked at",
	}
	ranks := rank(scores, in)
	part := cfg.Alpha / float64(len(guesses))
	for _, g := range guesses {
		o := ranks.count(g)
		bound := r.Epsilon
		if cfg.Method == MethodOneRunGaussian {
			bound = r.Mu
		}
		larger := bound
		if cfg.Method == MethodOneRunGaussian {
			larger = o.mu(bound, part)
			r.Mu = larger
		} else {
			larger = o.epsilon(bound, cfg.Delta, part)
			r.Epsilon = larger
		}
		if larger > bound || r.Rule == "" {
			r.Rule = fmt.Sprintf("the %d highest scores guessed in, the %d lowest out: %d of %d right", g.In, g.Out, o.Correct, o.Guesses)
		}
	}
	return r.finish()
}

// AuditCounts bounds epsilon from below by the counts of one rule that was fixed in advance.
func AuditCounts(t TwoRun, cfg Config) (Report, error) {
	cfg, err := cfg.complete(MethodClopperPearson)
	if err != nil {
		return Report{}, err
	}
	if err := t.Validate(); err != nil {
		return Report{}, err
	}
	r := cfg.report(t.Members, t.NonMembers)
	r.Rule = fmt.Sprintf("%d of %d members and %d of %d non-members wrong", t.FalseNegatives, t.Members, t.FalsePositives, t.NonMembers)
	r.Assumptions = []string{independent, "the rule was fixed before the outcomes were looked at"}
	if err := r.bound(t, cfg); err != nil {
		return Report{}, err
	}
	return r.finish()
}

const independent = "the scores are independent draws, those of members from one law and those of non-members from another, " +
	"as from runs of their own with and without the record"

// bound fills in what the counts of one rule bound.
func (r *Report) bound(t TwoRun, cfg Config) error {
	var err error
	switch cfg.Method {
	case MethodJeffreys:
		r.Epsilon, err = t.Jeffreys(cfg.Delta, cfg.Alpha)
	case MethodBayesian:
		// Half of alpha for each direction, as the others have it; and nothing where the posterior of an epsilon of 0, which has no
		// width, is all that speaks against it.
		var plain float64
		if plain, err = t.Jeffreys(cfg.Delta, cfg.Alpha); err == nil && plain > 0 {
			r.Epsilon, err = t.Bayesian(cfg.Delta, cfg.Alpha/2)
		}
	case MethodGaussian:
		r.Mu, err = t.Mu(cfg.Alpha)
	default:
		r.Epsilon, err = t.ClopperPearson(cfg.Delta, cfg.Alpha)
	}
	return err
}
