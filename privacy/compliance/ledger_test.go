package compliance

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/privacy/ledger"
)

// adapted is a ledger.Ledger as this package sees it; a caller's adapter looks the same, and sends the reason to the audit log.
type adapted struct {
	*ledger.Ledger
	reasons []string
}

func (a *adapted) Account(_ context.Context, name string) (spent, limit, delta float64, retired bool, err error) {
	report, err := a.Report()
	if err != nil {
		return 0, 0, 0, false, err
	}
	r, ok := report.Account(name)
	if !ok {
		return 0, 0, 0, false, fmt.Errorf("%w: %q", ledger.ErrUnknown, name)
	}
	return r.Running, r.Guarantee.Epsilon, r.Guarantee.Delta, r.Retired, nil
}

func (a *adapted) Retire(ctx context.Context, name, reason string) error {
	a.reasons = append(a.reasons, reason)
	return a.Ledger.Retire(ctx, name)
}

// The same life of a dataset against the durable ledger.
func TestRetentionWithTheDurableLedger(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "budget")
	l, err := ledger.Open(dir, ledger.Config{Create: true})
	require.NoError(t, err)
	for _, name := range []string{"notes/january", "notes/february"} {
		require.NoError(t, l.CreateAccount(t.Context(), ledger.Account{
			Name: name, Measure: ledger.Renyi, Orders: []float64{8}, Relation: privacy.AddRemove, Epsilon: 3, Delta: 1e-6,
		}))
	}
	job, err := l.OpenJob(t.Context(), "train")
	require.NoError(t, err)
	step := privacy.Poisson{Rate: .01, Gaussian: privacy.Gaussian{StdDev: 1, Clip: 1, Relation: privacy.AddRemove}}
	a := &adapted{Ledger: l}
	retention(t, a, func(account string) error {
		r, err := job.Reserve(t.Context(), ledger.Request{Accounts: []string{account}, Event: step, Count: 1})
		if err != nil {
			return err
		}
		return r.Commit()
	}, ledger.ErrRetired)
	require.NotEmpty(t, a.reasons)
	require.Contains(t, a.reasons[0], "january")
	require.NoError(t, l.Close())

	counted, err := ledger.Verify(dir)
	require.NoError(t, err)
	january, ok := counted.Account("notes/january")
	require.True(t, ok)
	require.True(t, january.Retired)
	require.Positive(t, january.Balances[0].Spent, "what was spent stays on record")
}
