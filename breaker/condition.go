package breaker

import (
	"errors"
	"fmt"
	"math"
)

// Condition is something that a measurement meets or does not. It is a function and not a text that is looked up, so that
// one that nobody knows does not compile; the zero Condition is refused by [NewDegrader] and never taken as met.
type Condition[M any] struct {
	Name  string // appears in changes
	Holds func(M) bool
}

// Above is met when what is measured is above a limit. It is not met by NaN, which stands for what could not be measured,
// and so is Below: what is not known neither begins nor ends a level. A limit of NaN is refused by [NewDegrader].
func Above[M any](name string, measured func(M) float64, limit float64) Condition[M] {
	return compare(fmt.Sprintf("%s above %v", name, limit), measured, limit, func(v float64) bool { return v > limit })
}

// Below is met when what is measured is below a limit; see [Above].
func Below[M any](name string, measured func(M) float64, limit float64) Condition[M] {
	return compare(fmt.Sprintf("%s below %v", name, limit), measured, limit, func(v float64) bool { return v < limit })
}

func compare[M any](name string, measured func(M) float64, limit float64, met func(float64) bool) Condition[M] {
	c := Condition[M]{Name: name}
	if measured != nil && !math.IsNaN(limit) {
		c.Holds = func(m M) bool { return met(measured(m)) }
	}
	return c
}

func (c Condition[M]) validate() error {
	if c.Name == "" {
		return errors.New("has no Name")
	}
	if c.Holds == nil {
		return fmt.Errorf("%q is no condition that could be met", c.Name)
	}
	return nil
}
