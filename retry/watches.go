package retry

import (
	"context"
	"errors"
	"math"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// watches are the attempts under way that share one timer. The timer is set for the first limit that might be reached and
// left alone when an attempt ends: it finds nothing to do then, and is set anew for those that remain. So a step that ends
// in time never touches it. There is no goroutine but while the timer's function runs. The zero value has no beats.
//
// Times are nanoseconds since epoch, which costs half as much as time.Now.
type watches struct {
	beats  beats
	grace  time.Duration                 // from the hard limit to the first report of a stuck attempt; none if not positive
	dump   int                           // size of a goroutine dump in bytes
	report func(context.Context, *Stall) // nil for none

	once  sync.Once
	epoch time.Time
	never chan struct{} // never closed

	overran atomic.Uint64

	mu      sync.Mutex // guards what follows
	origin  *origin    // of the last attempt, if its parent can be compared
	stock   []attempt  // of that origin
	used    int        // of them
	slots   []slot
	free    []uint32 // slots without an attempt
	timer   *time.Timer
	step    int64 // how soon the timer puts a time to what has none; 0 if everything has one
	wake    int64 // when the timer is due, far if it is not set
	ticking bool  // it will look within a step
	closed  bool
	looking sync.WaitGroup // the timer, set or at work
	watched uint64
	slow    uint64
	stuck   uint64
}

// beats says what becomes of a beat.
type beats uint8

const (
	beatless beats = iota // nothing
	noticed               // it sets a mark, which the timer finds
	dated                 // it reads the clock
)

const (
	far     = math.MaxInt64
	undated = math.MinInt64
	dating  = math.MinInt64 + 1

	// batch is how many attempts are made at once. Who keeps one of them pins them all, but they have the same parent.
	batch = 32
	// looks is how often the timer looks for beats during a limit, which it enforces with that precision.
	looks = 8
)

// slot is the book-keeping of an attempt under way.
type slot struct {
	token            uint64
	c                *attempt // nil in a free slot
	start            int64    // undated if the timer has yet to put a time to it
	due              int64    // when it must be looked at
	soft, hard, wait int64    // limits, 0 for none; wait is the time between two reports of a stuck attempt
	at               int64    // of the cancellation by the hard limit, 0 before
	late             bool     // the soft limit was reached
	stuck            bool
}

func (w *watches) start() {
	w.epoch = time.Now().Add(-1) // so that no time is 0
	w.never = make(chan struct{})
	w.wake = far
}

func (w *watches) now() int64 { return int64(time.Since(w.epoch)) }

// limits are those of an attempt, of which zero means none.
type limits struct {
	soft, hard time.Duration
	// step is how late the beginning of the attempt, and beats that are noticed, may get their time; zero means that the
	// beginning gets it at once.
	step time.Duration
}

// least is the shorter limit, or 0.
func (l limits) least() time.Duration {
	if l.soft > 0 && (l.soft < l.hard || l.hard <= 0) {
		return l.soft
	}
	return max(0, l.hard)
}

// begin watches an attempt.
func (w *watches) begin(parent context.Context, l limits) (*attempt, uint64) {
	w.once.Do(w.start)
	now := int64(undated)
	if l.step == 0 {
		now = w.now()
	}
	w.mu.Lock()
	w.step = int64(l.step)
	if w.origin == nil || w.origin.parent != parent {
		w.mu.Unlock()
		first := w.first(parent)
		w.mu.Lock()
		w.stock, w.used = first, 0
		if w.origin = first[0].origin; !reflect.ValueOf(parent).Comparable() {
			w.origin = nil // the comparison above would panic
		}
	} else if w.used == len(w.stock) {
		w.stock, w.used = make([]attempt, batch), 0
		for i := range w.stock {
			w.stock[i].origin = w.origin
		}
	}
	c := &w.stock[w.used]
	w.used++
	if now == undated && !w.ticking { // else the timer will put a time to it
		now = w.now()
	}
	if w.beats == dated && now != undated {
		c.last.Store(now)
	}
	if w.beats == beatless && l.hard > 0 {
		c.span.Store(later(now, int64(l.hard)))
	}
	var i uint32
	if n := len(w.free); n > 0 {
		i = w.free[n-1]
		w.free = w.free[:n-1]
	} else {
		i = uint32(len(w.slots))
		w.slots = append(w.slots, slot{})
	}
	s := &w.slots[i]
	token := (s.token>>32+1)<<32 | uint64(i) // which use of which slot
	s.token, s.c, s.start, s.soft, s.hard, s.due = token, c, now, int64(l.soft), int64(l.hard), far
	s.at, s.late, s.stuck = 0, false, false
	if limit := int64(l.least()); limit > 0 && now != undated {
		if s.due = later(now, limit); w.step > 0 {
			s.due = later(now, w.step)
		}
		if s.due < w.wake {
			w.set(s.due, now)
		}
	}
	w.watched++
	w.mu.Unlock()
	return c, token
}

// first makes one attempt of a new origin. Only if the same parent comes again, as in a loop, are several made at once. The
// last parent is referred to until another one comes.
func (w *watches) first(parent context.Context) []attempt {
	var made struct {
		origin  origin
		attempt [1]attempt
	}
	p := &made
	p.origin = origin{set: w, parent: parent}
	if w.beats != beatless {
		p.origin.outer, _ = parent.Value(beatKey{}).(*attempt)
	}
	p.attempt[0].origin = &p.origin
	return p.attempt[:]
}

// verdict is what is known of an attempt whose watch is over.
type verdict struct {
	limit   time.Duration // the hard one
	elapsed time.Duration // if it was asked for; zero if it began and ended between two looks of the timer
	gap     time.Duration // the longest time without a beat, if they are dated, of an attempt that was not that short
	over    *OverranError // the limit that ended it, if one did
}

// finish ends the watch of a token, once.
func (w *watches) finish(token uint64, timed bool) (o verdict, ok bool) {
	w.once.Do(w.start)
	w.mu.Lock()
	i := uint32(token)
	if uint64(i) >= uint64(len(w.slots)) || w.slots[i].token != token || w.slots[i].c == nil {
		w.mu.Unlock()
		return verdict{}, false
	}
	s := &w.slots[i]
	c := s.c
	s.c = nil
	o.limit = time.Duration(s.hard)
	start := s.start
	w.free = append(w.free, i)
	w.mu.Unlock()
	if timed && start != undated {
		now := w.now()
		if o.elapsed = time.Duration(now - start); w.beats == dated {
			c.widen(now - c.last.Load())
			o.gap = time.Duration(c.span.Load())
		}
	}
	o.over = c.release()
	return o, true
}

// set sets the timer. mu is held.
func (w *watches) set(due, now int64) {
	if w.closed || due == far {
		return
	}
	w.wake = due
	w.ticking = w.step > 0 && due-now <= w.step
	switch after := time.Duration(max(0, due-now)); {
	case w.timer == nil:
		w.looking.Add(1)
		w.timer = time.AfterFunc(after, w.look)
	case !w.timer.Reset(after):
		w.looking.Add(1)
	}
}

// stall is a limit that was reached.
type stall struct {
	Stall
	c    *attempt
	over *OverranError // to cancel with, at the hard limit
}

// look does what is due, and sets the timer for what is due next.
func (w *watches) look() {
	defer w.looking.Done()
	var stalls []stall
	w.mu.Lock()
	now := w.now() // not before: beats without a time will get this one
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.wake, w.ticking = far, false
	next := int64(far)
	for i := range w.slots {
		s := &w.slots[i]
		if s.c == nil {
			continue
		}
		if s.start == undated {
			s.start, s.due = now, now
		}
		if s.due <= now {
			stalls = w.advance(s, now, stalls)
		}
		next = min(next, s.due)
	}
	w.set(next, now)
	w.mu.Unlock()
	if len(stalls) == 0 {
		return
	}
	var stacks []byte
	if w.report != nil && w.dump > 0 { // before the cancellation, which moves what hangs
		stacks = make([]byte, w.dump)
		stacks = stacks[:runtime.Stack(stacks, true)]
	}
	for i := range stalls {
		if s := &stalls[i]; s.over != nil && s.c.overrun(s.over) {
			w.overran.Add(1)
		}
	}
	if w.report == nil {
		return
	}
	for i := range stalls {
		s := &stalls[i]
		s.Stacks = stacks
		tell(s.c.parent, w.report, &s.Stall)
	}
}

// tell calls report, and discards a panic in it: nobody is there to catch it.
func tell(ctx context.Context, report func(context.Context, *Stall), s *Stall) {
	defer func() { _ = recover() }()
	report(ctx, s)
}

// advance adds the limits that an attempt has reached, and sets when it must be looked at again. mu is held.
func (w *watches) advance(s *slot, now int64, stalls []stall) []stall {
	add := func(stage Stage, limit, seen int64) *stall {
		stalls = append(stalls, stall{c: s.c, Stall: Stall{
			Stage: stage, Attempt: s.token, Limit: time.Duration(limit),
			Elapsed: time.Duration(now - s.start), Silent: time.Duration(max(0, now-seen)),
		}})
		return &stalls[len(stalls)-1]
	}
	seen := s.c.seen(s.start, now)
	s.start = min(s.start, seen) // of which only the first beat may have a time yet
	if s.at != 0 {
		if !s.stuck {
			s.stuck = true
			w.stuck++
		}
		add(Stuck, s.hard, seen).Cancelled = time.Duration(now - s.at)
		s.wait = later(s.wait, s.wait)
		s.due = later(now, s.wait)
		return stalls
	}
	s.due = far
	if s.soft > 0 && !s.late {
		if s.due = later(seen, s.soft); s.due <= now {
			s.late, s.due = true, far
			w.slow++
			add(Slow, s.soft, seen)
		}
	}
	if s.hard > 0 {
		if at := later(seen, s.hard); at > now {
			s.due = min(s.due, at)
		} else {
			over := &OverranError{Limit: time.Duration(s.hard)}
			if seen > s.start {
				over.Elapsed = time.Duration(now - s.start)
			}
			add(Overran, s.hard, seen).over = over
			s.at, s.due = now, far
			if s.wait = int64(w.grace); s.wait > 0 {
				s.due = later(now, s.wait)
			}
			return stalls
		}
	}
	if w.beats == noticed && s.due != far {
		s.due = min(s.due, later(now, w.step))
	}
	return stalls
}

// close ends all limits and reports, and waits for the one in progress.
func (w *watches) close() {
	w.mu.Lock()
	w.closed = true
	if w.timer != nil && w.timer.Stop() {
		w.looking.Done()
	}
	w.mu.Unlock()
	w.looking.Wait()
}

func (w *watches) stats() WatchdogStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := WatchdogStats{Watched: w.watched, Slow: w.slow, Overran: w.overran.Load(), Stuck: w.stuck}
	for i := range w.slots {
		if w.slots[i].c != nil {
			s.Live++
			if w.slots[i].stuck {
				s.LiveStuck++
			}
		}
	}
	return s
}

// later returns t + d, or far if that is too much.
func later(t, d int64) int64 {
	if t > far-d {
		return far
	}
	return t + d
}

// watcher is what a Runner knows of the types that watch.
type watcher interface {
	Watch(ctx context.Context) (watched context.Context, token uint64)
	Release(token uint64, err error) error
}

var errAborted = errors.New("retry: attempt panicked or called runtime.Goexit")

// do runs fn under a watcher, which it releases however fn ends.
func do(ctx context.Context, w watcher, fn func(ctx context.Context) error) (err error) {
	ctx, token := w.Watch(ctx)
	returned := false
	defer func() {
		if !returned {
			_ = w.Release(token, errAborted) // the panic goes on
			return
		}
		err = w.Release(token, err)
	}()
	err = fn(ctx)
	returned = true
	return err
}
