package privacy

import (
	"fmt"
	"math"
)

// Measure is a quantity of privacy loss that adds up from event to event, also where each event is chosen after looking at what
// earlier ones released: what a filter counts. Measures are comparable; the zero Measure is none and refuses every question.
type Measure struct{ of measure }

// RenyiMeasure is the Rényi divergence, in nats, at one order in (1, 2^40].
func RenyiMeasure(order float64) (Measure, error) {
	if err := checkOrder(order); err != nil {
		return Measure{}, err
	}
	return Measure{measure{Name: measureRenyi, Order: order}}, nil
}

// ConcentratedMeasure is the parameter rho, in nats, of zero-concentrated privacy (Bun, Steinke 2016).
func ConcentratedMeasure() Measure { return Measure{measure{Name: measureConcentrated}} }

// GaussianMeasure is the mu² of plain Gaussians (Dong, Roth, Su 2022).
func GaussianMeasure() Measure { return Measure{measure{Name: measureGaussian}} }

// String names the quantity, and the order if it has one.
func (m Measure) String() string { return m.of.String() }

// Cost is what one execution of e adds, rounded up; +Inf where the divergence at the order has no bound. It is an *InvalidError for an
// event that the measure cannot express, such as one that may lose everything.
func (m Measure) Cost(e Event) (float64, error) {
	if m == (Measure{}) {
		return 0, &InvalidError{"Measure", "zero", "a measure"}
	}
	var h history
	x, err := h.entry(e)
	if err != nil {
		return 0, err
	}
	v, err := m.of.of(x)
	if err != nil {
		return 0, err
	}
	if math.IsNaN(v) || v < 0 {
		return 0, &InvalidError{"Event", x.event, "an event with a cost in " + m.String()}
	}
	if m.of.Name == measureRenyi {
		v = divergence(v, m.of.Order)
	}
	return v, nil
}

// Limit is the largest total that converts to b, rounded down: of all orders for rho, exact but for rounding for mu², by the conversion of
// Canonne, Kamath and Steinke 2020 for a divergence. It is an *InvalidError if b admits nothing by this measure.
func (m Measure) Limit(b Budget) (float64, error) {
	full, err := measureOf(m.of.Name, m.of.Order, b)
	if err != nil {
		return 0, err
	}
	if full.Name == measureRenyi {
		return math.Nextafter(full.limit/(full.Order-1)*(1-2*ulp), 0), nil
	}
	return full.limit, nil
}

// Epsilon is an upper bound on the epsilon at delta, 0 < delta < 1, of a total; +Inf where nothing is proven.
func (m Measure) Epsilon(total, delta float64) float64 {
	if !(total >= 0 && delta > 0 && delta < 1) {
		return math.Inf(1)
	}
	if total == 0 && m != (Measure{}) {
		return 0
	}
	if m.of.Name == measureRenyi {
		total = up(total*(m.of.Order-1), 4)
	}
	if v := m.of.epsilon(total, delta); v >= 0 {
		return v
	}
	return math.Inf(1)
}

// Basic returns what one execution of e adds in basic composition: the epsilon and the delta of its mechanisms, summed and rounded up. It
// is an *InvalidError for events of which no such pair is known without choosing a delta: Gaussians, and mechanisms on samples of them.
func Basic(e Event) (epsilon, delta float64, err error) {
	var h history
	x, err := h.entry(e)
	if err != nil {
		return 0, 0, err
	}
	for i, p := range x.parts {
		eps, d, ok := guarantee(p.mechanism)
		if !ok || !(eps >= 0 && eps <= math.MaxFloat64) {
			return 0, 0, &InvalidError{"Event", fmt.Sprintf("%+v", x.event), "an event made of pure and approximate mechanisms"}
		}
		if i == 0 && p.count == 1 {
			epsilon, delta = eps, d // as given
			continue
		}
		if eps > 0 {
			epsilon = up(epsilon+ceil(p.count)*eps, 4)
		}
		if d > 0 {
			delta = up(delta+ceil(p.count)*d, 4)
		}
	}
	return epsilon, delta, nil
}

// guarantee returns an epsilon and a delta for which m is differentially private.
func guarantee(m mechanism) (epsilon, delta float64, ok bool) {
	switch m := m.(type) {
	case pureLoss:
		return m.eps, 0, true
	case approximateLoss:
		return m.eps, m.delta, true
	case permuteAndFlip:
		return m.eps, 0, true
	case boundedRange: // losses within an interval of this length that contains 0
		return m.eps, 0, true
	case answers: // the likelihoods differ most between the answer itself and any other
		return up(math.Log1p(float64(m.k)*(1-m.p)/m.p), 8), 0, true
	case sampledNoise:
		if base, ok := m.base.(interface{ pure() float64 }); ok {
			return m.pureEpsilon(base.pure()), 0, true
		}
	case interface{ pure() float64 }:
		return m.pure(), 0, true
	}
	return 0, 0, false
}

// RelationOf returns the relation of a valid event: the datasets for which its cost holds.
func RelationOf(e Event) (Relation, error) {
	own, err := valid(e)
	if err != nil {
		return 0, err
	}
	return own.relation(), nil
}
