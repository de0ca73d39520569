package retry

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The moment between the end of an attempt and the end of what is tied to it, which no test can wait for: whoever looks
// at the attempt then must find both.
func TestEndedButNotYetCut(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(c *attempt) error{
		"Err":   func(c *attempt) error { return c.Err() },
		"Done":  func(c *attempt) error { <-c.Done(); return c.Err() },
		"Cause": func(c *attempt) error { return context.Cause(c) },
	} {
		var w watches
		c, token := w.begin(context.Background(), limits{hard: time.Hour})
		child, cancel := context.WithCancel(c)
		c.state.Store(released)
		require.Equal(t, context.Canceled, look(c), name)
		require.Equal(t, context.Canceled, child.Err(), name)
		cancel()

		c, _ = w.begin(context.Background(), limits{hard: time.Hour})
		over := &OverranError{Limit: time.Hour}
		ctx, cancel := context.WithDeadlineCause(context.Background(), time.Time{}, over)
		c.needs().end.Store(&ending{ctx, over})
		c.tied()
		c.state.Store(ended)
		require.ErrorIs(t, look(c), context.DeadlineExceeded, name)
		require.Equal(t, context.DeadlineExceeded, c.tied().inner.Err(), name)
		require.Equal(t, error(over), context.Cause(c), name)
		cancel()

		_, ok := w.finish(token+2, false)
		require.False(t, ok)
		w.close()
	}
}

// Attempts that end in time leave the timer alone, and it comes to rest when there are none.
func TestTimerComesToRest(t *testing.T) {
	t.Parallel()
	var w watches
	_, first := w.begin(context.Background(), limits{hard: time.Hour})
	wake := w.wake
	for range 100 {
		_, token := w.begin(context.Background(), limits{hard: time.Hour})
		_, ok := w.finish(token, false)
		require.True(t, ok)
		require.Equal(t, wake, w.wake)
	}
	require.Len(t, w.slots, 2)
	w.looking.Add(1)
	w.look()
	require.NotEqual(t, int64(far), w.wake, "there is one under way")
	_, ok := w.finish(first, false)
	require.True(t, ok)
	w.looking.Add(1)
	w.look()
	require.Equal(t, int64(far), w.wake)
	w.close()
}

// The timer reads the clock and then goes through the attempts; however long it pauses in between, a beat that it finds
// gets a time that is not before it.
func TestBeatsAreNotDatedTooEarly(t *testing.T) {
	t.Parallel()
	w := watches{beats: noticed}
	c, token := w.begin(context.Background(), limits{hard: time.Hour, step: time.Minute})
	read := w.now() - int64(time.Hour) // as if the pause had been that long
	c.beat()
	before := w.now()
	seen := c.seen(0, read)
	require.GreaterOrEqual(t, seen, before)
	require.Equal(t, seen, c.last.Load())
	require.Equal(t, seen, c.seen(0, read), "and keeps it")
	c.last.Store(dating) // a beat while the timer is about to put a time to the one before
	c.beat()
	require.Equal(t, int64(undated), c.last.Load(), "is seen the next time")
	require.GreaterOrEqual(t, c.seen(0, read), seen)
	w.finish(token, false)
	w.close()
}

func TestLater(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, 3, later(1, 2))
	require.Equal(t, int64(far), later(1, far))
	require.Equal(t, int64(far), later(far, far))
	require.Equal(t, int64(far-1), later(-1, far))
}
