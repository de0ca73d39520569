package journal

import (
	"errors"
	"fmt"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

var (
	// ErrLocked is matched by the error of Open while another [Journal], here or in another process, has the directory.
	ErrLocked = durable.ErrLocked
	// ErrClosed is returned after Close, and by a nil Journal.
	ErrClosed = errors.New("journal: closed")
	// ErrTooLarge is matched when an entry, a batch or a snapshot exceeds its limit. Nothing was written.
	ErrTooLarge = errors.New("journal: too large")
	// ErrPoisoned is matched by every [*PoisonedError].
	ErrPoisoned = errors.New("journal: poisoned")
	// ErrDamaged is matched by every [*DamageError].
	ErrDamaged = errors.New("journal: damaged")
)

// PoisonedError says that a write, a sync or a rename failed, after which a journal accepts nothing until it is opened
// again. The kernel reports a failed write-back once and may drop the pages, so that a second sync would succeed without
// them. Whether the entries that got this error are in the journal is known after the next Open alone.
type PoisonedError struct {
	Path string // of the file
	Err  error  // first failure
}

// Error names the file and the first failure.
func (e *PoisonedError) Error() string {
	return fmt.Sprintf("journal: %s is poisoned: %v", e.Path, e.Err)
}

// Unwrap returns the first failure.
func (e *PoisonedError) Unwrap() error { return e.Err }

// Is matches [ErrPoisoned].
func (e *PoisonedError) Is(target error) bool { return target == ErrPoisoned }

// Permanent is true: the same journal will not recover.
func (e *PoisonedError) Permanent() bool { return true }

// DamageError says that entries which were once on stable storage cannot be read. The file is left as it was.
type DamageError struct {
	Path   string
	Offset int64  // first byte of what cannot be read
	Seq    uint64 // first entry that cannot be read
	Later  int64  // offset of something readable that was written after it, or -1
	Reason string
}

// Error names the place.
func (e *DamageError) Error() string {
	s := fmt.Sprintf("journal: %s is damaged at offset %d, entry %d: %s", e.Path, e.Offset, e.Seq, e.Reason)
	if e.Later >= 0 {
		s += fmt.Sprintf(", yet what follows at offset %d was written later", e.Later)
	}
	return s
}

// Is matches [ErrDamaged].
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

// Permanent is true: reading again does not help.
func (e *DamageError) Permanent() bool { return true }
