package resources

import (
	"math"
	"time"
)

// Never is the time left where no exhaustion is in sight.
const Never time.Duration = math.MaxInt64

// Predictor foresees when a series reaches a limit. Implementations need not be safe for concurrent use.
type Predictor interface {
	// Observe takes the next value, in any unit; the limit is in the same one.
	Observe(at time.Time, value float64)
	// Forecast is about the time after the last observation. It is called with the limit in force, which may change.
	Forecast(limit float64) Forecast
}

// Forecast is when a limit will be reached.
type Forecast struct {
	// Left is the time until the limit is first reached: 0 where it is already, [Never] where that is not to be expected
	// on what has been seen.
	Left time.Duration
	// Earliest and Latest bound it about four times out of five where a limit is reached at all, as measured on generated
	// series of many kinds. A jump that nothing announced is not in them.
	Earliest, Latest time.Duration
	// Confidence is the probability, 0 to 1, that growth goes on until the limit is reached, by a rule of thumb: growth
	// that has lasted for a time n goes on for another h with probability n/(n+h). 0 where Left is Never.
	Confidence float64
	// Growth tells what the forecast rests on.
	Growth Growth
}

// Growth is a kind of growth.
type Growth uint8

const (
	// NoGrowth is no growth, or too short a history to tell.
	NoGrowth Growth = iota
	// TrendGrowth is steady growth.
	TrendGrowth
	// RhythmGrowth is growth from one peak to the next: rises and falls, or ramps that are freed.
	RhythmGrowth
	// StepGrowth is growth by jumps that follow one another.
	StepGrowth
)

// String returns "none", "trend", "rhythm" or "steps".
func (g Growth) String() string {
	switch g {
	case TrendGrowth:
		return "trend"
	case RhythmGrowth:
		return "rhythm"
	case StepGrowth:
		return "steps"
	default:
		return "none"
	}
}

func never() Forecast { return Forecast{Left: Never, Earliest: Never, Latest: Never} }
