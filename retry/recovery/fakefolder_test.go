package recovery

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

var errCrash = errors.New("crash")

// inode is the content of a file: as a reader sees it, and as it was when it was last synced.
type inode struct{ data, synced []byte }

// fakeFolder is a directory in memory that can fail and crash. What was created, renamed or removed is sure to survive only
// after sync, in the order in which it was done; what was written only after Sync of the file.
type fakeFolder struct {
	files   map[string]*inode
	durable map[string]*inode
	pending []func(map[string]*inode)

	ops     int // changes so far
	crashAt int // the operation that crashes, as do all after it; 0 for never
	failAt  int // the operation that fails, alone
	failure error
	kinds   []string // of the operations, for coverage
}

func newFakeFolder() *fakeFolder {
	return &fakeFolder{files: map[string]*inode{}, durable: map[string]*inode{}}
}

// op counts an operation. It reports whether the operation has its effect, and what it returns.
func (d *fakeFolder) op(kind string) (effect bool, err error) {
	d.ops++
	d.kinds = append(d.kinds, kind)
	switch {
	case d.crashAt > 0 && d.ops == d.crashAt:
		return true, errCrash // how much of it survives is for survivors to say
	case d.crashAt > 0 && d.ops > d.crashAt:
		return false, errCrash
	case d.failAt > 0 && d.ops == d.failAt:
		return false, d.failure
	}
	return true, nil
}

func (d *fakeFolder) change(kind string, f func(map[string]*inode)) error {
	effect, err := d.op(kind)
	if effect {
		f(d.files)
		d.pending = append(d.pending, f)
	}
	return err
}

func (d *fakeFolder) names() ([]string, error) { return slices.Collect(maps.Keys(d.files)), nil }

func (d *fakeFolder) open(name string) (readFile, error) {
	f, ok := d.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return closer{bytes.NewReader(f.data)}, nil
}

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

func (d *fakeFolder) create(name string) (writeFile, error) {
	if d.files[name] != nil {
		return nil, fs.ErrExist
	}
	f := &inode{}
	if err := d.change("create", func(m map[string]*inode) { m[name] = f }); err != nil {
		return nil, err
	}
	return &fakeFile{d, f}, nil
}

func (d *fakeFolder) rename(from, to string) error {
	if d.files[from] == nil {
		return fs.ErrNotExist
	}
	return d.change("rename", func(m map[string]*inode) {
		if m[from] != nil {
			m[to] = m[from]
			delete(m, from)
		}
	})
}

func (d *fakeFolder) remove(name string) error {
	if d.files[name] == nil {
		return fs.ErrNotExist
	}
	return d.change("remove", func(m map[string]*inode) { delete(m, name) })
}

func (d *fakeFolder) sync() error {
	effect, err := d.op("syncdir")
	if effect && err == nil {
		d.durable, d.pending = maps.Clone(d.files), nil
	}
	return err
}

type fakeFile struct {
	d *fakeFolder
	*inode
}

func (f *fakeFile) Write(p []byte) (int, error) {
	effect, err := f.d.op("write")
	n := len(p)
	if err != nil && !errors.Is(err, errCrash) || !effect {
		n /= 2 // a short write
	}
	f.data = append(f.data, p[:n]...)
	return n, err
}

func (f *fakeFile) WriteAt(p []byte, off int64) (int, error) {
	effect, err := f.d.op("writeat")
	if !effect {
		return 0, err
	}
	f.data = slices.Clone(f.data)
	copy(f.data[off:], p)
	return len(p), err
}

func (f *fakeFile) Sync() error {
	effect, err := f.d.op("sync")
	if effect && err == nil {
		f.synced = bytes.Clone(f.data)
	}
	return err
}

func (f *fakeFile) Close() error {
	_, err := f.d.op("close")
	return err
}

// survivors returns the directories that a crash may leave: any first part of the changes since the last sync, and of the
// files all, what was synced, or something between.
func (d *fakeFolder) survivors() []*fakeFolder {
	var images []*fakeFolder
	for k := range len(d.pending) + 1 {
		names := maps.Clone(d.durable)
		for _, f := range d.pending[:k] {
			f(names)
		}
		for _, content := range []func(*inode) []byte{
			func(f *inode) []byte { return f.data },
			func(f *inode) []byte { return f.synced },
			func(f *inode) []byte {
				half := len(f.synced) + (len(f.data)-len(f.synced))/2
				if bytes.HasPrefix(f.data, f.synced) {
					return append(bytes.Clone(f.data[:half]), make([]byte, len(f.data)-half)...)
				}
				return f.synced
			},
		} {
			image := newFakeFolder()
			for name, f := range names {
				data := bytes.Clone(content(f))
				image.files[name] = &inode{data, data}
			}
			image.durable = maps.Clone(image.files)
			images = append(images, image)
		}
	}
	return images
}

func (d *fakeFolder) String() string { return fmt.Sprint(slices.Sorted(maps.Keys(d.files))) }
