package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/privacy/ledger"
)

// errUncharged ends a run: a release that nobody has paid for is the one thing that must never happen.
var errUncharged = errors.New("noise would be released without a charge")

// account is the ledger's name for the training part.
const account = "training part"

// budget is the admitter that charges every attempt: in the ledger, which is what decides, and in the trail, which is what others
// read; both durably before the step may draw its batch and its noise, for which it hands the charge to the trainer as a Spender.
// Nothing is ever given back.
type budget struct {
	ledger *ledger.Ledger
	meter  *ledger.Meter
	event  privacy.Poisson
	log    *audit.Log
	run    string

	charged  int         // by this process
	released int         // noisy sums drawn by this process
	paid     atomic.Bool // the attempt in progress has been charged and has not drawn noise yet
}

// open opens the ledger in a directory. Where there is one it is used as it is: what was spent in it stays spent.
func (b *budget) open(ctx context.Context, dir string, resume, private bool, limit privacy.Budget) (err error) {
	b.ledger, err = ledger.Open(dir, ledger.Config{Create: !resume})
	if errors.Is(err, ledger.ErrExists) { // of a process that died before its trail began
		b.ledger, err = ledger.Open(dir, ledger.Config{})
	}
	if err != nil {
		return err
	}
	plan, err := privacy.NewFilter(limit, b.event) // finds the order that admits most steps
	if err != nil {
		return err
	}
	if err := b.ledger.CreateAccount(ctx, ledger.Account{
		Name: account, Measure: ledger.Renyi, Orders: []float64{plan.Order()}, Unit: "example",
		Relation: b.event.Gaussian.Relation, Epsilon: limit.Epsilon, Delta: limit.Delta,
	}); err != nil {
		return err
	}
	job, err := b.ledger.OpenJob(ctx, "train")
	if err != nil {
		return err
	}
	if !private {
		if err := job.MarkNotPrivate(ctx); err != nil {
			return err
		}
	}
	// One step at a time: a step takes longer than the disk, and a crash costs no step that was not begun.
	b.meter, err = job.Meter(ledger.MeterConfig{Accounts: []string{account}, Lease: 1})
	return err
}

// close ends the ledger.
func (b *budget) close() error {
	if b == nil {
		return nil
	}
	var err error
	if b.meter != nil {
		err = b.meter.Close(context.Background())
	}
	return errors.Join(err, b.ledger.Close())
}

// spent is what the ledger has spent so far, and how it knows.
func (b *budget) spent() (ledger.AccountReport, error) {
	report, err := b.ledger.Report()
	if err != nil {
		return ledger.AccountReport{}, err
	}
	found, _ := report.Account(account)
	return found, nil
}

// chargeData is the data of a charge in the trail: all that is needed to account for it again.
type chargeData struct {
	Rate     float64          `json:"rate"`
	StdDev   float64          `json:"std_dev"` // in units of the clip norm, as is
	Clip     float64          `json:"clip"`
	Relation privacy.Relation `json:"relation"`
	Epsilon  float64          `json:"epsilon"` // spent, this charge included
}

func (c chargeData) event() privacy.Poisson {
	return privacy.Poisson{Rate: c.Rate, Gaussian: privacy.Gaussian{StdDev: c.StdDev, Clip: c.Clip, Relation: c.Relation}}
}

// pays reports whether the charge is at least what a step with these settings costs.
func (c chargeData) pays(s startData) bool {
	return c.Relation == privacy.AddRemove && c.Clip == 1 && c.StdDev <= s.Settings.Noise &&
		c.Rate >= s.Settings.sampling(s.Examples)
}

// Admit charges one execution of the event, or refuses.
func (b *budget) Admit(ctx context.Context) (uint64, error) {
	if err := b.meter.Charge(ctx, b.event); err != nil {
		if errors.Is(err, privacy.ErrExhausted) {
			_, logErr := b.log.Append(ctx, audit.Event{Kind: audit.KindRefusal, Run: b.run, Data: map[string]string{"error": err.Error()}})
			err = errors.Join(err, logErr)
		}
		return 0, err
	}
	spent, err := b.spent()
	if err != nil {
		return 0, err
	}
	g := b.event.Gaussian
	seq, err := b.log.Append(context.WithoutCancel(ctx), audit.Event{Kind: audit.KindCharge, Run: b.run, Data: chargeData{
		Rate: b.event.Rate, StdDev: g.StdDev, Clip: g.Clip, Relation: g.Relation, Epsilon: spent.Running,
	}})
	if err != nil {
		return 0, fmt.Errorf("charge: %w", err) // spent all the same
	}
	b.charged++
	b.paid.Store(true)
	return seq, nil
}

// Done keeps the charge, whatever came of it.
func (b *budget) Done(uint64, error) { b.paid.Store(false) }

// Spend is the bill of the step for what it is about to release: the charge of its attempt pays it, once.
func (b *budget) Spend(e privacy.Event) error {
	if e != b.event {
		return fmt.Errorf("%w: the step releases %+v, charged is %+v", errUncharged, e, b.event)
	}
	if !b.paid.CompareAndSwap(true, false) {
		return errUncharged
	}
	b.released++
	return nil
}

// chargesIn counts the charges that a trail holds.
func chargesIn(path string) (n int, err error) {
	for e, err := range audit.Entries(path) {
		if err != nil {
			return 0, err
		}
		if e.Kind == audit.KindCharge {
			n++
		}
	}
	return n, nil
}
