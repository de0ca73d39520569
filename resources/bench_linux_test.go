package resources

import (
	"context"
	"os"
	"runtime/metrics"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/net"
	"github.com/shirou/gopsutil/v3/process"
	"github.com/stretchr/testify/require"
)

// benchFloor reads the given files from kept-open descriptors with one pread each and looks at nothing, and asks for the
// space of / and the usage of the process: what no way of measuring these can do without.
func benchFloor(tb testing.TB, names []string) func() {
	var fds []int
	for _, name := range names {
		fd, err := syscall.Open("/"+name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		require.NoError(tb, err, name)
		fds = append(fds, fd)
		tb.Cleanup(func() { _ = syscall.Close(fd) })
	}
	dir, err := syscall.Open("/proc/self/fd", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = syscall.Close(dir) })
	buf := make([]byte, 64<<10)
	path := []byte("/\x00")
	var fs syscall.Statfs_t
	var stat syscall.Stat_t
	var use syscall.Rusage
	runtime := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/cpu/classes/total:cpu-seconds"}}
	return func() {
		for i, fd := range fds {
			if n, err := syscall.Pread(fd, buf, 0); n == 0 || err != nil {
				tb.Fatalf("%s: %d %v", names[i], n, err)
			}
		}
		_ = syscall.Fstat(dir, &stat)
		_ = statfs(path, &fs)
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &use)
		metrics.Read(runtime)
	}
}

// benchSampler is a sampler with every source of this machine, and the files it keeps open.
func benchSampler(tb testing.TB) (*Sampler, []string) {
	files := &openFiles{FS: os.DirFS("/")}
	s, err := newSamplerOf(SamplerConfig{Disk: "/"}, procProbes(files))
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close(context.Background())) })
	_, err = s.Sample(context.Background())
	require.NoError(tb, err)
	names := slices.DeleteFunc(files.names(), func(name string) bool {
		return name == "proc/self/fd" || name == "proc/self/cgroup" || name == "proc/self/mountinfo" || strings.HasSuffix(name, "/device")
	})
	return s, names
}

// BenchmarkSampleAgainstFloor alternates between the floor and our sample, so that both see the same load, and goes on with
// what gopsutil has of the same readings, by itself because its garbage would burden the others. It reports the ratios of
// the medians.
func BenchmarkSampleAgainstFloor(b *testing.B) {
	s, names := benchSampler(b)
	floor := benchFloor(b, names)
	ctx := context.Background()
	var took [3][]time.Duration
	timed := func(i int, f func()) {
		start := time.Now()
		f()
		took[i] = append(took[i], time.Since(start))
	}
	for b.Loop() {
		timed(0, floor)
		timed(1, func() {
			if _, err := s.Sample(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
	for range len(took[0]) / 8 {
		timed(2, benchGopsutil)
	}
	var median [3]float64
	for i := range took {
		slices.Sort(took[i])
		median[i] = float64(took[i][len(took[i])/2])
	}
	b.ReportMetric(median[0], "floor-ns")
	b.ReportMetric(median[1], "sample-ns")
	b.ReportMetric(median[1]/median[0], "sample/floor")
	b.ReportMetric(median[2]/median[0], "gopsutil/floor")
	b.ReportMetric(float64(len(names)), "files")
}

// benchGopsutil makes what it can of the same readings: no cgroups, no pressure, no open files.
func benchGopsutil() {
	self := process.Process{Pid: int32(os.Getpid())}
	_, _ = cpu.Percent(0, false)
	_, _ = load.Avg()
	_, _ = mem.VirtualMemory()
	_, _ = mem.SwapMemory()
	_, _ = disk.Usage("/")
	_, _ = disk.IOCounters()
	_, _ = net.IOCounters(true)
	_, _ = self.MemoryInfo()
	_, _ = self.NumThreads()
	_, _ = self.IOCounters()
}

func BenchmarkGopsutil(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		benchGopsutil()
	}
}

// BenchmarkProbes is what each source costs, without the goroutine that it runs in.
func BenchmarkProbes(b *testing.B) {
	s, _ := benchSampler(b)
	for _, p := range s.probes {
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := p.read(time.Now()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSamplerCPU reports the CPU time of a sample, all threads together: at one sample per second it is the share of
// a core, in millionths per microsecond.
func BenchmarkSamplerCPU(b *testing.B) {
	s, _ := benchSampler(b)
	used := func() time.Duration {
		var use syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &use)
		return time.Duration(syscall.TimevalToNsec(use.Utime) + syscall.TimevalToNsec(use.Stime))
	}
	before, n := used(), 0
	for b.Loop() {
		_, _ = s.Sample(context.Background())
		n++
	}
	per := (used() - before).Seconds() / float64(n)
	b.ReportMetric(per*1e6, "cpu-us/sample")
	b.ReportMetric(per*100, "%core@1Hz")
}
