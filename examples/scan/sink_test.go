package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestSink(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"sql": {"1' OR '1'='1\nplain\n", `{"line":1,"flag":true,"class":"sqli","safe":"'1'' OR ''1''=''1'"}
{"line":2,"flag":false,"class":"","safe":"'plain'"}
`},
		"html": {"<script>alert(1)</script>\r\n\na < b", `{"line":1,"flag":true,"class":"xss","safe":"&lt;script&gt;alert(1)&lt;/script&gt;"}
{"line":2,"flag":false,"class":"","safe":""}
{"line":3,"flag":false,"class":"","safe":"a &lt; b"}
`},
		"shell": {"x; cat /etc/passwd\nit's\na\x00b\n\xff\n", `{"line":1,"flag":true,"class":"command","safe":"'x; cat /etc/passwd'"}
{"line":2,"flag":false,"class":"","safe":"'it'\\''s'"}
{"line":3,"flag":false,"class":"","safe":""}
{"line":4,"flag":false,"class":"","safe":""}
`},
		"path": {"../../etc/passwd\nmodels/./a.bin\n/tmp\n", `{"line":1,"flag":true,"class":"traversal","safe":""}
{"line":2,"flag":false,"class":"","safe":"models/a.bin"}
{"line":3,"flag":false,"class":"","safe":""}
`},
		"text": {"ok\n\x1b[2Jgone\n\xff", `{"line":1,"flag":false,"class":"","safe":"ok"}
{"line":2,"flag":true,"class":"control","safe":"\\x1b[2Jgone"}
{"line":3,"flag":true,"class":"control","safe":"\\xff"}
`},
	} {
		var out, errs bytes.Buffer
		require.Equal(t, good, run([]string{"-sink", name, "-json"}, strings.NewReader(c.in), &out, &errs), errs.String())
		require.Equal(t, c.want, out.String(), name)
	}
}

func TestSinkFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	require.NoError(t, os.WriteFile(a, []byte("fine\n<img src=x onerror=alert(1)>\n"), 0o600))
	require.NoError(t, os.WriteFile(b, []byte(strings.Repeat("x", maxText+1)+"\nfine"), 0o600))
	var out, errs bytes.Buffer
	require.Equal(t, good, run([]string{"-sink", "html", a, b}, nil, &out, &errs), errs.String())
	require.Equal(t, `     2  xss        <img src=x onerror=alert(1)>
     3  too_long   
4 lines, 2 flagged
       1 too_long
       1 xss
`, out.String())
	for _, args := range [][]string{{"-sink", "mail"}, {"-sink", "html", filepath.Join(dir, "c")}, {"-sink", "html", "-data", a}, {"-sink", "sql", "-model", a}} {
		require.Equal(t, unknown, run(args, strings.NewReader(""), &out, &errs), args)
	}
	require.Equal(t, unknown, run([]string{"-sink", "text"}, iotest.ErrReader(errors.New("broken")), &out, &errs))
}

// FuzzSink: whatever comes in, each line has one verdict, which is JSON.
func FuzzSink(f *testing.F) {
	f.Add("a\nb\r\n\x00\xff\n' OR 1=1")
	f.Fuzz(func(t *testing.T, in string) {
		for name := range places() {
			var out, errs bytes.Buffer
			require.Equal(t, good, run([]string{"-sink", name, "-json"}, strings.NewReader(in), &out, &errs), errs.String())
			lines := strings.Split(strings.TrimSuffix(in, "\n"), "\n")
			if in == "" {
				lines = nil
			}
			dec := json.NewDecoder(&out)
			dec.DisallowUnknownFields()
			for i := range lines {
				var v verdict
				require.NoError(t, dec.Decode(&v))
				require.Equal(t, i+1, v.Line)
				require.Equal(t, v.Class != "", v.Flag)
			}
			require.False(t, dec.More())
		}
	})
}
