package privacy

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// Select is the choice of the best of a random number of runs, as in a search for hyperparameters of which nothing is released but the
// best model and its setting (Papernot, Steinke 2022, "Hyperparameter tuning with Rényi differential privacy", arXiv 2110.03620). Every run
// draws its setting independently, and the number of runs is drawn once, without looking at results. A search with a number of runs
// fixed in advance costs what all its runs cost: use Repeated.
//
// The number of runs is either Poisson, with Mean, or truncated negative binomial, with Shape and Gamma.
type Select struct {
	// Event is one whole run. An event that may have an infinite loss is refused, and so is one with a Select in it.
	Event Event
	// Mean is the mean of a Poisson number of runs, from 1 to 1e6; with no run at all nothing is released. 0 selects Shape and Gamma.
	Mean float64
	// Shape is from 0 to 1e3: 1 is the geometric law, 0 the logarithmic one.
	Shape float64
	// Gamma is from 1e-6 to 1, 1 excluded: the probability of stopping after a run if Shape is 1.
	Gamma float64
}

// Validate accepts what the fields say.
func (s Select) Validate() error {
	own, err := valid(s.Event)
	if err != nil {
		return err
	}
	if selects(own) { // each would search at every step of the search of the other
		return &InvalidError{"Select.Event", own, "an event without a Select"}
	}
	if s.Mean != 0 {
		if !(s.Mean >= 1 && s.Mean <= 1e6) {
			return &InvalidError{"Select.Mean", s.Mean, "a number from 1 to 1e6, or 0"}
		}
		if s.Shape != 0 || s.Gamma != 0 {
			return &InvalidError{"Select", "Mean beside Shape or Gamma", "one law of the number of runs"}
		}
	} else {
		if !(s.Shape >= 0 && s.Shape <= 1e3) {
			return &InvalidError{"Select.Shape", s.Shape, "a number from 0 to 1e3"}
		}
		if !(s.Gamma >= 1e-6 && s.Gamma < 1) {
			return &InvalidError{"Select.Gamma", s.Gamma, "a number from 1e-6 to 1, 1 excluded"}
		}
	}
	for _, l := range own.lower() {
		if l.infinite() > 0 {
			return &InvalidError{"Select.Event", own, "an event without infinite losses"}
		}
	}
	return checkComposite("Select", nesting(own)+1, executions(own, 1))
}

// Runs is the mean of the number of runs.
func (s Select) Runs() float64 {
	switch {
	case s.Mean > 0:
		return s.Mean
	case s.Shape == 0:
		return (1 - s.Gamma) / s.Gamma / -math.Log(s.Gamma) // 1/Gamma-1 would cancel
	}
	return s.Shape * (1 - s.Gamma) / s.Gamma / -math.Expm1(s.Shape*math.Log(s.Gamma))
}

// selects reports whether there is a Select in an event.
func selects(e Event) bool {
	switch e := e.(type) {
	case Select:
		return true
	case Repeated:
		return selects(e.Event)
	case Composed:
		return strings.Contains(e.events, `"type":"select"`)
	}
	return false
}

func (Select) kind() string { return "select" }

func (s Select) relation() Relation {
	if s.Event == nil {
		return 0
	}
	return s.Event.relation()
}

func (s Select) lower() []leaf {
	if len(s.Event.lower()) == 0 {
		return nil
	}
	m := selected{run: s.Event, mean: s.Mean, logRuns: max(0, math.Log(s.Runs())+1e-9)}
	if s.Mean > 0 {
		for i := range m.curve {
			m.curve[i] = m.base(curveOrder(i))
		}
	} else {
		m.slope = (1 + s.Shape) * m.cheapest(-math.Log(s.Gamma)) * (1 + 1e-12)
	}
	return []leaf{{m, 1}}
}

// selected has, with K the curve of one run, c = a-1 and R the mean number of runs, the curve
//
//	K(c) + log R + c·(1+shape)·min over b >= 1 of (K(b-1) - log gamma)/b   (Theorem 2 of the paper), or
//	K(c) + log R + c·R·delta, one run being (log(1+1/c), delta)-private     (Theorem 6).
type selected struct {
	run         Event
	mean, slope float64
	logRuns     float64
	curve       [64]float64 // of one run, at the orders of curveOrder, where mean is not 0
}

func (selected) infinite() float64 { return 0 }

func curveOrder(i int) float64 { return 1 + math.Exp2(float64(i)/2-10) }

// base returns an upper bound on K(order-1) of one run.
func (m selected) base(order float64) float64 {
	sum := 0.0
	for _, l := range m.run.lower() {
		if k := l.logMoment(order); k > 0 {
			sum = up(sum+ceil(l.count)*k, 4)
		}
	}
	return sum
}

// cheapest returns the smallest (K(b-1) + l)/b that a search finds; any b gives a bound.
func (m selected) cheapest(l float64) float64 {
	at := func(x float64) float64 {
		b := 1 + math.Exp2(x)
		return up((m.base(b)+l)/b, 4)
	}
	best, v := 0.0, up(l, 4) // b = 1
	for x := -10.0; x <= 24; x++ {
		if y := at(x); y < v {
			best, v = x, y
		}
	}
	for step := 0.5; step > 1e-4; step /= 2 {
		for _, x := range []float64{best - step, best + step} {
			if y := at(x); y < v {
				best, v = x, y
			}
		}
	}
	return v
}

func (m selected) logMoment(a float64) float64 {
	c := a - 1
	k := up(m.base(a)+m.logRuns, 4)
	if m.mean == 0 {
		return up(k+c*m.slope, 4)
	}
	eps, logDelta := math.Log1p(1/c)*(1-4*ulp), 0.0
	for i, k := range m.curve {
		logDelta = min(logDelta, logDeltaAt(curveOrder(i)-1, k, eps))
	}
	return up(k+c*m.mean*up(math.Exp(logDelta), 8), 8)
}

type selectJSON struct {
	Event json.RawMessage `json:"event"`
	Mean  *float64        `json:"mean,omitempty"`
	Shape *float64        `json:"shape,omitempty"`
	Gamma *float64        `json:"gamma,omitempty"`
}

// MarshalJSON writes {"event", "mean"} or {"event", "shape", "gamma"}, the event as MarshalEvent does.
func (s Select) MarshalJSON() ([]byte, error) {
	event, err := MarshalEvent(s.Event)
	if err != nil {
		return nil, err
	}
	if s.Mean != 0 {
		return json.Marshal(selectJSON{Event: event, Mean: &s.Mean})
	}
	return json.Marshal(selectJSON{Event: event, Shape: &s.Shape, Gamma: &s.Gamma})
}

// UnmarshalJSON reads what MarshalJSON writes, with known fields only.
func (s *Select) UnmarshalJSON(data []byte) error {
	var v selectJSON
	if err := strict(data, &v); err != nil {
		return err
	}
	e, err := UnmarshalEvent(v.Event)
	if err != nil {
		return err
	}
	switch {
	case v.Mean != nil && v.Shape == nil && v.Gamma == nil:
		*s = Select{Event: e, Mean: *v.Mean}
	case v.Mean == nil && v.Shape != nil && v.Gamma != nil:
		*s = Select{Event: e, Shape: *v.Shape, Gamma: *v.Gamma}
	default:
		return fmt.Errorf("%w: want mean, or shape and gamma", ErrInvalid)
	}
	return nil
}
