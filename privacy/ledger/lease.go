package ledger

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// Lease is a reservation of many executions that are charged one by one within the process, without the disk. After a crash all of them
// are spent, used or not. It is safe for concurrent use.
type Lease struct {
	reservation *Reservation
	left        atomic.Int64 // below 0 once it is used up or closed
}

// Lease reserves Count executions to be charged one by one. A Step would have no meaning here, and a Delta could not be split: both are refused.
func (j *Job) Lease(ctx context.Context, r Request) (*Lease, error) { return j.lease(ctx, r, false) }

func (j *Job) lease(ctx context.Context, r Request, some bool) (*Lease, error) {
	if r.Step != 0 || r.Delta != 0 {
		return nil, refuse(ErrInvalid, "a lease with step %d and delta %v", r.Step, r.Delta)
	}
	h, err := j.reserve(ctx, r, some)
	if err != nil {
		return nil, err
	}
	l := &Lease{reservation: h}
	l.left.Store(h.count)
	return l, nil
}

// Charge takes one execution from the lease: call it before anything of that execution is released. It returns [ErrUsed] if none is left,
// [ErrFenced] if the job was opened again, [ErrExpired] past the TTL. It does not allocate and does not wait.
func (l *Lease) Charge() error {
	if l.reservation.job.fenced.Load() {
		return l.reservation.job.stopped()
	}
	if d := l.reservation.deadline; !d.IsZero() && !time.Now().Before(d) {
		return refuse(ErrExpired, "lease of job %q", l.reservation.job.name)
	}
	if l.left.Load() <= 0 || l.left.Add(-1) < 0 {
		return ErrUsed
	}
	return nil
}

// Left is how many executions can still be charged.
func (l *Lease) Left() int64 { return max(0, l.left.Load()) }

// Count is how many executions were reserved.
func (l *Lease) Count() int64 { return l.reservation.count }

// Close ends the lease and gives what is left back, durably. Another Close does nothing.
func (l *Lease) Close(ctx context.Context) error {
	left := l.end()
	if left < 0 {
		return nil
	}
	if left == 0 {
		return l.reservation.Commit()
	}
	return l.reservation.resolved(ctx, committed, l.reservation.count-left)
}

// end stops all charges and returns how many were left, or -1 if it was ended before.
func (l *Lease) end() int64 {
	const ended = math.MinInt64 / 2 // no number of refused charges wraps around
	left := l.left.Swap(ended)
	if left < ended/2 {
		return -1
	}
	return max(0, left)
}

// stopped is why a fenced job cannot charge.
func (j *Job) stopped() error {
	j.ledger.mu.Lock()
	defer j.ledger.mu.Unlock()
	if err := j.gone(); err != nil {
		return err
	}
	return ErrClosed
}
