package carbon

import (
	"fmt"
	"time"
)

// DefaultWattsPerCore is the power [CPUEnergy] assumes for one busy logical CPU: what codecarbon assumes per thread of a
// CPU it does not know. It may be off by a factor of two or more either way.
const DefaultWattsPerCore = 4.0

const (
	maxWatts      = 1000 // per logical CPU
	maxRatedWatts = 1e7  // of all that one RatedPower stands for
)

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
	if err := checkPUE(c.PUE); err != nil {
		return Energy{}, err
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

// RatedPower estimates energy from the rated power (TDP) of devices that have no counter: time x (idle + (rated - idle) x use)
// x PUE. Models of this kind that fitted well where they were made have explained less than a third of the variance on other
// work, so the result is marked as an estimate.
type RatedPower struct {
	Name  string  // what it stands for, "two A100"; required
	Watts float64 // rated power of all of it at full use; required
	Idle  float64 // power without use; default 0
	PUE   float64 // as in [CPUEnergy]; default 1
}

// Estimate returns the energy over a time in which the devices were used to the given share (0 to 1), always with Estimated set.
func (p RatedPower) Estimate(d time.Duration, use float64) (Energy, error) {
	if p.PUE == 0 {
		p.PUE = 1
	}
	switch {
	case p.Name == "":
		return Energy{}, fmt.Errorf("carbon: rated power of %v W has no name", p.Watts)
	case !(p.Watts > 0 && p.Watts <= maxRatedWatts):
		return Energy{}, fmt.Errorf("carbon: rated power %q: Watts %v is outside (0, %g]", clip(p.Name), p.Watts, maxRatedWatts)
	case !(p.Idle >= 0 && p.Idle <= p.Watts):
		return Energy{}, fmt.Errorf("carbon: rated power %q: Idle %v is outside [0, %v]", clip(p.Name), p.Idle, p.Watts)
	case d < 0:
		return Energy{}, fmt.Errorf("carbon: rated power %q: time %v is negative", clip(p.Name), d)
	case !(use >= 0 && use <= 1):
		return Energy{}, fmt.Errorf("carbon: rated power %q: use %v is outside [0, 1]", clip(p.Name), use)
	}
	if err := checkPUE(p.PUE); err != nil {
		return Energy{}, err
	}
	return Energy{
		Joules:    d.Seconds() * (p.Idle + (p.Watts-p.Idle)*use) * p.PUE,
		Source:    fmt.Sprintf("estimate: %s, %g W x use x PUE %g", p.Name, p.Watts, p.PUE),
		Estimated: true,
	}, nil
}
