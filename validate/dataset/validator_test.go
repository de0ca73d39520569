package dataset

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/validate"
	"github.com/surefoot-ml/surefoot/validate/sketch"
)

func read(t testing.TB, schema Schema, options Options, jsonl string) *Report {
	t.Helper()
	v, err := New(schema, options)
	require.NoError(t, err)
	require.NoError(t, v.ReadJSONL(strings.NewReader(jsonl)))
	return v.Report()
}

func lines(fs []Failure) (out []string) {
	for _, f := range fs {
		out = append(out, f.String())
	}
	return out
}

func TestRows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		column Column
		value  string // of column x; "" for a row without it
		want   string // "" if it passes
	}{
		{"any", Column{}, `[1,{}]`, ""},
		{"int", Column{Type: Int}, `9007199254740993`, ""},
		{"int, fraction", Column{Type: Int}, `3.9`, `x is "3.9", must be int`},
		{"int, whole with fraction", Column{Type: Int}, `3.0`, `x is "3.0", must be int`},
		{"int, truth value", Column{Type: Int}, `true`, `x is "true", must be int`},
		{"int, text", Column{Type: Int}, `"3"`, `x is "3", must be int`},
		{"int, too large", Column{Type: Int}, `9223372036854775808`, `x is "9223372036854775808", must be int`},
		{"int, exact limit", Column{Type: Int, Range: &Range{0, 9007199254740992}}, `9007199254740993`, `x is "9007199254740993", must be in [0, 9.007199254740992e+15]`},
		{"int, fractional limit", Column{Type: Int, Range: &Range{0.5, 1.5}}, `1`, ""},
		{"int, fractional limit, below", Column{Type: Int, Range: &Range{0.5, 1.5}}, `0`, `x is "0", must be in [0.5, 1.5]`},
		{"zero is a value", Column{Type: Int}, `0`, ""},
		{"false is a value", Column{Type: Bool}, `false`, ""},
		{"empty is a value", Column{Type: String}, `""`, ""},
		{"bool, 1", Column{Type: Bool}, `1`, `x is "1", must be bool`},
		{"float takes ints", Column{Type: Float}, `1`, ""},
		{"float, beyond", Column{Type: Float}, `1e400`, `x is "1e400", must be finite`},
		{"float, range", Column{Type: Float, Range: &Range{0, 1}}, `1.5`, `x is "1.5", must be in [0, 1]`},
		{"float, -0", Column{Type: Float, Range: &Range{0, 1}}, `-0.0`, ""},
		{"missing", Column{}, ``, `x must be present`},
		{"null", Column{}, `null`, `x is "null", must be present`},
		{"null allowed", Column{Type: Int, MaxMissing: 1}, `null`, ""},
		{"missing allowed", Column{Type: Int, MaxMissing: 1}, ``, ""},
		{"set", Column{Set: []string{"a", "b"}}, `"b"`, ""},
		{"set, other", Column{Set: []string{"a", "b"}}, `"B"`, `x is "B", must be one of the set`},
		{"pattern", Column{Pattern: "^a+$"}, `"aa"`, ""},
		{"pattern, other", Column{Pattern: "^a+$"}, `"ab"`, `x is "ab", must be like ^a+$`},
		{"length in characters", Column{MinLength: 2, MaxLength: 3}, `"日本語"`, ""},
		{"too short", Column{MinLength: 2}, `"日"`, `x is "日", must be of at least 2 characters`},
		{"list", Column{Type: List, MinLength: 2, MaxLength: 2, Range: &Range{0, 9}}, `[1,9.0]`, ""},
		{"list, ragged", Column{Type: List, MinLength: 2, MaxLength: 2}, `[1]`, `x is "[1]", must be of 2 to 2 elements`},
		{"list, range", Column{Type: List, Range: &Range{0, 9}}, `[1,10]`, `x is "10", must be in [0, 9]`},
		{"list, beyond", Column{Type: List}, `[1e999]`, `x is "1e999", must be finite`},
		{"object", Column{Type: Object}, `{"y":[]}`, ""},
		{"text is data", Column{Type: String}, `"'; DROP TABLE x; -- <script>alert(1)</script> $(rm -rf /) ../../x"`, ""},
	} {
		tt.column.Name = "x"
		row := `{"y":1}`
		if tt.value != "" {
			row = `{"y":1,"x":` + tt.value + `}`
		}
		r := read(t, Schema{Columns: []Column{tt.column}}, Options{}, row+"\n")
		if tt.want == "" {
			require.NoError(t, r.Err(), tt.name)
			require.Zero(t, r.BadRows)
			continue
		}
		require.Equal(t, []string{strings.Replace("row 0 (line 1), "+tt.want, ", must", ", must", 1)}, lines(r.Failures), tt.name)
		require.Equal(t, int64(1), r.BadRows)
	}
}

func TestBrokenLines(t *testing.T) {
	t.Parallel()
	r := read(t, Schema{Closed: true, Columns: []Column{{Name: "a"}}}, Options{Line: 40, Depth: 3, Elements: 5}, strings.Join([]string{
		`{"a":1}`,
		``,
		`  `,
		`{"a":1`,
		`[1]`,
		`{"a":[[[1]]]}`,
		`{"a":"` + strings.Repeat("x", 100) + `"}`,
		`{"a":[1,2,3,4,5]}`,
		`{"a":1,"a":"x"}`,
		`{"a":1,"b":2}`,
		`{"a":1}`,
	}, "\n"))
	require.Equal(t, []string{
		`row 1 (line 4) is "{\"a\":1", must be JSON`,
		`row 2 (line 5) is "[1]", must be a JSON object`,
		`row 3 (line 6) is "{\"a\":[[[1]]]}", must be nested at most 3 deep`,
		`row 4 (line 7) is "{\"a\":\"` + strings.Repeat("x", 35) + `", must be of at most 40 bytes`,
		`row 5 (line 8) is "{\"a\":[1,2,3,4,5]}", must be of at most 5 values`,
		`row 6 (line 9), a must be there once`,
		`row 7 (line 10) is "b", must be a column of the schema`,
	}, lines(r.Failures))
	require.Equal(t, int64(9), r.Rows)
	require.Equal(t, int64(7), r.BadRows)
	a := r.Columns[0]
	require.Equal(t, map[Type]int64{Int: 3, String: 1}, a.Kinds, "of a key that is there twice, the last one counts")
	require.ErrorContains(t, r.Err(), "dataset: 7 of 9 rows are bad: validate: ")
	var ps validate.Problems
	require.ErrorAs(t, r.Err(), &ps)
	require.Len(t, ps, 7)
}

func TestColumnRules(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 100 {
		label := "pos"
		if i < 4 {
			label = "neg"
		}
		fmt.Fprintf(&b, `{"id":%d,"label":%q,"note":%s}`+"\n", i%98, label, []string{"null", `"x"`}[min(i%3, 1)])
	}
	r := read(t, Schema{Columns: []Column{{Name: "id", Unique: true}, {Name: "label", MinShare: 0.05, Set: []string{"neg", "pos"}},
		{Name: "note", MaxMissing: 0.3}}}, Options{}, b.String())
	require.Equal(t, []string{"row 98 (line 99), id must be unique", "row 99 (line 100), id must be unique"}, lines(r.Failures))
	require.Equal(t, "validate: label is \"neg\" in 4 of 100 rows, must be in a share of at least 0.05; "+
		"note is missing in a share of 0.34 of the rows, must be missing in at most 0.3", r.Problems.Error())
	require.Equal(t, map[string]int64{"id: duplicate": 2}, r.Counts)
	require.Equal(t, map[string]int64{"neg": 4, "pos": 96}, r.Columns[1].Values)
}

func TestTags(t *testing.T) {
	t.Parallel()
	r := read(t, Schema{}, Options{Tag: func(text string, add func(string)) {
		if strings.Contains(text, "@") {
			add("at")
		}
	}}, "{\"t\":\"a\u202eb\"}\n{\"t\":\"a\u200bb@\"}\n{\"t\":\"\\ud800\"}\n{\"t\":\"\xff\"}\n{\"t\":\"Grüße, 日本\"}\n{\"n\":123456789012345678901}\n")
	require.NoError(t, r.Err(), "tags are no errors")
	require.Equal(t, map[string]int64{"bidi": 1, "invisible": 1, "lone_surrogate": 1, "invalid_utf8": 1, "at": 1}, r.Columns[0].Tags)
	require.Equal(t, map[string]int64{"int_beyond_64_bits": 1}, r.Columns[1].Tags)
}

func TestDuplicatesAndLeaks(t *testing.T) {
	t.Parallel()
	options := Options{Duplicates: true, Key: "text", Label: "label"}
	reading := func(text string) *Validator {
		v, err := New(Schema{}, options)
		require.NoError(t, err)
		require.NoError(t, v.ReadJSONL(strings.NewReader(text)))
		return v
	}
	train := reading(`{"text":"a","label":1}
{"label":0,"text":"b"}
{"text":"a","label":1}
{"text":"b","label":1}
{"text":"c","label":1}`)
	r := train.Report()
	require.Equal(t, []string{"row 2 (line 3) must be unlike all rows before", "row 3 (line 4) must be unlike all rows before"}, lines(r.Failures))
	require.Zero(t, r.BadRows)
	require.Equal(t, int64(2), r.Duplicates)
	require.Equal(t, int64(1), r.Conflicts)
	require.Equal(t, []int64{1}, r.ConflictRows, "b has both labels")
	test := reading(`{"text":"z","label":1}
{"text":"c","label":0}`)
	n, rows, err := train.Common(test)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.Equal(t, []int64{1}, rows)
	plain, err := New(Schema{}, Options{})
	require.NoError(t, err)
	_, _, err = train.Common(plain)
	require.ErrorIs(t, err, ErrMerge)
}

// randomRows makes lines of which some are wrong in every way.
func randomRows(rng *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		switch rng.IntN(12) {
		case 0:
			out[i] = `{"id":`
		case 1:
			out[i] = ``
		case 2:
			out[i] = `{"id":1.5,"label":"c"}`
		case 3:
			out[i] = `{"text":null,"label":"` + string(rune('a'+rng.IntN(5))) + `","x":[1,2]}`
		case 4:
			out[i] = fmt.Sprintf(`{"id":%d,"id":2,"new%d":true}`, i, rng.IntN(3))
		default:
			out[i] = fmt.Sprintf(`{"id":%d,"label":%q,"text":"t\u200b%d","x":%v}`, rng.IntN(50), string(rune('a'+rng.IntN(3))), rng.IntN(40), rng.NormFloat64())
		}
	}
	return out
}

// Merged parts are one reading of the whole, for every count, sample and row number.
func TestMerge(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	schema := Schema{Columns: []Column{{Name: "id", Type: Int, Unique: true, Range: &Range{0, 45}}, {Name: "label", MinShare: 0.2, Set: []string{"a", "b"}},
		{Name: "text", Unique: true, MaxMissing: 0.1, MinLength: 3}, {Name: "x", Type: Float}}}
	for _, options := range []Options{{Keep: 3, Values: 4}, {Duplicates: true, Keep: 1}, {Duplicates: true, Key: "text", Label: "label", Values: 30}} {
		for range 30 {
			rows := randomRows(rng, 20+rng.IntN(200))
			whole := mustNew(t, schema, options)
			require.NoError(t, whole.ReadJSONL(strings.NewReader(strings.Join(rows, "\n"))))
			merged := mustNew(t, schema, options)
			for len(rows) > 0 {
				n := min(len(rows), 1+rng.IntN(80))
				part := mustNew(t, schema, options)
				require.NoError(t, part.ReadJSONL(strings.NewReader(strings.Join(rows[:n], "\n")+"\n")))
				require.NoError(t, merged.Merge(part))
				rows = rows[n:]
			}
			require.Equal(t, plain(t, whole.Report()), plain(t, merged.Report()))
		}
	}
	require.ErrorIs(t, mustNew(t, schema, Options{}).Merge(mustNew(t, Schema{}, Options{})), ErrMerge)
	v := mustNew(t, schema, Options{})
	require.ErrorIs(t, v.Merge(v), ErrMerge)
}

// Rules find the same without statistics.
func TestRulesOnly(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	schema := Schema{Columns: []Column{{Name: "id", Type: Int, Unique: true, Range: &Range{0, 45}}, {Name: "label", MinShare: 0.499, Set: []string{"a", "b"}},
		{Name: "text", Unique: true, MaxMissing: 0.1, MinLength: 3}, {Name: "x", Type: List, MaxLength: 1, Range: &Range{0, 1}}}}
	rows := strings.Join(randomRows(rng, 500), "\n")
	full := read(t, schema, Options{Duplicates: true, Key: "text"}, rows)
	bare := read(t, schema, Options{Duplicates: true, Key: "text", RulesOnly: true}, rows)
	require.Equal(t, full.Failures, bare.Failures)
	require.Equal(t, full.Problems, bare.Problems)
	require.Len(t, full.Problems, 2)
	require.Equal(t, full.Counts, bare.Counts)
	require.Equal(t, full.Duplicates, bare.Duplicates)
	require.Nil(t, bare.Columns[0].Numbers)
	require.NotNil(t, full.Columns[0].Numbers)
}

func mustNew(t testing.TB, schema Schema, options Options) *Validator {
	v, err := New(schema, options)
	require.NoError(t, err)
	return v
}

// plain is a report without what is rounded, and without the lines of failures that only the row is known of.
func plain(t *testing.T, r *Report) string {
	r.Bytes = 0
	for i := range r.Failures {
		if r.Failures[i].Code == CodeDuplicate {
			r.Failures[i].Line = 0
		}
	}
	for i := range r.Columns {
		for _, n := range []*Numbers{r.Columns[i].Numbers, r.Columns[i].Lengths} {
			if n != nil {
				n.Mean, n.Std = 0, 0
			}
		}
	}
	text, err := json.MarshalIndent(r, "", " ")
	require.NoError(t, err)
	return string(text)
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, `{"x":%d,"c":7,"t":"s"}`+"\n", i)
	}
	r := read(t, Schema{}, Options{}, b.String())
	h := r.Columns[0].Histogram(10)
	require.Len(t, h, 10)
	sum := uint64(0)
	for _, bin := range h {
		require.InDelta(t, 100, bin.Count, 5)
		sum += bin.Count
	}
	require.Equal(t, uint64(1000), sum)
	require.Equal(t, []sketch.Bucket{{Low: 7, High: 7, Count: 1000}}, r.Columns[1].Histogram(10))
	require.Nil(t, r.Columns[2].Histogram(10))
	require.Nil(t, r.Columns[0].Histogram(0))
	wide := read(t, Schema{}, Options{}, `{"x":-1.7e308}`+"\n"+`{"x":1.7e308}`+"\n"+`{"x":0}`)
	require.Len(t, wide.Columns[0].Histogram(4), 4)
}

func TestInfer(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, `{"id":%d,"label":%q,"p":%v,"e":[1,2,3],"ok":true,"text":"text %d"}`+"\n", i, []string{"x", "y"}[i%2], float64(i)/200, i)
	}
	good := read(t, Schema{}, Options{}, b.String())
	schema := good.Infer()
	text, err := json.Marshal(schema)
	require.NoError(t, err)
	require.JSONEq(t, `{"columns":[{"name":"id","type":"int","range":{"min":0,"max":298.5}},{"name":"label","type":"string","set":["x","y"]},
		{"name":"p","type":"float","range":{"min":0,"max":1}},{"name":"e","type":"list","min_length":3,"max_length":3},{"name":"ok","type":"bool"},
		{"name":"text","type":"string"}]}`, string(text))
	require.NoError(t, read(t, schema, Options{}, b.String()).Err())
	bad := read(t, schema, Options{}, `{"id":"1","label":"z","p":1.5,"e":[1],"ok":1,"text":2}`)
	require.Len(t, bad.Failures, 6)
}

func TestCSV(t *testing.T) {
	t.Parallel()
	v := mustNew(t, Schema{Columns: []Column{{Name: "id", Type: Int}, {Name: "zip", Type: String}, {Name: "x", Type: Float, MaxMissing: 1}}}, Options{})
	require.NoError(t, v.ReadCSV(strings.NewReader("\ufeffid,zip,x,open\n1,01234,0.5,true\n9007199254740993,\"1\n2\",,007\n1.5,x,NaN,1\n\n4,5\n5,6,7,\"8\"9\n6,a,1e3,-3\n")))
	r := v.Report()
	require.Equal(t, []string{
		`row 2 (line 5), id is "1.5", must be int`,
		`row 2 (line 5), x is "NaN", must be finite`,
		`row 3 (line 7) is "2 fields", must be 4 fields, as in the header`,
		`row 4 (line 8) must be a CSV record: extraneous or missing " in quoted-field`,
	}, lines(r.Failures))
	require.Equal(t, int64(6), r.Rows)
	require.Equal(t, map[Type]int64{Bool: 1, Int: 2, String: 1}, r.Columns[3].Kinds, "007 is a text")
	require.Equal(t, Any, r.Columns[3].Type)
	require.ErrorContains(t, mustNew(t, Schema{}, Options{}).ReadCSV(strings.NewReader("a,a\n")), "twice")
	require.NoError(t, mustNew(t, Schema{}, Options{}).ReadCSV(strings.NewReader("")))
}

// zeros is an endless file.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	return n, nil
}

// What never ends is read in bounded memory.
func TestBombs(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	limits := Options{Line: 1 << 20, Bytes: 16 << 20}
	v := mustNew(t, Schema{}, limits)
	require.ErrorIs(t, v.ReadJSONL(endless{"x"}), ErrTooLarge)
	require.Equal(t, int64(1), v.Report().Counts[CodeTooLong])
	v = mustNew(t, Schema{}, limits)
	require.ErrorIs(t, v.ReadJSONL(endless{`{"a":[[[[`}), ErrTooLarge)
	v = mustNew(t, Schema{}, limits)
	require.ErrorIs(t, v.ReadJSONL(io.MultiReader(strings.NewReader(strings.Repeat("[", 900000)+"\n"), strings.NewReader(`{"a":"`))), nil)
	require.Equal(t, int64(1), v.Report().Counts[CodeTooDeep])
	v = mustNew(t, Schema{}, limits)
	err := v.ReadCSV(io.MultiReader(strings.NewReader("a,b\n1,\""), endless{"x\n"}))
	require.ErrorContains(t, err, "too long")
	v = mustNew(t, Schema{}, Options{Bytes: 8 << 20, Keys: 1000, Duplicates: true})
	var rows strings.Builder
	for i := range 20000 { // every row with a column, a text and a wrong value of its own
		fmt.Fprintf(&rows, `{"c%d":"%d","id":[%d,1e999]}`+"\n", i, i, i)
	}
	require.NoError(t, v.ReadJSONL(strings.NewReader(rows.String())))
	r := v.Report()
	require.Len(t, r.Columns, 1000)
	require.Len(t, r.Warnings, 2)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(v)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(64<<20))
}

func TestReaderError(t *testing.T) {
	t.Parallel()
	broken := errors.New("cable pulled")
	v := mustNew(t, Schema{}, Options{})
	err := v.ReadJSONL(io.MultiReader(strings.NewReader("{\"a\":1}\n{\"a\":2}\n"), errReader{broken}))
	require.ErrorIs(t, err, broken)
	require.Equal(t, int64(2), v.Report().Rows)
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestImpossible(t *testing.T) {
	t.Parallel()
	for _, c := range []Column{{}, {Name: "x", Type: "tensor"}, {Name: "x", MaxMissing: 2}, {Name: "x", Pattern: "("}, {Name: "x", Set: []string{}},
		{Name: "x", MinLength: 3, MaxLength: 2}, {Name: "x", Range: &Range{2, 1}}, {Name: "x", MinShare: -1}} {
		_, err := New(Schema{Columns: []Column{c}}, Options{})
		require.ErrorIs(t, err, ErrSchema, "%+v", c)
	}
	_, err := New(Schema{Columns: []Column{{Name: "x"}, {Name: "x"}}}, Options{})
	require.ErrorIs(t, err, ErrSchema)
	for _, o := range []Options{{Line: -1}, {Bytes: -1}, {Label: "x"}, {Key: "x"}, {Depth: 20000}} {
		_, err := New(Schema{}, o)
		require.ErrorIs(t, err, ErrSchema)
	}
}

// Text of a data set is never refused or changed, whatever it looks like.
func TestCorporaPass(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "validate", "*.jsonl"))
	if len(files) == 0 {
		t.Skip("no reference corpora")
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		r := read(t, Schema{Closed: true, Columns: []Column{{Name: "s", Type: String}, {Name: "f", Type: String}}}, Options{}, string(text))
		require.NoError(t, r.Err(), name)
		require.Positive(t, r.Rows)
	}
}

func FuzzValidator(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s, uint8(3))
	}
	f.Add("a,b\n1,2\n\"x\",\"y\"\"\n", uint8(0))
	f.Fuzz(func(t *testing.T, text string, at uint8) {
		schema := Schema{Columns: []Column{{Name: "a", Type: Float, Unique: true}, {Name: "b", MaxMissing: 0.5}}}
		options := Options{Line: 200, Depth: 5, Keep: 2, Values: 3, Columns: 10, Duplicates: true}
		v := mustNew(t, schema, options)
		require.NoError(t, v.ReadJSONL(strings.NewReader(text)))
		want := plain(t, v.Report())
		parts := strings.SplitAfter(text, "\n")
		cut := int(at) % (len(parts) + 1)
		first, second := mustNew(t, schema, options), mustNew(t, schema, options)
		require.NoError(t, first.ReadJSONL(strings.NewReader(strings.Join(parts[:cut], ""))))
		require.NoError(t, second.ReadJSONL(strings.NewReader(strings.Join(parts[cut:], ""))))
		require.NoError(t, first.Merge(second))
		require.Equal(t, want, plain(t, first.Report()))

		// The records are those of encoding/csv.
		c := mustNew(t, Schema{}, Options{})
		if err := c.ReadCSV(strings.NewReader(text)); err != nil {
			return
		}
		in := csv.NewReader(strings.NewReader(text))
		in.FieldsPerRecord = -1
		rows := int64(-1)
		for {
			_, err := in.Read()
			if err == io.EOF {
				break
			}
			rows++
		}
		require.Equal(t, max(rows, 0), c.Report().Rows)
	})
}

func records(n int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the quick brown fox jumps over a lazy dog and runs to the river bank where it rests for while")
	sentence := func(n int) string {
		var b strings.Builder
		for b.Len() < n {
			b.WriteString(words[rng.IntN(len(words))] + " ")
		}
		return b.String()
	}
	var b strings.Builder
	for i := range n {
		floats := make([]string, 16)
		for j := range floats {
			floats[j] = fmt.Sprintf("%.4f", rng.NormFloat64())
		}
		fmt.Fprintf(&b, `{"id":"row-%d","prompt":%q,"text":%q,"label":%d,"score":%.3f,"embedding":[%s]}`+"\n", i, sentence(120), sentence(300), rng.IntN(5),
			rng.Float64(), strings.Join(floats, ","))
	}
	return b.String()
}

func BenchmarkJSONL(b *testing.B) {
	text := records(2000)
	declared := Schema{Columns: []Column{{Name: "id", Type: String}, {Name: "prompt", Type: String, MaxLength: 10000}, {Name: "text", Type: String, MaxLength: 10000},
		{Name: "label", Type: Int, Range: &Range{0, 9}}, {Name: "score", Type: Float, Range: &Range{0, 1}}, {Name: "embedding", Type: List, MinLength: 16, MaxLength: 16}}}
	for name, schema := range map[string]Schema{"declared": declared, "open": {}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				v := mustNew(b, schema, Options{})
				if err := v.ReadJSONL(strings.NewReader(text)); err != nil || v.bad > 0 {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("parse alone", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		rows := strings.Split(strings.TrimSpace(text), "\n")
		var c cursor
		for b.Loop() {
			for _, row := range rows {
				c.data, c.at, c.depth, c.elements = []byte(row), 0, 9, 1000
				if c.object() != "" {
					b.Fatal()
				}
			}
		}
	})
	b.Run("json.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		rows := strings.Split(strings.TrimSpace(text), "\n")
		for b.Loop() {
			for _, row := range rows {
				if !json.Valid([]byte(row)) {
					b.Fatal()
				}
			}
		}
	})
}

func TestEach(t *testing.T) {
	t.Parallel()
	var got []string
	v, err := New(Schema{}, Options{Duplicates: true, Key: "text", Label: "label", Each: func(key, label string) { got = append(got, key+"|"+label) }})
	require.NoError(t, err)
	require.NoError(t, v.ReadJSONL(strings.NewReader("{\"text\":\"a\\u0062\",\"label\":1}\n\nnot json\n{\"label\":\"x\",\"text\":null}\n{\"text\":\"c\",\"text\":\"d\"}\n{\"text\":7,\"label\":true}\n")))
	require.NoError(t, v.ReadCSV(strings.NewReader("label,text\nx,\"e\nf\"\n1,2,3\n,g\n")))
	require.Equal(t, []string{"ab|1", "|", "|x", "d|", "|true", "e\nf|x", "|", "g|"}, got)
	require.EqualValues(t, len(got), v.Report().Rows)
}
