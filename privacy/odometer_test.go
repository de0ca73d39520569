package privacy

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// An odometer reads more than what the same schedule costs when it was fixed in advance, but not much more.
func TestOdometerReadsABitMore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event Event
		n     int
	}{{sampled(.01, 1), 10}, {sampled(.01, 1), 1000}, {sampled(.02, 1.5), 20000}, {Gaussian{30, 1, AddRemove}, 100}, {Gaussian{2, 1, AddRemove}, 50}} {
		var o Odometer
		var r RDP
		require.NoError(t, o.Add(c.event, c.n))
		require.NoError(t, r.Add(c.event, c.n))
		reading, err := o.Epsilon(1e-5)
		require.NoError(t, err)
		fixed := epsilon(t, &r, 1e-5)
		require.Greater(t, reading.Upper, fixed)
		require.Less(t, reading.Upper, 2*fixed, "%+v", c)
		require.Contains(t, reading.Method, "odometer, ")

		state, err := o.State()
		require.NoError(t, err)
		var again Odometer
		require.NoError(t, again.Restore(state))
		same, err := again.Epsilon(1e-5)
		require.NoError(t, err)
		require.Equal(t, reading, same)
	}
	var o Odometer
	none, err := o.Epsilon(1e-5)
	require.NoError(t, err)
	require.Equal(t, nothing(), none)
	_, err = o.Epsilon(math.NaN())
	require.ErrorIs(t, err, ErrInvalid)
}

// Adversaries that adapt the noise to the loss so far cross the reading with probability at most delta.
func TestOdometerUnderAdaptation(t *testing.T) {
	t.Parallel()
	if slow {
		t.Skip("arithmetic alone: minutes under the race detector")
	}
	const (
		delta  = .05
		paths  = 3000
		steps  = 60
		spread = 3 // standard errors
	)
	rng := rand.New(rand.NewPCG(11, 12))
	noises := []float64{3, 8, 30}
	crossed := 0
	for range paths {
		var o Odometer
		loss := 0.0
		for range steps {
			sigma := noises[0]
			if loss < 0 { // behind: gamble less
				sigma = noises[rng.IntN(len(noises))]
			}
			mu := 1 / sigma
			loss += mu*rng.NormFloat64() + mu*mu/2
			require.NoError(t, o.Step(Gaussian{sigma, 1, AddRemove}))
			reading, err := o.Epsilon(delta)
			require.NoError(t, err)
			if loss > reading.Upper {
				crossed++
				break
			}
		}
	}
	rate := float64(crossed) / paths
	require.LessOrEqual(t, rate, delta+spread*math.Sqrt(delta*(1-delta)/paths))
}
