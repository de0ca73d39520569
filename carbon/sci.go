package carbon

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrIncomplete is returned where a figure is asked of totals of which something is unknown.
var ErrIncomplete = errors.New("carbon: totals are not complete")

// SCI is a Software Carbon Intensity: ((E x I) + M) per R, of ISO/IEC 21031:2024. E x I is summed interval by interval with
// the average intensity of the place, as the standard asks; certificates and offsets do not enter.
type SCI struct {
	Operational Grams   // E x I
	Embodied    Grams   // M
	Units       float64 // R: how many
	Unit        string  // R: of what, "1000 samples", "training run"
	// EstimatedEnergy and EstimatedIntensity are the shares of the energy that is an estimate, or was weighed with an estimated
	// or forecast intensity.
	EstimatedEnergy, EstimatedIntensity float64
}

// SCI works out the score of what was metered, with the embodied emissions of the same work (see [Embodied]), for a number of
// functional units. It is refused where anything is unknown ([ErrIncomplete]) and without embodied emissions: the score of a
// part is not the score.
func (t Totals) SCI(embodied Grams, units float64, unit string) (SCI, error) {
	switch {
	case unit == "":
		return SCI{}, errors.New("carbon: SCI: the functional unit has no name")
	case !(units > 0 && units <= math.MaxFloat64):
		return SCI{}, fmt.Errorf("carbon: SCI: %v units of %q: not a positive number", units, clip(unit))
	case !(embodied > 0 && embodied <= math.MaxFloat64):
		return SCI{}, fmt.Errorf("carbon: SCI: embodied emissions of %v g are not a positive mass", float64(embodied))
	}
	if err := t.incomplete(); err != nil {
		return SCI{}, fmt.Errorf("carbon: SCI: %w", err)
	}
	s := SCI{Operational: t.Grams, Embodied: embodied, Units: units, Unit: unit}
	if t.KWh > 0 {
		s.EstimatedEnergy, s.EstimatedIntensity = t.EstimatedEnergyKWh/t.KWh, t.EstimatedIntensityKWh/t.KWh
	}
	if score := s.Score(); math.IsInf(float64(score), 0) {
		return SCI{}, fmt.Errorf("carbon: SCI: the score of %v units of %q is too large to say", units, clip(unit))
	}
	return s, nil
}

// Score is the emissions of one functional unit.
func (s SCI) Score() Grams { return Grams((float64(s.Operational) + float64(s.Embodied)) / s.Units) }

// String returns the score with its unit.
func (s SCI) String() string { return s.Score().String() + " per " + s.Unit }

// Embodied is a piece of hardware and what making it emitted. Work takes its part of that: TE x TS x RS in ISO/IEC 21031, the
// total by the share of the lifetime and the share of the hardware that are reserved for the work.
type Embodied struct {
	Name     string        // required
	Total    Grams         // TE: of making, and disposing of, all of it; required
	Lifetime time.Duration // EL: how long it is expected to serve; required
	// Share is RR/ToR, the part of the hardware that is reserved: 2 of 8 devices are .25. Default 1.
	Share float64
}

// Amortize is the embodied emissions of a time in which the hardware was reserved, whether used or waiting. A time over its
// Lifetime is an error: the emissions were all given out before.
func (e Embodied) Amortize(reserved time.Duration) (Grams, error) {
	if e.Share == 0 {
		e.Share = 1
	}
	switch {
	case e.Name == "":
		return 0, errors.New("carbon: embodied: Name is empty")
	case !(e.Total > 0 && e.Total <= 1e15):
		return 0, fmt.Errorf("carbon: embodied %q: Total %v g is outside (0, 1e15]", clip(e.Name), float64(e.Total))
	case e.Lifetime <= 0:
		return 0, fmt.Errorf("carbon: embodied %q: Lifetime %v is not positive", clip(e.Name), e.Lifetime)
	case !(e.Share > 0 && e.Share <= 1):
		return 0, fmt.Errorf("carbon: embodied %q: Share %v is outside (0, 1]", clip(e.Name), e.Share)
	case reserved < 0 || reserved > e.Lifetime:
		return 0, fmt.Errorf("carbon: embodied %q: reserved for %v of a Lifetime of %v", clip(e.Name), reserved, e.Lifetime)
	}
	return Grams(float64(e.Total) * (float64(reserved) / float64(e.Lifetime)) * e.Share), nil
}
