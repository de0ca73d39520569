package resources

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
	defaultMaxWait = 30 * time.Second
	defaultCheck   = time.Second
	defaultTimeout = 5 * time.Second
)

// Source takes samples for a [Gate]; a [*Sampler] does. Sample returns soon after ctx is done. A sample that comes
// with an error is used for what it has.
type Source interface {
	Sample(ctx context.Context) (Sample, error)
}

// GateConfig configures a [Gate]. Source is required.
type GateConfig struct {
	Source Source
	// Memory are the thresholds of Sample.Memory. Always watched; the zero value has the defaults.
	Memory Thresholds
	// Disk and CPU are the thresholds of Sample.Disk and Sample.CPU, GPU those of the memory of the GPU that is
	// fullest. Not watched where nil.
	Disk, CPU, GPU *Thresholds
	// Others are further resources to watch.
	Others []Watched
	// MaxWait is how long a step waits while a resource is critical. Default 30 seconds; negative not at all.
	MaxWait time.Duration
	// Proceed lets a step run when MaxWait is used up, and every following one until the resource has recovered. Default:
	// the step is refused with [ErrExhausted].
	Proceed bool
	// Check is how long a sample is good for. Default 1 second.
	Check time.Duration
	// Timeout bounds one call of Source. Default 5 seconds.
	Timeout time.Duration
	// OnLevel, if set, is called at every change of state, in order and outside any lock, by a goroutine that is at the
	// gate: a slow callback delays a step.
	OnLevel func(Change)
	// Logger, if set, gets one line per change of state.
	Logger *slog.Logger
}

// Watched is a resource that a [Gate] watches besides those it knows.
type Watched struct {
	Name   string
	Limits Thresholds // the zero value has the defaults
	// Used returns its share in use, 0 to 1, from the latest sample or from elsewhere. It is called after each sample,
	// outside any lock, one call at a time, and must not block.
	Used func(s *Sample) Value[float64]
}

// Change is one change of the state of a [Gate], or of a [Ladder].
type Change struct {
	At       time.Time
	Was, Now Level
	Resource string         // the one with the highest level: "memory", "disk", "cpu", "gpu" or the name of another one
	Used     Value[float64] // of it
	Closed   bool           // steps wait from now on
	// Err is the error of the sample that decided. One that repeats is not reported again.
	Err error
}

// ErrExhausted is matched by the error of a step refused for want of a resource; the error itself is an
// *[ExhaustedError].
var ErrExhausted = errors.New("resources: exhausted")

// ExhaustedError is the refusal of a step by a [Gate].
type ExhaustedError struct {
	Resource    string
	Used, Limit float64       // shares; Limit is the Resume threshold that the wait was for
	Waited      time.Duration // before it was refused
	retryAfter  time.Duration
}

// Error names the resource, its use and the limit.
func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("%v: %s %.1f%% used, not below %.1f%% after %v", ErrExhausted, e.Resource, 100*e.Used, 100*e.Limit, e.Waited)
}

// Is makes errors.Is(err, ErrExhausted) true.
func (e *ExhaustedError) Is(target error) bool { return target == ErrExhausted }

// Neutral is true: the refusal says nothing about the step, so a circuit breaker must not count it.
func (e *ExhaustedError) Neutral() bool { return true }

// RetryAfter is when the next sample is taken at the soonest.
func (e *ExhaustedError) RetryAfter() time.Duration { return e.retryAfter }

// Gate lets a step through while the watched resources are below their critical thresholds, and makes it wait while one
// is not.
//
// It takes a sample only when a step comes by and the last one is too old, one at a time, and starts no goroutine. A
// resource that cannot be measured holds nobody up. nil and the zero Gate let every step through. Create one with
// [NewGate].
type Gate struct {
	cfg     GateConfig
	watched []watch

	mu     sync.Mutex    // guards all below and the changing fields of watched
	next   time.Time     // when the next sample is due
	asking chan struct{} // closed when the sample under way is there; nil when there is none
	level  Level
	forced bool // MaxWait was used up and Proceed is set
	failed bool // the last sample came with an error

	events deliver.Queue[Change] // not yet reported
}

// watch is a resource and its thresholds.
type watch struct {
	name   string
	limits Thresholds
	used   func(*Sample) Value[float64]

	last  Value[float64]
	level Level
	held  bool // critical, and not below Resume since
}

// NewGate checks the configuration and returns a gate.
func NewGate(cfg GateConfig) (*Gate, error) {
	if cfg.Source == nil {
		return nil, errors.New("resources: gate: Source is nil")
	}
	if cfg.MaxWait == 0 {
		cfg.MaxWait = defaultMaxWait
	}
	if cfg.Check < 0 {
		return nil, fmt.Errorf("resources: gate: Check %v is negative", cfg.Check)
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("resources: gate: Timeout %v is negative", cfg.Timeout)
	}
	if cfg.Check == 0 {
		cfg.Check = defaultCheck
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	g := &Gate{cfg: cfg}
	add := func(name string, limits *Thresholds, used func(*Sample) Value[float64]) error {
		if limits == nil {
			return nil
		}
		if err := limits.Validate(); err != nil {
			return fmt.Errorf("%w (of %s)", err, name)
		}
		for _, w := range g.watched {
			if w.name == name {
				return fmt.Errorf("resources: gate: %q is watched twice", name)
			}
		}
		g.watched = append(g.watched, watch{name: name, limits: limits.withDefaults(), used: used})
		return nil
	}
	err := errors.Join(
		add("memory", &cfg.Memory, func(s *Sample) Value[float64] { return s.Memory.Used() }),
		add("disk", cfg.Disk, func(s *Sample) Value[float64] { return s.Disk.Used() }),
		add("cpu", cfg.CPU, func(s *Sample) Value[float64] { return s.CPU }),
		add("gpu", cfg.GPU, fullestGPU),
	)
	for i, w := range cfg.Others {
		if w.Name == "" || w.Used == nil {
			return nil, fmt.Errorf("resources: gate: Others %d: Name %q or Used is missing", i, w.Name)
		}
		err = errors.Join(err, add(w.Name, &w.Limits, w.Used))
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Done does nothing: the gate has no interest in the outcome of a step.
func (g *Gate) Done(token uint64, err error) {}

// Admit returns nil as soon as a step may run. It returns an *[ExhaustedError] when a resource is still critical after
// MaxWait, and ctx's error, at once, when ctx ends first. Beyond MaxWait a call takes no longer than one call of the
// source, which Timeout bounds. The token means nothing.
func (g *Gate) Admit(ctx context.Context) (token uint64, err error) {
	if ctx.Err() != nil {
		return 0, ended(ctx)
	}
	if g == nil || g.cfg.Source == nil {
		return 0, nil
	}
	start := time.Now()
	g.mu.Lock()
	if start.Before(g.next) && g.holding() == nil {
		g.mu.Unlock()
		return 0, nil
	}
	g.mu.Unlock()
	err = g.wait(ctx, start)
	g.report()
	return 0, err
}

// Level is the level at the last sample, the highest of the resources watched. A warning lasts until Clear.
func (g *Gate) Level() Level {
	if g == nil {
		return Unknown
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.level
}

func (g *Gate) wait(ctx context.Context, start time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	asked := false // just now: what that said counts, however short Check is
	for {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		now := time.Now()
		if !now.Before(g.next) && !asked {
			if g.asking != nil {
				g.sleep(ctx, now.Add(g.cfg.Timeout), g.asking)
			} else {
				g.ask(ctx)
				asked = true
			}
			continue
		}
		asked = false
		held := g.holding()
		left := g.cfg.MaxWait - now.Sub(start)
		switch {
		case held == nil:
			return nil
		case left > 0:
			g.sleep(ctx, now.Add(min(left, g.next.Sub(now))), nil)
		case g.cfg.Proceed:
			g.forced = true
			g.event(g.level, nil)
			return nil
		default:
			return &ExhaustedError{Resource: held.name, Used: held.last.V, Limit: held.limits.Resume, Waited: now.Sub(start), retryAfter: g.cfg.Check}
		}
	}
}

// holding is the resource that keeps steps from running, nil when none does. The caller holds mu.
func (g *Gate) holding() *watch {
	if g.forced {
		return nil
	}
	for i := range g.watched {
		if g.watched[i].held {
			return &g.watched[i]
		}
	}
	return nil
}

// sleep gives up the lock until the given time, the answer or the end of ctx.
func (g *Gate) sleep(ctx context.Context, until time.Time, answered chan struct{}) {
	g.mu.Unlock()
	defer g.mu.Lock()
	g.report()
	timer := time.NewTimer(time.Until(until)) // after the callbacks, which may have taken their time
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-answered:
	case <-ctx.Done():
	}
}

// ask takes a sample with the lock given up and takes it into account.
func (g *Gate) ask(ctx context.Context) {
	done := make(chan struct{})
	g.asking = done
	g.mu.Unlock()
	defer func() { // also when the source panics
		g.asking = nil
		close(done)
	}()
	used, err := g.call(ctx)
	if ctx.Err() != nil && err != nil {
		return // the caller has gone; the sample may be cut short for that alone
	}
	g.observe(time.Now(), used, err)
}

// call runs without the lock and returns with it. It returns the share in use of each of the resources watched.
func (g *Gate) call(ctx context.Context) ([]Value[float64], error) {
	defer g.mu.Lock()
	timed, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	sample, err := g.cfg.Source.Sample(timed)
	used := make([]Value[float64], len(g.watched))
	for i := range g.watched {
		used[i] = g.watched[i].used(&sample)
	}
	return used, err
}

// fullestGPU is the share of memory in use of the GPU that has least left: a mean would hide it.
func fullestGPU(s *Sample) (most Value[float64]) {
	for i := range s.GPUs {
		if used := s.GPUs[i].Used(); used.OK && !(most.OK && used.V <= most.V) {
			most = used
		}
	}
	return most
}

// observe is the state machine: what the shares in use, of a sample received at now, change.
func (g *Gate) observe(now time.Time, used []Value[float64], err error) {
	was, wasClosed := g.level, g.holding() != nil
	g.next = now.Add(g.cfg.Check)
	g.level = Unknown
	anyHeld := false
	for i := range g.watched {
		w := &g.watched[i]
		w.last = used[i]
		level := w.limits.Level(w.last)
		if level == Normal && w.level >= Warn && w.last.V >= w.limits.Clear {
			level = Warn
		}
		w.level = level
		g.level = max(g.level, level)
		switch {
		case level == Critical:
			w.held = true
		case level == Unknown || w.last.V < w.limits.Resume:
			w.held = false
		}
		anyHeld = anyHeld || w.held
	}
	g.forced = g.forced && anyHeld
	newlyFailed := err != nil && !g.failed
	g.failed = err != nil
	if g.level != was || wasClosed != (g.holding() != nil) || newlyFailed {
		g.event(was, err)
	}
}

// event queues the report of a change. The caller holds mu.
func (g *Gate) event(was Level, err error) {
	if g.cfg.OnLevel == nil && g.cfg.Logger == nil {
		return
	}
	c := Change{At: time.Now(), Was: was, Now: g.level, Closed: g.holding() != nil, Err: err}
	for _, w := range g.watched {
		if w.level == g.level {
			c.Resource, c.Used = w.name, w.last
			break
		}
	}
	g.events.Add(c)
}

// report tells what has changed. The caller does not hold mu, so a callback may use the gate.
func (g *Gate) report() {
	g.events.Deliver(func(c Change) {
		g.log(c)
		if g.cfg.OnLevel != nil {
			g.cfg.OnLevel(c)
		}
	})
}

func (g *Gate) log(c Change) {
	if g.cfg.Logger == nil {
		return
	}
	level, message := slog.LevelInfo, "resources gate: level changed"
	switch {
	case c.Closed:
		level, message = slog.LevelWarn, "resources gate: closed, steps wait"
	case c.Now == Critical:
		level, message = slog.LevelWarn, "resources gate: MaxWait used up, steps run all the same"
	case c.Now == Warn || c.Err != nil:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("resource", c.Resource), slog.String("was", c.Was.String()), slog.String("now", c.Now.String())}
	if c.Used.OK {
		attrs = append(attrs, slog.Float64("used", c.Used.V))
	}
	if c.Err != nil {
		attrs = append(attrs, slog.Any("error", c.Err))
	}
	g.cfg.Logger.LogAttrs(context.Background(), level, message, attrs...)
}

// ended is the error of a wait whose context is done.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return fmt.Errorf("resources: wait ended: %w", cause)
	}
	return fmt.Errorf("resources: wait ended: %w: %w", err, cause)
}
