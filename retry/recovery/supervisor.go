package recovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"
)

// Config says how a [Supervisor] recovers. The zero value is usable, but see Undo.
type Config struct {
	// Every is how many steps lie between two checkpoints. Default 100. While the detector suspects a divergence the next
	// one is put off.
	Every uint64
	// Undo puts the state back to what it was before the step that failed, for a retry in place; the Restore function of
	// a Runner will do. Without it nobody knows what a failed step leaves, so each failure goes back to the last
	// checkpoint, and a stop after one has nothing to save. A refusal that is not permanent is such a failure too: let the
	// Retry of a Runner wait it out.
	Undo func(ctx context.Context, cause error) error
	// Classify tells failures apart. Default [Classify].
	Classify func(err error) Class
	// Plan says what to do about each class. Default [DefaultPlan].
	Plan Plan
	// Detector judges the steps; it belongs to the supervisor from then on. Default: a DetectorConfig{}.
	Detector *Detector
	// Micro says how batches shrink when memory runs out.
	Micro MicroConfig
	// MaxRecoveries is how many recoveries there may be without a step further than the best so far. Default 10.
	MaxRecoveries int
	// MaxStarts is how many processes in a row may end badly without a checkpoint further than any before. Default 3;
	// negative means no limit.
	MaxStarts int
	// MaxRestarts is how many rollbacks and crashes there may be in Per. Default 20 in an hour; negative means no limit.
	MaxRestarts int
	Per         time.Duration
	// MaxUnsaved is how many checkpoints in a row may fail to be written; after each, the next step tries again. Default 5.
	MaxUnsaved int
	// Log gets one line per recovery. Nil is silent.
	Log *slog.Logger
}

func (c *Config) check() (err error) {
	c.Every = or(c.Every, 100)
	c.MaxRecoveries = or(c.MaxRecoveries, 10)
	c.MaxStarts = or(c.MaxStarts, 3)
	c.MaxRestarts = or(c.MaxRestarts, 20)
	c.Per = or(c.Per, time.Hour)
	c.MaxUnsaved = or(c.MaxUnsaved, 5)
	if c.Classify == nil {
		c.Classify = Classify
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Detector == nil {
		if c.Detector, err = NewDetector(DetectorConfig{}); err != nil {
			return err
		}
	}
	switch {
	case c.MaxRecoveries < 1:
		return fmt.Errorf("recovery: MaxRecoveries is %d, want at least 1", c.MaxRecoveries)
	case c.MaxUnsaved < 1:
		return fmt.Errorf("recovery: MaxUnsaved is %d, want at least 1", c.MaxUnsaved)
	case c.Per < 0:
		return fmt.Errorf("recovery: Per is %v, want above 0", c.Per)
	}
	c.Plan, err = c.Plan.complete()
	return err
}

// Batch is what to run next.
type Batch struct {
	Index uint64 `json:"index"` // of the batch in the data, from 0
	Step  uint64 `json:"step"`  // the number of this step, from 1
	Micro Micro  `json:"micro"`
}

// Outcome is what became of a batch.
type Outcome struct {
	Loss     float64       // if Err is nil
	Gradient float64       // norm; zero if unknown
	Err      error         // nil: the step was applied
	Took     time.Duration // time in the step, for Goodput. Zero means the time since Next.
}

// Decision is what was done about an outcome. It has been carried out.
type Decision struct {
	Action  Action  `json:"action"`
	Class   Class   `json:"class"`             // of the failure, unless Action is Continue
	From    uint64  `json:"from"`              // steps that the state consisted of before
	Step    uint64  `json:"step"`              // and now; less than From after a rollback
	Skipped []Range `json:"skipped,omitempty"` // batches left out by this decision; see Err
	Micro   Micro   `json:"micro"`
	Verdict Verdict `json:"-"`     // of the detector, if the step did not fail
	Saved   bool    `json:"saved"` // a checkpoint of Step was written now
	// Err is what failed: the step, writing, or changing the micro-batch. If the ledger could not be written, a crash
	// before the next checkpoint forgets the decision.
	Err error `json:"-"`
}

// Supervisor stands between a training loop and its steps. It hands out batches in order and, told what became of each,
// saves, restores, leaves out or ends. The state always consists of the batches in order, each once, without the skipped
// ones: in one process and after any crash.
//
// Its methods are for the goroutine of the loop, but for Report and Step.
type Supervisor struct {
	cfg   Config
	store *Store
	state Checkpointer
	size  sizer

	pos     position
	saved   uint64         // step of the newest checkpoint
	ledger  ledger         // Skips, Size and Failed are filled in when it is written
	used    [classes][]use // of each strategy of the plan
	unsaved int
	open    bool      // a batch is handed out
	began   time.Time // when it was
	stopped error

	mu     sync.Mutex
	report Report // as of the last call; guarded by mu, but written by the loop alone
}

// New restores the newest checkpoint of the store into state or, if there is none, saves state as the first one. It
// returns a [*StopError] if the run must not be started again.
func New(ctx context.Context, store *Store, state Checkpointer, cfg Config) (*Supervisor, error) {
	if store == nil || state == nil {
		return nil, errors.New("recovery: New without a store or a state")
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	size, err := newSizer(cfg.Micro)
	if err != nil {
		return nil, err
	}
	s := &Supervisor{cfg: cfg, store: store, state: state, size: size}
	for class := range s.used {
		s.used[class] = make([]use, len(cfg.Plan[Class(class)]))
	}
	if err := s.resume(ctx); err != nil {
		return nil, err
	}
	s.publish()
	return s, nil
}

func (s *Supervisor) resume(ctx context.Context) error {
	now := time.Now().Round(0)
	old, found, err := s.store.loadLedger()
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			return err
		}
		s.cfg.Log.Warn("recovery: counting anew", "error", err)
	}
	b := bundle{state: s.state}
	info, err := s.store.Newest(math.MaxUint64, &b)
	switch {
	case errors.Is(err, ErrNoCheckpoint):
		b.meta.Began = now
		s.take(&b.meta)
		if _, err := s.save(); err != nil {
			return err
		}
	case err != nil:
		return err
	case info.Step != b.meta.Position.Step:
		return fmt.Errorf("recovery: %s is of step %d inside", info.Name, b.meta.Position.Step)
	default:
		for _, damage := range info.Passed {
			s.cfg.Log.Warn("recovery: passed over", "error", damage)
		}
		s.take(&b.meta)
		s.saved = info.Step
	}

	s.ledger = old
	s.ledger.Best = max(old.Best, s.pos.Step)
	if s.pos.Step > old.Step {
		s.ledger.Step, s.ledger.Crashes = s.pos.Step, 0
	} else if found && !old.Clean {
		s.ledger.Crashes++
	}
	if s.cfg.MaxStarts > 0 && s.ledger.Crashes >= s.cfg.MaxStarts {
		return s.ended(ErrNoProgress, fmt.Errorf("%d processes saved nothing further before they died", s.ledger.Crashes))
	}
	if found && !old.Clean {
		if wait, ok := s.restarted(now); !ok {
			err := s.ended(ErrRestarts, nil)
			err.wait = wait
			return err
		}
	}
	s.ledger.Clean = false
	s.pos.adopt(old.Skips)
	if err := s.size.resume(ctx, old.Size, old.Failed); err != nil {
		return err
	}
	return s.writeLedger()
}

// take makes the notes of a checkpoint those of the state in memory.
func (s *Supervisor) take(m *meta) {
	s.pos = m.Position
	s.cfg.Detector.resume(m.Detector)
	s.report.Goodput.Since, s.report.Goodput.Useful = m.Began, m.Useful
}

// Step is how many steps the state consists of.
func (s *Supervisor) Step() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report.Step
}

// Next says which batch to run. Until Done is called it is the same one.
func (s *Supervisor) Next() Batch {
	if !s.open {
		s.open, s.began = true, time.Now()
	}
	return Batch{Index: s.pos.Next, Step: s.pos.Step + 1, Micro: s.size.micro()}
}

// Done is told, once, what became of the batch from Next, and does what has to be done. An error ends the loop: a
// [*StopError], the same one from then on, or [ErrNoBatch]. If ctx has ended, or would end before the delay that a failure
// asks for, Done stops after this step, with a checkpoint.
//
// A failed write of a checkpoint does not end the loop at once; it is in the Decision.
func (s *Supervisor) Done(ctx context.Context, out Outcome) (Decision, error) {
	if s.stopped != nil {
		return Decision{Action: Stop, From: s.pos.Step, Step: s.pos.Step}, s.stopped
	}
	if !s.open {
		return Decision{}, ErrNoBatch
	}
	s.open = false
	took := out.Took
	if took <= 0 {
		took = time.Since(s.began)
	}
	d := Decision{From: s.pos.Step, Err: out.Err}
	if out.Err == nil {
		d.Verdict = s.cfg.Detector.Observe(out.Loss, out.Gradient)
		d.Err = d.Verdict.Err()
	}
	s.mu.Lock() // the loop reads its report without, and others write it never
	if d.Err == nil {
		s.report.Counts.Applied++
		s.report.Goodput.Useful += took
	} else {
		s.report.Counts.Failed++
		s.report.Goodput.Failed += took
	}
	s.mu.Unlock()

	var err error
	if d.Err == nil {
		err = s.applied(ctx, &d)
	} else {
		failed := d // on the heap, unlike d
		err = s.recover(ctx, &failed)
		d = failed
	}
	d.Step, d.Micro = s.pos.Step, s.size.micro()
	s.stopped = err
	s.publish()
	return d, err
}

// applied goes on after a good step.
func (s *Supervisor) applied(ctx context.Context, d *Decision) error {
	s.pos.applied()
	if s.pos.Step > s.ledger.Best {
		s.ledger.Best, s.ledger.Since = s.pos.Step, 0
	}
	for _, uses := range s.used {
		for i, u := range uses {
			if s.pos.Step > u.at {
				uses[i] = use{}
			}
		}
	}
	if grew, err := s.size.grow(ctx); err != nil {
		d.Err = err
	} else if grew {
		s.count(func(c *Counts) { c.Grown++ })
	}
	if ctx.Err() != nil {
		d.Action, d.Class = Stop, Cancelled
		return s.stop(d, ErrStopped, context.Cause(ctx))
	}
	if d.Verdict.Reason != Healthy || s.pos.Step < s.saved+s.cfg.Every {
		return nil
	}
	saved, err := s.save()
	d.Saved = saved
	if err == nil {
		return nil
	}
	d.Err = err
	if s.unsaved < s.cfg.MaxUnsaved {
		return nil
	}
	d.Action = FailFast
	return s.ended(ErrUnsaved, err)
}

// save writes a checkpoint of the state between two steps.
func (s *Supervisor) save() (bool, error) {
	began := time.Now()
	info, err := s.store.Save(s.pos.Step, &bundle{state: s.state, meta: meta{
		Position: s.pos, Began: s.report.Goodput.Since, Useful: s.report.Goodput.Useful,
		Detector: s.cfg.Detector.snapshot(),
	}})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Goodput.Saving += time.Since(began)
	if err != nil {
		s.unsaved++
		s.report.Counts.Unsaved++
		s.cfg.Log.Warn("recovery: checkpoint", "step", s.pos.Step, "error", err)
		return false, err
	}
	if info.Unpruned != nil {
		s.cfg.Log.Warn("recovery: older checkpoints stay", "error", info.Unpruned)
	}
	s.unsaved, s.saved = 0, info.Step
	s.report.Counts.Saved++
	return true, nil
}

// stop ends with a checkpoint of the state, which is good.
func (s *Supervisor) stop(d *Decision, reason, cause error) *StopError {
	if s.pos.Step != s.saved {
		var err error
		if d.Saved, err = s.save(); err != nil {
			cause = errors.Join(cause, err)
		}
	}
	if reason == ErrStopped && (d.Class == Cancelled || d.Class == Refused) {
		s.ledger.Clean = true
	}
	if err := s.writeLedger(); err != nil {
		cause = errors.Join(cause, err)
	}
	return s.ended(reason, cause)
}

func (s *Supervisor) ended(reason, cause error) *StopError {
	return &StopError{Reason: reason, Step: s.pos.Step, Checkpoint: s.saved, Err: cause}
}

// Finish ends the run well: it saves the last steps, and the next start will not count as one after a crash.
func (s *Supervisor) Finish() error {
	switch {
	case s.stopped != nil:
		return s.stopped
	case s.open:
		return ErrBusy
	}
	if s.pos.Step != s.saved {
		if _, err := s.save(); err != nil {
			return err
		}
	}
	s.ledger.Clean = true
	if err := s.writeLedger(); err != nil {
		return err
	}
	s.stopped = ErrFinished
	s.publish()
	return nil
}

func (s *Supervisor) writeLedger() error {
	l := s.ledger
	l.Skips, l.Size, l.Failed = s.pos.Skips, s.size.size, s.size.failed
	return s.store.saveLedger(l)
}

// Counts are events since New.
type Counts struct {
	Applied        uint64 `json:"applied"` // steps, whether undone later or not
	Failed         uint64 `json:"failed"`  // steps
	Retries        uint64 `json:"retries"`
	Rollbacks      uint64 `json:"rollbacks"` // whatever the action was called
	Skips          uint64 `json:"skips"`
	SkippedBatches uint64 `json:"skipped_batches"`
	Shrunk         uint64 `json:"shrunk"`
	Grown          uint64 `json:"grown"`
	Degraded       uint64 `json:"degraded"`
	Saved          uint64 `json:"saved"`   // checkpoints
	Unsaved        uint64 `json:"unsaved"` // checkpoints that could not be written
}

// Report says where a run stands.
type Report struct {
	Step       uint64  `json:"step"`  // steps that the state consists of
	Batch      uint64  `json:"batch"` // next
	Best       uint64  `json:"best"`  // the furthest step ever
	Checkpoint uint64  `json:"checkpoint"`
	Skipped    []Range `json:"skipped,omitempty"` // all that were, or will be, left out
	Micro      Micro   `json:"micro"`
	Counts     Counts  `json:"counts"`
	Goodput    Goodput `json:"goodput"`
}

// Report says where the run stands. It is safe for concurrent use.
func (s *Supervisor) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Skipped = slices.Clone(r.Skipped)
	r.Goodput = r.Goodput.at(time.Now())
	return r
}

func (s *Supervisor) publish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.report
	r.Step, r.Batch, r.Best, r.Checkpoint = s.pos.Step, s.pos.Next, s.ledger.Best, s.saved
	r.Skipped = s.pos.Skips // never changed in place
	r.Micro = s.size.micro()
}

func (s *Supervisor) count(f func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.report.Counts)
}
