package recovery

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// text is a state that is easy to compare.
type text string

func (s *text) Save(w io.Writer) error { _, err := io.WriteString(w, string(*s)); return err }

func (s *text) Restore(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err == nil {
		*s = text(data)
	}
	return err
}

func stateOf(step uint64) text { return text(strings.Repeat(fmt.Sprintf("state %d ", step), 20)) }

func save(t *testing.T, s *Store, step uint64) Info {
	t.Helper()
	state := stateOf(step)
	info, err := s.Save(step, &state)
	require.NoError(t, err)
	return info
}

func fake(t *testing.T, cfg StoreConfig) (*Store, *fakeFolder) {
	t.Helper()
	d := newFakeFolder()
	s, err := openStore(d, cfg)
	require.NoError(t, err)
	return s, d
}

func listed(t *testing.T, s *Store) (steps []uint64) {
	t.Helper()
	infos, _, err := s.List()
	require.NoError(t, err)
	for _, info := range infos {
		steps = append(steps, info.Step)
	}
	return steps
}

func TestStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run", "checkpoints")
	s, err := OpenStore(dir, StoreConfig{Keep: 2})
	require.NoError(t, err)
	var state text
	_, err = s.Newest(math.MaxUint64, &state)
	require.ErrorIs(t, err, ErrNoCheckpoint)
	_, err = s.Before(3, &state)
	require.ErrorIs(t, err, ErrNoCheckpoint)
	_, err = s.Load(7, &state)
	require.ErrorIs(t, err, ErrNoCheckpoint)
	_, err = s.Verify(7)
	require.ErrorIs(t, err, ErrNoCheckpoint)

	for _, step := range []uint64{0, 10, 20} {
		save(t, s, step)
	}
	require.Equal(t, []uint64{10, 20}, listed(t, s))
	info, err := s.Newest(math.MaxUint64, &state)
	require.NoError(t, err)
	require.Equal(t, stateOf(20), state)
	require.EqualValues(t, 20, info.Step)
	require.EqualValues(t, len(state), info.Bytes)
	require.WithinDuration(t, time.Now(), info.Saved, time.Minute)
	verified, err := s.Verify(20)
	require.NoError(t, err)
	require.Equal(t, info, verified)
	require.Len(t, info.Digest.String(), 64)
	_, err = s.Newest(19, &state)
	require.NoError(t, err)
	require.Equal(t, stateOf(10), state)
	_, err = s.Before(5, &state)
	require.NoError(t, err)
	require.Equal(t, stateOf(10), state, "the oldest, where nothing is old enough")
	_, err = s.Newest(5, &state)
	require.ErrorIs(t, err, ErrNoCheckpoint)

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm())
	}
	info1, err := os.Stat(dir)
	require.NoError(t, err)
	require.EqualValues(t, 0o700, info1.Mode().Perm())

	again := text("other")
	_, err = s.Save(20, &again)
	require.NoError(t, err)
	_, err = s.Load(20, &state)
	require.NoError(t, err)
	require.Equal(t, again, state, "a step is replaced")

	require.NoError(t, os.WriteFile(filepath.Join(dir, nameOf(30)+tempSuffix), []byte("half"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.tmp"), nil, 0o600))
	s, err = OpenStore(dir, StoreConfig{})
	require.NoError(t, err)
	require.Equal(t, []uint64{10, 20}, listed(t, s))
	_, err = s.Load(20, &state)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, nameOf(30)+tempSuffix), "who reads clears nothing away")
	_, err = s.Save(20, &again)
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(dir, nameOf(30)+tempSuffix))
	require.FileExists(t, filepath.Join(dir, "mine.tmp"))
	require.Equal(t, []uint64{10, 20}, listed(t, s))
}

func TestStoreConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg  StoreConfig
		want string
	}{
		{StoreConfig{Keep: -1}, "Keep is -1"},
		{StoreConfig{MaxAge: -1}, "MaxAge is -1ns"},
		{StoreConfig{MaxBytes: -1}, "MaxBytes is -1"},
	} {
		_, err := OpenStore(t.TempDir(), tt.cfg)
		require.ErrorContains(t, err, tt.want)
	}
	_, err := OpenStore("", StoreConfig{})
	require.Error(t, err)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = OpenStore(file, StoreConfig{})
	require.Error(t, err)
}

func TestStoreKeepsByAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := fake(t, StoreConfig{Keep: 9, MaxAge: time.Hour})
		for step := range uint64(6) {
			save(t, s, step)
			<-time.After(25 * time.Minute)
		}
		require.Equal(t, []uint64{3, 4, 5}, listed(t, s))
		<-time.After(24 * time.Hour)
		var state text
		_, err := s.Newest(math.MaxUint64, &state)
		require.NoError(t, err, "the newest stays at any age")
		save(t, s, 6)
		require.Equal(t, []uint64{6}, listed(t, s))
	})
}

func TestStoreAbandon(t *testing.T) {
	t.Parallel()
	s, d := fake(t, StoreConfig{Keep: 3})
	for step := range uint64(3) {
		save(t, s, step)
	}
	require.NoError(t, s.Abandon(0))
	require.Equal(t, []uint64{0}, listed(t, s))
	require.Contains(t, d.files, nameOf(2)+abandonedSuffix)
	ops := d.ops
	require.NoError(t, s.Abandon(0))
	require.Equal(t, ops, d.ops, "nothing to do")
	save(t, s, 1)
	require.Equal(t, []uint64{0, 1}, listed(t, s))
	for step := uint64(2); step < 10; step++ { // abandoned ones are bounded, too
		save(t, s, step)
		require.NoError(t, s.Abandon(1))
	}
	save(t, s, 2)
	require.LessOrEqual(t, len(d.files), 6)
}

func TestDamagedIsPassedOverAndKept(t *testing.T) {
	t.Parallel()
	whole := func() (*Store, *fakeFolder) {
		s, d := fake(t, StoreConfig{Keep: 2})
		save(t, s, 1)
		save(t, s, 2)
		return s, d
	}
	_, d := whole()
	size := len(d.files[nameOf(2)].data)
	var cases []func([]byte) []byte
	for n := range size {
		cases = append(cases,
			func(b []byte) []byte { return b[:n] },
			func(b []byte) []byte { b[n] ^= 1; return b })
	}
	cases = append(cases, func(b []byte) []byte { return append(b, 0) }, func([]byte) []byte { return make([]byte, size) })
	for i, damage := range cases {
		s, d := whole()
		f := d.files[nameOf(2)]
		f.data = damage(bytes.Clone(f.data))
		bad := bytes.Clone(f.data)
		var state text
		info, err := s.Newest(math.MaxUint64, &state)
		require.NoError(t, err, "case %d", i)
		require.Equal(t, stateOf(1), state)
		require.EqualValues(t, 1, info.Step)
		require.Len(t, info.Passed, 1)
		require.ErrorIs(t, info.Passed[0], ErrDamaged)
		require.Equal(t, nameOf(2), info.Passed[0].Name)
		_, err = s.Verify(2)
		require.ErrorIs(t, err, ErrDamaged)
		_, err = s.peek(nameOf(2))
		save(t, s, 3)
		save(t, s, 4)
		if err != nil { // as header and length tell
			require.Equal(t, bad, d.files[nameOf(2)].data, "damaged files are left alone")
		}
	}

	s, d := whole()
	for _, f := range d.files {
		f.data = f.data[:len(f.data)-1]
	}
	var state text
	_, err := s.Newest(math.MaxUint64, &state)
	require.ErrorIs(t, err, ErrDamaged)
	require.NotErrorIs(t, err, ErrNoCheckpoint, "else a run would begin anew over them")
	require.ErrorContains(t, err, nameOf(1))
	require.ErrorContains(t, err, nameOf(2))
	infos, damages, err := s.List()
	require.NoError(t, err)
	require.Empty(t, infos)
	require.Len(t, damages, 2)

	s, d = whole()
	d.files[nameOf(3)] = d.files[nameOf(2)] // a copy under another name
	info, err := s.Newest(math.MaxUint64, &state)
	require.NoError(t, err)
	require.EqualValues(t, 2, info.Step)
	require.ErrorContains(t, info.Passed[0], "holds step 2")
}

type failing struct{ save, restore error }

func (f failing) Save(io.Writer) error      { return f.save }
func (f failing) Restore(r io.Reader) error { return f.restore }

func TestRestoreThatFailsIsNotDamage(t *testing.T) {
	t.Parallel()
	s, _ := fake(t, StoreConfig{})
	save(t, s, 1)
	save(t, s, 2)
	shape := errors.New("another shape")
	_, err := s.Newest(math.MaxUint64, failing{restore: shape})
	require.ErrorIs(t, err, shape, "the older one must not be tried: it would fail, too")
	require.NotErrorIs(t, err, ErrDamaged)
	var restore *RestoreError
	require.ErrorAs(t, err, &restore)
	require.EqualValues(t, 2, restore.Step)
	require.Equal(t, StateUnknown, Classify(err))

	_, err = s.Save(3, failing{save: shape})
	require.ErrorIs(t, err, shape)
	require.PanicsWithValue(t, "bug", func() { _, _ = s.Save(3, panicking{}) })
	require.Equal(t, []uint64{1, 2}, listed(t, s))
}

type panicking struct{ Checkpointer }

func (panicking) Save(w io.Writer) error { panic("bug") }

func TestStoreBoundsSize(t *testing.T) {
	t.Parallel()
	s, d := fake(t, StoreConfig{MaxBytes: 100})
	fits, big := text(strings.Repeat("x", 100)), text(strings.Repeat("x", 101))
	_, err := s.Save(1, &fits)
	require.NoError(t, err)
	_, err = s.Save(2, &big)
	require.ErrorIs(t, err, ErrTooLarge)
	require.Len(t, d.files, 1)
	s, err = openStore(d, StoreConfig{MaxBytes: 99})
	require.NoError(t, err)
	_, err = s.Load(1, &fits)
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorIs(t, err, ErrDamaged)
}

// history saves, abandons and prunes; it calls acked with what a crash from then on must not lose: at least the state of
// step floor, and nothing above ceiling.
func history(s *Store, acked func(floor, ceiling uint64)) error {
	acked(0, 0)
	for _, step := range []uint64{1, 2, 3, 4} {
		acked(step-1, step)
		state := stateOf(step)
		if _, err := s.Save(step, &state); err != nil {
			return err
		}
		acked(step, step)
	}
	acked(2, 4)
	if err := s.Abandon(2); err != nil {
		return err
	}
	acked(2, 2)
	state := stateOf(3)
	acked(2, 3)
	if _, err := s.Save(3, &state); err != nil {
		return err
	}
	acked(3, 3)
	return nil
}

// TestCrashBetweenAllOperations stops the machine at every operation, with everything that may be left then.
func TestCrashBetweenAllOperations(t *testing.T) {
	t.Parallel()
	images := 0
	for crashAt := 1; ; crashAt++ {
		d := newFakeFolder()
		d.crashAt = crashAt
		s, err := openStore(d, StoreConfig{Keep: 3})
		require.NoError(t, err)
		var floor, ceiling uint64
		err = history(s, func(f, c uint64) { floor, ceiling = f, c })
		if err == nil && d.ops < crashAt {
			break
		}
		for _, image := range d.survivors() {
			images++
			s, err := openStore(image, StoreConfig{Keep: 3})
			require.NoError(t, err)
			var state text
			info, err := s.Newest(math.MaxUint64, &state)
			if floor == 0 && errors.Is(err, ErrNoCheckpoint) {
				continue
			}
			require.NoError(t, err, "crash at %d (%s): %v", crashAt, d.kinds[crashAt-1], image)
			require.Equal(t, stateOf(info.Step), state)
			require.Empty(t, info.Passed, "nothing is ever half there under its name")
			require.GreaterOrEqual(t, info.Step, floor)
			require.LessOrEqual(t, info.Step, ceiling)
			last := text("last")
			_, err = s.Save(9, &last)
			require.NoError(t, err)
			for name := range image.files {
				require.NotContains(t, name, tempSuffix, "cleared away by the first write")
			}
		}
	}
	t.Logf("%d disk images", images)
	require.Greater(t, images, 150)
}

// TestFaults fails every operation once, with what a disk returns.
func TestFaults(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for _, failure := range []error{syscall.ENOSPC, syscall.EIO, io.ErrShortWrite} {
		for failAt := 1; ; failAt++ {
			d := newFakeFolder()
			d.failAt, d.failure = failAt, failure
			s, err := openStore(d, StoreConfig{Keep: 3})
			require.NoError(t, err)
			var floor, ceiling uint64
			err = history(s, func(f, c uint64) { floor, ceiling = f, c })
			if d.ops < failAt {
				require.NoError(t, err)
				break
			}
			kind := d.kinds[failAt-1]
			if err != nil {
				kinds[kind] = true
				require.ErrorIs(t, err, failure)
			}
			var state text
			info, err := s.Newest(math.MaxUint64, &state)
			if floor > 0 {
				require.NoError(t, err)
				require.Equal(t, stateOf(info.Step), state)
				require.GreaterOrEqual(t, info.Step, floor)
				require.LessOrEqual(t, info.Step, ceiling)
			}
			d.failAt = 0
			save(t, s, 9)
			_, err = s.Newest(math.MaxUint64, &state)
			require.NoError(t, err)
			require.Equal(t, stateOf(9), state, "the store is as good as new")
		}
	}
	for _, kind := range []string{"create", "write", "writeat", "sync", "close", "rename", "syncdir"} {
		require.True(t, kinds[kind], "%s never failed a call", kind)
	}
}

func TestFailedPruneIsNoFailedSave(t *testing.T) {
	t.Parallel()
	s, d := fake(t, StoreConfig{Keep: 1})
	save(t, s, 1)
	before := len(d.kinds)
	save(t, s, 2)
	d.failAt, d.failure = d.ops+slices.Index(d.kinds[before:], "remove")+1, syscall.EIO
	info := save(t, s, 3)
	require.ErrorIs(t, info.Unpruned, syscall.EIO)
	require.Equal(t, []uint64{2, 3}, listed(t, s))
	save(t, s, 4)
	require.Equal(t, []uint64{4}, listed(t, s))
}

func TestSurvivorsLoseWhatWasNotSynced(t *testing.T) {
	t.Parallel() // or the tests above would prove nothing
	d := newFakeFolder()
	f, err := d.create("a")
	require.NoError(t, err)
	_, err = f.Write([]byte("abcd"))
	require.NoError(t, err)
	require.NoError(t, d.rename("a", "b"))
	var seen []string
	for _, image := range d.survivors() {
		for name, f := range image.files {
			seen = append(seen, name+":"+string(f.data))
		}
		if len(image.files) == 0 {
			seen = append(seen, "nothing")
		}
	}
	for _, want := range []string{"nothing", "a:", "a:abcd", "b:", "b:abcd", "b:ab\x00\x00"} {
		require.Contains(t, seen, want)
	}
	require.NoError(t, f.Sync())
	require.NoError(t, d.sync())
	for _, image := range d.survivors() {
		require.Equal(t, "abcd", string(image.files["b"].data))
	}
}

// FuzzFile gives the store any file: it is refused, or it is one that Save could have written.
func FuzzFile(f *testing.F) {
	d := newFakeFolder()
	s, err := openStore(d, StoreConfig{})
	require.NoError(f, err)
	state := stateOf(5)
	_, err = s.Save(5, &state)
	require.NoError(f, err)
	good := d.files[nameOf(5)].data
	f.Add(good)
	f.Add(good[:headerSize])
	f.Add([]byte(frameMagic))
	huge := bytes.Clone(good)
	binary.LittleEndian.PutUint64(huge[32:], math.MaxUint64)
	f.Add(huge)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newFakeFolder()
		d.files[nameOf(5)] = &inode{data: data}
		d.files[ledgerName] = &inode{data: data}
		s, err := openStore(d, StoreConfig{MaxBytes: 1 << 20})
		require.NoError(t, err)
		var got text
		info, err := s.Newest(math.MaxUint64, &got)
		if err == nil {
			require.EqualValues(t, 5, info.Step)
			require.Equal(t, string(data[headerSize:]), string(got))
		} else {
			require.ErrorIs(t, err, ErrDamaged)
			require.Empty(t, got)
		}
		_, _, err = s.loadLedger()
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
		}
		require.Equal(t, data, d.files[nameOf(5)].data)
	})
}

// FuzzNotes gives a supervisor notes that have the right digest but any content.
func FuzzNotes(f *testing.F) {
	var buf bytes.Buffer
	state := text("x")
	b := &bundle{state: &state, meta: meta{Position: position{Step: 3, Next: 7, Skips: []Range{{1, 5}, {9, 11}}}}}
	require.NoError(f, b.Save(&buf))
	f.Add(buf.Bytes())
	f.Add([]byte{255, 255, 255, 255})
	f.Add([]byte("\x02\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var state text
		b := &bundle{state: &state}
		if b.Restore(bytes.NewReader(data)) != nil {
			require.Zero(t, b.meta, "nothing is taken over in part")
			return
		}
		p := b.meta.Position
		require.NoError(t, p.check())
		require.Equal(t, p.Next, p.batchAt(p.Step))
		d, err := NewDetector(DetectorConfig{Window: 8})
		require.NoError(t, err)
		d.resume(b.meta.Detector)
		for range 20 {
			d.Observe(1, 0)
		}
		require.LessOrEqual(t, len(d.memory.Window), 8)
	})
}
