package ledger

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
)

func TestRetire(t *testing.T) {
	t.Parallel()
	l, j, d := fresh(t, pureAccount("a", 1))
	open, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.5)})
	require.NoError(t, err)
	require.NoError(t, l.Retire(ctx, "a"))
	require.NoError(t, l.Retire(ctx, "a"))
	require.ErrorIs(t, l.Retire(ctx, "b"), ErrUnknown)
	_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.1)})
	require.ErrorIs(t, err, ErrRetired)
	_, err = l.Remaining(pure(0.1), "a")
	require.ErrorIs(t, err, ErrRetired)
	require.NoError(t, open.Commit())
	l = again(t, l, d)
	requireBalance(t, l, "a", nat/2, 0)
	r, err := l.Report()
	require.NoError(t, err)
	require.True(t, r.Accounts[0].Retired)
	require.NoError(t, l.CreateAccount(ctx, pureAccount("a", 1)), "which does not bring it back")
	j, err = l.OpenJob(ctx, "job")
	require.NoError(t, err)
	_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.1)})
	require.ErrorIs(t, err, ErrRetired)
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, j, d := fresh(t, pureAccount("a", 1))
		short, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125), TTL: time.Minute})
		require.NoError(t, err)
		long, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125), TTL: time.Hour})
		require.NoError(t, err)
		lease, err := j.Lease(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125), Count: 2, TTL: 2 * time.Minute})
		require.NoError(t, err)
		<-time.After(time.Minute)
		require.NoError(t, lease.Charge())
		requireBalance(t, l, "a", nat/8, 3*nat/8)
		before := l.ticket.Seq()
		require.ErrorIs(t, short.Release(ctx), ErrExpired)
		require.Equal(t, before+1, l.ticket.Seq(), "which is on record")
		require.ErrorIs(t, short.Commit(), ErrExpired)
		requireBalance(t, l, "a", nat/8, 3*nat/8)
		<-time.After(time.Minute)
		require.ErrorIs(t, lease.Charge(), ErrExpired)
		require.ErrorIs(t, lease.Close(ctx), ErrExpired)
		require.NoError(t, long.Release(ctx))
		requireBalance(t, l, "a", 3*nat/8, 0)
		l = again(t, l, d)
		requireBalance(t, l, "a", 3*nat/8, 0)
		require.Zero(t, l.Recovery().Orphans)
		require.NoError(t, l.Close())
	})
}

// TestPoison: trap 8.
func TestPoison(t *testing.T) {
	t.Parallel()
	l, j, d := fresh(t, pureAccount("a", 1))
	kept, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.25)})
	require.NoError(t, err)
	d.Fault[d.Ops()+2] = durabletest.Error // the sync
	_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125)})
	require.ErrorIs(t, err, ErrPoisoned)
	for range 2 {
		_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125)})
		require.ErrorIs(t, err, ErrPoisoned)
	}
	require.ErrorIs(t, kept.Release(ctx), ErrPoisoned)
	require.ErrorIs(t, l.Err(), ErrPoisoned)
	_, err = l.Report()
	require.NoError(t, err, "what is known can be read")
	require.ErrorIs(t, l.Close(), ErrPoisoned)
	l, err = openIn(d.Restart(), "x", Config{})
	require.NoError(t, err)
	spent, reserved := balance(t, l, "a")
	require.GreaterOrEqual(t, spent, int64(nat/4))
	require.Zero(t, reserved)
	require.NoError(t, l.Err())
	require.NoError(t, l.Close())
}

func TestNilLedger(t *testing.T) {
	t.Parallel()
	var l *Ledger
	require.ErrorIs(t, l.CreateAccount(ctx, pureAccount("a", 1)), ErrClosed)
	_, err := l.OpenJob(ctx, "job")
	require.ErrorIs(t, err, ErrClosed)
	_, err = l.Report()
	require.ErrorIs(t, err, ErrClosed)
	_, err = l.Remaining(pure(1), "a")
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, l.Retire(ctx, "a"), ErrClosed)
	require.ErrorIs(t, l.Err(), ErrClosed)
	require.NoError(t, l.Close())
	require.Empty(t, l.ID())
	require.Equal(t, Recovery{}, l.Recovery())
}

func TestClosedLedger(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1))
	open, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125)})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.ErrorIs(t, open.Commit(), ErrClosed)
	_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125)})
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, l.Err(), ErrClosed)
	_, err = l.Report()
	require.NoError(t, err)
}

func TestManyJobsInManyAccounts(t *testing.T) {
	t.Parallel()
	l, _, d := fresh(t)
	for i := range 20 {
		require.NoError(t, l.CreateAccount(ctx, pureAccount(fmt.Sprint("a", i), 1)))
	}
	for i := range 20 {
		j, err := l.OpenJob(ctx, fmt.Sprint("job", i))
		require.NoError(t, err)
		for k := range 20 {
			r, err := j.Reserve(ctx, Request{Accounts: []string{fmt.Sprint("a", k), fmt.Sprint("a", (k+i+1)%20)}[:1+min(1, (i+1)%20)], Event: pure(1.0 / 1024)})
			require.NoError(t, err)
			require.NoError(t, r.Commit())
		}
	}
	before, err := l.Report()
	require.NoError(t, err)
	l = again(t, l, d)
	after, err := l.Report()
	require.NoError(t, err)
	require.GreaterOrEqual(t, after.Entry, before.Entry)
	before.Entry = after.Entry
	require.Equal(t, before, after)
	verified, err := verifyIn(d, "x")
	require.NoError(t, err)
	require.Equal(t, after, verified)
}
