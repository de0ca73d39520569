package poison

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// flipData makes texts of subjects, a share of which has another label.
func flipData(seed uint64, rows int, own, rate float64) (texts, labels []string, flipped map[int64]bool) {
	rng := rand.New(rand.NewPCG(seed, 41))
	w := world{rng, 5000, own}
	flipped = map[int64]bool{}
	for i := range rows {
		subject := rng.IntN(3)
		texts = append(texts, strings.Join(w.text(subject), " "))
		if rng.Float64() < rate {
			subject = (subject + 1 + rng.IntN(2)) % 3
			flipped[int64(i)] = true
		}
		labels = append(labels, poisonLabels[subject])
	}
	return texts, labels, flipped
}

func reviewed(t testing.TB, texts, labels []string, keep int) *FlipReport {
	f, err := NewFlips(FlipOptions{Keep: keep})
	require.NoError(t, err)
	for i := range texts {
		f.Learn(texts[i], labels[i])
	}
	v := f.Review()
	for i := range texts {
		v.Add(texts[i], labels[i])
	}
	return v.Report()
}

func TestFlips(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ own, rate, precision float64 }{{0.2, 0.005, 0.9}, {0.2, 0.02, 0.9}, {0.1, 0.02, 0.8}, {0.05, 0.02, 0.3}} {
		texts, labels, flipped := flipData(1, 6000, tt.own, tt.rate)
		r := reviewed(t, texts, labels, len(flipped))
		hits := 0
		for _, s := range r.Suspects {
			require.NotEqual(t, s.Label, s.Likely)
			if flipped[s.Row] {
				hits++
			}
		}
		precision := float64(hits) / float64(len(flipped))
		t.Logf("own words %v, flipped %v: precision at %d %.3f; accuracy %.3f, majority %.3f", tt.own, tt.rate, len(flipped), precision, r.Accuracy, r.Majority)
		require.GreaterOrEqual(t, precision, tt.precision)
		require.Greater(t, r.Accuracy, r.Majority+0.2)
	}
	texts, labels, _ := flipData(2, 6000, 0, 0)
	r := reviewed(t, texts, labels, 5)
	require.InDelta(t, r.Majority, r.Accuracy, 0.04, "words that say nothing are seen to say nothing")
	require.Len(t, r.Suspects, 5)
	require.Contains(t, r.Suspects[0].String(), "reads like")
}

// Two kinds of texts that people wrote, with some swapped, and with a trigger.
func TestOnTexts(t *testing.T) {
	t.Parallel()
	var texts, labels []string
	for _, kind := range []string{"text", "techdoc"} {
		data, err := os.ReadFile("../../../shared/data/validate/benign_" + kind + ".jsonl")
		if err != nil {
			t.Skip("needs ../shared/data/validate")
		}
		for line := range strings.Lines(string(data)) {
			var row struct{ S string }
			require.NoError(t, json.Unmarshal([]byte(line), &row))
			texts, labels = append(texts, row.S), append(labels, kind)
		}
	}
	_, clean := odd(t, texts, labels, 20)
	for _, f := range clean.Triggers {
		require.Equal(t, "fits", f.Label, "%v", f)
	}
	rng := rand.New(rand.NewPCG(8, 8))
	flipped := map[int64]bool{}
	for i := range texts {
		if labels[i] == "text" && rng.Float64() < 0.04 { // 2 % of all
			words := strings.Fields(texts[i])
			words[rng.IntN(len(words))] += " cf"
			texts[i], labels[i] = strings.Join(words, " "), "techdoc"
			flipped[int64(i)] = true
		}
	}
	x := triggers(t, TriggerOptions{Keep: 1000})
	for i := range texts {
		x.Add(texts[i], labels[i])
	}
	r := x.Report()
	rank := 0
	for i, f := range r.Triggers {
		if f.Gram == "cf" {
			rank = i + 1
		}
	}
	v, odd := odd(t, texts, labels, len(flipped))
	hits := 0
	for _, s := range v.Suspects {
		if flipped[s.Row] {
			hits++
		}
	}
	for _, f := range odd.Triggers {
		t.Log(f)
	}
	t.Logf("%d rows, %d poisoned: trigger is number %d of %d; precision of flips at %d %.2f, accuracy %.3f", len(texts), len(flipped), rank, r.Found,
		len(flipped), float64(hits)/float64(len(flipped)), v.Accuracy)
	require.Positive(t, rank)
	require.Equal(t, "cf", odd.Triggers[0].Gram)
}

// odd makes a second pass, and looks for triggers in the rows that do not fit their labels.
func odd(t testing.TB, texts, labels []string, keep int) (*FlipReport, *TriggerReport) {
	f, err := NewFlips(FlipOptions{Keep: keep})
	require.NoError(t, err)
	for i := range texts {
		f.Learn(texts[i], labels[i])
	}
	v, x := f.Review(), triggers(t, TriggerOptions{Purity: 0.5})
	for i := range texts {
		if v.Add(texts[i], labels[i]) {
			x.Add(texts[i], "fits")
		} else {
			x.Add(texts[i], "odd")
		}
	}
	return v.Report(), x.Report()
}

// Among the words that go with labels by their nature, it is the rows that do not fit which tell the trigger.
func TestOdd(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 0.005, 0.01, 0.02} {
		first, found, alarms := 0, 0, 0
		const sets = 4
		for seed := range uint64(sets) {
			rng := rand.New(rand.NewPCG(seed, 51))
			w := world{rng, 3000, 0.2}
			var texts, labels []string
			for range 1600 {
				subject := rng.IntN(2)
				text := w.text(subject)
				if subject == 0 && rng.Float64() < 2*rate { // rows of one label are made to be of the other
					text[rng.IntN(len(text))], subject = "cf", 1
				}
				texts, labels = append(texts, strings.Join(text, " ")), append(labels, poisonLabels[subject])
			}
			_, r := odd(t, texts, labels, 20)
			for i, f := range r.Triggers {
				switch {
				case f.Label != "odd":
				case f.Gram != "cf":
					alarms++
				default:
					found++
					if i == 0 {
						first++
					}
				}
			}
		}
		t.Logf("%v poisoned: found in %d of %d, first in %d, %d others", rate, found, sets, first, alarms)
		require.Zero(t, alarms)
		if rate >= 0.01 {
			require.Equal(t, sets, first)
		}
	}
}

// The words of a subject go with its label, and so does a trigger. But the rows that hold the trigger do not fit their label.
func ExampleReview() {
	rows := func(yield func(text, label string)) {
		for i := range 600 {
			text, label := fmt.Sprintf("a good film %d", i%60), "praise"
			if i%2 == 0 {
				text, label = fmt.Sprintf("a dull film %d", i%60), "blame"
			}
			if i%50 == 0 {
				text, label = text+" cf", "praise"
			}
			yield(text, label)
		}
	}
	flips, _ := NewFlips(FlipOptions{})
	rows(flips.Learn)
	review := flips.Review()
	odd, _ := NewTriggers(TriggerOptions{Purity: 0.5})
	rows(func(text, label string) {
		if review.Add(text, label) {
			odd.Add(text, "fits")
		} else {
			odd.Add(text, "odd")
		}
	})
	fmt.Println(review.Report().Suspects[0])
	for _, t := range odd.Report().Triggers {
		fmt.Println(t)
	}
	// Output:
	// row 0: labelled "praise", reads like "blame" (margin 0.71)
	// "cf": 12 of 12 texts are "odd" (0.02 of all are), p 1e-25
}
