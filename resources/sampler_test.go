package resources

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// samplerSource is a source that does as told and notes what was asked of it.
type samplerSource struct {
	mu     sync.Mutex
	asked  int
	inside int // calls that have not returned
	most   int
	do     func(n int) error
}

func (f *samplerSource) read(time.Time) error {
	f.mu.Lock()
	f.asked++
	f.inside++
	f.most = max(f.most, f.inside)
	n, do := f.asked, f.do
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.inside--
		f.mu.Unlock()
	}()
	if do == nil {
		return nil
	}
	return do(n)
}

func (f *samplerSource) calls() (asked, most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked, f.most
}

// samplerOf is a sampler of a load (1), the given source (CPU) and a last one (Load5).
func samplerOf(t testing.TB, timeout time.Duration, middle *samplerSource) *Sampler {
	t.Helper()
	fine := func(time.Time) error { return nil }
	s, err := newSamplerOf(SamplerConfig{Timeout: timeout}, []*probe{
		{name: "first", read: fine, put: func(out *Sample) { out.Load = Of(1.0) }},
		{name: "middle", read: middle.read, put: func(out *Sample) { out.CPU = Of(float64(middle.asked)) }},
		{name: "last", read: fine, put: func(out *Sample) { out.Load5 = Of(5.0) }},
	})
	require.NoError(t, err)
	return s
}

// TestSamplerHungSource: a source that does not return holds up one sample for the timeout, the other sources hardly, and
// later samples not at all; it costs one goroutine, and its late answer is not taken for a new one.
func TestSamplerHungSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		middle := &samplerSource{do: func(n int) error {
			if n == 1 {
				<-release
			}
			return nil
		}}
		s := samplerOf(t, 2*time.Second, middle)
		start := time.Now()
		for i := range 20 {
			out, err := s.Sample(t.Context())
			require.ErrorIs(t, err, ErrNoAnswer)
			require.ErrorContains(t, err, "resources: middle: ")
			require.False(t, out.CPU.OK)
			require.Equal(t, []Value[float64]{Of(1.0), Of(5.0)}, []Value[float64]{out.Load, out.Load5}, "the rest is there")
			require.True(t, out.Process.Heap.OK)
			require.Equal(t, 2*time.Second, time.Since(start), "sample %d", i)
			synctest.Wait()
			s.mu.Lock()
			require.Equal(t, 1, s.walkers, "one goroutine is stuck, and no more")
			s.mu.Unlock()
		}
		asked, most := middle.calls()
		require.Equal(t, []int{1, 1}, []int{asked, most})

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		close(release)
		synctest.Wait()
		out, err := s.Sample(ctx)
		require.NoError(t, err)
		require.Equal(t, Of(2.0), out.CPU, "a fresh answer, not the late one")
		require.NoError(t, s.Close(ctx))
	})
}

// TestSamplerLateAnswer: an answer that comes after the timeout, during a later sample, is dropped.
func TestSamplerLateAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		middle := &samplerSource{do: func(int) error { <-time.After(1500 * time.Millisecond); return nil }}
		s := samplerOf(t, time.Second, middle)
		for range 3 {
			out, err := s.Sample(t.Context())
			require.ErrorIs(t, err, ErrNoAnswer)
			require.False(t, out.CPU.OK)
			<-time.After(250 * time.Millisecond)
		}
		require.NoError(t, s.Close(t.Context()))
	})
}

// TestSamplerSlowSource: a source that is slow but in time is waited for, and the sources after it need not wait for it.
func TestSamplerSlowSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		middle := &samplerSource{do: func(int) error { <-time.After(900 * time.Millisecond); return nil }}
		s := samplerOf(t, time.Second, middle)
		start := time.Now()
		var took time.Duration
		s.probes[2].read = func(now time.Time) error { took = time.Since(start); return nil }
		out, err := s.Sample(t.Context())
		require.NoError(t, err)
		require.Equal(t, Of(1.0), out.CPU)
		require.Equal(t, 900*time.Millisecond, time.Since(start))
		require.Less(t, took, 20*time.Millisecond)
		require.NoError(t, s.Close(t.Context()))
	})
}

// TestSamplerAllHang: however many sources hang, and whatever fails, the sample is back in time.
func TestSamplerAllHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var probes []*probe
		sources := make([]*samplerSource, 12)
		for i := range sources {
			sources[i] = &samplerSource{do: func(int) error { <-release; return nil }}
			probes = append(probes, &probe{name: "hangs", read: sources[i].read, put: func(*Sample) { t.Error("there is nothing") }})
		}
		s, err := newSamplerOf(SamplerConfig{}, probes)
		require.NoError(t, err)
		start := time.Now()
		for range 100 {
			_, err := s.Sample(t.Context())
			require.ErrorIs(t, err, ErrNoAnswer)
		}
		// The first comes back after a second; those that it did not get to may each cost another.
		require.LessOrEqual(t, time.Since(start), 13*time.Second)
		for i, f := range sources {
			asked, most := f.calls()
			require.Equal(t, []int{1, 1}, []int{asked, most}, "source %d", i)
		}
		close(release)
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestSamplerClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		middle := &samplerSource{do: func(int) error { <-time.After(10 * time.Second); return errors.New("away") }}
		s := samplerOf(t, time.Second, middle)
		closed := 0
		s.probes[0].close = func() { closed++ }
		_, err := s.Sample(t.Context())
		require.ErrorIs(t, err, ErrNoAnswer)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = s.Close(ctx)
		require.ErrorIs(t, err, ErrNoAnswer)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "resources: middle: ")
		require.Zero(t, closed)
		require.NoError(t, s.Close(t.Context()))
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, 1, closed)
		require.Equal(t, 9*time.Second, time.Since(start))
		_, err = s.Sample(t.Context())
		require.ErrorIs(t, err, ErrClosed)
	})
}

// TestSamplerCloseDuringSample waits for the sample, and its sources are left as they are.
func TestSamplerCloseDuringSample(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		middle := &samplerSource{do: func(int) error { <-time.After(500 * time.Millisecond); return nil }}
		s := samplerOf(t, time.Second, middle)
		var wg sync.WaitGroup
		wg.Go(func() {
			out, _ := s.Sample(t.Context())
			assert.True(t, out.CPU.OK)
		})
		synctest.Wait()
		start := time.Now()
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, 500*time.Millisecond, time.Since(start))
		wg.Wait()
	})
}

func TestSamplerContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		middle := &samplerSource{do: func(int) error { <-time.After(time.Minute); return nil }}
		s := samplerOf(t, time.Hour, middle)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		out, err := s.Sample(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, out.Load.OK, "what there was in time")
		require.Equal(t, time.Second, time.Since(start))
		_, err = s.Sample(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		// The next sample joins the call under way.
		out, err = s.Sample(t.Context())
		require.NoError(t, err)
		require.Equal(t, Of(1.0), out.CPU)
		require.Equal(t, time.Minute, time.Since(start))

		// One that waits for its turn goes when its own context ends.
		go func() { _, _ = s.Sample(t.Context()) }()
		synctest.Wait()
		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start = time.Now()
		_, err = s.Sample(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(start))
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
	s, err := NewSampler(SamplerConfig{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out, err := s.Sample(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, out)
	require.NoError(t, s.Close(t.Context()), "never used")
}

func TestSampleOfThisMachine(t *testing.T) {
	t.Parallel()
	s, err := NewSampler(SamplerConfig{Disk: t.TempDir(), Timeout: time.Minute})
	require.NoError(t, err)
	out, err := s.Sample(t.Context())
	require.NoError(t, err)
	require.False(t, out.CPU.OK)
	require.False(t, out.Modes.OK)
	for name, used := range map[string]Value[float64]{"memory": out.Memory.Used(), "host": out.Host.Used(), "disk": out.Disk.Used()} {
		require.True(t, used.OK, name)
		require.True(t, used.V >= 0 && used.V < 1, "%s: %v", name, used.V)
	}
	require.LessOrEqual(t, out.Memory.Total.V, out.Host.Total.V)
	require.Positive(t, out.Process.RSS.V)
	require.Less(t, out.Process.RSS.V, out.Host.Total.V)
	require.Positive(t, out.Process.Heap.V)
	require.Positive(t, out.Process.Goroutines.V)
	require.GreaterOrEqual(t, out.Runtime.Memory.V, out.Process.Heap.V)
	require.Equal(t, Of(runtime.GOMAXPROCS(0)), out.Runtime.MaxProcs)
	require.Equal(t, Of(uint64(0)), out.Runtime.GCs.Total)
	require.False(t, out.Runtime.GCs.Rate.OK)
	require.WithinDuration(t, time.Now(), out.At, time.Minute)

	before := out.Process.CPU.V
	require.Positive(t, before)
	for until := time.Now().Add(20 * time.Millisecond); time.Now().Before(until); {
		runtime.GC()
	}
	out, err = s.Sample(t.Context())
	require.NoError(t, err)
	require.Greater(t, out.Process.CPU.V, before)
	require.Positive(t, out.Runtime.GCs.Total.V)
	require.Positive(t, out.Runtime.GCs.Rate.V)
	require.True(t, !out.Runtime.GC.OK || out.Runtime.GC.V >= 0 && out.Runtime.GC.V <= 1)
	require.NoError(t, s.Close(t.Context()))
	_, err = s.Sample(t.Context())
	require.ErrorIs(t, err, ErrClosed)
}

func TestDiskErrors(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]error{filepath.Join(t.TempDir(), "gone"): os.ErrNotExist, "a\x00b": nil} {
		s, err := NewSampler(SamplerConfig{Disk: path})
		require.NoError(t, err)
		out, err := s.Sample(t.Context())
		if want != nil {
			require.ErrorIs(t, err, want)
		}
		require.ErrorContains(t, err, "resources: disk ")
		require.Equal(t, Disk{Path: path}, out.Disk)
		require.True(t, out.Host.Total.OK)
		require.NoError(t, s.Close(t.Context()))
	}
}

func TestSamplerConcurrent(t *testing.T) {
	t.Parallel()
	s, err := NewSampler(SamplerConfig{Disk: t.TempDir(), Timeout: time.Minute})
	require.NoError(t, err)
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
	require.NoError(t, s.Close(t.Context()))
}

// samplerGPUs stands for a driver. It satisfies GPUSource with basic types alone.
type samplerGPUs func(ctx context.Context, each func(id, name string, busy, memoryTotal, memoryUsed, celsius, watts float64)) error

func (f samplerGPUs) ReadGPUs(ctx context.Context, each func(id, name string, busy, memoryTotal, memoryUsed, celsius, watts float64)) error {
	return f(ctx, each)
}

func TestSamplerGPUs(t *testing.T) {
	t.Parallel()
	type each = func(id, name string, busy, memoryTotal, memoryUsed, celsius, watts float64)
	nan := math.NaN()
	for name, tc := range map[string]struct {
		read func(each) error
		want []GPU
		err  string
	}{
		"none": {func(each) error { return nil }, []GPU{}, ""},
		"one of two is full, and is seen": {func(see each) error {
			see("GPU-1", "H100", .5, 80e9, 80e9, 40, 350)
			see("GPU-2", "H100", 0, 80e9, 0, 30, 60)
			return nil
		}, []GPU{
			{"GPU-1", "H100", Of(.5), Of(uint64(80e9)), Of(uint64(80e9)), Of(40.0), Of(350.0)},
			{"GPU-2", "H100", Of(0.0), Of(uint64(80e9)), Of(uint64(0)), Of(30.0), Of(60.0)},
		}, ""},
		"absent is not 0":            {func(see each) error { see("a", "b", nan, nan, nan, nan, nan); return nil }, []GPU{{ID: "a", Name: "b"}}, ""},
		"more than there can be":     {func(see each) error { see("a", "", 1.2, -1, math.Inf(1), -5, -math.MaxFloat64); return nil }, []GPU{{ID: "a", Busy: Of(1.0), Temperature: Of(-5.0), Power: Of(-math.MaxFloat64)}}, ""},
		"a negative share":           {func(see each) error { see("a", "", -.1, nan, nan, nan, nan); return nil }, []GPU{{ID: "a"}}, ""},
		"no support is not no GPU":   {func(each) error { return errors.New("no GPU support") }, nil, "resources: gpu: no GPU support"},
		"a failure after the first":  {func(see each) error { see("a", "", 0, 0, 0, 0, 0); return errors.New("lost") }, nil, "resources: gpu: lost"},
		"a panic stays in its place": {func(each) error { panic("driver") }, nil, "resources: gpu: panic: driver"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := newSamplerOf(SamplerConfig{Timeout: time.Minute, GPU: samplerGPUs(func(ctx context.Context, see func(id, name string, busy, memoryTotal, memoryUsed, celsius, watts float64)) error {
				return tc.read(see)
			})}, nil)
			require.NoError(t, err)
			for range 2 {
				out, err := s.Sample(t.Context())
				require.Equal(t, tc.want, out.GPUs)
				if tc.err == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, tc.err)
				}
			}
			require.NoError(t, s.Close(t.Context()))
		})
	}
	require.Equal(t, Of(.25), GPU{MemoryTotal: Of(uint64(4)), MemoryUsed: Of(uint64(1))}.Used())
	require.Equal(t, Of(1.0), GPU{MemoryTotal: Of(uint64(4)), MemoryUsed: Of(uint64(5))}.Used())
	require.False(t, GPU{MemoryTotal: Of(uint64(4))}.Used().OK)
}

// TestSamplerHungDriver: a driver that hangs is told when its time is over, and that the sampler is closed.
func TestSamplerHungDriver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var causes []error
		hang := func(ctx context.Context, _ func(id, name string, busy, memoryTotal, memoryUsed, celsius, watts float64)) error {
			<-ctx.Done()
			causes = append(causes, ctx.Err())
			<-time.After(5 * time.Second)
			return ctx.Err()
		}
		s, err := newSamplerOf(SamplerConfig{GPU: samplerGPUs(hang)}, nil)
		require.NoError(t, err)
		out, err := s.Sample(t.Context())
		require.ErrorIs(t, err, ErrNoAnswer)
		require.Nil(t, out.GPUs)
		<-time.After(10 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = s.Sample(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, []error{context.DeadlineExceeded, context.Canceled}, causes)
	})
}
