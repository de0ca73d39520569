package resources

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

// AlarmConfig configures an [Alarm]. Horizon is required.
type AlarmConfig struct {
	// Horizon is how long before the limit is reached the alarm is wanted.
	Horizon time.Duration
	// Clear is the time left beyond which a standing alarm ends. Default one and a half times Horizon.
	Clear time.Duration
	// After is the number of observations in a row that raise the alarm, and that end it. Default 3. A limit that is
	// reached raises it at once.
	After int
	// Predictor foresees; the alarm has it for itself. Default a [Foresight].
	Predictor Predictor
	// OnEvent, if set, is called when the alarm is raised and when it ends, in order and outside any lock, by a goroutine
	// that is in Observe.
	OnEvent func(AlarmEvent)
}

// AlarmEvent is the beginning or the end of an alarm.
type AlarmEvent struct {
	At           time.Time // of the observation
	Raised       bool      // false at the end
	Value, Limit float64
	Forecast     Forecast
}

// Alarm warns before a series reaches its limit. Safe for concurrent use. Create one with [NewAlarm]; nil and the zero
// Alarm never warn.
type Alarm struct {
	cfg AlarmConfig

	mu       sync.Mutex // guards all below and the predictor
	standing bool
	run      int // observations in a row that speak for a change
	events   deliver.Queue[AlarmEvent]
}

// NewAlarm checks the configuration and returns an alarm.
func NewAlarm(cfg AlarmConfig) (*Alarm, error) {
	if cfg.Horizon <= 0 {
		return nil, fmt.Errorf("resources: alarm: Horizon %v is not positive", cfg.Horizon)
	}
	if cfg.Clear == 0 {
		cfg.Clear = cfg.Horizon + cfg.Horizon/2
	}
	if cfg.Clear < cfg.Horizon {
		return nil, fmt.Errorf("resources: alarm: Clear %v is below Horizon %v", cfg.Clear, cfg.Horizon)
	}
	if cfg.After < 0 {
		return nil, errors.New("resources: alarm: After is negative")
	}
	if cfg.After == 0 {
		cfg.After = 3
	}
	if cfg.Predictor == nil {
		cfg.Predictor = new(Foresight)
	}
	return &Alarm{cfg: cfg}, nil
}

// Observe takes the next value with the limit in force and returns the forecast, and whether the alarm stands.
func (a *Alarm) Observe(at time.Time, value, limit float64) (f Forecast, standing bool) {
	if a == nil || a.cfg.Predictor == nil {
		return never(), false
	}
	f, standing = a.observe(at, value, limit)
	if a.cfg.OnEvent != nil {
		a.events.Deliver(a.cfg.OnEvent)
	}
	return f, standing
}

func (a *Alarm) observe(at time.Time, value, limit float64) (Forecast, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cfg.Predictor.Observe(at, value)
	f := a.cfg.Predictor.Forecast(limit)
	change := f.Left <= a.cfg.Horizon
	if a.standing {
		change = f.Left > a.cfg.Clear
	}
	if !change {
		a.run = 0
		return f, a.standing
	}
	if a.run++; a.run < a.cfg.After && (a.standing || f.Left > 0) {
		return f, a.standing
	}
	a.standing, a.run = !a.standing, 0
	if a.cfg.OnEvent != nil {
		a.events.Add(AlarmEvent{At: at, Raised: a.standing, Value: value, Limit: limit, Forecast: f})
	}
	return f, a.standing
}
