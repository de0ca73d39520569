package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
)

func TestFailingDisk(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]durabletest.Fault{"nothing written": durabletest.Error, "half written": durabletest.Partial} {
		for op := range 2 { // the write, and the sync
			t.Run(fmt.Sprint(name, op), func(t *testing.T) {
				t.Parallel()
				var logged bytes.Buffer
				opts := quiet
				opts.Logger = slog.New(slog.NewTextHandler(&logged, nil))
				d := newDisk()
				l := mustOpen(t, d, opts)
				fill(t, l, 2)
				head := l.Head()
				d.Set(func(ops int) { d.Why, d.Fault = syscall.ENOSPC, map[int]durabletest.Fault{ops + 1 + op: kind} })
				for range 2 { // a second try would succeed, and must not be made
					_, err := l.Append(t.Context(), Event{Kind: KindNote})
					require.ErrorIs(t, err, ErrPoisoned)
					require.ErrorIs(t, err, syscall.ENOSPC)
					var p *PoisonedError
					require.ErrorAs(t, err, &p)
					require.Equal(t, "x", p.Path)
					requirePermanentAndNeutral(t, err)
				}
				require.ErrorIs(t, l.Post(t.Context(), Event{Kind: KindNote}), ErrDropped)
				require.ErrorIs(t, l.Err(), ErrPoisoned)
				_, err := l.Checkpoint(t.Context())
				require.ErrorIs(t, err, ErrPoisoned)
				require.Equal(t, head, l.Head())
				require.ErrorIs(t, l.Close(), syscall.ENOSPC)
				require.Equal(t, 1, strings.Count(logged.String(), "level=ERROR"), "one line, however often it is tried")

				l = mustOpen(t, d.PowerLoss(durabletest.All), quiet)
				require.NoError(t, l.Close())
				after := d.Restart()
				l = mustOpen(t, after, quiet)
				require.NoError(t, l.Close())
				check(t, after, Trust{Heads: []Head{head}})
				all := collect(t, after)
				require.Equal(t, KindRecovered, all[len(all)-1].Kind)
			})
		}
	}
}

func requirePermanentAndNeutral(t *testing.T, err error) {
	t.Helper()
	err = fmt.Errorf("wrapped: %w", err)
	var p interface{ Permanent() bool }
	require.ErrorAs(t, err, &p)
	require.True(t, p.Permanent())
	var n interface{ Neutral() bool }
	require.ErrorAs(t, err, &n)
	require.True(t, n.Neutral())
}

// A log that blocks waits for space, loses nothing and writes nothing twice.
func TestBlock(t *testing.T) {
	t.Parallel()
	for _, kind := range []durabletest.Fault{0, durabletest.Error, durabletest.Partial} {
		for op := 1; op <= 2; op++ {
			synctest.Test(t, func(t *testing.T) {
				opts := quiet
				opts.OnFailure = Block
				d := newDisk()
				l := mustOpen(t, d, opts)
				fill(t, l, 1)
				head := l.Head()
				if kind == 0 {
					d.Set(func(int) { d.Full = true })
				} else {
					d.Set(func(ops int) { d.Fault = map[int]durabletest.Fault{ops + op: kind} })
				}
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				_, err := l.Append(ctx, Event{Kind: KindNote, Run: "gave-up"})
				cancel()
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, ErrPoisoned)
				var wg sync.WaitGroup
				for w := range 5 {
					wg.Go(func() {
						_, err := l.Append(t.Context(), Event{Kind: KindNote, Run: fmt.Sprint("w", w)})
						require.NoError(t, err)
					})
				}
				<-time.After(3 * time.Second)
				d.Set(func(int) { d.Full = false })
				wg.Wait()
				require.NoError(t, l.Err())
				require.EqualValues(t, 1, l.Stats().Healed)
				require.NoError(t, l.Close())
				seen := map[string]int{}
				recovered := false
				check(t, d, Trust{Heads: []Head{head, l.Head()}})
				for _, e := range collect(t, d) {
					seen[e.Run]++
					if e.Kind == KindRecovered {
						recovered = true
						require.Contains(t, string(e.Data), `"error":"audit: x cannot be written any more`)
					}
				}
				require.True(t, recovered)
				for w := range 5 {
					require.Equal(t, 1, seen[fmt.Sprint("w", w)])
				}
			})
		}
	}
}

// A group that had reached the disk although its sync failed is found again, and not written a second time.
func TestBlockRescues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := quiet
		opts.OnFailure = Block
		d := newDisk()
		l := mustOpen(t, d, opts)
		d.Set(func(ops int) {
			d.Fault = map[int]durabletest.Fault{ops + 2: durabletest.Error} // the sync: the page cache still has what was written
		})
		seq, err := l.Append(t.Context(), Event{Kind: KindNote, Run: "once"})
		require.NoError(t, err)
		require.EqualValues(t, 2, seq)
		require.NoError(t, l.Close())
		n := 0
		for _, e := range collect(t, d.PowerLoss(durabletest.None)) {
			if e.Run == "once" {
				n++
			}
		}
		require.Equal(t, 1, n)
	})
}

func TestDrop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := quiet
		opts.OnFailure = Drop
		d := newDisk()
		l := mustOpen(t, d, opts)
		r, err := NewRecorder(l, "r")
		require.NoError(t, err)
		d.Set(func(int) { d.Full = true })
		for range 3 {
			_, err := l.Append(t.Context(), Event{Kind: KindNote})
			require.ErrorIs(t, err, ErrDropped)
			require.ErrorIs(t, err, syscall.ENOSPC)
			r.RecordBatch(t.Context(), 1, 1, 0, 0, nil)
			_, err = r.Admit(t.Context())
			require.NoError(t, err, "training goes on")
		}
		require.EqualValues(t, 6, l.Stats().Dropped)
		require.EqualValues(t, 3, r.Dropped())
		<-time.After(time.Minute)
		require.Error(t, l.Err())
		d.Set(func(int) { d.Full = false })
		<-time.After(2 * healMost)
		require.NoError(t, l.Err())
		fill(t, l, 1)
		require.NoError(t, l.Close())
		all := collect(t, d)
		dropped := all[len(all)-1]
		require.Equal(t, KindDropped, dropped.Kind)
		require.Equal(t, `{"events":6}`, string(dropped.Data))
	})
}

// What Post has no room for is dropped, counted and told; what it accepted is there after Close.
func TestPostOverflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := mustOpen(t, d, quiet)
		hold := make(chan struct{})
		d.Set(func(int) { d.Hold = func() { <-hold } })
		big := json.RawMessage(`"` + strings.Repeat("x", 60000) + `"`)
		posted, dropped := 0, 0
		for range 300 {
			switch err := l.Post(t.Context(), Event{Kind: KindNote, Data: big}); {
			case err == nil:
				posted++
			default:
				require.ErrorIs(t, err, ErrDropped)
				dropped++
			}
		}
		require.Less(t, posted, 150, "8 MiB at most")
		require.Greater(t, posted, 60)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := l.Append(ctx, Event{Kind: KindNote, Data: big})
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, "Append waits for a place")
		close(hold)
		fill(t, l, 1)
		require.NoError(t, l.Close())
		kinds := map[Kind]int{}
		for _, e := range collect(t, d) {
			kinds[e.Kind]++
			if e.Kind == KindDropped {
				require.Equal(t, fmt.Sprintf(`{"events":%d}`, dropped), string(e.Data))
			}
		}
		require.Equal(t, posted+1, kinds[KindNote])
		require.Equal(t, 1, kinds[KindDropped])
		require.EqualValues(t, dropped, l.Stats().Dropped)
	})
}

func TestHungDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := mustOpen(t, d, quiet)
		head := l.Head()
		hold := make(chan struct{})
		d.Set(func(int) { d.Hold = func() { <-hold } })
		start := time.Now()
		var wg sync.WaitGroup
		for range 200 { // more than a group in all: the last ones wait for a place
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				_, err := l.Append(ctx, Event{Kind: KindNote, Data: strings.Repeat("x", MaxData-2)})
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		wg.Wait()
		require.Equal(t, 3*time.Second, time.Since(start))
		require.Equal(t, head, l.Head())
		close(hold)
		require.NoError(t, l.Close())
		rep := check(t, d, Trust{Heads: []Head{head}})
		require.Less(t, rep.Entries, uint64(200))
		require.Greater(t, rep.Entries, uint64(60))
	})
}

// An entry is under a signed head a second later, and an idle log is left alone.
func TestCheckpointEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := quiet
		opts.CheckpointEvery = 0
		d := newDisk()
		l := mustOpen(t, d, opts)
		<-time.After(time.Minute)
		require.EqualValues(t, 1, l.Stats().Signed)
		fill(t, l, 3)
		require.EqualValues(t, 1, l.Stats().Signed)
		<-time.After(time.Second)
		synctest.Wait()
		require.EqualValues(t, 4, l.Stats().Signed)
		ops := d.Ops()
		<-time.After(time.Hour)
		require.Equal(t, ops, d.Ops())
		for range 3 {
			fill(t, l, 1)
			<-time.After(1001 * time.Millisecond)
			synctest.Wait()
			require.Equal(t, l.Head().Size, l.Stats().Signed)
		}
		require.NoError(t, l.Close())
	})
}

// Tiles that cannot be written stop nobody for a while: the journal has the entries.
func TestTilesFail(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l := mustOpen(t, d, quiet)
	for i := range 6 {
		d.Set(func(ops int) {
			d.Fault = map[int]durabletest.Fault{ops + 2 + i: durabletest.Partial}
			for n := 1; n < 400; n++ {
				d.Fault[ops+3+i+n] = durabletest.Error
			}
		})
		_, err := l.Checkpoint(t.Context())
		require.NoError(t, err, "nothing new")
		d.Set(func(int) { d.Fault = nil })
		fill(t, l, 2)
		d.Set(func(ops int) { d.Fault = map[int]durabletest.Fault{ops + 1 + i: durabletest.Partial} })
		_, err = l.Checkpoint(t.Context())
		require.Error(t, err)
		require.NoError(t, l.Err())
		fill(t, l, 1)
		h, err := l.Checkpoint(t.Context())
		require.NoError(t, err)
		require.Equal(t, l.Head(), h)
	}
	require.EqualValues(t, 6, l.Stats().CheckpointErrors)
	require.NoError(t, l.Close())
	check(t, d.PowerLoss(durabletest.None), Trust{Heads: []Head{l.Head()}})
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		l := mustOpen(t, d, quiet)
		hold := make(chan struct{})
		var syncs atomic.Int64
		d.Set(func(int) { d.Hold = func() { syncs.Add(1); <-hold } })
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := l.Append(t.Context(), Event{Kind: KindNote})
				require.NoError(t, err)
			})
			synctest.Wait()
		}
		close(hold)
		wg.Wait()
		require.EqualValues(t, 2, syncs.Load(), "99 entries gathered while the first was synced")
		require.NoError(t, l.Close())
	})
}

func TestErrorsTellThemselvesApart(t *testing.T) {
	t.Parallel()
	var n interface{ Neutral() bool }
	require.ErrorAs(t, fmt.Errorf("x: %w", ErrDropped), &n)
	var p interface{ Permanent() bool }
	require.False(t, errors.As(ErrDropped, &p))
	require.ErrorAs(t, error(&DamageError{}), &p)
	require.ErrorAs(t, error(&HeadError{}), &p)
}
