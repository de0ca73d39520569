package resources

import (
	"bytes"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScannerNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Value[uint64]{
		"0": Of(uint64(0)), " \t42 7": Of(uint64(42)), "007": Of(uint64(7)), "5\n6": Of(uint64(5)),
		"18446744073709551615": Of(uint64(math.MaxUint64)), "18446744073709551616": {}, "99999999999999999999999": {},
		"": {}, " ": {}, "\n1": {}, "-1": {}, "+1": {}, "1e3": {}, "0x10": {}, "1.5": {}, "nan": {}, "١": {},
	} {
		s := scanner{b: []byte(text)}
		v, ok := s.number()
		require.Equal(t, want.OK, ok, "%q", text)
		require.Equal(t, want.V, v, "%q", text)
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Value[float64]{
		"0.00": Of(0.0), "12.34": Of(12.34), "100": Of(100.0), ".5": Of(.5), "5.": Of(5.0), "0.12345678901234567890123": Of(.123456789012345),
		"": {}, ".": {}, "-1": {}, "1.2.3": {}, "nan": {}, "inf": {}, "1e5": {}, "9999999999999999": {},
	} {
		v, ok := decimal([]byte(text))
		require.Equal(t, want.OK, ok, "%q", text)
		if ok {
			require.Equal(t, want.V, v, "%q", text)
		}
	}
}

// FuzzScanner compares with what the standard library makes of the same fields.
func FuzzScanner(f *testing.F) {
	for _, text := range fixtureHost() {
		f.Add([]byte(text))
	}
	f.Add([]byte("0000.0000000000008"))
	f.Add([]byte("18446744073709551616 18446744073709551615\t-1 1.5 ..\n\n  \n0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, b := range text {
			if b < ' ' && b != '\n' && b != '\t' {
				t.Skip("the standard library knows other spaces")
			}
		}
		s := scanner{b: text}
		lines := bytes.Split(text, []byte("\n"))
		for i, line := range lines {
			for _, want := range bytes.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' }) {
				at := s
				require.Equal(t, want, at.word())
				v, ok := s.number()
				n, err := strconv.ParseUint(string(want), 10, 64)
				require.Equal(t, err == nil, ok, "%q", want)
				if ok {
					require.Equal(t, n, v)
				}
				require.Equal(t, at.i, s.i, "both end at the same place")
				d, ok := decimal(want)
				if ok {
					exact, _, err := big.ParseFloat(strings.TrimSuffix(string(want), "."), 10, 200, big.ToNearestEven)
					require.NoError(t, err, "%q", want)
					x, _ := exact.Float64()
					require.InEpsilon(t, 1+x, 1+d, 1e-13)
				}
			}
			require.Empty(t, s.word())
			if more := s.nextLine(); i+1 < len(lines) {
				require.Equal(t, more, s.i < len(text))
			} else {
				require.False(t, more)
			}
		}
	})
}

// FuzzParsers feeds every parser of /proc with anything: no crash, and what comes out is possible.
func FuzzParsers(f *testing.F) {
	for _, text := range fixtureHost() {
		f.Add([]byte(text), []byte(text))
	}
	f.Add([]byte("some avg10=100.00 avg60=0 avg300=0 total=18446744073709551615"), []byte("a\nb\n:0 0 0 0 0 0 0 0 0 0 0 0"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		share := func(v Value[float64]) { require.True(t, !v.OK || v.V >= 0 && v.V <= 1, "%v", v) }
		rate := func(c Counter) { require.True(t, !c.Rate.OK || c.Rate.V >= 0 && !math.IsInf(c.Rate.V, 0)) }
		a, _, err := parseCPU(first)
		b, cpus, err2 := parseCPU(second)
		if err == nil && err2 == nil {
			m, ok := modes(a, b)
			require.GreaterOrEqual(t, cpus, 0)
			if ok {
				require.InDelta(t, 1, m.User+m.Nice+m.System+m.Idle+m.IOWait+m.IRQ+m.SoftIRQ+m.Steal, 1e-9)
				for _, v := range []float64{m.User, m.Nice, m.System, m.Idle, m.IOWait, m.IRQ, m.SoftIRQ, m.Steal} {
					share(Of(v))
				}
			}
		}
		if load, err := parseLoad(first); err == nil {
			require.True(t, load[0] >= 0 && load[1] >= 0 && load[2] >= 0)
		}
		if m, err := parseMemory(first); err == nil {
			require.Positive(t, m.total.V)
		}
		if p, err := parseStall(first); err == nil {
			require.True(t, p.some.known && p.some.avg10 >= 0 && p.some.avg10 <= 100)
		}
		_, _ = parseStatm(first)
		_, _, _ = parseProcessIO(first)
		if n, err := parseThreads(first); err == nil {
			require.GreaterOrEqual(t, n, 0)
		}
		countEntries(first)
		_, _ = parseQuota(first)
		_, _ = countCPUs(first)
		var io ioSum
		var net netSum
		now := time.Now()
		for _, text := range [][]byte{first, second, first} {
			io.begin()
			net.begin()
			if parseDisks(text, io.add) == nil {
				io.end(now)
			}
			if parseNetwork(text, func(name []byte, c netCounters) { net.add(name, c, false) }) == nil {
				net.end(now)
			}
			share(io.out.Busy)
			for _, c := range []Counter{io.out.Read, io.out.Written, io.out.Reads, io.out.Writes, net.out.Received, net.out.Sent, net.out.Errors, net.out.Dropped} {
				rate(c)
			}
			now = now.Add(time.Second)
		}
	})
}

// FuzzCgroup builds a machine whose files say anything: the memory is absent, the host's, or less than that, and nothing
// is negative, NaN or beyond a share.
func FuzzCgroup(f *testing.F) {
	for _, fixture := range cgroupFixtures() {
		f.Add(fixture.files["proc/self/cgroup"], fixture.files["proc/self/mountinfo"], "1073741824", "195", "inactive_file 5\nhierarchical_memory_limit 6\ntotal_inactive_file 1\nmax 3\noom_kill 9", "5000 10000")
	}
	f.Add("0::/../x", `1 2 3 /a\040b /m - cgroup2 x y`, "max", "", "usage_usec 18446744073709551615\nnr_periods 5", "max 0")
	f.Fuzz(func(t *testing.T, own, mounts, limit, usage, stat, quota string) {
		if len(own) > 1000 {
			t.Skip()
		}
		files := cgroupFiles(own, mounts)
		files["proc/self/mountinfo"] = mounts
		text := cgroupText{own: own, mounts: mounts}
		for _, controller := range []string{"memory", "cpu", "cpuacct", "cpuset"} {
			for _, h := range text.hierarchies(controller) {
				require.NotEmpty(t, h.rels)
				require.Equal(t, "/", h.rels[len(h.rels)-1])
				for i := range h.rels {
					dir := h.dir(i)
					for name, content := range map[string]string{
						"memory.max": limit, "memory.limit_in_bytes": limit, "memory.high": limit, "memory.current": usage, "memory.usage_in_bytes": usage,
						"memory.stat": stat, "memory.events": stat, "memory.oom_control": stat, "memory.failcnt": usage, "cpu.stat": stat, "cpu.max": quota,
						"cpu.cfs_quota_us": limit, "cpu.cfs_period_us": usage, "cpuacct.usage": usage, "cpuset.cpus.effective": quota, "cpu.pressure": stat,
					} {
						files[dir+"/"+name] = content
					}
				}
			}
		}
		s := fixtureSampler(t, newLiveFS(files), SamplerConfig{Timeout: time.Hour})
		for range 2 {
			out, _ := s.Sample(t.Context())
			require.True(t, out.Host.Total.OK)
			if out.Memory.Total.OK {
				require.LessOrEqual(t, out.Memory.Available.V, out.Memory.Total.V)
				require.LessOrEqual(t, out.Memory.Total.V, out.Host.Total.V)
				require.Equal(t, out.Memory.Limited, out.Memory.Total.V < out.Host.Total.V)
				require.Equal(t, out.Memory.Limited, out.Container.MemoryLimit.OK)
			}
			c := out.Container
			for _, share := range []Value[float64]{c.CPU, c.Throttled, out.Memory.Used()} {
				require.True(t, !share.OK || share.V >= 0 && share.V <= 1, "%v", share)
			}
			require.True(t, !c.CPUs.OK || c.CPUs.V >= 0 && c.CPUs.V <= 2)
			require.GreaterOrEqual(t, c.ThrottledTime.V, time.Duration(0))
		}
		require.NoError(t, s.Close(t.Context()))
	})
}
