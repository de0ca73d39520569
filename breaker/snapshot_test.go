package breaker_test

import (
	"encoding/json"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

// restart takes the snapshot of a breaker through JSON, as a restart does, and returns it.
func restart(t *testing.T, b *breaker.Breaker) breaker.Snapshot {
	t.Helper()
	text, err := json.Marshal(b.Snapshot())
	require.NoError(t, err)
	var s breaker.Snapshot
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}

func TestRestoreOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := breaker.Config{Name: "b", Failures: 1, Open: time.Minute, OpenFactor: 2, MaxOpen: 5 * time.Minute}
		for _, tt := range []struct {
			down  time.Duration // between snapshot and restore
			clock time.Duration // by which the clock was set in between
			want  time.Duration // until the next probe
		}{
			{0, 0, 2 * time.Minute},
			{30 * time.Second, 0, 90 * time.Second},
			{time.Minute, 0, time.Minute},
			{time.Hour, 0, 0},
			{0, -time.Minute, 3 * time.Minute},
			{0, -time.Hour, 5 * time.Minute},
			{0, -50 * 365 * 24 * time.Hour, 5 * time.Minute},
			{0, time.Hour, 0},
		} {
			cfg.OnChange = nil
			old := halfOpen(t, cfg)
			_ = ends(old, errFailed) // open for two minutes
			s := restart(t, old)
			require.EqualValues(t, 1, s.Reopened)
			<-time.After(tt.down)
			s.Until, s.At = s.Until.Add(-tt.clock), s.At.Add(-tt.clock)
			var changes []breaker.Change
			cfg.OnChange = func(c breaker.Change) { changes = append(changes, c) }
			b := newBreaker(t, cfg)
			require.NoError(t, b.Restore(s))
			require.Equal(t, []breaker.Change{
				{Name: "b", From: breaker.Closed, To: breaker.Open, Reason: breaker.ByRestore, At: time.Now()},
			}, changes)
			if tt.want > 0 {
				require.Equal(t, breaker.Open, b.State())
				require.Equal(t, time.Now().Add(tt.want), b.Snapshot().Until)
			}
			<-time.After(tt.want)
			require.Equal(t, breaker.HalfOpen, b.State())
			require.Equal(t, errFailed, ends(b, errFailed))
			require.Equal(t, time.Now().Add(4*time.Minute), b.Snapshot().Until, "the growth goes on")
		}
	})
}

// The tokens of another process, or of before the restore, count nothing.
func TestRestoreDropsTokens(t *testing.T) {
	t.Parallel()
	cfg := breaker.Config{Failures: 1}
	old := newBreaker(t, cfg)
	var tokens []uint64
	for range 20 {
		token, err := old.Admit(t.Context())
		require.NoError(t, err)
		tokens = append(tokens, token)
	}
	b := newBreaker(t, cfg)
	for range 20 {
		token, err := b.Admit(t.Context())
		require.NoError(t, err)
		require.NotContains(t, tokens, token)
	}
	for _, token := range tokens {
		b.Done(token, errFailed)
	}
	require.Equal(t, breaker.Counts{Dropped: 20}, b.Counts())
	require.NoError(t, b.Restore(restart(t, old)))
	require.NoError(t, old.Restore(restart(t, old)))
	for _, token := range tokens {
		b.Done(token, errFailed)
		old.Done(token, errFailed)
	}
	require.Equal(t, breaker.Closed, b.State())
	require.Equal(t, breaker.Counts{Dropped: 20}, b.Counts())
	require.Equal(t, breaker.Counts{Dropped: 20}, old.Counts())
}

// A restored window goes on: what came last before the restart is the last to be forgotten.
func TestRestoreWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := breaker.Config{FailureRate: 1, WindowSteps: 6, MinSteps: 6, SlowAfter: time.Second}
		b := newBreaker(t, cfg)
		for _, row := range []struct {
			takes time.Duration
			ends  error
		}{{0, errFailed}, {time.Minute, nil}, {0, nil}, {0, errNeutral}, {0, errFailed}, {0, errFailed}} {
			_ = takes(b, row.takes, row.ends)
		}
		s := restart(t, b)
		<-time.After(1000 * time.Hour) // nothing to a window in steps
		b = newBreaker(t, cfg)
		require.NoError(t, b.Restore(s))
		want := breaker.Counts{Successes: 2, Failures: 3, Neutral: 1, Slow: 1, ConsecutiveFailures: 2}
		require.Equal(t, want, b.Counts())
		for _, failures := range []uint64{4, 4, 5} { // one more; one for the oldest; one for a success
			require.Equal(t, errFailed, ends(b, errFailed))
			require.Equal(t, failures, b.Counts().Failures)
		}
		require.Equal(t, errFailed, ends(b, errFailed))
		require.Equal(t, breaker.Open, b.State(), "six failures in the end")

		// A window that has become shorter keeps the newest.
		cfg.WindowSteps, cfg.MinSteps = 3, 3
		b = newBreaker(t, cfg)
		require.NoError(t, b.Restore(s))
		require.Equal(t, breaker.Counts{Successes: 1, Failures: 2, Neutral: 1, Slow: 1, ConsecutiveFailures: 2}, b.Counts())

		// A row may be longer than the window that it comes from.
		require.NoError(t, b.Restore(breaker.Snapshot{Counts: breaker.Counts{Failures: 1, Successes: 1, ConsecutiveFailures: 5}}))
		require.Equal(t, breaker.Counts{Failures: 1, Successes: 1, ConsecutiveFailures: 5}, b.Counts())

		// Numbers as large as they may be take no time.
		big := breaker.Snapshot{Counts: breaker.Counts{Successes: 1 << 53, Failures: 1 << 53, Slow: 1 << 53, ConsecutiveFailures: 1 << 53}}
		require.NoError(t, b.Restore(big))
		require.Equal(t, breaker.Counts{Failures: 3, Slow: 3, ConsecutiveFailures: 1 << 53}, b.Counts())
	})
}

func TestRestoreWindowInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := breaker.Config{Failures: 4, FailureRate: 1, MinSteps: 99, Window: time.Minute}
		old := newBreaker(t, cfg)
		_, _ = ends(old, nil), ends(old, errFailed)
		s := restart(t, old)
		for _, tt := range []struct {
			down time.Duration
			held uint64
		}{{-time.Second, 0}, {0, 1}, {time.Minute - 1, 1}, {time.Minute, 0}, {time.Hour, 0}} {
			b, moved := newBreaker(t, cfg), s
			moved.At = time.Now().Add(-tt.down)
			require.NoError(t, b.Restore(moved))
			require.Equal(t, breaker.Counts{Successes: tt.held, Failures: tt.held, ConsecutiveFailures: 1}, b.Counts(), "%v", tt.down)
			<-time.After(time.Minute)
			require.Equal(t, breaker.Counts{ConsecutiveFailures: 1}, b.Counts(), "they came when they were restored")
			_, _, _ = ends(b, errFailed), ends(b, errFailed), ends(b, errFailed)
			require.Equal(t, breaker.Open, b.State(), "a row goes on whatever the window")
		}
	})
}

func TestRestoreOtherStates(t *testing.T) {
	t.Parallel()
	b := newBreaker(t, breaker.Config{Failures: 1, OpenFactor: 2})
	require.NoError(t, b.Restore(breaker.Snapshot{Reopened: 3}))
	require.Zero(t, b.Snapshot().Reopened, "closing ended the growth")
	for state, admit := range map[breaker.State]bool{
		breaker.Isolated: false, breaker.ForcedClosed: true, breaker.Disabled: true, breaker.HalfOpen: true, breaker.Closed: true,
	} {
		b := newBreaker(t, breaker.Config{Failures: 1, Probes: 1})
		s := breaker.Snapshot{State: state, Counts: breaker.Counts{Successes: 1, Refused: 7, Dropped: 8}, At: time.Now()}
		require.NoError(t, b.Restore(s))
		require.Equal(t, state, b.State())
		_, err := b.Admit(t.Context())
		require.Equal(t, admit, err == nil, "%v", state)
		want := breaker.Counts{Refused: 7, Dropped: 8}
		if !admit {
			want.Refused++
		}
		if state == breaker.Closed || state == breaker.ForcedClosed {
			want.Successes = 1
		}
		require.Equal(t, want, b.Counts(), "%v", state)
	}
}

// A snapshot that is refused changes nothing.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		s    breaker.Snapshot
		want string
	}{
		{breaker.Snapshot{Name: "other"}, `breaker: Snapshot of "other" for the breaker "b"`},
		{breaker.Snapshot{Name: "b", State: 9}, "breaker: State 9 is not below 6"},
		{breaker.Snapshot{Name: "b", State: breaker.Open}, "breaker: Snapshot is open until 0001-01-01 00:00:00 +0000 UTC"},
		{breaker.Snapshot{Name: "b", Until: now}, "breaker: Snapshot is closed until 2026-01-02 03:04:05 +0000 UTC"},
		{breaker.Snapshot{Name: "b", Reopened: math.MaxUint64}, "breaker: Snapshot has Reopened 18446744073709551615, above 9007199254740992"},
		{breaker.Snapshot{Name: "b", Counts: breaker.Counts{Dropped: 1<<53 + 1}}, "breaker: Snapshot has Dropped 9007199254740993, above 9007199254740992"},
		{breaker.Snapshot{Name: "b", Counts: breaker.Counts{Successes: 1, Failures: 1, Slow: 3}}, "breaker: Snapshot has Slow 3 of 2 results"},
	} {
		b := newBreaker(t, breaker.Config{Name: "b"})
		_ = ends(b, errFailed)
		require.EqualError(t, b.Restore(tt.s), tt.want)
		require.Equal(t, breaker.Counts{Failures: 1, ConsecutiveFailures: 1}, b.Counts())
		if tt.s.Name == "b" {
			_, err := json.Marshal(tt.s)
			require.ErrorContains(t, err, tt.want)
		}
	}
}

const snapshotText = `{"version":1,"name":"b","state":"open","until":"2026-01-02T03:04:05.000000006Z","reopened":2,` +
	`"counts":{"successes":1,"failures":2,"neutral":3,"slow":1,"consecutive_failures":2,"refused":4,"dropped":5},"at":"2026-01-02T03:04:00Z"}`

func TestSnapshotJSON(t *testing.T) {
	t.Parallel()
	want := breaker.Snapshot{
		Name: "b", State: breaker.Open, Until: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Reopened: 2,
		Counts: breaker.Counts{Successes: 1, Failures: 2, Neutral: 3, Slow: 1, ConsecutiveFailures: 2, Refused: 4, Dropped: 5},
		At:     time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
	}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	require.Equal(t, snapshotText, string(text))
	var s breaker.Snapshot
	require.NoError(t, json.Unmarshal(text, &s))
	require.Equal(t, want, s)

	for _, tt := range []struct{ text, want string }{
		{`null`, "breaker: Snapshot has version 0, want 1"},
		{`{}`, "breaker: Snapshot has version 0, want 1"},
		{`{"version":2,"state":"closed","counts":{}}`, "breaker: Snapshot has version 2, want 1"},
		{`{"version":1,"counts":{}}`, "breaker: Snapshot has no state or no counts"},
		{`{"version":1,"state":"closed"}`, "breaker: Snapshot has no state or no counts"},
		{`{"version":1,"state":null,"counts":{}}`, "breaker: Snapshot has no state or no counts"},
		{`{"version":1,"state":"ajar","counts":{}}`, `breaker: Snapshot: breaker: State "ajar" is none of`},
		{`{"version":1,"state":2,"counts":{}}`, "breaker: Snapshot: json: cannot unmarshal number"},
		{`{"version":1,"state":"open","counts":{}}`, "breaker: Snapshot is open until"},
		{`{"version":1,"state":"closed","counts":{},"more":1}`, `breaker: Snapshot: json: unknown field "more"`},
		{`{"version":1,"state":"closed","counts":{"more":1}}`, `breaker: Snapshot: json: unknown field "more"`},
		{`{"version":1,"state":"closed","counts":{"slow":1}}`, "breaker: Snapshot has Slow 1 of 0 results"},
		{`{"version":1,"state":"closed","counts":{"failures":-1}}`, "breaker: Snapshot: json: cannot unmarshal number -1"},
		{`{"version":1,"state":"closed","counts":{"failures":1e300}}`, "breaker: Snapshot: json: cannot unmarshal number 1e300"},
		{`[]`, "breaker: Snapshot: json: cannot unmarshal array"},
	} {
		require.ErrorContains(t, json.Unmarshal([]byte(tt.text), &s), tt.want)
		require.Equal(t, want, s, "as it was")
	}
	require.EqualError(t, s.UnmarshalJSON([]byte(snapshotText+"{}")), "breaker: Snapshot is followed by more")
	require.Error(t, s.UnmarshalJSON(nil))
}

// What is accepted is written again as what means the same, and can be restored to what is open no longer than it may be.
func FuzzSnapshot(f *testing.F) {
	f.Add([]byte(snapshotText))
	f.Add([]byte(`{"version":1,"state":"forced-closed","counts":{"failures":9007199254740992}}`))
	f.Add([]byte(`{"version":1,"name":"b","state":"open","until":"9999-01-01T00:00:00Z","counts":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s breaker.Snapshot
		if json.Unmarshal(data, &s) != nil {
			require.Zero(t, s)
			return
		}
		text, err := json.Marshal(s)
		require.NoError(t, err)
		var again breaker.Snapshot
		require.NoError(t, json.Unmarshal(text, &again))
		require.True(t, s.Until.Equal(again.Until) && s.At.Equal(again.At))
		again.Until, again.At = s.Until, s.At
		require.Equal(t, s, again)
		for _, cfg := range []breaker.Config{{}, breaker.ForStep(), breaker.ForProvider()} {
			cfg.Name = s.Name
			b := newBreaker(t, cfg)
			require.NoError(t, b.Restore(s))
			longest := 30 * time.Minute
			if cfg.MaxOpen == 0 {
				longest = time.Minute
			}
			require.LessOrEqual(t, time.Until(b.Snapshot().Until), longest)
			require.Equal(t, s.State == breaker.Isolated || b.State() == breaker.Open, ends(b, nil) != nil)
		}
	})
}
