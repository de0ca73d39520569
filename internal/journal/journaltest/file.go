package journaltest

import "io"

// handle is an open file.
type handle struct {
	d *Disk
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
	if err != nil && !half {
		return 0, err
	}
	if half {
		p = p[:len(p)/2]
	}
	end := int(off) + len(p)
	h.f.cache = append(h.f.cache, make([]byte, max(0, end-len(h.f.cache)))...)
	copy(h.f.cache[off:], p)
	h.f.dirty = append(h.f.dirty, make([]bool, max(0, end/Block+1-len(h.f.dirty)))...)
	for b := int(off) / Block; b*Block < end; b++ {
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
	if h.d.Hold != nil {
		h.d.Hold()
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
		if f.dirty[b] && b*Block < size && which(b) {
			copy(f.platter[b*Block:min(size, (b+1)*Block)], f.cache[b*Block:])
		}
	}
}
