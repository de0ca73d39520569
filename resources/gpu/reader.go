package gpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

const (
	defaultTimeout = 800 * time.Millisecond
	defaultRetry   = 30 * time.Second
	maxPatience    = 32 // times Retry: how rarely a driver with a lost GPU is initialised anew
)

var (
	// ErrUnsupported is found in the error of a [Reader] in a program built without cgo or not for Linux.
	ErrUnsupported = errors.New("gpu: built without NVML, which needs cgo and Linux")
	// ErrNoDriver is found in the error where there is no NVIDIA driver, or none that can be initialised. It is tried again
	// after Config.Retry; one that was updated while its library was loaded needs a restart of the process.
	ErrNoDriver = errors.New("gpu: no usable driver")
	// ErrLost is found in the error when a GPU has fallen off the bus.
	ErrLost = errors.New("gpu: lost")
	// ErrNoAnswer is found in the error when the driver has not answered in time.
	ErrNoAnswer = errors.New("gpu: no answer")
	// ErrClosed is returned by a closed [Reader].
	ErrClosed = errors.New("gpu: reader is closed")
)

// Config configures a [Reader]. The zero value is good.
type Config struct {
	// Timeout is how long a reading waits for the driver. All GPUs are read side by side. Let it be less than what a
	// sampler waits for its sources: one GPU that hangs then does not hide the others. Default 0.8 seconds.
	Timeout time.Duration
	// Retry is how long after it failed to initialise the driver is tried again. It is initialised anew, too, when it was
	// reloaded, and after a GPU was lost: after Retry at first, then ever more rarely. Default 30 seconds.
	Retry time.Duration
	// Event is called with each event as it comes, one at a time, from a goroutine that [Reader.Close] waits for. It must
	// not call Close. nil: events are found in [Device] alone.
	Event func(Event)
}

// Reader reads all GPUs of the machine. Safe for concurrent use: who comes while a GPU is being read shares the reading.
// Create one with [NewReader] and close it; nil and the zero Reader refuse to read.
type Reader struct {
	cfg    Config
	driver driver
	end    context.Context // of the whole Reader
	cancel context.CancelFunc

	mu      sync.Mutex // guards all below
	closed  bool
	opening *call // initialisation under way, or nil
	closing *call
	up      bool
	failed  error     // why it is not up
	retryAt time.Time // when to try again
	opened  time.Time // when it came up
	gpus    []*member // while up
	ears    *listener // while up, nil where there are no events
	// reopenAt is when to initialise anew although it is up; zero: not at all. patience is the wait for a lost GPU.
	reopenAt time.Time
	patience time.Duration
	past     map[string]*past // by UUID; outlives the driver
}

// call is one call that nobody can cancel.
type call struct {
	started time.Time
	done    chan struct{}
}

type member struct {
	device
	current *reading // under way, or nil; guarded by Reader.mu
}

// listener is the goroutine that waits for events.
type listener struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// NewReader checks the configuration and returns a reader. The driver is loaded by the first reading.
func NewReader(cfg Config) (*Reader, error) {
	return newReader(cfg, systemDriver())
}

func newReader(cfg Config, d driver) (*Reader, error) {
	if cfg.Timeout < 0 || cfg.Retry < 0 {
		return nil, fmt.Errorf("gpu: Timeout %v or Retry %v is negative", cfg.Timeout, cfg.Retry)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Retry == 0 {
		cfg.Retry = defaultRetry
	}
	end, cancel := context.WithCancel(context.Background())
	return &Reader{cfg: cfg, driver: d, end: end, cancel: cancel, patience: cfg.Retry, past: map[string]*past{}}, nil
}

// Read reads all GPUs once. The error joins what went wrong; the devices are good all the same, with absent metrics where
// something failed. They are nil when there is no telling how many there are: without driver, after Close, and when ctx was
// done before it began.
func (r *Reader) Read(ctx context.Context) ([]Device, error) {
	if r == nil || r.driver == nil {
		return nil, errors.New("gpu: not made by NewReader")
	}
	began := time.Now()
	gpus, readings, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	out, errs := make([]Device, len(gpus)), []error{}
	for i, reading := range readings {
		await(ctx, reading.started.Add(r.cfg.Timeout), reading.done)
		var err error
		out[i], err = reading.result()
		if errors.Is(err, ErrNoAnswer) {
			if reading.started.Before(began.Add(-r.cfg.Timeout)) {
				out[i] = gpus[i].identity() // what a stuck reading has read is old
			}
			out[i].Hung = time.Since(reading.started) >= r.cfg.Timeout // or ctx has ended before
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("GPU %d: %w", out[i].Index, err))
		}
	}
	r.complete(out)
	if ctx.Err() != nil {
		errs = append(errs, ctx.Err())
	}
	return out, errors.Join(errs...)
}

// ReadGPUs reads all GPUs for a sampler of package resources. It fails only where there is no telling how many there are;
// what one GPU does not tell is NaN.
func (r *Reader) ReadGPUs(ctx context.Context, each func(id, name string, busy, memoryTotal, memoryUsed, celsius, watts float64)) error {
	devices, err := r.Read(ctx)
	if devices == nil && err != nil {
		return err
	}
	for _, d := range devices {
		busy, celsius, watts, total, used := math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
		if d.Busy.OK {
			busy = d.Busy.V
		}
		if d.MemoryTotal.OK {
			total = float64(d.MemoryTotal.V)
		}
		if d.MemoryUsed.OK {
			used = float64(d.MemoryUsed.V)
		}
		if d.Temperature.OK {
			celsius = d.Temperature.V
		}
		if d.Power.OK {
			watts = d.Power.V
		}
		each(d.UUID, d.Name, busy, total, used, celsius, watts)
	}
	return nil
}

// begin starts a reading of each GPU, or joins the one under way. The driver is initialised if need be.
func (r *Reader) begin(ctx context.Context) ([]*member, []*reading, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("gpu: %w", err)
		}
		r.mu.Lock()
		now := time.Now()
		switch {
		case r.closed:
			r.mu.Unlock()
			return nil, nil, ErrClosed
		case r.opening != nil:
		case r.up && !r.reopens(now):
			readings := make([]*reading, len(r.gpus))
			for i, g := range r.gpus {
				readings[i] = r.start(g)
			}
			gpus := r.gpus
			r.mu.Unlock()
			return gpus, readings, nil
		case !r.up && now.Before(r.retryAt):
			err := r.failed
			r.mu.Unlock()
			return nil, nil, err
		default:
			r.startOpening()
		}
		opening := r.opening
		r.mu.Unlock()
		if !await(ctx, opening.started.Add(r.cfg.Timeout), opening.done) && ctx.Err() == nil {
			return nil, nil, fmt.Errorf("%w since %s: initialisation", ErrNoAnswer, opening.started.Format(time.RFC3339))
		}
	}
}

// reopens tells whether to initialise anew. Not while a call is under way: it would lose its ground. Called under mu.
func (r *Reader) reopens(now time.Time) bool {
	if r.reopenAt.IsZero() || now.Before(r.reopenAt) {
		return false
	}
	for _, g := range r.gpus {
		if g.current != nil {
			return false
		}
	}
	return true
}

// start is called under mu.
func (r *Reader) start(g *member) *reading {
	if g.current == nil {
		g.current = &reading{started: time.Now(), done: make(chan struct{}), d: g.identity()}
		go func(to *reading) {
			err := g.read(to)
			r.finish(g, to, err)
		}(g.current)
	}
	return g.current
}

func (r *Reader) finish(g *member, to *reading, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g.current = nil
	switch {
	case errors.Is(err, errUninitialized):
		r.lapse()
	case errors.Is(err, ErrLost):
		r.lose()
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	to.err = err
	to.d.Energy = r.pastOf(to.d).energy.grow(to.d.Energy, to.started)
	close(to.done)
}

// lapse plans to initialise anew because the driver is gone: at once, but not in a loop. Called under mu.
func (r *Reader) lapse() {
	now := time.Now()
	r.reopenAt = now.Add(max(0, r.opened.Add(r.cfg.Retry).Sub(now)))
}

// lose plans to initialise anew because of a lost GPU. Called under mu.
func (r *Reader) lose() {
	if r.reopenAt.IsZero() {
		r.reopenAt = time.Now().Add(r.patience)
		r.patience = min(2*r.patience, maxPatience*r.cfg.Retry)
	}
}

// complete adds what this Reader knows of the past.
func (r *Reader) complete(devices []Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fine := true
	for i := range devices {
		d := &devices[i]
		fine = fine && !d.Lost
		d.Events, d.XIDs = r.pastOf(*d).events()
	}
	if fine && r.reopenAt.IsZero() {
		r.patience = r.cfg.Retry
	}
}

func (r *Reader) pastOf(d Device) *past {
	key := d.UUID
	if key == "" {
		key = fmt.Sprint(d.Index)
	}
	if r.past[key] == nil {
		r.past[key] = &past{}
	}
	return r.past[key]
}

// startOpening is called under mu, when no reading is under way.
func (r *Reader) startOpening() {
	c := &call{started: time.Now(), done: make(chan struct{})}
	up, ears := r.up, r.ears
	r.opening, r.up, r.gpus, r.ears, r.reopenAt = c, false, nil, nil, time.Time{}
	go func() {
		if ears != nil {
			ears.stop()
		}
		var gpus []device
		var set eventSet
		if up {
			_ = r.driver.close() // it fails when the driver is gone, which is why
		}
		err := r.driver.open()
		if err == nil {
			if gpus, err = r.driver.devices(); err != nil {
				_ = r.driver.close()
			} else {
				set, _ = r.driver.listen(gpus) // events are one more source: readings are good without
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		defer close(c.done)
		r.opening = nil
		if err != nil {
			r.failed, r.retryAt = err, time.Now().Add(r.cfg.Retry)
			return
		}
		r.up, r.opened = true, time.Now()
		for _, d := range gpus {
			r.gpus = append(r.gpus, &member{device: d})
		}
		if set != nil {
			r.hear(set)
		}
	}()
}

// Close ends reading and waits, until ctx is done, for the driver where it has not answered yet: only then is it shut
// down. Closing twice is fine.
func (r *Reader) Close(ctx context.Context) error {
	if r == nil || r.driver == nil {
		return nil
	}
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	for {
		r.mu.Lock()
		wait := r.underWay()
		if wait == nil && r.up && r.closing == nil {
			c := &call{started: time.Now(), done: make(chan struct{})}
			r.closing, wait = c, c.done
			go func() {
				_ = r.driver.close()
				close(c.done)
			}()
		}
		r.mu.Unlock()
		if wait == nil {
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNoAnswer, ctx.Err())
		}
	}
}

// underWay returns what ends with the first call found that is under way, or nil. Called under mu.
func (r *Reader) underWay() <-chan struct{} {
	if r.opening != nil {
		return r.opening.done
	}
	for _, g := range r.gpus {
		if g.current != nil {
			return g.current.done
		}
	}
	if r.ears != nil && !ended(r.ears.done) {
		return r.ears.done
	}
	if r.closing != nil && !ended(r.closing.done) {
		return r.closing.done
	}
	return nil
}

func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// await returns whether done came before the deadline and the end of ctx.
func await(ctx context.Context, deadline time.Time, done <-chan struct{}) bool {
	if ended(done) {
		return true
	}
	left := time.Until(deadline)
	if left <= 0 {
		return false
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
}
