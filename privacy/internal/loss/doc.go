// Package loss holds the laws of the privacy loss of mechanisms other than Poisson-sampled Gaussians: randomized response,
// (eps, delta)-DP, discrete Laplace and discrete Gaussian, Laplace, the exponential mechanism, fixed-size and truncated
// batches, random allocation. Each is a lattice.Law; for most uses build one with its constructor and hand it to the
// composition engine. Laws on a short integer lattice compose exactly with Atoms.Compose.
//
// A law is the distribution of L = ln(dP/dQ) under P. With v = e^-L the curve of a law is D(u) = E[(1-uv)+] at u = e^eps, and
// every composition is, in the coordinate of one step, a mixture of such functions: nonnegative, decreasing and convex in v.
// Hence a measure dominates another one in every composition as soon as its curve does for every u > 0, whatever the total
// masses (Zhu, Dong & Wang 2022, Theorem 10, for probabilities). An upper law comes from moving v down, spreading it at equal
// mean or adding mass; a lower law from moving v up, merging (post-processing) or dropping mass.
package loss

import (
	"errors"
	"fmt"
	"math"
)

// ulp is the unit roundoff of float64: every operation errs by at most this factor, exp, log and their kin by four of them.
const ulp = 0x1p-53

// maxPoints bounds the points of one lattice law.
const maxPoints = 1 << 22

// ErrParameter is returned when a parameter lies outside its range, or is not a number.
var ErrParameter = errors.New("loss: parameter out of range")

// ErrTooLarge is returned when a law would need more lattice points, or a composition more work, than this package does.
var ErrTooLarge = errors.New("loss: law too large")

func parameter(name string, value any, want string) error {
	return fmt.Errorf("%w: %s is %v, want %s", ErrParameter, name, value, want)
}

// inOpen reports lo < x < hi; it fails on NaN.
func inOpen(x, lo, hi float64) bool { return x > lo && x < hi }

// widen returns x moved outward by the relative error rel: up for a positive x if up, else down.
func widen(x, rel float64, up bool) float64 {
	if up {
		return x * (1 + rel + 2*ulp)
	}
	return x * max(0, 1-rel-2*ulp)
}

// clamp01 keeps a probability bound inside [0, 1].
func clamp01(x float64) float64 { return math.Min(1, math.Max(0, x)) }
