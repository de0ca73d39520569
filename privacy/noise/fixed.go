package noise

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/surefoot-ml/surefoot/privacy"
)

// FixedSampler draws batches of exactly one size, uniformly without replacement and each anew, and knows what they cost. It is safe
// for concurrent use, with a source per goroutine. The zero FixedSampler has no records and empty batches; its event is invalid.
type FixedSampler struct {
	n, batch int
}

// NewFixedSampler returns a sampler of batch among n records.
func NewFixedSampler(n, batch int) (*FixedSampler, error) {
	if batch < 1 || batch > n {
		return nil, fmt.Errorf("%w: batch = %d of %d records, want 1 to all of them", ErrInvalid, batch, n)
	}
	return &FixedSampler{n, batch}, nil
}

// N returns the number of records.
func (f *FixedSampler) N() int { return f.n }

// Draw returns the indices of one batch, increasing, in the memory of dst where it suffices. It takes time and memory in proportion to
// the batch, whatever the number of records: Floyd's method (Bentley, Floyd 1987, "A sample of brilliance").
func (f *FixedSampler) Draw(dst []int, src Source) []int {
	dst = dst[:0]
	if f.batch == 0 {
		return dst
	}
	// An open hash table, at most half full, of index+1.
	size := bits.Len(2*uint(f.batch) - 1)
	table := make([]int, 1<<size)
	insert := func(i int) bool {
		at := uint(uint64(i)*0x9e3779b97f4a7c15>>(64-size)) & uint(len(table)-1)
		for table[at] != 0 {
			if table[at] == i+1 {
				return false
			}
			at = (at + 1) & uint(len(table)-1)
		}
		table[at] = i + 1
		dst = append(dst, i)
		return true
	}
	for j := f.n - f.batch; j < f.n; j++ {
		if !insert(int(below(src, uint64(j)+1))) {
			insert(j)
		}
	}
	slices.Sort(dst)
	return dst
}

// Period is 1: every batch is drawn anew.
func (f *FixedSampler) Period() int { return 1 }

// Left is 0.
func (f *FixedSampler) Left() int { return 0 }

// Expected is the batch size.
func (f *FixedSampler) Expected() float64 { return float64(f.batch) }

// Event is what g costs on the batches of this sampler, under the relation of g. A guarantee under AddRemove is one for data sets of N
// records and of fewer.
func (f *FixedSampler) Event(g privacy.Gaussian) privacy.FixedSize {
	return privacy.FixedSize{Batch: f.batch, Records: f.n, Gaussian: g}
}

// Cost is Event as an interface.
func (f *FixedSampler) Cost(g privacy.Gaussian) privacy.Event { return f.Event(g) }
