package gpu

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/surefoot-ml/surefoot/resources"
)

var _ resources.GPUSource = (*Reader)(nil)

// fakeDriver is a driver that fails, hangs and loses GPUs on demand, and that complains about being called when it must
// not be.
type fakeDriver struct {
	t *testing.T

	mu                            sync.Mutex
	openErr                       error
	openHang, closeHang, waitHang chan struct{} // hangs until closed
	isOpen                        bool
	opens, closes                 int
	inside                        int // calls under way
	gpus                          []*fakeGPU
	events                        chan Event // nil: no events
	waitErr                       error
	freed                         int
}

type fakeGPU struct {
	driver *fakeDriver
	id     Device
	mu     sync.Mutex
	reads  int
	err    error
	joules float64
	hang   chan struct{}
}

func (f *fakeDriver) open() error {
	f.mu.Lock()
	f.opens++
	hang := f.openHang
	require.Zero(f.t, f.inside, "opened while a call was under way")
	require.False(f.t, f.isOpen, "opened twice")
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isOpen = f.openErr == nil
	return f.openErr
}

func (f *fakeDriver) close() error {
	f.mu.Lock()
	require.Zero(f.t, f.inside, "closed while a call was under way")
	require.True(f.t, f.isOpen, "closed when not open")
	f.closes++
	f.isOpen = false
	hang := f.closeHang
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return nil
}

func (f *fakeDriver) devices() ([]device, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	require.True(f.t, f.isOpen)
	var out []device
	for _, g := range f.gpus {
		out = append(out, g)
	}
	return out, nil
}

func (f *fakeDriver) listen([]device) (eventSet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.events == nil {
		return nil, errNoEvents
	}
	return f, nil
}

func (f *fakeDriver) wait(d time.Duration) (Event, bool, error) {
	f.enter(1)
	defer f.enter(-1)
	f.mu.Lock()
	hang, err := f.waitHang, f.waitErr
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if err != nil {
		return Event{}, false, err
	}
	select {
	case e := <-f.events:
		return e, true, nil
	case <-time.After(d):
		return Event{}, false, nil
	}
}

func (f *fakeDriver) free() {
	f.mu.Lock()
	defer f.mu.Unlock()
	require.True(f.t, f.isOpen)
	f.freed++
}

func (f *fakeDriver) enter(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	require.True(f.t, f.isOpen, "called when not open")
	f.inside += n
}

func (f *fakeDriver) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fakeDriver) count(n *int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *n
}

func (g *fakeGPU) identity() Device { return g.id }

func (g *fakeGPU) read(to *reading) error {
	g.driver.enter(1)
	defer g.driver.enter(-1)
	to.begin("temperature")
	to.set(func(d *Device) { d.Temperature = resources.Of(40.0) })
	g.mu.Lock()
	g.reads++
	hang, err, joules := g.hang, g.err, g.joules
	g.mu.Unlock()
	to.begin("energy")
	to.set(func(d *Device) { d.Energy = resources.Of(joules) })
	if hang != nil {
		to.begin("power")
		<-hang
	}
	if err != nil {
		return err
	}
	to.set(func(d *Device) { d.Power = resources.Of(300.0) })
	return nil
}

func (g *fakeGPU) change(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
}

func (g *fakeGPU) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reads
}

// fakeReader makes a reader of n GPUs. It is closed, and must close, at the end of the test.
func fakeReader(t *testing.T, cfg Config, n int) (*Reader, *fakeDriver) {
	f := &fakeDriver{t: t}
	for i := range n {
		f.gpus = append(f.gpus, &fakeGPU{driver: f, id: Device{Index: i, UUID: string(rune('a' + i))}})
	}
	r, err := newReader(cfg, f)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	return r, f
}

func TestReadsAllGPUs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{}, 3)
		devices, err := r.Read(t.Context())
		require.NoError(t, err)
		require.Len(t, devices, 3)
		require.Equal(t, "b", devices[1].UUID)
		require.Equal(t, resources.Of(300.0), devices[2].Power)
		require.Equal(t, resources.Of(0.0), devices[0].Energy, "counted from the first reading on")
		require.False(t, devices[0].Busy.OK, "what was not read is absent")
		require.NoError(t, r.Close(t.Context()))
		require.Equal(t, 1, f.count(&f.closes))
		_, err = r.Read(t.Context())
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestDriverIsTriedAgainOnATimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Retry: time.Minute}, 1)
		f.openErr = ErrNoDriver
		for range 59 { // one a second
			devices, err := r.Read(t.Context())
			require.ErrorIs(t, err, ErrNoDriver)
			require.Nil(t, devices, "no driver is not the same as no GPUs")
			require.Equal(t, 1, f.count(&f.opens), "tried once, not at each reading")
			<-time.After(time.Second)
		}
		f.change(func() { f.openErr = nil }) // the driver is installed
		_, err := r.Read(t.Context())
		require.ErrorIs(t, err, ErrNoDriver)
		<-time.After(time.Second)
		devices, err := r.Read(t.Context())
		require.NoError(t, err)
		require.Len(t, devices, 1)
		require.Equal(t, 2, f.count(&f.opens))
	})
}

func TestHungGPUHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Timeout: time.Second}, 2)
		f.gpus[1].hang = make(chan struct{})
		began := time.Now()
		devices, err := r.Read(t.Context())
		require.Equal(t, time.Second, time.Since(began))
		require.ErrorIs(t, err, ErrNoAnswer)
		require.ErrorContains(t, err, "GPU 1")
		require.ErrorContains(t, err, "power", "the call that hangs is named")
		require.True(t, devices[0].Power.OK)
		require.Equal(t, resources.Of(40.0), devices[1].Temperature, "what was read before it hung is good")
		require.False(t, devices[1].Power.OK)
		require.False(t, devices[1].Energy.OK)
		require.True(t, devices[1].Hung && !devices[0].Hung)

		for range 100 {
			<-time.After(time.Second)
			began = time.Now()
			devices, err = r.Read(t.Context())
			require.ErrorIs(t, err, ErrNoAnswer)
			require.Zero(t, time.Since(began), "nobody waits again for what is stuck")
			require.Equal(t, Device{Index: 1, UUID: "b", Hung: true}, devices[1], "and what it read long ago is not told as new")
			require.True(t, devices[0].Power.OK)
		}
		require.Equal(t, 1, f.gpus[1].count(), "there is never more than one call that hangs")
		require.Equal(t, 101, f.gpus[0].count())

		stuck, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, r.Close(stuck), ErrNoAnswer)
		require.Zero(t, f.count(&f.closes), "the library is not shut down under a call")
		close(f.gpus[1].hang)
		require.NoError(t, r.Close(t.Context()))
		require.Equal(t, 1, f.count(&f.closes))
	})
}

func TestHungGPUComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{}, 1)
		hang := make(chan struct{})
		f.gpus[0].hang = hang
		_, err := r.Read(t.Context())
		require.ErrorIs(t, err, ErrNoAnswer)
		f.gpus[0].change(func() { f.gpus[0].hang = nil })
		close(hang)
		synctest.Wait()
		devices, err := r.Read(t.Context())
		require.NoError(t, err)
		require.True(t, devices[0].Power.OK)
	})
}

func TestHungInitialisation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Timeout: time.Second}, 1)
		f.openHang = make(chan struct{})
		for range 10 {
			_, err := r.Read(t.Context())
			require.ErrorIs(t, err, ErrNoAnswer)
		}
		require.Equal(t, 1, f.count(&f.opens))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := r.Read(ctx)
		require.ErrorIs(t, err, context.Canceled)
		close(f.openHang)
		synctest.Wait()
		_, err = r.Read(t.Context())
		require.NoError(t, err)
	})
}

func TestReadersShareAReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Timeout: time.Minute}, 1)
		hang := make(chan struct{})
		f.gpus[0].hang = hang
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				devices, err := r.Read(t.Context())
				if err != nil || len(devices) != 1 || !devices[0].Power.OK {
					t.Error(devices, err)
				}
			})
		}
		synctest.Wait()
		close(hang)
		all.Wait()
		require.Equal(t, 1, f.gpus[0].count())
	})
}

func TestCancelledReadingTellsWhatThereIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Timeout: time.Hour}, 1)
		f.gpus[0].hang = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		devices, err := r.Read(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, devices[0].Temperature.OK)
		require.False(t, devices[0].Hung, "it had not all of its time")
		close(f.gpus[0].hang)
	})
}

func TestDriverReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Retry: time.Second}, 1)
		f.events = make(chan Event)
		g := f.gpus[0]
		read := func(joules float64) Device {
			t.Helper()
			<-time.After(10 * time.Second)
			g.change(func() { g.joules = joules })
			devices, err := r.Read(t.Context())
			require.NoError(t, err)
			return devices[0]
		}
		require.Equal(t, resources.Of(0.0), read(5000).Energy)
		require.Equal(t, resources.Of(3000.0), read(8000).Energy)
		g.change(func() { g.err = &callError{call: "power", text: "not initialised", kind: errUninitialized} })
		devices, err := r.Read(t.Context())
		require.Error(t, err)
		require.False(t, devices[0].Power.OK)
		g.change(func() { g.err = nil })
		require.Equal(t, resources.Of(3000.0), read(100).Energy, "the counter began anew: nothing was taken back")
		require.Equal(t, 2, f.count(&f.opens))
		require.Equal(t, 1, f.count(&f.closes))
		require.Equal(t, 1, f.count(&f.freed), "the old events were given up before")
		require.Equal(t, resources.Of(3500.0), read(600).Energy)
		require.Equal(t, resources.Of(3500.0), read(1e12).Energy, "a counter that jumps is not energy")
		require.Equal(t, resources.Of(3501.0), read(1e12+1).Energy)
	})
}

func TestLostGPU(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Retry: 30 * time.Second}, 2)
		_, err := r.Read(t.Context())
		require.NoError(t, err)
		f.gpus[1].change(func() { f.gpus[1].err = &callError{call: "power", text: "GPU is lost", kind: ErrLost} })
		opened := []time.Duration{}
		began := time.Now()
		for range 2 * 3600 { // two hours, once a second
			devices, err := r.Read(t.Context())
			require.ErrorIs(t, err, ErrLost)
			require.True(t, devices[0].Power.OK, "the others are read on")
			if f.count(&f.opens) > len(opened)+1 {
				opened = append(opened, time.Since(began))
			}
			<-time.After(time.Second)
		}
		require.Less(t, len(opened), 14)
		require.Equal(t, 30*time.Second, opened[0], "after Retry at first")
		require.Equal(t, 90*time.Second, opened[1], "then ever more rarely")
		gap := opened[len(opened)-1] - opened[len(opened)-2]
		require.InDelta(t, (32 * 30 * time.Second).Seconds(), gap.Seconds(), 2, "but not never")

		f.gpus[1].change(func() { f.gpus[1].err = nil }) // reset by somebody
		devices, err := r.Read(t.Context())
		require.NoError(t, err)
		require.True(t, devices[1].Power.OK)
	})
}

func TestLostGPUDoesNotReopenUnderAHungOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Timeout: time.Second, Retry: time.Second}, 2)
		f.gpus[0].err = &callError{kind: ErrLost}
		f.gpus[1].hang = make(chan struct{})
		for range 60 {
			_, err := r.Read(t.Context())
			require.ErrorIs(t, err, ErrLost)
			require.ErrorIs(t, err, ErrNoAnswer)
			<-time.After(time.Second)
		}
		require.Equal(t, 1, f.count(&f.opens))
		close(f.gpus[1].hang)
	})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var heard []int
		r, f := fakeReader(t, Config{Event: func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, e.XID)
		}}, 2)
		f.events = make(chan Event)
		_, err := r.Read(t.Context())
		require.NoError(t, err)
		for i := range 40 {
			f.events <- Event{At: time.Now(), UUID: "b", XID: i}
		}
		f.events <- Event{UUID: "b", DoubleBit: true}
		synctest.Wait()
		devices, err := r.Read(t.Context())
		require.NoError(t, err)
		require.Empty(t, devices[0].Events)
		require.Len(t, devices[1].Events, maxEvents)
		require.True(t, devices[1].Events[maxEvents-1].DoubleBit, "oldest first")
		require.Equal(t, 39, devices[1].Events[maxEvents-2].XID)
		require.EqualValues(t, 40, devices[1].XIDs, "all are counted")
		mu.Lock()
		defer mu.Unlock()
		require.Len(t, heard, 41)
		began := time.Now()
		require.NoError(t, r.Close(t.Context()))
		require.LessOrEqual(t, time.Since(began), eventWait)
		require.Equal(t, 1, f.count(&f.freed))
	})
}

func TestEventsAfterALoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{}, 1)
		f.events = make(chan Event)
		f.waitErr = &callError{kind: ErrLost}
		_, err := r.Read(t.Context())
		require.NoError(t, err)
		<-time.After(time.Hour) // a wait that fails at once must not spin: the clock would not move
		f.change(func() { f.waitErr = &callError{kind: errUninitialized} })
		<-time.After(2 * time.Second)
		_, err = r.Read(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, f.count(&f.opens), "the driver went away: opened anew")
		for range 10 {
			_, err = r.Read(t.Context())
			require.NoError(t, err)
		}
		require.Equal(t, 2, f.count(&f.opens), "but not in a loop while it stays away")
	})
}

func TestHungEventsDoNotStopReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Timeout: time.Second}, 1)
		f.events, f.waitHang = make(chan Event), make(chan struct{})
		for range 10 {
			_, err := r.Read(t.Context())
			require.NoError(t, err)
			<-time.After(time.Second)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, r.Close(ctx), ErrNoAnswer)
		close(f.waitHang)
	})
}

func TestCloseWhileInitialising(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{Timeout: time.Second}, 1)
		f.events, f.openHang = make(chan Event), make(chan struct{})
		_, err := r.Read(t.Context())
		require.ErrorIs(t, err, ErrNoAnswer)
		time.AfterFunc(time.Minute, func() { close(f.openHang) })
		require.NoError(t, r.Close(t.Context()))
		require.Equal(t, 1, f.count(&f.closes))
		require.Equal(t, 1, f.count(&f.freed))
	})
}

func TestHungShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{}, 1)
		f.closeHang = make(chan struct{})
		_, err := r.Read(t.Context())
		require.NoError(t, err)
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.ErrorIs(t, r.Close(ctx), ErrNoAnswer)
			cancel()
		}
		require.Equal(t, 1, f.count(&f.closes))
		close(f.closeHang)
	})
}

func TestReadGPUs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, f := fakeReader(t, Config{}, 2)
		f.gpus[1].err = errors.New("broken")
		var ids []string
		require.NoError(t, r.ReadGPUs(t.Context(), func(id, _ string, busy, total, used, celsius, watts float64) {
			ids = append(ids, id)
			require.NotEqual(t, busy, busy, "not known is NaN")
			require.NotEqual(t, total, total)
			require.NotEqual(t, used, used)
			require.InDelta(t, 40, celsius, 0)
			if id == "a" {
				require.InDelta(t, 300, watts, 0)
			}
		}), "one that fails does not hide the others")
		require.Equal(t, []string{"a", "b"}, ids)
		require.NoError(t, r.Close(t.Context()))
		require.ErrorIs(t, r.ReadGPUs(t.Context(), nil), ErrClosed)
	})
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	_, err := NewReader(Config{Timeout: -1})
	require.ErrorContains(t, err, "negative")
	_, err = NewReader(Config{Retry: -1})
	require.Error(t, err)
	var none *Reader
	_, err = none.Read(t.Context())
	require.Error(t, err)
	require.NoError(t, none.Close(t.Context()))
	_, err = (&Reader{}).Read(t.Context())
	require.Error(t, err)
}
