package carbon

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ReadTraceJSON reads a trace as [ReadTrace] does, but from JSON: a list of objects with one value each, that list as one
// of the members of an object, or objects one after the other, as in JSON lines. So a saved answer of Electricity Maps can
// be replayed as it is.
//
// The columns of the options are the names of members here; the defaults are "datetime" for TimeColumn and
// "carbonIntensity" for ValueColumn. A value may be a number or a text with one.
func ReadTraceJSON(r io.Reader, opts TraceOptions) (*Trace, error) {
	if r == nil {
		return nil, errors.New("carbon: trace: nil reader")
	}
	opts.TimeColumn = pick(opts.TimeColumn, "datetime")
	opts.ValueColumn = pick(opts.ValueColumn, "carbonIntensity")
	if err := opts.complete(); err != nil {
		return nil, err
	}
	in := bufio.NewReader(&boundedReader{r: r, left: opts.MaxBytes, max: opts.MaxBytes})
	if bom, _ := in.Peek(3); string(bom) == "\ufeff" {
		_, _ = in.Discard(3)
	}
	reader := traceJSON{opts: opts}
	dec := json.NewDecoder(in)
	for {
		var value json.RawMessage
		err := dec.Decode(&value)
		if err == io.EOF {
			break
		}
		if err == nil {
			err = reader.take(value)
		}
		if err != nil {
			return nil, fmt.Errorf("carbon: trace: object %d: %w", reader.seen+1, err)
		}
	}
	return newTrace(reader.rows, opts)
}

// traceJSON collects the rows.
type traceJSON struct {
	opts TraceOptions
	rows []row
	seen int // objects with a time
}

// take reads a list of objects, an object with such lists, or an object that is a row.
func (t *traceJSON) take(value json.RawMessage) error {
	var list []map[string]json.RawMessage
	if json.Unmarshal(value, &list) == nil && list != nil {
		return t.takeAll(list)
	}
	var one map[string]json.RawMessage
	if err := json.Unmarshal(value, &one); err != nil || one == nil {
		return errors.New("neither an object nor a list of objects")
	}
	if _, isRow := one[t.opts.TimeColumn]; isRow {
		return t.takeOne(one)
	}
	var found bool
	for _, name := range []string{"data", "history", "forecast", "readings", "values"} {
		if member, has := one[name]; has {
			if err := json.Unmarshal(member, &list); err != nil || list == nil {
				return fmt.Errorf("member %q is no list of objects", name)
			}
			if err := t.takeAll(list); err != nil {
				return err
			}
			found = true
		}
	}
	if !found {
		return fmt.Errorf("no member %q, and no list of objects that have one", t.opts.TimeColumn)
	}
	return nil
}

func (t *traceJSON) takeAll(list []map[string]json.RawMessage) error {
	for _, one := range list {
		if err := t.takeOne(one); err != nil {
			return err
		}
	}
	return nil
}

// takeOne reads a row as the line of a CSV file would be read.
func (t *traceJSON) takeOne(one map[string]json.RawMessage) error {
	if zone := t.opts.ZoneColumn; zone != "" && strings.TrimSpace(plain(one[zone])) != t.opts.Zone {
		return nil
	}
	record := []string{plain(one[t.opts.TimeColumn]), plain(one[t.opts.ValueColumn]), plain(one[t.opts.EstimatedColumn])}
	names := []string{t.opts.TimeColumn, t.opts.ValueColumn, t.opts.EstimatedColumn}
	cols := columns{time: 0, value: 1, zone: -1, estimated: -1, names: names}
	if t.opts.EstimatedColumn != "" {
		cols.estimated = 2
	}
	parsed, column, err := cols.parse(record, t.opts.Convert)
	if err != nil {
		return fmt.Errorf("member %q: %w", names[column], err)
	}
	t.rows = append(t.rows, parsed)
	t.seen++
	return nil
}

// plain is a JSON value as CSV would have it: a text without its quotes, nothing for null and for what is missing.
func plain(value json.RawMessage) string {
	var text *string
	if json.Unmarshal(value, &text) == nil {
		if text == nil {
			return ""
		}
		return *text
	}
	return string(value)
}
