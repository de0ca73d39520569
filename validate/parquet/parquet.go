// Package parquet reads the rows of Parquet files as JSON Lines, so that whatever judges JSON Lines judges them too.
//
// For most uses give the [Rows] that [Open] returns to the ReadJSONL of a dataset.Validator: failures, statistics and limits are those of
// JSON Lines, with the row for the line. A file is read row group by row group; nothing of it is taken on trust. A file that is
// damaged, or that says it is larger than [Limits] allow, ends with an error that matches [ErrDamaged] or [ErrTooLarge].
//
// What the types become: whole numbers are written exactly, unsigned ones too; decimals as the number they are; floats in the shortest
// form, and NaN and infinities, for which JSON has no form, as 1e999 or -1e999, which a validator reports as not finite; texts, enums,
// JSON and UUIDs as strings; bytes without a type as strings, where what is no UTF-8 is noticed; dates as 2006-01-02, times of the day as
// 15:04:05.999999999, instants in UTC (RFC 3339), or without Z where the file says that they are local; lists as lists; groups as
// objects; maps as lists of objects with key and value. A missing value is null.
package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

var (
	// ErrDamaged is matched by the error for a file that is no Parquet file, or not a whole one.
	ErrDamaged = errors.New("parquet: damaged")
	// ErrTooLarge is matched by the error for a file with something beyond [Limits].
	ErrTooLarge = errors.New("parquet: too large")
)

// errEnd ends the rows. io.EOF is what the library returns for a file that was cut, too.
var errEnd = errors.New("parquet: no more rows")

// Limits bound what a file may make this process hold. Memory is a small multiple of Page times the number of columns.
type Limits struct {
	Footer  int   // bytes of the description of the file; 16 MiB if zero
	Page    int   // bytes of a page, after decompression; 64 MiB if zero
	Values  int   // values in a page, missing ones too; 4 million if zero
	Columns int   // leaf columns; 10,000 if zero
	Rows    int64 // of the file; no limit if zero
	Row     int   // bytes of a row as JSON; 16 MiB if zero
}

func (l Limits) filled() (Limits, error) {
	for _, f := range []struct {
		name string
		is   *int
		then int
	}{{"Footer", &l.Footer, 16 << 20}, {"Page", &l.Page, 64 << 20}, {"Values", &l.Values, 4 << 20}, {"Columns", &l.Columns, 10_000}, {"Row", &l.Row, 16 << 20}} {
		if *f.is < 0 {
			return l, fmt.Errorf("parquet: Limits.%s = %d is negative", f.name, *f.is)
		}
		if *f.is == 0 {
			*f.is = f.then
		}
	}
	if l.Rows < 0 {
		return l, fmt.Errorf("parquet: Limits.Rows = %d is negative", l.Rows)
	}
	return l, nil
}

// Rows are the rows of a file: an io.Reader of JSON Lines. It is not safe for concurrent use.
type Rows struct {
	file   *parquet.File
	in     io.ReaderAt
	size   int64
	limits Limits
	shape  *node

	group int // the next row group
	rows  parquet.Rows
	batch []parquet.Row
	ready []parquet.Row // of batch, not written yet
	done  int64         // rows that were written

	out    []byte
	at     int // of out, given to the reader
	err    error
	leaves [][]parquet.Value
}

// Open reads the description of a file of that size.
func Open(r io.ReaderAt, size int64, limits Limits) (_ *Rows, err error) {
	if limits, err = limits.filled(); err != nil {
		return nil, err
	}
	if err := checkEnds(r, size, limits); err != nil {
		return nil, err
	}
	rows := &Rows{in: r, size: size, limits: limits, batch: make([]parquet.Row, 64)}
	if err := guarded(rows.open); err != nil {
		return nil, err
	}
	rows.leaves = make([][]parquet.Value, rows.shape.leaves)
	return rows, nil
}

func (r *Rows) open() (err error) {
	r.file, err = parquet.OpenFile(r.in, r.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10))
	if err != nil {
		return err
	}
	if n := r.file.NumRows(); n < 0 || r.limits.Rows > 0 && n > r.limits.Rows {
		return fmt.Errorf("%w: %d rows, limit %d", ErrTooLarge, n, r.limits.Rows)
	}
	r.shape, err = newNode(r.file.Root(), r.limits)
	return err
}

// NumRows is how many rows the file says it has.
func (r *Rows) NumRows() int64 { return r.file.NumRows() }

// Read reads lines of JSON, one for each row.
func (r *Rows) Read(p []byte) (int, error) {
	for r.at == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		if err := guarded(r.fill); err != nil {
			if r.err = io.EOF; !errors.Is(err, errEnd) {
				r.err = fmt.Errorf("parquet: row %d: %w", r.done, err)
			}
		}
	}
	n := copy(p, r.out[r.at:])
	r.at += n
	return n, nil
}

// fill writes the next row to out.
func (r *Rows) fill() error {
	r.out, r.at = r.out[:0], 0
	for len(r.ready) == 0 {
		if err := r.more(); err != nil {
			return err
		}
	}
	row := r.ready[0]
	r.ready = r.ready[1:]
	if err := r.split(row); err != nil {
		return err
	}
	w := writer{out: r.out, limit: r.limits.Row}
	err := w.object(r.shape, r.leaves)
	if err != nil {
		return err
	}
	r.out = append(w.out, '\n')
	r.done++
	return nil
}

// more reads rows, of the next row group where one has ended.
func (r *Rows) more() error {
	if r.rows == nil {
		groups := r.file.RowGroups()
		if r.group == len(groups) {
			if n := r.NumRows(); r.done != n {
				return fmt.Errorf("%w: it says it has %d rows, and has %d", ErrDamaged, n, r.done)
			}
			return errEnd
		}
		if err := checkPages(r.in, r.size, r.file.Metadata().RowGroups[r.group], r.limits); err != nil {
			return err
		}
		r.rows = groups[r.group].Rows()
		r.group++
	}
	n, err := r.rows.ReadRows(r.batch)
	r.ready = r.batch[:n]
	if err == nil && n > 0 {
		return nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return damaged(err)
	}
	r.ready = nil
	kept := r.batch[:n]
	closing := r.rows.Close()
	r.rows = nil
	if n > 0 { // the values belong to pages that may be used again once the rows are closed
		for i := range kept {
			kept[i] = kept[i].Clone()
		}
		r.ready = kept
	}
	if closing != nil {
		return damaged(closing)
	}
	return nil
}

// Close ends the reading.
func (r *Rows) Close() error {
	r.err = errors.New("parquet: closed")
	r.out, r.at, r.ready = nil, 0, nil
	if r.rows == nil {
		return nil
	}
	rows := r.rows
	r.rows = nil
	return guarded(rows.Close)
}

// split hands the values of a row out to its leaves, which must be in order and each have a value at least.
func (r *Rows) split(row parquet.Row) error {
	leaf := -1
	clear(r.leaves)
	for i := 0; i < len(row); {
		c := row[i].Column()
		if c != leaf+1 || c >= len(r.leaves) {
			return damaged(fmt.Errorf("a row has column %d after %d", c, leaf))
		}
		from := i
		for i < len(row) && row[i].Column() == c {
			i++
		}
		r.leaves[c] = row[from:i]
		leaf = c
	}
	if leaf != len(r.leaves)-1 {
		return damaged(fmt.Errorf("a row has %d of %d columns", leaf+1, len(r.leaves)))
	}
	return nil
}

func damaged(err error) error {
	if errors.Is(err, ErrDamaged) || errors.Is(err, ErrTooLarge) || errors.Is(err, errEnd) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// guarded turns a panic of the library, which hostile files bring about, into an error.
func guarded(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: the reader panicked: %v", ErrDamaged, p)
		}
	}()
	if err = call(); err != nil {
		return damaged(err)
	}
	return nil
}
