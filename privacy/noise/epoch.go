package noise

import (
	"fmt"
	"slices"

	"github.com/surefoot-ml/surefoot/privacy"
)

// epoch holds the batches of an epoch, in which every record comes once.
type epoch struct {
	order []int
	ends  []int // of the batches in order
	next  int
}

func (e *epoch) left() int { return len(e.ends) - e.next }

// draw returns the next batch. Where none is left, fill makes a new epoch.
func (e *epoch) draw(dst []int, fill func()) []int {
	if e.left() == 0 {
		fill()
		e.next = 0
	}
	from := 0
	if e.next > 0 {
		from = e.ends[e.next-1]
	}
	dst = append(dst[:0], e.order[from:e.ends[e.next]]...)
	e.next++
	slices.Sort(dst)
	return dst
}

// ShuffledSampler cuts batches from a list that is shuffled anew for every epoch. That is no Poisson sampling, and does not amplify
// privacy in a way that anyone can use: its event is one plain Gaussian per epoch, E epochs cost what one Gaussian with 1/sqrt(E) of
// the noise does. An AllocationSampler takes the same work and has the small epsilon.
//
// It is not safe for concurrent use. A run that is resumed begins a new epoch, and pays for it.
type ShuffledSampler struct {
	n, batch int
	epoch    epoch
}

// NewShuffledSampler returns a sampler of batches of the given size from n records; the last batch of an epoch may be smaller.
func NewShuffledSampler(n, batch int) (*ShuffledSampler, error) {
	if batch < 1 || batch > n {
		return nil, fmt.Errorf("%w: batch = %d of %d records, want 1 to all of them", ErrInvalid, batch, n)
	}
	s := &ShuffledSampler{n: n, batch: batch}
	s.epoch.order = make([]int, n)
	for i := range s.epoch.order {
		s.epoch.order[i] = i
	}
	return s, nil
}

// N returns the number of records.
func (s *ShuffledSampler) N() int { return s.n }

// Draw returns the indices of the next batch, increasing, in the memory of dst where it suffices.
func (s *ShuffledSampler) Draw(dst []int, src Source) []int {
	return s.epoch.draw(dst, func() {
		order := s.epoch.order
		for i := len(order) - 1; i > 0; i-- {
			j := below(src, uint64(i)+1)
			order[i], order[j] = order[j], order[i]
		}
		s.epoch.ends = s.epoch.ends[:0]
		for end := 0; end < s.n; {
			end += min(s.batch, s.n-end)
			s.epoch.ends = append(s.epoch.ends, end)
		}
	})
}

// Period is the number of batches in an epoch.
func (s *ShuffledSampler) Period() int { return (s.n-1)/s.batch + 1 }

// Left is how many batches of the epoch are still to be drawn.
func (s *ShuffledSampler) Left() int { return s.epoch.left() }

// Expected is the batch size.
func (s *ShuffledSampler) Expected() float64 { return float64(s.batch) }

// Event is what one whole epoch costs if g is applied to each of its batches: each record is in one of them, which do not depend on it.
// The relation is ReplaceSpecial, whatever that of g: another number of records would move the limits of all batches.
func (s *ShuffledSampler) Event(g privacy.Gaussian) privacy.Gaussian {
	g.Relation = privacy.ReplaceSpecial
	return g
}

// Cost is Event as an interface.
func (s *ShuffledSampler) Cost(g privacy.Gaussian) privacy.Event { return s.Event(g) }

// AllocationSampler puts every record into one batch of the epoch, drawn uniformly, independently of the other records and anew for
// every epoch (balls in bins). Batch sizes vary as those of Poisson batches do, a batch may be empty, and the cost is close to
// that of Poisson batches too, while every record is seen once per epoch.
//
// It is not safe for concurrent use. A run that is resumed begins a new epoch, and pays for it.
type AllocationSampler struct {
	n, steps int
	epoch    epoch
	bins     []int
}

// NewAllocationSampler returns a sampler of n records into epochs of the given number of batches, up to 2^20.
func NewAllocationSampler(n, steps int) (*AllocationSampler, error) {
	if n < 1 {
		return nil, fmt.Errorf("%w: n = %d, want 1 or more", ErrInvalid, n)
	}
	if steps < 1 || steps > 1<<20 {
		return nil, fmt.Errorf("%w: steps = %d, want 1 to 2^20", ErrInvalid, steps)
	}
	return &AllocationSampler{n: n, steps: steps, epoch: epoch{order: make([]int, n)}, bins: make([]int, n)}, nil
}

// N returns the number of records.
func (a *AllocationSampler) N() int { return a.n }

// Draw returns the indices of the next batch, increasing, in the memory of dst where it suffices.
func (a *AllocationSampler) Draw(dst []int, src Source) []int {
	return a.epoch.draw(dst, func() {
		at := make([]int, a.steps)
		for i := range a.bins {
			a.bins[i] = int(below(src, uint64(a.steps)))
			at[a.bins[i]]++
		}
		end := 0
		for b, size := range at {
			at[b], end = end, end+size
		}
		for i, b := range a.bins {
			a.epoch.order[at[b]] = i
			at[b]++
		}
		a.epoch.ends = at
	})
}

// Period is the number of batches in an epoch.
func (a *AllocationSampler) Period() int { return a.steps }

// Left is how many batches of the epoch are still to be drawn.
func (a *AllocationSampler) Left() int { return a.epoch.left() }

// Expected is the number of records divided by that of batches.
func (a *AllocationSampler) Expected() float64 { return float64(a.n) / float64(a.steps) }

// Event is what one whole epoch costs if g is applied to each of its batches. The relation is ReplaceSpecial, whatever that of g. It
// holds as long as nobody learns which batch a record was in.
func (a *AllocationSampler) Event(g privacy.Gaussian) privacy.Allocation {
	g.Relation = privacy.ReplaceSpecial
	return privacy.Allocation{Steps: a.steps, Times: 1, Epochs: 1, Gaussian: g}
}

// Cost is Event as an interface.
func (a *AllocationSampler) Cost(g privacy.Gaussian) privacy.Event { return a.Event(g) }
