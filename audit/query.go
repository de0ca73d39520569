package audit

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query selects entries. Zero fields select everything.
type Query struct {
	Kinds       []Kind
	Run         string
	Correlation string
	From, To    time.Time // From is included, To is not
	First, Last uint64    // both included; zero is the beginning and the end
}

// Match says whether an entry is selected.
func (q *Query) Match(e *Entry) bool {
	switch {
	case len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind):
	case q.Run != "" && q.Run != e.Run:
	case q.Correlation != "" && q.Correlation != e.Correlation:
	case !q.From.IsZero() && e.Time.Before(q.From):
	case !q.To.IsZero() && !e.Time.Before(q.To):
	case e.Seq < q.First, q.Last > 0 && e.Seq > q.Last:
	default:
		return true
	}
	return false
}

// Select yields the entries of a sequence, such as that of [Entries], that match the query, and its error.
func Select(entries iter.Seq2[Entry, error], q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range entries {
			if (err != nil || q.Match(&e)) && !yield(e, err) {
				return
			}
		}
	}
}

// exported is the form of an entry in ExportJSON.
type exported struct {
	Seq         uint64          `json:"seq"`
	Time        time.Time       `json:"time"`
	Kind        Kind            `json:"kind"`
	Run         string          `json:"run,omitempty"`
	Correlation string          `json:"correlation,omitempty"`
	Data        json.RawMessage `json:"data"`
}

// ExportJSON writes entries as lines of JSON, which are safe to show on a terminal. It writes what comes before an error
// of the sequence, and returns that: until it returns nil, what it wrote is not verified as a whole.
func ExportJSON(w io.Writer, entries iter.Seq2[Entry, error]) error {
	enc := json.NewEncoder(w)
	for e, err := range entries {
		if err != nil {
			return err
		}
		if err := enc.Encode(exported{e.Seq, e.Time, e.Kind, e.Run, e.Correlation, Printable(e.Data)}); err != nil {
			return fmt.Errorf("audit: export entry %d: %w", e.Seq, err)
		}
	}
	return nil
}

// ExportCSV is ExportJSON as comma-separated values (RFC 4180) with a header. The data of an entry is a field of JSON,
// whose first character keeps a spreadsheet from taking it for a formula.
func ExportCSV(w io.Writer, entries iter.Seq2[Entry, error]) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	err := out.Write([]string{"seq", "time", "kind", "run", "correlation", "data"})
	for e, bad := range entries {
		if err != nil || bad != nil {
			err = errors.Join(bad, err)
			break
		}
		err = out.Write([]string{
			strconv.FormatUint(e.Seq, 10), e.Time.Format(time.RFC3339Nano), string(e.Kind),
			unformula(e.Run), unformula(e.Correlation), unformula(string(Printable(e.Data))),
		})
	}
	out.Flush()
	return errors.Join(err, out.Error())
}

// unformula puts a quote before what a spreadsheet would calculate.
func unformula(s string) string {
	if s == "" || strings.IndexByte("=+-@", s[0]) < 0 {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil && s[0] == '-' {
		return s
	}
	return "'" + s
}
