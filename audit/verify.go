package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// Trust is what a verifier knows from elsewhere. The zero Trust believes the key that the log names: that finds accidents,
// and changes by those who do not hold its key.
type Trust struct {
	// Keys are public keys of the log, as [Log.Key] returned them: one of them, or one that it handed over to, has to have
	// signed the log.
	Keys []string
	// Heads are heads that the log once had and has to have still, as [Log.Head] and [Log.Checkpoint] returned them.
	Heads []Head
	// Witnesses are public keys of witnesses, of which at least Quorum (all if zero) have to have signed one checkpoint.
	Witnesses []string
	Quorum    int
}

// Report is what [Verify] found.
type Report struct {
	Entries   uint64    // in all, with those that were deleted
	Pruned    uint64    // entries that were deleted, on record in the log: the first ones
	First     time.Time // time of the first entry that is left
	Last      time.Time // time of the last entry
	Head      Head      // of all entries
	Signed    Head      // of those under the checkpoint
	Key       string    // public key that signed it
	Witnessed Head      // of those under the checkpoint that witnesses have signed
	Cosigned  []string  // names of these
	Torn      int64     // bytes of an incomplete group at the end, left by a crash or being written just now
}

// Verify reads a whole log and checks every file of it, as a stranger would who has the directory, or a mirror of it
// without the journal, and what Trust says. The error is a [*DamageError] or a [*HeadError], or matches [ErrKey],
// [ErrWitness] or fs.ErrNotExist. It changes nothing and may run while the log is being written. It needs memory for the
// journal alone.
func Verify(dir string, trust Trust) (Report, error) {
	return verify(durable.OS(dir), dir, trust, func(*Entry) bool { return true })
}

// verify calls yield for each entry until it is false, which ends verification without an error.
func verify(root durable.Dir, path string, trust Trust, yield func(*Entry) bool) (Report, error) {
	var rep Report
	witnesses, err := witnessVerifiers(trust.Witnesses)
	if err != nil {
		return rep, err
	}
	if trust.Quorum < 0 || trust.Quorum > len(witnesses) {
		return rep, fmt.Errorf("audit: Trust.Quorum is %d of %d witnesses", trust.Quorum, len(witnesses))
	}
	heads := trust.Heads
	witnessed, err := readWitnessed(root, path)
	if err != nil {
		return rep, err
	}
	if witnessed != nil {
		heads = append(heads[:len(heads):len(heads)], witnessed.head)
	}
	s, err := openScanner(root, path, heads)
	if err != nil {
		return rep, err
	}
	defer s.close()
	rep.Torn = s.src.found.Cut
	for {
		e, err := s.next()
		if err != nil {
			rep.Entries, rep.Head, rep.Pruned = s.tree.size, s.tree.head(), s.gone
			if errors.Is(err, io.EOF) {
				break
			}
			return rep, err
		}
		if rep.First.IsZero() {
			rep.First = e.Time
		}
		rep.Last = e.Time
		if !yield(&e) {
			return rep, errStopped
		}
	}
	if s.checkpoint != nil {
		rep.Signed, rep.Key = s.checkpoint.head, s.keys.at(s.checkpoint.head.Size)
	}
	if !s.keys.upTo(s.signed()).trusted(trust.Keys) || s.checkpoint == nil && len(trust.Keys) > 0 {
		return rep, fmt.Errorf("%w: %s is signed by %s, which none of the trusted keys has handed over to", ErrKey, path, rep.Key)
	}
	return rep, rep.witnesses(s, witnessed, witnesses, trust.Quorum)
}

// errStopped ends verification early.
var errStopped = errors.New("audit: stopped")

// witnesses judges the signatures of witnesses on the checkpoint, or else on the last one that had any.
func (rep *Report) witnesses(s *scanner, witnessed *signedHead, known []note.Verifier, quorum int) error {
	for _, c := range []*signedHead{witnessed, s.checkpoint} {
		if c == nil {
			continue
		}
		names, err := c.verify(s.keys.at(c.head.Size), known)
		if err != nil && c == witnessed {
			return s.damaged(witnessedName, 0, 0, err.Error())
		}
		if err != nil {
			return s.damaged(checkpointName, 0, 0, err.Error())
		}
		if len(names) > 0 {
			rep.Witnessed, rep.Cosigned = c.head, names
		}
	}
	if quorum == 0 {
		quorum = len(known)
	}
	if len(known) > 0 && len(rep.Cosigned) < quorum {
		return fmt.Errorf("%w: %s has the signatures of %d witnesses, not %d", ErrWitness, s.path, len(rep.Cosigned), quorum)
	}
	return nil
}

// Entries reads a log and yields its entries in order, those in the journal included. Each is checked by itself and
// against its tile; the last pair has an error if the log as a whole does not pass [Verify] with the zero Trust, so that
// entries before it may be forged. Entries that were deleted are left out.
func Entries(dir string) iter.Seq2[Entry, error] {
	return entries(durable.OS(dir), dir)
}

func entries(root durable.Dir, path string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		_, err := verify(root, path, Trust{}, func(e *Entry) bool {
			own := *e
			own.Data = bytes.Clone(e.Data)
			return yield(own, nil)
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(Entry{}, err)
		}
	}
}

func readWitnessed(root durable.Dir, path string) (*signedHead, error) {
	text, err := root.Read(witnessedName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileError(filepath.Join(path, witnessedName), err)
	}
	c, err := parseCheckpoint(text)
	if err != nil || c.head.Size == 0 {
		return nil, (&scanner{path: path}).damaged(witnessedName, 0, 0, errNote.Error())
	}
	return &c, nil
}
