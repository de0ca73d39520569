// Package adult reads the UCI Adult ("Census Income") data: tell from twelve facts about a person whether the person
// earned more than 50,000 dollars in 1994. One person is one example.
//
// The data are not part of this program. Cite: Becker, B. & Kohavi, R. (1996). Adult [Dataset]. UCI Machine Learning
// Repository. https://doi.org/10.24432/C5XW20
package adult

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
)

// Limits on what is read, far above the 48,842 rows and 6 MB that UCI published.
const (
	maxRows  = 1_000_000
	maxBytes = 256 << 20
)

// ErrRow is wrapped by every error about the content of a row.
var ErrRow = errors.New("adult: bad row")

// Summary counts what a Load went through.
type Summary struct {
	Rows    int // used
	Unknown int // left out because a value is "?", as the publishers do
}

// Load reads a file in UCI's layout, plain or gzip-compressed.
func Load(ctx context.Context, name string) (*dataset.Dataset, Summary, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, Summary{}, fmt.Errorf("adult: %w", err)
	}
	defer f.Close()
	d, sum, err := Read(ctx, f)
	if err != nil {
		return nil, sum, fmt.Errorf("%w (in %q)", err, name)
	}
	return d, sum, nil
}

// Read reads rows of fifteen comma-separated values, in the order age, type_employer (UCI's workclass), fnlwgt, education,
// education_num, marital, occupation, relationship, race, sex, capital_gain, capital_loss, hr_per_week, country, income.
// A first line with these names is skipped; so are space after a comma, the full stop that UCI's test file has after the
// label, and rows with a value "?". Any other deviation is an error that names the line: a value that this package does
// not know would otherwise become a person without that property.
func Read(ctx context.Context, r io.Reader) (*dataset.Dataset, Summary, error) {
	var sum Summary
	plain, err := decompress(r)
	if err != nil {
		return nil, sum, err
	}
	limited := &io.LimitedReader{R: plain, N: maxBytes}
	rows := csv.NewReader(limited)
	rows.FieldsPerRecord = len(columns)
	rows.TrimLeadingSpace = true
	rows.Comment = '|' // starts the first line of UCI's test file
	rows.ReuseRecord = true

	var records []dataset.Record
	for first := true; ; first = false {
		row, err := rows.Read()
		if limited.N <= 0 || sum.Rows > maxRows {
			return nil, sum, fmt.Errorf("adult: more than %d rows or %d bytes", maxRows, maxBytes)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, sum, fmt.Errorf("%w: %w", ErrRow, err)
		}
		if (sum.Rows+sum.Unknown)%1024 == 0 && ctx.Err() != nil {
			return nil, sum, fmt.Errorf("adult: stopped: %w", context.Cause(ctx))
		}
		if first && row[0] == columns[0].name {
			if err := checkHeader(row); err != nil {
				return nil, sum, err
			}
			continue
		}
		if slices.Contains(row, "?") {
			sum.Unknown++
			continue
		}
		x, err := example(row)
		if err != nil {
			line, _ := rows.FieldPos(0)
			return nil, sum, fmt.Errorf("%w: line %d: %w", ErrRow, line, err)
		}
		records = append(records, dataset.Record{Digest: digest(row), Example: x})
		sum.Rows++
	}
	d := &dataset.Dataset{Name: "UCI Adult", Unit: "person", Classes: slices.Clone(classes), Dim: features}
	d.Split(records)
	if err := d.Check(); err != nil {
		return nil, sum, fmt.Errorf("adult: %w", err)
	}
	return d, sum, nil
}

// decompress returns r, decompressed if it starts like a gzip file.
func decompress(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	if magic, _ := b.Peek(2); string(magic) != "\x1f\x8b" {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("adult: %w", err)
	}
	return z, nil
}

func checkHeader(row []string) error {
	for i, c := range columns {
		if strings.TrimSpace(row[i]) != c.name {
			return fmt.Errorf("%w: column %d is called %q, want %q", ErrRow, i+1, row[i], c.name)
		}
	}
	return nil
}

// digest identifies the person for the split, by everything but the label.
func digest(row []string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(row[:len(row)-1], ",")))
}

// example turns a row into features: for every column with features the one that the row has, and the constant one. They
// are equally many for every row and all have the same value, so that every example has unit length.
func example(row []string) (dataset.Example, error) {
	x := dataset.Example{Index: make([]int32, 0, present)}
	first := 0 // feature of the column
	for i := range columns[:len(columns)-1] {
		c := &columns[i]
		k := 0
		if c.values != nil {
			if k = slices.Index(c.values, row[i]); k < 0 {
				return x, fmt.Errorf("%s is %q, not one of its %d values", c.name, row[i], len(c.values))
			}
		} else {
			v, err := strconv.Atoi(row[i])
			if err != nil || v < c.min || v > c.max {
				return x, fmt.Errorf("%s is %q, want a whole number in %d to %d", c.name, row[i], c.min, c.max)
			}
			k, _ = slices.BinarySearch(c.edges, v+1) // the number of edges that are at most v
		}
		if c.width() > 0 {
			x.Index = append(x.Index, int32(first+k))
		}
		first += c.width()
	}
	x.Index = append(x.Index, int32(first))
	x.Value = slices.Repeat([]float32{float32(1 / math.Sqrt(present))}, present)

	label := row[len(row)-1]
	x.Label = slices.Index(classes, strings.TrimSuffix(label, "."))
	if x.Label < 0 {
		return x, fmt.Errorf("income is %q, want one of %q", label, classes)
	}
	return x, nil
}
