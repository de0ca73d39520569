package carbon

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

const (
	joulesPerKWh = 3.6e6
	maxPUE       = 10
	maxSource    = 200
	maxJoules    = 1e15 // 278 GWh: no single interval of one job uses more
)

// Energy is an amount of energy and how it is known.
type Energy struct {
	Joules    float64
	Source    string // the counter or model it comes from; one name per device, not per value
	Estimated bool   // a model's figure, not a counter's
}

// KWh is the energy in kWh.
func (e Energy) KWh() float64 { return e.Joules / joulesPerKWh }

// Facility is the energy of the whole building for e: e times the PUE (power usage effectiveness). The counter saw only the
// machine, so the result is marked as an estimate and its source names the factor. A PUE of 1 changes nothing.
func (e Energy) Facility(pue float64) (Energy, error) {
	if err := checkPUE(pue); err != nil {
		return Energy{}, err
	}
	if err := e.check(); err != nil {
		return Energy{}, err
	}
	if pue == 1 {
		return e, nil
	}
	return Energy{Joules: e.Joules * pue, Source: e.Source + " x PUE " + strconv.FormatFloat(pue, 'g', -1, 64), Estimated: true}, nil
}

func (e Energy) check() error {
	if !(e.Joules >= 0 && e.Joules <= maxJoules) {
		return fmt.Errorf("carbon: energy %v J is outside [0, %g]", e.Joules, maxJoules)
	}
	if e.Source == "" {
		return fmt.Errorf("carbon: energy %v J has no source", e.Joules)
	}
	if len(e.Source) > maxSource || !utf8.ValidString(e.Source) {
		return fmt.Errorf("carbon: energy source %q is not valid UTF-8 of at most %d bytes", clip(e.Source), maxSource)
	}
	return nil
}

func checkPUE(pue float64) error {
	if !(pue >= 1 && pue <= maxPUE) {
		return fmt.Errorf("carbon: PUE %v is outside [1, %d]", pue, maxPUE)
	}
	return nil
}
