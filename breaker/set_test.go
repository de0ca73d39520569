package breaker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

func newSet(t testing.TB, limit int, config func(string) breaker.Config) *breaker.Set {
	t.Helper()
	s, err := breaker.NewSet(limit, config)
	require.NoError(t, err)
	return s
}

func get(t testing.TB, s *breaker.Set, name string) *breaker.Breaker {
	t.Helper()
	b, err := s.Get(name)
	require.NoError(t, err)
	return b
}

func TestSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSet(t, 0, func(name string) breaker.Config {
			return breaker.Config{Name: "ignored", Failures: uint32(len(name)), Open: time.Minute}
		})
		require.Equal(t, breaker.Summary{States: map[breaker.State]int{}}, s.Summary())
		require.Empty(t, s.Snapshots())
		a, bb := get(t, s, "a"), get(t, s, "bb")
		require.Same(t, a, get(t, s, "a"))
		require.NotSame(t, a, bb)
		_, _ = ends(bb, errFailed), ends(a, errFailed)
		require.Equal(t, breaker.Degraded, s.Summary().Health)
		require.Equal(t, map[breaker.State]int{breaker.Open: 1, breaker.Closed: 1}, s.Summary().States)
		now := time.Now()
		require.Equal(t, []breaker.Snapshot{
			{Name: "a", State: breaker.Open, Until: now.Add(time.Minute), At: now},
			{Name: "bb", Counts: breaker.Counts{Failures: 1, ConsecutiveFailures: 1}, At: now},
		}, s.Snapshots())

		<-time.After(time.Minute)
		require.Equal(t, breaker.Summary{
			Health: breaker.Recovering, States: map[breaker.State]int{breaker.HalfOpen: 1, breaker.Closed: 1},
		}, s.Summary())
		bb.Isolate()
		require.Equal(t, breaker.Degraded, s.Summary().Health)
		s.Reset()
		require.Equal(t, breaker.Summary{States: map[breaker.State]int{breaker.Closed: 2}}, s.Summary())
		bb.Disable()
		a.ForceClosed()
		require.Equal(t, breaker.Healthy, s.Summary().Health)
	})
}

// Grades are ranks: the worst of several is their maximum.
func TestHealthRanks(t *testing.T) {
	t.Parallel()
	require.Less(t, breaker.Healthy, breaker.Recovering)
	require.Less(t, breaker.Recovering, breaker.Degraded)
	require.Equal(t, "healthy recovering degraded health 9",
		fmt.Sprint(breaker.Healthy, " ", breaker.Recovering, " ", breaker.Degraded, " ", breaker.Health(9)))
	for state, want := range map[breaker.State]breaker.Health{
		breaker.Closed: breaker.Healthy, breaker.HalfOpen: breaker.Recovering, breaker.Open: breaker.Degraded,
		breaker.Isolated: breaker.Degraded, breaker.ForcedClosed: breaker.Healthy, breaker.Disabled: breaker.Healthy, 9: breaker.Degraded,
	} {
		require.Equal(t, want, state.Health(), "%v", state)
	}
}

// Names from outside are bounded in number and length, and those that are there stay reachable.
func TestSetHostileNames(t *testing.T) {
	t.Parallel()
	s := newSet(t, 3, nil)
	for _, name := range []string{"", "b", "ü\n"} {
		get(t, s, name)
	}
	_, err := s.Get("d")
	require.ErrorIs(t, err, breaker.ErrSetFull)
	require.EqualError(t, err, `breaker: set is full: "d" would be above 3`)
	get(t, s, "b")
	require.Len(t, s.Snapshots(), 3)

	s = newSet(t, 0, nil)
	get(t, s, strings.Repeat("x", 255))
	_, err = s.Get(strings.Repeat("x", 256))
	require.EqualError(t, err, `breaker: name "`+strings.Repeat("x", 40)+`"… has 256 bytes, above 255`)
	_, err = s.Get("\xff")
	require.EqualError(t, err, `breaker: Name "\xff" is not UTF-8 (in a Set, for "\xff")`)
	for i := range 999 {
		get(t, s, fmt.Sprint(i))
	}
	_, err = s.Get("one more")
	require.ErrorIs(t, err, breaker.ErrSetFull)

	_, err = breaker.NewSet(-1, nil)
	require.EqualError(t, err, "breaker: limit -1 of a Set is below 0")
	bad := newSet(t, 0, func(string) breaker.Config { return breaker.Config{Jitter: 2} })
	_, err = bad.Get("a")
	require.EqualError(t, err, `breaker: Jitter 2 is not between 0 and 1 (in a Set, for "a")`)
	require.Empty(t, bad.Snapshots())
}

func TestSetZeroAndNil(t *testing.T) {
	t.Parallel()
	var zero breaker.Set
	require.NoError(t, ends(get(t, &zero, "a"), nil))
	require.Len(t, zero.Snapshots(), 1)
	var none *breaker.Set
	_, err := none.Get("a")
	require.Error(t, err)
	none.Reset()
	require.Empty(t, none.Snapshots())
	require.Equal(t, breaker.Healthy, none.Summary().Health)
	require.Error(t, none.Restore([]breaker.Snapshot{{}}))
}

// All who ask first for a name at once get the same breaker, never more than the limit are made, and the configuration may
// use the set.
func TestSetConcurrently(t *testing.T) {
	t.Parallel()
	var s *breaker.Set
	s = newSet(t, 10, func(name string) breaker.Config {
		if name == "5" {
			_, _ = s.Get("0")
			_ = s.Summary()
		}
		return breaker.Config{}
	})
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[string]*breaker.Breaker{}
	)
	for range 8 {
		wg.Go(func() {
			for i := range 20 {
				name := fmt.Sprint(i)
				b, err := s.Get(name)
				if errors.Is(err, breaker.ErrSetFull) {
					continue
				}
				_ = ends(b, errFailed)
				_, _ = s.Snapshots(), s.Summary()
				mu.Lock()
				if seen[name] == nil {
					seen[name] = b
				}
				if seen[name] != b {
					t.Errorf("two breakers %q", name)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, s.Snapshots(), 10)
	require.Len(t, seen, 10)
	require.True(t, slices.IsSortedFunc(s.Snapshots(), func(a, b breaker.Snapshot) int { return strings.Compare(a.Name, b.Name) }))
}

// Whoever asks for a name while its configuration is being made gets the breaker that stays.
func TestSetGetFromConfig(t *testing.T) {
	t.Parallel()
	var (
		s     *breaker.Set
		inner *breaker.Breaker
		calls int
	)
	s = newSet(t, 1, func(name string) breaker.Config {
		if calls++; calls == 1 {
			inner = get(t, s, name)
		}
		return breaker.Config{}
	})
	require.Same(t, get(t, s, "a"), inner)
	require.Equal(t, 2, calls)
}

// A whole set goes over a restart as JSON; what cannot be restored does not keep the rest from it.
func TestSetRestore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := func(string) breaker.Config { return breaker.Config{Failures: 1, Open: time.Hour} }
		old := newSet(t, 0, config)
		_ = ends(get(t, old, "a"), errFailed)
		get(t, old, "b").Isolate()
		get(t, old, "c")
		text, err := json.Marshal(old.Snapshots())
		require.NoError(t, err)
		<-time.After(time.Minute)

		var all []breaker.Snapshot
		require.NoError(t, json.Unmarshal(text, &all))
		s := newSet(t, 3, config)
		bad := breaker.Snapshot{Name: "b", State: 9}
		full := breaker.Snapshot{Name: "d"}
		err = s.Restore([]breaker.Snapshot{all[0], bad, all[1], all[2], full})
		require.ErrorIs(t, err, breaker.ErrSetFull)
		require.ErrorContains(t, err, "State 9")
		require.Equal(t, map[breaker.State]int{breaker.Open: 1, breaker.Isolated: 1, breaker.Closed: 1}, s.Summary().States)
		var open *breaker.OpenError
		require.ErrorAs(t, ends(get(t, s, "a"), nil), &open)
		require.Equal(t, 59*time.Minute, open.RetryAfter())
		require.NoError(t, s.Restore(all))
		require.NoError(t, s.Restore(nil))
	})
}
