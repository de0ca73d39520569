package recovery

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// supervised returns a supervisor over a store in memory.
func supervised(t *testing.T, cfg Config) *Supervisor {
	t.Helper()
	store, err := openStore(newFakeFolder(), StoreConfig{Keep: 100})
	require.NoError(t, err)
	sup, err := New(t.Context(), store, new(text), cfg)
	require.NoError(t, err)
	return sup
}

// good does a number of batches that succeed.
func good(t *testing.T, sup *Supervisor, batches int) {
	t.Helper()
	for range batches {
		sup.Next()
		_, err := sup.Done(t.Context(), Outcome{Loss: 1})
		require.NoError(t, err)
	}
}

// That the caller wants to end makes no checkpoint of a state that is spoilt or unknown.
func TestSpoiltStateIsNotSavedAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, class := range []Class{StateUnknown, Diverged} {
		undone := 0
		sup := supervised(t, Config{Undo: func(context.Context, error) error { undone++; return nil }})
		good(t, sup, 1)
		ctx, cancel := context.WithCancel(t.Context())
		sup.Next()
		cancel()
		d, err := sup.Done(ctx, Outcome{Err: Mark(errors.New("half changed"), class)})
		require.Error(t, err)
		require.False(t, d.Saved, "%v", class)
		require.Zero(t, undone, "%v", class)
	}
}

// A rollback that cannot set aside what it undoes ends the run: training must not go on beside it. What is said of the
// state, and of what another process resumes from, is true.
func TestRollbackThatCannotSetAside(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fails  int // operation of the rollback
		spoilt uint64
		next   uint64 // what another process resumes from
		after  uint64 // its rollback
	}{
		{"the newest", 1, 0, 8, 4},
		{"the second", 2, 0, 6, 2},
		{"the second, which is damaged", 2, 6, 4, 2},
		{"the directory", 3, 0, 4, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := start(t, Config{Every: 2, Plan: Plan{Diverged: {{Action: Rollback, Back: 4, Skip: 5}}}})
			b.ok(8)
			if tt.spoilt != 0 {
				b.dir.files[nameOf(tt.spoilt)].data[headerSize+1] ^= 1
			}
			b.dir.failAt, b.dir.failure = b.dir.ops+tt.fails, syscall.EIO
			b.state.step(b.sup.Next(), nil)
			d, err := b.sup.Done(t.Context(), Outcome{Loss: nan})
			require.ErrorIs(t, err, ErrUnsaved)
			require.ErrorIs(t, err, syscall.EIO)
			require.ErrorIs(t, err, ErrDiverged)
			require.False(t, permanent(err))
			var stop *StopError
			require.ErrorAs(t, err, &stop)
			require.EqualValues(t, 4, stop.Step, "the state was restored")
			require.Equal(t, tt.next, stop.Checkpoint)
			require.Equal(t, FailFast, d.Action)
			require.EqualValues(t, 8, d.From)
			require.EqualValues(t, 4, d.Step)
			require.Empty(t, d.Skipped, "nothing has been left out yet")
			require.Len(t, b.state.Seen, 4)
			b.check()
			_, again := b.run(Outcome{Loss: 1})
			require.Equal(t, err, again)

			require.NoError(t, b.restart())
			require.Equal(t, tt.next, b.sup.Step())
			b.state.step(b.sup.Next(), nil)
			d, err = b.sup.Done(t.Context(), Outcome{Loss: nan})
			require.NoError(t, err, "the next process comes here again, and can")
			require.Equal(t, tt.after, d.Step)
			require.NotEmpty(t, d.Skipped)
			b.check()
		})
	}
}

// A strategy that follows a rollback counts from the batch that failed, not from where the rollback went.
func TestStrategyAfterAFailedRollback(t *testing.T) {
	t.Parallel()
	cannot := func(context.Context, Failure) error { return errors.New("cannot") }
	for name, tt := range map[string]struct {
		plan        []Strategy
		every, fail int
	}{
		"skip":     {[]Strategy{{Action: Rollback, Do: cannot}, {Action: Skip}}, 3, 5},
		"rollback": {[]Strategy{{Action: Rollback, Back: 50, Do: cannot}, {Action: Rollback, Back: 5, Skip: 6}}, 10, 105},
	} {
		sup := supervised(t, Config{Every: uint64(tt.every), Plan: Plan{Transient: tt.plan}})
		good(t, sup, tt.fail)
		failed := sup.Next()
		d, err := sup.Done(t.Context(), Outcome{Err: errors.New("connection reset")})
		require.NoError(t, err, name)
		require.Len(t, d.Skipped, 1, name)
		require.LessOrEqual(t, d.Skipped[0].From, failed.Index, name)
		require.Greater(t, d.Skipped[0].To, failed.Index, name)
	}
}
