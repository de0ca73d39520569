package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
	"github.com/surefoot-ml/surefoot/privacy"
)

// admitter is what a runner asks for, and spender what a trainer does.
type admitter interface {
	Admit(ctx context.Context) (token uint64, err error)
	Done(token uint64, err error)
}
type spender interface {
	Spend(privacy.Event) error
}

var (
	_ admitter = (*Admission)(nil)
	_ spender  = (*Meter)(nil)
)

func TestLease(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1))
	lease, err := j.Lease(ctx, Request{Accounts: []string{"a"}, Event: pure(1.0 / 16), Count: 8})
	require.NoError(t, err)
	require.EqualValues(t, 8, lease.Count())
	requireBalance(t, l, "a", 0, nat/2)
	for range 3 {
		require.NoError(t, lease.Charge())
	}
	require.EqualValues(t, 5, lease.Left())
	requireBalance(t, l, "a", 0, nat/2)
	require.NoError(t, lease.Close(ctx))
	requireBalance(t, l, "a", 3*nat/16, 0)
	require.ErrorIs(t, lease.Charge(), ErrUsed)
	require.Zero(t, lease.Left())
	require.NoError(t, lease.Close(ctx))
	all, err := j.Lease(ctx, Request{Accounts: []string{"a"}, Event: pure(1.0 / 16), Count: 2})
	require.NoError(t, err)
	require.NoError(t, all.Charge())
	require.NoError(t, all.Charge())
	require.ErrorIs(t, all.Charge(), ErrUsed)
	require.NoError(t, all.Close(ctx))
	none, err := j.Lease(ctx, Request{Accounts: []string{"a"}, Event: pure(1.0 / 16), Count: 11})
	require.NoError(t, err)
	require.NoError(t, none.Close(ctx))
	requireBalance(t, l, "a", 5*nat/16, 0)
	_, err = j.Lease(ctx, Request{Accounts: []string{"a"}, Event: pure(1.0 / 16), Count: 12})
	require.ErrorIs(t, err, ErrExhausted)
	require.ErrorIs(t, err, privacy.ErrExhausted)
}

// TestLeaseChargesAreExact: as many goroutines as like charge exactly Count times, also while the lease is closed.
func TestLeaseChargesAreExact(t *testing.T) {
	t.Parallel()
	for _, closing := range []bool{false, true} {
		l, j, _ := fresh(t, pureAccount("a", 1))
		lease, err := j.Lease(ctx, Request{Accounts: []string{"a"}, Event: pure(1e-6), Count: 50000})
		require.NoError(t, err)
		var wg sync.WaitGroup
		var mu sync.Mutex
		total := int64(0)
		for range 8 {
			wg.Go(func() {
				n := int64(0)
				for lease.Charge() == nil {
					n++
				}
				mu.Lock()
				total += n
				mu.Unlock()
			})
		}
		if closing {
			require.NoError(t, lease.Close(ctx))
		}
		wg.Wait()
		require.NoError(t, lease.Close(ctx))
		if !closing {
			require.EqualValues(t, 50000, total)
		}
		unit, _ := priceOf(1e-6, unitsPerNat)
		want, _ := unit.times(total)
		spent, reserved := balance(t, l, "a")
		require.Zero(t, reserved)
		require.InDelta(t, want, spent, 1)
		require.GreaterOrEqual(t, spent, want)
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1))
	m, err := j.Meter(MeterConfig{Accounts: []string{"a"}, Lease: 8})
	require.NoError(t, err)
	before := l.book.last
	for range 15 {
		require.NoError(t, m.Spend(pure(1.0/64)))
	}
	require.EqualValues(t, 4, l.book.last-before, "leases of 1, 2, 4 and 8")
	requireBalance(t, l, "a", 7*nat/64, 8*nat/64)
	other := m.For(pure(1.0 / 32))
	token, err := other.Admit(ctx)
	require.NoError(t, err)
	other.Done(token, errors.New("the attempt failed"))
	requireBalance(t, l, "a", 7*nat/64, 10*nat/64)
	for i := range 47 {
		require.NoError(t, m.Spend(pure(1.0/64)), "%d", i)
	}
	err = m.Spend(pure(1.0 / 64))
	var full *ExhaustedError
	require.ErrorAs(t, err, &full)
	require.Zero(t, full.Left())
	require.NoError(t, m.Close(ctx))
	requireBalance(t, l, "a", nat, 0)
	require.ErrorIs(t, m.Spend(pure(1.0/64)), ErrClosed)
	require.NoError(t, m.Close(ctx))
}

func TestMeterGivesBackWhatItDidNotUse(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1))
	m, err := j.Meter(MeterConfig{Accounts: []string{"a"}})
	require.NoError(t, err)
	for i := range 10 { // a schedule: each event twice, more events than leases are kept
		for range 2 {
			require.NoError(t, m.Spend(pure(float64(i+1)/1024)))
		}
	}
	require.LessOrEqual(t, len(*m.leases.Load()), keptLeases)
	require.NoError(t, m.Close(ctx))
	requireBalance(t, l, "a", 110*nat/1024, 0)
}

func TestMeterOfManyGoroutines(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1), renyiAccount("r", 4, 8))
	m, err := j.Meter(MeterConfig{Accounts: []string{"a", "r"}, Lease: 16})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range 20 {
				if err := m.Spend(pure(float64(i%2+1) / 4096)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, m.Close(ctx))
	spent, reserved := balance(t, l, "a")
	require.Zero(t, reserved)
	require.InDelta(t, 480*nat/4096, spent, 40)
}

func TestMeterIsChecked(t *testing.T) {
	t.Parallel()
	l, j, d := fresh(t, pureAccount("a", 1))
	for _, c := range []MeterConfig{{}, {Accounts: []string{"a"}, Lease: -1}, {Accounts: []string{"a", "a"}}} {
		_, err := j.Meter(c)
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, err := j.Meter(MeterConfig{Accounts: []string{"b"}})
	require.ErrorIs(t, err, ErrUnknown)
	m, err := j.Meter(MeterConfig{Accounts: []string{"a"}})
	require.NoError(t, err)
	require.ErrorIs(t, m.Spend(gaussian(1)), ErrInvalid)
	require.ErrorIs(t, m.Spend(nil), ErrInvalid)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = m.For(pure(0.1)).Admit(ended)
	require.ErrorIs(t, err, context.Canceled)
	requireBalance(t, l, "a", 0, 0)
	d.Fault[d.Ops()+1] = durabletest.Error
	require.ErrorIs(t, m.Spend(pure(0.1)), ErrPoisoned)
	require.ErrorIs(t, m.Spend(pure(0.1)), ErrPoisoned)
}

// TestWholeJobs: a job that is reserved whole is charged by the best accountant, at its own delta, and cannot be split.
func TestWholeJobs(t *testing.T) {
	t.Parallel()
	l, j, d := fresh(t, Account{Name: "a", Measure: Basic, Relation: privacy.AddRemove, Epsilon: 3, Delta: 1e-5})
	r, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: sampled(), Count: 1000, Delta: 1e-6})
	require.NoError(t, err)
	var best privacy.Best
	require.NoError(t, best.Add(sampled(), 1000))
	want, err := best.Epsilon(1e-6)
	require.NoError(t, err)
	require.Equal(t, want, r.Cost())
	report, err := l.Report()
	require.NoError(t, err)
	b := report.Accounts[0].Balances
	require.InDelta(t, want.Upper, float64(b[0].Reserved)/float64(b[0].PerOne), 1e-11)
	require.GreaterOrEqual(t, float64(b[0].Reserved)/float64(b[0].PerOne), want.Upper)
	require.EqualValues(t, int64(1_000_000_000_000), b[1].Reserved, "1e-6 in units of 1e-18")
	require.ErrorIs(t, r.CommitPart(ctx, 10), ErrInvalid)
	require.NoError(t, r.Commit())
	_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.01), Count: 2})
	require.NoError(t, err, "other kinds beside it")
	_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: sampled(), Count: 10, Delta: 1e-5})
	var full *ExhaustedError
	require.ErrorAs(t, err, &full)
	require.Equal(t, "delta", full.Quantity)
	_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: sampled()})
	require.ErrorIs(t, err, ErrInvalid, "a Gaussian has no epsilon without a delta")
	again(t, l, d)
}

func TestThresholds(t *testing.T) {
	t.Parallel()
	d := durabletest.New()
	var told []Crossing
	var l *Ledger
	open := func(create bool) *Job {
		var err error
		l, err = openIn(d, "x", Config{Create: create, OnThreshold: func(c Crossing) {
			told = append(told, c)
			if l != nil {
				_, err := l.Report() // no lock is held
				require.NoError(t, err)
			}
		}})
		require.NoError(t, err)
		require.NoError(t, l.CreateAccount(ctx, pureAccount("a", 1)))
		j, err := l.OpenJob(ctx, "job")
		require.NoError(t, err)
		return j
	}
	reserve := func(j *Job, n int64) *Reservation {
		r, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(1.0 / 64), Count: n})
		require.NoError(t, err)
		return r
	}
	j := open(true)
	require.NoError(t, reserve(j, 51).Commit())
	require.Empty(t, told)
	back := reserve(j, 1)
	require.Equal(t, []Crossing{{"a", 0.8, 52.0 / 64}}, told)
	require.NoError(t, back.Release(ctx))
	require.NoError(t, reserve(j, 2).Commit())
	require.Len(t, told, 1, "once, also if it is crossed again")
	require.NoError(t, l.Close())
	j = open(false)
	require.Len(t, told, 1, "nor after a restart")
	require.NoError(t, reserve(j, 11).Commit())
	require.Equal(t, Crossing{"a", 0.95, 1}, told[1])
	require.Len(t, told, 2)
	require.NoError(t, l.Close())
	open(false)
	require.Len(t, told, 2)
	require.NoError(t, l.Close())
}

// TestThresholdAfterCrash: a crossing of which nobody was told before the crash is told after it.
func TestThresholdAfterCrash(t *testing.T) {
	t.Parallel()
	l, j, d := fresh(t, pureAccount("a", 1)) // without a callback
	_, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.96)})
	require.NoError(t, err)
	d.Kill()
	_ = l.Close()
	d = d.PowerLoss(durabletest.None)
	for i := range 2 {
		var told []float64
		l, err = openIn(d, "x", Config{OnThreshold: func(c Crossing) { told = append(told, c.Threshold) }})
		require.NoError(t, err)
		require.Equal(t, map[bool][]float64{true: {0.8, 0.95}, false: nil}[i == 0], told)
		require.NoError(t, l.Close())
	}
}

func TestNotPrivateIsShown(t *testing.T) {
	t.Parallel()
	l, j, d := fresh(t, pureAccount("a", 1), pureAccount("b", 1))
	_, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(0.1)})
	require.NoError(t, err)
	require.NoError(t, j.MarkNotPrivate(ctx))
	require.NoError(t, j.MarkNotPrivate(ctx))
	l = again(t, l, d)
	_, err = l.OpenJob(ctx, "job")
	require.NoError(t, err)
	r, err := l.Report()
	require.NoError(t, err)
	job, ok := r.Job("job")
	require.True(t, ok)
	require.True(t, job.NotPrivate, "whatever comes after")
	a, _ := r.Account("a")
	require.True(t, a.NotPrivate)
	b, _ := r.Account("b")
	require.False(t, b.NotPrivate)
	_, ok = r.Account("c")
	require.False(t, ok)
	_, ok = r.Job("c")
	require.False(t, ok)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(text), `"not_private":true`)
}

func TestReportIsJSON(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, renyiAccount("r", 1.1, 8, 32), pureAccount("p", 1))
	_, err := j.Reserve(ctx, Request{Accounts: []string{"r", "p"}, Event: pure(0.001)})
	require.NoError(t, err)
	r, err := l.Report()
	require.NoError(t, err)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, r, back)
	a, _ := r.Account("r")
	require.Equal(t, []float64{1.1}, a.Dropped)
	require.Equal(t, "Rényi divergence at orders fixed in advance", a.Accountant)
	require.Contains(t, a.Conversion, "delta/2")
	require.Equal(t, privacy.Budget{Epsilon: 2, Delta: 1e-6}, a.Guarantee)
	require.Equal(t, a.Balances[0].Cap-a.Balances[0].Reserved, a.Balances[0].Remaining())
	same, err := l.Report()
	require.NoError(t, err)
	require.Equal(t, r, same, "reading changes nothing: trap 9")
}

func TestForecast(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, pureAccount("a", 1), pureAccount("b", 0.5), renyiAccount("r", 4, 8, 16))
	f, err := l.Forecast([]string{"a", "b"}, []Planned{{Event: pure(1.0 / 64), Count: 16}, {Event: pure(1.0 / 32), Count: 100}}, 4)
	require.NoError(t, err)
	require.Equal(t, Forecast{Executions: 24, Account: "b", Quantity: "epsilon", Left: 6e9}, f)
	f, err = l.Forecast([]string{"a"}, []Planned{{Event: pure(1.0 / 64), Count: 16}, {Event: pure(1.0 / 32), Count: 24}}, 0)
	require.NoError(t, err)
	require.Equal(t, Forecast{Executions: 40, Complete: true}, f)
	f, err = l.Forecast([]string{"a"}, []Planned{{Event: pure(1.0 / 64), Count: 16}, {Event: pure(1.0 / 32), Count: 25}}, 0)
	require.NoError(t, err)
	require.Equal(t, Forecast{Executions: 40, Account: "a", Quantity: "epsilon"}, f)

	// Exactly where Reserve stops, with the order that carries furthest.
	f, err = l.Remaining(sampled(), "r")
	require.NoError(t, err)
	require.Equal(t, "renyi", f.Quantity)
	require.Contains(t, []float64{4, 8, 16}, f.Order)
	_, err = j.Reserve(ctx, Request{Accounts: []string{"r"}, Event: sampled(), Count: f.Executions + 1})
	var full *ExhaustedError
	require.ErrorAs(t, err, &full)
	require.Equal(t, f.Order, full.Order)
	_, err = j.Reserve(ctx, Request{Accounts: []string{"r"}, Event: sampled(), Count: f.Executions})
	require.NoError(t, err)
	f, err = l.Remaining(sampled(), "r")
	require.NoError(t, err)
	require.Zero(t, f.Executions)

	free := privacy.Poisson{Rate: 0, Gaussian: gaussian(1)}
	f, err = l.Remaining(free, "r")
	require.NoError(t, err)
	require.Equal(t, Forecast{Executions: maxCount, Complete: true}, f)
	for _, plan := range [][]Planned{{{Event: nil, Count: 1}}, {{Event: pure(1), Count: 0}}, {{Event: free, Count: maxCount}, {Event: free, Count: 1}}} {
		_, err = l.Forecast([]string{"a"}, plan, 0)
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, err = l.Forecast([]string{"a"}, nil, -1)
	require.ErrorIs(t, err, ErrInvalid)
	f, err = l.Forecast([]string{"a"}, nil, 1)
	require.NoError(t, err)
	require.Equal(t, Forecast{Complete: true}, f)
}

func TestForecastOfWholeJobs(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, Account{Name: "a", Measure: Basic, Relation: privacy.AddRemove, Epsilon: 1, Delta: 1e-6})
	plan := []Planned{{Event: pure(0.125), Count: 2}, {Event: gaussian(30), Count: 100, Delta: 5e-7}, {Event: gaussian(30), Count: 50, Delta: 4e-7}}
	f, err := l.Forecast([]string{"a"}, plan, 0)
	require.NoError(t, err)
	taken := int64(0)
	for _, p := range plan {
		r, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: p.Event, Count: p.Count, Delta: p.Delta})
		if err != nil {
			break
		}
		require.NoError(t, r.Commit())
		taken += p.Count
	}
	require.Equal(t, taken, f.Executions)
	require.False(t, f.Complete)
	require.Contains(t, []int64{2, 102}, taken)
}

// TestDeadOrdersStayDead: where a reservation exceeds an order, what is recorded there is one unit more than the cap and stands for more. A part of
// the reservation must not bring the order back: here ten used steps cost 260 times its cap.
func TestDeadOrdersStayDead(t *testing.T) {
	t.Parallel()
	l, j, _ := fresh(t, renyiAccount("r", 8, 1<<20))
	orders := func() (low, high Balance) {
		r, err := l.Report()
		require.NoError(t, err)
		return r.Accounts[0].Balances[0], r.Accounts[0].Balances[1]
	}
	lease, err := j.Lease(ctx, Request{Accounts: []string{"r"}, Event: gaussian(100), Count: 800})
	require.NoError(t, err)
	_, high := orders()
	require.Equal(t, high.Cap+1, high.Reserved)
	for range 10 {
		require.NoError(t, lease.Charge())
	}
	require.NoError(t, lease.Close(ctx))
	low, high := orders()
	require.InDelta(t, 10*8/20000.0, float64(low.Spent)/unitsPerNat, 1e-9)
	require.Equal(t, high.Cap+1, high.Spent)
	require.Zero(t, high.Reserved)
	_, err = j.Reserve(ctx, Request{Accounts: []string{"r"}, Event: pure(1e-9)})
	require.NoError(t, err, "the other order bears it")

	_, err = j.Reserve(ctx, Request{Accounts: []string{"r"}, Event: gaussian(1), Count: 8})
	var full *ExhaustedError
	require.ErrorAs(t, err, &full)
	require.EqualValues(t, 8, full.Order, "the one that came closest")
	require.InDelta(t, 32, full.Requested, 1e-9)

	unused, err := j.Lease(ctx, Request{Accounts: []string{"r"}, Event: gaussian(100), Count: 800})
	require.NoError(t, err)
	require.NoError(t, unused.Close(ctx))
	_, after := orders()
	require.Equal(t, high.Spent, after.Spent, "what was not used costs nothing")
}
