package noise

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"

	"github.com/surefoot-ml/surefoot/privacy"
)

// ErrInvalid is matched by every refusal of a parameter; nothing was changed.
var ErrInvalid = errors.New("noise: invalid")

// ErrNonFinite is what an Accumulator that was told to fail answers to a contribution with a NaN or an infinity.
var ErrNonFinite = errors.New("noise: contribution holds a NaN or an infinity")

const (
	minGridBits = 20
	// Less noise than that protects nothing, and is a mistake more likely than a wish.
	minMultiplier = 1.0 / 32
	maxDim        = 1 << 36
	// Sums of contributions stay below 2^sumBits in every coordinate, which leaves room for the noise.
	sumBits = 61
	// So many samples are drawn before the first is used: how long one of them took cannot be seen.
	noiseAhead = 512
)

// Accumulator sums the contributions of the records of one logical batch and releases the noisy sum.
//
// Each contribution is scaled down to norm clip if it is longer, and rounded to a grid of clip·2^-k, k >= 20: fine enough that
// rounding costs at most 0.1 % of the norm. It is not safe for concurrent use: give each worker its own and Merge them; the
// result has the same bits however records are spread. The zero Accumulator has no dimension and refuses everything.
type Accumulator struct {
	clip     float64
	unit     float64 // grid steps per clip norm
	gridBits int     // the sensitivity is 2^gridBits grid steps
	parts    []part  // which tile the vectors, each clipped by itself
	sum      []int64
	strict   bool
	lent     bool      // to the callback of a Trainer
	adaptive *adaptive // then sum has one coordinate more, the count

	examples, dropped, clipped int
}

// part is a range of coordinates that is clipped by itself.
type part struct {
	first, end int
	threshold  float64 // longest norm before rounding, in grid steps
	square     uint64  // largest squared norm in grid steps
	factor     float64 // of the contribution that is being added; 0 in between
}

// NewAccumulator returns an empty accumulator for vectors of length dim, whose contributions are clipped to the L2 norm clip,
// 1e-90 to 1e90. It holds 8 bytes per coordinate.
func NewAccumulator(dim int, clip float64) (*Accumulator, error) {
	if dim < 1 || int64(dim) > maxDim {
		return nil, fmt.Errorf("%w: dim = %d, want 1 to 2^36", ErrInvalid, dim)
	}
	if err := checkClip(clip); err != nil {
		return nil, err
	}
	k, threshold := grid(dim)
	return &Accumulator{
		clip: clip, unit: math.Ldexp(1, k), gridBits: k, sum: make([]int64, dim),
		parts: []part{{end: dim, threshold: threshold, square: 1 << (2 * k)}},
	}, nil
}

func checkClip(clip float64) error {
	if !(clip >= 1e-90 && clip <= 1e90) {
		return fmt.Errorf("%w: clip = %v, want 1e-90 to 1e90", ErrInvalid, clip)
	}
	return nil
}

// grid returns how fine the grid is, 2^bits steps per clip norm, and the longest norm before rounding, in steps. Rounding moves a
// vector by at most sqrt(dim)/2 steps; the last factor covers the rounding errors of the scaling itself.
func grid(dim int) (bits int, threshold float64) {
	bits = minGridBits
	for radius(dim) > math.Ldexp(1, bits-10) {
		bits++
	}
	return bits, (math.Ldexp(1, bits) - radius(dim)) * (1 - 0x1p-48)
}

func radius(dim int) float64 { return math.Sqrt(float64(dim)) / 2 * (1 + 0x1p-50) }

// Dim returns the length of the vectors.
func (a *Accumulator) Dim() int {
	if a.adaptive != nil {
		return len(a.sum) - 1
	}
	return len(a.sum)
}

// Clip returns the bound on the norm of one contribution, rounding included.
func (a *Accumulator) Clip() float64 { return a.clip }

// SetClip changes the clip norm, those of the layers in proportion, between two batches: it refuses while contributions are held.
// The sensitivity in grid steps, and with it what a multiplier costs, stay as they are. What a trainer owns is for the trainer to set.
func (a *Accumulator) SetClip(clip float64) error {
	if a.lent {
		return fmt.Errorf("%w: clip set for a sum that its trainer releases", ErrInvalid)
	}
	return a.setClip(clip)
}

func (a *Accumulator) setClip(clip float64) error {
	if err := checkClip(clip); err != nil {
		return err
	}
	if a.examples > 0 {
		return fmt.Errorf("%w: clip set after %d contributions", ErrInvalid, a.examples)
	}
	a.clip = clip
	return nil
}

// Examples returns how many contributions were added since the last release, dropped ones included.
func (a *Accumulator) Examples() int { return a.examples }

// Dropped returns how many contributions count as zero: they held a NaN or an infinity, or were longer than a caller's norm said.
func (a *Accumulator) Dropped() int { return a.dropped }

// Clipped returns how many contributions were scaled down.
func (a *Accumulator) Clipped() int { return a.clipped }

// FailNonFinite sets what is done about a NaN or an infinity in a contribution: drop and count it (the default), or refuse it
// with ErrNonFinite. AddWithNorm looks at the norms alone; what else it finds it drops. Nothing of it enters the sum either way. A refusal tells the caller something about one record, and so does
// a run that ends because of it: for training on private data the default is the right one.
func (a *Accumulator) FailNonFinite(fail bool) { a.strict = fail }

// Reset forgets everything added since the last release.
func (a *Accumulator) Reset() {
	clear(a.sum)
	a.examples, a.dropped, a.clipped = 0, 0, 0
}

// Add adds the contribution of one record; a record may contribute once per batch. A NaN or an infinity in g makes the whole
// contribution zero, which is no error: it must not depend on the data whether a step runs. Add refuses a g of another length, and
// more than 2^(61-k) records.
func (a *Accumulator) Add(g []float64) error {
	if len(g) != a.Dim() {
		return fmt.Errorf("%w: vector of length %d, want %d", ErrInvalid, len(g), a.Dim())
	}
	return add(a, nil, g, nil)
}

// AddFloat32 is Add of the same numbers in float32, with the same bits.
func (a *Accumulator) AddFloat32(g []float32) error {
	if len(g) != a.Dim() {
		return fmt.Errorf("%w: vector of length %d, want %d", ErrInvalid, len(g), a.Dim())
	}
	return add(a, nil, g, nil)
}

// AddSparse is Add of the vector that is g[j] at index[j] and zero elsewhere, with the same bits. The indices must be strictly
// increasing; otherwise nothing is added.
func (a *Accumulator) AddSparse(index []int, g []float64) error {
	if len(index) != len(g) {
		return fmt.Errorf("%w: %d indices for %d values", ErrInvalid, len(index), len(g))
	}
	for j, i := range index {
		if i < 0 || i >= a.Dim() || (j > 0 && i <= index[j-1]) {
			return fmt.Errorf("%w: index %d at position %d, want strictly increasing in [0, %d)", ErrInvalid, i, j, a.Dim())
		}
	}
	if index == nil {
		index = []int{}
	}
	return add(a, index, g, nil)
}

// AddWithNorm is Add for a caller who knows the norm of g, one per layer: they save the pass that computes it. A norm may fall short
// of the truth by a fraction of 2^-20, which clipping allows for. Sensitivity does not rest on it: the contribution is measured
// again in integers as it is added, and dropped if it is longer than the clip norm.
func (a *Accumulator) AddWithNorm(g []float64, norms ...float64) error {
	if len(g) != a.Dim() || len(norms) != len(a.parts) {
		return fmt.Errorf("%w: vector of length %d with %d norms, want %d with %d", ErrInvalid, len(g), len(norms), a.Dim(), len(a.parts))
	}
	return add(a, nil, g, norms)
}

// add takes a dense vector if index is nil, and measures it if norms is.
func add[F float](a *Accumulator, index []int, g []F, norms []float64) error {
	if err := a.room(1); err != nil {
		return err
	}
	clipped, ok := factors(a, index, g, norms)
	if !ok && a.strict {
		return ErrNonFinite
	}
	a.examples++
	if !ok {
		a.dropped++
		return nil
	}
	if clipped {
		a.clipped++
	}
	if !deposit(a, index, g) {
		a.dropped++
	} else if a.adaptive != nil {
		a.adaptive.count(a, clipped)
	}
	a.forget()
	return nil
}

// room refuses n more records where a coordinate might overflow: each moves it by at most 2^gridBits.
func (a *Accumulator) room(n int) error {
	if limit := int64(1) << (sumBits - a.gridBits); len(a.sum) == 0 || int64(n) > limit-int64(a.examples) {
		return fmt.Errorf("%w: %d records in a batch, want at most %d", ErrInvalid, a.examples+n, limit)
	}
	return nil
}

// Merge moves what other has added to a, and resets other. It refuses other shapes, other clip norms, a itself, and what a trainer owns.
func (a *Accumulator) Merge(other *Accumulator) error {
	if other != nil && other.lent {
		return fmt.Errorf("%w: merge takes from a sum that its trainer releases", ErrInvalid)
	}
	if other == nil || other == a || len(other.sum) != len(a.sum) || other.clip != a.clip || !slices.Equal(other.parts, a.parts) ||
		(other.adaptive == nil) != (a.adaptive == nil) || (a.adaptive != nil && *other.adaptive != *a.adaptive) {
		return fmt.Errorf("%w: merge needs another accumulator of dimension %d, clip %v and the same layers and quantile", ErrInvalid, a.Dim(), a.clip)
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

// Event is what one Release with this multiplier costs under AddRemove when every record is in the batch; a sampler turns it into
// what it costs on its batches. Its StdDev is multiplier·Sensitivity rounded down, never more than what Release adds.
func (a *Accumulator) Event(multiplier float64) privacy.Gaussian {
	s := a.Sensitivity()
	std := multiplier * s
	if math.FMA(multiplier, s, -std) < 0 {
		std = math.Nextafter(std, 0)
	}
	return privacy.Gaussian{StdDev: std, Clip: s, Relation: privacy.AddRemove}
}

// Sensitivity is how far one record moves what is noised: Clip, or a little more where the count of an adaptive clip norm is
// noised with it.
func (a *Accumulator) Sensitivity() float64 {
	if a.adaptive == nil {
		return a.clip
	}
	return a.clip * (math.Ldexp(1, a.gridBits) / a.unit)
}

// Release writes the sum plus noise into dst and resets a. The noise in each coordinate is a Gaussian of standard deviation at
// least multiplier·Sensitivity, rounded to the grid. dst has length Dim and is not divided by anything. An
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
	if a.lent {
		return fmt.Errorf("%w: release of a sum that its trainer releases", ErrInvalid)
	}
	return a.release(dst, multiplier, srcs)
}

func (a *Accumulator) release(dst []float64, multiplier float64, srcs []Source) error {
	if len(a.sum) == 0 || len(dst) != a.Dim() {
		return fmt.Errorf("%w: destination of length %d, want that of the vectors", ErrInvalid, len(dst))
	}
	if err := a.checkMultiplier(multiplier); err != nil {
		return err
	}
	if err := checkSources(srcs); err != nil {
		return err
	}
	noise, err := Rounded(uint64(math.Ceil(math.Ldexp(multiplier, a.gridBits))))
	if err != nil {
		return err
	}
	grid := a.clip / a.unit
	var wg sync.WaitGroup
	for i, src := range srcs {
		share := len(dst)/len(srcs) + 1
		lo, hi := min(i*share, len(dst)), min((i+1)*share, len(dst))
		part := func() {
			var ahead [noiseAhead]int64
			for at := lo; at < hi; at += noiseAhead {
				drawn := ahead[:min(noiseAhead, hi-at)]
				noise.Fill(drawn, src)
				for j, z := range drawn {
					dst[at+j] = float64(a.sum[at+j]+z) * grid
				}
			}
		}
		if i == len(srcs)-1 {
			part()
		} else {
			wg.Go(part)
		}
	}
	wg.Wait()
	if a.adaptive != nil {
		a.clip = a.adaptive.next(a.clip, a.sum[len(dst)]+noise.Sample(srcs[0]))
	}
	a.Reset()
	return nil
}

func (a *Accumulator) checkMultiplier(multiplier float64) error {
	if !(multiplier >= minMultiplier && math.Ceil(math.Ldexp(multiplier, a.gridBits)) <= maxSigma) {
		return fmt.Errorf("%w: multiplier = %v, want %v to 2^%d", ErrInvalid, multiplier, minMultiplier, 40-a.gridBits)
	}
	return nil
}

func checkSources(srcs []Source) error {
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
	return nil
}
