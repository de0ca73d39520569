package contour

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLineFollowsTheCertificate(t *testing.T) {
	t.Parallel()
	const delta = 1e-5
	expected := Composition{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: 3000}, {Rate: 0.02, Sigma: 1.5, Count: 1000}}, Mu2: 0.02}
	for _, d := range []Direction{Remove, Add} {
		line, err := NewLine(expected, d, delta)
		require.NoError(t, err)
		a, err := line.Curve(0.01, 1)
		require.NoError(t, err)
		b, err := line.Curve(0.02, 1.5)
		require.NoError(t, err)
		require.Len(t, a.at, line.Nodes())
		var sum Curve
		sum.Fold(line.Gaussian(0.02), 1)
		for step := range 8 {
			sum.Fold(a, 500)
			if step%2 == 1 {
				sum.Fold(b, 250)
			}
			got, err := line.Epsilon(sum, delta)
			require.NoError(t, err)
			want, err := Composition{Parts: []Part{
				{Rate: 0.01, Sigma: 1, Count: 500 * int64(step+1)}, {Rate: 0.02, Sigma: 1.5, Count: 250 * int64((step+1)/2)},
			}, Mu2: 0.02}.Epsilon(d, delta)
			require.NoError(t, err)
			if !got.Recentre {
				require.InEpsilon(t, want.Upper, got.Epsilon, 1e-6, "step %d", step)
			}
			if step == 5 {
				require.False(t, got.Recentre) // this is what the line was planned for
			}
		}
		// far from the plan the line says so
		sum.Fold(a, 3_000_000)
		got, err := line.Epsilon(sum, delta)
		if err == nil {
			require.True(t, got.Recentre)
		}
	}
}

func TestLineRefuses(t *testing.T) {
	t.Parallel()
	expected := Composition{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: 3000}}}
	_, err := NewLine(expected, Remove, 0)
	require.Error(t, err)
	_, err = NewLine(Composition{Parts: []Part{{Rate: 2, Sigma: 1, Count: 3000}}}, Remove, 1e-5)
	require.Error(t, err)
	line, err := NewLine(expected, Remove, 1e-5)
	require.NoError(t, err)
	_, err = line.Curve(0.01, -1)
	require.Error(t, err)
	_, err = line.Epsilon(Curve{at: make([]complex128, 3)}, 1e-5)
	require.Error(t, err)
	got, err := line.Epsilon(Curve{}, 1e-5)
	require.NoError(t, err)
	require.Equal(t, Estimate{}, got)
	_, err = line.Epsilon(Curve{}, 1)
	require.Error(t, err)
}

func BenchmarkLine(b *testing.B) {
	line, err := NewLine(Composition{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: 5000}}}, Remove, 1e-5)
	require.NoError(b, err)
	curve, err := line.Curve(0.01, 1)
	require.NoError(b, err)
	b.Run("curve", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = line.Curve(0.01, 1)
		}
	})
	var sum Curve
	sum.Fold(curve, 5000)
	b.Run("fold", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sum.Fold(curve, 0)
		}
	})
	b.Run("query", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = line.Epsilon(sum, 1e-5)
		}
	})
}
