package breaker

import (
	"slices"
	"strings"
	"time"
)

// roster is the state machine of a Failover: a pure function of what it is told and when. The times that it is told never
// go back.
type roster struct {
	cfg     FailoverConfig
	members []member // targets in order of priority, then components
	order   []int    // of members, such that what one depends on comes before it
	active  int      // a target
	history []Switch
}

// member is a target or component.
type member struct {
	priority int
	deps     []int

	score   float64 // last report
	at      time.Time
	recent  []point // last reports
	health  float64 // with dependencies and age
	cause   int     // the failed dependency that made health 0, or -1
	since   time.Time
	good    bool // health has been at FailbackAt or above since then
	refused time.Time
	refusal error
}

// point is a report.
type point struct {
	at    time.Time
	score float64
}

// move is a switch that is due.
type move struct {
	from, to int
	reason   SwitchReason
}

func newRoster(cfg FailoverConfig, members []member, order []int, now time.Time) roster {
	for i := range members {
		m := &members[i]
		m.score, m.health, m.at, m.cause = 1, 1, now, -1
		m.since, m.good = now, true
	}
	return roster{cfg: cfg, members: members, order: order}
}

func (r *roster) report(now time.Time, i int, score float64) {
	r.settle(now) // what went stale in between was not good all the time
	m := &r.members[i]
	m.score, m.at = score, now
	if len(m.recent) == r.cfg.TrendReports {
		m.recent = slices.Delete(m.recent, 0, 1)
	}
	m.recent = append(m.recent, point{now, score})
	r.settle(now)
}

// settle brings every health up to date.
func (r *roster) settle(now time.Time) {
	for _, i := range r.order {
		m := &r.members[i]
		m.health, m.cause = r.judge(now, i)
		if good := m.health >= r.cfg.FailbackAt; good != m.good {
			m.good, m.since = good, now
		}
	}
}

// judge returns the health of a member, given that of the members it depends on.
func (r *roster) judge(now time.Time, i int) (health float64, cause int) {
	m := &r.members[i]
	for _, j := range m.deps {
		if r.failed(j) {
			return 0, j
		}
	}
	if r.cfg.Stale > 0 && now.Sub(m.at) > r.cfg.Stale {
		return 0, -1
	}
	return m.score, -1
}

func (r *roster) failed(i int) bool { return r.members[i].health < r.cfg.FailBelow }

// decide returns the switch that is due, if any.
func (r *roster) decide(now time.Time) (move, bool) {
	r.settle(now)
	lost := r.failed(r.active)
	for i := range r.cfg.Targets {
		m := &r.members[i]
		switch {
		case i == r.active, now.Sub(m.refused) < r.cfg.Pause:
		case lost && !r.failed(i):
			return move{r.active, i, TargetFailed}, true
		case !lost && m.priority < r.members[r.active].priority && m.good && now.Sub(m.since) >= r.cfg.Hold:
			return move{r.active, i, TargetRecovered}, true
		}
	}
	return move{}, false
}

func (r *roster) refuse(now time.Time, i int, err error) {
	r.members[i].refused, r.members[i].refusal = now, err
}

func (r *roster) commit(now time.Time, m move, names []string) Switch {
	s := Switch{From: names[m.from], To: names[m.to], Reason: m.reason, Health: r.members[m.from].health, At: now}
	r.active = m.to
	r.members[m.to].refusal = nil
	if len(r.history) == r.cfg.History {
		r.history = slices.Delete(r.history, 0, 1)
	}
	r.history = append(r.history, s)
	return s
}

func (r *roster) system(now time.Time, names []string) System {
	r.settle(now)
	s := System{Active: names[r.active], Members: make([]Member, len(r.members))}
	healthy := true
	for i := range r.members {
		m := &r.members[i]
		view := Member{
			Name: names[i], Target: i < len(r.cfg.Targets), Active: i == r.active,
			Health: m.health, Failed: r.failed(i), Reported: m.score, At: m.at, Refusal: m.refusal,
		}
		if m.cause >= 0 {
			view.FailedBy = names[m.cause]
		}
		s.Members[i] = view
		s.Mean += m.health / float64(len(r.members))
		if !view.Failed {
			s.Operational++
		}
		healthy = healthy && m.good
	}
	s.State = systemState(s.Mean, float64(s.Operational)/float64(len(r.members)), healthy)
	if r.failed(r.active) {
		s.State = max(s.State, SystemCritical)
	}
	return s
}

// dependenciesFirst orders members such that each comes after those it depends on, or returns a cycle that makes it
// impossible, whose first member is repeated at its end.
func dependenciesFirst(members []member) (order, cycle []int) {
	const (
		unseen = iota
		above  // on the way to the present one
		done
	)
	mark := make([]int, len(members))
	var way []int
	var visit func(i int) bool
	visit = func(i int) bool {
		way = append(way, i)
		switch mark[i] {
		case above:
			cycle = way[slices.Index(way, i):]
			return false
		case unseen:
			mark[i] = above
			for _, j := range members[i].deps {
				if !visit(j) {
					return false
				}
			}
			mark[i] = done
			order = append(order, i)
		}
		way = way[:len(way)-1]
		return true
	}
	for i := range members {
		if !visit(i) {
			return nil, cycle
		}
	}
	return order, nil
}

func path(way []int, names []string) string {
	var b strings.Builder
	for i, w := range way {
		if i > 0 {
			b.WriteString(" → ")
		}
		b.WriteString(names[w])
	}
	return b.String()
}
