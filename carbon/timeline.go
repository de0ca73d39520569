package carbon

import (
	"fmt"
	"math"
	"time"
)

// Timeline maps wall time to trace time, to replay a recorded trace or to run through a day in minutes. The zero value
// is real time: trace time is wall time.
type Timeline struct {
	Start  time.Time // the wall time at which the replay starts
	Origin time.Time // the trace time at Start
	Speed  float64   // trace seconds per wall second; 0 counts as 1
}

// Validate refuses a timeline with only one of Start and Origin, a Speed without them, and a Speed that is negative or
// not finite.
func (tl Timeline) Validate() error {
	if tl.Start.IsZero() != tl.Origin.IsZero() {
		return fmt.Errorf("carbon: timeline needs both Start and Origin, or neither: start %s, origin %s", stamp(tl.Start), stamp(tl.Origin))
	}
	if tl.Speed < 0 || math.IsNaN(tl.Speed) || math.IsInf(tl.Speed, 0) {
		return fmt.Errorf("carbon: timeline speed %v is not a finite positive number", tl.Speed)
	}
	if tl.Start.IsZero() && tl.speed() != 1 {
		return fmt.Errorf("carbon: timeline speed %v needs a Start and an Origin", tl.Speed)
	}
	return nil
}

// At returns the trace time at the given wall time. A time before Start lies before Origin.
func (tl Timeline) At(wall time.Time) time.Time {
	if tl.Start.IsZero() {
		return wall
	}
	return tl.Origin.Add(scale(wall.Sub(tl.Start), tl.speed()))
}

// Wall returns how much wall time a span of trace time takes, rounded up.
func (tl Timeline) Wall(d time.Duration) time.Duration { return scale(d, 1/tl.speed()) }

// trace returns how much trace time passes in a span of wall time.
func (tl Timeline) trace(d time.Duration) time.Duration { return scale(d, tl.speed()) }

func (tl Timeline) speed() float64 {
	if tl.Speed > 0 && !math.IsInf(tl.Speed, 0) {
		return tl.Speed
	}
	return 1
}

// scale multiplies without overflow and rounds up, so that a positive span never becomes zero.
func scale(d time.Duration, f float64) time.Duration {
	if f == 1 {
		return d
	}
	x := math.Ceil(float64(d) * f)
	switch {
	case x >= math.MaxInt64:
		return math.MaxInt64
	case x <= math.MinInt64:
		return math.MinInt64
	default:
		return time.Duration(x)
	}
}
