package privacy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Two filters of one budget, each within it, are more than the budget once they are put together: the figure says so.
func TestRestoredForkIsNotUnderstated(t *testing.T) {
	t.Parallel()
	budget := Budget{Epsilon: 3, Delta: 1e-5}
	a, b := Gaussian{StdDev: 5, Clip: 1, Relation: AddRemove}, Gaussian{StdDev: 6, Clip: 1, Relation: AddRemove}
	f, err := NewFilter(budget, a)
	require.NoError(t, err)
	g, err := NewFilter(budget, a)
	require.NoError(t, err)
	n, err := f.Remaining(a)
	require.NoError(t, err)
	m, err := g.Remaining(b)
	require.NoError(t, err)
	require.NoError(t, f.SpendN(a, n))
	require.NoError(t, g.SpendN(b, m))
	state, err := g.State()
	require.NoError(t, err)
	require.NoError(t, f.Restore(state))

	var rdp RDP
	require.NoError(t, rdp.Add(a, n))
	require.NoError(t, rdp.Add(b, m))
	truth, err := rdp.Epsilon(budget.Delta)
	require.NoError(t, err)
	require.GreaterOrEqual(t, f.Spent().Upper, truth.Upper)
	require.ErrorIs(t, f.Spend(a), ErrExhausted)
}
