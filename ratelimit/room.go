package ratelimit

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// room is what a Bulkhead or a Gradient hands out: permits, and a line for them. Nobody waits while there is a permit.
type room struct {
	maxWait time.Duration
	queue   int
	age     time.Duration
	epoch   time.Time // that ranks count from

	mu     sync.Mutex // guards what follows
	limit  int        // permits that may be held at once, up to len(slots); more may be held after it fell
	slots  []uint32   // generation of each permit: odd while it is held
	idle   []uint32   // permits that are not held
	line   line
	serial uint64 // of the last that came in line
}

func newRoom(cfg BulkheadConfig, limit int) *room {
	r := &room{
		maxWait: cfg.MaxWait, queue: cfg.Queue, age: cfg.Age, epoch: time.Now(),
		limit: limit, slots: make([]uint32, cfg.Permits), idle: make([]uint32, cfg.Permits),
	}
	if r.age == 0 {
		r.age = time.Minute
	}
	// Where the generations begin differs, so that a token of a forgotten room means nothing to the one in its place.
	generation := rand.Uint32() &^ 1
	for i := range r.idle {
		r.idle[i], r.slots[i] = uint32(cfg.Permits-1-i), generation
	}
	return r
}

func (r *room) held() int { return len(r.slots) - len(r.idle) }

// take hands out a permit, of which there is one.
func (r *room) take() (token uint64) {
	last := len(r.idle) - 1
	slot := r.idle[last]
	r.idle = r.idle[:last]
	r.slots[slot]++
	return uint64(r.slots[slot])<<32 | uint64(slot)
}

// holds reports whether the permit of a token is held, and by whom the token was given to. Such a token is never 0.
func (r *room) holds(token uint64) bool {
	slot, generation := uint32(token), uint32(token>>32)
	return int64(slot) < int64(len(r.slots)) && generation%2 == 1 && r.slots[slot] == generation
}

// release takes a permit back and hands it to the first in line. It reports whether it was held.
func (r *room) release(token uint64) bool {
	if !r.holds(token) {
		return false
	}
	r.slots[uint32(token)]++
	r.idle = append(r.idle, uint32(token))
	if len(r.line) > 0 {
		r.serve()
	}
	return true
}

// serve hands permits to those in line while there are both.
func (r *room) serve() {
	for len(r.line) > 0 && r.held() < r.limit {
		w := heap.Pop(&r.line).(*waiter)
		w.token = r.take()
		close(w.ready)
	}
}

// wait stands in line for a permit. It is called with mu held, and unlocks it. One who gives up leaves the line, or hands
// on the permit that came in the same moment.
func (r *room) wait(ctx context.Context, priority int) (token uint64, err error) {
	w, err := r.join(priority)
	r.mu.Unlock()
	if err != nil {
		return 0, err
	}
	var expired <-chan time.Time
	if r.maxWait > 0 {
		timer := time.NewTimer(r.maxWait)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-w.ready:
	case <-expired:
	case <-ctx.Done():
	}
	err = ended(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case w.token == 0:
		if w.place >= 0 {
			heap.Remove(&r.line, w.place)
		}
		if err == nil {
			err = ErrFull
		}
		return 0, err
	case err != nil:
		r.release(w.token)
		return 0, err
	}
	return w.token, nil
}

// join adds one to the line, perhaps in place of the last.
func (r *room) join(priority int) (*waiter, error) {
	if r.maxWait == 0 {
		return nil, ErrFull
	}
	r.serial++
	w := &waiter{
		rank:   time.Since(r.epoch) - time.Duration(priority)*r.age,
		serial: r.serial,
		ready:  make(chan struct{}),
	}
	if r.queue > 0 && len(r.line) >= r.queue {
		last := r.line.last()
		if !w.before(last) {
			return nil, ErrFull
		}
		heap.Remove(&r.line, last.place)
		close(last.ready)
	}
	heap.Push(&r.line, w)
	return w, nil
}

// waiter is one in line. All but ready is guarded by the mu of the room.
type waiter struct {
	rank   time.Duration // when it came, earlier for its priority: so the order of two never changes as they age
	serial uint64        // among equal ranks
	ready  chan struct{} // closed when it left the line by no doing of its own: served if it has a token
	token  uint64
	place  int // in line, or -1
}

func (w *waiter) before(other *waiter) bool {
	if w.rank != other.rank {
		return w.rank < other.rank
	}
	return w.serial < other.serial
}

// line is a heap of waiters.
type line []*waiter

func (l line) Len() int           { return len(l) }
func (l line) Less(i, j int) bool { return l[i].before(l[j]) }
func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}

func (l *line) Push(x any) {
	w := x.(*waiter)
	w.place = len(*l)
	*l = append(*l, w)
}

func (l *line) Pop() any {
	last := len(*l) - 1
	w := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	w.place = -1
	return w
}

// last finds the end of the line, which is not empty: some leaf of the heap.
func (l line) last() *waiter {
	end := l[len(l)/2]
	for _, w := range l[len(l)/2:] {
		if end.before(w) {
			end = w
		}
	}
	return end
}
