package resources

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
)

const (
	failedMargin  = 0.1     // of a size that failed which is never used again: nearly full memory fails later
	defaultForget = 10000   // batches
	maxBatch      = 1 << 29 // so that sums of sizes fit into an int everywhere
	tightAfter    = 3       // batches of a size before its median is believed
)

// ErrNothingFits is found in the error of [Scaler.Observe], [Scaler.Find] and [Scaler.Shrink] when batches of the
// smallest size do not fit into memory, or are asked to become smaller still.
var ErrNothingFits = errors.New("resources: not even the smallest batch fits")

// ScalerConfig configures a [Scaler]. Max is required.
type ScalerConfig struct {
	// Max is the largest size of a batch, in examples.
	Max int
	// Min is the smallest. Default Multiple.
	Min int
	// Multiple divides every size; Min, Max and Start must be multiples of it. Default 1.
	Multiple int
	// Start is the size to begin with. Default Min.
	Start int
	// Policy is how boldly to grow; the zero value is Balanced.
	Policy ScalerPolicy
	// Headroom is the share of the memory to leave free, below 1. Default by Policy.
	Headroom float64
	// GrowAfter is how many batches of a size must have been good before a larger one is tried. Default by Policy; negative
	// never.
	GrowAfter int
	// Forget is after how many good batches a size that ran out of memory may be tried again; each time that it fails again
	// doubles that. Default 10,000; negative never. It is forgotten at once when the limit rises by a twentieth.
	Forget int
	// IsOOM tells the errors that mean that memory ran out. Default [OutOfMemory].
	IsOOM func(err error) bool
	// Examples is the size of the data set where the batch size decides a sampling rate that something depends on, such
	// as a privacy accountant. Then OnChange is required.
	Examples int
	// OnChange is told of every change of size before the first batch of the new size; an error refuses it, and the old
	// size stays. It runs on the goroutine that calls Next, outside any lock, one call at a time, while other calls of
	// Next wait.
	OnChange func(ctx context.Context, c BatchChange) error
	// State is what [Scaler.State] of an earlier process returned. If its size is not Start, the first Next changes the
	// size.
	State []byte
}

// BatchChange is one change of the size of batches.
type BatchChange struct {
	From, To         int     // examples
	FromRate, ToRate float64 // From and To over ScalerConfig.Examples, at most 1; 0 without that
	Reason           BatchReason
}

// BatchUse is what one batch took.
type BatchUse struct {
	// Size is the number of examples that it was given, as Next said. Size 0 tells what is in use before the first
	// batch: the model and the rest of the fixed part.
	Size int
	// Used is the peak of memory in use during the batch and Limit what there is, in bytes, both of the same memory.
	// Where an allocator keeps what it once had, count what was allocated, or every size seems to take as much as the
	// largest so far. Of several devices, the one with least left.
	Used, Limit Value[uint64]
	// Err is how the batch ended. One that failed for another reason than memory says nothing.
	Err error
}

// OutOfMemory reports whether an error says that memory ran out: by a method OutOfMemory() bool, or as ENOMEM.
func OutOfMemory(err error) bool {
	var memory interface{ OutOfMemory() bool }
	return errors.As(err, &memory) && memory.OutOfMemory() || errors.Is(err, syscall.ENOMEM)
}

// Scaler decides how many examples a batch has, so that memory is used well but does not run out.
//
// For most uses, ask [Scaler.Next] before every batch and tell [Scaler.Observe] after it. From what batches of
// several sizes took, a Scaler learns a fixed part and one per example. When enough batches were good it grows to a
// size for which it knows that some headroom remains, halves when memory runs out, and stays a tenth below what
// failed. [Scaler.Find] does the same in trials before training. Without figures of memory it never goes beyond the
// largest size that was good.
//
// Safe for concurrent use. nil and the zero Scaler refuse. Create one with [NewScaler].
type Scaler struct {
	cfg ScalerConfig

	mu       sync.Mutex    // guards what follows
	changing chan struct{} // closed when the change under way is decided; nil without
	size     int
	want     int // what size is to become at the next Next
	why      BatchReason
	proven   int // the largest size that was good
	here     int // measured good batches of this size since it changed
	good     int // good batches since then, or since growth was last decided on
	failed   failedSize
	limit    Value[uint64]
	shrunk   shrinking // the last change that was BatchTight, until its effect is known
	useless  bool      // shrinking did not make use fall, or was refused; until the size changes for another reason
	triedAt  uint64    // the limit when that was found out; one that falls below is a new reason to shrink
	refused  int
	model    usageModel
}

// failedSize is the smallest size that ran out of memory.
type failedSize struct {
	Size  int    `json:"size"`
	Limit uint64 `json:"limit"` // when it failed; 0 for not known
	Times int    `json:"times"` // failures since the last rise of the limit
	Since int    `json:"since"` // good batches since the last
}

type shrinking struct {
	from         int
	before, fall float64 // median use before, and how much less was expected
}

// NewScaler checks the configuration and returns a scaler.
func NewScaler(cfg ScalerConfig) (*Scaler, error) {
	if int(cfg.Policy) >= len(scalerPolicies) {
		return nil, fmt.Errorf("resources: scaler: Policy %d is not below %d", cfg.Policy, len(scalerPolicies))
	}
	p := scalerPolicies[cfg.Policy]
	cfg.Multiple = orDefault(cfg.Multiple, 1)
	cfg.Min = orDefault(cfg.Min, cfg.Multiple)
	cfg.Start = orDefault(cfg.Start, cfg.Min)
	cfg.Headroom = orDefault(cfg.Headroom, p.headroom)
	cfg.GrowAfter = orDefault(cfg.GrowAfter, p.growAfter)
	cfg.Forget = orDefault(cfg.Forget, defaultForget)
	if cfg.IsOOM == nil {
		cfg.IsOOM = OutOfMemory
	}
	switch {
	case cfg.Max < 1 || cfg.Max > maxBatch:
		return nil, fmt.Errorf("resources: scaler: Max is %d, want 1 to %d", cfg.Max, maxBatch)
	case cfg.Multiple < 1:
		return nil, fmt.Errorf("resources: scaler: Multiple is %d, want 1 or more", cfg.Multiple)
	case cfg.Min < 1 || cfg.Min > cfg.Max:
		return nil, fmt.Errorf("resources: scaler: Min is %d, want 1 to Max (%d)", cfg.Min, cfg.Max)
	case cfg.Start < cfg.Min || cfg.Start > cfg.Max:
		return nil, fmt.Errorf("resources: scaler: Start is %d, want Min (%d) to Max (%d)", cfg.Start, cfg.Min, cfg.Max)
	case cfg.Min%cfg.Multiple != 0 || cfg.Max%cfg.Multiple != 0 || cfg.Start%cfg.Multiple != 0:
		return nil, fmt.Errorf("resources: scaler: Min %d, Max %d or Start %d is not a multiple of %d", cfg.Min, cfg.Max, cfg.Start, cfg.Multiple)
	case !(cfg.Headroom > 0 && cfg.Headroom < 1):
		return nil, fmt.Errorf("resources: scaler: Headroom is %v, want more than 0 and less than 1", cfg.Headroom)
	case cfg.Examples < 0:
		return nil, fmt.Errorf("resources: scaler: Examples is %d, want 0 or more", cfg.Examples)
	case cfg.Examples > 0 && cfg.OnChange == nil:
		return nil, errors.New("resources: scaler: OnChange is nil: a sampling rate must not change unnoticed")
	}
	s := &Scaler{cfg: cfg, size: cfg.Start, want: cfg.Start}
	if cfg.State != nil {
		if err := s.restore(cfg.State); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Next returns the size of the next batch. If it is to change, OnChange is asked first. A refusal to grow, or to shrink
// before anything failed, leaves the old size, and that is no error; a refusal of any other change is the error, with the
// old size beside it, and the next call asks again. It returns ctx's error if that ends while another call is asking.
//
// A batch under way keeps the size it was given, and whoever charges a privacy budget for it goes by that.
func (s *Scaler) Next(ctx context.Context) (size int, err error) {
	if s == nil || s.cfg.Max == 0 {
		return 0, errors.New("resources: scaler: not made by NewScaler")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.want != s.size || s.changing != nil {
		if s.changing != nil {
			if err := s.await(ctx, s.changing); err != nil {
				return 0, err
			}
			continue
		}
		if err := s.change(ctx); err != nil {
			return s.size, err
		}
	}
	return s.size, nil
}

// Size is the size that is in force.
func (s *Scaler) Size() int {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// await gives up the lock until another goroutine's change is decided.
func (s *Scaler) await(ctx context.Context, decided chan struct{}) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-decided:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// change asks for the change that is wanted and makes it. What is observed meanwhile may want another one. The caller
// holds mu.
func (s *Scaler) change(ctx context.Context) error {
	c := BatchChange{From: s.size, To: s.want, FromRate: s.rate(s.size), ToRate: s.rate(s.want), Reason: s.why}
	if err := s.ask(ctx, c); err != nil {
		s.refused++
		if c.Reason != BatchGrown && c.Reason != BatchTight {
			return fmt.Errorf("resources: scaler: batch of %d instead of %d (%v): %w", c.To, c.From, c.Reason, err)
		}
		if s.want == c.To {
			s.want = s.size
		}
		s.good = 0
		if c.Reason == BatchTight {
			s.useless, s.triedAt = true, s.limit.V
		}
		s.shrunk = shrinking{}
		return nil
	}
	s.size, s.good, s.here = c.To, 0, 0
	if c.Reason != BatchTight {
		s.useless, s.shrunk = false, shrinking{}
	}
	return nil
}

// ask calls back without the lock; also a callback that panics leaves it held, and the change undecided.
func (s *Scaler) ask(ctx context.Context, c BatchChange) error {
	if s.cfg.OnChange == nil {
		return nil
	}
	decided := make(chan struct{})
	s.changing = decided
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.changing = nil
		close(decided)
	}()
	return s.cfg.OnChange(ctx, c)
}

func (s *Scaler) rate(size int) float64 {
	if s.cfg.Examples == 0 {
		return 0
	}
	return min(1, float64(size)/float64(s.cfg.Examples))
}

// Observe takes in what a batch took. If memory ran out, the next Next returns half of its size or less; if it was of the
// smallest size already, the error matches [ErrNothingFits] and wraps that of the batch.
func (s *Scaler) Observe(u BatchUse) error {
	if s == nil || s.cfg.Max == 0 {
		return errors.New("resources: scaler: not made by NewScaler")
	}
	if u.Size < 0 || u.Size > maxBatch {
		return fmt.Errorf("resources: scaler: Size is %d, want 0 to %d", u.Size, maxBatch)
	}
	ranOut := u.Err != nil && s.cfg.IsOOM(u.Err) // the caller's code, so without the lock
	s.mu.Lock()
	defer s.mu.Unlock()
	s.learnLimit(u.Limit)
	switch {
	case ranOut && u.Size > 0:
		if !s.fail(u.Size) {
			return fmt.Errorf("%w: %d examples: %w", ErrNothingFits, u.Size, u.Err)
		}
		return nil
	case u.Err != nil: // it may have ended before its peak
		return nil
	}
	if u.Used.OK {
		s.model.add(u.Size, float64(u.Used.V))
	}
	s.proven = max(s.proven, u.Size)
	if u.Size == 0 || u.Size != s.size { // of a batch that began before the last change
		return nil
	}
	s.good++
	if u.Used.OK {
		s.here++
	}
	if s.failed.Size > 0 {
		s.failed.Since = min(maxBatch, s.failed.Since+1)
	}
	if s.want == s.size {
		s.decide()
	}
	return nil
}

// Shrink asks for half the size, as when memory runs out, from the next Next on: as an action in an emergency. It returns
// [ErrNothingFits] at the smallest size. Unlike a failure it does not keep the old size from coming back.
func (s *Scaler) Shrink() error {
	if s == nil || s.cfg.Max == 0 {
		return errors.New("resources: scaler: not made by NewScaler")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := min(s.size, s.want)
	if at <= s.cfg.Min {
		return ErrNothingFits
	}
	s.want, s.why = s.half(at), BatchByDemand
	return nil
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
