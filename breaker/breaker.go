// Package breaker stops running steps that keep failing, and finds out later, with few of them, whether they work again.
//
// For most uses make a [Breaker] with [New], from one of the ready configurations ([ForStep] and others) or a [Config] of
// your own, and wrap each step in [Breaker.Do], or give the Breaker to a runner that calls [Breaker.Admit] before and
// [Breaker.Done] after a step. A refusal is an [*OpenError], which wraps [ErrOpen] and knows when the next probe is due. A
// [Set] keeps breakers by name and says how they are.
//
// # States
//
// A closed breaker runs every step. Consecutive failures, or a rate of failures or of slow steps, open it: the rates are
// taken over a time, or over a number of steps, because a time that holds enough training steps is hours. An open breaker
// refuses every step for a time, which can grow with each probing that failed. Then it is half-open: it lets a few steps
// through as probes and refuses the rest. When enough probes succeed it closes, when too many fail it opens again.
//
// By hand a breaker can be isolated, forced closed, disabled and reset.
//
// # What counts
//
// A result counts when it comes, in the state in which its step was admitted: one that comes when the breaker has left
// that state is dropped. A cancellation by the caller, and a refusal further in, count neither way and free the place of
// a probe; see [Classify]. A panic counts as a failure, and so does runtime.Goexit. A slow success is a success to its
// caller, whatever it does to the breaker. Dropped results are counted in [Counts], so that nothing disappears unseen.
//
// Where github.com/sony/gobreaker/v2 means the same, this package does the same, and the tests hold it beside the two-step
// breaker of that, result for result and change for change. It is not built on it, because what differs is the state
// machine itself and cannot be added from outside. There, a probe whose end is never told holds the half-open state for
// ever, as many probes must succeed as may run at once, and one that fails opens; the open period has one length, and no
// state can be set or restored; an end that is told twice counts twice; a result belongs to the time when its step was
// admitted, so that one longer than the window never counts; and listeners run under the lock, after the counts are cleared.
package breaker

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
)

// Breaker is a circuit breaker. It is safe for concurrent use. The zero Breaker is one with the zero [Config]; a nil
// *Breaker refuses every step. A Breaker must not be copied.
type Breaker struct {
	once  sync.Once
	cfg   Config    // with defaults, read only
	base  time.Time // what durations below are since, read only
	timed bool      // results have a time, read only

	mu       sync.Mutex // guards what follows
	state    State
	until    time.Time // of the open state, or of the half-open one if that has a limit
	reopened uint64    // times since it was closed that probes failed
	window   window    // results of the present state
	row      uint64    // consecutive failures in the closed state
	bad      uint64    // probes that failed, or were slow where that counts
	serial   uint64
	tickets  tickets // of steps admitted in the closed state
	probes   []probe // under way, oldest first
	refused  uint64
	dropped  uint64

	changes deliver.Queue[Change]
	untold  bool // changes has some that nobody has begun to tell
}

// probe is a step admitted in the half-open state.
type probe struct {
	token uint64
	since time.Time
}

// New returns a closed breaker, or an error that names the field of cfg that is out of its range.
func New(cfg Config) (*Breaker, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b := new(Breaker)
	b.once.Do(func() { b.start(cfg) })
	return b, nil
}

// ready makes the zero Breaker work.
func (b *Breaker) ready() { b.once.Do(func() { b.start(Config{}) }) }

func (b *Breaker) start(cfg Config) {
	b.cfg = cfg.withDefaults()
	b.base = time.Now()
	b.timed = b.cfg.Window > 0 || b.cfg.SlowAfter > 0
	b.window = newWindow(b.cfg)
	// A token of another breaker, or of a process that is no more, is none of this one's.
	b.serial = rand.Uint64() >> (slotBits + 1)
}

// clock returns the time since b.base. It is not read, and 0, where no result has a time.
func (b *Breaker) clock() time.Duration {
	if !b.timed {
		return 0
	}
	return time.Since(b.base)
}

// Do runs fn if [Breaker.Admit] admits it, counts how it ended, and returns its error; otherwise it returns Admit's error.
// A panic in fn counts as a failure and goes on to the caller.
func (b *Breaker) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	token, err := b.Admit(ctx)
	if err != nil {
		return err
	}
	outcome := Failure // of a panic, or of runtime.Goexit
	defer func() { b.settle(token, outcome) }()
	err = fn(ctx)
	outcome = b.classify(err)
	return err
}

// Admit admits a step, whose outcome is then owed to Done with the token, or refuses it with an [*OpenError]. It does not
// wait. If ctx has ended it returns the reason; no place of a probe is taken then.
//
// A token that never comes back costs little: in the half-open state it is a failure after Config.ProbeLimit, in the
// closed state it counts nothing, and of more than 32768 of them the older ones are forgotten.
func (b *Breaker) Admit(ctx context.Context) (token uint64, err error) {
	if b == nil {
		return 0, &OpenError{Name: "nil", State: Open}
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("breaker: not admitted: %w", ended(ctx))
	}
	b.ready()
	var now time.Duration
	if b.cfg.SlowAfter > 0 {
		now = b.clock()
	}
	b.mu.Lock()
	switch b.state {
	case Closed, ForcedClosed:
		b.serial++
		token = b.tickets.take(b.serial)
		if b.cfg.SlowAfter > 0 {
			b.tickets.stamp(token, now)
		}
	case Disabled:
		b.serial++
		token = b.serial<<slotBits | freeSlot
	case Isolated:
		err = b.refuse(time.Time{})
	default:
		token, err = b.admitProbe(time.Now())
	}
	b.unlock()
	return token, err
}

// admitProbe admits a step as a probe if the breaker is, or is due to be, half-open and has a place for it.
func (b *Breaker) admitProbe(now time.Time) (uint64, error) {
	for b.state == HalfOpen && len(b.probes) > 0 && now.Sub(b.probes[0].since) >= b.cfg.ProbeLimit {
		b.probes = slices.Delete(b.probes, 0, 1)
		b.judge(Failure, false, ProbeOverdue, now)
	}
	if b.state == HalfOpen && b.cfg.MaxHalfOpen > 0 && !now.Before(b.until) {
		b.enter(Open, HalfOpenOver, now)
	}
	if b.state == Open {
		if now.Before(b.until) {
			return 0, b.refuse(b.until)
		}
		b.enter(HalfOpen, OpenPeriodOver, now)
	}
	// No more probes are let through than can be needed to decide, or may run at once if that is more.
	running := uint64(len(b.probes))
	needed := uint64(b.cfg.ProbeSuccesses) + uint64(b.cfg.ProbeFailures)
	if running >= uint64(b.cfg.Probes) || running+b.window.sum.results() >= max(needed, uint64(b.cfg.Probes)) {
		return 0, b.refuse(time.Time{})
	}
	b.serial++
	token := b.serial<<slotBits | probeSlot
	b.probes = append(b.probes, probe{token, now})
	return token, nil
}

func (b *Breaker) refuse(until time.Time) error {
	b.refused++
	return &OpenError{Name: b.cfg.Name, State: b.state, Until: until}
}

// Done tells how the step with this token ended. A token that was not given out, or was used before, or belongs to a state
// that has been left, counts nothing but as Dropped in [Counts]; that of a step admitted while the breaker was disabled
// counts nothing at all.
func (b *Breaker) Done(token uint64, err error) {
	if b == nil {
		return
	}
	b.ready()
	outcome := Failure // if the classifier panics
	defer func() { b.settle(token, outcome) }()
	outcome = b.classify(err)
}

func (b *Breaker) classify(err error) Outcome {
	if err == nil {
		return Success
	}
	return b.cfg.Classify(err)
}

// settle counts the outcome of the step with this token.
func (b *Breaker) settle(token uint64, outcome Outcome) {
	slot := token & slotMask
	if slot == freeSlot {
		return
	}
	now := b.clock()
	b.mu.Lock()
	if slot == probeSlot {
		i := slices.IndexFunc(b.probes, func(p probe) bool { return p.token == token })
		if i < 0 {
			b.dropped++
		} else {
			end := time.Now()
			slow := b.slow(end.Sub(b.probes[i].since))
			b.probes = slices.Delete(b.probes, i, i+1)
			b.judge(outcome, slow, ProbeFailed, end)
		}
	} else if b.tickets.redeem(token) { // so it is still the state that gave it out
		slow := b.cfg.SlowAfter > 0 && b.slow(now-b.tickets.stamped(token))
		b.count(outcome, slow, now)
	} else {
		b.dropped++
	}
	b.unlock()
}

func (b *Breaker) slow(took time.Duration) bool { return b.cfg.SlowAfter > 0 && took > b.cfg.SlowAfter }

// count counts a result in the closed state.
func (b *Breaker) count(outcome Outcome, slow bool, now time.Duration) {
	slow = slow && outcome != Neutral
	switch outcome {
	case Success:
		b.row = 0
	case Neutral:
	default:
		b.row++
	}
	b.window.roll(now)
	b.window.add(outcome, slow)
	if b.state == ForcedClosed {
		return
	}
	failed := outcome != Success && outcome != Neutral
	switch sum := &b.window.sum; {
	case failed && b.cfg.Failures > 0 && b.row >= uint64(b.cfg.Failures):
		b.enter(Open, FailuresReached, time.Now())
	case failed && b.reaches(sum.failures, b.cfg.FailureRate):
		b.enter(Open, FailureRateReached, time.Now())
	case slow && b.reaches(sum.slow, b.cfg.SlowRate):
		b.enter(Open, SlowRateReached, time.Now())
	}
}

// reaches reports whether n of the results are a rate that opens the breaker.
func (b *Breaker) reaches(n uint64, rate float64) bool {
	results := b.window.sum.results()
	return rate > 0 && results >= uint64(b.cfg.MinSteps) && float64(n)/float64(results) >= rate
}

// judge counts the result of a probe, which opens the breaker for the reason given if it is one failure too many.
func (b *Breaker) judge(outcome Outcome, slow bool, failed Reason, now time.Time) {
	switch {
	case outcome == Neutral:
		slow = false
	case outcome != Success:
		b.bad++
	case slow && b.cfg.SlowRate > 0:
		b.bad++
		failed = ProbeSlow
	}
	b.window.sum.add(outcome, slow)
	if b.bad > uint64(b.cfg.ProbeFailures) {
		b.enter(Open, failed, now)
	} else if b.window.sum.results()-b.bad >= uint64(b.cfg.ProbeSuccesses) {
		b.enter(Closed, ProbesSucceeded, now)
	}
}

// enter begins a state, also the present one anew, with nothing counted and nothing under way.
func (b *Breaker) enter(to State, why Reason, now time.Time) {
	from, counts := b.state, b.counted()
	switch to {
	case Closed:
		b.reopened = 0
	case Open:
		if from == HalfOpen {
			b.reopened++
		}
		b.until = now.Add(b.period())
	case HalfOpen:
		b.until = now.Add(b.cfg.MaxHalfOpen)
	}
	b.state = to
	b.row, b.bad = 0, 0
	b.window.clear(b.clock())
	b.tickets.reset()
	b.probes = b.probes[:0]
	if from != to && b.cfg.OnChange != nil {
		b.untold = true
		b.changes.Add(Change{Name: b.cfg.Name, From: from, To: to, Reason: why, Counts: counts, At: now})
	}
}

// period returns how long to stay open this time.
func (b *Breaker) period() time.Duration {
	period := b.cfg.MaxOpen
	if d := float64(b.cfg.Open) * math.Pow(b.cfg.OpenFactor, float64(b.reopened)); d < float64(period) {
		period = time.Duration(d)
	}
	if b.cfg.Jitter > 0 {
		period -= time.Duration(float64(period) * b.cfg.Jitter * rand.Float64())
	}
	return period
}

// unlock releases mu and tells the listener of changes, in order: by this goroutine unless another one is at it.
func (b *Breaker) unlock() {
	untold := b.untold
	b.untold = false
	b.mu.Unlock()
	if untold {
		b.changes.Deliver(b.tell)
	}
}

// tell calls the listener, whose panic must not become the outcome of a step.
func (b *Breaker) tell(c Change) {
	defer func() { _ = recover() }()
	b.cfg.OnChange(c)
}

// State returns the state in which a step that asked now would find the breaker. It changes nothing: once the open period
// is over it returns HalfOpen, but the change is made, and told to Config.OnChange, when the next step asks.
func (b *Breaker) State() State {
	if b == nil {
		return Open
	}
	b.ready()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen()
}

func (b *Breaker) seen() State {
	if b.state == Open && !time.Now().Before(b.until) {
		return HalfOpen
	}
	return b.state
}

// Counts returns the counts of the present state.
func (b *Breaker) Counts() Counts {
	if b == nil {
		return Counts{}
	}
	b.ready()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts()
}

func (b *Breaker) counts() Counts {
	if b.state == Closed || b.state == ForcedClosed {
		b.window.roll(b.clock())
	}
	return b.counted()
}

// counted returns the counts as they were when last something was counted.
func (b *Breaker) counted() Counts {
	sum := &b.window.sum
	return Counts{
		Successes:           sum.successes,
		Failures:            sum.failures,
		Neutral:             sum.neutral,
		Slow:                sum.slow,
		ConsecutiveFailures: b.row,
		Refused:             b.refused,
		Dropped:             b.dropped,
	}
}

// ended says why ctx ended.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}
