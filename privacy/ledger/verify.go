package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/internal/journal"
)

// Verify recomputes all balances from the journal of a directory, checks every entry against all rules, and reports what it finds. It changes
// nothing and takes no lock, so that it may look at a ledger that is in use; reservations that are open are shown as reserved.
func Verify(dir string) (Report, error) { return verifyIn(durable.OS(dir), dir) }

func verifyIn(dir durable.Dir, path string) (Report, error) {
	replay, last := newReplay(), uint64(0)
	_, err := journal.Read(dir, path, func(e journal.Entry) error {
		last = e.Seq
		return replay.entry(e)
	})
	if err == nil {
		err = replay.book.audit()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	case err == nil && !replay.book.begun:
		err = ErrMissing
	}
	if err != nil {
		return Report{}, fmt.Errorf("ledger: verify %s: %w", path, err)
	}
	return replay.book.report(last, nil), nil
}

func hexID(id [16]byte) string { return hex.EncodeToString(id[:]) }
