package breaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoTarget is what errors.Is finds when the active target of a [Failover] has failed and no other takes over.
var ErrNoTarget = errors.New("breaker: no target takes over")

// Failover is a group of targets that can stand in for each other, one of which is active: the stores that hold the
// shards, the providers of a quota. It moves away from the active target when its health falls below a threshold, and back
// to a preferred one when that has been well above for a time.
//
// For most uses give the targets a Check each, make the Failover with [NewFailover], call [Failover.Check] now and then,
// and ask [Failover.Active] before each use. Who measures health otherwise calls [Failover.Report].
//
// # Health
//
// Health goes from 0 to 1. That of a target or component is its last report, or 1 before the first one; but 0 while
// anything that it depends on has failed, which goes on through any number of dependencies, and 0 while the last report is
// older than FailoverConfig.Stale. It has failed when its health is below FailoverConfig.FailBelow.
//
// # Switches
//
// When the active target has failed, the next one is the first in order of priority that has not failed. As long as
// the active target has not failed, one of higher priority takes over once it has been at FailoverConfig.FailbackAt or
// above for all of FailoverConfig.Hold. Nothing else moves the group: a standby of the same or a lower priority, however healthy, stays a
// standby. A target whose Ready or Activate refuses is passed over for FailoverConfig.Pause, and the next one is asked. If
// nobody takes over, the failed target stays active: Active always names a target.
//
// A Failover has no clock of its own: what is due happens in the next call of Report or Check, in the goroutine of its
// caller. It is safe for concurrent use; one goroutine switches at a time and the others do not wait for it. A nil or zero
// Failover has no targets: its Active is "" and its Report an error.
type Failover struct {
	cfg     FailoverConfig // with defaults; Targets in order of priority; read only
	names   []string       // of targets, then components; read only
	index   map[string]int // into names; read only
	checks  []func(context.Context) (float64, error)
	present atomic.Int32 // the active target, for readers without mu

	mu        sync.Mutex
	roster    roster
	switching bool // a goroutine is in settle
}

// NewFailover returns a Failover whose active target is the one with the highest priority, which is not asked and not
// activated: that is how things are taken to stand. The error names the field of cfg that is wrong: there is at least one
// target, names are unique and not empty, dependencies exist and form no cycle.
func NewFailover(cfg FailoverConfig) (*Failover, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	f := &Failover{cfg: cfg.withDefaults(), index: make(map[string]int)}
	add := func(name string, check func(context.Context) (float64, error)) {
		f.index[name] = len(f.names)
		f.names = append(f.names, name)
		f.checks = append(f.checks, check)
	}
	for _, t := range f.cfg.Targets {
		add(t.Name, t.Check)
	}
	for _, c := range f.cfg.Components {
		add(c.Name, c.Check)
	}
	members := make([]member, len(f.names))
	depend := func(i int, on []string) error {
		for _, name := range on {
			j, ok := f.index[name]
			if !ok {
				return fmt.Errorf("breaker: %q depends on %q, which is no target or component", f.names[i], name)
			}
			members[i].deps = append(members[i].deps, j)
		}
		return nil
	}
	for i, t := range f.cfg.Targets {
		members[i].priority = t.Priority
		if err := depend(i, t.DependsOn); err != nil {
			return nil, err
		}
	}
	for i, c := range f.cfg.Components {
		if err := depend(len(f.cfg.Targets)+i, c.DependsOn); err != nil {
			return nil, err
		}
	}
	order, cycle := dependenciesFirst(members)
	if cycle != nil {
		return nil, fmt.Errorf("breaker: dependencies form a cycle: %s", path(cycle, f.names))
	}
	f.roster = newRoster(f.cfg, members, order, time.Now())
	return f, nil
}

// Active returns the name of the active target. It costs a few nanoseconds and takes no lock.
func (f *Failover) Active() string {
	if f == nil || len(f.names) == 0 {
		return ""
	}
	return f.names[f.present.Load()]
}

// Report tells the health of a target or component, from 0 to 1, and makes the switch that has become due, if any, with
// ctx for the callbacks. The report counts even if ctx has ended.
//
// An error that wraps [ErrNoTarget] says that the active target has failed and none took over, with the refusals of those
// that were asked; one that wraps the reason of ctx, that ctx ended before a switch was made. That a failback was refused
// is no error; see Member.Refusal. If another goroutine is switching, Report returns nil, and that goroutine takes account
// of this report.
func (f *Failover) Report(ctx context.Context, name string, score float64) error {
	i, err := f.find(name)
	if err != nil {
		return err
	}
	if !(score >= 0 && score <= 1) { // NaN is neither
		return fmt.Errorf("breaker: health %v of %q is not between 0 and 1", score, name)
	}
	f.mu.Lock()
	f.roster.report(time.Now(), i, score)
	f.mu.Unlock()
	return f.settle(ctx)
}

// Check runs every Check of targets and components, all at the same time and each under FailoverConfig.CheckTimeout, waits
// for all, and makes the switch that has become due, if any. Its error joins those of the checks and what [Failover.Report]
// would have returned.
//
// A check that returns an error, panics, or returns no score between 0 and 1 found out nothing: it lowers the health by
// FailoverConfig.CheckPenalty, unless ctx has ended. A check that ignores its context is waited for.
func (f *Failover) Check(ctx context.Context) error {
	if f == nil || len(f.names) == 0 {
		return errNoTargets
	}
	errs := make([]error, len(f.checks), len(f.checks)+1)
	var wait sync.WaitGroup
	for i, check := range f.checks {
		if check != nil {
			wait.Go(func() { errs[i] = f.check(ctx, i) })
		}
	}
	wait.Wait()
	return errors.Join(append(errs, f.settle(ctx))...)
}

// check runs the check of a member and counts its result.
func (f *Failover) check(ctx context.Context, i int) error {
	score, err := f.ask(ctx, i)
	if err == nil && !(score >= 0 && score <= 1) {
		err = fmt.Errorf("health %v is not between 0 and 1", score)
	}
	if err != nil {
		err = fmt.Errorf("breaker: check of %q: %w", f.names[i], err)
		if ctx.Err() != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		score = max(0, f.roster.members[i].score-f.cfg.CheckPenalty)
	}
	f.roster.report(time.Now(), i, score)
	return err
}

// ask runs the check of a member in this goroutine, where nobody else could recover its panic.
func (f *Failover) ask(ctx context.Context, i int) (score float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.CheckTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return f.checks[i](ctx)
}

// settle makes the switches that are due, unless another goroutine is at it.
func (f *Failover) settle(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.switching {
		return nil
	}
	f.switching = true
	defer func() { f.switching = false }() // with mu held, so that no report is overlooked
	var refusals error
	for range f.cfg.Attempts {
		m, due := f.roster.decide(time.Now())
		if !due {
			break
		}
		if ctx.Err() != nil {
			return after(fmt.Errorf("breaker: failover from %q to %q not made: %w",
				f.names[m.from], f.names[m.to], ended(ctx)), refusals)
		}
		refusals = after(refusals, f.try(ctx, m))
	}
	r := &f.roster
	r.settle(time.Now())
	if !r.failed(r.active) {
		return nil
	}
	return after(fmt.Errorf("%w from %q, which has failed, health %.3g",
		ErrNoTarget, f.names[r.active], r.members[r.active].health), refusals)
}

// after joins two errors in one line.
func after(first, second error) error {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return fmt.Errorf("%w; %w", first, second)
}

// try asks a target to become the active one, without mu, which is held before and after.
func (f *Failover) try(ctx context.Context, m move) (err error) {
	defer func() {
		if err != nil && ctx.Err() == nil { // an end of ctx is not the target's doing
			f.roster.refuse(time.Now(), m.to, err)
		}
	}()
	err = fmt.Errorf("target %q panicked", f.names[m.to]) // or ended the goroutine; the panic goes on
	if err = f.activate(ctx, m); err != nil {
		return fmt.Errorf("target %q: %w", f.names[m.to], err)
	}
	s := f.roster.commit(time.Now(), m, f.names)
	f.present.Store(int32(m.to))
	f.tell(s)
	return nil
}

func (f *Failover) activate(ctx context.Context, m move) error {
	f.mu.Unlock()
	defer f.mu.Lock()
	t := &f.cfg.Targets[m.to]
	if t.Ready != nil {
		if err := t.Ready(ctx); err != nil {
			return fmt.Errorf("not ready: %w", err)
		}
	}
	if t.Activate != nil {
		if err := t.Activate(ctx, f.names[m.from]); err != nil {
			return fmt.Errorf("not activated: %w", err)
		}
	}
	return nil
}

// tell calls the listener without mu, which is held before and after.
func (f *Failover) tell(s Switch) {
	if f.cfg.OnSwitch == nil {
		return
	}
	f.mu.Unlock()
	defer f.mu.Lock()
	defer func() { _ = recover() }()
	f.cfg.OnSwitch(s)
}

// Switches returns the last FailoverConfig.History switches, oldest first.
func (f *Failover) Switches() []Switch {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.roster.history)
}

// Trend returns where the health of a target or component is heading, by its last FailoverConfig.TrendReports reports. It
// is false if there are fewer than three reports, if they came at one instant, or if the health does not fall: then there
// is no time at which it is going to fail, and Slope and Reports alone are set. It is false for an unknown name too.
func (f *Failover) Trend(name string) (Trend, bool) {
	i, err := f.find(name)
	if err != nil {
		return Trend{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return trend(f.roster.members[i].recent, time.Now(), f.cfg.FailBelow)
}

// System returns the state of the whole group now. It changes nothing.
func (f *Failover) System() System {
	if f == nil || len(f.names) == 0 {
		return System{State: SystemFailed}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.roster.system(time.Now(), f.names)
}

var errNoTargets = errors.New("breaker: Failover without targets, not made by NewFailover")

func (f *Failover) find(name string) (int, error) {
	if f == nil || len(f.names) == 0 {
		return 0, errNoTargets
	}
	i, ok := f.index[name]
	if !ok {
		return 0, fmt.Errorf("breaker: %q is no target or component", name)
	}
	return i, nil
}
