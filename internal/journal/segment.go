package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// Names in the directory of a journal.
const (
	fileName = "journal"
	tempName = "journal.new"
)

// segment is a file and the end of its chain.
type segment struct {
	file durable.File
	seed uint32 // checksum of the header
	prev uint32 // sum of the last frame
	next uint64 // number of the next entry
	end  int64  // of the last frame
}

// write appends a frame, whose body stands in buf behind room for the head. It does not sync.
func (s *segment) write(buf []byte, count uint32) error {
	sum := finishFrame(buf, s.seed, s.prev, s.next, count)
	if _, err := s.file.WriteAt(buf, s.end); err != nil {
		return err
	}
	s.prev = sum
	s.next += uint64(count)
	s.end += int64(len(buf))
	return nil
}

// newSegment creates the file of a new segment, with count snapshots (0 or 1) that stand for the entries up to base.
func newSegment(dir durable.Dir, base uint64, count uint32, snapshot []byte) (*segment, error) {
	if err := dir.Remove(tempName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := dir.Create(tempName)
	if err != nil {
		return nil, err
	}
	var salt [4]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	buf, seed := appendHeader(make([]byte, 0, headerSize+frameSize+len(snapshot)), salt)
	buf = append(buf[:headerSize+frameSize], snapshot...)
	s := &segment{file: f, seed: seed, next: base + 1, end: int64(len(buf))}
	s.prev = finishFrame(buf[headerSize:], seed, 0, base, count)
	if _, err := f.WriteAt(buf, 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// copySegment writes the snapshot and the entries after it to a new file.
func (j *Journal) copySegment(through uint64, snapshot []byte) (*segment, error) {
	s, err := newSegment(j.dir, through, 1, snapshot)
	if err != nil {
		return nil, err
	}
	buf, count := make([]byte, frameSize, 4096), uint32(0)
	flush := func() error {
		if count == 0 {
			return nil
		}
		err := s.write(buf, count)
		buf, count = buf[:frameSize], 0
		return err
	}
	r := replay{path: j.path, file: j.seg.file, size: j.seg.end, fn: func(e Entry) error {
		if e.Snapshot || e.Seq <= through {
			return nil
		}
		buf = appendEntry(buf, e.Payload)
		if count++; len(buf) < maxGroup {
			return nil
		}
		return flush()
	}}
	if err = r.run(); err == nil && r.seg.end != j.seg.end {
		err = r.broken(nil, "checksums do not hold any more")
	}
	if err == nil {
		err = flush()
	}
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	return s, nil
}

// compact replaces the file. Up to the rename nothing has happened to the journal; from there on nobody knows which file
// has the name until the directory is synced.
func (j *Journal) compact(c *compaction) error {
	if last := j.seg.next - 1; c.through < j.base || c.through > last {
		return fmt.Errorf("journal: compact %s through entry %d: not in %d..%d", j.path, c.through, j.base, last)
	}
	s, err := j.copySegment(c.through, c.snapshot)
	if err != nil {
		if rerr := j.dir.Remove(tempName); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
		return fmt.Errorf("journal: compact %s: %w", j.path, err)
	}
	if err := j.dir.Rename(tempName, fileName); err != nil {
		return j.poison(errors.Join(err, s.file.Close()))
	}
	old := j.seg.file
	j.seg, j.base, j.appended = *s, c.through, true
	err = j.dir.Sync()
	if cerr := old.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return j.poison(err)
	}
	return nil
}
