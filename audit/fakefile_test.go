package audit

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

var errCrash = errors.New("crash")

// fakeFile is a file in memory that can fail, hang, and crash: only what was synced is sure to survive.
type fakeFile struct {
	mu      sync.Mutex
	data    []byte // as a reader sees it
	durable []byte // as of the last Sync
	ops     int    // writes, truncations and syncs so far
	crashAt int    // the operation that fails, as do all after it; 0 for never

	failWrite func(p []byte) (n int, err error) // nil error lets the write through
	failSync  func() error
	closed    bool
}

func (f *fakeFile) op() error {
	f.ops++
	if f.crashAt > 0 && f.ops >= f.crashAt {
		return errCrash
	}
	return nil
}

func (f *fakeFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *fakeFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.op()
	n := len(p)
	if err != nil && f.ops != f.crashAt {
		return 0, err // only the operation that crashes may leave something behind
	}
	if err == nil && f.failWrite != nil {
		n, err = f.failWrite(p)
		if err == nil {
			n = len(p)
		}
	}
	if grow := int(off) + n - len(f.data); grow > 0 {
		f.data = append(f.data, make([]byte, grow)...)
	}
	copy(f.data[off:], p[:n])
	return n, err
}

func (f *fakeFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.op()
	if err == nil || f.ops == f.crashAt {
		f.data = f.data[:size:size]
	}
	return err
}

func (f *fakeFile) Sync() error {
	if f.failSync != nil {
		if err := f.failSync(); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.op()
	if err == nil || f.ops == f.crashAt {
		f.durable = bytes.Clone(f.data)
	}
	return err
}

func (f *fakeFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

// survivors returns what a crash may leave on the disk: everything, only what was synced, or anything between.
func (f *fakeFile) survivors() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	images := [][]byte{bytes.Clone(f.data), bytes.Clone(f.durable)}
	if !bytes.HasPrefix(f.data, f.durable) {
		return images
	}
	for k := 1; len(f.durable)+k < len(f.data); k += 1 + k/2 {
		part := bytes.Clone(f.data[:len(f.durable)+k])
		zeros := append(bytes.Clone(part), make([]byte, len(f.data)-len(part))...) // allocated, not written
		images = append(images, part, zeros)
	}
	return images
}
