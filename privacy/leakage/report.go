package leakage

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Report is the outcome of an audit.
type Report struct {
	// Method is how the bound was obtained.
	Method Method
	// Members and NonMembers are the numbers of examples that the bound rests on.
	Members, NonMembers int
	// Rules is the number of rules that were tried and corrected for, and Rule the one that decided, in words.
	Rules int
	Rule  string
	// Confidence is the probability with which the bound holds, or the posterior probability for a credible bound.
	Confidence float64
	// Epsilon is the lower bound on the epsilon at Delta, 0 where nothing was found. No finding is no proof of privacy.
	Epsilon, Delta float64
	// Mu is the lower bound on mu of the Gaussian methods, 0 for the others.
	Mu float64
	// Claim is the epsilon to compare with, 0 for none, and Verdict what became of it.
	Claim   float64
	Verdict Verdict
	// Assumptions are what the bound takes for granted, in words.
	Assumptions []string
}

// finish derives what follows from the bound.
func (r Report) finish() (Report, error) {
	switch r.Method {
	case MethodGaussian, MethodOneRunGaussian:
		eps, err := epsilonOfMu(r.Mu, r.Delta)
		if err != nil {
			return Report{}, err
		}
		r.Epsilon = eps
		r.Assumptions = append(r.Assumptions,
			"the trade-off curve of the mechanism is that of a Gaussian: the bound refutes claims of that form, and not the epsilon of another mechanism")
	case MethodJeffreys, MethodBayesian:
		r.Assumptions = append(r.Assumptions,
			"the error rates are drawn from Jeffreys' prior: the bound is a credible one and may fail more often than stated for the rates at hand")
	}
	switch {
	case r.Claim == 0:
		r.Verdict = Unclaimed
	case !(r.Epsilon > r.Claim):
		r.Verdict = Consistent
	case r.Method.confident():
		r.Verdict = Refuted
	default:
		r.Verdict = Doubtful
	}
	return r, nil
}

// Excess is by how much the bound exceeds the claim, 0 if it does not or there is none.
func (r Report) Excess() float64 {
	if r.Verdict < Doubtful {
		return 0
	}
	return r.Epsilon - r.Claim
}

// String writes the report in words, over several lines.
func (r Report) String() string {
	var b strings.Builder
	kind := "with a confidence of"
	if r.Method == MethodJeffreys || r.Method == MethodBayesian {
		kind = "with a posterior probability of"
	}
	fmt.Fprintf(&b, "epsilon is at least %.4f at delta %g, %s ", floor(r.Epsilon), r.Delta, kind)
	if alpha := 1 - r.Confidence; alpha < 1e-6 {
		fmt.Fprintf(&b, "1 - %.2g", alpha)
	} else {
		fmt.Fprintf(&b, "%.6g %%", 100*r.Confidence)
	}
	if r.Mu > 0 {
		fmt.Fprintf(&b, " (mu at least %.4f)", floor(r.Mu))
	}
	fmt.Fprintf(&b, "\nmethod: %s, %d members, %d non-members; rules tried and corrected for: %d\n", r.Method, r.Members, r.NonMembers, r.Rules)
	if r.Rule != "" {
		fmt.Fprintf(&b, "rule: %s\n", r.Rule)
	}
	if r.Verdict == Unclaimed {
		b.WriteString("verdict: none, no epsilon was claimed\n")
	} else {
		fmt.Fprintf(&b, "verdict: the claimed epsilon of %g is %s\n", r.Claim, r.Verdict)
	}
	for _, a := range r.Assumptions {
		fmt.Fprintf(&b, "assumed: %s\n", a)
	}
	return b.String()
}

// floor rounds down to the four digits that are printed.
func floor(v float64) float64 { return math.Floor(v*1e4) / 1e4 }

// number is null in JSON where it is not finite.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// wireReport is a Report in JSON.
type wireReport struct {
	Method      Method   `json:"method"`
	Members     int      `json:"members"`
	NonMembers  int      `json:"non_members"`
	Rules       int      `json:"rules"`
	Rule        string   `json:"rule"`
	Confidence  number   `json:"confidence"`
	Epsilon     number   `json:"epsilon_lower"`
	Delta       number   `json:"delta"`
	Mu          number   `json:"mu_lower,omitempty"`
	Claim       number   `json:"claim,omitempty"`
	Verdict     Verdict  `json:"verdict"`
	Severity    int      `json:"severity"`
	Excess      number   `json:"excess"`
	Assumptions []string `json:"assumptions"`
}

// MarshalJSON writes the report with the severity of the verdict as a number, 0 to 3, beside its name. A number that is not finite,
// which no audit returns, is null.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireReport{
		r.Method, r.Members, r.NonMembers, r.Rules, r.Rule, number(r.Confidence), number(r.Epsilon), number(r.Delta), number(r.Mu),
		number(r.Claim), r.Verdict, int(r.Verdict), number(r.Excess()), r.Assumptions,
	})
}
