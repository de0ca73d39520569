package privacy

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every pattern, written out.
func TestTreeSensitivity(t *testing.T) {
	t.Parallel()
	brute := func(steps, k, spacing int) (best int) {
		var extend func(pattern []int)
		extend = func(pattern []int) {
			squares := 0
			for size := 1; size <= steps; size *= 2 {
				for from := 0; from+size <= steps; from += size {
					n := 0
					for _, p := range pattern {
						if p >= from && p < from+size {
							n++
						}
					}
					squares += n * n
				}
			}
			best = max(best, squares)
			if len(pattern) == k {
				return
			}
			from := 0
			if len(pattern) > 0 {
				from = pattern[len(pattern)-1] + spacing
			}
			for p := from; p < steps; p++ {
				extend(append(pattern[:len(pattern):len(pattern)], p))
			}
		}
		extend(nil)
		return best
	}
	for steps := 1; steps <= 13; steps++ {
		for k := 1; k <= 4; k++ {
			for spacing := 1; spacing <= 5; spacing++ {
				want := brute(steps, k, spacing)
				got := Tree{steps, k, spacing, noised(1, ReplaceSpecial)}.Sensitivity()
				require.InDelta(t, float64(want), got*got, 1e-9, "%d %d %d", steps, k, spacing)
				require.GreaterOrEqual(t, relaxedTree(steps, min(k, (steps-1)/spacing+1), spacing), want, "%d %d %d", steps, k, spacing)
			}
		}
	}
	large := Tree{1 << 24, 1024, 1, noised(1e3, ReplaceSpecial)}
	require.NoError(t, large.Validate())
	require.Greater(t, large.Sensitivity(), 1024.0, "the search gave up, the bound did not")
}

// No pattern and no signs of a small matrix move its output further than the bound, which is reached where it claims to be exact.
func TestToeplitzSensitivity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		coefficients []float64
		exact        bool
	}{
		{[]float64{1, .5, .25}, true}, {[]float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, true}, {[]float64{1, -.5, .3, .2}, false}, {[]float64{1, 2, 3}, false},
		{[]float64{.5, -1}, false},
	} {
		for n := 1; n <= 9; n++ {
			for k := 1; k <= 3; k++ {
				for b := 1; b <= 4; b++ {
					bound := Run{n, k, b, noised(1, ReplaceSpecial)}.sensitivity(c.coefficients)
					worst := 0.0
					var extend func(y []float64, from, left int)
					extend = func(y []float64, from, left int) {
						sum := 0.0
						for _, v := range y {
							sum += v * v
						}
						worst = max(worst, math.Sqrt(sum))
						if left == 0 {
							return
						}
						for i := from; i < n; i++ {
							for _, sign := range []float64{1, -1} {
								z := append([]float64(nil), y...)
								for j := 0; j < len(c.coefficients) && i+j < n; j++ {
									z[i+j] += sign * c.coefficients[j]
								}
								extend(z, i+b, left-1)
							}
						}
					}
					extend(make([]float64, n), 0, k)
					name := fmt.Sprintf("%v n=%d k=%d b=%d", c.coefficients, n, k, b)
					require.GreaterOrEqual(t, bound, worst*(1-1e-15), name)
					if c.exact || k == 1 || len(c.coefficients) <= b {
						require.InEpsilon(t, worst, bound, 1e-12, name)
					}
				}
			}
		}
	}
}
