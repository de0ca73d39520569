package resources

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

const (
	defaultGrace  = 30 * time.Second
	defaultExpire = time.Hour
	defaultAge    = time.Minute
	// maxReservePriority bounds priorities on either side of 0, so that Age times a priority cannot overflow.
	maxReservePriority = 1000
)

// ReservationsConfig configures [Reservations]. Capacity is required.
type ReservationsConfig struct {
	// Capacity is what can be reserved in all: bytes, or whatever unit all claims are in.
	Capacity uint64
	// MaxWait is how long Reserve waits for room. Zero means that it refuses at once, a negative time that it waits
	// until its context ends.
	MaxWait time.Duration
	// Expire is how long a reservation lasts without being renewed, where its claim does not say. Default 1 hour; negative
	// without end.
	Expire time.Duration
	// Grace is the time between the notice of an eviction and its end. Default 30 seconds; negative none.
	Grace time.Duration
	// Age is how long a claim waits to rise by one priority: a claim of priority p stands in line as if it had come p
	// times Age earlier, so nobody starves. Default a minute; at most 24 hours.
	Age time.Duration
	// OnEvent, if set, is told of everything that happens, for an audit trail: in order, one at a time, outside any
	// lock, by a goroutine that is in one of the methods. A panic in it is discarded.
	OnEvent func(ReservationEvent)
}

// Claim says what is to be reserved.
type Claim struct {
	// Owner is who wants it; required.
	Owner string
	// Amount is how much, more than 0.
	Amount uint64
	// Priority is how important it is, from -1000 to 1000. It decides the place in line and who can be evicted.
	Priority int
	// Expire overrides ReservationsConfig.Expire unless it is 0; negative is without end.
	Expire time.Duration
	// Evict lets the claim evict reservations of lower priority, when it is the next in line and they take up room that
	// it needs.
	Evict bool
	// OnEvict, if set, is called when the reservation is to be evicted, for its holder to save its work and to release.
	// It must only set that going: it runs on a goroutine that is in one of the methods, perhaps one that waits for the
	// room. A panic in it is contained and told to OnEvent.
	OnEvict func(Eviction)
}

// Eviction is the notice that a reservation ends before its time.
type Eviction struct {
	ID       uint64
	By       string    // the owner it is evicted for
	Deadline time.Time // when it ends, unless it is released before
}

var (
	// ErrNoRoom is matched by the error of a claim that is refused; the error itself is a *[NoRoomError].
	ErrNoRoom = errors.New("resources: no room")
	// ErrExpired, ErrEvicted and ErrReleased say how a reservation ended.
	ErrExpired  = errors.New("resources: reservation has expired")
	ErrEvicted  = errors.New("resources: reservation is evicted")
	ErrReleased = errors.New("resources: reservation was released")
)

// NoRoomError is the refusal of a claim.
type NoRoomError struct {
	Owner                         string
	Amount, Capacity, Outstanding uint64        // Outstanding is what was reserved when it was refused
	Waited                        time.Duration // before it was refused
	retryAfter                    time.Duration
}

// Error names the claim and what there is.
func (e *NoRoomError) Error() string {
	return fmt.Sprintf("%v: %q wants %d; %d of %d are reserved, after %v", ErrNoRoom, e.Owner, e.Amount, e.Outstanding, e.Capacity, e.Waited)
}

// Is makes errors.Is(err, ErrNoRoom) true.
func (e *NoRoomError) Is(target error) bool { return target == ErrNoRoom }

// Neutral is true: the refusal says nothing about the step, so a circuit breaker must not count it.
func (e *NoRoomError) Neutral() bool { return true }

// Permanent reports whether the claim is above the capacity, so that no waiting helps.
func (e *NoRoomError) Permanent() bool { return e.Amount > e.Capacity }

// RetryAfter is when a reservation ends at the latest unless it is renewed; 0 if that is not known.
func (e *NoRoomError) RetryAfter() time.Duration { return e.retryAfter }

// Reservations hands out parts of a capacity, such as the memory of a machine that several jobs share in one process.
// What is handed out at one time never exceeds the capacity: a claim is held against the capacity less all that is
// outstanding, used or not.
//
// For most uses, [Reservations.Reserve] before the work and [Reservation.Release] after it. Claims that find no room
// wait in line, the first alone being served, so that a large claim is not passed for ever by small ones. What is not
// released ends when it expires, or by eviction in favour of a more important claim, after a notice and a time of
// grace.
//
// There is no goroutine: what is due happens in the methods, and in those that wait, at its time. Safe for concurrent
// use. nil and the zero Reservations have no capacity. Create one with [NewReservations].
type Reservations struct {
	cfg ReservationsConfig

	mu      sync.Mutex
	book    reservationBook // guarded by mu
	kick    chan struct{}   // guarded by mu; closed when something ends sooner than those who wait know
	known   time.Time       // guarded by mu; the time they know; zero for never
	notices deliver.Queue[reservationNotice]
}

type reservationNotice struct {
	ReservationEvent
	call func(Eviction)
}

// NewReservations checks the configuration.
func NewReservations(cfg ReservationsConfig) (*Reservations, error) {
	cfg.Expire = orDefault(cfg.Expire, defaultExpire)
	cfg.Grace = orDefault(cfg.Grace, defaultGrace)
	cfg.Age = orDefault(cfg.Age, defaultAge)
	switch {
	case cfg.Capacity == 0:
		return nil, errors.New("resources: reservations: Capacity is 0")
	case cfg.Age < 0 || cfg.Age > 24*time.Hour:
		return nil, fmt.Errorf("resources: reservations: Age is %v, want 0 to 24 hours", cfg.Age)
	}
	r := &Reservations{cfg: cfg, kick: make(chan struct{})}
	r.book = reservationBook{capacity: cfg.Capacity, grace: cfg.Grace, age: cfg.Age, epoch: time.Now(), note: r.note}
	return r, nil
}

// Reserve returns a reservation as soon as there is room and it is the claim's turn. It returns a *[NoRoomError] if
// that takes longer than MaxWait or the claim is above the capacity, and ctx's error if that ends first.
func (r *Reservations) Reserve(ctx context.Context, c Claim) (*Reservation, error) {
	switch {
	case c.Owner == "":
		return nil, errors.New("resources: reservations: Owner is missing")
	case c.Amount == 0:
		return nil, fmt.Errorf("resources: reservations: Amount of %q is 0", c.Owner)
	case c.Priority < -maxReservePriority || c.Priority > maxReservePriority:
		return nil, fmt.Errorf("resources: reservations: Priority of %q is %d, want -%d to %d", c.Owner, c.Priority, maxReservePriority, maxReservePriority)
	case ctx.Err() != nil:
		return nil, ended(ctx)
	case r == nil || r.cfg.Capacity == 0:
		return nil, &NoRoomError{Owner: c.Owner, Amount: c.Amount}
	}
	c.Expire = orDefault(c.Expire, r.cfg.Expire)
	start := time.Now()
	r.mu.Lock()
	r.book.advance(start)
	e := r.book.join(start, c, r.cfg.MaxWait == 0)
	returned := false
	defer func() {
		if !returned { // a callback ended the goroutine
			r.mu.Lock()
			r.giveUp(e)
			r.wake()
			r.mu.Unlock()
		}
	}()
	err := r.wait(ctx, e, start)
	r.unlock()
	returned = true
	if err != nil {
		return nil, err
	}
	return &Reservation{of: r, entry: e}, nil
}

// wait waits until e is held, or gives it up. It is called with mu held and returns with it.
func (r *Reservations) wait(ctx context.Context, e *reserved, start time.Time) error {
	for e.state == reservedWaiting {
		now := time.Now()
		left := r.cfg.MaxWait - now.Sub(start)
		if ctx.Err() != nil || r.cfg.MaxWait >= 0 && left <= 0 {
			break
		}
		until := r.book.next()
		if r.cfg.MaxWait >= 0 && (until.IsZero() || now.Add(left).Before(until)) {
			until = now.Add(left)
		}
		r.sleep(ctx, e, until)
		r.book.advance(time.Now())
	}
	if ctx.Err() != nil {
		r.giveUp(e)
		return ended(ctx)
	}
	if e.state == reservedHeld {
		return nil
	}
	r.giveUp(e)
	now := time.Now()
	refusal := &NoRoomError{Owner: e.claim.Owner, Amount: e.claim.Amount, Capacity: r.book.capacity, Outstanding: r.book.outstanding(), Waited: now.Sub(start)}
	if next := r.book.next(); !next.IsZero() {
		refusal.retryAfter = next.Sub(now)
	}
	return refusal
}

// sleep gives up the lock until something may have happened; a zero time is never.
func (r *Reservations) sleep(ctx context.Context, e *reserved, until time.Time) {
	kick := r.kick
	r.unlock()
	defer r.mu.Lock()
	var expired <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until)) // after the callbacks, which may have taken their time
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-e.ready:
	case <-kick:
	case <-expired:
	case <-ctx.Done():
	}
}

// giveUp takes back what e has got, if anything. The caller holds mu.
func (r *Reservations) giveUp(e *reserved) {
	now := time.Now()
	r.book.leave(now, e)
	r.book.release(now, e)
}

// unlock unlocks and calls back.
func (r *Reservations) unlock() {
	r.wake()
	r.mu.Unlock()
	r.notices.Deliver(r.tell)
}

// wake wakes those who wait if something ends sooner than they know. The caller holds mu.
func (r *Reservations) wake() {
	next := r.book.next()
	if !next.IsZero() && (r.known.IsZero() || next.Before(r.known)) && len(r.book.line) > 0 {
		close(r.kick)
		r.kick = make(chan struct{})
	}
	r.known = next
}

// note is called by the book.
func (r *Reservations) note(e *reserved, kind ReservationEventKind, at time.Time) {
	n := reservationNotice{ReservationEvent: ReservationEvent{
		At: at, Kind: kind, ID: e.id, Owner: e.claim.Owner, Amount: e.claim.Amount, Priority: e.claim.Priority, Used: e.used, By: e.by, Until: e.deadline(),
	}}
	if kind == ReservationEvicting {
		n.call = e.claim.OnEvict
	}
	if r.cfg.OnEvent != nil || n.call != nil {
		r.notices.Add(n)
	}
}

func (r *Reservations) tell(n reservationNotice) {
	if n.call != nil {
		n.Err = contained("reservation: OnEvict", func() error {
			n.call(Eviction{ID: n.ID, By: n.By, Deadline: n.Until})
			return nil
		})
	}
	if r.cfg.OnEvent != nil {
		_ = contained("reservation: OnEvent", func() error { r.cfg.OnEvent(n.ReservationEvent); return nil })
	}
}

// SetCapacity changes the capacity, as when the limit of a container was changed. If more is outstanding, nothing is
// granted until that has gone; nobody is evicted for it. Who waits for more than the capacity is refused.
func (r *Reservations) SetCapacity(capacity uint64) {
	r.do(func(now time.Time) { r.book.resize(now, capacity) })
}

// EvictBelow begins to evict all reservations of a lower priority, as an action in an emergency, and returns how much
// they hold. By is what their holders are told.
func (r *Reservations) EvictBelow(priority int, by string) (amount uint64) {
	r.do(func(now time.Time) { amount = r.book.evictBelow(now, priority, by) })
	return amount
}

// do runs a change of the book.
func (r *Reservations) do(change func(now time.Time)) {
	if r == nil || r.cfg.Capacity == 0 {
		return
	}
	r.mu.Lock()
	now := time.Now()
	r.book.advance(now)
	change(now)
	r.unlock()
}
