package threat

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

// corpora returns the lines of the shared corpora by the name of their file.
func corpora(t testing.TB) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "validate", "*.jsonl"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("the shared corpora are not here")
	}
	lines := map[string][]string{}
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<20)
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		for sc.Scan() {
			var line struct{ S string }
			require.NoError(t, json.Unmarshal(sc.Bytes(), &line))
			lines[name] = append(lines[name], line.S)
		}
		require.NoError(t, sc.Err())
		require.NoError(t, f.Close())
	}
	return lines
}

// TestMarks holds the flags to what they promise on the shared corpora; the module bench prints the whole table, beside others.
func TestMarks(t *testing.T) {
	t.Parallel()
	lines := corpora(t)
	flagged := func(judge func(string) Class, lists ...string) float64 {
		n, hits := 0, 0
		for name, all := range lines {
			if !slices.ContainsFunc(lists, func(l string) bool { return strings.HasPrefix(name, l) }) {
				continue
			}
			for _, s := range all {
				n++
				if judge(s) != None {
					hits++
				}
			}
		}
		require.Positive(t, n)
		return 100 * float64(hits) / float64(n)
	}
	for _, c := range []struct {
		name          string
		judge         func(string) Class
		list          string
		least, benign float64
	}{
		{"SQL", SQL, "attack_sqli", 99.6, .2},
		{"HTML", HTML, "attack_xss", 99.1, .05},
		{"Shell", Shell, "attack_cmd", 86, .1},
		{"Path", Path, "attack_path", 94, .1},
		{"Text", Text, "attack_template", 96, .15},
	} {
		require.GreaterOrEqual(t, flagged(c.judge, c.list), c.least, c.name)
		require.LessOrEqual(t, flagged(c.judge, "benign"), c.benign, c.name)
	}
}
