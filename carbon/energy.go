package carbon

import (
	"fmt"
	"time"
)

// DefaultWattsPerCore is the power [CPUEnergy] assumes for one busy logical CPU: what codecarbon assumes per thread of a
// CPU it does not know. It may be off by a factor of two or more either way.
const DefaultWattsPerCore = 4.0

const (
	joulesPerKWh = 3.6e6
	maxWatts     = 1000
	maxPUE       = 10
	maxJoules    = 1e15 // 278 GWh: no single interval of one job uses more
)

// Energy is an amount of energy and how it is known.
type Energy struct {
	Joules    float64
	Source    string // the counter or model it comes from
	Estimated bool   // a model's figure, not a counter's
}

// KWh is the energy in kWh.
func (e Energy) KWh() float64 { return e.Joules / joulesPerKWh }

func (e Energy) check() error {
	if !(e.Joules >= 0 && e.Joules <= maxJoules) {
		return fmt.Errorf("carbon: energy %v J is outside [0, %g]", e.Joules, maxJoules)
	}
	if e.Source == "" {
		return fmt.Errorf("carbon: energy %v J has no source", e.Joules)
	}
	return nil
}

// CPUEnergy estimates energy from CPU time, where no counter can be read: CPU time x watts per core x PUE. It knows
// nothing of memory, disks, accelerators and idle power, so its result is marked as an estimate. The zero value uses
// the defaults.
type CPUEnergy struct {
	// WattsPerCore is the power of one busy logical CPU. Default [DefaultWattsPerCore]. Better: the processor's rated
	// power divided by its logical CPUs.
	WattsPerCore float64
	// PUE (power usage effectiveness) multiplies for what the building uses on top. Default 1, nothing on top;
	// carbontracker uses 1.58, the Uptime Institute's figure for 2023.
	PUE float64
}

// Estimate returns the energy of an amount of CPU time (user and system, summed over the CPUs), always with Estimated set.
func (c CPUEnergy) Estimate(cpu time.Duration) (Energy, error) {
	if c.WattsPerCore == 0 {
		c.WattsPerCore = DefaultWattsPerCore
	}
	if c.PUE == 0 {
		c.PUE = 1
	}
	if !(c.WattsPerCore > 0 && c.WattsPerCore <= maxWatts) {
		return Energy{}, fmt.Errorf("carbon: WattsPerCore %v is outside (0, %d]", c.WattsPerCore, maxWatts)
	}
	if !(c.PUE >= 1 && c.PUE <= maxPUE) {
		return Energy{}, fmt.Errorf("carbon: PUE %v is outside [1, %d]", c.PUE, maxPUE)
	}
	if cpu < 0 {
		return Energy{}, fmt.Errorf("carbon: CPU time %v is negative", cpu)
	}
	return Energy{
		Joules:    cpu.Seconds() * c.WattsPerCore * c.PUE,
		Source:    fmt.Sprintf("estimate: CPU time x %g W x PUE %g", c.WattsPerCore, c.PUE),
		Estimated: true,
	}, nil
}
