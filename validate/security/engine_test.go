package security

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func never(string) bool { return false }

func newEngine(t testing.TB, c Config) *Engine {
	t.Helper()
	e, err := New(c)
	require.NoError(t, err)
	return e
}

func refusal(t testing.TB, err error) *RefusedError {
	t.Helper()
	var r *RefusedError
	require.ErrorAs(t, err, &r)
	require.ErrorIs(t, err, ErrRefused)
	return r
}

// TestRequestsAreCounted: the rate rule counts requests, not the decisions made of them, and fires at the first too many.
func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		e := newEngine(t, Config{Rules: DefaultRules(), Alert: func(Decision) {}, Limit: func(string) bool { asked++; return asked%2 == 0 }})
		for range 100 {
			require.Zero(t, e.Observe(Event{Kind: KindRequest, Subject: "a"}).Action)
			require.NoError(t, e.Allow("a"))
			<-time.After(time.Second)
		}
		require.Zero(t, e.Observe(Event{Kind: KindRequest, Subject: "b"}).Action, "another subject")
		d := e.Observe(Event{Kind: KindRequest, Subject: "a"})
		require.Equal(t, Limit, d.Action)
		require.Equal(t, 101, d.Count)
		require.Equal(t, 1.0, d.Reputation, "many requests are no harm")
		r := refusal(t, e.Allow("a"))
		require.Equal(t, Limit, r.Action)
		require.Equal(t, 5*time.Minute, r.RetryAfter())
		require.NoError(t, e.Allow("a"), "the caller's limiter decides")
		<-time.After(5 * time.Minute)
		require.NoError(t, e.Allow("a"))
		require.Equal(t, 2, asked)
	})
}

func TestWindow(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	for _, span := range []time.Duration{1, 15, 16, time.Second, 7*time.Minute + 3, 24 * time.Hour} {
		w := window{span: span}
		var times []time.Time
		now := start
		for i := range 2000 {
			now = now.Add(span * time.Duration(i*i%37) / 100)
			times = append(times, now)
			got, least, most := w.add(now), 0, 0
			for _, u := range times {
				if now.Sub(u) < span {
					least++
				}
				if now.Sub(u) <= span+span/16+32 {
					most++
				}
			}
			require.GreaterOrEqual(t, got, least, "span %v, event %d", span, i)
			require.LessOrEqual(t, got, most, "span %v, event %d", span, i)
		}
		require.Equal(t, 1, w.add(now.Add(100*span+100)))
		require.Equal(t, 2, w.add(now), "a clock that went back")
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log []string
		note := func(what string) func(Decision) {
			return func(d Decision) {
				log = append(log, fmt.Sprintf("%s %s %s %s %s", what, d.Subject, d.Rule, d.Severity, d.Action))
			}
		}
		e := newEngine(t, Config{
			Rules: []Rule{
				{Name: "note", Kinds: []string{"n"}, Severity: Low, Action: Note},
				{Name: "alert", Kinds: []string{"a"}, Severity: Medium, Action: Alert},
				{Name: "quarantine", Kinds: []string{"q", "both"}, Severity: High, Action: Quarantine, For: time.Minute},
				{Name: "block", Kinds: []string{"b", "both"}, Least: Medium, Severity: High, Action: Block},
				{Name: "third time", Kinds: []string{"t"}, Over: 2, Within: time.Minute, Severity: Low, Action: Block, For: time.Second},
			},
			Alert: note("alert"), Quarantine: note("quarantine"), Audit: note("audit"), Limit: never,
		})
		require.Equal(t, Note, e.Observe(Event{Kind: "n", Subject: "x"}).Action)
		require.Equal(t, Alert, e.Observe(Event{Kind: "a", Subject: "x"}).Action)
		require.Zero(t, e.Observe(Event{Kind: "other", Subject: "x"}).Action)
		require.Zero(t, e.Observe(Event{Kind: "b", Subject: "x", Severity: Low}).Action, "too little")
		require.NoError(t, e.Allow("x"))
		require.Equal(t, Quarantine, e.Observe(Event{Kind: "q", Subject: "x"}).Action)
		require.Equal(t, Quarantine, refusal(t, e.Allow("x")).Action)
		d := e.Observe(Event{Kind: "both", Subject: "x", Severity: Critical})
		require.Equal(t, Block, d.Action, "the strongest")
		require.Equal(t, Critical, d.Severity)
		require.Equal(t, time.Now().Add(time.Hour), d.Until)
		require.Equal(t, "block", refusal(t, e.Allow("x")).Rule)
		require.True(t, e.Release("x"))
		require.False(t, e.Release("x"))
		require.NoError(t, e.Allow("x"))
		require.Equal(t, 1.0, e.Reputation("x"))
		for i := range 5 {
			require.Equal(t, i >= 2, e.Observe(Event{Kind: "t", Subject: "y"}).Action == Block)
		}
		<-time.After(time.Second)
		require.NoError(t, e.Allow("y"), "it ends")
		require.Equal(t, []string{
			"audit x note low note", "alert x alert medium alert", "audit x alert medium alert", "quarantine x quarantine high quarantine",
			"audit x quarantine high quarantine", "quarantine x quarantine critical quarantine", "audit x quarantine critical quarantine",
			"audit x block critical block", "audit x release none none",
			"audit y third time low block", "audit y third time low block", "audit y third time low block",
		}, log)
		require.Equal(t, Stats{Events: 11, Decisions: 9, Refused: 2, Subjects: 1}, e.Stats())
	})
}

// TestReputationDecides: harm adds up over rules that only note, refuses, and decays.
func TestReputationDecides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rules []string
		e := newEngine(t, Config{HalfLife: time.Hour, Distrust: 0.2, Audit: func(d Decision) { rules = append(rules, d.Rule) },
			Rules: []Rule{{Name: "odd", Severity: Low, Action: Note, Harm: 0.5}}})
		for i := range 3 {
			e.Observe(Event{Subject: "x"})
			require.InDelta(t, math.Exp(-0.5*float64(i+1)), e.Reputation("x"), 1e-12)
			require.NoError(t, e.Allow("x"))
		}
		e.Observe(Event{Subject: "x"})
		r := refusal(t, e.Allow("x"))
		require.Equal(t, RuleReputation, r.Rule)
		require.Equal(t, []string{"odd", "odd", "odd", "odd", RuleReputation}, rules)
		<-time.After(r.After - time.Millisecond)
		require.Error(t, e.Allow("x"))
		<-time.After(2 * time.Millisecond)
		require.NoError(t, e.Allow("x"))
		<-time.After(24 * time.Hour)
		require.Greater(t, e.Reputation("x"), 0.99)
		require.Equal(t, 1.0, e.Reputation("nobody"))
	})
}

func TestAcross(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Rules: []Rule{{Name: "flood", Over: 3, Within: time.Hour, Across: true, Severity: High, Action: Block}}})
	for i := range 5 {
		d := e.Observe(Event{Subject: fmt.Sprint(i)})
		require.Equal(t, i >= 3, d.Action == Block)
	}
}

// TestHostileSubjects: the memory stays bounded, and who is under a sanction is not washed out by names that are made up.
func TestHostileSubjects(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Subjects: 100, Rules: []Rule{{Name: "bad", Kinds: []string{"bad"}, Severity: High, Action: Block},
		{Name: "many", Over: 1 << 20, Within: time.Hour, Severity: Low, Action: Note}}})
	e.Observe(Event{Kind: "bad", Subject: "villain"})
	for i := range 10_000 {
		e.Observe(Event{Kind: "x", Subject: fmt.Sprint(i, strings.Repeat("x", i%600))})
	}
	require.Error(t, e.Allow("villain"))
	s := e.Stats()
	require.Equal(t, 100, s.Subjects)
	require.EqualValues(t, 10_001-100, s.Forgotten)
	for i := range 300 { // all condemned: the oldest goes
		e.Observe(Event{Kind: "bad", Subject: fmt.Sprint("v", i)})
	}
	require.Equal(t, 100, e.Stats().Subjects)
	require.NoError(t, e.Allow("v0"))
	require.Error(t, e.Allow("v299"))

	long := strings.Repeat("a", 300)
	e.Observe(Event{Kind: "bad", Subject: long})
	err := e.Allow(long)
	require.Error(t, err)
	require.Less(t, len(err.Error()), 300)
	require.NoError(t, e.Allow(long+"b"))
	e.Observe(Event{Kind: "bad", Subject: "a\nb\u202e\x1b[2J"})
	err = e.Allow("a\nb\u202e\x1b[2J")
	require.Error(t, err)
	for _, r := range []string{"\n", "\u202e", "\x1b"} {
		require.NotContains(t, err.Error(), r)
	}
	require.NoError(t, e.Allow(`a\nb\u202e\x1b[2J`), "another subject")
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := Rule{Name: "r", Severity: Low, Action: Note}
	with := func(change func(*Rule)) []Rule {
		r := good
		change(&r)
		return []Rule{r}
	}
	for name, c := range map[string]Config{
		"Subjects":          {Subjects: -1},
		"HalfLife":          {HalfLife: -1},
		"Distrust":          {Distrust: 1},
		"Distrust = NaN":    {Distrust: math.NaN()},
		"two rules":         {Rules: []Rule{good, good}},
		"Name":              {Rules: with(func(r *Rule) { r.Name = "" })},
		"\"release\"":       {Rules: with(func(r *Rule) { r.Name = RuleRelease })},
		"a\\nb":             {Rules: with(func(r *Rule) { r.Name = "a\nb" })},
		"Over":              {Rules: with(func(r *Rule) { r.Over = -1 })},
		"Within":            {Rules: with(func(r *Rule) { r.Over = 1 })},
		"Severity":          {Rules: with(func(r *Rule) { r.Severity = 0 })},
		"Least":             {Rules: with(func(r *Rule) { r.Least = 9 })},
		"Action = none":     {Rules: with(func(r *Rule) { r.Action = 0 })},
		"For":               {Rules: with(func(r *Rule) { r.For = -1 })},
		"Harm":              {Rules: with(func(r *Rule) { r.Harm = math.NaN() })},
		"Config.Alert":      {Rules: with(func(r *Rule) { r.Action = Alert })},
		"Config.Limit":      {Rules: with(func(r *Rule) { r.Action = Limit })},
		"Config.Quarantine": {Rules: with(func(r *Rule) { r.Action = Quarantine })},
	} {
		_, err := New(c)
		require.ErrorContains(t, err, name)
	}
	var none *Engine
	require.Zero(t, none.Observe(Event{}))
	require.NoError(t, none.Allow("x"))
	require.False(t, none.Release("x"))
	require.Equal(t, 1.0, none.Reputation("x"))
	require.Zero(t, none.Stats())
}

func TestSetRules(t *testing.T) {
	t.Parallel()
	counting := Rule{Name: "c", Over: 2, Within: time.Hour, Severity: High, Action: Block}
	e := newEngine(t, Config{Rules: []Rule{counting}})
	e.Observe(Event{Subject: "x"})
	e.Observe(Event{Subject: "x"})
	counting.Kinds = []string{"only"}
	require.NoError(t, e.SetRules([]Rule{{Name: "other", Severity: Low, Action: Note}, counting}))
	require.Equal(t, Block, e.Observe(Event{Kind: "only", Subject: "x"}).Action, "its count went on")
	require.Error(t, e.SetRules([]Rule{{}}))
	require.NoError(t, e.SetRules(nil))
	require.Error(t, e.Allow("x"), "a sanction stays")
	require.Zero(t, e.Observe(Event{Kind: "only", Subject: "x"}).Action)
}

func TestNames(t *testing.T) {
	t.Parallel()
	require.Less(t, Low, Medium)
	require.Less(t, Medium, High)
	require.Less(t, High, Critical)
	d := Decision{Severity: High, Action: Quarantine, Rule: "r", Subject: "s", Reputation: 1}
	text, err := json.Marshal(d)
	require.NoError(t, err)
	require.Contains(t, string(text), `"severity":"high","action":"quarantine"`)
	var back Decision
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, d, back)
	require.Error(t, json.Unmarshal([]byte(`{"severity":"awful"}`), &back))
	require.Error(t, json.Unmarshal([]byte(`{"action":"shout"}`), &back))
	require.Equal(t, "unknown(9)", Action(9).String())
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	decisions := 0 // callbacks come one at a time
	e := newEngine(t, Config{Subjects: 8, Rules: DefaultRules(), Limit: never, Alert: func(Decision) {}, Audit: func(Decision) { decisions++ }})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				name := fmt.Sprint((g + i) % 12)
				e.Observe(Event{Kind: []string{KindRequest, KindSQL, KindHTML}[i%3], Subject: name})
				if err := e.Allow(name); err != nil && !errors.Is(err, ErrRefused) {
					t.Error(err)
				}
				if i%50 == 0 {
					e.Release(name)
					_ = e.SetRules(DefaultRules())
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, e.Stats().Decisions, decisions)
}

// FuzzModel compares the engine with one that keeps every event.
func FuzzModel(f *testing.F) {
	f.Add([]byte{0, 10, 1, 20, 2, 200, 0, 0, 1, 1, 3, 3, 0, 255, 2, 2})
	f.Fuzz(func(t *testing.T, ops []byte) {
		rules := []Rule{
			{Name: "a", Kinds: []string{"0"}, Over: 2, Within: 16 * time.Second, Severity: Low, Action: Block, For: 20 * time.Second, Harm: -1},
			{Name: "b", Kinds: []string{"1"}, Severity: High, Action: Quarantine, For: 7 * time.Second, Harm: 0.3},
			{Name: "c", Over: 5, Within: 160 * time.Second, Across: true, Severity: Medium, Action: Note, Harm: 0.1},
		}
		e := newEngine(t, Config{Rules: rules, HalfLife: 100 * time.Second, Distrust: 0.5, Quarantine: func(Decision) {}})
		now := time.Unix(1e9, 0)
		type seen struct {
			at            time.Time
			kind, subject string
		}
		var events []seen
		until, harm := map[string]time.Time{}, map[string]float64{}
		last := map[string]time.Time{}
		for i := 0; i+1 < len(ops); i += 2 {
			now = now.Add(time.Duration(ops[i+1]) * time.Second / 8)
			kind, name := fmt.Sprint(ops[i]%3), fmt.Sprint(ops[i]/3%3)
			decay := func() float64 { return harm[name] * math.Exp2(-now.Sub(last[name]).Seconds()/100) }
			events = append(events, seen{now, kind, name})
			count := func(match func(seen) bool, span time.Duration) (least, most int) {
				for _, ev := range events {
					if age := now.Sub(ev.at); match(ev) && age <= span+span/16 {
						most++
						if age < span {
							least++
						}
					}
				}
				return
			}
			d := e.observe(Event{Kind: kind, Subject: name}, now)
			fired := map[string]bool{}
			e.told.Deliver(func(d Decision) { fired[d.Rule] = true })
			check := func(rule string, least, most, over int) {
				if least > over {
					require.True(t, fired[rule], rule)
				}
				if most <= over {
					require.False(t, fired[rule], rule)
				}
			}
			if kind == "0" {
				least, most := count(func(s seen) bool { return s.kind == "0" && s.subject == name }, 16*time.Second)
				check("a", least, most, 2)
			} else {
				require.False(t, fired["a"])
			}
			require.Equal(t, kind == "1", fired["b"])
			least, most := count(func(seen) bool { return true }, 160*time.Second)
			check("c", least, most, 5)
			if fired["a"] {
				until[name] = now.Add(20 * time.Second)
			}
			if fired["b"] {
				require.GreaterOrEqual(t, d.Action, Quarantine)
				harm[name], last[name] = decay()+0.3, now
				if u := now.Add(7 * time.Second); u.After(until[name]) {
					until[name] = u
				}
			}
			if fired["c"] {
				harm[name], last[name] = decay()+0.1, now
			}
			for who := range 3 {
				name = fmt.Sprint(who)
				h := decay()
				if math.Abs(h-math.Ln2) < 1e-9 {
					continue
				}
				_, err := e.allow(name, now)
				require.Equal(t, until[name].After(now) || h > math.Ln2, err != nil, "%s at %v", name, now)
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	e := newEngine(b, Config{Rules: DefaultRules(), Limit: never, Alert: func(Decision) {}})
	b.ReportAllocs()
	for b.Loop() {
		e.Observe(Event{Kind: "other", Subject: "203.0.113.7"})
		_ = e.Allow("203.0.113.7")
	}
}

// TestSeveritiesOutside: an event cannot get around the rules by a severity that there is not.
func TestSeveritiesOutside(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Config{Rules: []Rule{{Name: "any", Kinds: []string{"sql"}, Severity: High, Action: Block}}})
	require.NotZero(t, e.Observe(Event{Subject: "a", Kind: "sql", Severity: -1}).Action)
}
