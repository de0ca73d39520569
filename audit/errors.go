package audit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrPoisoned is found in every error of a log that failed to write: it accepts nothing more until it is reopened.
	ErrPoisoned = errors.New("audit: log cannot be written any more")
	// ErrClosed is returned by a log that was closed, or never opened.
	ErrClosed error = refusal("audit: log is closed")
	// ErrLocked is returned by Open for a file that is open as a Log already, in this process or another one.
	ErrLocked = errors.New("audit: log is in use")
	// ErrTooLarge is returned by Append for data above MaxData.
	ErrTooLarge = errors.New("audit: data too large")
)

// refusal is an error that goes with the log and not with what the caller does: retrying cannot help, and it says nothing
// about the health of a step.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) Permanent() bool { return true }
func (refusal) Neutral() bool   { return true }

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

// DamageError says that a log is not as it was written, and where that begins. Entry n is line n of the file.
type DamageError struct {
	Path   string // empty if the log was not read from a named file
	Seq    uint64 // the first entry that cannot be trusted
	Offset int64  // of its line, in bytes
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("audit: %s is damaged at entry %d (offset %d): %s", name(e.Path), e.Seq, e.Offset, e.Reason)
}

// HeadError says that a log does not contain an entry that it once had: it was cut, or rewritten.
type HeadError struct {
	Path string // empty if the log was not read from a named file
	Want Head   // as it was kept
	Have Head   // the last entry of the log if that ends before Want, else the entry in the place of Want
}

func (e *HeadError) Error() string {
	if e.Have.Seq < e.Want.Seq {
		return fmt.Sprintf("audit: %s ends at entry %d but had entry %d: it was cut", name(e.Path), e.Have.Seq, e.Want.Seq)
	}
	return fmt.Sprintf("audit: %s was rewritten: entry %d has hash %v but had %v",
		name(e.Path), e.Want.Seq, e.Have.Hash, e.Want.Hash)
}

func name(path string) string {
	if path == "" {
		return "log"
	}
	return path
}

// at names the file in an error about its content.
func at(path string, err error) error {
	switch e := err.(type) {
	case *DamageError:
		e.Path = path
	case *HeadError:
		e.Path = path
	}
	return err
}

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
