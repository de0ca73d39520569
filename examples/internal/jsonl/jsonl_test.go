package jsonl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"\n", "<>"},
		{"a", "<a>"},
		{"a\r\nb\n\nc", "<a><b><><c>"},
		{"12345678\n123456789\nx", "<12345678>!<x>"},
		{strings.Repeat("x", 1<<18), "!"},
		{strings.Repeat("x", 1<<18) + "\ny\r", "!<y\r>"},
	} {
		for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
			var got strings.Builder
			require.NoError(t, Lines(in, 8, func(line []byte, tooLong bool) error {
				if tooLong {
					got.WriteString("!")
					return nil
				}
				_, err := fmt.Fprintf(&got, "<%s>", line)
				return err
			}))
			require.Equal(t, c.want, got.String())
		}
	}
	broken := errors.New("broken")
	require.ErrorIs(t, Lines(iotest.ErrReader(broken), 8, func([]byte, bool) error { return nil }), broken)
	require.ErrorIs(t, Lines(strings.NewReader("a\nb"), 8, func([]byte, bool) error { return broken }), broken)
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	type answer struct {
		X     float64 `json:"x"`
		Error string  `json:"error,omitempty"`
	}
	var out bytes.Buffer
	require.NoError(t, Answer(strings.NewReader("4\n\n0\nx\n123456789012\n9"), &out, 10, func(line []byte) answer {
		x, err := strconv.ParseFloat(string(line), 64)
		if err != nil {
			return answer{Error: "no number"}
		}
		return answer{X: 1 / x}
	}, func(_ answer, err error) answer { return answer{X: -1, Error: err.Error()} }))
	require.Equal(t, `{"x":0.25}
{"x":-1,"error":"result: not a finite number"}
{"x":0,"error":"no number"}
{"x":-1,"error":"line: longer than 10 bytes"}
{"x":0.1111111111111111}
`, out.String())
}
