package noise

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"

	"github.com/surefoot-ml/surefoot/privacy"
)

// ErrInvalid is matched by every refusal of a parameter; nothing was changed.
var ErrInvalid = errors.New("noise: invalid")

const (
	minGridBits = 20
	// A release draws noise of at least minMultiplier·2^minGridBits grid steps; the package comment says why.
	minMultiplier = 1.0 / 32
	maxDim        = 1 << 36
	// Sums of contributions stay below 2^sumBits in every coordinate, which leaves room for the noise.
	sumBits = 61
)

// Accumulator sums the contributions of the records of one logical batch and releases the noisy sum.
//
// Each contribution is scaled down to norm clip if it is longer, and rounded to a grid of clip·2^-k, k >= 20: fine enough that
// rounding costs at most 0.1 % of the norm. It is not safe for concurrent use: give each worker its own and Merge them; the
// result has the same bits however records are spread. The zero Accumulator has no dimension and refuses everything.
type Accumulator struct {
	clip      float64
	gridBits  int
	threshold float64 // longest norm before rounding, in grid steps
	sum       []int64

	examples, dropped, clipped int
}

// NewAccumulator returns an empty accumulator for vectors of length dim, whose contributions are clipped to the L2 norm clip,
// 1e-90 to 1e90. It holds 8 bytes per coordinate.
func NewAccumulator(dim int, clip float64) (*Accumulator, error) {
	if dim < 1 || int64(dim) > maxDim {
		return nil, fmt.Errorf("%w: dim = %d, want 1 to 2^36", ErrInvalid, dim)
	}
	if !(clip >= 1e-90 && clip <= 1e90) {
		return nil, fmt.Errorf("%w: clip = %v, want 1e-90 to 1e90", ErrInvalid, clip)
	}
	k, threshold := grid(dim)
	return &Accumulator{clip: clip, gridBits: k, threshold: threshold, sum: make([]int64, dim)}, nil
}

// grid returns how fine the grid is, 2^bits steps per clip norm, and the longest norm before rounding, in steps. Rounding moves a
// vector by at most sqrt(dim)/2 steps; the last factor covers the rounding errors of the scaling itself.
func grid(dim int) (bits int, threshold float64) {
	radius := math.Sqrt(float64(dim)) / 2 * (1 + 0x1p-50)
	bits = minGridBits
	for radius > math.Ldexp(1, bits-10) {
		bits++
	}
	return bits, (math.Ldexp(1, bits) - radius) * (1 - 0x1p-48)
}

// Dim returns the length of the vectors.
func (a *Accumulator) Dim() int { return len(a.sum) }

// Clip returns the bound on the norm of one contribution, rounding included.
func (a *Accumulator) Clip() float64 { return a.clip }

// Examples returns how many contributions were added since the last release, dropped ones included.
func (a *Accumulator) Examples() int { return a.examples }

// Dropped returns how many contributions held a NaN or an infinity and count as zero.
func (a *Accumulator) Dropped() int { return a.dropped }

// Clipped returns how many contributions were scaled down.
func (a *Accumulator) Clipped() int { return a.clipped }

// Reset forgets everything added since the last release.
func (a *Accumulator) Reset() {
	clear(a.sum)
	a.examples, a.dropped, a.clipped = 0, 0, 0
}

// Add adds the contribution of one record; a record may contribute once per batch. A NaN or an infinity in g makes the whole
// contribution zero, which is no error: it must not depend on the data whether a step runs. Add refuses a g of another length, and
// more than 2^(61-k) records.
func (a *Accumulator) Add(g []float64) error {
	if len(g) != len(a.sum) {
		return fmt.Errorf("%w: vector of length %d, want %d", ErrInvalid, len(g), len(a.sum))
	}
	if err := a.room(1); err != nil {
		return err
	}
	a.examples++
	f, ok := a.factor(norm(g))
	if !ok {
		a.dropped++
		return nil
	}
	square := uint64(0)
	for i, x := range g {
		n := int64(math.RoundToEven(x * f))
		a.sum[i] += n
		square += uint64(n * n)
	}
	if square > a.maxSquare() {
		for i, x := range g {
			a.sum[i] -= int64(math.RoundToEven(x * f))
		}
		a.dropped++
	}
	return nil
}

// AddSparse is Add of the vector that is g[j] at index[j] and zero elsewhere, with the same bits. The indices must be strictly
// increasing; otherwise nothing is added.
func (a *Accumulator) AddSparse(index []int, g []float64) error {
	if len(index) != len(g) {
		return fmt.Errorf("%w: %d indices for %d values", ErrInvalid, len(index), len(g))
	}
	for j, i := range index {
		if i < 0 || i >= len(a.sum) || (j > 0 && i <= index[j-1]) {
			return fmt.Errorf("%w: index %d at position %d, want strictly increasing in [0, %d)", ErrInvalid, i, j, len(a.sum))
		}
	}
	if err := a.room(1); err != nil {
		return err
	}
	a.examples++
	f, ok := a.factor(normSparse(index, g, len(a.sum)))
	if !ok {
		a.dropped++
		return nil
	}
	square := uint64(0)
	for j, x := range g {
		n := int64(math.RoundToEven(x * f))
		a.sum[index[j]] += n
		square += uint64(n * n)
	}
	if square > a.maxSquare() {
		for j, x := range g {
			a.sum[index[j]] -= int64(math.RoundToEven(x * f))
		}
		a.dropped++
	}
	return nil
}

// maxSquare is the squared sensitivity in grid steps. threshold keeps contributions below it; should it ever fail to, the
// contribution is dropped: the sensitivity is a fact about integers and rests on no floating-point argument.
func (a *Accumulator) maxSquare() uint64 { return 1 << (2 * a.gridBits) }

// room refuses n more records where a coordinate might overflow: each moves it by at most 2^gridBits.
func (a *Accumulator) room(n int) error {
	if limit := int64(1) << (sumBits - a.gridBits); len(a.sum) == 0 || int64(n) > limit-int64(a.examples) {
		return fmt.Errorf("%w: %d records in a batch, want at most %d", ErrInvalid, a.examples+n, limit)
	}
	return nil
}

// factor turns a vector with the given norm into grid steps, clipped.
func (a *Accumulator) factor(n float64, scale float64) (f float64, ok bool) {
	f = math.Ldexp(1, a.gridBits) / a.clip
	switch {
	case math.IsNaN(n):
		return 0, false
	case n/scale*f > a.threshold:
		a.clipped++
		return a.threshold / n * scale, true
	}
	return f, true
}

// Merge moves what other has added to a, and resets other. It refuses other shapes, and a itself.
func (a *Accumulator) Merge(other *Accumulator) error {
	if other == nil || other == a || len(other.sum) != len(a.sum) || other.clip != a.clip {
		return fmt.Errorf("%w: merge needs another accumulator of dimension %d and clip %v", ErrInvalid, len(a.sum), a.clip)
	}
	if err := a.room(other.examples); err != nil {
		return err
	}
	for i, n := range other.sum {
		a.sum[i] += n
	}
	a.examples += other.examples
	a.dropped += other.dropped
	a.clipped += other.clipped
	other.Reset()
	return nil
}

// Event is what one Release with this multiplier costs under AddRemove when every record is in the batch; a PoissonSampler turns
// it into what it costs on its batches. Its StdDev is multiplier·clip rounded down, never more than what Release adds.
func (a *Accumulator) Event(multiplier float64) privacy.Gaussian {
	std := multiplier * a.clip
	if math.FMA(multiplier, a.clip, -std) < 0 {
		std = math.Nextafter(std, 0)
	}
	return privacy.Gaussian{StdDev: std, Clip: a.clip, Relation: privacy.AddRemove}
}

// Release writes the sum plus noise into dst and resets a. The noise in each coordinate is a discrete Gaussian on the grid whose
// parameter, just above its standard deviation, is at least multiplier·clip. dst has length Dim and is not divided by anything. An
// empty batch is released like any other: that it was empty is private. Charge Event before.
//
// The multiplier is at least 1/32, and at most 2^(40-k), which is 2^20 below some four million coordinates. On error nothing is
// written, drawn or reset.
func (a *Accumulator) Release(dst []float64, multiplier float64, src Source) error {
	return a.ReleaseParallel(dst, multiplier, []Source{src})
}

// ReleaseParallel is Release with one goroutine per source, each on its own part of the coordinates. The sources must be distinct
// and independent.
func (a *Accumulator) ReleaseParallel(dst []float64, multiplier float64, srcs []Source) error {
	if len(dst) != len(a.sum) || len(dst) == 0 {
		return fmt.Errorf("%w: destination of length %d, want %d", ErrInvalid, len(dst), len(a.sum))
	}
	steps := math.Ceil(math.Ldexp(multiplier, a.gridBits))
	if !(multiplier >= minMultiplier && steps <= maxSigma) {
		return fmt.Errorf("%w: multiplier = %v, want %v to 2^%d", ErrInvalid, multiplier, minMultiplier, 40-a.gridBits)
	}
	if len(srcs) == 0 {
		return fmt.Errorf("%w: no source", ErrInvalid)
	}
	for i, s := range srcs {
		for _, t := range srcs[:i] {
			if s != nil && reflect.TypeOf(s).Comparable() && s == t {
				return fmt.Errorf("%w: source %d is given twice", ErrInvalid, i)
			}
		}
		if s == nil {
			return fmt.Errorf("%w: source %d is nil", ErrInvalid, i)
		}
	}
	d, err := Discrete(uint64(steps))
	if err != nil {
		return err
	}
	grid := math.Ldexp(a.clip, -a.gridBits)
	var wg sync.WaitGroup
	for i, src := range srcs {
		lo, hi := len(dst)*i/len(srcs), len(dst)*(i+1)/len(srcs)
		part := func() {
			for j := lo; j < hi; j++ {
				dst[j] = float64(a.sum[j]+d.Sample(src)) * grid
			}
		}
		if i == len(srcs)-1 {
			part()
		} else {
			wg.Go(part)
		}
	}
	wg.Wait()
	a.Reset()
	return nil
}
