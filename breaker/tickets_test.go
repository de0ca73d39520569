package breaker

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// Steps whose end is never told cost a bounded amount of memory, and the breaker goes on counting the others.
func TestLostTokens(t *testing.T) {
	t.Parallel()
	b, err := New(Config{Failures: 3})
	require.NoError(t, err)
	ctx := context.Background()
	first, err := b.Admit(ctx)
	require.NoError(t, err)
	var before, last uint64
	for range 3 * maxTickets {
		before = last
		last, err = b.Admit(ctx)
		require.NoError(t, err)
	}
	require.Len(t, b.tickets.held, maxTickets)
	require.Empty(t, b.tickets.free)

	failed := errors.New("failed")
	b.Done(first, failed) // forgotten
	require.Equal(t, Counts{Dropped: 1}, b.Counts())
	b.Done(last, failed)
	b.Done(before, failed)
	require.Equal(t, Counts{Failures: 2, ConsecutiveFailures: 2, Dropped: 1}, b.Counts())
	_ = b.Do(ctx, func(context.Context) error { return failed })
	require.Equal(t, Open, b.State())
	require.Empty(t, b.tickets.held)
	require.LessOrEqual(t, 8*cap(b.tickets.held)+2*cap(b.tickets.free), 1<<19)
}

// No two tokens that are out are the same, whatever the order in which they come back.
func TestTicketsAreDistinct(t *testing.T) {
	t.Parallel()
	var (
		tk  tickets
		out = map[uint64]bool{}
	)
	for serial := uint64(1); serial < 5000; serial++ {
		token := tk.take(serial)
		require.False(t, out[token])
		require.NotEqualValues(t, probeSlot, token&slotMask)
		out[token] = true
		if serial%3 != 0 {
			for token := range out { // any one
				require.True(t, tk.redeem(token))
				require.False(t, tk.redeem(token))
				delete(out, token)
				break
			}
		}
	}
	for token := range out {
		require.True(t, tk.redeem(token))
	}
	require.Len(t, tk.free, len(tk.held))
}
