package redact

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	for _, tt := range []struct{ in, want string }{
		{`{"a":1,"b":[true,null,"x"],"loss":0.25}`, ``},
		{` { "a" : "x" } `, ``},
		{`"a\u0062c\n"`, ``},
		{`{"password":null,"token":"","jwt":true,"secret":{},"secrets":[]}`, ``},
		{`{"password":"hunter2","n":1}`, `{"password":"[redacted:password]","n":1}`},
		{`{"password" : {"a":["}",{"b":"\"]"}]} , "n":1}`, `{"password" : "[redacted:password]" , "n":1}`},
		{`{"pin_code":1234}`, `{"pin_code":"[redacted:pincode]"}`},
		{`{"p\u0061ssword":"hunter2"}`, `{"p\u0061ssword":"[redacted:password]"}`},
		{`{"password":"[redacted:password]"}`, ``},
		{`["login token=a\"b c"]`, `["login token=[redacted:token] c"]`},
		{`"line\ntoken=x\nnext \u00e9"`, `"line\ntoken=[redacted:token]\nnext é"`},
		{`"{\"password\":\"hunter2\"}"`, `"{\"password\":\"[redacted:password]\"}"`},
		{`[4111111111111111,1763850000000000000,-1.5e-7]`, `["[redacted:card]",1763850000000000000,-1.5e-7]`},
		{`{"a@b.com":1,"c@d.com":2,"[redacted:email]~2":3}`, `{"[redacted:email]":1,"[redacted:email]~2":2,"[redacted:email]~2~2":3}`},
		{`"\ud83d\ude00 bob@example.com"`, `"😀 [redacted:email]"`},
	} {
		want := tt.want
		if want == "" {
			want = tt.in
		}
		out := r.JSON([]byte("x"), []byte(tt.in))
		require.Equal(t, "x"+want, string(out), tt.in)
		require.True(t, json.Valid(out[1:]))
		require.Equal(t, want, string(r.JSON(nil, out[1:])), "again")
	}
	for _, bad := range []string{``, `{`, `{"a"`, `{"a":}`, `[1,]`, `[1 2]`, `tru`, `"a`, `"\x"`, "\"\x01\"", `{"password":`, `{"password":}`, `{"password":,"a":1}`, `1 2`,
		`{"password":"hunter2"`, `{"password":"hunter2"}}`, `hunter2`, `{"a":1,}`, `{1:2}`, `{"token":[}`, `"\`, `{"password":"\x"}x`} {
		require.Equal(t, malformedMark, string(r.JSON(nil, []byte(bad))), bad)
	}
}

// nest puts a text somewhere into a JSON value.
func nest(rng *rand.Rand, text string, depth int) any {
	if depth == 0 {
		return text
	}
	inner := nest(rng, text, depth-1)
	switch rng.IntN(4) {
	case 0:
		return []any{1.5, inner, nil}
	case 1:
		return map[string]any{"n": 3, "inner": inner, "z": "plain"}
	case 2:
		return map[string]any{text: inner}
	default:
		b, _ := json.Marshal(inner) // JSON in a string
		return "payload " + string(b)
	}
}

func TestJSONHidesEverything(t *testing.T) {
	t.Parallel()
	r := must(t, Config{})
	rng := rand.New(rand.NewPCG(9, 9))
	for _, s := range samples(13, 150) {
		for depth := range 3 {
			src, err := json.Marshal(nest(rng, s.text, depth))
			require.NoError(t, err)
			out := r.JSON(nil, src)
			require.True(t, json.Valid(out), "%s became %s", src, out)
			require.NotContains(t, string(out), s.hidden, "%s: %s", s.kind, src)
			require.NotContains(t, string(out), strings.Trim(string(appendQuoted(nil, s.hidden)), `"`))
		}
	}
}

func FuzzJSON(f *testing.F) {
	rng := rand.New(rand.NewPCG(9, 9))
	for _, s := range samples(17, 2) {
		b, _ := json.Marshal(nest(rng, s.text, 2))
		f.Add(b)
	}
	f.Add([]byte(`{"password":{"a":[1,"}"]},"b":1e5}`))
	r, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		out := r.JSON(nil, src)
		if !json.Valid(src) {
			return // what is not JSON may come out as it is, or not
		}
		require.True(t, json.Valid(out), "%s became %s", src, out)
		if len(src) < 4096 && utf8.Valid(src) { // encoding/json changes what is not
			var a, b any
			for text, v := range map[string]*any{string(src): &a, string(out): &b} {
				dec := json.NewDecoder(strings.NewReader(text))
				dec.UseNumber()
				require.NoError(t, dec.Decode(v))
			}
			if string(src) == string(out) {
				return
			}
			same(t, r, a, b, 0)
		}
	})
}

// same checks that redaction left everything that is no secret where it was.
func same(t *testing.T, r *Redactor, a, b any, depth int) {
	t.Helper()
	if s, ok := b.(string); ok {
		if text, ok := a.(string); ok {
			require.Equal(t, r.String(text), s)
			return
		}
		require.True(t, isMark(s) || strings.Contains(s, markOpen), "%v became %q", a, s)
		return
	}
	switch a := a.(type) {
	case []any:
		list := b.([]any)
		require.Len(t, list, len(a))
		for i := range a {
			same(t, r, a[i], list[i], depth+1)
		}
	case map[string]any:
		object := b.(map[string]any)
		require.Len(t, object, len(a))
		for k, v := range a {
			if _, secret := r.Key(k); !secret && !r.Has(k) && !strings.Contains(k, markOpen) {
				same(t, r, v, object[k], depth+1)
			}
		}
	default:
		require.Equal(t, a, b)
	}
}

// quote must write what encoding/json writes.
func FuzzQuote(f *testing.F) {
	f.Add("a\"\\\n\x00\x7f\u2028\xffé😀")
	f.Fuzz(func(t *testing.T, s string) {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		require.NoError(t, enc.Encode(s))
		var want, got string
		require.NoError(t, json.Unmarshal([]byte(b.String()), &want))
		require.NoError(t, json.Unmarshal(appendQuoted(nil, s), &got))
		require.Equal(t, want, got)
	})
}
