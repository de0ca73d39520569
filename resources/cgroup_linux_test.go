package resources

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	cgroupMB   = 1 << 20
	cgroupGB   = 1 << 30
	cgroupNone = 9223372036854771712 // how v1 says no limit

	mountV1       = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
	mountV1CPU    = "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
	mountV1Cpuset = "37 31 0:34 / /sys/fs/cgroup/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset\n"
	mountV2       = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"
	mountHybrid   = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	mountOther    = "22 23 0:20 / /proc rw - proc proc rw\n32 31 0:29 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n"
)

// cgroupFiles is the machine of fixtureHost (16 GB, 2 CPUs) with cgroups, and sets of further files.
func cgroupFiles(own, mounts string, more ...map[string]string) map[string]string {
	files := fixtureHost()
	files["proc/self/cgroup"], files["proc/self/mountinfo"] = own, mountOther+mounts
	for _, m := range more {
		maps.Copy(files, m)
	}
	return files
}

func cgroupV2(dir, limit string, usage, inactive uint64) map[string]string {
	return map[string]string{
		dir + "/memory.max":     limit + "\n",
		dir + "/memory.high":    "max\n",
		dir + "/memory.current": fmt.Sprintln(usage),
		dir + "/memory.stat":    fmt.Sprintf("anon 1\nfile 2\ninactive_anon 8\nactive_anon 9\ninactive_file %d\nactive_file 4096\n", inactive),
		dir + "/memory.events":  "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
	}
}

func cgroupV1(dir string, limit, inherited, usage, inactive uint64) map[string]string {
	return map[string]string{
		dir + "/memory.limit_in_bytes": fmt.Sprintln(limit),
		dir + "/memory.usage_in_bytes": fmt.Sprintln(usage),
		dir + "/memory.stat":           fmt.Sprintf("inactive_file 7\nactive_file 8\nhierarchical_memory_limit %d\ntotal_inactive_file %d\ntotal_active_file 4096\n", inherited, inactive),
		dir + "/memory.failcnt":        "0\n",
		dir + "/memory.oom_control":    "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
	}
}

func cgroupCPUV2(dir, quota string, usage, periods, throttled, lost int64) map[string]string {
	return map[string]string{
		dir + "/cpu.max":  quota + "\n",
		dir + "/cpu.stat": fmt.Sprintf("usage_usec %d\nuser_usec 1\nsystem_usec 2\nnr_periods %d\nnr_throttled %d\nthrottled_usec %d\n", usage, periods, throttled, lost),
	}
}

func cgroupCPUV1(dir string, quota, usage, periods, throttled, lost int64) map[string]string {
	return map[string]string{
		dir + "/cpu.cfs_quota_us":  fmt.Sprintln(quota),
		dir + "/cpu.cfs_period_us": "100000\n",
		dir + "/cpu.stat":          fmt.Sprintf("nr_periods %d\nnr_throttled %d\nthrottled_time %d\n", periods, throttled, lost),
		dir + "/cpuacct.usage":     fmt.Sprintln(usage),
	}
}

// cgroupFixture is a layout, and what is to be seen in it. The host has 16 GB, 12 of them available.
type cgroupFixture struct {
	files   map[string]string
	total   uint64 // of what may be used; 0: the host's
	left    uint64
	set     Value[uint64] // working set
	cpus    Value[float64]
	usesCPU bool // a second sample knows how much
}

func cgroupFixtures() map[string]cgroupFixture {
	const root = "sys/fs/cgroup"
	quota := func(v float64) Value[float64] { return Of(v) }
	b := func(v uint64) Value[uint64] { return Of(v) }
	return map[string]cgroupFixture{
		"none": {files: fixtureHost()},
		"v2, page cache is not use": {
			cgroupFiles("0::/job\n", mountV2, cgroupV2(root+"/job", "1073741824", 195*cgroupMB, 159*cgroupMB)),
			cgroupGB, cgroupGB - 36*cgroupMB, b(36 * cgroupMB), quota(2), false,
		},
		"v2, max": {cgroupFiles("0::/job\n", mountV2, cgroupV2(root+"/job", "max", cgroupGB, 0)), 0, 0, b(cgroupGB), quota(2), false},
		"v2, own max, ancestor limited": {
			cgroupFiles("0::/pod/job\n", mountV2, cgroupV2(root+"/pod/job", "max", cgroupGB, 0), cgroupV2(root+"/pod", "4294967296", 3*cgroupGB, cgroupGB)),
			4 * cgroupGB, 2 * cgroupGB, b(cgroupGB), quota(2), false,
		},
		"v2, ancestor tighter": {
			cgroupFiles("0::/pod/job\n", mountV2, cgroupV2(root+"/pod/job", "8589934592", cgroupGB, 0), cgroupV2(root+"/pod", "4294967296", 2*cgroupGB, 0)),
			4 * cgroupGB, 2 * cgroupGB, b(cgroupGB), quota(2), false,
		},
		"v2, own limit tighter, but the ancestor has less left": {
			cgroupFiles("0::/pod/job\n", mountV2, cgroupV2(root+"/pod/job", "2147483648", cgroupMB, 0), cgroupV2(root+"/pod", "4294967296", 4*cgroupGB-cgroupMB, 0)),
			2 * cgroupGB, cgroupMB, b(cgroupMB), quota(2), false,
		},
		"v2, above the host's memory":    {cgroupFiles("0::/job\n", mountV2, cgroupV2(root+"/job", "1099511627776", 0, 0)), 0, 0, b(0), quota(2), false},
		"v2, more used than the limit":   {cgroupFiles("0::/job\n", mountV2, cgroupV2(root+"/job", "1048576", 2*cgroupMB, 0)), cgroupMB, 0, b(2 * cgroupMB), quota(2), false},
		"v2, more cache than used":       {cgroupFiles("0::/job\n", mountV2, cgroupV2(root+"/job", "1048576", 4096, 8192)), cgroupMB, cgroupMB, b(0), quota(2), false},
		"v2, a limit of nothing":         {cgroupFiles("0::/job\n", mountV2, cgroupV2(root+"/job", "0", 0, 0)), 0, 0, b(0), quota(2), false},
		"v2, the host has less left":     {cgroupFiles("0::/job\n", mountV2, cgroupV2(root+"/job", "15032385536", 0, 0)), 14 * cgroupGB, 12 * cgroupGB, b(0), quota(2), false},
		"v2, root of the host":           {cgroupFiles("0::/\n", mountV2, map[string]string{root + "/cpu.stat": "usage_usec 5\n"}), 0, 0, Value[uint64]{}, quota(2), true},
		"v2, controller for others only": {cgroupFiles("0::/a/b\n", mountV2, cgroupV2(root+"/a", "1073741824", 5*cgroupMB, 0)), cgroupGB, cgroupGB - 5*cgroupMB, b(5 * cgroupMB), quota(2), false},
		"v2, namespace": {
			cgroupFiles("0::/\n", mountV2, cgroupV2(root, "1073741824", cgroupMB, 0), cgroupCPUV2(root, "150000 100000", 0, 0, 0, 0)),
			cgroupGB, cgroupGB - cgroupMB, b(cgroupMB), quota(1.5), true,
		},
		"v2, seen from outside its namespace": {
			cgroupFiles("0::/../../job\n", mountV2, cgroupV2(root, "1073741824", cgroupMB, 0)),
			cgroupGB, cgroupGB - cgroupMB, b(cgroupMB), quota(2), false,
		},
		"v2, docker without a namespace": {
			cgroupFiles("0::/docker/0123\n", strings.Replace(mountV2, " / /sys", " /docker/0123 /sys", 1), cgroupV2(root, "1073741824", cgroupMB, 0)),
			cgroupGB, cgroupGB - cgroupMB, b(cgroupMB), quota(2), false,
		},
		"v2, nested container": {
			cgroupFiles("0::/docker/0123/docker/4567\n", strings.Replace(mountV2, " / /sys", " /docker/0123 /sys", 1),
				cgroupV2(root+"/docker/4567", "4294967296", cgroupMB, 0), cgroupV2(root, "1073741824", 2*cgroupMB, 0),
				cgroupCPUV2(root+"/docker/4567", "max 100000", 0, 0, 0, 0), cgroupCPUV2(root, "50000 100000", 0, 0, 0, 0)),
			cgroupGB, cgroupGB - 2*cgroupMB, b(cgroupMB), quota(.5), true,
		},
		"v2, mounted twice, the host's tree shows the ancestors": {
			cgroupFiles("0::/pod/job\n", strings.Replace(mountV2, " / /sys", " /pod/job /sys", 1)+"50 23 0:28 / /host/cgroup rw - cgroup2 cgroup2 rw\n",
				cgroupV2(root, "4294967296", cgroupMB, 0), cgroupV2("host/cgroup/pod/job", "4294967296", cgroupMB, 0), cgroupV2("host/cgroup/pod", "1073741824", 2*cgroupMB, 0)),
			cgroupGB, cgroupGB - 2*cgroupMB, b(cgroupMB), quota(2), false,
		},
		"v2, another's group is mounted too": {
			cgroupFiles("0::/pod/job\n", mountV2+"50 23 0:28 /pod/other /other rw - cgroup2 cgroup2 rw\n",
				cgroupV2(root+"/pod/job", "4294967296", cgroupMB, 0), cgroupV2("other", "1048576", cgroupMB, 0)),
			4 * cgroupGB, 4*cgroupGB - cgroupMB, b(cgroupMB), quota(2), false,
		},
		"v2, systemd slice": {
			cgroupFiles("0::/user.slice/user-1000.slice/user@1000.service/app.slice/job.service\n", mountV2,
				cgroupV2(root+"/user.slice/user-1000.slice/user@1000.service/app.slice/job.service", "max", cgroupGB, cgroupMB),
				cgroupV2(root+"/user.slice/user-1000.slice/user@1000.service/app.slice", "max", 2*cgroupGB, 0),
				cgroupV2(root+"/user.slice/user-1000.slice", "8589934592", 3*cgroupGB, cgroupGB),
				cgroupV2(root+"/user.slice", "max", 5*cgroupGB, 0),
				cgroupCPUV2(root+"/user.slice/user-1000.slice/user@1000.service/app.slice/job.service", "max 100000", 5, 0, 0, 0),
				cgroupCPUV2(root+"/user.slice/user-1000.slice", "120000 100000", 5, 0, 0, 0),
				map[string]string{root + "/user.slice/user-1000.slice/user@1000.service/app.slice/job.service/cpuset.cpus.effective": "0-1\n"}),
			8 * cgroupGB, 6 * cgroupGB, b(cgroupGB - cgroupMB), quota(1.2), true,
		},
		"v2, a CPU set of an ancestor": {cgroupFiles("0::/pod/job\n", mountV2, map[string]string{root + "/pod/cpuset.cpus.effective": "1\n", root + "/cpuset.cpus.effective": "0-1\n"}), 0, 0, Value[uint64]{}, quota(1), false},
		"v2, a CPU set":                {cgroupFiles("0::/job\n", mountV2, map[string]string{root + "/job/cpuset.cpus.effective": "1\n"}), 0, 0, Value[uint64]{}, quota(1), false},
		"v2, escaped mount point": {
			cgroupFiles("0::/job\n", strings.Replace(mountV2, "/sys/fs/cgroup", `/my\040cgroups`, 1), cgroupV2("my cgroups/job", "1073741824", 0, 0)),
			cgroupGB, cgroupGB, b(0), quota(2), false,
		},
		"v1, docker": {
			cgroupFiles("12:cpuset:/docker/01\n4:memory:/docker/01\n3:cpu,cpuacct:/docker/01\n",
				strings.ReplaceAll(mountV1+mountV1CPU+mountV1Cpuset, " / /sys", " /docker/01 /sys"),
				cgroupV1(root+"/memory", cgroupGB, cgroupGB, 195*cgroupMB, 159*cgroupMB), cgroupCPUV1(root+"/cpu,cpuacct", 50000, 7, 0, 0, 0),
				map[string]string{root + "/cpuset/cpuset.effective_cpus": "0-1\n"}),
			cgroupGB, cgroupGB - 36*cgroupMB, b(36 * cgroupMB), quota(.5), true,
		},
		"v1, none": {cgroupFiles("4:memory:/job\n", mountV1, cgroupV1(root+"/memory/job", cgroupNone, cgroupNone, cgroupGB, 0)), 0, 0, b(cgroupGB), Value[float64]{}, false},
		"v1, limit of an ancestor out of sight": {
			cgroupFiles("4:memory:/pod/job\n", strings.Replace(mountV1, " / /sys", " /pod/job /sys", 1), cgroupV1(root+"/memory", cgroupNone, 2*cgroupGB, cgroupGB, 0)),
			2 * cgroupGB, cgroupGB, b(cgroupGB), Value[float64]{}, false,
		},
		"v1, ancestor tighter": {
			cgroupFiles("4:memory:/pod/job\n", mountV1, cgroupV1(root+"/memory/pod/job", 8*cgroupGB, 4*cgroupGB, cgroupGB, 0), cgroupV1(root+"/memory/pod", 4*cgroupGB, 4*cgroupGB, 3*cgroupGB, 0)),
			4 * cgroupGB, cgroupGB, b(cgroupGB), Value[float64]{}, false,
		},
		"v1, no quota": {cgroupFiles("3:cpu,cpuacct:/job\n", mountV1CPU, cgroupCPUV1(root+"/cpu,cpuacct/job", -1, 7, 0, 0, 0)), 0, 0, Value[uint64]{}, quota(2), true},
		"v1, a quota of an ancestor": {
			cgroupFiles("3:cpu,cpuacct:/pod/job\n", mountV1CPU, cgroupCPUV1(root+"/cpu,cpuacct/pod/job", -1, 7, 0, 0, 0), cgroupCPUV1(root+"/cpu,cpuacct/pod", 125000, 7, 0, 0, 0)),
			0, 0, Value[uint64]{}, quota(1.25), true,
		},
		"v1, cpu and cpuacct apart": {
			cgroupFiles("3:cpu:/job\n2:cpuacct:/job\n", strings.Replace(mountV1CPU, "cpu,cpuacct", "cpu", 2)+strings.Replace(mountV1CPU, "cpu,cpuacct", "cpuacct", 2),
				cgroupCPUV1(root+"/cpu/job", 100000, 0, 0, 0, 0), map[string]string{root + "/cpuacct/job/cpuacct.usage": "7\n"}),
			0, 0, Value[uint64]{}, quota(1), true,
		},
		"hybrid, memory on v1": {
			cgroupFiles("4:memory:/job\n1:name=systemd:/job\n0::/job\n", mountV1+mountHybrid, cgroupV1(root+"/memory/job", cgroupGB, cgroupGB, cgroupMB, 0)),
			cgroupGB, cgroupGB - cgroupMB, b(cgroupMB), quota(2), false,
		},
		"hybrid, memory on v2": {
			cgroupFiles("3:cpu:/\n0::/job\n", mountHybrid, cgroupV2(root+"/unified/job", "1073741824", cgroupMB, 0)),
			cgroupGB, cgroupGB - cgroupMB, b(cgroupMB), quota(2), false,
		},
		"hybrid, v2 without controllers": {
			cgroupFiles("1:name=systemd:/job\n0::/job\n", mountHybrid, map[string]string{root + "/unified/job/cgroup.procs": "1\n", root + "/unified/job/cpu.stat": "usage_usec 5\nuser_usec 3\nsystem_usec 2\n"}),
			0, 0, Value[uint64]{}, quota(2), true,
		},
		"no mounts":    {cgroupFiles("4:memory:/job\n0::/job\nnonsense", "garbage\n - \n"), 0, 0, Value[uint64]{}, Value[float64]{}, false},
		"not attached": {cgroupFiles("", mountV1+mountV2, cgroupV1(root+"/memory", cgroupGB, cgroupGB, 0, 0)), 0, 0, Value[uint64]{}, Value[float64]{}, false},
	}
}

func TestCgroupLayouts(t *testing.T) {
	t.Parallel()
	for name, tc := range cgroupFixtures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				root := newLiveFS(tc.files)
				s := fixtureSampler(t, root, SamplerConfig{})
				for i := range 2 {
					out := hostSample(t, s)
					want, limit := out.Host, Value[uint64]{}
					if tc.total > 0 || name == "v2, a limit of nothing" {
						want = Memory{Total: Of(tc.total), Available: Of(tc.left), Limited: true}
						limit = Of(tc.total)
					}
					require.Equal(t, uint64(16*cgroupGB), out.Host.Total.V)
					require.Equal(t, want, out.Memory)
					require.Equal(t, limit, out.Container.MemoryLimit)
					require.Equal(t, tc.set, out.Container.WorkingSet)
					require.Equal(t, tc.cpus, out.Container.CPUs)
					require.Equal(t, i > 0 && tc.usesCPU, out.Container.CPU.OK)
					require.False(t, out.Container.MemoryHigh.OK)
					<-time.After(time.Second)
				}
				require.NoError(t, s.Close(t.Context()))
				require.Zero(t, root.opened())
			})
		})
	}
}

// TestCgroupOfUnknownHost: without the host's memory to compare with, no limit is still no limit, and the host's absence
// does not make the container's figures absent.
func TestCgroupOfUnknownHost(t *testing.T) {
	t.Parallel()
	for limit, want := range map[uint64]bool{cgroupNone: false, 64 << 40: true} {
		files := cgroupFiles("4:memory:/\n", mountV1, cgroupV1("sys/fs/cgroup/memory", limit, limit, 0, 0))
		delete(files, "proc/meminfo")
		out, err := fixtureSampler(t, newLiveFS(files), SamplerConfig{}).Sample(t.Context())
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.Equal(t, want, out.Memory.Limited)
		require.Equal(t, want, out.Memory.Total.OK)
	}
}

// TestCgroupUnreadable: a limit that cannot be read is an error and leaves the memory absent; it never is "no limit", and
// the host's memory never passes for the container's.
func TestCgroupUnreadable(t *testing.T) {
	t.Parallel()
	const v1, v2 = "sys/fs/cgroup/memory/job/", "sys/fs/cgroup/job/"
	good := []string{v2 + "memory.max 1024", v2 + "memory.current 0", v2 + "memory.stat inactive_file 0", v2 + "memory.events max 0"}
	for name, files := range map[string][]string{
		"limit is no number":         {v2 + "memory.max lots"},
		"negative limit":             {v2 + "memory.max -1"},
		"empty limit":                {v2 + "memory.max "},
		"huge limit":                 {v2 + "memory.max 99999999999999999999"},
		"limit is NaN":               {v2 + "memory.max NaN"},
		"two limits":                 {v2 + "memory.max 1 2"},
		"bad high":                   append(good, v2+"memory.high x"),
		"no usage":                   {v2 + "memory.max 1024", v2 + "memory.stat inactive_file 0"},
		"negative usage":             append(good, v2+"memory.current -4"),
		"no stat":                    {v2 + "memory.max 1024", v2 + "memory.current 0"},
		"no inactive_file":           {v2 + "memory.max 1024", v2 + "memory.current 0", v2 + "memory.stat anon 1"},
		"bad inactive_file":          append(good, v2+"memory.stat inactive_file x"),
		"bad events":                 append(good, v2+"memory.events oom_kill -1"),
		"v1, no stat":                {v1 + "memory.limit_in_bytes 1024"},
		"v1, unlimited, but no stat": {v1 + "memory.limit_in_bytes " + "4611686018427387904"},
		"v1, bad inherited":          {v1 + "memory.limit_in_bytes 1024", v1 + "memory.stat hierarchical_memory_limit max"},
	} {
		root := newLiveFS(cgroupFiles("4:memory:/job\n0::/job\n", mountV1+mountV2))
		for _, f := range files {
			path, text, _ := strings.Cut(f, " ")
			root.set(path, text+"\n")
		}
		out, err := fixtureSampler(t, root, SamplerConfig{}).Sample(t.Context())
		require.ErrorContains(t, err, "resources: container memory: ", name)
		require.Zero(t, out.Memory, name)
		require.True(t, out.Host.Total.OK, name)
	}
	for name, cause := range map[string]error{"sys/fs/cgroup/job/memory.max": fs.ErrPermission, "proc/self/mountinfo": fs.ErrPermission, "proc/self/cgroup": syscall.EIO} {
		root := newLiveFS(cgroupFiles("0::/job\n", mountV2, cgroupV2("sys/fs/cgroup/job", "1024", 0, 0)))
		root.fail(name, cause)
		out, err := fixtureSampler(t, root, SamplerConfig{}).Sample(t.Context())
		require.ErrorIs(t, err, cause, name)
		require.Zero(t, out.Memory, name)
	}
}

// TestCgroupChanges: what is edited is seen at once, a move to another group within a minute.
func TestCgroupChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root := newLiveFS(cgroupFiles("0::/a\n", mountV2, cgroupV2("sys/fs/cgroup/a", "1000000", 10, 0), cgroupV2("sys/fs/cgroup/b", "2000000", 0, 0),
			cgroupCPUV2("sys/fs/cgroup/a", "100000 100000", 0, 0, 0, 0)))
		s := fixtureSampler(t, root, SamplerConfig{})
		memory := func() Memory { return hostSample(t, s).Memory }
		require.Equal(t, Memory{Of(uint64(1000000)), Of(uint64(999990)), true}, memory())
		root.set("sys/fs/cgroup/a/memory.max", "500\n")
		require.Equal(t, Memory{Of(uint64(500)), Of(uint64(490)), true}, memory())
		root.set("sys/fs/cgroup/a/memory.max", "max\n")
		require.False(t, memory().Limited)
		root.set("sys/fs/cgroup/a/memory.high", "700\n")
		require.Equal(t, Of(uint64(700)), hostSample(t, s).Container.MemoryHigh)
		root.set("sys/fs/cgroup/a/memory.max", "600\n")
		require.Equal(t, Of(1.0), hostSample(t, s).Container.CPUs)
		root.set("sys/fs/cgroup/a/cpu.max", "30000 100000\n")
		require.Equal(t, Of(.3), hostSample(t, s).Container.CPUs)
		root.set("sys/fs/cgroup/a/cpu.max", "max 100000\n")
		require.Equal(t, Of(2.0), hostSample(t, s).Container.CPUs)

		root.set("proc/self/cgroup", "0::/b\n")
		<-time.After(rescan - 1)
		require.EqualValues(t, 600, memory().Total.V)
		<-time.After(1)
		require.EqualValues(t, 2000000, memory().Total.V)
		opened := root.opened()

		// The group is removed with the process gone from it, and so are its open files.
		for _, f := range []string{"max", "high", "current", "stat", "events"} {
			root.remove("sys/fs/cgroup/b/memory." + f)
		}
		root.set("proc/self/cgroup", "0::/a\n")
		<-time.After(rescan)
		require.EqualValues(t, 600, memory().Total.V)
		require.LessOrEqual(t, root.opened(), opened+2)

		root.remove("proc/self/mountinfo")
		<-time.After(rescan)
		out, err := s.Sample(t.Context())
		require.ErrorContains(t, err, "resources: container memory: ")
		require.False(t, out.Memory.Total.OK)
		require.NoError(t, s.Close(t.Context()))
		require.Zero(t, root.opened())
	})
}

// TestCgroupEvents in both versions; a restart of the counters is no event.
func TestCgroupEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const v1, v2 = "sys/fs/cgroup/memory/job/", "sys/fs/cgroup/job/"
		roots := []*liveFS{
			newLiveFS(cgroupFiles("4:memory:/job\n", mountV1, cgroupV1("sys/fs/cgroup/memory/job", cgroupGB, cgroupGB, 0, 0))),
			newLiveFS(cgroupFiles("0::/job\n", mountV2, cgroupV2("sys/fs/cgroup/job", "1073741824", 0, 0))),
		}
		for v, root := range roots {
			s := fixtureSampler(t, root, SamplerConfig{})
			for i, step := range []struct {
				hits, kills, sumHits, sumKills uint64
				rate                           Value[float64]
			}{{5, 1, 0, 0, Value[float64]{}}, {8, 2, 3, 1, Of(1.0)}, {8, 2, 3, 1, Of(0.0)}, {0, 0, 3, 1, Value[float64]{}}, {2, 1, 5, 2, Of(1.0)}} {
				root.set(v1+"memory.failcnt", fmt.Sprintln(step.hits))
				root.set(v1+"memory.oom_control", fmt.Sprintf("oom_kill_disable 0\nunder_oom 0\noom_kill %d\n", step.kills))
				root.set(v2+"memory.events", fmt.Sprintf("low 0\nhigh %d\nmax %d\noom 9\noom_kill %d\noom_group_kill 77\n", 2*step.hits, step.hits, step.kills))
				c := hostSample(t, s).Container
				require.Equal(t, Of(step.sumHits), c.LimitHits.Total, "step %d", i)
				require.Equal(t, Counter{Of(step.sumKills), step.rate}, c.OOMKills, "step %d", i)
				require.Equal(t, v == 1, c.HighHits.Total.OK)
				require.Equal(t, 2*step.sumHits*uint64(v), c.HighHits.Total.V)
				<-time.After(time.Second)
			}
			require.NoError(t, s.Close(t.Context()))
		}
	})
}

// TestCgroupCPU: the share is of the quota, not of the host's CPUs, and the throttled counters may start again.
func TestCgroupCPU(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const v1, v2 = "sys/fs/cgroup/cpu,cpuacct/pod/job", "sys/fs/cgroup/pod/job"
		for _, root := range []*liveFS{
			newLiveFS(cgroupFiles("3:cpu,cpuacct:/pod/job\n", mountV1CPU)), newLiveFS(cgroupFiles("0::/pod/job\n", mountV2)),
		} {
			s := fixtureSampler(t, root, SamplerConfig{})
			set := func(quota, pod, usage, periods, throttled, lost int64) { // usage and lost in ms
				v2max := "max 100000"
				if quota >= 0 {
					v2max = fmt.Sprint(quota, 100000)
				}
				for _, files := range []map[string]string{
					cgroupCPUV2(v2, v2max, usage*1000, periods, throttled, lost*1000), cgroupCPUV1(v1, quota, usage*1e6, periods, throttled, lost*1e6),
					cgroupCPUV2("sys/fs/cgroup/pod", fmt.Sprint(pod, 100000), 2*usage*1000, periods, 0, lost*1000), cgroupCPUV1("sys/fs/cgroup/cpu,cpuacct/pod", pod, 2*usage*1e6, periods, 0, lost*1e6),
				} {
					for path, text := range files {
						root.set(path, text)
					}
				}
			}
			type want struct {
				cpus           float64
				cpu, throttled Value[float64]
				lost           time.Duration
			}
			for i, step := range []struct {
				quota, pod, usage, periods, throttled, lost int64
				want                                        want
			}{
				{50000, 400000, 1000, 10, 5, 100, want{.5, Value[float64]{}, Value[float64]{}, 0}},
				{50000, 400000, 1250, 20, 8, 300, want{.5, Of(.5), Of(.3), 400 * time.Millisecond}},    // a quarter of a CPU is half of the quota; host share 1/8
				{50000, 400000, 1250, 20, 8, 300, want{.5, Of(0.0), Of(0.0), 400 * time.Millisecond}},  // idle
				{50000, 400000, 5000, 30, 18, 300, want{.5, Of(1.0), Of(1.0), 400 * time.Millisecond}}, // beyond the quota, for an instant
				{50000, 400000, 10, 1, 1, 1, want{.5, Value[float64]{}, Value[float64]{}, 400 * time.Millisecond}},
				{50000, 400000, 135, 11, 3, 2, want{.5, Of(.25), Of(.2), 402 * time.Millisecond}},
				{-1, 150000, 435, 21, 3, 2, want{1.5, Of(.4), Of(0.0), 402 * time.Millisecond}}, // the ancestor's: .6 of 1.5 CPUs
				{100000, 150000, 735, 31, 4, 2, want{1, Of(.4), Of(.1), 402 * time.Millisecond}},
			} {
				set(step.quota, step.pod, step.usage, step.periods, step.throttled, step.lost)
				c := hostSample(t, s).Container
				require.Equal(t, Of(step.want.cpus), c.CPUs, "step %d", i)
				for name, v := range map[string][2]Value[float64]{"cpu": {step.want.cpu, c.CPU}, "throttled": {step.want.throttled, c.Throttled}} {
					require.Equal(t, v[0].OK, v[1].OK, "step %d: %s", i, name)
					require.InDelta(t, v[0].V, v[1].V, 1e-9, "step %d: %s", i, name)
				}
				require.InDelta(t, step.want.lost, c.ThrottledTime.V, 1e3, "step %d", i)
				<-time.After(time.Second)
			}
			require.NoError(t, s.Close(t.Context()))
		}
	})
}

// TestCgroupQuotaAboveTheHost: a quota of 8 CPUs on a host of 2 does not make a group that uses both look idle.
func TestCgroupQuotaAboveTheHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root := newLiveFS(cgroupFiles("0::/job\n", mountV2, cgroupCPUV2("sys/fs/cgroup/job", "800000 100000", 0, 0, 0, 0)))
		s := fixtureSampler(t, root, SamplerConfig{})
		hostSample(t, s)
		<-time.After(10 * time.Second)
		root.set("sys/fs/cgroup/job/cpu.stat", "usage_usec 15000000\nnr_periods 100\nnr_throttled 0\nthrottled_usec 0\n")
		c := hostSample(t, s).Container
		require.Equal(t, []Value[float64]{Of(2.0), Of(.75), Of(0.0)}, []Value[float64]{c.CPUs, c.CPU, c.Throttled})
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestCgroupCPUUnreadable(t *testing.T) {
	t.Parallel()
	const dir = "sys/fs/cgroup/job/"
	for _, file := range []string{
		"cpu.max lots 100000", "cpu.max 1000", "cpu.max 1000 0", "cpu.max -1 100000", "cpu.max max", "cpu.max ", "cpu.max 1e5 100000",
		"cpu.stat usage_usec -5", "cpuset.cpus.effective 0-", "cpuset.cpus.effective 3-1", "cpuset.cpus.effective a",
	} {
		name, text, _ := strings.Cut(file, " ")
		root := newLiveFS(cgroupFiles("0::/job\n", mountV2, cgroupV2("sys/fs/cgroup/job", "1024", 0, 0), map[string]string{dir + name: text + "\n"}))
		out, err := fixtureSampler(t, root, SamplerConfig{}).Sample(t.Context())
		require.ErrorContains(t, err, "resources: container cpu: ", file)
		require.False(t, out.Container.CPUs.OK || out.Container.CPU.OK, file)
		require.True(t, out.Memory.Limited, file)
	}
}

// TestCgroupPressure is that of the own group of v2, whose CPU pressure has a full line that means something.
func TestCgroupPressure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const text = "some avg10=%[1]d.00 avg60=0.00 avg300=0.00 total=%[2]d\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=%[2]d\n"
		root := newLiveFS(cgroupFiles("0::/job\n", mountHybrid, map[string]string{"sys/fs/cgroup/unified/job/cpu.pressure": fmt.Sprintf(text, 50, 100), "sys/fs/cgroup/unified/job/memory.pressure": ""}))
		s := fixtureSampler(t, root, SamplerConfig{})
		_, err := s.Sample(t.Context())
		require.ErrorContains(t, err, "resources: container pressure: ")
		root.set("sys/fs/cgroup/unified/job/memory.pressure", fmt.Sprintf(text, 10, 0))
		<-time.After(time.Second)
		root.set("sys/fs/cgroup/unified/job/cpu.pressure", fmt.Sprintf(text, 50, 100100))
		out := hostSample(t, s)
		require.Equal(t, Pressure{CPU: Stall{Of(.1), Of(.1), Of(.5), Of(.005)}, Memory: Stall{Some10: Of(.1), Full10: Of(.005)}}, out.Container.Pressure)
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestCountCPUs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "\n": 0, "0": 1, "0-3\n": 4, "0-3,5": 5, "0,2,4-5\n": 4, "7-7": 1, "0-1023": 1024,
		"-": -1, "0-": -1, "-3": -1, "0,,1": -1, "0,": -1, "3-1": -1, "0 1": -1, "99999999999999999999": -1, "0-99999999": -1, "x": -1,
	} {
		n, ok := countCPUs([]byte(text))
		require.Equal(t, want >= 0, ok, "%q", text)
		require.Equal(t, max(want, 0), n, "%q", text)
	}
}

// TestParseLimitHuge: what does not fit is no limit of 0 or of the rest.
func TestParseLimitHuge(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Value[uint64]{
		"18446744073709551615": Of(uint64(math.MaxUint64)), "18446744073709551616": {}, "18446744073709551620": {}, "max": Of(uint64(unlimited)), "max 5": {}, "maximum": {}, "5\n": Of(uint64(5)), "5x": {}, " 5": Of(uint64(5)), "": {},
	} {
		v, ok := parseLimit([]byte(text))
		require.Equal(t, want.OK, ok, text)
		if ok {
			require.Equal(t, want.V, v, text)
		}
	}
}
