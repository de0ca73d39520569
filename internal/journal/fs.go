package journal

import (
	"io"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// Names in the directory of a journal.
const (
	fileName = "journal"
	tempName = "journal.new"
)

// directory is what a journal needs of a [durable.Dir].
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

// file is what a journal needs of a [durable.File].
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	size() (int64, error)
	// sync makes content and size survive a loss of power.
	sync() error
}

type stored struct{ d durable.Dir }

func (s stored) lock() (io.Closer, error)         { return s.d.Lock() }
func (s stored) rename(from, to string) error     { return s.d.Rename(from, to) }
func (s stored) remove(name string) error         { return s.d.Remove(name) }
func (s stored) sync() error                      { return s.d.Sync() }
func (s stored) open(name string) (file, error)   { return asFile(s.d.Open(name)) }
func (s stored) create(name string) (file, error) { return asFile(s.d.Create(name)) }

type storedFile struct{ durable.File }

func (f storedFile) size() (int64, error) { return f.Size() }
func (f storedFile) sync() error          { return f.Sync() }

func asFile(f durable.File, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return storedFile{f}, nil
}
