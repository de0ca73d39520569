package poison

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/surefoot-ml/surefoot/validate/internal/words"
)

// FlipOptions are the zero FlipOptions for most uses.
type FlipOptions struct {
	Bits   int // 2^Bits counters for each label, of 4 bytes, in [8, 26]; 18 (1 MiB) if zero
	Labels int // kept; 32 if zero
	Keep   int // rows listed; 20 if zero
}

// Flips learns which words go with which label, by a naive Bayes classifier over hashed words, and judges each row by all
// others: a row's own words are taken out of the counts before it is judged. It is not safe for concurrent use: give each
// goroutine its own and merge them. Once all rows are learnt any number of goroutines may make a [Review].
type Flips struct {
	options FlipOptions
	labels  names
	texts   []int64 // of each label
	words   []int64 // of each label
	counts  [][]uint32
	reader  reader
}

// reader makes the features of a text: the counters of its different words, in rising order.
type reader struct {
	scanner  words.Scanner
	features []uint32
}

func (r *reader) read(text string, bits int) []uint32 {
	r.features = r.features[:0]
	for r.scanner.Reset(text); r.scanner.Next(); {
		r.features = append(r.features, uint32(r.scanner.Hash()>>(64-bits)))
	}
	slices.Sort(r.features)
	r.features = slices.Compact(r.features)
	return r.features
}

// NewFlips returns an error that matches [ErrOptions] for options that make no sense.
func NewFlips(o FlipOptions) (*Flips, error) {
	if err := fill(
		limit{"bits", &o.Bits, 18, 8, 26},
		limit{"labels", &o.Labels, 32, 2, 1000},
		limit{"keep", &o.Keep, 20, 1, 1 << 30},
	); err != nil {
		return nil, err
	}
	return &Flips{options: o, labels: newNames(o.Labels)}, nil
}

// Learn adds a row, in the first pass. Rows without a label, or with one that has no place, are passed over.
func (f *Flips) Learn(text, label string) {
	l := f.labels.of(label)
	if l < 0 {
		return
	}
	f.grow()
	features := f.reader.read(text, f.options.Bits)
	f.texts[l]++
	f.words[l] += int64(len(features))
	for _, w := range features {
		f.counts[l][w]++
	}
}

func (f *Flips) grow() {
	for len(f.counts) < len(f.labels.list) {
		f.counts = append(f.counts, make([]uint32, 1<<f.options.Bits))
	}
	f.texts, f.words = grown(f.texts, len(f.counts)), grown(f.words, len(f.counts))
}

// Merge adds what o has learnt: the same as if f had. o must have the same options and, together with f, no more labels than they
// allow; it is left as it was.
func (f *Flips) Merge(o *Flips) error {
	if f.options != o.options || f == o {
		return ErrMerge
	}
	if err := f.labels.fits(&o.labels); err != nil {
		return err
	}
	to := f.labels.merge(&o.labels)
	f.grow()
	for i, l := range to {
		f.texts[l] += o.texts[i]
		f.words[l] += o.words[i]
		for w, n := range o.counts[i] {
			f.counts[l][w] += n
		}
	}
	return nil
}

// judge returns the label that fits best besides the own one, and by how much it fits better: the difference of the log-odds,
// over the square root of the number of words, so that rows are not listed for being long.
func (f *Flips) judge(features []uint32, own int) (best int, margin float64) {
	const smooth = 0.5 // of a word that was not seen with a label
	vocabulary := smooth * float64(uint64(1)<<f.options.Bits)
	score := func(l int) float64 {
		less := 0.0
		if l == own {
			less = 1
		}
		texts, all := float64(f.texts[l])-less, float64(f.words[l])-less*float64(len(features))
		s := math.Log(texts+1) - float64(len(features))*math.Log(all+vocabulary)
		product := 1.0 // of few counts at a time: one logarithm for all
		for _, w := range features {
			if product *= max(0, float64(f.counts[l][w])-less) + smooth; product > 1e280 || product < 1e-280 {
				s += math.Log(product)
				product = 1
			}
		}
		return s + math.Log(product)
	}
	best, margin = -1, math.Inf(-1)
	mine := score(own)
	for l := range f.counts {
		if m := score(l) - mine; l != own && (m > margin || m == margin && f.labels.list[l] < f.labels.list[best]) {
			best, margin = l, m
		}
	}
	return best, margin / math.Sqrt(float64(max(len(features), 1)))
}

// Suspect is a row whose text fits another label better than its own.
type Suspect struct {
	Row    int64   `json:"row"`
	Label  string  `json:"label"`
	Likely string  `json:"likely"` // the label that it fits better
	Margin float64 `json:"margin"` // by how much: difference of the log-odds over the square root of the number of words
}

func (s Suspect) String() string {
	return fmt.Sprintf("row %d: labelled %q, reads like %q (margin %.2g)", s.Row, s.Label, s.Likely, s.Margin)
}

// FlipReport is what a [Review] found.
type FlipReport struct {
	Rows     int64 `json:"rows"`
	Skipped  int64 `json:"skipped,omitempty"` // rows without words or a label that was learnt
	Disagree int64 `json:"disagree"`          // rows that fit another label better than their own
	// Accuracy is the share of rows that fit their own label best, and Majority that of the most frequent label: as long as the
	// first is not well above the second, the words say little about the labels, and Suspects nothing.
	Accuracy float64 `json:"accuracy"`
	Majority float64 `json:"majority"`

	Suspects []Suspect `json:"suspects,omitempty"` // the largest margins first
}

// Review judges rows, in the second pass. It is not safe for concurrent use: each goroutine makes its own.
type Review struct {
	flips         *Flips
	rows, skipped int64
	disagree      int64
	suspects      []Suspect
	reader        reader
}

// Review begins a second pass over rows that were all learnt. While it goes on nothing more may be learnt or merged.
func (f *Flips) Review() *Review { return &Review{flips: f} }

// Add judges the next row, which must have been learnt with this label, and reports whether it fits it: if no other fits better,
// or if it cannot be judged. Rows count from 0. The triggers of an attacker stand in rows that do not fit: see the example of
// [Review].
func (r *Review) Add(text, label string) (fits bool) {
	r.rows++
	own, known := r.flips.labels.number[label]
	features := r.reader.read(text, r.flips.options.Bits)
	if !known || len(features) == 0 || len(r.flips.counts) < 2 {
		r.skipped++
		return true
	}
	best, margin := r.flips.judge(features, own)
	if !(margin > 0) {
		return true
	}
	r.disagree++
	r.suspects = append(r.suspects, Suspect{r.rows - 1, r.flips.labels.list[own], r.flips.labels.list[best], margin})
	if len(r.suspects) >= 2*r.flips.options.Keep+64 {
		r.cut()
	}
	return false
}

func (r *Review) cut() {
	slices.SortFunc(r.suspects, func(a, b Suspect) int { return cmp.Or(cmp.Compare(b.Margin, a.Margin), cmp.Compare(a.Row, b.Row)) })
	r.suspects = r.suspects[:min(len(r.suspects), r.flips.options.Keep)]
}

// Merge adds the rows of o as if they had been added after those of r: the report is that of one pass. Both must be of the same
// Flips.
func (r *Review) Merge(o *Review) error {
	if r.flips != o.flips || r == o {
		return ErrMerge
	}
	for _, s := range o.suspects {
		s.Row += r.rows
		r.suspects = append(r.suspects, s)
	}
	r.cut()
	r.rows += o.rows
	r.skipped += o.skipped
	r.disagree += o.disagree
	return nil
}

// Report returns what was found so far.
func (r *Review) Report() *FlipReport {
	r.cut()
	out := &FlipReport{Rows: r.rows, Skipped: r.skipped, Disagree: r.disagree, Suspects: slices.Clone(r.suspects)}
	if judged := r.rows - r.skipped; judged > 0 {
		out.Accuracy = 1 - float64(r.disagree)/float64(judged)
	}
	var all, most int64
	for _, n := range r.flips.texts {
		all, most = all+n, max(most, n)
	}
	if all > 0 {
		out.Majority = float64(most) / float64(all)
	}
	return out
}
