package compliance

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"slices"
	"time"
)

const (
	listMagic = "surefoot absence list 1\n"
	maxListed = 1 << 28
)

// List has the pseudonyms of persons who must be absent from batches from a moment on: after their erasure, or their opt-out. It
// takes about 25 bytes per person, and does not change. Make one with NewList or ReadList; it is safe for concurrent use.
type List struct {
	key    KeyID
	listed []listed
	starts []uint32 // of the listed whose first bits are the index; one more at the end
	shift  int
	sum    [sha256.Size]byte // of the encoding
}

type listed struct {
	who  Pseudonym
	from int64 // Unix time in nanoseconds
}

// NewList returns a List of pseudonyms of one key, each with the moment from which it must be absent. Of several for one pseudonym
// the earliest counts. It refuses moments before 1970 and after 2261.
func NewList(key KeyID, entries iter.Seq2[Pseudonym, time.Time]) (*List, error) {
	l := &List{key: key}
	for who, from := range entries {
		at, ok := nanoseconds(from)
		if !ok {
			return nil, invalid("list's moment", from, "a year from 1970 to 2261")
		}
		l.listed = append(l.listed, listed{who, at})
	}
	slices.SortFunc(l.listed, func(a, b listed) int {
		return cmp.Or(bytes.Compare(a.who[:], b.who[:]), cmp.Compare(a.from, b.from))
	})
	l.listed = slices.CompactFunc(l.listed, func(a, b listed) bool { return a.who == b.who })
	if len(l.listed) > maxListed {
		return nil, invalid("list's length", len(l.listed), fmt.Sprintf("at most %d", maxListed))
	}
	l.build()
	sum, err := l.encode(io.Discard)
	l.sum = sum
	return l, err
}

func nanoseconds(t time.Time) (int64, bool) {
	if t = t.UTC(); t.Year() < 1970 || t.Year() > 2261 {
		return 0, false
	}
	return t.UnixNano(), true
}

// build sets starts. Hashes are uniform, so that about two of them share their first bits.
func (l *List) build() {
	b := max(1, bits.Len(uint(len(l.listed)))-1)
	l.shift = 32 - b
	l.starts = make([]uint32, 1<<b+1)
	for _, e := range l.listed {
		l.starts[binary.BigEndian.Uint32(e.who[:])>>l.shift+1]++
	}
	for i := 1; i < len(l.starts); i++ {
		l.starts[i] += l.starts[i-1]
	}
}

// from returns the moment from which who must be absent.
func (l *List) from(who *Pseudonym) (int64, bool) {
	i := binary.BigEndian.Uint32(who[:]) >> l.shift
	for _, e := range l.listed[l.starts[i]:l.starts[i+1]] {
		if e.who == *who {
			return e.from, true
		}
	}
	return 0, false
}

// Len returns the number of persons.
func (l *List) Len() int { return len(l.listed) }

// Key returns the key of the pseudonyms.
func (l *List) Key() KeyID { return l.key }

// Digest returns the SHA-256 of what is listed, in hexadecimal.
func (l *List) Digest() string { return hex.EncodeToString(l.sum[:]) }

// Encode writes the list in the form that ReadList reads.
func (l *List) Encode(w io.Writer) error {
	_, err := l.encode(w)
	return err
}

func (l *List) encode(to io.Writer) (sum [sha256.Size]byte, err error) {
	w := bufio.NewWriterSize(to, 1<<16)
	h := sha256.New()
	head := append([]byte(listMagic), l.key[:]...)
	head = binary.BigEndian.AppendUint64(head, uint64(len(l.listed)))
	h.Write(head)
	w.Write(head) // errors stick to w
	buf := make([]byte, 0, 24)
	for _, e := range l.listed {
		buf = binary.BigEndian.AppendUint64(append(buf[:0], e.who[:]...), uint64(e.from))
		h.Write(buf)
		w.Write(buf)
	}
	h.Sum(sum[:0])
	w.Write(sum[:])
	if err := w.Flush(); err != nil {
		return sum, fmt.Errorf("compliance: list: %w", err)
	}
	return sum, nil
}

// ReadList reads what Encode wrote, and refuses anything else. It holds what it has read, whatever length the head claims.
func ReadList(from io.Reader) (*List, error) {
	r := bufio.NewReaderSize(from, 1<<16)
	h := sha256.New()
	in := io.TeeReader(r, h)
	head := make([]byte, len(listMagic)+8+8)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, damaged("list", err)
	}
	n := binary.BigEndian.Uint64(head[len(listMagic)+8:])
	if string(head[:len(listMagic)]) != listMagic || n > maxListed {
		return nil, invalid("list's head", quoted(string(head[:len(listMagic)])), quoted(listMagic))
	}
	l := &List{key: KeyID(head[len(listMagic):])}
	var buf [24]byte
	for range n {
		if _, err := io.ReadFull(in, buf[:]); err != nil {
			return nil, damaged("list", err)
		}
		e := listed{Pseudonym(buf[:16]), int64(binary.BigEndian.Uint64(buf[16:]))}
		if last := len(l.listed) - 1; last >= 0 && bytes.Compare(l.listed[last].who[:], e.who[:]) >= 0 || e.from < 0 {
			return nil, invalid("list", "out of order", "pseudonyms in ascending order, each once, from 1970 on")
		}
		l.listed = append(l.listed, e)
	}
	h.Sum(l.sum[:0])
	var want [sha256.Size]byte
	if _, err := io.ReadFull(r, want[:]); err != nil {
		return nil, damaged("list", err)
	}
	if want != l.sum {
		return nil, invalid("list's checksum", hex.EncodeToString(want[:4]), hex.EncodeToString(l.sum[:4]))
	}
	if _, err := r.ReadByte(); err == nil {
		return nil, invalid("list", "data after the end", "nothing")
	}
	l.build()
	return l, nil
}

func damaged(what string, err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w %s: %w", ErrInvalid, what, err)
}
