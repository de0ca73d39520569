package leakage

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Selection says how [AuditScores] comes to its threshold: [Ranks], [Fixed] or [Split]. There is none that picks the best threshold without
// paying for it.
type Selection interface {
	audit(s *Scores, cfg Config, r *Report) error
}

// Fixed is a threshold that was known before the scores: a score of at least Threshold is taken for a member's.
type Fixed struct{ Threshold float64 }

func (f Fixed) audit(s *Scores, cfg Config, r *Report) error {
	t, err := s.At(f.Threshold)
	if err != nil {
		return err
	}
	r.Rule = describe("from", f.Threshold, t)
	r.Assumptions = append(r.Assumptions, "the threshold was fixed before the scores were looked at")
	return r.bound(t, cfg)
}

func describe(side string, threshold float64, t TwoRun) string {
	return fmt.Sprintf("scores %s %.6g taken for members': %d of %d members missed, %d of %d non-members taken for members",
		side, threshold, t.FalseNegatives, t.Members, t.FalsePositives, t.NonMembers)
}

// Ranks tries the thresholds that let given numbers of non-members pass, and those that miss given numbers of members, and corrects for
// all of them. The zero value tries 0, 7, 63, 511 and so on, up to half of them: a factor of 8 costs less by the thresholds that it leaves out
// than smaller ones by the correction for more. It needs a method with a confidence: [MethodClopperPearson] or [MethodGaussian].
//
// Proof: of K ranks in all, take the k-th of non-members, the threshold above the k+1 highest of n. Its false positive rate is at most
// U_(k+1), the order statistic of n uniform numbers, whose quantile is Clopper and Pearson's bound for k of n, although the threshold
// depends on them. The members are independent of it, so that their bound holds as for a fixed threshold. With alpha/(2K) for each of the
// 2K bounds all hold at once with a probability of 1-alpha, and so does the largest epsilon that follows from any of them.
type Ranks struct {
	FalsePositives []int // of the thresholds set by the non-members
	FalseNegatives []int // of the thresholds set by the members
}

func defaultRanks(n int) []int {
	var list []int
	for k := 1; k-1 <= n/2; k *= 8 {
		list = append(list, k-1)
	}
	return list
}

func (k Ranks) audit(s *Scores, cfg Config, r *Report) error {
	if cfg.Method != MethodClopperPearson && cfg.Method != MethodGaussian {
		return invalid("Method", cfg.Method, "one with a confidence to correct for ranks, or a Fixed threshold or a Split")
	}
	alarms, missed := k.FalsePositives, k.FalseNegatives
	if alarms == nil && missed == nil {
		alarms, missed = defaultRanks(len(s.others)), defaultRanks(len(s.members))
	}
	if err := checkRanks("FalsePositives", alarms, len(s.others)); err != nil {
		return err
	}
	if err := checkRanks("FalseNegatives", missed, len(s.members)); err != nil {
		return err
	}
	r.Rules = len(alarms) + len(missed)
	if r.Rules == 0 {
		return invalid("number of ranks", 0, "at least 1")
	}
	r.Assumptions = append(r.Assumptions, "the ranks were fixed before the scores were looked at")
	part := cfg.Alpha / 2 / float64(r.Rules)
	for _, k := range alarms {
		limit := s.others[len(s.others)-1-k] // members' are those above
		t := TwoRun{notAbove(s.members, limit), len(s.members), k, len(s.others)}
		r.take(t.errors(part), cfg, func() string { return describe("above", limit, t) })
	}
	for _, k := range missed {
		limit := s.members[k] // members' are those not below
		t := TwoRun{k, len(s.members), len(s.others) - below(s.others, limit), len(s.others)}
		r.take(t.errors(part), cfg, func() string { return describe("from", limit, t) })
	}
	return nil
}

// take keeps the larger bound.
func (r *Report) take(e errorRates, cfg Config, rule func() string) {
	into, bound := &r.Epsilon, 0.0
	if cfg.Method == MethodGaussian {
		into, bound = &r.Mu, e.mu()
	} else {
		bound = e.epsilon(cfg.Delta)
	}
	if bound > *into || r.Rule == "" {
		*into, r.Rule = max(*into, bound), rule()
	}
}

func checkRanks(field string, list []int, n int) error {
	if len(list) > 1000 {
		return invalid("number of "+field, len(list), "at most 1000")
	}
	for i, k := range list {
		if k < 0 || k >= n || slices.Contains(list[:i], k) {
			return invalid(fmt.Sprintf("%s[%d]", field, i), k, fmt.Sprintf("0 to %d, none twice", n-1))
		}
	}
	return nil
}

// Split chooses the threshold with the largest bound on one part of the scores and tests it on the rest. The parts depend on Seed, the
// numbers of scores and the order in which they were given to [NewScores], which must not depend on them: a list in sorted order is
// refused. To try several seeds and keep the best is to pick a threshold by looking.
type Split struct {
	Seed uint64
	// Share is the part of the scores to choose by, above 0 and below 1; 0.5 by default.
	Share float64
}

func (p Split) audit(s *Scores, cfg Config, r *Report) error {
	if p.Share == 0 {
		p.Share = 0.5
	}
	if !(p.Share > 0 && p.Share < 1) {
		return invalid("Share", p.Share, "above 0 and below 1")
	}
	if inOrder(s.givenMembers) || inOrder(s.givenOthers) {
		return invalid("scores", "a list in sorted order", "an order that does not depend on them, or another selection than a Split")
	}
	rng := rand.New(rand.NewPCG(p.Seed, 0x5eed))
	var choose, test Scores
	choose.members, test.members = part(rng, s.givenMembers, p.Share)
	choose.others, test.others = part(rng, s.givenOthers, p.Share)
	if min(len(choose.members), len(choose.others), len(test.members), len(test.others)) == 0 {
		return fmt.Errorf("%w: %d members and %d non-members cannot be split", ErrTooFew, len(s.members), len(s.others))
	}
	threshold := choose.best(cfg)
	t, err := test.At(threshold)
	if err != nil {
		return err
	}
	r.Members, r.NonMembers = t.Members, t.NonMembers
	r.Rule = describe("from", threshold, t)
	r.Assumptions = append(r.Assumptions,
		fmt.Sprintf("the split was fixed before the scores were looked at; the threshold was chosen by %d other members and %d other non-members",
			len(choose.members), len(choose.others)))
	return r.bound(t, cfg)
}

// inOrder reports whether values that differ are sorted, either way. Of eight unsorted ones, one list in 20,000 is.
func inOrder(values []float64) bool {
	if len(values) < 8 || values[0] == values[len(values)-1] {
		return false
	}
	down := func(a, b float64) int { return cmp.Compare(b, a) }
	return slices.IsSorted(values) || slices.IsSortedFunc(values, down)
}

// best returns the threshold with the largest bound, or with the largest difference of rates where none is above 0.
func (s *Scores) best(cfg Config) float64 {
	threshold, bound, advantage := math.Inf(1), 0.0, math.Inf(-1)
	for _, p := range s.Hull() {
		e := p.errors(cfg.Alpha / 2)
		b := e.epsilon(cfg.Delta)
		if cfg.Method == MethodGaussian { // good enough to choose by
			b = max(0, -quantileNear(e.alarms.X, math.NaN())-quantileNear(e.missed.X, math.NaN()))
		}
		if a := p.TPR - p.FPR; b > bound || b == bound && a > advantage {
			threshold, bound, advantage = p.Threshold, b, a
		}
	}
	return threshold
}

// part draws a share of the values, by their places, and returns it and the rest, both sorted.
func part(rng *rand.Rand, values []float64, share float64) (drawn, rest []float64) {
	n := len(values)
	k := int(math.Round(share * float64(n)))
	for i, v := range values { // each set of k places is as likely as any other
		if rng.IntN(n-i) < k-len(drawn) {
			drawn = append(drawn, v)
		} else {
			rest = append(rest, v)
		}
	}
	slices.Sort(drawn)
	slices.Sort(rest)
	return drawn, rest
}

// AuditScores bounds epsilon from below by the scores of an attack on members and on non-members. A nil Selection is [Ranks] where the
// method has a confidence to correct for it.
func AuditScores(s *Scores, sel Selection, cfg Config) (Report, error) {
	cfg, err := cfg.complete(MethodClopperPearson)
	if err != nil {
		return Report{}, err
	}
	if s == nil || len(s.members) == 0 || len(s.others) == 0 {
		return Report{}, invalid("scores", "none", "those of NewScores")
	}
	if sel == nil {
		sel = Ranks{}
	}
	r := cfg.report(len(s.members), len(s.others))
	r.Assumptions = []string{independent}
	if err := sel.audit(s, cfg, &r); err != nil {
		return Report{}, err
	}
	return r.finish()
}
