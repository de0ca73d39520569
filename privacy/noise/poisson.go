package noise

import (
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/privacy"
)

// PoissonSampler draws batches that each of N records enters independently, and knows what they cost.
//
// The zero PoissonSampler has no records: its batches are empty and its event costs nothing. It is safe for concurrent use, with a
// source per goroutine.
type PoissonSampler struct {
	n         int
	rate      float64
	threshold uint64
	all       bool
}

// NewPoissonSampler returns a sampler over n records, each drawn with probability floor(rate·2^64)/2^64: at most rate, which is
// what is charged, and below it by less than 2^-64.
func NewPoissonSampler(n int, rate float64) (*PoissonSampler, error) {
	if n < 0 {
		return nil, fmt.Errorf("%w: n = %d, want 0 or more", ErrInvalid, n)
	}
	if !(rate >= 0 && rate <= 1) {
		return nil, fmt.Errorf("%w: rate = %v, want 0 to 1", ErrInvalid, rate)
	}
	p := &PoissonSampler{n: n, rate: rate, all: rate == 1}
	if !p.all {
		p.threshold = uint64(math.Ldexp(rate, 64))
	}
	return p, nil
}

// N returns the number of records.
func (p *PoissonSampler) N() int { return p.n }

// Rate returns the sampling rate that is charged.
func (p *PoissonSampler) Rate() float64 { return p.rate }

// Draw returns the indices of one batch, increasing, in the memory of dst where it suffices. One word of src decides on each record.
// A batch may be empty; it is a batch like any other, to be noised and charged.
func (p *PoissonSampler) Draw(dst []int, src Source) []int {
	dst = dst[:0]
	for i := range p.n {
		if p.all || src.Uint64() < p.threshold {
			dst = append(dst, i)
		}
	}
	return dst
}

// Event is what g costs on the batches of this sampler.
func (p *PoissonSampler) Event(g privacy.Gaussian) privacy.Poisson {
	return privacy.Poisson{Rate: p.rate, Gaussian: g}
}
