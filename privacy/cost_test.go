package privacy

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMeasuresAreThoseOfTheFilters: what a Filter charges and where it stops, seen through Measure.
func TestMeasuresAreThoseOfTheFilters(t *testing.T) {
	t.Parallel()
	budget := Budget{Epsilon: 2, Delta: 1e-6}
	plain := Gaussian{StdDev: 20, Clip: 1, Relation: AddRemove}
	sampled := Poisson{Rate: 0.01, Gaussian: Gaussian{StdDev: 1, Clip: 1, Relation: AddRemove}}
	renyi, err := NewFilter(budget, sampled)
	require.NoError(t, err)
	rho, err := NewConcentratedFilter(budget, AddRemove)
	require.NoError(t, err)
	mu, err := NewGaussianFilter(budget, AddRemove)
	require.NoError(t, err)
	order, err := RenyiMeasure(renyi.Order())
	require.NoError(t, err)
	for _, tt := range []struct {
		filter  *Filter
		measure Measure
		event   Event
	}{{renyi, order, sampled}, {rho, ConcentratedMeasure(), plain}, {mu, GaussianMeasure(), plain}} {
		want, err := tt.filter.Remaining(tt.event)
		require.NoError(t, err)
		cost, err := tt.measure.Cost(tt.event)
		require.NoError(t, err)
		limit, err := tt.measure.Limit(budget)
		require.NoError(t, err)
		require.InDelta(t, float64(want), math.Floor(limit/cost), 1, "%v", tt.measure)
		require.LessOrEqual(t, tt.measure.Epsilon(limit, budget.Delta), budget.Epsilon*(1+1e-12), "%v", tt.measure)
		require.Greater(t, tt.measure.Epsilon(limit*1.001, budget.Delta), budget.Epsilon, "%v", tt.measure)
		require.Zero(t, tt.measure.Epsilon(0, 1e-6))
		thrice, err := tt.measure.Cost(Repeated{tt.event, 3})
		require.NoError(t, err)
		require.InEpsilon(t, 3*cost, thrice, 1e-14)
	}
	require.Equal(t, "rho", ConcentratedMeasure().String())
	require.Equal(t, "mu²", GaussianMeasure().String())
	half, err := RenyiMeasure(2.5)
	require.NoError(t, err)
	require.Equal(t, "rdp order 2.5", half.String())
}

func TestMeasureRefusals(t *testing.T) {
	t.Parallel()
	for _, order := range []float64{1, 0, -2, math.NaN(), math.Inf(1), 0x1p41} {
		_, err := RenyiMeasure(order)
		require.ErrorIs(t, err, ErrInvalid, "%v", order)
	}
	sampled := Poisson{Rate: 0.01, Gaussian: Gaussian{StdDev: 1, Clip: 1, Relation: AddRemove}}
	renyi, err := RenyiMeasure(8)
	require.NoError(t, err)
	for _, tt := range []struct {
		measure Measure
		event   Event
	}{
		{Measure{}, sampled},
		{ConcentratedMeasure(), sampled},
		{GaussianMeasure(), sampled},
		{GaussianMeasure(), Pure{1, AddRemove}},
		{renyi, Approximate{1, 1e-9, AddRemove}},
		{renyi, nil},
		{renyi, &sampled},
		{renyi, Pure{math.NaN(), AddRemove}},
	} {
		_, err := tt.measure.Cost(tt.event)
		require.ErrorIs(t, err, ErrInvalid, "%v %v", tt.measure, tt.event)
	}
	_, err = Measure{}.Limit(Budget{1, 1e-6})
	require.ErrorIs(t, err, ErrInvalid)
	low, err := RenyiMeasure(1.5)
	require.NoError(t, err)
	_, err = low.Limit(Budget{0.1, 1e-9})
	require.ErrorIs(t, err, ErrInvalid, "this order converts to nothing")
	require.Equal(t, math.Inf(1), Measure{}.Epsilon(0, 0.5))
	require.Equal(t, math.Inf(1), renyi.Epsilon(math.NaN(), 0.5))
	require.Equal(t, math.Inf(1), renyi.Epsilon(1, 0))
	require.Equal(t, math.Inf(1), GaussianMeasure().Epsilon(math.Inf(1), 0.5))
}

func TestRenyiCostIsTheDivergence(t *testing.T) {
	t.Parallel()
	e := Poisson{Rate: 0.01, Gaussian: Gaussian{StdDev: 1, Clip: 1, Relation: AddRemove}}
	for _, order := range []float64{1.1, 2, 8.5, 64} {
		m, err := RenyiMeasure(order)
		require.NoError(t, err)
		got, err := m.Cost(e)
		require.NoError(t, err)
		want, err := Renyi(e, order)
		require.NoError(t, err)
		require.InEpsilon(t, want, got, 1e-14)
		require.GreaterOrEqual(t, got, want)
	}
}

func TestBasic(t *testing.T) {
	t.Parallel()
	both, err := Compose(Pure{0.25, AddRemove}, Approximate{0.5, 1e-9, AddRemove})
	require.NoError(t, err)
	ln3 := math.Log(3)
	for _, tt := range []struct {
		event      Event
		eps, delta float64
	}{
		{Pure{0.1, AddRemove}, 0.1, 0},
		{PermuteAndFlip{0.5, AddRemove}, 0.5, 0},
		{Approximate{0.5, 1e-9, AddRemove}, 0.5, 1e-9},
		{Approximate{0, 0, AddRemove}, 0, 0},
		{Laplace{Scale: 2, Clip: 1, Relation: AddRemove}, 0.5, 0},
		{RandomizedResponse{Categories: 2, Uniform: 0.5, Relation: ReplaceOne}, ln3, 0},
		{Repeated{Pure{0.1, AddRemove}, 10}, 1, 0},
		{Repeated{Approximate{0.5, 1e-9, AddRemove}, 4}, 2, 4e-9},
		{both, 0.75, 1e-9},
		{Sampled{0.1, Laplace{Scale: 1, Clip: 1, Relation: AddRemove}}, math.Log1p(0.1 * math.Expm1(1)), 0},
		{Poisson{Rate: 0, Gaussian: Gaussian{StdDev: 1, Clip: 1, Relation: AddRemove}}, 0, 0},
	} {
		eps, delta, err := Basic(tt.event)
		require.NoError(t, err, "%v", tt.event)
		require.InDelta(t, tt.eps, eps, 1e-12, "%v", tt.event)
		require.GreaterOrEqual(t, eps, tt.eps*(1-1e-15), "%v", tt.event)
		require.InDelta(t, tt.delta, delta, 1e-22, "%v", tt.event)
		require.GreaterOrEqual(t, delta, tt.delta)
	}
	for _, e := range []Event{nil, Gaussian{StdDev: 1, Clip: 1, Relation: AddRemove}, Pure{-1, AddRemove}} {
		_, _, err := Basic(e)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

func TestRelationOf(t *testing.T) {
	t.Parallel()
	r, err := RelationOf(Repeated{Pure{1, ReplaceOne}, 2})
	require.NoError(t, err)
	require.Equal(t, ReplaceOne, r)
	_, err = RelationOf(Pure{1, 0})
	require.ErrorIs(t, err, ErrInvalid)
}
