package carbon

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reportColumns are those of the CSV form. A row is a report, share, gap, saving or sci by its kind; what a kind does not have,
// and what is unknown, is empty.
var reportColumns = [...]string{
	"kind", "name", "zone", "source", "basis", "strategy", "scope", "energy_estimated",
	"kwh", "grams", "error_grams", "unrated_kwh", "baseline_grams", "uncompared_kwh", "embodied_grams", "units", "estimated_energy", "estimated_intensity",
	"unknown_time_ns", "gaps", "from", "to",
}

const (
	colKind = iota
	colName
	colZone
	colSource
	colBasis
	colStrategy
	colScope
	colEstimated
	colKWh
	colGrams
	colError
	colUnrated
	colBaseline
	colUncompared
	colEmbodied
	colUnits
	colEnergy
	colIntensity
	colUnknownTime
	colGaps
	colFrom
	colTo
	reportWidth
)

// WriteCSV writes the report as a table: a row for each share, for the gaps, each saving and the score, by its kind. The name is
// the source of the energy, the reason, the counterfactual, or the functional unit. Text that a spreadsheet would take for a
// formula has an apostrophe before it.
func (r Report) WriteCSV(w io.Writer) error {
	if err := r.check(); err != nil {
		return err
	}
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	rows := [][]string{reportColumns[:]}
	add := func(kind, name string) []string {
		row := make([]string, reportWidth)
		row[colKind], row[colName] = kind, csvText(name)
		rows = append(rows, row)
		return row
	}
	add("report", "version "+strconv.Itoa(reportVersion))[colTo] = stamp(r.Made)
	for _, s := range r.Totals.Shares {
		row := add("share", s.Energy)
		row[colZone], row[colSource] = csvText(s.Zone), csvText(s.Source)
		row[colBasis], row[colStrategy], row[colScope] = basisText(s.Basis), s.Strategy.String(), s.Scope.String()
		row[colEstimated], row[colKWh] = strconv.FormatBool(s.EnergyEstimated), number(s.KWh)
		if s.Basis != 0 {
			row[colGrams], row[colError], row[colUnrated] = number(float64(s.Grams)), number(float64(s.ErrorGrams)), number(s.UnratedKWh)
		}
		row[colFrom], row[colTo] = stamp(s.From), stamp(s.To)
	}
	if t := r.Totals; t.Gaps > 0 || t.LastErr != nil {
		row := add("gap", t.reason())
		row[colUnknownTime], row[colGaps] = strconv.FormatInt(int64(t.UnknownTime), 10), strconv.FormatInt(t.Gaps, 10)
	}
	for _, s := range r.Savings {
		row := add("saving", s.Against)
		row[colKWh], row[colGrams], row[colBaseline], row[colUncompared] = number(s.KWh), number(float64(s.Grams)), number(float64(s.Baseline)), number(s.UncomparedKWh)
	}
	if s := r.SCI; s != nil {
		row := add("sci", s.Unit)
		row[colUnits], row[colGrams], row[colEmbodied] = number(s.Units), number(float64(s.Operational)), number(float64(s.Embodied))
		row[colEnergy], row[colIntensity] = number(s.EstimatedEnergy), number(s.EstimatedIntensity)
	}
	out := csv.NewWriter(w)
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("carbon: report: %w", err)
	}
	return nil
}

// ReadReportCSV reads what [Report.WriteCSV] wrote. The totals are worked out from the shares.
func ReadReportCSV(r io.Reader) (Report, error) {
	text, err := readReport(r)
	if err != nil {
		return Report{}, err
	}
	in := csv.NewReader(bytes.NewReader(text))
	in.FieldsPerRecord = reportWidth
	rows, err := in.ReadAll()
	if err != nil {
		return Report{}, fmt.Errorf("carbon: report: %w", err)
	}
	if len(rows) < 2 || !slices.Equal(rows[0], reportColumns[:]) || len(rows) > 2*maxReportRows+4 {
		return Report{}, errors.New("carbon: report: not the table of a report")
	}
	var out Report
	var shares []Share
	var unknown, gaps int64
	var reason string
	seen := map[string]bool{}
	for i, row := range rows[1:] {
		c := csvRow{row: row}
		kind, name := row[colKind], c.text(colName)
		switch {
		case (i == 0) != (kind == "report"), kind != "share" && kind != "saving" && seen[kind]:
			c.fail("kind", kind)
		case kind == "report":
			if name != "version "+strconv.Itoa(reportVersion) {
				c.fail("version", name)
			}
			out.Made = c.time(colTo)
		case kind == "share":
			s := Share{Zone: c.text(colZone), Source: c.text(colSource), Energy: name, KWh: c.number(colKWh), From: c.time(colFrom), To: c.time(colTo)}
			if err := s.parse(row[colBasis], row[colStrategy], row[colScope]); err != nil {
				c.err = err
			}
			if s.EnergyEstimated = row[colEstimated] == "true"; !s.EnergyEstimated && row[colEstimated] != "false" {
				c.fail("energy_estimated", row[colEstimated])
			}
			if s.Basis != 0 {
				s.Grams, s.ErrorGrams, s.UnratedKWh = Grams(c.number(colGrams)), Grams(c.number(colError)), c.number(colUnrated)
			} else if row[colGrams]+row[colError]+row[colUnrated] != "" {
				c.fail("grams", row[colGrams])
			}
			shares = append(shares, s)
		case kind == "gap":
			unknown, gaps, reason = c.count(colUnknownTime), c.count(colGaps), name
		case kind == "saving":
			out.Savings = append(out.Savings, Saving{name, c.number(colKWh), Grams(c.number(colGrams)), Grams(c.number(colBaseline)), c.number(colUncompared)})
		case kind == "sci":
			out.SCI = &SCI{Grams(c.number(colGrams)), Grams(c.number(colEmbodied)), c.number(colUnits), name, c.number(colEnergy), c.number(colIntensity)}
		default:
			c.fail("kind", kind)
		}
		if c.err != nil {
			return Report{}, fmt.Errorf("carbon: report: row %d: %w", i+2, c.err)
		}
		seen[kind] = true
	}
	out.Totals = totalsOf(shares)
	if err := out.setGap(unknown, gaps, reason); err != nil {
		return Report{}, err
	}
	if err := out.check(); err != nil {
		return Report{}, err
	}
	return out, nil
}

// csvText guards text against a spreadsheet that takes it for a formula; text takes the guard off.
func csvText(s string) string {
	if s != "" && strings.ContainsRune("=+-@'", rune(s[0])) {
		return "'" + s
	}
	return s
}

// csvRow reads the fields of a row and keeps the first error.
type csvRow struct {
	row []string
	err error
}

func (c *csvRow) fail(what, text string) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %q is not one", what, clip(text))
	}
}

func (c *csvRow) text(i int) string {
	s := strings.TrimPrefix(c.row[i], "'")
	if csvText(s) != c.row[i] {
		c.fail(reportColumns[i], c.row[i])
	}
	return s
}

func (c *csvRow) number(i int) float64 {
	x, err := strconv.ParseFloat(c.row[i], 64)
	if err != nil || !(x >= 0 && x <= 1e200) {
		c.fail(reportColumns[i], c.row[i])
		return 0
	}
	return x
}

func (c *csvRow) count(i int) int64 {
	n, err := strconv.ParseInt(c.row[i], 10, 64)
	if err != nil || n < 0 {
		c.fail(reportColumns[i], c.row[i])
		return 0
	}
	return n
}

func (c *csvRow) time(i int) time.Time {
	t, err := time.Parse(time.RFC3339Nano, c.row[i])
	if err != nil {
		c.fail(reportColumns[i], c.row[i])
	}
	return t.UTC()
}
