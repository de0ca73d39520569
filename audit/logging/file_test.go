package logging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// files returns the names in a directory and the lines in all of its files, in their order.
func files(t testing.TB, dir string) (names, lines []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries { // "train-2026..." sorts in front of "train.log"
		names = append(names, e.Name())
		info, err := e.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			require.Equal(t, fs.FileMode(0o600), info.Mode(), e.Name())
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		lines = append(lines, slices.Collect(strings.Lines(string(b)))...)
	}
	return names, lines
}

func openTest(t testing.TB, cfg FileConfig) (*File, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "logs")
	f, err := OpenFile(filepath.Join(dir, "train.log"), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f, dir
}

func record(t testing.TB, w io.Writer, format string, args ...any) {
	t.Helper()
	n, err := fmt.Fprintf(w, format, args...)
	require.NoError(t, err)
	require.Positive(t, n)
}

func TestRotationLosesNothing(t *testing.T) {
	t.Parallel()
	f, dir := openTest(t, FileConfig{})
	var want []string
	for i := range 20 { // faster than any clock ticks
		record(t, f, "record %d\n", i)
		require.NoError(t, f.Rotate())
		want = append(want, fmt.Sprintf("record %d\n", i))
	}
	require.NoError(t, f.Rotate(), "an empty file stays")
	names, lines := files(t, dir)
	require.Len(t, names, 21)
	require.Equal(t, want, lines, "all, in order")
	require.Equal(t, FileStats{Written: 20, Rotations: 20}, f.Stats())
	if runtime.GOOS != "windows" {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	}
}

func TestRotationBySizeUnderConcurrency(t *testing.T) {
	t.Parallel()
	for _, queued := range []bool{false, true} {
		f, dir := openTest(t, FileConfig{MaxSize: 4000})
		var w io.Writer = f
		var queue *Async
		if queued {
			var err error
			queue, err = NewAsync(f, AsyncConfig{Wait: -1, Records: 16})
			require.NoError(t, err)
			w = queue
		}
		const workers, each = 8, 300
		var wg sync.WaitGroup
		for g := range workers {
			wg.Go(func() {
				for i := range each {
					record(t, w, "%d/%d %s\n", g, i, strings.Repeat("x", (g*31+i*7)%90))
					if i%50 == 49 && g == 0 {
						require.NoError(t, f.Rotate())
					}
					if i%75 == 0 && g == 1 {
						require.NoError(t, f.Reopen())
					}
				}
			})
		}
		wg.Wait()
		require.NoError(t, queue.Close(t.Context()))
		require.NoError(t, f.Close())
		names, lines := files(t, dir)
		require.Greater(t, len(names), workers*each*60/4000/2)
		require.Len(t, lines, workers*each)
		next := [workers]int{}
		for _, line := range lines {
			var g, i int
			_, err := fmt.Sscanf(line, "%d/%d", &g, &i)
			require.NoError(t, err, line)
			require.Equal(t, next[g], i, "every record once, in the order of its writer")
			next[g]++
			require.Len(t, line, len(fmt.Sprintf("%d/%d \n", g, i))+(g*31+i*7)%90)
		}
		for _, name := range names {
			info, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err)
			require.LessOrEqual(t, info.Size(), int64(4000))
		}
		require.EqualValues(t, workers*each, f.Stats().Written)
		require.EqualValues(t, len(names)-1, f.Stats().Rotations)
	}
}

func TestRotationByAge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // from midnight on 2000-01-01
		f, err := OpenFile(filepath.Join(dir, "train.log"), FileConfig{Every: 24 * time.Hour, Keep: 3, KeepFor: 60 * time.Hour})
		require.NoError(t, err)
		defer f.Close()
		for hour := range 24 * 7 {
			record(t, f, "hour %d\n", hour)
			if hour == 40 { // a large record alone
				record(t, f, "%s\n", strings.Repeat("x", 100))
			}
			<-time.After(time.Hour)
		}
		require.Equal(t, uint64(6), f.Stats().Rotations)
		require.Equal(t, uint64(3), f.Stats().Removed)
		<-time.After(240 * time.Hour)
		record(t, f, "much later\n")
		require.Equal(t, uint64(7), f.Stats().Rotations)
	})
	names, lines := files(t, dir)
	require.Equal(t, []string{"train-20000118T000000.000000000Z.log", "train.log"}, names, "older than 60 h")
	require.Len(t, lines, 25)
}

func TestAgeSurvivesRestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "train.log")
	require.NoError(t, os.WriteFile(path, []byte("yesterday\n"), 0o600))
	before := time.Now().Add(-25 * time.Hour)
	require.NoError(t, os.Chtimes(path, before, before))
	f, err := OpenFile(path, FileConfig{Every: 24 * time.Hour})
	require.NoError(t, err)
	record(t, f, "today\n")
	record(t, f, "today\n")
	require.NoError(t, f.Close())
	names, lines := files(t, filepath.Dir(path))
	require.Len(t, names, 2)
	require.Equal(t, []string{"yesterday\n", "today\n", "today\n"}, lines)
}

func TestRetentionTouchesNothingElse(t *testing.T) {
	t.Parallel()
	f, dir := openTest(t, FileConfig{Keep: 2})
	others := []string{"train-20000118T000000.000000000Z.log.gz", "train-latest.log", "trainer-20000118T000000.000000000Z.log", "train-20000118T0000.log", "x"}
	for _, name := range others {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "train-20000119T000000.000000000Z.log"), 0o700))
	for i := range 5 {
		record(t, f, "%d\n", i)
		require.NoError(t, f.Rotate())
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, len(others)+1+2+1)
	require.Equal(t, uint64(3), f.Stats().Removed)
}

func TestModeAndLinks(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "train.log")
	require.NoError(t, os.WriteFile(path, []byte("old\n"), 0o644))
	f, err := OpenFile(path, FileConfig{})
	require.NoError(t, err)
	record(t, f, "new\n")
	require.NoError(t, f.Rotate())
	record(t, f, "newer\n")
	require.NoError(t, f.Close())
	_, lines := files(t, dir) // checks modes
	require.Equal(t, []string{"old\n", "new\n", "newer\n"}, lines)

	require.NoError(t, os.Symlink(path, filepath.Join(dir, "link.log")))
	_, err = OpenFile(filepath.Join(dir, "link.log"), FileConfig{})
	require.ErrorContains(t, err, "not a regular file")
	_, err = OpenFile(filepath.Join(path, "below.log"), FileConfig{})
	require.Error(t, err)
	for _, cfg := range []FileConfig{{MaxSize: -1}, {Every: -1}, {Keep: -1}, {KeepFor: -1}} {
		_, err = OpenFile(path, cfg)
		require.ErrorContains(t, err, "logging: ")
	}
}

func TestReopenAfterAnotherMovedIt(t *testing.T) {
	t.Parallel()
	f, dir := openTest(t, FileConfig{Sync: true})
	path := filepath.Join(dir, "train.log")
	record(t, f, "1\n")
	require.NoError(t, os.Rename(path, path+".1"))
	record(t, f, "2\n")
	require.NoError(t, f.Reopen())
	record(t, f, "3\n")
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	b, err := os.ReadFile(path + ".1")
	require.NoError(t, err)
	require.Equal(t, "1\n2\n", string(b))
	b, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "3\n", string(b))
	_, err = f.Write([]byte("4\n"))
	require.ErrorIs(t, err, ErrClosed)
	for _, do := range []func() error{f.Rotate, f.Reopen, f.Sync} {
		require.ErrorIs(t, do(), ErrClosed)
	}
	require.EqualValues(t, 1, f.Stats().Failed)
}

func TestTornLineIsClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "train.log")
	require.NoError(t, os.WriteFile(path, []byte("whole\nto"), 0o600))
	f, err := OpenFile(path, FileConfig{})
	require.NoError(t, err)
	record(t, f, "next\n")
	require.NoError(t, f.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "whole\nto\nnext\n", string(b))
}

// faulty is a file on a disk that has room for so many bytes.
type faulty struct {
	handle
	disk *disk
}

type disk struct {
	room    int
	opens   error // of opening
	noTrunc bool
}

func (d *disk) open(path string) (handle, error) {
	if d.opens != nil {
		return nil, d.opens
	}
	h, err := openHandle(path)
	return faulty{h, d}, err
}

func (f faulty) Write(p []byte) (int, error) {
	n := min(len(p), f.disk.room)
	f.disk.room -= n
	if _, err := f.handle.Write(p[:n]); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, noSpace()
	}
	return n, nil
}

func (f faulty) Truncate(size int64) error {
	if f.disk.noTrunc {
		return errors.New("input/output error")
	}
	return f.handle.Truncate(size)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, noTrunc := range []bool{false, true} {
		d := &disk{room: 25, noTrunc: noTrunc}
		path := filepath.Join(t.TempDir(), "train.log")
		f, err := openFile(path, FileConfig{}, d.open)
		require.NoError(t, err)
		record(t, f, "record one\n")
		record(t, f, "record two\n")
		for range 3 {
			n, err := f.Write([]byte("record three\n"))
			require.Zero(t, n)
			require.ErrorIs(t, err, noSpace())
			require.Equal(t, isDisk(noSpace()), Category(err) == CategoryDisk)
		}
		require.EqualValues(t, 3, f.Stats().Failed)
		require.ErrorIs(t, f.Stats().Err, noSpace())
		d.room = 1000
		record(t, f, "record four\n")
		require.NoError(t, f.Close())
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		torn := ""
		if noTrunc {
			torn = "rec\n"
		}
		require.Equal(t, "record one\nrecord two\n"+torn+"record four\n", string(b))
	}
}

// A rotation that fails costs no record.
func TestRotationFails(t *testing.T) {
	t.Parallel()
	d := &disk{room: 1 << 20}
	dir := t.TempDir()
	path := filepath.Join(dir, "train.log")
	f, err := openFile(path, FileConfig{MaxSize: 20}, d.open)
	require.NoError(t, err)
	record(t, f, "record one\n")
	d.opens = errors.New("too many open files")
	_, err = f.Write([]byte("record two\n"))
	require.ErrorIs(t, err, d.opens, "the record at hand has nowhere to go, and says so")
	d.opens = nil
	record(t, f, "record three\n")
	require.NoError(t, f.Close())
	_, lines := files(t, dir)
	require.Equal(t, []string{"record one\n", "record three\n"}, lines)
	require.Equal(t, uint64(1), f.Stats().Failed)
	require.Positive(t, f.Stats().Troubles)

	// Here the name that the file would get is too long.
	path = filepath.Join(t.TempDir(), strings.Repeat("x", 240)+".log")
	f, err = OpenFile(path, FileConfig{MaxSize: 20})
	require.NoError(t, err)
	for i := range 5 {
		record(t, f, "record %d of a long file\n", i)
	}
	require.Error(t, f.Rotate())
	require.NoError(t, f.Close())
	names, lines := files(t, filepath.Dir(path))
	require.Len(t, names, 1)
	require.Len(t, lines, 5)
	require.Equal(t, uint64(5), f.Stats().Written)
	require.Equal(t, uint64(5), f.Stats().Troubles)
	require.Zero(t, f.Stats().Failed+f.Stats().Rotations)
}

func TestNilFile(t *testing.T) {
	t.Parallel()
	for _, f := range []*File{nil, {}} {
		_, err := f.Write([]byte("x"))
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, f.Close())
		require.ErrorIs(t, f.Reopen(), ErrClosed)
		require.Equal(t, FileStats{}, f.Stats())
	}
}

// The model: whatever the operations, the lines that were acknowledged are there once and in order.
func FuzzFile(f *testing.F) {
	f.Add([]byte("wwrwowtw"), uint8(30))
	f.Fuzz(func(t *testing.T, ops []byte, maxSize uint8) {
		if len(ops) > 60 {
			return
		}
		dir := t.TempDir()
		d := &disk{room: 1 << 20}
		open := func() *File {
			f, err := openFile(filepath.Join(dir, "a.b.log"), FileConfig{MaxSize: int64(maxSize)}, d.open)
			require.NoError(t, err)
			return f
		}
		file := open()
		var want bytes.Buffer
		for i, op := range ops {
			d.room = 1 << 20
			switch op % 6 {
			case 0:
				require.NoError(t, file.Rotate())
			case 1:
				require.NoError(t, file.Reopen())
			case 2:
				require.NoError(t, file.Close())
				file = open()
			case 3:
				d.room = int(op) % 11
				_, err := fmt.Fprintf(file, "full %d\n", i)
				if err == nil {
					fmt.Fprintf(&want, "full %d\n", i)
				}
			default:
				record(t, file, "%d %s\n", i, strings.Repeat("x", int(op)))
				fmt.Fprintf(&want, "%d %s\n", i, strings.Repeat("x", int(op)))
			}
		}
		require.NoError(t, file.Close())
		_, lines := files(t, dir)
		require.Equal(t, want.String(), strings.Join(lines, ""))
	})
}
