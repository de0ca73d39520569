package neardup

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/validate/internal/words"
)

func index(t testing.TB, o Options, texts ...string) *Index {
	t.Helper()
	x, err := New(o)
	require.NoError(t, err)
	for _, s := range texts {
		text, label, _ := strings.Cut(s, "|")
		x.Add(text, label)
	}
	return x
}

// bags returns two texts of different words of which a share is common.
func bags(rng *rand.Rand, size, common int) (a, b string) {
	var both [2][]string
	for i := range size {
		w := strconv.FormatUint(rng.Uint64(), 36)
		switch {
		case i < common:
			both[0], both[1] = append(both[0], w), append(both[1], w)
		default:
			both[i%2] = append(both[i%2], w)
		}
	}
	return strings.Join(both[0], " "), strings.Join(both[1], " ")
}

// The measured share of pairs that are reported is the one that is promised.
func TestProbability(t *testing.T) {
	t.Parallel()
	const pairs = 700
	for _, threshold := range []float64{0.5, 0.8, 0.9} {
		o := Options{Threshold: threshold, Words: 1}
		for _, s := range []float64{threshold - 0.2, threshold - 0.1, threshold - 0.04, threshold, threshold + 0.04, threshold + 0.09} {
			rng := rand.New(rand.NewPCG(3, uint64(s*1000)))
			hits, matches, squares := 0, 0.0, 0.0
			for range pairs {
				a, b := bags(rng, 100, int(math.Round(s*100)))
				x := index(t, o, a, b)
				hits += int(x.Report().Near)
				m := float64(x.text(0).signature.matches(&x.text(1).signature))
				matches += m
				squares += (m - s*hashes) * (m - s*hashes)
			}
			want := o.Probability(s)
			got := float64(hits) / pairs
			tolerance := 4*math.Sqrt(want*(1-want)/pairs) + 1.0/pairs
			t.Logf("threshold %.2f similarity %.2f: reported %.4f, promised %.5f; variance of matches %.3f of binomial", threshold, s, got, want,
				squares/pairs/(hashes*s*(1-s)))
			require.InDelta(t, want, got, tolerance)
			require.InDelta(t, s, matches/pairs/hashes, 4*math.Sqrt(s*(1-s)/hashes/pairs)+1.0/(1<<16))
			// The variance of a sample of n has a standard error of √(2/n).
			require.InDelta(t, 1, squares/pairs/(hashes*s*(1-s)), 4*math.Sqrt(2.0/pairs))
		}
	}
}

// The formula against a simulation of what it is the probability of.
func TestProbabilityModel(t *testing.T) {
	t.Parallel()
	for _, threshold := range []float64{0, 0.3, 0.5, 0.75, 0.95} {
		o, err := Options{Threshold: threshold}.filled()
		require.NoError(t, err)
		bands, length := o.bands()
		require.LessOrEqual(t, bands*length, hashes)
		rng := rand.New(rand.NewPCG(1, 2))
		for _, s := range []float64{0.1, o.Threshold - 0.05, o.Threshold, o.Threshold + 0.03} {
			const trials = 6000
			hits := 0
			for range trials {
				var a, b signature
				matches := 0
				for i := range a {
					if rng.Float64() < s {
						matches++
					} else {
						b[i] = 1
					}
				}
				require.Equal(t, matches, a.matches(&b))
				full := false
				for band := range bands {
					full = full || !slices.Contains(b[band*length:(band+1)*length], 1)
				}
				if full && matches >= o.least() {
					hits++
				}
			}
			p := o.Probability(s)
			if s < 0.2 {
				require.Less(t, p, 1e-6)
				continue
			}
			require.InDelta(t, p, float64(hits)/trials, 4*math.Sqrt(p*(1-p)/trials)+1e-4, "%v %v", threshold, s)
		}
		last := 0.0
		for s := 0.0; s <= 1; s += 0.01 {
			p := o.Probability(s)
			require.GreaterOrEqual(t, p, last-1e-12)
			last = p
		}
		require.InDelta(t, 1, o.Probability(1), 1e-12)
	}
	var o Options // what the package comment says
	for s, want := range map[float64]string{0.9: "0.9996", 0.85: "0.9364", 0.8: "0.5001", 0.75: "0.0898", 0.7: "0.0051"} {
		require.Equal(t, want, fmt.Sprintf("%.4f", o.Probability(s)))
	}
	require.Less(t, o.Probability(0.6), 1e-6)
	require.True(t, math.IsNaN(o.Probability(math.NaN())))
	require.True(t, math.IsNaN(Options{Threshold: 2}.Probability(0.5)))
}

func TestNormal(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]string{
		{"The quick brown fox.", "the  QUICK, brown\nfox"},
		{"caf\u00e9 cr\u00e8me br\u00fbl\u00e9e", "cafe\u0301 cre\u0300me bru\u0302le\u0301e"},
		{"Ti\u1ebfng Vi\u1ec7t", "tie\u0302\u0301ng vie\u0323\u0302t"},
		{"\uff21\uff22\uff23\uff11\uff12", "abc12"},
		{"pass\u200bword \u202eonce", "password once"},
		{"\u039f\u03b4\u03cc\u03c2", "\u039f\u03b4\u03cc\u03a3"},
	} {
		r := index(t, Options{}, tt[0], tt[1]).Report()
		require.EqualValues(t, 1, r.Equal, "%q %q", tt[0], tt[1])
	}
	for _, tt := range [][2]string{
		{"don't go there", "do not go there"}, {"1 2 3 4", "1 2 3 5"}, {"\u0915\u093f\u0932\u093e", "\u0915\u0932\u093e"}, {"a b", "ab"},
	} {
		require.Zero(t, index(t, Options{}, tt[0], tt[1]).Report().Equal, "%q %q", tt[0], tt[1])
	}
	require.EqualValues(t, 4, index(t, Options{}, "", " ", "...", "\u200b").Report().Empty)
	// Scripts that write no spaces are compared as others are.
	a := "\u6211\u4eec\u5728\u8bad\u7ec3\u6570\u636e\u4e2d\u5bfb\u627e\u91cd\u590d\u7684\u6587\u672c\u56e0\u4e3a\u5b83\u4eec\u4f1a\u5f71\u54cd\u6a21\u578b\u7684\u8bc4\u4f30\u7ed3\u679c"
	require.EqualValues(t, 1, index(t, Options{}, a, a+"\u3002\u4e86").Report().Near)
}

const lorem = "data that are nearly the same in the training and the test set make a model look better than it is because it has seen the answers before "

func TestReport(t *testing.T) {
	t.Parallel()
	x := index(t, Options{}, lorem+"|a", "something else altogether stands here|a", strings.ToUpper(lorem)+"!|b", "|a", lorem+"indeed|c",
		"something else altogether stands here|a", lorem+"indeed|c")
	r := x.Report()
	require.Equal(t, int64(7), r.Rows)
	require.EqualValues(t, 1, r.Empty)
	require.EqualValues(t, 3, r.Texts)
	require.EqualValues(t, 3, r.Equal)
	require.EqualValues(t, 1, r.Near)
	require.EqualValues(t, 2, r.Clusters)
	require.EqualValues(t, 4, r.Redundant)
	require.EqualValues(t, 4, r.Largest)
	require.EqualValues(t, 2, r.Conflicts)
	require.Equal(t, []Pair{{0, 2, 1, "a, b"}, {0, 4, r.ConflictPairs[1].Similarity, "a, c"}}, r.ConflictPairs)
	require.Equal(t, "rows 0 and 2: similarity 1.00, labels a, b", r.ConflictPairs[0].String())
	require.InDelta(t, 0.96, r.ConflictPairs[1].Similarity, 0.05)
	require.Len(t, r.Pairs, 4)
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	for _, part := range []string{`"threshold":0.8`, `"std_err":0.035`, `"hashes":128`, `"bands":21`, `"band_length":6`, `"near":1`} {
		require.Contains(t, string(encoded), part)
	}
	require.Equal(t, r, x.Report(), "a report changes nothing")
	require.Equal(t, int64(0), index(t, Options{}).Report().Clusters)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Threshold: 0.2}, {Threshold: 0.99}, {Threshold: math.NaN()}, {Words: 17}, {Words: -1}, {Texts: -1},
		{Keep: -1}, {Compare: -1}, {Labels: -1}} {
		_, err := New(o)
		require.ErrorIs(t, err, ErrOptions)
	}
	a, b := index(t, Options{}), index(t, Options{Words: 2, Threshold: 0.6})
	require.ErrorIs(t, a.Merge(b), ErrMerge)
	require.ErrorIs(t, a.Merge(a), ErrMerge)
	_, err := Leaks(a, b)
	require.ErrorIs(t, err, ErrMerge)
	require.NoError(t, a.Merge(index(t, Options{})))
}

// What meets a limit is counted, never forgotten in silence.
func TestLimits(t *testing.T) {
	t.Parallel()
	x := index(t, Options{Texts: 2, Labels: 1, Keep: 1}, "a|l", "b|m", "c|l", "c|l", "a|"+strings.Repeat("l", 300))
	r := x.Report()
	require.EqualValues(t, 2, r.Lost)
	require.EqualValues(t, 2, r.Unlabelled)
	require.EqualValues(t, 1, r.Equal)
	require.Zero(t, r.Conflicts)
	y := index(t, Options{Texts: 2, Labels: 1, Keep: 1}, "d", "a|l", "d")
	require.NoError(t, x.Merge(y))
	require.EqualValues(t, 4, x.Report().Lost)
	require.EqualValues(t, 2, x.Report().Equal)

	// A set in which all is nearly the same is one cluster, in linear time.
	rng := rand.New(rand.NewPCG(5, 5))
	same := index(t, Options{Compare: 4})
	base := make([]string, 200)
	for i := range base {
		base[i] = strconv.Itoa(i)
	}
	for range 3000 {
		i := rng.IntN(len(base))
		base[i] = "x" + base[i]
		same.Add(strings.Join(base, " "), "")
		base[i] = base[i][1:]
	}
	r = same.Report()
	require.Positive(t, r.Unseen)
	require.EqualValues(t, 1, r.Clusters)
	require.Equal(t, r.Rows, r.Largest)
}

func TestLeaks(t *testing.T) {
	t.Parallel()
	train := index(t, Options{Keep: 2}, "nothing of interest in here|a", lorem+"|a", lorem+"again|a")
	test := index(t, Options{Keep: 2}, lorem+"and again|b", "LOREM ipsum dolor sit amet", strings.ToUpper(lorem)+"|a", strings.ToUpper(lorem))
	r, err := Leaks(train, test)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.TrainRows)
	require.EqualValues(t, 4, r.TestRows)
	require.EqualValues(t, 2, r.Equal)
	require.EqualValues(t, 1, r.Near)
	require.Len(t, r.Pairs, 2)
	require.EqualValues(t, 0, r.Pairs[0].Second)
	require.Equal(t, "a, b", r.Pairs[0].Labels)
	require.Equal(t, Pair{First: 1, Second: 2, Similarity: 1}, r.Pairs[1])
	r, err = Leaks(index(t, Options{}), index(t, Options{}, lorem))
	require.NoError(t, err)
	require.Zero(t, r.Equal+r.Near)
	r, err = Leaks(index(t, Options{}, lorem, lorem+"x"), index(t, Options{}))
	require.NoError(t, err)
	require.Zero(t, r.Equal+r.Near)
}

// neardupTexts makes rows that are often equal or nearly so.
func neardupTexts(rng *rand.Rand, n int) []string {
	var out []string
	for range n {
		var w []string
		if len(out) > 0 && rng.IntN(3) > 0 {
			text, _, _ := strings.Cut(out[rng.IntN(len(out))], "|")
			w = strings.Fields(text)
			for range rng.IntN(3) {
				if len(w) > 0 {
					w[rng.IntN(len(w))] = strconv.Itoa(rng.IntN(99))
				}
			}
		} else {
			for range rng.IntN(60) {
				w = append(w, strconv.Itoa(rng.IntN(400)))
			}
		}
		out = append(out, strings.Join(w, " ")+[]string{"", "|x", "|y", "|z"}[rng.IntN(4)])
	}
	return out
}

// exact is the similarity by the definition.
func exact(a, b string, width int) float64 { return jaccard(shingles(a, width), shingles(b, width)) }

func shingles(text string, width int) map[string]bool {
	var w []string
	var s words.Scanner
	for s.Reset(text); s.Next(); {
		if !s.Sign() {
			w = append(w, string(s.Word()))
		}
	}
	m := map[string]bool{}
	if len(w) < width {
		m[strings.Join(w, " ")] = true
	}
	for i := 0; i+width <= len(w); i++ {
		m[strings.Join(w[i:i+width], " ")] = true
	}
	return m
}

func jaccard(x, y map[string]bool) float64 {
	both := 0
	for k := range x {
		if y[k] {
			both++
		}
	}
	return float64(both) / float64(len(x)+len(y)-both)
}

// check compares an index with one made of parts, and its pairs with the definition.
func check(t testing.TB, o Options, rng *rand.Rand, texts []string) {
	whole := index(t, o, texts...)
	want := whole.Report()
	merged := index(t, o)
	for from := 0; from < len(texts); {
		to := min(len(texts), from+rng.IntN(len(texts)+1))
		part := index(t, o, texts[from:to]...)
		if rng.IntN(2) == 0 && to < len(texts) { // of parts, itself
			next := to + rng.IntN(len(texts)-to)
			require.NoError(t, part.Merge(index(t, o, texts[to:next]...)))
			to = next
		}
		require.NoError(t, merged.Merge(part))
		from = to
	}
	require.Equal(t, want, merged.Report())
	listed := map[[2]int64]bool{}
	for _, p := range want.Pairs {
		a, _, _ := strings.Cut(texts[p.First], "|")
		b, _, _ := strings.Cut(texts[p.Second], "|")
		s := exact(a, b, whole.options.Words)
		require.InDelta(t, s, p.Similarity, 5.5*math.Sqrt(s*(1-s)/hashes)+0.01, "%q %q", a, b)
		listed[[2]int64{p.First, p.Second}] = true
	}
	if want.Unseen > 0 || len(want.Pairs) == whole.options.Keep {
		return
	}
	never, always := boundary(whole.options, 1e-9), boundary(whole.options, 1-1e-9)
	for i := range whole.texts {
		for j := range i {
			a, b := whole.text(j), whole.text(i)
			s, _, _ := strings.Cut(texts[a.row-1], "|")
			u, _, _ := strings.Cut(texts[b.row-1], "|")
			similarity := exact(s, u, whole.options.Words)
			switch found := listed[[2]int64{a.row - 1, b.row - 1}]; {
			case similarity > always:
				require.True(t, found, "%q %q", s, u)
			case similarity < never:
				require.False(t, found, "%q %q", s, u)
			}
		}
	}
}

// boundary returns the similarity at which a pair is reported with probability p.
func boundary(o Options, p float64) float64 {
	low, high := 0.0, 1.0
	for range 20 {
		if middle := (low + high) / 2; o.Probability(middle) < p {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for seed := range uint64(25) {
		rng := rand.New(rand.NewPCG(seed, 1))
		o := Options{Keep: 1 + rng.IntN(400), Words: 1 + rng.IntN(4), Threshold: 0.4 + 0.5*rng.Float64(), Compare: 1 + rng.IntN(100)}
		check(t, o, rng, neardupTexts(rng, 1+rng.IntN(120)))
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(uint64(1), "a b c\na b d\n\n\xff\xfe|x\nA B C|y")
	f.Add(uint64(7), lorem+"\n"+lorem+"!\n\u6570\u636e \U0001f600\u200d|\n\u0301")
	f.Fuzz(func(t *testing.T, seed uint64, text string) {
		if len(text) > 4000 {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 9))
		check(t, Options{Words: 1 + int(seed%5), Keep: 50}, rng, strings.Split(text, "\n"))
	})
}

func TestAddDoesNotAllocate(t *testing.T) {
	x := index(t, Options{}, lorem)
	texts := make([]string, 101)
	for i := range texts {
		texts[i] = strings.Repeat(lorem, 40) + strconv.Itoa(i)
	}
	i := 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		x.Add(texts[i], "label")
		i++
	}))
}

func BenchmarkIndex(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	vocabulary := make([]string, 20000)
	for i := range vocabulary {
		vocabulary[i] = strconv.FormatUint(rng.Uint64()>>(20+rng.IntN(40)), 36)
	}
	texts := make([]string, 4096)
	for i := range texts {
		var t strings.Builder
		for t.Len() < 1024 {
			t.WriteString(vocabulary[int(20000*math.Pow(rng.Float64(), 3))])
			t.WriteByte(' ')
		}
		texts[i] = t.String()[:1024]
	}
	x := index(b, Options{})
	b.Run("Add 1 KB", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(1024)
		for i := 0; b.Loop(); i++ {
			x.Add(texts[i&4095], "")
		}
	})
	b.Run("Report 4096", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			x.Report()
		}
	})
}

func Example() {
	train, _ := New(Options{Words: 2, Threshold: 0.6})
	for _, text := range []string{
		"Data that occur twice count twice, so a model learns them by heart.",
		"A test set must not hold what the model was trained on, or it measures memory.",
		"data that occur twice count twice - so a model learns them by heart!",
	} {
		train.Add(text, "")
	}
	r := train.Report()
	fmt.Printf("%d of %d rows repeat another\n", r.Redundant, r.Rows)

	test, _ := New(Options{Words: 2, Threshold: 0.6})
	test.Add("A test set must not hold what this model was trained on, or it measures memory.", "")
	leaks, err := Leaks(train, test)
	fmt.Println(leaks.Near, "row of the test set leaks:", leaks.Pairs[0], err)
	// Output:
	// 1 of 3 rows repeat another
	// 1 row of the test set leaks: rows 1 and 0: similarity 0.73 <nil>
}
