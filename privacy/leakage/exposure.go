package leakage

import (
	"fmt"
	"math"
)

// Exposure is how much memorisation of a random canary reduces the guesses that it takes to find it, in bits: log2 of the number of
// possible canaries less log2 of the rank of the canary, from 1, among them all by how likely the model finds them (Carlini, Liu,
// Erlingsson, Kos, Song 2019, "The secret sharer").
func Exposure(rank, space float64) (float64, error) {
	if !(space >= 1 && space <= math.MaxFloat64) {
		return 0, invalid("space", space, "a finite number from 1")
	}
	if !(rank >= 1 && rank <= space) {
		return 0, invalid("rank", rank, fmt.Sprintf("1 to the space of %g", space))
	}
	return math.Log2(space) - math.Log2(rank), nil
}

// SampledExposure estimates the exposure of a canary from log-perplexities, lower for what the model knows better: that of the canary, and
// those of other possible canaries, drawn at random and not in the data.
type SampledExposure struct {
	canary     float64
	references []float64
	notAbove   int
}

// NewSampledExposure copies the log-perplexities, which must be finite.
func NewSampledExposure(canary float64, references []float64) (*SampledExposure, error) {
	if err := checkFinite("canary", []float64{canary}); err != nil {
		return nil, err
	}
	if err := checkFinite("references", references); err != nil {
		return nil, err
	}
	values, err := sorted("references", references)
	if err != nil {
		return nil, err
	}
	return &SampledExposure{canary, values, notAbove(values, canary)}, nil
}

// ByRank is log2 of the number of references and the canary less log2 of the canary's rank among them, behind equal ones. It cannot exceed
// log2(references+1).
func (e *SampledExposure) ByRank() float64 {
	return math.Log2(float64(len(e.references)+1)) - math.Log2(float64(e.notAbove+1))
}

// Lower returns a confidence bound: it exceeds the exposure, -log2 of the probability that a random canary is at least as likely, with a
// probability of at most alpha.
func (e *SampledExposure) Lower(alpha float64) (float64, error) {
	p, err := Proportion{e.notAbove, len(e.references)}.Upper(alpha)
	if err != nil {
		return 0, err
	}
	return max(0, -math.Log2(p)*(1-0x1p-50)), nil
}

// Gaussian extrapolates by a normal law with the mean and the deviation (over n-1) of the references: an estimate whose error is that of the
// normal law far out in its tail.
func (e *SampledExposure) Gaussian() (float64, error) {
	n := float64(len(e.references))
	b := fitBell(e.references)
	if n < 2 || !(b.deviation > 0 && b.deviation <= math.MaxFloat64) {
		return 0, fmt.Errorf("%w: %d references have a deviation of %v", ErrTooFew, len(e.references), b.deviation)
	}
	l, err := logPhi((e.canary - b.mean) / (b.deviation * math.Sqrt(n/(n-1))))
	if err == nil && math.IsInf(l, 0) {
		return 0, e.tooFar()
	}
	return -l / math.Ln2, err
}

// tooFar is the refusal of a canary so far from the references that the law's tail is no number there.
func (e *SampledExposure) tooFar() error {
	return invalid("canary", e.canary, "a value nearer to the references")
}
