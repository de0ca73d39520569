package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Entry is an event as it is stored.
type Entry struct {
	Seq         uint64    // counts from 1
	Time        time.Time // in UTC
	Kind        Kind
	Run         string
	Correlation string
	Data        json.RawMessage // canonical JSON
}

// The parts of an entry, in their order, which is that of canonical JSON.
const (
	partID   = `{"cid":"`
	partData = `","data":`
	partKind = `,"kind":"`
	partRun  = `","run":"`
	partSeq  = `","seq":`
	partTime = `,"time":"`
	partEnd  = `","v":2}`

	// maxEntry is the largest entry of a bundle, whose length has 16 bits.
	maxEntry = 1<<16 - 1
)

// append appends the stored form of e, whose data is canonical.
func (e *Entry) append(dst []byte) []byte {
	dst = append(dst, partID...)
	dst = append(dst, e.Correlation...)
	dst = append(dst, partData...)
	dst = append(dst, e.Data...)
	dst = append(dst, partKind...)
	dst = append(dst, e.Kind...)
	dst = append(dst, partRun...)
	dst = append(dst, e.Run...)
	dst = append(dst, partSeq...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(dst, partTime...)
	dst = e.Time.AppendFormat(dst, time.RFC3339Nano)
	return append(dst, partEnd...)
}

var errForm = errors.New("not an entry of this format")

// reader reads stored entries. Its buffers are for checking that they are just what append makes.
type reader struct {
	canon   canonicalizer
	scratch []byte
	last    Entry // whose strings are used again
}

// parse reads a stored entry, whose Data is a part of it, and accepts just what append makes. What stands behind the data
// has no quotes in its values, so that it is read from the end.
func (r *reader) parse(text []byte) (e Entry, err error) {
	rest, ok1 := bytes.CutPrefix(text, []byte(partID))
	n := bytes.IndexByte(rest, '"')
	if !ok1 || n < 0 {
		return e, errForm
	}
	id, rest := rest[:n], rest[n:]
	rest, ok1 = bytes.CutPrefix(rest, []byte(partData))
	rest, ok2 := bytes.CutSuffix(rest, []byte(partEnd))
	rest, when, ok3 := cutLast(rest, '"', partTime)
	rest, seq, ok4 := cutLast(rest, ':', partSeq)
	rest, run, ok5 := cutLast(rest, '"', partRun)
	data, kind, ok6 := cutLast(rest, '"', partKind)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 {
		return e, errForm
	}
	if e.Seq, err = strconv.ParseUint(string(seq), 10, 64); err != nil || seq[0] == '0' {
		return e, errForm
	}
	if e.Time, ok1 = parseTime(when); !ok1 {
		return e, errForm
	}
	e.Kind, e.Run, e.Correlation, e.Data = r.last.Kind, r.last.Run, r.last.Correlation, data
	if string(e.Kind) != string(kind) {
		e.Kind = Kind(kind)
	}
	if e.Run != string(run) {
		e.Run = string(run)
	}
	if e.Correlation != string(id) {
		e.Correlation = string(id)
	}
	if !validKind(string(e.Kind)) || !validName(e.Run) || !validName(e.Correlation) {
		return e, errForm
	}
	if r.scratch, err = r.canon.append(r.scratch[:0], data); err != nil || !bytes.Equal(r.scratch, data) {
		return e, errCanonical
	}
	r.last = e
	r.last.Data = nil
	return e, nil
}

// cutLast cuts text behind the last occurrence of a part, which ends in the given byte, where that is the last one.
func cutLast(text []byte, end byte, part string) (before, after []byte, ok bool) {
	i := bytes.LastIndexByte(text, end) + 1
	if i < len(part) || string(text[i-len(part):i]) != part {
		return nil, nil, false
	}
	return text[:i-len(part)], text[i:], true
}

// parseTime reads what time.RFC3339Nano makes of a time in UTC, in its one form.
func parseTime(text []byte) (t time.Time, ok bool) {
	const form = "0000-00-00T00:00:00"
	n := len(form)
	if len(text) < n+1 || text[len(text)-1] != 'Z' {
		return t, false
	}
	for i := range n {
		if c := text[i]; form[i] != '0' && c != form[i] || form[i] == '0' && (c < '0' || c > '9') {
			return t, false
		}
	}
	num := func(i, j int) (v int) {
		for _, c := range text[i:j] {
			v = 10*v + int(c-'0')
		}
		return v
	}
	nanos, fraction := 0, text[n:len(text)-1]
	if len(fraction) > 0 {
		if len(fraction) < 2 || len(fraction) > 10 || fraction[0] != '.' || fraction[len(fraction)-1] == '0' {
			return t, false
		}
		for i := 1; i < 10; i++ {
			nanos *= 10
			if i < len(fraction) {
				if fraction[i] < '0' || fraction[i] > '9' {
					return t, false
				}
				nanos += int(fraction[i] - '0')
			}
		}
	}
	year, month, day, hour, minute, second := num(0, 4), num(5, 7), num(8, 10), num(11, 13), num(14, 16), num(17, 19)
	t = time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return t, t.Day() == day && int(t.Month()) == month && hour < 24 && minute < 60 && second < 60
}

// appendBundled appends an entry to a bundle: its length in 16 bits, and its bytes.
func appendBundled(dst, text []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(text))), text...)
}

// cutBundled returns the first entry of a bundle and the rest.
func cutBundled(bundle []byte) (text, rest []byte, ok bool) {
	if len(bundle) < 2 {
		return nil, bundle, false
	}
	n := int(binary.BigEndian.Uint16(bundle))
	if n > len(bundle)-2 {
		return nil, bundle, false
	}
	return bundle[2 : 2+n : 2+n], bundle[2+n:], true
}

func (e Entry) String() string {
	return fmt.Sprintf("%d %s %s %s %s", e.Seq, e.Time.Format(time.RFC3339Nano), e.Kind, e.Run, Printable(e.Data))
}
