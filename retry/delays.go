package retry

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Delays computes the delay after a failed attempt, counted from 1, given the delay before that attempt. It is safe for
// concurrent use.
type Delays interface {
	Delay(attempt int, prev time.Duration) time.Duration
}

// Values of the Jitter of [Exponential], [Linear], [Fibonacci] and [Adaptive], as defined in Marc Brooker, "Exponential
// Backoff And Jitter", AWS Architecture Blog, 2015. There a delay is drawn below a ceiling, here around a middle.
const (
	// FullJitter draws evenly from nothing to twice the middle, the ceiling: random(0, ceiling).
	FullJitter = 1.0
	// EqualJitter draws evenly from 2/3 to 4/3 of the middle: ceiling/2 + random(0, ceiling/2).
	EqualJitter = 1.0 / 3
)

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
	factor := e.Factor
	if !(factor >= 1) {
		factor = 2
	}
	return spread(orElse(e.Base, time.Second)*math.Pow(factor, float64(max(1, attempt)-1)), e.Max, e.Jitter)
}

// Linear delays grow by the same amount with each attempt. The zero value spreads around 1, 2, 3, ... seconds, up to a
// minute.
type Linear struct {
	// Base is the middle of the first delay, and the growth. Default 1 s.
	Base time.Duration
	// Max is the longest delay, jitter included. Default 60 s.
	Max time.Duration
	// Jitter is that of [Exponential].
	Jitter float64
}

// Delay returns the delay after the given attempt.
func (l Linear) Delay(attempt int, _ time.Duration) time.Duration {
	return spread(orElse(l.Base, time.Second)*float64(max(1, attempt)), l.Max, l.Jitter)
}

// Fibonacci delays grow like the Fibonacci numbers: slower than doubling, by 1.6 in the long run. The zero value spreads
// around 1, 1, 2, 3, 5, ... seconds, up to a minute.
type Fibonacci struct {
	// Base is the middle of the first delay. Default 1 s.
	Base time.Duration
	// Max is the longest delay, jitter included. Default 60 s.
	Max time.Duration
	// Jitter is that of [Exponential].
	Jitter float64
}

// Delay returns the delay after the given attempt.
func (f Fibonacci) Delay(attempt int, _ time.Duration) time.Duration {
	before, middle := 0.0, orElse(f.Base, time.Second)
	for n := 1; n < attempt && middle <= math.MaxInt64; n++ { // beyond, every number is over the cap
		before, middle = middle, before+middle
	}
	return spread(middle, f.Max, f.Jitter)
}

// Decorrelated delays are drawn evenly between Base and three times the delay before ("decorrelated jitter" in the article
// named at [FullJitter]), so that they depend on chance more than on the number of attempts. The bound of the draw is
// capped, and not what was drawn: that way two of three late delays would be the cap itself, the same for all jobs.
type Decorrelated struct {
	// Base is the shortest delay. Default 1 s.
	Base time.Duration
	// Max is the longest delay. Default 60 s.
	Max time.Duration
}

// Delay returns the delay that follows prev.
func (d Decorrelated) Delay(_ int, prev time.Duration) time.Duration {
	shortest, longest := d.Base, d.Max
	if shortest <= 0 {
		shortest = time.Second
	}
	if longest <= 0 {
		longest = time.Minute
	}
	shortest = min(shortest, longest)
	if prev = max(prev, shortest); prev < longest/3 {
		longest = 3 * prev
	}
	return shortest + rand.N(longest-shortest+1)
}

// orElse returns d as a float64, which does not overflow, or a default.
func orElse(d, otherwise time.Duration) float64 {
	if d <= 0 {
		d = otherwise
	}
	return float64(d)
}

// spread draws a delay around middle, evenly over ± jitter of it and no longer than longest. It knows the defaults.
func spread(middle float64, longest time.Duration, jitter float64) time.Duration {
	if longest <= 0 {
		longest = time.Minute
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
	// delays would be equal.
	longest = min(longest, math.MaxInt64/2) // the sums of backoff do not overflow
	middle = min(middle, float64(longest)/(1+jitter))
	b := backoff.ExponentialBackOff{
		InitialInterval: time.Duration(middle), MaxInterval: longest, Multiplier: 1, RandomizationFactor: jitter,
		Stop: backoff.Stop, Clock: stopped{},
	}
	b.Reset()
	return min(b.NextBackOff(), longest)
}

// stopped is the clock of a calculator that is asked once and has no limit on the total time.
type stopped struct{}

func (stopped) Now() time.Time { return time.Time{} }
