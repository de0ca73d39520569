package ledger

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

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
