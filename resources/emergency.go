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
	defaultEmergencyAt = 0.95
	defaultEffect      = 0.01
	defaultSettle      = time.Second
	defaultActionTime  = 30 * time.Second
	defaultCoolDown    = 5 * time.Minute
	// lastWord is how long an action may take to return once its context is done, before it is left behind.
	lastWord = time.Second
)

var (
	// ErrUnrelieved is found in the error of [Emergency.Check] when no action is left and the share in use is at
	// EmergencyConfig.At or above.
	ErrUnrelieved = errors.New("resources: emergency is not relieved")
	// ErrEmergencyClosed is returned by a closed [Emergency].
	ErrEmergencyClosed = errors.New("resources: emergency is closed")
)

// EmergencyConfig configures an [Emergency]. Measure and Actions are required.
type EmergencyConfig struct {
	// Name is that of the resource, such as "memory".
	Name string
	// Measure returns the share in use, 0 to 1. It returns soon after ctx is done.
	Measure func(ctx context.Context) (Value[float64], error)
	// At is the share from which on it is an emergency. Default 0.95.
	At float64
	// Until is the share below which it is over. Default 0.05 less than At.
	Until float64
	// For is how long all measurements must have been at At or above before it is an emergency. Default 0: one suffices.
	For time.Duration
	// Effect is by how much the share must fall for an action to count as effective. Default 0.01.
	Effect float64
	// Timeout bounds one call of Measure. Default 5 seconds.
	Timeout time.Duration
	// Actions are what to do, the mildest first.
	Actions []Action
	// OnAction, if set, is told of every action when it starts and when it ends, for an audit trail: in order, one at a
	// time, outside any lock, on the goroutine that checks. A panic in it is contained and logged.
	OnAction func(ActionEvent)
	// Logger, if set, gets one line per action, and the errors of Watch.
	Logger *slog.Logger
}

// Action is one thing to do in an emergency: drop caches, shrink batches, write a checkpoint, pause, stop.
type Action struct {
	Name string
	// Do does it. When ctx is done it has overrun Timeout and should return at once; if it does not, it is left behind, the
	// plan goes on, and it is not started again before it has returned. A panic is an error.
	Do func(ctx context.Context) error
	// Timeout is how long it may take. Default 30 seconds.
	Timeout time.Duration
	// CoolDown is how long after its end it is not started again. Default 5 minutes; negative none. An emergency that comes
	// back meanwhile calls for the next action.
	CoolDown time.Duration
	// Settle is how long to wait after its end before its effect is measured. Default 1 second; negative none.
	Settle time.Duration
}

// Emergency carries out a plan when a resource is about to give out: it takes the actions in order, measures after
// each what it was good for, and stops when it is enough.
//
// For most uses, call [Emergency.Check] between steps, or let a goroutine of yours run [Emergency.Watch]. Nothing is
// done without a measurement that calls for it. nil and the zero Emergency do nothing. Safe for concurrent use.
// Create one with [NewEmergency] and close it.
type Emergency struct {
	cfg EmergencyConfig

	mu      sync.Mutex // guards what follows
	closed  bool
	busy    bool      // a check is under way
	active  bool      // from At until below Until
	since   time.Time // all measurements were at At or above since; zero for none
	actions []actionState
	events  deliver.Queue[ActionEvent]
}

// actionState is what is known of one action.
type actionState struct {
	done  chan struct{} // of the run under way; nil without
	ready time.Time     // its cool-down ends
	told  bool          // that it was left behind
	late  *ActionEvent  // its end, if that came before it was told that it was left behind
}

// NewEmergency checks the configuration.
func NewEmergency(cfg EmergencyConfig) (*Emergency, error) {
	cfg.At = orDefault(cfg.At, defaultEmergencyAt)
	cfg.Until = orDefault(cfg.Until, cfg.At-0.05)
	cfg.Effect = orDefault(cfg.Effect, defaultEffect)
	cfg.Timeout = orDefault(cfg.Timeout, defaultTimeout)
	switch {
	case cfg.Measure == nil:
		return nil, errors.New("resources: emergency: Measure is nil")
	case !(0 < cfg.Until && cfg.Until <= cfg.At && cfg.At <= 1):
		return nil, fmt.Errorf("resources: emergency: Until %v, At %v are not 0 < Until <= At <= 1", cfg.Until, cfg.At)
	case !(cfg.Effect > 0 && cfg.Effect < 1):
		return nil, fmt.Errorf("resources: emergency: Effect is %v, want more than 0 and less than 1", cfg.Effect)
	case cfg.For < 0:
		return nil, fmt.Errorf("resources: emergency: For is %v, want 0 or more", cfg.For)
	case cfg.Timeout < 0:
		return nil, fmt.Errorf("resources: emergency: Timeout is %v, want 0 or more", cfg.Timeout)
	case len(cfg.Actions) == 0:
		return nil, errors.New("resources: emergency: there are no Actions")
	}
	names := map[string]bool{}
	cfg.Actions = append([]Action(nil), cfg.Actions...)
	for i := range cfg.Actions {
		a := &cfg.Actions[i]
		switch {
		case a.Name == "" || names[a.Name]:
			return nil, fmt.Errorf("resources: emergency: action %d: Name %q is empty or that of another one", i, a.Name)
		case a.Do == nil:
			return nil, fmt.Errorf("resources: emergency: action %q: Do is nil", a.Name)
		case a.Timeout < 0:
			return nil, fmt.Errorf("resources: emergency: action %q: Timeout is %v, want 0 or more", a.Name, a.Timeout)
		}
		names[a.Name] = true
		a.Timeout = orDefault(a.Timeout, defaultActionTime)
		a.CoolDown = orDefault(a.CoolDown, defaultCoolDown)
		a.Settle = orDefault(a.Settle, defaultSettle)
	}
	return &Emergency{cfg: cfg, actions: make([]actionState, len(cfg.Actions))}, nil
}

// Active reports whether there is an emergency: since a measurement of At or more, until one below Until.
func (e *Emergency) Active() bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.active
}

// Check measures and, in an emergency, takes one action after the other until the share in use has fallen below At.
// It passes over those that are cooling down or have not returned from an earlier time. The error matches
// [ErrUnrelieved] if no action is left; it says so if the measurement fails, upon which nothing more is done; and it
// is ctx's if that ends first. While another Check is under way it returns at once.
func (e *Emergency) Check(ctx context.Context) (EmergencyReport, error) {
	if e == nil || e.cfg.Measure == nil {
		return EmergencyReport{}, nil
	}
	if ctx.Err() != nil {
		return EmergencyReport{}, ended(ctx)
	}
	e.mu.Lock()
	if e.closed || e.busy {
		defer e.mu.Unlock()
		if e.closed {
			return EmergencyReport{}, ErrEmergencyClosed
		}
		return EmergencyReport{Busy: true, Active: e.active}, nil
	}
	e.busy = true
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.busy = false
		e.mu.Unlock()
	}()
	e.tell() // what ended late
	return e.check(ctx)
}

func (e *Emergency) check(ctx context.Context) (r EmergencyReport, err error) {
	if r.Before, err = e.measure(ctx); err != nil {
		r.Active = e.Active()
		return r, err
	}
	r.After = r.Before
	acute := e.observe(time.Now(), r.Before.V)
	for i := range e.cfg.Actions {
		if !acute {
			break
		}
		name := e.cfg.Actions[i].Name
		if ready, why := e.ready(i, time.Now()); !ready {
			r.Actions = append(r.Actions, ActionEvent{At: time.Now(), Resource: e.cfg.Name, Action: name, Kind: ActionSkipped, Before: r.After, Err: why})
			continue
		}
		var event ActionEvent
		event, err = e.take(ctx, i, r.After)
		r.Actions = append(r.Actions, event)
		if event.After.OK {
			r.After = event.After
			acute = e.observe(time.Now(), event.After.V)
		}
		if err != nil {
			break
		}
	}
	r.Active = e.Active()
	if err == nil && acute {
		err = fmt.Errorf("%w: %s %.1f%% used, %.1f%% before, emergency at %.1f%%", ErrUnrelieved, e.cfg.Name, 100*r.After.V, 100*r.Before.V, 100*e.cfg.At)
	}
	return r, err
}

// observe is the state machine: it reports whether something must be done about a share measured at now.
func (e *Emergency) observe(now time.Time, used float64) (acute bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if used < e.cfg.At {
		e.since = time.Time{}
		e.active = e.active && used >= e.cfg.Until
		return false
	}
	if e.since.IsZero() {
		e.since = now
	}
	e.active = e.active || now.Sub(e.since) >= e.cfg.For
	return e.active
}

// measure fails on an absent value and on NaN.
func (e *Emergency) measure(ctx context.Context) (Value[float64], error) {
	timed, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()
	var used Value[float64]
	err := contained("emergency: Measure", func() (err error) { used, err = e.cfg.Measure(timed); return err })
	switch {
	case ctx.Err() != nil:
		return Value[float64]{}, ended(ctx)
	case used.OK && used.V == used.V: // good for what it has, whatever went wrong beside it
		return used, nil
	case err == nil:
		err = errors.New("no value")
	}
	return Value[float64]{}, fmt.Errorf("resources: emergency: %s cannot be measured: %w", e.cfg.Name, err)
}

// Watch checks again and again, with a pause of every between the end of one check and the next, until ctx ends; then it
// returns. Errors go to the Logger.
func (e *Emergency) Watch(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		if _, err := e.Check(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, ErrEmergencyClosed) {
				return
			}
			e.log(slog.LevelError, "resources emergency: check failed", slog.String("resource", e.resource()), slog.Any("error", err))
		}
		pause(ctx, max(every, time.Millisecond))
	}
}

func (e *Emergency) resource() string {
	if e == nil {
		return ""
	}
	return e.cfg.Name
}

// Close ends checking and waits, until ctx is done, for actions left behind. Closing twice is fine.
func (e *Emergency) Close(ctx context.Context) error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	e.closed = true
	var under []chan struct{}
	for i := range e.actions {
		if done := e.actions[i].done; done != nil {
			under = append(under, done)
		}
	}
	e.mu.Unlock()
	for _, done := range under {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("resources: emergency: an action has not returned: %w", ended(ctx))
		}
	}
	e.tell()
	return nil
}

// pause waits, no longer than ctx.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
