package ratelimit

import (
	"context"
	"fmt"
	"math"
	"time"
)

// GradientConfig configures a [Gradient]. Every field has a default, so the zero GradientConfig is complete.
type GradientConfig struct {
	// Min is the least number of steps at once. The default is 1.
	Min int
	// Max is the greatest, up to 1048576. The default is 200.
	Max int
	// Initial is the number at first. The default is Min: the latency without a queue can only be seen without one, and
	// what is seen first is believed.
	Initial int
	// MaxWait and Queue are those of [BulkheadConfig].
	MaxWait time.Duration
	Queue   int
	// Window and MinSamples are the least time, and the least number of successes, between two changes of the number. The
	// defaults are a second and 10.
	Window     time.Duration
	MinSamples int
	// Tolerance is the multiple of the baseline at which latency begins to lower the number. The default is 1.5.
	Tolerance float64
	// Smoothing is the part of each computed change that is made, up to 1. The default is 0.2.
	Smoothing float64
	// Backoff multiplies the number when a step fails. The default is 0.9.
	Backoff float64
	// Baseline is how long it takes the baseline to rise by a tenth, when no latency has been as low in that time. The
	// default is 10 minutes, so that an incident of an hour raises it less than 1.8 times.
	Baseline time.Duration
	// MaxLatency, if it is known, is beyond any healthy latency: windows that are slower on average lower the number by
	// Backoff and never become the baseline. The default, 0, is that none is known.
	MaxLatency time.Duration
}

func (c GradientConfig) withDefaults() GradientConfig {
	setDefault(&c.Min, 1)
	setDefault(&c.Max, max(c.Min, 200))
	setDefault(&c.Initial, c.Min)
	setDefault(&c.Window, time.Second)
	setDefault(&c.MinSamples, 10)
	setDefault(&c.Tolerance, 1.5)
	setDefault(&c.Smoothing, .2)
	setDefault(&c.Backoff, .9)
	setDefault(&c.Baseline, 10*time.Minute)
	return c
}

func (c GradientConfig) validate() error {
	var s settings
	s.want(c.Min >= 1 && c.Min <= c.Max, "Min", c.Min, fmt.Sprintf("from 1 to Max, %d", c.Max))
	s.want(c.Max <= maxPermits, "Max", c.Max, fmt.Sprintf("at most %d", maxPermits))
	s.want(c.Initial >= c.Min && c.Initial <= c.Max, "Initial", c.Initial, fmt.Sprintf("from %d to %d", c.Min, c.Max))
	s.want(c.Queue >= 0, "Queue", c.Queue, "0 or more")
	s.want(c.Window > 0 && c.Window <= longest, "Window", c.Window, "positive and at most 100 years")
	s.want(c.MinSamples >= 1, "MinSamples", c.MinSamples, "1 or more")
	s.want(c.Tolerance >= 1 && !math.IsInf(c.Tolerance, 1), "Tolerance", c.Tolerance, "1 or more")
	s.want(c.Smoothing > 0 && c.Smoothing <= 1, "Smoothing", c.Smoothing, "between 0 and 1")
	s.want(c.Backoff > 0 && c.Backoff < 1, "Backoff", c.Backoff, "between 0 and 1")
	s.want(c.Baseline > 0 && c.Baseline <= longest, "Baseline", c.Baseline, "positive and at most 100 years")
	s.want(c.MaxLatency >= 0, "MaxLatency", c.MaxLatency, "0 or more")
	return s.err
}

// Gradient is a bulkhead that finds out by itself how many steps at once are good: it admits more while the latency of
// successful steps stays near the lowest that was seen lately, the baseline, and fewer when it rises or steps fail.
//
// After each window the number n becomes, smoothed, n·g + √n·(2g-1), where the gradient g = Tolerance·baseline/latency
// is kept between 1/2 and 1. This is Gradient2 of Netflix's concurrency-limits, with two differences. Its baseline, a
// moving average, becomes the latency of a long incident, and then admits more; this one is the lowest mean of a window,
// which falls at once and rises slowly. And the room to grow shrinks with the gradient, so that a small number can fall
// to 1. A window that used less than half of the number changes nothing, for it shows nothing.
//
// A failure multiplies the number by Backoff, once for all steps that were under way together. Failures with Neutral()
// true, and cancellations by the caller, are none. Latencies of failures are not measured. Gradient is safe for concurrent
// use. A nil or zero Gradient does not limit.
type Gradient struct {
	gate  *Bulkhead
	began []time.Time // by permit; this and slope are guarded by the mu of the room
	slope slope
}

// NewGradient returns a gradient limiter, or an error that names the field of cfg that is out of its range.
func NewGradient(cfg GradientConfig) (*Gradient, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Gradient{
		gate: &Bulkhead{
			room: newRoom(BulkheadConfig{Permits: cfg.Max, MaxWait: cfg.MaxWait, Queue: cfg.Queue}, cfg.Initial),
		},
		began: make([]time.Time, cfg.Max),
		slope: slope{cfg: cfg, number: float64(cfg.Initial)},
	}, nil
}

// Admit takes a permit like [Bulkhead.Admit], and begins to measure.
func (g *Gradient) Admit(ctx context.Context) (token uint64, err error) {
	if g == nil || g.gate == nil {
		return 0, nil
	}
	token, err = g.gate.Admit(ctx)
	if err != nil {
		return 0, err
	}
	r := g.gate.room
	now := time.Now()
	r.mu.Lock()
	g.began[uint32(token)] = now
	r.mu.Unlock()
	return token, nil
}

// Done gives the permit of a token back and learns from the outcome of the step. A token that was given back already, or
// never given out, changes nothing.
func (g *Gradient) Done(token uint64, err error) {
	if g == nil || g.gate == nil {
		return
	}
	ignored := err != nil && neutral(err)
	r := g.gate.room
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.holds(token) {
		return
	}
	began := g.began[uint32(token)]
	switch {
	case ignored:
	case err != nil:
		g.slope.failure(now, began)
	default:
		g.slope.success(now, now.Sub(began), r.held())
	}
	r.limit = int(g.slope.number)
	r.release(token)
	r.serve() // more than one, if the number has grown
}

// Do runs fn with a permit, which it gives back however fn ends. A panic is a failure.
func (g *Gradient) Do(ctx context.Context, fn func(context.Context) error) error {
	return do(ctx, g, fn)
}

// Limit is how many steps at once there may be now; 0 if g does not limit.
func (g *Gradient) Limit() int {
	if g == nil || g.gate == nil {
		return 0
	}
	g.gate.room.mu.Lock()
	defer g.gate.room.mu.Unlock()
	return g.gate.room.limit
}

// Baseline is the latency that counts as one without a queue; 0 before the first window has ended.
func (g *Gradient) Baseline() time.Duration {
	if g == nil || g.gate == nil {
		return 0
	}
	g.gate.room.mu.Lock()
	defer g.gate.room.mu.Unlock()
	return g.slope.baseline
}

// InUse is how many steps run now.
func (g *Gradient) InUse() int {
	if g == nil {
		return 0
	}
	return g.gate.InUse()
}

func (g *Gradient) fresh(now time.Time) bool { return g == nil || g.gate.fresh(now) }

// slope is the state of a Gradient: a pure function of the times and latencies that it is given.
type slope struct {
	cfg      GradientConfig
	number   float64
	baseline time.Duration // 0 before the first window

	since  time.Time     // the baseline rose or the period began
	lowest time.Duration // mean since then

	start time.Time // of the window
	sum   float64   // of latencies in it, in nanoseconds
	count int       // of successes
	peak  int       // of steps at once

	lowered time.Time // by a failure
}

// rise is what the baseline is multiplied by at most when a period is over.
const rise = 1.1

// failure lowers the number, unless it has been lowered since the step began.
func (s *slope) failure(now, began time.Time) {
	if began.Before(s.lowered) {
		return
	}
	s.lowered = now
	s.lower()
}

func (s *slope) lower() { s.number = max(s.number*s.cfg.Backoff, float64(s.cfg.Min)) }

// success measures a step that ran among others, itself included.
func (s *slope) success(now time.Time, latency time.Duration, atOnce int) {
	if s.start.IsZero() {
		s.start, s.since = now, now
	}
	s.sum += float64(max(0, latency))
	s.count++
	s.peak = max(s.peak, atOnce)
	if s.count < s.cfg.MinSamples || now.Sub(s.start) < s.cfg.Window {
		return
	}
	mean := max(1, time.Duration(s.sum/float64(s.count)))
	peak := s.peak
	s.start, s.sum, s.count, s.peak = now, 0, 0, 0
	if s.cfg.MaxLatency > 0 && mean > s.cfg.MaxLatency {
		s.lower()
		return
	}
	s.measure(now, mean)
	if 2*float64(peak) < s.number {
		return
	}
	g := min(max(s.cfg.Tolerance*float64(s.baseline)/float64(mean), .5), 1)
	aim := s.number*g + math.Sqrt(s.number)*(2*g-1)
	s.number += s.cfg.Smoothing * (aim - s.number)
	s.number = min(max(s.number, float64(s.cfg.Min)), float64(s.cfg.Max))
}

// measure moves the baseline: down at once, up by a tenth when it was not reached for a period.
func (s *slope) measure(now time.Time, mean time.Duration) {
	if s.lowest == 0 || mean < s.lowest {
		s.lowest = mean
	}
	if s.baseline == 0 || mean < s.baseline {
		s.baseline = mean
	}
	if now.Sub(s.since) >= s.cfg.Baseline {
		s.baseline = max(s.baseline, min(s.lowest, time.Duration(rise*float64(s.baseline))))
		s.since, s.lowest = now, 0
	}
}
