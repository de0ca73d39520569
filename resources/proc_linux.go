package resources

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"syscall"
	"time"
)

const (
	firstBuffer = 4 << 10
	halfPage    = 2 << 10
	maxBuffer   = 16 << 20 // a host with 100,000 interfaces has 12 MB of net/dev
)

// procFile is a file of the kernel that is kept open and read from its beginning each time.
type procFile struct {
	root fs.FS
	name string
	// lines is true for a file that the kernel hands out a page of lines at a time: there a read that is not filled is not
	// the end, unless it is so short that the next line would have fitted.
	lines bool

	file    fs.File
	fd      int  // of file; -1 when it has none, as in tests
	kernel  bool // made by the kernel itself
	buf     []byte
	absent  error // why it could not be opened
	retryAt time.Time
}

// read returns the content, good until the next read. A file that is missing is looked for again only after a while.
// One that has gone stale, as those of a removed cgroup, is opened anew.
func (p *procFile) read(now time.Time) ([]byte, error) {
	if p.absent != nil {
		if now.Before(p.retryAt) {
			return nil, p.absent
		}
		p.absent = nil
	}
	if p.file != nil {
		if text, err := p.pread(); err == nil {
			return text, nil
		}
		p.close()
	}
	text, err := []byte(nil), p.open()
	if err == nil {
		text, err = p.pread()
	}
	if err != nil {
		p.close()
		if missing(err) {
			p.absent, p.retryAt = err, now.Add(rescan)
		}
	}
	return text, err
}

func (p *procFile) open() error {
	file, err := p.root.Open(p.name)
	if err != nil {
		return err
	}
	p.file, p.fd = file, -1
	if f, ok := file.(*os.File); ok {
		p.fd = int(f.Fd())
	}
	p.kernel = p.fd >= 0 && ofKernel(p.fd)
	if p.buf == nil {
		p.buf = make([]byte, firstBuffer)
	}
	return nil
}

// ofKernel is true for a file in proc, sysfs or cgroup, which waits for nobody. In some containers files of /proc are those
// of a user-space file system, which may hang.
func ofKernel(fd int) bool {
	var s syscall.Statfs_t
	if syscall.Fstatfs(fd, &s) != nil {
		return false
	}
	switch uint32(s.Type) {
	case 0x9fa0, 0x62656572, 0x27e0eb, 0x63677270: // proc, sysfs, cgroup and cgroup2, of linux/magic.h
		return true
	}
	return false
}

// quick is false when reading may hang.
func (p *procFile) quick() bool { return p.file == nil || p.kernel }

func (p *procFile) pread() ([]byte, error) {
	for n := 0; ; {
		m, end, err := p.readAt(n)
		n += m
		switch {
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: p.name, Err: err}
		case end:
			return p.buf[:n], nil
		case n < len(p.buf):
		case n >= maxBuffer:
			return nil, fmt.Errorf("%s: more than %d bytes", p.name, maxBuffer)
		default:
			p.buf = append(p.buf, make([]byte, len(p.buf))...)
		}
	}
}

// readAt fills the buffer from n on. os.File.ReadAt would always make a second call, to see the end.
func (p *procFile) readAt(n int) (m int, end bool, err error) {
	if p.fd < 0 {
		at, ok := p.file.(io.ReaderAt)
		if !ok {
			return 0, false, errors.ErrUnsupported
		}
		m, err = at.ReadAt(p.buf[n:], int64(n))
		if errors.Is(err, io.EOF) {
			return m, true, nil
		}
		return m, false, err
	}
	for {
		m, err = syscall.Pread(p.fd, p.buf[n:], int64(n))
		if err == nil {
			return m, m == 0 || m < len(p.buf)-n && (!p.lines || m < halfPage), nil
		}
		if err != syscall.EINTR {
			return 0, false, err
		}
	}
}

func (p *procFile) close() {
	if p.file != nil {
		_ = p.file.Close() // nothing was written
		p.file = nil
	}
}

// missing is true where a machine does not have a file, has it switched off, or does not let us see it.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported)
}

// scanner goes over the fields of a text of the kernel.
type scanner struct {
	b []byte
	i int
}

// nextLine goes to the beginning of the next line; false at the end.
func (s *scanner) nextLine() bool {
	n := bytes.IndexByte(s.b[s.i:], '\n')
	if n < 0 {
		s.i = len(s.b)
		return false
	}
	s.i += n + 1
	return s.i < len(s.b)
}

// word is the next field of the line; empty at its end.
func (s *scanner) word() []byte {
	b, i := s.b, s.i
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	from := i
	for i < len(b) && b[i] > ' ' {
		i++
	}
	s.i = i
	return b[from:i]
}

// number is the next field as a number without sign; false, too, where it does not fit.
func (s *scanner) number() (uint64, bool) {
	b, i := s.b, s.i
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	from, v := i, uint64(0)
	for ; i < len(b); i++ {
		d := uint64(b[i]) - '0'
		if d > 9 {
			break
		}
		if v >= math.MaxUint64/10 && (v > math.MaxUint64/10 || d > math.MaxUint64%10) {
			s.word()
			return 0, false
		}
		v = v*10 + d
	}
	if i == from || i < len(b) && b[i] > ' ' {
		s.word()
		return 0, false
	}
	s.i = i
	return v, true
}

// decimal is the text as a number like 12.34, without sign or exponent. What is behind 15 digits is dropped: enough
// for what the kernel writes.
func decimal(b []byte) (float64, bool) {
	v, scale, digits, point, seen := 0.0, 1.0, 0, false, false
	for _, c := range b {
		switch {
		case c == '.' && !point:
			point = true
		case c-'0' > 9:
			return 0, false
		case c == '0' && v == 0 && !point: // nothing yet
			seen = true
		case digits < 15:
			v, seen = v*10+float64(c-'0'), true
			digits++
			if point {
				scale *= 10
			}
		case !point:
			return 0, false
		}
	}
	return v / scale, seen
}

// tally turns a counter of the kernel into ours.
type tally struct {
	last  uint64
	known bool
	total uint64
}

// step is the growth; not ok at first and when the counter went back: it was reset or has wrapped, and there is no
// telling which.
func (t *tally) step(now uint64) (growth uint64, ok bool) {
	growth, ok = now-t.last, t.known && now >= t.last
	t.last, t.known = now, true
	if !ok {
		return 0, false
	}
	t.total += growth
	return growth, true
}

// counter is the counter after a step, with the rate where there is one.
func (t *tally) counter(now uint64, seconds float64) Counter {
	growth, ok := t.step(now)
	return counterOf(t.total, growth, ok, seconds)
}
