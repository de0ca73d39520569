package ledger

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/internal/durable/durabletest"
	"github.com/surefoot-ml/surefoot/internal/journal"
	"github.com/surefoot-ml/surefoot/privacy"
)

// witness knows what a program was told, and what it let out, whatever became of the ledger.
type witness struct {
	created  bool
	accounts map[string]bool
	retired  map[string]bool
	jobs     map[string]uint64 // acknowledged incarnations
	outputs  map[string]int64  // units that released outputs cost
	most     map[string]int64  // units that were ever asked for, less those that came back for sure
}

func newWitness() *witness {
	return &witness{accounts: map[string]bool{}, retired: map[string]bool{}, jobs: map[string]uint64{}, outputs: map[string]int64{}, most: map[string]int64{}}
}

func (w *witness) clone() *witness {
	c := newWitness()
	c.created = w.created
	for _, m := range []struct{ from, to map[string]bool }{{w.accounts, c.accounts}, {w.retired, c.retired}} {
		for k, v := range m.from {
			m.to[k] = v
		}
	}
	for k, v := range w.jobs {
		c.jobs[k] = v
	}
	for _, m := range []struct{ from, to map[string]int64 }{{w.outputs, c.outputs}, {w.most, c.most}} {
		for k, v := range m.from {
			m.to[k] = v
		}
	}
	return c
}

// faultStep is a step of 1/64 nat.
const faultStep = int64(nat / 64)

// program does one of everything on a disk, and stops at the first error.
type program struct {
	*witness
	t testing.TB
	d *durabletest.Disk
	l *Ledger
	j *Job
}

func (p *program) open() error {
	l, err := openIn(p.d, "x", Config{Create: !p.created, SnapshotBytes: leastSnapshot})
	if errors.Is(err, ErrExists) { // it was created, and nobody was told
		l, err = openIn(p.d, "x", Config{SnapshotBytes: leastSnapshot})
	}
	if err != nil {
		require.NotErrorIs(p.t, err, ErrDamaged, "a crash is not damage")
		require.NotErrorIs(p.t, err, ErrCorrupt)
		require.NotErrorIs(p.t, err, ErrMissing)
		return err
	}
	p.created, p.l = true, l
	p.check()
	return nil
}

// check compares what was found with what is known.
func (p *program) check() {
	r, err := p.l.Report()
	require.NoError(p.t, err)
	for name := range p.accounts {
		a, ok := r.Account(name)
		require.True(p.t, ok, "an acknowledged account is lost")
		b := a.Balances[0]
		require.Zero(p.t, b.Reserved)
		require.GreaterOrEqual(p.t, b.Spent, p.outputs[name], "what was let out is not covered")
		require.LessOrEqual(p.t, b.Spent, p.most[name], "an acknowledged release is lost")
		require.LessOrEqual(p.t, b.Spent, b.Cap)
		if p.retired[name] {
			require.True(p.t, a.Retired)
		}
		p.most[name] = b.Spent // what is not there now never comes
		p.outputs[name] = b.Spent
	}
	for name, incarnation := range p.jobs {
		j, ok := r.Job(name)
		require.True(p.t, ok)
		require.GreaterOrEqual(p.t, j.Incarnation, incarnation)
		p.jobs[name] = j.Incarnation
	}
	require.NoError(p.t, p.l.book.audit())
}

func (p *program) account(name string) error {
	err := p.l.CreateAccount(ctx, pureAccount(name, 2))
	if err == nil {
		p.accounts[name] = true
	}
	return err
}

func (p *program) job() (err error) {
	if p.j, err = p.l.OpenJob(ctx, "job"); err == nil {
		require.Greater(p.t, p.j.Incarnation(), p.jobs["job"], "an incarnation is given twice")
		p.jobs["job"] = p.j.Incarnation()
	}
	return err
}

// reserve asks for count steps of accounts, lets out as many outputs as out says, and resolves.
func (p *program) reserve(count, out int64, resolve func(*Reservation) error, accounts ...string) error {
	for _, a := range accounts {
		p.most[a] += count * faultStep
	}
	r, err := p.j.Reserve(ctx, Request{Accounts: accounts, Event: pure(1.0 / 64), Count: count})
	if err != nil {
		return err
	}
	for _, a := range accounts {
		p.outputs[a] += out * faultStep
	}
	if resolve == nil {
		return nil
	}
	if err := resolve(r); err != nil {
		return err
	}
	for _, a := range accounts {
		p.most[a] -= (count - out) * faultStep
	}
	return nil
}

func commit(r *Reservation) error { return r.Commit() }

func (p *program) lease(count, out int64) error {
	p.most["a"] += count * faultStep
	l, err := p.j.Lease(ctx, Request{Accounts: []string{"a"}, Event: pure(1.0 / 64), Count: count})
	if err != nil {
		return err
	}
	for range out {
		require.NoError(p.t, l.Charge())
		p.outputs["a"] += faultStep
	}
	if err := l.Close(ctx); err != nil {
		return err
	}
	p.most["a"] -= (count - out) * faultStep
	return nil
}

func (p *program) snapshot() error {
	p.l.mu.Lock()
	if err := p.l.flush(); err != nil {
		p.l.mu.Unlock()
		return err
	}
	through, state := p.l.ticket.Seq(), p.l.book.append(nil)
	p.l.mu.Unlock()
	return p.l.journal.Compact(ctx, through, state)
}

func (p *program) script() error {
	for _, step := range []func() error{
		p.open,
		func() error { return p.account("a") },
		func() error { return p.account("b") },
		p.job,
		func() error { return p.reserve(2, 2, commit, "a") },
		func() error { return p.reserve(3, 3, nil, "a", "b") },
		func() error { return p.reserve(4, 0, func(r *Reservation) error { return r.Release(ctx) }, "b", "a") },
		p.snapshot,
		func() error { return p.lease(5, 2) },
		p.job,
		func() error {
			return p.reserve(6, 1, func(r *Reservation) error { return r.CommitPart(ctx, 1) }, "a", "b")
		},
		func() error { err := p.l.Retire(ctx, "b"); p.retired["b"] = err == nil; return err },
		func() error { err := p.l.Close(); p.l = nil; return err },
		p.open,
		p.job,
		func() error { return p.reserve(1, 1, nil, "a") },
		p.snapshot,
		func() error { return p.reserve(2, 2, commit, "a") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) end() {
	if p.l != nil {
		_ = p.l.Close() // may well be poisoned
		p.l = nil
	}
}

// TestEveryFault lets every operation of a script go wrong in every way, then takes the power away or not, once more in the middle of the
// recovery.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	images, operations := 0, 0
	for _, why := range []error{syscall.EIO, syscall.ENOSPC} {
		for kind := 1; kind <= durabletest.Faults; kind++ {
			for op := 1; ; op++ {
				p := &program{witness: newWitness(), t: t, d: durabletest.New()}
				p.d.Fault[op], p.d.Why = durabletest.Fault(kind), why
				err := p.script()
				if err != nil {
					require.True(t, errors.Is(err, why) || errors.Is(err, durabletest.ErrCrash), "%v", err)
					if p.l != nil && p.l.Err() != nil {
						_, err := p.l.OpenJob(ctx, "job")
						require.Error(t, err, "no success after a failure")
					}
				}
				p.end()
				if p.d.Ops() < op {
					require.NoError(t, err)
					operations = op - 1
					break // the fault did not come any more
				}
				for _, next := range []*durabletest.Disk{
					p.d.Restart(), p.d.PowerLoss(durabletest.None), p.d.PowerLoss(durabletest.All),
					p.d.PowerLoss(durabletest.Coin(r)), p.d.PowerLoss(durabletest.Coin(r)), p.d.PowerLoss(durabletest.Coin(r)),
				} {
					images++
					p.recover(next, r)
				}
			}
		}
	}
	t.Logf("%d operations of the script, %d kinds of fault, %d disk images recovered", operations, 2*durabletest.Faults, images)
	require.Greater(t, images, 1000)
}

// recover opens the ledger of a disk, with a fault at some point of that, and goes on with it, then loses power.
func (p *program) recover(d *durabletest.Disk, r *rand.Rand) {
	q := &program{witness: p.clone(), t: p.t, d: d}
	q.d.Fault[1+r.IntN(8)] = durabletest.Fault(1 + r.IntN(durabletest.Faults))
	for q.open() != nil {
		if q.d = q.d.Restart(); r.IntN(2) == 0 {
			q.d = q.d.PowerLoss(durabletest.Coin(r))
		}
	}
	q.d.Fault = nil
	first, err := q.l.Report()
	require.NoError(p.t, err)
	require.NoError(p.t, q.l.Close())
	require.NoError(p.t, q.open())
	second, err := q.l.Report()
	require.NoError(p.t, err)
	require.Equal(p.t, first, second, "recovery is idempotent")
	require.NoError(p.t, q.account("a"))
	require.NoError(p.t, q.job())
	require.NoError(p.t, q.reserve(3, 3, nil, "a"))
	require.NoError(p.t, q.lease(4, 1))
	q.d.Kill()
	q.end()
	q.d = q.d.PowerLoss(durabletest.Coin(r))
	require.NoError(p.t, q.open())
	require.NoError(p.t, q.snapshot())
	require.NoError(p.t, q.l.Close())
	_, err = verifyIn(q.d, "x")
	require.NoError(p.t, err)
}

// TestEveryPrefix: trap 1. A journal that is cut anywhere is a torn tail, unless Close marked its end: what was let out before the cut is
// covered at every length.
func TestEveryPrefix(t *testing.T) {
	t.Parallel()
	d := durabletest.New()
	l, err := openIn(d, "x", Config{Create: true})
	require.NoError(t, err)
	require.NoError(t, l.CreateAccount(ctx, pureAccount("a", 2)))
	j, err := l.OpenJob(ctx, "job")
	require.NoError(t, err)
	type point struct {
		size  int64
		least int64
	}
	_, size := l.journal.Last()
	points := []point{{size, 0}}
	for i := range int64(12) {
		r, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(1.0 / 64), Count: i%3 + 1})
		require.NoError(t, err)
		_, size := l.journal.Last()
		points = append(points, point{size, points[len(points)-1].least + (i%3+1)*faultStep})
		if i%2 == 0 {
			require.NoError(t, r.Commit())
		}
	}
	d.Kill()
	_ = l.Close()
	image := d.Files()["journal"]
	for n := points[0].size; n <= int64(len(image)); n++ {
		least := int64(0)
		for _, p := range points {
			if p.size <= n {
				least = p.least
			}
		}
		for _, tail := range []int{0, 40} { // nothing follows, or zeros that were allocated and not written
			l, err := openIn(durabletest.Holding("journal", append(image[:n:n], make([]byte, tail)...)), "x", Config{})
			require.NoError(t, err)
			spent, reserved := balance(t, l, "a")
			require.GreaterOrEqual(t, spent, least)
			require.Zero(t, reserved)
			require.NoError(t, l.Close())
		}
	}
}

// TestSnapshotsThatFail: a snapshot that fails before the rename costs nothing, and the journal keeps every balance.
func TestSnapshotsThatFail(t *testing.T) {
	t.Parallel()
	p := &program{witness: newWitness(), t: t, d: durabletest.New()}
	require.NoError(t, p.open())
	require.NoError(t, p.account("a"))
	require.NoError(t, p.job())
	p.d.Why = syscall.ENOSPC
	for op := 1; op <= 3; op++ {
		require.NoError(t, p.reserve(1, 1, commit, "a"))
		r, err := p.j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: privacy.Pure{Epsilon: 1.0 / 64, Relation: privacy.AddRemove}})
		require.NoError(t, err)
		p.most["a"] += faultStep
		require.NoError(t, p.l.changed(ctx, p.l.flush))
		p.d.Fault = map[int]durabletest.Fault{p.d.Ops() + op: durabletest.Error}
		err = p.snapshot()
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.NotErrorIs(t, err, journal.ErrPoisoned)
		p.d.Fault = nil
		require.NoError(t, r.Commit())
	}
	require.NoError(t, p.l.Close())
	require.NoError(t, p.open())
	require.EqualValues(t, 6*faultStep, p.outputs["a"])
	p.end()
}

// TestSnapshotsComeByThemselves: the journal stays small, and every balance is what it would be without.
func TestSnapshotsComeByThemselves(t *testing.T) {
	t.Parallel()
	d := durabletest.New()
	l, err := openIn(d, "x", Config{Create: true, SnapshotBytes: leastSnapshot})
	require.NoError(t, err)
	require.NoError(t, l.CreateAccount(ctx, pureAccount("a", 1000)))
	j, err := l.OpenJob(ctx, "job")
	require.NoError(t, err)
	largest := int64(0)
	var open []*Reservation
	for i := range 2000 {
		r, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: pure(1.0 / 64)})
		require.NoError(t, err)
		_, size := l.journal.Last()
		largest = max(largest, size)
		if i%100 == 0 {
			open = append(open, r)
			continue
		}
		require.NoError(t, r.Commit())
	}
	require.Less(t, largest, int64(64<<10))
	for _, r := range open {
		require.NoError(t, r.Release(ctx), "reserved before a snapshot")
	}
	l = again(t, l, d)
	requireBalance(t, l, "a", 1980*faultStep, 0)
	require.Less(t, l.Recovery().Entries, uint64(2000))
}
