package bigfloat

import (
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// libmPoints is the number of random points per function and range: 4,000 (500 with -short), or SUREFOOT_LIBM_POINTS. The figures
// in the comments of TestLibm are those of 200,000 points on amd64 with Go 1.26.
func libmPoints(t *testing.T) int {
	if v := os.Getenv("SUREFOOT_LIBM_POINTS"); v != "" {
		n, err := strconv.Atoi(v)
		require.NoError(t, err)
		return n
	}
	if testing.Short() {
		return 500
	}
	return 4000
}

// uniform and logUniform draw arguments.
func uniform(lo, hi float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return lo + (hi-lo)*r.Float64() }
}

func logUniform(sign, lo, hi float64) func(*rand.Rand) float64 {
	a, b := math.Log2(lo), math.Log2(hi)
	return func(r *rand.Rand) float64 {
		e := math.Floor(a + (b-a)*r.Float64())
		return sign * min(hi, max(lo, math.Ldexp(1+r.Float64(), int(e))))
	}
}

// around draws at a distance from center between 2^-50 and 1/2.
func around(center float64) func(*rand.Rand) float64 {
	d := logUniform(1, 0x1p-50, 0.5)
	return func(r *rand.Rand) float64 { return center + (1-2*float64(r.IntN(2)))*d(r) }
}

// The error margins of the accountant assume that the elementary functions of package math are within 2 units in the last place, and
// Erfc within 5. Worst of 200,000 points each: exp 1.83 (at -639; 0.73 to 1.36 for |x| < 40), expm1 0.80, log 0.80, log1p 0.74, sin 1.49,
// cos 1.52, erfc 4.04 (just below 0.84375, where math.Erfc changes formula) and 2.58 beyond 26.
func TestLibm(t *testing.T) {
	t.Parallel()
	m := New(80)
	sin := func(x float64) float64 { s, _ := math.Sincos(x); return s }
	cos := func(x float64) float64 { _, c := math.Sincos(x); return c }
	n := libmPoints(t)
	for i, tt := range []struct {
		name  string
		got   func(float64) float64
		want  func(*big.Float) *big.Float
		draw  func(*rand.Rand) float64
		limit float64 // ulps
	}{
		{"exp", math.Exp, m.Exp, uniform(-745, 700), 2},
		{"exp small", math.Exp, m.Exp, logUniform(-1, 1e-20, 40), 2},
		{"expm1", math.Expm1, m.Expm1, uniform(-745, 700), 2},
		{"expm1 below 0", math.Expm1, m.Expm1, logUniform(-1, 1e-20, 60), 2},
		{"expm1 above 0", math.Expm1, m.Expm1, logUniform(1, 1e-20, 60), 2},
		{"log", math.Log, m.Log, logUniform(1, 0x1p-1022, math.MaxFloat64), 2},
		{"log near 1", math.Log, m.Log, around(1), 2},
		{"log1p below 0", math.Log1p, m.Log1p, logUniform(-1, 1e-20, 1-0x1p-53), 2},
		{"log1p above 0", math.Log1p, m.Log1p, logUniform(1, 1e-20, 1e300), 2},
		{"sin", sin, m.Sin, uniform(-1e6, 1e6), 2},
		{"sin small", sin, m.Sin, logUniform(1, 1e-12, 30), 2},
		{"cos", cos, m.Cos, uniform(-1e6, 1e6), 2},
		{"cos small", cos, m.Cos, logUniform(1, 1e-12, 30), 2},
		{"erfc", math.Erfc, m.Erfc, uniform(-6, 26), 5},
		{"erfc small", math.Erfc, m.Erfc, logUniform(1, 1e-12, 2), 5},
		{"erfc deep", math.Erfc, m.Erfc, uniform(26, 27), 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// Two halves, so that two cores share the slow ones.
			var wg sync.WaitGroup
			var worst, at [2]float64
			for half := range worst {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(uint64(i), uint64(half)))
					for range n / 2 {
						x := tt.draw(r)
						if u := Ulps(tt.got(x), tt.want(big.NewFloat(x))); u > worst[half] {
							worst[half], at[half] = u, x
						}
					}
				})
			}
			wg.Wait()
			half := 0
			if worst[1] > worst[0] {
				half = 1
			}
			t.Logf("%s: worst %.4f ulp at %v", tt.name, worst[half], at[half])
			require.LessOrEqual(t, worst[half], tt.limit, "at %v", at[half])
		})
	}
}
