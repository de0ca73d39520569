package privacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const stateVersion = 1

// state is what is saved: counts per event, never curves or epsilons.
type state struct {
	Version int          `json:"version"`
	Kind    string       `json:"kind"`
	Filter  *filterState `json:"filter,omitempty"`
	Events  []eventState `json:"events"`
}

type filterState struct {
	Budget Budget  `json:"budget"`
	Order  float64 `json:"order"`
	Spent  uint64  `json:"spent"` // of budgetUnits
}

type eventState struct {
	Type     string   `json:"type"`
	Rate     *float64 `json:"rate,omitempty"`
	StdDev   float64  `json:"std_dev"`
	Clip     float64  `json:"clip"`
	Relation string   `json:"relation"`
	Count    int64    `json:"count"`
}

func encodeState(kind string, f *filterState, entries []entry) ([]byte, error) {
	s := state{Version: stateVersion, Kind: kind, Filter: f, Events: []eventState{}}
	for _, e := range entries {
		es := eventState{Type: "gaussian", StdDev: e.stdDev, Clip: e.clip, Relation: e.relation.String(), Count: e.count}
		if e.kind == kindPoisson {
			es.Type, es.Rate = "poisson", &e.rate
		}
		s.Events = append(s.Events, es)
	}
	return json.Marshal(s)
}

// decodeState accepts only what encodeState writes: known fields, valid events, each once, with a positive count.
func decodeState(kind string, data []byte) (*state, *history, error) {
	refuse := func(err error) (*state, *history, error) {
		return nil, nil, fmt.Errorf("%w %s state: %w", ErrInvalid, kind, err)
	}
	var s state
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return refuse(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(errors.New("data after the end"))
	}
	if s.Version != stateVersion || s.Kind != kind || (s.Filter != nil) != (kind == "filter") {
		return refuse(fmt.Errorf("version %d of kind %q, want version %d of kind %q", s.Version, s.Kind, stateVersion, kind))
	}
	var h history
	for i, es := range s.Events {
		k := key{rate: 1, stdDev: es.StdDev, clip: es.Clip}
		switch {
		case es.Type == "gaussian" && es.Rate == nil:
			k.kind = kindGaussian
		case es.Type == "poisson" && es.Rate != nil:
			k.kind, k.rate = kindPoisson, *es.Rate
		default:
			return refuse(fmt.Errorf("event %d: unknown type %q, or a rate out of place", i, es.Type))
		}
		for _, r := range [...]Relation{AddRemove, ReplaceOne} {
			if es.Relation == r.String() {
				k.relation = r
			}
		}
		e, err := h.entry(k)
		if err != nil {
			return refuse(fmt.Errorf("event %d: %w", i, err))
		}
		if e.count != 0 || es.Count <= 0 {
			return refuse(fmt.Errorf("event %d: counted twice, or count %d is not above 0", i, es.Count))
		}
		if err := h.add(e, es.Count); err != nil {
			return refuse(fmt.Errorf("event %d: %w", i, err))
		}
	}
	return &s, &h, nil
}

// merge raises the count of every event to that in o, of which it takes over the entries. Nothing is ever lowered; on error nothing
// has changed.
func (h *history) merge(o *history) error {
	if h.relation != 0 && o.relation != 0 && h.relation != o.relation {
		return &InvalidError{"Relation", o.relation, "the " + h.relation.String() + " of the earlier events"}
	}
	for k, theirs := range o.byKey {
		if mine, ok := h.byKey[k]; ok {
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

// State returns the recorded counts as JSON, for a checkpoint. Equal histories give equal bytes.
func (r *RDP) State() ([]byte, error) {
	return encodeState("rdp", nil, r.snapshot())
}

// Restore continues from a State: afterwards every event counts at least as often as there. An accountant that has recorded more
// keeps it, so an older checkpoint never lowers an epsilon. The orders of r are kept. On error nothing has changed; saved states
// are checked strictly, so they may come from outside.
func (r *RDP) Restore(data []byte) error {
	_, h, err := decodeState("rdp", data)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.history.merge(h)
}
