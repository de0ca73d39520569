package main

import (
	"context"
	"time"

	"github.com/surefoot-ml/surefoot/carbon"
)

// power meters the energy of this process. No counter of real energy is readable everywhere, so it is estimated from CPU
// time, and marked so.
type power struct {
	cpu      func() (time.Duration, error) // CPU time of the process so far
	estimate carbon.CPUEnergy
	meter    *carbon.Meter
	line     carbon.Timeline
	wall     time.Time
	used     time.Duration
	joules   float64
}

func newPower(p carbon.Provider, line carbon.Timeline, estimate carbon.CPUEnergy, cpu func() (time.Duration, error)) (*power, error) {
	meter, err := carbon.NewMeter(carbon.MeterConfig{Provider: p})
	if err != nil {
		return nil, err
	}
	used, err := cpu()
	if err != nil {
		return nil, err
	}
	return &power{cpu: cpu, estimate: estimate, meter: meter, line: line, wall: time.Now(), used: used}, nil
}

// tick accounts for the energy since the last tick, at the intensity of the time it was used in.
func (p *power) tick(ctx context.Context) error {
	now := time.Now()
	used, err := p.cpu()
	if err != nil {
		return err
	}
	if used <= p.used || !now.After(p.wall) {
		return nil
	}
	energy, err := p.estimate.Estimate(used - p.used)
	if err != nil {
		return err
	}
	if err := p.meter.Add(ctx, p.line.At(p.wall), p.line.At(now), energy); err != nil {
		return err
	}
	p.wall, p.used = now, used
	p.joules += energy.Joules
	return nil
}
