package durabletest

import (
	"io"
	"syscall"
)

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
	if err == nil && h.d.Full {
		half, err = true, syscall.ENOSPC
	}
	if err != nil && !half {
		return 0, err
	}
	if half {
		p = p[:len(p)/2]
	}
	end := int(off) + len(p)
	h.f.cache = resized(h.f.cache, max(end, len(h.f.cache)))
	copy(h.f.cache[off:], p)
	if h.f.dirty == nil {
		h.f.dirty = map[int]bool{}
	}
	block := h.d.block()
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
	if hold := h.d.hold(); hold != nil {
		hold()
	}
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	half, err := h.d.begin()
	h.d.syncs++
	block := h.d.block()
	if err == nil {
		h.f.flush(block, func(int) bool { return true })
	} else if half {
		h.f.flush(block, func(b int) bool { return b%2 == 0 })
	}
	if !h.d.dead { // the kernel tells once, and takes the blocks for written
		clear(h.f.dirty)
	}
	return err
}

func (d *Disk) hold() func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Hold
}
