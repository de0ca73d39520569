package privacy

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

// history counts executions per distinct event. Its owner guards it.
type history struct {
	relation Relation // of the first event; 0 before
	last     *entry
	entries  map[Event]*entry
	curves   map[mechanism]*curve
	order    []*entry // the entries in the one order in which they are summed and saved; nil when it must be made anew
}

// entry is one distinct event.
type entry struct {
	event Event
	name  string // its JSON: entries are ordered by it
	parts []part
	count int64
	cost  uint64 // of one execution, in units of the owning Filter
}

// part is what a leaf of an event adds to one execution.
type part struct {
	*curve
	count int64
}

// entry returns the entry for e. A new event is validated and prepared, but not yet part of the history: add does that.
func (h *history) entry(e Event) (*entry, error) {
	own, err := canonical(e) // e itself must not escape
	if err != nil {
		return nil, err
	}
	if known, ok := h.entries[own]; ok {
		return known, nil
	}
	name, err := MarshalEvent(own) // validates
	if err != nil {
		return nil, err
	}
	if r := own.relation(); h.relation != 0 && h.relation != r {
		return nil, &InvalidError{"Relation", r, "the " + h.relation.String() + " of the earlier events"}
	}
	x := &entry{event: own, name: string(name)}
	for _, l := range own.lower() {
		c, ok := h.curves[l.mechanism]
		if !ok {
			c = &curve{mechanism: l.mechanism}
		}
		x.parts = append(x.parts, part{c, l.count})
	}
	return x, nil
}

// repeats returns the entry of the last event if e is the same again, else nil: the path of every step but the first.
func (h *history) repeats(e Event) *entry {
	if x := h.last; x != nil && x.event == e {
		return x
	}
	return nil
}

// add counts n more executions of x; on error nothing has changed.
func (h *history) add(x *entry, n int64) error {
	most := int64(math.MaxInt64)
	for _, p := range x.parts {
		most = min(most, math.MaxInt64/p.count)
	}
	if n > most-x.count {
		return &InvalidError{"count", n, "a total that fits 63 bits"}
	}
	if n == 0 {
		return nil
	}
	if x.count == 0 {
		if h.entries == nil {
			h.entries, h.curves = make(map[Event]*entry), make(map[mechanism]*curve)
		}
		h.entries[x.event] = x
		for _, p := range x.parts {
			h.curves[p.mechanism] = p.curve
		}
		h.relation = x.event.relation()
		h.order = nil
	}
	x.count += n
	h.last = x
	return nil
}

// sorted returns copies of the entries in their order.
func (h *history) sorted() []entry {
	if h.order == nil {
		for _, x := range h.entries {
			h.order = append(h.order, x)
		}
		slices.SortFunc(h.order, func(a, b *entry) int { return cmp.Compare(a.name, b.name) })
	}
	s := make([]entry, len(h.order))
	for i, x := range h.order {
		s[i] = *x
	}
	return s
}

// logMoment returns an upper bound on K(order-1) of one execution.
func (x *entry) logMoment(order float64) float64 {
	return x.times(1, order)
}

// times returns an upper bound on K(order-1) of n executions, every product and sum rounded up.
func (x *entry) times(n int64, order float64) float64 {
	sum := 0.0
	for _, p := range x.parts {
		if k := p.logMoment(order); k > 0 {
			sum = up(sum+ceil(n)*ceil(p.count)*k, 4)
		}
	}
	return sum
}

// total returns an upper bound on K(order-1) of all entries.
func total(entries []entry, order float64) float64 {
	sum := 0.0
	for i := range entries {
		if k := entries[i].times(entries[i].count, order); k > 0 {
			sum = math.Nextafter(sum+k, math.Inf(1))
		}
	}
	return sum
}

// infinite returns an upper bound on the probability of an infinite privacy loss of all entries.
func infinite(entries []entry) float64 {
	sum := 0.0
	for _, x := range entries {
		for _, p := range x.parts {
			if d := p.infinite(); d > 0 {
				sum = up(sum+ceil(x.count)*ceil(p.count)*d, 4)
			}
		}
	}
	return min(sum, 1)
}

// ceil returns the smallest float64 that is at least n >= 0.
func ceil(n int64) float64 {
	f := float64(n)
	if f < 0x1p63 && int64(f) < n {
		f = math.Nextafter(f, math.Inf(1))
	}
	return f
}

// curve is the Rényi curve of one mechanism. It remembers the orders of the search ladder.
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
