package audit

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	var c canonicalizer
	for _, tt := range []struct{ in, want string }{
		{" null ", "null"}, {"true", "true"}, {"[ ]", "[]"}, {"{ }", "{}"},
		{`{"b":1,"a":[2 , {"d":1,"c":2}]}`, `{"a":[2,{"c":2,"d":1}],"b":1}`},
		{`"\u0041\/\u000a\u001F\u00e9\ud83d\ude00\u2028\u007f<&"`, "\"A/\\n\\u001f\u00e9\U0001f600\u2028\x7f<&\""},
		{`"\b\t\n\f\r\"\\"`, `"\b\t\n\f\r\"\\"`},
		// RFC 8785, 3.2.3: the order is that of UTF-16 code units.
		{`{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`,
			"{\"\\r\":2,\"1\":4,\"\u0080\":6,\"\u00f6\":7,\"\u20ac\":1,\"\U0001f600\":5,\"\ufb33\":3}"},
		{`{"a\"b":1,"a!b":2,"a\\":3,"a\u0000":4}`, `{"a\u0000":4,"a!b":2,"a\"b":1,"a\\":3}`},
		// RFC 8785, appendix B.
		{"-0", "0"}, {"-0.0", "0"}, {"5e-324", "5e-324"}, {"-5e-324", "-5e-324"}, {"1.7976931348623157e308", "1.7976931348623157e+308"},
		{"9007199254740992", "9007199254740992"}, {"-9007199254740992", "-9007199254740992"}, {"295147905179352830000.0", "295147905179352830000"},
		{"9.999999999999997e22", "9.999999999999997e+22"}, {"1e23", "1e+23"}, {"1.0000000000000001e23", "1.0000000000000001e+23"},
		{"999999999999999700000.0", "999999999999999700000"}, {"999999999999999900000e0", "999999999999999900000"}, {"1e21", "1e+21"}, {"100000000000000000000", "100000000000000000000"},
		{"9.999999999999997e-7", "9.999999999999997e-7"}, {"0.000001", "0.000001"}, {"333333333.3333332", "333333333.3333332"},
		{"333333333.33333325", "333333333.33333325"}, {"-0.0000033333333333333333", "-0.0000033333333333333333"}, {"1424953923781206.2", "1424953923781206.2"},
		{"1e2", "100"}, {"1E+2", "100"}, {"10.50", "10.5"}, {"123456789012345", "123456789012345"}, {"1e-400", "0"},
	} {
		got, err := c.append(nil, []byte(tt.in))
		require.NoError(t, err, tt.in)
		require.Equal(t, tt.want, string(got), tt.in)
		again, err := c.append(nil, got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	for _, bad := range []string{
		"", " ", "nul", "nullx", "[1", "[1,]", "[,1]", "{", `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `"a`, `"\x"`, `"\u12"`, `"\u12G4"`,
		"01", "-", "1.", ".5", "1e", "1e+", "+1", "NaN", "1 2", "\"a\nb\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
		`"\ud800"`, `"\udc00"`, `"\ud800\u0041"`, `"\ud800\ud800"`, `"\ud83d`, `{"a":1,"a":1}`, `{"b":1,"a":2,"b":3}`, `{"é":1,"\u00e9":2}`,
		"9007199254740993", "12345678901234567890", "-9007199254740993", "9223372036854775808", "1e400", "-1e309",
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1),
	} {
		_, err := c.append(nil, []byte(bad))
		require.Error(t, err, "%q", bad)
	}
	_, err := c.append(nil, []byte(strings.Repeat("[", maxDepth)+strings.Repeat("]", maxDepth)))
	require.NoError(t, err)
}

// FuzzCanonical: what is accepted is JSON of the same meaning, in one form.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":[1,2.5,-0,1e30],"a":"x\u2028\n"}`, `{"\ud83d\ude00":{},"z":null}`, `"\u0000"`, "[]", "1e-7"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var c canonicalizer
		got, err := c.append(nil, text)
		if err != nil {
			return
		}
		again, err := c.append(nil, got)
		if err != nil || !bytes.Equal(got, again) {
			t.Fatalf("%q became %q, which became %q: %v", text, got, again, err)
		}
		var want, have any
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q is no JSON: %v", text, err)
		}
		if err := json.Unmarshal(got, &have); err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(have)
		if !bytes.Equal(bytes.ReplaceAll(a, []byte("-0"), []byte("0")), bytes.ReplaceAll(b, []byte("-0"), []byte("0"))) {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

func FuzzNumber(f *testing.F) {
	f.Add(1e21)
	f.Add(math.MaxFloat64)
	f.Fuzz(func(t *testing.T, v float64) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		got, err := strconv.ParseFloat(string(appendNumber(nil, v)), 64)
		if err != nil || got != v {
			t.Fatalf("%v became %v", v, got)
		}
	})
}

// FuzzTime: there is one form, that of the standard library.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2026-03-01T12:00:00.123456789Z", "2024-02-29T23:59:59Z", "2026-02-29T00:00:00Z", "2026-01-01T00:00:00.10Z", "2026-01-01T24:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := time.Parse(time.RFC3339Nano, s)
		got, ok := parseTime([]byte(s))
		if ok && (err != nil || !got.Equal(want)) {
			t.Fatalf("%q is read as %v, not %v", s, got, want)
		}
		if same := err == nil && want.UTC().Format(time.RFC3339Nano) == s; same != ok && (want.Year() > 0 || ok) {
			t.Fatalf("%q: %v", s, ok)
		}
	})
}

// FuzzEntry gives the parser arbitrary entries: what it accepts is just what append makes.
func FuzzEntry(f *testing.F) {
	e := Entry{Seq: 7, Time: day, Kind: KindNote, Run: "r", Correlation: "c", Data: json.RawMessage(`{"a":",\"kind\":\""}`)}
	f.Add(e.append(nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r reader
		e, err := r.parse(text)
		if err == nil && !bytes.Equal(e.append(nil), text) {
			t.Fatalf("%q is read as %v", text, e)
		}
		if err == nil && !json.Valid(text) {
			t.Fatalf("%q is no JSON", text)
		}
	})
}

// FuzzProof and FuzzCheckpoint: what is read is written as it was.
func FuzzProof(f *testing.F) {
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra YQ==\nindex 0\n\na\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— a AAAA\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p Proof
		if p.UnmarshalText(text) != nil {
			return
		}
		again, err := p.MarshalText()
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%q became %q", text, again)
		}
		_, _, _ = p.Check("a+00000000+AQ==")
	})
}

func FuzzCheckpoint(f *testing.F) {
	signer, err := newKeySigner(testKey(1), "example.com/log")
	require.NoError(f, err)
	want, err := signHead(signer, Head{7, Hash{1, 2, 3}})
	require.NoError(f, err)
	f.Add(want)
	f.Add(append(bytes.Clone(want), "— w AAAAAAA=\n"...))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseCheckpoint(text)
		if err != nil {
			return
		}
		if _, err := c.verify(signer.verifier, nil); err == nil && c.head != (Head{7, Hash{1, 2, 3}}) {
			t.Fatalf("%q passes", text)
		}
	})
}

// FuzzJournal gives Verify and Open a journal whose entries are arbitrary, under valid checksums.
func FuzzJournal(f *testing.F) {
	d, _ := sample(f, 2)
	var all []byte
	for _, e := range collect(f, d) {
		all = append(append(all, e.append(nil)...), '\n')
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, text []byte) {
		bad := forgeT(t, d, bytes.Split(text, []byte("\n")))
		_, verr := verify(bad, "x", Trust{}, func(*Entry) bool { return true })
		_, oerr := openIn(bad, "x", Options{Key: testKey(1)})
		if verr == nil || oerr == nil {
			t.Fatalf("%q passes: %v, %v", text, verr, oerr)
		}
	})
}

func forgeT(t *testing.T, d *durabletest.Disk, texts [][]byte) *durabletest.Disk {
	for i := range texts {
		texts[i] = texts[i][:min(len(texts[i]), maxEntry)]
	}
	return forge(t, d, texts)
}

// TestPlainPrefix: every byte at every place of a word, before and behind others that end a prefix too.
func TestPlainPrefix(t *testing.T) {
	t.Parallel()
	naive := func(s []byte) int {
		i := 0
		for i < len(s) && s[i] >= ' ' && s[i] < 0x80 && s[i] != '"' && s[i] != '\\' {
			i++
		}
		return i
	}
	for _, fill := range []byte{' ', '!', '#', '[', ']', 0x7f} {
		for n := range 20 {
			for at := range n {
				for b := range 256 {
					s := bytes.Repeat([]byte{fill}, n)
					s[at] = byte(b)
					require.Equal(t, naive(s), plainPrefix(s))
					if s[n-1] = '"'; at > 0 {
						s[at-1] ^= 1
					}
					require.Equal(t, naive(s), plainPrefix(string(s)), "%q", s)
				}
			}
		}
	}
}
