package ledger

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable"
	"github.com/surefoot-ml/surefoot/privacy"
)

// An account refuses events under another relation, also those whose price is known from an account that takes them.
func TestRelationIsAskedEveryTime(t *testing.T) {
	t.Parallel()
	for _, m := range []Measure{Pure, Basic, Concentrated} {
		a := Account{Name: "a", Measure: m, Relation: privacy.AddRemove, Epsilon: 10, Delta: 1e-6}
		if m == Pure {
			a.Delta = 0
		}
		b := a
		b.Name, b.Relation = "b", privacy.ReplaceOne
		_, j, _ := fresh(t, a, b)
		for range 2 {
			_, err := j.Reserve(t.Context(), Request{Accounts: []string{"b"}, Event: pure(1)})
			require.ErrorIs(t, err, ErrInvalid)
			_, err = j.Reserve(t.Context(), Request{Accounts: []string{"a"}, Event: pure(1)})
			require.NoError(t, err)
		}
	}
}

// Commits that gathered while the journal was busy are recorded so that they can be read again.
func TestManyCommitsAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "budget")
	l, err := Open(dir, Config{Create: true})
	require.NoError(t, err)
	require.NoError(t, l.CreateAccount(t.Context(), pureAccount("p", 1000)))
	j, err := l.OpenJob(t.Context(), "j")
	require.NoError(t, err)
	var open []*Reservation
	for range 3*maxDone + 7 {
		r, err := j.Reserve(t.Context(), Request{Accounts: []string{"p"}, Event: pure(1)})
		require.NoError(t, err)
		open = append(open, r)
	}
	l.mu.Lock()
	for _, r := range open { // what Commit does while Stage finds no place
		l.book.commit(r.number)
		l.done = append(l.done, r.number)
		l.end(r, committed, r.count)
	}
	require.NoError(t, l.flush())
	require.Empty(t, l.done)
	l.mu.Unlock()
	require.NoError(t, l.Close())
	l, err = Open(dir, Config{})
	require.NoError(t, err)
	spent, reserved := balance(t, l, "p")
	require.EqualValues(t, int64(len(open))*nat, spent+reserved)
	require.NoError(t, l.Close())
}

// held is a directory whose syncs wait while the gate is locked: a disk that hangs.
type held struct {
	durable.Dir
	gate *sync.RWMutex
}

type heldFile struct {
	durable.File
	gate *sync.RWMutex
}

func (d held) Open(name string) (durable.File, error) {
	f, err := d.Dir.Open(name)
	return heldFile{f, d.gate}, err
}

func (d held) Create(name string) (durable.File, error) {
	f, err := d.Dir.Create(name)
	return heldFile{f, d.gate}, err
}

func (f heldFile) Sync() error {
	f.gate.RLock()
	defer f.gate.RUnlock()
	return f.File.Sync()
}

// While the disk hangs so long that the journal takes only short records, what is written stays in order and what is charged is
// what is held.
func TestBusyJournal(t *testing.T) {
	t.Parallel()
	for _, padding := range []int{0, 14, 28} {
		ctx, dir, gate := t.Context(), filepath.Join(t.TempDir(), "budget"), new(sync.RWMutex)
		l, err := openIn(held{durable.OS(dir), gate}, dir, Config{Create: true, SnapshotBytes: 1 << 40})
		require.NoError(t, err)
		orders := make([]float64, 64)
		for i := range orders {
			orders[i] = 2 + float64(i)
		}
		require.NoError(t, l.CreateAccount(ctx, pureAccount("p", 1000)))
		var names []string
		for i := range 256 {
			a := renyiAccount(fmt.Sprintf("r%d", i), orders...)
			require.NoError(t, l.CreateAccount(ctx, a))
			names = append(names, a.Name)
		}
		j, err := l.OpenJob(ctx, "j")
		require.NoError(t, err)
		k, err := l.OpenJob(ctx, "k")
		require.NoError(t, err)
		filler, err := l.OpenJob(ctx, "filler")
		require.NoError(t, err)
		_, err = l.OpenJob(ctx, "padding"+strings.Repeat("x", padding))
		require.NoError(t, err)
		var done []*Reservation
		for range 63 {
			r, err := j.Reserve(ctx, Request{Accounts: []string{"p"}, Event: pure(.5)})
			require.NoError(t, err)
			done = append(done, r)
		}
		large, err := k.Reserve(ctx, Request{Accounts: []string{"p"}, Event: pure(560)})
		require.NoError(t, err)

		gate.Lock()
		ask := func(accounts []string, e privacy.Event) bool { // until there is no place for it
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, err := filler.Reserve(short, Request{Accounts: accounts, Event: e})
			return err != nil && strings.Contains(err.Error(), "append")
		}
		wide := privacy.Gaussian{StdDev: 1e4, Clip: 1, Relation: privacy.AddRemove}
		for !ask(names, wide) {
		}
		for !ask(names[:1], wide) {
		}
		for !ask([]string{"p"}, pure(1e-6)) {
		}
		for _, r := range done {
			require.NoError(t, r.Commit())
		}
		var wg sync.WaitGroup
		var lease *Lease
		var leaseErr, openErr error
		wg.Go(func() {
			lease, leaseErr = k.lease(ctx, Request{Accounts: []string{"p"}, Event: pure(100), Count: 8}, true)
		})
		wg.Go(func() { _ = large.Release(ctx) })
		wg.Go(func() { _, openErr = l.OpenJob(ctx, "j") })
		for range 100 {
			runtime.Gosched()
		}
		gate.Unlock()
		wg.Wait()
		require.NoError(t, leaseErr)
		require.NoError(t, openErr)
		l.mu.Lock()
		charged := l.book.open[lease.reservation.number].parts[0].amounts[0]
		l.mu.Unlock()
		require.EqualValues(t, lease.Count()*100*nat, charged)
		require.NoError(t, l.Close())
		l, err = Open(dir, Config{})
		require.NoError(t, err, "padding %d", padding)
		require.NoError(t, l.Close())
	}
}
