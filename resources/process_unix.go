//go:build unix && !linux

package resources

import (
	"context"
	"syscall"
	"time"
)

// processCPU asks the kernel directly. gopsutil starts ps for it on a Mac without cgo.
func processCPU(context.Context) (time.Duration, error) {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0, err
	}
	return time.Duration(syscall.TimevalToNsec(use.Utime) + syscall.TimevalToNsec(use.Stime)), nil
}
