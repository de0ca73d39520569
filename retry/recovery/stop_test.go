package recovery

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Nor is it when the run ends for another reason, although Undo would say that it is well.
func TestBadStateIsNeverSaved(t *testing.T) {
	t.Parallel()
	for _, bad := range []error{ErrDiverged, errLost} {
		b := start(t, Config{Every: 5, Plan: Plan{Classify(bad): {{Action: Stop}}}})
		b.ok(8)
		_, err := b.run(Outcome{Err: bad})
		require.ErrorIs(t, err, ErrStopped)
		require.EqualValues(t, 5, b.sup.Report().Checkpoint)
	}
}

func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

func TestStops(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		err        error
		undo       bool
		reason     error
		checkpoint uint64
		permanent  bool
	}{
		{"budget", errBudget, true, ErrStopped, 8, true},
		{"budget without undo", errBudget, false, ErrStopped, 5, true},
		{"cancelled", context.Canceled, true, ErrStopped, 8, false},
		{"bug", errBug, true, ErrFatal, 5, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Every: 5}
			if !tt.undo {
				cfg.Undo = noUndo
			}
			b := start(t, cfg)
			b.ok(8)
			_, err := b.run(Outcome{Err: tt.err})
			require.ErrorIs(t, err, tt.reason)
			require.ErrorIs(t, err, tt.err)
			var stop *StopError
			require.ErrorAs(t, err, &stop)
			require.EqualValues(t, 8, stop.Step)
			require.Equal(t, tt.checkpoint, stop.Checkpoint)
			require.Equal(t, tt.permanent, stop.Permanent())
			_, again := b.run(Outcome{Loss: 1})
			require.Equal(t, err, again)
			require.Equal(t, err, b.sup.Finish())
			require.NoError(t, b.restart())
			require.Equal(t, tt.checkpoint, b.sup.Step())
		})
	}
}

// Preemption: the step in progress is finished, one checkpoint written, and the next start is no restart after a crash.
func TestCancelledContextStopsAfterTheStep(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 100, MaxStarts: 1})
	for range 5 {
		b.ok(2)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("SIGTERM"))
		before := b.sup.Step()
		d, err := b.runIn(ctx, Outcome{Loss: 1})
		require.ErrorIs(t, err, ErrStopped)
		require.ErrorContains(t, err, "SIGTERM")
		require.False(t, permanent(err))
		require.Equal(t, Stop, d.Action)
		require.True(t, d.Saved)
		require.NoError(t, b.restart())
		require.Equal(t, before+1, b.sup.Step())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := b.sup.Step()
	d, err := b.runIn(ctx, Outcome{Err: errFlaky})
	require.ErrorIs(t, err, ErrStopped)
	require.ErrorIs(t, err, errFlaky)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, Cancelled, d.Class)
	require.Equal(t, before, d.Step)
	require.NoError(t, b.restart(), "stopping without a step is no crash either")

	for _, undo := range []func(context.Context, error) error{nil, noUndo} {
		b = start(t, Config{Every: 100, Undo: undo})
		b.ok(2)
		_, err = b.runIn(ctx, Outcome{Err: errFlaky})
		require.ErrorIs(t, err, ErrStopped)
		require.Zero(t, b.sup.Report().Counts.Rollbacks, "who wants to end is not held up by a rollback")
		require.Zero(t, b.sup.Report().Counts.Retries)
	}
	require.EqualValues(t, 0, b.sup.Report().Checkpoint)
}

func TestUndoRunsWhenTheContextHasEnded(t *testing.T) {
	t.Parallel()
	var b *bench
	b = start(t, Config{Undo: func(ctx context.Context, cause error) error {
		require.NoError(t, ctx.Err())
		return b.state.undo(ctx, cause)
	}})
	b.ok(2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d, err := b.runIn(ctx, Outcome{Err: errFlaky})
	require.ErrorIs(t, err, ErrStopped)
	require.True(t, d.Saved)
}

// R41 within a process.
func TestNoProgress(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 5, MaxRecoveries: 4, Plan: Plan{Transient: {{Action: Rollback, Times: 100}}}})
	for range 3 { // progress makes it count anew
		b.ok(3)
		best := b.sup.Report().Best
		for range 4 {
			d, err := b.run(Outcome{Err: errFlaky})
			require.NoError(t, err)
			b.ok(int(best - d.Step))
		}
		b.ok(1)
	}
	for range 4 {
		_, err := b.run(Outcome{Err: errFlaky})
		require.NoError(t, err)
	}
	_, err := b.run(Outcome{Err: errFlaky})
	require.ErrorIs(t, err, ErrNoProgress)
	require.ErrorIs(t, err, errFlaky)
	require.True(t, permanent(err))
}

// R41 across processes: three lives without a further checkpoint are enough.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 5})
	b.ok(6)
	for range 3 {
		require.NoError(t, b.restart())
		require.EqualValues(t, 5, b.sup.Step())
		b.ok(4)
	}
	for range 2 {
		err := b.restart()
		require.ErrorIs(t, err, ErrNoProgress)
		require.True(t, permanent(err))
	}
	b.cfg.MaxStarts = 4
	require.NoError(t, b.restart())
	b.ok(5)
	b.cfg.MaxStarts = 0
	require.NoError(t, b.restart(), "a further checkpoint is progress")
}

func TestRestartBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Config{Every: 1, MaxRestarts: 3, MaxStarts: -1, MaxRecoveries: 100, Plan: Plan{Transient: {{Action: Rollback, Times: 100}}}})
		for range 3 {
			b.ok(1)
			_, err := b.run(Outcome{Err: errFlaky})
			require.NoError(t, err)
			<-time.After(10 * time.Minute)
		}
		b.ok(1)
		_, err := b.run(Outcome{Err: errFlaky})
		require.ErrorIs(t, err, ErrRestarts)
		require.ErrorIs(t, err, errFlaky)
		var stop *StopError
		require.ErrorAs(t, err, &stop)
		require.Equal(t, 30*time.Minute, stop.RetryAfter())
		require.False(t, stop.Permanent())
		require.EqualValues(t, 4, stop.Checkpoint)
		err = b.restart()
		require.ErrorAs(t, err, &stop)
		require.ErrorIs(t, err, ErrRestarts)
		<-time.After(stop.RetryAfter())
		require.NoError(t, b.restart(), "when there is room again")
	})
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 5, MaxUnsaved: 3})
	b.ok(5)
	full := func() { b.dir.failAt, b.dir.failure = b.dir.ops+1, syscall.ENOSPC }
	b.ok(4)
	for range 2 {
		full()
		d, err := b.run(Outcome{Loss: 1})
		require.NoError(t, err, "training goes on")
		require.Equal(t, Continue, d.Action)
		require.ErrorIs(t, d.Err, syscall.ENOSPC)
		require.False(t, d.Saved)
	}
	full()
	_, err := b.run(Outcome{Loss: 1})
	require.ErrorIs(t, err, ErrUnsaved)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.False(t, permanent(err))
	require.NoError(t, b.restart())
	require.EqualValues(t, 5, b.sup.Step())
}

// A directory full of damage is for a person: to begin anew would hide the loss.
func TestNewRefusesDamage(t *testing.T) {
	t.Parallel()
	b := start(t, Config{Every: 2})
	b.ok(6)
	for name, f := range b.dir.files {
		if name != ledgerName {
			f.data = f.data[:len(f.data)-1]
		}
	}
	require.ErrorIs(t, b.restart(), ErrDamaged)

	b = start(t, Config{Every: 2})
	b.ok(6)
	b.dir.files[nameOf(6)].data = nil
	b.dir.files[ledgerName].data[50] ^= 1
	require.NoError(t, b.restart(), "one damaged checkpoint is passed over, a damaged ledger counts anew")
	require.EqualValues(t, 4, b.sup.Step())
	d, err := b.run(Outcome{Err: errLost})
	require.NoError(t, err)
	require.EqualValues(t, 4, d.Step)
}
