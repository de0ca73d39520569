package privacy

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// The posteriors and true positive rates of the standard examples, to all the digits in which they are quoted.
func TestWhatEpsilonMeans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ epsilon, half, hundredth float64 }{
		{.1, .524979, .011040}, {1, .731059, .026724}, {3, .952574, .168665}, {8, .999665, .967857},
	} {
		b := Budget{c.epsilon, 1e-9}
		require.InDelta(t, c.half, b.Posterior(.5), 1e-6)
		require.InDelta(t, c.hundredth, b.Posterior(.01), 1e-6)
		require.Equal(t, 0.0, b.Posterior(0))
		require.Equal(t, 1.0, b.Posterior(1))
	}
	b := Budget{1, 1e-5}
	for fpr, tpr := range map[float64]float64{1e-4: 2.81828e-4, 1e-3: 2.72828e-3, .01: .0271928, .1: .271838, .5: .816064} {
		require.InEpsilon(t, tpr, b.TruePositiveRate(fpr), 1e-5)
	}
	require.Equal(t, 1.0, b.TruePositiveRate(1))
	require.InDelta(t, 1e-5, b.TruePositiveRate(0), 1e-12)
}

// The advantage is the largest gap between the rates, and all three only grow with epsilon.
func TestAdvantageIsTheLargestGap(t *testing.T) {
	t.Parallel()
	for _, delta := range []float64{1e-12, 1e-5, .1} {
		last := 0.0
		for e := -12.0; e < 6; e += .37 {
			b := Budget{math.Exp(e), delta}
			gap := 0.0
			for f := 0.0; f <= 1; f += 1e-3 {
				gap = max(gap, b.TruePositiveRate(f)-f)
			}
			// The gap is largest where the two lines meet.
			meet := (1 - delta) / (1 + math.Exp(b.Epsilon))
			gap = max(gap, b.TruePositiveRate(meet)-meet)
			require.InDelta(t, gap, b.Advantage(), 1e-12*(1+gap)+1e-15)
			require.GreaterOrEqual(t, b.Advantage(), last)
			last = b.Advantage()
		}
	}
	for _, b := range []Budget{{}, {1, 0}, {math.NaN(), .1}, {1, math.NaN()}} {
		require.Equal(t, 1.0, b.Advantage(), "nothing is claimed for an invalid budget")
		require.Equal(t, 1.0, b.Posterior(.5))
		require.Equal(t, 1.0, b.TruePositiveRate(.5))
	}
	require.Equal(t, 1.0, Budget{1, 1e-5}.Posterior(math.NaN()))
	require.Equal(t, 1.0, Budget{1e5, 1e-5}.Advantage())
	require.InDelta(t, 1e-5, Budget{1e5, 1e-5}.TruePositiveRate(0), 1e-12)
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	require.Empty(t, Budget{3, 1e-7}.Warnings(60000))
	require.Contains(t, Budget{3, 1e-4}.Warnings(60000)[0], "at least 1/records")
	require.Contains(t, Budget{3, 1e-5}.Warnings(60000)[0], "above 0.1/records")
	require.Contains(t, Budget{12, 1e-9}.Warnings(1000)[0], "no worst-case protection")
	require.Contains(t, Budget{.1, 2e-4}.Warnings(10)[0], "failure probability")
	require.Len(t, Budget{-1, .1}.Warnings(10), 1)
	require.Contains(t, Budget{1, 1e-9}.Warnings(0)[0], "records")
}

func TestSweep(t *testing.T) {
	t.Parallel()
	steps, events := []int{0, 100, 1000}, []Event{sampled(.01, 1), sampled(.01, 2), Gaussian{50, 1, AddRemove}}
	table, err := Sweep(1e-5, steps, events...)
	require.NoError(t, err)
	for i, n := range steps {
		for j, e := range events {
			want, err := boundOf(e, n, 1e-5)
			require.NoError(t, err)
			require.Equal(t, want, table[i][j])
		}
	}
	_, err = Sweep(1e-5, []int{-1}, events...)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = Sweep(0, steps, events...)
	require.ErrorIs(t, err, ErrInvalid)
}
