package journal

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"syscall"
)

// disk is a directory in memory that knows what a loss of power would leave. A file has blocks; a block that was written
// is dirty until a sync. Names change in memory at once and on the platter when the directory is synced.
type disk struct {
	mu     sync.Mutex
	names  map[string]*inode
	onDisk []map[string]*inode // states of the names a crash may leave: the last synced one, and each change since
	locked bool

	ops   int         // operations so far that can fail
	fault map[int]int // operation -> what goes wrong
	dead  bool        // the process is no more
	syncs int
	hold  func() // called, if not nil, within each sync of a file
	why   error  // of faults, EIO if nil
}

const block = 16 // bytes, so that small journals have many

const (
	faultError   = 1 + iota // fails, nothing done; a sync drops what was dirty
	faultPartial            // fails half done: a short write, a rename that took place, a sync of every other block
	faultCrash              // the process dies before it
	faultTorn               // the process dies in the middle of it
	faults       = faultTorn
)

var errCrash = errors.New("the process is dead")

type inode struct {
	cache, platter []byte
	dirty          []bool // blocks
}

func newDisk() *disk {
	return &disk{names: map[string]*inode{}, onDisk: []map[string]*inode{{}}, fault: map[int]int{}}
}

func clone(m map[string]*inode) map[string]*inode {
	c := map[string]*inode{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

// begin counts an operation. done tells whether to carry out the first half of it, and err what to return.
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
	d.mu.Lock()
	defer d.mu.Unlock()
	return &disk{names: d.names, onDisk: d.onDisk, fault: map[int]int{}}
}

// powerLoss is a disk that may be found afterwards. keep says for each block, size and name not synced whether it is there.
func (d *disk) powerLoss(keep func() bool) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	state := 0
	for state+1 < len(d.onDisk) && keep() {
		state++
	}
	after, seen := newDisk(), map[*inode]*inode{}
	for name, f := range d.onDisk[state] {
		if seen[f] == nil {
			g := &inode{cache: append([]byte(nil), f.platter...)}
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
				if b < len(f.dirty) && f.dirty[b] && b*block < len(f.cache) && keep() {
					copy(g.cache[b*block:min(size, (b+1)*block)], f.cache[b*block:])
				}
			}
			g.platter = append([]byte(nil), g.cache...)
			seen[f] = g
		}
		after.names[name] = seen[f]
	}
	after.onDisk = []map[string]*inode{clone(after.names)}
	return after
}

func none() bool { return false }
func all() bool  { return true }

func coin(r *rand.Rand) func() bool { return func() bool { return r.IntN(2) == 0 } }

type unlocker struct{ d *disk }

func (u unlocker) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	u.d.locked = false
	return nil
}

func (d *disk) lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, ErrLocked
	}
	d.locked = true
	return unlocker{d}, nil
}

func (d *disk) open(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return nil, fs.ErrNotExist
	}
	return &handle{d, d.names[name]}, nil
}

func (d *disk) change(do func()) error {
	half, err := d.begin()
	if err == nil || half {
		do()
		d.onDisk = append(d.onDisk, clone(d.names))
	}
	return err
}

func (d *disk) create(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] != nil {
		return nil, fs.ErrExist
	}
	f := &inode{}
	if err := d.change(func() { d.names[name] = f }); err != nil {
		return nil, err
	}
	return &handle{d, f}, nil
}

func (d *disk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[from] == nil {
		return fs.ErrNotExist
	}
	return d.change(func() { d.names[to] = d.names[from]; delete(d.names, from) })
}

func (d *disk) remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return fs.ErrNotExist
	}
	return d.change(func() { delete(d.names, name) })
}

func (d *disk) sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	half, err := d.begin()
	if err == nil {
		d.onDisk = d.onDisk[len(d.onDisk)-1:]
	} else if half {
		d.onDisk = d.onDisk[len(d.onDisk)/2:]
	}
	return err
}

type handle struct {
	d *disk
	f *inode
}

func (h *handle) Close() error { return nil }

func (h *handle) size() (int64, error) {
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
	if err != nil && !half {
		return 0, err
	}
	if half {
		p = p[:len(p)/2]
	}
	end := int(off) + len(p)
	h.f.cache = append(h.f.cache, make([]byte, max(0, end-len(h.f.cache)))...)
	copy(h.f.cache[off:], p)
	h.f.dirty = append(h.f.dirty, make([]bool, max(0, end/block+1-len(h.f.dirty)))...)
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

func (h *handle) sync() error {
	if h.d.hold != nil {
		h.d.hold()
	}
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	half, err := h.d.begin()
	h.d.syncs++
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
		if f.dirty[b] && b*block < size && which(b) {
			copy(f.platter[b*block:min(size, (b+1)*block)], f.cache[b*block:])
		}
	}
}
