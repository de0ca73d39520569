package breaker_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/surefoot-ml/surefoot/breaker"
)

// model is a breaker written for clearness: it keeps every result and counts anew each time.
type model struct {
	cfg     breaker.Config // complete
	state   breaker.State
	since   time.Time // when the state began
	row     uint64
	results []result  // of this state
	steps   []ongoing // of this state, oldest first
	refused uint64
	dropped uint64
	changes []breaker.Change
}

type result struct {
	at      time.Time
	outcome breaker.Outcome
}

type ongoing struct {
	token uint64
	at    time.Time
}

// counts counts the results of the last ten parts of the window, the present one included.
func (m *model) counts(now time.Time) breaker.Counts {
	c := breaker.Counts{ConsecutiveFailures: m.row, Refused: m.refused, Dropped: m.dropped}
	for _, r := range m.results {
		if m.cfg.Window > 0 && m.state == breaker.Closed {
			part := (m.cfg.Window + 9) / 10
			if now.Sub(m.since)/part-r.at.Sub(m.since)/part >= 10 {
				continue
			}
		}
		switch r.outcome {
		case breaker.Success:
			c.Successes++
		case breaker.Failure:
			c.Failures++
		case breaker.Neutral:
			c.Neutral++
		}
	}
	return c
}

func (m *model) change(now time.Time, to breaker.State, why breaker.Reason) {
	m.changes = append(m.changes, breaker.Change{
		Name: m.cfg.Name, From: m.state, To: to, Reason: why, Counts: m.counts(now), At: now,
	})
	m.state, m.since, m.row, m.results, m.steps = to, now, 0, nil, nil
}

func (m *model) seen(now time.Time) breaker.State {
	if m.state == breaker.Open && now.Sub(m.since) >= m.cfg.Open {
		return breaker.HalfOpen
	}
	return m.state
}

// admit says whether a step is admitted, and if not, for how long it is refused at least.
func (m *model) admit(now time.Time) (bool, time.Duration) {
	if m.state == breaker.HalfOpen && len(m.steps) > 0 && now.Sub(m.steps[0].at) >= m.cfg.ProbeLimit {
		m.results = append(m.results, result{now, breaker.Failure})
		m.change(now, breaker.Open, breaker.ProbeOverdue)
	}
	switch m.seen(now) {
	case breaker.Open:
		m.refused++
		return false, m.since.Add(m.cfg.Open).Sub(now)
	case breaker.HalfOpen:
		if m.state == breaker.Open {
			m.change(now, breaker.HalfOpen, breaker.OpenPeriodOver)
		}
		if uint64(len(m.steps))+m.counts(now).Successes >= uint64(m.cfg.Probes) {
			m.refused++
			return false, 0
		}
	}
	return true, 0
}

func (m *model) done(now time.Time, token uint64, outcome breaker.Outcome) {
	i := slices.IndexFunc(m.steps, func(s ongoing) bool { return s.token == token })
	if i < 0 {
		m.dropped++
		return
	}
	m.steps = slices.Delete(m.steps, i, i+1)
	m.results = append(m.results, result{now, outcome})
	if m.state == breaker.Closed {
		switch outcome {
		case breaker.Success:
			m.row = 0
		case breaker.Failure:
			m.row++
			c := m.counts(now)
			steps := c.Successes + c.Failures
			switch {
			case m.cfg.Failures > 0 && m.row >= uint64(m.cfg.Failures):
				m.change(now, breaker.Open, breaker.FailuresReached)
			case m.cfg.FailureRate > 0 && steps >= uint64(m.cfg.MinSteps) &&
				float64(c.Failures)/float64(steps) >= m.cfg.FailureRate:
				m.change(now, breaker.Open, breaker.FailureRateReached)
			}
		}
		return
	}
	switch c := m.counts(now); {
	case outcome == breaker.Failure:
		m.change(now, breaker.Open, breaker.ProbeFailed)
	case c.Successes >= uint64(m.cfg.Probes):
		m.change(now, breaker.Closed, breaker.ProbesSucceeded)
	}
}

var errNeutral = verdict{neutral: true}

// play does what data says with a breaker and with the model, and compares them after every move.
func play(t *testing.T, data []byte) {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		c := data[0]
		data = data[1:]
		return int(c)
	}
	var (
		changes []breaker.Change
		b       *breaker.Breaker
		tokens  []uint64
	)
	cfg := breaker.Config{Name: "b", Open: time.Duration(1+next()%20) * time.Second, Probes: uint32(1 + next()%4)}
	if kinds := next(); kinds%3 > 0 {
		cfg.FailureRate = float64(1+next()%10) / 10
		cfg.MinSteps = uint32(1 + next()%6)
		cfg.Window = time.Duration(1+next()*next()) * 100 * time.Millisecond
		cfg.Failures = uint32(kinds % 5)
	} else {
		cfg.Failures = uint32(1 + next()%6)
		cfg.Window = time.Duration(next()%100) * time.Second
	}
	cfg.ProbeLimit = time.Duration(1+next()%60) * time.Second
	m := &model{cfg: cfg, since: time.Now()}
	cfg.OnChange = func(c breaker.Change) {
		changes = append(changes, c)
		_, _ = b.State(), b.Counts()
		if len(changes)%3 == 0 {
			panic("listener")
		}
	}
	b = newBreaker(t, cfg)

	for move := 0; len(data) > 0; move++ {
		now := time.Now()
		switch op := next(); op % 8 {
		case 0, 1, 2:
			want, wait := m.admit(now)
			token, err := b.Admit(t.Context())
			if (err == nil) != want {
				t.Fatalf("move %d: Admit returned %v, want admitted: %v", move, err, want)
			}
			var open *breaker.OpenError
			switch {
			case err == nil:
				if slices.Contains(tokens, token) {
					t.Fatalf("move %d: token %d given out twice", move, token)
				}
				tokens = append(tokens, token)
				m.steps = append(m.steps, ongoing{token, now})
			case !errors.As(err, &open) || !errors.Is(err, breaker.ErrOpen):
				t.Fatalf("move %d: refused with %v", move, err)
			case open.RetryAfter() != wait || (wait == 0) != (open.State == breaker.HalfOpen):
				t.Fatalf("move %d: refused with %#v, want to wait for %v", move, open, wait)
			}
		case 3, 4, 5, 6:
			if len(tokens) == 0 {
				continue
			}
			pick := next()
			token := tokens[len(tokens)-1-pick%len(tokens)] // also used ones, and those of older states
			if op > 200 {
				token = uint64(pick) << (op % 50)
			}
			outcome := []breaker.Outcome{breaker.Success, breaker.Failure, breaker.Neutral}[(pick+op)%3]
			m.done(now, token, outcome)
			b.Done(token, map[breaker.Outcome]error{breaker.Failure: errFailed, breaker.Neutral: errNeutral}[outcome])
		default:
			<-time.After(time.Duration(op*next()) * 10 * time.Millisecond)
		}
		now = time.Now()
		if got, want := b.State(), m.seen(now); got != want {
			t.Fatalf("move %d: state %v, want %v", move, got, want)
		}
		if got, want := b.Counts(), m.counts(now); got != want {
			t.Fatalf("move %d: counts %+v, want %+v", move, got, want)
		}
		if !slices.Equal(changes, m.changes) {
			t.Fatalf("move %d: changes\n%v, want\n%v", move, changes, m.changes)
		}
	}
}

func FuzzBreaker(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 30 {
		seed := make([]byte, 200)
		for i := range seed {
			seed[i] = byte(rnd.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		synctest.Test(t, func(t *testing.T) { play(t, data) })
	})
}

func TestLikeModel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(5, 6))
		for range 300 {
			data := make([]byte, 600)
			for i := range data {
				data[i] = byte(rnd.Uint32())
			}
			play(t, data)
		}
	})
}
