package privacy

import (
	"math"
	"slices"
)

// Outside of these the loss of one execution could lose its magnitude in a product with an order.
const (
	minLoss, maxLoss = 1e-12, 1e6
	maxSteps         = 1 << 30 // grid steps between two answers
)

func checkRelation(field string, r Relation) error {
	if !slices.Contains(relations(), r) {
		return &InvalidError{field, r, wantRelation}
	}
	return nil
}

func checkLength(field string, x float64) error {
	if !(x >= minLength && x <= maxLength) {
		return &InvalidError{field, x, "a number from 1e-100 to 1e100"}
	}
	return nil
}

func checkLoss(field string, eps float64) error {
	if !(eps >= minLoss && eps <= maxLoss) {
		return &InvalidError{field, eps, "a number from 1e-12 to 1e6"}
	}
	return nil
}

func checkSteps(field string, n int) error {
	if n < 1 || n > maxSteps {
		return &InvalidError{field, n, "a whole number from 1 to 2^30"}
	}
	return nil
}

// distance is how far one record moves an answer that it moves by at most n under AddRemove.
func distance(n int, r Relation) float64 {
	if r == ReplaceOne {
		return 2 * float64(n)
	}
	return float64(n)
}

// over returns x/y rounded up, for lengths.
func over(x, y float64) float64 {
	q := x / y
	if math.FMA(q, y, -x) < 0 {
		return math.Nextafter(q, math.Inf(1))
	}
	return q
}
