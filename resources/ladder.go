package resources

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

// LadderConfig configures a [Ladder].
type LadderConfig struct {
	// Name is that of the resource.
	Name string
	// Limits are its thresholds; the zero value has the defaults.
	Limits Thresholds
	// For is how long all shares must have reached a level before it counts, so that a burst is no alarm. Default 0: one
	// suffices. Levels are left without delay.
	For time.Duration
	// OnLevel, if set, is called at every change of level: in order, one at a time, outside any lock, by a goroutine
	// that is in Update.
	OnLevel func(Change)
}

// Ladder follows the share in use of one resource, any that can be measured, up and down through its levels, with
// hysteresis: critical ends below Thresholds.Resume and a warning below Thresholds.Clear. It is what a [Gate] does
// without the gate.
//
// nil and the zero Ladder stay at Unknown. Safe for concurrent use. Create one with [NewLadder].
type Ladder struct {
	cfg LadderConfig

	mu      sync.Mutex
	level   Level
	since   [Critical + 1]time.Time // by level: since when all shares have reached it; zero if the last did not
	changes deliver.Queue[Change]
}

// NewLadder checks the configuration.
func NewLadder(cfg LadderConfig) (*Ladder, error) {
	if err := cfg.Limits.Validate(); err != nil {
		return nil, fmt.Errorf("%w (of %s)", err, cfg.Name)
	}
	if cfg.For < 0 {
		return nil, fmt.Errorf("resources: ladder: For is %v, want 0 or more", cfg.For)
	}
	if cfg.Name == "" {
		return nil, errors.New("resources: ladder: Name is missing")
	}
	cfg.Limits = cfg.Limits.withDefaults()
	return &Ladder{cfg: cfg}, nil
}

// Update takes in the share in use at a time and returns the level. An absent share makes it Unknown, from where it
// begins anew.
func (l *Ladder) Update(at time.Time, used Value[float64]) Level {
	if l == nil || l.cfg.Name == "" {
		return Unknown
	}
	l.mu.Lock()
	was := l.level
	now := l.next(at, used)
	if now != was && l.cfg.OnLevel != nil {
		l.changes.Add(Change{At: at, Was: was, Now: now, Resource: l.cfg.Name, Used: used})
	}
	l.level = now
	l.mu.Unlock()
	l.changes.Deliver(l.tell)
	return now
}

func (l *Ladder) tell(c Change) { l.cfg.OnLevel(c) }

// Level is the level at the last Update.
func (l *Ladder) Level() Level {
	if l == nil {
		return Unknown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level
}

// next is the state machine.
func (l *Ladder) next(at time.Time, used Value[float64]) Level {
	reached := l.cfg.Limits.Level(used)
	held := Normal
	switch {
	case reached == Unknown:
		held = Unknown
	case l.level == Critical && used.V >= l.cfg.Limits.Resume:
		held = Critical
	case l.level >= Warn && used.V >= l.cfg.Limits.Clear:
		held = Warn
	}
	for level := Warn; level <= Critical; level++ {
		switch {
		case reached < level:
			l.since[level] = time.Time{}
			continue
		case l.since[level].IsZero():
			l.since[level] = at
		}
		if at.Sub(l.since[level]) >= l.cfg.For {
			held = max(held, level)
		}
	}
	return held
}
