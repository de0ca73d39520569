package ratelimit

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// meter is the state of one kind of limiter: a pure function of the times that it is given, guarded by the mu of its
// Limiter. Times may go backwards, because they are read before the lock is taken: an earlier one grants nothing.
type meter interface {
	// due is how long after now a step of n can begin if steps of ahead in all begin before it.
	due(now time.Time, ahead, n int) time.Duration
	// take lets a step of n begin, or returns false and changes nothing. A step that waited was due since a little
	// before now, one that did not since now.
	take(since, now time.Time, n int) bool
	// most is the largest step that can ever begin.
	most() int
	// fresh reports that nothing which began before now makes a difference any more.
	fresh(now time.Time) bool
}

// bucket gains tokens at a steady rate. What was due is counted from when it was due, so that timers that ring late do
// not slow it.
type bucket struct {
	tokens *rate.Limiter
	// last is where the time of tokens stands. The limiter goes back to an earlier time when it is given one, and then
	// grants the time between once more.
	last time.Time
}

func (b *bucket) at(t time.Time) time.Time {
	if t.Before(b.last) {
		return b.last
	}
	return t
}

func (b *bucket) take(since, _ time.Time, n int) bool {
	since = b.at(since)
	if !b.tokens.AllowN(since, n) {
		return false
	}
	b.last = since
	return true
}

func (b *bucket) due(now time.Time, ahead, n int) time.Duration {
	from := b.at(now)
	missing := float64(ahead) + float64(n) - b.tokens.TokensAt(from)
	if missing <= 0 {
		return 0
	}
	seconds := missing / float64(b.tokens.Limit())
	if seconds >= longest.Seconds() {
		return math.MaxInt64
	}
	return time.Duration(math.Ceil(seconds*float64(time.Second))) + from.Sub(now)
}

func (b *bucket) most() int { return b.tokens.Burst() }

func (b *bucket) fresh(now time.Time) bool {
	return b.tokens.TokensAt(b.at(now)) >= float64(b.tokens.Burst())
}

// smooth keeps a gap between steps.
type smooth struct {
	gap  time.Duration
	next time.Time
}

func (s *smooth) take(_, now time.Time, n int) bool {
	if now.Before(s.next) {
		return false
	}
	s.next = now.Add(times(s.gap, n))
	return true
}

func (s *smooth) due(now time.Time, ahead, _ int) time.Duration {
	wait, more := max(0, s.next.Sub(now)), times(s.gap, ahead)
	if wait > math.MaxInt64-more {
		return math.MaxInt64
	}
	return wait + more
}

func (s *smooth) most() int { return math.MaxInt32 }

func (s *smooth) fresh(now time.Time) bool { return !now.Before(s.next) }

// times is n gaps, or 100 years if that is less.
func times(gap time.Duration, n int) time.Duration {
	if int64(n) > int64(longest/gap) {
		return longest
	}
	return time.Duration(n) * gap
}

// window remembers when each of the last n tokens was taken, and gives one out again when that is d ago.
type window struct {
	n     int
	d     time.Duration
	epoch time.Time       // that taken counts from
	last  time.Duration   // the latest time seen
	taken []time.Duration // a ring that grows up to n
	head  int             // place of the oldest
	used  int             // how many there are
}

// at returns the time since the epoch, and forgets what is d ago.
func (w *window) at(now time.Time) time.Duration {
	w.last = max(w.last, now.Sub(w.epoch))
	for w.used > 0 && w.taken[w.head]+w.d <= w.last {
		w.head = (w.head + 1) % len(w.taken)
		w.used--
	}
	return w.last
}

func (w *window) take(_, now time.Time, n int) bool {
	at := w.at(now)
	if n > w.n-w.used {
		return false
	}
	if w.used+n > len(w.taken) {
		larger := make([]time.Duration, min(w.n, max(8, w.used+n, 2*len(w.taken))))
		for i := range w.used {
			larger[i] = w.taken[(w.head+i)%len(w.taken)]
		}
		w.taken, w.head = larger, 0
	}
	for range n {
		w.taken[(w.head+w.used)%len(w.taken)] = at
		w.used++
	}
	return true
}

// due counts token by token. That is exact for steps of one token; of larger ones in front some tokens may be taken later.
func (w *window) due(now time.Time, ahead, n int) time.Duration {
	at, free := w.at(now), w.n-w.used
	turns, rest := (ahead+n-1)/w.n, (ahead+n-1)%w.n
	if rest >= free {
		at = w.taken[(w.head+rest-free)%len(w.taken)] + w.d
	} else if turns == 0 {
		return 0
	}
	return at - now.Sub(w.epoch) + times(w.d, turns)
}

func (w *window) most() int { return w.n }

func (w *window) fresh(now time.Time) bool {
	w.at(now)
	return w.used == 0
}
