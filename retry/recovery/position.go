package recovery

import (
	"cmp"
	"fmt"
	"slices"
)

// Range is a run of batches: From, and what follows it up to but not including To.
type Range struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// position is where training stands in its data. Batches are taken in order, each once, but for the skipped ones; so the
// batches that the state has seen are those below Next that are in no skip, and there are Step of them.
type position struct {
	Step  uint64  `json:"step"`
	Next  uint64  `json:"next"` // never in a skip
	Skips []Range `json:"skips,omitempty"`
}

// check refuses a position that no run can have, as a file may hold.
func (p *position) check() error {
	if err := checkSkips(p.Skips); err != nil {
		return err
	}
	below := uint64(0)
	for _, r := range p.Skips {
		switch {
		case r.To <= p.Next:
			below += r.To - r.From
		case r.From <= p.Next:
			return fmt.Errorf("recovery: next batch %d is skipped", p.Next)
		}
	}
	if p.Step != p.Next-below {
		return fmt.Errorf("recovery: %d steps up to batch %d with %d skipped", p.Step, p.Next, below)
	}
	return nil
}

// applied moves past the next batch, which the state has now seen.
func (p *position) applied() {
	p.Step++
	p.Next++
	p.jump()
}

func (p *position) jump() {
	for _, r := range p.Skips {
		if r.From <= p.Next && p.Next < r.To {
			p.Next = r.To
		}
	}
}

// batchAt is the batch that was, or will be, applied after n others.
func (p *position) batchAt(n uint64) uint64 {
	for _, r := range p.Skips {
		if r.From <= n {
			n += r.To - r.From
		}
	}
	return n
}

// skip leaves out the first n batches from the given one on that are not left out yet, and returns them.
func (p *position) skip(from, n uint64) (added []Range) {
	from = max(from, p.Next)
	for _, r := range p.Skips {
		if n == 0 || r.To <= from {
			continue
		}
		if r.From > from {
			take := min(n, r.From-from)
			added = append(added, Range{from, from + take})
			n -= take
		}
		from = r.To
	}
	if n > 0 {
		added = append(added, Range{from, from + n})
	}
	p.add(added)
	return added
}

// adopt adds the skips that were decided for batches from Next on.
func (p *position) adopt(skips []Range) {
	var ahead []Range
	for _, r := range skips {
		if r.To > p.Next {
			ahead = append(ahead, Range{max(r.From, p.Next), r.To})
		}
	}
	p.add(ahead)
}

func (p *position) add(rs []Range) {
	all := slices.Concat(p.Skips, rs)
	slices.SortFunc(all, func(a, b Range) int { return cmp.Compare(a.From, b.From) })
	merged := all[:0]
	for _, r := range all {
		if n := len(merged); n > 0 && r.From <= merged[n-1].To {
			merged[n-1].To = max(merged[n-1].To, r.To)
			continue
		}
		merged = append(merged, r)
	}
	p.Skips = merged
	p.jump()
}

// checkSkips refuses ranges that no run can have.
func checkSkips(rs []Range) error {
	for i, r := range rs {
		if r.From >= r.To || i > 0 && r.From <= rs[i-1].To {
			return fmt.Errorf("recovery: skips are not in order at %d", i)
		}
	}
	return nil
}
