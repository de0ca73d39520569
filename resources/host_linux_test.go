package resources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/bits"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func hostSample(t testing.TB, s *Sampler) Sample {
	t.Helper()
	out, err := s.Sample(context.Background())
	require.NoError(t, err)
	return out
}

func hostStat(busy, idle int) string {
	return fmt.Sprintf("cpu  %d 0 0 %d %d 0 0 0 %d 0\ncpu0 1 2 3 4\nbtime 1\n", busy, idle-idle/3, idle/3, busy/3)
}

// TestHostFixture reads everything twice, ten seconds apart.
func TestHostFixture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root := newLiveFS(fixtureHost())
		s := fixtureSampler(t, root, SamplerConfig{})
		out := hostSample(t, s)
		none := Value[float64]{}
		zero := Counter{Total: Of(uint64(0))}
		require.Equal(t, []Value[float64]{none, Of(1.5), Of(1.25), Of(.5)}, []Value[float64]{out.CPU, out.Load, out.Load5, out.Load15})
		require.Equal(t, Of(2), out.CPUs)
		require.Equal(t, Memory{Total: Of(uint64(16 << 30)), Available: Of(uint64(12 << 30))}, out.Host)
		require.Equal(t, Of(.25), out.Host.Used(), "from Available, whatever else a library makes of it")
		require.Equal(t, out.Host, out.Memory, "no cgroup, no limit")
		require.Equal(t, []Value[uint64]{Of(uint64(2 << 30)), Of(uint64(1 << 30))}, []Value[uint64]{out.SwapTotal, out.SwapUsed})
		require.Equal(t, Pressure{CPU: Stall{Some10: Of(.125)}, Memory: Stall{Some10: Of(0.0), Full10: Of(0.0)}, IO: Stall{Some10: Of(.5), Full10: Of(.25)}}, out.Pressure)
		require.Equal(t, IO{Read: zero, Written: zero, Reads: zero, Writes: zero}, out.IO)
		require.Equal(t, Network{Received: zero, Sent: zero, Errors: zero, Dropped: zero}, out.Network)
		require.Zero(t, out.Container)
		require.Equal(t, Of(uint64(250*os.Getpagesize())), out.Process.RSS)
		require.Equal(t, Of(17), out.Process.Threads)
		require.Equal(t, Of(uint64(2)), out.Process.Files)
		require.Positive(t, out.Process.FilesLimit.V)
		require.Equal(t, []Counter{zero, zero}, []Counter{out.Process.Read, out.Process.Written})
		require.Equal(t, zero, out.Process.MajorFaults)
		require.Nil(t, out.GPUs)

		<-time.After(10 * time.Second)
		change := func(name, old, new string) {
			text := fixtureHost()[name]
			require.Contains(t, text, old)
			root.set(name, strings.ReplaceAll(text, old, new))
		}
		// 100 ticks more of user, 50 of nice, 30 system, 600 idle, 200 waiting, 10 irq, 5 softirq, 5 stolen
		change("proc/stat", "cpu  1000 0 0 6000 3000 0 0 0 300 0", "cpu  1100 50 30 6600 3200 10 5 5 400 0")
		change("proc/diskstats", "nvme0n1 100 1 2000 50 200 2 4000 60 0 1000 110", "nvme0n1 150 1 4000 50 300 2 4010 60 0 6000 110")
		change("proc/self/net/dev", "  eth0:    1000   10    1    2    0     0          0         0     2000      20    3    4", "  eth0:   11000   10    6    2    0     0          0         0    22000      20    3   14")
		change("proc/pressure/cpu", "total=1000000", "total=6000000")
		change("proc/pressure/io", "total=4000", "total=10004000")
		change("proc/self/io", "read_bytes: 4096", "read_bytes: 14096")
		out = hostSample(t, s)
		require.InDelta(t, .2, out.CPU.V, 1e-12)
		m := out.Modes.V
		require.True(t, out.Modes.OK)
		require.InDeltaSlice(t, []float64{.1, .05, .03, .6, .2, .01, .005, .005}, []float64{m.User, m.Nice, m.System, m.Idle, m.IOWait, m.IRQ, m.SoftIRQ, m.Steal}, 1e-12)
		require.Equal(t, Stall{Some: Of(.5), Some10: Of(.125)}, out.Pressure.CPU)
		require.Equal(t, Stall{Some: Of(0.0), Full: Of(1.0), Some10: Of(.5), Full10: Of(.25)}, out.Pressure.IO)
		require.Equal(t, IO{
			Read: Counter{Of(uint64(2000 * 512)), Of(2000 * 51.2)}, Written: Counter{Of(uint64(10 * 512)), Of(512.0)},
			Reads: Counter{Of(uint64(50)), Of(5.0)}, Writes: Counter{Of(uint64(100)), Of(10.0)}, Busy: Of(.5),
		}, out.IO, "neither the partition nor the mapped device count twice")
		require.Equal(t, Network{
			Received: Counter{Of(uint64(10000)), Of(1000.0)}, Sent: Counter{Of(uint64(20000)), Of(2000.0)},
			Errors: Counter{Of(uint64(5)), Of(.5)}, Dropped: Counter{Of(uint64(10)), Of(1.0)},
		}, out.Network, "of eth0, not of the virtual interface, nor of the loopback")
		require.Equal(t, Counter{Of(uint64(10000)), Of(1000.0)}, out.Process.Read)
		require.Equal(t, Counter{Of(uint64(0)), Of(0.0)}, out.Process.Written)
		require.NoError(t, s.Close(t.Context()))
		require.Zero(t, root.opened())
	})
}

// TestTwoSamplersHaveTheirOwnInterval: with gopsutil's own cpu.Percent the second caller gets what the first has left.
func TestTwoSamplersHaveTheirOwnInterval(t *testing.T) {
	t.Parallel()
	root := newLiveFS(fixtureHost())
	set := func(busy, idle int) { root.set("proc/stat", hostStat(busy, idle)) }
	set(1000, 9000)
	a, b := fixtureSampler(t, root, SamplerConfig{}), fixtureSampler(t, root, SamplerConfig{})
	cpu := func(s *Sampler) Value[float64] { return hostSample(t, s).CPU }
	require.False(t, cpu(a).OK, "the first reading is neither 0 nor 100 %")
	require.False(t, cpu(b).OK)
	set(1300, 9700)
	require.InDelta(t, .3, cpu(a).V, 1e-9)
	require.InDelta(t, .3, cpu(b).V, 1e-9)
	require.False(t, cpu(a).OK, "no progress, no share")
	set(1400, 9700)
	require.InDelta(t, 1, cpu(a).V, 1e-9)
	set(1400, 9800)
	require.InDelta(t, .5, cpu(b).V, 1e-9)
	require.InDelta(t, 0, cpu(a).V, 1e-9)
}

func TestCPUCounterGoingBack(t *testing.T) {
	t.Parallel()
	root := newLiveFS(fixtureHost())
	s := fixtureSampler(t, root, SamplerConfig{})
	for i, step := range []struct {
		stat string
		want Value[float64]
	}{
		{hostStat(1000, 9000), Value[float64]{}},
		{hostStat(1100, 9100), Of(.5)},
		{hostStat(10, 20), Value[float64]{}}, // a reset
		{hostStat(20, 30), Of(.5)},           // and on from there
		{hostStat(500, 29), Value[float64]{}},
		{hostStat(600, 129), Of(.5)},
		{"cpu 600 0 0 100 40\n", Of(0.0)}, // a little more of waiting
		{"cpu 700 0 0 210 30\n", Of(.5)},  // waiting goes back now and then
		{"cpu 800 0 0 310 30 0 0 0\n", Of(.5)},
		{"cpu 900 0 0 309 29 0 0 0\n", Value[float64]{}},
		{"cpu 18446744073709551615 0 0 400 29\n", Of(1.0)}, // huge, and almost all of it busy
		{"cpu 0 0 0 500 29\n", Value[float64]{}},           // wrapped
	} {
		root.set("proc/stat", step.stat)
		out := hostSample(t, s)
		require.Equal(t, step.want.OK, out.CPU.OK, "step %d", i)
		require.InDelta(t, step.want.V, out.CPU.V, 1e-9, "step %d", i)
		if m := out.Modes; m.OK {
			require.InDelta(t, 1, m.V.User+m.V.Nice+m.V.System+m.V.Idle+m.V.IOWait+m.V.IRQ+m.V.SoftIRQ+m.V.Steal, 1e-9)
		}
	}
}

// TestDevicesComeAndGo: what counts is what each device does, so that no rate leaps when one appears, is removed or
// starts again from 0.
func TestDevicesComeAndGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root := newLiveFS(fixtureHost())
		s := fixtureSampler(t, root, SamplerConfig{})
		root.set("sys/class/net/eth1/device/vendor", "")
		link := func(name string, n uint64) string {
			return fmt.Sprintf("%6s:%d 0 0 0 0 0 0 0 %d 0 0 0 0 0 0 0\n", name, n, 2*n)
		}
		disk := func(name string, n uint64) string {
			return fmt.Sprintf(" 8 0 %s %d 0 %d 0 %d 0 %d 0 0 %d 0\n", name, n, 2*n, 3*n, 4*n, n)
		}
		for i, step := range []struct {
			links, disks string
			total        uint64 // of bytes received and of reads
			rate         Value[float64]
		}{
			{link("eth0", 1000), disk("sda", 1000), 0, Value[float64]{}},
			{link("eth0", 1100), disk("sda", 1100), 100, Of(100.0)},
			{link("eth0", 1200) + link("eth1", 1<<60), disk("sda", 1200) + disk("sdb", 1<<40), 200, Of(100.0)}, // a new one
			{link("eth0", 1250) + link("eth1", 1<<60+50), disk("sda", 1250) + disk("sdb", 1<<40+50), 300, Of(100.0)},
			{link("eth1", 1<<60+70), disk("sdb", 1<<40+70), 320, Of(20.0)},                                   // one removed
			{link("eth1", 1<<60+70) + link("eth0", 9), disk("sdb", 1<<40+70) + disk("sda", 9), 320, Of(0.0)}, // and back
			{link("eth1", 5) + link("eth0", 10), disk("sdb", 5) + disk("sda", 10), 321, Of(1.0)},             // the other reset
			{link("eth0", 11) + link("eth1", 15), disk("sda", 11) + disk("sdb", 15), 332, Of(11.0)},          // in another order
			{link("eth0", 1), disk("sda", 1), 332, Value[float64]{}},                                         // all reset
			{"", "", 0, Value[float64]{}}, // all gone
			{link("eth0", 1), disk("sda", 1), 332, Value[float64]{}},
		} {
			if i > 0 {
				<-time.After(time.Second)
			}
			root.set("proc/self/net/dev", "a\nb\n"+link("lo", uint64(i)<<40)+step.links)
			root.set("proc/diskstats", step.disks)
			out := hostSample(t, s)
			if step.links == "" {
				require.Zero(t, out.Network, "no interface is not no traffic")
				require.Zero(t, out.IO)
				continue
			}
			require.Equal(t, Counter{Of(step.total), step.rate}, out.Network.Received, "step %d", i)
			require.Equal(t, Counter{Of(step.total), step.rate}, out.IO.Reads, "step %d", i)
			require.Equal(t, step.total*1024, out.IO.Read.Total.V, "step %d", i)
			require.LessOrEqual(t, out.IO.Busy.V, 1.0)
		}
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestWholeDisks(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, name := range strings.Fields("loop0 ram1 zram0 sda sda1 sda15 sdaa sdaa2 sdb vda vda1 nvme0n1 nvme0n1p1 nvme0n10 nvme0n10p2 nvme1c1n1 mmcblk0 mmcblk0p1 md127 dm-3 sr0 xvda1 nbd0 fd0 mdev") {
		fmt.Fprintf(&text, "8 0 %s 1 0 2 0 3 0 4 0 0 5 0\n", name)
	}
	var got []string
	require.NoError(t, parseDisks([]byte(text.String()), func(name []byte, c diskCounters) {
		got = append(got, string(name))
		require.Equal(t, diskCounters{reads: 1, read: 1024, writes: 3, written: 2048, busy: 5}, c)
	}))
	require.Equal(t, strings.Fields("sda sdaa sdb vda nvme0n1 nvme0n10 nvme1c1n1 mmcblk0 xvda1 nbd0 mdev"), got)
}

// TestSourcesAreIndependent: what cannot be read is absent and named in the error; what a machine does not have is absent
// without one; the rest is there.
func TestSourcesAreIndependent(t *testing.T) {
	t.Parallel()
	parts := func(s Sample) string {
		var names []string
		for name, there := range map[string]bool{
			"cpu": s.CPU.OK, "host": s.Host.Total.OK && s.Host.Available.OK, "memory": s.Memory.Total.OK && s.Memory.Available.OK, "load": s.Load.OK,
			"rss": s.Process.RSS.OK, "swap": s.SwapTotal.OK && s.SwapUsed.OK, "own": s.Process.CPU.OK && s.Process.Heap.OK && s.Process.Goroutines.OK,
			"psi": s.Pressure.CPU.Some.OK, "io": s.IO.Read.Rate.OK, "net": s.Network.Sent.Rate.OK, "threads": s.Process.Threads.OK,
			"files": s.Process.Files.OK, "bytes": s.Process.Read.Rate.OK,
		} {
			if there {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	const all = "bytes cpu files host io load memory net own psi rss swap threads"
	less := func(names ...string) string {
		return strings.Join(slices.DeleteFunc(strings.Fields(all), func(n string) bool { return slices.Contains(names, n) }), " ")
	}
	type spoil = func(*liveFS)
	gone := func(name string) spoil { return func(l *liveFS) { l.remove(name) } }
	bad := func(name, text string) spoil { return func(l *liveFS) { l.set(name, text) } }
	fails := func(name string, err error) spoil {
		return func(l *liveFS) { l.remove(name); l.fail(name, err) }
	}
	for name, tc := range map[string]struct {
		spoil spoil
		want  string
		err   string
	}{
		"nothing":             {func(*liveFS) {}, all, ""},
		"no meminfo":          {gone("proc/meminfo"), less("host", "memory", "swap"), "resources: memory: "},
		"bad meminfo":         {bad("proc/meminfo", "MemTotal: much kB\n"), less("host", "memory", "swap"), "resources: memory: "},
		"empty meminfo":       {bad("proc/meminfo", ""), less("host", "memory", "swap"), "resources: memory: "},
		"no MemAvailable":     {bad("proc/meminfo", "MemTotal: 5 kB\nMemFree: 5 kB\n"), less("host", "memory", "swap"), ""},
		"more than there is":  {bad("proc/meminfo", "MemTotal: 5 kB\nMemAvailable: 7 kB\nSwapTotal: 1 kB\nSwapFree: 2 kB\n"), all, ""},
		"no stat":             {gone("proc/stat"), less("cpu"), "resources: cpu: "},
		"bad stat":            {bad("proc/stat", "cpu 1 2 x 4 5\n"), less("cpu"), "resources: cpu: "},
		"negative stat":       {bad("proc/stat", "cpu 1 2 -3 4 5\n"), less("cpu"), "resources: cpu: "},
		"no load":             {gone("proc/loadavg"), less("load"), "resources: load: "},
		"NaN load":            {bad("proc/loadavg", "nan 1 1 1/2 3\n"), less("load"), "resources: load: "},
		"the process is gone": {gone("proc/self/statm"), less("rss"), "resources: process memory: "},
		"no pressure":         {gone("proc/pressure/cpu"), less("psi"), ""},
		"pressure is off":     {fails("proc/pressure/cpu", syscall.EOPNOTSUPP), less("psi"), ""},
		"bad pressure":        {bad("proc/pressure/cpu", "some avg10=NaN avg60=0 avg300=0 total=5\n"), less("psi"), "resources: cpu pressure: "},
		"negative pressure":   {bad("proc/pressure/cpu", "some avg10=-1.00 avg60=0 avg300=0 total=5\n"), less("psi"), "resources: cpu pressure: "},
		"no disks":            {gone("proc/diskstats"), less("io"), ""},
		"short diskstats":     {bad("proc/diskstats", "8 0 sda 1 2 3\n"), less("io"), "resources: disk io: "},
		"negative diskstats":  {bad("proc/diskstats", "8 0 sda 1 2 3 -4 5 6 7 8 9 10 11\n"), less("io"), "resources: disk io: "},
		"no network":          {gone("proc/self/net/dev"), less("net"), ""},
		"bad network":         {bad("proc/self/net/dev", "a\nb\neth0: 1 2 3\n"), less("net"), "resources: network: "},
		"huge network":        {bad("proc/self/net/dev", "a\nb\neth0: 99999999999999999999 0 0 0 0 0 0 0 0 0 0 0\n"), less("net"), "resources: network: "},
		"a hardened kernel":   {fails("proc/self/io", fs.ErrPermission), less("bytes"), ""},
		"bad io":              {bad("proc/self/io", "read_bytes: 5\n"), less("bytes"), "resources: process io: "},
		"bad own stat":        {bad("proc/self/stat", "1 (x"), less("threads"), "resources: threads: "},
		"a bad disk":          {fails("proc/meminfo", syscall.EIO), less("host", "memory", "swap"), "resources: memory: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				root := newLiveFS(fixtureHost())
				s := fixtureSampler(t, root, SamplerConfig{})
				hostSample(t, s)
				root.set("proc/stat", hostStat(2000, 10000))
				tc.spoil(root)
				<-time.After(time.Second)
				out, err := s.Sample(t.Context())
				require.Equal(t, tc.want, parts(out))
				if tc.err == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, tc.err)
					require.NotContains(t, err.Error(), "\n", "no other")
				}
				// It heals, missing files within a minute.
				root.replace(fixtureHost())
				root.fails = map[string]error{}
				<-time.After(rescan)
				hostSample(t, s)
				root.set("proc/stat", hostStat(3000, 11000))
				<-time.After(time.Second)
				require.Equal(t, all, parts(hostSample(t, s)))
				require.NoError(t, s.Close(t.Context()))
				require.Zero(t, root.opened())
			})
		})
	}
}

// TestHungFile: a /proc that hangs, as one served by a user-space file system may, takes nothing else with it.
func TestHungFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root := newLiveFS(fixtureHost())
		s := fixtureSampler(t, root, SamplerConfig{Timeout: time.Second})
		hostSample(t, s)
		release := root.hang("proc/meminfo")
		start := time.Now()
		for range 3 {
			out, err := s.Sample(t.Context())
			require.ErrorIs(t, err, ErrNoAnswer)
			require.ErrorContains(t, err, "resources: memory: ")
			require.False(t, out.Host.Total.OK || out.Memory.Total.OK && !out.Memory.Limited)
			require.True(t, out.Load.OK && out.Process.RSS.OK && out.Network.Sent.Total.OK)
			require.Equal(t, time.Second, time.Since(start))
		}
		release()
		synctest.Wait()
		require.True(t, hostSample(t, s).Host.Total.OK)
		require.NoError(t, s.Close(t.Context()))
		require.Zero(t, root.opened())
	})
}

// TestSamplerADay takes a sample a second for 24 hours: the memory it holds stays the same.
func TestSamplerADay(t *testing.T) {
	if testing.Short() {
		t.Skip("a day of samples")
	}
	synctest.Test(t, func(t *testing.T) {
		root := newLiveFS(maps.Clone(cgroupFixtures()["v2, systemd slice"].files))
		s := fixtureSampler(t, root, SamplerConfig{})
		held := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		ctx := t.Context()
		var after10min uint64
		step := time.Second
		if raceEnabled {
			step = 20 * time.Second
		}
		start := time.Now()
		for n := 0; time.Since(start) < 24*time.Hour; n++ {
			if n == 600 {
				after10min = held()
			}
			// Interfaces come and go all day.
			if n%10 == 0 {
				root.set("proc/self/net/dev", fmt.Sprintf("a\nb\nveth%d: %d 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", n, n))
			}
			_, err := s.Sample(ctx)
			require.NoError(t, err)
			<-time.After(step)
		}
		require.InDelta(t, float64(after10min), float64(held()), 256<<10)
		require.LessOrEqual(t, root.opened(), 30)
		require.NoError(t, s.Close(ctx))
		require.Zero(t, root.opened())
	})
}

// TestSampleAllocatesNothing on this machine, and opens no more files, 10,000 samples long. Not parallel: other tests
// allocate and open files.
func TestSampleAllocatesNothing(t *testing.T) {
	s, err := NewSampler(SamplerConfig{Disk: t.TempDir(), Timeout: time.Minute})
	require.NoError(t, err)
	ctx := t.Context()
	for range 3 {
		_, err := s.Sample(ctx)
		require.NoError(t, err)
	}
	var failed error
	sample := func() {
		if _, err := s.Sample(ctx); err != nil {
			failed = err
		}
	}
	if !raceEnabled && bits.UintSize == 64 { // for a 32-bit statfs the path is copied
		require.Zero(t, testing.AllocsPerRun(500, sample))
	}
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(entries)
	}
	rounds := 10_000
	if testing.Short() || raceEnabled {
		rounds = 1000
	}
	files, goroutines := open(), runtime.NumGoroutine()
	for range rounds {
		sample()
	}
	require.NoError(t, failed)
	require.LessOrEqual(t, open(), files)
	require.NoError(t, s.Close(ctx))
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
	require.Less(t, open(), files-10)
	debug.FreeOSMemory()
}

// TestNothingIsInvented: a sampler of a machine that shows no file at all has no value but those of the process itself
// that need none.
func TestNothingIsInvented(t *testing.T) {
	t.Parallel()
	s := fixtureSampler(t, newLiveFS(nil), SamplerConfig{})
	for range 2 {
		out, err := s.Sample(t.Context())
		require.ErrorIs(t, err, fs.ErrNotExist)
		out.At, out.Runtime = time.Time{}, Runtime{}
		out.Process.CPU, out.Process.Heap, out.Process.Goroutines, out.Process.MajorFaults = Value[time.Duration]{}, Value[uint64]{}, Value[int]{}, Counter{}
		require.True(t, reflect.ValueOf(out).IsZero(), "%+v", out)
	}
	require.NoError(t, s.Close(t.Context()))
}

// TestRealFilesChange goes through real descriptors: files that grow, shrink and are longer than a buffer.
func TestRealFilesChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	for _, lines := range []bool{false, true} {
		f := procFile{root: os.DirFS(dir), name: "file", lines: lines}
		now := time.Now()
		for _, size := range []int{0, 1, 100, firstBuffer - 1, firstBuffer, firstBuffer + 1, 5 * firstBuffer, 10, 0} {
			text := strings.Repeat("0123456789\n", size/11+1)[:size]
			require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
			got, err := f.read(now)
			require.NoError(t, err)
			require.Equal(t, text, string(got))
		}
		require.NoError(t, os.Remove(name))
		f.close()
		_, err := f.read(now)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, os.WriteFile(name, []byte("again"), 0o600))
		_, err = f.read(now.Add(rescan - 1))
		require.ErrorIs(t, err, fs.ErrNotExist)
		got, err := f.read(now.Add(rescan))
		require.NoError(t, err)
		require.Equal(t, "again", string(got))
		f.close()
	}
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	require.NoError(t, os.Truncate(name, maxBuffer))
	f := procFile{root: os.DirFS(dir), name: "file"}
	_, err := f.read(time.Now())
	require.ErrorContains(t, err, "more than")
	f.close()
}

// TestOfKernel: only the kernel's own files are read without a goroutine.
func TestOfKernel(t *testing.T) {
	t.Parallel()
	f := procFile{root: os.DirFS("/"), name: "proc/self/statm"}
	_, err := f.read(time.Now())
	require.NoError(t, err)
	require.True(t, f.quick())
	f.close()
	f = procFile{root: os.DirFS(t.TempDir()), name: "file"}
	require.NoError(t, os.WriteFile(filepath.Join(fmt.Sprint(f.root), "file"), nil, 0o600))
	_, err = f.read(time.Now())
	require.NoError(t, err)
	require.False(t, f.quick())
	f.close()
}

func TestDiskFixture(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		space diskSpace
		want  Disk
	}{
		"plain":           {diskSpace{100, 40, 10, 3}, Disk{"/x", Of(uint64(100)), Of(uint64(40)), Of(uint64(10)), Of(uint64(3))}},
		"no inodes":       {diskSpace{100, 0, 0, 0}, Disk{Path: "/x", Total: Of(uint64(100)), Free: Of(uint64(0))}},
		"more than total": {diskSpace{100, 101, 1, 2}, Disk{"/x", Of(uint64(100)), Of(uint64(100)), Of(uint64(1)), Of(uint64(1))}},
	} {
		p := diskProbe("/x", func(s *diskSpace) error { *s = tc.space; return nil })
		require.NoError(t, p.read(time.Now()))
		var out Sample
		p.put(&out)
		require.Equal(t, tc.want, out.Disk, name)
	}
	s := syscall.Statfs_t{Blocks: 1000, Bfree: 500, Bavail: 450, Bsize: 1 << 20, Frsize: 4096, Files: 9, Ffree: 8}
	require.Equal(t, diskSpace{950 * 4096, 450 * 4096, 9, 8}, spaceOf(&s), "blocks are counted in fragments; what is reserved is left out")
	s = syscall.Statfs_t{Blocks: 1 << 62, Bfree: 1 << 62, Bavail: 1 << 62, Bsize: 4096}
	require.Equal(t, ^uint64(0), spaceOf(&s).free, "boundless")
	p := diskProbe("/x", func(*diskSpace) error { return errors.New("away") })
	assert.Error(t, p.read(time.Now()))
}
