package privacy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Laws that are known exactly, or from above only, through the accountant. References: dp_accounting 0.4.4 (truncated) and the atoms
// composed without rounding.
func TestPLDOfOtherLaws(t *testing.T) {
	t.Parallel()
	record := func(e Event, n int) Interval {
		var p PLD
		require.NoError(t, p.Add(e, n))
		in, err := p.Epsilon(1e-5)
		require.NoError(t, err)
		return in
	}
	for n := 1; n < 4; n++ {
		in := record(DiscreteLaplace{2, 5, AddRemove}, n)
		require.Less(t, in.Upper-in.Lower, 2e-9*in.Upper, "%d: %v", n, in)
		in = record(RandomizedResponse{4, .5, ReplaceSpecial}, n)
		require.Less(t, in.Upper-in.Lower, 2e-9*in.Upper, "%d: %v", n, in)
	}
	in := record(Laplace{1, 1, AddRemove}, 1)
	require.InDelta(t, .99997999990, in.Upper, 1e-9)
	require.InDelta(t, .99997999990, in.Lower, 1e-8)
	special := Gaussian{StdDev: 1, Clip: 1, Relation: AddRemove}
	in = record(TruncatedPoisson{.004, 300, 60000, special}, 1000)
	require.InDelta(t, .7505, in.Upper, 8e-4)
	special.Relation = ReplaceSpecial
	in = record(Allocation{Steps: 100, Times: 1, Epochs: 1, Gaussian: special}, 1)
	require.InDelta(t, .6210, in.Upper, 2e-4)
}
