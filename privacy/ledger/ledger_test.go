package ledger

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
	"github.com/surefoot-ml/surefoot/privacy"
)

var ctx = context.Background()

func pure(eps float64) privacy.Pure { return privacy.Pure{Epsilon: eps, Relation: privacy.AddRemove} }

func gaussian(sigma float64) privacy.Gaussian {
	return privacy.Gaussian{StdDev: sigma, Clip: 1, Relation: privacy.AddRemove}
}

func sampled() privacy.Poisson { return privacy.Poisson{Rate: 0.01, Gaussian: gaussian(1)} }

func pureAccount(name string, eps float64) Account {
	return Account{Name: name, Measure: Pure, Relation: privacy.AddRemove, Epsilon: eps}
}

func renyiAccount(name string, orders ...float64) Account {
	return Account{Name: name, Measure: Renyi, Relation: privacy.AddRemove, Epsilon: 2, Delta: 1e-6, Orders: orders}
}

// fresh opens a new ledger on a disk in memory with some accounts, and a job.
func fresh(t testing.TB, accounts ...Account) (*Ledger, *Job, *durabletest.Disk) {
	d := durabletest.New()
	l, err := openIn(d, "x", Config{Create: true})
	require.NoError(t, err)
	for _, a := range accounts {
		require.NoError(t, l.CreateAccount(ctx, a))
	}
	j, err := l.OpenJob(ctx, "job")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l, j, d
}

// again closes a ledger and opens it anew.
func again(t testing.TB, l *Ledger, d *durabletest.Disk) *Ledger {
	require.NoError(t, l.Close())
	l, err := openIn(d, "x", Config{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// balance returns spent and reserved of the first sum of an account.
func balance(t testing.TB, l *Ledger, account string) (spent, reserved int64) {
	r, err := l.Report()
	require.NoError(t, err)
	a, ok := r.Account(account)
	require.True(t, ok)
	return a.Balances[0].Spent, a.Balances[0].Reserved
}

func requireBalance(t testing.TB, l *Ledger, account string, spent, reserved int64) {
	t.Helper()
	s, r := balance(t, l, account)
	require.Equal(t, []int64{spent, reserved}, []int64{s, r}, "spent and reserved")
}

const nat int64 = unitsPerNat

func TestOpenSaysWhatIsWanted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "budget")
	_, err := Open(dir, Config{})
	require.ErrorIs(t, err, ErrMissing)
	_, err = Open(dir, Config{})
	require.ErrorIs(t, err, ErrMissing, "the first attempt made nothing that would pass for a ledger")
	_, err = Verify(dir)
	require.ErrorIs(t, err, ErrMissing)
	require.NoDirExists(t, dir)
	l, err := Open(dir, Config{Create: true})
	require.NoError(t, err)
	require.True(t, l.Recovery().Created)
	require.Len(t, l.ID(), 32)
	_, err = Open(dir, Config{})
	require.ErrorIs(t, err, ErrLocked)
	id := l.ID()
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	_, err = Open(dir, Config{Create: true})
	require.ErrorIs(t, err, ErrExists)
	l, err = Open(dir, Config{})
	require.NoError(t, err)
	require.Equal(t, id, l.ID())
	require.Equal(t, Recovery{Clean: true, Entries: 1}, l.Recovery())
	require.NoError(t, l.Close())
	for _, name := range []string{"journal", "lock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "journal")))
	_, err = Open(dir, Config{})
	require.ErrorIs(t, err, ErrMissing, "a deleted journal is no full budget")
	_, err = Open(dir, Config{})
	require.ErrorIs(t, err, ErrMissing)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{
		{Create: true, Thresholds: []float64{0}}, {Create: true, Thresholds: []float64{1.1}}, {Create: true, Thresholds: []float64{math.NaN()}},
		{Create: true, SnapshotBytes: -1}, {Create: true, SnapshotBytes: 100},
	} {
		_, err := openIn(durabletest.New(), "x", c)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

func TestAccountsAreKept(t *testing.T) {
	t.Parallel()
	l, _, d := fresh(t)
	a := Account{Name: "a", Measure: Renyi, Relation: privacy.AddRemove, Unit: "user", Epsilon: 2, Delta: 1e-6, Orders: []float64{32, 4, 8, 8}}
	require.NoError(t, l.CreateAccount(ctx, a))
	require.NoError(t, l.CreateAccount(ctx, a))
	l = again(t, l, d)
	require.NoError(t, l.CreateAccount(ctx, a))
	a.Orders = []float64{4, 8, 32}
	require.NoError(t, l.CreateAccount(ctx, a), "the same orders")
	for _, change := range []func(*Account){
		func(a *Account) { a.Epsilon = 2.5 }, func(a *Account) { a.Delta = 1e-5 }, func(a *Account) { a.Unit = "" },
		func(a *Account) { a.Orders = []float64{8} }, func(a *Account) { a.Relation = privacy.ReplaceOne },
		func(a *Account) { a.Measure, a.Orders = Concentrated, nil },
	} {
		b := a
		change(&b)
		require.ErrorIs(t, l.CreateAccount(ctx, b), ErrConflict)
	}
	r, err := l.Report()
	require.NoError(t, err)
	require.Len(t, r.Accounts, 1)
	require.Equal(t, a, r.Accounts[0].Account)
}

func TestAccountsAreChecked(t *testing.T) {
	t.Parallel()
	l, _, _ := fresh(t)
	good := Account{Name: "a", Measure: Concentrated, Relation: privacy.AddRemove, Epsilon: 2, Delta: 1e-6}
	for i, change := range []func(*Account){
		func(a *Account) { a.Name = "" }, func(a *Account) { a.Name = "a\nb" }, func(a *Account) { a.Name = "\xff" },
		func(a *Account) { a.Name = string(make([]byte, 201)) }, func(a *Account) { a.Unit = "\x00" },
		func(a *Account) { a.Relation = 0 }, func(a *Account) { a.Relation = 9 }, func(a *Account) { a.Measure = 0 },
		func(a *Account) { a.Measure = 6 }, func(a *Account) { a.Epsilon = 0 }, func(a *Account) { a.Epsilon = -1 },
		func(a *Account) { a.Epsilon = math.NaN() }, func(a *Account) { a.Epsilon = math.Inf(1) }, func(a *Account) { a.Epsilon = 1e14 },
		func(a *Account) { a.Delta = 0 }, func(a *Account) { a.Delta = 1 }, func(a *Account) { a.Delta = math.NaN() },
		func(a *Account) { a.Measure = Pure }, func(a *Account) { a.Measure, a.Delta, a.Epsilon = Pure, 0, 1e-13 },
		func(a *Account) { a.Measure, a.Delta = Basic, 1e-19 },
		func(a *Account) { a.Orders = []float64{2} }, func(a *Account) { a.Measure = Renyi },
		func(a *Account) { a.Measure, a.Orders = Renyi, []float64{1} }, func(a *Account) { a.Measure, a.Orders = Renyi, []float64{math.NaN()} },
		func(a *Account) { a.Measure, a.Orders = Renyi, []float64{1.01} },
		func(a *Account) { a.Measure, a.Orders = Renyi, make([]float64, 65) },
	} {
		b := good
		change(&b)
		require.ErrorIs(t, l.CreateAccount(ctx, b), ErrInvalid, "%d %+v", i, b)
	}
	require.NoError(t, l.CreateAccount(ctx, good))
}

// TestReserveCommitRelease walks through every transition of a reservation: trap 4.
func TestReserveCommitRelease(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1))
	reserve := func(n int64) *Reservation {
		r, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125), Count: n})
		require.NoError(t, err)
		return r
	}
	const e = nat / 8
	first := reserve(1)
	requireBalance(t, l, "a", 0, e)
	require.NoError(t, first.Commit())
	requireBalance(t, l, "a", e, 0)
	require.NoError(t, first.Commit())
	require.ErrorIs(t, first.Release(ctx), ErrResolved, "nothing gives back what was committed")
	require.ErrorIs(t, first.CommitPart(ctx, 0), ErrResolved)
	requireBalance(t, l, "a", e, 0)

	second := reserve(2)
	require.NoError(t, second.Release(ctx))
	requireBalance(t, l, "a", e, 0)
	require.NoError(t, second.Release(ctx))
	require.ErrorIs(t, second.Commit(), ErrResolved)
	require.ErrorIs(t, second.CommitPart(ctx, 1), ErrResolved)

	third := reserve(4)
	require.ErrorIs(t, third.CommitPart(ctx, 5), ErrInvalid)
	require.ErrorIs(t, third.CommitPart(ctx, -1), ErrInvalid)
	require.NoError(t, third.CommitPart(ctx, 1))
	requireBalance(t, l, "a", 2*e, 0)
	require.NoError(t, third.CommitPart(ctx, 1))
	require.ErrorIs(t, third.CommitPart(ctx, 2), ErrResolved)

	_, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125), Count: 7})
	var full *ExhaustedError
	require.ErrorAs(t, err, &full)
	require.ErrorIs(t, err, ErrExhausted)
	require.Equal(t, ExhaustedError{Account: "a", Quantity: "epsilon", Requested: full.Requested, Spent: full.Spent, Cap: full.Cap}, *full)
	require.InDelta(t, 0.875, full.Requested, 1e-12)
	require.InDelta(t, 0.75, full.Left(), 1e-12)
	require.EqualError(t, err, `ledger: budget exhausted: account "a" has 0.75 of 1 left in epsilon, 0.875 requested (0.25 spent, 0 reserved)`)
	require.True(t, full.Permanent())
	require.True(t, full.Neutral())
	requireBalance(t, l, "a", 2*e, 0)
	last := reserve(6)
	require.NoError(t, last.Commit())
	requireBalance(t, l, "a", nat, 0)
}

// TestCrashIsSpent: traps 1 and 2. What was open when the process died is spent, also when it closed the ledger in good order.
func TestCrashIsSpent(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{true, false} {
		l, j, d := fresh(t, pureAccount("a", 1))
		done, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125)})
		require.NoError(t, err)
		require.NoError(t, done.Commit())
		open, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.25)})
		require.NoError(t, err)
		lease, err := j.Lease(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125), Count: 2})
		require.NoError(t, err)
		require.NoError(t, lease.Charge())
		if crash {
			d.Kill()
			_ = l.Close()
			d = d.PowerLoss(durabletest.None)
			l, err = openIn(d, "x", Config{})
			require.NoError(t, err)
		} else {
			l = again(t, l, d)
		}
		orphans := 2
		if crash { // the journal had not learned of the commit yet, which makes no difference
			orphans = 3
		}
		require.Equal(t, orphans, l.Recovery().Orphans)
		require.Equal(t, !crash, l.Recovery().Clean)
		requireBalance(t, l, "a", 5*nat/8, 0)
		require.ErrorIs(t, open.Release(ctx), ErrClosed)
		require.ErrorIs(t, lease.Charge(), ErrClosed)
		l = again(t, l, d)
		require.Zero(t, l.Recovery().Orphans)
		requireBalance(t, l, "a", 5*nat/8, 0)
	}
}

// TestFencing: a zombie of an older incarnation is refused whatever it asks for, and what it had reserved is spent.
func TestFencing(t *testing.T) {
	t.Parallel()
	l, old, d := fresh(t, pureAccount("a", 1))
	request := Request{Accounts: []string{"a"}, Event: pure(0.125), Step: 1}
	open, err := old.Reserve(ctx, request)
	require.NoError(t, err)
	lease, err := old.Lease(ctx, Request{Accounts: []string{"a"}, Event: pure(0.125), Count: 2})
	require.NoError(t, err)
	meter, err := old.Meter(MeterConfig{Accounts: []string{"a"}})
	require.NoError(t, err)
	require.NoError(t, lease.Charge())
	require.EqualValues(t, 1, old.Incarnation())
	now, err := l.OpenJob(ctx, "job")
	require.NoError(t, err)
	require.EqualValues(t, 2, now.Incarnation())
	require.Equal(t, "job", now.Name())
	requireBalance(t, l, "a", 3*nat/8, 0)
	_, err = old.Reserve(ctx, request)
	require.ErrorIs(t, err, ErrFenced, "a repeated request too")
	for _, err := range []error{
		open.Commit(), open.Release(ctx), open.CommitPart(ctx, 0), lease.Charge(), lease.Close(ctx), meter.Spend(pure(0.125)), old.MarkNotPrivate(ctx),
	} {
		require.ErrorIs(t, err, ErrFenced)
		var is interface{ Permanent() bool }
		require.ErrorAs(t, err, &is)
		require.True(t, is.Permanent())
	}
	requireBalance(t, l, "a", 3*nat/8, 0)
	fresh, err := now.Reserve(ctx, request)
	require.NoError(t, err, "the same step again is a new charge: trap 3")
	require.NotEqual(t, open.Number(), fresh.Number())
	l = again(t, l, d)
	now, err = l.OpenJob(ctx, "job")
	require.NoError(t, err)
	require.EqualValues(t, 3, now.Incarnation())
	requireBalance(t, l, "a", nat/2, 0)
}

// TestStepsAreChargedOnce: trap 3.
func TestStepsAreChargedOnce(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1), pureAccount("b", 1))
	request := Request{Accounts: []string{"a", "b"}, Event: pure(0.125), Step: 7, Noise: [32]byte{1}}
	first, err := j.Reserve(ctx, request)
	require.NoError(t, err)
	swapped := request
	swapped.Accounts = []string{"b", "a"}
	swapped.TTL = time.Hour
	for _, r := range []Request{request, swapped} {
		again, err := j.Reserve(ctx, r)
		require.NoError(t, err)
		require.Same(t, first, again)
	}
	for _, change := range []func(*Request){
		func(r *Request) { r.Event = pure(0.25) }, func(r *Request) { r.Count = 2 }, func(r *Request) { r.Noise = [32]byte{2} },
		func(r *Request) { r.Accounts = []string{"a"} },
	} {
		other := request
		change(&other)
		_, err := j.Reserve(ctx, other)
		require.ErrorIs(t, err, ErrConflict)
	}
	require.NoError(t, first.Commit())
	after, err := j.Reserve(ctx, request)
	require.NoError(t, err)
	require.Same(t, first, after, "resolved or not")
	requireBalance(t, l, "a", nat/8, 0)
	// What was given back pays for nothing.
	for step, giveBack := range map[uint64]func(*Reservation) error{
		8: func(r *Reservation) error { return r.Release(ctx) },
		9: func(r *Reservation) error { return r.CommitPart(ctx, 0) },
	} {
		other := request
		other.Step = step
		r, err := j.Reserve(ctx, other)
		require.NoError(t, err)
		require.NoError(t, giveBack(r))
		_, err = j.Reserve(ctx, other)
		require.ErrorIs(t, err, ErrResolved)
	}
	request.Step = 0
	for range 2 {
		_, err := j.Reserve(ctx, request)
		require.NoError(t, err)
	}
	requireBalance(t, l, "a", nat/8, nat/4)
}

func TestStepsAreForgotten(t *testing.T) {
	t.Parallel()
	_, j, _ := fresh(t, pureAccount("a", 1))
	free := privacy.Poisson{Rate: 0, Gaussian: gaussian(1)}
	for step := uint64(1); step <= 2*windowSteps; step++ {
		j.remember(&Reservation{job: j, step: step})
	}
	require.LessOrEqual(t, len(j.steps), windowSteps+1)
	_, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: free, Step: 1})
	require.ErrorIs(t, err, ErrForgotten)
	_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: free, Step: 2*windowSteps + 1})
	require.NoError(t, err)
}

func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1), pureAccount("b", 0.25), renyiAccount("r", 8))
	_, err := j.Reserve(ctx, Request{Accounts: []string{"a", "r", "b"}, Event: pure(0.2), Count: 2})
	var full *ExhaustedError
	require.ErrorAs(t, err, &full)
	require.Equal(t, "b", full.Account)
	for _, account := range []string{"a", "b", "r"} {
		requireBalance(t, l, account, 0, 0)
	}
	_, err = j.Reserve(ctx, Request{Accounts: []string{"a", "r", "b"}, Event: pure(0.2)})
	require.NoError(t, err)
	for _, account := range []string{"a", "b", "r"} {
		_, reserved := balance(t, l, account)
		require.Positive(t, reserved)
	}
}

// TestContention: trap 6. 64 goroutines over two accounts; the sum never exceeds a cap, and the accounts agree.
func TestContention(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1), pureAccount("b", 2))
	var wg sync.WaitGroup
	var mu sync.Mutex
	admitted := 0
	for g := range 64 {
		wg.Go(func() {
			names := []string{"a", "b"}
			if g%2 == 0 {
				names = []string{"b", "a"}
			}
			for range 4 {
				r, err := j.Reserve(ctx, Request{Accounts: names, Event: pure(1.0 / 128)})
				if err != nil {
					if !errors.Is(err, ErrExhausted) {
						t.Error(err)
					}
					continue
				}
				if g%3 == 0 {
					_ = r.Commit()
				}
				mu.Lock()
				admitted++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, 128, admitted)
	for _, account := range []string{"a", "b"} {
		spent, reserved := balance(t, l, account)
		require.EqualValues(t, nat, spent+reserved)
	}
}

func TestRequestsAreChecked(t *testing.T) {
	t.Parallel()
	other := pureAccount("user", 1)
	other.Unit = "user"
	l, j, _ := fresh(t, pureAccount("a", 1), other, renyiAccount("r", 8), Account{Name: "z", Measure: Concentrated, Relation: privacy.AddRemove, Epsilon: 1, Delta: 1e-6},
		Account{Name: "basic", Measure: Basic, Relation: privacy.AddRemove, Epsilon: 1, Delta: 1e-6})
	good := Request{Accounts: []string{"a"}, Event: pure(0.1)}
	foreign := struct {
		privacy.Pure
		list []int
	}{pure(0.1), nil}
	for i, tt := range []struct {
		change func(*Request)
		want   error
	}{
		{func(r *Request) { r.Accounts = nil }, ErrInvalid},
		{func(r *Request) { r.Accounts = []string{"nobody"} }, ErrUnknown},
		{func(r *Request) { r.Accounts = []string{"a", "a"} }, ErrInvalid},
		{func(r *Request) { r.Accounts = []string{"a", "user"} }, ErrInvalid},
		{func(r *Request) { r.Event = nil }, privacy.ErrInvalid},
		{func(r *Request) { e := pure(0.1); r.Event = &e }, privacy.ErrInvalid},
		{func(r *Request) { r.Event = foreign }, privacy.ErrInvalid},
		{func(r *Request) { r.Event = pure(math.NaN()) }, privacy.ErrInvalid},
		{func(r *Request) { r.Event = pure(-1) }, privacy.ErrInvalid},
		{func(r *Request) { r.Event = privacy.Pure{Epsilon: 0.1, Relation: privacy.ReplaceOne} }, ErrInvalid},
		{func(r *Request) { r.Event = gaussian(1) }, ErrInvalid},
		{func(r *Request) {
			r.Event = privacy.Approximate{Epsilon: 0.1, Delta: 1e-9, Relation: privacy.AddRemove}
		}, ErrInvalid},
		{func(r *Request) {
			r.Accounts, r.Event = []string{"r"}, privacy.Approximate{Epsilon: 0.1, Delta: 1e-9, Relation: privacy.AddRemove}
		}, privacy.ErrInvalid},
		{func(r *Request) { r.Accounts, r.Event = []string{"z"}, sampled() }, privacy.ErrInvalid},
		{func(r *Request) { r.Count = -1 }, ErrInvalid},
		{func(r *Request) { r.Count = maxCount + 1 }, ErrInvalid},
		{func(r *Request) { r.TTL = -1 }, ErrInvalid},
		{func(r *Request) { r.Delta = math.NaN() }, ErrInvalid},
		{func(r *Request) { r.Delta = 1 }, ErrInvalid},
		{func(r *Request) { r.Delta = 1e-9 }, ErrInvalid},
		{func(r *Request) { r.Event = pure(1.1) }, ErrExhausted},
		{func(r *Request) { r.Event, r.Count = pure(1e6), maxCount }, ErrExhausted},
	} {
		r := good
		tt.change(&r)
		_, err := j.Reserve(ctx, r)
		require.ErrorIs(t, err, tt.want, "%d", i)
		requireBalance(t, l, "a", 0, 0)
	}
	for _, r := range []Request{{Accounts: []string{"a"}, Event: pure(0.1), Step: 1}, {Accounts: []string{"basic"}, Event: pure(0.1), Delta: 1e-9}} {
		_, err := j.Lease(ctx, r)
		require.ErrorIs(t, err, ErrInvalid)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := j.Reserve(ended, good)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, l.CreateAccount(ended, pureAccount("n", 1)), context.Canceled)
	_, err = l.OpenJob(ctx, "")
	require.ErrorIs(t, err, ErrInvalid)
}
