// Package journal keeps entries in an append-only file that survives kill -9 and loss of power.
//
// For most uses: [Open] a directory with a Replay that rebuilds the state, then [Journal.Append] every change before it
// takes effect. Concurrent appends share one sync of the disk. [Journal.Compact] replaces old entries by a snapshot of the
// state; the numbers of the entries go on.
//
// A crash can leave the last group of entries incomplete, none of which was acknowledged: Open cuts it and reports how
// much ([Recovery]). Everything else that cannot be read is damage, and refused. Until something follows it, a group that
// was acknowledged and then rotted on the disk cannot be told from an incomplete one; Close makes something follow.
// Checksums find accidents, not forgery, and a journal that somebody deleted is created anew: see Recovery.Created.
package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// Options of a journal. The zero value uses the defaults.
type Options struct {
	// MaxEntry is the largest payload that Append accepts, in bytes: 1 MiB if zero, at most 64 MiB. Entries that are in
	// the journal already are read whatever their size.
	MaxEntry int
	// Existing makes Open fail, with an error that matches fs.ErrNotExist, where there is no journal, and create nothing.
	Existing bool
	// Replay, if not nil, is called by Open for the snapshot, if there is one, and then for each entry in order. Its error
	// ends Open, which returns it. What it was told counts only once Open has returned without error.
	Replay func(Entry) error
	// Accept, if not nil, is called by Open once everything is read and before anything of it is changed, with what Open
	// would do. Its error ends Open, which returns it and leaves the file as it was.
	Accept func(Recovery) error
}

// Entry is one payload of the journal.
type Entry struct {
	Seq      uint64 // the number: 1, 2, 3...; of a snapshot, the last entry that it stands for
	Snapshot bool
	Payload  []byte // only valid during the call
}

// Recovery is what Open found.
type Recovery struct {
	Created bool   // there was no journal, and now there is an empty one
	Clean   bool   // Close marked the end of it, or nothing was ever appended
	Entries uint64 // that were read, without the snapshot
	Cut     int64  // bytes of an incomplete group that were cut off the end
	Offset  int64  // where they began
}

const (
	defaultMaxEntry = 1 << 20
	maxMaxEntry     = 64 << 20
	// MaxBatch bounds a batch, in bytes, where each entry counts as its payload and 5.
	MaxBatch = 64<<20 + 5
	// MaxSnapshot is the largest snapshot, in bytes.
	MaxSnapshot = maxBody
	// maxGroup bounds the entries that wait for the disk, in bytes: beyond it Append waits before it takes a number.
	maxGroup = 4 << 20
)

// Journal is an open journal. It is safe for concurrent use; a nil Journal refuses everything.
//
// A goroutine of the journal writes and syncs, so that a context bounds the wait of every caller even while a disk hangs.
// It ends with Close.
type Journal struct {
	path     string
	maxEntry int
	found    Recovery

	wake    chan struct{} // has room for one: there is something to do
	stopped chan struct{} // closed when the goroutine has returned

	// Of the goroutine alone, once Open has returned.
	dir      durable.Dir
	unlock   io.Closer
	seg      segment
	base     uint64 // last entry that the snapshot stands for
	appended bool   // something follows the last empty frame
	crowd    int64  // callers that the last sync served or kept waiting
	closed   error  // result of closing

	waiting atomic.Int64 // callers in group

	mu      sync.Mutex // guards the rest
	next    uint64     // number of the next entry
	durable uint64     // last entry on stable storage
	end     int64      // bytes on stable storage
	group   *group     // not yet taken by the goroutine, or nil
	spares  [][]byte   // buffers for groups: one gathers while another is written
	todo    []*compaction
	failed  error // *PoisonedError
	open    bool
}

// group is a number of entries that are written together.
type group struct {
	buf   []byte // room for a head, and entries
	count uint32 // of entries
	err   error  // set before done is closed
	done  chan struct{}
}

// compaction is a call of Compact.
type compaction struct {
	through  uint64
	snapshot []byte
	err      error // set before done is closed
	done     chan struct{}
}

// Open opens the journal in a directory, and creates both if they do not exist: the directory with mode 0700 in an existing
// parent, its files with mode 0600. It locks the directory ([ErrLocked]), reads and verifies all entries, cuts an incomplete
// group off the end, and syncs. A [*DamageError] leaves the file as it was. Locks need a Unix system with flock; elsewhere
// Open fails with errors.ErrUnsupported.
func Open(dir string, opts Options) (*Journal, error) {
	return OpenIn(durable.OS(dir), dir, opts)
}

// OpenIn is Open for a directory that may not be one of the operating system; path names it in errors.
func OpenIn(dir durable.Dir, path string, opts Options) (*Journal, error) {
	path = filepath.Join(path, fileName)
	if opts.MaxEntry < 0 || opts.MaxEntry > maxMaxEntry {
		return nil, fmt.Errorf("journal: MaxEntry %d is not in 0..%d", opts.MaxEntry, maxMaxEntry)
	}
	if opts.MaxEntry == 0 {
		opts.MaxEntry = defaultMaxEntry
	}
	if opts.Existing { // before the lock, which is made with the directory
		f, err := dir.Open(fileName)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("journal: open %s: %w", path, err)
		}
	}
	unlock, err := dir.Lock()
	if err != nil {
		return nil, fmt.Errorf("journal: open %s: %w", path, err)
	}
	j := &Journal{
		path: path, maxEntry: opts.MaxEntry, dir: dir, unlock: unlock, open: true,
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	started := false
	defer func() { // a Replay may panic
		if !started {
			_ = j.release() // the first error tells more
		}
	}()
	if err := j.load(opts); err != nil {
		return nil, err
	}
	started = true
	go j.run()
	return j, nil
}

// load reads the file and makes it fit for appending.
func (j *Journal) load(opts Options) error {
	f, err := j.dir.Open(fileName)
	if errors.Is(err, fs.ErrNotExist) && !opts.Existing {
		j.found.Created = true
		f, err = j.createFile()
	}
	if err != nil {
		return fmt.Errorf("journal: open %s: %w", j.path, err)
	}
	j.seg.file = f
	size, err := f.Size()
	if err != nil {
		return fmt.Errorf("journal: open %s: %w", j.path, err)
	}
	r := replay{path: j.path, file: f, size: size, fn: opts.Replay}
	if err := r.run(); err != nil {
		return err
	}
	created := j.found.Created
	j.seg, j.base, j.appended = r.seg, r.base, r.appended
	j.found = r.found()
	j.found.Created = created
	if opts.Accept != nil {
		if err := opts.Accept(j.found); err != nil {
			return err
		}
	}
	if err := j.settle(r.last); err != nil {
		return fmt.Errorf("journal: recover %s: %w", j.path, err)
	}
	j.next, j.durable, j.end = j.seg.next, j.seg.next-1, j.seg.end
	return nil
}

// createFile makes an empty journal under its name at once, so that a crash never leaves a part of a header.
func (j *Journal) createFile() (durable.File, error) {
	s, err := newSegment(j.dir, 0, 0, nil)
	if err != nil {
		return nil, err
	}
	if err = s.file.Sync(); err == nil {
		err = j.dir.Rename(tempName, fileName)
	}
	if err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	return s.file, nil
}

// settle makes what was read survive a loss of power. The last frame, at offset last, may have been in memory alone, and
// after a failed sync the kernel may take it for written: so it is written again. Those before it were synced.
func (j *Journal) settle(last int64) error {
	if j.found.Cut > 0 {
		if err := j.seg.file.Truncate(j.seg.end); err != nil {
			return err
		}
	}
	if last > headerSize { // the first frame was synced before the file got its name
		buf := make([]byte, j.seg.end-last)
		if _, err := j.seg.file.ReadAt(buf, last); err != nil && err != io.EOF {
			return err
		}
		if _, err := j.seg.file.WriteAt(buf, last); err != nil {
			return err
		}
	}
	if err := j.seg.file.Sync(); err != nil {
		return err
	}
	if err := j.dir.Remove(tempName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return j.dir.Sync()
}

func (j *Journal) release() error {
	var err error
	if j.seg.file != nil {
		err = j.seg.file.Close()
	}
	return errors.Join(err, j.unlock.Close())
}

// Append adds an entry and returns its number: nil only once it survives a crash. The payload may be empty and is copied.
// A ctx that has ended refuses; one that ends while the entry is being written makes Append return early, with the number:
// whether the entry is in the journal is not known then. Nor is it after a [*PoisonedError].
func (j *Journal) Append(ctx context.Context, payload []byte) (seq uint64, err error) {
	return j.AppendBatch(ctx, payload)
}

// AppendBatch is Append for several entries of which after a crash either all or none are found. It returns the number
// of the first; the others follow it. A batch without entries is refused.
func (j *Journal) AppendBatch(ctx context.Context, payloads ...[]byte) (first uint64, err error) {
	if j == nil {
		return 0, ErrClosed
	}
	if len(payloads) == 0 {
		return 0, errors.New("journal: batch without entries")
	}
	size := 0
	for i, p := range payloads {
		if len(p) > j.maxEntry {
			return 0, fmt.Errorf("%w: payload %d has %d bytes, MaxEntry is %d", ErrTooLarge, i, len(p), j.maxEntry)
		}
		if size += len(p) + 5; size > MaxBatch {
			return 0, fmt.Errorf("%w: the batch exceeds %d bytes", ErrTooLarge, MaxBatch)
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("journal: append: %w", err)
	}
	g, first, err := j.place(ctx, payloads, size)
	if err != nil {
		return 0, err
	}
	select {
	case <-g.done:
	case <-ctx.Done():
		return first, fmt.Errorf("journal: entry %d is still being written: %w", first, ctx.Err())
	}
	return first, g.err
}

// place gives the entries their numbers and a place in a group that will be written.
func (j *Journal) place(ctx context.Context, payloads [][]byte, size int) (*group, uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		if err := j.refusal(); err != nil {
			return nil, 0, err
		}
		full := j.group
		if full == nil || len(full.buf)+size <= maxGroup {
			break
		}
		j.mu.Unlock()
		select {
		case <-full.done:
		case <-ctx.Done():
		}
		j.mu.Lock()
		if err := ctx.Err(); err != nil {
			return nil, 0, fmt.Errorf("journal: append: %w", err)
		}
	}
	g, first := j.gathering(), j.next
	for _, p := range payloads {
		g.buf = appendEntry(g.buf, p)
	}
	g.count += uint32(len(payloads)) // at most MaxBatch/5
	j.waiting.Add(1)
	j.next += uint64(len(payloads))
	j.rouse()
	return g, first, nil
}

// gathering is the group that entries are added to. The lock must be held.
func (j *Journal) gathering() *group {
	if j.group == nil {
		var buf []byte
		if n := len(j.spares); n > 0 {
			buf, j.spares = j.spares[n-1][:0], j.spares[:n-1]
		}
		j.group = &group{buf: append(buf, make([]byte, frameSize)...), done: make(chan struct{})}
	}
	return j.group
}

// Compact replaces the entries up to and including through by a snapshot, the state after exactly these, from which Replay
// starts next time. Later entries stay, and appends wait meanwhile. Of a crash at any moment either the old or the new state is left. If it fails
// without a [*PoisonedError] the journal goes on as before. A ctx that ends leaves the outcome open.
func (j *Journal) Compact(ctx context.Context, through uint64, snapshot []byte) error {
	if j == nil {
		return ErrClosed
	}
	if len(snapshot) > MaxSnapshot {
		return fmt.Errorf("%w: the snapshot has %d bytes, the limit is %d", ErrTooLarge, len(snapshot), MaxSnapshot)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("journal: compact: %w", err)
	}
	c := &compaction{through: through, snapshot: bytes.Clone(snapshot), done: make(chan struct{})}
	j.mu.Lock()
	if err := j.refusal(); err != nil {
		j.mu.Unlock()
		return err
	}
	j.todo = append(j.todo, c)
	j.rouse()
	j.mu.Unlock()
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("journal: still compacting: %w", ctx.Err())
	}
}

// refusal is why nothing is accepted, or nil. The lock must be held.
func (j *Journal) refusal() error {
	if j.failed != nil {
		return j.failed
	}
	if !j.open {
		return ErrClosed
	}
	return nil
}

// Err returns nil while the journal accepts entries, and else the error of every Append: a [*PoisonedError] or [ErrClosed].
func (j *Journal) Err() error {
	if j == nil {
		return ErrClosed
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.refusal()
}

// Recovery returns what Open found.
func (j *Journal) Recovery() Recovery {
	if j == nil {
		return Recovery{}
	}
	return j.found
}

// Last returns the number of the last entry on stable storage, or 0, and the size of the file in bytes.
func (j *Journal) Last() (seq uint64, size int64) {
	if j == nil {
		return 0, 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable, j.end
}

// Close waits for the entries and compactions under way, marks the end, so that damage to the last entries is told from a
// crash, and releases the directory. If the journal was poisoned it returns why. A second Close returns nil.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	first := j.open
	j.open = false
	j.rouse()
	j.mu.Unlock()
	<-j.stopped
	if !first {
		return nil
	}
	return j.closed
}
