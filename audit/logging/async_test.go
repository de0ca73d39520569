package logging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// gate is a writer that waits for its turn.
type gate struct {
	buffer
	open chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.buffer.Write(p)
}

func fill(t *testing.T, a *Async, from, to int) (errs []error) {
	t.Helper()
	for i := from; i <= to; i++ {
		if _, err := fmt.Fprintf(a, "%d\n", i); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func TestOverflow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		overflow Overflow
		want     string
		dropped  uint64
		refused  int
		took     time.Duration
	}{
		{Block, "1 2 3 4", 3, 3, 3 * time.Second},
		{DropNewest, "1 2 3 4", 3, 3, 0},
		{DropOldest, "1 5 6 7", 3, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &gate{open: make(chan struct{})}
			a, err := NewAsync(w, AsyncConfig{Records: 3, Overflow: tt.overflow})
			require.NoError(t, err)
			start := time.Now()
			require.Empty(t, fill(t, a, 1, 1))
			synctest.Wait() // it is being written
			errs := fill(t, a, 2, 7)
			require.Len(t, errs, tt.refused)
			for _, err := range errs {
				require.ErrorIs(t, err, ErrDropped)
			}
			require.Equal(t, tt.took, time.Since(start))
			require.Equal(t, AsyncStats{Waiting: 4, Dropped: tt.dropped}, a.Stats())

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = a.Flush(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, tt.took+time.Minute, time.Since(start))

			close(w.open)
			require.NoError(t, a.Flush(t.Context()))
			require.NoError(t, a.Close(t.Context()))
			require.NoError(t, a.Close(t.Context()))
			require.Equal(t, tt.want, strings.Join(strings.Fields(w.String()), " "))
			require.Equal(t, AsyncStats{Written: 4, Dropped: tt.dropped}, a.Stats())
			_, err = a.Write([]byte("late"))
			require.ErrorIs(t, err, ErrClosed)
			require.Equal(t, AsyncStats{Written: 4, Dropped: tt.dropped + 1}, a.Stats())
		})
	}
}

// What the queue refuses, the handler in front of it counts too, since nobody else hears of it.
func TestHandlerHearsOfDrops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &gate{open: make(chan struct{})}
		a, err := NewAsync(w, AsyncConfig{Records: 2, Overflow: DropNewest})
		require.NoError(t, err)
		l, h := newLogger(t, a, Config{})
		l.Info("m")
		synctest.Wait()
		for range 5 {
			l.Info("m")
		}
		require.Equal(t, uint64(3), h.Stats().Failed)
		require.ErrorContains(t, h.Stats().Err, ErrDropped.Error())
		require.Equal(t, uint64(3), h.Stats().Handled)
		close(w.open)
		require.NoError(t, a.Close(t.Context()))
		require.Equal(t, AsyncStats{Written: 3, Dropped: 3}, a.Stats())
	})
}

func TestFlushWaitsForWhatIsBeingWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &gate{open: make(chan struct{})}
		a, err := NewAsync(w, AsyncConfig{Records: 2, Overflow: DropOldest})
		require.NoError(t, err)
		fill(t, a, 1, 1)
		synctest.Wait()
		flushed := false
		go func() {
			require.NoError(t, a.Flush(context.Background()))
			flushed = true
		}()
		synctest.Wait()
		fill(t, a, 2, 9) // those behind it are dropped, it is not through
		synctest.Wait()
		require.False(t, flushed)
		close(w.open)
		synctest.Wait()
		require.True(t, flushed)
		require.NoError(t, a.Close(t.Context()))
		require.Equal(t, "1\n8\n9\n", w.String())
	})
}

func TestBlockedCallersGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &gate{open: make(chan struct{})}
		a, err := NewAsync(w, AsyncConfig{Records: 1, Wait: -1})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				_, err := fmt.Fprintf(a, "%d\n", i)
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		<-time.After(time.Hour)
		require.EqualValues(t, 2, a.Stats().Waiting)
		close(w.open)
		wg.Wait()
		require.NoError(t, a.Close(t.Context()))
		require.Equal(t, AsyncStats{Written: 20}, a.Stats())
		require.Len(t, strings.Fields(w.String()), 20)
	})
}

// A hung writer keeps neither callers nor Close.
func TestCloseWithHungWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &gate{open: make(chan struct{})}
		a, err := NewAsync(w, AsyncConfig{Records: 4, Wait: -1})
		require.NoError(t, err)
		fill(t, a, 1, 1)
		synctest.Wait()
		fill(t, a, 2, 5)
		blocked := make(chan error, 1)
		go func() {
			_, err := a.Write([]byte("6\n"))
			blocked <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = a.Close(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "dropped 4 records")
		require.ErrorIs(t, <-blocked, ErrClosed)
		require.Equal(t, AsyncStats{Waiting: 1, Dropped: 5}, a.Stats())
		close(w.open)
		require.NoError(t, a.Close(t.Context()))
		require.Equal(t, AsyncStats{Written: 1, Dropped: 5}, a.Stats())
	})
}

type breaking struct{ n int }

func (b *breaking) Write(p []byte) (int, error) {
	switch b.n++; b.n % 4 {
	case 1:
		return 0, errors.New("no space")
	case 2:
		return len(p) - 1, nil
	case 3:
		panic("hunter2")
	}
	return len(p), nil
}

func TestFailedWritesAreCounted(t *testing.T) {
	t.Parallel()
	a, err := NewAsync(&breaking{}, AsyncConfig{})
	require.NoError(t, err)
	fill(t, a, 1, 8)
	require.NoError(t, a.Close(context.Background()))
	s := a.Stats()
	require.Equal(t, uint64(2), s.Written)
	require.Equal(t, uint64(6), s.Failed)
	require.EqualError(t, s.Err, "logging: writer panicked")
	a, err = NewAsync(&breaking{n: 1}, AsyncConfig{})
	require.NoError(t, err)
	fill(t, a, 1, 1)
	require.NoError(t, a.Close(context.Background()))
	require.ErrorIs(t, a.Stats().Err, io.ErrShortWrite)
}

func TestQueueIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &gate{open: make(chan struct{})}
		a, err := NewAsync(w, AsyncConfig{Bytes: 100, Overflow: DropNewest})
		require.NoError(t, err)
		large := make([]byte, 200<<10)
		_, err = a.Write(large)
		require.NoError(t, err, "alone it fits")
		synctest.Wait()
		for range 10 {
			_, err = a.Write(large[:30])
		}
		require.ErrorIs(t, err, ErrDropped)
		require.Equal(t, AsyncStats{Waiting: 4, Dropped: 7}, a.Stats())
		close(w.open)
		require.NoError(t, a.Close(t.Context()))
		require.Len(t, w.String(), 200<<10+90)
	})
}

func TestAsyncRefuses(t *testing.T) {
	t.Parallel()
	for _, cfg := range []AsyncConfig{{Records: -1}, {Bytes: -1}, {Overflow: 3}, {Overflow: -1}} {
		_, err := NewAsync(io.Discard, cfg)
		require.ErrorContains(t, err, "logging: ")
	}
	_, err := NewAsync(nil, AsyncConfig{})
	require.Error(t, err)
	for _, a := range []*Async{nil, {}} {
		_, err := a.Write(nil)
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, a.Flush(context.Background()))
		require.NoError(t, a.Close(context.Background()))
		require.Equal(t, AsyncStats{}, a.Stats())
	}
	require.Equal(t, "drop-newest", DropNewest.String())
}
