package resources

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
	"unsafe"
)

func processProbes(root fs.FS) []*probe {
	return []*probe{rssProbe(root), threadsProbe(root), processIOProbe(root), filesProbe(root), usageProbe()}
}

// parseStatm is the number of resident pages.
func parseStatm(text []byte) (uint64, error) {
	s := scanner{b: text}
	s.word()
	v, ok := s.number()
	if !ok {
		return 0, errors.New("statm: resident is no number")
	}
	return v, nil
}

func rssProbe(root fs.FS) *probe {
	file := procFile{root: root, name: "proc/self/statm"}
	page := uint64(os.Getpagesize())
	var pages uint64
	return &probe{
		name: "process memory",
		read: func(now time.Time) error {
			text, err := file.read(now)
			if err == nil {
				pages, err = parseStatm(text)
			}
			return err
		},
		put:   func(out *Sample) { out.Process.RSS = Of(pages * page) },
		quick: file.quick,
		close: file.close,
	}
}

// parseThreads is field 20 of /proc/self/stat. The name in parentheses may hold anything, parentheses and spaces too.
func parseThreads(text []byte) (int, error) {
	end := bytes.LastIndexByte(text, ')')
	s := scanner{b: text, i: end + 1}
	for range 17 {
		s.word()
	}
	v, ok := s.number()
	if end < 0 || !ok || v > 1<<30 {
		return 0, errors.New("stat: the number of threads is no number")
	}
	return int(v), nil
}

func threadsProbe(root fs.FS) *probe {
	file := procFile{root: root, name: "proc/self/stat"}
	var threads int
	return &probe{
		name: "threads",
		read: func(now time.Time) error {
			text, err := file.read(now)
			if err == nil {
				threads, err = parseThreads(text)
			}
			return err
		},
		put:   func(out *Sample) { out.Process.Threads = Of(threads) },
		quick: file.quick,
		close: file.close,
	}
}

// parseProcessIO is what was read from and written to disks.
func parseProcessIO(text []byte) (read, written uint64, err error) {
	found := 0
	s := scanner{b: text}
	for more := len(text) > 0; more; more = s.nextLine() {
		var to *uint64
		switch string(s.word()) {
		case "read_bytes:":
			to = &read
		case "write_bytes:":
			to = &written
		default:
			continue
		}
		v, ok := s.number()
		if !ok {
			return 0, 0, errors.New("io: not a number")
		}
		*to = v
		found++
	}
	if found != 2 {
		return 0, 0, errors.New("io has no read_bytes and write_bytes")
	}
	return read, written, nil
}

func processIOProbe(root fs.FS) *probe {
	file := procFile{root: root, name: "proc/self/io"}
	var clock pace
	var read, written tally
	var out [2]Counter
	return &probe{
		name: "process io",
		read: func(now time.Time) error {
			out = [2]Counter{}
			text, err := file.read(now)
			if missing(err) { // a kernel without, or a hardened one
				return nil
			}
			if err != nil {
				return err
			}
			r, w, err := parseProcessIO(text)
			if err != nil {
				return err
			}
			seconds := clock.seconds(now)
			out = [2]Counter{read.counter(r, seconds), written.counter(w, seconds)}
			return nil
		},
		put:   func(s *Sample) { s.Process.Read, s.Process.Written = out[0], out[1] },
		quick: file.quick,
		close: file.close,
	}
}

// filesProbe counts the open files. Since Linux 6.2 the size of the directory says how many there are.
func filesProbe(root fs.FS) *probe {
	var dir fs.File
	var kernel bool
	var stat syscall.Stat_t
	var buf []byte
	var open uint64
	var limit Value[uint64]
	count := func() (uint64, error) {
		file, ok := dir.(*os.File)
		if !ok {
			entries, err := fs.ReadDir(root, "proc/self/fd")
			return uint64(len(entries)), err
		}
		fd := int(file.Fd())
		if err := syscall.Fstat(fd, &stat); err != nil {
			return 0, err
		}
		if stat.Size > 0 {
			return uint64(stat.Size), nil
		}
		if _, err := syscall.Seek(fd, 0, 0); err != nil {
			return 0, err
		}
		if buf == nil {
			buf = make([]byte, 16<<10)
		}
		entries := 0
		for {
			n, err := syscall.ReadDirent(fd, buf)
			if err != nil {
				return 0, err
			}
			if n == 0 {
				return uint64(max(entries-2, 0)), nil // without . and ..
			}
			entries += countEntries(buf[:n])
		}
	}
	return &probe{
		name: "open files",
		read: func(time.Time) (err error) {
			limit = Value[uint64]{}
			if dir == nil {
				if dir, err = root.Open("proc/self/fd"); err != nil {
					dir = nil
					return err
				}
				if file, ok := dir.(*os.File); ok {
					kernel = ofKernel(int(file.Fd()))
				}
			}
			if open, err = count(); err != nil {
				return err
			}
			var r syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
				return err
			}
			if r.Cur < 1<<62 { // not infinite
				limit = Of(uint64(r.Cur))
			}
			return nil
		},
		put:   func(out *Sample) { out.Process.Files, out.Process.FilesLimit = Of(open), limit },
		quick: func() bool { return kernel },
		close: func() {
			if dir != nil {
				_ = dir.Close()
			}
		},
	}
}

// countEntries counts the records of getdents64: the length of each is a 16-bit number at offset 16.
func countEntries(b []byte) int {
	const at = unsafe.Offsetof(syscall.Dirent{}.Reclen)
	n := 0
	for len(b) >= int(at)+2 {
		size := int(binary.NativeEndian.Uint16(b[at:]))
		if size <= int(at) || size > len(b) {
			break
		}
		b = b[size:]
		n++
	}
	return n
}

// usageProbe asks the kernel directly: to the microsecond, where /proc/self/stat has hundredths of a second.
func usageProbe() *probe {
	var use syscall.Rusage
	var clock pace
	var faults tally
	var major Counter
	return &probe{
		name: "process cpu",
		read: func(now time.Time) error {
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
				return fmt.Errorf("getrusage: %w", err)
			}
			major = faults.counter(uint64(use.Majflt), clock.seconds(now))
			return nil
		},
		put: func(out *Sample) {
			out.Process.CPU = Of(time.Duration(syscall.TimevalToNsec(use.Utime) + syscall.TimevalToNsec(use.Stime)))
			out.Process.MajorFaults = major
		},
		quick: func() bool { return true },
	}
}
