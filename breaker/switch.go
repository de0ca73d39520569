package breaker

import (
	"fmt"
	"time"
)

// Switch is one change of the active target of a [Failover].
type Switch struct {
	From, To string
	Reason   SwitchReason
	Health   float64 // of From
	At       time.Time
}

// SwitchReason is why the active target changed.
type SwitchReason uint8

const (
	TargetFailed    SwitchReason = iota + 1 // the health of From fell below FailoverConfig.FailBelow
	TargetRecovered                         // To, of higher priority, kept FailoverConfig.FailbackAt for FailoverConfig.Hold
)

func (r SwitchReason) String() string {
	switch r {
	case TargetFailed:
		return "target failed"
	case TargetRecovered:
		return "preferred target recovered"
	}
	return fmt.Sprintf("reason %d", uint8(r))
}
