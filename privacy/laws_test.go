package privacy

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// laplaceDelta is the privacy profile of Laplace noise.
func laplaceDelta(eps, v float64) float64 { return max(0, -math.Expm1((v-eps)/2)) }

// removed and added are the profile of a Poisson sample of rate q of a mechanism that is its own swap (amplification by subsampling).
func removed(q float64, base func(v float64) float64, v float64) float64 {
	return q * base(math.Log1p(math.Expm1(v)/q))
}

func added(q float64, base func(v float64) float64, v float64) float64 {
	left := 1 - math.Exp(v)*(1-q)
	if left <= 0 {
		return 0
	}
	return left * base(math.Log(q*math.Exp(v)/left))
}

// Each law encloses the profile of its mechanism, which is known in closed form: one execution on the lattice, both directions.
func TestLawsEncloseProfiles(t *testing.T) {
	t.Parallel()
	if slow {
		t.Skip("arithmetic alone: minutes under the race detector")
	}
	// Integer noise by direct sums.
	discrete := func(weight func(x float64) float64, shift float64) func(v float64) float64 {
		return func(v float64) float64 {
			sum, above := 0.0, 0.0
			for x := -200.0; x <= 200; x++ {
				sum += weight(x)
				above += max(0, weight(x)-math.Exp(v)*weight(x-shift))
			}
			return above / sum
		}
	}
	lap := func(v float64) float64 { return laplaceDelta(2, v) }
	geometric := discrete(func(x float64) float64 { return math.Exp(-math.Abs(x) / 2) }, 3)
	gauss := discrete(func(x float64) float64 { return math.Exp(-x * x / 8) }, 2)
	answer := func(hi, lo float64) func(v float64) float64 {
		return func(v float64) float64 { return max(0, hi-math.Exp(v)*lo) }
	}
	for _, c := range []struct {
		e           Event
		remove, add func(v float64) float64 // add nil: the same
	}{
		{Laplace{.5, 1, AddRemove}, lap, nil},
		{Laplace{1, 1, ReplaceOne}, lap, nil},
		{Pure{1, AddRemove}, answer(1/(1+math.Exp(-1)), 1/(1+math.E)), nil},
		{Approximate{1, .01, AddRemove}, func(v float64) float64 { return .01 + .99*answer(1/(1+math.Exp(-1)), 1/(1+math.E))(v) }, nil},
		{RandomizedResponse{4, .5, ReplaceOne}, answer(.625, .125), nil},
		{RandomizedResponse{4, .5, ReplaceSpecial}, answer(.625, .25), answer(.75, .375)},
		{DiscreteLaplace{2, 3, AddRemove}, geometric, nil},
		{DiscreteGaussian{2, 1, ReplaceOne}, gauss, nil},
		{Sampled{.2, Laplace{.5, 1, AddRemove}}, func(v float64) float64 { return removed(.2, lap, v) },
			func(v float64) float64 { return added(.2, lap, v) }},
		{Sampled{.2, DiscreteLaplace{2, 3, AddRemove}}, func(v float64) float64 { return removed(.2, geometric, v) },
			func(v float64) float64 { return added(.2, geometric, v) }},
		{Sampled{.2, DiscreteGaussian{2, 2, AddRemove}}, func(v float64) float64 { return removed(.2, gauss, v) },
			func(v float64) float64 { return added(.2, gauss, v) }},
	} {
		leaves := c.e.lower()
		require.Len(t, leaves, 1)
		m, ok := leaves[0].mechanism.(lawful)
		require.True(t, ok, "%+v", c.e)
		remove, add, err := m.laws()
		require.NoError(t, err, "%+v", c.e)
		require.Equal(t, c.add == nil, add == nil, "%+v", c.e)
		enclosesProfile(t, c.e, remove, c.remove)
		if add != nil {
			enclosesProfile(t, c.e, add, c.add)
		}
	}
}

func enclosesProfile(t *testing.T, e Event, law lattice.Law, profile func(v float64) float64) {
	upper, lower, err := law.Discretize(0x1p-12, 1e-13)
	require.NoError(t, err, "%+v", e)
	for v := 0.0; v < 3; v += .0937 {
		exact := profile(v)
		require.GreaterOrEqual(t, massDelta(upper, v), exact*(1-1e-12)-1e-15, "%+v at %v", e, v)
		require.LessOrEqual(t, massDelta(lower, v), exact*(1+1e-12)+1e-15, "%+v at %v", e, v)
		require.InDelta(t, exact, massDelta(upper, v), 1e-3, "%+v at %v", e, v)
		require.InDelta(t, exact, massDelta(lower, v), 1e-3, "%+v at %v", e, v)
	}
}

func massDelta(p lattice.PMF, v float64) float64 {
	sum := p.Inf
	for k, m := range p.Mass {
		sum -= m * min(0, math.Expm1(v-(p.Offset+float64(p.First+k)*p.Step)))
	}
	return sum
}

// Choices: of the exponential mechanism the law is above the one with two candidates that swap and below that of all pure mechanisms; of
// permute-and-flip nothing is known from below.
func TestLawsOfChoices(t *testing.T) {
	t.Parallel()
	law, add, err := boundedRange{1}.laws()
	require.NoError(t, err)
	require.Nil(t, add)
	upper, lower, err := law.Discretize(0x1p-12, 1e-13)
	require.NoError(t, err)
	flip, add, err := permuteAndFlip{pureLoss{1}}.laws()
	require.NoError(t, err)
	require.Nil(t, add)
	worst, none, err := flip.Discretize(0x1p-12, 1e-13)
	require.NoError(t, err)
	for v := 0.0; v < 1; v += .0937 {
		two := max(0, 1/(1+math.Exp(-.5))-math.Exp(v)/(1+math.Exp(.5)))
		pure := 1/(1+math.Exp(-1)) - math.Exp(v)/(1+math.E)
		require.GreaterOrEqual(t, massDelta(upper, v), two)
		require.LessOrEqual(t, massDelta(upper, v), pure)
		require.LessOrEqual(t, massDelta(lower, v), two*(1+1e-12)+1e-15)
		require.GreaterOrEqual(t, massDelta(worst, v), pure)
		require.Zero(t, massDelta(none, v))
	}
}

func TestNoLaws(t *testing.T) {
	t.Parallel()
	for _, e := range []Event{
		ZeroConcentrated{.1, 0, AddRemove}, Sampled{1e-80, Laplace{1, 1, AddRemove}},
		Pure{1e4, AddRemove}, DiscreteLaplace{1e9, 1 << 30, ReplaceOne}, DiscreteGaussian{1e9, 1 << 30, ReplaceOne},
		Sampled{.1, DiscreteLaplace{1e9, 1 << 30, AddRemove}},
	} {
		var laws PLD
		require.NoError(t, laws.Step(e))
		_, err := laws.Epsilon(1e-5)
		require.ErrorIs(t, err, ErrNoBound, "%+v", e)
	}
}
