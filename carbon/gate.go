package carbon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

const (
	defaultCheck   = 5 * time.Minute
	defaultTimeout = 10 * time.Second
)

// GateConfig configures a [Gate]. Provider, Pause and MaxWait are required.
type GateConfig struct {
	Provider Provider
	// Pause is the threshold: an intensity above it pauses.
	Pause Intensity
	// Resume ends a pause: an intensity at or below it resumes. Default Pause. Below Pause it keeps a value that
	// hovers around the threshold from pausing again and again.
	Resume Intensity
	// Signal is the signal that Pause and Resume are stated in; a reading of the other one is an error. Default Average.
	Signal Signal
	// MaxWait bounds a pause, in trace time. When it is used up the step is forced: it runs anyway, and so does
	// every following one until the intensity has once been down at Resume. No single wait is longer, whatever the
	// provider answers, as long as it returns when its context is done.
	MaxWait time.Duration
	// Check is the longest time, in trace time, until the provider is asked again; the end of a reading's validity
	// asks sooner, but never below a tenth of Check. Default 5 minutes.
	Check time.Duration
	// Timeout bounds one call of the provider, in wall time. Default 10 seconds.
	Timeout time.Duration
	// Timeline maps wall time to the time the provider is asked for. The zero value is real time.
	Timeline Timeline
	// OnChange, if set, is called at every change of state, in order and outside any lock, by a goroutine that waits at
	// the gate: a slow callback delays a step.
	OnChange func(Change)
	// Logger, if set, gets one line per change of state: never one per poll or per failure.
	Logger *slog.Logger
}

func (c *GateConfig) complete() error {
	if c.Provider == nil {
		return errors.New("carbon: gate: Provider is nil")
	}
	if !c.Pause.Valid() || c.Pause == 0 {
		return fmt.Errorf("carbon: gate: Pause %v is outside (0, %v]", float64(c.Pause), float64(MaxIntensity))
	}
	if c.Resume == 0 {
		c.Resume = c.Pause
	}
	if !c.Resume.Valid() || c.Resume > c.Pause {
		return fmt.Errorf("carbon: gate: Resume %v is outside (0, Pause = %v]", float64(c.Resume), float64(c.Pause))
	}
	if c.Signal == 0 {
		c.Signal = Average
	}
	if c.Signal > Marginal {
		return fmt.Errorf("carbon: gate: Signal %d is not average or marginal", c.Signal)
	}
	if c.MaxWait <= 0 {
		return fmt.Errorf("carbon: gate: MaxWait %v is not positive; a pause needs a bound", c.MaxWait)
	}
	if c.Check == 0 {
		c.Check = defaultCheck
	}
	if c.Check < 0 {
		return fmt.Errorf("carbon: gate: Check %v is negative", c.Check)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Timeout < 0 {
		return fmt.Errorf("carbon: gate: Timeout %v is negative", c.Timeout)
	}
	if err := c.Timeline.Validate(); err != nil {
		return err
	}
	return nil
}

// Change is one change of a gate's state.
type Change struct {
	At     time.Time // trace time
	Paused bool      // steps wait from now on
	Forced bool      // MaxWait was used up: steps run although the intensity is high
	// Reading is the reading that decided; the zero value when Err did.
	Reading Reading
	// Err is why the gate knows no intensity; steps run until it does. It is reported when the data goes missing, not
	// at each failure after that.
	Err error
}

// GateStats counts what a gate did.
type GateStats struct {
	// Paused is how long steps have waited in pauses, in trace time; steps that waited side by side count once. A
	// pause still going on is included.
	Paused time.Duration
	Pauses uint64 // pauses begun
	Forced uint64 // pauses ended by MaxWait
}

// Gate lets a step through while the intensity is low and makes it wait while it is high, never for longer than MaxWait.
//
// A gate is shared by all goroutines of a job. It asks the provider only when a step comes by and the last answer is due
// for renewal, one call at a time, and starts no goroutine. An error of the provider opens the gate: a job never stands
// still for want of data. nil and the zero Gate let every step through. Create one with [NewGate].
type Gate struct {
	cfg     GateConfig
	maxWait time.Duration // wall time

	// Guarded by mu. All times are wall times with a monotonic part, so a clock that is set back cannot stretch a wait.
	mu      sync.Mutex
	next    time.Time     // when the provider is due to be asked
	asking  chan struct{} // closed when the call in flight has ended; nil when there is none
	waiters int
	paused  bool
	opened  chan struct{} // closed when the pause ends
	since   time.Time     // from when the pause is charged to spent: it began, or a step came to wait in it
	spent   time.Duration // of maxWait since the intensity was last at or below Resume
	forced  bool
	failure error // the first of the provider's errors since its last good answer
	stats   GateStats
	total   time.Duration // paused, wall time

	events deliver.Queue[Change] // not yet reported
}

// NewGate checks the configuration and returns a gate.
func NewGate(cfg GateConfig) (*Gate, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return &Gate{cfg: cfg, maxWait: cfg.Timeline.Wall(cfg.MaxWait)}, nil
}

// Admit waits like [Gate.Wait]. The token means nothing.
func (g *Gate) Admit(ctx context.Context) (token uint64, err error) { return 0, g.Wait(ctx) }

// Done does nothing: the gate has no interest in the outcome of a step.
func (g *Gate) Done(token uint64, err error) {}

// Wait returns nil as soon as a step may run: at once while the intensity is low or unknown, else when it has come down
// or MaxWait is used up. It returns an error only when ctx ends first, and then at once; errors.Is finds both ctx.Err()
// and the cause.
func (g *Gate) Wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if g == nil || g.cfg.Provider == nil {
		return nil
	}
	start := time.Now()
	g.mu.Lock()
	if !g.paused && start.Before(g.next) {
		g.mu.Unlock()
		return nil
	}
	g.mu.Unlock()
	err := g.wait(ctx, start)
	g.report()
	return err
}

// Stats returns what the gate did so far. Safe on a nil Gate.
func (g *Gate) Stats() GateStats {
	if g == nil {
		return GateStats{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	out := g.stats
	out.Paused = g.cfg.Timeline.trace(g.total + g.charged(time.Now()))
	return out
}

func (g *Gate) wait(ctx context.Context, start time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.join(start)
	defer g.leave()
	asked := false // just now: what that said counts, however short Check is
	for {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		now := time.Now()
		until := start.Add(g.maxWait)
		if g.paused {
			until = earlier(until, g.since.Add(g.maxWait-g.spent))
		}
		switch due := !now.Before(g.next); {
		case !now.Before(until):
			g.force(now)
			return nil
		case g.asking != nil && due:
			g.sleep(ctx, until, g.asking)
		case due && !asked:
			g.ask(ctx, until)
			asked = true
			continue
		case !g.paused:
			return nil
		default:
			g.sleep(ctx, earlier(until, g.next), nil)
		}
		asked = false
	}
}

// sleep gives up the lock until the given time, the answer, the end of the pause or the end of ctx.
func (g *Gate) sleep(ctx context.Context, until time.Time, answered chan struct{}) {
	opened := g.opened // nil, which never fires, outside a pause
	g.mu.Unlock()
	defer g.mu.Lock()
	g.report()
	timer := time.NewTimer(time.Until(until)) // after the callbacks, which may have taken their time
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-answered:
	case <-opened:
	case <-ctx.Done():
	}
}

// ask calls the provider with the lock given up and takes its answer into account.
func (g *Gate) ask(ctx context.Context, until time.Time) {
	done := make(chan struct{})
	g.asking = done
	paused := g.paused // before the call: while it runs another step may end the pause
	g.mu.Unlock()
	defer func() { // also when the provider panics
		g.asking = nil
		close(done)
	}()
	reading, at, err := g.call(ctx, until)
	now := time.Now()
	if ctx.Err() != nil && err != nil {
		return // the caller has gone; that says nothing of the provider
	}
	if paused && err != nil && !now.Before(until) {
		return // the deadline cut the call short; the wait ends as forced
	}
	g.observe(now, at, reading, err)
}

// call runs without the lock and returns with it.
func (g *Gate) call(ctx context.Context, until time.Time) (Reading, time.Time, error) {
	defer g.mu.Lock()
	now := time.Now()
	at := g.cfg.Timeline.At(now)
	ctx, cancel := context.WithTimeout(ctx, min(g.cfg.Timeout, until.Sub(now)))
	defer cancel()
	reading, err := g.cfg.Provider.At(ctx, at)
	if err == nil {
		err = reading.check(at, g.cfg.Signal)
	}
	return reading, at, err
}

// observe is the state machine: what an answer for trace time at, received at wall time now, changes.
func (g *Gate) observe(now, at time.Time, r Reading, err error) {
	if err != nil {
		news := g.failure == nil
		if news {
			g.failure = err
		}
		if g.paused {
			g.open(now)
			news = true
		}
		g.next = now.Add(g.wall(g.cfg.Check))
		if news {
			g.event(Change{At: at, Forced: g.forced, Err: err})
		}
		return
	}
	news := g.failure != nil
	g.failure = nil
	switch {
	case r.Intensity <= g.cfg.Resume:
		news = news || g.paused || g.forced
		if g.paused {
			g.open(now)
		}
		g.spent, g.forced = 0, false
	case r.Intensity > g.cfg.Pause && !g.forced && !g.paused:
		news = true
		g.paused, g.since, g.opened = true, now, make(chan struct{})
		g.stats.Pauses++
	}
	valid := r.To.Sub(g.cfg.Timeline.At(now))
	g.next = now.Add(g.wall(min(g.cfg.Check, max(valid, g.cfg.Check/10))))
	if news {
		g.event(Change{At: at, Paused: g.paused, Forced: g.forced, Reading: r})
	}
}

// force ends a pause that has lasted long enough. Outside a pause there is nothing to end.
func (g *Gate) force(now time.Time) {
	if !g.paused {
		return
	}
	g.open(now)
	g.forced = true
	g.stats.Forced++
	g.event(Change{At: g.cfg.Timeline.At(now), Forced: true})
}

// open ends a pause and wakes those who wait in it.
func (g *Gate) open(now time.Time) {
	g.charge(now)
	g.paused = false
	close(g.opened)
	g.opened = nil
}

func (g *Gate) join(now time.Time) {
	if g.waiters == 0 && g.paused {
		g.since = now
	}
	g.waiters++
}

func (g *Gate) leave() {
	if g.waiters == 1 && g.paused {
		g.charge(time.Now())
	}
	g.waiters--
}

// charged is the part of the pause not yet in spent. Time in which no step waits costs nothing.
func (g *Gate) charged(now time.Time) time.Duration {
	if !g.paused || g.waiters == 0 {
		return 0
	}
	return now.Sub(g.since)
}

func (g *Gate) charge(now time.Time) {
	d := g.charged(now)
	g.spent += d
	g.total += d
	g.since = now
}

func (g *Gate) wall(d time.Duration) time.Duration { return g.cfg.Timeline.Wall(d) }

func (g *Gate) event(c Change) {
	if g.cfg.OnChange != nil || g.cfg.Logger != nil {
		g.events.Add(c)
	}
}

// report tells what has changed. The caller does not hold mu, so a callback may use the gate.
func (g *Gate) report() {
	g.events.Deliver(func(c Change) {
		g.log(c)
		if g.cfg.OnChange != nil {
			g.cfg.OnChange(c)
		}
	})
}

func (g *Gate) log(c Change) {
	log := g.cfg.Logger
	if log == nil {
		return
	}
	log = log.With("trace_time", c.At)
	switch {
	case c.Err != nil:
		log.Warn("carbon gate: intensity unknown, steps run without it", "error", c.Err)
	case c.Paused:
		log.Info("carbon gate: paused", "intensity", float64(c.Reading.Intensity), "pause_above", float64(g.cfg.Pause), "zone", c.Reading.Zone, "source", c.Reading.Source)
	case c.Forced && c.Reading == (Reading{}):
		log.Warn("carbon gate: MaxWait used up, steps run at high intensity", "max_wait", g.cfg.MaxWait)
	default:
		log.Info("carbon gate: open", "intensity", float64(c.Reading.Intensity), "zone", c.Reading.Zone, "source", c.Reading.Source)
	}
}

// ended is the error of a wait whose context is done.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return fmt.Errorf("carbon: wait for a lower intensity ended: %w", cause)
	}
	return fmt.Errorf("carbon: wait for a lower intensity ended: %w: %w", err, cause)
}
