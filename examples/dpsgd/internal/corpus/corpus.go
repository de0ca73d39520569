// Package corpus makes a classification task of the Go source tree that comes with every Go installation: tell from the
// text of a function which area of the tree it is from (net, crypto, runtime, ...). Nothing is shipped or downloaded.
//
// One example is one function declaration with a body, as written, from the func keyword to the closing brace. The package
// clause, the imports and the path of the file, which give the answer away, are not part of it; names that the body itself
// uses, such as http.Error, are. A directory belongs to an area by a fixed map or is left out. Also left out are tests,
// vendored code, files marked as generated, and what the go command ignores: directories called testdata, and files and
// directories whose names start with a dot or an underscore.
//
// Functions of one area with the same text, such as the variants of a system call for several systems, are one example.
// That makes the unit of privacy a text in an area: removing it removes one example, however many copies there were. Two
// texts that differ in one character are two units.
package corpus

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
)

// Buckets is the number of hash buckets of the recommended run.
const Buckets = 8192

// maxBuckets keeps a feature number within 32 bits and a matrix of weights within reason.
const maxBuckets = 1 << 20

// ErrNoSource is returned when a directory has no Go source tree, or none of its areas.
var ErrNoSource = errors.New("corpus: no Go source tree")

// Summary counts what a Load went through.
type Summary struct {
	Files      int // used
	Generated  int // left out because they are marked as generated
	Unreadable int // files and directories left out because they could not be read or parsed
	Functions  int // declarations with a body in the files used, copies included
	Examples   int // distinct functions: the size of the data set
}

// Load reads the tree under goroot (the answer of `go env GOROOT`) with features hashed into the given number of buckets
// and one constant feature after them. Its result depends on the tree alone. What is missing or does not parse makes for
// fewer examples; an empty result is ErrNoSource.
func Load(ctx context.Context, goroot string, buckets int) (*dataset.Dataset, Summary, error) {
	src := filepath.Join(goroot, "src")
	if info, err := os.Stat(src); err != nil {
		return nil, Summary{}, fmt.Errorf("%w in %q: %w", ErrNoSource, goroot, err)
	} else if !info.IsDir() {
		return nil, Summary{}, fmt.Errorf("%w in %q: src is not a directory", ErrNoSource, goroot)
	}
	d, sum, err := load(ctx, os.DirFS(src), buckets)
	if errors.Is(err, ErrNoSource) {
		err = fmt.Errorf("%w in %q", err, src)
	}
	return d, sum, err
}

// load is Load for the tree of src itself.
func load(ctx context.Context, src fs.FS, buckets int) (*dataset.Dataset, Summary, error) {
	var sum Summary
	if buckets < 1 || buckets > maxBuckets {
		return nil, sum, fmt.Errorf("corpus: %d buckets, want 1 to %d", buckets, maxBuckets)
	}
	files, err := list(ctx, src, &sum)
	if err == nil {
		err = parseAll(ctx, src, files, buckets)
	}
	if err != nil {
		return nil, sum, err
	}

	d := &dataset.Dataset{Name: "Go source tree", Unit: "function", Classes: slices.Clone(classes), Dim: buckets + 1}
	type distinct struct {
		text  [sha256.Size]byte
		label int
	}
	seen := make(map[distinct]bool)
	var records []dataset.Record
	for _, f := range files {
		switch {
		case f.err != nil:
			sum.Unreadable++
		case f.generated:
			sum.Generated++
		default:
			sum.Files++
		}
		for _, fn := range f.functions {
			sum.Functions++
			if k := (distinct{fn.text, f.label}); !seen[k] {
				seen[k] = true
				x := dataset.Example{Index: fn.index, Value: fn.value, Label: f.label}
				records = append(records, dataset.Record{Digest: fn.text, Example: x})
			}
		}
	}
	sum.Examples = len(records)
	d.Split(records)
	if err := d.Check(); errors.Is(err, dataset.ErrEmpty) {
		return nil, sum, fmt.Errorf("%w with enough functions (%d)", ErrNoSource, sum.Examples)
	} else if err != nil {
		return nil, sum, fmt.Errorf("corpus: %w", err)
	}
	return d, sum, nil
}

// file is a source file of an area, and what came of it.
type file struct {
	name      string
	label     int
	generated bool
	err       error
	functions []function
}

// function is what is kept of a declaration.
type function struct {
	text  [sha256.Size]byte // digest
	index []int32
	value []float32
}

// list walks the tree for the files of all areas, in lexical order.
func list(ctx context.Context, src fs.FS, sum *Summary) ([]file, error) {
	var files []file
	err := fs.WalkDir(src, ".", func(name string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return fmt.Errorf("corpus: stopped: %w", context.Cause(ctx))
		}
		if err != nil {
			sum.Unreadable++
			return nil
		}
		base := entry.Name()
		hidden := name != "." && (base[0] == '.' || base[0] == '_')
		if entry.IsDir() {
			if hidden || base == "testdata" || base == "vendor" {
				return fs.SkipDir
			}
			return nil
		}
		if hidden || !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		if label, ok := areaOf(path.Dir(name)); ok {
			files = append(files, file{name: name, label: label})
		}
		return nil
	})
	return files, err
}

// parseAll fills in the files, several at a time, and waits for all its goroutines.
func parseAll(ctx context.Context, src fs.FS, files []file, buckets int) error {
	var (
		next atomic.Int64
		wg   sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			v := vectorizer{buckets: uint64(buckets)}
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				files[i].parse(src, &v)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("corpus: stopped: %w", context.Cause(ctx))
	}
	return nil
}

// parse reads the file and vectorizes its functions.
func (f *file) parse(src fs.FS, v *vectorizer) {
	text, err := fs.ReadFile(src, f.name)
	if err != nil {
		f.err = err
		return
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, f.name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		f.err = err
		return
	}
	if ast.IsGenerated(tree) {
		f.generated = true
		return
	}
	at := set.File(tree.FileStart)
	for _, decl := range tree.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			body := text[at.Offset(fn.Type.Func):at.Offset(fn.End())]
			index, value := v.vector(body)
			f.functions = append(f.functions, function{sha256.Sum256(body), index, value})
		}
	}
}
