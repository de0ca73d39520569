package compliance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var errRetired = errors.New("account is retired")

// fakeLedger has the promises of Ledger, and a Spend that refuses.
type fakeLedger struct {
	mu       sync.Mutex
	accounts map[string]*fakeAccount
	broken   string // an account that fails
}

type fakeAccount struct {
	spent, limit float64
	reason       string
}

func (l *fakeLedger) Account(_ context.Context, name string) (spent, limit, delta float64, retired bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[name]
	if a == nil || name == l.broken {
		return 0, 0, 0, false, fmt.Errorf("no account %q", name)
	}
	return a.spent, a.limit, 1e-6, a.reason != "", nil
}

func (l *fakeLedger) Retire(_ context.Context, name, reason string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[name]
	if a == nil {
		return fmt.Errorf("no account %q", name)
	}
	if a.reason == "" {
		a.reason = reason
	}
	return nil
}

func (l *fakeLedger) Spend(name string, cost float64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[name]
	if a.reason != "" {
		return errRetired
	}
	a.spent += cost
	return nil
}

// retention runs the life of a dataset against a ledger: training on two blocks, the end of the retention of one, an erasure in the
// other, and a later run. spend charges one step to an account, and refuses with refused once it is retired.
func retention(t *testing.T, ledger Ledger, spend func(account string) error, refused error) {
	ctx := t.Context()
	start := testNow()
	day := 24 * time.Hour
	p := newPseudonymizer(t, 9)
	datasets := []Dataset{{Name: "notes", Blocks: []Block{
		{Name: "january", Retain: start.Add(30 * day), Account: "notes/january"},
		{Name: "february", Retain: start.Add(60 * day), Account: "notes/february"},
	}}}
	var manifest bytes.Buffer
	m, err := NewManifest(&manifest, p.Key())
	require.NoError(t, err)
	assessor, err := New(Config{})
	require.NoError(t, err)
	state := func(check, run string, absence Absence, now time.Time) State {
		accounts, err := ReadAccounts(ctx, ledger, datasets)
		require.NoError(t, err)
		return finding(t, assessor.Assess(run, Evidence{
			Run: Observe(Run{ID: run}, "manifest", now), Datasets: Observe(datasets, "catalogue", now), Accounts: Observe(accounts, "ledger", now),
			Erasure: Observe(absence, "manifests", now), Models: Observe([]Model{{ID: "m-1", Run: "run-1"}}, "registry", now),
		}, now), check).State
	}
	train := func(run string, n uint64, at time.Time, account string, ids ...string) error {
		if err := spend(account); err != nil {
			return err
		}
		b := Batch{Run: run, Number: n, Time: at}
		for _, id := range ids {
			b.IDs = append(b.IDs, p.Of(id))
		}
		return m.Add(b)
	}

	// A first run reads everybody.
	require.NoError(t, train("run-1", 1, start, "notes/january", "ada", "ben"))
	require.NoError(t, train("run-1", 2, start, "notes/february", "cyn", "dan"))
	retired, err := RetireExpired(ctx, ledger, datasets, start.Add(30*day-time.Second))
	require.NoError(t, err)
	require.Empty(t, retired, "a second too early")

	// The retention of January ends: the block is over, and its account is not closed yet.
	end := start.Add(30 * day)
	require.Equal(t, Fail, state("gdpr-5-1-e-blocks", "run-1", Absence{}, end))
	require.Equal(t, Fail, state("gdpr-17-accounts", "run-1", Absence{}, end))
	datasets[0].Blocks[0].Deleted = end
	spent, _, _, _, err := ledger.Account(ctx, "notes/january")
	require.NoError(t, err)
	retired, err = RetireExpired(ctx, ledger, datasets, end)
	require.NoError(t, err)
	require.Equal(t, []string{"notes/january"}, retired)
	require.Equal(t, Pass, state("gdpr-5-1-e-blocks", "run-1", Absence{}, end))
	require.Equal(t, Pass, state("gdpr-17-accounts", "run-1", Absence{}, end))
	require.ErrorIs(t, train("run-2", 1, end, "notes/january", "ada"), refused)
	still, _, _, closed, err := ledger.Account(ctx, "notes/january")
	require.NoError(t, err)
	require.True(t, closed)
	require.Equal(t, spent, still, "nothing comes back")
	retired, err = RetireExpired(ctx, ledger, datasets, end)
	require.NoError(t, err)
	require.Empty(t, retired, "done before")

	// Cyn is erased, and a later run leaves her out; then one does not.
	erased := end.Add(day)
	list, err := NewList(p.Key(), maps.All(map[Pseudonym]time.Time{p.Of("cyn"): erased}))
	require.NoError(t, err)
	require.NoError(t, train("run-2", 2, erased.Add(day), "notes/february", "dan"))
	part := bytes.Clone(manifest.Bytes())
	check := func(run string) (Absence, State) {
		reader, err := ReadManifest(bytes.NewReader(manifest.Bytes()))
		require.NoError(t, err)
		a, err := list.Check(reader)
		require.NoError(t, err)
		return a, state("gdpr-17-erasure", run, a, erased.Add(2*day))
	}
	_, err = m.Close()
	require.NoError(t, err)
	a, got := check("run-2")
	require.Equal(t, Manual, got, "m-1 is to be assessed")
	require.Equal(t, []string{"run-1"}, a.Earlier, "trained before")
	require.NotContains(t, manifest.String(), "cyn")

	manifest.Reset()
	m, err = NewManifest(&manifest, p.Key())
	require.NoError(t, err)
	require.NoError(t, train("run-3", 1, erased, "notes/february", "dan", "cyn"))
	_, err = m.Close()
	require.NoError(t, err)
	a, got = check("run-3")
	require.Equal(t, Fail, got)
	require.Equal(t, []BatchRef{{"run-3", 1}}, a.Places)

	// A manifest that a crash left open proves nothing.
	manifest.Reset()
	manifest.Write(part)
	reader, err := ReadManifest(&manifest)
	if err == nil {
		a, err = list.Check(reader)
	}
	require.Error(t, err)
	a.Runs = []string{"run-2"}
	require.Equal(t, Unknown, state("gdpr-17-erasure", "run-2", Absence{Listed: 1, List: "x", Complete: a.Complete, Runs: a.Runs}, erased))
}

func TestRetention(t *testing.T) {
	t.Parallel()
	l := &fakeLedger{accounts: map[string]*fakeAccount{"notes/january": {limit: 3}, "notes/february": {limit: 3}}}
	retention(t, l, func(account string) error { return l.Spend(account, 0.1) }, errRetired)
	require.Contains(t, l.accounts["notes/january"].reason, `dataset "notes", block "january": deleted at 2026-04-09T12:00:00Z`)
}

func TestRetireExpired(t *testing.T) {
	t.Parallel()
	now := testNow()
	over, open := now.Add(-time.Hour), now.Add(time.Hour)
	l := &fakeLedger{accounts: map[string]*fakeAccount{"a": {}, "b": {}, "shared": {}, "none": {}, "deleted": {}}, broken: "b"}
	datasets := []Dataset{
		{Name: "x", Blocks: []Block{{"1", over, time.Time{}, "b"}, {"2", over, time.Time{}, "a"}, {"3", over, time.Time{}, "shared"}, {"4", over, time.Time{}, ""}}},
		{Name: "y", Blocks: []Block{{"1", open, time.Time{}, "shared"}, {"2", time.Time{}, time.Time{}, "none"}, {"3", time.Time{}, over, "deleted"}, {"4", over, time.Time{}, "shared"}}},
	}
	retired, err := RetireExpired(t.Context(), l, datasets, now)
	require.ErrorContains(t, err, `account "b"`)
	require.Equal(t, []string{"a", "deleted"}, retired, "the others go on; shared has a block that lives")
	l.broken = ""
	retired, err = RetireExpired(t.Context(), l, datasets, now)
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, retired)
	_, err = ReadAccounts(t.Context(), l, []Dataset{{Blocks: []Block{{Account: "unknown"}}}})
	require.Error(t, err)
}
