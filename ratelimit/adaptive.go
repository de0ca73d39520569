package ratelimit

import (
	"context"
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// AdaptiveConfig configures an [Adaptive]. Only PerSecond has no default.
type AdaptiveConfig struct {
	// PerSecond is the quota, in steps per second: the rate at first, and the highest there ever is.
	PerSecond float64
	// Burst is how many steps may begin at once after a quiet time. The default is 1.
	Burst int
	// Interval is the shortest time between two changes of the rate. The default is a minute.
	Interval time.Duration
	// MinSamples is the least number of outcomes that changes the rate; with fewer the interval goes on. The default is 10.
	MinSamples int
	// High is the part of the outcomes, from 0 to 1, above which failures slow the limiter down. The default is 0.1.
	High float64
	// Low is the part below which it speeds up again, at most High. The default is half of High.
	Low float64
	// Decrease multiplies the rate when it slows down. The default is 0.8.
	Decrease float64
	// Increase multiplies the rate when it speeds up. The default is 1.1.
	Increase float64
	// Floor is the least part of PerSecond. The default is 0.5.
	Floor float64
	// MaxPause is the longest pause for one failure, against a peer that asks for years. The default is an hour.
	MaxPause time.Duration
}

func (c AdaptiveConfig) withDefaults() AdaptiveConfig {
	setDefault(&c.Burst, 1)
	setDefault(&c.Interval, time.Minute)
	setDefault(&c.MinSamples, 10)
	setDefault(&c.High, .1)
	setDefault(&c.Low, c.High/2)
	setDefault(&c.Decrease, .8)
	setDefault(&c.Increase, 1.1)
	setDefault(&c.Floor, .5)
	setDefault(&c.MaxPause, time.Hour)
	return c
}

func setDefault[T int | float64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

func (c AdaptiveConfig) validate() error {
	var s settings
	s.want(c.PerSecond > 0 && !math.IsInf(c.PerSecond, 1), "PerSecond", c.PerSecond, "a positive number")
	s.want(c.Burst >= 1, "Burst", c.Burst, "1 or more")
	s.want(c.Interval > 0 && c.Interval <= longest, "Interval", c.Interval, "positive and at most 100 years")
	s.want(c.MinSamples >= 1, "MinSamples", c.MinSamples, "1 or more")
	s.want(c.High > 0 && c.High <= 1, "High", c.High, "between 0 and 1")
	s.want(c.Low > 0 && c.Low <= c.High, "Low", c.Low, fmt.Sprintf("between 0 and High, %v", c.High))
	s.want(c.Decrease > 0 && c.Decrease < 1, "Decrease", c.Decrease, "between 0 and 1")
	s.want(c.Increase > 1 && !math.IsInf(c.Increase, 1), "Increase", c.Increase, "above 1")
	s.want(c.Floor > 0 && c.Floor <= 1 && c.Floor*c.PerSecond > 0, "Floor", c.Floor, "between 0 and 1")
	s.want(c.MaxPause > 0 && c.MaxPause <= longest, "MaxPause", c.MaxPause, "positive and at most 100 years")
	return s.err
}

// Adaptive is a token bucket for a quota that the other side may cut without notice. It multiplies its rate by Decrease
// when too many steps fail and by Increase when few do, and never exceeds the quota. A failure that knows when to come
// back, by a method RetryAfter() time.Duration in its tree, as one made of an answer 429 should, pauses it until then.
//
// Outcomes are told to Done. A failure with Neutral() true, and a cancellation by the caller, is none: it neither counts
// nor pauses, so that the refusals of this and other policies do not slow it down. It is safe for concurrent use. A nil or
// zero Adaptive does not limit.
type Adaptive struct {
	limiter *Limiter
	meter   *aimd // the limiter's
}

// NewAdaptive returns an adaptive limiter, or an error that names the field of cfg that is out of its range.
func NewAdaptive(cfg AdaptiveConfig) (*Adaptive, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	m := newAIMD(cfg, time.Now())
	return &Adaptive{limiter: newLimiter(m), meter: m}, nil
}

func (a *Adaptive) inner() *Limiter {
	if a == nil {
		return nil
	}
	return a.limiter
}

// Allow is [Limiter.Allow].
func (a *Adaptive) Allow() bool { return a.inner().Allow() }

// AllowN is [Limiter.AllowN].
func (a *Adaptive) AllowN(n int) bool { return a.inner().AllowN(n) }

// Wait is [Limiter.Wait].
func (a *Adaptive) Wait(ctx context.Context) error { return a.inner().Wait(ctx) }

// WaitN is [Limiter.WaitN]. One that waits longer than it thought, because of a pause, fails as soon as that is known.
func (a *Adaptive) WaitN(ctx context.Context, n int) error { return a.inner().WaitN(ctx, n) }

// Admit waits like Wait. The token means nothing.
func (a *Adaptive) Admit(ctx context.Context) (token uint64, err error) { return 0, a.Wait(ctx) }

// Done learns from the outcome of a step. A step that was admitted by Wait or Allow may be told with any token.
func (a *Adaptive) Done(_ uint64, err error) {
	if a.inner() == nil || err != nil && neutral(err) {
		return
	}
	var pause time.Duration
	if err != nil {
		pause = retryAfter(err)
	}
	now := time.Now()
	a.limiter.mu.Lock()
	a.meter.outcome(now, err != nil, pause)
	a.limiter.mu.Unlock()
}

// Do waits, runs fn, and learns from its outcome. A panic is a failure.
func (a *Adaptive) Do(ctx context.Context, fn func(context.Context) error) error {
	return do(ctx, a, fn)
}

// Rate is how many steps per second there are now, pauses apart; 0 if a does not limit.
func (a *Adaptive) Rate() float64 {
	if a.inner() == nil {
		return 0
	}
	a.limiter.mu.Lock()
	defer a.limiter.mu.Unlock()
	return float64(a.meter.tokens.Limit())
}

func (a *Adaptive) fresh(now time.Time) bool { return a.inner().fresh(now) }

// aimd is a bucket whose rate follows the outcomes.
type aimd struct {
	bucket
	cfg   AdaptiveConfig
	start time.Time // of the interval
	good  int       // in the interval
	bad   int
	until time.Time // end of the pause
}

func newAIMD(cfg AdaptiveConfig, now time.Time) *aimd {
	return &aimd{bucket: bucket{tokens: rate.NewLimiter(rate.Limit(cfg.PerSecond), cfg.Burst)}, cfg: cfg, start: now}
}

// outcome counts one, and changes the rate if that ends an interval.
func (a *aimd) outcome(now time.Time, failed bool, pause time.Duration) {
	if failed {
		a.bad++
	} else {
		a.good++
	}
	if until := now.Add(min(pause, a.cfg.MaxPause)); pause > 0 && until.After(a.until) {
		a.until = until
	}
	if now.Sub(a.start) < a.cfg.Interval || a.good+a.bad < a.cfg.MinSamples {
		return
	}
	rated := float64(a.tokens.Limit())
	switch part := float64(a.bad) / float64(a.good+a.bad); {
	case part > a.cfg.High:
		rated = max(rated*a.cfg.Decrease, a.cfg.PerSecond*a.cfg.Floor)
	case part < a.cfg.Low:
		rated = min(rated*a.cfg.Increase, a.cfg.PerSecond)
	}
	a.last = a.at(now)
	a.tokens.SetLimitAt(a.last, rate.Limit(rated))
	a.start, a.good, a.bad = now, 0, 0
}

func (a *aimd) take(_, now time.Time, n int) bool {
	if now.Before(a.until) {
		return false
	}
	return a.bucket.take(now, now, n) // not since: a late timer must not put one more into a minute
}

// due counts what the bucket gains during a pause, but nobody begins before its end.
func (a *aimd) due(now time.Time, ahead, n int) time.Duration {
	return max(a.bucket.due(now, ahead, n), a.until.Sub(now))
}

// fresh is when nothing has been learned, or what was is an interval old, though the rate may be low: another one begins
// with the quota, which is no more than it may be.
func (a *aimd) fresh(now time.Time) bool {
	learned := a.good+a.bad > 0 || float64(a.tokens.Limit()) < a.cfg.PerSecond
	return a.bucket.fresh(now) && !now.Before(a.until) && (!learned || now.Sub(a.start) >= a.cfg.Interval)
}
