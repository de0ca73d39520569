package safeharbor

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/surefoot-ml/surefoot/privacy/compliance"
)

const (
	behind  = 128      // characters that a detector may look back
	ahead   = 512      // and forward
	chunk   = 64 << 10 // bytes read at once
	columns = 4096     // whose names are remembered
)

// Config of a Scanner. The zero Config finds all kinds.
type Config struct {
	// Kinds are those that are looked for; the default is all.
	Kinds []Kind
	// Formats are those of the site, for example of its record numbers: 'A' stands for a letter, '9' for a digit, 'X' for either,
	// anything else for itself. A format has 4 to 32 characters of ASCII, three of them digits or more, the first a letter or a digit.
	Formats map[Kind][]string
	// RestrictedZIP3 are the first three digits of ZIP codes that stand for 20,000 people or fewer. The default are the 17 of the census
	// of 2000, which the guidance to the rule names; the rule asks for the current census.
	RestrictedZIP3 []string
	// Places is how many places of each kind a report has; the default is 20, less than 0 is none.
	Places int
}

// Place is where something was found.
type Place struct {
	Kind Kind `json:"kind"`
	// Row is the row of a cell, or the number of the text, from 0.
	Row int64 `json:"row"`
	// Column is empty for a text.
	Column string `json:"column,omitempty"`
	// Offset is in bytes, from the start of the cell or the text.
	Offset int64 `json:"offset"`
}

// Report says what was found, and where, but not what it was.
type Report struct {
	Rows  int64 `json:"rows"` // texts, and changes of the row of cells
	Bytes int64 `json:"bytes"`
	// Counts has every kind that was looked for.
	Counts map[Kind]int64 `json:"counts"`
	Places []Place        `json:"places,omitempty"`
	// Broken says that a text could not be read to its end.
	Broken bool `json:"broken,omitempty"`
}

// Scanner looks for identifiers. It is not safe for concurrent use: have one for each goroutine and merge the reports. Make one with New.
type Scanner struct {
	wanted     [kinds]bool
	formats    []format
	restricted map[string]bool
	most       int

	in     []byte // of Text
	buf    buffer
	base   int64 // of buf in the text as it is read
	state  state
	names  map[string]state // of columns
	row    int64
	column string
	texts  int64
	report Report
	kept   [kinds]int
}

// New returns a Scanner.
func New(cfg Config) (*Scanner, error) {
	s := &Scanner{most: cfg.Places, names: make(map[string]state), row: -1, report: Report{Counts: make(map[Kind]int64)}}
	if s.most == 0 {
		s.most = 20
	}
	if cfg.Kinds == nil {
		cfg.Kinds = Kinds()
	}
	for _, k := range cfg.Kinds {
		if int(k) >= kinds {
			return nil, fmt.Errorf("safeharbor: Config.Kinds has %v", k)
		}
		s.wanted[k] = true
		s.report.Counts[k] = 0
	}
	for _, k := range Kinds() { // in order, so that equal scanners are equal
		for _, f := range cfg.Formats[k] {
			compiled, err := compile(k, f)
			if err != nil {
				return nil, err
			}
			s.formats = append(s.formats, compiled)
		}
	}
	for k := range cfg.Formats {
		if int(k) >= kinds {
			return nil, fmt.Errorf("safeharbor: Config.Formats has %v", k)
		}
	}
	if cfg.RestrictedZIP3 == nil {
		cfg.RestrictedZIP3 = []string{"036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884", "890", "893"}
	}
	s.restricted = make(map[string]bool)
	for _, z := range cfg.RestrictedZIP3 {
		if len(z) != 3 || !isDigit(z[0]) || !isDigit(z[1]) || !isDigit(z[2]) {
			return nil, fmt.Errorf("safeharbor: Config.RestrictedZIP3 has %.20q, want three digits", z)
		}
		s.restricted[z] = true
	}
	return s, nil
}

// Text scans a text to its end, as it is read, in memory that does not depend on its length. Other errors than io.EOF end it, are
// returned, and mark the report.
func (s *Scanner) Text(r io.Reader) error {
	s.start("", s.texts, state{})
	s.texts++
	s.report.Rows++
	if s.in == nil {
		s.in = make([]byte, chunk)
	}
	in := s.in
	held := 0 // bytes of an unfinished character
	for {
		n, err := r.Read(in[held:])
		final := err != nil
		taken := s.buf.add(in[:held+n], final)
		held = copy(in, in[taken:held+n])
		s.report.Bytes += int64(n)
		s.drain(final)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			s.report.Broken = true
			return fmt.Errorf("safeharbor: text %d: %w", s.texts-1, err)
		}
	}
}

// Cell scans the cell of a table.
func (s *Scanner) Cell(row int64, column, value string) {
	at, known := s.names[column]
	if !known {
		at = s.heading(column)
		if len(s.names) < columns {
			s.names[column] = at
		}
	}
	if row != s.row {
		s.report.Rows++
	}
	s.start(column, row, at)
	s.row = row
	s.report.Bytes += int64(len(value))
	s.buf.add([]byte(value), true)
	s.drain(true)
}

func (s *Scanner) start(column string, row int64, at state) {
	s.column, s.row, s.state, s.base = column, row, at, 0
	s.buf.reset()
}

// drain scans what has enough text behind it, or all, and forgets what no detector can look back to.
func (s *Scanner) drain(final bool) {
	i := s.state.next(s.base)
	for i < len(s.buf.b) && (final || len(s.buf.b)-i > ahead) {
		i = s.step(i)
	}
	s.state.at = s.base + int64(i)
	if n := min(i, len(s.buf.b)) - behind; n > 0 && !final {
		s.buf.drop(n)
		s.base += int64(n)
	}
}

// found notes an identifier that starts at b[i].
func (s *Scanner) found(k Kind, i int) {
	if !s.wanted[k] {
		return
	}
	s.report.Counts[k]++
	if s.kept[k] < s.most {
		s.kept[k]++
		s.report.Places = append(s.report.Places, Place{k, s.row, s.column, s.buf.from(max(i, 0))})
	}
}

// Report returns what was found so far.
func (s *Scanner) Report() Report {
	r := s.report
	r.Counts = make(map[Kind]int64, len(s.report.Counts))
	for k, n := range s.report.Counts {
		r.Counts[k] = n
	}
	r.Places = slices.Clone(s.report.Places)
	return r
}

// Merge adds the report of another Scanner, for another part of the data. A kind that only one of them looked for is left out: not all
// has been scanned for it.
func (r Report) Merge(other Report) Report {
	out := Report{Rows: r.Rows + other.Rows, Bytes: r.Bytes + other.Bytes, Counts: make(map[Kind]int64), Broken: r.Broken || other.Broken}
	for k, n := range r.Counts {
		if m, ok := other.Counts[k]; ok {
			out.Counts[k] = n + m
		}
	}
	out.Places = append(slices.Clone(r.Places), other.Places...)
	return out
}

// Scan returns the report as evidence about a dataset. Complete says that all of it was given to the scanners.
func (r Report) Scan(dataset string, complete bool) compliance.Scan {
	out := compliance.Scan{Dataset: dataset, Detector: "safeharbor 1", Complete: complete && !r.Broken, Rows: r.Rows, Counts: make(map[string]int64)}
	for k, n := range r.Counts {
		out.Counts[k.String()] = n
	}
	return out
}
