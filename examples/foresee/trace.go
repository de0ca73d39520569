package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRows bounds memory: a row takes about 50 bytes.
const maxRows = 5_000_000

// sample is a row of the trace.
type sample struct {
	text  string // t as it stands in the file
	at    time.Time
	value float64
	limit float64
}

// trace is a file as read. Times are strictly increasing, values finite and limits positive.
type trace struct {
	samples []sample
	numeric bool // t is a number of seconds
	gaps    int  // rows without a value
}

// read reads `t,value[,limit]` with a header. fallback is the limit where the column or its first cells are empty; NaN for
// none. Errors name the line.
func read(in io.Reader, fallback float64) (*trace, error) {
	rows := csv.NewReader(skipMark(in))
	rows.ReuseRecord = true
	rows.FieldsPerRecord = -1
	header, err := rows.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("line 1: no header: the file is empty")
		}
		return nil, lineError(err)
	}
	columns := len(header)
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	out := &trace{}
	limit, before, first := fallback, 0, true
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, lineError(err)
		}
		line, _ := rows.FieldPos(0)
		if len(row) != columns {
			return nil, fmt.Errorf("line %d: %d fields, the header has %d", line, len(row), columns)
		}
		if first {
			_, err := strconv.ParseFloat(strings.TrimSpace(row[0]), 64)
			out.numeric, first = err == nil, false
		}
		s := sample{text: strings.Clone(strings.TrimSpace(row[0]))}
		if s.at, err = parseTime(s.text, out.numeric); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if n := len(out.samples); n > 0 && !s.at.After(out.samples[n-1].at) {
			return nil, fmt.Errorf("line %d: t %s is not after %s of line %d", line, quoted(s.text), quoted(out.samples[n-1].text), before)
		}
		if columns == 3 && strings.TrimSpace(row[2]) != "" {
			if limit, err = number("limit", row[2]); err != nil {
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
			if limit <= 0 {
				return nil, fmt.Errorf("line %d: limit %v is not positive", line, limit)
			}
		}
		if strings.TrimSpace(row[1]) == "" {
			out.gaps++
			continue
		}
		if s.value, err = number("value", row[1]); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if math.IsNaN(limit) {
			return nil, fmt.Errorf("line %d: no limit: neither a column of the file nor -limit has one", line)
		}
		if len(out.samples) == maxRows {
			return nil, fmt.Errorf("line %d: more than %d rows", line, maxRows)
		}
		s.limit, before = limit, line
		out.samples = append(out.samples, s)
	}
}

// step is the median time between samples.
func (t *trace) step() time.Duration {
	if len(t.samples) < 2 {
		return time.Second
	}
	steps := make([]time.Duration, len(t.samples)-1)
	for i := range steps {
		steps[i] = t.samples[i+1].at.Sub(t.samples[i].at)
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}

func checkHeader(header []string) error {
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = strings.ToLower(strings.TrimSpace(name))
	}
	ok := len(names) == 2 || len(names) == 3 && names[2] == "limit"
	if !ok || !slices.Contains([]string{"t", "time", "timestamp"}, names[0]) || names[1] != "value" {
		return fmt.Errorf("line 1: the header %s is not t,value or t,value,limit", quoted(strings.Join(header, ",")))
	}
	return nil
}

// parseTime takes seconds, where the first row had them, or a date and time, UTC where it does not say.
func parseTime(text string, numeric bool) (time.Time, error) {
	if numeric {
		s, err := number("t", text)
		if err != nil {
			return time.Time{}, err
		}
		if math.Abs(s) > 8e9 {
			return time.Time{}, fmt.Errorf("t %s is out of range: it is in seconds", quoted(text))
		}
		whole := math.Floor(s)
		return time.Unix(int64(whole), int64((s-whole)*1e9)).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil && at.Year() > 1700 && at.Year() < 2200 {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("t %s is neither a number of seconds nor a time like 2026-01-31T08:00:00Z", quoted(text))
}

func number(name, text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s %s is not a finite number", name, quoted(text))
	}
	return v, nil
}

// quoted keeps what a file says from filling the terminal or steering it.
func quoted(text string) string {
	if len(text) > 40 {
		text = text[:40] + "..."
	}
	return strconv.QuoteToASCII(text)
}

func lineError(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("line %d: %w", parse.Line, parse.Err)
	}
	return err
}

// skipMark leaves out a byte order mark, which some spreadsheets write.
func skipMark(in io.Reader) io.Reader {
	mark := make([]byte, 3)
	n, err := io.ReadFull(in, mark)
	if err == nil && string(mark) == "\ufeff" {
		return in
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.MultiReader(strings.NewReader(string(mark[:n])), failing{err})
	}
	return io.MultiReader(strings.NewReader(string(mark[:n])), in)
}

// failing is a reader that has failed already.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
