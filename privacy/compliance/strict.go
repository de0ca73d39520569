package compliance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
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
	if !utf8.Valid(data) || loneSurrogate(data) {
		return errors.New("text that is not UTF-8") // encoding/json replaces it
	}
	var open []map[string]bool // the fields so far of each bracket; nil for a list
	var path []string          // the field that each bracket is at
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
			if strings.ContainsFunc(name, otherLetters) && !free(path[:last]) {
				return fmt.Errorf("unknown field %q", clip(name))
			}
			open[last][name], value = true, true
			path[last] = name
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
			open, path = append(open, make(map[string]bool)), append(path, "")
		case json.Delim('['):
			open, path = append(open, nil), append(path, "")
		case json.Delim('}'), json.Delim(']'):
			open, path = open[:last], path[:last]
		}
		if len(open) > maxDepth {
			return fmt.Errorf("nested more than %d deep", maxDepth)
		}
	}
}

// free reports whether what is below a path is the caller's: evidence of their own, or parameters.
func free(path []string) bool {
	return len(path) >= 3 && (path[0] == "own" && path[2] == "value" || path[0] == "checks" && path[2] == "parameters")
}

// loneSurrogate reports whether the JSON has an escape for half of a character.
func loneSurrogate(data []byte) bool {
	unit := func(i int) uint64 { // of UTF-16, at data[i]; 0 for none
		if i+6 > len(data) || data[i] != '\\' || data[i+1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseUint(string(data[i+2:i+6]), 16, 16) // the decoder refuses what is no number
		return n
	}
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		switch n := unit(i); {
		case n >= 0xd800 && n < 0xdc00:
			if next := unit(i + 6); next < 0xdc00 || next > 0xdfff {
				return true
			}
			i += 11
		case n >= 0xdc00 && n < 0xe000:
			return true
		default:
			i++ // a backslash may be escaped
		}
	}
	return false
}

// otherLetters finds what no field has, so that encoding/json cannot match a name in other letters to one.
func otherLetters(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
}
