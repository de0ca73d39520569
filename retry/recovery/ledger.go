package recovery

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// meta is what a supervisor keeps in every checkpoint, before the caller's state: what goes back in a rollback.
type meta struct {
	Position position      `json:"position"`
	Began    time.Time     `json:"began"`
	Useful   time.Duration `json:"useful_ns"`
	Detector memory        `json:"detector"`
}

// maxNotes bounds meta and ledger: far above any real one, far below what hurts.
const maxNotes = 16 << 20

// bundle is a checkpointer of meta and state: four bytes of length, meta as JSON, the state.
type bundle struct {
	meta  meta
	state Checkpointer
}

func (b *bundle) Save(w io.Writer) error {
	notes, err := json.Marshal(b.meta)
	if err != nil {
		return err
	}
	if len(notes) > maxNotes {
		return fmt.Errorf("%w: %d bytes of notes", ErrTooLarge, len(notes))
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(notes)))); err != nil {
		return err
	}
	if _, err := w.Write(notes); err != nil {
		return err
	}
	return b.state.Save(w)
}

func (b *bundle) Restore(r io.Reader) error {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return fmt.Errorf("notes: %w", err)
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n > maxNotes {
		return fmt.Errorf("notes of %d bytes, want at most %d: not saved by a Supervisor", n, maxNotes)
	}
	notes, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return fmt.Errorf("notes: %w", err)
	}
	var m meta
	if err := json.Unmarshal(notes, &m); err != nil {
		return fmt.Errorf("notes: %w: not saved by a Supervisor", err)
	}
	if err := m.Position.check(); err != nil {
		return err
	}
	if err := b.state.Restore(r); err != nil {
		return err
	}
	b.meta = m
	return nil
}

// ledger is what a supervisor keeps beside the checkpoints: what a rollback must not undo, and a crash not forget.
type ledger struct {
	Step     uint64      `json:"step"`    // the furthest checkpoint that a process began with
	Crashes  int         `json:"crashes"` // of processes that got no further
	Clean    bool        `json:"clean"`   // the last process ended as it should
	Best     uint64      `json:"best"`
	Since    int         `json:"since"`              // recoveries since Best
	Restarts []time.Time `json:"restarts,omitempty"` // rollbacks and starts, oldest first
	Skips    []Range     `json:"skips,omitempty"`
	Size     int         `json:"size,omitempty"`   // of the micro-batch
	Failed   int         `json:"failed,omitempty"` // smallest size that failed
}

const ledgerName = "supervisor.ledger"

// errLedger is what a ledger that could not be written is known by.
var errLedger = errors.New("recovery: ledger")

func (s *Store) saveLedger(l ledger) error {
	_, err := s.write(ledgerName, 0, maxNotes, func(w io.Writer) error { return json.NewEncoder(w).Encode(l) })
	if err != nil {
		return fmt.Errorf("%w: %w", errLedger, err)
	}
	return nil
}

// loadLedger returns an empty ledger if there is none. One that is damaged is an error that matches ErrDamaged.
func (s *Store) loadLedger() (l ledger, found bool, err error) {
	_, err = readFrame(s.dir, ledgerName, maxNotes, func(_ Info, r io.Reader) error {
		var read ledger
		if err := json.NewDecoder(r).Decode(&read); err != nil {
			return damaged(ledgerName, err)
		}
		if err := checkSkips(read.Skips); err != nil {
			return damaged(ledgerName, err)
		}
		l = read
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return ledger{}, false, nil
	}
	return l, err == nil, err
}
