package archive

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
)

// CheckZip judges a zip file of size bytes by its directory, and unpacks nothing. The sizes in it may be lies: what reads an
// entry has to count ([OpenZip]).
func CheckZip(r io.ReaderAt, size int64, l Limits) (Summary, error) {
	b, _, err := checkZip(r, size, l)
	return b.Summary, err
}

func checkZip(r io.ReaderAt, size int64, l Limits) (*book, *zip.Reader, error) {
	b, err := newBook(l)
	if err != nil {
		return b, nil, err
	}
	if err := oneDirectory(r, size, b.limits.Entries); err != nil {
		return b, nil, err
	}
	limited := &rationed{r: r, left: 1<<18 + int64(b.limits.Entries)*int64(512+b.limits.Name)}
	z, err := zip.NewReader(limited, size)
	switch {
	case errors.Is(err, ErrLimit):
		return b, nil, err
	case err != nil && !errors.Is(err, zip.ErrInsecurePath): // names are judged below
		return b, nil, fmt.Errorf("%w: %w", ErrFormat, err)
	case len(z.File) > b.limits.Entries: // before any is looked at
		return b, nil, fmt.Errorf("%w: %d entries, at most %d", ErrLimit, len(z.File), b.limits.Entries)
	}
	limited.left = math.MaxInt64
	var declared uint64
	type span struct {
		from, to int64
		name     string
	}
	var spans []span
	for _, f := range z.File {
		dir := strings.HasSuffix(f.Name, "/")
		if err := b.enter(f.Name, dir); err != nil {
			return b, nil, err
		}
		switch mode := f.Mode(); {
		case mode&fs.ModeType != 0 && !(dir && mode.IsDir()):
			return b, nil, fmt.Errorf("%w: %.200q is %v", ErrKind, f.Name, mode.Type())
		case dir && f.UncompressedSize64 != 0:
			return b, nil, fmt.Errorf("%w: directory %.200q has content", ErrFormat, f.Name)
		case f.Method != zip.Store && f.Method != zip.Deflate:
			return b, nil, fmt.Errorf("%w: %.200q has method %d", ErrFormat, f.Name, f.Method)
		case f.Flags&1 != 0:
			return b, nil, fmt.Errorf("%w: %.200q is encrypted", ErrFormat, f.Name)
		case f.UncompressedSize64 > uint64(b.limits.File):
			return b, nil, fmt.Errorf("%w: %.200q has %d bytes, at most %d", ErrLimit, f.Name, f.UncompressedSize64, b.limits.File)
		}
		if declared += f.UncompressedSize64; declared > uint64(b.limits.Total) {
			return b, nil, fmt.Errorf("%w: more than %d bytes in all, with %.200q", ErrLimit, b.limits.Total, f.Name)
		}
		from, err := f.DataOffset()
		if err != nil {
			return b, nil, fmt.Errorf("%w: %.200q: %w", ErrFormat, f.Name, err)
		}
		if f.CompressedSize64 > uint64(size-from) {
			return b, nil, fmt.Errorf("%w: %.200q ends beyond the file", ErrFormat, f.Name)
		}
		spans = append(spans, span{from, from + int64(f.CompressedSize64), f.Name})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return b, nil, fmt.Errorf("%w: %.200q and %.200q share bytes", ErrFormat, spans[i-1].name, spans[i].name)
		}
	}
	b.Bytes = int64(declared)
	return b, z, nil
}

// oneDirectory refuses a file that some readers see another directory in: its end has to stand right behind it, both forms of the
// end have to say the same (many readers believe the 64-bit one always, [zip.NewReader] where the other is full), and nothing
// stands before the first byte or behind the last. It bounds the entries before [zip.NewReader] takes memory for them.
func oneDirectory(r io.ReaderAt, size int64, entries int) error {
	le := binary.LittleEndian
	read := func(n, at int64) []byte {
		p := make([]byte, n)
		if _, err := r.ReadAt(p, at); err != nil && err != io.EOF {
			return nil
		}
		return p
	}
	tail := read(min(size, 22+1<<16), max(0, size-22-1<<16))
	i := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if i < 0 || len(tail)-i < 22 {
		return nil // zip.NewReader has a word for it
	}
	end, at := tail[i:], uint64(size-int64(len(tail)-i))
	n, length, offset := uint64(le.Uint16(end[10:])), uint64(le.Uint32(end[12:])), uint64(le.Uint32(end[16:]))
	ok := len(end) == 22+int(le.Uint16(end[20:]))
	if at >= 76 {
		if p := read(76, int64(at-76)); p != nil && string(p[56:60]) == "PK\x06\x07" {
			at -= 76
			same := func(narrow, full, wide uint64) bool { return narrow == wide || narrow == full }
			n64, length64, offset64 := le.Uint64(p[32:]), le.Uint64(p[40:]), le.Uint64(p[48:])
			ok = ok && string(p[:4]) == "PK\x06\x06" && le.Uint64(p[64:]) == at &&
				same(n, 0xffff, n64) && same(length, 0xffffffff, length64) && same(offset, 0xffffffff, offset64)
			n, length, offset = n64, length64, offset64
		}
	}
	switch {
	case n > uint64(entries):
		return fmt.Errorf("%w: %d entries, at most %d", ErrLimit, n, entries)
	case !ok || length > at || offset != at-length:
		return fmt.Errorf("%w: a directory that does not end where the file does, or two of them", ErrFormat)
	}
	return nil
}

// rationed bounds how much is read of a directory, which is kept in memory: what it says of its own length may be a lie.
type rationed struct {
	r    io.ReaderAt
	left int64
}

func (l *rationed) ReadAt(p []byte, off int64) (int, error) {
	if l.left < math.MaxInt64 {
		if l.left -= int64(len(p)); l.left < 0 {
			return 0, fmt.Errorf("%w: a directory with too many entries", ErrLimit)
		}
	}
	return l.r.ReadAt(p, off)
}

// OpenZip returns the entries of a zip file that [CheckZip] accepts. Read them with [OpenFile].
func OpenZip(r io.ReaderAt, size int64, l Limits) ([]*zip.File, error) {
	_, z, err := checkZip(r, size, l)
	if err != nil {
		return nil, err
	}
	return z.File, nil
}

// OpenFile opens an entry, whose reader fails beyond the limits of a file and of the ratio, and where the content is not
// what its checksum says.
func OpenFile(f *zip.File, l Limits) (io.ReadCloser, error) {
	l, err := l.normal()
	if err != nil {
		return nil, err
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: %.200q: %w", ErrFormat, f.Name, err)
	}
	return &entry{bounded{r, func() int64 { return int64(f.CompressedSize64) }, 0, l.Ratio}, r, l.File}, nil
}

type entry struct {
	bounded
	io.Closer
	limit int64
}

func (e *entry) Read(p []byte) (int, error) {
	n, err := e.bounded.Read(p)
	if e.out > e.limit {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrLimit, e.limit)
	}
	return n, err
}

// ExtractZip unpacks a zip file below root: files with mode 0600, directories with mode 0700. It replaces nothing: a file
// that exists is an error. The first error ends it, and leaves the files before it.
func ExtractZip(r io.ReaderAt, size int64, root *os.Root, l Limits) (Summary, error) {
	b, z, err := checkZip(r, size, l)
	if err != nil {
		return Summary{}, err
	}
	done, err := newBook(l)
	if err != nil {
		return Summary{}, err
	}
	for _, f := range z.File {
		if err := done.enter(f.Name, strings.HasSuffix(f.Name, "/")); err != nil {
			return done.Summary, err
		}
		if err := done.unzip(f, root, b.limits); err != nil {
			return done.Summary, err
		}
	}
	return done.Summary, nil
}

func (b *book) unzip(f *zip.File, root *os.Root, l Limits) error {
	if name, dir := strings.CutSuffix(f.Name, "/"); dir {
		return makeDirs(root, name)
	}
	r, err := OpenFile(f, l)
	if err != nil {
		return err
	}
	defer r.Close()
	return b.store(root, f.Name, r)
}
