// Package durable has the few operations on files from which crash-safe storage is made, behind an interface that tests
// can break at every operation.
//
// For most uses: [OS] names a directory, [Dir.Lock] creates and takes it, and [WriteFile] puts a whole file under its name
// at once. A name survives a loss of power only after Sync of its directory, and content only after Sync of the file.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked is matched by the error of Lock while somebody else holds the directory.
var ErrLocked = errors.New("in use")

// ErrIrregular is matched by the errors of Read and View for what is not a regular file, or too large to be read whole.
var ErrIrregular = errors.New("not a regular file of a reasonable size")

// File is what storage needs of an *os.File. Sync makes its content survive a loss of power.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Size() (int64, error)
	Sync() error
}

// MaxRead is the largest file that Read returns, in bytes.
const MaxRead = 64 << 20

// Dir is a directory. Names have no slashes.
type Dir interface {
	// Lock creates the directory if there is none, and takes it for the holder of the Closer alone.
	Lock() (io.Closer, error)
	// Make creates the directory with mode 0700 if there is none, and makes it survive a loss of power.
	Make() error
	// Sub names a directory below this one, which need not exist.
	Sub(name string) Dir
	// Open opens a file to read and write. Its error matches fs.ErrNotExist if there is none.
	Open(name string) (File, error)
	// View opens a file to read, whoever may write it. Its error matches fs.ErrNotExist if there is none.
	View(name string) (File, error)
	// Create makes a file with mode 0600 that must not exist.
	Create(name string) (File, error)
	// Read returns the content of a regular file of at most MaxRead bytes. Its error matches fs.ErrNotExist if there is none.
	Read(name string) ([]byte, error)
	// Names lists the directory in order. Its error matches fs.ErrNotExist if there is none. Those of directories end in
	// a slash.
	Names() ([]string, error)
	// Rename replaces a file, atomically as seen after a crash.
	Rename(from, to string) error
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// Sync makes names survive a loss of power.
	Sync() error
}

// WriteFile puts a file under its name whole or not at all, as seen after a crash, through one that is called temp. The
// name itself survives a loss of power after Sync of the directory.
func WriteFile(d Dir, name, temp string, content []byte) error {
	if err := d.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.Create(temp)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(content, 0); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.Rename(temp, name)
}

// OS is a directory of the operating system.
type OS string

const lockName = "lock"

func (d OS) path(name string) string { return filepath.Join(string(d), name) }

// Lock implements [Dir] with flock, on a file that is called "lock". It needs a Unix system.
func (d OS) Lock() (io.Closer, error) {
	if err := d.Make(); err != nil {
		return nil, err
	}
	f, err := openRegular(d.path(lockName), os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return lockFile{f}, nil
}

// lockFile gives its lock back before it is closed: a process that is being started just then has a copy of the descriptor
// for a moment, which would keep the lock.
type lockFile struct{ *os.File }

func (f lockFile) Close() error { return errors.Join(funlock(f.File), f.File.Close()) }

// Make implements [Dir].
func (d OS) Make() error {
	made := os.Mkdir(string(d), 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return made
	}
	err := syncDirectory(filepath.Dir(string(d))) // who made it may have failed to
	if made != nil && errors.Is(err, fs.ErrPermission) {
		return nil // one that was made for us
	}
	return err
}

// Sub implements [Dir].
func (d OS) Sub(name string) Dir { return OS(d.path(name)) }

// Open implements [Dir]. It refuses a file that others may write.
func (d OS) Open(name string) (File, error) {
	f, err := openRegular(d.path(name), 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Create implements [Dir].
func (d OS) Create(name string) (File, error) {
	f, err := openRegular(d.path(name), os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Read implements [Dir].
func (d OS) Read(name string) ([]byte, error) {
	f, err := viewRegular(d.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxRead {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read: %w", d.path(name), info.Size(), MaxRead, ErrIrregular)
	}
	content := make([]byte, info.Size())
	n, err := f.ReadAt(content, 0)
	if err == io.EOF { // it was cut meanwhile
		err = nil
	}
	return content[:n], err
}

// View implements [Dir].
func (d OS) View(name string) (File, error) {
	f, err := viewRegular(d.path(name))
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// viewRegular opens a file to read, without waiting for what may never come, as a named pipe would.
func viewRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, ErrIrregular)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Names implements [Dir].
func (d OS) Names() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	names := make([]string, len(entries))
	for i, e := range entries {
		if names[i] = e.Name(); e.IsDir() {
			names[i] += "/"
		}
	}
	return names, err
}

// Rename implements [Dir].
func (d OS) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

// Remove implements [Dir].
func (d OS) Remove(name string) error { return os.Remove(d.path(name)) }

// Sync implements [Dir].
func (d OS) Sync() error { return syncDirectory(string(d)) }

// openRegular opens a file that only its owner may write.
func openRegular(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err == nil && info.Mode().Perm()&0o022 != 0 {
		err = fmt.Errorf("%s may be written by others (mode %v)", path, info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

type osFile struct{ *os.File }

func (f osFile) Sync() error { return datasync(f.File) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
