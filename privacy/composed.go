package privacy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

const maxEvents = 4096

// Composed is several events charged as one. Compose makes it; the zero Composed is invalid.
type Composed struct {
	events string // a JSON list of the events in the order of their JSON: a Composed is comparable
	shared Relation
	depth  int
	count  int64 // executions in all
}

// Compose returns the event that executes each of the given ones once: from 1 to 4096 valid events under one relation. The events of a
// Composed among them are taken one by one. Their order does not matter: compositions of equal events are equal.
func Compose(events ...Event) (Composed, error) {
	names, err := compose(nil, events)
	if err != nil {
		return Composed{}, err
	}
	if len(names) < 1 || len(names) > maxEvents {
		return Composed{}, &InvalidError{"number of events to compose", len(names), "a number from 1 to 4096"}
	}
	slices.Sort(names)
	list := make([]json.RawMessage, len(names))
	for i, name := range names {
		list[i] = json.RawMessage(name)
	}
	data, err := json.Marshal(list)
	if err != nil {
		return Composed{}, fmt.Errorf("privacy: %w", err)
	}
	c := Composed{events: string(data), shared: events[0].relation(), depth: 1}
	count := int64(0)
	for _, e := range events {
		if r := e.relation(); r != c.shared {
			return Composed{}, &InvalidError{"Relation", r, "the " + c.shared.String() + " of the first event"}
		}
		depth := nesting(e)
		if _, ok := e.(Composed); !ok {
			depth++
		}
		c.depth = max(c.depth, depth)
		if n := executions(e, 1); n <= maxCount-count {
			count += n
		} else {
			count = math.MaxInt64
			break
		}
	}
	if err := checkComposite("Composed", c.depth, count); err != nil {
		return Composed{}, err
	}
	c.count = count
	return c, nil
}

// compose appends the JSON of valid events, a Composed taken apart.
func compose(names []string, events []Event) ([]string, error) {
	for _, e := range events {
		if len(names) > maxEvents {
			break
		}
		if c, ok := e.(Composed); ok && c.events != "" {
			var list []json.RawMessage
			if err := json.Unmarshal([]byte(c.events), &list); err != nil {
				return nil, fmt.Errorf("privacy: %w", err)
			}
			for _, name := range list { // there is no Composed among them
				names = append(names, string(name))
			}
			continue
		}
		name, err := MarshalEvent(e)
		if err != nil {
			return nil, err
		}
		names = append(names, string(name))
	}
	return names, nil
}

// Events returns the events in the order of their JSON.
func (c Composed) Events() []Event {
	var list []json.RawMessage
	if json.Unmarshal([]byte(c.events), &list) != nil {
		return nil // the zero Composed
	}
	events := make([]Event, len(list))
	for i, data := range list {
		e, err := UnmarshalEvent(data)
		if err != nil {
			return nil // Compose wrote what it reads
		}
		events[i] = e
	}
	return events
}

// Validate accepts what Compose returned.
func (c Composed) Validate() error {
	if c.events == "" {
		return &InvalidError{"Composed", "empty", "a value made by Compose"}
	}
	return nil
}

// String returns the events as JSON.
func (c Composed) String() string { return c.events }

func (Composed) kind() string         { return "composed" }
func (c Composed) relation() Relation { return c.shared }

// lower adds up the executions of equal mechanisms.
func (c Composed) lower() []leaf {
	var leaves []leaf
	at := make(map[mechanism]int)
	for _, e := range c.Events() {
		for _, l := range e.lower() {
			i, ok := at[l.mechanism]
			if !ok {
				at[l.mechanism] = len(leaves)
				leaves = append(leaves, l)
				continue
			}
			leaves[i].count += l.count
		}
	}
	return leaves
}

type composedJSON struct {
	Events json.RawMessage `json:"events"`
}

// MarshalJSON writes {"events"}, each as MarshalEvent does.
func (c Composed) MarshalJSON() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(composedJSON{json.RawMessage(c.events)})
}

// UnmarshalJSON reads what MarshalJSON writes, with known fields only.
func (c *Composed) UnmarshalJSON(data []byte) error {
	var v struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := strict(data, &v); err != nil {
		return err
	}
	if len(v.Events) > maxEvents {
		return &InvalidError{"number of events to compose", len(v.Events), "a number from 1 to 4096"}
	}
	events := make([]Event, len(v.Events))
	for i, data := range v.Events {
		e, err := UnmarshalEvent(data)
		if err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
		events[i] = e
	}
	own, err := Compose(events...)
	if err != nil {
		return err
	}
	*c = own
	return nil
}
