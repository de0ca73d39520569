package sink

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Root is a directory that nothing opened through it can leave: not by "..", not by an absolute path, not by a symbolic link, not if
// somebody puts one there meanwhile. It is an [os.Root] whose errors match [ErrEscapes] where a path would leave it, and which
// creates files for their owner alone. The zero Root refuses everything with [fs.ErrClosed].
type Root struct{ dir *os.Root }

// OpenRoot opens a directory, which must exist.
func OpenRoot(dir string) (*Root, error) {
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Root{r}, nil
}

// Close ends the use of the directory. Files that were opened stay open.
func (r *Root) Close() error {
	if r == nil || r.dir == nil {
		return nil
	}
	return r.dir.Close()
}

// FS returns the files below as a file system to read.
func (r *Root) FS() fs.FS {
	if r == nil || r.dir == nil {
		return nothing{}
	}
	return rootFS{r.dir.FS()}
}

// rootFS gives the errors of a file system the sentinel.
type rootFS struct{ fs.FS }

func (b rootFS) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	return f, escaped(name, err)
}

func (b rootFS) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadFile(b.FS, name)
	return data, escaped(name, err)
}

func (b rootFS) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(b.FS, name)
	return list, escaped(name, err)
}

func (b rootFS) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(b.FS, name)
	return info, escaped(name, err)
}

// nothing is the file system of a Root that was not opened.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) { return nil, closed("open", name) }

// Open opens a file to read.
func (r *Root) Open(name string) (*os.File, error) {
	if r == nil || r.dir == nil {
		return nil, closed("open", name)
	}
	f, err := r.dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	return f, escaped(name, err)
}

// Create makes a file with mode 0600 that must not exist.
func (r *Root) Create(name string) (*os.File, error) {
	if r == nil || r.dir == nil {
		return nil, closed("create", name)
	}
	f, err := r.dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return f, escaped(name, err)
}

// MakeAll makes a directory, and those above it, with mode 0700. It is no error if they exist.
func (r *Root) MakeAll(name string) error {
	if r == nil || r.dir == nil {
		return closed("mkdir", name)
	}
	return escaped(name, r.dir.MkdirAll(name, 0o700))
}

// Remove removes a file or an empty directory.
func (r *Root) Remove(name string) error {
	if r == nil || r.dir == nil {
		return closed("remove", name)
	}
	return escaped(name, r.dir.Remove(name))
}

func closed(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrClosed} }

// escaped makes the error of package os, which has no sentinel, one that can be told from others.
func escaped(name string, err error) error {
	var failed *fs.PathError
	if err == nil || !errors.As(err, &failed) {
		return err
	}
	if failed.Err.Error() == "path escapes from parent" || name != "" && !filepath.IsLocal(name) {
		return fmt.Errorf("%w: %w", refuse(ErrEscapes, "path", name, "stay below its directory"), failed.Err)
	}
	return err
}
