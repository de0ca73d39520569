package privacy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	stateVersion = 2
	// Every accountant can go on from the state of any other: they differ in what they make of the counts.
	kindAccountant = "accountant"
)

// state is what is saved: counts per event, never curves or epsilons.
type state struct {
	Version int          `json:"version"`
	Kind    string       `json:"kind"`
	Filter  *filterState `json:"filter,omitempty"`
	Events  []eventState `json:"events"`
	Digest  string       `json:"digest"` // SHA-256 of the state with an empty digest: against damage, not against an enemy
}

type filterState struct {
	Budget  Budget  `json:"budget"`
	Measure measure `json:"measure"`
	Spent   uint64  `json:"spent"` // of budgetUnits
}

type eventState struct {
	Event json.RawMessage `json:"event"`
	Count int64           `json:"count"`
}

func (s state) digest() (string, error) {
	s.Digest = ""
	data, err := json.Marshal(s)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), err
}

func encodeState(kind string, f *filterState, entries []entry) ([]byte, error) {
	s := state{Version: stateVersion, Kind: kind, Filter: f, Events: make([]eventState, len(entries))}
	for i, x := range entries {
		s.Events[i] = eventState{json.RawMessage(x.name), x.count}
	}
	var err error
	if s.Digest, err = s.digest(); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// decodeState accepts only what encodeState writes: known fields, the digest, valid events, each once, with a positive count.
func decodeState(kind string, data []byte) (*state, *history, error) {
	refuse := func(err error) (*state, *history, error) {
		return nil, nil, fmt.Errorf("%w %s state: %w", ErrInvalid, kind, err)
	}
	var s state
	if err := strict(data, &s); err != nil {
		return refuse(err)
	}
	if s.Version != stateVersion || s.Kind != kind || (s.Filter != nil) != (kind == "filter") {
		return refuse(fmt.Errorf("version %d of kind %q, want version %d of kind %q", s.Version, s.Kind, stateVersion, kind))
	}
	if want, err := s.digest(); err != nil || s.Digest != want {
		return refuse(errors.Join(err, errors.New("the digest does not fit: the state was damaged or edited")))
	}
	var h history
	for i, es := range s.Events {
		e, err := UnmarshalEvent(es.Event)
		if err != nil {
			return refuse(fmt.Errorf("event %d: %w", i, err))
		}
		x, err := h.entry(e)
		if err != nil {
			return refuse(fmt.Errorf("event %d: %w", i, err))
		}
		if x.count != 0 || es.Count <= 0 {
			return refuse(fmt.Errorf("event %d: counted twice, or count %d is not above 0", i, es.Count))
		}
		if err := h.add(x, es.Count); err != nil {
			return refuse(fmt.Errorf("event %d: %w", i, err))
		}
	}
	return &s, &h, nil
}
