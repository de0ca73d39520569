package privacy

// Interval encloses an epsilon or a delta.
type Interval struct {
	// Lower is never above the true value; 0 where only an upper bound is known.
	Lower float64 `json:"lower"`
	// Upper is never below the true value.
	Upper float64 `json:"upper"`
	// Method names how the bound was obtained.
	Method string `json:"method"`
	// Order is the Rényi order at which Upper was found, 0 for other methods.
	Order float64 `json:"order,omitempty"`
	// Converged reports whether Lower and Upper differ by at most 1e-4 of Upper or, where only an upper bound is known, whether Upper is as
	// tight as Method allows. It is a bound either way.
	Converged bool `json:"converged"`
}

// Accountant composes the events of a run whose schedule was fixed in advance. Implementations are safe for concurrent use.
type Accountant interface {
	// Step records one execution of e. On error nothing was recorded.
	Step(e Event) error
	// Add records n executions of e.
	Add(e Event, n int) error
	// Epsilon bounds the epsilon of everything recorded so far at delta, 0 < delta < 1.
	Epsilon(delta float64) (Interval, error)
	// Delta bounds the delta at eps >= 0.
	Delta(eps float64) (Interval, error)
}

// Budget is a limit on what may be learned about one record.
type Budget struct {
	// Epsilon in nats, greater than 0.
	Epsilon float64 `json:"epsilon"`
	// Delta in (0, 1); choose it well below one over the number of records.
	Delta float64 `json:"delta"`
}

// Validate returns an *InvalidError that names the field that is out of range, or nil.
func (b Budget) Validate() error {
	if !(b.Epsilon > 0 && b.Epsilon <= maxEpsilon) {
		return &InvalidError{"Budget.Epsilon", b.Epsilon, "a number above 0, at most 1e15"}
	}
	return checkDelta("Budget.Delta", b.Delta)
}

const maxEpsilon = 1e15

func checkDelta(field string, delta float64) error {
	if !(delta > 0 && delta < 1) {
		return &InvalidError{field, delta, "a number between 0 and 1, both excluded"}
	}
	return nil
}

func checkOrder(order float64) error {
	if !(order > 1 && order <= maxOrder) {
		return &InvalidError{"order", order, "a number above 1, at most 2^40"}
	}
	return nil
}
