package resources

import (
	"encoding/json"
	"fmt"
	"time"
)

// Reservation is a part of a capacity. It is safe for concurrent use; a nil one is like one that was released.
type Reservation struct {
	of    *Reservations
	entry *reserved
}

// ID is unique among all claims of one [Reservations], and greater than those made before.
func (v *Reservation) ID() uint64 {
	if v == nil || v.entry == nil {
		return 0
	}
	return v.entry.id
}

// Release gives it back. What has ended already stays as it ended.
func (v *Reservation) Release() {
	if v != nil {
		v.of.do(func(now time.Time) { v.of.book.release(now, v.entry) })
	}
}

// Renew lets it expire after that time from now; 0 is what its claim said and negative never. It returns the error of
// [Reservation.Err] if the reservation has ended, and [ErrEvicted] if it is being evicted.
func (v *Reservation) Renew(expire time.Duration) (err error) {
	if v == nil || v.of == nil {
		return ErrReleased
	}
	expire = orDefault(expire, v.entry.claim.Expire)
	v.of.do(func(now time.Time) {
		if !v.of.book.renew(now, v.entry, expire) {
			if err = v.entry.err(); err == nil {
				err = ErrEvicted
			}
		}
	})
	return err
}

// Use tells how much is really in use. What exceeds the amount reserved is told to OnEvent once, is outstanding as
// well, so that nobody else is promised it, and is reported by [Reservations.Report].
func (v *Reservation) Use(amount uint64) {
	if v != nil {
		v.of.do(func(now time.Time) { v.of.book.use(now, v.entry, amount) })
	}
}

// Err is nil while the reservation is held, also during the grace of an eviction; then [ErrReleased], [ErrExpired] or
// [ErrEvicted].
func (v *Reservation) Err() (err error) {
	if v == nil || v.of == nil {
		return ErrReleased
	}
	v.of.do(func(time.Time) { err = v.entry.err() })
	return err
}

func (e *reserved) err() error {
	switch e.state {
	case reservedExpired:
		return ErrExpired
	case reservedEvicted:
		return ErrEvicted
	case reservedReleased:
		return ErrReleased
	}
	return nil
}

// ReservationEventKind is what happened to a claim or a reservation.
type ReservationEventKind uint8

const (
	ReservationGranted  ReservationEventKind = iota + 1
	ReservationRefused                       // the claim was refused, or given up
	ReservationReleased                      // by its holder
	ReservationExpired                       // not renewed in time
	ReservationEvicting                      // its holder was told that it will be evicted
	ReservationEvicted                       // the grace is over
	ReservationExceeded                      // more is used than was reserved
)

var reservationEvents = [...]string{"none", "granted", "refused", "released", "expired", "evicting", "evicted", "exceeded"}

// String names what happened.
func (k ReservationEventKind) String() string {
	if int(k) < len(reservationEvents) {
		return reservationEvents[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// MarshalText is String.
func (k ReservationEventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// ReservationEvent is one thing that happened.
type ReservationEvent struct {
	At       time.Time            `json:"at"`
	Kind     ReservationEventKind `json:"kind"`
	ID       uint64               `json:"id"`
	Owner    string               `json:"owner"`
	Amount   uint64               `json:"amount"`
	Priority int                  `json:"priority"`
	Used     uint64               `json:"used,omitempty"` // as told by Use
	By       string               `json:"by,omitempty"`   // who it is evicted for
	Until    time.Time            `json:"until,omitzero"` // when it ends by itself; zero for never
	Err      error                `json:"-"`              // of an OnEvict that panicked; its text in JSON
}

// MarshalJSON adds the text of Err as "error".
func (e ReservationEvent) MarshalJSON() ([]byte, error) {
	type plain ReservationEvent
	return json.Marshal(struct {
		plain
		Error string `json:"error,omitempty"`
	}{plain(e), errorText(e.Err)})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// ReservationsReport is what is reserved at one time.
type ReservationsReport struct {
	Capacity    uint64            `json:"capacity"`
	Outstanding uint64            `json:"outstanding"` // the sum over Held of Amount, or Used where that is more
	Waiting     int               `json:"waiting"`     // claims in line
	Wanted      uint64            `json:"wanted"`      // by them
	Held        []HeldReservation `json:"held"`        // by ID
}

// HeldReservation is one reservation in a report.
type HeldReservation struct {
	ID       uint64    `json:"id"`
	Owner    string    `json:"owner"`
	Amount   uint64    `json:"amount"`
	Used     uint64    `json:"used"`
	Priority int       `json:"priority"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until,omitzero"` // when it ends by itself; zero for never
	Evicting bool      `json:"evicting,omitempty"`
	By       string    `json:"by,omitempty"` // who it is evicted for
}

// Report lists what is reserved now.
func (r *Reservations) Report() (out ReservationsReport) {
	r.do(func(time.Time) {
		b := &r.book
		out = ReservationsReport{Capacity: b.capacity, Outstanding: b.outstanding(), Waiting: len(b.line)}
		for _, e := range b.line {
			out.Wanted = saturated(out.Wanted, e.claim.Amount)
		}
		for _, e := range b.held {
			out.Held = append(out.Held, HeldReservation{
				ID: e.id, Owner: e.claim.Owner, Amount: e.claim.Amount, Used: e.used, Priority: e.claim.Priority,
				Since: e.since, Until: e.deadline(), Evicting: !e.evict.IsZero(), By: e.by,
			})
		}
	})
	return out
}
