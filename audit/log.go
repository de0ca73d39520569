package audit

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/internal/journal"
)

// Options of a log. The zero value uses the defaults.
type Options struct {
	// Key signs heads: an Ed25519 key, such as an ed25519.PrivateKey or one in a KMS. Nil makes and uses one in a file
	// beside the log, which protects from those alone who cannot read that file.
	Key crypto.Signer
	// Origin names the log in its heads: something unique such as "example.com/runs/7", made of letters, digits and
	// "._:/@=-". Empty derives a name from the key. It is fixed when the log is created.
	Origin string
	// CheckpointEvery bounds the time from an Append to a signed head that covers it, while the disk allows: 1 s if zero.
	// If it is negative, only Checkpoint and Close sign.
	CheckpointEvery time.Duration
	// OnFailure says what becomes of events while the disk is full or fails.
	OnFailure Policy
	// Redact, if not nil, is given the data of each event as canonical JSON, before it is hashed or stored, and returns
	// what to store instead. Its error refuses the event. It may be called from several goroutines at once. It is not
	// given the kind, run and correlation id of an event, nor the reason of Prune: these are names, not places for data.
	Redact func(kind Kind, data []byte) ([]byte, error)
	// Witness, if not nil, signs heads too. WitnessTimeout bounds how long it may take: 5 s if zero.
	Witness        Witness
	WitnessTimeout time.Duration
	// Quick makes Open read the journal and not the tiles, whose damage it does not find then: Verify does.
	Quick bool
	// Logger is told of recoveries and failures. Nil means silence.
	Logger *slog.Logger

	compactAt int64 // size from which the journal is shortened, in bytes
}

// Policy says what Append does while the disk is full or fails. Whatever it is, nothing that was acknowledged is lost, and
// nothing is acknowledged that is not on stable storage.
type Policy int

const (
	// Fail makes Append return a [*PoisonedError], until the log is opened anew; and a passing error while more than 64 MiB
	// wait for tiles that cannot be written.
	Fail Policy = iota
	// Block makes Append wait until its context ends, or the log has healed: it tries to, again and again. An entry that
	// had reached the disk before the failure is not written twice.
	Block
	// Drop makes Append return an error that matches [ErrDropped] at once and counts. The log tries to heal too, and then
	// records how many events it dropped.
	Drop
)

const (
	defaultEvery          = time.Second
	defaultWitnessTimeout = 5 * time.Second
	// buildAt is how much waits for its tiles before they are built ahead of a checkpoint, in bytes, and maxPlaced how
	// much may wait while they cannot be written.
	buildAt   = 4 << 20
	maxPlaced = 64 << 20
	maxOut    = 1024 // tiles
	// defaultCompactAt is twice what the journal gathers at most before tiles are built.
	defaultCompactAt = 8 << 20
)

// Log appends entries to a Merkle log. It is safe for concurrent use. A nil or zero Log refuses every entry.
//
// Goroutines of the log write, sync and sign, so that a context bounds the wait of every caller even while a disk hangs.
// They end with Close.
type Log struct {
	root   durable.Dir
	path   string
	opts   Options
	logger *slog.Logger

	wake    chan struct{} // has room for one: there is something to do
	stopped chan struct{} // closed when the keeper has returned
	closed  error         // result of closing

	build   sync.Mutex // guards builder; taken before mu
	builder builder

	mu      sync.Mutex // guards the rest
	journal *journal.Journal
	next    uint64 // number of the next entry
	last    journal.Ticket
	placed  []byte // entries that the builder does not have yet, as in a bundle
	spare   []byte
	idle    bool       // the keeper sleeps until something is placed
	behind  bool       // too much waits for tiles that cannot be written
	signers []signerAt // in the order of entries
	waiting []*request
	stats   Stats
	untold  uint64 // dropped events that no entry tells of
	gen     int    // of the journal
	failed  error  // *PoisonedError, while the journal accepts nothing
	fatal   bool   // which does not heal
	healed  chan struct{}
	rescued source // what the journal had when it had healed
	open    bool
	shorten bool // the journal has to be compacted with the next head
}

// signerAt is a key and the first head that it signs.
type signerAt struct {
	from   uint64
	signer *keySigner
	record handover
}

// request is a call of Checkpoint.
type request struct {
	head Head
	err  error // set before done is closed
	done chan struct{}
}

// Stats counts what happened to a log since it was opened.
type Stats struct {
	Entries          uint64 // on stable storage, in all
	Signed           uint64 // entries under the checkpoint
	Witnessed        uint64 // entries under the last checkpoint that the witness signed
	Dropped          uint64 // events
	Healed           uint64 // failures of the disk that the log has recovered from
	CheckpointErrors uint64
	WitnessErrors    uint64
}

// Append records an event with the present time. It returns the entry's number, and nil only once the entry survives a
// crash. A ctx that has ended refuses; one that ends while the entry is being written makes Append return early, with the
// number: whether the entry is in the log is not known then. Nor is it after a [*PoisonedError], until the log is opened
// again.
func (l *Log) Append(ctx context.Context, ev Event) (seq uint64, err error) {
	return l.append(ctx, time.Time{}, ev)
}

// AppendAt is Append with another time, such as that of events which happened elsewhere. Entries keep the order in which
// they were appended.
func (l *Log) AppendAt(ctx context.Context, t time.Time, ev Event) (seq uint64, err error) {
	if err := checkTime(t, ev.Kind); err != nil {
		return 0, err
	}
	return l.append(ctx, t.UTC(), ev)
}

func (l *Log) append(ctx context.Context, t time.Time, ev Event) (uint64, error) {
	if l == nil {
		return 0, ErrClosed
	}
	s := scratches.Get().(*scratch)
	defer s.free()
	if err := s.encode(&ev, l.opts.Redact); err != nil {
		return 0, err
	}
	return l.commit(ctx, t, &ev, s)
}

// commit writes what s holds and waits.
func (l *Log) commit(ctx context.Context, t time.Time, ev *Event, s *scratch) (uint64, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("audit: append: %w", err)
		}
		ticket, gen, err := l.place(t, Correlation(ctx), ev, s)
		switch {
		case errors.Is(err, journal.ErrBusy):
			if err := l.room(ctx); err != nil {
				return 0, err
			}
			continue
		case err == nil:
			if err = ticket.Wait(ctx); err == nil {
				return ticket.Seq(), nil
			}
			if !errors.Is(err, journal.ErrPoisoned) {
				return ticket.Seq(), fmt.Errorf("audit: entry %d is still being written: %w", ticket.Seq(), ctx.Err())
			}
			l.fail(gen, err)
		}
		again, err := l.outage(ctx, err)
		if err != nil || !again {
			return ticket.Seq(), err
		}
		if seq := ticket.Seq(); seq > 0 && l.rescue(gen, seq, s.text) {
			return seq, nil
		}
	}
}

// Post is Append that does not wait: nil means that the event has its place in the log and will be written at once, but
// not that it survives a crash. What may be lost then is what the disk has not acknowledged: usually the events of the last
// two syncs, at most 8 MiB. An event that would have to wait for its place is dropped and counted; so is any while the log
// has failed. The error matches [ErrDropped] then.
func (l *Log) Post(ctx context.Context, ev Event) error {
	if l == nil {
		return ErrClosed
	}
	s := scratches.Get().(*scratch)
	defer s.free()
	if err := s.encode(&ev, l.opts.Redact); err != nil {
		return err
	}
	return l.post(ctx, &ev, s)
}

func (l *Log) post(ctx context.Context, ev *Event, s *scratch) error {
	_, gen, err := l.place(time.Time{}, Correlation(ctx), ev, s)
	if err == nil || errors.Is(err, ErrClosed) {
		return err
	}
	if errors.Is(err, journal.ErrPoisoned) {
		l.fail(gen, err)
	}
	return l.drop(err)
}

// place gives an entry its number and its place in a group that will be written. It does not wait.
func (l *Log) place(t time.Time, id string, ev *Event, s *scratch) (journal.Ticket, int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(); err != nil {
		return journal.Ticket{}, l.gen, err
	}
	if l.behind || len(l.placed) > maxPlaced {
		return journal.Ticket{}, l.gen, errBehind
	}
	ticket, err := l.stage(t, id, ev, s)
	if err == nil && l.untold > 0 { // only now: what is busy or fails would not take more of these than of others
		l.tellDropped()
	}
	return ticket, l.gen, err
}

var errBehind error = neutral("audit: too many entries wait for their tiles")

// stage is place with the lock held.
func (l *Log) stage(t time.Time, id string, ev *Event, s *scratch) (journal.Ticket, error) {
	if t.IsZero() {
		t = time.Now().UTC() // under the lock, so that times are in the order of the entries
	}
	e := Entry{Seq: l.next, Time: t, Kind: ev.Kind, Run: ev.Run, Correlation: id, Data: s.data}
	s.text = e.append(s.text[:0])
	ticket, err := l.journal.Stage(s.text)
	if err != nil {
		return journal.Ticket{}, err
	}
	l.next++
	l.last = ticket
	l.placed = appendBundled(l.placed, s.text)
	if l.idle || len(l.placed) > buildAt && len(l.placed)-len(s.text)-2 <= buildAt {
		l.idle = false
		l.rouse()
	}
	return ticket, nil
}

// tellDropped records how many events were dropped. The lock must be held.
func (l *Log) tellDropped() {
	s := scratches.Get().(*scratch)
	defer s.free()
	ev := Event{Kind: KindDropped, Data: map[string]uint64{"events": l.untold}}
	if s.encodeData(&ev, nil) == nil {
		if _, err := l.stage(time.Time{}, "", &ev, s); err == nil {
			l.untold = 0
		}
	}
}

// room waits until a place may be found.
func (l *Log) room(ctx context.Context) error {
	l.mu.Lock()
	j := l.journal
	l.mu.Unlock()
	if err := j.Room(ctx); ctx.Err() != nil {
		return fmt.Errorf("audit: append: %w", err)
	}
	return nil // a failure is told by Stage
}

// rouse tells the keeper that there is something to do.
func (l *Log) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// refusal is why no entry is accepted, or nil. The lock must be held.
func (l *Log) refusal() error {
	if !l.open {
		return ErrClosed
	}
	return l.failed
}

// Err returns nil while the log accepts entries, and else a [*PoisonedError] or [ErrClosed].
func (l *Log) Err() error {
	if l == nil {
		return ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal()
}

// Head returns the head of all entries on stable storage, those not signed yet included. Keep it elsewhere.
func (l *Log) Head() Head {
	if l == nil || l.wake == nil {
		return Head{}
	}
	l.build.Lock()
	defer l.build.Unlock()
	l.integrate()
	return l.builder.tree.head()
}

// Checkpoint signs the head of all that was appended, has the witness sign it, if there is one, and puts it into the
// directory. An error that matches [ErrWitness] says that only the latter failed.
func (l *Log) Checkpoint(ctx context.Context) (Head, error) {
	if l == nil || l.wake == nil {
		return Head{}, ErrClosed
	}
	l.mu.Lock()
	last, gen := l.last, l.gen
	l.mu.Unlock()
	if err := last.Wait(ctx); errors.Is(err, journal.ErrPoisoned) {
		l.fail(gen, err)
	} else if err != nil {
		return Head{}, fmt.Errorf("audit: checkpoint: %w", ctx.Err())
	}
	r := &request{done: make(chan struct{})}
	l.mu.Lock()
	if err := l.refusal(); err != nil {
		l.mu.Unlock()
		return Head{}, err
	}
	l.waiting = append(l.waiting, r)
	l.rouse()
	l.mu.Unlock()
	select {
	case <-r.done:
		return r.head, r.err
	case <-ctx.Done():
		return Head{}, fmt.Errorf("audit: checkpoint: %w", ctx.Err())
	}
}

// Key returns the public key that signs the log, in the encoding of signed notes. Give it to those who verify.
func (l *Log) Key() string {
	if l == nil || l.wake == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.signers[len(l.signers)-1].signer.verifier
}

// Stats returns what happened so far.
func (l *Log) Stats() Stats {
	if l == nil || l.wake == nil {
		return Stats{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Entries, _ = l.journal.Last()
	return s
}

// Close waits until all entries are on stable storage, signs them, and releases the directory. If the log had failed it
// returns why. A second Close returns nil.
func (l *Log) Close() error {
	if l == nil || l.wake == nil {
		return nil
	}
	l.mu.Lock()
	first := l.open
	l.open = false
	l.rouse()
	l.mu.Unlock()
	<-l.stopped
	if !first {
		return nil
	}
	return l.closed
}
