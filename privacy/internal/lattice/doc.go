// Package lattice encloses delta(eps) and eps(delta) of composed mechanisms through laws of the privacy loss on a lattice:
// connecting the dots from above, merging from below, an exponential tilt before one FFT per law, and bounds for
// quadrature, truncation, aliasing and rounding added outward. It is the method for few or rare jumps of the loss, where
// a contour integral does not converge, and an independent check of it elsewhere.
//
// For most uses call Epsilon or Delta with a list of parts, each in one direction of the neighbouring relation, or Epsilons and
// Deltas with both, where only the greater answer need be sharp. Compose returns a law that answers many queries, can be stored and be
// composed further.
//
// # What is proved
//
// Lower <= truth <= Upper, in exact arithmetic on the given numbers, if the functions of package math err by at most two
// units in the last place (Erfc: 1e-9), with the derivations beside the code: cell masses (newQuad, panel), edges
// (segment), the two discretizations (dots, merge), the clipped top (piece.discretize), two scales (plan.compose), the tilted transform (fold, fft.RelErr),
// the period (tails), the change of tilt (trim) and the inversion (solve). First-order error terms carry factors of 1.01
// in place of interval arithmetic. Choices of tilt, period, offset and thresholds (plan, aim, sketch) are heuristics that
// only move the width.
package lattice
