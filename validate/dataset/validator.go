package dataset

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/surefoot-ml/surefoot/validate"
	"github.com/surefoot-ml/surefoot/validate/sketch"
)

// Validator reads rows and keeps what [Report] tells. It is not safe for concurrent use: give each goroutine its own and
// merge them.
type Validator struct {
	schema  Schema
	options Options

	columns []*column // listed ones first, then in the order of their appearance
	byName  map[string]*column
	key     *column
	label   *column

	row, line   int64 // of the row that is read, from 0 and from 1
	rows, lines int64
	bytes       int64
	bad         int64 // rows with a failure
	failed      bool  // this row has one
	dropped     int64 // values in columns beyond the limit

	failures  map[failureKey]*failures
	keys      keys // of rows
	again     int64
	keyHash   uint64
	keyed     bool
	labelHash uint32
	keyText   []byte // of this row, for Options.Each
	labelText []byte

	cursor cursor
	long   []byte
}

type failureKey struct{ column, code string }

type failures struct {
	n     int64
	first []Failure
}

// Failure is one value of one row that broke one rule. Value is printable and cut if it is long; Column is as it was found.
type Failure struct {
	Row    int64  `json:"row"`              // from 0; blank lines and the header of a CSV file are no rows
	Line   int64  `json:"line"`             // from 1, where the row starts; 0 for a duplicate that a merge found
	Column string `json:"column,omitempty"` // empty for the row as a whole
	Code   string `json:"code"`
	Value  string `json:"value,omitempty"`
	Limit  string `json:"limit"`
}

// String returns the failure as a sentence.
func (f Failure) String() string {
	at := fmt.Sprintf("row %d (line %d)", f.Row, f.Line)
	if f.Column != "" {
		name := strconv.Quote(f.Column) // it may be any text
		at += ", " + name[1:len(name)-1]
	}
	if f.Value != "" {
		at += " is " + f.Value + ","
	}
	return at + " must be " + f.Limit
}

// New returns an error that matches [ErrSchema] for a schema or options that make no sense.
func New(schema Schema, options Options) (*Validator, error) {
	options, err := options.filled()
	if err != nil {
		return nil, err
	}
	if len(schema.Columns) > options.Columns {
		return nil, fmt.Errorf("%w: %d columns, limit %d", ErrSchema, len(schema.Columns), options.Columns)
	}
	v := &Validator{schema: schema, options: options, byName: map[string]*column{}, failures: map[failureKey]*failures{}}
	v.keys.limit = options.Keys
	for _, spec := range schema.Columns {
		pattern, err := spec.valid()
		if err != nil {
			return nil, err
		}
		if v.byName[spec.Name] != nil {
			return nil, fmt.Errorf("%w: column %q is listed twice", ErrSchema, spec.Name)
		}
		c := v.column(spec)
		c.listed, c.pattern = true, pattern
		for i, s := range spec.Set {
			if i == 0 {
				c.set = map[string]bool{}
			}
			c.set[s] = true
		}
	}
	return v, nil
}

// column adds a column.
func (v *Validator) column(spec Column) *column {
	c := &column{spec: spec, unique: keys{limit: v.options.Keys}, counted: !v.options.RulesOnly || spec.MinShare > 0}
	c.numbers.quantiles = &c.quantiles
	v.columns = append(v.columns, c)
	v.byName[spec.Name] = c
	switch spec.Name {
	case v.options.Key:
		v.key = c
	case v.options.Label:
		v.label = c
	}
	return c
}

// named returns the column of a name. It is most likely the one at position next. It returns nil for one that is not looked at.
func (v *Validator) named(name []byte, next int) *column {
	if next < len(v.columns) && v.columns[next].spec.Name == string(name) {
		return v.columns[next]
	}
	if c := v.byName[string(name)]; c != nil {
		return c
	}
	if v.schema.Closed {
		v.failRow(CodeUnknown, "a column of the schema", name)
		return nil
	}
	if len(v.columns) >= v.options.Columns || len(name) > 1024 || len(name) == 0 {
		v.dropped++
		return nil
	}
	return v.column(Column{Name: string(name), MaxMissing: 1})
}

// begin starts a row.
func (v *Validator) begin(line int64) {
	v.row, v.line = v.rows, line
	v.rows++
	v.failed, v.keyed, v.labelHash = false, false, 0
	v.keyText, v.labelText = nil, nil
}

// end finishes a row, whose text is raw.
func (v *Validator) end(raw []byte) {
	for _, c := range v.columns {
		if c.listed && c.seen != v.rows && c.spec.MaxMissing == 0 {
			v.fail(c, CodeMissing, nil, "present")
		}
	}
	if v.failed {
		v.bad++
	}
	v.each()
	if !v.options.Duplicates {
		return
	}
	hash := v.keyHash
	if v.options.Key == "" {
		hash = sketch.HashBytes(raw)
	} else if !v.keyed {
		return
	}
	if again, _ := v.keys.add(hash, v.row, v.labelHash); again {
		v.again++
		failed := v.failed
		v.failRow(CodeDuplicate, "unlike all rows before", nil)
		v.failed = failed
	}
}

// unreadable ends a row that is none.
func (v *Validator) unreadable(code, limit string, raw []byte) {
	v.failRow(code, limit, raw)
	v.bad++
	v.each()
}

func (v *Validator) each() {
	if v.options.Each != nil {
		v.options.Each(view(v.keyText), view(v.labelText))
	}
}

func (v *Validator) failRow(code, limit string, shown []byte) {
	v.add(Failure{Row: v.row, Line: v.line, Code: code, Value: show(shown), Limit: limit}, 1)
	v.failed = true
}

func (v *Validator) fail(c *column, code string, shown []byte, limit string) {
	if code != CodeDuplicate {
		v.failed = true
	} else {
		shown = nil
	}
	f := v.failures[failureKey{c.spec.Name, code}]
	if f != nil && len(f.first) >= v.options.Keep {
		f.n++ // the common case where a column is bad throughout
		return
	}
	v.add(Failure{Row: v.row, Line: v.line, Column: c.spec.Name, Code: code, Value: show(shown), Limit: limit}, 1)
}

func (v *Validator) add(f Failure, n int64) {
	key := failureKey{f.Column, f.Code}
	list := v.failures[key]
	if list == nil {
		list = &failures{}
		v.failures[key] = list
	}
	list.n += n
	if len(list.first) < v.options.Keep {
		list.first = append(list.first, f)
	}
}

// show quotes the first bytes of a value.
func show(b []byte) string {
	const most = 48
	if b == nil {
		return ""
	}
	if len(b) <= most {
		return strconv.Quote(string(b))
	}
	head := b[:most]
	for len(head) > most-utf8.UTFMax && !utf8.RuneStart(b[len(head)]) {
		head = head[:len(head)-1]
	}
	return fmt.Sprintf("%q… (%d bytes more)", head, len(b)-len(head))
}

// Merge adds what o has read, as if v had read it after its own: rows and lines of o count on from those of v. o must be
// of the same schema and options, and is of no use afterwards. Moments may differ from those of one reading by rounding;
// everything else is the same.
func (v *Validator) Merge(o *Validator) error {
	a, b := v.options, o.options
	a.Tag, b.Tag, a.Each, b.Each = nil, nil, nil, nil
	if !reflect.DeepEqual(v.schema, o.schema) || !reflect.DeepEqual(a, b) || v == o {
		return ErrMerge
	}
	for key, list := range o.failures {
		mine := v.failures[key]
		if mine == nil {
			mine = &failures{}
			v.failures[key] = mine
		}
		mine.n += list.n
		for _, f := range list.first {
			f.Row += v.rows
			f.Line += v.lines
			mine.first = append(mine.first, f)
		}
	}
	for _, from := range o.columns {
		c := v.byName[from.spec.Name]
		if c == nil {
			if len(v.columns) >= v.options.Columns {
				v.dropped += from.present
				continue
			}
			c = v.column(from.spec)
		}
		c.merge(from, v.options.Values)
		for _, s := range from.unique.slots {
			if s.hash == 0 {
				continue
			}
			if again, _ := c.unique.add(s.hash, s.row+v.rows, 0); again {
				v.mergeFailure(Failure{Row: s.row + v.rows, Column: c.spec.Name, Code: CodeDuplicate, Limit: "unique"})
			}
		}
		c.unique.lost += from.unique.lost
	}
	for _, s := range o.keys.slots {
		if s.hash == 0 {
			continue
		}
		mine := v.keys.find(s.hash)
		switch {
		case mine == nil:
			v.keys.lost++
		case mine.hash == 0:
			*mine = s
			mine.row += v.rows
			v.keys.n++
		default:
			mine.conflict = mine.conflict || s.conflict || mine.label != s.label
			v.again++
			v.mergeFailure(Failure{Row: s.row + v.rows, Code: CodeDuplicate, Limit: "unlike all rows before"})
		}
	}
	v.keys.lost += o.keys.lost
	v.again += o.again
	for _, list := range v.failures {
		slices.SortStableFunc(list.first, func(a, b Failure) int { return cmp.Compare(a.Row, b.Row) })
		list.first = list.first[:min(len(list.first), v.options.Keep)]
	}
	v.rows += o.rows
	v.lines += o.lines
	v.bytes += o.bytes
	v.bad += o.bad
	v.dropped += o.dropped
	return nil
}

// mergeFailure adds a failure out of order, beyond the limit for now.
func (v *Validator) mergeFailure(f Failure) {
	key := failureKey{f.Column, f.Code}
	list := v.failures[key]
	if list == nil {
		list = &failures{}
		v.failures[key] = list
	}
	list.n++
	list.first = append(list.first, f)
	if len(list.first) > 4*v.options.Keep {
		slices.SortStableFunc(list.first, func(a, b Failure) int { return cmp.Compare(a.Row, b.Row) })
		list.first = list.first[:v.options.Keep]
	}
}

// Common counts the rows of o that are rows of v, too: a leak, if one is for training and the other for testing. Both must
// have been made with Duplicates and the same Key. It also returns where the first of them stand in o.
func (v *Validator) Common(o *Validator) (n int64, rows []int64, err error) {
	if !v.options.Duplicates || !o.options.Duplicates || v.options.Key != o.options.Key {
		return 0, nil, ErrMerge
	}
	for _, s := range o.keys.slots {
		if s.hash == 0 {
			continue
		}
		if mine := v.keys.seek(s.hash); mine != nil && mine.hash == s.hash {
			n++
			rows = append(rows, s.row)
		}
	}
	slices.Sort(rows)
	return n, rows[:min(len(rows), v.options.Keep)], nil
}

// Err returns an error that wraps [validate.Problems] if the data broke a rule.
func (r *Report) Err() error {
	if len(r.Failures) == 0 && len(r.Problems) == 0 {
		return nil
	}
	ps := slices.Clone(r.Problems)
	for _, f := range r.Failures {
		path := "row[" + strconv.FormatInt(f.Row, 10) + "]"
		if f.Column != "" {
			path += "." + f.Column
		}
		ps = append(ps, validate.Problem{Path: path, Code: f.Code, Value: f.Value, Limit: f.Limit, Severity: validate.Error})
	}
	var c validate.Check
	for _, p := range ps {
		c.Add(p)
	}
	return fmt.Errorf("dataset: %d of %d rows are bad: %w", r.BadRows, r.Rows, c.Err())
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
