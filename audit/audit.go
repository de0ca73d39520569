// Package audit keeps a tamper-evident record of a training run: an append-only file in which every entry carries the hash
// of the one before, and in which an entry that was acknowledged survives a crash.
//
// For most uses call [Open] once, wrap the [Log] in a [Recorder] for the Runner of this module, and [Log.Append] the events
// that deserve a trail of their own: a privacy charge, a refusal, a checkpoint, a configuration. Store [Log.Head] somewhere
// else from time to time, and give it to [VerifyFile] later.
//
// # What is promised
//
// Append returns nil only when the entry is on stable storage, so that it survives kill -9 and the loss of power
// (Options.SyncEvery trades the latter for speed). Many goroutines share one fsync. A failed write or fsync ends the log:
// the kernel may have dropped the pages that it could not write, so nothing after it can be trusted until Open has read
// the file again. A last line that a crash left unfinished was never acknowledged; Open cuts it and records that it did.
// Any other damage makes Open and [Verify] fail, naming the place; nothing is skipped.
//
// # What is not
//
// A chain of hashes shows an entry changed, inserted, removed, repeated or moved. Alone it does not show that the newest
// entries were removed, or that the file was replaced by another consistent one: who can write the file can write the
// hashes. A [Head] kept out of reach of that party (with the model, in a ticket, in another log) shows both, for all that
// was appended before it was taken. A log is as secret as its file, which is created with mode 0600: data is written as it
// is given, so keep secrets out of events.
//
// # The file
//
// One JSON object per line, at most 1 MiB of data each, readable with any tool. The hash of an entry is SHA-256 over a
// prefix of this format, the previous hash, and the bytes of the line in front of its own hash, as they are stored:
// verification never encodes data anew, so that a field added to an event leaves old entries valid. TestFormat checks
// these words against an independent computation.
package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind says what an event is about: a short dotted name of at most 64 lower-case letters, digits, '.', '_' and '-' that
// starts with a letter. Beside the kinds of this package, callers use their own; those that start with "audit." belong to
// the log itself and are refused.
type Kind string

// Kinds of events that a training run has.
const (
	KindStep       Kind = "step"       // one attempt of a step, written by Recorder
	KindBatch      Kind = "batch"      // a batch that ended, written by Recorder
	KindCharge     Kind = "charge"     // privacy budget was spent
	KindRefusal    Kind = "refusal"    // a policy refused
	KindBreaker    Kind = "breaker"    // a breaker changed its state
	KindCarbon     Kind = "carbon"     // a run was paused or resumed for its carbon intensity
	KindCheckpoint Kind = "checkpoint" // a checkpoint was saved or restored
	KindConfig     Kind = "config"     // the configuration in force
	KindNote       Kind = "note"       // anything a person wants on record

	// KindRecovered is written by Open after it cut a last line that a crash left unfinished. Its data holds the number
	// of bytes cut and the offset in the file where they began.
	KindRecovered Kind = "audit.recovered"
)

const (
	// MaxData is the largest size of an event's data, encoded as JSON, in bytes.
	MaxData = 1 << 20

	maxKind = 64
	maxRun  = 128
)

// Event is what is to be recorded.
type Event struct {
	Kind Kind
	// Run identifies the training run: at most 128 letters, digits and characters out of "._:/@+=-". It may be empty.
	Run string
	// Data is encoded by encoding/json. Numbers that are not finite have no JSON form and make Append fail; wrap those
	// that may become so in [Float]. A json.RawMessage is checked and compacted.
	Data any
}

// check returns the event's data as it will be stored.
func (ev *Event) check() ([]byte, error) {
	if !validKind(string(ev.Kind)) || reserved(ev.Kind) {
		return nil, fmt.Errorf("audit: kind %s is not a dotted lower-case name of at most %d bytes outside \"audit.\"",
			quote(string(ev.Kind)), maxKind)
	}
	if err := checkRun(ev.Run); err != nil {
		return nil, err
	}
	data, err := json.Marshal(ev.Data)
	if err != nil {
		return nil, fmt.Errorf("audit: data of %s event: %w", ev.Kind, err)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("audit: data of %s event is not valid UTF-8", ev.Kind)
	}
	data = printable(data)
	if len(data) > MaxData {
		return nil, fmt.Errorf("%w: %s event has %d bytes, the limit is %d", ErrTooLarge, ev.Kind, len(data), MaxData)
	}
	return data, nil
}

// printable escapes what JSON allows in a string but a terminal may obey, such as direction marks, so that a log can be
// shown as it is. Outside ASCII, JSON text has nothing but the content of strings.
func printable(data []byte) []byte {
	if bytes.IndexFunc(data, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return data
	}
	out := make([]byte, 0, len(data)+64)
	for _, r := range string(data) {
		switch hi, lo := utf16.EncodeRune(r); {
		case unicode.IsPrint(r):
			out = utf8.AppendRune(out, r)
		case hi == unicode.ReplacementChar:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		}
	}
	return out
}

func reserved(k Kind) bool { return strings.HasPrefix(string(k), "audit.") }

func checkRun(run string) error {
	if !validRun(run) {
		return fmt.Errorf("audit: run %s is not made of at most %d letters, digits and \"._:/@+=-\"", quote(run), maxRun)
	}
	return nil
}

func validKind(s string) bool {
	if s == "" || len(s) > maxKind || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

func validRun(s string) bool {
	if len(s) > maxRun {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == ':', c == '/', c == '@', c == '+', c == '=', c == '-':
		default:
			return false
		}
	}
	return true
}

// Float is a number in an event's data that may be NaN or infinite, as a loss may: it is stored as the string "NaN",
// "+Inf" or "-Inf" then, and as a JSON number otherwise.
type Float float64

// MarshalJSON implements json.Marshaler.
func (f Float) MarshalJSON() ([]byte, error) {
	switch v := float64(f); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"+Inf"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Inf"`), nil
	default:
		return json.Marshal(v)
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Float) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "null":
		return nil
	case `"NaN"`:
		*f = Float(math.NaN())
	case `"+Inf"`:
		*f = Float(math.Inf(1))
	case `"-Inf"`:
		*f = Float(math.Inf(-1))
	default:
		v, err := strconv.ParseFloat(string(data), 64)
		if err != nil {
			return fmt.Errorf("audit: number: %w", err)
		}
		*f = Float(v)
	}
	return nil
}
