package dataset

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// guard lets a csv.Reader have no more than a limit of bytes beyond what its records have used up, so that a quote that
// never ends does not take all memory.
type guard struct {
	r     io.Reader
	given int64
	until int64
	lines int64 // ends of lines
}

var errRecord = errors.New("record too long")

func (g *guard) Read(p []byte) (int, error) {
	left := g.until - g.given
	if left <= 0 {
		return 0, errRecord
	}
	n, err := g.r.Read(p[:min(int64(len(p)), left)])
	g.given += int64(n)
	g.lines += int64(bytes.Count(p[:n], []byte{'\n'}))
	return n, err
}

// ReadCSV reads records as encoding/csv does (RFC 4180), the first of which names the columns. An empty field is a missing
// value. What the others are is decided by the type of their column or, where none is declared, by their form: true and false, ints
// without leading zeros, decimal numbers with NaN and infinities, and texts. What is wrong with the data is in the
// report; an error is that of the reader, of a header that cannot be used, or of a record that is too long, after which there is
// no telling where the next one starts.
func (v *Validator) ReadCSV(r io.Reader) error {
	const ahead = 8 << 10 // what the buffer of a csv.Reader may hold besides a record
	g := &guard{r: capped{r, v}}
	in := csv.NewReader(g)
	in.FieldsPerRecord, in.ReuseRecord = -1, true
	var columns []*column
	width := -1
	base := v.lines
	for {
		g.until = in.InputOffset() + int64(v.options.Line) + ahead
		record, err := in.Read()
		var parse *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			v.lines = base + g.lines
			return nil
		case errors.As(err, &parse) && !errors.Is(err, errRecord) && width >= 0:
			v.begin(base + int64(parse.StartLine))
			v.unreadable(CodeSyntax, "a CSV record: "+parse.Err.Error(), nil)
			continue
		case err != nil:
			return fmt.Errorf("dataset: record %d: %w", v.rows, err)
		}
		if width < 0 {
			if columns, err = v.header(record); err != nil {
				return err
			}
			width = len(record)
			continue
		}
		line, _ := in.FieldPos(0)
		v.begin(base + int64(line))
		if len(record) != width {
			v.unreadable(CodeFields, strconv.Itoa(width)+" fields, as in the header", []byte(strconv.Itoa(len(record))+" fields"))
			continue
		}
		v.long = v.long[:0]
		for i, field := range record {
			v.long = append(append(v.long, field...), 0xff)
			if c := columns[i]; c != nil {
				c.seen = v.rows
				c.present++
				v.field(c, field)
			}
		}
		v.end(v.long)
	}
}

// header makes the columns of a CSV file.
func (v *Validator) header(names []string) ([]*column, error) {
	columns := make([]*column, len(names))
	for i, name := range names {
		if i == 0 && len(name) >= 3 && name[:3] == "\ufeff" {
			name = name[3:] // a byte order mark
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("dataset: column %s is in the header twice", show([]byte(name)))
		}
		v.row, v.line = v.rows, 1+v.lines
		columns[i] = v.named([]byte(name), i)
	}
	return columns, nil
}

// field takes in a field of a record.
func (v *Validator) field(c *column, field string) {
	if field == "" {
		v.null(c)
		return
	}
	raw := []byte(field)
	if c == v.label {
		v.labelled(raw)
	}
	n, isNumber := csvNumber(field)
	switch want := c.spec.Type; {
	case want == String:
	case (want == Any || want == Bool) && (field == "true" || field == "false"):
		v.boolean(c, raw)
		return
	case isNumber && (want != Int || n.whole || n.large):
		v.number(c, n, raw)
		return
	}
	t := text{bytes: raw, ascii: true}
	for i := range len(field) {
		t.ascii = t.ascii && field[i] < utf8.RuneSelf
	}
	t.invalid = !t.ascii && !utf8.ValidString(field)
	v.text(c, t)
}

// csvNumber reads a number in the form of JSON, NaN or an infinity. What starts with a zero, such as a postal code, is a text.
func csvNumber(s string) (n number, ok bool) {
	switch s {
	case "NaN", "nan":
		return number{float: math.NaN()}, true
	case "Inf", "inf", "+Inf", "+inf", "Infinity":
		return number{float: math.Inf(1)}, true
	case "-Inf", "-inf", "-Infinity":
		return number{float: math.Inf(-1)}, true
	}
	if b := s[0]; b != '-' && (b < '0' || b > '9') {
		return n, false
	}
	c := cursor{data: []byte(s)}
	n, code := c.number()
	return n, code == "" && c.at == len(s)
}
