package recovery

import (
	"context"
	"errors"
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
