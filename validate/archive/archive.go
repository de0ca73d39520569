// Package archive unpacks zip, tar and gzip files of unknown origin: within limits that are counted while reading, since
// what a header declares may be a lie, and only to places below a directory.
//
// For most uses: open the destination with [os.OpenRoot] and call [ExtractZip] or [ExtractTar] with the zero [Limits].
// [CheckZip] judges a zip file without unpacking it.
//
// Refused are names that lead out of the directory or mean something else on another system, two names that are one where
// case does not count, links, devices, and entries of a zip file that share bytes. Archives within archives are stored as
// they are, never opened, and listed in [Summary.Nested].
package archive

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What is refused. Errors name the entry, the value and the limit.
var (
	// ErrLimit is matched where an archive exceeds [Limits].
	ErrLimit = errors.New("archive: beyond a limit")
	// ErrName is matched where an entry has a name that is not a plain relative path.
	ErrName = errors.New("archive: unsafe name")
	// ErrDuplicate is matched where two entries have one name, as a system sees it that ignores case.
	ErrDuplicate = errors.New("archive: duplicate name")
	// ErrKind is matched by links, devices and other entries that are neither a file nor a directory.
	ErrKind = errors.New("archive: neither a file nor a directory")
	// ErrFormat is matched by what is not an archive of the expected kind, or a damaged one.
	ErrFormat = errors.New("archive: not a valid archive")
)

// Limits bounds an archive. A zero field means its default.
type Limits struct {
	Entries int     // files and directories: 10,000
	File    int64   // unpacked bytes of a file: 16 GiB
	Total   int64   // unpacked bytes of all: 64 GiB
	Ratio   float64 // unpacked bytes per packed byte, beyond the first MiB: 200. Deflate reaches 1032.
	Depth   int     // names in a path: 32
	Name    int     // bytes of a path: 1024
	// AnyName takes names as they are, and their case into account: for those who write no files.
	AnyName bool
}

// freely is how much may be unpacked at any ratio, in bytes.
const freely = 1 << 20

func (l Limits) normal() (Limits, error) {
	if l.Entries < 0 || l.File < 0 || l.Total < 0 || !(l.Ratio >= 0) || l.Depth < 0 || l.Name < 0 {
		return l, fmt.Errorf("archive: limits %+v, want none negative", l)
	}
	def := Limits{10_000, 16 << 30, 64 << 30, 200, 32, 1024, false}
	if l.Entries == 0 {
		l.Entries = def.Entries
	}
	if l.File == 0 {
		l.File = def.File
	}
	if l.Total == 0 {
		l.Total = def.Total
	}
	if l.Ratio == 0 {
		l.Ratio = def.Ratio
	}
	if l.Depth == 0 {
		l.Depth = def.Depth
	}
	if l.Name == 0 {
		l.Name = def.Name
	}
	return l, nil
}

// Summary is what an archive holds. Beside an error it is what was seen, and written, until then.
type Summary struct {
	Files, Directories int
	Bytes              int64    // unpacked; of CheckZip what the headers declare
	Nested             []string // files that look like archives by their first bytes; CheckZip does not look
}

// CheckName refuses what is not a plain relative path with slashes: "..", ".", empty names, absolute paths, backslashes,
// colons (drives and streams), control and direction characters, bytes that are not UTF-8, names that end in a dot or a
// space, and the device names of Windows. A slash at the end marks a directory. The error matches [ErrName].
func CheckName(name string) error {
	bad := func(why string) error { return fmt.Errorf("%w: %s: %.200q", ErrName, why, name) }
	if !utf8.ValidString(name) {
		return bad("not valid UTF-8")
	}
	for _, r := range name {
		if r == '\\' || r == ':' || !unicode.IsPrint(r) {
			return bad(fmt.Sprintf("has %q", r))
		}
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if part == "" || part == "." || part == ".." {
			return bad("not a plain relative path")
		}
		if strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") {
			return bad("ends in a dot or a space")
		}
		if device(part) {
			return bad("a device on Windows")
		}
	}
	return nil
}

// device says whether Windows takes a name for a device, whatever its extension.
func device(part string) bool {
	stem, _, _ := strings.Cut(part, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	if rest, ok := strings.CutPrefix(stem, "COM"); ok || strings.HasPrefix(stem, "LPT") {
		if !ok {
			rest = stem[3:]
		}
		return strings.Contains("0123456789¹²³", rest) && utf8.RuneCountInString(rest) == 1
	}
	return false
}

// book keeps count of the entries of an archive.
type book struct {
	Summary
	limits Limits
	names  map[string]bool // folded; true of a file
}

func newBook(l Limits) (*book, error) {
	l, err := l.normal()
	return &book{limits: l, names: map[string]bool{}}, err
}

// enter takes an entry and the directories above it.
func (b *book) enter(name string, dir bool) error {
	if len(name) > b.limits.Name {
		return fmt.Errorf("%w: a name of %d bytes, at most %d: %.64q", ErrLimit, len(name), b.limits.Name, name)
	}
	if b.limits.AnyName {
		if _, twice := b.names[name]; twice {
			return fmt.Errorf("%w: %.200q", ErrDuplicate, name)
		}
		b.names[name] = !dir
		return nil
	}
	if err := CheckName(name); err != nil {
		return err
	}
	name = strings.TrimSuffix(name, "/")
	if n := strings.Count(name, "/") + 1; n > b.limits.Depth {
		return fmt.Errorf("%w: %d names in a path, at most %d: %.200q", ErrLimit, n, b.limits.Depth, name)
	}
	for i, r := range name + "/" {
		if r != '/' {
			continue
		}
		isFile := !dir && i == len(name)
		key := fold(name[:i])
		if file, known := b.names[key]; known && (file || isFile) {
			return fmt.Errorf("%w: %.200q", ErrDuplicate, name)
		} else if known {
			continue
		}
		if len(b.names) == b.limits.Entries {
			return fmt.Errorf("%w: more than %d entries", ErrLimit, b.limits.Entries)
		}
		b.names[key] = isFile
		if isFile {
			b.Files++
		} else {
			b.Directories++
		}
	}
	return nil
}

// fold maps names that differ in case alone to one.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}

// store writes a file below root. What is left of one that fails is removed.
func (b *book) store(root *os.Root, name string, r io.Reader) (err error) {
	if err := makeDirs(root, path.Dir(name)); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("archive: %w", cerr)
		}
		if err != nil {
			_ = root.Remove(name) // the first error tells more
		}
	}()
	in := bufio.NewReaderSize(r, 64<<10)
	if head, _ := in.Peek(512); nested(head) {
		b.Nested = append(b.Nested, name)
	}
	for had := int64(0); ; {
		_, err := in.Peek(1) // which fills the buffer, if it is empty
		if chunk, _ := in.Peek(in.Buffered()); len(chunk) > 0 {
			had += int64(len(chunk))
			b.Bytes += int64(len(chunk))
			switch {
			case had > b.limits.File:
				return fmt.Errorf("%w: %.200q has more than %d bytes", ErrLimit, name, b.limits.File)
			case b.Bytes > b.limits.Total:
				return fmt.Errorf("%w: more than %d bytes in all, with %.200q", ErrLimit, b.limits.Total, name)
			}
			if _, err := f.Write(chunk); err != nil {
				return fmt.Errorf("archive: %w", err)
			}
			_, _ = in.Discard(len(chunk)) // they are there
			continue
		}
		if errors.Is(err, ErrLimit) {
			return fmt.Errorf("%w, in %.200q", err, name)
		}
		if err != io.EOF {
			return fmt.Errorf("%w: %.200q: %w", ErrFormat, name, err)
		}
		return nil
	}
}

func makeDirs(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if err := root.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// nested says whether a file begins as an archive does.
func nested(head []byte) bool {
	for _, magic := range []string{"PK\x03\x04", "PK\x05\x06", "\x1f\x8b", "BZh", "\xfd7zXZ\x00", "7z\xbc\xaf\x27\x1c", "Rar!\x1a\x07", "\x28\xb5\x2f\xfd"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return len(head) > 262 && string(head[257:262]) == "ustar"
}

// bounded reads what is unpacked, and fails where it grows beyond a ratio of what was read for it.
type bounded struct {
	r      io.Reader
	packed func() int64
	out    int64
	ratio  float64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.out += int64(n)
	if b.out > freely && float64(b.out-freely) > b.ratio*float64(b.packed()) {
		return 0, fmt.Errorf("%w: it unpacks to more than %g times its size", ErrLimit, b.ratio)
	}
	return n, err
}
