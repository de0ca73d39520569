package leakage

import (
	"errors"
	"fmt"
	"math"
)

var (
	// ErrInvalid is matched by every refusal of an argument; the message names the field, its value and what was wanted.
	ErrInvalid = errors.New("leakage: invalid")
	// ErrTooFew is matched by the refusal of a question that the given number of examples cannot answer, such as a false positive
	// rate below one in the number of non-members.
	ErrTooFew = errors.New("leakage: too few examples")
)

func invalid(field string, value any, want string) error {
	return fmt.Errorf("%w: %s = %v, want %s", ErrInvalid, field, value, want)
}

// maxCount is the largest number of examples, to which the error of the beta law's tails is checked.
const maxCount = 9_000_000

func checkCount(field string, value, lowest, highest int) error {
	if value < lowest || value > highest {
		return invalid(field, value, fmt.Sprintf("%d to %d", lowest, highest))
	}
	return nil
}

func checkAlpha(alpha float64) error {
	if !(alpha >= 1e-200 && alpha < 1) {
		return invalid("alpha", alpha, "at least 1e-200 and below 1")
	}
	return nil
}

func checkDelta(delta float64) error {
	if !(delta >= 0 && delta < 1) {
		return invalid("delta", delta, "at least 0 and below 1")
	}
	return nil
}

func checkEpsilon(eps float64) error {
	if !(eps >= 0 && eps <= math.MaxFloat64) {
		return invalid("epsilon", eps, "a finite number from 0")
	}
	return nil
}

// checkNumbers refuses NaN.
func checkNumbers(field string, values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) {
			return invalid(fmt.Sprintf("%s[%d]", field, i), v, "a number")
		}
	}
	return nil
}
