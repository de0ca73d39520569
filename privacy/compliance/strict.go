package compliance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const maxDepth = 16 // of brackets in JSON; nothing here is half as deep

// decode reads one JSON value with known fields only.
func decode(data []byte, into any) error {
	err := unambiguous(data)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		err = d.Decode(into)
	}
	if err != nil && !errors.Is(err, ErrInvalid) {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}

// unambiguous refuses what encoding/json takes in silence although two readers may read it differently: null for a value, a field
// that is given twice, a field in other letters, which is another's second value, and data after the end.
func unambiguous(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // the fields so far of each bracket; nil for a list
	value, values := false, 0  // a field's name was read; values at the top
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && values == 1 && len(open) == 0 {
			return nil
		} else if err != nil {
			return err
		}
		last := len(open) - 1
		if name, ok := t.(string); ok && last >= 0 && open[last] != nil && !value {
			if open[last][name] {
				return fmt.Errorf("field %q is given twice", clip(name))
			}
			if strings.ContainsFunc(name, otherLetters) {
				return fmt.Errorf("unknown field %q", clip(name))
			}
			open[last][name], value = true, true
			continue
		}
		value = false
		if last < 0 {
			if values++; values > 1 {
				return errors.New("data after the end")
			}
		}
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
		if len(open) > maxDepth {
			return fmt.Errorf("nested more than %d deep", maxDepth)
		}
	}
}

// otherLetters finds what no field has, so that encoding/json cannot match a name in other letters to one.
func otherLetters(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
}
