// Package deliver hands events to callbacks: in their order, one at a time, and outside the locks of whoever has them.
package deliver

import "sync"

// Queue holds the events that have not been handed out yet. The zero Queue is empty and ready; it must not be copied.
type Queue[T any] struct {
	mu     sync.Mutex
	events []T
	busy   bool // a goroutine is handing out
}

// Add appends an event. It never calls back, so the caller may hold locks of its own: those under which the order of
// events is decided.
func (q *Queue[T]) Add(event T) {
	q.mu.Lock()
	q.events = append(q.events, event)
	q.mu.Unlock()
}

// Deliver hands out what is there, and what is added meanwhile; call it without any lock. If another goroutine is at it
// already, or the caller is the callback itself, it returns at once and leaves the rest to that one. If the callback
// panics or ends the goroutine, that goes on, and the rest waits for the next Deliver.
func (q *Queue[T]) Deliver(to func(T)) {
	for q.one(to) {
	}
}

func (q *Queue[T]) one(to func(T)) bool {
	q.mu.Lock()
	if q.busy || len(q.events) == 0 {
		q.mu.Unlock()
		return false
	}
	event := q.events[0]
	var none T
	q.events[0] = none // not to be kept
	if q.events = q.events[1:]; len(q.events) == 0 {
		q.events = nil
	}
	q.busy = true
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		q.busy = false
		q.mu.Unlock()
	}()
	to(event)
	return true
}
