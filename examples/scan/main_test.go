package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func call(t *testing.T, status int, args ...string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	require.Equal(t, status, run(args, nil, &o, &e), "%v: %s", args, e.String())
	return o.String(), e.String()
}

func TestRun(t *testing.T) {
	t.Parallel()
	file := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	data, model := file("a.jsonl", `{"x":1}`+"\n"), file("w.pkl", "\x80\x02N.")
	out, _ := call(t, good, "-data", data)
	require.Contains(t, out, "1 rows")
	out, _ = call(t, good, "-model", model)
	require.Contains(t, out, "format   pickle")
	evil := file("weights.safetensors", "\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.")
	out, errs := call(t, bad, "-model", evil)
	require.Contains(t, out, "imports  posix.system")
	require.Contains(t, out, "error    ")
	require.Contains(t, errs, "do not load it")
	out, _ = call(t, bad, "-model", evil, "-json")
	require.Contains(t, out, `"format": "pickle"`)
	call(t, bad, "-data", file("b.jsonl", "{\n"))
	for _, args := range [][]string{
		{}, {"-h"}, {"-x"}, {"-data", data, "-model", model}, {"-data", data, "more"}, {"-data", data + "x"}, {"-model", filepath.Join(data, "x")},
		{"-model", model, "-sha256", "x"}, {"-data", file("a.txt", "")},
	} {
		call(t, unknown, args...)
	}
	call(t, bad, "-model", model, "-sha256", "0000000000000000000000000000000000000000000000000000000000000000")
}
