package carbon

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// TraceOptions says how to read a recorded trace. Only Zone is required.
type TraceOptions struct {
	// Zone names the grid zone of the values.
	Zone string
	// Source says where the trace comes from, for the provenance of its readings. Default "recorded trace".
	Source string
	// TimeColumn is the header of the column with the start of each interval. Default: the first column.
	TimeColumn string
	// ValueColumn is the header of the column with the intensity. Default: the column named like Zone.
	ValueColumn string
	// ZoneColumn, if set, is the header of a column that names each row's zone; rows of other zones are left out.
	ZoneColumn string
	// EstimatedColumn, if set, is the header of a column with true or false; rows with true are marked Estimated.
	EstimatedColumn string
	// Convert turns the number in the file into an Intensity; [PerMWhPounds] for lb/MWh. Default: it is g/kWh already.
	Convert func(float64) Intensity
	// Signal of the values. Default Average.
	Signal Signal
	// Basis of the values. Default Measured.
	Basis Basis
	// Scope of the values. Default unstated.
	Scope Scope
	// Spacing is how long a value holds where the next row does not end it sooner. Default: the most frequent step
	// between successive times of the file.
	Spacing time.Duration
	// MaxBytes bounds what is read. Default 64 MiB.
	MaxBytes int64
}

// Trace is a recorded trace of one zone, held in memory. The zero value and nil have no data. Safe for concurrent use.
type Trace struct {
	zone, source string
	signal       Signal
	basis        Basis
	scope        Scope
	spacing      time.Duration
	skipped      int
	spans        []span // ordered by time, disjoint
}

// span is one value and the interval it holds for, in Unix milliseconds.
type span struct {
	from, to  int64
	value     Intensity
	estimated bool
}

// ReadTrace reads a trace from CSV with a header line; unzip a .gz with gzip.NewReader first.
//
// Times are RFC 3339 or shorter: the seconds, the minutes and the zone may be missing, the T may be a space. A time
// without a zone is UTC. A row holds from its time to the next row's, but no longer than the spacing. A row whose value
// is empty, null, NA, NaN, infinite, negative or above [MaxIntensity] is a gap. Rows may come in any order; of several
// rows for one time the last with a value counts. Anything else that cannot be read is an error that names the line.
func ReadTrace(r io.Reader, opts TraceOptions) (*Trace, error) {
	if r == nil {
		return nil, errors.New("carbon: trace: nil reader")
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	in := bufio.NewReader(&boundedReader{r: r, left: opts.MaxBytes, max: opts.MaxBytes})
	if bom, _ := in.Peek(3); string(bom) == "\ufeff" {
		_, _ = in.Discard(3)
	}
	file := csv.NewReader(in)
	file.ReuseRecord = true
	header, err := file.Read()
	if err != nil {
		return nil, fmt.Errorf("carbon: trace: header: %w", err)
	}
	cols, err := opts.columns(header)
	if err != nil {
		return nil, err
	}
	var rows []row
	for {
		record, err := file.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("carbon: trace: %w", err)
		}
		if cols.zone >= 0 && strings.TrimSpace(record[cols.zone]) != opts.Zone {
			continue
		}
		parsed, column, err := cols.parse(record, opts.Convert)
		if err != nil {
			line, _ := file.FieldPos(column)
			return nil, fmt.Errorf("carbon: trace: line %d, column %q: %w", line, cols.names[column], err)
		}
		rows = append(rows, parsed)
	}
	return newTrace(rows, opts)
}

func (o *TraceOptions) complete() error {
	if o.Zone == "" {
		return errors.New("carbon: trace: Zone is empty")
	}
	if o.Signal > Marginal {
		return fmt.Errorf("carbon: trace: Signal %d is not average or marginal", o.Signal)
	}
	if o.Basis > Forecast {
		return fmt.Errorf("carbon: trace: Basis %d is not measured, estimated or forecast", o.Basis)
	}
	if o.Scope > Direct {
		return fmt.Errorf("carbon: trace: Scope %d is not lifecycle or direct", o.Scope)
	}
	if o.Spacing < 0 || o.Spacing%time.Millisecond != 0 {
		return fmt.Errorf("carbon: trace: Spacing %v is not a positive number of milliseconds", o.Spacing)
	}
	if o.MaxBytes < 0 {
		return fmt.Errorf("carbon: trace: MaxBytes %d is negative", o.MaxBytes)
	}
	if o.Source == "" {
		o.Source = "recorded trace"
	}
	if o.ValueColumn == "" {
		o.ValueColumn = o.Zone
	}
	if o.Convert == nil {
		o.Convert = func(v float64) Intensity { return Intensity(v) }
	}
	if o.Signal == 0 {
		o.Signal = Average
	}
	if o.Basis == 0 {
		o.Basis = Measured
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	return nil
}

// columns are the places of the wanted columns in a record, -1 where none is wanted.
type columns struct {
	time, value, zone, estimated int
	names                        []string
}

func (o *TraceOptions) columns(header []string) (columns, error) {
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = strings.TrimSpace(h)
	}
	var missing error
	find := func(field, name string, otherwise int) int {
		if name == "" {
			return otherwise
		}
		at := slices.Index(names, name)
		switch {
		case at < 0:
			missing = fmt.Errorf("carbon: trace: no column %q for %s; the header has %q", name, field, names)
		case slices.Contains(names[at+1:], name):
			missing = fmt.Errorf("carbon: trace: column %q for %s occurs twice", name, field)
		}
		return at
	}
	cols := columns{names: names}
	cols.time = find("TimeColumn", o.TimeColumn, 0)
	cols.value = find("ValueColumn", o.ValueColumn, -1)
	cols.zone = find("ZoneColumn", o.ZoneColumn, -1)
	cols.estimated = find("EstimatedColumn", o.EstimatedColumn, -1)
	return cols, missing
}

// row is one line of the file; known is false for a gap.
type row struct {
	at        int64
	value     Intensity
	known     bool
	estimated bool
}

// parse reads one record, or says which column it could not read.
func (c columns) parse(record []string, convert func(float64) Intensity) (row, int, error) {
	at, err := parseTime(record[c.time])
	if err != nil {
		return row{}, c.time, err
	}
	out := row{at: at.UnixMilli()}
	switch text := strings.TrimSpace(record[c.value]); strings.ToLower(text) {
	case "", "null", "none", "na", "n/a", "-":
	default:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range is infinite: a gap
			return row{}, c.value, fmt.Errorf("%q is not a number", clip(text))
		}
		out.value = convert(v)
		out.known = out.value.Valid()
	}
	if c.estimated >= 0 {
		switch text := strings.TrimSpace(record[c.estimated]); strings.ToLower(text) {
		case "true", "1", "yes":
			out.estimated = true
		case "false", "0", "no", "":
		default:
			return row{}, c.estimated, fmt.Errorf("%q is not true or false", clip(text))
		}
	}
	return out, 0, nil
}

func newTrace(rows []row, opts TraceOptions) (*Trace, error) {
	tr := &Trace{zone: opts.Zone, source: opts.Source, signal: opts.Signal, basis: opts.Basis, scope: opts.Scope, spacing: opts.Spacing}
	for _, r := range rows {
		if !r.known {
			tr.skipped++
		}
	}
	if tr.skipped == len(rows) {
		return nil, fmt.Errorf("carbon: trace: no usable value in %d rows of zone %q", len(rows), opts.Zone)
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		default:
			return 0
		}
	})
	rows = latest(rows)
	if tr.spacing == 0 {
		tr.spacing = usualStep(rows)
	}
	if tr.spacing == 0 {
		return nil, errors.New("carbon: trace: a single time does not tell the spacing; set Spacing")
	}
	for i, r := range rows {
		if !r.known {
			continue
		}
		end := r.at + tr.spacing.Milliseconds()
		if i+1 < len(rows) {
			end = min(end, rows[i+1].at)
		}
		tr.spans = append(tr.spans, span{from: r.at, to: end, value: r.value, estimated: r.estimated})
	}
	return tr, nil
}

// latest keeps one row per time: the last with a value, else the gap.
func latest(rows []row) []row {
	kept := rows[:1]
	for _, r := range rows[1:] {
		last := &kept[len(kept)-1]
		switch {
		case r.at != last.at:
			kept = append(kept, r)
		case r.known:
			*last = r
		}
	}
	return kept
}

// usualStep is the most frequent distance between successive rows, the shorter one on a tie; 0 for a single row.
func usualStep(rows []row) time.Duration {
	count := make(map[int64]int)
	for i := range rows[1:] {
		count[rows[i+1].at-rows[i].at]++
	}
	var step int64
	for d, n := range count {
		if n > count[step] || n == count[step] && d < step {
			step = d
		}
	}
	return time.Duration(step) * time.Millisecond
}

// At returns the value recorded for t, or a *[NoDataError] outside the trace and in its gaps.
func (tr *Trace) At(ctx context.Context, t time.Time) (Reading, error) {
	if err := ctx.Err(); err != nil {
		return Reading{}, err
	}
	if tr == nil {
		return Reading{}, &NoDataError{At: t}
	}
	at := t.UnixMilli()
	next := sort.Search(len(tr.spans), func(i int) bool { return tr.spans[i].from > at })
	if next == 0 || at >= tr.spans[next-1].to {
		missing := &NoDataError{Zone: tr.zone, At: t}
		if next < len(tr.spans) {
			missing.Until = time.UnixMilli(tr.spans[next].from).UTC()
		}
		return Reading{}, missing
	}
	return tr.reading(tr.spans[next-1]), nil
}

func (tr *Trace) reading(s span) Reading {
	r := Reading{
		Intensity: s.value,
		Signal:    tr.signal,
		Basis:     tr.basis,
		Scope:     tr.scope,
		Zone:      tr.zone,
		Source:    tr.source,
		From:      time.UnixMilli(s.from).UTC(),
		To:        time.UnixMilli(s.to).UTC(),
	}
	if s.estimated {
		r.Basis = Estimated
	}
	return r
}

// Len is the number of intervals with a value.
func (tr *Trace) Len() int {
	if tr == nil {
		return 0
	}
	return len(tr.spans)
}

// Skipped is the number of rows that had no usable value.
func (tr *Trace) Skipped() int {
	if tr == nil {
		return 0
	}
	return tr.skipped
}

// Spacing is how long a value holds where the next row does not end it sooner.
func (tr *Trace) Spacing() time.Duration {
	if tr == nil {
		return 0
	}
	return tr.spacing
}

// Span is the time from the first to the end of the last value, gaps included.
func (tr *Trace) Span() (from, to time.Time) {
	if tr.Len() == 0 {
		return time.Time{}, time.Time{}
	}
	return time.UnixMilli(tr.spans[0].from).UTC(), time.UnixMilli(tr.spans[len(tr.spans)-1].to).UTC()
}

// boundedReader fails, where io.LimitReader would end, once more than max bytes have come: half a trace is no trace.
type boundedReader struct {
	r         io.Reader
	left, max int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left == 0 {
		var one [1]byte
		n, err := b.r.Read(one[:])
		if n > 0 {
			return 0, fmt.Errorf("larger than the limit of %d bytes", b.max)
		}
		return 0, err
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

// clip keeps an error message short whatever the file holds.
func clip(s string) string {
	const longest = 40
	if len(s) <= longest {
		return s
	}
	return s[:longest] + "..."
}
