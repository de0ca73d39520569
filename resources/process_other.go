//go:build !unix

package resources

import (
	"context"
	"os"
	"time"

	"github.com/shirou/gopsutil/v3/process"
)

func processCPU(ctx context.Context) (time.Duration, error) {
	self := process.Process{Pid: int32(os.Getpid())}
	times, err := self.TimesWithContext(ctx)
	if err != nil {
		return 0, err
	}
	return time.Duration((times.User + times.System) * float64(time.Second)), nil
}
