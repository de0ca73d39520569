// Package breaker stops running steps that keep failing, and finds out later, with few of them, whether they work again.
//
// For most uses make a [Breaker] with [New] and wrap each step in [Breaker.Do], or give the Breaker to a runner that calls
// [Breaker.Admit] before and [Breaker.Done] after a step. A refusal is an [*OpenError], which wraps [ErrOpen] and knows
// when the next probe is due.
//
// # States
//
// A closed breaker runs every step. Config.Failures consecutive failures, or a rate of failures over a time, open it. An
// open breaker refuses every step for a time. Then it is half-open: it lets a few steps through as probes and refuses the
// rest. When all probes succeed it closes, when one fails it opens again.
//
// # What counts
//
// A result counts when it comes, in the state in which its step was admitted: one that comes when the breaker has left
// that state is dropped. A cancellation by the caller, and a refusal further in, count neither way and free the place of
// a probe; see [Classify]. A panic counts as a failure, and so does runtime.Goexit. Dropped results are counted in
// [Counts], so that nothing disappears unseen.
//
// The state machine and the rolling window are those of github.com/sony/gobreaker/v2. This package adds what long steps
// need: results are counted when they come, where that library puts them at the time of admission and so never counts a
// step longer than the window; a probe that never ends loses its place; listeners run outside the lock and see the counts
// that caused a change; a token counts once.
package breaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// What the state machine is told instead of a step's error, which was classified before, outside the lock.
var (
	errFailure = errors.New("failure")
	errNeutral = errors.New("neutral")
)

// Breaker is a circuit breaker. It is safe for concurrent use. The zero Breaker is one with the zero [Config]; a nil
// *Breaker refuses every step. A Breaker must not be copied.
type Breaker struct {
	once sync.Once
	cfg  Config // with defaults, read only

	mu      sync.Mutex // guards what follows, and every use of gb
	gb      *gobreaker.CircuitBreaker[struct{}]
	verdict error                    // what report returns
	report  func() (struct{}, error) // run by gb in place of a step that has ended
	state   State                    // gb's: it changes only in changed
	until   time.Time
	serial  uint64
	tickets tickets // of steps admitted in the closed state
	probes  []probe // under way, oldest first
	row     uint64  // consecutive failures in the closed state
	refused uint64
	dropped uint64

	reason  Reason   // of the change that is about to be made
	cause   Counts   // of the change that is about to be made
	changes []Change // still to be told
	telling bool     // a goroutine is telling them
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
	b.report = func() (struct{}, error) { return struct{}{}, b.verdict }
	b.gb = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  b.cfg.Probes,
		Interval:     b.cfg.Window,
		BucketPeriod: (b.cfg.Window + 9) / 10,
		// It still refuses at the very instant when its timeout ends. A caller who waited exactly as long as told must
		// find it half-open.
		Timeout:       max(b.cfg.Open-1, 1),
		ReadyToTrip:   b.trips,
		OnStateChange: b.changed,
		IsExcluded:    func(err error) bool { return err == errNeutral },
	})
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
	b.mu.Lock()
	if b.state != Closed {
		token, err = b.admitProbe(time.Now())
	} else {
		b.serial++
		token = b.tickets.take(b.serial)
	}
	b.unlock()
	return token, err
}

// admitProbe admits a step as a probe if the breaker is, or is due to be, half-open and has a place for it.
func (b *Breaker) admitProbe(now time.Time) (uint64, error) {
	if b.state == HalfOpen && len(b.probes) > 0 && now.Sub(b.probes[0].since) >= b.cfg.ProbeLimit {
		b.probes = slices.Delete(b.probes, 0, 1)
		b.judge(Failure, ProbeOverdue)
	}
	if b.state == Open {
		if now.Before(b.until) {
			b.refused++
			return 0, &OpenError{Name: b.cfg.Name, State: Open, Until: b.until}
		}
		b.gb.State() // makes it half-open
	}
	if b.state != HalfOpen || uint64(len(b.probes))+b.counts().Successes >= uint64(b.cfg.Probes) {
		b.refused++
		return 0, &OpenError{Name: b.cfg.Name, State: b.state}
	}
	b.serial++
	token := b.serial<<slotBits | probeSlot
	b.probes = append(b.probes, probe{token, now})
	return token, nil
}

// Done tells how the step with this token ended. A token that was not given out, or was used before, or belongs to a state
// that has been left, counts nothing but as Dropped in [Counts].
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
	b.mu.Lock()
	if token&slotMask == probeSlot {
		i := slices.IndexFunc(b.probes, func(p probe) bool { return p.token == token })
		if i < 0 {
			b.dropped++
		} else {
			b.probes = slices.Delete(b.probes, i, i+1)
			b.judge(outcome, ProbeFailed)
		}
	} else if b.tickets.redeem(token) { // so the breaker is still closed
		b.count(outcome)
	} else {
		b.dropped++
	}
	b.unlock()
}

// count counts a result in the closed state.
func (b *Breaker) count(outcome Outcome) {
	switch outcome {
	case Success:
		b.row = 0
	case Neutral:
	default:
		b.row++
	}
	b.feed(outcome)
}

// judge counts the result of a probe. A failure opens the breaker for the reason given.
func (b *Breaker) judge(outcome Outcome, failed Reason) {
	b.cause = b.counts() // before the change; gb forgets them
	switch outcome {
	case Success:
		b.cause.Successes++
		b.reason = ProbesSucceeded
	case Neutral:
	default:
		b.cause.Failures++
		b.reason = failed
	}
	b.feed(outcome)
}

// feed gives a result to gb, as a step of no duration, which it admits in the states in which there are results.
func (b *Breaker) feed(outcome Outcome) {
	switch outcome {
	case Success:
		b.verdict = nil
	case Neutral:
		b.verdict = errNeutral
	default:
		b.verdict = errFailure
	}
	_, _ = b.gb.Execute(b.report)
}

// trips decides, after a failure in the closed state, whether to open. Called by gb, with mu held.
func (b *Breaker) trips(c gobreaker.Counts) bool {
	steps := c.TotalSuccesses + c.TotalFailures
	switch {
	case b.cfg.Failures > 0 && b.row >= uint64(b.cfg.Failures):
		b.reason = FailuresReached
	case b.cfg.FailureRate > 0 && steps >= b.cfg.MinSteps && float64(c.TotalFailures)/float64(steps) >= b.cfg.FailureRate:
		b.reason = FailureRateReached
	default:
		return false
	}
	b.cause = b.countsOf(c)
	return true
}

// changed follows a change of state. Called by gb, with mu held.
func (b *Breaker) changed(_ string, from, to gobreaker.State) {
	now := time.Now()
	if to == gobreaker.StateHalfOpen {
		b.reason, b.cause = OpenPeriodOver, b.countsOf(gobreaker.Counts{})
	}
	if to == gobreaker.StateOpen {
		b.until = now.Add(b.cfg.Open)
	}
	b.state = State(to)
	b.row = 0
	b.tickets.reset()
	b.probes = b.probes[:0]
	if b.cfg.OnChange != nil {
		b.changes = append(b.changes, Change{
			Name: b.cfg.Name, From: State(from), To: State(to), Reason: b.reason, Counts: b.cause, At: now,
		})
	}
}

// unlock releases mu and tells the listener of changes, in order: by this goroutine unless another one is at it.
func (b *Breaker) unlock() {
	for len(b.changes) > 0 && !b.telling {
		b.telling = true
		c := b.changes[0]
		b.changes = b.changes[1:]
		b.mu.Unlock()
		b.tell(c)
	}
	b.mu.Unlock()
}

// tell calls the listener without mu and returns with mu held, unless the listener ends the goroutine.
func (b *Breaker) tell(c Change) {
	returned := false
	defer func() {
		panicked := recover() != nil
		b.mu.Lock()
		b.telling = false
		if !returned && !panicked { // runtime.Goexit: nobody will unlock
			b.mu.Unlock()
		}
	}()
	b.cfg.OnChange(c)
	returned = true
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
	if b.state == Closed {
		b.gb.State() // moves the window on; in the open state it would change the state
	}
	return b.countsOf(b.gb.Counts())
}

func (b *Breaker) countsOf(c gobreaker.Counts) Counts {
	return Counts{
		Successes:           uint64(c.TotalSuccesses),
		Failures:            uint64(c.TotalFailures),
		Neutral:             uint64(c.TotalExclusions),
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
