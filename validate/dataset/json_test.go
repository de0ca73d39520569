package dataset

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkAgainstStd compares the reading of one line with that of encoding/json.
func checkAgainstStd(t *testing.T, line []byte) {
	if bytes.IndexByte(line, '\n') >= 0 || len(bytes.Trim(line, " \t\r")) == 0 {
		return
	}
	valid := json.Valid(line)
	c := &cursor{data: line, depth: 10000, elements: 1 << 30}
	code := ""
	object := c.peek() == '{'
	if object {
		code = c.object()
	} else {
		code = c.skip()
	}
	if code == "" && (c.peek() != 0 || c.at < len(line)) {
		code = CodeSyntax
	}
	if valid != (code == "") {
		t.Fatalf("%q: %q, but json.Valid is %v", line, code, valid)
	}
	if !valid || !object {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var want map[string]any
	if err := dec.Decode(&want); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	got := map[string]cell{}
	for _, cell := range c.cells {
		got[string(cell.name.bytes)] = cell // the last one counts
	}
	if len(got) != len(want) {
		t.Fatalf("%q: %d names, want %d", line, len(got), len(want))
	}
	for name, w := range want {
		cell, ok := got[name]
		if !ok {
			t.Fatalf("%q: no %q", line, name)
		}
		checkCell(t, c, cell, w)
	}
}

func checkCell(t *testing.T, c *cursor, cell cell, want any) {
	shown := c.data[cell.start:cell.end]
	switch w := want.(type) {
	case nil:
		require.Equal(t, kinds, cell.kind)
	case bool:
		require.Equal(t, kindBool, cell.kind)
	case string:
		if cell.kind != kindString || string(cell.text.bytes) != w {
			t.Fatalf("%q: %q, want %q", shown, cell.text.bytes, w)
		}
		for _, r := range w {
			if r >= 0x80 && cell.text.ascii {
				t.Fatalf("%q is not ASCII", w)
			}
		}
	case json.Number:
		require.Equal(t, kindFloat, cell.kind)
		checkNumber(t, cell.number, string(w))
	case []any:
		require.Equal(t, kindList, cell.kind)
		require.Equal(t, len(w), cell.length)
		i := 0
		for _, e := range w {
			if n, ok := e.(json.Number); ok {
				var f float64
				if err := json.Unmarshal([]byte(n), &f); err != nil {
					f = math.Inf(1)
					if n[0] == '-' {
						f = math.Inf(-1)
					}
				}
				require.Equal(t, math.Float64bits(f), math.Float64bits(c.list[cell.first+i]), n)
				require.Equal(t, string(n), string(numberAt(shown, i)))
				i++
			}
		}
		require.Equal(t, i, cell.numbers)
	default:
		require.Equal(t, kindObject, cell.kind)
	}
}

func checkNumber(t *testing.T, n number, written string) {
	var f float64
	err := json.Unmarshal([]byte(written), &f)
	if (err != nil) != n.over {
		t.Fatalf("%s: over %v, want %v", written, n.over, err)
	}
	if err == nil && math.Float64bits(f) != math.Float64bits(n.float) {
		t.Fatalf("%s: %v, want %v", written, n.float, f)
	}
	var i int64
	err = json.Unmarshal([]byte(written), &i)
	if (err == nil) != n.whole || n.whole && i != n.int {
		t.Fatalf("%s: %d %v, want %d (%v)", written, n.int, n.whole, i, err)
	}
}

func seeds() []string {
	return []string{
		`{}`, `{"a":1}`, ` { "a" : [ 1 , 2.5e-3 , "x", null, [ ] , {} ] } `, `{"a":1,"a":2}`, `[]`, `[1,]`, `{"a":}`, `{"a":1,}`, `{,}`,
		`{"a":9007199254740993,"b":-0,"c":-0.0,"d":0e1,"e":1e400,"f":1E-400,"g":18446744073709551616,"h":-9223372036854775808}`,
		`{"a":9223372036854775807,"b":9223372036854775808,"c":1.0,"d":12345678901234567890.5e-7,"e":123456789012345678901234567890}`,
		`{"a":0.1,"b":3.141592653589793,"c":1e22,"d":1e23,"e":9007199254740992.5,"f":5e-324,"g":1.7976931348623157e308}`,
		`{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.1}`, `{"a":1e}`, `{"a":+1}`, `{"a":0x1}`, `{"a":NaN}`, `{"a":tru}`, `{"a":nul`,
		`{"a":"\ud83d\ude00","b":"\ud83d","c":"\ude00\ud83d","d":"\ud83dx\n","e":"\ud83d\u0041","f":"\u00e9\/\b\f\r\t\\\""}`,
		"{\"a\":\"\xff\",\"b\":\"é\xc3\",\"\xfe\":1,\"c\":\"\\n\xed\xa0\x80\"}", "{\"a\":\"x\ty\"}", "{\"a\":\"\x00\"}", `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\`, `{"a":"`,
		`{"a":[0.25,-1.5,123456789.123456,12345678901234567890,1e400,-1e400,00.1,"x",0.1]}`, `{"a":[-0.0,0.1234567890123456,1.5e3,[1.5],2.5]}`, `{"a":[1.]}`, `{"a":[1.5`, `{"a":[0.5e]}`,
		"{\"0123456789abcdef\":\"long enough for words é of eight \x1f\"}", "{\"a\":\"\x7f\u2028\ufeff\"}", "\ufeff{}", `{"a":1} x`, `{"a":1}{}`,
		strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100), `{"a":` + strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat(`}`, 71), "{\"a\":1}\x00", "\x00", "nullx",
	}
}

func TestAgainstStd(t *testing.T) {
	t.Parallel()
	for _, s := range seeds() {
		checkAgainstStd(t, []byte(s))
		for i := range s { // cut everywhere
			checkAgainstStd(t, []byte(s[:i]))
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(checkAgainstStd)
}

// TestDigits8: eight digits at once are what they are one by one, whatever stands behind them.
func TestDigits8(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 8))
	for range 200_000 {
		data := make([]byte, 8+r.IntN(4))
		for i := range data {
			if data[i] = '0' + byte(r.IntN(10)); r.IntN(6) == 0 {
				data[i] = byte(r.IntN(256))
			}
		}
		var want uint64
		n := 0
		for n < 8 && data[n] >= '0' && data[n] <= '9' {
			want = want*10 + uint64(data[n]-'0')
			n++
		}
		v, got := digits8(data, 0)
		require.Equal(t, n, got, "%q", data)
		require.Equal(t, want, v, "%q", data)
	}
	_, n := digits8([]byte("1234567"), 0)
	require.Zero(t, n)
}
