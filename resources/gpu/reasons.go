package gpu

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Reasons are the reasons why a clock is not higher, as a set of bits. The bits are those of NVML
// (nvmlClocksEventReason), where more may be added.
type Reasons uint64

// The reasons.
const (
	Idle         Reasons = 1 << 0 // nothing runs
	ClockSetting Reasons = 1 << 1 // somebody has set the clocks so
	PowerCap     Reasons = 1 << 2 // at the power limit: the normal state of a GPU under full load
	// HardwareSlowdown is a cut by a factor of 2 or more: too hot, the power supply says so, or too much power at once.
	HardwareSlowdown Reasons = 1 << 3
	SyncBoost        Reasons = 1 << 4  // held to the pace of other GPUs of its group
	SoftwareThermal  Reasons = 1 << 5  // the driver cools it down
	HardwareThermal  Reasons = 1 << 6  // a factor of 2 or more: the hardware cools down
	PowerBrake       Reasons = 1 << 7  // a factor of 2 or more: the power supply says so
	DisplaySetting   Reasons = 1 << 8  // a display asks for it
	BoardLimit       Reasons = 1 << 9  // the board
	Reliability      Reasons = 1 << 10 // the voltage cannot be higher
)

var _ fmt.Stringer = Reasons(0)

func reasonNames() [11]string {
	return [...]string{
		"idle", "clock setting", "power cap", "hardware slowdown", "sync boost", "software thermal", "hardware thermal",
		"power brake", "display setting", "board limit", "reliability",
	}
}

// String lists the reasons, "none" when there is none.
func (r Reasons) String() string {
	if r == 0 {
		return "none"
	}
	var names []string
	for i, name := range reasonNames() {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if rest := r &^ (1<<11 - 1); rest != 0 {
		names = append(names, fmt.Sprintf("0x%x", uint64(rest)))
	}
	return strings.Join(names, ", ")
}

// MarshalJSON writes the names.
func (r Reasons) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }
