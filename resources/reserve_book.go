package resources

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// reservationBook is the state machine of Reservations: who holds what, and who waits. Every method takes the time of
// now.
type reservationBook struct {
	capacity uint64
	grace    time.Duration // between the notice and the end of an evicted reservation; 0 or less for none
	age      time.Duration
	epoch    time.Time // that ranks count from

	serial uint64
	held   []*reserved // by id
	line   []*reserved // who waits, the next one first
	note   func(e *reserved, kind ReservationEventKind, at time.Time)
}

// reserved is a claim, from the time it is made until its reservation ends.
type reserved struct {
	id    uint64
	claim Claim
	used  uint64
	state reservedState
	since time.Time // held since
	until time.Time // its expiry; zero for never
	evict time.Time // the end of its grace; zero if it is not being evicted
	by    string    // owner for whom it is evicted

	rank    time.Duration // of one who waits: when it came, earlier for its priority, so that an order never changes with age
	instant bool          // it does not wait, so no grace can help it
	ready   chan struct{} // closed when it no longer waits, by no doing of its own; nil if it never waited
}

type reservedState uint8

const (
	reservedWaiting reservedState = iota
	reservedHeld
	reservedRefused
	reservedReleased
	reservedExpired
	reservedEvicted
)

// charge is what it takes up: what was promised, or what is really used if that is more.
func (e *reserved) charge() uint64 { return max(e.claim.Amount, e.used) }

// deadline is when it ends by itself; zero for never.
func (e *reserved) deadline() time.Time {
	if !e.evict.IsZero() && (e.until.IsZero() || e.evict.Before(e.until)) {
		return e.evict
	}
	return e.until
}

// before is the order of those who wait.
func (e *reserved) before(other *reserved) bool {
	if e.rank != other.rank {
		return e.rank < other.rank
	}
	return e.id < other.id
}

// lesser is the order in which reservations are given up: lower priority first, then those that have had least.
func (e *reserved) lesser(other *reserved) int {
	if e.claim.Priority != other.claim.Priority {
		return e.claim.Priority - other.claim.Priority
	}
	if c := other.since.Compare(e.since); c != 0 {
		return c
	}
	return cmp.Compare(other.id, e.id)
}

func (b *reservationBook) outstanding() (sum uint64) {
	for _, e := range b.held {
		sum = saturated(sum, e.charge())
	}
	return sum
}

// free is what can be handed out.
func (b *reservationBook) free() uint64 {
	return b.capacity - min(b.capacity, b.outstanding())
}

// next is when something ends by itself next; zero for never.
func (b *reservationBook) next() (at time.Time) {
	for _, e := range b.held {
		if d := e.deadline(); !d.IsZero() && (at.IsZero() || d.Before(at)) {
			at = d
		}
	}
	return at
}

// advance ends what has had its time and serves those who wait.
func (b *reservationBook) advance(now time.Time) {
	if at := b.next(); at.IsZero() || now.Before(at) {
		return // and whoever fits in has been served
	}
	for _, e := range slices.Clone(b.held) {
		switch at := e.deadline(); {
		case at.IsZero() || now.Before(at):
		case at.Equal(e.evict):
			b.end(e, reservedEvicted, ReservationEvicted, at)
		default:
			b.end(e, reservedExpired, ReservationExpired, at)
		}
	}
	b.serve(now)
}

// join puts a claim in line.
func (b *reservationBook) join(now time.Time, c Claim, instant bool) *reserved {
	b.serial++
	e := &reserved{
		id: b.serial, claim: c, instant: instant,
		rank: now.Sub(b.epoch) - time.Duration(c.Priority)*b.age,
	}
	i := len(b.line)
	for i > 0 && e.before(b.line[i-1]) {
		i--
	}
	b.line = slices.Insert(b.line, i, e)
	b.serve(now)
	switch {
	case e.state != reservedWaiting:
	case instant:
		b.leave(now, e)
	default:
		e.ready = make(chan struct{})
	}
	return e
}

// leave takes one who waits out of the line.
func (b *reservationBook) leave(now time.Time, e *reserved) {
	if e.state != reservedWaiting {
		return
	}
	b.line = without(b.line, e)
	e.state = reservedRefused
	b.note(e, ReservationRefused, now)
	b.serve(now)
}

// serve grants while the first in line fits in. The ones behind wait for it, however little they want: so it will not
// starve.
func (b *reservationBook) serve(now time.Time) {
	for len(b.line) > 0 {
		e := b.line[0]
		switch {
		case e.claim.Amount > b.capacity: // which has been reduced
			e.state = reservedRefused
			b.note(e, ReservationRefused, now)
		case e.claim.Amount <= b.free():
			e.state, e.since = reservedHeld, now
			if e.claim.Expire > 0 {
				e.until = now.Add(e.claim.Expire)
			}
			b.held = append(b.held, e)
			b.note(e, ReservationGranted, now)
		case e.claim.Evict && b.makeRoom(e, now):
			continue
		default:
			return
		}
		b.line = without(b.line, e)
		if e.ready != nil {
			close(e.ready)
		}
	}
}

// makeRoom begins to evict reservations of lower priority for one who waits, if that will suffice; nobody is evicted
// in vain. It reports whether there is more room at once.
func (b *reservationBook) makeRoom(w *reserved, now time.Time) bool {
	if w.instant && b.grace > 0 {
		return false
	}
	var stay uint64
	var victims []*reserved
	for _, e := range b.held {
		switch {
		case !e.evict.IsZero(): // it goes anyway
		case e.claim.Priority < w.claim.Priority:
			victims = append(victims, e)
		default:
			stay = saturated(stay, e.charge())
		}
	}
	room := b.capacity - min(b.capacity, stay) // if all victims went
	if w.claim.Amount > room || len(victims) == 0 {
		return false
	}
	// Spare the most important ones that fit in beside it.
	room -= w.claim.Amount
	slices.SortFunc(victims, (*reserved).lesser)
	for i := len(victims) - 1; i >= 0; i-- {
		if c := victims[i].charge(); c <= room {
			room -= c
			victims = slices.Delete(victims, i, i+1)
		}
	}
	for _, e := range victims {
		b.begin(e, w.claim.Owner, now)
	}
	return len(victims) > 0 && b.grace <= 0
}

// begin evicts one, at once or after the grace.
func (b *reservationBook) begin(e *reserved, by string, now time.Time) {
	e.by, e.evict = by, now.Add(max(0, b.grace))
	b.note(e, ReservationEvicting, now)
	if b.grace <= 0 {
		b.end(e, reservedEvicted, ReservationEvicted, now)
	}
}

// evictBelow begins to evict all of a lower priority and returns what they hold.
func (b *reservationBook) evictBelow(now time.Time, priority int, by string) (sum uint64) {
	for _, e := range slices.Clone(b.held) {
		if e.claim.Priority < priority && e.evict.IsZero() {
			sum = saturated(sum, e.charge())
			b.begin(e, by, now)
		}
	}
	b.serve(now)
	return sum
}

func (b *reservationBook) release(now time.Time, e *reserved) {
	if e.state == reservedHeld {
		b.end(e, reservedReleased, ReservationReleased, now)
		b.serve(now)
	}
}

// use takes in what is really used.
func (b *reservationBook) use(now time.Time, e *reserved, used uint64) {
	if e.state != reservedHeld {
		return
	}
	over := e.used > e.claim.Amount
	e.used = used
	if !over && used > e.claim.Amount {
		b.note(e, ReservationExceeded, now)
	}
	b.serve(now)
}

// renew gives one another time to expire, unless it is being evicted. It reports whether it did.
func (b *reservationBook) renew(now time.Time, e *reserved, expire time.Duration) bool {
	if e.state != reservedHeld || !e.evict.IsZero() {
		return false
	}
	e.until = time.Time{}
	if expire > 0 {
		e.until = now.Add(expire)
	}
	return true
}

func (b *reservationBook) resize(now time.Time, capacity uint64) {
	b.capacity = capacity
	b.serve(now)
}

func (b *reservationBook) end(e *reserved, state reservedState, kind ReservationEventKind, at time.Time) {
	b.held = without(b.held, e)
	e.state = state
	b.note(e, kind, at)
}

func without(list []*reserved, e *reserved) []*reserved {
	if i := slices.Index(list, e); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// saturated is a sum that stays at the largest number.
func saturated(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
