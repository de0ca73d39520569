package privacy

import (
	"cmp"
	"math"
	"slices"
	"sync/atomic"
)

// history counts executions per distinct event. Its owner guards it.
type history struct {
	relation Relation // of the first event; 0 before
	last     *entry
	entries  map[Event]*entry
	order    []*entry // the entries in the one order in which they are summed and saved; nil when it must be made anew
}

// entry is one distinct event.
type entry struct {
	event Event
	name  string // its JSON: entries are ordered by it
	parts []part
	count int64
	most  int64  // the largest count for which every part's product fits 63 bits
	cost  uint64 // of one execution, in units of the owning Filter

	repeats *atomic.Int64 // executions that are not in count yet; never nil in a history
}

// part is what a leaf of an event adds to one execution.
type part struct {
	mechanism
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
	if err := h.accepts(own.relation()); err != nil {
		return nil, err
	}
	x := &entry{event: own, name: string(name), most: math.MaxInt64, repeats: new(atomic.Int64)}
	for _, l := range own.lower() {
		x.parts = append(x.parts, part(l))
		x.most = min(x.most, math.MaxInt64/l.count)
	}
	return x, nil
}

// fold moves the repeats into the count. The caller guards the history.
func (x *entry) fold() { x.count += x.repeats.Swap(0) }

// accepts refuses a relation other than that of the earlier events.
func (h *history) accepts(r Relation) error {
	if h.relation != 0 && r != 0 && h.relation != r {
		return &InvalidError{"Relation", r, "the " + h.relation.String() + " of the earlier events"}
	}
	return nil
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
	if err := x.fits(n); err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	if x.count == 0 {
		if h.entries == nil {
			h.entries = make(map[Event]*entry)
		}
		h.entries[x.event] = x
		h.relation = x.event.relation()
		h.order = nil
	}
	x.count += n
	h.last = x
	return nil
}

// fits refuses to count n more executions where a sum would overflow.
func (x *entry) fits(n int64) error {
	if n > x.most-x.count {
		return &InvalidError{"count", n, "a total that fits 63 bits"}
	}
	return nil
}

// ordered returns the entries in their order. The slice does not change: a new event makes a new one.
func (h *history) ordered() []*entry {
	if h.order == nil {
		for _, x := range h.entries {
			h.order = append(h.order, x)
		}
		slices.SortFunc(h.order, func(a, b *entry) int { return cmp.Compare(a.name, b.name) })
	}
	return h.order
}

// sorted returns copies of the entries in their order.
func (h *history) sorted() []entry {
	s := make([]entry, 0, len(h.entries))
	for _, x := range h.ordered() {
		s = append(s, *x)
	}
	return s
}

// raise raises the count of every event to that in o, of which it takes over the entries. Nothing is ever lowered; on error nothing
// has changed.
func (h *history) raise(o *history) error {
	if err := h.accepts(o.relation); err != nil {
		return err
	}
	for e, theirs := range o.entries {
		if mine, ok := h.entries[e]; ok {
			mine.count = max(mine.count, theirs.count)
			continue
		}
		count := theirs.count
		theirs.count = 0
		if err := h.add(theirs, count); err != nil {
			return err
		}
	}
	return nil
}

// merge adds the counts of entries that belong to another history; on error nothing has changed.
func (h *history) merge(others []entry) error {
	for i := range others {
		if err := h.accepts(others[i].event.relation()); err != nil {
			return err
		}
		if mine, ok := h.entries[others[i].event]; ok {
			if err := mine.fits(others[i].count); err != nil {
				return err
			}
		}
	}
	for i := range others {
		x, ok := h.entries[others[i].event]
		if !ok {
			own := others[i]
			own.count, own.cost, own.repeats = 0, 0, new(atomic.Int64)
			x = &own
		}
		if err := h.add(x, others[i].count); err != nil {
			return err
		}
	}
	return nil
}

// logMoment returns an upper bound on K(order-1) of one execution, every product and sum rounded up.
func (x *entry) logMoment(order float64) float64 {
	sum := 0.0
	for _, p := range x.parts {
		if k := p.logMoment(order); k > 0 {
			sum = up(sum+ceil(p.count)*k, 4)
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
