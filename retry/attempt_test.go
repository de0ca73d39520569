package retry_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

// A step that forgets goroutines must not meet them again: what they kept of an attempt is ended for ever, whether they
// ever asked for Done or ask for the first time now, and neither they nor what they derive touch the attempts that follow.
func TestKeptContexts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parent, cancelParent := context.WithCancelCause(context.WithValue(t.Context(), valueKey{}, "trace"))
		for name, w := range watchers(t) {
			var kept []context.Context
			for i := range 100 {
				ctx, token := w.Watch(parent)
				require.NoError(t, ctx.Err(), name)
				for _, old := range kept {
					require.NotSame(t, old, ctx, "%s: used again", name)
				}
				if i%2 == 1 {
					child, stop := context.WithCancel(ctx)
					defer stop()
					kept = append(kept, child)
				}
				kept = append(kept, ctx)
				retry.Beat(ctx)
				require.NoError(t, w.Release(token, nil))
			}
			now, token := w.Watch(parent)
			for i, ctx := range kept {
				if i%5 != 0 { // of the others nobody ever asks for it
					<-ctx.Done()
				}
				require.Equal(t, context.Canceled, ctx.Err())
				require.Equal(t, context.Canceled, context.Cause(ctx))
				require.Equal(t, "trace", ctx.Value(valueKey{}), "values outlive the attempt")
				require.NoError(t, context.WithoutCancel(ctx).Err())
				if i%5 != 0 {
					child, stop := context.WithTimeout(context.WithValue(ctx, valueKey{}, 1), time.Hour)
					require.Equal(t, context.Canceled, child.Err())
					stop()
				}
				retry.Beat(ctx)
			}
			require.NoError(t, now.Err())
			require.NoError(t, w.Release(token, nil))
			defer func() { // a later end of the parent is not why they ended
				for _, ctx := range kept {
					require.Equal(t, context.Canceled, context.Cause(ctx))
				}
			}()
		}
		cancelParent(errTransient)
	})
}

// Whatever races, an error once seen stays, comes with a closed Done, and belongs to its cause.
func TestAttemptRaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, err := retry.NewWatchdog(retry.WatchdogConfig{Hard: time.Second, Soft: -1})
		require.NoError(t, err)
		defer d.Close()
		for i := range 300 {
			parent, cancelParent := context.WithCancelCause(t.Context())
			ctx, token := d.Watch(parent)
			<-time.After(time.Second - 1) // until the hard limit is very near
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					child, stop := context.WithCancel(ctx)
					defer stop()
					for ctx.Err() == nil {
						retry.Beat(ctx)
						runtime.Gosched()
						select {
						case <-ctx.Done():
						case <-time.After(1):
						}
					}
					first, cause := ctx.Err(), context.Cause(ctx)
					select {
					case <-ctx.Done():
					default:
						t.Error("an error, but not done")
					}
					<-child.Done()
					if ctx.Err() != first || context.Cause(ctx) != cause || child.Err() != first || context.Cause(child) != cause {
						t.Error(ctx.Err(), context.Cause(ctx), child.Err(), context.Cause(child), "not", first, cause)
					}
				})
			}
			if i%3 == 0 {
				wg.Go(func() { cancelParent(errTransient) })
			}
			if i%2 == 0 {
				wg.Go(func() { _ = d.Release(token, errTransient) })
			}
			<-time.After(2)
			cancelParent(errTransient)
			wg.Wait()
			_ = d.Release(token, nil)
		}
	})
}

// The end of the parent counts although nobody noticed it before a limit or the release.
func TestParentEndedUnnoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, w := range map[string]watcher{
			"Watchdog": &retry.Watchdog{}, "Deadline": &retry.Deadline{Limit: time.Second}, "LearnedDeadline": &retry.LearnedDeadline{Cap: time.Second},
		} {
			for _, wait := range []time.Duration{0, time.Hour} {
				parent, cancel := context.WithCancelCause(t.Context())
				ctx, token := w.Watch(parent)
				cancel(errTransient)
				<-time.After(wait)
				require.Equal(t, errTransient, w.Release(token, errTransient), name)
				require.Equal(t, context.Canceled, ctx.Err(), name)
				require.Equal(t, errTransient, context.Cause(ctx), name)

				short, stop := context.WithTimeout(t.Context(), time.Millisecond)
				ctx, token = w.Watch(short)
				<-time.After(time.Millisecond + wait)
				synctest.Wait()
				require.NoError(t, w.Release(token, nil), name)
				require.Equal(t, context.DeadlineExceeded, ctx.Err(), "%s: not changed by the release", name)
				stop()
			}
		}
	})
}

// odd is a context that cannot be compared, ends without package context, and has no AfterFunc.
type odd struct {
	context.Context
	done chan struct{}
	_    func()
}

func (o odd) Done() <-chan struct{} { return o.done }

func (o odd) Err() error {
	select {
	case <-o.done:
		return errTransient
	default:
		return nil
	}
}

func TestOddParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := retry.Deadline{Limit: time.Hour}
		parent := odd{Context: t.Context(), done: make(chan struct{})}
		for range 3 {
			_, token := d.Watch(parent)
			require.NoError(t, d.Release(token, nil))
		}
		ctx, token := d.Watch(parent)
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		lazy, other := d.Watch(parent)
		require.NoError(t, child.Err())
		close(parent.done)
		for _, ctx := range []context.Context{lazy, ctx, child} {
			<-ctx.Done()
			require.Equal(t, errTransient, ctx.Err())
		}
		require.Equal(t, errTransient, d.Release(token, errTransient))
		require.NoError(t, d.Release(other, nil))
		require.Equal(t, errTransient, lazy.Err(), "not changed by the release")
	})
}

func TestAttemptString(t *testing.T) {
	t.Parallel()
	d := retry.Deadline{Limit: time.Hour}
	ctx, token := d.Watch(context.Background())
	require.Equal(t, "context.Background.Watch", fmt.Sprint(ctx))
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	require.Equal(t, "context.Background.Watch.WithCancel", fmt.Sprint(child))
	require.NoError(t, d.Release(token, nil))
}

// Who keeps a context keeps its own values, and not those of the attempts before and after.
func TestKeptContextPinsItsOwnParentAlone(t *testing.T) {
	t.Parallel()
	d := retry.Deadline{Limit: time.Hour}
	var batches []weak.Pointer[[1 << 16]byte]
	var kept []context.Context
	for i := range 40 {
		batch := new([1 << 16]byte)
		batches = append(batches, weak.Make(batch))
		parent := context.WithValue(context.Background(), valueKey{}, batch)
		for range 1 + i%3 {
			ctx, token := d.Watch(parent)
			if i%10 == 0 {
				kept = append(kept, ctx)
			}
			require.NoError(t, d.Release(token, nil))
		}
	}
	runtime.GC()
	pinned := 0
	for _, batch := range batches {
		if batch.Value() != nil {
			pinned++
		}
	}
	require.LessOrEqual(t, pinned, 4+1, "those kept, and that of the last attempt")
	runtime.KeepAlive(kept)
	runtime.KeepAlive(&d)
}

func TestWatchAllocations(t *testing.T) { // not parallel: it counts what the whole program allocates
	parent, cancel := context.WithCancel(context.WithValue(context.Background(), valueKey{}, 1))
	defer cancel()
	for name, w := range watchers(t) {
		step := func(ctx context.Context) error {
			retry.Beat(ctx)
			return ctx.Err()
		}
		require.EqualValues(t, 1, testing.AllocsPerRun(100, func() {
			for range 32 { // they are made together, and all that is made
				ctx, token := w.Watch(parent)
				_ = w.Release(token, step(ctx))
			}
		}), name)
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() { retry.Beat(parent) }))
}
