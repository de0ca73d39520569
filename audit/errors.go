package audit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

var (
	// ErrPoisoned is matched by every [*PoisonedError].
	ErrPoisoned = errors.New("audit: log cannot be written any more")
	// ErrClosed is returned by a log that was closed, or never opened.
	ErrClosed error = refusal("audit: log is closed")
	// ErrDropped is matched by the error of an event that was dropped and counted.
	ErrDropped error = neutral("audit: event dropped")
	// ErrLocked is matched by the error of Open for a directory that is open as a Log already, here or in another process.
	ErrLocked = durable.ErrLocked
	// ErrTooLarge is matched by the error of Append for data above MaxData.
	ErrTooLarge = errors.New("audit: data too large")
	// ErrKey is matched by the error of a log whose heads are signed by another key than the given one.
	ErrKey = errors.New("audit: wrong key")
	// ErrWitness is matched by the error of a checkpoint that lacks signatures of witnesses.
	ErrWitness = errors.New("audit: not witnessed")
)

// refusal is an error that goes with the log and not with what the caller does: retrying cannot help, and it says nothing
// about the health of a step.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) Permanent() bool { return true }
func (refusal) Neutral() bool   { return true }

// neutral is an error that says nothing about the health of a step, and may not come again.
type neutral string

func (n neutral) Error() string { return string(n) }
func (neutral) Neutral() bool   { return true }

// PoisonedError says that a write or an fsync failed, and with what. It matches [ErrPoisoned] and wraps the cause.
type PoisonedError struct {
	Path string
	Err  error
}

func (e *PoisonedError) Error() string {
	return fmt.Sprintf("audit: %s cannot be written any more, reopen it: %v", e.Path, e.Err)
}

func (e *PoisonedError) Unwrap() []error { return []error{ErrPoisoned, e.Err} }

// Permanent reports true: the log stays as it is until it is reopened.
func (e *PoisonedError) Permanent() bool { return true }

// Neutral reports true: a full disk says nothing about the health of a step.
func (e *PoisonedError) Neutral() bool { return true }

// DamageError says that a log is not as it was written, and where that begins.
type DamageError struct {
	Path   string // the file
	Seq    uint64 // the first entry that cannot be trusted, or 0 if that is not known
	Offset int64  // of it in the file, in bytes
	Reason string
}

// Error names the place.
func (e *DamageError) Error() string {
	return fmt.Sprintf("audit: %s is damaged at entry %d (offset %d): %s", e.Path, e.Seq, e.Offset, e.Reason)
}

// Permanent is true: reading again does not help.
func (e *DamageError) Permanent() bool { return true }

// fileError is the error of reading a file of a log that is there: one that is a directory or a pipe, or huge, is damage.
func fileError(path string, err error) error {
	if errors.Is(err, durable.ErrIrregular) {
		return &DamageError{Path: path, Reason: "it is not a regular file of a reasonable size"}
	}
	return fmt.Errorf("audit: %w", err)
}

// HeadError says that a log does not begin with the entries that it once had: it was cut, or rewritten.
type HeadError struct {
	Path string // the directory
	Want Head   // as it was kept
	Have Head   // of the whole log if that ends before Want, else of as many entries
}

// Error says what was lost.
func (e *HeadError) Error() string {
	if e.Have.Size < e.Want.Size {
		return fmt.Sprintf("audit: %s has %d entries but had %d: it was cut", e.Path, e.Have.Size, e.Want.Size)
	}
	return fmt.Sprintf("audit: %s was rewritten: the head of its first %d entries is %v but was %v",
		e.Path, e.Want.Size, e.Have.Hash, e.Want.Hash)
}

// Permanent is true: reading again does not help.
func (e *HeadError) Permanent() bool { return true }

// quote shows a string of unknown origin in an error.
func quote(s string) string { return strconv.Quote(clip(s, 80)) }

// clip cuts s to at most about limit bytes and says how many it left out.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > max(0, limit-utf8.UTFMax) && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes more)", s[:cut], len(s)-cut)
}

// oneLine makes a text of unknown origin safe to show on one line: what is not printable (line ends, terminal escapes,
// direction marks, invalid UTF-8) is escaped, and the text is cut to at most about limit bytes first.
func oneLine(s string, limit int) string {
	if len(s) > limit { // not within a word: half a secret is one that redaction does not know
		if i := strings.LastIndexAny(s[:limit], " \t\r\n"); i > 0 {
			limit = i
		}
	}
	s = clip(s, limit)
	clean := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		if clean(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.Quote(s[i : i+size])
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
