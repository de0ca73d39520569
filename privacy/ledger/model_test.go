package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
	"github.com/surefoot-ml/surefoot/privacy"
)

// naive knows of every reservation there ever was, and counts them all whenever it is asked.
type naive struct {
	caps    map[string][]int64
	retired map[string]bool
	any     map[string]bool // one sum that fits is enough
	all     []*naiveReservation
	jobs    map[string]uint64
}

type naiveReservation struct {
	job     string
	amounts map[string][]int64
	count   int64
	used    int64
	open    bool
	handle  *Reservation
	step    uint64
	event   int
}

func (m *naive) sums(account string) (spent, reserved []int64) {
	spent, reserved = make([]int64, len(m.caps[account])), make([]int64, len(m.caps[account]))
	for _, r := range m.all {
		for i, amount := range r.amounts[account] {
			switch {
			case r.open:
				reserved[i] += amount
			case amount > m.caps[account][i] && r.used > 0:
				spent[i] += amount
			case r.used > 0:
				spent[i] += (amount*r.used + r.count - 1) / r.count // small enough here
			}
		}
	}
	return spent, reserved
}

func (m *naive) fits(amounts map[string][]int64) bool {
	for account, list := range amounts {
		spent, reserved := m.sums(account)
		fitting := 0
		for i, amount := range list {
			if spent[i]+reserved[i]+amount <= m.caps[account][i] {
				fitting++
			}
		}
		if fitting == 0 || !m.any[account] && fitting < len(list) {
			return false
		}
	}
	return true
}

func (m *naive) spendAll(job string) {
	for _, r := range m.all {
		if r.open && (job == "" || r.job == job) {
			r.open, r.used = false, r.count
		}
	}
}

func modelAccounts() []Account {
	tight := privacy.AddRemove
	return []Account{
		{Name: "pure", Measure: Pure, Relation: tight, Epsilon: 1e-6},
		{Name: "basic", Measure: Basic, Relation: tight, Epsilon: 1.5e-6, Delta: 1e-6},
		{Name: "grid", Measure: Renyi, Relation: tight, Epsilon: 1, Delta: 1e-2, Orders: []float64{8, 1 << 30}},
	}
}

func modelEvents() []privacy.Event {
	return []privacy.Event{pure(1e-7), pure(2.5e-7), privacy.Approximate{Epsilon: 1e-9, Delta: 3e-7, Relation: privacy.AddRemove}, pure(0.05), pure(1)}
}

// modelRun does operations that bytes stand for on a ledger and on the naive model, and compares them after each.
func modelRun(t testing.TB, ops []byte) {
	d := durabletest.New()
	l, err := openIn(d, "x", Config{Create: true, SnapshotBytes: leastSnapshot})
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	m := &naive{caps: map[string][]int64{}, retired: map[string]bool{}, any: map[string]bool{}, jobs: map[string]uint64{}}
	accounts, events := modelAccounts(), modelEvents()
	for _, a := range accounts {
		require.NoError(t, l.CreateAccount(ctx, a))
		own := l.book.accounts[len(l.book.accounts)-1]
		m.caps[a.Name], m.any[a.Name] = own.caps, a.Measure == Renyi
	}
	handles := map[string]*Job{}
	next := func() int {
		if len(ops) == 0 {
			return 0
		}
		b := ops[0]
		ops = ops[1:]
		return int(b)
	}
	open := func(name string) {
		j, err := l.OpenJob(ctx, name)
		require.NoError(t, err)
		m.spendAll(name)
		m.jobs[name]++
		require.Equal(t, m.jobs[name], j.Incarnation())
		handles[name] = j
	}
	open("one")
	open("two")
	for len(ops) > 0 {
		switch op := next(); op % 8 {
		case 0, 1, 2, 3:
			m.reserve(t, l, handles[[]string{"one", "two"}[op>>3&1]], accounts, events, op>>4, next(), next())
		case 4, 5:
			if len(m.all) > 0 {
				m.resolve(t, m.all[next()%len(m.all)], next())
			}
		case 6:
			switch op >> 3 {
			case 0, 1, 2, 3, 4:
				open([]string{"one", "two"}[op>>3&1])
			case 5, 6:
				if op>>3 == 5 {
					require.NoError(t, l.Close())
				} else {
					d.Kill()
					_ = l.Close()
					d = d.PowerLoss(durabletest.None)
				}
				l, err = openIn(d, "x", Config{SnapshotBytes: leastSnapshot})
				require.NoError(t, err)
				m.spendAll("")
				open("one")
				open("two")
			case 7:
				name := accounts[next()%len(accounts)].Name
				require.NoError(t, l.Retire(ctx, name))
				m.retired[name] = true
			}
		case 7:
			l.due.Store(true)
			l.maybeCompact()
		}
		m.compare(t, l)
	}
	require.NoError(t, l.Close())
	r, err := verifyIn(d, "x")
	require.NoError(t, err)
	again, err := l.Report()
	require.NoError(t, err)
	require.Equal(t, again.Accounts, r.Accounts)
	require.Equal(t, again.Jobs, r.Jobs)
}

func (m *naive) reserve(t testing.TB, l *Ledger, j *Job, accounts []Account, events []privacy.Event, which, event, count int) {
	r := Request{Count: int64(count%7 + 1), Step: uint64(count >> 4), Event: events[event%len(events)]}
	want := &naiveReservation{job: j.name, amounts: map[string][]int64{}, count: r.Count, open: true, step: r.Step, event: event % len(events)}
	retired, valid := false, true
	for i, a := range accounts {
		if which>>i&1 == 0 {
			continue
		}
		r.Accounts = append(r.Accounts, a.Name)
		retired = retired || m.retired[a.Name]
		valid = valid && (a.Measure == Basic || event%len(events) != 2)
		own := l.book.accounts[i]
		for k, q := range own.quantities {
			cost, err := costOf(r.Event, a.Measure, q)
			if err != nil {
				break
			}
			p, err := priceOf(cost, q.perOne)
			require.NoError(t, err)
			want.amounts[a.Name] = append(want.amounts[a.Name], own.clamp(k, p, r.Count))
		}
	}
	got, err := j.Reserve(ctx, r)
	if len(r.Accounts) == 0 || !valid {
		require.ErrorIs(t, err, ErrInvalid)
		return
	}
	for _, known := range m.all {
		if r.Step != 0 && known.step == r.Step && known.handle.job == j {
			if known.event == want.event && known.count == want.count && fmt.Sprint(known.amounts) == fmt.Sprint(want.amounts) && !known.open && known.used < known.count {
				require.ErrorIs(t, err, ErrResolved)
			} else if known.event == want.event && known.count == want.count && fmt.Sprint(known.amounts) == fmt.Sprint(want.amounts) {
				require.NoError(t, err)
				require.Same(t, known.handle, got)
			} else {
				require.ErrorIs(t, err, ErrConflict)
			}
			return
		}
	}
	switch {
	case retired:
		require.True(t, errors.Is(err, ErrRetired) || errors.Is(err, ErrExhausted) && !m.fits(want.amounts))
	case m.fits(want.amounts):
		require.NoError(t, err)
		want.handle = got
		require.EqualValues(t, len(m.all)+1, got.Number())
		m.all = append(m.all, want)
	default:
		require.ErrorIs(t, err, ErrExhausted)
	}
}

func (m *naive) resolve(t testing.TB, r *naiveReservation, how int) {
	h := r.handle
	if h.job.ledger.Err() != nil {
		require.ErrorIs(t, h.Commit(), ErrClosed)
		return
	}
	used, before := r.count, h.outcome
	var err error
	as := committed
	switch how % 3 {
	case 0:
		err = h.Commit()
	case 1:
		used, as = 0, released
		err = h.Release(ctx)
	case 2:
		used = int64(how/3) % (r.count + 1)
		err = h.CommitPart(ctx, used)
	}
	switch {
	case before == as && r.used == used:
		require.NoError(t, err)
	case before != 0:
		require.ErrorIs(t, err, ErrResolved)
	case !r.open:
		require.ErrorIs(t, err, ErrFenced)
	default:
		require.NoError(t, err)
		r.open, r.used = false, used
	}
}

func (m *naive) compare(t testing.TB, l *Ledger) {
	r, err := l.Report()
	require.NoError(t, err)
	for _, a := range r.Accounts {
		spent, reserved := m.sums(a.Name)
		fitting := 0
		for i, b := range a.Balances {
			require.Equal(t, []int64{spent[i], reserved[i]}, []int64{b.Spent, b.Reserved}, "%s %s %v", a.Name, b.Quantity, b.Order)
			if b.Spent+b.Reserved <= b.Cap {
				fitting++
			}
		}
		require.True(t, fitting == len(a.Balances) || m.any[a.Name] && fitting > 0, "the cap of %s is exceeded", a.Name)
		require.Equal(t, m.retired[a.Name], a.Retired)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	require.NoError(t, l.book.audit())
}

func TestAgainstTheModel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	for range 150 {
		ops := make([]byte, 150)
		for i := range ops {
			ops[i] = byte(r.Uint32())
		}
		modelRun(t, ops)
	}
}

// FuzzLedger compares sequences of operations with the naive model.
func FuzzLedger(f *testing.F) {
	f.Add([]byte{0x30, 0, 3, 4, 0, 0, 0x2e, 0x50, 1, 0x15, 4, 1, 5, 7, 0x36})
	f.Add([]byte{0x70, 3, 1, 0x70, 4, 1, 4, 1, 1, 0x40, 3, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 400 {
			return
		}
		modelRun(t, ops)
	})
}
