//go:build !linux

package resources

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/net"
	"github.com/shirou/gopsutil/v3/process"
)

// hostProbes are the sources where gopsutil is the way. Some of its functions start programs such as ps or netstat; those
// that do so for want of anything else are not worth that each second and are left out.
func hostProbes() []*probe {
	probes := []*probe{cpuProbe(), memoryProbe(), swapProbe(), rssProbe(), processCPUProbe(), ioProbe()}
	if runtime.GOOS != "windows" { // gopsutil would leave a goroutine behind to emulate it
		probes = append(probes, loadProbe())
	} else {
		probes = append(probes, networkProbe())
	}
	return probes
}

// cpuProbe keeps counters of its own instead of calling cpu.Percent, whose state is shared by the whole process.
func cpuProbe() *probe {
	var last cpuTimes
	var known bool
	var shares Value[CPUModes]
	return &probe{
		name: "cpu",
		read: func(time.Time) error {
			before, had := last, known
			known, shares = false, Value[CPUModes]{}
			all, err := cpu.TimesWithContext(context.Background(), false)
			if err != nil {
				return err
			}
			if len(all) == 0 {
				return errors.New("no counters")
			}
			for i, seconds := range [...]float64{all[0].User, all[0].Nice, all[0].System, all[0].Idle, all[0].Iowait, all[0].Irq, all[0].Softirq, all[0].Steal} {
				if !(seconds >= 0 && seconds < 1e12) {
					return errors.New("a counter is no time")
				}
				last[i] = uint64(seconds * 1e6)
			}
			known = true
			if had {
				shares.V, shares.OK = modes(before, last)
			}
			return nil
		},
		put: func(out *Sample) {
			out.Modes = shares
			out.CPU = busy(shares)
			out.CPUs = Of(runtime.NumCPU())
		},
	}
}

func memoryProbe() *probe {
	var host Memory
	return &probe{
		name: "memory",
		read: func(time.Time) error {
			vm, err := mem.VirtualMemoryWithContext(context.Background())
			if err != nil {
				return err
			}
			if vm.Total == 0 {
				return errors.New("no figures")
			}
			// UsedPercent is another figure in each version of the library; the share is worked out from Available.
			host = Memory{Total: Of(vm.Total), Available: Of(min(vm.Available, vm.Total))}
			return nil
		},
		put: func(out *Sample) { out.Host, out.Memory = host, host },
	}
}

func swapProbe() *probe {
	var total, used uint64
	return &probe{
		name: "swap",
		read: func(time.Time) error {
			swap, err := mem.SwapMemoryWithContext(context.Background())
			if err == nil {
				total, used = swap.Total, swap.Used
			}
			return err
		},
		put: func(out *Sample) { out.SwapTotal, out.SwapUsed = Of(total), Of(used) },
	}
}

func loadProbe() *probe {
	var avg load.AvgStat
	return &probe{
		name: "load",
		read: func(time.Time) error {
			now, err := load.AvgWithContext(context.Background())
			if err == nil {
				avg = *now
			}
			return err
		},
		put: func(out *Sample) { out.Load, out.Load5, out.Load15 = Of(avg.Load1), Of(avg.Load5), Of(avg.Load15) },
	}
}

func rssProbe() *probe {
	self := process.Process{Pid: int32(os.Getpid())}
	var rss uint64
	return &probe{
		name: "process memory",
		read: func(time.Time) error {
			info, err := self.MemoryInfoWithContext(context.Background())
			if err == nil {
				rss = info.RSS
			}
			return err
		},
		put: func(out *Sample) { out.Process.RSS = Of(rss) },
	}
}

func processCPUProbe() *probe {
	var used time.Duration
	return &probe{
		name: "process cpu",
		read: func(time.Time) (err error) {
			used, err = processCPU(context.Background())
			return err
		},
		put: func(out *Sample) { out.Process.CPU = Of(used) },
	}
}

func ioProbe() *probe {
	var sum ioSum
	return &probe{
		name: "disk io",
		read: func(now time.Time) error {
			sum.out = IO{}
			disks, err := disk.IOCountersWithContext(context.Background())
			if err != nil {
				return nil // not implemented without cgo on a Mac, switched off on some Windows servers
			}
			sum.begin()
			for name, c := range disks {
				sum.add([]byte(name), diskCounters{reads: c.ReadCount, read: c.ReadBytes, writes: c.WriteCount, written: c.WriteBytes})
			}
			sum.end(now)
			sum.out.Busy = Value[float64]{} // what IoTime means differs from system to system
			return nil
		},
		put: func(out *Sample) { out.IO = sum.out },
	}
}

func networkProbe() *probe {
	var sum netSum
	return &probe{
		name: "network",
		read: func(now time.Time) error {
			sum.out = Network{}
			links, err := net.IOCountersWithContext(context.Background(), true)
			if err != nil {
				return err
			}
			sum.begin()
			for _, c := range links {
				sum.add([]byte(c.Name), netCounters{received: c.BytesRecv, sent: c.BytesSent, errors: c.Errin + c.Errout, dropped: c.Dropin + c.Dropout}, false)
			}
			sum.end(now)
			return nil
		},
		put: func(out *Sample) { out.Network = sum.out },
	}
}
