package privacy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The estimate follows a run that changes on the way, and agrees with the proof.
func TestEstimateFollowsTheRun(t *testing.T) {
	t.Parallel()
	var b Best
	none, err := b.Estimate(1e-5)
	require.NoError(t, err)
	require.Zero(t, none.Value)
	for i, e := range []Event{sampled(.01, 1), sampled(.02, 1.3), sampled(.01, 1), Gaussian{60, 1, AddRemove}, sampled(.005, .9)} {
		for range 20 {
			require.NoError(t, b.Add(e, 20+60*i))
			got, err := b.Estimate(1e-5)
			require.NoError(t, err)
			want, err := b.Epsilon(1e-5)
			require.NoError(t, err)
			require.InEpsilon(t, want.Upper, got.Value, 1e-5)
		}
	}
	other, err := b.Estimate(1e-8)
	require.NoError(t, err)
	want, err := b.Epsilon(1e-8)
	require.NoError(t, err)
	require.InEpsilon(t, want.Upper, other.Value, 1e-5)

	var few Best // no line fits: the proof's upper end
	require.NoError(t, few.Add(Laplace{5, 1, AddRemove}, 3))
	got, err := few.Estimate(1e-5)
	require.NoError(t, err)
	in, err := few.Epsilon(1e-5)
	require.NoError(t, err)
	require.Equal(t, Estimate{in.Upper, in.Method}, got)
	_, err = few.Estimate(0)
	require.ErrorIs(t, err, ErrInvalid)
}

func BenchmarkEstimate(b *testing.B) {
	b.ReportAllocs()
	var best Best
	e := sampled(.01, 1)
	if err := best.Add(e, 1000); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := best.Step(e); err != nil {
			b.Fatal(err)
		}
		if _, err := best.Estimate(1e-5); err != nil {
			b.Fatal(err)
		}
	}
}
