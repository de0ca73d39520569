package archive

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// ExtractTar unpacks a tar file, or one packed with gzip, below root, as [ExtractZip] does. Owners, modes, times and
// extended attributes are left out.
func ExtractTar(r io.Reader, root *os.Root, l Limits) (Summary, error) {
	b, err := newBook(l)
	if err != nil {
		return Summary{}, err
	}
	in := bufio.NewReader(r)
	r = in
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		all := b.limits
		if all.File = all.Total + all.Total/8 + freely; all.File < 0 { // headers and padding
			all.File = b.limits.Total
		}
		if r, err = Gunzip(in, all); err != nil {
			return Summary{}, err
		}
	}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			if _, packed := r.(*entry); !packed {
				return b.Summary, nil
			}
			if _, err := io.Copy(io.Discard, r); err != nil { // up to the checksum
				return b.Summary, fmt.Errorf("%w: %w", ErrFormat, err)
			}
			return b.Summary, nil
		}
		if errors.Is(err, ErrLimit) {
			return b.Summary, err
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // names are judged below
			return b.Summary, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		dir := h.Typeflag == tar.TypeDir
		if h.Typeflag == tar.TypeXGlobalHeader { // as git writes: no entry
			continue
		}
		if h.Typeflag != tar.TypeReg && !dir {
			return b.Summary, fmt.Errorf("%w: %.200q has type %q", ErrKind, h.Name, h.Typeflag)
		}
		if sparse(h) {
			return b.Summary, fmt.Errorf("%w: %.200q has holes", ErrKind, h.Name)
		}
		name := strings.TrimPrefix(h.Name, "./") // as tar -C dir . writes
		if name == "" && dir {
			continue
		}
		if err := b.enter(name, dir); err != nil {
			return b.Summary, err
		}
		if h.Size > b.limits.File {
			return b.Summary, fmt.Errorf("%w: %.200q has %d bytes, at most %d", ErrLimit, name, h.Size, b.limits.File)
		}
		if dir {
			err = makeDirs(root, strings.TrimSuffix(name, "/"))
		} else {
			err = b.store(root, name, t)
		}
		if err != nil {
			return b.Summary, err
		}
	}
}

// sparse says whether an entry unpacks to more than it has.
func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// Gunzip unpacks a gzip stream within the limits of a file and of the ratio.
func Gunzip(r io.Reader, l Limits) (io.Reader, error) {
	l, err := l.normal()
	if err != nil {
		return nil, err
	}
	c := &counter{r: r}
	z, err := gzip.NewReader(c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return &entry{bounded{z, func() int64 { return c.n }, 0, l.Ratio}, z, l.File}, nil
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
