package carbon

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

var (
	// ErrNoCounter is returned where there is no energy counter, or one that does not count: an unsupported counter that
	// always reads the same would pass for a machine that uses no energy.
	ErrNoCounter = errors.New("carbon: no energy counter")
	// ErrCounterReset is returned when a counter cannot say what was used since the last reading: it was reset, or may have
	// wrapped more than once. It counts anew from this reading on; the energy in between is unknown, not 0.
	ErrCounterReset = errors.New("carbon: energy counter lost its count")
)

const (
	// DefaultMaxWatts is the power that no counted device is taken to exceed on average.
	DefaultMaxWatts = 2000.0

	stillAfter = 2 * time.Second // counters move within 100 ms
	counterLag = time.Second     // how much older the value of a reading may be
)

// CounterConfig describes a cumulative energy counter. Name and Read are required.
type CounterConfig struct {
	// Name tells the device, as "nvml GPU-5f3c…": the Source of its energy.
	Name string
	// Read returns the count. With NVML it calls GetTotalEnergyConsumption, which counts millijoules since the driver was
	// loaded, and makes an error of every return value but success. It must not be called by others at the same time.
	Read func() (uint64, error)
	// Joules is the energy of one count. Default .001, a millijoule.
	Joules float64
	// Range is the number of counts after which the counter starts again at 0; 0 for one that does not in practice.
	Range uint64
	// MaxWatts bounds the power of the device. A larger increase was a reset; an interval in which the counter could have
	// wrapped twice at that power is refused. Default [DefaultMaxWatts].
	MaxWatts float64
}

// Counter makes energy of the readings of a cumulative counter. Safe for concurrent use. Create one with [NewCounter]; nil
// and the zero Counter have no energy to give.
type Counter struct {
	cfg CounterConfig

	// Guarded by mu.
	mu    sync.Mutex
	last  uint64
	since time.Time
}

// NewCounter reads the counter for the first time: energy counts from now on.
func NewCounter(cfg CounterConfig, now time.Time) (*Counter, error) {
	if cfg.Joules == 0 {
		cfg.Joules = 1e-3
	}
	if cfg.MaxWatts == 0 {
		cfg.MaxWatts = DefaultMaxWatts
	}
	switch {
	case cfg.Name == "":
		return nil, errors.New("carbon: counter: Name is empty")
	case cfg.Read == nil:
		return nil, fmt.Errorf("carbon: counter %q: Read is nil", clip(cfg.Name))
	case !(cfg.Joules > 0 && cfg.Joules <= joulesPerKWh):
		return nil, fmt.Errorf("carbon: counter %q: Joules %v is outside (0, %g]", clip(cfg.Name), cfg.Joules, joulesPerKWh)
	case !(cfg.MaxWatts > 0 && cfg.MaxWatts <= maxRatedWatts):
		return nil, fmt.Errorf("carbon: counter %q: MaxWatts %v is outside (0, %g]", clip(cfg.Name), cfg.MaxWatts, maxRatedWatts)
	case cfg.Range > math.MaxInt64:
		return nil, fmt.Errorf("carbon: counter %q: Range %d is over %d", clip(cfg.Name), cfg.Range, int64(math.MaxInt64))
	}
	c := &Counter{cfg: cfg, since: now}
	v, err := c.read()
	if err != nil {
		return nil, err
	}
	c.last = v
	return c, nil
}

// Name is the source of the energy it gives.
func (c *Counter) Name() string {
	if c == nil {
		return ""
	}
	return c.cfg.Name
}

// Period is the longest time between two readings after which the counter still says all: that of one wrap at MaxWatts. It is
// 292 years for a counter that does not wrap. Read well within it.
func (c *Counter) Period() time.Duration {
	if c == nil || c.cfg.Range == 0 {
		return math.MaxInt64
	}
	d := float64(c.cfg.Range)*c.cfg.Joules/c.cfg.MaxWatts*float64(time.Second) - float64(counterLag)
	if d >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(max(0, d))
}

// Since returns the energy since from, the time of the last reading that was given out, up to now.
//
// After [ErrCounterReset] the energy from then until now is unknown, and counting goes on at now. After every other error
// nothing is lost: the next successful call covers the time as well.
func (c *Counter) Since(now time.Time) (from time.Time, e Energy, err error) {
	if c == nil || c.cfg.Read == nil {
		return time.Time{}, Energy{}, fmt.Errorf("%w: not made by NewCounter", ErrNoCounter)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	from = c.since
	v, err := c.read()
	if err != nil {
		return from, Energy{}, err
	}
	joules, err := c.delta(v, now)
	if err == nil || errors.Is(err, ErrCounterReset) {
		c.last, c.since = v, now
	}
	if err != nil {
		return from, Energy{}, err
	}
	return from, Energy{Joules: joules, Source: c.cfg.Name}, nil
}

func (c *Counter) read() (uint64, error) {
	v, err := c.cfg.Read()
	if err != nil {
		return 0, fmt.Errorf("carbon: counter %q: %w", clip(c.cfg.Name), err)
	}
	if c.cfg.Range > 0 && v > c.cfg.Range {
		return 0, fmt.Errorf("carbon: counter %q: reads %d, beyond its range of %d", clip(c.cfg.Name), v, c.cfg.Range)
	}
	return v, nil
}

// delta is the energy from the last reading to v, and what the power bound says of it.
func (c *Counter) delta(v uint64, now time.Time) (joules float64, err error) {
	elapsed := now.Sub(c.since)
	if elapsed <= 0 {
		return 0, fmt.Errorf("carbon: counter %q: read at %s, not after the last time at %s", clip(c.cfg.Name), stamp(now), stamp(c.since))
	}
	most := c.cfg.MaxWatts * (elapsed + counterLag).Seconds()
	if c.cfg.Range > 0 && most >= float64(c.cfg.Range)*c.cfg.Joules {
		// Within one range v - last is right whether it wrapped or not. Beyond, one more wrap cannot be told from none.
		low := c.step(v)
		if low+float64(c.cfg.Range)*c.cfg.Joules <= most {
			return 0, fmt.Errorf("%w: %q was not read for %v and may have wrapped more than once: %g J or more", ErrCounterReset,
				clip(c.cfg.Name), elapsed, low)
		}
	}
	if v < c.last && c.cfg.Range == 0 {
		return 0, fmt.Errorf("%w: %q went back from %d to %d", ErrCounterReset, clip(c.cfg.Name), c.last, v)
	}
	joules = c.step(v)
	if joules > most {
		return 0, fmt.Errorf("%w: %q rose by %g J in %v, more than %g W allow", ErrCounterReset, clip(c.cfg.Name), joules, elapsed, c.cfg.MaxWatts)
	}
	if joules == 0 && elapsed >= stillAfter {
		return 0, fmt.Errorf("%w: %q stands at %d after %v", ErrNoCounter, clip(c.cfg.Name), v, elapsed)
	}
	return joules, nil
}

// step is the least energy that leads from the last reading to v.
func (c *Counter) step(v uint64) float64 {
	if v < c.last {
		v += c.cfg.Range
	}
	return float64(v-c.last) * c.cfg.Joules
}
