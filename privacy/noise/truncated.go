package noise

import (
	"fmt"
	"math"
	"slices"

	"github.com/surefoot-ml/surefoot/privacy"
)

// TruncatedSampler draws Poisson batches that never exceed a size: of a larger one it keeps a uniform subset. Memory and time of a step
// then have a bound, at a price that the event includes. It is safe for concurrent use, with a source per goroutine.
type TruncatedSampler struct {
	poisson PoissonSampler
	largest int
}

// NewTruncatedSampler returns a sampler over n records, 1 to 2^30, each drawn with probability floor(rate·2^64)/2^64, of which at
// most largest are kept. A largest of a few standard deviations above the mean, n·rate, costs next to nothing.
func NewTruncatedSampler(n int, rate float64, largest int) (*TruncatedSampler, error) {
	if n < 1 || n > 1<<30 {
		return nil, fmt.Errorf("%w: n = %d, want 1 to 2^30", ErrInvalid, n)
	}
	if largest < 1 || largest > n {
		return nil, fmt.Errorf("%w: largest batch = %d, want 1 to %d", ErrInvalid, largest, n)
	}
	p, err := NewPoissonSampler(n, rate)
	if err != nil {
		return nil, err
	}
	if !p.all { // the event holds for the exact rate: that of the draw, which is a float64 too
		p.rate = math.Ldexp(float64(p.threshold), -64)
	}
	return &TruncatedSampler{*p, largest}, nil
}

// N returns the number of records.
func (t *TruncatedSampler) N() int { return t.poisson.n }

// Rate returns the sampling rate that is charged, exactly that of the draw.
func (t *TruncatedSampler) Rate() float64 { return t.poisson.rate }

// Draw returns the indices of one batch, increasing, in the memory of dst where it suffices. A batch may be empty.
func (t *TruncatedSampler) Draw(dst []int, src Source) []int {
	dst = t.poisson.Draw(dst, src)
	if len(dst) <= t.largest {
		return dst
	}
	for i := range t.largest {
		j := i + int(below(src, uint64(len(dst)-i)))
		dst[i], dst[j] = dst[j], dst[i]
	}
	dst = dst[:t.largest]
	slices.Sort(dst)
	return dst
}

// Period is 1: every batch is drawn anew.
func (t *TruncatedSampler) Period() int { return 1 }

// Left is 0.
func (t *TruncatedSampler) Left() int { return 0 }

// Expected is the number of records times the rate: truncation is rare where it is used well, and the exact mean is a little smaller.
func (t *TruncatedSampler) Expected() float64 { return t.poisson.Expected() }

// Event is what g costs on the batches of this sampler, under the relation of g. Account for it with PLD or Best. A guarantee under
// AddRemove is one for data sets of N records and of fewer.
func (t *TruncatedSampler) Event(g privacy.Gaussian) privacy.TruncatedPoisson {
	return privacy.TruncatedPoisson{Rate: t.poisson.rate, MaxBatch: t.largest, Records: t.poisson.n, Gaussian: g}
}

// Cost is Event as an interface.
func (t *TruncatedSampler) Cost(g privacy.Gaussian) privacy.Event { return t.Event(g) }
