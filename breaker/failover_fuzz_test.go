package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/surefoot-ml/surefoot/breaker"
)

// groupModel is a Failover written for clearness: it keeps every report and works everything out anew each time.
type groupModel struct {
	cfg      breaker.FailoverConfig // complete, targets in order of priority
	deps     map[string][]string
	start    time.Time
	events   []healthEvent
	refusals map[string]time.Time
	active   int
	switches []breaker.Switch
	answers  map[string]error // of Ready
	asked    []string
}

type healthEvent struct {
	at    time.Time
	name  string
	score float64
}

// health is that of name at an instant, if only the first n events had come.
func (m *groupModel) health(name string, n int, at time.Time) float64 {
	for _, d := range m.deps[name] {
		if m.health(d, n, at) < m.cfg.FailBelow {
			return 0
		}
	}
	last := healthEvent{m.start, name, 1}
	for _, e := range m.events[:n] {
		if e.name == name {
			last = e
		}
	}
	if m.cfg.Stale > 0 && at.Sub(last.at) > m.cfg.Stale {
		return 0
	}
	return last.score
}

// held says whether name was good for all of Hold. Between events health can only get worse, so it is enough to look at
// the ends of those times.
func (m *groupModel) held(name string, now time.Time) bool {
	from := now.Add(-m.cfg.Hold)
	if from.Before(m.start) {
		return false
	}
	n := 0
	for n < len(m.events) && !m.events[n].at.After(from) {
		n++
	}
	good := m.health(name, n, from) >= m.cfg.FailbackAt
	for ; n < len(m.events); n++ {
		good = good && m.health(name, n, m.events[n].at) >= m.cfg.FailbackAt &&
			m.health(name, n+1, m.events[n].at) >= m.cfg.FailbackAt
	}
	return good && m.health(name, n, now) >= m.cfg.FailbackAt
}

func (m *groupModel) lost(now time.Time) bool {
	return m.health(m.cfg.Targets[m.active].Name, len(m.events), now) < m.cfg.FailBelow
}

// due is the target to switch to.
func (m *groupModel) due(now time.Time) (int, breaker.SwitchReason) {
	lost := m.lost(now)
	for i, t := range m.cfg.Targets {
		if at, ok := m.refusals[t.Name]; i == m.active || ok && now.Sub(at) < m.cfg.Pause {
			continue
		}
		if lost && m.health(t.Name, len(m.events), now) >= m.cfg.FailBelow {
			return i, breaker.TargetFailed
		}
		if !lost && t.Priority < m.cfg.Targets[m.active].Priority && m.held(t.Name, now) {
			return i, breaker.TargetRecovered
		}
	}
	return -1, 0
}

func (m *groupModel) report(now time.Time, name string, score float64) {
	m.events = append(m.events, healthEvent{now, name, score})
	for range m.cfg.Attempts {
		to, reason := m.due(now)
		if to < 0 {
			return
		}
		old, target := m.cfg.Targets[m.active].Name, m.cfg.Targets[to].Name
		m.asked = append(m.asked, target)
		if m.answers[target] != nil {
			m.refusals[target] = now
			continue
		}
		m.switches = append(m.switches, breaker.Switch{
			From: old, To: target, Reason: reason, Health: m.health(old, len(m.events), now), At: now,
		})
		if len(m.switches) > m.cfg.History {
			m.switches = m.switches[1:]
		}
		delete(m.refusals, target)
		m.active = to
	}
}

// playGroup does what data says with a Failover and with the model, and compares them after every move.
func playGroup(t *testing.T, data []byte) {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		c := data[0]
		data = data[1:]
		return int(c)
	}
	cfg := breaker.FailoverConfig{
		FailBelow: float64(1+next()%5) / 10, FailbackAt: float64(5+next()%5) / 10,
		Hold:     time.Duration(1+next()%50) * time.Second,
		Stale:    time.Duration(next()%3*(next()%100)) * time.Second,
		Attempts: 1 + next()%4, Pause: time.Duration(1+next()%40) * time.Second, History: 1 + next()%9,
	}
	m := &groupModel{
		deps: map[string][]string{}, start: time.Now(), refusals: map[string]time.Time{}, answers: map[string]error{},
	}
	var names, asked []string
	for i := range 1 + next()%5 {
		name := fmt.Sprint("t", i)
		names = append(names, name)
		cfg.Targets = append(cfg.Targets, breaker.Target{
			Name: name, Priority: i / (1 + next()%2), // in order, or pairs of equals
			Ready: func(context.Context) error {
				asked = append(asked, name)
				return m.answers[name]
			},
		})
	}
	slices.SortStableFunc(cfg.Targets, func(a, b breaker.Target) int { return a.Priority - b.Priority })
	for i := range next() % 4 {
		name := fmt.Sprint("c", i)
		names = append(names, name)
		cfg.Components = append(cfg.Components, breaker.Component{Name: name})
	}
	for i, name := range names { // on later names only, so without a cycle
		for j := i + 1; j < len(names); j++ {
			if next()%4 == 0 {
				m.deps[name] = append(m.deps[name], names[j])
			}
		}
	}
	for i := range cfg.Targets {
		cfg.Targets[i].DependsOn = m.deps[cfg.Targets[i].Name]
	}
	for i := range cfg.Components {
		cfg.Components[i].DependsOn = m.deps[cfg.Components[i].Name]
	}
	m.cfg = cfg
	f := newFailover(t, cfg)

	for n := 0; len(data) > 0; n++ {
		switch op := next(); op % 8 {
		case 0, 1, 2, 3, 4:
			name, score := names[next()%len(names)], float64(next()%11)/10
			m.report(time.Now(), name, score)
			err := f.Report(t.Context(), name, score)
			if lost := m.lost(time.Now()); errors.Is(err, breaker.ErrNoTarget) != lost || (err != nil) != lost {
				t.Fatalf("move %d: Report returned %v, the active target failed: %v", n, err, lost)
			}
		case 5:
			name := cfg.Targets[next()%len(cfg.Targets)].Name
			m.answers[name] = []error{nil, errRefused}[next()%2]
		default:
			<-time.After(time.Duration(op%4*next()) * 100 * time.Millisecond)
		}
		if got, want := f.Active(), cfg.Targets[m.active].Name; got != want {
			t.Fatalf("move %d: %q is active, want %q", n, got, want)
		}
		if !slices.Equal(asked, m.asked) {
			t.Fatalf("move %d: asked %q, want %q", n, asked, m.asked)
		}
		if got := f.Switches(); !slices.Equal(got, m.switches) {
			t.Fatalf("move %d: switches\n%v, want\n%v", n, got, m.switches)
		}
		for _, v := range f.System().Members {
			if want := m.health(v.Name, len(m.events), time.Now()); v.Health != want {
				t.Fatalf("move %d: health of %q %v, want %v", n, v.Name, v.Health, want)
			}
		}
	}
}

func seeds(f *testing.F, length int) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 30 {
		f.Add(randomBytes(rnd, length))
	}
}

func randomBytes(rnd *rand.Rand, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	return data
}

func FuzzFailover(f *testing.F) {
	seeds(f, 300)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			return
		}
		synctest.Test(t, func(t *testing.T) { playGroup(t, data) })
	})
}

func TestFailoverLikeModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(9, 10))
		for range 200 {
			playGroup(t, randomBytes(rnd, 400))
		}
	})
}
