package privacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	var v envelope
	if err := strict(data, &v); err != nil {
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
	}
	return nil, &InvalidError{"event's type", v.Type, "a type that MarshalEvent writes"}
}

func decode[E Event](params []byte) (Event, error) {
	var e E
	if err := strict(params, &e); err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrInvalid, e.kind(), err)
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return e, nil
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
