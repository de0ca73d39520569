package recovery

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrDiverged is matched by a [*DivergenceError].
var ErrDiverged = errors.New("recovery: training diverged")

// Reason is what a [Detector] finds about a step.
type Reason uint8

// The reasons, from good to bad. From NotFinite on training has diverged.
const (
	Healthy       Reason = iota
	Suspect              // out of bounds, but not for long enough
	NotFinite            // the loss or the gradient norm is NaN or infinite
	LossSpike            // the loss stayed far above its running mean
	GradientSpike        // the gradient norm stayed above its limit
	Rising               // the loss rose in every one of the last steps
)

var reasonNames = [...]string{"healthy", "suspect", "not finite", "loss spike", "gradient spike", "rising"}

// String names the reason.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Verdict is what a [Detector] finds about a step, and on what grounds.
type Verdict struct {
	Reason   Reason
	Loss     float64
	Gradient float64 // norm
	Mean     float64 // of the losses before; NaN while there are too few
	Limit    float64 // of the loss; +Inf while there is none
	Run      int     // steps out of bounds: in a row for Suspect, in the window for a spike; rises in a row for Rising
}

// Diverged reports whether the state is not to be trained on.
func (v Verdict) Diverged() bool { return v.Reason >= NotFinite }

// Err is a [*DivergenceError] if training has diverged, else nil.
func (v Verdict) Err() error {
	if !v.Diverged() {
		return nil
	}
	return &DivergenceError{v}
}

// DivergenceError says why training has diverged. It matches [ErrDiverged].
type DivergenceError struct{ Verdict Verdict }

func (e *DivergenceError) Error() string {
	v := e.Verdict
	switch v.Reason {
	case NotFinite:
		return fmt.Sprintf("%v: loss %.6g, gradient norm %.6g", ErrDiverged, v.Loss, v.Gradient)
	case LossSpike:
		return fmt.Sprintf("%v: loss %.6g above %.6g for %d steps (mean %.6g)", ErrDiverged, v.Loss, v.Limit, v.Run, v.Mean)
	case GradientSpike:
		return fmt.Sprintf("%v: gradient norm %.6g too large for %d steps", ErrDiverged, v.Gradient, v.Run)
	}
	return fmt.Sprintf("%v: loss %.6g after %d rises in a row", ErrDiverged, v.Loss, v.Run)
}

// Is reports whether target is ErrDiverged.
func (e *DivergenceError) Is(target error) bool { return target == ErrDiverged }

// Neutral reports false: a breaker counts a divergence as a failure of the step.
func (e *DivergenceError) Neutral() bool { return false }

// DetectorConfig says what counts as divergence. The defaults for a spike (100, 2, 5) are those of llm-foundry's
// KillLossSpike.
type DetectorConfig struct {
	// Window is how many losses the running mean covers. Default 100.
	Window int
	// Warmup is how many losses must be in the window before a loss can be too high. Default Window.
	Warmup int
	// Factor is how many times the running mean a loss may be, above 1. Default 2.
	Factor float64
	// Consecutive is how many steps in a row must be out of bounds. Default 5. Should they come and go instead, more than
	// half of the window out of bounds is a divergence too.
	Consecutive int
	// Gradient is how large the norm of a gradient may be. Default: no limit.
	Gradient float64
	// Rises is how many times in a row the loss may rise before that is a divergence. Default 10; negative means no limit.
	Rises int
}

// Detector tells from the losses and gradient norms of the steps whether training diverges. It is a pure function of what
// it is fed, and not safe for concurrent use.
//
// The running mean is the mean of the middle half of the losses in the window, so that a few outliers do not move it; a
// loss that is out of bounds is never in it, nor is the loss that is tested. The limit is mean + (Factor-1) x the larger of
// |mean| and the interquartile range: for positive losses that are not mostly noise this is Factor x mean.
//
// Feed it a loss that may be looked at. With differential privacy the loss of the training batch is a release of its own,
// and so is whatever is decided by it: use a held-out or a noisy loss.
type Detector struct {
	cfg    DetectorConfig
	memory memory
	sorted []float64
}

// memory is what the verdicts depend on, as it is kept in a checkpoint.
type memory struct {
	Window   []float64 `json:"window,omitempty"`   // losses within bounds, oldest first
	Outliers []bool    `json:"outliers,omitempty"` // of the last steps, whether out of bounds
	Seen     bool      `json:"seen,omitempty"`     // whether there was a step before
	Last     float64   `json:"last,omitempty"`     // loss of the step before
	Run      int       `json:"run,omitempty"`
	Rises    int       `json:"rises,omitempty"`
	Steep    bool      `json:"steep,omitempty"` // the gradient, not the loss, was out of bounds last
}

// NewDetector returns a detector that has seen nothing.
func NewDetector(cfg DetectorConfig) (*Detector, error) {
	cfg.Window = or(cfg.Window, 100)
	cfg.Warmup = or(cfg.Warmup, cfg.Window)
	cfg.Factor = or(cfg.Factor, 2)
	cfg.Consecutive = or(cfg.Consecutive, 5)
	cfg.Rises = or(cfg.Rises, 10)
	switch {
	case cfg.Window < 4 || cfg.Window > 1e5:
		return nil, fmt.Errorf("recovery: detector: Window is %d, want 4 to 100000", cfg.Window)
	case cfg.Warmup < 1 || cfg.Warmup > cfg.Window:
		return nil, fmt.Errorf("recovery: detector: Warmup is %d, want 1 to Window (%d)", cfg.Warmup, cfg.Window)
	case !(cfg.Factor > 1) || math.IsInf(cfg.Factor, 0):
		return nil, fmt.Errorf("recovery: detector: Factor is %g, want above 1", cfg.Factor)
	case cfg.Consecutive < 1:
		return nil, fmt.Errorf("recovery: detector: Consecutive is %d, want at least 1", cfg.Consecutive)
	case !(cfg.Gradient >= 0):
		return nil, fmt.Errorf("recovery: detector: Gradient is %g, want at least 0", cfg.Gradient)
	}
	return &Detector{cfg: cfg, sorted: make([]float64, 0, cfg.Window)}, nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Observe judges a step by its loss and the norm of its gradient, zero if unknown, and remembers them.
func (d *Detector) Observe(loss, gradient float64) Verdict {
	v := Verdict{Loss: loss, Gradient: gradient}
	spread := 0.0
	v.Mean, spread = d.baseline()
	v.Limit = math.Inf(1)
	if !math.IsNaN(v.Mean) {
		v.Limit = v.Mean + (d.cfg.Factor-1)*max(math.Abs(v.Mean), spread)
	}
	if !finite(loss) || !finite(gradient) {
		v.Reason = NotFinite
		return v
	}
	m := &d.memory
	if m.Seen && loss > m.Last {
		m.Rises++
	} else {
		m.Rises = 0
	}
	m.Seen, m.Last = true, loss
	high, steep := loss > v.Limit, d.cfg.Gradient > 0 && gradient > d.cfg.Gradient
	m.Outliers = push(m.Outliers, high || steep, d.cfg.Window)
	if high || steep {
		m.Run++
		m.Steep = !high
	} else {
		m.Run = 0
		m.Window = push(m.Window, loss, d.cfg.Window)
	}
	switch {
	case m.Run >= d.cfg.Consecutive || m.Run > 0 && 2*count(m.Outliers) > d.cfg.Window:
		v.Reason, v.Run = LossSpike, count(m.Outliers)
		if m.Steep {
			v.Reason = GradientSpike
		}
	case d.cfg.Rises > 0 && m.Rises >= d.cfg.Rises:
		v.Reason, v.Run = Rising, m.Rises
	case m.Run > 0:
		v.Reason, v.Run = Suspect, m.Run
	}
	return v
}

// Reset forgets everything.
func (d *Detector) Reset() { d.memory = memory{} }

// baseline returns the mean of the middle half of the window and its width, or NaN during the warm-up.
func (d *Detector) baseline() (mean, spread float64) {
	n := len(d.memory.Window)
	if n < d.cfg.Warmup {
		return math.NaN(), 0
	}
	d.sorted = append(d.sorted[:0], d.memory.Window...)
	slices.Sort(d.sorted)
	middle := d.sorted[n/4 : n-n/4]
	for _, x := range middle {
		mean += x
	}
	if mean /= float64(len(middle)); !finite(mean) { // the sum was too large
		mean = middle[len(middle)/2]
	}
	return mean, middle[len(middle)-1] - middle[0]
}

// snapshot and resume carry the memory through a checkpoint.
func (d *Detector) snapshot() memory {
	m := d.memory
	m.Window, m.Outliers = slices.Clone(m.Window), slices.Clone(m.Outliers)
	return m
}

// resume takes over a memory. One of a detector with another window, or a damaged one, is forgotten: then a warm-up
// follows.
func (d *Detector) resume(m memory) {
	d.Reset()
	if len(m.Window) > d.cfg.Window || len(m.Outliers) > d.cfg.Window || m.Run < 0 || m.Rises < 0 {
		return
	}
	m.Window, m.Outliers = slices.Clone(m.Window), slices.Clone(m.Outliers)
	d.memory = m
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// push appends to a window of at most n, whose oldest it forgets.
func push[T any](window []T, x T, n int) []T {
	if len(window) < n {
		return append(window, x)
	}
	copy(window, window[1:])
	window[n-1] = x
	return window
}

func count(bs []bool) (n int) {
	for _, b := range bs {
		if b {
			n++
		}
	}
	return n
}
