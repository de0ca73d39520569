package retry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// WatchdogConfig says how much silence a [Watchdog] bears. Zero fields have the defaults given.
//
// A limit counts from the beginning of the attempt, and again from each [Beat]. It is fixed, or learned: Factor times the
// longest silence seen in an attempt that succeeded, where an attempt without beats is one silence from beginning to end.
type WatchdogConfig struct {
	// Soft is the limit after which a silent attempt is reported, once. Default half the hard limit, or the learned limit
	// if there is no hard one. Negative means none.
	Soft time.Duration
	// Hard is the limit after which it is cancelled. Default learned. Negative means none.
	Hard time.Duration
	// Factor between the longest silence and a learned limit, at least 1. Default 5.
	Factor float64
	// WarmUp is the number of successful attempts from which nothing is learned: the first steps wait for caches and
	// connections. Default 5, negative means none.
	WarmUp int
	// Floor is the shortest learned limit. Default 1 s.
	Floor time.Duration
	// Cap is the longest learned limit, and takes its place as long as nothing has been learned. Default none: nothing
	// is limited until then.
	Cap time.Duration
	// Grace is how long a cancelled attempt has to return before it is reported as stuck; it is again after twice that
	// time, four times, and so on. Default 10 s, negative means never.
	Grace time.Duration
	// Report is called at the soft limit, at the hard limit, and while an attempt is stuck, with the context that was
	// given to Watch. It runs in a goroutine of its own, outside any lock, possibly several at once, and possibly just
	// after the attempt has ended. It may call everything but Close. A panic in it is discarded. Nil means no reports.
	Report func(ctx context.Context, s *Stall)
	// Dump is the largest size of Stall.Stacks in bytes. Default 64 KiB, negative means none. Taking it stops all
	// goroutines for a moment.
	Dump int
}

// limitFloor is the shortest fixed limit: the timer looks for beats several times during one.
const limitFloor = time.Millisecond

func (c *WatchdogConfig) validate() error {
	switch {
	case c.Soft > 0 && c.Soft < limitFloor:
		return fmt.Errorf("retry: WatchdogConfig.Soft is %v, it must be at least %v", c.Soft, limitFloor)
	case c.Hard > 0 && c.Hard < limitFloor:
		return fmt.Errorf("retry: WatchdogConfig.Hard is %v, it must be at least %v", c.Hard, limitFloor)
	case c.Soft > 0 && c.Hard > 0 && c.Soft >= c.Hard:
		return fmt.Errorf("retry: WatchdogConfig.Soft is %v, it must be less than Hard, %v", c.Soft, c.Hard)
	case c.Soft < 0 && c.Hard < 0:
		return errors.New("retry: WatchdogConfig has neither a Soft nor a Hard limit")
	case c.Factor != 0 && !(c.Factor >= 1 && c.Factor <= math.MaxFloat64):
		return fmt.Errorf("retry: WatchdogConfig.Factor is %v, it must be finite and at least 1", c.Factor)
	case c.Floor < 0:
		return fmt.Errorf("retry: WatchdogConfig.Floor is %v, it must not be negative", c.Floor)
	case c.Cap < 0:
		return fmt.Errorf("retry: WatchdogConfig.Cap is %v, it must not be negative", c.Cap)
	case c.Cap > 0 && c.Cap < max(c.Floor, limitFloor):
		return fmt.Errorf("retry: WatchdogConfig.Cap is %v, it must be at least Floor, %v, and %v", c.Cap, c.Floor, limitFloor)
	}
	return nil
}

func (c *WatchdogConfig) withDefaults() WatchdogConfig {
	cfg := *c
	if cfg.Factor == 0 {
		cfg.Factor = 5
	}
	if cfg.WarmUp == 0 {
		cfg.WarmUp = 5
	}
	if cfg.Floor == 0 {
		if cfg.Floor = time.Second; cfg.Cap > 0 {
			cfg.Floor = min(cfg.Floor, cfg.Cap)
		}
	}
	cfg.Floor = max(cfg.Floor, limitFloor)
	if cfg.Grace == 0 {
		cfg.Grace = 10 * time.Second
	}
	if cfg.Dump == 0 {
		cfg.Dump = 64 << 10
	}
	return cfg
}

// Watchdog bounds the silence of attempts: a watcher for a Runner, for steps whose length nobody knows but which say with
// [Beat] that they get on. A silent attempt is first reported, with the stacks of all goroutines, then cancelled, and if it
// does not return, reported again and again.
//
// A stuck attempt is never abandoned. Release is called when the step has returned and not before, so nothing runs beside
// it; whoever learns from a report that a step will not return has no choice but to end the process. A step that succeeds
// late has succeeded, and its silence is learned.
//
// The attempts of a Watchdog share one timer, and there is no goroutine but while it reports. Contexts are made 32 at a time
// for a loop whose attempts have the same parent context, so an attempt that ends in time costs one allocation in 32, unless
// it asks for the Done channel of its context or derives another from it. They are never used again: a goroutine left behind
// by an attempt can keep its context, cancelled for ever, without harm to the next one.
//
// Attempts that end before the timer next looks are not timed. With fixed limits a beat only leaves a mark, and a limit is
// enforced late by an eighth of the shorter limit at most. Learned ones are exact to a sixteenth of the silence that they
// were learned from, or that would have given Floor or Cap: so much later they may be enforced, and so much shorter the
// silence up to the first beat be taken for; a beat reads the clock. Steps that are silent for quite different times, such
// as training and evaluation, should have a Watchdog each.
//
// The zero Watchdog learns its limit, and a nil one watches nothing. It is safe for concurrent use and must not be copied.
type Watchdog struct {
	once    sync.Once
	cfg     WatchdogConfig // with defaults, read only
	learns  bool
	watches watches

	longest atomic.Int64           // silence after the warm-up
	limits  atomic.Pointer[limits] // of the next attempt

	learning  sync.Mutex // guards succeeded, and changes of longest and limits
	succeeded int        // attempts of the warm-up
}

// NewWatchdog returns a Watchdog, or an error that names the field of cfg that is out of its range.
func NewWatchdog(cfg WatchdogConfig) (*Watchdog, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	d := new(Watchdog)
	d.once.Do(func() { d.start(cfg) })
	return d, nil
}

func (d *Watchdog) ready() { d.once.Do(func() { d.start(WatchdogConfig{}) }) }

func (d *Watchdog) start(cfg WatchdogConfig) {
	d.cfg = cfg.withDefaults()
	d.learns = d.cfg.Hard == 0 || d.cfg.Hard < 0 && d.cfg.Soft == 0
	w := &d.watches
	w.beats = noticed
	if d.learns {
		w.beats = dated
	}
	first := d.derive(0)
	d.limits.Store(&first)
	w.grace, w.dump, w.report = d.cfg.Grace, d.cfg.Dump, d.cfg.Report
}

// Watch returns a context that is cancelled with an [*OverranError] as its cause when the attempt reaches the hard limit,
// and a token for Release. A deadline of the context is the caller's own: the limit moves with every beat.
func (d *Watchdog) Watch(ctx context.Context) (watched context.Context, token uint64) {
	if d == nil {
		return ctx, 0
	}
	d.ready()
	return d.watches.begin(ctx, *d.limits.Load())
}

// Release ends the watch of a token; it must not be called before the step has returned. It returns err, preceded by the
// [*OverranError] if the hard limit cancelled the attempt; nil stays nil, and is learned from.
func (d *Watchdog) Release(token uint64, err error) error {
	if d == nil {
		return err
	}
	d.ready()
	learn := d.learns && err == nil
	e, ok := d.watches.finish(token, learn)
	if ok && learn && (int64(e.gap) > d.longest.Load() || d.longest.Load() == 0) {
		d.learn(int64(e.gap))
	}
	return e.over.join(err)
}

// learn takes account of an attempt that succeeded, unless it is one of the warm-up.
func (d *Watchdog) learn(gap int64) {
	d.learning.Lock()
	defer d.learning.Unlock()
	if d.succeeded < d.cfg.WarmUp {
		d.succeeded++
	} else if gap > d.longest.Load() {
		l := d.derive(time.Duration(gap))
		d.longest.Store(gap)
		d.limits.Store(&l)
	}
}

// Do runs fn under the watchdog, waits for it even when it is stuck, and returns its error as [Watchdog.Release] does.
func (d *Watchdog) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return do(ctx, d, fn)
}

// Close ends all limits and reports, and waits for the report in progress. Attempts under way, and later ones, go on
// without a limit; they must still be released.
func (d *Watchdog) Close() {
	if d != nil {
		d.watches.close()
	}
}

// derive returns the limits that follow from the longest silence, 0 if nothing has been learned.
func (d *Watchdog) derive(longest time.Duration) (l limits) {
	base := d.cfg.Hard
	if d.learns {
		if base = d.cfg.Cap; longest != 0 {
			base = max(times(longest, d.cfg.Factor), d.cfg.Floor)
			if d.cfg.Cap > 0 {
				base = min(base, d.cfg.Cap)
			}
		}
	}
	if d.cfg.Hard >= 0 {
		l.hard = base
	}
	switch {
	case d.cfg.Soft > 0:
		l.soft = d.cfg.Soft
	case d.cfg.Soft == 0 && l.hard == 0:
		l.soft = base
	case d.cfg.Soft == 0:
		l.soft = base / 2
	}
	switch l.step = l.least() / looks; {
	case !d.learns:
		l.step++
	case longest == 0:
		l.step = 0
	default:
		// A silence of 1/Factor of the limit would leave the limit as it is, and one of a sixteenth of that need not be known.
		// Where that is too short for the timer every attempt is timed, as it is before anything has been learned.
		if l.step = min(l.step, time.Duration(float64(base)/d.cfg.Factor/16)); l.step < limitFloor/looks {
			l.step = 0
		}
	}
	return l
}

// WatchdogStats is what a Watchdog has seen since it was made.
type WatchdogStats struct {
	Watched uint64 // attempts begun
	Slow    uint64 // of which reached the soft limit
	Overran uint64 // of which were cancelled by the hard limit
	Stuck   uint64 // of which were reported as stuck

	Live      int // attempts under way now
	LiveStuck int // of which are stuck

	Soft, Hard time.Duration // limits of the next attempt, 0 for none
	Longest    time.Duration // silence learned from, 0 for none yet
}

// Stats returns the counts so far and the limits in force.
func (d *Watchdog) Stats() WatchdogStats {
	if d == nil {
		return WatchdogStats{}
	}
	d.ready()
	s := d.watches.stats()
	l := d.limits.Load()
	s.Soft, s.Hard = l.soft, l.hard
	s.Longest = time.Duration(d.longest.Load())
	return s
}
