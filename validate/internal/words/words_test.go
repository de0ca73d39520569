package words

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func all(text string) (out []string) {
	var s Scanner
	for s.Reset(text); s.Next(); {
		out = append(out, string(s.Word()))
	}
	return out
}

func TestScanner(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                "",
		"The Fox, 42 x_y": "the|fox|,|42|x|_|y",
		"a!!b  ?":         "a|!!|b|?",
		"\u00c5ngstr\u00f6m e\u0301t\u00e9 \u0130x": "angstrom|ete|ix",
		"\u00df \u0141":                        "\u00df|\u0142",
		"\uff21\uff42\uff11\uff01":             "ab1|!",
		"pass\u200b\ufeffword":                 "password",
		"\u4e2d\u6587abc\u3002":                "\u4e2d|\u6587|abc|\u3002",
		"x\U0001f600\U0001f600y":               "x|\U0001f600|\U0001f600|y",
		"\u0917\u093e\u0902\u0935":             "\u0917\u093e\u0902\u0935",
		"\u041f\u0420\u0418\u0412\u0415\u0422": "\u043f\u0440\u0438\u0432\u0435\u0442",
		"a\xffb":                               "a|\ufffd|b",
		"a\u00a0b\u2028c\x00d":                 "a|b|c|d",
	} {
		require.Equal(t, want, strings.Join(all(text), "|"), "%q", text)
	}
	long := all(strings.Repeat("x", 1000) + strings.Repeat("\u00e9", 1000))
	require.Equal(t, strings.Repeat("x", 1000)+strings.Repeat("e", 1000), strings.Join(long, ""))
	for _, w := range long {
		require.LessOrEqual(t, len(w), Longest)
	}
	var s Scanner
	s.Reset("- a")
	require.True(t, s.Next())
	require.True(t, s.Sign())
	require.True(t, s.Next())
	require.False(t, s.Sign())
	a := s.Hash()
	s.Reset("A")
	s.Next()
	require.Equal(t, a, s.Hash())
}

// Words are valid UTF-8 of bounded length, and the words of the words are the same.
func FuzzScanner(f *testing.F) {
	f.Add("A b\u0301 \u4e2d! \xff")
	f.Fuzz(func(t *testing.T, text string) {
		found := all(text)
		for _, w := range found {
			if w == "" || len(w) > Longest+utf8.UTFMax || !utf8.ValidString(w) {
				t.Fatalf("%q", w)
			}
		}
		require.Equal(t, found, all(strings.Join(found, " ")))
	})
}

func TestNextDoesNotAllocate(t *testing.T) {
	var s Scanner
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for s.Reset("some words, \u00e9\u4e2d\U0001f600!"); s.Next(); {
			s.Hash()
		}
	}))
}
