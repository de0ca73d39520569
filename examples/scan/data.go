package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/surefoot-ml/surefoot/validate/archive"
	"github.com/surefoot-ml/surefoot/validate/dataset"
	"github.com/surefoot-ml/surefoot/validate/neardup"
	"github.com/surefoot-ml/surefoot/validate/pii"
	"github.com/surefoot-ml/surefoot/validate/poison"
	"github.com/surefoot-ml/surefoot/validate/sketch"
)

const (
	dataMaxGrowth = 100 // of a compressed file: text shrinks to a tenth, a bomb to a thousandth
	dataBins      = 12
)

// dataReport is what -data prints with -json.
type dataReport struct {
	File string `json:"file"`
	*dataset.Report
	Histograms map[string][]dataBin `json:"histograms,omitempty"` // by column
	Schema     dataset.Schema       `json:"schema"`               // proposed for data like these
	*hints
}

// hints are about the texts of one column. They are advice.
type hints struct {
	Near     *neardup.Report       `json:"near,omitempty"`
	Triggers *poison.TriggerReport `json:"triggers,omitempty"` // with labels
}

type dataBin struct {
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Count uint64  `json:"count"`
}

// scanData reads a data set (.jsonl, .ndjson, .csv, each with or without .gz) and prints what it holds. The error says why it
// cannot be read, or how many rows are bad. With the column of the texts it looks for those that are nearly the same, and
// with the one of their labels for what goes with a label as a planted trigger does.
func scanData(out io.Writer, file, text, label string, asJSON bool) error {
	near, err := neardup.New(neardup.Options{})
	if err != nil {
		return err
	}
	triggers, err := poison.NewTriggers(poison.TriggerOptions{})
	if err != nil {
		return err
	}
	options := dataset.Options{Duplicates: true, Tag: pii.Tag, Key: text, Label: label}
	if text != "" {
		options.Each = func(of, is string) {
			near.Add(of, is)
			if label != "" {
				triggers.Add(of, is)
			}
		}
	}
	v, err := dataset.New(dataset.Schema{}, options)
	if err != nil {
		return err
	}
	if err := readData(v, file); err != nil {
		return err
	}
	r := v.Report()
	found := &hints{}
	if text != "" {
		found.Near = near.Report()
	}
	if label != "" {
		found.Triggers = triggers.Report()
	}
	if asJSON {
		report := dataReport{File: file, Report: r, Histograms: map[string][]dataBin{}, Schema: r.Infer(), hints: found}
		for _, c := range r.Columns {
			for _, b := range c.Histogram(dataBins) {
				report.Histograms[c.Name] = append(report.Histograms[c.Name], dataBin{b.Low, b.High, b.Count})
			}
		}
		if err := printJSON(out, report); err != nil {
			return err
		}
	} else if _, err := io.WriteString(out, dataText(file, r)+found.String()); err != nil {
		return err
	}
	if r.BadRows > 0 {
		return &badError{fmt.Errorf("%s: %d of %d rows are bad", file, r.BadRows, r.Rows)}
	}
	return nil
}

func readData(v *dataset.Validator, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = f
	name, packed := strings.CutSuffix(strings.ToLower(file), ".gz")
	if packed {
		in, err = archive.Gunzip(f, archive.Limits{File: math.MaxInt64, Ratio: dataMaxGrowth})
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	switch {
	case strings.HasSuffix(name, ".csv"):
		err = v.ReadCSV(in)
	case strings.HasSuffix(name, ".jsonl"), strings.HasSuffix(name, ".ndjson"):
		err = v.ReadJSONL(in)
	default:
		return fmt.Errorf("%s: must end in .jsonl, .ndjson or .csv, with or without .gz", file)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// dataText is the report for people.
func dataText(file string, r *dataset.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d rows, %d bytes, %d bad rows, %d duplicates\n", file, r.Rows, r.Bytes, r.BadRows, r.Duplicates)
	for _, c := range r.Columns {
		typ := string(c.Type)
		if typ == "" {
			typ = "mixed"
		}
		fmt.Fprintf(&b, "\n%s: %s, %d values", strconv.Quote(c.Name), typ, c.Present-c.Null)
		if missing := c.Missing + c.Null; missing > 0 {
			fmt.Fprintf(&b, ", %d missing", missing)
		}
		if c.Distinct > 0 {
			fmt.Fprintf(&b, ", about %.0f different texts", c.Distinct)
		}
		b.WriteByte('\n')
		if len(c.Kinds) > 1 {
			fmt.Fprintf(&b, "  types %s\n", dataCounts(c.Kinds))
		}
		if n := c.Lengths; n != nil {
			fmt.Fprintf(&b, "  length %g to %g, mean %.4g\n", n.Min, n.Max, n.Mean)
		}
		if n := c.Numbers; n != nil {
			fmt.Fprintf(&b, "  from %.6g to %.6g, mean %.6g, std %.6g, %d not finite\n", n.Min, n.Max, n.Mean, n.Std, n.NotFinite)
			dataHistogram(&b, c.Histogram(dataBins))
		} else if len(c.Values) > 0 && len(c.Values) <= 20 {
			fmt.Fprintf(&b, "  values %s\n", dataCounts(c.Values))
		}
		if len(c.Tags) > 0 {
			fmt.Fprintf(&b, "  noticed %s\n", dataCounts(c.Tags))
		}
	}
	if len(r.Failures) > 0 {
		fmt.Fprintf(&b, "\nfailures: %s\n", dataCounts(r.Counts))
		for _, f := range r.Failures {
			fmt.Fprintf(&b, "  %s\n", f)
		}
	}
	for _, p := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", p)
	}
	return b.String()
}

// String is the hints for people.
func (h *hints) String() string {
	var b strings.Builder
	if r := h.Near; r != nil {
		fmt.Fprintf(&b, "nearly the same: %d rows beside one like them, %d of them with another label\n", r.Redundant, r.Conflicts)
		for _, p := range r.Pairs {
			fmt.Fprintf(&b, "  %s\n", p)
		}
	}
	if r := h.Triggers; r != nil {
		fmt.Fprintf(&b, "tied to one label: %d of %d n-grams tested\n", len(r.Triggers), r.Tests)
		for _, t := range r.Triggers {
			fmt.Fprintf(&b, "  %s\n", t)
		}
	}
	return b.String()
}

// dataHistogram draws a bar for each bin, the longest of 40 characters.
func dataHistogram(b *strings.Builder, bins []sketch.Bucket) {
	var most uint64
	for _, bin := range bins {
		most = max(most, bin.Count)
	}
	for _, bin := range bins {
		length := int(float64(bin.Count) / float64(most) * 40)
		if bin.Count > 0 {
			length = max(length, 1)
		}
		fmt.Fprintf(b, "  %12.5g %-40s %d\n", bin.Low, strings.Repeat("#", length), bin.Count)
	}
}

// dataCounts writes a map in the order of its keys, which may be any text.
func dataCounts[K ~string](m map[K]int64) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		name := strconv.Quote(string(key))
		parts = append(parts, fmt.Sprintf("%s %d", name[1:len(name)-1], m[key]))
	}
	return strings.Join(parts, ", ")
}
