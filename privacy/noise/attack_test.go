package noise

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// zigguratScales rebuilds the strip widths of the normal sampler of math/rand (Marsaglia, Tsang 2000, "The ziggurat method"): its
// samples are an int32 times one of these 128 numbers.
func zigguratScales() (w [128]float64) {
	const r, v, m = 3.442619855899, 9.91256303526217e-3, 1 << 31
	density := func(x float64) float64 { return math.Exp(-x * x / 2) }
	w[0] = float64(float32(v / density(r) / m))
	x := r
	for i := 127; i > 0; i-- {
		w[i] = float64(float32(x / m))
		x = math.Sqrt(-2 * math.Log(v/x+density(x)))
	}
	return w
}

// explains reports whether some sample z of that sampler gives f + sigma·z = y.
func explains(w *[128]float64, y, f, sigma float64) bool {
	for _, scale := range w {
		j := math.RoundToEven((y - f) / sigma / scale)
		if math.Abs(j) <= 1<<31 && f+sigma*(j*scale) == y {
			return true
		}
	}
	return false
}

// guess decides from one released number whether the sum was zero or one.
func guess(w *[128]float64, y, zero, one, sigma float64) (bit int, decided bool) {
	a, b := explains(w, y, zero, sigma), explains(w, y, one, sigma)
	if a == b {
		return 0, false
	}
	if b {
		return 1, true
	}
	return 0, true
}

// One number released as float64(sum) + Gaussian float64 tells which sum it was, although the accounted epsilon is moderate. On
// what Release gives, the same test, and a test of the released bits themselves, know nothing.
func TestFloatingPointAttack(t *testing.T) {
	t.Parallel()
	w := zigguratScales()
	const trials = 20_000
	rng := rand.New(rand.NewPCG(13, 0))

	right, wrong := 0, 0
	for range trials {
		bit := rng.IntN(2)
		y := float64(bit) + rng.NormFloat64()
		if got, ok := guess(&w, y, 0, 1, 1); ok && got == bit {
			right++
		} else if ok {
			wrong++
		}
	}
	require.Greater(t, right, trials*9/10, "the attack must work where it should, or it proves nothing")
	require.Less(t, wrong, trials/1000)

	a, src := accumulator(t, 1, 1), NewNotPrivate(14)
	require.NoError(t, a.Add([]float64{1}))
	grid := math.Ldexp(1, -a.gridBits)
	one := float64(a.sum[0]) * grid
	a.Reset()
	right, wrong = 0, 0
	parity := [2][2]int{}
	for range trials {
		bit := rng.IntN(2)
		require.NoError(t, a.Add([]float64{float64(bit)}))
		var y [1]float64
		require.NoError(t, a.Release(y[:], 1, src))
		require.Equal(t, math.Trunc(y[0]/grid), y[0]/grid, "a released number lies on the grid, whatever the sum")
		parity[bit][int64(y[0]/grid)&1]++
		if got, ok := guess(&w, y[0], 0, one, 1); ok && got == bit {
			right++
		} else if ok {
			wrong++
		}
	}
	// Right and wrong are equally likely: their difference stays within 5 standard deviations.
	require.LessOrEqual(t, math.Abs(float64(right-wrong)), 5*math.Sqrt(float64(right+wrong)+1))
	require.Less(t, right, trials/100)
	for bit, c := range parity {
		n := float64(c[0] + c[1])
		require.InDelta(t, n/2, c[0], 5*math.Sqrt(n)/2, "the lowest bit tells the sum %d", bit)
	}
}
