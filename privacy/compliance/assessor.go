package compliance

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Predicate makes a test from the parameters of a check, which it reads strictly; nil parameters are none. It is called once, by New.
type Predicate func(parameters json.RawMessage) (Test, error)

// Test looks at evidence and says what it sees. It may be called by several goroutines.
type Test func(*View)

// Config of an Assessor.
type Config struct {
	// Rules are those that are applied; the default is Default.
	Rules Rules
	// Predicates are the caller's own, by name. They cannot replace those of this package.
	Predicates map[string]Predicate
}

// Assessor applies rules to evidence. It has no state and is safe for concurrent use. Make one with New.
type Assessor struct {
	rules  Rules
	hash   string
	checks []compiled
}

type compiled struct {
	check  Check
	hash   string
	maxAge time.Duration
	test   Test
}

// New returns an Assessor. It refuses rules that are not valid, that name an unknown predicate or give it parameters that it does not
// take.
func New(cfg Config) (*Assessor, error) {
	rules := cfg.Rules
	if rules.Name == "" && rules.Version == "" && len(rules.Checks) == 0 {
		rules = Default()
	}
	if err := rules.validate(); err != nil {
		return nil, err
	}
	predicates := builtin()
	for name, p := range cfg.Predicates {
		if _, taken := predicates[name]; taken || name == "" || p == nil {
			return nil, invalid("predicate", quoted(name), "a name of its own and a function")
		}
		predicates[name] = p
	}
	a := &Assessor{rules: rules.With()}
	for _, c := range rules.Checks {
		p, ok := predicates[c.Predicate]
		if !ok {
			return nil, invalid(c.ID+"'s predicate", quoted(c.Predicate), "one of this package or of Config.Predicates")
		}
		test, err := p(slices.Clone(c.Parameters))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
		if test == nil {
			return nil, invalid(c.ID+"'s predicate", quoted(c.Predicate), "a test")
		}
		age := rules.MaxAge
		if c.MaxAge != "" {
			age = c.MaxAge
		}
		maxAge, err := parseAge(age)
		if err != nil {
			return nil, err
		}
		sum := digest("check", c)
		if sum == "" {
			return nil, invalid(c.ID+"'s parameters", quoted(string(c.Parameters)), "JSON")
		}
		a.checks = append(a.checks, compiled{c, sum, maxAge, test})
	}
	a.hash = a.rules.hash()
	return a, nil
}

// Predicates returns the names of the predicates of this package, sorted.
func Predicates() []string { return slices.Sorted(maps.Keys(builtin())) }

// Rules returns those that are applied.
func (a *Assessor) Rules() Rules { return a.rules.With() }

// Assess applies all rules to the evidence as it stands at now. Subject names what is assessed, such as a run. Equal arguments give
// equal assessments.
func (a *Assessor) Assess(subject string, e Evidence, now time.Time) Assessment {
	now = now.Round(0).UTC()
	out := Assessment{Subject: clip(subject), Time: now, Rules: a.rules.Name, Version: a.rules.Version, RulesHash: a.hash}
	digests := make(map[string]string)
	for _, c := range a.checks {
		v := &View{evidence: &e, digests: digests, now: now, maxAge: c.maxAge}
		run(c.test, v)
		f := Finding{
			Check: c.check.ID, CheckVersion: c.check.Version, Regulation: c.check.Regulation, Article: c.check.Article,
			Title: c.check.Title, Severity: c.check.Severity, Remaining: c.check.Remaining, Evidence: v.used,
		}
		f.State, f.Reasons = v.result()
		if v.all != nil {
			f.Said = hex.EncodeToString(v.all.Sum(nil))
		}
		f.Hash = digest(c.hash, f.Evidence)
		out.Findings = append(out.Findings, f)
	}
	out.seal()
	return out
}

// run calls a test. One that panics has not looked: the finding is UNKNOWN, and the training that is watched goes on.
func run(test Test, v *View) {
	defer func() {
		if r := recover(); r != nil {
			v.Unknownf("the check panicked with a value of type %T", r)
		}
	}()
	test(v)
}
