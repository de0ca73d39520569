package audit

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/surefoot-ml/surefoot/internal/journal"
)

// prunedData is the data of KindPruned. It repeats how the keys came to be those of the log, which the deleted entries
// may have said.
type prunedData struct {
	Through uint64  `json:"through"`
	Reason  string  `json:"reason,omitempty"`
	Keys    keyring `json:"keys"`
}

// Prune deletes old entries: all in bundles of 256 that end before the given number. Their hashes stay, so that the rest
// verifies as before and whoever kept an entry can still prove it. That they are deleted, why, and through which entry is
// itself recorded and signed first. It returns the last number that is deleted. A Verify that has begun just before may
// miss the record and report damage; one that begins later does not.
func (l *Log) Prune(ctx context.Context, before uint64, reason string) (through uint64, err error) {
	if l == nil || l.wake == nil {
		return 0, ErrClosed
	}
	l.build.Lock()
	done := l.builder.pruned
	l.build.Unlock()
	head, err := l.Checkpoint(ctx)
	if err != nil && !errors.Is(err, ErrWitness) {
		return 0, err
	}
	through = min(before-min(before, 1), head.Size)
	through -= through % tileWidth
	if through <= done { // what a crash left is removed
		through = done
	}
	if through == 0 {
		return 0, nil
	}
	data := prunedData{Through: through, Reason: oneLine(reason, maxErrorText), Keys: l.keyring(head.Size)}
	if through > done {
		if _, err := l.appendOwn(ctx, KindPruned, data, nil); err != nil {
			return done, err
		}
	}
	l.mu.Lock()
	l.shorten = true // what is deleted must not stay in the journal
	l.mu.Unlock()
	if _, err := l.Checkpoint(ctx); err != nil && !errors.Is(err, ErrWitness) {
		return done, err
	}
	l.build.Lock()
	defer l.build.Unlock()
	l.builder.pruned = max(l.builder.pruned, through)
	for n := range through / tileWidth {
		if err := l.builder.shelf.removeBundle(n); err != nil {
			return through, fmt.Errorf("audit: prune %s: %w", l.path, err)
		}
	}
	if err := l.builder.shelf.sync(); err != nil {
		return through, fmt.Errorf("audit: prune %s: %w", l.path, err)
	}
	return through, nil
}

// appendOwn appends an entry of the log itself. then is called as soon as it has its place, with the lock held.
func (l *Log) appendOwn(ctx context.Context, kind Kind, data any, then func(seq uint64)) (uint64, error) {
	s := scratches.Get().(*scratch)
	defer s.free()
	ev := Event{Kind: kind, Data: data}
	if err := s.encodeData(&ev, nil); err != nil {
		return 0, err
	}
	for {
		ticket, gen, err := l.placeOwn(ctx, &ev, s, then)
		if errors.Is(err, journal.ErrBusy) {
			if err := l.room(ctx); err != nil {
				return 0, err
			}
			continue
		}
		if err == nil {
			if err = ticket.Wait(ctx); err == nil {
				return ticket.Seq(), nil
			}
		}
		if errors.Is(err, journal.ErrPoisoned) {
			l.fail(gen, err)
		}
		return 0, fmt.Errorf("audit: %s event: %w", kind, err)
	}
}

func (l *Log) placeOwn(ctx context.Context, ev *Event, s *scratch, then func(seq uint64)) (journal.Ticket, int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(); err != nil {
		return journal.Ticket{}, l.gen, err
	}
	ticket, err := l.stage(time.Time{}, Correlation(ctx), ev, s)
	if err == nil && then != nil {
		then(ticket.Seq())
	}
	return ticket, l.gen, err
}

// RotateKey makes another key sign the log from now on: the old key signs that, as an entry, and heads before it stay
// valid. Give the new public key to those who verify: who holds an old key can still write another log for those who trust
// that one. Nil makes a new key in the file beside the log, if that is where the old one is. Otherwise keep the new key safe
// before the call, and pass it in Options.Key from the next Open on: a crash may leave either in force.
func (l *Log) RotateKey(ctx context.Context, key crypto.Signer) error {
	if l == nil || l.wake == nil {
		return ErrClosed
	}
	l.build.Lock() // one rotation at a time
	defer l.build.Unlock()
	l.mu.Lock()
	old := l.signers[len(l.signers)-1].signer
	err := l.refusal()
	l.mu.Unlock()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("audit: rotate key: %w", err)
	}
	own := key == nil
	if own {
		if l.opts.Key != nil {
			return fmt.Errorf("%w: a log with Options.Key needs another one to rotate to", ErrKey)
		}
		if k, err := readKey(l.root, nextKeyName); err == nil { // a rotation that was cut short may have put it in force
			if s, err := newKeySigner(k, old.name); err == nil && s.verifier == old.verifier {
				if err := errors.Join(l.root.Rename(nextKeyName, keyName), l.root.Sync()); err != nil {
					return fmt.Errorf("audit: %w", err)
				}
			}
		}
		k, err := newKey(l.root, nextKeyName)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		key = k
	}
	next, err := newKeySigner(key, old.name)
	if err != nil {
		return err
	}
	sig, err := old.Sign(handoverText(old.verifier, next.verifier))
	if err != nil {
		return fmt.Errorf("audit: hand over to another key: %w", err)
	}
	record := handover{Key: next.verifier, Signature: base64.StdEncoding.EncodeToString(sig)}
	_, err = l.appendOwn(ctx, KindKey, record, func(seq uint64) {
		record.Seq = seq
		l.signers = append(l.signers, signerAt{seq, next, record})
	})
	if err != nil {
		return err
	}
	if own {
		err = l.root.Rename(nextKeyName, keyName)
	} else {
		l.opts.Key = key
		if err = l.root.Remove(keyName); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err == nil {
		err = l.root.Sync()
	}
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}
