package redact

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// corpora returns the lines of text that is known to be harmless, by file.
func corpora(tb testing.TB) map[string][]string {
	tb.Helper()
	files, err := filepath.Glob("../../../shared/data/validate/benign_*.jsonl")
	require.NoError(tb, err)
	if len(files) == 0 {
		tb.Skip("no ../shared/data/validate")
	}
	lines := map[string][]string{}
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(tb, err)
		defer f.Close()
		for sc := bufio.NewScanner(f); sc.Scan(); {
			var line struct{ S string }
			require.NoError(tb, json.Unmarshal(sc.Bytes(), &line))
			key := strings.TrimSuffix(filepath.Base(name), ".jsonl")
			lines[key] = append(lines[key], line.S)
		}
	}
	return lines
}

// spans returns all spans of a text.
func (r *Redactor) spans(s string) (list []span) {
	for from := 0; ; {
		sp, ok := r.find(s, from)
		if !ok {
			return list
		}
		list = append(list, sp)
		from = sp.end
	}
}

func TestFalseAlarms(t *testing.T) {
	t.Parallel()
	r, err := New(Config{})
	require.NoError(t, err)
	all, flagged := 0, 0
	byKind := map[string]int{}
	files := corpora(t)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n := 0
		for _, line := range files[name] {
			spans := r.spans(line)
			if len(spans) > 0 {
				n++
			}
			for _, sp := range spans {
				kind := string(sp.kind)
				if !slices.Contains(Kinds(), sp.kind) {
					kind = "a key's value"
				}
				byKind[kind]++
				require.NotEqual(t, "benign_text", name, "prose: %q", line)
				t.Logf("%s %s: %.100q in %.160q", name, sp.kind, line[sp.start:sp.end], line)
			}
		}
		t.Logf("%-24s %5d lines, %3d flagged (%.2f %%)", name, len(files[name]), n, 100*float64(n)/float64(len(files[name])))
		all += len(files[name])
		flagged += n
	}
	t.Logf("all: %d lines, %d flagged (%.2f %%): %v", all, flagged, 100*float64(flagged)/float64(all), byKind)
	require.LessOrEqual(t, 1000*flagged, 2*all, "at most 0.2 %%")
}
