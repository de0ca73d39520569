package ledger

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/surefoot-ml/surefoot/privacy"
)

// Measure is what an account adds up. Each is proven sound where jobs adapt to each other: what a job does next, how much noise it
// adds, whether it runs at all, may depend on everything that all jobs have released. An exact accountant is not (Regehr et al. 2026,
// arXiv 2602.15815); it serves a job whose events are fixed in advance and reserved whole, in a Basic account.
type Measure uint8

// Why jobs at the same time need no more than one after the other: events are charged before their noise is drawn, and released one by
// one. Put in the order of their release they are one adaptive sequence, of which at every moment the journal has admitted at least what was
// released. An event that releases in pieces (a Tree, a Toeplitz) is along every path a sequence of plain Gaussians whose mu² sum to at
// most its own. A job that is reserved whole is an interactive (epsilon, delta) mechanism; for those filters hold with adaptive parameters
// and concurrent interaction too (Haney, Shoemate, Tian, Vadhan, Vyrros, Xu, Zhang 2023, "Concurrent composition for interactive
// differential privacy with adaptive privacy-loss parameters", arXiv 2309.05901).
const (
	// Pure sums the epsilon of pure events; Delta is 0.
	//
	// Rogers, Roth, Ullman, Vadhan 2016, "Privacy odometers and filters": the loss of the whole is the sum of the losses, each at most
	// its epsilon whatever came before, so it never exceeds the cap.
	Pure Measure = 1
	// Basic sums epsilon and delta, of pure and approximate events, and of any events that are fixed in advance and reserved whole at a
	// delta of their own (Request.Delta).
	//
	// Rogers et al. 2016, Whitehouse, Ramdas, Rogers, Wu 2023, "Fully adaptive composition in differential privacy": an (eps, delta)
	// mechanism is, but for a probability of delta, one whose losses lie within eps (Kairouz, Oh, Viswanath 2015); the exceptions have
	// at most the summed delta along every path, because the filter holds along every path.
	Basic Measure = 2
	// Concentrated sums the rho of zero-concentrated privacy: Gaussians, discrete ones, pure events.
	//
	// The exponentiated loss at order a, less its charges a·rho, is a supermartingale from 1 for all a at once (Feldman, Zrnic
	// 2021, "Individual privacy accounting via a Rényi filter"; Whitehouse et al. 2023): the whole is rho-concentrated with
	// the cap as its rho, and converts at the best order.
	Concentrated Measure = 3
	// Gaussian sums the mu² of plain Gaussians, and is exact for them.
	//
	// Smith, Thakurta 2022, "Fully adaptive composition for Gaussian differential privacy": if the sum of mu² never exceeds the cap,
	// the whole is Gaussian-differentially private with the cap as its mu².
	Gaussian Measure = 4
	// Renyi sums the Rényi divergence at orders fixed in advance, and admits what fits at one of them at least.
	//
	// At one order a: Feldman, Zrnic 2021 (Lécuyer 2021, "Practical privacy filters and odometers with Rényi differential
	// privacy", too): the whole has a divergence of at most the cap, which converts as a fixed divergence does. With k orders the cap at
	// each converts to (Epsilon, Delta/k). Let M_a be the interaction cut off where order a would overflow. A run of the real one never
	// leaves all orders, so its transcript, and its loss L, is that of M_a for some a that the transcript determines. Hence for every t
	// (1-e^(t-L))+ is at most the sum over a of (1-e^(t-L_a))+, in expectation at most k·(Delta/k): the hockey-stick divergence of the
	// real one at t = Epsilon is at most Delta, in both directions. Orders at which (Epsilon, Delta/k) leaves nothing are dropped, the
	// lowest first, k falling with each: what is left depends on budget and list alone, so it is a list fixed in advance.
	Renyi Measure = 5
)

func (m Measure) String() string {
	if i := int(m) - 1; i >= 0 && i < len(measureNames()) {
		return measureNames()[i]
	}
	return fmt.Sprintf("Measure(%d)", uint8(m))
}

func measureNames() []string { return []string{"pure", "basic", "concentrated", "gaussian", "renyi"} }

// MarshalText returns the name of a measure.
func (m Measure) MarshalText() ([]byte, error) {
	if !m.valid() {
		return nil, fmt.Errorf("%w: measure %d", ErrInvalid, uint8(m))
	}
	return []byte(m.String()), nil
}

// UnmarshalText accepts the names of the measures, nothing else.
func (m *Measure) UnmarshalText(text []byte) error {
	i := slices.Index(measureNames(), string(text))
	if i < 0 {
		return fmt.Errorf("%w: measure %q, want one of %s", ErrInvalid, text, strings.Join(measureNames(), ", "))
	}
	*m = Measure(i + 1)
	return nil
}

func (m Measure) valid() bool { return m >= Pure && m <= Renyi }

// quantity is one of the sums of an account.
type quantity struct {
	name    string
	order   float64 // of "renyi"
	measure privacy.Measure
	perOne  int64 // units
}

// quantities are the sums of an account with these orders.
func (m Measure) quantities(orders []float64) ([]quantity, error) {
	switch m {
	case Pure:
		return []quantity{{name: "epsilon", perOne: unitsPerNat}}, nil
	case Basic:
		return []quantity{{name: "epsilon", perOne: unitsPerNat}, {name: "delta", perOne: unitsPerDelta}}, nil
	case Concentrated:
		return []quantity{{name: "rho", measure: privacy.ConcentratedMeasure(), perOne: unitsPerNat}}, nil
	case Gaussian:
		return []quantity{{name: "mu²", measure: privacy.GaussianMeasure(), perOne: unitsPerNat}}, nil
	case Renyi:
		var all []quantity
		for _, order := range orders {
			of, err := privacy.RenyiMeasure(order)
			if err != nil {
				return nil, err
			}
			all = append(all, quantity{"renyi", order, of, unitsPerNat})
		}
		return all, nil
	}
	return nil, fmt.Errorf("%w: measure %d", ErrInvalid, uint8(m))
}

// caps returns the orders that are counted, nil but for Renyi, and the caps of all sums, rounded down.
func (m Measure) caps(b privacy.Budget, given []float64) (orders []float64, caps []int64, err error) {
	limit := func(of privacy.Measure, b privacy.Budget) (int64, error) {
		v, err := of.Limit(b)
		if err != nil {
			return 0, err
		}
		return capOf(v, unitsPerNat)
	}
	switch m {
	case Pure, Basic:
		c, err := capOf(b.Epsilon, unitsPerNat)
		if err != nil || m == Pure {
			return nil, []int64{c}, err
		}
		d, err := capOf(b.Delta, unitsPerDelta)
		return nil, []int64{c, d}, err
	case Concentrated:
		c, err := limit(privacy.ConcentratedMeasure(), b)
		return nil, []int64{c}, err
	case Gaussian:
		c, err := limit(privacy.GaussianMeasure(), b)
		return nil, []int64{c}, err
	}
	for drop := range given { // a higher order has a larger cap
		orders, caps = given[drop:], caps[:0]
		share := b
		if share.Delta = math.Nextafter(b.Delta/float64(len(orders)), 0); len(orders) == 1 {
			share.Delta = b.Delta
		}
		for _, order := range orders {
			of, err := privacy.RenyiMeasure(order)
			if err != nil {
				return nil, nil, err
			}
			c, err := limit(of, share)
			if err != nil {
				break
			}
			caps = append(caps, min(c, maxOrderCap))
		}
		if len(caps) == len(orders) {
			return orders, caps, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: a budget of %+v allows nothing at orders %v: its epsilon is too small for its delta, or too large to count", ErrInvalid, b, given)
}

// any reports whether one sum that fits is enough.
func (m Measure) any() bool { return m == Renyi }

// accountant says what is added up.
func (m Measure) accountant() string {
	switch m {
	case Pure:
		return "basic composition of pure differential privacy"
	case Basic:
		return "basic composition of (epsilon, delta)"
	case Concentrated:
		return "zero-concentrated differential privacy"
	case Gaussian:
		return "Gaussian differential privacy"
	}
	return "Rényi divergence at orders fixed in advance"
}

// conversion says how the cap follows from the budget.
func (m Measure) conversion(orders int) string {
	switch {
	case m == Pure:
		return "none: the sum of epsilon is the guarantee"
	case m == Basic:
		return "none: the sums of epsilon and delta are the guarantee"
	case m == Concentrated:
		return "rho to (epsilon, delta) at the best order, Canonne, Kamath, Steinke 2020, Proposition 12"
	case m == Gaussian:
		return "mu to (epsilon, delta), exact"
	case orders == 1:
		return "Rényi divergence to (epsilon, delta), Canonne, Kamath, Steinke 2020, Proposition 12"
	}
	return fmt.Sprintf("Rényi divergence to (epsilon, delta/%d) at each order, Canonne, Kamath, Steinke 2020, Proposition 12, and a union bound over the orders", orders)
}

// epsilon is an upper bound on the epsilon of sums, at the delta of the budget.
func (m Measure) epsilon(of []quantity, delta float64, sums []int64) float64 {
	nats := func(i int) float64 {
		if sums[i] == math.MaxInt64 {
			return math.Inf(1)
		}
		return inUnits(sums[i], of[i].perOne, math.Inf(1))
	}
	switch m {
	case Pure, Basic:
		return nats(0)
	case Concentrated, Gaussian:
		return of[0].measure.Epsilon(nats(0), delta)
	}
	if n := float64(len(of)); n > 1 {
		delta = math.Nextafter(delta/n, 0)
	}
	best := math.Inf(1)
	for i := range of {
		best = min(best, of[i].measure.Epsilon(nats(i), delta))
	}
	return best
}

// inUnits converts a balance, rounded towards to.
func inUnits(units, perOne int64, to float64) float64 {
	if units == 0 {
		return 0
	}
	v := float64(units) / float64(perOne) // two roundings
	return math.Nextafter(math.Nextafter(v, to), to)
}
