package noise

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func adapting(t testing.TB, dim int, clip float64, q Quantile) *Accumulator {
	a, err := NewAdaptive(dim, clip, q)
	require.NoError(t, err)
	return a
}

// One record moves the gradient and the count together by at most what is charged, in integers.
func TestCountIsInTheSensitivity(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(31, 0))
	for _, share := range []float64{1. / 64, .1, 1. / 3, 1} {
		for _, clip := range []float64{1e-90, .3, 1e90} {
			for _, dim := range []int{1, 5, 300} {
				a := adapting(t, dim, clip, Quantile{Share: share, Batch: 10})
				require.Equal(t, dim, a.Dim())
				limit := new(big.Int).Lsh(big.NewInt(1), uint(2*a.gridBits))
				worst := new(big.Int).SetUint64(a.parts[0].square)
				worst.Add(worst, big.NewInt(a.adaptive.weight*a.adaptive.weight))
				require.LessOrEqual(t, worst.Cmp(limit), 0)
				ratio, _ := new(big.Float).Quo(new(big.Float).SetInt(worst), new(big.Float).SetInt(limit)).Float64()
				require.Greater(t, ratio, 1-1e-5, "charged for nothing")
				require.InEpsilon(t, math.Sqrt(1+share*share), a.Sensitivity()/a.Clip(), 1e-5)
				require.Equal(t, a.Sensitivity(), a.Event(2).Clip)
				require.LessOrEqual(t, a.Event(1.7).Multiplier(), 1.7)
				for _, length := range []float64{.01, .99, 1.01, 1e10} {
					g := make([]float64, dim)
					s := 0.0
					for i := range g {
						g[i] = rng.NormFloat64()
						s += g[i] * g[i]
					}
					for i := range g {
						g[i] *= length * clip / math.Sqrt(s)
					}
					require.NoError(t, a.Add(g))
					require.Zero(t, a.Dropped())
					require.LessOrEqual(t, squared(a.sum).Cmp(limit), 0)
					want := a.adaptive.weight
					if length > 1 {
						want = -want
					}
					require.Equal(t, want, a.sum[dim])
					a.Reset()
					require.Zero(t, a.sum[dim])
				}
				// A record that is dropped is not counted either.
				require.NoError(t, a.Add(append(make([]float64, dim-1), math.NaN())))
				require.Equal(t, make([]int64, dim+1), a.sum)
				require.Equal(t, 1, a.Dropped())
			}
		}
	}
}

// The noise of the gradient and of the count is the multiplier times the joint sensitivity.
func TestNoiseOfTheCount(t *testing.T) {
	t.Parallel()
	const n, multiplier, batch, share = 20_000, 1.5, 1000., .5
	a := adapting(t, 1, 1, Quantile{Share: share, Batch: batch, Rate: 1})
	src, dst := NewNotPrivate(32), make([]float64, 1)
	var gradient, count float64
	for range n {
		require.NoError(t, a.SetClip(1))
		require.NoError(t, a.Release(dst, multiplier, src))
		gradient += dst[0] * dst[0] / n
		x := -math.Log(a.Clip()) * batch // an empty batch: half plus noise/batch are unclipped
		count += x * x / n
	}
	scale := multiplier * math.Sqrt(1+share*share)
	within := 5 * math.Sqrt(2./n)
	require.InEpsilon(t, scale*scale, gradient, within)
	require.InEpsilon(t, scale/(2*share)*scale/(2*share), count, within, "as Quantile.Share documents")
}

func TestClipFollowsTheQuantile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ target, start float64 }{{.5, 100}, {.5, .01}, {.9, 1}} {
		const batch = 400
		a := adapting(t, 2, c.start, Quantile{Target: c.target, Batch: batch})
		src, dst, rng := NewNotPrivate(33), make([]float64, 2), rand.New(rand.NewPCG(34, 0))
		mean := 0.0
		for step := range 400 {
			for range batch { // norms are uniform on [0, 10]: the quantile is 10 times the target
				require.NoError(t, a.Add([]float64{0, 10 * rng.Float64()}))
			}
			require.NoError(t, a.Release(dst, 1, src))
			if step >= 200 {
				mean += a.Clip() / 200
			}
		}
		require.InDelta(t, 10*c.target, mean, .3)
	}
	// It stays within its bounds.
	a := adapting(t, 1, 1, Quantile{Batch: 1, Lowest: .5, Highest: 1.1, Rate: 10})
	src, seen := NewNotPrivate(35), map[float64]bool{}
	for range 50 {
		require.NoError(t, a.Release(make([]float64, 1), 1, src))
		require.True(t, a.Clip() >= .5 && a.Clip() <= 1.1)
		seen[a.Clip()] = true
	}
	require.True(t, seen[.5] && seen[1.1])
}

// Workers give the same bits as one accumulator, count included, and must follow the clip norm.
func TestAdaptiveMerge(t *testing.T) {
	t.Parallel()
	q := Quantile{Batch: 20}
	one, main, worker := adapting(t, 3, 1, q), adapting(t, 3, 1, q), adapting(t, 3, 1, q)
	for step := range 5 {
		for i, g := range vectors(uint64(step), 20, 3) {
			require.NoError(t, one.Add(g))
			require.NoError(t, []*Accumulator{main, worker}[i%2].Add(g))
		}
		require.NoError(t, main.Merge(worker))
		require.Equal(t, one, main)
		a, b := make([]float64, 3), make([]float64, 3)
		require.NoError(t, one.Release(a, 1, NewNotPrivate(uint64(step))))
		require.NoError(t, main.Release(b, 1, NewNotPrivate(uint64(step))))
		require.Equal(t, a, b)
		require.Equal(t, one.Clip(), main.Clip())
		require.ErrorIs(t, main.Merge(worker), ErrInvalid, "the worker has the old clip norm")
		require.NoError(t, worker.SetClip(main.Clip()))
	}
	require.ErrorIs(t, main.Merge(accumulator(t, 3, main.Clip())), ErrInvalid)
	require.ErrorIs(t, main.Merge(accumulator(t, 4, main.Clip())), ErrInvalid)
	require.ErrorIs(t, main.Merge(adapting(t, 3, main.Clip(), Quantile{Batch: 21})), ErrInvalid)
}

func TestAdaptiveRefuses(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, q := range []Quantile{
		{}, {Batch: .5}, {Batch: nan}, {Batch: math.Inf(1)}, {Batch: 1, Target: 1}, {Batch: 1, Target: -.1}, {Batch: 1, Target: nan}, {Batch: 1, Rate: -1},
		{Batch: 1, Rate: 11}, {Batch: 1, Share: 1. / 65}, {Batch: 1, Share: 1.1}, {Batch: 1, Share: nan}, {Batch: 1, Lowest: 2}, {Batch: 1, Highest: .5},
		{Batch: 1, Lowest: 1e-91}, {Batch: 1, Highest: 1e91}, {Batch: 1, Lowest: nan},
	} {
		_, err := NewAdaptive(1, 1, q)
		require.ErrorIs(t, err, ErrInvalid, "%+v", q)
	}
	_, err := NewAdaptive(0, 1, Quantile{Batch: 1})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = NewAdaptive(1, nan, Quantile{Batch: 1})
	require.ErrorIs(t, err, ErrInvalid)
	a := adapting(t, 2, 1, Quantile{Batch: 1})
	require.ErrorIs(t, a.AddSparse([]int{2}, []float64{1}), ErrInvalid, "the count is not a coordinate")
	require.ErrorIs(t, a.Add(make([]float64, 3)), ErrInvalid)
	require.ErrorIs(t, a.Release(make([]float64, 3), 1, NewNotPrivate()), ErrInvalid)
}
