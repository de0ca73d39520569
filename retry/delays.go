package retry

import (
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Delays computes the delay after a failed attempt, counted from 1, given the delay before that attempt. It is safe for
// concurrent use.
type Delays interface {
	Delay(attempt int, prev time.Duration) time.Duration
}

// Constant is the same delay every time.
type Constant time.Duration

// Delay returns c.
func (c Constant) Delay(int, time.Duration) time.Duration { return time.Duration(c) }

// Exponential delays grow by a factor with each attempt and are spread at random, so that many jobs that failed together
// do not come back together. The zero value spreads around 1, 2, 4, ... seconds, up to a minute.
type Exponential struct {
	// Base is the middle of the first delay. Default 1 s.
	Base time.Duration
	// Max is the longest delay, jitter included. Default 60 s.
	Max time.Duration
	// Factor is the growth per attempt, at least 1. Default 2.
	Factor float64
	// Jitter spreads each delay evenly over ± this part of it, 0 to 1. Default 0.5; negative means none.
	Jitter float64
}

// Delay returns the delay after the given attempt.
func (e Exponential) Delay(attempt int, _ time.Duration) time.Duration {
	base, longest, factor, jitter := e.Base, e.Max, e.Factor, e.Jitter
	if base <= 0 {
		base = time.Second
	}
	if longest <= 0 {
		longest = time.Minute
	}
	if !(factor >= 1) {
		factor = 2
	}
	switch {
	case jitter == 0:
		jitter = 0.5
	case !(jitter > 0):
		jitter = 0
	case jitter > 1:
		jitter = 1
	}
	// The middle stays far enough below the cap for the whole spread to fit under it: cut at the cap, half of all late
	// delays would be equal. It is compared as a float64, which does not overflow.
	longest = min(longest, math.MaxInt64/2) // nor do the sums below
	middle := float64(base) * math.Pow(factor, float64(max(0, attempt-1)))
	middle = min(middle, float64(longest)/(1+jitter))
	b := backoff.ExponentialBackOff{
		InitialInterval: time.Duration(middle), MaxInterval: longest, Multiplier: 1, RandomizationFactor: jitter,
		Stop: backoff.Stop, Clock: backoff.SystemClock,
	}
	b.Reset()
	return min(b.NextBackOff(), longest)
}
