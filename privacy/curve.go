package privacy

import (
	"fmt"
	"math"
)

// Curve is a bound on the Rényi divergences of something, known at some orders, such as one published with a mechanism or saved by another
// accountant. Divergences[i] is in nats, at Orders[i] > 1; +Inf where nothing is known.
type Curve struct {
	Orders      []float64 `json:"orders"`
	Divergences []float64 `json:"divergences"`
}

// Validate returns an *InvalidError that names the first pair that is out of range, or nil. A negative divergence is an error: taken
// for a bound it would make any epsilon 0.
func (c Curve) Validate() error {
	if len(c.Orders) == 0 || len(c.Orders) != len(c.Divergences) {
		return &InvalidError{"Curve", fmt.Sprintf("%d orders, %d divergences", len(c.Orders), len(c.Divergences)), "as many divergences as orders, at least one"}
	}
	for i, order := range c.Orders {
		if err := checkOrder(order); err != nil {
			return err
		}
		if d := c.Divergences[i]; !(d >= 0) {
			return &InvalidError{fmt.Sprintf("Curve.Divergences[%d]", i), d, "a number from 0 on"}
		}
	}
	return nil
}

// Epsilon returns an upper bound on epsilon at delta, 0 < delta < 1, and the order it was found at.
func (c Curve) Epsilon(delta float64) (bound Interval, order float64, err error) {
	if err := checkDelta("delta", delta); err != nil {
		return Interval{}, 0, err
	}
	return c.best(func(order, d float64) float64 {
		if zeroEpsilon(d, delta) {
			return 0
		}
		return epsilonAt(order-1, up((order-1)*d, 4), delta)
	})
}

// Delta returns an upper bound on delta at eps >= 0, and the order it was found at.
func (c Curve) Delta(eps float64) (bound Interval, order float64, err error) {
	if !(eps >= 0 && eps <= maxEpsilon) {
		return Interval{}, 0, &InvalidError{"eps", eps, "a number from 0 to 1e15"}
	}
	return c.best(func(order, d float64) float64 {
		return min(1, up(math.Exp(min(logDeltaAt(order-1, up((order-1)*d, 4), eps), 0)), 8), up(math.Sqrt(up(-math.Expm1(-d), 4)), 4))
	})
}

func (c Curve) best(value func(order, d float64) float64) (bound Interval, order float64, err error) {
	if err := c.Validate(); err != nil {
		return Interval{}, 0, err
	}
	bound.Upper = math.Inf(1)
	for i, o := range c.Orders {
		if v := value(o, c.Divergences[i]); v < bound.Upper {
			bound.Upper, order = v, o
			bound.Converged = i > 0 && i < len(c.Orders)-1
		}
	}
	if !(bound.Upper <= math.MaxFloat64) {
		return Interval{}, 0, &InvalidError{"Curve", "infinite divergences only", "a finite divergence at some order"}
	}
	bound.Method = fmt.Sprintf("rdp order %.6g", order)
	return bound, order, nil
}

// zeroEpsilon reports that delta(0) <= delta, by Bretagnolle and Huber: delta(0)² <= 1-e^-KL, and KL is at most any Rényi divergence.
func zeroEpsilon(d, delta float64) bool {
	return delta > 1e-150 && up(-math.Expm1(-d), 4) <= delta*delta*(1-2*ulp) // below, the square could underflow
}
