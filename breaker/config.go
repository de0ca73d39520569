package breaker

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Config configures a [Breaker]. Every field has a default, so the zero Config is complete. [ForStep], [ForLoading],
// [ForCheckpoint] and [ForProvider] return complete ones to begin with.
type Config struct {
	// Name appears in errors, changes and snapshots.
	Name string
	// Failures is how many consecutive failures open the breaker. The default is 5, or no such limit if FailureRate is
	// set: set both to have both. Time plays no part, so that steps of an hour count like steps of a millisecond.
	Failures uint32
	// FailureRate, from 0 to 1, opens the breaker at a failure, when at least this part of the results in the window are
	// failures. Neutral results are not among them. The default, 0, is no such limit.
	FailureRate float64
	// SlowAfter is the time from admission to result beyond which a step is slow, whether it succeeds or fails. The
	// default, 0, is none, and then no time is taken.
	SlowAfter time.Duration
	// SlowRate, from 0 to 1, opens the breaker at a slow result, when at least this part of the results in the window
	// are slow. The caller of a slow step sees it succeed all the same. It needs SlowAfter. The default, 0, is no such
	// limit: slow steps are only counted.
	SlowRate float64
	// MinSteps is the least number of results that make a rate, at most WindowSteps. The default is 10, or WindowSteps
	// if that is less.
	MinSteps uint32
	// Window is the time over which the rates and Counts are taken, in ten parts of which the oldest is forgotten at
	// once. A result belongs to the time when it came. Choose a window that holds a multiple of MinSteps steps. The
	// default is 10 minutes if there is a rate and no WindowSteps, and no window otherwise.
	Window time.Duration
	// WindowSteps, in place of Window, takes the rates and Counts over exactly this many of the last results, whenever
	// they came: the window for long steps, of which a time holds few or none. At most 1<<20, two bytes each.
	WindowSteps uint32
	// Open is how long the breaker stays open before a probe is let through. The default is a minute.
	Open time.Duration
	// OpenFactor makes each open period that follows failed probes this many times longer than the one before, up to
	// MaxOpen. Closing begins anew at Open. The default is 1.
	OpenFactor float64
	// MaxOpen is the longest open period, also of a state that is restored. The default is an hour, or Open if that is
	// longer or OpenFactor is 1.
	MaxOpen time.Duration
	// Jitter, from 0 to 1, shortens each open period at random by up to this part of it, so that many processes do not
	// probe at once. The default is 0.
	Jitter float64
	// Probes is how many steps a half-open breaker lets run at once. The default is 1.
	Probes uint32
	// ProbeSuccesses is how many probes must succeed to close the breaker. The default is Probes.
	ProbeSuccesses uint32
	// ProbeFailures is how many probes may fail before one more opens the breaker again. The default is 0. To close at a
	// failure rate of at most x over k probes, set ProbeFailures to x·k, rounded down, and ProbeSuccesses to the rest of
	// k. With a SlowRate, a slow probe counts as a failed one here.
	ProbeFailures uint32
	// ProbeLimit is how long a probe may take. One that has not ended by then counts as a failure when the next step asks
	// to be admitted, so that a probe that never ends, or whose end is never told, does not hold the breaker for ever.
	// Set it well above the longest step: a breaker whose probes all take longer does not close. The default is an hour.
	ProbeLimit time.Duration
	// MaxHalfOpen is how long the breaker is half-open at most. If the probes have not decided by then, it opens again when
	// the next step asks to be admitted, and their results are dropped: so steps that come too seldom do not add up old
	// results. Set it well above what ProbeSuccesses steps take to come and to end. The default, 0, is no such limit.
	MaxHalfOpen time.Duration
	// Classify says what an error that is not nil means. The default is [Classify]. It is called outside any lock.
	Classify func(err error) Outcome
	// OnChange is told of every change of state: in order, one at a time, outside any lock, by one of the goroutines that
	// use the breaker. It may call every method of the breaker. A panic in it is discarded, because it must not become
	// the outcome of a step. While it runs, further changes wait for it; steps do not.
	OnChange func(Change)
}

const (
	// longest is beyond any sensible setting and far from where sums of durations overflow.
	longest = 100 * 365 * 24 * time.Hour
	// maxWindowSteps bounds what a window in steps costs.
	maxWindowSteps = 1 << 20
)

func (c Config) validate() error {
	for _, part := range []struct {
		field string
		value float64
	}{{"FailureRate", c.FailureRate}, {"SlowRate", c.SlowRate}, {"Jitter", c.Jitter}} {
		if !(part.value >= 0 && part.value <= 1) { // NaN is neither
			return fmt.Errorf("breaker: %s %v is not between 0 and 1", part.field, part.value)
		}
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"SlowAfter", c.SlowAfter}, {"Window", c.Window}, {"Open", c.Open}, {"MaxOpen", c.MaxOpen},
		{"ProbeLimit", c.ProbeLimit}, {"MaxHalfOpen", c.MaxHalfOpen},
	} {
		if d.value < 0 || d.value > longest {
			return fmt.Errorf("breaker: %s %v is not between 0 and %v", d.field, d.value, longest)
		}
	}
	switch {
	case !utf8.ValidString(c.Name): // a Snapshot could not carry it
		return fmt.Errorf("breaker: Name %q is not UTF-8", c.Name)
	case c.SlowRate > 0 && c.SlowAfter == 0:
		return fmt.Errorf("breaker: SlowRate %v needs SlowAfter", c.SlowRate)
	case c.Window > 0 && c.WindowSteps > 0:
		return fmt.Errorf("breaker: Window %v and WindowSteps %d are both set", c.Window, c.WindowSteps)
	case c.WindowSteps > maxWindowSteps:
		return fmt.Errorf("breaker: WindowSteps %d is above %d", c.WindowSteps, maxWindowSteps)
	case c.WindowSteps > 0 && c.MinSteps > c.WindowSteps:
		return fmt.Errorf("breaker: MinSteps %d is above WindowSteps %d", c.MinSteps, c.WindowSteps)
	case c.OpenFactor != 0 && !(c.OpenFactor >= 1 && c.OpenFactor <= 1e6):
		return fmt.Errorf("breaker: OpenFactor %v is not between 1 and 1e6", c.OpenFactor)
	case c.MaxOpen > 0 && c.MaxOpen < or(c.Open, time.Minute):
		return fmt.Errorf("breaker: MaxOpen %v is below Open %v", c.MaxOpen, or(c.Open, time.Minute))
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.FailureRate == 0 {
		c.Failures = or(c.Failures, 5)
	}
	if c.FailureRate > 0 || c.SlowRate > 0 {
		if c.WindowSteps == 0 {
			c.Window = or(c.Window, 10*time.Minute)
			c.MinSteps = or(c.MinSteps, 10)
		}
		c.MinSteps = or(c.MinSteps, min(10, c.WindowSteps))
	}
	c.Open = or(c.Open, time.Minute)
	c.OpenFactor = or(c.OpenFactor, 1)
	if c.MaxOpen == 0 {
		c.MaxOpen = c.Open
		if c.OpenFactor > 1 {
			c.MaxOpen = max(c.Open, time.Hour)
		}
	}
	c.Probes = or(c.Probes, 1)
	c.ProbeSuccesses = or(c.ProbeSuccesses, c.Probes)
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
