package ledger

import (
	"context"
	"sync/atomic"
)

// Job is one incarnation of something that spends: a training run, an analysis. It is safe for concurrent use.
type Job struct {
	ledger      *Ledger
	name        string
	index       int
	incarnation uint64
	fenced      atomic.Bool // opened again since, or the ledger is closed

	steps map[uint64]*Reservation // by Request.Step; guarded by the ledger's lock
	floor uint64                  // steps below are forgotten
}

// OpenJob begins a new incarnation of a job, durably. Older incarnations are fenced off from then on: what they have reserved is spent,
// and whatever they ask for is refused with [ErrFenced]. Open a job when its process starts, also when it goes on from a checkpoint: steps
// that are done again are charged again, and the ledger knows of those that the checkpoint does not.
func (l *Ledger) OpenJob(ctx context.Context, name string) (*Job, error) {
	if err := checkText("job", name, 1); err != nil {
		return nil, err
	}
	j := &Job{ledger: l, name: name, steps: map[uint64]*Reservation{}}
	err := l.changed(ctx, func() error {
		r := &record{kind: kindJob, name: name, incarnation: 1}
		i, known := l.book.jobNames[name]
		if known {
			r.incarnation = l.book.jobs[i].incarnation + 1
		}
		if err := l.flush(); err != nil { // before the record that would spend them again
			return err
		}
		if err := l.put(r); err != nil {
			return err
		}
		j.index, j.incarnation = l.book.jobNames[name], r.incarnation
		if old := l.current[j.index]; old != nil {
			old.fenced.Store(true)
			l.drop(func(h *Reservation) bool { return h.job == old })
		}
		l.current[j.index] = j
		return nil
	})
	if err != nil {
		return nil, err
	}
	return j, nil
}

// Name returns the name of the job.
func (j *Job) Name() string { return j.name }

// Incarnation counts how often the job was opened, from 1 on.
func (j *Job) Incarnation() uint64 { return j.incarnation }

// MarkNotPrivate records, durably and for ever, that the job draws noise that can be predicted (where Private of a noise.Trainer is false). Its
// charges count as any others, but what it releases protects nobody: the report shows it for the job and for all accounts it has charged.
func (j *Job) MarkNotPrivate(ctx context.Context) error {
	l := j.ledger
	return l.changed(ctx, func() error {
		if err := j.gone(); err != nil || l.book.jobs[j.index].notPrivate {
			return err
		}
		return l.put(&record{kind: kindNotPrivate, index: j.index})
	})
}

// gone is why the job may not do anything, or nil. The lock must be held.
func (j *Job) gone() error {
	if now := j.ledger.book.jobs[j.index].incarnation; now != j.incarnation {
		return refuse(ErrFenced, "%q is at incarnation %d, this is %d", j.name, now, j.incarnation)
	}
	return nil
}

// windowSteps is how many of the latest steps a job remembers at least, besides those that are open.
const windowSteps = 1 << 14

// remember notes the reservation of a step, and forgets the lowest resolved ones when there are too many. The lock must be held.
func (j *Job) remember(r *Reservation) {
	if r.step == 0 {
		return
	}
	j.steps[r.step] = r
	if len(j.steps) < 2*windowSteps {
		return
	}
	highest := uint64(0)
	for step := range j.steps {
		highest = max(highest, step)
	}
	if highest <= windowSteps {
		return
	}
	j.floor = max(j.floor, highest-windowSteps)
	for step := range j.steps {
		if step < j.floor {
			delete(j.steps, step)
		}
	}
}

// drop forgets handles of reservations that were spent. The lock must be held.
func (l *Ledger) drop(which func(*Reservation) bool) {
	for number, h := range l.handles {
		if which(h) {
			delete(l.handles, number)
		}
	}
}
