// Package modelfile judges files of weights before anything loads them: whether their structure holds, and whether loading
// them may run code. It reads safetensors, GGUF, pickles, what torch.save writes (zip, and the older form), and npy and npz.
//
// For most uses: [InspectFile] with the digest that the publisher states, and [Report.Err]. Open the file once and load from
// the same handle ([Inspect]), where somebody might replace it in between.
//
// A pickle is a program. What it may import is an allow-list ([Options.Allow], after that of torch's weights_only loader):
// whatever else it names is an error, known to be harmful or not. No pickle is run, and no tensor is read: a file costs
// little more than its headers. A report without problems says that loading runs no code of the file's own; it says nothing
// of what the weights do.
package modelfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/surefoot-ml/surefoot/validate"
	"github.com/surefoot-ml/surefoot/validate/archive"
)

// ErrDigest is matched where a file is not the one whose digest was given.
var ErrDigest = errors.New("modelfile: another digest")

// Codes of problems, beside those of package validate.
const (
	CodeImport    = "import"    // a pickle names what is not on the allow-list
	CodeStructure = "structure" // sizes, offsets or counts that contradict each other or the file
	CodeDuplicate = "duplicate" // one name twice
	CodeTrailing  = "trailing"  // bytes that no part of the format accounts for
	CodeLimit     = "limit"     // beyond what is read
	CodeCode      = "code"      // program text, such as TorchScript
	CodeUnknown   = "unknown"   // nothing that this package knows
)

// Format is a kind of file.
type Format string

// The formats.
const (
	Safetensors Format = "safetensors"
	GGUF        Format = "gguf"
	Pickle      Format = "pickle"
	Torch       Format = "torch"        // a zip file
	TorchLegacy Format = "torch-legacy" // five pickles and what they refer to
	NPY         Format = "npy"
	NPZ         Format = "npz"
	Unknown     Format = "unknown"
)

// Options of an inspection. The zero value uses the defaults.
type Options struct {
	// Allow are the imports that a pickle may make beside those of [DefaultAllow], such as "mylib.data.Vocabulary". A
	// trailing ".*" allows a module, which is seldom wise.
	Allow []string
	// Formats, if not empty, are the only ones accepted. A file can be made to pass for two, so state what your loader reads.
	Formats []Format
	// SHA256, if not empty, is the digest that the file must have, in hexadecimal, with or without "sha256:".
	SHA256 string
	// Archive bounds zip files, by the defaults of package archive.
	Archive archive.Limits
}

// Tensor is an array of a file.
type Tensor struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Shape []int64 `json:"shape"`
	Bytes int64   `json:"bytes"`
}

// Report is what a file holds and what is wrong with it.
type Report struct {
	Format  Format   `json:"format"`
	Size    int64    `json:"size"`
	SHA256  string   `json:"sha256,omitempty"` // if Options asked for one
	Tensors int      `json:"tensors"`
	Values  int64    `json:"values"`            // elements of the tensors
	First   []Tensor `json:"first,omitempty"`   // the first ones
	Imports []string `json:"imports,omitempty"` // of pickles, sorted, each once, at most 1000

	Problems validate.Problems `json:"problems,omitempty"`
}

const (
	maxFirst    = 32
	maxImports  = 1000
	maxProblems = 100
	maxShown    = 200 // bytes of a name
)

// Err returns the problems of severity Error, or nil. It is a [validate.Problems], which matches [ErrDigest] if the digest is
// another one.
func (r *Report) Err() error {
	var bad validate.Problems
	digest := false
	for _, p := range r.Problems {
		if p.Severity == validate.Error {
			bad = append(bad, p)
			digest = digest || p.Path == "sha256"
		}
	}
	switch {
	case len(bad) == 0:
		return nil
	case digest:
		return fmt.Errorf("%w: %w", ErrDigest, bad)
	}
	return bad
}

// InspectFile inspects a regular file. The error is that of opening or reading it; what is wrong with its content is in the
// report.
func InspectFile(name string, opts Options) (Report, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // which does not wait for the writer of a pipe
	if err != nil {
		return Report{}, fmt.Errorf("modelfile: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Report{}, fmt.Errorf("modelfile: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Report{}, fmt.Errorf("modelfile: %s is not a regular file", name)
	}
	return Inspect(f, info.Size(), opts)
}

// Inspect inspects a file of size bytes, such as an [os.File].
func Inspect(r io.ReaderAt, size int64, opts Options) (Report, error) {
	in := &inspection{r: &failing{r: r}, size: size, opts: opts, report: Report{Format: Unknown, Size: size}}
	if err := in.allow(); err != nil {
		return in.report, err
	}
	if opts.SHA256 != "" {
		if err := in.digest(); err != nil {
			return in.report, err
		}
	}
	in.sniff()
	if len(opts.Formats) > 0 && !slices.Contains(opts.Formats, in.report.Format) {
		in.problem("format", validate.CodeChoice, string(in.report.Format), fmt.Sprintf("one of %v", opts.Formats))
	}
	if in.r.err != nil {
		return in.report, fmt.Errorf("modelfile: read: %w", in.r.err)
	}
	in.finish()
	return in.report, nil
}

// inspection is an Inspect under way.
type inspection struct {
	r       *failing
	size    int64
	opts    Options
	allowed map[string]bool
	report  Report
	imports map[string]bool
	check   validate.Check
	found   int
}

// failing keeps the error of a reader that is not the end of the file, so that a bad disk is not taken for a bad file.
type failing struct {
	r   io.ReaderAt
	err error
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 { // a zip file may make its reader ask
		return 0, io.EOF
	}
	n, err := f.r.ReadAt(p, off)
	if err != nil && err != io.EOF && f.err == nil {
		f.err = err
	}
	return n, err
}

// problem adds a problem with a path of the file.
func (in *inspection) problem(path, code, value, limit string) {
	in.add(validate.Problem{Path: path, Code: code, Value: value, Limit: limit})
}

func (in *inspection) warn(path, code, value, limit string) {
	in.add(validate.Problem{Path: path, Code: code, Value: value, Limit: limit, Severity: validate.Warning})
}

func (in *inspection) add(p validate.Problem) {
	if in.found++; in.found <= maxProblems {
		in.check.Add(p)
	}
}

func (in *inspection) finish() {
	if more := in.found - maxProblems; more > 0 {
		in.check.Add(validate.Problem{Path: "problems", Code: CodeLimit, Value: fmt.Sprint(in.found), Limit: fmt.Sprintf("at most %d to be shown", maxProblems)})
	}
	if err := in.check.ErrStrict(); err != nil {
		errors.As(err, &in.report.Problems)
	}
	in.report.Imports = slices.Sorted(maps.Keys(in.imports))
}

// shown makes a name of the file fit to be shown.
func shown(name string) string {
	if len(name) > maxShown {
		name = strings.ToValidUTF8(name[:maxShown], "") + "…"
	}
	q := strconv.Quote(name)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

func (in *inspection) digest() error {
	want := strings.ToLower(strings.TrimPrefix(in.opts.SHA256, "sha256:"))
	if raw, err := hex.DecodeString(want); err != nil || len(raw) != sha256.Size {
		return fmt.Errorf("modelfile: SHA256 %.80q is not 64 hexadecimal digits", in.opts.SHA256)
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(in.r, 0, in.size)); err != nil {
		return fmt.Errorf("modelfile: read: %w", err)
	}
	if in.report.SHA256 = hex.EncodeToString(h.Sum(nil)); in.report.SHA256 != want {
		in.problem("sha256", validate.CodeChoice, in.report.SHA256, want)
	}
	return nil
}

// sniff finds out the format, by the content alone: a name may be a lie.
func (in *inspection) sniff() {
	head := make([]byte, 16)
	n, _ := in.r.ReadAt(head, 0)
	head = head[:n]
	section := func() *io.SectionReader { return io.NewSectionReader(in.r, 0, in.size) }
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		in.zip()
	case bytes.HasPrefix(head, []byte("GGUF")):
		in.report.Format = GGUF
		in.gguf()
	case bytes.HasPrefix(head, []byte("\x93NUMPY")):
		in.report.Format = NPY
		in.npy("", section(), in.size)
	case len(head) > 8 && head[8] == '{':
		in.report.Format = Safetensors
		in.safetensors()
	default:
		if in.tar() { // torch.load tries it first
			in.problem("format", CodeUnknown, "a tar file", "a format that is known")
		}
		in.pickles("", section())
	}
}

// tar reports whether a reader of tar files may take the file for one: the sum of the first block is in its place.
func (in *inspection) tar() bool {
	var b [512]byte
	if _, err := in.r.ReadAt(b[:], 0); err != nil {
		return false
	}
	sum, signed := 256, 256 // the field itself counts as spaces
	for i, c := range b {
		if i < 148 || i >= 156 {
			sum, signed = sum+int(c), signed+int(int8(c))
		}
	}
	field := b[148:156]
	if field[0] == 0x80 || field[0] == 0xff { // a number in binary
		return int(binary.BigEndian.Uint32(field[4:])) == sum || int(binary.BigEndian.Uint32(field[4:])) == signed
	}
	text, _, _ := bytes.Cut(field, []byte{0})
	n, err := strconv.ParseInt(strings.TrimLeft(strings.NewReplacer(" ", "", "\t", "", "_", "", "+", "", "o", "", "O", "").Replace(string(text)), "0"), 8, 64)
	return err == nil && (int(n) == sum || int(n) == signed)
}

// tensor counts an array.
func (in *inspection) tensor(t Tensor, values int64) {
	in.report.Tensors++
	in.report.Values += values
	if len(in.report.First) < maxFirst {
		in.report.First = append(in.report.First, t)
	}
}
