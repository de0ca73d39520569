package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
)

func TestStage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Options{MaxEntry: 100})
	require.NoError(t, err)
	require.True(t, j.Recovery().Clean)
	require.NoError(t, Ticket{}.Wait(t.Context()))
	var last Ticket
	for i := range 1000 {
		last, err = j.Stage(fmt.Append(nil, i))
		require.NoError(t, err)
		require.EqualValues(t, i+1, last.Seq())
	}
	_, err = j.Stage(make([]byte, 101))
	require.ErrorIs(t, err, ErrTooLarge)
	require.NoError(t, last.Wait(t.Context()))
	seq, _ := j.Last()
	require.EqualValues(t, 1000, seq, "the last one waits for all")

	read := func() (n int, rec Recovery) { // while it is open
		rec, err := Read(durable.OS(dir), dir, func(e Entry) error {
			require.Equal(t, fmt.Sprint(n), string(e.Payload))
			n++
			return nil
		})
		require.NoError(t, err)
		return n, rec
	}
	n, rec := read()
	require.Equal(t, 1000, n)
	require.False(t, rec.Clean)
	require.NoError(t, j.Close())
	n, rec = read()
	require.Equal(t, 1000, n)
	require.True(t, rec.Clean)
	_, err = j.Stage(nil)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, j.Room(t.Context()), ErrClosed)
	var none *Journal
	_, err = none.Stage(nil)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, none.Room(t.Context()), ErrClosed)

	j, err = Open(dir, Options{})
	require.NoError(t, err)
	require.True(t, j.Recovery().Clean)
	require.NoError(t, j.Compact(t.Context(), 1000, []byte("s")))
	rec, err = Read(durable.OS(dir), dir, nil)
	require.NoError(t, err)
	require.False(t, rec.Clean, "a snapshot that nobody closed")
	require.NoError(t, j.Close())
	rec, err = Read(durable.OS(dir), dir, nil)
	require.NoError(t, err)
	require.True(t, rec.Clean)

	_, err = Read(durable.OS(t.TempDir()), "x", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestStageNeverWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := durabletest.New()
		j, err := OpenIn(d, "x", Options{})
		require.NoError(t, err)
		hold := make(chan struct{})
		d.Hold = func() { <-hold }
		staged := 0
		for {
			if _, err = j.Stage(make([]byte, 1<<20)); err != nil {
				break
			}
			staged++
			synctest.Wait()
		}
		require.ErrorIs(t, err, ErrBusy)
		require.Less(t, staged, 9)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, j.Room(ctx), context.DeadlineExceeded)
		close(hold)
		require.NoError(t, j.Room(t.Context()))
		_, err = j.Stage(nil)
		require.NoError(t, err)
		require.NoError(t, j.Close())
		seq, _ := j.Last()
		require.EqualValues(t, staged+1, seq)
	})
}

// What is not accepted stays as it was, a torn end included.
func TestAccept(t *testing.T) {
	t.Parallel()
	d := durabletest.New()
	j, err := OpenIn(d, "x", Options{})
	require.NoError(t, err)
	_, err = j.Append(t.Context(), []byte("a"))
	require.NoError(t, err)
	whole, err := d.Read(fileName)
	require.NoError(t, err)
	torn := append(whole, 1, 2, 3)
	refused := errors.New("refused")
	d = durabletest.Holding(fileName, torn)
	_, err = OpenIn(d, "x", Options{Accept: func(rec Recovery) error {
		require.Equal(t, Recovery{Entries: 1, Cut: 3, Offset: int64(len(whole))}, rec)
		return refused
	}})
	require.Equal(t, refused, err)
	kept, err := d.Read(fileName)
	require.NoError(t, err)
	require.Equal(t, torn, kept)
	require.NoError(t, j.Close())
	j, err = OpenIn(d, "x", Options{Accept: func(Recovery) error { return nil }})
	require.NoError(t, err)
	require.NoError(t, j.Close())
}
