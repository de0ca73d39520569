package durable

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOS(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	d := OS(path)
	_, err := d.Names()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, d.Make())
	require.NoError(t, d.Make())
	require.ErrorIs(t, d.Sub("b").Sub("c").Make(), fs.ErrNotExist)
	require.NoError(t, d.Sub("b").Make())
	for _, name := range []string{"", "b"} {
		info, err := os.Stat(filepath.Join(path, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	}
	for _, content := range []string{"one", "", "another"} {
		require.NoError(t, os.WriteFile(filepath.Join(path, "f.new"), []byte("left by a crash"), 0o600))
		require.NoError(t, WriteFile(d, "f", "f.new", []byte(content)))
		require.NoError(t, d.Sync())
		got, err := d.Read("f")
		require.NoError(t, err)
		require.Equal(t, content, string(got))
	}
	names, err := d.Names()
	require.NoError(t, err)
	require.Equal(t, []string{"b/", "f"}, names)
	_, err = d.Create("f")
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = d.Open("none")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = d.Open("b")
	require.Error(t, err)
	f, err := d.Open("f")
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	require.EqualValues(t, 7, size)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	info, err := os.Stat(filepath.Join(path, "f"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.Chmod(filepath.Join(path, "f"), 0o620))
	_, err = d.Open("f")
	require.ErrorContains(t, err, "may be written by others")
	require.NoError(t, d.Rename("f", "g"))
	require.NoError(t, d.Remove("g"))
	require.ErrorIs(t, d.Remove("g"), fs.ErrNotExist)
}

func TestLock(t *testing.T) {
	t.Parallel()
	d := OS(filepath.Join(t.TempDir(), "a"))
	held, err := d.Lock()
	require.NoError(t, err)
	_, err = d.Lock()
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, held.Close())
	held, err = d.Lock()
	require.NoError(t, err)
	require.NoError(t, held.Close())
}
