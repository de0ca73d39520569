package carbon

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThresholdsBalance checks the thresholds against the conditions they follow from, not against a formula.
func TestThresholdsBalance(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		work             int
		low, high, start float64
	}{{1, 100, 400, 0}, {6, 50, 500, 0}, {24, 30, 60, 0}, {6, 50, 500, 40}, {24, 200, 450, 100}, {168, 10, 900, 5}, {4, 300, 300, 0}} {
		d, err := NewDoubleThreshold(tc.work, tc.low, tc.high, tc.start)
		require.NoError(t, err)
		k, sum := float64(tc.work), 0.0
		for i, u := range append(d.upper, tc.low+tc.start) {
			worst := sum + tc.start + (k-float64(i))*tc.high
			require.InEpsilon(t, d.alpha*(k*(u-tc.start)+tc.start), worst, 1e-9, "%+v, after %d", tc, i)
			sum += u
		}
	}
	// k = 1 without a start cost is the classic reservation price, the geometric mean.
	m, err := NewKMin(1, 100, 400)
	require.NoError(t, err)
	require.InDelta(t, 200, m.thresholds[0], 1e-9)
	for _, tc := range []struct {
		work             int
		low, high, start float64
	}{{0, 1, 2, 0}, {1, 0, 2, 0}, {1, 3, 2, 0}, {1, math.NaN(), 2, 0}, {1, 1, math.Inf(1), 0}, {1, 1, 2, -1}, {1, 1, 2, 1}, {1, 1, 2, math.NaN()}} {
		_, err := NewDoubleThreshold(tc.work, tc.low, tc.high, tc.start)
		require.Error(t, err, "%+v", tc)
	}
}

// TestThresholdsKeepTheirRatio: no sequence inside the bounds costs more than alpha times the optimum.
func TestThresholdsKeepTheirRatio(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 12))
	var p Planner
	closest := 0.0
	for range 4000 {
		work := 1 + rng.IntN(5)
		low, high := 50+50*rng.Float64(), 300+300*rng.Float64()
		start := []float64{0, 0, 30}[rng.IntN(3)]
		d, err := NewDoubleThreshold(work, low, high, start)
		require.NoError(t, err)
		prices := make([]float64, work+rng.IntN(20))
		worst := rng.IntN(work + 1)
		for i := range prices {
			prices[i] = low + (high-low)*rng.Float64()
			if i < len(prices)-work && rng.IntN(2) == 0 { // close to a threshold, then high to the end
				prices[i] = min(high, max(low, d.upper[min(worst, work-1)]+rng.Float64()-.5))
			} else if i >= len(prices)-work && worst > 0 {
				prices[i] = high
			}
		}
		_, best, err := p.Plan(nil, prices, Task{Work: work, Start: start})
		require.NoError(t, err)
		ratio := follow(d, prices, work, start) / best
		require.LessOrEqual(t, ratio, d.Ratio()*(1+1e-9))
		closest = max(closest, ratio/d.Ratio())
		if start == 0 {
			m, err := NewKMin(work, low, high)
			require.NoError(t, err)
			require.LessOrEqual(t, follow(m, prices, work, 0)/best, d.Ratio()*(1+1e-9))
		}
	}
	require.Greater(t, closest, .8, "the sequences are too easy")
}
