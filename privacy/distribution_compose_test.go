package privacy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What was composed and saved before composes as the events do.
func TestComposeDistributions(t *testing.T) {
	t.Parallel()
	const delta = 1e-5
	make := func(e Event, n int) *Distribution {
		var p PLD
		require.NoError(t, p.Add(e, n))
		d, err := p.Distribution(delta)
		require.NoError(t, err)
		saved, err := d.MarshalBinary()
		require.NoError(t, err)
		again := new(Distribution)
		require.NoError(t, again.UnmarshalBinary(saved))
		return again
	}
	a, b := make(sampled(.02, 1.2), 200), make(Gaussian{20, 1, AddRemove}, 5)
	all, err := ComposeDistributions(delta, a, b, b, new(PLD).nothing(t))
	require.NoError(t, err)
	got, err := all.Epsilon(delta)
	require.NoError(t, err)
	var best Best
	require.NoError(t, best.Add(sampled(.02, 1.2), 200))
	require.NoError(t, best.Add(Gaussian{20, 1, AddRemove}, 10))
	want, err := best.Epsilon(delta)
	require.NoError(t, err)
	require.LessOrEqual(t, got.Lower, want.Upper)
	require.GreaterOrEqual(t, got.Upper, want.Lower)
	require.InEpsilon(t, want.Upper, got.Upper, 1e-2)
	require.Positive(t, got.Lower)

	_, err = ComposeDistributions(delta, a, make(Gaussian{20, 1, ReplaceOne}, 1))
	require.ErrorIs(t, err, ErrInvalid)
	_, err = ComposeDistributions(delta, a, nil)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = ComposeDistributions(2, a)
	require.ErrorIs(t, err, ErrInvalid)
	none, err := ComposeDistributions(delta)
	require.NoError(t, err)
	zero, err := none.Epsilon(delta)
	require.NoError(t, err)
	require.Equal(t, nothing(), zero)
}

func (p *PLD) nothing(t *testing.T) *Distribution {
	t.Helper()
	d, err := p.Distribution(.5)
	require.NoError(t, err)
	return d
}
