package resources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

var (
	// ErrActionOverran is found in the error of an [ActionEvent] whose action did not end within its Timeout.
	ErrActionOverran = errors.New("resources: action overran its time")
	// ErrCoolingDown is the error of an [ActionEvent] that was skipped so soon after the last time.
	ErrCoolingDown = errors.New("resources: action is cooling down")
	// ErrStillRunning is the error of an [ActionEvent] that was skipped because it has not returned from the last time.
	ErrStillRunning = errors.New("resources: action has not returned from the last time")
)

// ActionEventKind is what happened to an action.
type ActionEventKind uint8

const (
	ActionStarted   ActionEventKind = iota + 1
	ActionEnded                     // with Err, or without
	ActionOverran                   // it has not returned, and is left behind
	ActionEndedLate                 // one that was left behind
	ActionSkipped                   // only in a report: Err says why
)

var actionEvents = [...]string{"none", "started", "ended", "overran", "ended late", "skipped"}

// String names what happened.
func (k ActionEventKind) String() string {
	if int(k) < len(actionEvents) {
		return actionEvents[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// MarshalText is String.
func (k ActionEventKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// ActionEvent is one thing that happened to an action.
type ActionEvent struct {
	At       time.Time       `json:"at"`       // when it is told
	Resource string          `json:"resource"` // EmergencyConfig.Name
	Action   string          `json:"action"`
	Kind     ActionEventKind `json:"kind"`
	// Before and After are shares in use; After is absent until the effect was measured.
	Before    Value[float64] `json:"before"`
	After     Value[float64] `json:"after"`
	Effective bool           `json:"effective"` // the share has fallen by EmergencyConfig.Effect or more
	Took      time.Duration  `json:"took_ns"`
	Err       error          `json:"-"` // a *PanicError if it panicked; its text in JSON
}

// MarshalJSON adds the text of Err as "error".
func (e ActionEvent) MarshalJSON() ([]byte, error) {
	type plain ActionEvent
	return json.Marshal(struct {
		plain
		Error string `json:"error,omitempty"`
	}{plain(e), errorText(e.Err)})
}

// EmergencyReport is what a check has done.
type EmergencyReport struct {
	Busy          bool           // another check is under way; this one did nothing
	Active        bool           // there is an emergency still
	Before, After Value[float64] // shares in use
	Actions       []ActionEvent  // taken (ended or overran) or skipped, in order
}

// ready reports whether an action can be taken now, or why not.
func (e *Emergency) ready(i int, now time.Time) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch a := &e.actions[i]; {
	case a.done != nil:
		return false, ErrStillRunning
	case now.Before(a.ready):
		return false, ErrCoolingDown
	}
	return true, nil
}

// take takes an action and measures its effect. The error ends the check; that of the action is in the event.
func (e *Emergency) take(ctx context.Context, i int, before Value[float64]) (ActionEvent, error) {
	event := ActionEvent{At: time.Now(), Resource: e.cfg.Name, Action: e.cfg.Actions[i].Name, Kind: ActionStarted, Before: before}
	e.events.Add(event)
	e.tell()
	start := time.Now()
	event.Kind, event.Err = e.run(ctx, i, event)
	event.Took = time.Since(start)
	pause(ctx, e.cfg.Actions[i].Settle)
	var err error
	if event.After, err = e.measure(ctx); err == nil {
		event.Effective = before.V-event.After.V >= e.cfg.Effect
	}
	event.At = time.Now()
	e.finish(i, event)
	e.tell()
	return event, err
}

// finish queues the end of an action, and that of one that was left behind and has returned since.
func (e *Emergency) finish(i int, event ActionEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events.Add(event)
	if event.Kind != ActionOverran {
		return
	}
	a := &e.actions[i]
	if a.late != nil {
		a.late.At = event.At
		e.events.Add(*a.late)
		a.late = nil
	} else {
		a.told = true
	}
}

// run runs an action in a goroutine that Close waits for.
func (e *Emergency) run(parent context.Context, i int, event ActionEvent) (ActionEventKind, error) {
	a := &e.cfg.Actions[i]
	ctx, cancel := context.WithTimeout(parent, a.Timeout)
	defer cancel()
	done := make(chan struct{})
	e.mu.Lock()
	e.actions[i].done = done
	e.mu.Unlock()
	var result error
	left := false // guarded by mu: nobody waits for the result any more
	start := time.Now()
	go func() {
		where := fmt.Sprintf("emergency: action %q", a.Name)
		err := error(&PanicError{Where: where}) // if it ends its goroutine
		defer func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			result = err
			e.actions[i].done, e.actions[i].ready = nil, time.Now().Add(a.CoolDown)
			if left {
				event.At, event.Kind, event.Took, event.Err = time.Now(), ActionEndedLate, time.Since(start), err
				if state := &e.actions[i]; state.told {
					e.events.Add(event)
					state.told = false
				} else {
					state.late = &event
				}
			}
			close(done)
		}()
		err = contained(where, func() error { return a.Do(ctx) })
	}()
	select {
	case <-done:
	case <-ctx.Done():
		timer := time.NewTimer(lastWord)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	left = e.actions[i].done == done
	switch {
	case left && parent.Err() != nil:
		return ActionOverran, ended(parent)
	case left:
		return ActionOverran, fmt.Errorf("%w: %v", ErrActionOverran, a.Timeout)
	case result != nil && parent.Err() == nil && ctx.Err() != nil:
		return ActionEnded, fmt.Errorf("%w: %v: %w", ErrActionOverran, a.Timeout, result)
	}
	return ActionEnded, result
}

// tell hands out the events. The caller does not hold mu, so a callback may use the emergency.
func (e *Emergency) tell() {
	e.events.Deliver(func(event ActionEvent) {
		level := slog.LevelWarn
		if event.Err != nil || event.Kind == ActionEnded && !event.Effective {
			level = slog.LevelError
		}
		attrs := []slog.Attr{slog.String("resource", event.Resource), slog.String("action", event.Action), slog.Float64("before", event.Before.V)}
		if event.After.OK {
			attrs = append(attrs, slog.Float64("after", event.After.V), slog.Bool("effective", event.Effective))
		}
		if event.Err != nil {
			attrs = append(attrs, slog.Any("error", event.Err))
		}
		e.log(level, "resources emergency: action "+event.Kind.String(), attrs...)
		if e.cfg.OnAction == nil {
			return
		}
		if err := contained("emergency: OnAction", func() error { e.cfg.OnAction(event); return nil }); err != nil {
			e.log(slog.LevelError, "resources emergency: OnAction failed", slog.Any("error", err))
		}
	})
}

func (e *Emergency) log(level slog.Level, message string, attrs ...slog.Attr) {
	if e != nil && e.cfg.Logger != nil {
		e.cfg.Logger.LogAttrs(context.Background(), level, message, attrs...)
	}
}
