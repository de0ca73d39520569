package resources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeProc is a /proc of our own making; the context makes gopsutil read it.
type fakeProc struct {
	t   *testing.T
	dir string
	ctx context.Context
}

func newProc(t *testing.T) *fakeProc {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("/proc is Linux only")
	}
	p := &fakeProc{t: t, dir: t.TempDir()}
	p.ctx = context.WithValue(t.Context(), common.EnvKey, common.EnvMap{common.HostProcEnvKey: p.dir})
	// Old libraries take Free, Buffers, Cached and Sreclaimable for what is left, and say 7 % used.
	p.write("meminfo", "MemTotal: 1000000 kB\nMemFree: 600000 kB\nMemAvailable: 850000 kB\nBuffers: 20000 kB\nCached: 300000 kB\nSReclaimable: 10000 kB\n")
	p.write("loadavg", "1.50 1.00 0.50 2/100 12345\n")
	p.write(strconv.Itoa(os.Getpid())+"/statm", "1000 250 100 10 0 500 0\n")
	p.cpu(1000, 9000)
	return p
}

func (p *fakeProc) write(name, text string) {
	p.t.Helper()
	name = filepath.Join(p.dir, name)
	require.NoError(p.t, os.MkdirAll(filepath.Dir(name), 0o700))
	require.NoError(p.t, os.WriteFile(name, []byte(text), 0o600))
}

func (p *fakeProc) remove(name string) {
	p.t.Helper()
	require.NoError(p.t, os.Remove(filepath.Join(p.dir, name)))
}

// cpu sets the counters, in ticks. A third of the busy time is in a guest, which is part of user; a third of the idle
// time waits for a disk.
func (p *fakeProc) cpu(busy, idle int) {
	p.t.Helper()
	p.write("stat", fmt.Sprintf("cpu  %d 0 0 %d %d 0 0 0 %d 0\nbtime 1\n", busy, idle-idle/3, idle/3, busy/3))
}

func newSampler(t testing.TB, cfg SamplerConfig) *Sampler {
	t.Helper()
	s, err := NewSampler(cfg)
	require.NoError(t, err)
	s.root = fstest.MapFS{}
	t.Cleanup(func() { require.NoError(t, s.Close(context.Background())) })
	return s
}

// TestTwoSamplersHaveTheirOwnInterval: with gopsutil's own cpu.Percent the second caller gets what the first has left.
func TestTwoSamplersHaveTheirOwnInterval(t *testing.T) {
	t.Parallel()
	proc := newProc(t)
	a, b := newSampler(t, SamplerConfig{}), newSampler(t, SamplerConfig{})
	cpu := func(s *Sampler) Value[float64] {
		out, err := s.Sample(proc.ctx)
		require.NoError(t, err)
		return out.CPU
	}
	require.False(t, cpu(a).OK, "the first reading is neither 0 nor 100 %")
	require.False(t, cpu(b).OK)
	proc.cpu(1300, 9700)
	require.InDelta(t, .3, cpu(a).V, 1e-9)
	require.InDelta(t, .3, cpu(b).V, 1e-9)
	require.False(t, cpu(a).OK, "no progress, no share")
	proc.cpu(1400, 9700)
	require.InDelta(t, 1, cpu(a).V, 1e-9)
	proc.cpu(1400, 9800)
	require.InDelta(t, .5, cpu(b).V, 1e-9)
	require.InDelta(t, 0, cpu(a).V, 1e-9)
}

func TestCPUCounterGoingBack(t *testing.T) {
	t.Parallel()
	proc := newProc(t)
	s := newSampler(t, SamplerConfig{})
	steps := []struct {
		busy, idle int
		want       Value[float64]
	}{
		{1000, 9000, Value[float64]{}},
		{1100, 9100, Of(.5)},
		{10, 20, Value[float64]{}},  // a reset
		{20, 30, Of(.5)},            // and on from there
		{500, 29, Value[float64]{}}, // idle time may go back a little on Linux
		{600, 129, Of(.5)},
	}
	for i, step := range steps {
		proc.cpu(step.busy, step.idle)
		out, err := s.Sample(proc.ctx)
		require.NoError(t, err)
		require.Equal(t, step.want.OK, out.CPU.OK, "step %d", i)
		require.InDelta(t, step.want.V, out.CPU.V, 1e-9, "step %d", i)
	}
}

// TestMemoryUsedIsFromAvailable: the same figure whatever the library means by "used".
func TestMemoryUsedIsFromAvailable(t *testing.T) {
	t.Parallel()
	proc := newProc(t)
	out, err := newSampler(t, SamplerConfig{}).Sample(proc.ctx)
	require.NoError(t, err)
	require.Equal(t, Of(uint64(1000000<<10)), out.Host.Total)
	require.InDelta(t, .15, out.Host.Used().V, 1e-12)
	require.Equal(t, out.Host, out.Memory, "no cgroup, no limit")
	require.InDelta(t, 1.5, out.Load.V, 1e-12)
	require.Equal(t, Of(uint64(250*os.Getpagesize())), out.Process.RSS)
}

func TestContainerLimitsMemory(t *testing.T) {
	t.Parallel()
	proc := newProc(t)
	s := newSampler(t, SamplerConfig{})
	s.root = tree("0::/job", mountV2, v2("sys/fs/cgroup/job", strconv.Itoa(400*mb), 195*mb, 159*mb)...)
	out, err := s.Sample(proc.ctx)
	require.NoError(t, err)
	require.Equal(t, Memory{Of(uint64(400 * mb)), Of(uint64(364 * mb)), true}, out.Memory)
	require.InDelta(t, .09, out.Memory.Used().V, 1e-9)
	require.InDelta(t, .15, out.Host.Used().V, 1e-9)

	// The limit is changed while the job runs; the host has less left than the container.
	s.root = tree("0::/job", mountV2, v2("sys/fs/cgroup/job", strconv.Itoa(900*mb), 0, 0)...)
	out, err = s.Sample(proc.ctx)
	require.NoError(t, err)
	require.Equal(t, Memory{Of(uint64(900 * mb)), Of(uint64(850000 << 10)), true}, out.Memory)
}

// TestMovedToAnotherCgroup: the cgroups are looked up anew once a minute, their limits each time.
func TestMovedToAnotherCgroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := NewSampler(SamplerConfig{})
		require.NoError(t, err)
		limit := func() uint64 {
			out, err := s.Sample(t.Context())
			require.NoError(t, err)
			require.True(t, out.Memory.Limited)
			return out.Memory.Total.V
		}
		files := append(v2("sys/fs/cgroup/a", "1000000", 0, 0), v2("sys/fs/cgroup/b", "2000000", 0, 0)...)
		s.root = tree("0::/a", mountV2, files...)
		require.EqualValues(t, 1000000, limit())
		s.root = tree("0::/b", mountV2, files...)
		<-time.After(rescan - 1)
		require.EqualValues(t, 1000000, limit())
		<-time.After(1)
		require.EqualValues(t, 2000000, limit())
		s.root = fstest.MapFS{"proc/self/cgroup": {Data: []byte("0::/b")}}
		<-time.After(rescan)
		out, err := s.Sample(t.Context())
		require.ErrorContains(t, err, "resources: container memory: ")
		require.False(t, out.Memory.Total.OK)
	})
}

// TestSourcesAreIndependent: what cannot be read is absent and named in the error; the rest is there.
func TestSourcesAreIndependent(t *testing.T) {
	t.Parallel()
	present := func(s Sample) string {
		var names []string
		for name, ok := range map[string]bool{
			"host": s.Host.Total.OK && s.Host.Available.OK, "memory": s.Memory.Total.OK && s.Memory.Available.OK, "load": s.Load.OK,
			"rss": s.Process.RSS.OK, "cpu": s.CPU.OK, "swap": s.SwapTotal.OK && s.SwapUsed.OK,
			"own": s.Process.CPU.OK && s.Process.Heap.OK && s.Process.Goroutines.OK,
		} {
			if ok {
				names = append(names, name)
			}
		}
		for i := range names {
			for j := range i {
				if names[i] < names[j] {
					names[i], names[j] = names[j], names[i]
				}
			}
		}
		return strings.Join(names, " ")
	}
	for name, tc := range map[string]struct {
		spoil func(*fakeProc, *Sampler)
		want  string
		err   string
	}{
		"nothing":             {func(*fakeProc, *Sampler) {}, "cpu host load memory own rss swap", ""},
		"no meminfo":          {func(p *fakeProc, _ *Sampler) { p.remove("meminfo") }, "cpu load own rss swap", "resources: memory: no figures"},
		"no stat":             {func(p *fakeProc, _ *Sampler) { p.remove("stat") }, "host load memory own rss swap", "resources: cpu: no counters"},
		"the process is gone": {func(p *fakeProc, _ *Sampler) { p.remove(strconv.Itoa(os.Getpid()) + "/statm") }, "cpu host load memory own swap", "resources: process memory: "},
		"bad memory":          {func(p *fakeProc, _ *Sampler) { p.write("meminfo", "MemTotal: much kB\n") }, "cpu load own rss swap", "resources: memory: "},
		"a limit unreadable": {func(_ *fakeProc, s *Sampler) {
			s.root, s.scanned = tree("0::/job", mountV2, "sys/fs/cgroup/job/memory.max lots"), time.Time{}
		}, "cpu host load own rss swap", "resources: container memory: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proc := newProc(t)
			s := newSampler(t, SamplerConfig{})
			_, err := s.Sample(proc.ctx)
			require.NoError(t, err)
			proc.cpu(2000, 10000)
			tc.spoil(proc, s)
			out, err := s.Sample(proc.ctx)
			require.Equal(t, tc.want, present(out))
			if tc.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tc.err)
			}
		})
	}
}

func TestSampleOfThisMachine(t *testing.T) {
	t.Parallel()
	s, err := NewSampler(SamplerConfig{Disk: t.TempDir(), Timeout: time.Minute})
	require.NoError(t, err)
	out, err := s.Sample(t.Context())
	require.NoError(t, err)
	require.False(t, out.CPU.OK)
	for name, used := range map[string]Value[float64]{"memory": out.Memory.Used(), "host": out.Host.Used(), "disk": out.Disk.Used()} {
		require.True(t, used.OK, name)
		require.True(t, used.V >= 0 && used.V < 1, "%s: %v", name, used.V)
	}
	require.LessOrEqual(t, out.Memory.Total.V, out.Host.Total.V)
	require.Positive(t, out.Process.RSS.V)
	require.Less(t, out.Process.RSS.V, out.Host.Total.V)
	require.Positive(t, out.Process.Heap.V)
	require.Positive(t, out.Process.Goroutines.V)
	require.WithinDuration(t, time.Now(), out.At, time.Minute)

	before := out.Process.CPU.V
	require.Positive(t, before)
	for until := time.Now().Add(20 * time.Millisecond); time.Now().Before(until); {
	}
	out, err = s.Sample(t.Context())
	require.NoError(t, err)
	require.Greater(t, out.Process.CPU.V, before)
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()))
	_, err = s.Sample(t.Context())
	require.ErrorIs(t, err, ErrClosed)
}

func TestDiskErrors(t *testing.T) {
	t.Parallel()
	s := newSampler(t, SamplerConfig{Disk: filepath.Join(t.TempDir(), "gone")})
	out, err := s.Sample(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "resources: disk ")
	require.False(t, out.Disk.Used().OK)
	require.True(t, out.Host.Total.OK)
}

// TestHungDisk: a statfs that does not return holds up one sample for the timeout and the next ones not at all, leaves
// one goroutine, and its late answer is not taken for a new one.
func TestHungDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := NewSampler(SamplerConfig{Disk: "/nfs", Timeout: 2 * time.Second})
		require.NoError(t, err)
		var calls atomic.Int64
		release := make(chan struct{})
		s.disk.usage = func(path string) (uint64, uint64, error) {
			assert.Equal(t, "/nfs", path)
			if n := uint64(calls.Add(1)); n > 1 {
				return 100, n, nil
			}
			<-release
			return 100, 1, nil
		}
		start := time.Now()
		for i := range 5 {
			out, err := s.Sample(t.Context())
			require.ErrorIs(t, err, ErrNoAnswer)
			require.Equal(t, Disk{Path: "/nfs"}, out.Disk)
			require.True(t, out.Host.Total.OK, "the rest is there")
			require.Equal(t, 2*time.Second, time.Since(start), "sample %d", i)
		}
		require.EqualValues(t, 1, calls.Load(), "at most one outstanding")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = s.disk.close(ctx)
		require.ErrorIs(t, err, ErrNoAnswer)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		close(release)
		synctest.Wait()
		out, err := s.Sample(t.Context())
		require.NoError(t, err)
		require.Equal(t, Of(uint64(2)), out.Disk.Free, "a fresh answer, not the late one")
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestCloseWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := NewSampler(SamplerConfig{Disk: "/nfs"})
		require.NoError(t, err)
		s.disk.usage = func(string) (uint64, uint64, error) {
			<-time.After(10 * time.Second)
			return 0, 0, errors.New("away")
		}
		_, err = s.Sample(t.Context())
		require.ErrorIs(t, err, ErrNoAnswer)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Close(ctx), ErrNoAnswer)
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, 9*time.Second, time.Since(start))
	})
}

func TestSampleContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := NewSampler(SamplerConfig{Disk: "/nfs", Timeout: time.Hour})
		require.NoError(t, err)
		s.disk.usage = func(string) (uint64, uint64, error) { <-time.After(time.Minute); return 1, 1, nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err = s.Sample(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		_, err = s.Sample(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestSamplerNilAndZero(t *testing.T) {
	t.Parallel()
	for _, s := range []*Sampler{nil, new(Sampler)} {
		_, err := s.Sample(t.Context())
		require.ErrorContains(t, err, "resources: ")
		require.NoError(t, s.Close(t.Context()))
	}
	_, err := NewSampler(SamplerConfig{Timeout: -1})
	require.Error(t, err)
}

func TestSamplerConcurrent(t *testing.T) {
	t.Parallel()
	s := newSampler(t, SamplerConfig{Disk: t.TempDir(), Timeout: time.Minute})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				out, err := s.Sample(t.Context())
				assert.NoError(t, err)
				assert.True(t, out.Disk.Total.OK)
				assert.True(t, !out.CPU.OK || out.CPU.V >= 0 && out.CPU.V <= 1)
			}
		})
	}
	wg.Wait()
}

// TestSamplesLeakNothing counts the open files before and after 10,000 samples. Not parallel: other tests open files.
func TestSamplesLeakNothing(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc/self/fd")
		}
		return len(entries)
	}
	rounds := 10_000
	if testing.Short() {
		rounds = 500
	}
	s, err := NewSampler(SamplerConfig{Disk: t.TempDir(), Timeout: time.Minute})
	require.NoError(t, err)
	_, err = s.Sample(t.Context())
	require.NoError(t, err)
	files, goroutines := open(), runtime.NumGoroutine()
	for range rounds {
		_, err := s.Sample(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, s.Close(t.Context()))
	require.LessOrEqual(t, open(), files)
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
}
