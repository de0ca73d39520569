package parquet

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/brotli"
	"github.com/parquet-go/parquet-go/compress/gzip"
	"github.com/parquet-go/parquet-go/compress/lz4"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/compress/uncompressed"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/validate/dataset"
)

// row has what a training example may have.
type row struct {
	ID       int64     `parquet:"id,delta" json:"id"`
	Text     string    `parquet:"text,dict" json:"text"`
	Label    *string   `parquet:"label,optional,dict" json:"label"`
	Score    float64   `parquet:"score" json:"score"`
	Weight   *float32  `parquet:"weight,optional" json:"weight"`
	Good     bool      `parquet:"good" json:"good"`
	Vector   []float32 `parquet:"vector,list" json:"vector"`
	Tags     []string  `parquet:"tags" json:"tags"`
	Meta     meta      `parquet:"meta" json:"meta"`
	Turns    []turn    `parquet:"turns,list" json:"turns"`
	Unsigned uint64    `parquet:"unsigned" json:"unsigned"`
}

type meta struct {
	Source string `parquet:"source" json:"source"`
	Depth  *int32 `parquet:"depth,optional" json:"depth"`
}

type turn struct {
	Role  string   `parquet:"role" json:"role"`
	Words []string `parquet:"words,list" json:"words"`
}

func sample(n int) []row {
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([]row, n)
	for i := range rows {
		x := &rows[i]
		*x = row{ID: int64(i), Text: fmt.Sprintf("text %d \"quoted\" \\ \n ü %c", r.IntN(n), rune(0x1f600+r.IntN(40))), Score: r.NormFloat64(), Good: r.IntN(2) == 0,
			Vector: []float32{}, Tags: []string{}, Turns: []turn{}, Unsigned: math.MaxUint64 - uint64(i)}
		if r.IntN(3) > 0 {
			label := []string{"a", "b", "c"}[r.IntN(3)]
			x.Label = &label
		}
		if r.IntN(2) > 0 {
			w := float32(r.Float64() + .001)
			x.Weight = &w
		}
		for range r.IntN(4) {
			x.Vector = append(x.Vector, float32(r.NormFloat64()+.1))
			x.Tags = append(x.Tags, fmt.Sprint("tag", r.IntN(3)))
		}
		x.Meta.Source = "s"
		if r.IntN(2) > 0 {
			d := int32(r.IntN(5))
			x.Meta.Depth = &d
		}
		for range r.IntN(3) {
			t := turn{Role: "user", Words: []string{}}
			for range r.IntN(3) {
				t.Words = append(t.Words, "w")
			}
			x.Turns = append(x.Turns, t)
		}
	}
	return rows
}

func encode[T any](t testing.TB, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func jsonl(t testing.TB, rows []row) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, r := range rows {
		require.NoError(t, enc.Encode(r))
	}
	return b.Bytes()
}

func lines(file []byte, limits Limits) (string, error) {
	rows, err := Open(bytes.NewReader(file), int64(len(file)), limits)
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(rows)
	return string(out), errors.Join(err, rows.Close())
}

// TestSameAsJSONL: the same rows as Parquet, however encoded and compressed, mean what they mean as JSON Lines, value for value, and
// give the same report.
func TestSameAsJSONL(t *testing.T) {
	t.Parallel()
	rows := sample(500)
	text := jsonl(t, rows)
	schema := dataset.Schema{Columns: []dataset.Column{
		{Name: "id", Type: dataset.Int, Unique: true}, {Name: "score", Type: dataset.Float, Range: &dataset.Range{Min: -2, Max: 2}},
		{Name: "label", Type: dataset.String, MaxMissing: .2, Set: []string{"a", "b"}}, {Name: "vector", Type: dataset.List, MaxLength: 2}, {Name: "none", MaxMissing: 1},
	}}
	report := func(in io.Reader) *dataset.Report {
		v, err := dataset.New(schema, dataset.Options{Duplicates: true, Key: "text", Label: "label"})
		require.NoError(t, err)
		require.NoError(t, v.ReadJSONL(in))
		r := v.Report()
		r.Bytes = 0
		return r
	}
	want := report(bytes.NewReader(text))
	require.NotEmpty(t, want.Failures)
	for name, codec := range map[string]compress.Codec{"none": &uncompressed.Codec{}, "snappy": &snappy.Codec{}, "gzip": &gzip.Codec{}, "zstd": &zstd.Codec{}, "brotli": &brotli.Codec{}, "lz4": &lz4.Codec{}} {
		for _, version := range []int{1, 2} {
			for _, perGroup := range []int64{1 << 20, 64} {
				t.Run(fmt.Sprint(name, version, perGroup), func(t *testing.T) {
					t.Parallel()
					file := encode(t, rows, parquet.Compression(codec), parquet.DataPageVersion(version), parquet.MaxRowsPerRowGroup(perGroup), parquet.PageBufferSize(1000))
					out, err := lines(file, Limits{})
					require.NoError(t, err)
					got, exact := strings.Split(strings.TrimSpace(out), "\n"), strings.Split(strings.TrimSpace(string(text)), "\n")
					require.Len(t, got, len(exact))
					for i := range got {
						require.JSONEq(t, exact[i], got[i])
					}
					r, err := Open(bytes.NewReader(file), int64(len(file)), Limits{})
					require.NoError(t, err)
					require.EqualValues(t, len(rows), r.NumRows())
					a, err := json.Marshal(want)
					require.NoError(t, err)
					b, err := json.Marshal(report(r))
					require.NoError(t, err)
					require.JSONEq(t, string(a), string(b))
				})
			}
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	type types struct {
		I8   int8             `parquet:"i8"`
		U32  uint32           `parquet:"u32"`
		D    int32            `parquet:"d,decimal(2:9)"`
		D64  int64            `parquet:"d64,decimal(0:18)"`
		Date int32            `parquet:"date,date"`
		TS   time.Time        `parquet:"ts,timestamp(microsecond)"`
		TN   int64            `parquet:"tn,timestamp(nanosecond)"`
		U    uuid.UUID        `parquet:"u,uuid"`
		Raw  []byte           `parquet:"raw"`
		F    float64          `parquet:"f"`
		M    map[string]int64 `parquet:"m"`
		Enum string           `parquet:"enum,enum"`
		JS   string           `parquet:"js,json"`
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	rows := []types{
		{I8: -3, U32: math.MaxUint32, D: -7, D64: math.MaxInt64, Date: -1, TS: at, TN: at.UnixNano(), U: uuid.UUID{1, 2}, Raw: []byte("\x00\x1f\"\\"), F: 2, M: map[string]int64{"k": 9007199254740993}, Enum: "E", JS: `{"a":1}`},
		{D: 12345, F: math.NaN(), TN: -1}, {F: math.Inf(-1)}, {F: 1e300}, {F: math.Copysign(0, -1)},
	}
	out, err := lines(encode(t, rows), Limits{})
	require.NoError(t, err)
	got := strings.Split(out, "\n")
	require.Equal(t, `{"i8":-3,"u32":4294967295,"d":-0.07,"d64":9223372036854775807,"date":"1969-12-31","ts":"2026-01-02T03:04:05.678901Z","tn":"2026-01-02T03:04:05.678901Z",`+
		`"u":"01020000-0000-0000-0000-000000000000","raw":"\u0000\u001f\"\\","f":2.0,"m":[{"key":"k","value":9007199254740993}],"enum":"E","js":"{\"a\":1}"}`, got[0])
	require.Contains(t, got[1], `"d":123.45`)
	require.Contains(t, got[1], `"f":1e999`)
	require.Contains(t, got[1], `"tn":"1969-12-31T23:59:59.999999999Z"`)
	require.Contains(t, got[2], `"f":-1e999`)
	require.Contains(t, got[3], `"f":1e+300`)
	require.Contains(t, got[4], `"f":-0.0`)
	v, err := dataset.New(dataset.Schema{}, dataset.Options{})
	require.NoError(t, err)
	require.NoError(t, v.ReadJSONL(strings.NewReader(out)))
	require.EqualValues(t, 2, v.Report().Counts["f: not_finite"], "%v", v.Report().Counts)
	for h, want := range map[uint16]float64{0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0001: math.Ldexp(1, -24), 0x8000: 0, 0x3555: .333251953125} {
		require.Equal(t, want, half(h))
	}
	require.True(t, math.IsInf(half(0xfc00), -1) && math.IsInf(half(0x7c00), 1) && math.IsNaN(half(0x7e00)))
}

// TestDamaged: a file cut anywhere, or with bytes changed, ends in rows or in an error, never in a panic or a hang.
func TestDamaged(t *testing.T) {
	t.Parallel()
	file := encode(t, sample(60), parquet.Compression(&zstd.Codec{}), parquet.PageBufferSize(500))
	for n := 0; n < len(file); n += 1 + len(file)/500 {
		_, err := lines(file[:n], Limits{})
		require.ErrorIs(t, err, ErrDamaged)
	}
	r := rand.New(rand.NewPCG(3, 4))
	bad := 0
	for range 1500 {
		c := bytes.Clone(file)
		for range 1 + r.IntN(3) {
			c[r.IntN(len(c))] ^= byte(1 << r.IntN(8))
		}
		if _, err := lines(c, Limits{Page: 1 << 20, Values: 1 << 16}); err != nil {
			bad++
			require.True(t, errors.Is(err, ErrDamaged) || errors.Is(err, ErrTooLarge), err)
		}
	}
	require.Greater(t, bad, 500)
	_, err := lines([]byte("PAR1"+strings.Repeat("x", 20)+"\xff\xff\xff\x7fPAR1"), Limits{})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = Open(bytes.NewReader(file), int64(len(file)), Limits{Page: -1})
	require.ErrorContains(t, err, "Limits.Page = -1")
}

// TestBombs: pages that grow a thousandfold are refused before there is room made for them.
func TestBombs(t *testing.T) {
	type wide struct {
		Text string `parquet:"text"`
	}
	rows := []wide{{strings.Repeat("a", 32<<20)}}
	for name, codec := range map[string]compress.Codec{"gzip": &gzip.Codec{}, "zstd": &zstd.Codec{}, "brotli": &brotli.Codec{}, "snappy": &snappy.Codec{}, "lz4": &lz4.Codec{}} {
		file := encode(t, rows, parquet.Compression(codec))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := lines(file, Limits{Page: 4 << 20})
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrTooLarge, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), name)
		// The same, when it lies about its size.
		at := bytes.Index(file[4:], binary.AppendUvarint(nil, uint64(2*(32<<20+4)))) // zigzag of thrift, if it stands so
		if at >= 0 {
			lie := bytes.Clone(file)
			copy(lie[4+at:], binary.AppendUvarint(nil, 2*(1<<21+4)))
			_, err = lines(lie, Limits{Page: 4 << 20})
			require.Error(t, err, name)
		}
	}
	type nothing struct {
		X *int64 `parquet:"x,optional"`
	}
	_, err := lines(encode(t, make([]nothing, 100_000)), Limits{Values: 1000})
	require.ErrorIs(t, err, ErrTooLarge, "missing values take no room in the file")
	_, err = lines(encode(t, sample(100)), Limits{Rows: 99})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = lines(encode(t, sample(100)), Limits{Columns: 3})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = lines(encode(t, sample(100)), Limits{Row: 30})
	require.ErrorIs(t, err, ErrTooLarge)
}

func FuzzOpen(f *testing.F) {
	f.Add(encode(f, sample(3)))
	f.Add(encode(f, sample(5), parquet.Compression(&snappy.Codec{}), parquet.DataPageVersion(1)))
	f.Fuzz(func(t *testing.T, file []byte) {
		out, err := lines(file, Limits{Page: 1 << 16, Values: 1 << 12, Footer: 1 << 16, Columns: 100, Rows: 1000})
		if err != nil {
			require.True(t, errors.Is(err, ErrDamaged) || errors.Is(err, ErrTooLarge), "%v", err)
			return
		}
		for line := range strings.Lines(out) {
			require.True(t, json.Valid([]byte(strings.ToValidUTF8(line, "?"))), line)
		}
	})
}

func Example() {
	type example struct {
		Text  string   `parquet:"text"`
		Score *float64 `parquet:"score,optional"`
	}
	var file bytes.Buffer
	half := .5
	_ = parquet.Write(&file, []example{{"fine", &half}, {"without", nil}})

	rows, err := Open(bytes.NewReader(file.Bytes()), int64(file.Len()), Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rows.Close()
	v, _ := dataset.New(dataset.Schema{Columns: []dataset.Column{{Name: "score", Type: dataset.Float}}}, dataset.Options{})
	if err := v.ReadJSONL(rows); err != nil {
		fmt.Println(err)
	}
	for _, failure := range v.Report().Failures {
		fmt.Println(failure)
	}
	// Output: row 1 (line 2), score is "null", must be present
}

func BenchmarkRows(b *testing.B) {
	rows := sample(20_000)
	file := encode(b, rows, parquet.Compression(&snappy.Codec{}))
	text := jsonl(b, rows)
	b.Run("plain", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := parquet.Read[row](bytes.NewReader(file), int64(len(file))); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, in := range map[string]func() io.Reader{
		"jsonl":   func() io.Reader { return bytes.NewReader(text) },
		"parquet": func() io.Reader { r, _ := Open(bytes.NewReader(file), int64(len(file)), Limits{}); return r },
	} {
		b.Run("validate-"+name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				v, _ := dataset.New(dataset.Schema{}, dataset.Options{})
				if err := v.ReadJSONL(in()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("rows", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			r, _ := Open(bytes.NewReader(file), int64(len(file)), Limits{})
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
