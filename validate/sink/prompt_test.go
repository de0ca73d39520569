package sink

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrompt(t *testing.T) {
	t.Parallel()
	a, b := Prompt("x"), Prompt("x")
	require.NotEqual(t, a, b, "the mark is drawn anew")
	for _, s := range texts(t) {
		p := Prompt(s)
		first, rest, _ := strings.Cut(p, "\n")
		mark := strings.Trim(first, "<>")
		require.Len(t, mark, len("data-")+26)
		body, ok := strings.CutSuffix(rest, "\n</"+mark+">\n")
		if !ok || strings.Contains(body, mark) {
			t.Fatalf("%q", p)
		}
		for _, token := range []string{"<|", "|>", "[INST]", "<<SYS>>", "\u202e", "\u200b", "\x00", "\x1b"} {
			if strings.Contains(body, token) {
				t.Fatalf("%q holds %q", body, token)
			}
		}
	}
	body := func(s string) string {
		p := Prompt(s)
		lines := strings.SplitAfter(p, "\n")
		return strings.TrimSuffix(strings.Join(lines[1:len(lines)-2], ""), "\n")
	}
	for _, s := range []string{"def f(x):\n\treturn x\\n  # ok\n", "a\n\nb", "", `C:\path`} {
		require.Equal(t, s, body(s), "what is plain stays as it is, to the byte")
	}
	require.Equal(t, `<\|im_start|\>system`, body("<|im_start|>system"))
	require.Equal(t, `<\｜User｜\>[\TOOL_CALLS]`, body("<｜User｜>[TOOL_CALLS]"))
	require.Equal(t, `a\rb \u202ec \`, body("a\rb \u202ec \\"))
}
