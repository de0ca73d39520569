package surefoot_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/surefoot-ml/surefoot"

// core are the packages that stand side by side on internal and never import each other. A package below one of them,
// such as privacy/noise, may import that one.
var core = []string{"breaker", "retry", "ratelimit", "privacy", "carbon", "resources", "validate", "audit"}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Name       string
	Standard   bool
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
}

func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Standard,Imports,Deps,Module"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go list: %s", &stderr)
	var pkgs []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else {
			require.NoError(t, err)
		}
		pkgs = append(pkgs, p)
	}
}

// coreOf names the core package that a path of this module belongs to, or returns "".
func coreOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, module+"/"), "/")
	if path != module && slices.Contains(core, first) {
		return first
	}
	return ""
}

func isInternal(path string) bool { return strings.HasPrefix(path, module+"/internal/") }

// forbidden says why a package must not import another one of this module, or returns "".
func forbidden(from, to string) string {
	switch {
	case isInternal(from) && !isInternal(to):
		return "internal knows nothing of the domain"
	case from == module:
		return "the root composes through interfaces of its own"
	case isInternal(to):
		return ""
	case to == module:
		return "a package satisfies the root's interfaces without importing it"
	case coreOf(from) != coreOf(to):
		return "core packages stand side by side"
	case strings.HasPrefix(from, to+"/internal/"):
		return "the mechanism of a package knows nothing of it"
	case strings.HasPrefix(to, from+"/internal/"):
		return "" // its own mechanism
	case strings.HasPrefix(to, from+"/"):
		return "a package does not import what is built on it"
	}
	return ""
}

func TestLayers(t *testing.T) {
	t.Parallel()
	pkgs := goList(t, module+"/...")
	seen := map[string]bool{}
	for _, p := range pkgs {
		if p.Module == nil || p.Module.Path != module {
			continue // a nested module may import everything
		}
		seen[coreOf(p.ImportPath)] = true
		require.True(t, p.ImportPath == module || isInternal(p.ImportPath) || coreOf(p.ImportPath) != "",
			"%s stands in no layer", p.ImportPath)
		require.NotContains(t, []string{"common", "util", "utils", "types", "helpers", "misc"}, p.Name,
			"%s: a package is named for what it is about", p.ImportPath)
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module+"/") || imp == module {
				require.Empty(t, forbidden(p.ImportPath, imp), "%s imports %s", p.ImportPath, imp)
			}
		}
	}
	for _, name := range core {
		require.True(t, seen[name], "no package %s", name)
	}
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		ok       bool
	}{
		{"/breaker", "/retry", false},
		{"/breaker", "", false},
		{"", "/breaker", false},
		{"/breaker", "/internal/window", true},
		{"", "/internal/window", false},
		{"/internal/window", "/breaker", false},
		{"/internal/window", "/internal/ring", true},
		{"/privacy/noise", "/privacy", true},
		{"/privacy", "/privacy/noise", false},
		{"/privacy", "/privacy/internal/lattice", true},
		{"/privacy/internal/loss", "/privacy/internal/lattice", true},
		{"/privacy/internal/lattice", "/privacy", false},
		{"/privacy/noise", "/audit", false},
	} {
		require.Equal(t, tt.ok, forbidden(module+tt.from, module+tt.to) == "", "%s imports %s", tt.from, tt.to)
	}
}

// dependencies reads the table of CONTRIBUTING.md: the modules of other people that each package may be built from.
func dependencies(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("CONTRIBUTING.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "## Dependencies")
	require.True(t, found)
	table := map[string][]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[1], "`") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		table[name] = []string{}
		for i, word := range strings.Split(cells[2], "`") {
			if i%2 == 1 {
				table[name] = append(table[name], word)
			}
		}
	}
	return table
}

func TestDependencyTable(t *testing.T) {
	t.Parallel()
	table := dependencies(t)
	want := map[string]bool{}
	for _, p := range goList(t, module+"/...") {
		if p.Module == nil || p.Module.Path != module || isInternal(p.ImportPath) {
			continue
		}
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if p.ImportPath == module {
			name = "surefoot"
		}
		want[name] = true
		allowed, listed := table[name]
		require.True(t, listed, "CONTRIBUTING.md has no row for %s", name)
		used := map[string]bool{}
		for _, dep := range goList(t, "-deps", p.ImportPath) {
			if dep.Module == nil || dep.Module.Path == module {
				continue
			}
			used[dep.Module.Path] = true
			require.Contains(t, allowed, dep.Module.Path, "%s depends on %s", name, dep.ImportPath)
		}
		for _, m := range allowed {
			if !used[m] {
				t.Logf("%s does not need %s on this platform", name, m)
			}
		}
	}
	for name := range table {
		require.True(t, want[name], "CONTRIBUTING.md has a row for %s, which does not exist", name)
	}
	require.Empty(t, table["surefoot"], "the root imports the standard library alone")
}
