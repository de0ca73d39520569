package durabletest

import (
	"maps"
	"slices"
)

// inode is a file or, with names, a directory.
type inode struct {
	cache, platter []byte
	dirty          map[int]bool // blocks
	names          map[string]*inode
	onDisk         []map[string]*inode // states of the names a crash may leave: the last synced one, and each change since
}

func newDirectory() *inode {
	return &inode{names: map[string]*inode{}, onDisk: []map[string]*inode{{}}}
}

// left is what a loss of power leaves. seen has the files that are done: one may have two names.
func (f *inode) left(keep func() bool, block int, seen map[*inode]*inode) *inode {
	if g := seen[f]; g != nil {
		return g
	}
	if f.names != nil {
		g := newDirectory()
		seen[f] = g
		state := 0
		for state+1 < len(f.onDisk) && keep() {
			state++
		}
		for _, name := range slices.Sorted(maps.Keys(f.onDisk[state])) {
			g.names[name] = f.onDisk[state][name].left(keep, block, seen)
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
	g.cache = resized(g.cache, size)
	for b := 0; b*block < size; b++ {
		if f.dirty[b] && b*block < len(f.cache) && keep() {
			copy(g.cache[b*block:min(size, (b+1)*block)], f.cache[b*block:])
		}
	}
	g.platter = slices.Clone(g.cache)
	return g
}

// resized is content cut or filled with zeros.
func resized(content []byte, size int) []byte {
	return append(content[:min(size, len(content))], make([]byte, max(0, size-len(content)))...)
}

// flush writes dirty blocks.
func (f *inode) flush(block int, which func(b int) bool) {
	size := len(f.cache)
	f.platter = resized(f.platter, size)
	for b := range f.dirty {
		if b*block < size && which(b) {
			copy(f.platter[b*block:min(size, (b+1)*block)], f.cache[b*block:])
		}
	}
}

func (f *inode) clone() *inode {
	if f.names == nil {
		return &inode{cache: slices.Clone(f.cache), platter: slices.Clone(f.cache)}
	}
	g := newDirectory()
	for name, child := range f.names {
		g.names[name] = child.clone()
	}
	g.onDisk = []map[string]*inode{maps.Clone(g.names)}
	return g
}

// walk visits all files below a directory.
func (f *inode) walk(prefix string, visit func(path string, f *inode)) {
	for name, child := range f.names {
		if child.names == nil {
			visit(prefix+name, child)
		} else {
			child.walk(prefix+name+"/", visit)
		}
	}
}
