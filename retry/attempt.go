package retry

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// attempt is the context of a watched attempt. As long as nobody asks for its Done channel it is a few words that refer to
// the parent; who does ask gets a context of package context, made on demand.
//
// An attempt is used once. Its step may have left goroutines behind that still hold it, and a pointer cannot tell them from
// the next step: a reused one would come to life again in their hands, or cancel them for a stranger's limit.
type attempt struct {
	*origin
	state atomic.Uint32
	last  atomic.Int64         // see beat and seen
	span  atomic.Int64         // with dated beats, the longest time between two; without beats, when the limit ends, 0 for none
	rest  atomic.Pointer[rest] // what an attempt that ends in time can do without
}

// origin is what attempts with the same parent have in common.
type origin struct {
	set    *watches
	parent context.Context
	outer  *attempt // the next one further out that wants beats
}

// The states of an attempt; it leaves live once.
const (
	live uint32 = iota
	released
	ended // as rest says
)

type rest struct {
	end atomic.Pointer[ending] // set once; of no account if the attempt was released first
	tie atomic.Pointer[tie]    // set once, when somebody asks for Done
}

// ending is how an attempt ended before its release.
type ending struct {
	ctx  context.Context // one that ended the same way, for its error and its cause
	over *OverranError   // the limit that ended it, if one did
}

// beatKey is the key under which an attempt that wants beats is its own value.
type beatKey struct{}

// Beat tells every [Watchdog] that watches the attempt with this context, or one that this is derived from, that the step
// is getting on. Any goroutine of the step may call it, as often as it likes. Without a watchdog it does nothing. It costs
// a few nanoseconds, and a reading of the clock where limits are learned.
func Beat(ctx context.Context) {
	c, ok := ctx.(*attempt)
	if !ok || c.set.beats == beatless {
		c, _ = ctx.Value(beatKey{}).(*attempt)
	}
	for ; c != nil; c = c.outer {
		c.beat()
	}
}

// beat leaves the time or, if beats are noticed, the mark undated in c.last. That begins with the time when the attempt
// began, or 0 if the timer has yet to put a time to that; with beats that are noticed it is always 0.
func (c *attempt) beat() {
	if c.set.beats == dated {
		now := c.set.now()
		if last := c.last.Swap(now); last != 0 { // else the attempt is too young to count
			c.widen(now - last)
		}
		return
	}
	if c.last.Load() != undated { // a load alone: goroutines that beat together share the line
		c.last.Store(undated)
	}
}

// widen makes the longest time between beats at least d.
func (c *attempt) widen(d int64) {
	for {
		longest := c.span.Load()
		if d <= longest || c.span.CompareAndSwap(longest, d) {
			return
		}
	}
}

// seen returns when the attempt last showed life. A beat without a time gets one that is never too early: its mark is taken
// away before the clock is read, so that a beat that comes meanwhile, however long that is, leaves another one. Only the
// timer calls it.
func (c *attempt) seen(start, now int64) int64 {
	switch last := c.last.Load(); {
	case last == undated:
		c.last.CompareAndSwap(undated, dating)
		now = c.set.now()
		c.last.CompareAndSwap(dating, now)
		return now
	case last == 0 && c.set.beats == dated:
		c.last.CompareAndSwap(0, now)
		return c.last.Load()
	case last == 0:
		return start
	default:
		return last
	}
}

// Deadline returns the end of the limit or of the parent, whichever comes first. A limit that beats can move is none.
func (c *attempt) Deadline() (time.Time, bool) {
	at, ok := c.parent.Deadline()
	if due := c.span.Load(); c.set.beats == beatless && due != 0 {
		if end := c.set.epoch.Add(time.Duration(due)); !ok || end.Before(at) {
			return end, true
		}
	}
	return at, ok
}

func (c *attempt) Err() error {
	if c.state.Load() == live {
		if c.parent.Err() == nil {
			return nil
		}
		c.finish(c.inherited())
	}
	c.cut() // it may be about to happen: Done must be closed before Err says so
	return c.err()
}

// err is Err without a look at the parent.
func (c *attempt) err() error {
	switch c.state.Load() {
	case live:
		return nil
	case released:
		return context.Canceled
	default:
		return c.rest.Load().end.Load().ctx.Err()
	}
}

func (c *attempt) Done() <-chan struct{} {
	t := c.tied()
	_ = c.Err() // closes the channel if the parent has ended
	return t.inner.Done()
}

func (c *attempt) Value(key any) any {
	if _, ok := key.(beatKey); ok && c.set.beats != beatless {
		return c
	}
	if r := c.rest.Load(); r != nil {
		if t := r.tie.Load(); t != nil {
			return t.inner.Value(key)
		}
	}
	return c.value(key)
}

// value is Value without what is tied to c.
func (c *attempt) value(key any) any {
	switch c.state.Load() {
	case live:
		return c.parent.Value(key)
	case released:
		return context.WithoutCancel(c.parent).Value(key) // a later end of the parent is not the cause
	default:
		return c.rest.Load().end.Load().ctx.Value(key)
	}
}

// String is for the String methods of derived contexts. Printed by reflection, it would be a data race.
func (c *attempt) String() string {
	if s, ok := c.parent.(fmt.Stringer); ok {
		return s.String() + ".Watch"
	}
	return fmt.Sprintf("%T.Watch", c.parent)
}

// finish ends the attempt, unless it has ended, and reports whether e is how it ended.
func (c *attempt) finish(e *ending) bool {
	r := c.needs()
	r.end.CompareAndSwap(nil, e)
	if c.state.CompareAndSwap(live, ended) {
		c.cut()
	}
	return c.state.Load() == ended && r.end.Load() == e
}

// release ends the attempt as its step returns, and says which limit had ended it before, if one had.
func (c *attempt) release() *OverranError {
	if c.state.Load() == live && c.parent.Err() != nil {
		c.finish(c.inherited())
	}
	if c.state.CompareAndSwap(live, released) {
		c.cut()
		return nil
	}
	return c.rest.Load().end.Load().over
}

// overrun ends the attempt because of a limit, and reports whether it was that which ended it.
func (c *attempt) overrun(over *OverranError) bool {
	ctx, cancel := context.WithDeadlineCause(c.parent, time.Time{}, over) // has passed long ago
	defer cancel()
	if context.Cause(ctx) != error(over) { // the parent has ended before
		over = nil
	}
	return c.finish(&ending{ctx, over}) && over != nil
}

// inherited is the ending of an attempt whose parent has ended.
func (c *attempt) inherited() *ending {
	ctx, cancel := context.WithCancel(c.parent)
	cancel() // does nothing unless the parent said so in its Err alone
	return &ending{ctx: ctx}
}

// needs returns the rest of the attempt, which it makes if there is none.
func (c *attempt) needs() *rest {
	if r := c.rest.Load(); r != nil {
		return r
	}
	c.rest.CompareAndSwap(nil, new(rest))
	return c.rest.Load()
}

// cut ends what is tied to an attempt that has ended. It may be called more than once.
func (c *attempt) cut() {
	r := c.rest.Load()
	if r == nil {
		return
	}
	if t := r.tie.Load(); t != nil {
		if c.state.Load() == released {
			t.release()
		} else {
			t.end()
		}
		t.stop()
	}
}

// tie holds what is derived from an attempt: a context of package context, which knows best how to cancel its like. The tie
// is the parent of that context, and lets it end with an error and a cause of our choice.
type tie struct {
	*attempt
	inner   context.Context
	release context.CancelFunc
	end     func()      // ends inner as the attempt has ended
	stop    func() bool // unties the attempt from its parent
}

func (c *attempt) tied() *tie {
	r := c.needs()
	if t := r.tie.Load(); t != nil {
		return t
	}
	t := &tie{attempt: c, stop: func() bool { return false }}
	t.inner, t.release = context.WithCancel(t) // in which AfterFunc sets t.end
	if c.state.Load() != live {
		t.end()
	} else if c.parent.Done() != nil {
		t.stop = context.AfterFunc(c.parent, func() { c.finish(c.inherited()) })
	}
	if !r.tie.CompareAndSwap(nil, t) {
		t.release()
		t.stop()
		return r.tie.Load()
	}
	if c.state.Load() != live { // it ended meanwhile, and whoever ended it may not have seen the tie
		c.cut()
	}
	return t
}

// Done never closes: inner is ended by cancel alone.
func (t *tie) Done() <-chan struct{} { return t.set.never }

func (t *tie) Err() error { return t.err() }

func (t *tie) Value(key any) any { return t.value(key) }

// AfterFunc is called by package context to be told of the end of a parent that is not its own.
func (t *tie) AfterFunc(f func()) (stop func() bool) {
	t.end = f
	return func() bool { return false }
}
