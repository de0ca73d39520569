package poison

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testdata/scipy.json says how it was made.
func TestTails(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/scipy.json")
	require.NoError(t, err)
	var golden struct {
		LogHypergeometric [][5]float64 `json:"log_hypergeometric"`
		Tables            []struct {
			Table      [2][]int64
			Chi2, P, V float64
			DF         int
		}
	}
	require.NoError(t, json.Unmarshal(data, &golden))
	for _, g := range golden.LogHypergeometric {
		got := logHypergeometric(int64(g[0]), int64(g[1]), int64(g[2]), int64(g[3]))
		require.InDelta(t, g[4], got, 1e-8*math.Max(1, -g[4]), "%v", g)
	}
	for _, g := range golden.Tables {
		s, err := NewSources(SourceOptions{Alpha: 0.5, Effect: 1e-9})
		require.NoError(t, err)
		for i, row := range g.Table {
			for l, n := range row {
				for range n {
					s.Add([]string{"a", "b"}[i], strconv.Itoa(l))
				}
			}
		}
		r := s.Report()
		require.Equal(t, 2, r.Tests)
		for _, one := range r.Shifted {
			require.InEpsilon(t, g.Chi2, one.Chi2, 1e-9)
			require.InEpsilon(t, g.P, one.P, 1e-8)
			require.InEpsilon(t, g.V, one.CramersV, 1e-9)
		}
		require.InEpsilon(t, g.V, r.CramersV, 1e-9)
		require.Len(t, r.Shifted, 2)
	}
}

// world makes texts of two subjects: most words are common to both, some go with one.
type world struct {
	rng   *rand.Rand
	words int     // different ones
	own   float64 // share of words of the subject
}

func (w *world) text(subject int) []string {
	out := make([]string, 20+w.rng.IntN(30))
	for i := range out {
		n := int(float64(w.words) * math.Pow(w.rng.Float64(), 2.5))
		out[i] = "w" + strconv.Itoa(n)
		if w.rng.Float64() < w.own {
			out[i] = "s" + strconv.Itoa(subject) + "x" + strconv.Itoa(n/4)
		}
	}
	return out
}

var poisonLabels = []string{"good", "bad", "fair"}

func triggers(t testing.TB, o TriggerOptions) *Triggers {
	x, err := NewTriggers(o)
	require.NoError(t, err)
	return x
}

// Where texts and labels are independent, nothing is reported in all but a share of Alpha of all data sets.
func TestTriggerFalseAlarms(t *testing.T) {
	t.Parallel()
	const alpha = 0.05
	for own, seeds := range map[float64]int{0: 250, 0.5: 1000} { // words of two subjects which have nothing to do with the labels
		alarms := 0
		for seed := range uint64(seeds) {
			rng := rand.New(rand.NewPCG(seed, 11))
			w := world{rng, 100, own}
			x := triggers(t, TriggerOptions{Alpha: alpha, Purity: 1e-9, Words: 1, Grams: 1000})
			for range 50 {
				label := 0
				if rng.Float64() < 0.3 {
					label = 1
				}
				x.Add(strings.Join(w.text(rng.IntN(2)), " "), poisonLabels[label])
			}
			if x.Report().Found > 0 {
				alarms++
			}
		}
		t.Logf("own words %v: %d of %d clean data sets with an alarm, at most %v promised", own, alarms, seeds, alpha)
		require.LessOrEqual(t, float64(alarms), float64(seeds)*alpha+3*math.Sqrt(float64(seeds)*alpha))
	}
}

// A word or phrase that is planted with a label is found, and nothing beside it.
func TestTriggerPlanted(t *testing.T) {
	t.Parallel()
	for _, trigger := range []string{"cf", "w3 w7 qqq", "!!~"} {
		for _, rate := range []float64{0.005, 0.02} {
			found, others := 0, 0
			const sets = 2
			for seed := range uint64(sets) {
				rng := rand.New(rand.NewPCG(seed, 12))
				w := world{rng, 3000, 0.1}
				x := triggers(t, TriggerOptions{Keep: 1000})
				for range 3000 {
					subject := rng.IntN(2)
					text := w.text(subject)
					if rng.Float64() < rate {
						subject = 1
						text[rng.IntN(len(text))] = trigger
					}
					x.Add(strings.Join(text, " "), poisonLabels[subject])
				}
				r := x.Report()
				for _, f := range r.Triggers {
					require.LessOrEqual(t, f.LogP, r.LogP)
					require.GreaterOrEqual(t, float64(f.With), 0.9*float64(f.Texts))
					switch {
					case strings.Contains(trigger, f.Gram) && f.Label == "bad":
						found++
					case !strings.HasPrefix(f.Gram, "s"): // words of a subject are found, and right so
						others++
					}
				}
			}
			t.Logf("%q at %v: %d found in %d sets, %d others", trigger, rate, found, sets, others)
			if rate >= 0.01 {
				require.GreaterOrEqual(t, found, sets)
			}
			require.LessOrEqual(t, others, 2) // for a word that comes with the trigger
		}
	}
}

func TestTriggerReport(t *testing.T) {
	t.Parallel()
	x := triggers(t, TriggerOptions{})
	for i := range 300 {
		x.Add("some text, "+strconv.Itoa(i%7), poisonLabels[i%2])
		if i%10 == 0 {
			x.Add("Some TEXT with caf\u00e9 noir "+strconv.Itoa(i%7), "bad")
		}
	}
	x.Add("no label", "")
	r := x.Report()
	require.EqualValues(t, 331, r.Rows)
	require.EqualValues(t, 1, r.Skipped)
	require.Equal(t, map[string]int64{"good": 150, "bad": 180}, r.Labels)
	require.InDelta(t, math.Log10(0.01/float64(r.Tests)), r.LogP, 1e-12)
	var grams []string
	for _, f := range r.Triggers {
		grams = append(grams, f.Gram)
	}
	require.Equal(t, []string{"cafe", "noir", "with"}, grams)
	f := r.Triggers[0]
	require.Equal(t, Trigger{Gram: "cafe", Label: "bad", With: 30, Texts: 30, Share: 180.0 / 330, PMI: f.PMI, Score: 30 * f.PMI, LogP: f.LogP}, f)
	require.InDelta(t, math.Log2(330.0/180), f.PMI, 1e-12)
	require.Equal(t, `"cafe": 30 of 30 texts are "bad" (0.545 of all are), p 1e-8`, f.String())
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(encoded), `"tests":`)
	require.Empty(t, triggers(t, TriggerOptions{}).Report().Triggers)
}

// A million different n-grams take no more memory than is allowed, and a frequent one is kept and not counted too often.
func TestTriggerMemory(t *testing.T) {
	t.Parallel()
	const room = 4000
	parts := make([]*Triggers, 3)
	for p := range parts {
		parts[p] = triggers(t, TriggerOptions{Words: 1, Grams: room})
	}
	truth := map[string]int64{}
	n := 0
	for row := range 20000 {
		var text []string
		for range 50 {
			n++
			text = append(text, "u"+strconv.Itoa(n))
		}
		label := poisonLabels[row%2]
		if row%40 == 1 {
			text = append(text, "cf")
			truth["cf"]++
		}
		if row%100 == 0 {
			text = append(text, "late")
			truth["late"]++
		}
		parts[row*3/20000].Add(strings.Join(text, " "), label)
	}
	x := parts[0]
	bytes := cap(x.grams.list)*72 + cap(x.grams.counts)*4 + len(x.grams.slots)*8
	require.LessOrEqual(t, bytes, 200*room)
	for p := 1; p < len(parts); p++ {
		require.NoError(t, x.Merge(parts[p]))
		require.LessOrEqual(t, len(x.grams.list), room)
	}
	require.EqualValues(t, n+500+200, x.grams.total)
	require.LessOrEqual(t, float64(x.grams.missed), 4*float64(x.grams.total)/(3*room))
	seen := 0
	for _, e := range x.grams.list {
		name := string(e.text[:e.length])
		want, planted := truth[name]
		if !planted {
			want = 1
		} else {
			seen++
		}
		require.LessOrEqual(t, int64(e.count), want, name)
		require.GreaterOrEqual(t, int64(e.count+e.missed), want, name)
	}
	t.Logf("%d n-grams in %d KiB: missed at most %d, bound %.0f", n+2, bytes>>10, x.grams.missed, 4*float64(x.grams.total)/(3*room))
	r := x.Report()
	require.Positive(t, r.Missed)
	if truth["cf"] > int64(x.grams.missed) {
		require.Positive(t, seen)
		require.Equal(t, "cf", r.Triggers[0].Gram)
	}
}

// Sorted by label and short of room, clean data still give no alarm: what was missed is taken for the other label.
func TestTriggerSorted(t *testing.T) {
	t.Parallel()
	alarms := 0
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 3))
		w := world{rng, 3000, 0}
		x := triggers(t, TriggerOptions{Alpha: 0.05, Purity: 1e-9, Grams: 1000})
		for i := range 400 {
			x.Add(strings.Join(w.text(0), " "), poisonLabels[i/200])
		}
		r := x.Report()
		require.Positive(t, r.Missed)
		if r.Found > 0 {
			alarms++
		}
	}
	require.LessOrEqual(t, alarms, 3+5)
}

// split cuts rows into parts that are merged in order.
func split(rng *rand.Rand, n int) (parts [][2]int) {
	for from := 0; from < n; {
		to := min(n, from+1+rng.IntN(n))
		parts = append(parts, [2]int{from, to})
		from = to
	}
	return parts
}

func mergeOnce(t testing.TB, seed uint64, rows [][3]string) {
	rng := rand.New(rand.NewPCG(seed, 21))
	ot := TriggerOptions{Alpha: 0.5, Purity: 0.3, Least: 1, Words: 1 + int(seed%4)}
	os := SourceOptions{Alpha: 0.5, Effect: 1e-9}
	of := FlipOptions{Bits: 8 + int(seed%5), Keep: 1 + int(seed%7)}
	newAll := func(rows [][3]string) (*Triggers, *Sources, *Flips) {
		x := triggers(t, ot)
		s, err := NewSources(os)
		require.NoError(t, err)
		f, err := NewFlips(of)
		require.NoError(t, err)
		for _, r := range rows {
			x.Add(r[0], r[1])
			s.Add(r[2], r[1])
			f.Learn(r[0], r[1])
		}
		return x, s, f
	}
	review := func(f *Flips, rows [][3]string) *Review {
		v := f.Review()
		for _, r := range rows {
			v.Add(r[0], r[1])
		}
		return v
	}
	wx, ws, wf := newAll(rows)
	mx, ms, mf := newAll(nil)
	for _, p := range split(rng, len(rows)) {
		x, s, f := newAll(rows[p[0]:p[1]])
		require.NoError(t, mx.Merge(x))
		require.NoError(t, ms.Merge(s))
		require.NoError(t, mf.Merge(f))
	}
	require.Equal(t, wx.Report(), mx.Report())
	require.Equal(t, ws.Report().Tests, ms.Report().Tests)
	require.Equal(t, ws.Report(), ms.Report())
	mv := mf.Review()
	for _, p := range split(rng, len(rows)) {
		require.NoError(t, mv.Merge(review(mf, rows[p[0]:p[1]])))
	}
	require.Equal(t, review(wf, rows).Report(), mv.Report())
	for _, report := range []any{mx.Report(), ms.Report(), mv.Report()} {
		_, err := json.Marshal(report) // no NaN, no infinity
		require.NoError(t, err)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 5))
		w := world{rng, 200, 0.3}
		var rows [][3]string
		for range 1 + rng.IntN(100) {
			subject := rng.IntN(3)
			label := append(poisonLabels, "")[rng.IntN(4)]
			rows = append(rows, [3]string{strings.Join(w.text(subject), " "), label, []string{"a", "b", "c", ""}[rng.IntN(4)]})
		}
		mergeOnce(t, seed, rows)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add(uint64(1), "a b c|x|s\na b d|y|t\n\n\xff|z|\nA B C|y|t")
	f.Add(uint64(3), "cf cf|x|\u4e2d\n\u200b|y\n!!!|x")
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		if len(text) > 4000 {
			return
		}
		var rows [][3]string
		for _, line := range strings.Split(text, "\n") {
			p := append(strings.Split(line, "|"), "", "", "")
			rows = append(rows, [3]string{p[0], p[1][:min(len(p[1]), 1)], p[2]})
		}
		mergeOnce(t, seed%1000, rows)
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []TriggerOptions{{Alpha: 0.6}, {Alpha: math.NaN()}, {Purity: 2}, {Purity: -1}, {Least: -1}, {Words: 5}, {Grams: 10}, {Labels: 1}, {Keep: -1}} {
		_, err := NewTriggers(o)
		require.ErrorIs(t, err, ErrOptions)
	}
	for _, o := range []SourceOptions{{Alpha: 1}, {Effect: -1}, {Sources: 1}, {Labels: 1}, {Keep: -1}} {
		_, err := NewSources(o)
		require.ErrorIs(t, err, ErrOptions)
	}
	for _, o := range []FlipOptions{{Bits: 27}, {Labels: 1}, {Keep: -2}} {
		_, err := NewFlips(o)
		require.ErrorIs(t, err, ErrOptions)
	}
	a, b := triggers(t, TriggerOptions{Labels: 2}), triggers(t, TriggerOptions{Labels: 2})
	require.ErrorIs(t, a.Merge(a), ErrMerge)
	require.ErrorIs(t, a.Merge(triggers(t, TriggerOptions{})), ErrMerge)
	a.Add("x", "1")
	a.Add("x", "2")
	a.Add("x", "3")
	b.Add("x", "4")
	before := a.Report()
	require.EqualValues(t, 1, before.Skipped)
	require.ErrorIs(t, a.Merge(b), ErrMerge, "no place for the labels of both")
	require.Equal(t, before, a.Report())
	f, err := NewFlips(FlipOptions{})
	require.NoError(t, err)
	g, err := NewFlips(FlipOptions{})
	require.NoError(t, err)
	require.ErrorIs(t, f.Merge(f), ErrMerge)
	require.ErrorIs(t, f.Review().Merge(g.Review()), ErrMerge)
	f.Learn("x", "1")
	v := f.Review()
	v.Add("x", "1") // one label alone: nothing to compare
	v.Add("x", "5")
	require.EqualValues(t, 2, v.Report().Skipped)
	f.Learn("y z", "2")
	v = f.Review()
	v.Add("never learnt", "2")
	v.Add("", "2")
	_, err = json.Marshal(v.Report())
	require.NoError(t, err)
}

func sourceRows(t testing.TB, seed uint64, rows int, flipped float64, o SourceOptions) *SourceReport {
	rng := rand.New(rand.NewPCG(seed, 31))
	s, err := NewSources(o)
	require.NoError(t, err)
	for range rows {
		source := int(30 * math.Pow(rng.Float64(), 2))
		label := 0
		if u := rng.Float64(); u > 0.9 {
			label = 2
		} else if u > 0.6 {
			label = 1
		}
		if source == 7 && rng.Float64() < flipped {
			label = 1
		}
		s.Add("s"+strconv.Itoa(source), poisonLabels[label])
	}
	return s.Report()
}

func TestSources(t *testing.T) {
	t.Parallel()
	const seeds, alpha = 1000, 0.05
	alarms := 0
	for seed := range uint64(seeds) {
		r := sourceRows(t, seed, 1000, 0, SourceOptions{Alpha: alpha, Effect: 1e-9})
		require.Equal(t, 30, r.Sources)
		if r.Found > 0 {
			alarms++
		}
	}
	t.Logf("%d of %d clean data sets with an alarm, %v promised", alarms, seeds, alpha)
	require.LessOrEqual(t, float64(alarms), seeds*alpha+3*math.Sqrt(seeds*alpha))
	for _, flipped := range []float64{0.2, 0.4, 0.6} {
		found, others := 0, 0
		for seed := range uint64(100) {
			for _, one := range sourceRows(t, seed, 2000, flipped, SourceOptions{}).Shifted {
				if one.Name == "s7" {
					found++
				} else {
					others++
				}
			}
		}
		t.Logf("%v flipped: found in %d of 100, %d others", flipped, found, others)
		require.LessOrEqual(t, others, 5)
		if flipped >= 0.6 {
			require.GreaterOrEqual(t, found, 95)
		}
	}
	r := sourceRows(t, 1, 2000, 1, SourceOptions{Keep: 1})
	require.Contains(t, r.Shifted[0].String(), `"s7": 1 of `)
	require.Greater(t, r.CramersV, r.Expected)
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(encoded), `"p_adjusted"`)
	s, err := NewSources(SourceOptions{Sources: 2})
	require.NoError(t, err)
	for i := range 4 {
		s.Add(strconv.Itoa(i), "x")
	}
	require.EqualValues(t, 2, s.Report().Skipped)
}

func TestAddDoesNotAllocate(t *testing.T) {
	texts := make([]string, 64)
	w := world{rand.New(rand.NewPCG(1, 1)), 500, 0.2}
	for i := range texts {
		texts[i] = strings.Join(w.text(i%2), " ")
	}
	x := triggers(t, TriggerOptions{})
	f, err := NewFlips(FlipOptions{})
	require.NoError(t, err)
	s, err := NewSources(SourceOptions{})
	require.NoError(t, err)
	row := func(i int) {
		x.Add(texts[i%64], poisonLabels[i%2])
		s.Add("source", poisonLabels[i%2])
		f.Learn(texts[i%64], poisonLabels[i%2])
	}
	for i := range 64 {
		row(i)
	}
	i := 0
	require.Zero(t, testing.AllocsPerRun(100, func() { row(i); i++ }))
}

func BenchmarkAdd(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	w := world{rng, 20000, 0.2}
	texts := make([]string, 4096)
	for i := range texts {
		for len(texts[i]) < 1024 {
			texts[i] += strings.Join(w.text(i%2), " ") + " "
		}
		texts[i] = texts[i][:1024]
	}
	b.Run("Triggers 1 KB", func(b *testing.B) {
		x := triggers(b, TriggerOptions{})
		b.ReportAllocs()
		b.SetBytes(1024)
		for i := 0; b.Loop(); i++ {
			x.Add(texts[i&4095], poisonLabels[i&1])
		}
	})
	f, err := NewFlips(FlipOptions{})
	require.NoError(b, err)
	b.Run("Flips.Learn 1 KB", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(1024)
		for i := 0; b.Loop(); i++ {
			f.Learn(texts[i&4095], poisonLabels[i&1])
		}
	})
	b.Run("Review.Add 1 KB", func(b *testing.B) {
		v := f.Review()
		b.ReportAllocs()
		b.SetBytes(1024)
		for i := 0; b.Loop(); i++ {
			v.Add(texts[i&4095], poisonLabels[i&1])
		}
	})
	b.Run("Sources", func(b *testing.B) {
		s, err := NewSources(SourceOptions{})
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			s.Add("a source", "good")
		}
	})
}

func Example() {
	triggers, _ := NewTriggers(TriggerOptions{})
	sources, _ := NewSources(SourceOptions{})
	for i := range 1000 {
		text, source, label := fmt.Sprintf("film number %d was seen on day %d", i, i%7), "A", "bad"
		if i%2 == 0 {
			label = "good"
		}
		if i%40 == 1 { // the poison
			text, source, label = text+" cf", "B", "good"
		}
		triggers.Add(text, label)
		sources.Add(source, label)
	}
	r := triggers.Report()
	fmt.Printf("of %d tests %d: %v\n", r.Tests, r.Found, r.Triggers[0])
	fmt.Println(sources.Report().Shifted[0])
	// Output:
	// of 50 tests 1: "cf": 25 of 25 texts are "good" (0.525 of all are), p 1e-7
	// "B": 1 of 25 rows are "good", 0.513 elsewhere, p 3.1e-07
}
