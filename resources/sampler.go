package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/process"
)

const (
	defaultDiskTimeout = time.Second
	rescan             = time.Minute // a process is hardly ever moved to another cgroup; limits are read each time
	heapMetric         = "/memory/classes/heap/objects:bytes"
)

var (
	// ErrNoAnswer is found in the error of [Sampler.Sample] when a source has not answered in time.
	ErrNoAnswer = errors.New("resources: no answer")
	// ErrClosed is returned by a closed [Sampler].
	ErrClosed = errors.New("resources: sampler is closed")
)

// SamplerConfig configures a [Sampler]. The zero value is good.
type SamplerConfig struct {
	// Disk is a path on the file system to watch, such as the checkpoint directory. Default: none is watched.
	Disk string
	// Timeout is how long a sample waits for the file system, which may hang. Default 1 second.
	Timeout time.Duration
}

// Sampler takes samples. It has CPU counters of its own, so that two of them do not steal each other's interval.
// Safe for concurrent use, but then each caller's CPU interval begins at any other's sample: better one each. Create one
// with [NewSampler] and close it; nil and the zero Sampler refuse to sample.
type Sampler struct {
	root    fs.FS
	disk    *diskProbe // nil: not watched
	process process.Process

	// Guarded by mu.
	mu      sync.Mutex
	last    cpuCounter
	trees   []hierarchy // the cgroups as of scanned
	scanned time.Time
	closed  bool
}

// cpuCounter is CPU time since boot, in seconds.
type cpuCounter struct {
	idle, total float64
	known       bool
}

// NewSampler checks the configuration and returns a sampler.
func NewSampler(cfg SamplerConfig) (*Sampler, error) {
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("resources: Timeout %v is negative", cfg.Timeout)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultDiskTimeout
	}
	s := &Sampler{root: os.DirFS("/"), process: process.Process{Pid: int32(os.Getpid())}}
	if cfg.Disk != "" {
		s.disk = &diskProbe{path: cfg.Disk, timeout: cfg.Timeout, usage: diskUsage}
	}
	return s, nil
}

// Sample measures everything once. What could not be measured is absent; the joined error says why, and the rest of the
// sample is good all the same. Only a nil, zero or closed Sampler and a ctx already done give no sample at all.
func (s *Sampler) Sample(ctx context.Context) (Sample, error) {
	if s == nil || s.root == nil {
		return Sample{}, errors.New("resources: not made by NewSampler")
	}
	if err := ctx.Err(); err != nil {
		return Sample{}, fmt.Errorf("resources: %w", err)
	}
	var call *diskCall
	s.mu.Lock()
	closed := s.closed
	if !closed && s.disk != nil {
		call = s.disk.start() // under mu, so that Close finds it
	}
	s.mu.Unlock()
	if closed {
		return Sample{}, ErrClosed
	}
	out := Sample{At: time.Now()}
	var failed []error
	try := func(name string, err error) {
		if err != nil {
			failed = append(failed, fmt.Errorf("resources: %s: %w", name, err))
		}
	}
	try("cpu", s.readCPU(ctx, &out))
	try("load", readLoad(ctx, &out))
	try("memory", readHost(ctx, &out))
	try("container memory", s.readContainer(&out))
	try("swap", readSwap(ctx, &out))
	try("process memory", s.readRSS(ctx, &out))
	try("process cpu", readProcessCPU(ctx, &out))
	readRuntime(&out)
	if call != nil {
		var err error
		out.Disk, err = s.disk.wait(ctx, call)
		try(fmt.Sprintf("disk %q", s.disk.path), err)
	}
	return out, errors.Join(failed...)
}

// Close ends sampling and waits, until ctx is done, for a file system that has not answered yet. Closing twice is fine.
func (s *Sampler) Close(ctx context.Context) error {
	if s == nil || s.root == nil {
		return nil
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.disk == nil {
		return nil
	}
	if err := s.disk.close(ctx); err != nil {
		return fmt.Errorf("resources: disk %q: %w", s.disk.path, err)
	}
	return nil
}

// readCPU reads the counters itself instead of calling cpu.Percent, whose state is shared by the whole process.
func (s *Sampler) readCPU(ctx context.Context, out *Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return err
	}
	if len(times) == 0 { // gopsutil drops the error of an unreadable file
		return errors.New("no counters")
	}
	t, before := times[0], s.last
	s.last = cpuCounter{
		idle: t.Idle + t.Iowait,
		// Guest time is left out: it is part of User already.
		total: t.User + t.System + t.Idle + t.Nice + t.Iowait + t.Irq + t.Softirq + t.Steal,
		known: true,
	}
	out.CPU = busy(before, s.last)
	return nil
}

// busy is absent without a first reading, without progress, and when a counter went back.
func busy(before, now cpuCounter) Value[float64] {
	total, idle := now.total-before.total, now.idle-before.idle
	if !before.known || !now.known || !(total > 0) || !(idle >= 0) {
		return Value[float64]{}
	}
	return Of(max(0, 1-idle/total))
}

func readLoad(ctx context.Context, out *Sample) error {
	if runtime.GOOS == "windows" {
		return nil // gopsutil would leave a goroutine behind to emulate it
	}
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return err
	}
	out.Load = Of(avg.Load1)
	return nil
}

func readHost(ctx context.Context, out *Sample) error {
	vm, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return err
	}
	if vm.Total == 0 { // gopsutil drops the error of an unreadable file
		return errors.New("no figures")
	}
	// UsedPercent is another figure in each version of the library; the share is worked out from Available.
	out.Host = Memory{Total: Of(vm.Total), Available: Of(min(vm.Available, vm.Total))}
	return nil
}

// readContainer puts the limits of the cgroups to the host's memory. If they cannot be read, Memory stays absent: the
// host's figures must not pass for the container's.
func (s *Sampler) readContainer(out *Sample) error {
	trees, err := s.cgroups(out.At)
	if err != nil {
		return err
	}
	limit, limited, err := containerMemory(s.root, trees, out.Host.Total.V)
	if err != nil {
		return err
	}
	out.Memory = out.Host
	if limited {
		out.Memory = Memory{Total: Of(limit.total), Available: Of(limit.available), Limited: true}
		if out.Host.Available.OK {
			out.Memory.Available.V = min(limit.available, out.Host.Available.V)
		}
	}
	return nil
}

func (s *Sampler) cgroups(now time.Time) ([]hierarchy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.scanned.IsZero() && now.Sub(s.scanned) < rescan {
		return s.trees, nil
	}
	trees, err := findHierarchies(s.root)
	if err == nil {
		s.trees, s.scanned = trees, now
	}
	return trees, err
}

func readSwap(ctx context.Context, out *Sample) error {
	swap, err := mem.SwapMemoryWithContext(ctx)
	if err != nil {
		return err
	}
	out.SwapTotal, out.SwapUsed = Of(swap.Total), Of(swap.Used)
	return nil
}

func (s *Sampler) readRSS(ctx context.Context, out *Sample) error {
	info, err := s.process.MemoryInfoWithContext(ctx)
	if err != nil {
		return err
	}
	out.Process.RSS = Of(info.RSS)
	return nil
}

func readProcessCPU(ctx context.Context, out *Sample) error {
	used, err := processCPU(ctx)
	if err != nil {
		return err
	}
	out.Process.CPU = Of(used)
	return nil
}

func readRuntime(out *Sample) {
	out.Process.Goroutines = Of(runtime.NumGoroutine())
	heap := []metrics.Sample{{Name: heapMetric}}
	metrics.Read(heap)
	if heap[0].Value.Kind() == metrics.KindUint64 {
		out.Process.Heap = Of(heap[0].Value.Uint64())
	}
}
