package logging

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

// stampLayout is the time in the name of a file that was rotated, in UTC: names sort by age.
const stampLayout = "20060102T150405.000000000Z"

// FileConfig configures a File. The zero value never rotates.
type FileConfig struct {
	// MaxSize, if positive, is the size in bytes above which a file is rotated: before the record that would exceed it.
	// A single record larger than that has a file of its own.
	MaxSize int64
	// Every, if positive, rotates before a record that falls into another period of that length, in UTC, than the one
	// before it, also if the process was started anew in between: 24h rotates at midnight.
	Every time.Duration
	// Keep, if positive, is how many rotated files are kept; KeepFor, if positive, how long. Older ones are removed at
	// each rotation. Only names that a File has made are looked at.
	Keep    int
	KeepFor time.Duration
	// Sync makes every record, and every new name, survive a loss of power before Write returns.
	Sync bool
}

// FileStats of a File.
type FileStats struct {
	Written   uint64 // records
	Failed    uint64 // records that could not be written whole, of which no part is left if that could be undone, or not synced
	Rotations uint64
	Removed   uint64 // rotated files
	Troubles  uint64 // rotations, removals and syncs of names that failed; no record was lost to them
	Err       error  // of the last record that failed, or the last trouble
}

// File is a log file that rotates. Every Write is a record and goes into one file whole. The file and those it becomes have
// mode 0600 from their creation, and a directory that has to be made 0700; an older file with a wider mode gets that too.
// One process may have a path open at a time. It is safe for concurrent use.
type File struct {
	path string
	cfg  FileConfig

	mu     sync.Mutex
	f      handle // guarded by mu, as all that follows; nil if it could not be opened
	size   int64
	last   time.Time // of the last record, or when the file was last written to
	stamp  time.Time // of the last file that was rotated
	torn   bool      // the file may end inside a line
	closed bool
	stats  FileStats

	open func(path string) (handle, error)
}

// handle is what a File needs of an *os.File.
type handle interface {
	io.WriteCloser
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
}

// OpenFile opens or creates the file at path for appending.
func OpenFile(path string, cfg FileConfig) (*File, error) {
	return openFile(path, cfg, openHandle)
}

func openFile(path string, cfg FileConfig, open func(string) (handle, error)) (*File, error) {
	if path == "" || cfg.MaxSize < 0 || cfg.Every < 0 || cfg.Keep < 0 || cfg.KeepFor < 0 {
		return nil, fmt.Errorf("logging: file %q with MaxSize %d, Every %v, Keep %d, KeepFor %v: none may be negative, nor the name empty",
			path, cfg.MaxSize, cfg.Every, cfg.Keep, cfg.KeepFor)
	}
	f := &File{path: filepath.Clean(path), cfg: cfg, open: open}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, fmt.Errorf("logging: %w", err)
	}
	if err := f.start(); err != nil {
		return nil, err
	}
	if rotated, err := f.rotated(); err != nil {
		f.trouble(err)
	} else if len(rotated) > 0 {
		f.stamp = rotated[len(rotated)-1].stamp
	}
	return f, nil
}

// openHandle opens a regular file, that and not what a link leads to, with mode 0600.
func openHandle(path string) (handle, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if f, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0); err != nil {
		return nil, err
	}
	var link, info fs.FileInfo
	if link, err = os.Lstat(path); err == nil {
		info, err = f.Stat()
	}
	if err == nil && (!link.Mode().IsRegular() || !os.SameFile(link, info)) {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// start opens the file under its name.
func (f *File) start() error {
	h, err := f.open(f.path)
	if err != nil {
		return fmt.Errorf("logging: %w", err)
	}
	info, err := h.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("logging: %w", err), h.Close())
	}
	f.f, f.size, f.last, f.torn = h, info.Size(), info.ModTime(), false
	if f.size == 0 {
		f.last = time.Time{}
		f.syncNames()
	} else if r, ok := h.(io.ReaderAt); ok {
		var end [1]byte
		n, _ := r.ReadAt(end[:], f.size-1)
		f.torn = n != 1 || end[0] != '\n'
	}
	return nil
}

func (f *File) syncNames() {
	if f.cfg.Sync {
		if err := durable.OS(filepath.Dir(f.path)).Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			f.trouble(err)
		}
	}
}

// trouble counts what went wrong without costing a record.
func (f *File) trouble(err error) {
	f.stats.Troubles++
	f.stats.Err = fmt.Errorf("logging: %w", err)
}

// Write appends a record, which should end with a line end.
func (f *File) Write(record []byte) (int, error) {
	if f == nil || f.open == nil {
		return 0, ErrClosed
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		f.stats.Failed++
		return 0, ErrClosed
	}
	now := time.Now()
	if f.due(now, int64(len(record))) {
		f.rotate(now)
	}
	if err := f.append(record); err != nil {
		f.stats.Failed++
		f.stats.Err = fmt.Errorf("logging: %w", err)
		return 0, f.stats.Err
	}
	f.stats.Written++
	f.last = now
	return len(record), nil
}

// due reports whether the file has to be rotated before a record.
func (f *File) due(now time.Time, size int64) bool {
	if f.f == nil || f.size == 0 {
		return false
	}
	if f.cfg.MaxSize > 0 && f.size+size > f.cfg.MaxSize {
		return true
	}
	every := f.cfg.Every
	return every > 0 && !f.last.IsZero() && now.UTC().Truncate(every).After(f.last.UTC().Truncate(every))
}

// append writes a record whole or undoes it.
func (f *File) append(record []byte) error {
	if f.f == nil {
		if err := f.start(); err != nil {
			return err
		}
	}
	if f.torn {
		n, err := f.f.Write([]byte{'\n'})
		if f.size += int64(n); err != nil {
			return err
		}
		f.torn = false
	}
	n, err := f.f.Write(record)
	if err == nil && n < len(record) {
		err = io.ErrShortWrite
	}
	if err != nil {
		if n > 0 {
			if cut := f.f.Truncate(f.size); cut != nil {
				f.size += int64(n)
				f.torn = true
				err = errors.Join(err, cut)
			}
		}
		return err
	}
	f.size += int64(n)
	if f.cfg.Sync {
		return f.f.Sync()
	}
	return nil
}

// Rotate begins a new file now, unless the present one is empty.
func (f *File) Rotate() error {
	return f.locked(func() error {
		if f.f == nil || f.size == 0 {
			return nil
		}
		return f.rotate(time.Now())
	})
}

// Reopen opens the file under its name anew, after another program has moved it away. Call it where a SIGHUP is handled.
func (f *File) Reopen() error {
	return f.locked(func() error {
		err := f.stop()
		return errors.Join(err, f.start())
	})
}

// Sync makes what was written survive a loss of power.
func (f *File) Sync() error {
	return f.locked(func() error {
		if f.f == nil {
			return nil
		}
		return f.f.Sync()
	})
}

// Close closes the file. A further Close does nothing.
func (f *File) Close() error {
	if f == nil || f.open == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	return f.stop()
}

// Stats returns the counters.
func (f *File) Stats() FileStats {
	if f == nil {
		return FileStats{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

func (f *File) locked(do func() error) error {
	if f == nil || f.open == nil {
		return ErrClosed
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	return do()
}

// stop closes the handle.
func (f *File) stop() error {
	if f.f == nil {
		return nil
	}
	var err error
	if f.cfg.Sync {
		err = f.f.Sync()
	}
	err = errors.Join(err, f.f.Close())
	f.f = nil
	if err != nil {
		return fmt.Errorf("logging: %w", err)
	}
	return nil
}

// rotate gives the file the name of a rotated one and opens another. If that fails, the present file goes on: under its name,
// or under the new one until another can be opened.
func (f *File) rotate(now time.Time) error {
	var errs []error
	note := func(err error) {
		if err != nil {
			f.trouble(err)
			errs = append(errs, fmt.Errorf("logging: rotate: %w", err))
		}
	}
	note(f.stop()) // first, since some systems do not rename open files
	name, err := f.reserve(now)
	if err == nil {
		if err = os.Rename(f.path, name); err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}
	if note(err); err == nil {
		f.stats.Rotations++
	}
	note(f.start())
	note(f.retain(now))
	return errors.Join(errs...)
}

// reserve creates the file that the present one will replace, so that no two get one name.
func (f *File) reserve(now time.Time) (string, error) {
	if !now.After(f.stamp) {
		now = f.stamp.Add(1) // names sort by age even when the clock was set back
	}
	for range 100 {
		f.stamp = now
		name := f.rotatedName(now)
		h, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return name, h.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		now = now.Add(1)
	}
	return "", fmt.Errorf("no free name for %s", f.path)
}

func (f *File) rotatedName(t time.Time) string {
	ext := filepath.Ext(f.path)
	return strings.TrimSuffix(f.path, ext) + "-" + t.UTC().Format(stampLayout) + ext
}

// old is a file that was rotated.
type old struct {
	path  string
	stamp time.Time
}

// rotated lists the rotated files, oldest first.
func (f *File) rotated() ([]old, error) {
	entries, err := os.ReadDir(filepath.Dir(f.path))
	ext := filepath.Ext(f.path)
	prefix := strings.TrimSuffix(filepath.Base(f.path), ext) + "-"
	var list []old
	for _, e := range entries {
		stamp, ours := strings.CutPrefix(e.Name(), prefix)
		stamp, same := strings.CutSuffix(stamp, ext)
		if !ours || !same || !e.Type().IsRegular() {
			continue
		}
		if t, err := time.Parse(stampLayout, stamp); err == nil && t.Format(stampLayout) == stamp {
			list = append(list, old{filepath.Join(filepath.Dir(f.path), e.Name()), t})
		}
	}
	slices.SortFunc(list, func(a, b old) int { return a.stamp.Compare(b.stamp) })
	return list, err
}

// retain removes rotated files that are too many or too old.
func (f *File) retain(now time.Time) error {
	if f.cfg.Keep == 0 && f.cfg.KeepFor == 0 {
		return nil
	}
	list, err := f.rotated()
	for i, o := range list {
		if f.cfg.Keep > 0 && len(list)-i > f.cfg.Keep || f.cfg.KeepFor > 0 && now.Sub(o.stamp) > f.cfg.KeepFor {
			if e := os.Remove(o.path); e != nil {
				err = errors.Join(err, e)
			} else {
				f.stats.Removed++
			}
		}
	}
	return err
}
