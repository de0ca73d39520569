package compliance

import "fmt"

type budgetEnforced struct {
	MaxEpsilon float64 `json:"max_epsilon"`
	MaxDelta   float64 `json:"max_delta"`
}

func (p *budgetEnforced) check() error {
	if !(p.MaxEpsilon > 0 && p.MaxDelta > 0 && p.MaxDelta < 1) {
		return invalid("parameters", fmt.Sprint(p.MaxEpsilon, ", ", p.MaxDelta), "max_epsilon above 0 and max_delta in (0, 1)")
	}
	return nil
}

// budgetWithin is GDPR 25: the run refuses without a budget, and the budget is within the policy.
func budgetWithin(v *View, p budgetEnforced) {
	if s, ok := v.Settings(); ok {
		v.must(s.BudgetEnforced, Yes, "a step that no longer fits the budget is refused")
		v.must(s.DifferentialPrivacy, Yes, "differential privacy is on")
		if !(s.ClipNorm > 0) {
			v.Unknownf("the clip norm is %v", s.ClipNorm)
		}
	}
	v.accounted(p.MaxEpsilon, p.MaxDelta)
}

// accounted checks the accounts against a policy. It fails closed: what cannot be compared is no pass.
func (v *View) accounted(maxEpsilon, maxDelta float64) {
	accounts, ok := v.Accounts()
	if !ok || !some(v, accounts, "account") {
		return
	}
	for _, a := range accounts {
		if !v.bounded(a) {
			continue
		}
		if most := max(a.Spent, a.Limit); !(most <= maxEpsilon) && a.Retired != Yes || !(a.Spent <= maxEpsilon) {
			v.Failf("account %s: epsilon may reach %.6g, the policy allows %.6g", quoted(a.Name), most, maxEpsilon)
		}
		if !(a.Delta <= maxDelta) {
			v.Failf("account %s: delta %.3g, the policy allows %.3g", quoted(a.Name), a.Delta, maxDelta)
		}
	}
	v.Notef("%d accounts", len(accounts))
	v.charged(accounts)
}

// bounded reports whether an account has a bound on epsilon, and says whether it has been kept.
func (v *View) bounded(a Account) bool {
	if a.Limit < 0 || a.Spent < 0 || !(a.Delta >= 0 && a.Delta < 1) {
		v.Unknownf("account %s: epsilon %v of %v, delta %v", quoted(a.Name), a.Spent, a.Limit, a.Delta)
		return false
	}
	if !(a.Spent <= a.Limit) {
		v.Failf("account %s: spent %.6g of %.6g", quoted(a.Name), a.Spent, a.Limit)
	}
	return true
}

// charged asks whether every block that is not over has an account among those that have been looked at.
func (v *View) charged(accounts []Account) {
	datasets, ok := v.Datasets()
	if !ok || !some(v, datasets, "dataset") {
		return
	}
	have := make(map[string]bool)
	for _, a := range accounts {
		have[a.Name] = true
	}
	for _, d := range datasets {
		if len(d.Blocks) == 0 {
			v.Unknownf("dataset %s: blocks not known", quoted(d.Name))
		}
		for _, b := range d.Blocks {
			switch {
			case b.over(v.now) != "":
			case b.Account == "":
				v.Unknownf("dataset %s, block %s: no account", quoted(d.Name), quoted(b.Name))
			case !have[b.Account]:
				v.Unknownf("account %s of block %s: not known", quoted(b.Account), quoted(b.Name))
			}
		}
	}
}

// deidentified is CCPA 1798.140(m): an epsilon, and the pledge not to re-identify.
func deidentified(v *View) {
	if s, ok := v.Settings(); ok {
		v.must(s.NoReidentification, Yes, "not to re-identify has been pledged")
		v.must(s.DifferentialPrivacy, Yes, "differential privacy is on")
		v.must(s.FixedSeed, No, "noise cannot be drawn again from a fixed seed")
	}
	accounts, ok := v.Accounts()
	if !ok || !some(v, accounts, "account") {
		return
	}
	for _, a := range accounts {
		if !(a.Limit > 0) {
			v.Unknownf("account %s: has no bound on epsilon", quoted(a.Name))
		} else {
			v.bounded(a)
		}
	}
	v.charged(accounts)
}
