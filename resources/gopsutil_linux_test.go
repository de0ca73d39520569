package resources

import (
	"os"
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

// between calls read before and after ours until what we say lies between the two: the machine goes on meanwhile.
func between(t *testing.T, name string, oracle, ours func() float64) {
	t.Helper()
	var low, high, mine float64
	for range 50 {
		low = oracle()
		mine = ours()
		if high = oracle(); low > high {
			low, high = high, low
		}
		margin := 1e-9*max(1, high) + (high-low)/10
		if low-margin <= mine && mine <= high+margin {
			return
		}
	}
	t.Errorf("%s: %v is not between %v and %v", name, mine, low, high)
}

// TestAgreesWithGopsutil compares what both read of this machine. Where gopsutil means something else, it says so.
func TestAgreesWithGopsutil(t *testing.T) {
	s, err := NewSampler(SamplerConfig{Disk: "/", Timeout: time.Minute})
	require.NoError(t, err)
	_, err = s.Sample(t.Context())
	require.NoError(t, err)
	sample := func() Sample {
		out, err := s.Sample(t.Context())
		require.NoError(t, err)
		return out
	}
	self := process.Process{Pid: int32(os.Getpid())}
	must := func(v any, err error) any { require.NoError(t, err); return v }
	vm := func() *mem.VirtualMemoryStat { return must(mem.VirtualMemory()).(*mem.VirtualMemoryStat) }
	space := func() *disk.UsageStat { return must(disk.Usage("/")).(*disk.UsageStat) }
	for name, tc := range map[string]struct{ oracle, ours func() float64 }{
		"memory total":     {func() float64 { return float64(vm().Total) }, func() float64 { return float64(sample().Host.Total.V) }},
		"memory available": {func() float64 { return float64(vm().Available) }, func() float64 { return float64(sample().Host.Available.V) }},
		"swap":             {func() float64 { return float64(vm().SwapTotal) }, func() float64 { return float64(sample().SwapTotal.V) }},
		"load":             {func() float64 { return must(load.Avg()).(*load.AvgStat).Load5 }, func() float64 { return sample().Load5.V }},
		"disk total":       {func() float64 { return float64(space().Used + space().Free) }, func() float64 { d := sample().Disk; return float64(d.Total.V) }},
		"disk free":        {func() float64 { return float64(space().Free) }, func() float64 { return float64(sample().Disk.Free.V) }},
		"inodes free":      {func() float64 { return float64(space().InodesFree) }, func() float64 { return float64(sample().Disk.FreeInodes.V) }},
		"rss":              {func() float64 { return float64(must(self.MemoryInfo()).(*process.MemoryInfoStat).RSS) }, func() float64 { return float64(sample().Process.RSS.V) }},
		"threads":          {func() float64 { return float64(must(self.NumThreads()).(int32)) }, func() float64 { return float64(sample().Process.Threads.V) }},
		"cpus":             {func() float64 { return float64(must(cpu.Counts(true)).(int)) }, func() float64 { return float64(sample().CPUs.V) }},
		"open files": {func() float64 {
			entries, err := os.ReadDir("/proc/self/fd")
			require.NoError(t, err)
			return float64(len(entries) - 1) // the one that reads
		}, func() float64 { return float64(sample().Process.Files.V) }},
	} {
		t.Run(name, func(t *testing.T) { between(t, name, tc.oracle, tc.ours) })
	}

	t.Run("counters", func(t *testing.T) {
		file := procFile{root: os.DirFS("/"), name: "proc/diskstats", lines: true}
		defer file.close()
		text, err := file.read(time.Now())
		require.NoError(t, err)
		theirs, err := disk.IOCounters()
		require.NoError(t, err)
		require.NoError(t, parseDisks(text, func(name []byte, c diskCounters) {
			d, ok := theirs[string(name)]
			require.True(t, ok, "%s", name)
			require.GreaterOrEqual(t, d.ReadBytes, c.read)
			require.GreaterOrEqual(t, d.WriteBytes, c.written)
			require.GreaterOrEqual(t, d.ReadCount+d.WriteCount, c.reads+c.writes)
			require.GreaterOrEqual(t, d.IoTime, c.busy)
			require.InEpsilon(t, float64(1+d.WriteBytes), float64(1+c.written), .1)
		}))
		links := procFile{root: os.DirFS("/"), name: "proc/self/net/dev", lines: true}
		defer links.close()
		if text, err = links.read(time.Now()); missing(err) {
			return
		}
		require.NoError(t, err)
		counters, err := net.IOCounters(true)
		require.NoError(t, err)
		byName := map[string]net.IOCountersStat{}
		for _, c := range counters {
			byName[c.Name] = c
		}
		seen := 0
		require.NoError(t, parseNetwork(text, func(name []byte, c netCounters) {
			n, ok := byName[string(name)]
			require.True(t, ok, "%s", name)
			seen++
			require.GreaterOrEqual(t, n.BytesRecv, c.received)
			require.GreaterOrEqual(t, n.BytesSent, c.sent)
			require.InEpsilon(t, float64(1+n.BytesSent), float64(1+c.sent), .1)
			require.GreaterOrEqual(t, n.Errin+n.Errout, c.errors)
			require.GreaterOrEqual(t, n.Dropin+n.Dropout, c.dropped)
		}))
		delete(byName, "lo")
		require.Len(t, byName, seen)
	})

	t.Run("cpu time", func(t *testing.T) {
		text, err := os.ReadFile("/proc/stat")
		require.NoError(t, err)
		theirs, err := cpu.Times(false)
		require.NoError(t, err)
		ours, _, err := parseCPU(text)
		require.NoError(t, err)
		const ticks = 100 // USER_HZ, on all that Go runs on
		for i, v := range []float64{theirs[0].User, theirs[0].Nice, theirs[0].System, theirs[0].Idle, theirs[0].Iowait, theirs[0].Irq, theirs[0].Softirq, theirs[0].Steal} {
			require.InDelta(t, v, float64(ours[i])/ticks, 5+v/1e4, "mode %d", i)
		}
	})

	require.NoError(t, s.Close(t.Context()))
}
