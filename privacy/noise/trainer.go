package noise

import (
	"fmt"
	"log/slog"
	"runtime"

	"github.com/surefoot-ml/surefoot/privacy"
)

// Spender is charged for an event before anything of it is released; an error means that nothing was charged. A privacy.Filter is one.
type Spender interface {
	Spend(privacy.Event) error
}

// TrainerConfig says what the steps of a Trainer are made of.
type TrainerConfig struct {
	// Sampler draws the batches and says what they cost. One with a Period must be at its beginning and serve this trainer alone.
	Sampler Sampler
	// Sum clips and sums; its dimension is that of the gradient. The trainer owns it from then on.
	Sum *Accumulator
	// Multiplier is the noise multiplier of each step; for samplers with a Period the one in the first step of a period holds for all of it.
	Multiplier Schedule
	// Clip is the clip norm of each step; nil leaves it to Sum. It is refused together with an adaptive Sum.
	Clip Schedule
	// Budget is charged before every step that begins a period.
	Budget Spender
	// Sources draw the batches (the first) and the noise (all, in parallel). Default: a fresh Crypto per processor.
	Sources []Source
}

// Trainer does the private part of training steps: it charges, draws the batch, sums, adds noise and divides, in this order. However
// many micro-batches and workers a batch is spread over, it is charged and noised once. It is not safe for concurrent use.
type Trainer struct {
	config     TrainerConfig
	step       int
	paid       int     // steps left of the period
	multiplier float64 // of the period
	batch      []int
	running    bool
}

// NewTrainer returns a trainer, or says what is missing.
func NewTrainer(c TrainerConfig) (*Trainer, error) {
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"Sampler", c.Sampler == nil}, {"Sum", c.Sum == nil || len(c.Sum.sum) == 0}, {"Multiplier", c.Multiplier == nil}, {"Budget", c.Budget == nil},
	} {
		if field.missing {
			return nil, fmt.Errorf("%w: TrainerConfig.%s is missing", ErrInvalid, field.name)
		}
	}
	if c.Clip != nil && c.Sum.adaptive != nil {
		return nil, fmt.Errorf("%w: TrainerConfig.Clip for a sum that adapts its clip norm", ErrInvalid)
	}
	if n := c.Sampler.Period(); n < 1 {
		return nil, fmt.Errorf("%w: Sampler.Period = %d, want 1 or more", ErrInvalid, n)
	}
	if b := c.Sampler.Expected(); !(b > 0) {
		return nil, fmt.Errorf("%w: Sampler.Expected = %v, want above 0", ErrInvalid, b)
	}
	if c.Sum.examples > 0 || c.Sum.lent {
		return nil, fmt.Errorf("%w: TrainerConfig.Sum holds contributions or is another trainer's", ErrInvalid)
	}
	if c.Sources == nil {
		for range runtime.GOMAXPROCS(0) {
			src, err := NewCrypto()
			if err != nil {
				return nil, err
			}
			c.Sources = append(c.Sources, src)
		}
	}
	if err := checkSources(c.Sources); err != nil {
		return nil, err
	}
	c.Sum.lent = true
	return &Trainer{config: c}, nil
}

// Steps returns how many steps were begun.
func (t *Trainer) Steps() int { return t.step }

// Private reports whether all sources declare that they cannot be predicted. If not, what Step gives protects nobody.
func (t *Trainer) Private() bool {
	for _, src := range t.config.Sources {
		if !Private(src) {
			return false
		}
	}
	return true
}

// String says how many steps were begun, and whether they protect anyone.
func (t *Trainer) String() string {
	private := "private"
	if !t.Private() {
		private = "NOT private, noise can be predicted"
	}
	return fmt.Sprintf("noise.Trainer: %d steps, %s", t.step, private)
}

// LogValue is the same for package log/slog.
func (t *Trainer) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("steps", t.step), slog.Bool("private", t.Private()))
}

// Step writes the noisy mean gradient of one batch into dst and returns the event that was charged for it, nil in the further steps of
// a period. It calls add once, which adds the contribution of each record of the batch to sum, in any number of pieces: to sum itself
// or to the accumulators of workers that it merges into sum; these must be empty when it begins, so Reset what an error has left in them.
// Both arguments are on loan: add must not keep them, nor begin another step.
//
// An error that comes from the budget, or before it, changes nothing. Once it was charged a step counts, whatever add does: an error of
// add, or more contributions than the batch has records, releases nothing and returns the event with the error.
func (t *Trainer) Step(dst []float64, add func(batch []int, sum *Accumulator) error) (privacy.Event, error) {
	if t.running {
		return nil, fmt.Errorf("%w: Step called from within a Step", ErrInvalid)
	}
	t.running = true
	defer func() { t.running = false }()
	sum := t.config.Sum
	if len(dst) != sum.Dim() {
		return nil, fmt.Errorf("%w: destination of length %d, want %d", ErrInvalid, len(dst), sum.Dim())
	}
	if left := t.config.Sampler.Left(); left != t.paid {
		return nil, fmt.Errorf("%w: sampler has %d batches left of a period of which %d are paid; it is for this trainer alone", ErrInvalid, left, t.paid)
	}
	sum.Reset()
	clip := sum.Clip()
	if t.config.Clip != nil {
		clip = t.config.Clip(t.step)
		if err := checkClip(clip); err != nil {
			return nil, fmt.Errorf("%w, in step %d", err, t.step)
		}
	}
	charged, err := t.charge()
	if err != nil {
		return nil, err
	}
	t.step++
	t.paid--
	if err := sum.setClip(clip); err != nil {
		return charged, err
	}
	t.batch = t.config.Sampler.Draw(t.batch, t.config.Sources[0])
	if err := add(t.batch, sum); err != nil {
		sum.Reset()
		return charged, err
	}
	if n := sum.Examples(); n > len(t.batch) {
		sum.Reset()
		return charged, fmt.Errorf("%w: %d contributions in a batch of %d records", ErrInvalid, n, len(t.batch))
	}
	if err := sum.release(dst, t.multiplier, t.config.Sources); err != nil {
		return charged, err
	}
	for i, size := 0, t.config.Sampler.Expected(); i < len(dst); i++ {
		dst[i] /= size
	}
	return charged, nil
}

// charge pays for a period where none is running. In units of the sensitivity the noise is the multiplier, without rounding, whatever
// the clip norm is: equal multipliers give equal events.
func (t *Trainer) charge() (privacy.Event, error) {
	if t.paid > 0 {
		return nil, nil
	}
	multiplier := t.config.Multiplier(t.step)
	if err := t.config.Sum.checkMultiplier(multiplier); err != nil {
		return nil, fmt.Errorf("%w, in step %d", err, t.step)
	}
	event := t.config.Sampler.Cost(privacy.Gaussian{StdDev: multiplier, Clip: 1, Relation: privacy.AddRemove})
	if err := t.config.Budget.Spend(event); err != nil {
		return nil, fmt.Errorf("noise: step %d is not paid for: %w", t.step, err)
	}
	t.multiplier, t.paid = multiplier, t.config.Sampler.Period()
	return event, nil
}
