package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/audit"
)

// written is a log of 500 entries, its key and its head.
func written(t *testing.T) (dir, key, head string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "log")
	l, err := audit.Open(dir, audit.Options{Origin: "example.com/log"})
	require.NoError(t, err)
	for i := range 499 {
		ev := audit.Event{Run: []string{"a", "b"}[i%2], Data: audit.Refusal{Policy: "budget", Batch: uint64(i), Error: "\x1b[2J"}}
		if i%5 == 0 {
			ev.Data = audit.Charge{Count: 1, Epsilon: audit.Float(i)}
		}
		if i == 498 {
			_, err = l.AppendAt(context.Background(), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), ev)
			require.NoError(t, err)
			continue
		}
		require.NoError(t, l.Post(context.Background(), ev))
	}
	key, head = l.Key(), l.Head().String()
	require.NoError(t, l.Close())
	return dir, key, head
}

// call runs a command and requires its exit status.
func call(t *testing.T, want int, args ...string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	require.Equal(t, want, run(args, &o, &e), "%v: %s", args, &e)
	if want != passed {
		require.NotEmpty(t, e.String())
	}
	return o.String(), e.String()
}

func TestVerify(t *testing.T) {
	t.Parallel()
	dir, key, head := written(t)
	out, _ := call(t, passed, "verify", dir)
	require.Contains(t, out, "500 entries")
	require.Contains(t, out, "but without -key")
	require.Contains(t, out, "but without -head")
	out, _ = call(t, passed, "verify", "-key", key, "-head", head, dir)
	require.Contains(t, out, "head    "+head)
	require.NotContains(t, out, "but")
	out, _ = call(t, passed, "show", dir)
	require.Equal(t, "-key "+key+"\n-head "+head+"\n", out)

	_, other, _ := written(t)
	_, errs := call(t, failed, "verify", "-key", other, dir)
	require.Contains(t, errs, "wrong key")
	_, errs = call(t, failed, "verify", "-head", "501:"+strings.SplitN(head, ":", 2)[1], dir)
	require.Contains(t, errs, "it was cut")
	_, errs = call(t, failed, "verify", "-head", "400:"+strings.SplitN(head, ":", 2)[1], dir)
	require.Contains(t, errs, "was rewritten")
	call(t, failed, "verify", "-witness", key, dir) // a log is no witness of its own

	for _, args := range [][]string{
		{}, {"unheard-of"}, {"verify"}, {"verify", dir, dir}, {"verify", "-x", dir}, {"verify", "-head", "x", dir},
		{"verify", filepath.Join(dir, "none")}, {"list", "-from", "now", dir}, {"export", "-format", "xml", dir},
		{"check", dir}, {"check", "-key", key, filepath.Join(dir, "none")}, {"prove", "-seq", "1", filepath.Join(dir, "none")},
	} {
		call(t, unknown, args...)
	}
	call(t, unknown, "verify", "-h")
	call(t, unknown, "verify", "-key", "garbage", dir)
	call(t, unknown, "verify", "-quorum", "3", dir)
	require.Equal(t, unknown, run([]string{"list", dir}, fullDisk{}, io.Discard), "nothing was shown")
	require.Equal(t, unknown, run([]string{"verify", dir}, fullDisk{}, io.Discard))

	path := filepath.Join(dir, "tile", "entries", "000")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	text[1000] ^= 1
	require.NoError(t, os.WriteFile(path, text, 0o600))
	for _, command := range []string{"verify", "list", "export", "show"} {
		out, errs := call(t, failed, command, dir)
		require.Empty(t, out, "nothing is shown of a log that does not pass")
		require.Contains(t, errs, path+" is damaged at entry")
	}
}

// TestHostileFiles: what is no file at all is damage, and keeps nobody waiting.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"checkpoint", "tile/entries/000", "tile/0/000"} {
		dir, _, _ := written(t)
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Mkdir(path, 0o700))
		_, errs := call(t, failed, "verify", dir)
		require.Contains(t, errs, "regular file", name)
		require.NoError(t, os.Remove(path))
		f, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(3<<30))
		require.NoError(t, f.Close())
		call(t, failed, "verify", dir)
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestListAndExport(t *testing.T) {
	t.Parallel()
	dir, key, head := written(t)
	lines := func(args ...string) int {
		out, _ := call(t, passed, append(append(args, "-key", key, "-head", head), dir)...)
		require.NotContains(t, out, "\x1b")
		return strings.Count(out, "\n")
	}
	require.Equal(t, 500, lines("list"))
	require.Equal(t, 100, lines("list", "-kind", "charge"))
	require.Equal(t, 499, lines("list", "-kind", "charge,refusal"))
	require.Equal(t, 50, lines("list", "-kind", "charge", "-run", "a"))
	require.Equal(t, 1, lines("list", "-from", "2029-01-01T00:00:00Z"))
	require.Equal(t, 499, lines("list", "-to", "2029-01-01T00:00:00Z"))
	require.Equal(t, 3, lines("list", "-first", "7", "-last", "9"))
	require.Equal(t, 0, lines("list", "-correlation", "x"))

	out, _ := call(t, passed, "export", "-kind", "charge", dir)
	for line := range strings.Lines(out) {
		require.True(t, json.Valid([]byte(line)))
	}
	out, _ = call(t, passed, "export", "-format", "csv", "-run", "b", dir)
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 250)
}

func TestProve(t *testing.T) {
	t.Parallel()
	dir, key, head := written(t)
	out, _ := call(t, passed, "prove", "-seq", "300", dir)
	path := filepath.Join(t.TempDir(), "entry.tlog-proof")
	require.NoError(t, os.WriteFile(path, []byte(out), 0o600))
	checked, _ := call(t, passed, "check", "-key", key, path)
	require.Contains(t, checked, "is entry 300 of the log with head "+head)
	require.NotContains(t, checked, "\x1b")
	_, other, _ := written(t)
	call(t, failed, "check", "-key", other, path)
	for _, bad := range []string{"", strings.Replace(out, "index 299", "index 298", 1), out[:len(out)-3]} {
		require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
		call(t, failed, "check", "-key", key, path)
	}
	call(t, unknown, "prove", "-seq", "501", dir)
	call(t, unknown, "prove", dir)
	call(t, unknown, "check", "-key", "garbage", path)
}
