package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/surefoot-ml/surefoot/internal/journal"
	"github.com/surefoot-ml/surefoot/privacy"
)

// Request is a number of executions of one event that are charged to some accounts, all or none. For several events at once use
// privacy.Compose.
type Request struct {
	// Accounts are the budgets of all data that the executions read, in any order.
	Accounts []string
	// Event is one execution.
	Event privacy.Event
	// Count is how many executions. Default: 1; at most 2^40.
	Count int64
	// Step, if not 0, names what is charged, within this incarnation of the job: a repeated request with the same step and the same content
	// is the same reservation and costs nothing, one with other content is refused with [ErrConflict], and one of which anything was given
	// back with [ErrResolved]. So a step must be named anew whenever noise is drawn anew. Steps count upwards: one that lies more than 16384 behind may be refused with [ErrForgotten]. In a new incarnation
	// every request is a new charge, also where Noise is the same: whether the same noise was really drawn again cannot be seen from here.
	Step uint64
	// Noise is a digest of the seed of the noise, if there is one. It is a part of the content.
	Noise [32]byte
	// Delta, if not 0, reserves Count executions as a whole, fixed in advance, at this delta: by the best accountant, for Basic accounts
	// only. Such a reservation cannot be committed in part.
	Delta float64
	// TTL, if not 0, is how long the reservation may stay open. Then it is spent, and can no longer be released.
	TTL time.Duration
}

// Reservation is budget set aside, on stable storage. It is safe for concurrent use.
type Reservation struct {
	job      *Job
	number   uint64
	step     uint64
	content  [16]byte
	count    int64
	deadline time.Time // or zero
	ticket   journal.Ticket
	cost     privacy.Interval // of one with a Delta

	outcome outcome // 0 while it is open; guarded by the ledger's lock, as is used
	used    int64
}

// Reserve sets the budget for a request aside: in all its accounts, or in none. When it returns without error the charge survives every
// crash, and noise may be drawn. A budget that does not suffice is an [*ExhaustedError]. After an error of ctx or of the disk it is not known whether
// the budget is set aside; to ask again with the same Step tells, or else it is spent in the end.
func (j *Job) Reserve(ctx context.Context, r Request) (*Reservation, error) {
	return j.reserve(ctx, r, false)
}

// reserve sets aside what is requested or, if some is set, as many executions as there is room for, one at least.
func (j *Job) reserve(ctx context.Context, r Request, some bool) (*Reservation, error) {
	l := j.ledger
	o, err := l.order(r)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	var h *Reservation
	_, err = l.change(ctx, func() (err error) {
		h, err = j.place(o, some)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := l.wait(ctx, h.ticket); err != nil { // of a repeated request, too
		return nil, err
	}
	return h, nil
}

// order is a request that was validated and priced.
type order struct {
	Request
	content  [16]byte
	accounts []int
	unit     [][]price // by account; nil for a whole
	parts    []part    // for all executions
	cost     privacy.Interval
}

// order does what needs no balances, outside the lock.
func (l *Ledger) order(r Request) (*order, error) {
	if l == nil {
		return nil, ErrClosed
	}
	if r.Count == 0 {
		r.Count = 1
	}
	if r.Count < 1 || r.Count > maxCount {
		return nil, fmt.Errorf("%w: Request.Count = %d, want 1 to 2^40", ErrInvalid, r.Count)
	}
	if !(r.Delta >= 0 && r.Delta < 1) {
		return nil, fmt.Errorf("%w: Request.Delta = %v, want 0 or a number below 1", ErrInvalid, r.Delta)
	}
	if r.TTL < 0 {
		return nil, fmt.Errorf("%w: Request.TTL = %v, want 0 or more", ErrInvalid, r.TTL)
	}
	p, err := l.prices.event(r.Event)
	if err != nil {
		return nil, err
	}
	o, known := &order{Request: r}, l.known.Load()
	if o.accounts, err = known.accountsOf(r.Accounts); err != nil {
		return nil, err
	}
	accounts := known.accounts
	for _, i := range o.accounts {
		if r.Delta == 0 {
			unit, err := l.prices.of(p, accounts[i], i)
			if err != nil {
				return nil, err
			}
			o.unit = append(o.unit, unit)
			o.parts = append(o.parts, part{i, bill(unit, r.Count, accounts[i])})
			continue
		}
		if err := p.under(accounts[i]); err != nil {
			return nil, err
		}
		amounts, cost, err := whole(p.event, r.Count, r.Delta, accounts[i])
		if err != nil {
			return nil, err
		}
		o.parts, o.cost = append(o.parts, part{i, amounts}), cost
	}
	if r.Step != 0 {
		o.content = r.digest(p.digest, o.accounts)
	}
	return o, nil
}

// digest is the content of a request. Where it lies in time, and under which step, is none of it.
func (r *Request) digest(event [sha256.Size]byte, accounts []int) [16]byte {
	b := append(event[:], r.Noise[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Count))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(r.Delta))
	for _, a := range accounts {
		b = binary.LittleEndian.AppendUint64(b, uint64(a))
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// place finds or makes the reservation of an order. The lock must be held.
func (j *Job) place(o *order, some bool) (*Reservation, error) {
	l := j.ledger
	if err := j.gone(); err != nil {
		return nil, err
	}
	if o.Step != 0 {
		if h := j.steps[o.Step]; h != nil {
			if h.content != o.content {
				return nil, refuse(ErrConflict, "step %d of job %q was charged for other content", o.Step, j.name)
			}
			if h.outcome != 0 && h.used < h.count { // what came back does not pay for the same noise
				return nil, refuse(ErrResolved, "step %d of job %q, of which %d of %d executions were spent", o.Step, j.name, h.used, h.count)
			}
			return h, nil
		}
		if o.Step < j.floor {
			return nil, refuse(ErrForgotten, "step %d of job %q, the oldest known is %d", o.Step, j.name, j.floor)
		}
	}
	count := o.Count
	if some {
		for i, at := range o.accounts {
			count = min(count, max(1, l.book.accounts[at].room(o.unit[i], count)))
		}
	}
	for i := range o.parts {
		p := &o.parts[i]
		a := l.book.accounts[p.account]
		if a.retired {
			return nil, refuse(ErrRetired, "%q", a.Name)
		}
		if some { // anew at every attempt: what fits may have changed since the journal was busy
			p.amounts = bill(o.unit[i], count, a)
		}
		for k, amount := range p.amounts {
			if a.Measure.any() && a.reserved[k] > maxOpen-amount {
				return nil, refuse(ErrExhausted, "too much of account %q is reserved at once", a.Name)
			}
		}
		if sum, ok := a.fits(p.amounts); !ok {
			var unit []price
			if o.unit != nil {
				unit = o.unit[i]
			}
			return nil, l.book.exhausted(p.account, sum, p.amounts, unit, count)
		}
	}
	r := &l.scratch
	*r = record{
		kind: kindReserve, number: l.book.last + 1, index: j.index, incarnation: j.incarnation,
		step: o.Step, id: o.content, count: count, whole: o.unit == nil, parts: o.parts,
	}
	if err := l.put(r); err != nil {
		return nil, err
	}
	h := &Reservation{job: j, number: r.number, step: o.Step, content: o.content, count: count, ticket: l.ticket, cost: o.cost}
	if o.TTL > 0 {
		h.deadline = time.Now().Add(o.TTL)
		if l.deadline.IsZero() || h.deadline.Before(l.deadline) {
			l.deadline = h.deadline
		}
	}
	l.handles[h.number] = h
	j.remember(h)
	return h, nil
}

// Number is the place of the reservation among all of the ledger, from 1 on.
func (r *Reservation) Number() uint64 { return r.number }

// Count is how many executions were reserved.
func (r *Reservation) Count() int64 { return r.count }

// Cost is the epsilon that a request with a Delta was charged, and by which method; the zero Interval for others.
func (r *Reservation) Cost() privacy.Interval { return r.cost }

// Commit spends the reservation. It returns at once: what was reserved is spent after a crash as well, so there is nothing to wait for, and the
// journal learns of it together with other commits. Another Commit does nothing.
func (r *Reservation) Commit() error {
	l := r.job.ledger
	_, err := l.change(context.Background(), func() error {
		if done, err := r.ended(committed, r.count); done || err != nil {
			return err
		}
		// The journal, which says so later, still has it reserved meanwhile: the sum is the same, and nothing else depends on it.
		l.book.commit(r.number)
		l.done = append(l.done, r.number)
		l.end(r, committed, r.count)
		if len(l.done) < maxDone {
			return nil
		}
		return l.flush()
	})
	return err
}

// CommitPart spends used of the executions and gives the others back, durably. It is only right if the others were never begun, and if
// that does not depend on data in a way that was not released. A reservation with a Delta is spent whole or not at all.
func (r *Reservation) CommitPart(ctx context.Context, used int64) error {
	if used < 0 || used > r.count {
		return fmt.Errorf("%w: %d of %d executions used", ErrInvalid, used, r.count)
	}
	if used < r.count && r.cost != (privacy.Interval{}) {
		return fmt.Errorf("%w: a reservation with a Delta is not committed in part", ErrInvalid)
	}
	return r.resolved(ctx, committed, used)
}

// Release gives the reservation back, durably. It is only right while nothing left the process: no noise was drawn for anything that was
// applied to a model, logged, checkpointed or sent, and the decision to release does not depend on the data or on what the mechanism gave. The
// caller answers for that. What was committed cannot be released.
func (r *Reservation) Release(ctx context.Context) error { return r.resolved(ctx, released, 0) }

func (r *Reservation) resolved(ctx context.Context, as outcome, used int64) error {
	ticket, err := r.resolve(ctx, as, used)
	if err != nil {
		return err
	}
	return r.job.ledger.wait(ctx, ticket)
}

// resolve ends the reservation, or finds that it has ended in the same way.
func (r *Reservation) resolve(ctx context.Context, as outcome, used int64) (journal.Ticket, error) {
	return r.job.ledger.change(ctx, func() error {
		if done, err := r.ended(as, used); done || err != nil {
			return err
		}
		return r.job.ledger.resolve(r, as, used)
	})
}

// ended reports whether the reservation has ended in this way already, and why it cannot end in it. The lock must be held.
func (r *Reservation) ended(as outcome, used int64) (bool, error) {
	switch {
	case r.outcome == as && r.used == used:
		return true, nil
	case r.outcome == expired:
		return false, refuse(ErrExpired, "reservation %d of job %q", r.number, r.job.name)
	case r.outcome != 0:
		return false, refuse(ErrResolved, "reservation %d of job %q, %d of %d executions spent", r.number, r.job.name, r.used, r.count)
	}
	return false, r.job.gone()
}

// resolve records the end of an open reservation. The lock must be held.
func (l *Ledger) resolve(r *Reservation, as outcome, used int64) error {
	l.scratch = record{kind: kindResolve, number: r.number, outcome: as, count: used}
	if err := l.put(&l.scratch); err != nil {
		return err
	}
	l.end(r, as, used)
	return nil
}

func (l *Ledger) end(r *Reservation, as outcome, used int64) {
	r.outcome, r.used = as, used
	delete(l.handles, r.number)
}

// flush records the commits that have gathered: before a record that would spend them again, and before a snapshot. The lock must be held.
func (l *Ledger) flush() error {
	for len(l.done) > 0 { // more than one record's worth where the journal was busy
		n := min(len(l.done), maxDone)
		l.buf = (&record{kind: kindDone, numbers: l.done[:n]}).append(l.buf[:0])
		if err := l.stage(); err != nil { // applied already
			return err
		}
		l.done = append(l.done[:0], l.done[n:]...)
	}
	return nil
}

// expire spends what is past its time. The lock must be held.
func (l *Ledger) expire(now time.Time) error {
	if l.deadline.IsZero() || now.Before(l.deadline) {
		return nil
	}
	var late []*Reservation
	next := time.Time{}
	for _, h := range l.handles {
		switch {
		case h.deadline.IsZero():
		case !now.Before(h.deadline):
			late = append(late, h)
		case next.IsZero() || h.deadline.Before(next):
			next = h.deadline
		}
	}
	slices.SortFunc(late, func(a, b *Reservation) int { return int(int64(a.number - b.number)) })
	for _, h := range late {
		if err := l.resolve(h, expired, h.count); err != nil {
			return err
		}
	}
	l.deadline = next
	return nil
}
