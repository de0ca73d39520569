// Package dataset judges the rows of a data set while they stream by: JSON Lines and CSV, against a declared schema or to
// infer one.
//
// For most uses make a [Validator] with [New], let it read with [Validator.ReadJSONL] or [Validator.ReadCSV], and look at its
// [Report]: what is wrong with which row, what the columns hold, and what was noticed in their texts. [Report.Infer] turns the
// report on data that are known to be good into a schema for those to come.
//
// Nothing is converted or changed. An integer is never read through a float, true is no 1, and a text is data, whatever
// it looks like: what is unusual about it is counted as a tag and is never an error. Memory is bounded by the limits of [Options],
// whatever the input. Reading a data set in parts and merging the validators gives the report of one reading.
package dataset

import (
	"errors"
	"fmt"
	"math"
	"regexp"
)

// Type is what the values of a column are.
type Type string

const (
	Any    Type = ""       // no check; inferred for a column of several types
	Bool   Type = "bool"   // true, false
	Int    Type = "int"    // a whole number written without fraction and exponent, within int64
	Float  Type = "float"  // any number; a float column takes ints
	String Type = "string" //
	List   Type = "list"   // a JSON array; its numbers are checked like a Float
	Object Type = "object" // a JSON object, whose inside is checked for syntax alone
)

// Range are the limits of a number. They are inclusive.
type Range struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// Column is what is asked of a column. The zero limits ask nothing.
type Column struct {
	Name       string   `json:"name"`
	Type       Type     `json:"type,omitempty"`
	MaxMissing float64  `json:"max_missing,omitempty"` // share of rows where it may be absent or null; with 0 each such row is an error
	Range      *Range   `json:"range,omitempty"`       // of numbers, and of the numbers in a list
	Set        []string `json:"set,omitempty"`         // the allowed texts
	Pattern    string   `json:"pattern,omitempty"`     // a regular expression (RE2) that a text matches somewhere: anchor it
	MinLength  int      `json:"min_length,omitempty"`  // characters of a text, elements of a list
	MaxLength  int      `json:"max_length,omitempty"`
	Unique     bool     `json:"unique,omitempty"`    // no value twice
	MinShare   float64  `json:"min_share,omitempty"` // of the rarest of Set, or of the values that occur: label balance
}

// Schema is what is asked of a data set. The zero Schema asks for readable rows.
type Schema struct {
	Columns []Column `json:"columns"`
	Closed  bool     `json:"closed,omitempty"` // a column that is not listed is an error
}

// Options bound what a Validator reads and keeps.
type Options struct {
	Line       int    // bytes of a line or CSV record; 16 MiB if zero
	Depth      int    // nesting of JSON; 64 if zero
	Elements   int    // values in one JSON row; a million if zero
	Columns    int    // columns that are looked at; 1000 if zero
	Bytes      int64  // of the whole input, after decompression; no limit if zero
	Keep       int    // failures kept for each column and code, the first ones; 20 if zero
	Values     int    // different values counted exactly for each column; 1000 if zero
	Keys       int    // entries of the tables that find equal values; 4 million (64 MiB each) if zero
	Duplicates bool   // look for equal rows
	Key        string // with Duplicates: rows are equal if they are in this text column, instead of in the whole line
	Label      string // with Key: the column that says what class a row is; equal rows of different classes are counted
	// RulesOnly keeps no statistics of the columns, beyond what their rules need and what is missing: it is faster.
	RulesOnly bool
	// Each, if not nil, is called for every row in order, also one that cannot be read, with its texts in the columns Key and Label:
	// empty where there is none. It must not keep them.
	Each func(key, label string)
	// Tag, if not nil, is called with the texts of all columns and calls add for what it notices. It must not keep the text.
	Tag func(text string, add func(tag string))
}

func (o Options) filled() (Options, error) {
	fill := func(v *int, value int) bool {
		if *v == 0 {
			*v = value
		}
		return *v > 0
	}
	ok := fill(&o.Line, 16<<20)
	ok = fill(&o.Depth, 64) && ok
	ok = fill(&o.Elements, 1000000) && ok
	ok = fill(&o.Columns, 1000) && ok
	ok = fill(&o.Keep, 20) && ok
	ok = fill(&o.Values, 1000) && ok
	ok = fill(&o.Keys, 4<<20) && ok
	if !ok || o.Bytes < 0 || o.Depth > 10000 {
		return o, fmt.Errorf("%w: limits must be positive, Depth at most 10000", ErrSchema)
	}
	if o.Label != "" && o.Key == "" || o.Key != "" && !o.Duplicates {
		return o, fmt.Errorf("%w: Label needs Key, and Key needs Duplicates", ErrSchema)
	}
	return o, nil
}

var (
	// ErrSchema is matched by the error of [New] for a schema or options that make no sense.
	ErrSchema = errors.New("dataset: impossible schema")
	// ErrTooLarge is returned when the input is longer than Options.Bytes.
	ErrTooLarge = errors.New("dataset: input too large")
	// ErrMerge is returned for validators of different schemas or options.
	ErrMerge = errors.New("dataset: validators of different schemas do not merge")
)

// Codes of failures, besides those of package validate (range, choice, form, length, not_finite, empty).
const (
	CodeSyntax    = "syntax"        // not JSON, or not CSV
	CodeNotObject = "not_object"    // a JSON value that is no object
	CodeTooLong   = "too_long"      // a line beyond the limit
	CodeTooDeep   = "too_deep"      // nesting beyond the limit
	CodeTooMany   = "too_many"      // values or columns beyond the limit
	CodeFields    = "fields"        // a CSV record of another length than the header
	CodeTwice     = "duplicate_key" // a key that a row has twice: the last one counts
	CodeUnknown   = "unknown"       // a column that a closed schema does not list
	CodeMissing   = "missing"       // absent or null
	CodeType      = "type"
	CodeDuplicate = "duplicate" // a value that must be unique, or a row, that was there before
	CodeBalance   = "balance"   // a class that is too rare
	CodeKeys      = "keys"      // a table of keys is full: what came later was not compared
)

func (c Column) valid() (*regexp.Regexp, error) {
	refuse := func(format string, args ...any) (*regexp.Regexp, error) {
		return nil, fmt.Errorf("%w: column %q: %s", ErrSchema, c.Name, fmt.Sprintf(format, args...))
	}
	switch c.Type {
	case Any, Bool, Int, Float, String, List, Object:
	default:
		return refuse("type %q", c.Type)
	}
	switch {
	case c.Name == "":
		return refuse("must have a name")
	case !(c.MaxMissing >= 0 && c.MaxMissing <= 1):
		return refuse("max_missing is %v, must be in [0, 1]", c.MaxMissing)
	case !(c.MinShare >= 0 && c.MinShare <= 1):
		return refuse("min_share is %v, must be in [0, 1]", c.MinShare)
	case c.MinLength < 0 || c.MaxLength < 0 || c.MaxLength > 0 && c.MinLength > c.MaxLength:
		return refuse("length from %d to %d", c.MinLength, c.MaxLength)
	case c.Range != nil && (!(c.Range.Min <= c.Range.Max) || math.IsInf(c.Range.Min, 1) || math.IsInf(c.Range.Max, -1)):
		return refuse("range from %v to %v", c.Range.Min, c.Range.Max)
	case c.Set != nil && len(c.Set) == 0:
		return refuse("set is empty")
	}
	if c.Pattern == "" {
		return nil, nil
	}
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		return nil, fmt.Errorf("%w: column %q: %w", ErrSchema, c.Name, err)
	}
	return re, nil
}
