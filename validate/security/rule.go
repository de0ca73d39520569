package security

import (
	"fmt"
	"slices"
	"time"
)

// Severity says how bad something is. Severities order as numbers.
type Severity int

// The severities. Zero is below all of them.
const (
	Low Severity = 1 + iota
	Medium
	High
	Critical
)

var severityNames = []string{"none", "low", "medium", "high", "critical"}

// String returns "none", "low", "medium", "high" or "critical".
func (s Severity) String() string { return nameOf(severityNames, int(s)) }

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(text []byte) error {
	return parse(severityNames, "severity", text, (*int)(s))
}

// Action is what a decision does. Actions order by their strength.
type Action int

// The actions. Zero is none: the event was counted.
const (
	// Note records the decision and does nothing else.
	Note Action = 1 + iota
	// Alert calls Config.Alert.
	Alert
	// Limit makes Allow ask Config.Limit for the time of the rule.
	Limit
	// Quarantine calls Config.Quarantine, and Allow refuses for the time of the rule.
	Quarantine
	// Block makes Allow refuse for the time of the rule.
	Block
)

var actionNames = []string{"none", "note", "alert", "limit", "quarantine", "block"}

// String returns "none", "note", "alert", "limit", "quarantine" or "block".
func (a Action) String() string { return nameOf(actionNames, int(a)) }

// MarshalText implements encoding.TextMarshaler.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Action) UnmarshalText(text []byte) error {
	return parse(actionNames, "action", text, (*int)(a))
}

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("unknown(%d)", i)
	}
	return names[i]
}

func parse(names []string, what string, text []byte, to *int) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return fmt.Errorf("security: %s %.40q, want one of %q", what, text, names)
	}
	*to = i
	return nil
}

// Rule says from which events on what is done.
type Rule struct {
	Name string // unique
	// Kinds of events that it counts: all if there are none.
	Kinds []string
	// Least is the severity from which on an event counts.
	Least Severity
	// Over is how many events may happen within Within: one more, and the rule fires. If it is 0, every event fires it.
	Over   int
	Within time.Duration
	// Across counts the events of all subjects together. The one whose event is too many bears the action.
	Across bool

	Severity Severity // of its decisions, if that of the event is not higher
	Action   Action
	// For is how long Limit, Quarantine and Block last: 1 h if zero. A rule that fires again begins anew.
	For time.Duration
	// Harm is how much it adds to the harm that the subject has done: by its severity 0.1, 0.25, 0.5 or 1 if zero, nothing
	// if negative.
	Harm float64
}

const maxOver = 1 << 30

func (r *Rule) normal(c *Config) error {
	if r.For == 0 {
		r.For = time.Hour
	}
	if r.Harm == 0 {
		r.Harm = []float64{0.1, 0.1, 0.25, 0.5, 1}[min(max(r.Severity, 0), Critical)]
	}
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("security: rule %.80q: %s = %v, want %s", r.Name, field, value, want)
	}
	switch {
	case r.Name == "" || r.Name == RuleReputation || r.Name == RuleRelease || keyOf(r.Name) != r.Name:
		return bad("Name", fmt.Sprintf("%.80q", r.Name), "a short printable name of its own")
	case r.Over < 0 || r.Over > maxOver:
		return bad("Over", r.Over, fmt.Sprintf("0..%d", maxOver))
	case r.Over > 0 && r.Within <= 0:
		return bad("Within", r.Within, "more than 0 where Over is")
	case r.Severity < Low || r.Severity > Critical:
		return bad("Severity", r.Severity, "Low to Critical")
	case r.Least < 0 || r.Least > Critical:
		return bad("Least", r.Least, "at most Critical")
	case r.Action < Note || r.Action > Block:
		return bad("Action", r.Action, "Note to Block")
	case r.For < 0:
		return bad("For", r.For, "more than 0")
	case !(r.Harm <= maxHarm):
		return bad("Harm", r.Harm, fmt.Sprintf("at most %d", maxHarm))
	case r.Action == Alert && c.Alert == nil:
		return bad("Action", r.Action, "Config.Alert to be set")
	case r.Action == Limit && c.Limit == nil:
		return bad("Action", r.Action, "Config.Limit to be set")
	case r.Action == Quarantine && c.Quarantine == nil:
		return bad("Action", r.Action, "Config.Quarantine to be set")
	}
	r.Harm = max(r.Harm, 0)
	return nil
}

func (r *Rule) matches(ev *Event) bool {
	return ev.Severity >= r.Least && (len(r.Kinds) == 0 || slices.Contains(r.Kinds, ev.Kind))
}

// Kinds of events that [DefaultRules] count.
const (
	KindRequest       = "request"
	KindSQL           = "sql"
	KindHTML          = "html"
	KindAgent         = "agent"          // a user agent that scanners have
	KindBudgetRefused = "budget_refused" // a privacy budget did not allow a query
)

// DefaultRules are those of a small service: an SQL flag blocks for an hour, more than 100 requests in 5 minutes are limited,
// an HTML flag and an odd user agent alert, and who asks more than twice in an hour for privacy that is not left is blocked
// for a day.
func DefaultRules() []Rule {
	return []Rule{
		{Name: "sql", Kinds: []string{KindSQL}, Severity: High, Action: Block},
		{Name: "html", Kinds: []string{KindHTML}, Severity: Medium, Action: Alert},
		{Name: "requests", Kinds: []string{KindRequest}, Over: 100, Within: 5 * time.Minute, Severity: Medium, Action: Limit, For: 5 * time.Minute, Harm: -1},
		{Name: "agent", Kinds: []string{KindAgent}, Severity: Low, Action: Alert},
		{Name: "budget", Kinds: []string{KindBudgetRefused}, Over: 2, Within: time.Hour, Severity: Critical, Action: Block, For: 24 * time.Hour},
	}
}

// window counts the events of the last span, in sixteenths of it: it forgets an event between one span and 17/16 of one
// after it, never earlier.
type window struct {
	span  time.Duration
	begin time.Time // of the newest part
	parts [parts]uint32
	at    int // index of the newest part
}

const parts = 17 // sixteen that have passed in part or whole, and the one that is passing

// add counts an event and returns how many there are.
func (w *window) add(now time.Time) int {
	if w.span <= 0 { // every event fires the rule
		return 1
	}
	step := max(w.span/(parts-1), 1)
	if w.span%(parts-1) != 0 {
		step++
	}
	if passed := now.Sub(w.begin); w.begin.IsZero() || passed/step >= parts {
		w.parts, w.begin = [parts]uint32{}, now
	} else {
		for n := passed / step; n > 0; n-- { // a clock that went back counts into the newest part
			w.at = (w.at + 1) % parts
			w.parts[w.at] = 0
			w.begin = w.begin.Add(step)
		}
	}
	if w.parts[w.at] <= maxOver {
		w.parts[w.at]++
	}
	sum := uint64(0)
	for _, n := range w.parts {
		sum += uint64(n)
	}
	return int(min(sum, maxOver+1))
}
