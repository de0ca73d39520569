package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/surefoot-ml/surefoot/retry"
)

// use is how often a strategy was used, and up to which step: beyond that it is as good as new.
type use struct {
	times int
	at    uint64
	delay time.Duration // before the last
}

// rescue is the recovery from one failed step.
type rescue struct {
	*Supervisor
	d    *Decision
	f    Failure
	from position // when it failed
	good bool     // the state is a good one again: it must not be undone once more
	lost bool     // Undo was tried and failed
}

// recover chooses a strategy for a failed step and carries it out. The error is nil if training goes on.
func (s *Supervisor) recover(ctx context.Context, d *Decision) error {
	d.Class = s.cfg.Classify(d.Err)
	if d.Class >= classes {
		d.Class = Permanent
	}
	class := d.Class // of the state, also if the caller wants to end
	if ctx.Err() != nil && d.Class != Refused && d.Class != Permanent {
		d.Class = Cancelled
		d.Err = fmt.Errorf("%w: %w", context.Cause(ctx), d.Err)
	}
	r := rescue{Supervisor: s, d: d, from: s.pos, f: Failure{Class: class, Err: d.Err, Step: s.pos.Step, Batch: s.pos.Next}}
	for i, st := range s.cfg.Plan[d.Class] {
		d.Action = st.Action
		switch st.Action {
		case Stop:
			return r.halt(ctx, ErrStopped)
		case FailFast:
			return s.ended(ErrFatal, d.Err)
		}
		u := &s.used[d.Class][i]
		if u.times >= st.Times {
			continue
		}
		if s.ledger.Since >= s.cfg.MaxRecoveries {
			return r.halt(ctx, ErrNoProgress)
		}
		if st.Action == Shrink && !r.shrink(ctx) {
			continue
		}
		u.times, u.at = u.times+1, max(u.at, r.f.Step)
		s.ledger.Since++
		going, err := r.carryOut(ctx, st, u)
		if err != nil || going {
			return err
		}
	}
	return r.halt(ctx, ErrStopped)
}

func (r *rescue) shrink(ctx context.Context) bool {
	shrunk, err := r.size.shrink(ctx)
	if err != nil {
		r.d.Err = errors.Join(r.d.Err, err)
	}
	return shrunk
}

// carryOut puts the state back and does what the strategy says. It reports false if the next strategy should be tried.
func (r *rescue) carryOut(ctx context.Context, st Strategy, u *use) (bool, error) {
	if err := r.putBack(ctx, st); err != nil {
		return false, err
	}
	r.counted(st.Action)
	r.cfg.Log.Warn("recovery: "+st.Action.String(), "class", r.f.Class.String(), "error", r.d.Err,
		"from", r.d.From, "step", r.pos.Step, "batch", r.pos.Next)
	if st.Action != Retry || r.pos.Step != r.f.Step {
		if err := r.writeLedger(); err != nil { // then a crash forgets the decision, and it is taken again
			r.d.Err = errors.Join(r.d.Err, err)
		}
	}
	if st.Do != nil {
		if err := st.Do(ctx, r.f); err != nil {
			r.d.Err = errors.Join(r.d.Err, fmt.Errorf("recovery: %v: %w", st.Action, err))
			return false, nil
		}
	}
	u.delay = delay(st.Delays, u, r.f.Err)
	left, ended := wait(ctx, u.delay)
	if ended == nil {
		return true, nil
	}
	r.d.Class = Cancelled
	r.d.Err = fmt.Errorf("%w: %w", ended, r.d.Err)
	stop := r.halt(ctx, ErrStopped)
	stop.wait = left
	return false, stop
}

func (r *rescue) counted(a Action) {
	r.count(func(c *Counts) {
		switch a {
		case Retry:
			c.Retries++
		case Skip:
			c.Skips++
		case Shrink:
			c.Shrunk++
		case Degrade:
			c.Degraded++
		}
	})
}

// putBack makes the state a good one again: that before the step, or that of a checkpoint.
func (r *rescue) putBack(ctx context.Context, st Strategy) error {
	if st.Action == Rollback || !r.undo(ctx) {
		return r.rollback(ctx, st)
	}
	r.leaveOut(r.f.Batch, st.Skip)
	return nil
}

func (r *rescue) leaveOut(from, n uint64) {
	added := r.pos.skip(from, n)
	r.d.Skipped = append(r.d.Skipped, added...)
	r.count(func(c *Counts) {
		for _, a := range added {
			c.SkippedBatches += a.To - a.From
		}
	})
}

// undo makes the state that before the step, and reports whether it is a good one now.
func (r *rescue) undo(ctx context.Context) bool {
	if r.good || r.cfg.Undo == nil || r.lost {
		return r.good
	}
	if err := r.cfg.Undo(context.WithoutCancel(ctx), r.f.Err); err != nil {
		r.d.Err = errors.Join(r.d.Err, fmt.Errorf("recovery: undo: %w", err))
		r.lost = true
		return false
	}
	r.good = true
	return true
}

// rollback restores the checkpoint that is at least Back steps old, or the oldest, and leaves out batches from the one
// applied Back steps ago on.
func (r *rescue) rollback(ctx context.Context, st Strategy) error {
	if wait, ok := r.restarted(time.Now().Round(0)); !ok {
		err := r.halt(ctx, ErrRestarts)
		err.wait = wait
		return err
	}
	before := r.pos
	target := r.from.Step - min(st.Back, r.from.Step)
	first := r.from.batchAt(target)
	began := time.Now()
	b := bundle{state: r.state}
	info, err := r.store.Before(target, &b)
	if err == nil && (info.Step != b.meta.Position.Step || info.Step > before.Step) {
		err = fmt.Errorf("recovery: %s is of step %d inside, after step %d", info.Name, b.meta.Position.Step, before.Step)
	}
	if err != nil {
		return r.ended(ErrFatal, errors.Join(r.d.Err, err))
	}
	for _, damage := range info.Passed {
		r.cfg.Log.Warn("recovery: passed over", "error", damage)
	}
	kept := r.store.Abandon(info.Step)
	r.mu.Lock()
	g := &r.report.Goodput
	g.Restoring += time.Since(began)
	g.Lost += g.Useful - b.meta.Useful
	g.LostSteps += before.Step - info.Step
	r.report.Counts.Rollbacks++
	r.take(&b.meta)
	r.mu.Unlock()
	r.saved, r.good = info.Step, true
	r.pos.adopt(before.Skips)
	if kept != nil {
		// A crash would resume beyond this state, with batches in it that are to be left out now. What is there is whole:
		// the next process resumes from it and, if the failure is still there, comes here again.
		r.d.Action, r.saved = FailFast, r.store.newest(info.Step)
		return r.ended(ErrUnsaved, errors.Join(r.d.Err, kept, r.writeLedger()))
	}
	r.leaveOut(first, st.Skip)
	return nil
}

// halt ends after a failure. It saves what the state can be made again without a checkpoint: not a diverged one.
func (r *rescue) halt(ctx context.Context, reason error) *StopError {
	if reason != ErrStopped {
		r.d.Action = Stop
	}
	if !r.good && (r.f.Class == Diverged || r.f.Class == StateUnknown) || !r.undo(ctx) {
		cause := r.d.Err
		if err := r.writeLedger(); err != nil {
			cause = errors.Join(cause, err)
		}
		return r.ended(reason, cause)
	}
	return r.stop(r.d, reason, r.d.Err)
}

// restarted counts a rollback or a start after a crash. If that is one too many it returns how long to wait.
func (s *Supervisor) restarted(now time.Time) (wait time.Duration, ok bool) {
	recent := s.ledger.Restarts[:0:0]
	for _, t := range s.ledger.Restarts {
		if age := now.Sub(t); age >= 0 && age < s.cfg.Per { // a time in the future comes from a clock that was wrong
			recent = append(recent, t)
		}
	}
	s.ledger.Restarts = recent
	if s.cfg.MaxRestarts < 0 {
		return 0, true
	}
	if len(recent) >= s.cfg.MaxRestarts {
		return recent[0].Add(s.cfg.Per).Sub(now), false
	}
	s.ledger.Restarts = append(recent, now)
	return 0, true
}

// delay is how long to wait before training goes on after the given use of a strategy.
func delay(delays retry.Delays, u *use, cause error) (delay time.Duration) {
	if delays != nil {
		delay = max(0, delays.Delay(u.times, u.delay))
	}
	var later interface{ RetryAfter() time.Duration }
	if errors.As(cause, &later) {
		delay = max(delay, later.RetryAfter())
	}
	return delay
}

// wait lets a delay pass. If ctx ends meanwhile, or would, it returns at once why, and how much of the delay is left.
func wait(ctx context.Context, delay time.Duration) (left time.Duration, ended error) {
	now := time.Now()
	if deadline, ok := ctx.Deadline(); ok && delay > deadline.Sub(now) && ctx.Err() == nil {
		return delay, fmt.Errorf("%w before a delay of %v is over", context.DeadlineExceeded, delay)
	}
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() == nil {
		return 0, nil
	}
	return max(0, delay-time.Since(now)), context.Cause(ctx)
}
