package sink

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/syntax"
)

// TestShellParses holds every text against a parser of shells: wherever the word stands, the command has the same parts as with an
// innocent word, and the word means the text.
func TestShellParses(t *testing.T) {
	t.Parallel()
	n := 0
	for _, s := range texts(t) {
		word, err := Shell(s)
		if strings.Contains(s, "\x00") {
			require.ErrorIs(t, err, ErrText)
			continue
		}
		require.NoError(t, err)
		if !utf8.ValidString(s) {
			continue // which this parser does not read; shells do
		}
		for _, lang := range []syntax.LangVariant{syntax.LangPOSIX, syntax.LangBash, syntax.LangMirBSDKorn} {
			file, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader("printf %s "+word+" end; true"), "")
			if err != nil {
				t.Fatalf("%q as %s: %v", s, word, err)
			}
			if len(file.Stmts) != 2 {
				t.Fatalf("%q as %s: %d statements", s, word, len(file.Stmts))
			}
			call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr)
			if !ok || len(call.Args) != 4 || literal(call.Args[2]) != strings.ReplaceAll(s, "\r\n", "\n") { // as this parser reads
				t.Fatalf("%q as %s", s, word)
			}
		}
		n++
	}
	t.Logf("%d words", n)
}

// literal is what a word means that has literals and single quotes alone, else something that no text is.
func literal(w *syntax.Word) string {
	var b strings.Builder
	for _, part := range w.Parts {
		switch p := part.(type) {
		case *syntax.SglQuoted:
			if p.Dollar {
				return "\x00"
			}
			b.WriteString(p.Value)
		case *syntax.Lit:
			b.WriteString(strings.ReplaceAll(p.Value, `\'`, "'"))
		default:
			return "\x00"
		}
	}
	return b.String()
}

// TestShellRuns lets the shells that are here print each text: what comes out is the text, byte for byte. Nothing else can happen
// unless the quoting is wrong, and then the parser's test fails too.
func TestShellRuns(t *testing.T) {
	t.Parallel()
	all := texts(t)
	for _, name := range []string{"sh", "dash", "bash", "zsh", "ksh", "mksh", "busybox"} {
		shell, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		args := []string{}
		if name == "busybox" {
			args = append(args, "sh")
		}
		var script strings.Builder
		var want bytes.Buffer
		for _, s := range all {
			word, err := Shell(s)
			if err != nil {
				continue
			}
			script.WriteString("printf '%s\\000' " + word + "\n")
			want.WriteString(s + "\x00")
		}
		cmd := exec.CommandContext(t.Context(), shell, args...)
		cmd.Env = []string{"LC_ALL=C", "PATH=/nowhere"}
		cmd.Stdin = strings.NewReader(script.String())
		got, err := cmd.CombinedOutput()
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(want.Bytes(), got), "%s prints something else", name)
		t.Logf("%s printed %d bytes", name, len(got))
	}
}

func TestShellFile(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"-rf": "'./-rf'", "a b": "'a b'", "x": "'x'", "--": "'./--'", "it's": `'it'\''s'`} {
		got, err := ShellFile(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, name := range []string{"", "a\x00b"} {
		_, err := ShellFile(name)
		require.ErrorIs(t, err, ErrText)
	}
}
