// Package journaltest has a disk in memory that breaks on demand, for tests of what is kept in a journal.
//
// For most uses: give a [Disk] to journal.OpenIn, set a fault, go on until an error comes, and open what [Disk.Restart] (the process
// died) or [Disk.PowerLoss] (the machine did) leaves.
package journaltest

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// Fault is what goes wrong in an operation.
type Fault int

const (
	Error   Fault       = 1 + iota // fails, nothing done; a sync drops what was dirty
	Partial                        // fails half done: a short write, a rename that took place, a sync of every other block
	Crash                          // the process dies before it
	Torn                           // the process dies in the middle of it
	Faults  = int(Torn)            // there are
)

// Block is what a disk writes at once, in bytes: little, so that small journals have many.
const Block = 16

// ErrCrash is the error of every operation of a process that is no more.
var ErrCrash = errors.New("the process is dead")

// Disk is a directory in memory, without directories below, that knows what a loss of power would leave. A file has blocks; a block that
// was written is dirty until a sync. Names change in memory at once and on the platter when the directory is synced. Its methods, but not
// its fields, are safe for concurrent use.
type Disk struct {
	Fault map[int]Fault // what goes wrong in which operation, the first of which is 1
	Why   error         // of faults, EIO if nil
	Hold  func()        // called, if not nil, within each sync of a file

	mu     sync.Mutex
	names  map[string]*inode
	onDisk []map[string]*inode // states of the names a crash may leave: the last synced one, and each change since
	locked bool
	dead   bool
	ops    int
	syncs  int
}

type inode struct {
	cache, platter []byte
	dirty          []bool // blocks
}

// New returns an empty disk.
func New() *Disk {
	return &Disk{names: map[string]*inode{}, onDisk: []map[string]*inode{{}}, Fault: map[int]Fault{}}
}

// Holding returns a disk with one file.
func Holding(name string, content []byte) *Disk {
	d := New()
	d.names[name] = &inode{cache: slices.Clone(content), platter: slices.Clone(content)}
	d.onDisk = []map[string]*inode{maps.Clone(d.names)}
	return d
}

// Ops is the number of operations so far that could fail.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Syncs is the number of syncs of files.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// Kill ends the process.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

// Files returns what a reader finds.
func (d *Disk) Files() map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string][]byte{}
	for name, f := range d.names {
		all[name] = slices.Clone(f.cache)
	}
	return all
}

// begin counts an operation. half tells whether to carry out a part of it, and err what to return.
func (d *Disk) begin() (half bool, err error) {
	if d.dead {
		return false, ErrCrash
	}
	d.ops++
	why := d.Why
	if why == nil {
		why = syscall.EIO
	}
	switch d.Fault[d.ops] {
	case Error:
		return false, why
	case Partial:
		return true, why
	case Crash:
		d.dead = true
		return false, ErrCrash
	case Torn:
		d.dead = true
		return true, ErrCrash
	}
	return false, nil
}

// Restart is the disk for a new process: what the kernel has in memory stays.
func (d *Disk) Restart() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Disk{names: d.names, onDisk: d.onDisk, Fault: map[int]Fault{}}
}

// PowerLoss is a disk that may be found afterwards. keep says for each block, size and name not synced whether it is there.
func (d *Disk) PowerLoss(keep func() bool) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	state := 0
	for state+1 < len(d.onDisk) && keep() {
		state++
	}
	after, seen := New(), map[*inode]*inode{}
	for _, name := range slices.Sorted(maps.Keys(d.onDisk[state])) {
		f := d.onDisk[state][name]
		if seen[f] == nil {
			seen[f] = f.left(keep)
		}
		after.names[name] = seen[f]
	}
	after.onDisk = []map[string]*inode{maps.Clone(after.names)}
	return after
}

// left is what a loss of power leaves of a file.
func (f *inode) left(keep func() bool) *inode {
	g := &inode{cache: slices.Clone(f.platter)}
	size := len(f.platter)
	for size != len(f.cache) && keep() {
		if size < len(f.cache) {
			size = min(size+Block, len(f.cache))
		} else {
			size = max(size-Block, len(f.cache))
		}
	}
	g.cache = append(g.cache[:min(size, len(g.cache))], make([]byte, max(0, size-len(g.cache)))...)
	for b := 0; b*Block < size; b++ {
		if b < len(f.dirty) && f.dirty[b] && b*Block < len(f.cache) && keep() {
			copy(g.cache[b*Block:min(size, (b+1)*Block)], f.cache[b*Block:])
		}
	}
	g.platter = slices.Clone(g.cache)
	return g
}

// None keeps nothing that was not synced.
func None() bool { return false }

// All keeps everything.
func All() bool { return true }

// Coin keeps every other block, in any order.
func Coin(r *rand.Rand) func() bool { return func() bool { return r.IntN(2) == 0 } }

type unlocker struct{ d *Disk }

func (u unlocker) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	u.d.locked = false
	return nil
}

// Lock implements durable.Dir, as do all that follow.
func (d *Disk) Lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, durable.ErrLocked
	}
	d.locked = true
	return unlocker{d}, nil
}

// Make does nothing: there is a directory.
func (d *Disk) Make() error { return nil }

// Sub panics: there are no directories below.
func (d *Disk) Sub(name string) durable.Dir { panic("journaltest: no directory " + name) }

// Names lists the files.
func (d *Disk) Names() ([]string, error) {
	return slices.Sorted(maps.Keys(d.Files())), nil
}

// Read returns the content of a file.
func (d *Disk) Read(name string) ([]byte, error) {
	content, ok := d.Files()[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return content, nil
}

// View opens a file.
func (d *Disk) View(name string) (durable.File, error) { return d.Open(name) }

// Open opens a file.
func (d *Disk) Open(name string) (durable.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return nil, fs.ErrNotExist
	}
	return &handle{d, d.names[name]}, nil
}

func (d *Disk) change(do func()) error {
	half, err := d.begin()
	if err == nil || half {
		do()
		d.onDisk = append(d.onDisk, maps.Clone(d.names))
	}
	return err
}

// Create makes a file.
func (d *Disk) Create(name string) (durable.File, error) {
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

// Rename gives a file another name.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[from] == nil {
		return fs.ErrNotExist
	}
	return d.change(func() { d.names[to] = d.names[from]; delete(d.names, from) })
}

// Remove removes a file.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return fs.ErrNotExist
	}
	return d.change(func() { delete(d.names, name) })
}

// Sync makes names survive a loss of power.
func (d *Disk) Sync() error {
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
