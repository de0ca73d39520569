package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"time"
)

// Report is what [Verify] found.
type Report struct {
	Entries uint64    // valid entries
	Bytes   int64     // that they take
	First   time.Time // time of the first entry
	Last    time.Time // time of the last entry
	Head    Head      // the last entry
	Torn    int64     // bytes of an unfinished line at the end, left by a crash or being written just now
}

// Verify reads a log and checks every entry, in bounded memory. It returns a [*DamageError] for the first entry that is
// not as it was written, with a Report on those before it.
//
// Without heads, an intact log that lost its newest entries looks like one that never had them. Pass one or more heads
// that were kept elsewhere: a log that does not contain them is a [*HeadError].
func Verify(r io.Reader, heads ...Head) (Report, error) {
	heads = slices.Clone(heads)
	slices.SortFunc(heads, func(a, b Head) int { return cmp.Compare(a.Seq, b.Seq) })
	for len(heads) > 0 && heads[0] == (Head{}) {
		heads = heads[1:]
	}
	var rep Report
	s := newScanner(r)
	for {
		for len(heads) > 0 && heads[0].Seq == s.head.Seq {
			if heads[0] != s.head {
				return rep, &HeadError{Want: heads[0], Have: s.head}
			}
			heads = heads[1:]
		}
		e, err := s.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return rep, err
		}
		if rep.Entries == 0 {
			rep.First = e.Time
		}
		rep.Entries++
		rep.Last, rep.Head, rep.Bytes = e.Time, s.head, s.end
	}
	rep.Torn = s.torn
	if len(heads) > 0 {
		return rep, &HeadError{Want: heads[0], Have: s.head}
	}
	return rep, nil
}

// VerifyFile is [Verify] on a file. It changes nothing and may run while the log is being written.
func VerifyFile(path string, heads ...Head) (Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	rep, err := Verify(f, heads...)
	return rep, at(path, err)
}

// Entries reads a log and yields its entries in order, each one verified. The last pair has an error if the log is damaged
// or cannot be read. An unfinished line at the end is no entry and ends the sequence without one.
func Entries(r io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s := newScanner(r)
		for {
			e, err := s.next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			e.Data = bytes.Clone(e.Data)
			if !yield(e, nil) {
				return
			}
		}
	}
}

// scanner reads and verifies entries one by one.
type scanner struct {
	r       *bufio.Reader
	enc     encoder
	long    []byte // a line that does not fit into the reader's buffer
	scratch []byte

	head Head  // the last valid entry
	end  int64 // where it ends
	open bool  // it lacks its line end
	torn int64 // bytes after it, once all is read
}

func newScanner(r io.Reader) *scanner { return &scanner{r: bufio.NewReaderSize(r, 64<<10)} }

// next returns the next entry, whose Data is valid until the call after, or io.EOF.
func (s *scanner) next() (Entry, error) {
	line, size, err := s.read()
	if err == io.EOF {
		return s.last(line, size)
	}
	if err != nil {
		return Entry{}, fmt.Errorf("audit: read at offset %d: %w", s.end, err)
	}
	if line == nil {
		return Entry{}, s.damage("its line is too long")
	}
	return s.accept(line[:len(line)-1], size)
}

func (s *scanner) accept(line []byte, size int64) (e Entry, err error) {
	if e, s.scratch, err = s.enc.link(line, s.scratch, s.head); err != nil {
		return Entry{}, s.damage(err.Error())
	}
	s.head, s.end = e.head(), s.end+size
	return e, nil
}

// last judges what follows the last line end. A crash leaves there a part of a line, or the zeros of a block that was
// allocated and not written; it never leaves anything else, and what else is found may have been acknowledged.
func (s *scanner) last(rest []byte, size int64) (Entry, error) {
	if size == 0 {
		return Entry{}, io.EOF
	}
	if rest == nil {
		return Entry{}, s.damage("its line is too long")
	}
	rest = bytes.TrimRight(rest, "\x00")
	if e, err := s.accept(rest, int64(len(rest))); err == nil {
		s.open, s.torn = true, size-int64(len(rest))
		return e, nil
	}
	want := []byte(partSeq + strconv.FormatUint(s.head.Seq+1, 10) + partTime)
	if n := min(len(rest), len(want)); !bytes.Equal(rest[:n], want[:n]) {
		return Entry{}, s.damage("what follows the last entry is not the beginning of another one")
	}
	// An entry that is complete was written with its line end, and so was everything in front of a part of the next one.
	end := []byte(partPrev + s.head.Hash.String() + partHash)
	for from := 0; ; {
		i := bytes.Index(rest[from:], end)
		if i < 0 || from+i+lenPrev+lenHash > len(rest) {
			break
		}
		from += i + lenPrev + lenHash
		if _, _, err := s.enc.link(rest[:from], nil, s.head); err == nil {
			return Entry{}, s.damage("its line end was changed")
		}
	}
	s.torn = size
	return Entry{}, io.EOF
}

func (s *scanner) damage(reason string) error {
	return &DamageError{Seq: s.head.Seq + 1, Offset: s.end, Reason: reason}
}

// read returns the next line with its line end and its size, nil if it is too long to be one. With io.EOF it returns what
// follows the last line end; of the zeros that may end it, only so many as fit into a line.
func (s *scanner) read() (line []byte, size int64, err error) {
	s.long = s.long[:0]
	tooLong := false
	for {
		part, err := s.r.ReadSlice('\n')
		size += int64(len(part))
		full := errors.Is(err, bufio.ErrBufferFull)
		if !full && size == int64(len(part)) {
			return part, size, err // the usual case, without a copy
		}
		keep := min(len(part), maxLine+1-len(s.long))
		s.long = append(s.long, part[:keep]...)
		tooLong = tooLong || len(bytes.Trim(part[keep:], "\x00")) > 0
		switch {
		case full:
		case tooLong:
			return nil, size, err
		default:
			return s.long, size, err
		}
	}
}
