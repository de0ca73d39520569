package logging

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

const traceparentLen = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

// Trace names a span of a distributed trace, as W3C Trace Context does. The zero Trace is none.
type Trace struct {
	ID    [16]byte // of the whole trace
	Span  [8]byte
	Flags byte // 1: sampled
}

// NewTrace starts a trace with random ids.
func NewTrace() Trace {
	var t Trace
	rand.Read(t.ID[:]) // never fails
	rand.Read(t.Span[:])
	return t
}

// Child returns a new span of the same trace.
func (t Trace) Child() Trace {
	rand.Read(t.Span[:])
	return t
}

// ParseTraceparent reads the header of that name (W3C Trace Context, section 3.2). Of a version above 0 it reads what
// version 0 has.
func ParseTraceparent(header string) (Trace, error) {
	bad := func(why string) (Trace, error) { return Trace{}, fmt.Errorf("logging: traceparent %s", why) }
	if len(header) < traceparentLen {
		return bad("is too short")
	}
	var t Trace
	var version, flags [1]byte
	for _, part := range []struct {
		dst  []byte
		from int
	}{{version[:], 0}, {t.ID[:], 3}, {t.Span[:], 36}, {flags[:], 53}} {
		text := header[part.from : part.from+2*len(part.dst)]
		for i := range len(text) {
			if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return bad("has a digit that is not lower-case hexadecimal")
			}
		}
		hex.Decode(part.dst, []byte(text))
	}
	switch {
	case header[2] != '-' || header[35] != '-' || header[52] != '-':
		return bad("is not divided by dashes")
	case version[0] == 0xff, version[0] == 0 && len(header) != traceparentLen, len(header) > traceparentLen && header[traceparentLen] != '-':
		return bad("has an unknown form")
	case t.ID == [16]byte{} || t.Span == [8]byte{}:
		return bad("has an id of zeros")
	}
	t.Flags = flags[0]
	return t, nil
}

// TraceID returns the id of the trace in hexadecimal.
func (t Trace) TraceID() string { return hex.EncodeToString(t.ID[:]) }

// SpanID returns the id of the span in hexadecimal.
func (t Trace) SpanID() string { return hex.EncodeToString(t.Span[:]) }

// Traceparent returns the header for calls that belong to the span.
func (t Trace) Traceparent() string {
	return fmt.Sprintf("00-%x-%x-%02x", t.ID, t.Span, t.Flags)
}
