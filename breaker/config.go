package breaker

import (
	"fmt"
	"time"
)

// Config configures a [Breaker]. Every field has a default, so the zero Config is complete.
type Config struct {
	// Name appears in errors and changes.
	Name string
	// Failures is how many consecutive failures open the breaker. The default is 5, or no such limit if FailureRate is
	// set: set both to have both. Time plays no part, so that steps of an hour count like steps of a millisecond.
	Failures uint32
	// FailureRate, from 0 to 1, opens the breaker when at least this part of the steps that ended in the last Window
	// failed, if there were at least MinSteps of them. Neutral results are not in it. The default, 0, is no such limit.
	FailureRate float64
	// MinSteps is the least number of results that make a rate. The default is 10.
	MinSteps uint32
	// Window is the time over which FailureRate and Counts are taken, in ten parts of which the oldest is forgotten at
	// once. A result belongs to the time when it came. Choose a window that holds a multiple of MinSteps steps. The
	// default is 10 minutes if FailureRate is set, and no window otherwise.
	Window time.Duration
	// Open is how long the breaker stays open before a probe is let through. The default is a minute.
	Open time.Duration
	// Probes is how many steps a half-open breaker lets through, and how many of them must succeed to close it. One
	// failure opens it again. The default is 1.
	Probes uint32
	// ProbeLimit is how long a probe may take. One that has not ended by then counts as a failure when the next step asks
	// to be admitted, so that a probe that never ends, or whose end is never told, does not hold the breaker for ever.
	// Set it well above the longest step: a breaker whose probes all take longer does not close. The default is an hour.
	ProbeLimit time.Duration
	// Classify says what an error that is not nil means. The default is [Classify]. It is called outside any lock.
	Classify func(err error) Outcome
	// OnChange is told of every change of state: in order, one at a time, outside any lock, by one of the goroutines that
	// use the breaker. It may call every method of the breaker. A panic in it is discarded, because it must not become
	// the outcome of a step. While it runs, further changes wait for it; steps do not.
	OnChange func(Change)
}

// longest is beyond any sensible setting and far from where sums of durations overflow.
const longest = 100 * 365 * 24 * time.Hour

func (c Config) validate() error {
	if !(c.FailureRate >= 0 && c.FailureRate <= 1) { // NaN is neither
		return fmt.Errorf("breaker: FailureRate %v is not between 0 and 1", c.FailureRate)
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"Window", c.Window}, {"Open", c.Open}, {"ProbeLimit", c.ProbeLimit}} {
		if d.value < 0 || d.value > longest {
			return fmt.Errorf("breaker: %s %v is not between 0 and %v", d.field, d.value, longest)
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.FailureRate > 0 {
		c.MinSteps = or(c.MinSteps, 10)
		c.Window = or(c.Window, 10*time.Minute)
	} else {
		c.Failures = or(c.Failures, 5)
	}
	c.Open = or(c.Open, time.Minute)
	c.Probes = or(c.Probes, 1)
	c.ProbeLimit = or(c.ProbeLimit, time.Hour)
	if c.Classify == nil {
		c.Classify = Classify
	}
	return c
}

// or returns v, or the default if v is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
