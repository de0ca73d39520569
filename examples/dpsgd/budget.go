package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/privacy"
)

// errUncharged ends a run: a release that nobody has paid for is the one thing that must never happen.
var errUncharged = errors.New("noise would be released without a charge")

// budget is the admitter that charges every attempt: first against the filter, then durably in the trail, both before the
// step may draw its batch and its noise, for which it hands the charge to the trainer as a Spender. After a crash the trail tells what was spent; nothing is ever given back.
type budget struct {
	filter *privacy.Filter
	event  privacy.Poisson
	log    *audit.Log
	run    string

	charged  int         // by this process
	released int         // noisy sums drawn by this process
	paid     atomic.Bool // the attempt in progress has been charged and has not drawn noise yet
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
	if err := b.filter.Spend(b.event); err != nil {
		_, logErr := b.log.Append(ctx, audit.Event{Kind: audit.KindRefusal, Run: b.run, Data: map[string]string{"error": err.Error()}})
		return 0, errors.Join(err, logErr)
	}
	g := b.event.Gaussian
	seq, err := b.log.Append(context.WithoutCancel(ctx), audit.Event{Kind: audit.KindCharge, Run: b.run, Data: chargeData{
		Rate: b.event.Rate, StdDev: g.StdDev, Clip: g.Clip, Relation: g.Relation, Epsilon: b.filter.Spent().Upper,
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

// recharge spends what the trail of earlier processes says was spent. It returns the number of charges.
func (b *budget) recharge(path string) (int, error) {
	counts := map[privacy.Poisson]int{}
	total := 0
	for e, err := range audit.Entries(path) {
		if err != nil {
			return 0, err
		}
		if e.Kind != audit.KindCharge {
			continue
		}
		var c chargeData
		if err := json.Unmarshal(e.Data, &c); err != nil {
			return 0, fmt.Errorf("charge %d: %w", e.Seq, err)
		}
		counts[c.event()]++
		total++
	}
	for event, n := range counts {
		if err := b.filter.SpendN(event, n); err != nil {
			return 0, fmt.Errorf("the trail holds more than the budget: %w", err)
		}
	}
	return total, nil
}
