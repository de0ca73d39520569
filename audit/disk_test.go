package audit

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// disk is a file system in memory that knows what a loss of power would leave: of each file what was synced and any of
// the blocks written since, of each directory the names that were synced and any number of the changes since.
type disk struct {
	mu     sync.Mutex
	root   *inode
	locked map[*inode]bool

	ops   int         // operations so far that can fail
	fault map[int]int // operation -> what goes wrong
	why   error       // of faults, EIO if nil
	dead  bool        // the process is no more
	full  bool        // writes fail with ENOSPC
	hold  func()      // called, if not nil, within each sync of a file
}

const (
	faultError   = 1 + iota // fails, nothing done; a sync drops what was dirty
	faultPartial            // fails half done
	faultCrash              // the process dies before it
	faultTorn               // the process dies in the middle of it
	faults       = faultTorn

	block = 512 // bytes
)

var errCrash = errors.New("the process is dead")

// inode is a file or, with names, a directory.
type inode struct {
	cache, platter []byte
	dirty          map[int]bool // blocks
	names          map[string]*inode
	onDisk         []map[string]*inode // states of the names a crash may leave
}

func newDir() *inode { return &inode{names: map[string]*inode{}, onDisk: []map[string]*inode{{}}} }

func newDisk() *disk {
	return &disk{root: newDir(), locked: map[*inode]bool{}, fault: map[int]int{}}
}

// begin counts an operation. half tells whether to carry out a part of it, and err what to return.
func (d *disk) begin() (half bool, err error) {
	if d.dead {
		return false, errCrash
	}
	d.ops++
	why := d.why
	if why == nil {
		why = syscall.EIO
	}
	switch d.fault[d.ops] {
	case faultError:
		return false, why
	case faultPartial:
		return true, why
	case faultCrash:
		d.dead = true
		return false, errCrash
	case faultTorn:
		d.dead = true
		return true, errCrash
	}
	return false, nil
}

// restart is the disk for a new process: what the kernel has in memory stays.
func (d *disk) restart() *disk {
	n := newDisk()
	n.root = d.root
	return n
}

// powerLoss is a disk that may be found afterwards.
func (d *disk) powerLoss(keep func() bool) *disk {
	n := newDisk()
	n.root = d.root.lose(keep, map[*inode]*inode{})
	return n
}

func (f *inode) lose(keep func() bool, seen map[*inode]*inode) *inode {
	if g := seen[f]; g != nil {
		return g
	}
	if f.names != nil {
		g := newDir()
		seen[f] = g
		state := 0
		for state+1 < len(f.onDisk) && keep() {
			state++
		}
		for _, name := range slices.Sorted(maps.Keys(f.onDisk[state])) {
			g.names[name] = f.onDisk[state][name].lose(keep, seen)
		}
		g.onDisk = []map[string]*inode{maps.Clone(g.names)}
		return g
	}
	g := &inode{cache: slices.Clone(f.platter)}
	seen[f] = g
	size := len(f.platter)
	for size != len(f.cache) && keep() {
		if size < len(f.cache) {
			size = min(size+block, len(f.cache))
		} else {
			size = max(size-block, len(f.cache))
		}
	}
	g.cache = append(g.cache[:min(size, len(g.cache))], make([]byte, max(0, size-len(g.cache)))...)
	for b := 0; b*block < size; b++ {
		if f.dirty[b] && b*block < len(f.cache) && keep() {
			copy(g.cache[b*block:min(size, (b+1)*block)], f.cache[b*block:])
		}
	}
	g.platter = slices.Clone(g.cache)
	return g
}

// clone is a copy of what a process sees.
func (d *disk) clone() *disk {
	n := newDisk()
	n.root = d.root.clone()
	return n
}

func (f *inode) clone() *inode {
	if f.names == nil {
		return &inode{cache: slices.Clone(f.cache), platter: slices.Clone(f.cache)}
	}
	g := newDir()
	for name, child := range f.names {
		g.names[name] = child.clone()
	}
	g.onDisk = []map[string]*inode{maps.Clone(g.names)}
	return g
}

// files lists all files by path.
func (d *disk) files() map[string]*inode {
	all := map[string]*inode{}
	var walk func(prefix string, f *inode)
	walk = func(prefix string, f *inode) {
		for name, child := range f.names {
			if child.names == nil {
				all[prefix+name] = child
			} else {
				walk(prefix+name+"/", child)
			}
		}
	}
	walk("", d.root)
	return all
}

// set replaces the content of a file.
func (f *inode) set(content []byte) { f.cache, f.platter = content, slices.Clone(content) }

// at is the directory of a log on a disk.
func (d *disk) at(names ...string) durable.Dir { return where{d, names} }

type where struct {
	d     *disk
	names []string
}

func (w where) inode() *inode {
	f := w.d.root
	for _, name := range w.names {
		if f = f.names[name]; f == nil {
			return nil
		}
	}
	return f
}

func none() bool { return false }
func all() bool  { return true }

func coin(r *rand.Rand) func() bool { return func() bool { return r.IntN(2) == 0 } }

type unlocker struct {
	d *disk
	f *inode
}

func (u unlocker) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	delete(u.d.locked, u.f)
	return nil
}

func (w where) Lock() (io.Closer, error) {
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

func (w where) change(do func(names map[string]*inode)) error {
	dir := w.inode()
	if dir == nil {
		return fs.ErrNotExist
	}
	half, err := w.d.begin()
	if err == nil || half {
		do(dir.names)
		dir.onDisk = append(dir.onDisk, maps.Clone(dir.names))
	}
	return err
}

func (w where) Make() error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	if len(w.names) == 0 {
		return nil
	}
	parent := where{w.d, w.names[:len(w.names)-1]}
	if w.inode() != nil {
		return parent.sync()
	}
	if err := parent.change(func(n map[string]*inode) { n[w.names[len(w.names)-1]] = newDir() }); err != nil {
		return err
	}
	return parent.sync()
}

func (w where) Sub(name string) durable.Dir {
	return where{w.d, append(w.names[:len(w.names):len(w.names)], name)}
}

func (w where) get(name string) (*inode, error) {
	if dir := w.inode(); dir != nil && dir.names[name] != nil && dir.names[name].names == nil {
		return dir.names[name], nil
	}
	return nil, fs.ErrNotExist
}

func (w where) Open(name string) (durable.File, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	f, err := w.get(name)
	if err != nil {
		return nil, err
	}
	return &handle{w.d, f}, nil
}

func (w where) View(name string) (durable.File, error) { return w.Open(name) }

func (w where) Read(name string) ([]byte, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	f, err := w.get(name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(f.cache), nil
}

func (w where) Names() ([]string, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	dir := w.inode()
	if dir == nil {
		return nil, fs.ErrNotExist
	}
	var names []string
	for name, f := range dir.names {
		if f.names != nil {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

func (w where) Create(name string) (durable.File, error) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	if _, err := w.get(name); err == nil {
		return nil, fs.ErrExist
	}
	f := &inode{dirty: map[int]bool{}}
	if err := w.change(func(n map[string]*inode) { n[name] = f }); err != nil {
		return nil, err
	}
	return &handle{w.d, f}, nil
}

func (w where) Rename(from, to string) error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	f, err := w.get(from)
	if err != nil {
		return err
	}
	return w.change(func(n map[string]*inode) { n[to] = f; delete(n, from) })
}

func (w where) Remove(name string) error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	dir := w.inode()
	if dir == nil || dir.names[name] == nil {
		return fs.ErrNotExist
	}
	if len(dir.names[name].names) > 0 {
		return syscall.ENOTEMPTY
	}
	return w.change(func(n map[string]*inode) { delete(n, name) })
}

func (w where) Sync() error {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	return w.sync()
}

func (w where) sync() error {
	dir := w.inode()
	if dir == nil {
		return fs.ErrNotExist
	}
	half, err := w.d.begin()
	if err == nil {
		dir.onDisk = dir.onDisk[len(dir.onDisk)-1:]
	} else if half {
		dir.onDisk = dir.onDisk[len(dir.onDisk)/2:]
	}
	return err
}

type handle struct {
	d *disk
	f *inode
}

func (h *handle) Close() error { return nil }

func (h *handle) Size() (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.f.cache)), nil
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if off >= int64(len(h.f.cache)) {
		return 0, io.EOF
	}
	n := copy(p, h.f.cache[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	half, err := h.d.begin()
	if err == nil && h.d.full {
		half, err = true, syscall.ENOSPC
	}
	if err != nil && !half {
		return 0, err
	}
	if half {
		p = p[:len(p)/2]
	}
	end := int(off) + len(p)
	h.f.cache = append(h.f.cache, make([]byte, max(0, end-len(h.f.cache)))...)
	copy(h.f.cache[off:], p)
	if h.f.dirty == nil {
		h.f.dirty = map[int]bool{}
	}
	for b := int(off) / block; b*block < end; b++ {
		h.f.dirty[b] = true
	}
	return len(p), err
}

func (h *handle) Truncate(size int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	half, err := h.d.begin()
	if err == nil || half {
		h.f.cache = h.f.cache[:size]
	}
	return err
}

func (h *handle) Sync() error {
	if h.d.hold != nil {
		h.d.hold()
	}
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	half, err := h.d.begin()
	if err == nil {
		h.f.flush(func(int) bool { return true })
	} else if half {
		h.f.flush(func(b int) bool { return b%2 == 0 })
	}
	if !h.d.dead { // the kernel tells once, and takes the blocks for written
		clear(h.f.dirty)
	}
	return err
}

func (f *inode) flush(which func(b int) bool) {
	size := len(f.cache)
	f.platter = append(f.platter[:min(size, len(f.platter))], make([]byte, max(0, size-len(f.platter)))...)
	for b := range f.dirty {
		if b*block < size && which(b) {
			copy(f.platter[b*block:min(size, (b+1)*block)], f.cache[b*block:])
		}
	}
}

// tamper changes the file at a path of a copy of the disk.
func (d *disk) tamper(path string, change func(content []byte) []byte) *disk {
	n := d.clone()
	f := n.files()[path]
	f.set(change(f.cache))
	return n
}

// remove removes a file, or all under a directory, from a copy of the disk.
func (d *disk) without(path string) *disk {
	n := d.clone()
	names := strings.Split(path, "/")
	dir := n.root
	for _, name := range names[:len(names)-1] {
		dir = dir.names[name]
	}
	delete(dir.names, names[len(names)-1])
	return n
}
