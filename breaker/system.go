package breaker

import (
	"fmt"
	"time"
)

// System is the state of all targets and components of a [Failover] at one instant.
type System struct {
	State       SystemState
	Active      string
	Mean        float64  // health, of targets and components
	Operational int      // how many have not failed
	Members     []Member // targets in order of priority, then components
}

// Member is the state of a target or component.
type Member struct {
	Name     string
	Target   bool
	Active   bool
	Health   float64 // from 0 to 1, with dependencies and age
	Failed   bool
	FailedBy string  // the failed dependency that makes Health 0, if any
	Reported float64 // the last report by itself
	At       time.Time
	// Refusal is why the target did not take over when it was last asked to; nil after it did.
	Refusal error
}

// SystemState grades a System. States compare by rank: a higher one is worse, and max is the worst of several.
type SystemState uint8

const (
	// SystemHealthy: the mean health is .8 or above, and everything is at FailoverConfig.FailbackAt or above.
	SystemHealthy SystemState = iota
	// SystemDegraded: else, the mean health is .6 or above, 80 % are operational, and the active target is.
	SystemDegraded
	// SystemCritical: else, half are operational.
	SystemCritical
	// SystemFailing: else, something is operational.
	SystemFailing
	// SystemFailed: nothing is operational.
	SystemFailed
)

func (s SystemState) String() string {
	switch s {
	case SystemHealthy:
		return "healthy"
	case SystemDegraded:
		return "degraded"
	case SystemCritical:
		return "critical"
	case SystemFailing:
		return "failing"
	case SystemFailed:
		return "failed"
	}
	return fmt.Sprintf("system state %d", uint8(s))
}

// systemState grades by the mean health, the part that is operational, and whether everything is healthy.
func systemState(mean, operational float64, healthy bool) SystemState {
	const slack = 1e-9 // three at .8 have a mean of .8 whatever the rounding
	switch {
	case mean >= .8-slack && healthy:
		return SystemHealthy
	case mean >= .6-slack && operational >= .8-slack:
		return SystemDegraded
	case operational >= .5:
		return SystemCritical
	case operational > 0:
		return SystemFailing
	}
	return SystemFailed
}
