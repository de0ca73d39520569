package privacy

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// RDP is an accountant by Rényi differential privacy (Mironov 2017): curves of equal events add up, and the sum is converted
// at the best order. In the usual regime its epsilon is a few percent above the truth, for very small budgets far above.
//
// The zero RDP is ready and searches all real orders. All methods are safe for concurrent use; an RDP must not be copied.
type RDP struct {
	orders []float64 // nil: every real order

	mu      sync.Mutex
	history history // guarded by mu
}

// NewRDP returns an accountant that uses only the given orders, each in (1, 2^40], or every real order if none is given.
// A list is there to reproduce the figures of other accountants; it never makes the bound tighter. Where the best order is the
// first or the last of the list, Converged is false: a longer list would do better.
func NewRDP(orders ...float64) (*RDP, error) {
	for _, o := range orders {
		if err := checkOrder(o); err != nil {
			return nil, err
		}
	}
	orders = slices.Clone(orders)
	slices.Sort(orders)
	return &RDP{orders: slices.Compact(orders)}, nil
}

// Step records one execution of e.
func (r *RDP) Step(e Event) error {
	r.mu.Lock()
	if x := r.history.repeats(e); x != nil && x.count < math.MaxInt64 {
		x.count++
		r.mu.Unlock()
		return nil
	}
	r.mu.Unlock()
	return r.Add(e, 1)
}

// Add records n executions of e; n = 0 only validates. The first event fixes the relation, and events under another relation
// are refused. On error nothing was recorded.
func (r *RDP) Add(e Event, n int) error {
	if n < 0 {
		return &InvalidError{"count", n, "0 or more"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	x, err := r.history.entry(e)
	if err != nil {
		return err
	}
	return r.history.add(x, int64(n))
}

// Epsilon returns an upper bound on the epsilon of everything recorded, at delta, 0 < delta < 1. It changes nothing: equal
// histories give equal bits, whatever the order of the steps and whatever was asked before.
func (r *RDP) Epsilon(delta float64) (Interval, error) {
	if err := checkDelta("delta", delta); err != nil {
		return Interval{}, err
	}
	entries := r.snapshot()
	rest := math.Nextafter(delta-infinite(entries), 0)
	if !(rest > 0) {
		return Interval{}, &InvalidError{"delta", delta, "above the probability of an infinite loss of the recorded events"}
	}
	return r.best(entries, func(c, k float64) float64 { return epsilonAt(c, k, rest) }, func(v float64) float64 { return v }), nil
}

// Delta returns an upper bound on the delta of everything recorded, at eps >= 0. Where the bound is too small for a float64 it
// is the smallest one, not 0.
func (r *RDP) Delta(eps float64) (Interval, error) {
	if !(eps >= 0 && eps <= maxEpsilon) {
		return Interval{}, &InvalidError{"eps", eps, "a number from 0 to 1e15"}
	}
	entries := r.snapshot()
	rest := infinite(entries)
	return r.best(entries, func(c, k float64) float64 { return logDeltaAt(c, k, eps) }, func(v float64) float64 {
		return min(1, up(up(math.Exp(v), 8)+rest, 2))
	}), nil
}

// best minimises value(order-1, K) over the orders of r.
func (r *RDP) best(entries []entry, value func(c, k float64) float64, result func(float64) float64) Interval {
	if !slices.ContainsFunc(entries, func(x entry) bool { return len(x.parts) > 0 }) {
		return Interval{Method: "nothing spent", Converged: true}
	}
	at := func(order float64) float64 { return value(order-1, total(entries, order)) }
	var order, v float64
	var inside bool
	if r.orders == nil {
		order, v, inside = minimise(at, startRung)
	} else {
		v = math.Inf(1)
		for i, o := range r.orders {
			if x := at(o); x < v {
				order, v, inside = o, x, i > 0 && i < len(r.orders)-1
			}
		}
	}
	return Interval{Upper: result(v), Method: fmt.Sprintf("rdp order %.6g", order), Converged: inside || v == 0}
}

// Renyi returns an upper bound on the Rényi divergence, in nats, of everything recorded, at an order in (1, 2^40].
func (r *RDP) Renyi(order float64) (float64, error) {
	if err := checkOrder(order); err != nil {
		return 0, err
	}
	return divergence(total(r.snapshot(), order), order), nil
}

// Renyi returns an upper bound on the Rényi divergence, in nats, of one execution of e, at an order in (1, 2^40]. For Poisson
// events it is the divergence of removing a record, the larger of the two directions. It exceeds the exact value by less than 1e-11 of
// it where sigma is 0.03 or more.
func Renyi(e Event, order float64) (float64, error) {
	var h history
	x, err := h.entry(e)
	if err != nil {
		return 0, err
	}
	if err := checkOrder(order); err != nil {
		return 0, err
	}
	return divergence(x.logMoment(order), order), nil
}

func divergence(k, order float64) float64 {
	if k == 0 {
		return 0
	}
	return up(k/(order-1), 2)
}

func (r *RDP) snapshot() []entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.history.sorted()
}
