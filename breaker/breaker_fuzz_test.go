package breaker_test

import (
	"encoding/json"
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
	cfg      breaker.Config // complete
	state    breaker.State
	since    time.Time // when the state began
	until    time.Time // of the open state
	opened   bool      // just now: until is not known yet, because of the jitter
	reopened uint64
	row      uint64
	results  []result  // of this state
	steps    []ongoing // of this state, oldest first
	refused  uint64
	dropped  uint64
	changes  []breaker.Change
}

type result struct {
	at      time.Time
	outcome breaker.Outcome
	slow    bool
}

type ongoing struct {
	token uint64
	at    time.Time
}

func (m *model) everyStepRuns() bool {
	return m.state == breaker.Closed || m.state == breaker.ForcedClosed
}

// counted returns the results in the window.
func (m *model) counted(now time.Time) (in []result) {
	if m.everyStepRuns() && m.cfg.WindowSteps > 0 {
		left := m.cfg.WindowSteps
		for _, r := range slices.Backward(m.results) {
			if r.outcome == breaker.Neutral {
				in = append(in, r)
			} else if left > 0 {
				in = append(in, r)
				left--
			}
		}
		return in
	}
	for _, r := range m.results {
		if m.everyStepRuns() && m.cfg.Window > 0 {
			part := (m.cfg.Window + 9) / 10
			if now.Sub(m.since)/part-r.at.Sub(m.since)/part >= 10 {
				continue
			}
		}
		in = append(in, r)
	}
	return in
}

func (m *model) counts(now time.Time) breaker.Counts {
	c := breaker.Counts{ConsecutiveFailures: m.row, Refused: m.refused, Dropped: m.dropped}
	for _, r := range m.counted(now) {
		switch r.outcome {
		case breaker.Success:
			c.Successes++
		case breaker.Failure:
			c.Failures++
		case breaker.Neutral:
			c.Neutral++
		}
		if r.slow {
			c.Slow++
		}
	}
	return c
}

func (m *model) change(now time.Time, to breaker.State, why breaker.Reason) {
	if m.state != to {
		m.changes = append(m.changes, breaker.Change{
			Name: m.cfg.Name, From: m.state, To: to, Reason: why, Counts: m.counts(now), At: now,
		})
	}
	if m.state == breaker.HalfOpen && to == breaker.Open {
		m.reopened++
	}
	if to == breaker.Closed {
		m.reopened = 0
	}
	m.opened = to == breaker.Open
	m.state, m.since, m.row, m.results, m.steps = to, now, 0, nil, nil
}

// learn takes over the end of the open period that has just begun, if it is one that it may have.
func (m *model) learn(t *testing.T, now, until time.Time) {
	if !m.opened {
		return
	}
	m.opened = false
	longest := m.cfg.Open
	for range m.reopened {
		longest = min(time.Duration(float64(longest)*m.cfg.OpenFactor), m.cfg.MaxOpen)
	}
	shortest := longest - time.Duration(float64(longest)*m.cfg.Jitter)
	if period := until.Sub(now); period < shortest || period > longest {
		t.Fatalf("opened for %v, want between %v and %v", period, shortest, longest)
	}
	m.until = until
}

func (m *model) seen(now time.Time) breaker.State {
	if m.state == breaker.Open && !m.opened && !now.Before(m.until) {
		return breaker.HalfOpen
	}
	return m.state
}

// admit says whether a step is admitted.
func (m *model) admit(now time.Time) bool {
	for m.state == breaker.HalfOpen && len(m.steps) > 0 && now.Sub(m.steps[0].at) >= m.cfg.ProbeLimit {
		m.steps = m.steps[1:]
		m.judge(now, result{now, breaker.Failure, false}, breaker.ProbeOverdue)
	}
	if m.state == breaker.HalfOpen && m.cfg.MaxHalfOpen > 0 && now.Sub(m.since) >= m.cfg.MaxHalfOpen {
		m.change(now, breaker.Open, breaker.HalfOpenOver)
	}
	switch m.seen(now) {
	case breaker.Open, breaker.Isolated:
		m.refused++
		return false
	case breaker.HalfOpen:
		if m.state == breaker.Open {
			m.change(now, breaker.HalfOpen, breaker.OpenPeriodOver)
		}
		c := m.counts(now)
		all := len(m.steps) + int(c.Successes+c.Failures)
		if len(m.steps) >= int(m.cfg.Probes) || all >= max(int(m.cfg.Probes), int(m.cfg.ProbeSuccesses+m.cfg.ProbeFailures)) {
			m.refused++
			return false
		}
	}
	return true
}

func (m *model) done(now time.Time, token uint64, outcome breaker.Outcome) {
	i := slices.IndexFunc(m.steps, func(s ongoing) bool { return s.token == token })
	if i < 0 {
		m.dropped++
		return
	}
	slow := m.cfg.SlowAfter > 0 && now.Sub(m.steps[i].at) > m.cfg.SlowAfter && outcome != breaker.Neutral
	m.steps = slices.Delete(m.steps, i, i+1)
	r := result{now, outcome, slow}
	if m.state == breaker.HalfOpen {
		m.judge(now, r, breaker.ProbeFailed)
		return
	}
	m.results = append(m.results, r)
	switch outcome {
	case breaker.Success:
		m.row = 0
	case breaker.Failure:
		m.row++
	}
	if m.state == breaker.ForcedClosed {
		return
	}
	c := m.counts(now)
	results := c.Successes + c.Failures
	reaches := func(n uint64, rate float64) bool {
		return rate > 0 && results >= uint64(m.cfg.MinSteps) && float64(n)/float64(results) >= rate
	}
	switch {
	case outcome == breaker.Failure && m.cfg.Failures > 0 && m.row >= uint64(m.cfg.Failures):
		m.change(now, breaker.Open, breaker.FailuresReached)
	case outcome == breaker.Failure && reaches(c.Failures, m.cfg.FailureRate):
		m.change(now, breaker.Open, breaker.FailureRateReached)
	case slow && reaches(c.Slow, m.cfg.SlowRate):
		m.change(now, breaker.Open, breaker.SlowRateReached)
	}
}

// judge counts the result of a probe.
func (m *model) judge(now time.Time, r result, failed breaker.Reason) {
	m.results = append(m.results, r)
	var good, bad uint32
	for _, r := range m.results {
		switch {
		case r.outcome == breaker.Neutral:
		case r.outcome == breaker.Failure || r.slow && m.cfg.SlowRate > 0:
			bad++
		default:
			good++
		}
	}
	switch {
	case bad > m.cfg.ProbeFailures && r.outcome == breaker.Success:
		m.change(now, breaker.Open, breaker.ProbeSlow)
	case bad > m.cfg.ProbeFailures:
		m.change(now, breaker.Open, failed)
	case good >= m.cfg.ProbeSuccesses:
		m.change(now, breaker.Closed, breaker.ProbesSucceeded)
	}
}

func (m *model) byHand(now time.Time, which int) {
	switch {
	case which == 4: // Reset
		m.change(now, breaker.Closed, breaker.ByHand)
	case which < 3 && m.state != (breaker.Isolated+breaker.State(which)):
		m.change(now, breaker.Isolated+breaker.State(which), breaker.ByHand)
	case which == 3 && m.state == breaker.Isolated: // Resume
		m.change(now, breaker.HalfOpen, breaker.ByHand)
	case which == 3 && (m.state == breaker.ForcedClosed || m.state == breaker.Disabled):
		m.change(now, breaker.Closed, breaker.ByHand)
	}
}

func (m *model) restore(now time.Time, s breaker.Snapshot) {
	m.change(now, s.State, breaker.ByRestore)
	m.opened = false
	m.reopened, m.refused, m.dropped = s.Reopened, s.Counts.Refused, s.Counts.Dropped
	if s.State == breaker.Open {
		m.until = s.Until
		if m.until.Before(now) {
			m.until = now
		}
		if longest := now.Add(m.cfg.MaxOpen); m.until.After(longest) {
			m.until = longest
		}
	}
	if !m.everyStepRuns() {
		return
	}
	m.row = s.Counts.ConsecutiveFailures
	if age := now.Sub(s.At); m.cfg.Window > 0 && (age < 0 || age >= m.cfg.Window) {
		return
	}
	row := min(m.row, s.Counts.Failures)
	for range s.Counts.Failures - row {
		m.results = append(m.results, result{now, breaker.Failure, false})
	}
	for range s.Counts.Successes {
		m.results = append(m.results, result{now, breaker.Success, false})
	}
	for range row {
		m.results = append(m.results, result{now, breaker.Failure, false})
	}
	for i := range s.Counts.Slow {
		m.results[len(m.results)-1-int(i)].slow = true
	}
	for range s.Counts.Neutral {
		m.results = append(m.results, result{now, breaker.Neutral, false})
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
	cfg := breaker.Config{
		Name: "b", Open: time.Duration(1+next()%20) * time.Second, OpenFactor: []float64{1, 1.5, 2, 3}[next()%4],
		Jitter: []float64{0, 0, .5, 1}[next()%4],
		Probes: uint32(1 + next()%4), ProbeSuccesses: uint32(1 + next()%5), ProbeFailures: uint32(max(0, next()%6-2)),
		ProbeLimit: time.Duration(1+next()%60) * time.Second,
	}
	cfg.MaxOpen = cfg.Open * time.Duration(1+next()%40)
	if limit := next(); limit%3 == 0 {
		cfg.MaxHalfOpen = time.Duration(1+limit) * time.Second
	}
	rates, window := next(), next()
	if window%3 > 0 {
		if rates&1 > 0 {
			cfg.FailureRate = float64(1+next()%10) / 10
			cfg.Failures = uint32(next() % 5)
		}
		cfg.SlowAfter = time.Duration(next()%8) * time.Second
		if rates&2 > 0 && cfg.SlowAfter > 0 {
			cfg.SlowRate = float64(1+next()%10) / 10
		}
	}
	switch {
	case window%3 == 1:
		cfg.Window = time.Duration(1+next()*next()) * 100 * time.Millisecond
		cfg.MinSteps = uint32(1 + next()%6)
	case window%3 == 2:
		cfg.WindowSteps = uint32(1 + next()%20)
		cfg.MinSteps = 1 + uint32(next())%cfg.WindowSteps
	}
	if cfg.FailureRate == 0 {
		cfg.Failures = uint32(1 + next()%6)
	}
	var (
		b       *breaker.Breaker
		tokens  []uint64
		ignored = map[uint64]bool{} // of steps admitted while disabled
		changes []breaker.Change
		m       = &model{cfg: cfg, since: time.Now()}
	)
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
		switch op := next(); op % 16 {
		case 0, 1, 2, 3, 4, 5:
			want := m.admit(now)
			token, err := b.Admit(t.Context())
			if (err == nil) != want {
				t.Fatalf("move %d: Admit returned %v, want admitted: %v", move, err, want)
			}
			m.learn(t, now, b.Snapshot().Until)
			wait := time.Duration(0)
			if m.state == breaker.Open {
				wait = m.until.Sub(now)
			}
			var open *breaker.OpenError
			switch {
			case err == nil:
				if slices.Contains(tokens, token) {
					t.Fatalf("move %d: token %d given out twice", move, token)
				}
				tokens = append(tokens, token)
				if m.state == breaker.Disabled {
					ignored[token] = true
				} else {
					m.steps = append(m.steps, ongoing{token, now})
				}
			case !errors.As(err, &open) || !errors.Is(err, breaker.ErrOpen):
				t.Fatalf("move %d: refused with %v", move, err)
			case open.RetryAfter() != wait || open.State != m.state || (wait == 0) != open.Until.IsZero():
				t.Fatalf("move %d: refused with %#v, want to wait for %v", move, open, wait)
			}
		case 6, 7, 8, 9, 10, 11, 12:
			if len(tokens) == 0 {
				continue
			}
			pick := next()
			token := tokens[len(tokens)-1-pick%len(tokens)] // also used ones, and those of older states
			if op > 240 {
				token = uint64(pick) << (op % 50)
			}
			outcome := []breaker.Outcome{breaker.Success, breaker.Failure, breaker.Neutral}[(pick+op)%3]
			if !ignored[token] {
				m.done(now, token, outcome)
			}
			b.Done(token, map[breaker.Outcome]error{breaker.Failure: errFailed, breaker.Neutral: errNeutral}[outcome])
		case 13:
			which := next()
			if which > 100 {
				continue // not too often
			}
			m.byHand(now, which%5)
			[]func(){b.Isolate, b.ForceClosed, b.Disable, b.Resume, b.Reset}[which%5]()
		case 14:
			s, wait, place := b.Snapshot(), next(), next()
			if place > 100 {
				continue // not too often
			}
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Duration(wait) * time.Second / 4)
			now = time.Now()
			var restored breaker.Snapshot
			if err := json.Unmarshal(text, &restored); err != nil {
				t.Fatal(err)
			}
			shift := time.Duration(place%5-2) * 20 * time.Second // of the clock
			restored.At = restored.At.Add(shift)
			if restored.State == breaker.Open {
				restored.Until = restored.Until.Add(shift)
			}
			if place > 40 { // another process
				b = newBreaker(t, cfg)
				m = &model{cfg: m.cfg, since: now, changes: m.changes}
			}
			m.restore(now, restored)
			if err := b.Restore(restored); err != nil {
				t.Fatal(err)
			}
		default:
			<-time.After(time.Duration(op*next()) * 10 * time.Millisecond)
		}
		now = time.Now()
		s := b.Snapshot()
		m.learn(t, now, s.Until)
		want := breaker.Snapshot{Name: "b", State: m.seen(now), Reopened: m.reopened, Counts: m.counts(now), At: now}
		if want.State == breaker.Open {
			want.Until = m.until
		}
		if !s.Until.Equal(want.Until) {
			t.Fatalf("move %d: until %v, want %v", move, s.Until, want.Until)
		}
		s.Until = want.Until
		if s != want || b.State() != want.State || b.Counts() != want.Counts {
			t.Fatalf("move %d: %+v, want %+v", move, s, want)
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
		for range 400 {
			data := make([]byte, 800)
			for i := range data {
				data[i] = byte(rnd.Uint32())
			}
			play(t, data)
		}
	})
}
