package corpus

import (
	"slices"
	"testing"
)

func TestAreaOf(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		"net":                                    "net",
		"net/http":                               "net",
		"net/http/internal/ascii":                "net",
		"network":                                "",
		"crypto/internal/fips140/aes":            "crypto",
		"cmd/compile/internal/ssa":               "compiler",
		"cmd/compile/internal/types2":            "syntax", // the longer entry wins
		"cmd/compile/internal/types":             "compiler",
		"cmd/internal/obj/x86":                   "linker",
		"cmd/internal/script":                    "",
		"cmd":                                    "",
		"go/types":                               "syntax",
		"internal/runtime/maps":                  "runtime",
		"internal/abi":                           "",
		"testing":                                "",
		".":                                      "",
		"":                                       "",
		"math/big":                               "math",
		"unicode/utf8":                           "text",
		"cmd/go/internal/modload":                "go command",
		"image/internal/imageutil":               "image",
		"encoding/json/internal/jsonwire/deeper": "encoding",
		"internal/syscall/windows/registry":      "os",
	} {
		got := ""
		if label, ok := areaOf(dir); ok {
			got = classes[label]
		}
		if got != want {
			t.Errorf("%q is of area %q, want %q", dir, got, want)
		}
	}
}

func TestAreasAndClassesAgree(t *testing.T) {
	t.Parallel()
	if !slices.IsSorted(classes) {
		t.Error("classes are not sorted")
	}
	used := make(map[string]bool)
	seen := make(map[string]bool)
	for _, a := range areas {
		if seen[a.dir] {
			t.Errorf("%q is listed twice", a.dir)
		}
		seen[a.dir], used[a.area] = true, true
		if label, ok := areaOf(a.dir); !ok || classes[label] != a.area {
			t.Errorf("%q does not lead to %q", a.dir, a.area)
		}
	}
	for _, c := range classes {
		if !used[c] {
			t.Errorf("no directory is of area %q", c)
		}
	}
}
