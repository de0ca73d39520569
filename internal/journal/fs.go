package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Names in the directory of a journal.
const (
	fileName = "journal"
	tempName = "journal.new"
	lockName = "lock"
)

// directory is what a journal needs of a file system.
type directory interface {
	// lock creates the directory if there is none, and takes it for the holder of the Closer alone.
	lock() (io.Closer, error)
	// open opens a file to read and write. Its error matches fs.ErrNotExist if there is none.
	open(name string) (file, error)
	// create makes a file that must not exist.
	create(name string) (file, error)
	// rename replaces a file, atomically as seen after a crash.
	rename(from, to string) error
	remove(name string) error
	// sync makes names survive a loss of power.
	sync() error
}

// file is what a journal needs of an *os.File.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	size() (int64, error)
	// sync makes content and size survive a loss of power.
	sync() error
}

// osDirectory is a directory of the operating system.
type osDirectory string

func (d osDirectory) path(name string) string { return filepath.Join(string(d), name) }

func (d osDirectory) lock() (io.Closer, error) {
	if err := os.Mkdir(string(d), 0o700); err == nil {
		if err := syncDirectory(filepath.Dir(string(d))); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
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

func (d osDirectory) open(name string) (file, error) {
	f, err := openRegular(d.path(name), 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d osDirectory) create(name string) (file, error) {
	f, err := openRegular(d.path(name), os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d osDirectory) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d osDirectory) remove(name string) error     { return os.Remove(d.path(name)) }
func (d osDirectory) sync() error                  { return syncDirectory(string(d)) }

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

func (f osFile) sync() error { return datasync(f.File) }

func (f osFile) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
