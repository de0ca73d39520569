package privacy

import (
	"math"
	"slices"
	"sync"
)

// history counts executions per distinct event. Its owner guards it.
type history struct {
	relation Relation // of the first event; 0 before
	last     *entry
	byKey    map[key]*entry
}

type entry struct {
	key
	count int64
	curve *curve
	cost  uint64 // of one execution, in units of the owning Filter
}

// entry returns the entry for k. A new event is validated and prepared, but not yet part of the history: add does that.
func (h *history) entry(k key) (*entry, error) {
	if h.last != nil && h.last.key == k {
		return h.last, nil
	}
	if known, ok := h.byKey[k]; ok {
		return known, nil
	}
	e := k.event()
	if err := e.Validate(); err != nil {
		return nil, err
	}
	if h.relation != 0 && h.relation != k.relation {
		return nil, &InvalidError{"Relation", k.relation, "the " + h.relation.String() + " of the earlier events"}
	}
	return &entry{key: k, curve: &curve{mechanism: k.mechanism()}}, nil
}

// repeats returns the entry of the last event if e is the same again, else nil: the path of every step but the first.
func (h *history) repeats(e Event) *entry {
	x := h.last
	if x == nil {
		return nil
	}
	switch e := e.(type) {
	case Poisson:
		if x.kind == kindPoisson && x.rate == e.Rate && x.same(&e.Gaussian) {
			return x
		}
	case Gaussian:
		if x.kind == kindGaussian && x.same(&e) {
			return x
		}
	}
	return nil
}

func (k *key) same(g *Gaussian) bool {
	return k.stdDev == g.StdDev && k.clip == g.Clip && k.relation == g.Relation
}

// add counts n more executions of e; on error nothing has changed.
func (h *history) add(e *entry, n int64) error {
	if n > math.MaxInt64-e.count {
		return &InvalidError{"count", n, "a total that fits 63 bits"}
	}
	if n == 0 {
		return nil
	}
	if e.count == 0 {
		if h.byKey == nil {
			h.byKey = make(map[key]*entry)
		}
		h.byKey[e.key] = e
		h.relation = e.relation
	}
	e.count += n
	h.last = e
	return nil
}

// sorted returns copies of the entries in the one order in which they are summed and saved.
func (h *history) sorted() []entry {
	s := make([]entry, 0, len(h.byKey))
	for _, e := range h.byKey {
		s = append(s, *e)
	}
	slices.SortFunc(s, func(a, b entry) int { return a.compare(b.key) })
	return s
}

// curve is the Rényi curve of one event. It remembers the orders of the search ladder.
type curve struct {
	mechanism
	mu     sync.Mutex
	ladder map[float64]float64 // guarded by mu
}

func (c *curve) logMoment(order float64) float64 {
	if frac, _ := math.Frexp(order - 1); frac != 0.5 {
		return c.mechanism.logMoment(order)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.ladder[order]
	if !ok {
		if c.ladder == nil {
			c.ladder = make(map[float64]float64)
		}
		v = c.mechanism.logMoment(order)
		c.ladder[order] = v
	}
	return v
}

// total returns an upper bound on K(order-1) of all entries, every product and sum rounded up.
func total(entries []entry, order float64) float64 {
	sum := 0.0
	for i := range entries {
		if k := entries[i].curve.logMoment(order); k > 0 {
			sum = math.Nextafter(sum+math.Nextafter(ceil(entries[i].count)*k, math.Inf(1)), math.Inf(1))
		}
	}
	return sum
}

// ceil returns the smallest float64 that is at least n >= 0.
func ceil(n int64) float64 {
	f := float64(n)
	if f < 0x1p63 && int64(f) < n {
		f = math.Nextafter(f, math.Inf(1))
	}
	return f
}
