package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/surefoot-ml/surefoot/privacy"
)

// MeterConfig says what a Meter charges.
type MeterConfig struct {
	// Accounts are the budgets of all data that the steps read.
	Accounts []string
	// Lease is the largest number of steps that are reserved ahead, and spent if the process crashes. The first lease of an event has one
	// step, and each further one twice as many, up to what still fits. Default: 100.
	Lease int64
}

const (
	defaultLease = 100
	keptLeases   = 4 // of different events
)

// Meter charges steps one by one as they come, from leases that it renews by itself. Its method Spend is what noise.Trainer asks for, and For
// what a surefoot.Runner does. It is safe for concurrent use. Close it when the job ends, or what is left of its leases is spent.
type Meter struct {
	job    *Job
	config MeterConfig
	leases atomic.Pointer[[]leased]
	turn   chan struct{} // held by who changes leases
	closed bool          // guarded by turn
}

// leased is the lease of an event.
type leased struct {
	event privacy.Event
	lease *Lease
	size  int64 // of the next
}

// Meter returns a meter of this job.
func (j *Job) Meter(c MeterConfig) (*Meter, error) {
	if c.Lease == 0 {
		c.Lease = defaultLease
	}
	if c.Lease < 1 || c.Lease > maxCount {
		return nil, fmt.Errorf("%w: MeterConfig.Lease = %d, want 1 to 2^40", ErrInvalid, c.Lease)
	}
	if _, err := j.ledger.known.Load().accountsOf(c.Accounts); err != nil {
		return nil, err
	}
	c.Accounts = append([]string(nil), c.Accounts...)
	return &Meter{job: j, config: c, turn: make(chan struct{}, 1)}, nil
}

// Spend charges one execution of e: call it before anything of that execution is released. It waits for the disk when a lease ends.
func (m *Meter) Spend(e privacy.Event) error { return m.Charge(context.Background(), e) }

// Charge is Spend with a context that bounds the wait. What a lease holds is charged at once, whatever ctx says.
func (m *Meter) Charge(ctx context.Context, e privacy.Event) error {
	if lease, _ := m.find(e); lease != nil && lease.Charge() == nil {
		return nil
	}
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("ledger: %w", ctx.Err())
	}
	defer func() { <-m.turn }()
	if m.closed {
		return ErrClosed
	}
	lease, size := m.find(e) // another may have renewed it
	if lease != nil {
		if err := lease.Charge(); !errors.Is(err, ErrUsed) {
			return err
		}
	}
	next, err := m.job.lease(ctx, Request{Accounts: m.config.Accounts, Event: e, Count: size}, true)
	if err != nil {
		return err
	}
	if err := next.Charge(); err != nil {
		return err
	}
	return m.keep(ctx, leased{e, next, min(2*size, m.config.Lease)}, lease)
}

// find returns the lease of an event, if there is one, and the size of the next.
func (m *Meter) find(e privacy.Event) (*Lease, int64) {
	if all := m.leases.Load(); all != nil {
		for i := range *all {
			if x := &(*all)[i]; x.event == e {
				return x.lease, x.size
			}
		}
	}
	return nil, 1
}

// keep puts a lease first, and ends the one that it replaces or, where there are too many, the oldest. The caller holds the turn.
func (m *Meter) keep(ctx context.Context, x leased, before *Lease) error {
	kept := []leased{x}
	if all := m.leases.Load(); all != nil {
		for _, o := range *all {
			if o.lease == before {
				continue
			}
			if len(kept) == keptLeases {
				before = o.lease
				continue
			}
			kept = append(kept, o)
		}
	}
	m.leases.Store(&kept)
	if before == nil {
		return nil
	}
	if err := before.Close(ctx); err != nil && ctx.Err() == nil { // else the step is charged, and the rest comes back with the next sync
		return err
	}
	return nil
}

// Close ends the leases and gives what is left of them back, durably. Charges are refused from then on.
func (m *Meter) Close(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("ledger: %w", ctx.Err())
	}
	defer func() { <-m.turn }()
	m.closed = true
	var errs []error
	if all := m.leases.Swap(nil); all != nil {
		for _, x := range *all {
			errs = append(errs, x.lease.Close(ctx))
		}
	}
	return errors.Join(errs...)
}

// Admission charges one step around every attempt: an admitter for a surefoot.Runner. Put it last, so that nothing refuses an attempt that was
// charged.
type Admission struct {
	meter *Meter
	event privacy.Event
}

// For returns an admission of e. An event that the accounts refuse is refused by Admit.
func (m *Meter) For(e privacy.Event) *Admission { return &Admission{m, e} }

// Admit charges one execution before the attempt.
func (a *Admission) Admit(ctx context.Context) (token uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("ledger: not charged: %w", err)
	}
	return 0, a.meter.Charge(ctx, a.event)
}

// Done keeps the charge, whatever the outcome: a failed attempt may have released something.
func (a *Admission) Done(token uint64, err error) {}
