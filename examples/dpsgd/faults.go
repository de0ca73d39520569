package main

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// place is where in a step a fault strikes.
type place int

const (
	atStart      place = iota // nothing has happened yet
	afterRelease              // the noisy gradient exists, the weights are untouched
	halfApplied               // half of the weights are updated
	afterApply                // all weights are updated, the step has not returned
)

// fault is one failure to inject.
type fault struct {
	kind string
	at   place
}

// The kinds of fault that a plan holds.
const (
	transient = "transient error"
	notFinite = "loss not finite"
	panicking = "panic"
	hanging   = "hang"
)

// injected is the error of a fault that was injected on purpose.
type injected struct{ kind string }

func (e *injected) Error() string { return "injected " + e.kind }

// faultPlan says which faults strike the attempts of each step. It is drawn from a seed, before the run, so that a run can
// be repeated with the same faults.
type faultPlan struct {
	ahead map[int][]fault // by step: what the coming attempts meet
	now   fault           // what the attempt in progress meets
}

// newFaultPlan draws faults for steps 1 to steps: single ones here and there, and one burst long enough to open a breaker.
func newFaultPlan(seed uint64, steps int) *faultPlan {
	rng := rand.New(rand.NewPCG(seed, 0xfa017))
	p := &faultPlan{ahead: map[int][]fault{}}
	places := []place{atStart, afterRelease, halfApplied, afterApply}
	for step := 1; step <= steps; step++ {
		for _, k := range []struct {
			kind string
			odds float64
		}{{transient, 0.03}, {notFinite, 0.01}, {panicking, 0.01}} {
			if rng.Float64() < k.odds {
				p.add(step, fault{k.kind, places[rng.IntN(len(places))]})
			}
		}
	}
	if steps < 8 {
		return p
	}
	for _, eighth := range []int{2, 5} { // hangs cost a deadline each, so there are few
		p.add(1+steps*eighth/8+rng.IntN(steps/8), fault{hanging, places[rng.IntN(len(places))]})
	}
	burst := 1 + steps*3/8 + rng.IntN(steps/8)
	for range 4 {
		p.add(burst, fault{transient, atStart})
	}
	return p
}

func (p *faultPlan) add(step int, f fault) {
	if f.kind == notFinite {
		f.at = afterApply // the loss is known only then
	}
	p.ahead[step] = append(p.ahead[step], f)
}

// begin draws what the coming attempt of a step meets. The nil plan has no faults.
func (p *faultPlan) begin(step int) {
	if p == nil {
		return
	}
	p.now = fault{}
	if queue := p.ahead[step]; len(queue) > 0 {
		p.now, p.ahead[step] = queue[0], queue[1:]
	}
}

// strike is called where a fault may happen.
func (p *faultPlan) strike(ctx context.Context, at place) error {
	if p == nil || p.now.kind == "" || p.now.at != at {
		return nil
	}
	switch p.now.kind {
	case panicking:
		panic(&injected{panicking})
	case hanging:
		<-ctx.Done() // a collective operation whose peer has gone
		return fmt.Errorf("%w: %w", &injected{hanging}, ctx.Err())
	case notFinite:
		return nil // poisons says so
	}
	return &injected{p.now.kind}
}

// poisons reports whether the attempt in progress meets weights that are not finite.
func (p *faultPlan) poisons() bool { return p != nil && p.now.kind == notFinite }
