package durabletest

import (
	"io"
	"io/fs"
	"maps"
	"slices"
	"syscall"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// dir is a directory of a disk, by its path: it need not exist.
type dir struct {
	d     *Disk
	names []string
}

var _ durable.Dir = dir{}

func (w dir) inode() *inode {
	f := w.d.root
	for _, name := range w.names {
		if f = f.names[name]; f == nil {
			return nil
		}
	}
	return f
}

type unlocker struct {
	d *Disk
	f *inode
}

func (u unlocker) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	delete(u.d.locked, u.f)
	return nil
}

func (w dir) Lock() (io.Closer, error) {
	if err := w.Make(); err != nil {
		return nil, err
	}
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	f := w.inode()
	if w.d.locked[f] {
		return nil, durable.ErrLocked
	}
	w.d.locked[f] = true
	return unlocker{w.d, f}, nil
}

func (w dir) change(do func(names map[string]*inode)) error {
	f := w.inode()
	if f == nil {
		return fs.ErrNotExist
	}
	half, err := w.d.begin()
	if err == nil || half {
		do(f.names)
		f.onDisk = append(f.onDisk, maps.Clone(f.names))
	}
	return err
}

func (w dir) Make() error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	if len(w.names) == 0 {
		return nil
	}
	name := w.names[len(w.names)-1]
	parent := dir{w.d, w.names[:len(w.names)-1]}
	if w.inode() == nil {
		if err := parent.change(func(n map[string]*inode) { n[name] = newDirectory() }); err != nil {
			return err
		}
	}
	return parent.sync()
}

func (w dir) Sub(name string) durable.Dir { return dir{w.d, append(slices.Clone(w.names), name)} }

func (w dir) get(name string) (*inode, error) {
	if f := w.inode(); f != nil && f.names[name] != nil && f.names[name].names == nil {
		return f.names[name], nil
	}
	return nil, fs.ErrNotExist
}

func (w dir) Open(name string) (durable.File, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	f, err := w.get(name)
	if err != nil {
		return nil, err
	}
	return &handle{w.d, f}, nil
}

func (w dir) View(name string) (durable.File, error) { return w.Open(name) }

func (w dir) Read(name string) ([]byte, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	f, err := w.get(name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(f.cache), nil
}

func (w dir) Names() ([]string, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	d := w.inode()
	if d == nil {
		return nil, fs.ErrNotExist
	}
	var names []string
	for name, f := range d.names {
		if f.names != nil {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

func (w dir) Create(name string) (durable.File, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	if _, err := w.get(name); err == nil {
		return nil, fs.ErrExist
	}
	f := &inode{}
	if err := w.change(func(n map[string]*inode) { n[name] = f }); err != nil {
		return nil, err
	}
	return &handle{w.d, f}, nil
}

func (w dir) Rename(from, to string) error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	f, err := w.get(from)
	if err != nil {
		return err
	}
	return w.change(func(n map[string]*inode) { n[to] = f; delete(n, from) })
}

func (w dir) Remove(name string) error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	f := w.inode()
	if f == nil || f.names[name] == nil {
		return fs.ErrNotExist
	}
	if len(f.names[name].names) > 0 {
		return syscall.ENOTEMPTY
	}
	return w.change(func(n map[string]*inode) { delete(n, name) })
}

func (w dir) Sync() error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return w.sync()
}

func (w dir) sync() error {
	f := w.inode()
	if f == nil {
		return fs.ErrNotExist
	}
	half, err := w.d.begin()
	if err == nil {
		f.onDisk = f.onDisk[len(f.onDisk)-1:]
	} else if half {
		f.onDisk = f.onDisk[len(f.onDisk)/2:]
	}
	return err
}
