package dataset

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/surefoot-ml/surefoot/validate"
	"github.com/surefoot-ml/surefoot/validate/sketch"
)

// Report is what a [Validator] found. It shares nothing with it but the sketches.
type Report struct {
	Rows    int64 `json:"rows"`
	BadRows int64 `json:"bad_rows"` // that broke a rule, duplicates apart
	Bytes   int64 `json:"bytes"`

	// Duplicates are rows that were there before, Conflicts the keys that occur with several labels; ConflictRows are the
	// rows where the first of these keys occur first.
	Duplicates   int64   `json:"duplicates,omitempty"`
	Conflicts    int64   `json:"conflicts,omitempty"`
	ConflictRows []int64 `json:"conflict_rows,omitempty"`

	Counts   map[string]int64 `json:"counts"`             // failures, by "column: code"
	Failures []Failure        `json:"failures,omitempty"` // the first of each column and code, by row

	Problems validate.Problems `json:"problems,omitempty"` // of columns as a whole
	Warnings validate.Problems `json:"warnings,omitempty"` // what was not looked at
	Columns  []ColumnReport    `json:"columns"`
}

// ColumnReport is what a column holds.
type ColumnReport struct {
	Name     string           `json:"name"`
	Type     Type             `json:"type"` // of the values, not of the schema
	Present  int64            `json:"present"`
	Null     int64            `json:"null,omitempty"`
	Missing  int64            `json:"missing,omitempty"` // rows that lack it
	Kinds    map[Type]int64   `json:"kinds,omitempty"`
	Numbers  *Numbers         `json:"numbers,omitempty"`
	Lengths  *Numbers         `json:"lengths,omitempty"`  // of texts in characters, of lists in elements
	Distinct float64          `json:"distinct,omitempty"` // an estimate, of texts
	Values   map[string]int64 `json:"values,omitempty"`   // if they are few
	Tags     map[string]int64 `json:"tags,omitempty"`     // what was noticed in the texts

	quantiles *sketch.Quantiles
}

// Quantiles returns the sketch of the numbers. It must not be changed.
func (c ColumnReport) Quantiles() *sketch.Quantiles { return c.quantiles }

// Histogram returns the numbers in up to 100 bins of equal width, from the smallest number to the largest. A number near an
// edge may be counted in the bin beside it, by the error of the sketch.
func (c ColumnReport) Histogram(bins int) []sketch.Bucket {
	q := c.quantiles
	if bins = min(bins, 100); bins < 1 || q == nil || q.N() == 0 {
		return nil
	}
	low, high := q.Min(), q.Max()
	width := high/float64(bins) - low/float64(bins)
	if !(width > 0) {
		return []sketch.Bucket{{Low: low, High: high, Count: q.N()}}
	}
	out := make([]sketch.Bucket, bins)
	for i := range out {
		out[i].Low, out[i].High = low+float64(i)*width, low+float64(i+1)*width
	}
	out[bins-1].High = high
	for b := range q.Buckets() {
		middle := min(max(b.Low+(b.High-b.Low)/2, low), high)
		if b.Low == 0 {
			middle = max(0, low)
		}
		at := max(0, middle/width-low/width)
		out[int(min(at, float64(bins-1)))].Count += b.Count
	}
	return out
}

// Numbers summarises numbers. Values that are not finite are counted and left out of the rest.
type Numbers struct {
	N         int       `json:"n"`
	NotFinite int       `json:"not_finite,omitempty"`
	Zero      int       `json:"zero,omitempty"`
	Min       float64   `json:"min"`
	Max       float64   `json:"max"`
	Mean      float64   `json:"mean"`
	Std       float64   `json:"std"`                 // 0 for fewer than 2, largest float64 where it overflows
	Quantiles []float64 `json:"quantiles,omitempty"` // 1, 5, 25, 50, 75, 95, 99 percent
}

func numbers(m validate.Moments, q *sketch.Quantiles) *Numbers {
	if m.N == 0 {
		return nil
	}
	n := &Numbers{N: m.N, NotFinite: m.N - m.Finite(), Zero: m.Zero, Min: m.Min, Max: m.Max, Mean: m.Mean}
	if m.Finite() >= 2 {
		n.Std = min(m.Std(), math.MaxFloat64)
	}
	if q != nil && q.N() > 0 {
		for _, p := range []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99} {
			n.Quantiles = append(n.Quantiles, q.Quantile(p))
		}
	}
	return n
}

// Report returns what was found so far.
func (v *Validator) Report() *Report {
	r := &Report{Rows: v.rows, BadRows: v.bad, Bytes: v.bytes, Duplicates: v.again, Counts: map[string]int64{}}
	for key, list := range v.failures {
		name := key.code
		if key.column != "" {
			name = key.column + ": " + key.code
		}
		r.Counts[name] += list.n
		r.Failures = append(r.Failures, list.first...)
	}
	slices.SortFunc(r.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Code, b.Code))
	})
	for _, s := range v.keys.slots {
		if s.conflict {
			r.Conflicts++
			r.ConflictRows = append(r.ConflictRows, s.row)
		}
	}
	slices.Sort(r.ConflictRows)
	r.ConflictRows = r.ConflictRows[:min(len(r.ConflictRows), v.options.Keep)]
	warn := func(path, code, limit string, n int64) {
		if n > 0 {
			r.Warnings = append(r.Warnings, validate.Problem{Path: path, Code: code, Value: strconv.FormatInt(n, 10) + " more",
				Limit: limit, Severity: validate.Warning})
		}
	}
	warn("columns", CodeTooMany, "at most "+strconv.Itoa(v.options.Columns)+" columns", v.dropped)
	warn("rows", CodeKeys, "at most "+strconv.Itoa(v.options.Keys)+" keys", v.keys.lost)
	for _, c := range v.columns {
		warn(c.spec.Name, CodeKeys, "at most "+strconv.Itoa(v.options.Keys)+" keys", c.unique.lost)
		r.Columns = append(r.Columns, v.columnReport(c))
		v.judge(r, c)
	}
	return r
}

func (v *Validator) columnReport(c *column) ColumnReport {
	cr := ColumnReport{Name: c.spec.Name, Type: c.typ(), Present: c.present, Null: c.null, Missing: v.rows - c.present,
		Numbers: numbers(c.numbers.all(), &c.quantiles), Lengths: numbers(c.lengths.all(), nil), Distinct: math.Round(c.distinct.Estimate()),
		Kinds: map[Type]int64{}, quantiles: &c.quantiles}
	for k, n := range c.kinds {
		if n > 0 {
			cr.Kinds[kind(k).typ()] = n
		}
	}
	if len(c.values) > 0 {
		cr.Values = map[string]int64{}
		for value, n := range c.values {
			cr.Values[value] = *n
		}
	}
	if len(c.tags) > 0 {
		cr.Tags = map[string]int64{}
		for tag, n := range c.tags {
			cr.Tags[tag] = n
		}
	}
	return cr
}

// judge adds the problems of a column as a whole.
func (v *Validator) judge(r *Report, c *column) {
	if v.rows == 0 {
		return
	}
	bad := func(code, value, limit string) {
		r.Problems = append(r.Problems, validate.Problem{Path: c.spec.Name, Code: code, Value: value, Limit: limit, Severity: validate.Error})
	}
	if m := c.spec.MaxMissing; m > 0 && m < 1 {
		if missing := float64(v.rows-c.present+c.null) / float64(v.rows); missing > m {
			bad(CodeMissing, "missing in a share of "+format(missing)+" of the rows", "missing in at most "+format(m))
		}
	}
	if c.spec.MinShare > 0 {
		if c.many {
			bad(CodeBalance, "of more than "+strconv.Itoa(v.options.Values)+" values", "a label of few values")
			return
		}
		var all, least int64 = 0, math.MaxInt64
		rarest := ""
		names := c.spec.Set
		if names == nil {
			names = sorted(c.values)
		}
		for _, name := range names {
			var n int64
			if count := c.values[name]; count != nil {
				n = *count
			}
			if all += n; n < least {
				least, rarest = n, name
			}
		}
		if all > 0 && float64(least) < c.spec.MinShare*float64(all) {
			bad(CodeBalance, strconv.Quote(rarest)+" in "+strconv.FormatInt(least, 10)+" of "+strconv.FormatInt(all, 10)+" rows",
				"in a share of at least "+format(c.spec.MinShare))
		}
	}
}

// Infer proposes a schema from a report on data that are known to be good: types, what may be missing, sets of up to 20
// texts that occur 10 times on average, fixed lengths of lists, and twice the range of what numbers were seen. It is a draft to be read.
func (r *Report) Infer() Schema {
	var s Schema
	for _, c := range r.Columns {
		spec := Column{Name: c.Name, Type: c.Type}
		if missing := c.Missing + c.Null; missing > 0 && r.Rows > 0 {
			spec.MaxMissing = min(1, 2*float64(missing)/float64(r.Rows))
		}
		if c.Present == c.Null { // never a value
			spec.Type, spec.MaxMissing = Any, 1
		}
		if n := c.Numbers; n != nil && n.N > n.NotFinite && (c.Type == Int || c.Type == Float) {
			wide := (n.Max - n.Min) / 2
			low, high := n.Min-wide, n.Max+wide
			if n.Min >= 0 {
				low = max(low, 0)
			}
			if n.Min >= 0 && n.Max <= 1 {
				high = min(high, 1)
			}
			if low < high && !math.IsInf(low, 0) && !math.IsInf(high, 0) {
				spec.Range = &Range{low, high}
			}
		}
		if c.Type == String && len(c.Values) > 0 && len(c.Values) <= 20 && c.Present-c.Null >= int64(10*len(c.Values)) {
			spec.Set = sorted(c.Values)
		}
		if c.Type == List && c.Lengths != nil && c.Lengths.Min == c.Lengths.Max && c.Lengths.Min > 0 {
			spec.MinLength, spec.MaxLength = int(c.Lengths.Min), int(c.Lengths.Min)
		}
		s.Columns = append(s.Columns, spec)
	}
	return s
}
