package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/validate/sketch"
)

func sample(n int, draw func() float64) *sketch.Quantiles {
	var q sketch.Quantiles
	for range n {
		q.Add(draw())
	}
	return &q
}

// trials returns how many samples to draw, fewer of large ones, and how many alarms they may give: four standard deviations
// above the mean.
func trials(size [2]int, alpha float64) (runs int, allowed float64) {
	runs = min(1000, 1010000/(size[0]+size[1]))
	mean := float64(runs) * alpha
	return runs, mean + 4*math.Sqrt(mean)
}

// Without drift there are no more alarms than allowed, at any sizes: 1000 samples of 10 among them.
func TestFalseAlarms(t *testing.T) {
	t.Parallel()
	const alpha = 0.01
	rng := rand.New(rand.NewPCG(8, 9))
	laws := map[string]func() float64{
		"normal":    func() float64 { return 0.1 * rng.NormFloat64() },
		"lognormal": func() float64 { return math.Exp(2 * rng.NormFloat64()) },
		"dice":      func() float64 { return float64(rng.IntN(6)) },
		"mostly 0":  func() float64 { return max(0, rng.Float64()-0.9) },
	}
	for _, size := range [][2]int{{1000, 10}, {10, 1000}, {30, 30}, {100, 100}, {1000, 200}, {10000, 1000}} {
		runs, allowed := trials(size, alpha)
		for name, draw := range laws {
			alarms := map[string]int{}
			for range runs {
				a, b := sample(size[0], draw), sample(size[1], draw)
				results, err := Numbers(a, b, Options{Alpha: alpha})
				require.NoError(t, err)
				for _, r := range results {
					if r.Drift {
						alarms[r.Statistic]++
						require.LessOrEqual(t, r.P, alpha*1.1)
					}
				}
			}
			for statistic, count := range alarms {
				require.LessOrEqual(t, float64(count), allowed, "%s of %s at %v", statistic, name, size)
			}
			t.Logf("%v %s: %v of %d", size, name, alarms, runs)
		}
	}
}

func TestFalseAlarmsOfCategories(t *testing.T) {
	t.Parallel()
	const alpha = 0.01
	rng := rand.New(rand.NewPCG(10, 11))
	laws := map[string]func() int{
		"coin":      func() int { return rng.IntN(2) },
		"even":      func() int { return rng.IntN(50) },
		"geometric": func() int { return int(math.Log(rng.Float64()) / math.Log(0.7)) },
		"rare":      func() int { return max(0, rng.IntN(200)-198) },
		"one":       func() int { return 0 },
	}
	for _, size := range [][2]int{{1000, 10}, {10, 1000}, {30, 30}, {300, 300}, {10000, 1000}} {
		runs, allowed := trials(size, alpha)
		for name, draw := range laws {
			alarms := map[string]int{}
			for range runs {
				a, b := map[string]int64{}, map[string]int64{}
				for range size[0] {
					a[strconv.Itoa(draw())]++
				}
				for range size[1] {
					b[strconv.Itoa(draw())]++
				}
				results, err := Categories(a, b, Options{Alpha: alpha})
				require.NoError(t, err)
				for _, r := range results {
					if r.Drift {
						alarms[r.Statistic]++
					}
				}
			}
			for statistic, count := range alarms {
				require.LessOrEqual(t, float64(count), allowed, "%s of %s at %v", statistic, name, size)
			}
			t.Logf("%v %s: %v of %d", size, name, alarms, runs)
		}
	}
}

func byName(results []Result) map[string]Result {
	m := map[string]Result{}
	for _, r := range results {
		m[r.Statistic] = r
	}
	return m
}

func TestDriftIsFound(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(12, 13))
	reference := sample(10000, rng.NormFloat64)
	for name, draw := range map[string]func() float64{
		"shift":    func() float64 { return 0.5 + rng.NormFloat64() },
		"scale":    func() float64 { return 2 * rng.NormFloat64() },
		"constant": func() float64 { return 0.3 },
		"units":    func() float64 { return 1000 * rng.NormFloat64() },
	} {
		found := byName(must(Numbers(reference, sample(1000, draw), Options{})))
		for _, statistic := range []string{KS, PSI, JS} {
			r := found[statistic]
			require.True(t, r.Drift, "%s: %v", name, r)
			require.Less(t, r.P, 0.001)
			require.Greater(t, r.Value, 2*r.Expected)
		}
	}
	labels := byName(must(Categories(map[string]int64{"a": 900, "b": 100}, map[string]int64{"a": 60, "b": 40}, Options{})))
	require.True(t, labels[LInf].Drift && labels[PSI].Drift && labels[JS].Drift, "%v", labels)
	require.InDelta(t, 0.3, labels[LInf].Value, 1e-12)
	fresh := byName(must(Categories(map[string]int64{"a": 1000}, map[string]int64{"a": 900, "new": 100}, Options{})))
	require.True(t, fresh[LInf].Drift && fresh[PSI].Drift)
}

func must(results []Result, err error) []Result {
	if err != nil {
		panic(err)
	}
	return results
}

// What is significant and without meaning is no drift for those who say so.
func TestLeast(t *testing.T) {
	t.Parallel()
	a, b := map[string]int64{"x": 500000, "y": 500000}, map[string]int64{"x": 505000, "y": 495000}
	require.True(t, byName(must(Categories(a, b, Options{})))[PSI].Drift)
	require.False(t, byName(must(Categories(a, b, Options{Least: map[string]float64{PSI: 0.1}})))[PSI].Drift)
}

// The statistics by hand, from the data themselves.
func TestValues(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(14, 15))
	xs, ys := make([]float64, 500), make([]float64, 300)
	var a, b sketch.Quantiles
	for i := range xs {
		xs[i] = rng.NormFloat64()
		a.Add(xs[i])
	}
	for i := range ys {
		ys[i] = rng.NormFloat64() + 0.4
		b.Add(ys[i])
	}
	var exact float64
	for _, at := range slices.Concat(xs, ys) {
		share := func(of []float64) (s float64) {
			for _, v := range of {
				if v <= at {
					s += 1 / float64(len(of))
				}
			}
			return s
		}
		exact = max(exact, math.Abs(share(xs)-share(ys)))
	}
	r := byName(must(Numbers(&a, &b, Options{})))
	require.LessOrEqual(t, r[KS].Value, exact+1e-12)
	require.InDelta(t, exact, r[KS].Value, 0.01)
	require.Equal(t, 10, r[PSI].Bins)

	c := byName(must(Categories(map[string]int64{"a": 60, "b": 40}, map[string]int64{"a": 30, "b": 70}, Options{})))
	p, q := 60.5/101, 30.5/101
	require.InDelta(t, (p-q)*math.Log(p/q)+(q-p)*math.Log((1-p)/(1-q)), c[PSI].Value, 1e-12)
	entropy := func(p float64) float64 { return -p*math.Log2(p) - (1-p)*math.Log2(1-p) }
	require.InDelta(t, entropy((p+q)/2)-(entropy(p)+entropy(q))/2, c[JS].Value, 1e-12)
	require.InDelta(t, 0.02*6.635, byName(must(Categories(map[string]int64{"a": 60, "b": 40}, map[string]int64{"a": 30, "b": 70}, Options{Alpha: 0.01})))[PSI].Threshold, 0.002)
}

func TestChi(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ k, alpha, want float64 }{{1, 0.05, 3.841}, {1, 0.001, 10.828}, {9, 0.01, 21.666}, {9, 0.001, 27.877}, {99, 0.01, 134.642}} {
		require.InEpsilon(t, tt.want, chiQuantile(tt.k, tt.alpha), 0.035, "%v", tt)
		require.InEpsilon(t, tt.alpha, chiTail(tt.k, chiQuantile(tt.k, tt.alpha)), 1e-9)
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	var none sketch.Quantiles
	one := sample(1, func() float64 { return 1 })
	results, err := Numbers(&none, one, Options{})
	require.NoError(t, err)
	require.Empty(t, results)
	results, err = Numbers(one, one, Options{})
	require.NoError(t, err)
	require.Len(t, results, 1, "KS alone")
	require.False(t, results[0].Drift)
	for _, o := range []Options{{Alpha: math.NaN()}, {Alpha: 0.6}, {Bins: 1}, {Bins: -3}} {
		_, err = Numbers(one, one, o)
		require.ErrorIs(t, err, ErrOptions)
		_, err = Categories(nil, nil, o)
		require.ErrorIs(t, err, ErrOptions)
	}
	_, err = Categories(map[string]int64{"a": -1}, nil, Options{})
	require.ErrorIs(t, err, ErrOptions)
	results, err = Categories(nil, map[string]int64{"a": 1}, Options{})
	require.NoError(t, err)
	require.Empty(t, results)
}

func ExampleNumbers() {
	var reference, today sketch.Quantiles
	for i := range 10000 {
		reference.Add(float64(i % 100))
	}
	for i := range 500 {
		today.Add(float64(i%100) + 20)
	}
	results, _ := Numbers(&reference, &today, Options{})
	for _, r := range results {
		fmt.Println(r, r.Drift)
	}
	// Output:
	// ks 0.2, threshold 0.08934, p 5.7e-17 (10000 and 500 values, 0 bins) true
	// psi 0.9415, threshold 0.05893, p 1.1e-66 (10000 and 500 values, 10 bins) true
	// js 0.1205, threshold 0.01063, p 4.2e-49 (10000 and 500 values, 10 bins) true
}
