package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind says what an event is about: a short dotted name of at most 64 lower-case letters, digits, '.', '_' and '-' that
// starts with a letter. Beside the kinds of this package, callers use their own; those that start with "audit." belong to
// the log itself and are refused.
type Kind string

// Kinds of events that a training run has. Some have a type for their data.
const (
	KindStep       Kind = "step"       // [Step], written by Recorder
	KindBatch      Kind = "batch"      // [Batch], written by Recorder
	KindCharge     Kind = "charge"     // privacy budget was spent: [Charge]
	KindRefusal    Kind = "refusal"    // a policy refused: [Refusal]
	KindBreaker    Kind = "breaker"    // a breaker changed its state: [BreakerChange]
	KindCarbon     Kind = "carbon"     // a carbon interval, a pause or its end: [CarbonInterval]
	KindCheckpoint Kind = "checkpoint" // a checkpoint of the model was saved or restored: [ModelCheckpoint]
	KindConfig     Kind = "config"     // the configuration in force, or a change of it: [ConfigChange]
	KindSecurity   Kind = "security"   // a threat or an access: [Security]
	KindCompliance Kind = "compliance" // a verdict on a rule: [Compliance]
	KindNote       Kind = "note"       // anything a person wants on record
)

// Kinds of the log itself.
const (
	// KindCreated is the first entry of a log: its public key.
	KindCreated Kind = "audit.created"
	// KindRecovered follows a process that did not close the log: how many entries before it no head had signed until then,
	// how many bytes of an incomplete group were cut off the journal, and the offset where they began.
	KindRecovered Kind = "audit.recovered"
	// KindDropped says how many events were dropped since the last such entry.
	KindDropped Kind = "audit.dropped"
	// KindKey hands over to another key; the old one signed that.
	KindKey Kind = "audit.key"
	// KindPruned says that the entries up to a number were deleted. Their hashes stay.
	KindPruned Kind = "audit.pruned"
)

const (
	// MaxData is the largest size of an event's data, as canonical JSON, in bytes: an entry has to fit into 65535.
	MaxData = 64000

	maxKind = 64
	maxName = 128
)

// Event is what is to be recorded.
type Event struct {
	// Kind may be left out if Data is of a type of this package, such as [Charge].
	Kind Kind
	// Run identifies the training run: at most 128 letters, digits and characters out of "._:/@+=-". It may be empty.
	Run string
	// Data is encoded by encoding/json and then brought into canonical form. Numbers that are not finite have no JSON form
	// and make Append fail; wrap those that may become so in [Float]. So do integers beyond ±2^53, which readers of JSON
	// round: write them as strings. A json.RawMessage is checked too.
	Data any
}

// scratch is what one call of Append works in.
type scratch struct {
	canon canonicalizer
	json  bytes.Buffer
	enc   *json.Encoder
	data  []byte
	text  []byte
}

var scratches = sync.Pool{New: func() any {
	s := new(scratch)
	s.enc = json.NewEncoder(&s.json)
	s.enc.SetEscapeHTML(false)
	return s
}}

func (s *scratch) free() {
	if cap(s.data)+cap(s.text)+s.json.Cap() < 8*MaxData {
		scratches.Put(s)
	}
}

// typed is data that knows its kind.
type typed interface{ kind() Kind }

// appender is data that writes canonical JSON by itself.
type appender interface {
	appendJSON(dst []byte) []byte
	exact() bool // it is not nil and its integers are within ±2^53
}

// encode puts the event's data into s.data, as it will be stored.
func (s *scratch) encode(ev *Event, redact func(Kind, []byte) ([]byte, error)) error {
	if ev.Kind == "" {
		if t, ok := ev.Data.(typed); ok {
			if v := reflect.ValueOf(t); v.Kind() == reflect.Pointer && v.IsNil() {
				return fmt.Errorf("audit: data of an event is a nil %T", t)
			}
			ev.Kind = t.kind()
		}
	}
	if !validKind(string(ev.Kind)) || reserved(ev.Kind) {
		return fmt.Errorf("audit: kind %s is not a dotted lower-case name of at most %d bytes outside \"audit.\"",
			quote(string(ev.Kind)), maxKind)
	}
	if err := checkRun(ev.Run); err != nil {
		return err
	}
	return s.encodeData(ev, redact)
}

func (s *scratch) encodeData(ev *Event, redact func(Kind, []byte) ([]byte, error)) (err error) {
	var raw []byte
	switch data := ev.Data.(type) {
	case appender:
		if !data.exact() {
			return fmt.Errorf("audit: data of %s event: nil, or an integer beyond ±2^53", ev.Kind)
		}
		s.data = data.appendJSON(s.data[:0])
		return s.finish(ev, redact)
	case json.RawMessage:
		if raw = data; data == nil {
			raw = []byte("null")
		}
	default:
		s.json.Reset()
		if err := s.enc.Encode(ev.Data); err != nil {
			return fmt.Errorf("audit: data of %s event: %w", ev.Kind, err)
		}
		raw = s.json.Bytes()
	}
	if s.data, err = s.canon.append(s.data[:0], raw); err != nil {
		return fmt.Errorf("audit: data of %s event: %w", ev.Kind, err)
	}
	return s.finish(ev, redact)
}

// finish redacts s.data, which is canonical.
func (s *scratch) finish(ev *Event, redact func(Kind, []byte) ([]byte, error)) error {
	if redact != nil {
		clean, err := redact(ev.Kind, bytes.Clone(s.data))
		if err != nil {
			return fmt.Errorf("audit: redaction of %s event: %w", ev.Kind, err)
		}
		if s.data, err = s.canon.append(s.data[:0], clean); err != nil {
			return fmt.Errorf("audit: redacted data of %s event: %w", ev.Kind, err)
		}
	}
	if len(s.data) > MaxData {
		return fmt.Errorf("%w: %s event has %d bytes, the limit is %d", ErrTooLarge, ev.Kind, len(s.data), MaxData)
	}
	return nil
}

func checkTime(t time.Time, kind Kind) error {
	if t = t.UTC(); t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return fmt.Errorf("audit: time of %s event is not in the years 1 to 9999", quote(string(kind)))
	}
	return nil
}

// Printable escapes what JSON allows in a string but a terminal may obey, such as direction marks, so that data can be
// shown as it is. It stays the same JSON value. Outside ASCII, JSON text has nothing but the content of strings.
func Printable(data []byte) []byte {
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
	if !validName(run) {
		return fmt.Errorf("audit: run %s is not made of at most %d letters, digits and \"._:/@+=-\"", quote(run), maxName)
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

func validName(s string) bool {
	if len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if !nameByte(s[i]) {
			return false
		}
	}
	return true
}

func nameByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
	case c == '.', c == '_', c == ':', c == '/', c == '@', c == '+', c == '=', c == '-':
	default:
		return false
	}
	return true
}

type correlationKey struct{}

// WithCorrelation returns a context whose events carry a correlation id, such as that of a request or a trace. An id is
// made of what a run is made of (see [Event]): other bytes become '_', and it is cut to 128 of them.
func WithCorrelation(ctx context.Context, id string) context.Context {
	clean := []byte(id[:min(len(id), maxName)])
	for i, c := range clean {
		if !nameByte(c) {
			clean[i] = '_'
		}
	}
	return context.WithValue(ctx, correlationKey{}, string(clean))
}

// Correlation returns the correlation id of a context, or "".
func Correlation(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}
