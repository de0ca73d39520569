package breaker

import "time"

// parts is of how many parts a window in time is made.
const parts = 10

// tally counts results.
type tally struct{ successes, failures, neutral, slow uint64 }

func (t *tally) add(outcome Outcome, slow bool) {
	switch outcome {
	case Success:
		t.successes++
	case Neutral:
		t.neutral++
	default:
		t.failures++
	}
	if slow {
		t.slow++
	}
}

func (t *tally) subtract(u tally) {
	t.successes -= u.successes
	t.failures -= u.failures
	t.neutral -= u.neutral
	t.slow -= u.slow
}

// results returns how many results there are that make a rate.
func (t *tally) results() uint64 { return t.successes + t.failures }

// window holds those results of the present state that still count: of the last parts, if part is set; as many as last
// has places, if it has any; or all.
type window struct {
	sum tally

	part  time.Duration // length of each of the parts
	parts [parts]tally  // those of the latest age, and of the ages before it
	age   uint64        // of the latest part
	begun time.Duration // the instant when age 0 began

	last []verdict // a ring
	next int
	held int
}

// verdict is a result in a window in steps. Neutral results are not in it: they are counted as long as the state lasts.
type verdict struct {
	failed, slow bool
}

func newWindow(cfg Config) window {
	return window{part: (cfg.Window + parts - 1) / parts, last: make([]verdict, cfg.WindowSteps)}
}

func (w *window) clear(now time.Duration) {
	*w = window{part: w.part, begun: now, last: w.last}
}

// roll moves a window in time on.
func (w *window) roll(now time.Duration) {
	if w.part == 0 || now < w.begun {
		return
	}
	age := uint64((now - w.begun) / w.part)
	if age >= w.age+parts {
		w.sum, w.parts, w.age = tally{}, [parts]tally{}, age
	}
	for w.age < age {
		w.age++
		oldest := &w.parts[w.age%parts]
		w.sum.subtract(*oldest)
		*oldest = tally{}
	}
}

// add adds a result of the present, to which the window was rolled.
func (w *window) add(outcome Outcome, slow bool) {
	w.sum.add(outcome, slow)
	switch {
	case w.part > 0:
		w.parts[w.age%parts].add(outcome, slow)
	case len(w.last) > 0 && outcome != Neutral:
		place := &w.last[w.next]
		if w.held < len(w.last) {
			w.held++
		} else {
			w.sum.subtract(place.tally())
		}
		*place = verdict{failed: outcome != Success, slow: slow}
		if w.next++; w.next == len(w.last) {
			w.next = 0
		}
	}
}

func (v verdict) tally() (t tally) {
	outcome := Success
	if v.failed {
		outcome = Failure
	}
	t.add(outcome, v.slow)
	return t
}

// restore puts results of which only the numbers are known into a window that is clear, as if they came now: row failures
// last, the other failures before the successes, and the slow ones latest.
func (w *window) restore(t tally, row uint64) {
	if len(w.last) == 0 {
		w.sum, w.parts[0] = t, t
		return
	}
	w.sum.neutral = t.neutral
	room := uint64(len(w.last))
	row = min(row, t.failures, room)
	successes := min(t.successes, room-row)
	others := min(t.failures-row, room-row-successes)
	results := others + successes + row
	slow := min(t.slow, results)
	for i := range results {
		outcome := Failure
		if i >= others && i < others+successes {
			outcome = Success
		}
		w.add(outcome, i >= results-slow)
	}
}
