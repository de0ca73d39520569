package sketch

import (
	"iter"
	"math"
)

const (
	digits   = 7           // bits of the mantissa that choose a bucket
	pageSize = 1 << digits // buckets of one binary exponent
)

// RelativeError bounds how far a quantile is from a value of that rank, relative to that value.
const RelativeError = 1.0 / (2 * pageSize)

// Quantiles counts numbers in buckets whose width is 1/128 of a power of two (a log-linear histogram): quantiles are right to
// a relative error of [RelativeError], and the share of values below an edge of a bucket is exact. It takes 1 KiB for every power
// of two in use, 4 MiB if all numbers of a float64 are. The zero Quantiles is empty and ready for use. It is not safe for
// concurrent use.
type Quantiles struct {
	halves   [2]half // positive and negative, by magnitude; zeros of either sign are positive
	n        uint64
	min, max float64
}

// half is the buckets of one sign, in pages of one binary exponent.
type half struct {
	first int // exponent of the first page
	pages []*[pageSize]uint64
}

func (h *half) page(exponent int) *[pageSize]uint64 {
	if i := exponent - h.first; i >= 0 && i < len(h.pages) && h.pages[i] != nil {
		return h.pages[i]
	}
	switch {
	case len(h.pages) == 0:
		h.first = exponent
		h.pages = make([]*[pageSize]uint64, 1)
	case exponent < h.first:
		h.pages = append(make([]*[pageSize]uint64, h.first-exponent, h.first-exponent+len(h.pages)), h.pages...)
		h.first = exponent
	case exponent >= h.first+len(h.pages):
		h.pages = append(h.pages, make([]*[pageSize]uint64, exponent-h.first-len(h.pages)+1)...)
	}
	if i := exponent - h.first; h.pages[i] == nil {
		h.pages[i] = new([pageSize]uint64)
	}
	return h.pages[exponent-h.first]
}

func (h *half) merge(o *half) {
	for i, page := range o.pages {
		if page == nil {
			continue
		}
		to := h.page(o.first + i)
		for j, count := range page {
			to[j] += count
		}
	}
}

// Add adds a number. NaN and infinities are left out, since they have no place among the others: it reports whether x counted.
func (q *Quantiles) Add(x float64) bool {
	if x-x != 0 {
		return false
	}
	if q.n++; q.n == 1 {
		q.min, q.max = x, x
	} else if x < q.min {
		q.min = x
	} else if x > q.max {
		q.max = x
	}
	bits := math.Float64bits(x)
	h := q.half(bits)
	bits &^= 1 << 63
	h.page(int(bits >> 52))[bits>>(52-digits)&(pageSize-1)]++
	return true
}

// AddAll adds many numbers, in half the time of Add for each. It returns how many of them counted.
func (q *Quantiles) AddAll(xs []float64) (counted int) {
	low, high := q.min, q.max
	if q.n == 0 {
		low, high = math.Inf(1), math.Inf(-1)
	}
	for _, x := range xs {
		if x-x != 0 {
			continue
		}
		counted++
		if x < low {
			low = x
		}
		if x > high {
			high = x
		}
		bits := math.Float64bits(x)
		h := q.half(bits)
		bits &^= 1 << 63
		var page *[pageSize]uint64
		if i := uint(bits>>52) - uint(h.first); i < uint(len(h.pages)) {
			page = h.pages[i]
		}
		if page == nil {
			page = h.page(int(bits >> 52))
		}
		page[bits>>(52-digits)&(pageSize-1)]++
	}
	if counted > 0 {
		q.n += uint64(counted)
		q.min, q.max = low, high
	}
	return counted
}

// half is the half of a number, by its sign and without a branch: which sign comes next is hard to guess for a processor.
func (q *Quantiles) half(bits uint64) *half {
	if bits == 1<<63 { // -0
		bits = 0
	}
	return &q.halves[bits>>63]
}

// Merge adds what o holds.
func (q *Quantiles) Merge(o *Quantiles) {
	switch {
	case o.n == 0:
		return
	case q.n == 0:
		q.min, q.max = o.min, o.max
	default:
		q.min, q.max = min(q.min, o.min), max(q.max, o.max)
	}
	q.n += o.n
	for i := range q.halves {
		q.halves[i].merge(&o.halves[i])
	}
}

// N returns how many numbers were added.
func (q *Quantiles) N() uint64 { return q.n }

// Min and Max return the smallest and largest number, exactly, or 0 if there are none.
func (q *Quantiles) Min() float64 { return q.min }

// Max returns the largest number, exactly, or 0 if there are none.
func (q *Quantiles) Max() float64 { return q.max }

// Bucket is the numbers from Low to High: of [Low, High), or of (Low, High] below zero.
type Bucket struct {
	Low, High float64
	Count     uint64
}

// Buckets returns those that are not empty, in rising order. All sketches have the same edges.
func (q *Quantiles) Buckets() iter.Seq[Bucket] {
	return func(yield func(Bucket) bool) {
		edge := func(exponent, j int) float64 {
			return math.Float64frombits(uint64(exponent)<<52 + uint64(j)<<(52-digits))
		}
		positive, negative := &q.halves[0], &q.halves[1]
		for i := len(negative.pages) - 1; i >= 0; i-- {
			for j := pageSize - 1; negative.pages[i] != nil && j >= 0; j-- {
				if n := negative.pages[i][j]; n > 0 {
					exponent := negative.first + i
					if !yield(Bucket{-edge(exponent, j+1), -edge(exponent, j), n}) {
						return
					}
				}
			}
		}
		for i, page := range positive.pages {
			for j := 0; page != nil && j < pageSize; j++ {
				if page[j] > 0 {
					exponent := positive.first + i
					if !yield(Bucket{edge(exponent, j), edge(exponent, j+1), page[j]}) {
						return
					}
				}
			}
		}
	}
}

// Quantile returns a number that a share p of the numbers lies at or below, or NaN if there are none or p is not in [0, 1].
func (q *Quantiles) Quantile(p float64) float64 {
	if q.n == 0 || !(p >= 0 && p <= 1) {
		return math.NaN()
	}
	rank := uint64(math.Ceil(p * float64(q.n)))
	if rank <= 1 {
		return q.min
	}
	if rank >= q.n {
		return q.max
	}
	var below uint64
	for b := range q.Buckets() {
		if below += b.Count; below >= rank {
			middle := b.Low + (b.High-b.Low)/2
			if b.Low == 0 { // the only bucket where the middle says little
				middle = 0
			}
			return min(max(middle, q.min), q.max)
		}
	}
	return q.max
}
