package poison

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// SourceOptions are the zero SourceOptions for most uses.
type SourceOptions struct {
	Alpha   float64 // probability at most that any source is reported if sources and labels are independent; 0.01 if zero
	Effect  float64 // difference of a label's shares from which a source is reported; 0.05 if zero
	Sources int     // kept; 10,000 if zero
	Labels  int     // kept; 100 if zero
	Keep    int     // sources listed; 20 if zero
}

// Sources counts labels by source, which may be an author, a file, an address, a month. It is not safe for concurrent use: give
// each goroutine its own and merge them.
type Sources struct {
	options         SourceOptions
	labels, sources names
	counts          [][]int64 // by source, by label
	rows, skipped   int64
}

// NewSources returns an error that matches [ErrOptions] for options that make no sense.
func NewSources(o SourceOptions) (*Sources, error) {
	err := cmp.Or(share("alpha", &o.Alpha, 0.01, 0.5), share("effect", &o.Effect, 0.05, 1), fill(
		limit{"sources", &o.Sources, 10000, 2, 1 << 30},
		limit{"labels", &o.Labels, 100, 2, 10000},
		limit{"keep", &o.Keep, 20, 1, 1 << 30},
	))
	if err != nil {
		return nil, err
	}
	return &Sources{options: o, labels: newNames(o.Labels), sources: newNames(o.Sources)}, nil
}

// Add adds the next row. One without a source or a label only counts.
func (s *Sources) Add(source, label string) {
	s.rows++
	i := s.sources.of(source)
	l := -1
	if i >= 0 {
		l = s.labels.of(label)
	}
	if l < 0 {
		s.skipped++
		return
	}
	s.count(i, l, 1)
}

func (s *Sources) count(source, label int, n int64) {
	for len(s.counts) <= source {
		s.counts = append(s.counts, nil)
	}
	s.counts[source] = grown(s.counts[source], label+1)
	s.counts[source][label] += n
}

// Merge adds the rows of o. The report is that of one pass. o must have the same options and, together with s, no more sources
// and labels than they allow; it is left as it was.
func (s *Sources) Merge(o *Sources) error {
	if s.options != o.options || s == o {
		return ErrMerge
	}
	if err := cmp.Or(s.sources.fits(&o.sources), s.labels.fits(&o.labels)); err != nil {
		return err
	}
	sources, labels := s.sources.merge(&o.sources), s.labels.merge(&o.labels)
	for i, counts := range o.counts {
		for l, n := range counts {
			s.count(sources[i], labels[l], n)
		}
	}
	s.rows += o.rows
	s.skipped += o.skipped
	return nil
}

// Source is the labels of a source beside those of all others.
type Source struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`

	Label  string  `json:"label"`  // that is least likely as frequent or rare as it is by chance
	Share  float64 `json:"share"`  // of the label in the source
	Others float64 `json:"others"` // and in all other sources

	// P is the probability of a label that is as frequent or rare, if sources and labels are independent: twice that of Fisher's
	// exact test on one side, times the labels that are tested. It holds for a few rows as for many.
	P         float64 `json:"p"`
	PAdjusted float64 `json:"p_adjusted"` // for all sources, after Holm (1979): to be compared with Alpha
	Chi2      float64 `json:"chi2"`       // of Pearson, for all labels: how large the difference is
	CramersV  float64 `json:"cramers_v"`  // √(Chi2/n), of the table of the source and the others
}

func (s Source) String() string {
	return fmt.Sprintf("%q: %.3g of %d rows are %q, %.3g elsewhere, p %.2g", s.Name, s.Share, s.Rows, s.Label, s.Others, s.PAdjusted)
}

// SourceReport is what a [Sources] found.
type SourceReport struct {
	Rows    int64 `json:"rows"`
	Skipped int64 `json:"skipped,omitempty"` // rows that lack a source or label, or whose had no place
	Sources int   `json:"sources"`
	Labels  int   `json:"labels"`
	Tests   int   `json:"tests"` // sources, each of them for all labels

	Alpha  float64 `json:"alpha"`
	Effect float64 `json:"effect"`

	CramersV float64 `json:"cramers_v"` // of the table of all sources and labels, from 0 for independent ones to 1
	Expected float64 `json:"expected"`  // of CramersV for independent ones, about

	Found   int      `json:"found"`
	Shifted []Source `json:"shifted,omitempty"` // the surest first
}

// Report tests each source against the others.
func (s *Sources) Report() *SourceReport {
	o := s.options
	r := &SourceReport{Rows: s.rows, Skipped: s.skipped, Alpha: o.Alpha, Effect: o.Effect}
	all := make([]int64, len(s.labels.list))
	var n int64
	for _, counts := range s.counts {
		for l, c := range counts {
			all[l] += c
			n += c
		}
	}
	var tested []Source
	row := make([]int64, len(all))
	for i, counts := range s.counts {
		clear(row)
		copy(row, counts)
		if one, ok := s.test(i, row, all, n); ok {
			tested = append(tested, one)
		}
	}
	r.Tests = len(tested)
	s.associate(r, all, n)
	slices.SortFunc(tested, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.P, b.P), cmp.Compare(a.Rows, b.Rows), cmp.Compare(a.Name, b.Name))
	})
	adjusted := 0.0
	for i, one := range tested {
		adjusted = max(adjusted, min(1, one.P*float64(len(tested)-i)))
		one.PAdjusted = adjusted
		if adjusted <= o.Alpha && math.Abs(one.Share-one.Others) >= o.Effect {
			if r.Found++; len(r.Shifted) < o.Keep {
				r.Shifted = append(r.Shifted, one)
			}
		}
	}
	return r
}

// test compares a source with the others. It reports false if there is nothing to compare.
func (s *Sources) test(i int, row, all []int64, n int64) (Source, bool) {
	one := Source{Name: s.sources.list[i], P: 2}
	for _, c := range row {
		one.Rows += c
	}
	others := n - one.Rows
	if one.Rows == 0 || others == 0 {
		return one, false
	}
	labels := 0
	for l, total := range all {
		if total == 0 {
			continue
		}
		labels++
		c := row[l]
		expected, rest := float64(one.Rows)*float64(total)/float64(n), float64(others)*float64(total)/float64(n)
		d := float64(c) - expected
		one.Chi2 += d*d/expected + d*d/rest
		p := 0.0
		if d >= 0 {
			p = logHypergeometric(c, one.Rows, total, n)
		} else {
			p = logHypergeometric(one.Rows-c, one.Rows, n-total, n)
		}
		// Of two labels the tests are equal, but for rounding: the one that is more frequent is named.
		p = min(1, 2*math.Exp(p))
		if p < one.P*(1-1e-9) || p < one.P*(1+1e-9) && d > 0 && one.Share < one.Others {
			one.P, one.Label = p, s.labels.list[l]
			one.Share, one.Others = float64(c)/float64(one.Rows), float64(total-c)/float64(others)
		}
	}
	if labels < 2 {
		return one, false
	}
	if labels > 2 { // the test of one of two is that of the other
		one.P = min(1, one.P*float64(labels))
	}
	one.CramersV = math.Sqrt(one.Chi2 / float64(n))
	return one, true
}

// associate adds what is known of the whole table.
func (s *Sources) associate(r *SourceReport, all []int64, n int64) {
	for _, total := range all {
		if total > 0 {
			r.Labels++
		}
	}
	x2 := 0.0
	for _, counts := range s.counts {
		var rows int64
		for _, c := range counts {
			rows += c
		}
		if rows == 0 {
			continue
		}
		r.Sources++
		for l, total := range all {
			var c int64
			if l < len(counts) {
				c = counts[l]
			}
			if e := float64(rows) * float64(total) / float64(n); e > 0 {
				x2 += (float64(c) - e) * (float64(c) - e) / e
			}
		}
	}
	if k := float64(min(r.Sources, r.Labels) - 1); k > 0 {
		r.CramersV = math.Sqrt(x2 / float64(n) / k)
		r.Expected = min(1, math.Sqrt(float64(r.Sources-1)*float64(r.Labels-1)/float64(n)/k))
	}
}
