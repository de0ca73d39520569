// Package durabletest has a disk in memory that breaks on demand, for tests of what is kept through package durable.
//
// For most uses: work in a [Disk], set a fault, go on until an error comes, and open what [Disk.Restart] (the process died) or
// [Disk.PowerLoss] (the machine did) leaves.
package durabletest

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
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

// DefaultBlock is what a disk writes at once, in bytes: little, so that small files have many.
const DefaultBlock = 16

// ErrCrash is the error of every operation of a process that is no more.
var ErrCrash = errors.New("the process is dead")

// Disk is a file system in memory, seen as its root directory, that knows what a loss of power would leave: of each file what
// was synced and any of the blocks written since, of each directory the names that were synced and any number of the changes
// since. Its methods are safe for concurrent use; its fields change within Set while others use it.
type Disk struct {
	dir                 // the root
	Fault map[int]Fault // what goes wrong in which operation, the first of which is 1
	Why   error         // of faults, EIO if nil
	Full  bool          // whether writes fail half done, with ENOSPC
	Hold  func()        // called, if not nil, within each sync of a file
	Block int           // DefaultBlock if zero

	mu     sync.Mutex
	root   *inode
	locked map[*inode]bool
	dead   bool
	ops    int
	syncs  int
}

// New returns an empty disk.
func New() *Disk { return with(newDirectory(), 0) }

func with(root *inode, block int) *Disk {
	d := &Disk{root: root, locked: map[*inode]bool{}, Fault: map[int]Fault{}, Block: block}
	d.dir.d = d
	return d
}

// Holding returns a disk with one file.
func Holding(name string, content []byte) *Disk {
	d := New()
	d.root.names[name] = &inode{cache: slices.Clone(content), platter: slices.Clone(content)}
	d.root.onDisk = []map[string]*inode{maps.Clone(d.root.names)}
	return d
}

// Set changes the fields. It tells how many operations that can fail there were so far.
func (d *Disk) Set(change func(ops int)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d.ops)
}

// Ops is the number of operations so far that could fail.
func (d *Disk) Ops() (n int) {
	d.Set(func(ops int) { n = ops })
	return n
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

// Dead reports whether a fault, or Kill, has ended the process.
func (d *Disk) Dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
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
	return with(d.root, d.Block)
}

// PowerLoss is a disk that may be found afterwards. keep says for each block, size and name not synced whether it is there.
func (d *Disk) PowerLoss(keep func() bool) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return with(d.root.left(keep, d.block(), map[*inode]*inode{}), d.Block)
}

func (d *Disk) block() int {
	if d.Block == 0 {
		return DefaultBlock
	}
	return d.Block
}

// None keeps nothing that was not synced.
func None() bool { return false }

// All keeps everything.
func All() bool { return true }

// Coin keeps every other block, in any order.
func Coin(r *rand.Rand) func() bool { return func() bool { return r.IntN(2) == 0 } }

// Clone is a copy of what a process sees.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return with(d.root.clone(), d.Block)
}

// Files returns the content of all files by path.
func (d *Disk) Files() map[string][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string][]byte{}
	d.root.walk("", func(path string, f *inode) { all[path] = slices.Clone(f.cache) })
	return all
}

// Tamper returns a copy with a file changed.
func (d *Disk) Tamper(path string, change func(content []byte) []byte) *Disk {
	n := d.Clone()
	n.root.walk("", func(at string, f *inode) {
		if at == path {
			f.cache = change(f.cache)
			f.platter = slices.Clone(f.cache)
		}
	})
	return n
}

// Without returns a copy that lacks a file, or all under a directory.
func (d *Disk) Without(path string) *Disk {
	n := d.Clone()
	parent, name := n.root.parent(path)
	delete(parent.names, name)
	return n
}

// Swap returns a copy whose file or directory at a path is that of another disk.
func (d *Disk) Swap(path string, other *Disk) *Disk {
	n := d.Clone()
	parent, name := n.root.parent(path)
	from, _ := other.Clone().root.parent(path)
	parent.names[name] = from.names[name]
	return n
}

// parent finds the directory that has a path, and its name there.
func (f *inode) parent(path string) (*inode, string) {
	names := strings.Split(path, "/")
	for _, name := range names[:len(names)-1] {
		f = f.names[name]
	}
	return f, names[len(names)-1]
}
