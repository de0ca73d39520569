package privacy

import (
	"encoding/json"
	"fmt"
	"math"
)

const (
	maxCount   = 1 << 62 // executions of leaves in one event
	maxDepth   = 8       // composite events within each other
	maxBracket = 40      // JSON brackets within each other: at most four per composite event
)

// Repeated is Count independent executions of an event, charged as one.
type Repeated struct {
	Event Event
	// Count is 1 or more.
	Count int64
}

// Validate accepts a valid Event and a Count from 1 on, up to 2^62 executions in all. Composite events nest eight deep at most.
func (r Repeated) Validate() error {
	own, err := valid(r.Event)
	if err != nil {
		return err
	}
	if r.Count < 1 {
		return &InvalidError{"Repeated.Count", r.Count, "a whole number from 1"}
	}
	return checkComposite("Repeated", nesting(own)+1, executions(own, r.Count))
}

func (Repeated) kind() string { return "repeated" }

func (r Repeated) relation() Relation {
	if r.Event == nil {
		return 0
	}
	return r.Event.relation()
}

func (r Repeated) lower() []leaf {
	leaves := r.Event.lower()
	for i := range leaves {
		leaves[i].count *= r.Count
	}
	return leaves
}

type repeatedJSON struct {
	Event json.RawMessage `json:"event"`
	Count int64           `json:"count"`
}

// MarshalJSON writes {"event", "count"}, the event as MarshalEvent does.
func (r Repeated) MarshalJSON() ([]byte, error) {
	return wrap(r.Event, func(event json.RawMessage) any { return repeatedJSON{event, r.Count} })
}

// UnmarshalJSON reads what MarshalJSON writes, with known fields only.
func (r *Repeated) UnmarshalJSON(data []byte) error {
	var v repeatedJSON
	e, err := unwrap(data, &v, &v.Event)
	if err != nil {
		return err
	}
	*r = Repeated{e, v.Count}
	return nil
}

// checkComposite refuses a composite event that is nested too deeply or stands for too many executions.
func checkComposite(name string, depth int, count int64) error {
	if depth > maxDepth {
		return &InvalidError{name, fmt.Sprintf("nested %d deep", depth), "composite events nested at most 8 deep"}
	}
	if count > maxCount {
		return &InvalidError{name, "too many executions", "at most 2^62 in all"}
	}
	return nil
}

// nesting is how many composite events lie within each other in a valid event.
func nesting(e Event) int {
	switch e := e.(type) {
	case Repeated:
		return nesting(e.Event) + 1
	case Select:
		return nesting(e.Event) + 1
	case Composed:
		return e.depth
	}
	return 0
}

// executions counts the leaves of times executions of a valid event; math.MaxInt64 if there are more than maxCount.
//
// Composite events are not lowered for it: that would take their JSON apart again at every level.
func executions(e Event, times int64) int64 {
	sum := int64(0)
	switch e := e.(type) {
	case Composed:
		return product(e.count, times)
	case Repeated:
		return executions(e.Event, product(e.Count, times))
	case Select:
		return product(1, times)
	}
	for _, l := range e.lower() {
		if l.count > (maxCount-sum)/times {
			return math.MaxInt64
		}
		sum += l.count * times
	}
	return sum
}

// product is x times y, both positive; math.MaxInt64 if that is more than maxCount.
func product(x, y int64) int64 {
	if x > maxCount/y {
		return math.MaxInt64
	}
	return x * y
}
