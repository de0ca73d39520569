package privacy

import (
	"errors"
	"fmt"
	"math"
)

// Calibration is a parameter on the safe side of a target: Achieved.Upper is at most the target's epsilon, by an evaluation of exactly
// this event and count.
type Calibration struct {
	// Value is the parameter: a noise, a rate, a batch size or a number of steps.
	Value float64 `json:"value"`
	Event Event   `json:"-"`
	Steps int     `json:"steps"`
	// Achieved bounds the epsilon at the target's delta.
	Achieved Interval `json:"achieved"`
	// Tight reports that the next parameter tried certainly misses the target: one that differs by a fraction of 1e-9, or by one for whole numbers.
	// Where it is false a better bound, not proven here, might allow more; or the search ended at a limit of the parameter.
	Tight bool `json:"tight"`
	// Evaluations is how many epsilons were computed.
	Evaluations int `json:"evaluations"`
}

// CalibrateNoise returns the smallest noise, within a fraction of 1e-9, with which steps executions of event(noise) meet the target.
// event describes one step as a function of the noise, in the event's own unit; its epsilon must fall with it. The error is an
// *InfeasibleError if no noise is enough.
func CalibrateNoise(target Budget, steps int, event func(noise float64) Event) (Calibration, error) {
	s := search{target: target, sign: -1, slope: 1.5, lowest: 1e-90, highest: 1e90, what: "noise"}
	s.run = func(noise float64) (Event, int) { return event(noise), steps }
	return s.find(noiseGuess(target, steps, event))
}

// CalibrateRate returns the largest sampling rate, within a fraction of 1e-9, at which steps executions of event(rate) meet the target.
// The epsilon must grow with the rate. A rate of 1 is returned if even that is feasible.
func CalibrateRate(target Budget, steps int, event func(rate float64) Event) (Calibration, error) {
	s := search{target: target, sign: 1, slope: 1, lowest: 1e-12, highest: 1, what: "rate"}
	s.run = func(rate float64) (Event, int) { return event(rate), steps }
	return s.find(0.01)
}

// CalibrateSteps returns the largest number of executions of e that meets the target.
func CalibrateSteps(target Budget, e Event) (Calibration, error) {
	s := search{target: target, sign: 1, slope: 0.6, lowest: 1, highest: 1 << 52, whole: true, what: "steps"}
	s.run = func(n float64) (Event, int) {
		if n > math.MaxInt {
			n = math.MaxInt / 2 // 32 bits
		}
		return e, int(n)
	}
	s.highest = min(s.highest, math.MaxInt/2)
	return s.find(1000)
}

// CalibrateBatch returns the largest batch size, up to largest, whose run meets the target. run returns the event and the number of
// steps of a run with that batch size, such as a fixed number of epochs; its epsilon should grow with the batch size.
func CalibrateBatch(target Budget, largest int, run func(batch int) (Event, int)) (Calibration, error) {
	if largest < 1 {
		return Calibration{}, &InvalidError{"largest", largest, "1 or more"}
	}
	top := min(float64(largest), 1<<53) // up to there every whole number is a float64
	s := search{target: target, sign: 1, slope: 0.6, lowest: 1, highest: top, whole: true, what: "batch size"}
	s.run = func(n float64) (Event, int) { return run(int(n)) }
	return s.find(min(256, top))
}

// InfeasibleError says why no parameter meets a target.
type InfeasibleError struct {
	Target Budget
	// What is the parameter, Limit its value at the private end, and Achieved the epsilon there.
	What     string
	Limit    float64
	Achieved Interval
	Cause    error // why Achieved is not known, or nil
}

func (e *InfeasibleError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("privacy: no %s meets epsilon %.6g at delta %.3g: nothing is known at its limit %.6g: %v", e.What, e.Target.Epsilon, e.Target.Delta, e.Limit, e.Cause)
	}
	return fmt.Sprintf("privacy: no %s meets epsilon %.6g at delta %.3g: at its limit %.6g epsilon is up to %.6g (%s)",
		e.What, e.Target.Epsilon, e.Target.Delta, e.Limit, e.Achieved.Upper, e.Achieved.Method)
}

// Unwrap returns Cause.
func (e *InfeasibleError) Unwrap() error { return e.Cause }

// Permanent tells a retrier that another attempt cannot succeed.
func (e *InfeasibleError) Permanent() bool { return true }

// Neutral tells a circuit breaker that this says nothing about the health of the step.
func (e *InfeasibleError) Neutral() bool { return true }

// noiseGuess starts the search where the central limit puts the answer, within some percent for Poisson sampling (accounting for the
// Gaussian by its mu, Dong, Roth, Su 2022); elsewhere at 1.
func noiseGuess(target Budget, steps int, event func(float64) Event) float64 {
	if target.Validate() != nil || steps < 1 {
		return 1
	}
	p, ok := event(1).(Poisson)
	if !ok {
		g, ok := event(1).(Gaussian)
		if !ok {
			return 1
		}
		p = Poisson{1, g}
	}
	mu, s := muOf(target), p.Gaussian.Sensitivity()
	if !(mu > 0 && p.Rate > 0 && p.Rate <= 1 && s > 0 && s < 1e50) {
		return 1
	}
	unit := p.Gaussian.StdDev // of event(1): the noise may be in another unit
	if p.Rate == 1 {
		return s * math.Sqrt(float64(steps)) / mu / unit
	}
	r := mu / p.Rate
	return s / math.Sqrt(math.Log1p(r*r/float64(steps))) / unit
}

// search finds the best parameter between lowest and highest. In u = sign·log(x) the cost grows.
type search struct {
	target          Budget
	run             func(x float64) (Event, int)
	sign, slope     float64 // slope guesses the derivative of log epsilon in u
	lowest, highest float64
	whole           bool
	what            string

	evaluations int
}

// tried is one parameter with its cost. excess is log(epsilon/target).
type tried struct {
	x, u, excess float64
	event        Event
	steps        int
	interval     Interval
	err          error
}

const calibrationTolerance = 1e-9

func (s *search) try(u float64) tried {
	x := min(max(math.Exp(s.sign*u), s.lowest), s.highest)
	if s.whole {
		x = math.Round(x)
	}
	return s.tryAt(x)
}

func (s *search) tryAt(x float64) tried {
	s.evaluations++
	t := tried{x: x, u: s.sign * math.Log(x)}
	t.event, t.steps = s.run(x)
	t.interval, t.err = boundOf(t.event, t.steps, s.target.Delta)
	switch {
	case t.err != nil || !(t.interval.Upper <= math.MaxFloat64):
		t.excess = math.Inf(1)
	case t.interval.Upper <= s.target.Epsilon:
		t.excess = min(math.Log(t.interval.Upper/s.target.Epsilon), 0)
	default:
		t.excess = max(math.Log(t.interval.Upper/s.target.Epsilon), 1e-300)
	}
	return t
}

func (s *search) find(start float64) (Calibration, error) {
	if err := s.target.Validate(); err != nil {
		return Calibration{}, err
	}
	if !(start >= s.lowest && start <= s.highest) {
		start = min(max(1, s.lowest), s.highest)
	}
	private, costly := s.lowest, s.highest // the ends
	if s.sign < 0 {
		private, costly = costly, private
	}
	now := s.try(s.sign * math.Log(start))
	if now.err != nil && errors.Is(now.err, ErrInvalid) && now.event != nil && now.event.Validate() != nil {
		return Calibration{}, now.err
	}
	var good, bad, before tried
	haveGood, haveBad := false, false
	reach := 1.0 // how far to go past the estimate while one side is missing
	for range 400 {
		if now.excess <= 0 {
			if !haveGood || now.u > good.u {
				good, haveGood = now, true
			}
		} else if !haveBad || now.u < bad.u {
			bad, haveBad = now, true
		}
		switch {
		case !haveGood:
			if now.x == private {
				return Calibration{}, &InfeasibleError{s.target, s.what, private, now.interval, now.err}
			}
			before, now = now, s.try(bad.u-max(reach*0.05, 1.1*min(now.excess, 40)/s.slope))
			reach *= 2
		case !haveBad:
			if now.x == costly {
				return s.result(good, bad, false), nil
			}
			before, now = now, s.try(good.u+max(reach*0.05, 1.1*min(-now.excess, 40)/s.slope))
			reach *= 2
		case s.closed(good, bad):
			return s.result(good, bad, true), nil
		default:
			u := s.between(good, bad, now, before)
			before, now = now, s.inside(u, good, bad)
		}
	}
	if !haveGood {
		return Calibration{}, &InfeasibleError{s.target, s.what, private, now.interval, now.err}
	}
	return s.result(good, bad, haveBad && s.closed(good, bad)), nil
}

func (s *search) closed(good, bad tried) bool {
	if s.whole {
		return math.Abs(bad.x-good.x) <= 1
	}
	return bad.u-good.u <= calibrationTolerance
}

// between estimates the root by the secant through the last two points, else through the ends, else by bisection; a step past the
// estimate, away from the last point, lets the bracket close from both sides.
func (s *search) between(good, bad, now, before tried) float64 {
	width := bad.u - good.u
	secant := func(a, b tried) float64 { return a.u - a.excess*(b.u-a.u)/(b.excess-a.excess) }
	u := secant(before, now)
	if !(u > good.u && u < bad.u) {
		u = secant(good, bad)
	}
	if !(u > good.u && u < bad.u) || s.evaluations%8 == 0 { // now and then halve what the secant leaves
		return good.u + width/2
	}
	past := calibrationTolerance / 3
	if now.excess > 0 {
		past = -past
	}
	return min(max(u+past, good.u+min(width/4, calibrationTolerance/3)), bad.u-min(width/4, calibrationTolerance/3))
}

// inside tries u, or for whole numbers the nearest one strictly between.
func (s *search) inside(u float64, good, bad tried) tried {
	if !s.whole {
		return s.try(u)
	}
	lo, hi := min(good.x, bad.x), max(good.x, bad.x)
	return s.tryAt(min(max(math.Round(math.Exp(s.sign*u)), lo+1), hi-1))
}

func (s *search) result(good, bad tried, closed bool) Calibration {
	return Calibration{
		Value: good.x, Event: good.event, Steps: good.steps, Achieved: good.interval,
		Tight:       closed && bad.err == nil && bad.interval.Lower > s.target.Epsilon,
		Evaluations: s.evaluations,
	}
}
