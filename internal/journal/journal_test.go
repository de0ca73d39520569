package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
)

func TestOpenCreates(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ledger")
	j, err := Open(dir, Options{})
	require.NoError(t, err)
	require.Equal(t, Recovery{Created: true, Clean: true, Offset: headerSize + frameSize}, j.Recovery())
	for name, mode := range map[string]os.FileMode{"": 0o700, fileName: 0o600, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
	_, err = Open(dir, Options{})
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, dir)
	seq, err := j.Append(t.Context(), []byte("a"))
	require.NoError(t, err)
	require.EqualValues(t, 1, seq)
	require.NoError(t, j.Compact(t.Context(), 1, nil), "an empty snapshot is a snapshot")
	require.NoError(t, j.Close())
	require.NoError(t, j.Close())
	_, err = j.Append(t.Context(), nil)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, j.Compact(t.Context(), 1, nil), ErrClosed)
	require.ErrorIs(t, j.Err(), ErrClosed)

	var got []found
	j, err = Open(dir, Options{Replay: func(e Entry) error {
		got = append(got, found{e.Seq, e.Snapshot, string(e.Payload)})
		return nil
	}})
	require.NoError(t, err)
	require.Equal(t, []found{{1, true, ""}}, got)
	require.False(t, j.Recovery().Created)
	require.NoError(t, j.Err())
	seq, err = j.AppendBatch(t.Context(), []byte("b"), []byte("c"))
	require.NoError(t, err)
	require.EqualValues(t, 2, seq, "numbers go on after a compaction")
	require.ErrorContains(t, j.Compact(t.Context(), 0, nil), "not in 1..3")
	require.NoError(t, j.Close())
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, names, 2)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	_, err := Open(filepath.Join(t.TempDir(), "no", "parent"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, n := range []int{-1, maxMaxEntry + 1} {
		_, err = Open(t.TempDir(), Options{MaxEntry: n})
		require.ErrorContains(t, err, fmt.Sprint("MaxEntry ", n))
	}
	for _, name := range []string{fileName, "lock"} {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		_, err = Open(dir, Options{})
		require.Error(t, err)

		dir = t.TempDir()
		j, err := Open(dir, Options{})
		require.NoError(t, err)
		require.NoError(t, j.Close())
		require.NoError(t, os.Chmod(filepath.Join(dir, name), 0o620))
		_, err = Open(dir, Options{})
		require.ErrorContains(t, err, "may be written by others")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, fileName), nil, 0o600))
	_, err = Open(dir, Options{})
	require.ErrorIs(t, err, ErrDamaged, "an empty file is not an empty journal")
}

func TestReplayThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Options{})
	require.NoError(t, err)
	_, err = j.AppendBatch(t.Context(), []byte("a"), []byte("b"))
	require.NoError(t, err)
	require.NoError(t, j.Close())
	bad := errors.New("bad")
	_, err = Open(dir, Options{Replay: func(e Entry) error {
		if e.Seq == 2 {
			return bad
		}
		return nil
	}})
	require.ErrorIs(t, err, bad)
	require.ErrorContains(t, err, "entry 2")
	require.Panics(t, func() { _, _ = Open(dir, Options{Replay: func(Entry) error { panic("bad") }}) })
	j, err = Open(dir, Options{})
	require.NoError(t, err, "the lock was given back")
	require.NoError(t, j.Close())
}

func TestLimits(t *testing.T) {
	t.Parallel()
	d := durabletest.New()
	j, err := OpenIn(d, "x", Options{MaxEntry: 10})
	require.NoError(t, err)
	ops := d.Ops()
	_, err = j.Append(t.Context(), make([]byte, 11))
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = j.AppendBatch(t.Context())
	require.ErrorContains(t, err, "without entries")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = j.Append(ended, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, j.Compact(ended, 0, nil), context.Canceled)
	require.ErrorContains(t, j.Compact(t.Context(), 1, nil), "not in 0..0")
	require.Equal(t, ops, d.Ops(), "nothing was written")
	_, err = j.Append(t.Context(), make([]byte, 10))
	require.NoError(t, err)
	require.NoError(t, j.Compact(t.Context(), 1, nil))
	require.ErrorContains(t, j.Compact(t.Context(), 0, nil), "not in 1..1")
	require.NoError(t, j.Close())

	// What was written with a larger limit is read.
	j, err = OpenIn(d, "x", Options{MaxEntry: maxMaxEntry})
	require.NoError(t, err)
	half := make([]byte, 40<<20)
	_, err = j.AppendBatch(t.Context(), half, half)
	require.ErrorIs(t, err, ErrTooLarge, "each alone is not")
	_, err = j.Append(t.Context(), make([]byte, 2<<20))
	require.NoError(t, err)
	require.NoError(t, j.Close())
	j, err = OpenIn(d, "x", Options{})
	require.NoError(t, err)
	require.EqualValues(t, 1, j.Recovery().Entries)
	require.NoError(t, j.Close())

	var none *Journal
	_, err = none.Append(t.Context(), nil)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, none.Compact(t.Context(), 0, nil), ErrClosed)
	require.ErrorIs(t, none.Err(), ErrClosed)
	require.NoError(t, none.Close())
	require.Zero(t, none.Recovery())
	seq, size := none.Last()
	require.Zero(t, seq+uint64(size))
}

// TestCallersShareASync: those who come while a sync is under way have the next one together.
func TestCallersShareASync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := durabletest.New()
		j, err := OpenIn(d, "x", Options{})
		require.NoError(t, err)
		gate, before := make(chan struct{}), d.Syncs()
		d.Hold = func() { <-gate }
		var wg sync.WaitGroup
		seen := make([]bool, 201)
		add := func() {
			seq, err := j.Append(t.Context(), []byte("x"))
			require.NoError(t, err)
			seen[seq] = true
		}
		wg.Go(add)
		synctest.Wait()
		for range 199 {
			wg.Go(add)
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = j.Append(ctx, nil)
		require.ErrorIs(t, err, context.Canceled)
		seq, _ := j.Last()
		require.Zero(t, seq, "nothing is durable yet")
		gate <- struct{}{}
		gate <- struct{}{}
		wg.Wait()
		require.Equal(t, 2, d.Syncs()-before)
		require.Equal(t, append([]bool{false}, bytesOf(true, 200)...), seen)
		d.Hold = nil
		require.NoError(t, j.Close())
	})
}

func bytesOf(v bool, n int) []bool {
	s := make([]bool, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// TestHungDisk: a context bounds the wait for the disk, for room in a group, and for a compaction.
func TestHungDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := durabletest.New()
		j, err := OpenIn(d, "x", Options{MaxEntry: maxGroup})
		require.NoError(t, err)
		gate := make(chan struct{})
		d.Hold = func() { <-gate }
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 { // the first is being synced, the second fills a group, the third finds no room
			wg.Go(func() {
				_, err := j.Append(ctx, make([]byte, maxGroup-100))
				require.ErrorIs(t, err, context.Canceled)
			})
			synctest.Wait()
		}
		wg.Go(func() { require.ErrorIs(t, j.Compact(ctx, 0, nil), context.Canceled) })
		synctest.Wait()
		cancel()
		wg.Wait()
		wg.Go(func() { require.NoError(t, j.Close()) })
		synctest.Wait()
		require.ErrorIs(t, j.Err(), ErrClosed)
		close(gate)
		wg.Wait()
		j, err = OpenIn(d, "x", Options{})
		require.NoError(t, err)
		require.EqualValues(t, 2, j.Recovery().Entries, "who gave up while being written was written")
		require.NoError(t, j.Close())
	})
}

// TestConcurrent appends, compacts, reads and closes at the same time.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	d := durabletest.New()
	j, err := OpenIn(d, "x", Options{})
	require.NoError(t, err)
	var mu sync.Mutex
	acked := map[uint64]string{}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				a, b := fmt.Sprint(w, "/", i), strings.Repeat("x", i%50)
				first, err := j.AppendBatch(t.Context(), []byte(a), []byte(b))
				if err != nil {
					require.ErrorIs(t, err, ErrClosed)
					return
				}
				mu.Lock()
				acked[first], acked[first+1] = a, b
				n := len(acked)
				mu.Unlock()
				if n > 3000 {
					wg.Go(func() { require.NoError(t, j.Close()) })
				}
			}
		})
	}
	wg.Go(func() {
		for {
			through, size := j.Last()
			if err := j.Compact(t.Context(), through/2, bytes.Repeat([]byte{'s'}, int(through/2))); err != nil {
				require.ErrorIs(t, err, ErrClosed)
				return
			}
			require.Positive(t, size)
		}
	})
	wg.Wait()
	next := uint64(0)
	j, err = OpenIn(d, "x", Options{Replay: func(e Entry) error {
		if e.Snapshot {
			require.Len(t, e.Payload, int(e.Seq))
		} else {
			require.Equal(t, next+1, e.Seq)
			require.Equal(t, acked[e.Seq], string(e.Payload))
		}
		next = e.Seq
		return nil
	}})
	require.NoError(t, err)
	require.EqualValues(t, len(acked), next)
	require.NoError(t, j.Close())
}
