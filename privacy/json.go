package privacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const eventVersion = 1

// envelope is an event in JSON.
type envelope struct {
	Version int             `json:"version"`
	Type    string          `json:"type"`
	Params  json.RawMessage `json:"params"`
}

// MarshalEvent returns a valid event as JSON: {"version", "type", "params"}. Equal events give equal bytes.
func MarshalEvent(e Event) ([]byte, error) {
	own, err := valid(e)
	if err != nil {
		return nil, err
	}
	params, err := json.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("privacy: %w", err)
	}
	return json.Marshal(envelope{eventVersion, own.kind(), params})
}

// UnmarshalEvent returns the event of a MarshalEvent. It accepts known fields and valid events only, so the JSON may come from outside.
func UnmarshalEvent(data []byte) (Event, error) {
	if brackets(data) > maxBracket {
		return nil, &InvalidError{"event", "nested JSON", "composite events nested at most 8 deep"}
	}
	var v envelope
	if err := errors.Join(unambiguous(data), strict(data, &v)); err != nil {
		return nil, fmt.Errorf("%w event: %w", ErrInvalid, err)
	}
	if v.Version != eventVersion {
		return nil, &InvalidError{"event's version", v.Version, fmt.Sprint(eventVersion)}
	}
	switch v.Type {
	case Gaussian{}.kind():
		return decode[Gaussian](v.Params)
	case Poisson{}.kind():
		return decode[Poisson](v.Params)
	case Laplace{}.kind():
		return decode[Laplace](v.Params)
	case DiscreteLaplace{}.kind():
		return decode[DiscreteLaplace](v.Params)
	case DiscreteGaussian{}.kind():
		return decode[DiscreteGaussian](v.Params)
	case RandomizedResponse{}.kind():
		return decode[RandomizedResponse](v.Params)
	case Exponential{}.kind():
		return decode[Exponential](v.Params)
	case PermuteAndFlip{}.kind():
		return decode[PermuteAndFlip](v.Params)
	case Pure{}.kind():
		return decode[Pure](v.Params)
	case Approximate{}.kind():
		return decode[Approximate](v.Params)
	case ZeroConcentrated{}.kind():
		return decode[ZeroConcentrated](v.Params)
	case Sampled{}.kind():
		return decode[Sampled](v.Params)
	case Repeated{}.kind():
		return decode[Repeated](v.Params)
	case Composed{}.kind():
		return decode[Composed](v.Params)
	case FixedSize{}.kind():
		return decode[FixedSize](v.Params)
	case WithReplacement{}.kind():
		return decode[WithReplacement](v.Params)
	case Mixture{}.kind():
		return decode[Mixture](v.Params)
	case Group{}.kind():
		return decode[Group](v.Params)
	case Tree{}.kind():
		return decode[Tree](v.Params)
	case Toeplitz{}.kind():
		return decode[Toeplitz](v.Params)
	case SqrtToeplitz{}.kind():
		return decode[SqrtToeplitz](v.Params)
	case Banded{}.kind():
		return decode[Banded](v.Params)
	case TruncatedPoisson{}.kind():
		return decode[TruncatedPoisson](v.Params)
	case Allocation{}.kind():
		return decode[Allocation](v.Params)
	case Select{}.kind():
		return decode[Select](v.Params)
	}
	return nil, &InvalidError{"event's type", v.Type, "a type that MarshalEvent writes"}
}

// brackets is how deep brackets nest in data, which may count those in strings: events have none there.
func brackets(data []byte) (most int) {
	depth := 0
	for _, b := range data {
		switch b {
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most
}

func decode[E Event](params []byte) (Event, error) {
	var e E
	if err := strict(params, &e); err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrInvalid, e.kind(), err)
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	if err := complete(params, e); err != nil {
		return nil, err
	}
	return e, nil
}

// complete refuses params that lack a field of e, whose zero value would have been taken: a Poisson without a rate costs nothing.
func complete(params []byte, e Event) error {
	own, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("privacy: %w", err)
	}
	var given, want map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(params, &given), json.Unmarshal(own, &want)); err != nil {
		return fmt.Errorf("%w %s: %w", ErrInvalid, e.kind(), err)
	}
	for field := range want {
		if _, ok := given[field]; !ok {
			return &InvalidError{e.kind() + "'s " + field, "missing", "a value"}
		}
	}
	return nil
}

// wrap marshals what outer makes of an event's JSON.
func wrap(e Event, outer func(json.RawMessage) any) ([]byte, error) {
	event, err := MarshalEvent(e)
	if err != nil {
		return nil, err
	}
	return json.Marshal(outer(event))
}

// unwrap reads into v, with known fields only, and returns the event whose JSON it finds in inner, a field of v.
func unwrap(data []byte, v any, inner *json.RawMessage) (Event, error) {
	if err := strict(data, v); err != nil {
		return nil, err
	}
	return UnmarshalEvent(*inner)
}

// strict decodes one JSON value with known fields only.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the end")
	}
	return nil
}

// unambiguous refuses what a decoder takes in silence, and what could make an event cheaper than it reads: null for a number, which stays 0, a
// field that is given twice, and a field in other letters, which is another's second value.
func unambiguous(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // the fields so far of each bracket; nil for a list
	value := false             // a field's name was read
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		last := len(open) - 1
		if name, ok := t.(string); ok && last >= 0 && open[last] != nil && !value {
			if open[last][name] {
				return fmt.Errorf("%q is given twice", name)
			}
			if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
				return fmt.Errorf("unknown field %q", name)
			}
			open[last][name], value = true, true
			continue
		}
		value = false
		switch t {
		case nil:
			return errors.New("null where a value is needed")
		case json.Delim('{'):
			open = append(open, make(map[string]bool))
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:last]
		}
	}
}
