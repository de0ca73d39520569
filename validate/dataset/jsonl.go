package dataset

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"strconv"
)

// capped is a reader that ends with ErrTooLarge beyond a limit.
type capped struct {
	r io.Reader
	v *Validator
}

func (c capped) Read(p []byte) (int, error) {
	if limit := c.v.options.Bytes; limit > 0 {
		left := limit - c.v.bytes
		if left < 0 {
			return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		}
		p = p[:min(int64(len(p)), left+1)]
	}
	n, err := c.r.Read(p)
	if c.v.bytes += int64(n); c.v.options.Bytes > 0 && c.v.bytes > c.v.options.Bytes {
		return n, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.v.options.Bytes)
	}
	return n, err
}

// ReadJSONL reads lines with a JSON object each, to the end. Blank lines are no rows. What is wrong with the data is in the
// report; the error is that of the reader, or [ErrTooLarge]. It goes on where an earlier reading ended.
func (v *Validator) ReadJSONL(r io.Reader) error {
	in := bufio.NewReaderSize(capped{r, v}, min(256<<10, max(16, v.options.Line)))
	for {
		line, tooLong, err := v.next(in)
		if len(line) > 0 || tooLong || err == nil {
			v.lines++
			v.jsonRow(line, tooLong)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("dataset: line %d: %w", v.lines+1, err)
		}
	}
}

// next returns a line without its end. Of one that is too long it returns the beginning.
func (v *Validator) next(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	part, err := in.ReadSlice('\n')
	if err == nil {
		return part[:len(part)-1], len(part)-1 > v.options.Line, nil
	}
	if !errors.Is(err, bufio.ErrBufferFull) {
		return part, len(part) > v.options.Line, err
	}
	v.long = v.long[:0]
	for {
		if room := v.options.Line + 1 - len(v.long); room > 0 {
			v.long = append(v.long, part[:min(room, len(part))]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		part, err = in.ReadSlice('\n')
	}
	if n := len(v.long); n > 0 && v.long[n-1] == '\n' {
		v.long = v.long[:n-1]
	}
	return v.long, len(v.long) > v.options.Line, err
}

func (v *Validator) jsonRow(line []byte, tooLong bool) {
	c := &v.cursor
	c.data, c.at, c.depth, c.elements = line, 0, v.options.Depth, v.options.Elements
	if !tooLong && c.peek() == 0 && c.at == len(line) {
		return // blank
	}
	v.begin(v.lines)
	if tooLong {
		v.unreadable(CodeTooLong, "of at most "+strconv.Itoa(v.options.Line)+" bytes", line[:min(len(line), 64)])
		return
	}
	code := ""
	if c.peek() == '{' {
		code = c.object()
	} else if code = c.skip(); code == "" {
		code = CodeNotObject
	}
	if code == "" && (c.peek() != 0 || c.at < len(line)) {
		code = CodeSyntax
	}
	if code != "" { // half a row leaves no trace
		limits := map[string]string{CodeSyntax: "JSON", CodeNotObject: "a JSON object", CodeTooDeep: "nested at most " + strconv.Itoa(v.options.Depth) + " deep",
			CodeTooMany: "of at most " + strconv.Itoa(v.options.Elements) + " values"}
		v.unreadable(code, limits[code], line)
		return
	}
	v.cells(c)
	v.end(line)
}

// cells takes in the values of a row that was read to its end. Of a key that is there twice the last one counts, as it does
// for encoding/json.
func (v *Validator) cells(c *cursor) {
	for i := range c.cells {
		cell := &c.cells[i]
		if cell.column = v.named(cell.name.bytes, i); cell.column != nil {
			cell.column.last = i
		}
	}
	for i := range c.cells {
		cell := &c.cells[i]
		col := cell.column
		if col == nil {
			continue
		}
		if col.last != i {
			v.fail(col, CodeTwice, nil, "there once")
			continue
		}
		col.seen = v.rows
		col.present++
		shown := c.data[cell.start:cell.end]
		if col == v.label {
			if cell.kind == kindString {
				v.labelled(cell.text.bytes)
			} else {
				v.labelled(shown)
			}
		}
		switch cell.kind {
		case kindBool:
			v.boolean(col, shown)
		case kindInt, kindFloat:
			v.number(col, cell.number, shown)
		case kindString:
			v.text(col, cell.text)
		case kindList:
			v.list(col, cell, c, shown)
		case kindObject:
			v.value(col, kindObject, shown)
		default:
			v.null(col)
		}
	}
}

// list takes in a list, whose numbers are those of the column.
func (v *Validator) list(col *column, cell *cell, c *cursor, shown []byte) {
	if !v.value(col, kindList, shown) {
		return
	}
	for range cell.large {
		col.tag("int_beyond_64_bits")
	}
	stats := !v.options.RulesOnly
	low, high := -math.MaxFloat64, math.MaxFloat64
	if r := col.spec.Range; r != nil {
		low, high = max(low, r.Min), min(high, r.Max)
	}
	xs := c.list[cell.first : cell.first+cell.numbers]
	if stats {
		col.numbers.addAll(xs)
	}
	for i, x := range xs {
		if !(low <= x && x <= high) {
			v.inRange(col, number{float: x}, numberAt(shown, i))
		}
	}
	if stats {
		col.lengths.add(float64(cell.length))
	}
	v.length(col, cell.length, shown, "elements")
}

func (v *Validator) null(col *column) {
	col.null++
	if col.spec.MaxMissing == 0 && col.listed {
		v.fail(col, CodeMissing, []byte("null"), "present")
	}
}

func (v *Validator) labelled(label []byte) {
	v.labelText = label
	h := fnv.New32a()
	h.Write(label)
	v.labelHash = h.Sum32()
}
