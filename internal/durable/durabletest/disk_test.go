package durabletest

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable"
)

var _ durable.Dir = (*Disk)(nil)

// TestDiskLosesWhatWasNotSynced: without it no test on this disk could fail.
func TestDiskLosesWhatWasNotSynced(t *testing.T) {
	t.Parallel()
	d := New()
	f, err := d.Create("a")
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, 40), 0)
	require.NoError(t, err)
	require.Empty(t, d.PowerLoss(None).Files())
	require.NoError(t, d.Sync())
	require.Empty(t, d.PowerLoss(None).Files()["a"])
	require.NoError(t, f.Sync())
	require.Equal(t, 1, d.Syncs())
	_, err = f.WriteAt([]byte("0123456789012345678901234567890123456789"), 20)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 40), d.PowerLoss(None).Files()["a"])
	require.Len(t, d.Restart().Files()["a"], 60)
	seen := map[string]bool{}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		seen[string(d.PowerLoss(Coin(r)).Files()["a"])] = true
	}
	require.Greater(t, len(seen), 10)
	d.Fault[d.Ops()+1] = Error
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	require.NoError(t, f.Sync())
	require.NotContains(t, string(d.PowerLoss(All).Files()["a"]), "0", "a second sync does not write what the first lost")
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for fault, want := range map[Fault]struct {
		err   error
		wrote int
		after error
	}{Error: {syscall.ENOSPC, 0, nil}, Partial: {syscall.ENOSPC, 4, nil}, Crash: {ErrCrash, 0, ErrCrash}, Torn: {ErrCrash, 4, ErrCrash}} {
		d := Holding("a", []byte("old"))
		d.Why = syscall.ENOSPC
		f, err := d.Open("a")
		require.NoError(t, err)
		d.Fault[1] = fault
		n, err := f.WriteAt([]byte("12345678"), 3)
		require.ErrorIs(t, err, want.err)
		require.Equal(t, want.wrote, n)
		content, err := d.Read("a")
		require.NoError(t, err)
		require.True(t, bytes.Equal([]byte("old1234")[:3+n], content))
		require.ErrorIs(t, f.Sync(), want.after)
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	d := New()
	unlock, err := d.Lock()
	require.NoError(t, err)
	_, err = d.Lock()
	require.ErrorIs(t, err, durable.ErrLocked)
	require.NoError(t, unlock.Close())
	_, err = d.Open("a")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, d.Remove("a"), fs.ErrNotExist)
	require.ErrorIs(t, d.Rename("a", "b"), fs.ErrNotExist)
	_, err = d.Create("a")
	require.NoError(t, err)
	_, err = d.Create("a")
	require.ErrorIs(t, err, fs.ErrExist)
	require.NoError(t, d.Sync())
	require.NoError(t, d.Rename("a", "b"))
	names, err := d.Names()
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, names)
	require.Contains(t, d.PowerLoss(None).Files(), "a")
	require.Contains(t, d.PowerLoss(All).Files(), "b")
	d.Kill()
	require.ErrorIs(t, d.Remove("b"), ErrCrash)
}

func TestDirectoryBelow(t *testing.T) {
	t.Parallel()
	d := New()
	below := d.Sub("a").Sub("b")
	_, err := below.Names()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, below.Make(), fs.ErrNotExist, "its parent is not there")
	require.NoError(t, d.Sub("a").Make())
	require.NoError(t, below.Make())
	f, err := below.Create("c")
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("x"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.Empty(t, d.PowerLoss(None).Files(), "the name was not synced")
	require.ErrorIs(t, d.Sub("a").Remove("b"), syscall.ENOTEMPTY)
	require.NoError(t, below.Sync())
	require.Equal(t, map[string][]byte{"a/b/c": []byte("x")}, d.PowerLoss(None).Files())
	names, err := d.Names()
	require.NoError(t, err)
	require.Equal(t, []string{"a/"}, names)
	bad := d.Tamper("a/b/c", func(c []byte) []byte { return append(c, 'y') })
	require.Equal(t, "xy", string(bad.Files()["a/b/c"]))
	require.Empty(t, d.Without("a/b").Files())
	require.Equal(t, d.Files(), bad.Swap("a/b", d).Files())
	d.Full = true
	_, err = f.WriteAt([]byte("zz"), 1)
	require.ErrorIs(t, err, syscall.ENOSPC)
}
