package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/privacy"
)

// startData is the data of the entry that begins a process's part of the trail.
type startData struct {
	Task     string   `json:"task"`
	Settings settings `json:"settings"`
	Private  bool     `json:"private"`
	Key      uint64   `json:"key,omitempty"`      // that noise is drawn from if it is not private
	Canaries string   `json:"canaries,omitempty"` // digest of which canaries are in the training part
	Examples int      `json:"examples"`           // in the training part, canaries included
	Step     int      `json:"step"`               // steps applied so far, by the checkpoint
}

// checkpointData is the data of a checkpoint's entry.
type checkpointData struct {
	Step int `json:"step"`
}

// recordData is what the recorder writes of an attempt and of a batch, as far as it is needed here.
type recordData struct {
	Batch   int    `json:"batch"`
	Attempt int    `json:"attempt"`
	Run     int64  `json:"run_ns"`
	Error   string `json:"error"`
}

// audited is what a trail says about a run, by itself.
type audited struct {
	Entries  uint64     `json:"entries"`
	Head     audit.Head `json:"head"`
	Charges  int        `json:"charges"`
	Attempts int        `json:"attempts"` // attempts whose step ran
	Applied  int        `json:"applied"`  // last step applied
	Epsilon  float64    `json:"epsilon"`  // of all charges, accounted anew
	Held     []string   `json:"held"`
	Broken   []string   `json:"broken"`
}

func (a *audited) hold(ok bool, what string) {
	if ok {
		a.Held = append(a.Held, what)
	} else {
		a.Broken = append(a.Broken, what)
	}
}

// auditTrail reads a trail as a stranger would, who has the log, the last head, and the budget: nothing of what the run
// itself believes is used.
func auditTrail(path string, head audit.Head, limit privacy.Budget) (audited, error) {
	var (
		a             audited
		accountant    privacy.RDP
		charges       = map[privacy.Poisson]int{}
		open          int // charges whose attempt has not been recorded
		unpaid, twice int
		gaps, unrun   int
		begun, other  int
		start         startData
		done          int // batch whose last recorded attempt succeeded
	)
	report, err := audit.Verify(path, audit.Trust{Heads: []audit.Head{head}})
	a.Entries, a.Head = report.Entries, report.Head
	if err != nil {
		return a, err
	}
	for e, err := range audit.Entries(path) {
		if err != nil {
			return a, err
		}
		switch e.Kind {
		case audit.KindConfig:
			start = startData{}
			if err := json.Unmarshal(e.Data, &start); err != nil {
				return a, fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			begun++
			if start.Step > a.Applied {
				gaps++
			}
			a.Applied = start.Step // a process that died may have applied steps after its last checkpoint: they are gone
			open = 0               // and what it was charged for stays spent
		case audit.KindCharge:
			var c chargeData
			if err := json.Unmarshal(e.Data, &c); err != nil {
				return a, fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			if err := accountant.Step(c.event()); err != nil {
				return a, fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			charges[c.event()]++
			a.Charges++
			if !c.pays(start) {
				other++
			}
			open = 1 // a charge buys the next attempt, and no later one
		case audit.KindStep:
			var r recordData
			if err := json.Unmarshal(e.Data, &r); err != nil {
				return a, fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			done = 0
			if r.Error == "" {
				done = r.Batch
			}
			if r.Run > 0 || r.Error == "" {
				a.Attempts++
				if open--; open < 0 {
					unpaid, open = unpaid+1, 0
				}
			}
		case audit.KindBatch:
			var r recordData
			if err := json.Unmarshal(e.Data, &r); err != nil {
				return a, fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			if r.Error != "" {
				break
			}
			if done != r.Batch {
				unrun++
			}
			done = 0
			switch {
			case r.Batch <= a.Applied:
				twice++
			case r.Batch > a.Applied+1:
				gaps++
			}
			a.Applied = r.Batch
		}
	}
	if a.Charges > 0 {
		spent, err := accountant.Epsilon(limit.Delta)
		if err != nil {
			return a, err
		}
		a.Epsilon = spent.Upper
	}
	a.hold(report.Torn == 0, "the trail is whole, and ends where the run ended it")
	a.hold(begun > 0 && other == 0, "every charge is for the settings that the trail begins with")
	a.hold(unpaid == 0, "every attempt that ran was charged before")
	a.hold(unrun == 0, "every step applied has an attempt that succeeded")
	a.hold(twice == 0, "no step was applied twice")
	a.hold(gaps == 0, "no step is missing")
	a.hold(within(charges, limit), "the charges, accounted anew, are within the budget")
	return a, nil
}

// within reports whether a filter of the budget, made for any of the events, admits them all.
func within(charges map[privacy.Poisson]int, limit privacy.Budget) bool {
	if len(charges) == 0 {
		return true
	}
	for plan := range charges {
		filter, err := privacy.NewFilter(limit, plan)
		for e, n := range charges {
			err = errors.Join(err, filter.SpendN(e, n))
		}
		if err == nil {
			return true
		}
	}
	return false
}

// err is what did not hold.
func (a *audited) err() error {
	var errs []error
	for _, b := range a.Broken {
		errs = append(errs, errors.New("not so: "+b))
	}
	return errors.Join(errs...)
}
