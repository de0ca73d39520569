package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options of a log. The zero value is safe and the slowest.
type Options struct {
	// SyncEvery, if positive, lets Append return as soon as the operating system has the entry, and bounds the time
	// until the next fsync. What was acknowledged still survives kill -9; a loss of power may take the entries of the
	// last SyncEvery. Zero makes every Append wait for an fsync.
	SyncEvery time.Duration
	// Logger is told when a torn line was cut and when the log can no longer be written. Nil means silence.
	Logger *slog.Logger
}

// file is what a log needs of an *os.File.
type file interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Truncate(size int64) error
	Close() error
}

// Log appends entries to a file. It is safe for concurrent use. A nil or zero Log refuses every entry.
//
// A goroutine of the log writes and syncs, so that a context bounds the wait of every caller even while a disk hangs. It
// ends with Close.
type Log struct {
	path   string
	every  time.Duration
	logger *slog.Logger

	wake    chan struct{} // has room for one: there is a group to write
	quit    chan struct{} // closed by Close
	stopped chan struct{} // closed when the committer has returned

	// Of the committer alone, once Open has returned.
	file file
	end  int64 // of the last entry in the file

	mu     sync.Mutex // guards the rest
	enc    encoder
	tail   Head   // last entry that has its place
	synced Head   // last entry on stable storage
	group  *group // entries not yet taken by the committer, or nil
	spare  []byte // a buffer for the next group
	failed error  // *PoisonedError
	open   bool
}

// group is a number of entries that are written together.
type group struct {
	lines []byte
	last  Head
	err   error // set before done is closed
	done  chan struct{}
}

// maxGroup bounds the entries that wait for the disk, in bytes: beyond it Append waits before it takes a place.
const maxGroup = 4 << 20

// Open opens the log at path and creates it with mode 0600 if there is none. It locks the file against other processes
// ([ErrLocked]) and verifies every entry: a damaged log is a [*DamageError] and stays as it is. A last line that a crash
// left unfinished is cut, which an entry of kind [KindRecovered] reports. Locks need a Unix system with flock; elsewhere
// Open fails with errors.ErrUnsupported. Opening reads the whole file.
func Open(path string, opts Options) (*Log, error) {
	if opts.SyncEvery < 0 {
		return nil, fmt.Errorf("audit: SyncEvery %v is negative", opts.SyncEvery)
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	l, err := newLog(f, path, opts)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// lockedFile gives its lock back before it is closed: a process that is being started just then has a copy of the
// descriptor for a moment, which would keep the lock.
type lockedFile struct{ *os.File }

func (f lockedFile) Close() error { return errors.Join(unlock(f.File), f.File.Close()) }

// openFile opens and locks a file that only its owner may write, whose name survives a crash.
func openFile(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := prepare(f, path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return lockedFile{f}, nil
}

func prepare(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("audit: %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("audit: %s may be written by others (mode %v)", path, mode)
	}
	if err := lock(f, path); err != nil || info.Size() > 0 {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("audit: sync directory: %w", err)
	}
	return nil
}

// newLog verifies f, repairs its end, and starts the committer.
func newLog(f file, path string, opts Options) (*Log, error) {
	l := &Log{
		path: path, every: opts.SyncEvery, logger: opts.Logger, file: f, open: true,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	s := newScanner(io.NewSectionReader(f, 0, math.MaxInt64))
	for {
		if _, err := s.next(); err == io.EOF {
			break
		} else if err != nil {
			return nil, at(path, err)
		}
	}
	l.tail, l.synced, l.end = s.head, s.head, s.end
	if err := f.Sync(); err != nil { // a process that was killed may have left entries in the page cache alone
		return nil, fmt.Errorf("audit: sync %s: %w", path, err)
	}
	if s.open || s.torn > 0 {
		if err := l.repair(s.open, s.torn); err != nil {
			return nil, fmt.Errorf("audit: cut the torn line of %s at offset %d: %w", path, l.end, err)
		}
	}
	go l.commit()
	return l, nil
}

// repair replaces torn bytes at the end with an entry that says so. A crash in between leaves a shorter torn line, so that
// no cut goes unrecorded.
func (l *Log) repair(open bool, torn int64) error {
	if torn > 1 {
		if err := l.file.Truncate(l.end + 1); err != nil {
			return err
		}
		if err := l.file.Sync(); err != nil {
			return err
		}
	}
	e := Entry{
		Seq: l.tail.Seq + 1, Time: time.Now().UTC(), Kind: KindRecovered, Prev: l.tail.Hash,
		Data: fmt.Appendf(nil, `{"cut":%d,"offset":%d}`, torn, l.end),
	}
	var line []byte
	if open {
		line = append(line, '\n')
	}
	line = append(l.enc.append(line, &e), '\n')
	if _, err := l.file.WriteAt(line, l.end); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.logger.Warn("audit: cut a torn line", "path", l.path, "bytes", torn, "offset", l.end)
	l.end += int64(len(line))
	l.tail, l.synced = e.head(), e.head()
	return nil
}

// Append records an event with the present time. It returns the entry's number, and nil only once the entry will survive
// a crash (see Options.SyncEvery). A ctx that has ended refuses; one that ends while the entry is being written makes
// Append return early, with the number: whether the entry is in the log is not known then. Nor is it after a
// [*PoisonedError], until the log is opened again.
func (l *Log) Append(ctx context.Context, ev Event) (seq uint64, err error) {
	return l.append(ctx, time.Time{}, ev)
}

// AppendAt is Append with another time, such as that of events which happened elsewhere. Entries keep the order in which
// they were appended.
func (l *Log) AppendAt(ctx context.Context, t time.Time, ev Event) (seq uint64, err error) {
	if t = t.UTC(); t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return 0, fmt.Errorf("audit: time of %s event is not in the years 1 to 9999", quote(string(ev.Kind)))
	}
	return l.append(ctx, t, ev)
}

func (l *Log) append(ctx context.Context, t time.Time, ev Event) (uint64, error) {
	if l == nil {
		return 0, ErrClosed
	}
	data, err := ev.check()
	if err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("audit: append: %w", err)
	}
	g, seq, err := l.place(ctx, t, ev, data)
	if err != nil {
		return 0, err
	}
	select {
	case <-g.done:
	case <-ctx.Done():
		return seq, fmt.Errorf("audit: entry %d is still being written: %w", seq, ctx.Err())
	}
	return seq, g.err
}

// place gives the entry its place in the chain and in a group that will be written.
func (l *Log) place(ctx context.Context, t time.Time, ev Event, data []byte) (*group, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if err := l.refusal(); err != nil {
			return nil, 0, err
		}
		full := l.group
		if full == nil || len(full.lines) < maxGroup {
			break
		}
		l.mu.Unlock()
		select {
		case <-full.done:
		case <-ctx.Done():
		}
		l.mu.Lock()
		if err := ctx.Err(); err != nil {
			return nil, 0, fmt.Errorf("audit: append: %w", err)
		}
	}
	if t.IsZero() {
		t = time.Now().UTC() // under the lock, so that times are in the order of the entries
	}
	if l.group == nil {
		l.group = &group{lines: l.spare[:0], done: make(chan struct{})}
		l.spare = nil
	}
	e := Entry{Seq: l.tail.Seq + 1, Time: t, Kind: ev.Kind, Run: ev.Run, Data: data, Prev: l.tail.Hash}
	l.group.lines = append(l.enc.append(l.group.lines, &e), '\n')
	l.tail = e.head()
	l.group.last = l.tail
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return l.group, e.Seq, nil
}

// refusal is why no entry is accepted, or nil. The lock must be held.
func (l *Log) refusal() error {
	if l.failed != nil {
		return l.failed
	}
	if !l.open {
		return ErrClosed
	}
	return nil
}

// Err returns nil while the log accepts entries, and else the error of every Append: a [*PoisonedError] or [ErrClosed].
func (l *Log) Err() error {
	if l == nil {
		return ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal()
}

// Head returns the last entry on stable storage. With Options.SyncEvery it lags behind what Append has acknowledged.
func (l *Log) Head() Head {
	if l == nil {
		return Head{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.synced
}

// Close waits until all entries are on stable storage and releases the file. If the log was poisoned it returns why. A
// second Close returns nil.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	first := l.open
	l.open = false
	l.mu.Unlock()
	if l.quit == nil {
		return nil
	}
	if !first {
		<-l.stopped
		return nil
	}
	close(l.quit)
	<-l.stopped
	err := l.file.Close() // releases the lock
	if l.failed != nil {
		return l.failed
	}
	if err != nil {
		return fmt.Errorf("audit: close: %w", err)
	}
	return nil
}
