package retry

import (
	"fmt"
	"time"
)

// Stage says how far an attempt has got on the way from slow to stuck.
type Stage uint8

const (
	Slow    Stage = iota + 1 // it has reached the soft limit
	Overran                  // it has reached the hard limit and is cancelled
	Stuck                    // it has been cancelled and has not returned
)

func (s Stage) String() string {
	switch s {
	case Slow:
		return "slow"
	case Overran:
		return "overran"
	case Stuck:
		return "stuck"
	default:
		return fmt.Sprintf("Stage(%d)", uint8(s))
	}
}

// Stall is the report of a [Watchdog] on an attempt that has reached a limit. Elapsed and Silent may be short of the truth
// by as much as limits are enforced late, because beginnings, and beats where limits are fixed, have the time at which they
// were noticed.
type Stall struct {
	Stage   Stage
	Attempt uint64        // its token, the same in all its reports
	Limit   time.Duration // that was reached; for Stuck, the one that cancelled it
	Elapsed time.Duration // since the attempt began
	Silent  time.Duration // since its last beat, or its beginning: equal to Elapsed if there was no beat
	// Cancelled is how long ago the hard limit was reached, if the attempt is stuck.
	Cancelled time.Duration
	// Stacks are those of all goroutines, cut off at WatchdogConfig.Dump bytes. Stalls found together share them.
	Stacks []byte
}
