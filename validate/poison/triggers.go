package poison

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/surefoot-ml/surefoot/validate/internal/words"
)

// TriggerOptions are the zero TriggerOptions for most uses.
type TriggerOptions struct {
	Alpha  float64 // probability at most that anything is reported if texts and labels are independent; 0.01 if zero
	Purity float64 // share of one label, among the texts with an n-gram, from which it is reported; 0.9 if zero
	Least  int     // texts in which an n-gram is tested at least; 5 if zero
	Words  int     // of an n-gram, at most, in [1, 4]; 2 if zero
	Grams  int     // n-grams kept, about 85 bytes each and 4 for each label, in [1000, 2³⁰]; 262,144 if zero
	Labels int     // labels kept; 32 if zero
	Keep   int     // triggers listed; 20 if zero
}

// Triggers counts n-grams. It is not safe for concurrent use: give each goroutine its own and merge them.
type Triggers struct {
	options TriggerOptions
	labels  names
	texts   []int64 // of each label
	rows    int64
	skipped int64
	grams   grams

	scanner words.Scanner
	text    []byte   // the last words, each with a space
	hashes  []uint64 // of the last words
	starts  []int    // of the last words in text
}

// NewTriggers returns an error that matches [ErrOptions] for options that make no sense.
func NewTriggers(o TriggerOptions) (*Triggers, error) {
	err := cmp.Or(share("alpha", &o.Alpha, 0.01, 0.5), share("purity", &o.Purity, 0.9, 1), fill(
		limit{"least", &o.Least, 5, 1, 1 << 30},
		limit{"words", &o.Words, 2, 1, 4},
		limit{"grams", &o.Grams, 1 << 18, 1000, 1 << 30},
		limit{"labels", &o.Labels, 32, 2, 10000},
		limit{"keep", &o.Keep, 20, 1, 1 << 30},
	))
	if err != nil {
		return nil, err
	}
	return &Triggers{options: o, labels: newNames(o.Labels), grams: newGrams(o.Grams)}, nil
}

// Add adds the next row. One without a label only counts. The text is not kept.
func (t *Triggers) Add(text, label string) {
	t.rows++
	l := t.labels.of(label)
	if l < 0 {
		t.skipped++
		return
	}
	t.grams.labels(len(t.labels.list))
	t.texts = grown(t.texts, len(t.labels.list))
	t.texts[l]++
	t.text, t.hashes, t.starts = t.text[:0], t.hashes[:0], t.starts[:0]
	for t.scanner.Reset(text); t.scanner.Next(); {
		if len(t.hashes) == t.options.Words {
			drop := len(t.text)
			if len(t.starts) > 1 {
				drop = t.starts[1]
			}
			t.text = append(t.text[:0], t.text[drop:]...)
			t.hashes = append(t.hashes[:0], t.hashes[1:]...)
			t.starts = append(t.starts[:0], t.starts[1:]...)
			for i := range t.starts {
				t.starts[i] -= drop
			}
		}
		t.starts = append(t.starts, len(t.text))
		t.text = append(append(t.text, t.scanner.Word()...), ' ')
		t.hashes = append(t.hashes, t.scanner.Hash())
		h := uint64(0)
		for i := len(t.hashes) - 1; i >= 0; i-- { // from the last word back, all n-grams that end in it
			hi, lo := bits.Mul64(h^t.hashes[i], 0xd6e8feb86659fd93)
			h = bits.RotateLeft64(hi^lo, 17) + 0x9e3779b97f4a7c15
			t.grams.add(h, t.rows, l, t.text[t.starts[i]:len(t.text)-1])
		}
	}
}

// Merge adds the rows of o as if they had been added after those of t. The report is that of one pass if no n-gram was forgotten
// (Missed is 0) and every label had its place; else the guarantees are those of one pass. o must have the same options and,
// together with t, no more labels than they allow; it is left as it was.
func (t *Triggers) Merge(o *Triggers) error {
	if t.options != o.options || t == o {
		return ErrMerge
	}
	if err := t.labels.fits(&o.labels); err != nil {
		return err
	}
	to := t.labels.merge(&o.labels)
	t.grams.labels(len(t.labels.list))
	t.texts = grown(t.texts, len(t.labels.list))
	for i, n := range o.texts {
		t.texts[to[i]] += n
	}
	t.grams.merge(&o.grams, t.rows, to)
	t.rows += o.rows
	t.skipped += o.skipped
	return nil
}

// Trigger is an n-gram that goes with one label, and what is needed to find that again by hand.
type Trigger struct {
	Gram  string  `json:"gram"` // without case and accents; … if it is cut
	Label string  `json:"label"`
	With  int64   `json:"with"`  // texts of the label that have it
	Texts int64   `json:"texts"` // texts that have it
	Share float64 `json:"share"` // of the label among all texts
	PMI   float64 `json:"pmi"`   // log2 of With/Texts over Share
	Score float64 `json:"score"` // PMI times With, by which triggers are listed
	// LogP is the decimal logarithm of Fisher's exact test on one side: the probability that at least With of Texts have the
	// label, if texts and labels are independent.
	LogP float64 `json:"log10_p"`
	// Missed is how many more texts may have had it while it was not counted, at most. The test takes all of them for texts of
	// other labels.
	Missed int64 `json:"missed,omitempty"`
}

func (t Trigger) String() string {
	return fmt.Sprintf("%q: %d of %d texts are %q (%.3g of all are), p 1e%.0f", t.Gram, t.With, t.Texts, t.Label, t.Share, t.LogP)
}

// TriggerReport is what a [Triggers] found.
type TriggerReport struct {
	Rows    int64            `json:"rows"`
	Skipped int64            `json:"skipped,omitempty"` // rows without a label, or whose label had no place
	Labels  map[string]int64 `json:"labels"`
	Grams   int              `json:"grams"`            // different n-grams counted
	Missed  int64            `json:"missed,omitempty"` // texts that had an n-gram that is not counted, at most

	Tests  int64   `json:"tests"` // pairs of an n-gram and a label
	Alpha  float64 `json:"alpha"`
	LogP   float64 `json:"log10_p"` // threshold of Trigger.LogP: the logarithm of Alpha/Tests (Bonferroni)
	Purity float64 `json:"purity"`
	Least  int     `json:"least"`

	Found    int64     `json:"found"` // triggers, those in others included
	Triggers []Trigger `json:"triggers,omitempty"`
}

// Report tests the n-grams that were counted. An n-gram that holds another trigger is counted in Found and not listed.
func (t *Triggers) Report() *TriggerReport {
	o := t.options
	r := &TriggerReport{Rows: t.rows, Skipped: t.skipped, Labels: map[string]int64{}, Grams: len(t.grams.list),
		Missed: int64(t.grams.missed), Alpha: o.Alpha, Purity: o.Purity, Least: o.Least}
	var n int64
	for i, name := range t.labels.list {
		r.Labels[name] = t.texts[i]
		n += t.texts[i]
	}
	for _, e := range t.grams.list {
		if int64(e.count)+int64(e.missed) >= int64(o.Least) {
			r.Tests += int64(len(t.labels.list))
		}
	}
	if r.Tests == 0 {
		return r
	}
	r.LogP = math.Log10(o.Alpha / float64(r.Tests))
	var found []Trigger
	for i := range t.grams.list {
		e := &t.grams.list[i]
		if int64(e.count)+int64(e.missed) < int64(o.Least) {
			continue
		}
		for l, with := range t.grams.counts[i*t.grams.stride:][:len(t.labels.list)] {
			if f, ok := t.test(e, int64(with), l, n, r.LogP); ok {
				found = append(found, f)
			}
		}
	}
	r.Found = int64(len(found))
	slices.SortFunc(found, func(a, b Trigger) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(len(a.Gram), len(b.Gram)),
			cmp.Compare(a.Gram, b.Gram), cmp.Compare(a.Label, b.Label))
	})
	single := map[string]bool{}
	for _, f := range found {
		single[f.Gram+"\x00"+f.Label] = true
	}
	for _, f := range found {
		if len(r.Triggers) < o.Keep && !parts(f, single) {
			r.Triggers = append(r.Triggers, f)
		}
	}
	return r
}

func (t *Triggers) test(e *gram, with int64, label int, n int64, logP float64) (Trigger, bool) {
	marked := t.texts[label]
	// Texts that were missed are taken for texts of other labels, of which there may be fewer.
	missed := min(int64(e.missed), n-marked-(int64(e.count)-with))
	texts := int64(e.count) + missed
	share := float64(marked) / float64(n)
	if float64(with) < t.options.Purity*float64(texts) || float64(with) <= share*float64(texts) {
		return Trigger{}, false
	}
	p := logHypergeometric(with, texts, marked, n) / math.Ln10
	if p > logP {
		return Trigger{}, false
	}
	pmi := math.Log2(float64(with) / float64(texts) / share)
	return Trigger{Gram: shown(e), Label: t.labels.list[label], With: with, Texts: int64(e.count), Share: share, PMI: pmi,
		Score: pmi * float64(with), LogP: p, Missed: missed}, true
}

func shown(e *gram) string {
	s := string(e.text[:e.length])
	if e.length < gramBytes {
		return s
	}
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// parts reports whether a shorter n-gram of f is a trigger of the same label.
func parts(f Trigger, found map[string]bool) bool {
	w := strings.Split(f.Gram, " ")
	for n := 1; n < len(w); n++ {
		for i := 0; i+n <= len(w); i++ {
			if found[strings.Join(w[i:i+n], " ")+"\x00"+f.Label] {
				return true
			}
		}
	}
	return false
}
