// Package contour bounds the privacy of compositions of Poisson-subsampled Gaussians from both sides by a contour integral.
//
// For most uses: build a Composition, call Epsilon or Delta for both directions and take the larger of the lower ends and the
// larger of the upper ends. Where the method does not apply (few or rare jumps: the characteristic function of the loss does
// not decay) the answer is ErrNoCertificate, never a number.
//
// # Method
//
// For one direction let L be the privacy loss of the composition and K(z) = log E e^(zL). For every c > 0
//
//	delta(eps) = 1/(2 pi i) * integral over Re z = c of e^(K(z) - z eps) / (z(z+1)) dz,
//
// because the kernel integrates to (1-e^-y)_+ (residues 1 at 0 and -e^-y at -1). The line is discretised (series.go, Theorem 1),
// truncated (shift.go, Theorem 2) and on it K is computed by the trapezoid rule in x (strip.go, Theorem 3), each with a proved bound
// of its error; rounding is bounded by running error bounds (grid.go, phase.go). The choice of c, of the spacings and of the lengths
// (plan.go) needs no proof: it decides only how wide the interval is and what it costs.
//
// # Assumptions
//
// The functions Exp, Expm1, Log, Log1p, Sincos, Atan2 and Hypot of package math err by at most 2 ulp (for the sine and the cosine: by at
// most 4u min(1, |x|) and 4u, u = 2^-53), Erf and Erfc by 1e-13 relative. Sums of first-order error terms carry a factor 1.05 in place of their products.
package contour

import (
	"errors"
	"fmt"
	"math"
)

// ErrNoCertificate is returned, wrapped with the reason, where the method proves no useful interval.
var ErrNoCertificate = errors.New("contour: no certificate")

// Direction says which of the two neighbouring data sets is the first argument of the divergence.
type Direction uint8

const (
	// Remove compares the data set that has the record with the one that lacks it: P is the mixture.
	Remove Direction = iota
	// Add compares the data set that lacks the record with the one that has it: P is the plain Gaussian.
	Add
)

// String returns the name of the direction.
func (d Direction) String() string {
	switch d {
	case Remove:
		return "remove"
	case Add:
		return "add"
	}
	return fmt.Sprintf("Direction(%d)", uint8(d))
}

// Part is Count executions of the Gaussian mechanism with noise multiplier Sigma on a Poisson sample of rate Rate, 0 < Rate < 1.
// Rate is taken exactly; the true multiplier may differ from Sigma by one ulp.
type Part struct {
	Rate, Sigma float64
	Count       int64
}

// Composition is a list of mechanisms that ran on the same data. The answers do not depend on the order of its parts, to the last bit.
// The zero Composition released nothing.
type Composition struct {
	Parts []Part
	Mu2   float64 // sum of count/sigma^2 over the Gaussians without subsampling, within four ulp
}

// Bound is an interval that holds the true value, with the share of each kind of error in it.
type Bound struct {
	Lower, Upper float64
	// Shares of the error, each relative to delta. Rounding contains the quadrature in x, Truncation the cut of the line and of the
	// far tail of the loss.
	Rounding, Truncation, Aliasing float64
	Nodes                          int // nodes on the line; 0 where no integral was needed
}

// Epsilon returns an interval around the smallest eps >= 0 for which the composition is (eps, delta)-DP in direction d, 0 < delta < 1.
func (c Composition) Epsilon(d Direction, delta float64) (Bound, error) {
	var w Workspace
	return w.Epsilon(c, d, delta)
}

// Delta returns an interval around the smallest delta for which the composition is (eps, delta)-DP in direction d, eps >= 0.
func (c Composition) Delta(d Direction, eps float64) (Bound, error) {
	var w Workspace
	return w.Delta(c, d, eps)
}

// refuse wraps ErrNoCertificate with a reason.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNoCertificate, fmt.Sprintf(format, args...))
}

// unit is the rounding unit of float64.
const unit = 0x1p-53

// few rounds x down to 20 significant bits, so that small multiples and x+1 are exact.
func few(x float64) float64 {
	frac, exp := math.Frexp(x)
	return math.Ldexp(math.Floor(frac*(1<<20)), exp-20)
}
