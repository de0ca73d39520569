// Package security turns events into decisions: rules count what each subject (an address, an account, a key) does, and
// what they decide is carried out, not merely noted.
//
// For most uses: give [New] the rules and what the actions call, tell the [Engine] of every event, requests included, with
// [Engine.Observe], and ask [Engine.Allow] before serving a subject.
//
// Callbacks must be quick: decisions wait for them in memory, in the goroutine of some Observe. Else the memory is bounded: it holds Config.Subjects of them, and forgets first those who were not
// heard of for longest, and those under a sanction last, as far as a look at 64 of them tells.
package security

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

// Event is something that a subject did.
type Event struct {
	Kind     string   // such as "request", "sql" or "login_failed", as rules name it
	Subject  string   // who; the empty one is one like any other. Beyond 256 bytes it is known by its digest.
	Severity Severity // in itself; zero is below all
	Detail   string   // for people; it is made printable and cut to 256 bytes. No secrets.
}

// Config of an engine.
type Config struct {
	Rules []Rule
	// Subjects is how many are remembered: 65,536 if zero.
	Subjects int
	// HalfLife is the time in which the harm that a subject has done counts half: 24 h if zero.
	HalfLife time.Duration
	// Distrust is the reputation below which [Engine.Allow] refuses a subject, in [0, 1): never if zero. A reputation is
	// exp(-harm), so that 0.2 is reached at a harm of 1.61.
	Distrust float64
	// Limit is asked by Allow about a subject under the action [Limit]: it says whether the request may pass. It must not
	// be nil if a rule limits.
	Limit func(subject string) bool
	// Quarantine sets aside what an event was about. It must not be nil if a rule quarantines. It is called like Audit.
	Quarantine func(Decision)
	// Alert tells somebody. It must not be nil if a rule alerts. It is called like Audit.
	Alert func(Decision)
	// Audit, if not nil, is told of every decision: a rule that fired, a reputation that fell below Distrust, a release.
	// Callbacks are called one at a time, in order, outside the engine's lock.
	Audit func(Decision)
}

// Decision is what a rule, or the caller, decided.
type Decision struct {
	Time       time.Time `json:"time"`
	Subject    string    `json:"subject"`
	Kind       string    `json:"kind,omitempty"` // of the event
	Detail     string    `json:"detail,omitempty"`
	Rule       string    `json:"rule"` // its name; "reputation", or "release"
	Severity   Severity  `json:"severity"`
	Action     Action    `json:"action"`
	Count      int       `json:"count,omitempty"` // of events within the rule's window
	Until      time.Time `json:"until,omitzero"`  // end of the sanction
	Reputation float64   `json:"reputation"`      // after it
}

// Names in the Rule of a decision that no rule made.
const (
	RuleReputation = "reputation"
	RuleRelease    = "release"
)

const (
	defaultSubjects = 1 << 16
	defaultHalfLife = 24 * time.Hour
	maxSubject      = 256 // bytes
	maxHarm         = 100 // a reputation of 4e-44
)

// Engine judges events. It is safe for concurrent use; a nil Engine decides nothing and allows everything.
type Engine struct {
	config Config
	told   deliver.Queue[Decision]

	mu        sync.Mutex
	rules     []Rule
	totals    []*window // of the rules that count across subjects
	subjects  map[string]*subject
	idle      *list.List // subjects under no sanction, the longest unheard of first
	condemned *list.List // subjects under one
	stats     Stats
}

// subject is what is known of one.
type subject struct {
	name       string
	counts     map[string]*window // by the name of the rule
	harm       float64            // at the time since
	since      time.Time
	distrusted bool                // its reputation was below Distrust when last looked at
	actions    [Block + 1]sanction // in force
	at         *list.Element
	listed     *list.List
}

type sanction struct {
	rule  string
	until time.Time
}

// Stats counts since New.
type Stats struct {
	Events    uint64
	Decisions uint64
	Refused   uint64 // by Allow
	Forgotten uint64 // subjects, for want of room
	Subjects  int    // remembered now
}

// New checks the rules and returns an engine.
func New(c Config) (*Engine, error) {
	if c.Subjects == 0 {
		c.Subjects = defaultSubjects
	}
	if c.HalfLife == 0 {
		c.HalfLife = defaultHalfLife
	}
	switch {
	case c.Subjects < 1:
		return nil, fmt.Errorf("security: Config.Subjects = %d, want at least 1", c.Subjects)
	case c.HalfLife < 0:
		return nil, fmt.Errorf("security: Config.HalfLife = %v, want more than 0", c.HalfLife)
	case !(c.Distrust >= 0 && c.Distrust < 1):
		return nil, fmt.Errorf("security: Config.Distrust = %v, want 0 <= Distrust < 1", c.Distrust)
	}
	e := &Engine{config: c, subjects: map[string]*subject{}, idle: list.New(), condemned: list.New()}
	if err := e.SetRules(c.Rules); err != nil {
		return nil, err
	}
	e.config.Rules = nil
	return e, nil
}

// SetRules replaces the rules. The counts of a rule go on if one of the same name and window takes its place; sanctions stay
// in force until they end.
func (e *Engine) SetRules(rules []Rule) error {
	rules = slices.Clone(rules)
	names := map[string]bool{}
	for i := range rules {
		r := &rules[i]
		r.Kinds = slices.Clone(r.Kinds)
		if err := r.normal(&e.config); err != nil {
			return err
		}
		if names[r.Name] {
			return fmt.Errorf("security: two rules have the name %.80q", r.Name)
		}
		names[r.Name] = true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	totals := make([]*window, len(rules))
	for i := range rules {
		totals[i] = &window{span: rules[i].Within}
		for j := range e.rules {
			if e.rules[j].Name == rules[i].Name && e.rules[j].Within == rules[i].Within {
				totals[i] = e.totals[j]
			}
		}
	}
	e.rules, e.totals = rules, totals
	for _, s := range e.subjects {
		for name, w := range s.counts {
			if !slices.ContainsFunc(rules, func(r Rule) bool { return r.Name == name && r.Within == w.span }) {
				delete(s.counts, name)
			}
		}
	}
	return nil
}

// Observe counts an event for all rules that it matches, carries out what they decide, and returns the strongest decision;
// its Action is zero if no rule fired.
func (e *Engine) Observe(ev Event) Decision {
	if e == nil {
		return Decision{}
	}
	strongest := e.observe(ev, time.Now())
	e.deliver()
	return strongest
}

func (e *Engine) observe(ev Event, now time.Time) (strongest Decision) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Events++
	ev.Severity = min(max(ev.Severity, 0), Critical)
	s := e.subject(keyOf(ev.Subject), now)
	for i := range e.rules {
		r := &e.rules[i]
		if !r.matches(&ev) {
			continue
		}
		w := e.totals[i]
		if !r.Across {
			if w = s.counts[r.Name]; w == nil {
				w = &window{span: r.Within}
				s.counts[r.Name] = w
			}
		}
		n := w.add(now)
		if n <= r.Over {
			continue
		}
		d := Decision{Time: now, Subject: s.name, Kind: printable(ev.Kind), Detail: printable(ev.Detail), Rule: r.Name,
			Severity: max(r.Severity, ev.Severity), Action: r.Action, Count: n}
		s.blame(r.Harm, now, e.config.HalfLife)
		if r.Action >= Limit {
			d.Until = now.Add(r.For)
			if old := &s.actions[r.Action]; d.Until.After(old.until) {
				*old = sanction{r.Name, d.Until}
			}
		}
		d.Reputation = s.reputation(now, e.config.HalfLife)
		e.decide(d)
		if d.Action > strongest.Action || d.Action == strongest.Action && d.Severity > strongest.Severity {
			strongest = d
		}
		if rep := d.Reputation; rep < e.config.Distrust && !s.distrusted {
			s.distrusted = true
			e.decide(Decision{Time: now, Subject: s.name, Rule: RuleReputation, Severity: d.Severity, Action: Block,
				Until: now.Add(s.trusted(now, &e.config)), Reputation: rep})
		}
	}
	e.place(s, now)
	return strongest
}

func (e *Engine) decide(d Decision) {
	e.stats.Decisions++
	e.told.Add(d)
}

func (e *Engine) deliver() {
	e.told.Deliver(func(d Decision) {
		if d.Rule != RuleRelease && d.Rule != RuleReputation {
			switch {
			case d.Action == Alert && e.config.Alert != nil:
				e.config.Alert(d)
			case d.Action == Quarantine && e.config.Quarantine != nil:
				e.config.Quarantine(d)
			}
		}
		if e.config.Audit != nil {
			e.config.Audit(d)
		}
	})
}

// subject returns what is known of a subject, and makes room for it. The lock must be held.
func (e *Engine) subject(name string, now time.Time) *subject {
	s := e.subjects[name]
	if s != nil {
		return s
	}
	if len(e.subjects) == e.config.Subjects {
		e.forget(now)
	}
	s = &subject{name: name, counts: map[string]*window{}, since: now}
	e.subjects[name] = s
	return s
}

// forget drops a subject: the one that was not heard of for longest of those under no sanction, or else of all.
func (e *Engine) forget(now time.Time) {
	at := e.condemned.Front()
	for range 64 { // of those whose sanctions may have ended: a bound, since an attacker could be under all of them
		if at == nil {
			break
		}
		next := at.Next()
		if s := at.Value.(*subject); !s.sanctioned(now, &e.config) {
			e.place(s, now)
		}
		at = next
	}
	if at = e.idle.Front(); at == nil {
		at = e.condemned.Front()
	}
	s := at.Value.(*subject)
	s.listed.Remove(at)
	delete(e.subjects, s.name)
	e.stats.Forgotten++
}

// place moves a subject to the end of its list.
func (e *Engine) place(s *subject, now time.Time) {
	want := e.idle
	if s.sanctioned(now, &e.config) {
		want = e.condemned
	}
	if s.listed != nil {
		s.listed.Remove(s.at)
	}
	s.listed, s.at = want, want.PushBack(s)
}

func (s *subject) sanctioned(now time.Time, c *Config) bool {
	for _, a := range s.actions {
		if a.until.After(now) {
			return true
		}
	}
	return s.reputation(now, c.HalfLife) < c.Distrust
}

// blame adds to the harm that a subject has done.
func (s *subject) blame(harm float64, now time.Time, half time.Duration) {
	s.harm = min(s.decayed(now, half)+harm, maxHarm)
	s.since = now
}

func (s *subject) decayed(now time.Time, half time.Duration) float64 {
	return s.harm * math.Exp2(-max(0, now.Sub(s.since).Seconds())/half.Seconds())
}

func (s *subject) reputation(now time.Time, half time.Duration) float64 {
	return math.Exp(-s.decayed(now, half))
}

// trusted returns the time until the reputation is no longer below Distrust.
func (s *subject) trusted(now time.Time, c *Config) time.Duration {
	d := math.Log2(s.decayed(now, c.HalfLife)/-math.Log(c.Distrust)) * float64(c.HalfLife)
	return time.Duration(min(max(d, 0), math.MaxInt64/2)) + 1
}

// Allow returns nil if a subject may be served, and else a [*RefusedError]. It counts nothing: tell Observe of requests.
func (e *Engine) Allow(name string) error {
	if e == nil {
		return nil
	}
	limited, err := e.allow(keyOf(name), time.Now())
	if err == nil && limited != nil && !e.config.Limit(name) { // outside the lock
		err = limited
	}
	if err != nil {
		e.mu.Lock()
		e.stats.Refused++
		e.mu.Unlock()
		return err
	}
	return nil
}

func (e *Engine) allow(name string, now time.Time) (limited *RefusedError, _ error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.subjects[name]
	if s == nil {
		return nil, nil
	}
	for action := Block; action >= Limit; action-- {
		a := s.actions[action]
		if !a.until.After(now) {
			continue
		}
		refused := &RefusedError{Subject: printable(name), Rule: a.rule, Action: action, After: a.until.Sub(now)}
		if action != Limit {
			return nil, refused
		}
		limited = refused
	}
	if s.reputation(now, e.config.HalfLife) < e.config.Distrust {
		return nil, &RefusedError{Subject: printable(name), Rule: RuleReputation, Action: Block, After: s.trusted(now, &e.config)}
	}
	s.distrusted = false
	return limited, nil
}

// Release ends the sanctions of a subject and forgets its harm and its counts. It reports whether there was anything.
func (e *Engine) Release(name string) bool {
	if e == nil {
		return false
	}
	known := e.release(keyOf(name), time.Now())
	e.deliver()
	return known
}

func (e *Engine) release(name string, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.subjects[name]
	if s == nil {
		return false
	}
	s.listed.Remove(s.at)
	delete(e.subjects, name)
	e.decide(Decision{Time: now, Subject: name, Rule: RuleRelease, Reputation: 1})
	return true
}

// Reputation of a subject: 1 if nothing is held against it, down to 0.
func (e *Engine) Reputation(name string) float64 {
	if e == nil {
		return 1
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.subjects[keyOf(name)]; s != nil {
		return s.reputation(time.Now(), e.config.HalfLife)
	}
	return 1
}

// Stats returns what happened so far.
func (e *Engine) Stats() Stats {
	if e == nil {
		return Stats{}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Subjects = len(e.subjects)
	return s
}

// keyOf bounds the length of a subject and makes it printable. Two subjects stay two.
func keyOf(name string) string {
	if len(name) <= maxSubject && printable(name) == name && !strings.HasPrefix(name, "sha256:") {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// printable makes text fit for a log.
func printable(s string) string {
	cut := s
	if len(s) > maxSubject {
		cut = strings.ToValidUTF8(s[:maxSubject], "")
	}
	q := strconv.Quote(cut)
	if q = q[1 : len(q)-1]; q == cut {
		q = cut
	}
	if len(cut) < len(s) {
		q += "…"
	}
	return q
}

// ErrRefused is matched by every [RefusedError].
var ErrRefused = errors.New("security: refused")

// RefusedError says that a subject is under a sanction.
type RefusedError struct {
	Subject string
	Rule    string
	Action  Action
	After   time.Duration // until it ends
}

// Error names the rule and the time.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("security: refused: %s is under %q by rule %q for %v more", e.Subject, e.Action, e.Rule, e.After.Round(time.Millisecond))
}

// Is matches [ErrRefused].
func (e *RefusedError) Is(target error) bool { return target == ErrRefused }

// RetryAfter returns when to ask again.
func (e *RefusedError) RetryAfter() time.Duration { return e.After }

// Neutral reports true: a refusal says nothing of the service behind.
func (e *RefusedError) Neutral() bool { return true }
