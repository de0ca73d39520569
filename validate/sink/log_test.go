package sink

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// readBack undoes what Log does.
func readBack(t testing.TB, line string) string {
	t.Helper()
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return text
}

func checkLine(t testing.TB, s string) {
	t.Helper()
	line := Log(s, 0)
	if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Variation_Selector)
	}) {
		t.Fatalf("%q shows as %q", s, line)
	}
	if back := readBack(t, line); back != s {
		t.Fatalf("%q as %q reads back as %q", s, line, back)
	}
	for _, limit := range []int{1, 8, 20} {
		short := Log(s, limit)
		begin, cut := strings.CutSuffix(short, "...")
		if len(line) <= max(limit, 8) {
			cut, begin = false, line
		}
		// What is left is the begin of the text, without half a character or escape.
		if len(short) > max(limit, 8) || !cut && short != line || !strings.HasPrefix(line, begin) || !strings.HasPrefix(s, readBack(t, begin)) {
			t.Fatalf("%q in %d bytes: %q", s, limit, short)
		}
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	for _, s := range texts(t) {
		checkLine(t, s)
	}
	for s, want := range map[string]string{
		"a\nb": `a\nb`, "\x1b[2J": `\x1b[2J`, "\u202egpj": `\u202egpj`, "\u200b": `\u200b`, "\xff": `\xff`, `C:\n`: `C:\\n`, "a\tb\r": `a\tb\r`, "\u2028": `\u2028`, "\x85": `\x85`,
		"\u0085": `\u0085`, "\U000e0041": `\U000e0041`, "ä漢🙂": "ä漢🙂", "\x7f": `\x7f`, "soft\u00adhyphen": `soft\u00adhyphen`,
	} {
		require.Equal(t, want, Log(s, 0))
	}
	require.Equal(t, "12345...", Log("123456789", 8))
	require.Equal(t, `\nabc...`, Log("\nabcdefghij", 2), "what is cut shows")
	require.Equal(t, `abc...`, Log("abc\u202e\u202e", 9), "no half an escape")
	require.Equal(t, "1234...", Log("1234漢漢漢", 8), "no half a character")
}

func TestLogAllocates(t *testing.T) {
	line := strings.Repeat("plain prose, nothing else. ", 20)
	require.Zero(t, testing.AllocsPerRun(20, func() { Log(line, 0); HTML(line) }))
}

func FuzzTexts(f *testing.F) {
	for _, s := range ownTexts {
		f.Add(s)
	}
	f.Add("a%2fb/../%2e%2e/x")
	f.Fuzz(func(t *testing.T, s string) {
		checkLine(t, s)
		harmless(t, s)
		if word, err := Shell(s); err == nil && !strings.HasPrefix(word, "'") {
			t.Fatal(word)
		}
		if lit, err := Literal(MySQL, s); err == nil {
			if text, rest, ok := literalEnd(lit+" x", true); !ok || text != s || rest != " x" {
				t.Fatalf("%q as %s", s, lit)
			}
		}
		if p, err := Path(s); err == nil {
			if again, err := Path(p); err != nil || again != p || strings.HasPrefix(p, "/") || strings.Contains("/"+p+"/", "/../") {
				t.Fatalf("%q as %q, then %q, %v", s, p, again, err)
			}
		}
		if v, err := HeaderValue(s); err == nil && strings.ContainsAny(v, "\r\n\x00") {
			t.Fatalf("%q", v)
		}
		_, _ = HTMLAddress(s)
	})
}
