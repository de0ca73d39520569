package compliance

import (
	"cmp"
	"slices"
	"time"
)

// Finding is the result of one check.
type Finding struct {
	Check        string `json:"check"`
	CheckVersion int    `json:"check_version"`
	Regulation   string `json:"regulation"`
	Article      string `json:"article"`
	Title        string `json:"title"`
	Severity     int    `json:"severity"`
	State        State  `json:"state"`
	// Reasons are the first 20, the worse ones before notes; the rest is counted.
	Reasons []Reason `json:"reasons,omitempty"`
	// Said is the SHA-256 of all reasons but notes, of those too that Reasons has no room for; empty if there are none.
	Said string `json:"said,omitempty"`
	// Evidence is all that the check looked at.
	Evidence []Used `json:"evidence,omitempty"`
	// Hash is the SHA-256 over the check, with its parameters, and the digests, times and sources of the evidence.
	Hash string `json:"hash"`
	// Remaining is what is left for a human, whatever the state.
	Remaining string `json:"remaining"`
}

// Assessment is the result of all checks at one moment. It is evidence of what was seen then, not a statement that a law is obeyed.
type Assessment struct {
	Subject   string    `json:"subject"`
	Time      time.Time `json:"time"`
	Rules     string    `json:"rules"`
	Version   string    `json:"version"`
	RulesHash string    `json:"rules_hash"`
	// State is the worst of the findings.
	State    State     `json:"state"`
	Findings []Finding `json:"findings"`
	// Hash is the SHA-256 over the subject, the rules, and the states and hashes of all findings. It does not depend on Time.
	Hash string `json:"hash"`
}

// seal sets what follows from the findings.
func (a *Assessment) seal() {
	type sealed struct {
		Check string
		State State
		Hash  string
	}
	states := make([]State, 0, len(a.Findings))
	list := make([]sealed, 0, len(a.Findings))
	for _, f := range a.Findings {
		states = append(states, f.State)
		list = append(list, sealed{f.Check, f.State, f.Hash})
	}
	a.State = Worst(states...)
	a.Hash = digest(a.Subject, struct {
		Rules    string
		Findings []sealed
	}{a.RulesHash, list})
}

// Article is what the findings for one article come to.
type Article struct {
	Regulation string `json:"regulation"`
	Article    string `json:"article"`
	// State is the worst of its findings.
	State    State     `json:"state"`
	Findings []Finding `json:"findings"`
}

// Articles groups the findings by article, in the order of the rules.
func (a Assessment) Articles() []Article {
	var out []Article
	at := make(map[[2]string]int)
	for _, f := range a.Findings {
		key := [2]string{f.Regulation, f.Article}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, Article{Regulation: f.Regulation, Article: f.Article, State: f.State})
		}
		out[i].State = Worst(out[i].State, f.State)
		out[i].Findings = append(out[i].Findings, f)
	}
	return out
}

// Ranked returns the findings, the worst state first, and of equal states the most severe.
func (a Assessment) Ranked() []Finding {
	out := slices.Clone(a.Findings)
	slices.SortStableFunc(out, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(y.State.rank(), x.State.rank()), cmp.Compare(y.Severity, x.Severity))
	})
	return out
}

// Count returns the number of findings in a state.
func (a Assessment) Count(s State) (n int) {
	for _, f := range a.Findings {
		if f.State == s {
			n++
		}
	}
	return n
}
