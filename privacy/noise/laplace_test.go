package noise

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy"
)

func laplace(t testing.TB, scale float64) *DiscreteLaplace {
	d, err := Laplace(scale)
	require.NoError(t, err)
	return d
}

// The scale is taken as the fraction it is, without rounding.
func TestLaplaceScaleIsExact(t *testing.T) {
	t.Parallel()
	for _, scale := range []float64{1. / 32, math.Nextafter(1./32, 1), .1, 1. / 3, 1, math.Pi, 1000, 1<<30 - 0x1p-23, 1 << 30} {
		d := laplace(t, scale)
		require.Less(t, d.t, uint64(1)<<53)
		require.GreaterOrEqual(t, d.t, uint64(1)<<52)
		require.Equal(t, scale, math.Ldexp(float64(d.t), -int(d.shift)))
	}
}

func TestLaplacePointProbabilities(t *testing.T) {
	t.Parallel()
	for _, scale := range []float64{1. / 32, .3, 1, 1.7, 4, 12.5} {
		t.Run(fmt.Sprint(scale), func(t *testing.T) {
			t.Parallel()
			d, src := laplace(t, scale), NewNotPrivate(41, math.Float64bits(scale))
			reach := int(40*scale) + 2
			counts, p := make([]int, 2*reach+1), make([]float64, 2*reach+1)
			r := math.Exp(-1 / scale)
			for i := range p {
				p[i] = (1 - r) / (1 + r) * math.Pow(r, math.Abs(float64(i-reach)))
			}
			for range 300_000 {
				counts[int(d.Sample(src))+reach]++
			}
			if scale < .1 {
				// e^-32: all but one in 10^13 draws are zero.
				require.Equal(t, 300_000, counts[reach])
				return
			}
			chiSquare(t, counts, p)
		})
	}
}

// At large scales the draws are those of the continuous distribution but for terms of order 1/scale²: moments within 5 standard
// errors, and the Kolmogorov-Smirnov distance below 2.5/sqrt(n), which chance exceeds once in 130,000.
func TestLooksLaplace(t *testing.T) {
	t.Parallel()
	for _, scale := range []float64{1e5 + 1./3, 1 << 30} {
		t.Run(fmt.Sprint(scale), func(t *testing.T) {
			t.Parallel()
			const n = 200_000
			d, src := laplace(t, scale), NewNotPrivate(42, uint64(scale))
			z := make([]float64, n)
			var m1, m2, absolute float64
			residues, sixteenth := make([]int, 16), make([]float64, 16)
			for i := range z {
				y := d.Sample(src)
				residues[uint64(y)%16]++
				x := float64(y) / scale
				z[i] = x
				m1 += x / n
				m2 += x * x / n
				absolute += math.Abs(x) / n
			}
			root := math.Sqrt(n)
			require.InDelta(t, 0, m1, 5*math.Sqrt2/root)
			require.InDelta(t, 2, m2, 5*math.Sqrt(20)/root) // E x⁴ = 24
			require.InDelta(t, 1, absolute, 5/root)
			slices.Sort(z)
			distance := 0.0
			for i, x := range z {
				p := math.Exp(-math.Abs(x)) / 2
				if x > 0 {
					p = 1 - p
				}
				distance = max(distance, p-float64(i)/n, float64(i+1)/n-p)
			}
			require.Less(t, distance*root, 2.5)
			for i := range sixteenth {
				sixteenth[i] = 1. / 16
			}
			chiSquare(t, residues, sixteenth)
		})
	}
}

func TestExpFraction(t *testing.T) {
	t.Parallel()
	const n = 200_000
	src := NewNotPrivate(43)
	for _, c := range []struct{ u, t uint64 }{{0, 1}, {1, 1}, {1, 3}, {1<<52 + 12345, 1<<53 - 1}} {
		hits, want := 0, math.Exp(-float64(c.u)/float64(c.t))
		for range n {
			if expFraction(c.u, c.t, src) {
				hits++
			}
		}
		require.InDelta(t, want, float64(hits)/n, 5*math.Sqrt(want*(1-want)/n)+1e-12, "%+v", c)
	}
}

func TestLaplaceRelease(t *testing.T) {
	t.Parallel()
	d := laplace(t, 2)
	counts := []int64{5, -7, 0, math.MaxInt64, math.MinInt64}
	want := make([]int64, len(counts))
	src := NewNotPrivate(44)
	for i, n := range counts {
		want[i] = saturate(n, d.Sample(src))
	}
	got := make([]int64, len(counts))
	require.NoError(t, d.Release(got, counts, NewNotPrivate(44)))
	require.Equal(t, want, got)
	require.NoError(t, d.Release(counts, counts, NewNotPrivate(44)), "in place")
	require.Equal(t, want, counts)
	require.Equal(t, int64(math.MaxInt64), saturate(math.MaxInt64, 1))
	require.Equal(t, int64(math.MinInt64), saturate(math.MinInt64, -1))
	require.EqualValues(t, -1, saturate(math.MaxInt64, math.MinInt64))

	require.ErrorIs(t, d.Release(got[:1], counts, src), ErrInvalid)
	require.ErrorIs(t, d.Release(got, counts, nil), ErrInvalid)
	require.ErrorIs(t, new(DiscreteLaplace).Release(got, counts, src), ErrInvalid)
	require.Equal(t, want, got)
	require.Panics(t, func() { new(DiscreteLaplace).Sample(src) })
	for _, scale := range []float64{0, -1, 1. / 33, 1<<30 + 1, math.NaN(), math.Inf(1)} {
		_, err := Laplace(scale)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

// The charged epsilon is sensitivity/scale, and the draws keep to it: neighbouring counts have probabilities within that factor.
func TestLaplaceEvent(t *testing.T) {
	t.Parallel()
	d := laplace(t, 2.5)
	e := d.Event(3)
	require.NoError(t, e.Validate())
	require.Equal(t, privacy.DiscreteLaplace{Scale: d.Scale(), Sensitivity: 3, Relation: privacy.AddRemove}, e)
	require.Error(t, d.Event(0).Validate())
	filter, err := privacy.NewFilter(privacy.Budget{Epsilon: 1.3, Delta: 1e-9}, e)
	require.NoError(t, err)
	require.NoError(t, filter.Spend(e))
	require.Error(t, filter.Spend(e))
}

func TestLaplaceAllocatesNothing(t *testing.T) {
	d, src, counts := laplace(t, 3), NewNotPrivate(45), make([]int64, 10)
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = d.Release(counts, counts, src) }))
}

func BenchmarkLaplace(b *testing.B) {
	for _, scale := range []float64{1, 1000.5, 1 << 30} {
		b.Run(fmt.Sprintf("scale=%v", scale), func(b *testing.B) {
			b.ReportAllocs()
			d, src := laplace(b, scale), new(Crypto)
			for b.Loop() {
				d.Sample(src)
			}
		})
	}
}
