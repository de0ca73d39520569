package recovery

import (
	"io"
	"io/fs"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// watched is a state that another process looks at, and asks for, while it is saved.
type watched struct {
	*text
	look func()
}

func (w watched) Save(out io.Writer) error { w.look(); return w.text.Save(out) }

// An evaluation may read the newest checkpoint while training writes the next one.
func TestReadBesideAWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writer, err := OpenStore(dir, StoreConfig{Keep: 1})
	require.NoError(t, err)
	save(t, writer, 1)
	second := text("second")
	_, err = writer.Save(2, watched{&second, func() {
		reader, err := OpenStore(dir, StoreConfig{Keep: 1})
		require.NoError(t, err)
		var state text
		info, err := reader.Newest(math.MaxUint64, &state)
		require.NoError(t, err)
		require.EqualValues(t, 1, info.Step)
		require.NoError(t, reader.Abandon(1))
	}})
	require.NoError(t, err, "its file is still there")
	require.Equal(t, []uint64{2}, listed(t, writer))
}

// A checkpoint that is pruned between the listing and the loading is passed over.
func TestLoadBesideAPruner(t *testing.T) {
	t.Parallel()
	s, d := fake(t, StoreConfig{})
	save(t, s, 1)
	save(t, s, 2)
	s.dir = vanishing{d}
	var state text
	_, err := s.Load(2, &state)
	require.ErrorIs(t, err, ErrNoCheckpoint)
	require.NotErrorIs(t, err, ErrDamaged)
	info, err := s.Newest(math.MaxUint64, &state)
	require.NoError(t, err)
	require.EqualValues(t, 1, info.Step)

	own := failing{restore: fs.ErrNotExist}
	_, err = s.Load(1, own)
	var restore *RestoreError
	require.ErrorAs(t, err, &restore, "a file that the state misses is no checkpoint that is missing")
}

// vanishing is a directory whose second checkpoint is gone as soon as its header has been looked at.
type vanishing struct{ *fakeFolder }

func (d vanishing) open(name string) (readFile, error) {
	f, err := d.fakeFolder.open(name)
	if name == nameOf(2) {
		delete(d.files, name)
	}
	return f, err
}
