package privacy

import (
	"fmt"
	"math"
)

const (
	measureRenyi        = "renyi"
	measureConcentrated = "rho"
	measureGaussian     = "mu²"
)

// measure is what a Filter adds up, with the sum that converts to its budget. The zero measure admits nothing.
type measure struct {
	Name  string  `json:"name"`
	Order float64 `json:"order,omitempty"` // of measureRenyi
	limit float64 // rounded down; for measureRenyi it is K(Order-1)
}

func measureOf(name string, order float64, b Budget) (measure, error) {
	if err := b.Validate(); err != nil {
		return measure{}, err
	}
	m := measure{Name: name, Order: order}
	switch {
	case name == measureRenyi:
		if err := checkOrder(order); err != nil {
			return measure{}, err
		}
		m.limit = capacityAt(order-1, b)
	case order != 0:
		return measure{}, &InvalidError{"order", order, "none for " + name}
	case name == measureConcentrated:
		// rho is K(a-1)/(a(a-1)) at every order a; the best order admits the most.
		_, v, _ := minimise(func(a float64) float64 {
			k := capacityAt(a-1, b)
			if k <= 0 {
				return math.Inf(1)
			}
			return -k / (a * (a - 1))
		}, startRung)
		m.limit = -v * (1 - 6*ulp)
	case name == measureGaussian:
		mu := muOf(b)
		m.limit = mu * mu * (1 - 2*ulp)
	default:
		return measure{}, &InvalidError{"measure", name, "renyi, rho or mu²"}
	}
	if !(m.limit > 0 && m.limit <= math.MaxFloat64) {
		return measure{}, &InvalidError{"Budget", b, "a budget that admits anything by " + m.String()}
	}
	return m, nil
}

func (m measure) String() string {
	if m.Name == measureRenyi {
		return fmt.Sprintf("rdp order %.6g", m.Order)
	}
	return m.Name
}

// of returns what one execution of x adds, rounded up.
func (m measure) of(x *entry) (float64, error) {
	sum := 0.0
	for _, p := range x.parts {
		v, ok := m.mechanism(p)
		if !ok || p.infinite() != 0 {
			return 0, &InvalidError{"Event", x.event, "an event that a filter by " + m.String() + " can add up"}
		}
		sum = up(sum+ceil(p.count)*v, 4)
	}
	return sum, nil
}

func (m measure) mechanism(p part) (v float64, ok bool) {
	switch m.Name {
	case measureRenyi:
		return p.logMoment(m.Order), true
	case measureConcentrated:
		c, ok := p.mechanism.(interface{ concentrated() float64 })
		if !ok {
			return 0, false
		}
		v = c.concentrated()
		return v, !math.IsInf(v, 1)
	case measureGaussian:
		g, ok := p.mechanism.(sampledGaussian)
		return up(1/(g.sigma*g.sigma), 4), ok && g.q == 1
	}
	return 0, false
}

// concentrated returns the rho of zero-concentrated differential privacy, +Inf for a sampled Gaussian: there it amplifies nothing.
func (m sampledGaussian) concentrated() float64 {
	if m.q != 1 {
		return math.Inf(1)
	}
	return up(1/(2*m.sigma*m.sigma), 4)
}

// cost is what one execution of x adds, in units of the whole budget, rounded up; more than the whole budget is all one.
func (m measure) cost(x *entry) (uint64, error) {
	v, err := m.of(x)
	if err != nil || v <= 0 {
		return 0, err
	}
	u := math.Ceil(up(v/m.limit, 2) * budgetUnits)
	if !(u <= budgetUnits) {
		return budgetUnits + 1, nil
	}
	return uint64(u), nil
}

// epsilon returns an upper bound on the epsilon, at delta, of a total.
func (m measure) epsilon(total, delta float64) float64 {
	switch m.Name {
	case measureRenyi:
		return epsilonAt(m.Order-1, total, delta)
	case measureConcentrated:
		_, v, _ := minimise(func(a float64) float64 { return epsilonAt(a-1, up(total*a*(a-1), 4), delta) }, startRung)
		return v
	case measureGaussian:
		return gaussianEpsilon(total, delta)
	}
	return math.Inf(1)
}

// shown is an amount for people: the divergence for measureRenyi, else the sum itself.
func (m measure) shown(units uint64) float64 {
	v := float64(units) / budgetUnits * m.limit
	if m.Name == measureRenyi {
		v /= m.Order - 1
	}
	return v
}
