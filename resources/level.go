package resources

import "fmt"

// Level is how near a resource is to its end. Levels are compared by rank: Unknown < Normal < Warn < Critical.
type Level uint8

const (
	// Unknown means that there is no value.
	Unknown Level = iota
	// Normal is below the warning threshold.
	Normal
	// Warn is at or above the warning threshold.
	Warn
	// Critical is at or above the critical threshold.
	Critical
)

// String returns "unknown", "normal", "warn" or "critical".
func (l Level) String() string {
	switch l {
	case Normal:
		return "normal"
	case Warn:
		return "warn"
	case Critical:
		return "critical"
	default:
		return "unknown"
	}
}

// MarshalText is String.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Thresholds are shares in use, 0 to 1, from which on a level is reached. A field that is 0 has its default.
type Thresholds struct {
	Warn     float64 // default 0.8
	Critical float64 // default 0.9
	// Resume is the share below which a resource that was critical is fit for use again: a value that hovers around
	// Critical does not flap. Default halfway between Warn and Critical.
	Resume float64
	// Clear is the share below which a warning ends, for the same reason. Default 0.95 of Warn.
	Clear float64
}

func (t Thresholds) withDefaults() Thresholds {
	if t.Warn == 0 {
		t.Warn = 0.8
	}
	if t.Critical == 0 {
		t.Critical = 0.9
	}
	if t.Resume == 0 {
		t.Resume = (t.Warn + t.Critical) / 2
	}
	if t.Clear == 0 {
		t.Clear = 0.95 * t.Warn
	}
	return t
}

// Validate refuses thresholds that are not 0 < Clear <= Warn <= Resume <= Critical <= 1 once the defaults are in.
func (t Thresholds) Validate() error {
	t = t.withDefaults()
	if !(0 < t.Clear && t.Clear <= t.Warn && t.Warn <= t.Resume && t.Resume <= t.Critical && t.Critical <= 1) {
		return fmt.Errorf("resources: thresholds: Clear %v, Warn %v, Resume %v, Critical %v are not 0 < Clear <= Warn <= Resume <= Critical <= 1", t.Clear, t.Warn, t.Resume, t.Critical)
	}
	return nil
}

// Level is the level of a share in use by itself, without hysteresis; Unknown for an absent one and for NaN.
func (t Thresholds) Level(used Value[float64]) Level {
	t = t.withDefaults()
	switch { // the highest threshold first, or the lower one would hide it
	case !used.OK || used.V != used.V:
		return Unknown
	case used.V >= t.Critical:
		return Critical
	case used.V >= t.Warn:
		return Warn
	default:
		return Normal
	}
}
