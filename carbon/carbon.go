// Package carbon lets a training loop know the carbon intensity of its electricity, wait for a cleaner hour without
// ever missing a deadline, and account for what it emitted.
//
// For most uses, read a recorded trace with [ReadTrace] (or take [TypicalDay] when there is none), put a [Gate] in front
// of the step, and give a [Meter] the energy of every step. Anything else that knows an intensity is a [Provider].
//
// # Values
//
// Every value is an [Intensity] in gCO2e per kWh and travels in a [Reading] that says where it came from, whether it was
// measured, and the interval it is valid for. A missing, null, negative or absurd value is an error, never a number: a
// zero read from a hole in the data would start a job on a "perfectly clean" grid. Average values are for accounting and
// marginal values for shifting load; the two never meet in one sum or comparison.
//
// # Sources
//
// [ElectricityMaps], [WattTime], [NESO] and [EnergyCharts] ask the network, each call limited, retried and broken off as
// its API wants it; [Trace] replays what was recorded. All of them also give what they know of the past ([History]), and
// most of the future ([Forecaster]).
//
// # Waiting
//
// A gate never blocks a job for want of data: without a usable reading the step runs now, and each pause is bounded by
// [GateConfig.MaxWait].
//
// # Planning
//
// A job with a known amount of work and a deadline is better served by a [PlanGate]: a [Learner] forecasts the zone from its own past,
// with no interface to ask, and a [Planner] finds the cheapest hours anew in each slot. [KMin] and [DoubleThreshold] need no
// past, [Scale] chooses the power, [Place] the zone.
package carbon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

var (
	// ErrNoData is returned when a provider has no value for the asked instant. Match it with errors.Is; the error itself
	// is usually a *[NoDataError].
	ErrNoData = errors.New("carbon: no intensity known")
	// ErrReading is returned for a reading that breaks the contract of [Provider]: an invalid intensity, an unset signal
	// or basis, or an interval that does not cover the asked instant.
	ErrReading = errors.New("carbon: unusable reading")
	// ErrSignal is returned when an average value stands where a marginal one is needed, or the reverse.
	ErrSignal = errors.New("carbon: wrong signal")
)

// MaxIntensity is the largest intensity taken for real. The highest yearly mean of a country is 1,306 g/kWh
// (Turkmenistan; Our World in Data, CC BY 4.0); a value several times that is a unit error.
const MaxIntensity Intensity = 5000

// Intensity is a carbon intensity of electricity in grams of CO2 equivalent per kWh. 1 g/kWh = 1 kg/MWh.
type Intensity float64

// PerMWhPounds converts pounds per MWh, the unit of North American sources, to an Intensity.
func PerMWhPounds(lb float64) Intensity { return Intensity(lb * 0.45359237) }

// PerMWhKilograms converts kilograms per MWh, which is the same number in g/kWh, to an Intensity.
func PerMWhKilograms(kg float64) Intensity { return Intensity(kg) }

// Valid reports whether i is a number in [0, MaxIntensity]. Zero is a legal intensity of a small zone.
func (i Intensity) Valid() bool { return i >= 0 && i <= MaxIntensity }

// String returns the value with its unit.
func (i Intensity) String() string {
	return strconv.FormatFloat(float64(i), 'f', -1, 64) + " gCO2e/kWh"
}

// Signal says which question an intensity answers. The zero value is unset and refused.
type Signal uint8

const (
	// Average is the emissions of the whole mix over its energy: the basis of accounting.
	Average Signal = iota + 1
	// Marginal is the emissions of the next kWh asked for: the basis of shifting load, never of accounting.
	Marginal
)

// String returns "average", "marginal" or "unset".
func (s Signal) String() string {
	switch s {
	case Average:
		return "average"
	case Marginal:
		return "marginal"
	default:
		return "unset"
	}
}

// Basis says how a value was obtained. The zero value is unset and refused.
type Basis uint8

const (
	// Measured comes from metered generation.
	Measured Basis = iota + 1
	// Estimated was filled in by a model for a time already past, or is a typical value.
	Estimated
	// Forecast was predicted before its time.
	Forecast
)

// String returns "measured", "estimated", "forecast" or "unset".
func (b Basis) String() string {
	switch b {
	case Measured:
		return "measured"
	case Estimated:
		return "estimated"
	case Forecast:
		return "forecast"
	default:
		return "unset"
	}
}

// Reading is one intensity with its provenance. It is valid in the half-open interval [From, To).
type Reading struct {
	Intensity Intensity
	Signal    Signal
	Basis     Basis
	Scope     Scope
	Strategy  Strategy // how the value was come by; 0 straight from its source
	Zone      string   // the grid zone, as its source names it
	Source    string   // who says so
	From, To  time.Time

	// ExpectedError is the expected size of the error as a share of the intensity: .05 is 5 %. 0 where nobody has
	// measured it.
	ExpectedError float64
	// Low and High bound the intensity with a probability of 80 %; both are 0 where nothing is known about that.
	Low, High Intensity
	// Newest is the end of the newest real value that a fallback rests on: what its age counts from. Zero for a reading
	// that is itself a value of its source, and where there is no such value.
	Newest time.Time
}

// Covers reports whether t lies in [From, To).
func (r Reading) Covers(t time.Time) bool { return !t.Before(r.From) && t.Before(r.To) }

// Age is how long ago, seen from now, the value that the reading rests on stopped being valid; 0 while it is valid or
// lies ahead.
func (r Reading) Age(now time.Time) time.Duration {
	end := r.To
	if !r.Newest.IsZero() {
		end = r.Newest
	}
	return max(0, now.Sub(end))
}

// check returns nil for a reading that may be used at t, and what is wrong with it otherwise.
func (r Reading) check(t time.Time, want Signal) error {
	var what string
	switch {
	case !r.Intensity.Valid():
		what = fmt.Sprintf("intensity %v outside [0, %v]", float64(r.Intensity), float64(MaxIntensity))
	case r.Signal != Average && r.Signal != Marginal:
		what = fmt.Sprintf("signal %d is not average or marginal", r.Signal)
	case r.Basis < Measured || r.Basis > Forecast:
		what = fmt.Sprintf("basis %d is not measured, estimated or forecast", r.Basis)
	case r.Scope > Direct:
		what = fmt.Sprintf("scope %d is not lifecycle or direct", r.Scope)
	case !(r.ExpectedError >= 0 && r.ExpectedError <= math.MaxFloat64):
		what = fmt.Sprintf("expected error %v is not a finite share", r.ExpectedError)
	case !r.Low.Valid() || !r.High.Valid() || r.Low > r.High:
		what = fmt.Sprintf("bounds %v and %v are no range of intensities", float64(r.Low), float64(r.High))
	case !r.Covers(t):
		what = fmt.Sprintf("valid from %s to %s, asked for %s", stamp(r.From), stamp(r.To), stamp(t))
	case r.Signal != want:
		return fmt.Errorf("%w: source %q gives %s values where %s ones are needed", ErrSignal, r.Source, r.Signal, want)
	default:
		return nil
	}
	return fmt.Errorf("%w: source %q: %s", ErrReading, r.Source, what)
}

// Provider knows the intensity of one zone over time.
type Provider interface {
	// At returns the reading valid at t: it covers t, and its intensity, signal and basis are set. Without a value for t
	// it returns an error, [ErrNoData] where asking for another time may succeed; never a zero or stale reading. It
	// returns soon after ctx is done and is safe for concurrent use.
	At(ctx context.Context, t time.Time) (Reading, error)
}

// Forecaster is what a [Provider] may be besides: its source says something about the future.
type Forecaster interface {
	// Forecast returns readings of Basis Forecast that begin before to and end after from, in order of time, as far as the
	// source has them. It returns [ErrNoData] when there are none.
	Forecast(ctx context.Context, from, to time.Time) ([]Reading, error)
}

// History is what a [Provider] may be besides: its source can be asked for a stretch of the past.
type History interface {
	// History returns the readings, none of Basis Forecast, that begin before to and end after from, in order of time and
	// with gaps where the source has none. It returns [ErrNoData] when there are none at all.
	History(ctx context.Context, from, to time.Time) ([]Reading, error)
}

// ProviderFunc makes a function a [Provider].
type ProviderFunc func(ctx context.Context, t time.Time) (Reading, error)

// At calls f.
func (f ProviderFunc) At(ctx context.Context, t time.Time) (Reading, error) { return f(ctx, t) }

// NoDataError says which zone has no value at which time. It matches [ErrNoData].
type NoDataError struct {
	Zone string
	At   time.Time
	// Until is the first instant after At for which the provider has a value; zero when it knows of none.
	Until time.Time
}

// Error names the zone and the time.
func (e *NoDataError) Error() string {
	return fmt.Sprintf("%v for zone %q at %s", ErrNoData, e.Zone, stamp(e.At))
}

// Is makes errors.Is(err, ErrNoData) true.
func (e *NoDataError) Is(target error) bool { return target == ErrNoData }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
