package noise

import (
	"fmt"
	"math"
)

// maxGridBits keeps squared norms below 2^62, and room for 2^30 records.
const maxGridBits = 31

// Layer is a range of coordinates with a clip norm of its own.
type Layer struct {
	// Dim is the number of coordinates.
	Dim int
	// Clip is the L2 norm that the coordinates of one contribution are clipped to, 1e-90 to 1e90.
	Clip float64
}

// NewLayered returns an empty accumulator whose vectors are made of the given layers, one after the other, each clipped to its own
// norm. The norm of a whole contribution, Clip, is at most the root of the sum of their squares; Event charges that, and the noise
// has the same scale in all layers. A clip norm must be at least 2^-20 of it, and
// sqrt(Dim)·2^-21 of it.
func NewLayered(layers ...Layer) (*Accumulator, error) {
	total, dim := 0.0, 0
	for i, l := range layers {
		if l.Dim < 1 || int64(l.Dim) > maxDim-int64(dim) || l.Dim > math.MaxInt-dim {
			return nil, fmt.Errorf("%w: layer %d: dim = %d, want 1 to 2^36 in all", ErrInvalid, i, l.Dim)
		}
		if err := checkClip(l.Clip); err != nil {
			return nil, fmt.Errorf("%w, in layer %d", err, i)
		}
		dim += l.Dim
		total = math.Hypot(total, l.Clip)
	}
	a, err := NewAccumulator(max(dim, 0), total)
	if err != nil {
		return nil, err
	}
	// The grid follows the layer that suffers most from rounding. Layer norms are whole numbers of steps, rounded down by more than
	// total may be wrong, so that their squares sum to at most that of the whole.
	down := 1 - float64(len(layers)+4)*0x1p-51
	k := a.gridBits
	for _, l := range layers {
		for k <= maxGridBits && radius(l.Dim)+1 > math.Ldexp(l.Clip/total, k-10) {
			k++
		}
	}
	if k > maxGridBits {
		return nil, fmt.Errorf("%w: a layer is clipped to too small a part of %v", ErrInvalid, total)
	}
	a.gridBits, a.unit, a.parts = k, math.Ldexp(1, k), make([]part, len(layers))
	first := 0
	for i, l := range layers {
		limit := math.Floor(math.Ldexp(l.Clip/total, k) * down)
		a.parts[i] = part{
			first: first, end: first + l.Dim,
			threshold: (limit - radius(l.Dim)) * (1 - 0x1p-48), square: uint64(limit) * uint64(limit),
		}
		first += l.Dim
	}
	return a, nil
}
