package carbon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

// PlanGateConfig configures a [PlanGate]. Provider, Work and Deadline are required. All durations but Timeout, and Deadline,
// are trace time.
type PlanGateConfig struct {
	// Provider knows the intensity now. What it says is what the gate learns from.
	Provider Provider
	// Work is how long the steps of the job take in all, not counting the waiting. It may be an estimate; a job that takes longer
	// runs on without waiting.
	Work time.Duration
	// Deadline is when the work must be done. Plans look at most 60 days ahead; of a later one they make use bit by bit.
	Deadline time.Time
	// Learner makes the forecasts. Feed it the zone's past before; one that knows nothing is a poor planner for two weeks.
	// Nil is a new hourly one. The gate is its only user from NewPlanGate on. Its step is the length of a slot.
	Learner *Learner
	// Resume is the energy of a start, as the time of running that uses as much. That much is kept before the deadline, too.
	Resume time.Duration
	// RegretCap and Margin are those of [ReplannerConfig].
	RegretCap, Margin float64
	// Policy decides instead of a [Replanner], for instance a [KMin]. Resume then only counts as a margin, and the state
	// holds nothing of the policy's.
	Policy Policy
	// State is what [PlanGate.State] returned before a restart. The job goes on from there; Work and Deadline must be the same.
	State []byte
	// Timeout bounds one call of the provider, in wall time. Default 10 seconds.
	Timeout time.Duration
	// Timeline maps wall time to the time the provider is asked for. The zero value is real time.
	Timeline Timeline
	// OnChange, if set, is called when the gate begins to run or to pause, in order and outside any lock, by a goroutine
	// that waits at the gate.
	OnChange func(PlanChange)
	// Logger, if set, gets one line per such change.
	Logger *slog.Logger
}

func (c *PlanGateConfig) complete() error {
	switch {
	case c.Provider == nil:
		return errors.New("carbon: plan gate: Provider is nil")
	case c.Work <= 0:
		return fmt.Errorf("carbon: plan gate: Work %v is not positive", c.Work)
	case c.Deadline.IsZero():
		return errors.New("carbon: plan gate: Deadline is not set")
	case c.Resume < 0:
		return fmt.Errorf("carbon: plan gate: Resume %v is negative", c.Resume)
	case c.Timeout < 0:
		return fmt.Errorf("carbon: plan gate: Timeout %v is negative", c.Timeout)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Learner == nil {
		learner, err := NewLearner(LearnerConfig{})
		if err != nil {
			return err
		}
		c.Learner = learner
	}
	return c.Timeline.Validate()
}

// PlanChange is one change of a plan gate's state.
type PlanChange struct {
	At     time.Time // trace time
	Paused bool      // steps wait from now on
	Forced bool      // steps run because the deadline leaves no time to wait
	// Err is why the intensity at that time is not known; the forecast decided, or, without one, nothing waits.
	Err error
}

// PlanGate lets the steps of one job run in the slots that a plan gives it, and makes them wait in the others. It plans anew in every
// slot. A step that runs is never interrupted.
//
// The work done is the time in which at least one step ran that succeeded. Whatever the provider does, no step waits longer than
// until the time left to the deadline is the work left plus Resume: a job whose estimate of Work is right, whose steps come without
// gaps and succeed, is done by the deadline if it could have been.
//
// It is shared by all goroutines of a job. It asks the provider once per slot, when a step comes by, and starts no
// goroutine. nil and the zero PlanGate let every step through. Create one with [NewPlanGate].
type PlanGate struct {
	cfg     PlanGateConfig
	policy  Policy
	planned *Replanner // policy, if it is one of the gate's own

	mu       sync.Mutex
	done     time.Duration // of work, trace time
	inFlight int
	mark     time.Time // wall time up to which the work in flight is counted
	decided  int64     // the slot the decision is about, -1 before any
	run      bool      // the decision
	forced   bool
	stepped  bool          // a step ran in the decided slot
	priced   bool          // the cost of a start is set
	asking   chan struct{} // closed when the decision in the making is there; nil when there is none
	failure  error
	pauses   uint64

	events deliver.Queue[PlanChange]
}

// NewPlanGate checks the configuration and the state, and returns a gate.
func NewPlanGate(cfg PlanGateConfig) (*PlanGate, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	g := &PlanGate{cfg: cfg, policy: cfg.Policy, decided: -1, run: true}
	if g.policy == nil {
		r, err := NewReplanner(ReplannerConfig{Outlooks: cfg.Learner, RegretCap: cfg.RegretCap, Margin: cfg.Margin})
		if err != nil {
			return nil, err
		}
		g.policy, g.planned = r, r
	}
	if cfg.State != nil {
		if err := g.restore(cfg.State); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Admit waits like [PlanGate.Wait] and counts the step as running until Done.
func (g *PlanGate) Admit(ctx context.Context) (token uint64, err error) {
	if err := g.Wait(ctx); err != nil {
		return 0, err
	}
	if g == nil || g.cfg.Provider == nil {
		return 0, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight == 0 {
		g.mark = time.Now()
	}
	g.inFlight++
	g.stepped = true
	return 0, nil
}

// Done ends a step. The time since the last end counts as work if err is nil; if not, and no other step runs, it is lost.
func (g *PlanGate) Done(token uint64, err error) {
	if g == nil || g.cfg.Provider == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight == 0 {
		return
	}
	now := time.Now()
	if err == nil {
		g.done += g.cfg.Timeline.trace(now.Sub(g.mark))
		g.mark = now
	}
	g.inFlight--
}

// Wait returns nil as soon as a step may run. It returns an error only when ctx ends first; errors.Is finds both ctx.Err() and
// the cause.
func (g *PlanGate) Wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if g == nil || g.cfg.Provider == nil {
		return nil
	}
	err := g.wait(ctx)
	g.report()
	return err
}

func (g *PlanGate) wait(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		now := time.Now()
		at := g.cfg.Timeline.At(now)
		slack := g.slack(at, now)
		if slack <= 0 {
			g.change(at, true, g.left(now) > 0, nil)
			return nil
		}
		last := now.Add(g.cfg.Timeline.Wall(slack))
		slot := g.cfg.Learner.slot(at)
		switch {
		case g.asking != nil:
			g.sleep(ctx, last, g.asking)
		case slot != g.decided:
			g.decide(ctx, slot, at, last)
		case g.run:
			return nil
		default:
			end := g.cfg.Learner.time(slot + 1).Sub(at)
			g.sleep(ctx, earlier(last, now.Add(g.cfg.Timeline.Wall(end))), nil)
		}
	}
}

// left is the work left.
func (g *PlanGate) left(now time.Time) time.Duration {
	left := g.cfg.Work - g.done
	if g.inFlight > 0 {
		left -= g.cfg.Timeline.trace(now.Sub(g.mark))
	}
	return max(0, left)
}

// slack is how long a step may still wait. Work that is all done leaves nothing to wait for.
func (g *PlanGate) slack(at, now time.Time) time.Duration {
	left := g.left(now)
	if left == 0 {
		return 0
	}
	return g.cfg.Deadline.Sub(at) - left - g.cfg.Resume
}

func (g *PlanGate) sleep(ctx context.Context, until time.Time, answered chan struct{}) {
	g.mu.Unlock()
	defer g.mu.Lock()
	g.report()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-answered:
	case <-ctx.Done():
	}
}

// decide asks the provider, with the lock given up, and then the policy about a new slot.
func (g *PlanGate) decide(ctx context.Context, slot int64, at, last time.Time) {
	answered := make(chan struct{})
	g.asking = answered
	g.mu.Unlock()
	defer func() { // also when the provider panics
		g.asking = nil
		close(answered)
	}()
	reading, err := g.ask(ctx, at, last)
	if ctx.Err() != nil && err != nil {
		return // the caller has gone; another one asks again
	}
	now := time.Now()
	at = g.cfg.Timeline.At(now)
	if g.cfg.Learner.slot(at) != slot {
		return // the answer took until another slot
	}
	price := math.NaN()
	if err == nil {
		price = float64(reading.Intensity)
		// A reading too short for the learner's step still is the price of the slot. What a provider forecasts for the present
		// is the best that will be known of it for a while; a measured value would revise it.
		if reading.Basis == Forecast {
			reading.Basis = Estimated
		}
		_ = g.cfg.Learner.Observe(reading)
	}
	step := g.cfg.Learner.Step()
	left, ahead := g.left(now), g.cfg.Deadline.Sub(at)-g.cfg.Resume
	s := Slot{
		At:      at,
		Price:   price,
		Left:    int(min(ahead, maxHorizon) / step),
		Work:    int((left + step - 1) / step),
		Running: g.decided >= 0 && slot == g.decided+1 && g.stepped || g.inFlight > 0,
	}
	if g.planned != nil && g.decided >= 0 && slot > g.decided+1 {
		g.planned.missed(int(slot-g.decided-1), g.run && g.stepped)
	}
	g.decided, g.stepped = slot, g.inFlight > 0
	if g.planned != nil && !g.priced {
		// Once: the accounts of the regret are kept at one cost of a start.
		g.planned.cfg.Start, g.priced = g.startCost(price), true
	}
	run := s.Must() || g.policy.Run(s)
	g.change(at, run, s.Must() && ahead <= maxHorizon, err) // longer work than the horizon runs on, but nothing forces it to
}

// ask runs without the lock and returns with it.
func (g *PlanGate) ask(ctx context.Context, at, last time.Time) (Reading, error) {
	defer g.mu.Lock()
	limit := min(g.cfg.Timeout, time.Until(last))
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	reading, err := g.cfg.Provider.At(ctx, at)
	if err == nil {
		err = reading.check(at, g.cfg.Learner.cfg.Signal)
	}
	return reading, err
}

// startCost is Resume in slots times the zone's usual intensity.
func (g *PlanGate) startCost(price float64) float64 {
	slots := float64(g.cfg.Resume) / float64(g.cfg.Learner.Step())
	level := g.cfg.Learner.Level()
	if math.IsNaN(level) {
		level = price
	}
	if math.IsNaN(level) {
		return 0
	}
	return slots * level
}

// change records a decision and tells of it if it is news.
func (g *PlanGate) change(at time.Time, run, forced bool, err error) {
	news := run != g.run || forced != g.forced || (err == nil) != (g.failure == nil)
	if !run && g.run {
		g.pauses++
	}
	g.run, g.forced, g.failure = run, forced, err
	if news && (g.cfg.OnChange != nil || g.cfg.Logger != nil) {
		g.events.Add(PlanChange{At: at, Paused: !run, Forced: forced, Err: err})
	}
}

func (g *PlanGate) report() {
	g.events.Deliver(func(c PlanChange) {
		if log := g.cfg.Logger; log != nil {
			args := []any{"trace_time", c.At, "paused", c.Paused, "forced", c.Forced}
			if c.Err != nil {
				log.Warn("carbon plan gate: intensity unknown", append(args, "error", c.Err)...)
			} else {
				log.Info("carbon plan gate: changed", args...)
			}
		}
		if g.cfg.OnChange != nil {
			g.cfg.OnChange(c)
		}
	})
}

// PlanStats says how far a job is.
type PlanStats struct {
	Done   time.Duration // of work, trace time, a step still running included
	Left   time.Duration // of work
	Pauses uint64
}

// Stats returns how far the job is. Safe on a nil PlanGate.
func (g *PlanGate) Stats() PlanStats {
	if g == nil {
		return PlanStats{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	left := g.left(time.Now())
	return PlanStats{Done: g.cfg.Work - left, Left: left, Pauses: g.pauses}
}
