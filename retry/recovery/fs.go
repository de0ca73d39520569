package recovery

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// folder is what the store asks of a directory, so that tests can fail and crash every operation of it.
type folder interface {
	// names lists the regular files.
	names() ([]string, error)
	open(name string) (readFile, error)
	// create makes a file that must not exist yet.
	create(name string) (writeFile, error)
	rename(from, to string) error
	remove(name string) error
	// sync makes what was created, renamed and removed durable.
	sync() error
}

type readFile interface {
	io.ReadSeeker
	io.Closer
}

type writeFile interface {
	io.Writer
	io.WriterAt
	io.Closer
	Sync() error
}

// osFolder is a directory of the operating system.
type osFolder string

// makeFolder makes the directory, for its owner alone, if it is not there yet.
func makeFolder(dir string) (osFolder, error) {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return osFolder(dir), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return osFolder(dir), osFolder(filepath.Dir(dir)).sync()
}

func (d osFolder) path(name string) string { return filepath.Join(string(d), name) }

func (d osFolder) names() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (d osFolder) open(name string) (readFile, error) {
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err // not f: an interface that holds a nil pointer is not nil
	}
	return f, nil
}

func (d osFolder) create(name string) (writeFile, error) {
	f, err := os.OpenFile(d.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d osFolder) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

func (d osFolder) remove(name string) error { return os.Remove(d.path(name)) }

func (d osFolder) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) {
		return err // Windows cannot fsync a directory, and says so with a permission error
	}
	return nil
}
