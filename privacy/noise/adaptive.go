package noise

import (
	"fmt"
	"math"
)

// Quantile says how an adaptive clip norm follows a quantile of the norms of the gradients. Zero fields take their defaults.
type Quantile struct {
	// Target is the share of gradients that should not be clipped, between 0 and 1; default 0.5.
	Target float64
	// Rate is how fast the clip norm follows: a batch in which all gradients are clipped and none should be raises its logarithm by
	// that much. Above 0 to 10; default 0.2.
	Rate float64
	// Share is how far a record moves the noisy count of unclipped gradients, relative to the clip norm, 1/64 to 1; default 0.1. The
	// count takes a factor of sqrt(1+Share²) out of the noise budget, and has a standard error of
	// multiplier·sqrt(1+Share²)/(2·Share) records.
	Share float64
	// Batch is the expected number of records in a batch, 1 or more, without a default. The actual number is private.
	Batch float64
	// Lowest and Highest bound the clip norm, 1e-90 to 1e90, which are the defaults.
	Lowest, Highest float64
}

// adaptive is the geometric update of Andrew, Thakkar, McMahan, Ramaswamy 2021, "Differentially private learning with adaptive
// clipping". Its count query is one more coordinate of the vector: it has a norm of its own that adds to the sensitivity, the same
// noise, on the same grid, and is therefore part of the one event of a release.
type adaptive struct {
	Quantile
	weight int64 // what a record adds to the count if it is not clipped; subtracts otherwise
}

// NewAdaptive returns an empty accumulator whose clip norm starts at clip and is changed by every Release to follow a quantile of the
// norms, of which only a noisy count is used. That count is noised with the sum: Event and Sensitivity include it. Workers that are
// merged need SetClip with the new norm before the next batch; Merge refuses the old one.
func NewAdaptive(dim int, clip float64, q Quantile) (*Accumulator, error) {
	for _, d := range []struct {
		field    *float64
		standard float64
	}{{&q.Target, .5}, {&q.Rate, .2}, {&q.Share, .1}, {&q.Lowest, 1e-90}, {&q.Highest, 1e90}} {
		if *d.field == 0 {
			*d.field = d.standard
		}
	}
	switch {
	case !(q.Target > 0 && q.Target < 1):
		return nil, fmt.Errorf("%w: Quantile.Target = %v, want between 0 and 1", ErrInvalid, q.Target)
	case !(q.Rate > 0 && q.Rate <= 10):
		return nil, fmt.Errorf("%w: Quantile.Rate = %v, want above 0, to 10", ErrInvalid, q.Rate)
	case !(q.Share >= 1./64 && q.Share <= 1):
		return nil, fmt.Errorf("%w: Quantile.Share = %v, want 1/64 to 1", ErrInvalid, q.Share)
	case !(q.Batch >= 1 && q.Batch <= math.MaxFloat64):
		return nil, fmt.Errorf("%w: Quantile.Batch = %v, want 1 or more", ErrInvalid, q.Batch)
	case !(q.Lowest >= 1e-90 && q.Lowest <= clip && clip <= q.Highest && q.Highest <= 1e90):
		return nil, fmt.Errorf("%w: clip = %v, want it between Quantile.Lowest = %v and Quantile.Highest = %v, and these from 1e-90 to 1e90", ErrInvalid, clip, q.Lowest, q.Highest)
	}
	a, err := NewAccumulator(dim, clip)
	if err != nil {
		return nil, err
	}
	// One grid step less than the quarter circle allows covers the rounding of both norms: limit² + weight² <= 4^k.
	radiusOfAll := math.Ldexp(1, a.gridBits) - 1
	limit := math.Floor(radiusOfAll / math.Sqrt(1+q.Share*q.Share))
	a.adaptive = &adaptive{q, int64(limit * q.Share)}
	a.unit = limit
	a.parts[0].threshold = (limit - radius(dim)) * (1 - 0x1p-48)
	a.parts[0].square = uint64(limit) * uint64(limit)
	a.sum = append(a.sum, 0)
	return a, nil
}

func (q *adaptive) count(a *Accumulator, clipped bool) {
	if clipped {
		a.sum[len(a.sum)-1] -= q.weight
	} else {
		a.sum[len(a.sum)-1] += q.weight
	}
}

// next returns the clip norm after a batch with the given noisy count.
func (q *adaptive) next(clip float64, count int64) float64 {
	unclipped := .5 + float64(count)/float64(q.weight)/(2*q.Batch)
	unclipped = min(max(unclipped, 0), 1)
	return min(max(clip*math.Exp(q.Rate*(q.Target-unclipped)), q.Lowest), q.Highest)
}
