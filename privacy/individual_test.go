package privacy

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The model is one Filter per record that spends a Gaussian with the record's own norm, rounded up to a level.
func TestIndividualIsOneFilterPerRecord(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, plan := range []Event{sampled(.05, 1.1), Gaussian{30, 2, AddRemove}} {
		b := Budget{2, 1e-5}
		const records = 5
		v, err := NewIndividual(b, plan, records)
		require.NoError(t, err)
		clip := v.scale.clip
		models := make([]*Filter, records)
		for i := range models {
			models[i] = &Filter{budget: b, measure: v.measure}
			models[i].history.relation = AddRemove
		}
		out := make([]bool, records)
		for range 3000 {
			i := rng.IntN(records)
			norm := clip * math.Pow(rng.Float64(), float64(i+1)) // later records contribute less
			level := math.Ceil(norm / clip * normLevels * (1 + 4*ulp))
			part := Gaussian{30, up(clip*level/normLevels, 2), AddRemove}
			var e Event = part
			if p, ok := plan.(Poisson); ok {
				part.StdDev = p.Gaussian.StdDev
				e = Poisson{p.Rate, part}
			}
			if level == 0 {
				continue
			}
			want := !out[i] && models[i].Spend(e) == nil
			got, err := v.Admit(i, norm)
			require.NoError(t, err)
			require.Equal(t, want, got)
			out[i] = !got
			spent, err := v.Spent(i)
			require.NoError(t, err)
			require.LessOrEqual(t, spent.Upper, b.Epsilon)
			if got {
				require.InDelta(t, models[i].Spent().Upper, spent.Upper, 1e-12)
			}
		}
		require.True(t, out[0], "a record with large norms is left out")
	}
}

func TestIndividualRefuses(t *testing.T) {
	t.Parallel()
	b := Budget{2, 1e-5}
	_, err := NewIndividual(b, sampled(.01, 1), 0)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = NewIndividual(b, Gaussian{3, 1, ReplaceOne}, 3)
	require.ErrorIs(t, err, ErrInvalid)
	v, err := NewIndividual(b, sampled(.01, 1), 3)
	require.NoError(t, err)
	for _, norm := range []float64{-1, 1.0000001, math.NaN(), math.Inf(1)} {
		_, err := v.Admit(0, norm)
		require.ErrorIs(t, err, ErrInvalid)
	}
	for _, record := range []int{-1, 3} {
		_, err := v.Admit(record, 1)
		require.ErrorIs(t, err, ErrInvalid)
		_, err = v.Spent(record)
		require.ErrorIs(t, err, ErrInvalid)
	}
	ok, err := v.Admit(1, 0)
	require.NoError(t, err)
	require.True(t, ok)
	require.Zero(t, v.spent[1], "what contributes nothing costs nothing")
}

func TestIndividualResumes(t *testing.T) {
	t.Parallel()
	b := Budget{2, 1e-5}
	v, err := NewIndividual(b, sampled(.01, 1), 4)
	require.NoError(t, err)
	for i := range 4 {
		_, err := v.Admit(i, float64(i)/4)
		require.NoError(t, err)
	}
	state, err := v.State()
	require.NoError(t, err)
	w, err := NewIndividual(b, sampled(.01, 1), 4)
	require.NoError(t, err)
	_, err = w.Admit(0, 1)
	require.NoError(t, err)
	more := w.spent[0]
	require.NoError(t, w.Restore(state))
	require.Equal(t, v.spent[1:], w.spent[1:])
	require.Equal(t, more, w.spent[0], "a restore lowers nothing")
	for i := range state {
		damaged := append([]byte(nil), state...)
		damaged[i] ^= 1
		require.ErrorIs(t, w.Restore(damaged), ErrInvalid)
	}
	require.ErrorIs(t, w.Restore(state[:20]), ErrInvalid)
	other, err := NewIndividual(Budget{3, 1e-5}, sampled(.01, 1), 4)
	require.NoError(t, err)
	require.ErrorIs(t, other.Restore(state), ErrInvalid)
}
