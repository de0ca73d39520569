package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/surefoot-ml/surefoot/internal/deliver"
	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/internal/journal"
)

// Config of a ledger. The zero value opens one that exists.
type Config struct {
	// Create makes a new ledger, and fails with [ErrExists] if there is one. Without it Open fails with [ErrMissing] if there is none: a
	// ledger that was deleted must not silently become a full budget.
	Create bool
	// Thresholds are parts of a cap, above 0 and up to 1, at which OnThreshold is called. Default: 0.8 and 0.95; an empty list that is not
	// nil is none.
	Thresholds []float64
	// OnThreshold, if not nil, is told when what is spent and reserved of an account first reaches a threshold. It runs in the
	// goroutine that crossed it, outside all locks, and may use the ledger. An account is told of a threshold once in its life: what a
	// crash came before is told after the next Open, and what it interrupted is told again.
	OnThreshold func(Crossing)
	// SnapshotBytes is how much is written, about, before a snapshot replaces it. Default: 16 MiB.
	SnapshotBytes int64
	// Logger is told of recoveries and of snapshots that fail; nil is silent.
	Logger *slog.Logger
}

// Recovery is what Open found.
type Recovery struct {
	Created bool   // the ledger is new
	Clean   bool   // it was closed, or is new
	Entries uint64 // that were replayed
	Cut     int64  // bytes of an incomplete group that were cut off the end; none of it was acknowledged
	Orphans int    // open reservations whose process is gone: they are spent; after a crash the last 63 commits may be among them
}

const (
	defaultSnapshot = 16 << 20
	leastSnapshot   = 4 << 10
)

// Ledger is an open ledger. All methods are safe for concurrent use; a nil Ledger refuses everything.
type Ledger struct {
	config  Config
	journal *journal.Journal
	found   Recovery
	prices  prices
	known   atomic.Pointer[directory]
	due     atomic.Bool // a snapshot

	mu        sync.Mutex // guards what follows
	book      *book
	handles   map[uint64]*Reservation // of open reservations
	current   map[int]*Job            // by index
	deadline  time.Time               // the earliest of a handle, or zero
	buf       []byte
	scratch   record
	done      []uint64       // reservations that were committed, and of which the journal does not know yet
	ticket    journal.Ticket // of the last record
	closed    bool
	crossed   map[int]int // thresholds queued, by account
	grown     int64       // bytes of records since the last snapshot
	compactAt int64       // of grown
	compacts  bool

	told    deliver.Queue[crossing]
	running sync.WaitGroup // a compaction
}

// Open opens the ledger in a directory, replays and checks its journal, and takes it for this process alone ([ErrLocked]). Reservations
// that were open are spent from then on: the process that made them is gone.
func Open(dir string, c Config) (*Ledger, error) {
	return openIn(durable.OS(dir), dir, c)
}

func openIn(dir durable.Dir, path string, c Config) (*Ledger, error) {
	c, err := c.normal()
	if err != nil {
		return nil, err
	}
	l := &Ledger{config: c, handles: map[uint64]*Reservation{}, current: map[int]*Job{}, crossed: map[int]int{}}
	replay := newReplay()
	if l.journal, err = journal.OpenIn(dir, path, journal.Options{Existing: !c.Create, Replay: replay.entry}); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrMissing, err)
		}
		return nil, fmt.Errorf("ledger: open %s: %w", path, err)
	}
	l.book, l.compactAt = replay.book, c.SnapshotBytes
	_, l.grown = l.journal.Last()
	l.list()
	if err := l.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger: open %s: %w", path, err), l.journal.Close())
	}
	if c.Logger != nil {
		c.Logger.Info("ledger opened", "path", path, "created", l.found.Created, "clean", l.found.Clean, "entries", l.found.Entries,
			"cut_bytes", l.found.Cut, "orphans", l.found.Orphans)
	}
	l.deliver()
	return l, nil
}

func (c Config) normal() (Config, error) {
	if c.Thresholds == nil {
		c.Thresholds = []float64{0.8, 0.95}
	}
	c.Thresholds = slices.Clone(c.Thresholds)
	slices.Sort(c.Thresholds)
	c.Thresholds = slices.Compact(c.Thresholds)
	for _, t := range c.Thresholds {
		if !(t > 0 && t <= 1) {
			return c, fmt.Errorf("%w: Config.Thresholds has %v, want numbers above 0, up to 1", ErrInvalid, t)
		}
	}
	if c.SnapshotBytes == 0 {
		c.SnapshotBytes = defaultSnapshot
	}
	if c.SnapshotBytes < leastSnapshot {
		return c, fmt.Errorf("%w: Config.SnapshotBytes = %d, want at least %d", ErrInvalid, c.SnapshotBytes, leastSnapshot)
	}
	return c, nil
}

// begin writes what a new ledger begins with, or spends what the last process left open.
func (l *Ledger) begin() error {
	found := l.journal.Recovery()
	l.found = Recovery{Clean: found.Clean, Entries: found.Entries, Cut: found.Cut, Orphans: len(l.book.open)}
	var first *record
	switch {
	case !l.book.begun && !l.config.Create:
		return ErrMissing
	case !l.book.begun: // a journal without a beginning is one whose creation was cut short
		l.found.Created = true
		first = &record{kind: kindGenesis}
		if _, err := rand.Read(first.id[:]); err != nil {
			return err
		}
	case l.config.Create:
		return ErrExists
	case len(l.book.open) > 0:
		first = &record{kind: kindBoot}
	}
	l.mu.Lock()
	var err error
	if first != nil {
		err = l.put(first)
	}
	for i := range l.book.accounts {
		l.cross(i)
	}
	ticket := l.ticket
	l.mu.Unlock()
	if first == nil || err != nil {
		return err
	}
	return ticket.Wait(context.Background())
}

// replay rebuilds the book.
type replay struct {
	book *book
	r    record
}

func newReplay() *replay { return &replay{book: newBook()} }

func (p *replay) entry(e journal.Entry) (err error) {
	if e.Snapshot {
		p.book, err = decodeBook(e.Payload)
		return err
	}
	if err := p.r.decode(e.Payload); err != nil {
		return err
	}
	return p.book.apply(&p.r)
}

// ID names the ledger: it is drawn when the ledger is created.
func (l *Ledger) ID() string {
	if l == nil {
		return ""
	}
	return hexID(l.book.id) // never changes
}

// Recovery returns what Open found.
func (l *Ledger) Recovery() Recovery {
	if l == nil {
		return Recovery{}
	}
	return l.found
}

// Close waits for the disk and gives the directory back. Leases and reservations that are still open will be spent: close and resolve
// them first. If the ledger was poisoned it returns why. A second Close returns nil.
func (l *Ledger) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if !l.closed {
		_ = l.flush() // without it they are open, and spent by the next Open
	}
	l.closed = true
	for _, j := range l.current {
		j.fenced.Store(true)
	}
	l.mu.Unlock()
	l.running.Wait()
	if err := l.journal.Close(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// Err returns nil while the ledger takes charges, else why it does not.
func (l *Ledger) Err() error {
	if l == nil {
		return ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal()
}

// refusal needs the lock.
func (l *Ledger) refusal() error {
	if l.closed {
		return ErrClosed
	}
	if err := l.journal.Err(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// put gives a record its place in the journal and applies it. The lock must be held. What is applied but not yet durable is seen by
// others who hold the lock, but they cannot make anything durable before it.
func (l *Ledger) put(r *record) error {
	if err := l.book.check(r); err != nil {
		return err
	}
	l.buf = r.append(l.buf[:0])
	if err := l.stage(); err != nil {
		return err
	}
	l.book.do(r)
	switch r.kind {
	case kindAccount:
		l.list()
	case kindReserve:
		for _, p := range r.parts {
			l.cross(p.account)
		}
	}
	return nil
}

// stage gives the record in buf its place. The lock must be held.
func (l *Ledger) stage() error {
	t, err := l.journal.Stage(l.buf)
	if err != nil {
		return err
	}
	l.ticket = t
	if l.grown += int64(len(l.buf)) + entryOverhead; l.grown >= l.compactAt && !l.compacts {
		l.due.Store(true)
	}
	return nil
}

// entryOverhead is what the journal adds to a record where few share a group, in bytes.
const entryOverhead = 29

// list publishes the accounts for those who do not hold the lock.
func (l *Ledger) list() {
	l.known.Store(&directory{maps.Clone(l.book.accountNames), slices.Clone(l.book.accounts)})
}

// change does something under the lock that puts records, and returns the ticket of the last. It is done again where the journal had
// no place for all of them: those that it has put are there then.
func (l *Ledger) change(ctx context.Context, do func() error) (journal.Ticket, error) {
	if l == nil {
		return journal.Ticket{}, ErrClosed
	}
	for {
		l.mu.Lock()
		var err error
		switch {
		case l.closed:
			err = ErrClosed
		case !l.deadline.IsZero():
			err = l.expire(time.Now())
		}
		if err == nil {
			err = do()
		}
		ticket := l.ticket
		l.mu.Unlock()
		if !errors.Is(err, journal.ErrBusy) {
			return ticket, err
		}
		if err := l.journal.Room(ctx); err != nil {
			return journal.Ticket{}, fmt.Errorf("ledger: %w", err)
		}
	}
}

// changed is change for callers who want what they see to be on stable storage, whoever put it there.
func (l *Ledger) changed(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	ticket, err := l.change(ctx, do)
	if err != nil {
		return err
	}
	return l.wait(ctx, ticket)
}

// wait returns once a ticket is on stable storage. The zero ticket is that of the journal as it was opened.
func (l *Ledger) wait(ctx context.Context, t journal.Ticket) error {
	if t != (journal.Ticket{}) {
		if err := t.Wait(ctx); err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
	}
	l.deliver()
	l.maybeCompact()
	return nil
}

// maybeCompact starts a compaction when the journal has grown enough since the last.
func (l *Ledger) maybeCompact() {
	if !l.due.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.compacts || !l.due.Load() || l.flush() != nil { // the next will try again
		return
	}
	l.due.Store(false)
	l.compacts = true
	through, state := l.ticket.Seq(), l.book.append(nil)
	before := l.grown
	l.running.Go(func() {
		l.compacted(l.journal.Compact(context.Background(), through, state), before, int64(len(state)))
	})
}

// compacted notes the end of a compaction. One that failed without poisoning the journal cost nothing; it is tried again when as much was
// written once more. A snapshot is written at most as often as entries of its size.
func (l *Ledger) compacted(err error, before, size int64) {
	l.mu.Lock()
	l.compacts = false
	if err == nil {
		l.grown -= before
		l.compactAt = max(l.config.SnapshotBytes, size)
	} else {
		l.compactAt = l.grown + max(l.config.SnapshotBytes, size)
	}
	l.mu.Unlock()
	switch {
	case l.config.Logger == nil:
	case err != nil:
		l.config.Logger.Error("ledger snapshot failed", "error", err)
	default:
		l.config.Logger.Debug("ledger snapshot written", "bytes", size)
	}
}
