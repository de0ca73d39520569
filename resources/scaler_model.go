package resources

import (
	"math"
	"slices"
	"sort"
)

const (
	modelSizes = 16   // batch sizes remembered
	modelPeaks = 9    // latest peaks remembered of each
	topDecay   = 0.01 // how much of its distance the top of a size loses per quieter batch
)

// usageModel remembers what batches of some sizes took. Size 0 is what was in use before there was any batch.
type usageModel struct {
	sizes  []sizeUse // by size
	serial uint64
}

// sizeUse is what batches of one size took, in bytes.
type sizeUse struct {
	Size  int       `json:"size"`
	Peaks []float64 `json:"peaks"` // the latest ones, the oldest first
	Top   float64   `json:"top"`   // the largest one; sinks slowly, so that a rare spike counts for some hundred batches
	seen  uint64    // serial of the latest
}

// median is the middle of the latest peaks, at most n: neither one spike nor one batch that fell short moves it.
func (u *sizeUse) median(n int) float64 {
	var room [modelPeaks]float64
	return middle(append(room[:0], u.Peaks[max(0, len(u.Peaks)-n):]...))
}

func (m *usageModel) find(size int) (int, bool) {
	return slices.BinarySearchFunc(m.sizes, size, func(u sizeUse, size int) int { return u.Size - size })
}

// of returns what is known of one size, nil for nothing.
func (m *usageModel) of(size int) *sizeUse {
	if i, ok := m.find(size); ok {
		return &m.sizes[i]
	}
	return nil
}

func (m *usageModel) add(size int, peak float64) {
	i, ok := m.find(size)
	if !ok {
		if len(m.sizes) == modelSizes {
			m.forget()
			i, _ = m.find(size)
		}
		m.sizes = slices.Insert(m.sizes, i, sizeUse{Size: size, Peaks: make([]float64, 0, modelPeaks)})
	}
	u := &m.sizes[i]
	if len(u.Peaks) == modelPeaks {
		u.Peaks = append(u.Peaks[:0], u.Peaks[1:]...)
	}
	u.Peaks = append(u.Peaks, peak)
	u.Top = max(peak, u.Top-topDecay*(u.Top-peak))
	m.serial++
	u.seen = m.serial
}

// forget drops the size not seen for the longest time, but never the smallest one: the span of sizes tells the slope.
func (m *usageModel) forget() {
	oldest := 1
	for i := 2; i < len(m.sizes); i++ {
		if m.sizes[i].seen < m.sizes[oldest].seen {
			oldest = i
		}
	}
	m.sizes = slices.Delete(m.sizes, oldest, oldest+1)
}

// usageFit is the line through what is known: a batch of n takes fixed + per*n, at most spread more.
type usageFit struct {
	fixed, per, spread float64
	lo, hi             int // sizes seen
}

// fit draws the line. Its slope is the median of the slopes between all pairs of sizes (Theil 1950, Sen 1968), each size
// standing for the median of its batches: an allocator that rounds up in steps bends single slopes, and noise single
// peaks, but neither most of them. The slope is at most what the smallest quotient of use and size allows, since the
// fixed part is not negative. The spread lifts the line over everything seen. ok is false until a batch was seen.
func (m *usageModel) fit() (f usageFit, ok bool) {
	n := len(m.sizes)
	if n == 0 || m.sizes[n-1].Size == 0 {
		return usageFit{}, false
	}
	f.lo, f.hi = m.sizes[0].Size, m.sizes[n-1].Size
	var middles [modelSizes]float64
	var pairs [modelSizes * (modelSizes - 1) / 2]float64
	slopes := pairs[:0]
	most := math.Inf(1)
	for i := range m.sizes {
		u := &m.sizes[i]
		middles[i] = u.median(modelPeaks)
		for j := range i {
			slopes = append(slopes, (middles[i]-middles[j])/float64(u.Size-m.sizes[j].Size))
		}
		if u.Size > 0 {
			most = min(most, middles[i]/float64(u.Size))
		}
	}
	f.per = most // with one size, all of it may be due to the batch
	if len(slopes) > 0 {
		f.per = min(max(0, middle(slopes)), most)
	}
	var rooms [modelSizes]float64
	rests := rooms[:0]
	for i := range m.sizes {
		rests = append(rests, middles[i]-f.per*float64(m.sizes[i].Size))
	}
	f.fixed = max(0, middle(rests))
	for i := range m.sizes {
		f.spread = max(f.spread, m.sizes[i].Top-f.at(m.sizes[i].Size))
	}
	return f, true
}

func (f usageFit) at(n int) float64 { return f.fixed + f.per*float64(n) }

// upper is what a batch of n should not exceed. Beyond the sizes seen, the slope goes over from the fitted one to that of
// use in proportion to size, which is an upper bound of every straight line with a fixed part: the further beyond in
// relation to the span that has been seen, the more. Sizes that lie close together say little about the slope.
func (f usageFit) upper(n int) float64 {
	if n <= f.hi {
		return f.at(n) + f.spread
	}
	top := f.at(f.hi) + f.spread
	far := float64(n-f.hi) / float64(n-f.lo)
	per := f.per + far*far*(top/float64(f.hi)-f.per)
	return top + per*float64(n-f.hi)
}

// largest is the largest multiple of step from lo to hi, both multiples, for which upper stays within bound; 0 if none.
func (f usageFit) largest(lo, hi, step int, bound float64) int {
	if lo > hi {
		return 0
	}
	fitting := sort.Search((hi-lo)/step+1, func(i int) bool { return !(f.upper(lo+i*step) <= bound) })
	if fitting == 0 {
		return 0
	}
	return lo + (fitting-1)*step
}

// middle is the median; it sorts.
func middle(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
