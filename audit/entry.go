package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Hash is a SHA-256 hash.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Head names an entry, and through its hash everything in front of it. Kept away from the log, it proves later that the
// log still contains that entry and has not been rewritten. The zero Head is that of an empty log.
type Head struct {
	Seq  uint64
	Hash Hash
}

// String returns the head in the form that [ParseHead] reads, such as "17:9f86d0...".
func (h Head) String() string { return strconv.FormatUint(h.Seq, 10) + ":" + h.Hash.String() }

// ParseHead reads what [Head.String] returned.
func ParseHead(s string) (Head, error) {
	seq, sum, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil || len(sum) != 2*sha256.Size {
		return Head{}, fmt.Errorf("audit: head %s is not a number, a colon and %d hexadecimal digits", quote(s), 2*sha256.Size)
	}
	h := Head{Seq: n}
	if _, err := hex.Decode(h.Hash[:], []byte(sum)); err != nil {
		return Head{}, fmt.Errorf("audit: head %s: %w", quote(s), err)
	}
	return h, nil
}

// MarshalText implements encoding.TextMarshaler, so that a head can be part of JSON.
func (h Head) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Head) UnmarshalText(text []byte) error {
	v, err := ParseHead(string(text))
	if err != nil {
		return err
	}
	*h = v
	return nil
}

// Entry is an event as it is stored.
type Entry struct {
	Seq  uint64    // counts from 1
	Time time.Time // in UTC
	Kind Kind
	Run  string
	Data json.RawMessage
	Prev Hash // of the entry before; zero for the first
	Hash Hash
}

// head returns the head of a log that ends with e.
func (e *Entry) head() Head { return Head{Seq: e.Seq, Hash: e.Hash} }

// The parts of a line, in their order. The last two are of fixed length, so that data needs no parsing to find its end.
const (
	partSeq  = `{"v":1,"seq":`
	partTime = `,"time":"`
	partKind = `","kind":"`
	partRun  = `","run":"`
	partData = `","data":`
	partPrev = `,"prev":"`
	partHash = `","hash":"`
	partEnd  = `"}`

	lenHash = len(partHash) + 2*sha256.Size + len(partEnd)
	lenPrev = len(partPrev) + 2*sha256.Size

	// maxLine bounds what a reader holds in memory: data and the rest of a line, whose parts are all bounded.
	maxLine = MaxData + 1024

	// domain keeps an entry's hash from being that of anything else.
	domain = "surefoot audit entry v1\x00"
)

// encoder writes entries. Its buffer is for the bytes that are hashed.
type encoder struct{ hashed []byte }

// append appends the line of e, without the line end, and sets e.Hash.
func (enc *encoder) append(dst []byte, e *Entry) []byte {
	start := len(dst)
	dst = append(dst, partSeq...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(dst, partTime...)
	dst = e.Time.AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, partKind...)
	dst = append(dst, e.Kind...)
	dst = append(dst, partRun...)
	dst = append(dst, e.Run...)
	dst = append(dst, partData...)
	dst = append(dst, e.Data...)
	dst = append(dst, partPrev...)
	dst = hex.AppendEncode(dst, e.Prev[:])

	enc.hashed = append(enc.hashed[:0], domain...)
	enc.hashed = append(enc.hashed, e.Prev[:]...)
	enc.hashed = append(enc.hashed, dst[start:]...)
	e.Hash = sha256.Sum256(enc.hashed)

	dst = append(dst, partHash...)
	dst = hex.AppendEncode(dst, e.Hash[:])
	return append(dst, partEnd...)
}

var errForm = errors.New("not the line of an entry")

// parse reads a line into fields, whose Data is a part of it. It leaves open whether line is what an encoder makes of them.
func parse(line []byte) (e Entry, err error) {
	rest, ok := bytes.CutPrefix(line, []byte(partSeq))
	if !ok || len(rest) < lenPrev+lenHash {
		return e, errForm
	}
	rest, hash := rest[:len(rest)-lenHash], rest[len(rest)-lenHash:]
	rest, prev := rest[:len(rest)-lenPrev], rest[len(rest)-lenPrev:]
	if _, err := hex.Decode(e.Prev[:], prev[len(partPrev):]); err != nil {
		return e, errForm
	}
	if _, err := hex.Decode(e.Hash[:], hash[len(partHash):len(hash)-len(partEnd)]); err != nil {
		return e, errForm
	}
	seq, rest, ok1 := bytes.Cut(rest, []byte(partTime))
	when, rest, ok2 := bytes.Cut(rest, []byte(partKind))
	kind, rest, ok3 := bytes.Cut(rest, []byte(partRun))
	run, data, ok4 := bytes.Cut(rest, []byte(partData))
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return e, errForm
	}
	if e.Seq, err = strconv.ParseUint(string(seq), 10, 64); err != nil {
		return e, errForm
	}
	if e.Time, err = time.Parse(time.RFC3339Nano, string(when)); err != nil {
		return e, errForm
	}
	e.Time = e.Time.UTC()
	e.Kind, e.Run, e.Data = Kind(kind), string(run), data
	if !validKind(string(kind)) || !validRun(e.Run) || !json.Valid(data) {
		return e, errForm
	}
	return e, nil
}

// link reads a line that is to follow the entry prev. It is valid if encoding its fields gives just its bytes; the error
// says what is wrong with it otherwise.
func (enc *encoder) link(line, scratch []byte, prev Head) (e Entry, _ []byte, err error) {
	if e, err = parse(line); err != nil {
		return e, scratch, err
	}
	if e.Seq != prev.Seq+1 {
		return e, scratch, fmt.Errorf("entry %d stands in its place", e.Seq)
	}
	if e.Prev != prev.Hash {
		return e, scratch, errors.New("it does not follow the entry before it")
	}
	if scratch = enc.append(scratch[:0], &e); !bytes.Equal(scratch, line) {
		return e, scratch, errors.New("its content does not have its hash")
	}
	return e, scratch, nil
}
