package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// replay reads a segment.
type replay struct {
	path string
	file durable.File
	size int64 // of the file
	fn   func(Entry) error

	seg      segment // what was read so far
	base     uint64  // last entry that the snapshot stands for
	last     int64   // offset of the last frame
	appended bool    // which is not empty
	n        uint64  // entries
}

// run reads to the end of the file or to where a crash left it torn: seg.end is that place.
func (r *replay) run() error {
	src := bufio.NewReaderSize(io.NewSectionReader(r.file, 0, r.size), int(min(r.size, 256<<10)))
	h, err := src.Peek(headerSize)
	if err != nil {
		return r.broken(err, "no header")
	}
	seed, ok := parseHeader(h)
	if !ok {
		return r.broken(nil, "no header")
	}
	if string(h[:len(magic)]) != magic {
		return fmt.Errorf("journal: %s has format %q, not %q: %w", r.path, h[:len(magic)], magic, errors.ErrUnsupported)
	}
	_, _ = src.Discard(headerSize) // of what was peeked
	r.seg = segment{file: r.file, seed: seed, end: headerSize}
	var big []byte
	for first := true; r.seg.end < r.size; first = false {
		h, body, err := r.frame(src, &big, first)
		if err != nil {
			return err
		}
		if body == nil {
			break
		}
		if err := r.deliver(h, body, first); err != nil {
			return err
		}
		r.last, r.appended = r.seg.end, h.count > 0
		r.seg.prev = h.sum
		r.seg.end += frameSize + int64(h.size)
	}
	if r.seg.end == headerSize {
		return r.broken(nil, "no snapshot")
	}
	if r.seg.end < r.size {
		return r.proof()
	}
	return nil
}

// frame returns the next frame, or no body if it is not whole. An empty body is not nil.
func (r *replay) frame(src *bufio.Reader, big *[]byte, first bool) (head, []byte, error) {
	room := r.size - r.seg.end
	if room < frameSize {
		return head{}, nil, nil
	}
	b, err := src.Peek(frameSize)
	if err != nil {
		return head{}, nil, r.broken(err, "")
	}
	h, ok := parseHead(b, r.seg.seed)
	if !ok || !first && h.seq != r.seg.next || h.prev != r.seg.prev || int64(h.size) > room-frameSize || h.size > maxBody {
		return head{}, nil, nil
	}
	_, _ = src.Discard(frameSize) // of what was peeked
	n := int(h.size)
	var body []byte
	if n <= src.Size() {
		if body, err = src.Peek(n); err == nil {
			_, err = src.Discard(n)
		}
	} else {
		if cap(*big) < n {
			*big = make([]byte, n)
		}
		body = (*big)[:n]
		_, err = io.ReadFull(src, body)
	}
	if err != nil {
		return head{}, nil, r.broken(err, "")
	}
	if !h.holds(body) {
		return head{}, nil, nil
	}
	if body == nil {
		body = []byte{}
	}
	return h, body, nil
}

// deliver hands the entries of a frame on.
func (r *replay) deliver(h head, body []byte, first bool) error {
	if first {
		r.base, r.seg.next = h.seq, h.seq+1
		if h.count > 0 {
			return r.call(Entry{Seq: h.seq, Snapshot: true, Payload: body[:len(body):len(body)]})
		}
		return nil
	}
	for range h.count {
		payload, rest, ok := cutEntry(body)
		if !ok {
			return r.broken(nil, "checksums hold, lengths do not")
		}
		if err := r.call(Entry{Seq: r.seg.next, Payload: payload}); err != nil {
			return err
		}
		body = rest
		r.seg.next++
		r.n++
	}
	if len(body) > 0 {
		return r.broken(nil, "checksums hold, lengths do not")
	}
	return nil
}

func (r *replay) call(e Entry) error {
	if r.fn == nil {
		return nil
	}
	if err := r.fn(e); err != nil {
		return fmt.Errorf("journal: replay entry %d of %s: %w", e.Seq, r.path, err)
	}
	return nil
}

// proof looks behind the last whole frame for a head that was written later: then that frame is not the last.
func (r *replay) proof() error {
	buf := make([]byte, min(r.size-r.seg.end, 64<<10))
	for at := r.seg.end; r.size-at >= frameSize; {
		n := int(min(int64(len(buf)), r.size-at))
		if k, err := r.file.ReadAt(buf[:n], at); k < n {
			return r.broken(err, "")
		}
		for i := 0; i+frameSize <= n; i++ {
			h, ok := r.plausible(buf[i:n], at+int64(i))
			if ok && (at+int64(i) > r.seg.end || h.seq != r.seg.next || h.prev != r.seg.prev) {
				err := r.broken(nil, "checksums do not hold")
				err.(*DamageError).Later = at + int64(i)
				return err
			}
		}
		at += int64(n - frameSize + 1)
	}
	return nil
}

// plausible says whether a head at this offset was written after the entries that were read. The cheap comparison spares
// nearly all checksums.
func (r *replay) plausible(b []byte, at int64) (head, bool) {
	seq := binary.LittleEndian.Uint64(b[8:])
	if seq < r.seg.next || seq-r.seg.next > uint64(at) {
		return head{}, false // every entry takes a byte at least
	}
	return parseHead(b, r.seg.seed)
}

// broken is a DamageError at the present place, unless reading failed.
func (r *replay) broken(err error, reason string) error {
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("journal: read %s at offset %d: %w", r.path, r.seg.end, err)
	}
	if reason == "" {
		reason = "the file ends too early"
	}
	return &DamageError{Path: r.path, Offset: r.seg.end, Seq: r.seg.next, Later: -1, Reason: reason}
}
