package corpus

import "strings"

// areas maps a directory below GOROOT/src, with everything under it, to the area of the library that its functions are
// examples of. The longest matching entry decides. A directory that none matches is left out, such as the packages that
// belong to no area in particular (time, reflect, testing, log, most of internal).
//
// The map was written from the names of the directories and must stay so: choosing areas by what their functions look like
// would be a look at the data.
var areas = []struct{ dir, area string }{
	{"cmd/compile", "compiler"},

	{"crypto", "crypto"},
	{"hash", "crypto"},

	{"archive", "encoding"},
	{"compress", "encoding"},
	{"encoding", "encoding"},
	{"internal/zstd", "encoding"},

	{"cmd/dist", "go command"},
	{"cmd/go", "go command"},

	{"image", "image"},

	{"cmd/asm", "linker"},
	{"cmd/internal/dwarf", "linker"},
	{"cmd/internal/goobj", "linker"},
	{"cmd/internal/obj", "linker"},
	{"cmd/internal/objabi", "linker"},
	{"cmd/internal/objfile", "linker"},
	{"cmd/link", "linker"},
	{"debug", "linker"},

	{"internal/strconv", "math"},
	{"math", "math"},
	{"strconv", "math"},

	{"internal/routebsd", "net"},
	{"mime", "net"},
	{"net", "net"},

	{"internal/filepathlite", "os"},
	{"internal/poll", "os"},
	{"internal/syscall", "os"},
	{"io", "os"},
	{"os", "os"},
	{"path", "os"},
	{"syscall", "os"},

	{"internal/runtime", "runtime"},
	{"internal/sync", "runtime"},
	{"runtime", "runtime"},
	{"sync", "runtime"},

	{"cmd/compile/internal/syntax", "syntax"},
	{"cmd/compile/internal/types2", "syntax"},
	{"cmd/gofmt", "syntax"},
	{"go", "syntax"},

	{"bufio", "text"},
	{"bytes", "text"},
	{"fmt", "text"},
	{"html", "text"},
	{"regexp", "text"},
	{"strings", "text"},
	{"text", "text"},
	{"unicode", "text"},
}

// classes are the areas, by label.
var classes = []string{
	"compiler", "crypto", "encoding", "go command", "image", "linker", "math", "net", "os", "runtime", "syntax", "text",
}

// areaOf returns the label of a directory, given relative to src and with slashes, or false if it is left out.
func areaOf(dir string) (label int, ok bool) {
	longest, area := 0, ""
	for _, a := range areas {
		under := strings.HasPrefix(dir, a.dir) && (len(dir) == len(a.dir) || dir[len(a.dir)] == '/')
		if under && len(a.dir) > longest {
			longest, area = len(a.dir), a.area
		}
	}
	for i, c := range classes {
		if c == area {
			return i, true
		}
	}
	return 0, false
}
