package privacy

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// allEvents has at least one valid event of every type.
func allEvents(t testing.TB) []Event {
	both, err := Compose(Laplace{2, 1, AddRemove}, Repeated{sampled(.01, 1), 7}, Pure{.1, AddRemove})
	require.NoError(t, err)
	return append(samplings(t), []Event{
		Gaussian{1.1, 1, AddRemove}, sampled(.01, 1),
		Laplace{2, 1, AddRemove}, Laplace{2, 1, ReplaceOne}, Laplace{1e-3, .3, ReplaceSpecial},
		DiscreteLaplace{3, 2, AddRemove}, DiscreteLaplace{3, 2, ReplaceOne},
		DiscreteGaussian{2, 1, AddRemove}, DiscreteGaussian{.4, 1, ReplaceOne},
		RandomizedResponse{4, .5, ReplaceOne}, RandomizedResponse{4, .5, ReplaceSpecial}, RandomizedResponse{2, 1, ReplaceOne},
		Exponential{.5, ReplaceOne}, PermuteAndFlip{.5, AddRemove}, Pure{.5, ReplaceSpecial},
		Approximate{.5, 1e-9, AddRemove}, Approximate{0, 1e-9, AddRemove}, Approximate{.5, 0, ReplaceOne}, Approximate{Relation: AddRemove},
		ZeroConcentrated{.1, 0, AddRemove}, ZeroConcentrated{.1, .2, ReplaceOne}, ZeroConcentrated{Relation: AddRemove},
		Sampled{.01, Laplace{2, 1, AddRemove}}, Sampled{.1, DiscreteLaplace{3, 2, AddRemove}}, Sampled{.1, DiscreteGaussian{2, 1, AddRemove}},
		Sampled{0, Laplace{2, 1, AddRemove}}, Sampled{1, Laplace{2, 1, AddRemove}},
		Repeated{Gaussian{1.1, 1, AddRemove}, 5}, Repeated{Repeated{Exponential{1, ReplaceOne}, 3}, 4}, both, Repeated{both, 3},
	}...)
}

func TestEventsSurviveJSON(t *testing.T) {
	t.Parallel()
	kinds := make(map[string]reflect.Type)
	for _, e := range allEvents(t) {
		data, err := MarshalEvent(e)
		require.NoError(t, err, "%+v", e)
		back, err := UnmarshalEvent(data)
		require.NoError(t, err, "%s", data)
		require.Equal(t, e, back)
		require.True(t, e == back, "%s", data)
		again, err := MarshalEvent(back)
		require.NoError(t, err)
		require.Equal(t, string(data), string(again))

		if known, ok := kinds[e.kind()]; ok {
			require.Equal(t, known, reflect.TypeOf(e))
		}
		kinds[e.kind()] = reflect.TypeOf(e)

		// As a value behind a pointer it is refused, and so is JSON with one more or one less field.
		pointer := reflect.New(reflect.TypeOf(e))
		pointer.Elem().Set(reflect.ValueOf(e))
		_, err = MarshalEvent(pointer.Interface().(Event))
		require.ErrorIs(t, err, ErrInvalid)
		var parts map[string]any
		require.NoError(t, json.Unmarshal(data, &parts))
		params := parts["params"].(map[string]any)
		params["more"] = 1
		_, err = UnmarshalEvent(encode(t, parts))
		require.ErrorIs(t, err, ErrInvalid, "%s", data)
		delete(params, "more")
		for field, value := range params {
			if field == "xi" { // optional
				continue
			}
			delete(params, field)
			_, err = UnmarshalEvent(encode(t, parts))
			require.ErrorIs(t, err, ErrInvalid, "%s without %s", data, field)
			params[field] = value
		}
	}
}

func encode(t *testing.T, v any) []byte {
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}

// A count is never lost: n executions at once are n executions one by one, and n times the divergence of one, for every event.
func TestEventCounts(t *testing.T) {
	t.Parallel()
	if slow {
		t.Skip("arithmetic alone: minutes under the race detector")
	}
	const n = 10
	for _, e := range allEvents(t) {
		var bulk, single RDP
		require.NoError(t, bulk.Add(e, n))
		for range n {
			require.NoError(t, single.Step(e))
		}
		free := len(e.lower()) == 0
		for _, order := range []float64{1.3, 2, 7.7, 40} {
			one, err := Renyi(e, order)
			require.NoError(t, err)
			require.Equal(t, free || e.lower()[0].logMoment(order) == 0 && len(e.lower()) == 1, one == 0, "%+v", e)
			all, err := bulk.Renyi(order)
			require.NoError(t, err)
			require.InEpsilon(t, n*one+1, all+1, 1e-12, "%+v", e)
			same, err := single.Renyi(order)
			require.NoError(t, err)
			require.Equal(t, all, same, "%+v", e)
			repeated, err := Renyi(Repeated{e, n}, order)
			if nesting(e) < maxDepth {
				require.NoError(t, err)
				require.InEpsilon(t, all+1, repeated+1, 1e-12, "%+v", e)
			}
		}
		a, b := epsilon(t, &bulk, 1e-5), epsilon(t, &single, 1e-5)
		require.Equal(t, a, b, "%+v", e)
		var once RDP
		require.NoError(t, once.Step(e))
		if one := epsilon(t, &once, 1e-5); one > 0 {
			require.Greater(t, a, one, "%+v", e)
		}
	}
	// The two that an accountant in use gets wrong.
	var answers, choices RDP
	require.NoError(t, answers.Add(RandomizedResponse{4, .5, ReplaceOne}, 10))
	require.Greater(t, epsilon(t, &answers, 1e-5), 16.0932790)
	require.NoError(t, choices.Add(Exponential{.5, ReplaceOne}, 10))
	require.Greater(t, epsilon(t, &choices, 1e-5), 3.0)
}

func TestEventsAreValidated(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	lap := Laplace{1, 1, AddRemove}
	deep := Event(lap)
	for range maxDepth {
		deep = Repeated{deep, 1}
	}
	require.NoError(t, deep.Validate())
	for field, events := range map[string][]Event{
		"Laplace.Scale":                         {Laplace{0, 1, AddRemove}, Laplace{nan, 1, AddRemove}, Laplace{inf, 1, AddRemove}, Laplace{-1, 1, AddRemove}},
		"Laplace.Clip":                          {Laplace{1, 0, AddRemove}, Laplace{1, nan, AddRemove}, Laplace{1, inf, AddRemove}},
		"Laplace.Relation":                      {Laplace{1, 1, 0}, Laplace{1, 1, 9}},
		"Laplace's sensitivity/Scale":           {Laplace{1e-7, 1, AddRemove}, Laplace{1e13, 1, AddRemove}},
		"DiscreteLaplace.Scale":                 {DiscreteLaplace{nan, 1, AddRemove}, DiscreteLaplace{0, 1, AddRemove}},
		"DiscreteLaplace.Sensitivity":           {DiscreteLaplace{1, 0, AddRemove}, DiscreteLaplace{1, -1, AddRemove}, DiscreteLaplace{1, 1<<30 + 1, AddRemove}},
		"DiscreteLaplace.Relation":              {DiscreteLaplace{1, 1, 0}},
		"DiscreteLaplace's Sensitivity/Scale":   {DiscreteLaplace{1e-7, 1, AddRemove}, DiscreteLaplace{1e14, 1, AddRemove}},
		"DiscreteGaussian.StdDev":               {DiscreteGaussian{nan, 1, AddRemove}, DiscreteGaussian{-1, 1, AddRemove}},
		"DiscreteGaussian.Sensitivity":          {DiscreteGaussian{1, 0, AddRemove}},
		"DiscreteGaussian.Relation":             {DiscreteGaussian{1, 1, 0}},
		"DiscreteGaussian's StdDev/Sensitivity": {DiscreteGaussian{1e-7, 1, AddRemove}, DiscreteGaussian{1e13, 1, AddRemove}},
		"RandomizedResponse.Categories":         {RandomizedResponse{1, .5, ReplaceOne}, RandomizedResponse{1<<30 + 1, .5, ReplaceOne}},
		"RandomizedResponse.Uniform":            {RandomizedResponse{2, 0, ReplaceOne}, RandomizedResponse{2, nan, ReplaceOne}, RandomizedResponse{2, 1.1, ReplaceOne}},
		"RandomizedResponse.Relation":           {RandomizedResponse{2, .5, AddRemove}, RandomizedResponse{2, .5, 0}},
		"Exponential.Epsilon":                   {Exponential{0, AddRemove}, Exponential{nan, AddRemove}, Exponential{inf, AddRemove}},
		"Exponential.Relation":                  {Exponential{1, 0}},
		"PermuteAndFlip.Epsilon":                {PermuteAndFlip{-1, AddRemove}, PermuteAndFlip{nan, AddRemove}},
		"PermuteAndFlip.Relation":               {PermuteAndFlip{1, 0}},
		"Pure.Epsilon":                          {Pure{0, AddRemove}, Pure{nan, AddRemove}, Pure{1e7, AddRemove}},
		"Pure.Relation":                         {Pure{1, 0}},
		"Approximate.Epsilon":                   {Approximate{-1, 0, AddRemove}, Approximate{nan, 0, AddRemove}},
		"Approximate.Delta":                     {Approximate{1, 1, AddRemove}, Approximate{1, -1e-9, AddRemove}, Approximate{1, nan, AddRemove}},
		"Approximate.Relation":                  {Approximate{1, 0, 0}},
		"ZeroConcentrated.Rho":                  {ZeroConcentrated{-1, 0, AddRemove}, ZeroConcentrated{nan, 0, AddRemove}, ZeroConcentrated{inf, 0, AddRemove}},
		"ZeroConcentrated.Xi":                   {ZeroConcentrated{1, -1, AddRemove}, ZeroConcentrated{1, nan, AddRemove}},
		"ZeroConcentrated.Relation":             {ZeroConcentrated{1, 0, 0}},
		"Sampled.Rate":                          {Sampled{-1, lap}, Sampled{nan, lap}, Sampled{1.5, lap}},
		"Sampled.Event":                         {Sampled{.1, Gaussian{1, 1, AddRemove}}, Sampled{.1, Exponential{1, AddRemove}}, Sampled{.1, Sampled{.1, lap}}},
		"Sampled.Event's Relation":              {Sampled{.1, Laplace{1, 1, ReplaceOne}}},
		"Event":                                 {Sampled{}, Sampled{.1, &lap}, Repeated{}, Repeated{&lap, 2}, Repeated{Repeated{nil, 1}, 1}, (*Laplace)(nil)},
		"Repeated.Count":                        {Repeated{lap, 0}, Repeated{lap, -1}},
		"Repeated":                              {Repeated{deep, 1}, Repeated{lap, 1<<62 + 1}, Repeated{Repeated{lap, 1 << 40}, 1 << 40}},
		"Composed":                              {Composed{}, Repeated{Composed{}, 1}},
	} {
		for _, e := range events {
			var r RDP
			for _, err := range []error{r.Step(e), r.Add(e, 3)} {
				var invalid *InvalidError
				require.ErrorAs(t, err, &invalid, "%+v", e)
				require.Equal(t, field, invalid.Field, "%+v", e)
			}
			_, err := MarshalEvent(e)
			require.ErrorIs(t, err, ErrInvalid)
			_, err = Compose(e)
			require.ErrorIs(t, err, ErrInvalid)
			require.Zero(t, epsilon(t, &r, .5))
		}
	}
}

func TestGaussianIsSampledByPoisson(t *testing.T) {
	t.Parallel()
	err := Sampled{.1, Gaussian{1, 1, AddRemove}}.Validate()
	require.EqualError(t, err, "privacy: Sampled.Event = Gaussian, want Poisson instead of Sampled")
}

// The relation decides the sensitivity.
func TestEventsReplaceOne(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]Event{
		{Laplace{2, 1, ReplaceOne}, Laplace{1, 1, AddRemove}},
		{DiscreteLaplace{3, 2, ReplaceOne}, DiscreteLaplace{3, 4, AddRemove}},
		{DiscreteGaussian{3, 2, ReplaceOne}, DiscreteGaussian{3, 4, AddRemove}},
	} {
		for _, order := range []float64{1.1, 2, 9.5} {
			a, err := Renyi(pair[0], order)
			require.NoError(t, err)
			b, err := Renyi(pair[1], order)
			require.NoError(t, err)
			require.Equal(t, a, b)
		}
	}
}

func TestCompose(t *testing.T) {
	t.Parallel()
	a, b, c := Laplace{2, 1, AddRemove}, sampled(.01, 1), Repeated{Pure{.1, AddRemove}, 3}
	abc, err := Compose(a, b, c)
	require.NoError(t, err)
	cab, err := Compose(c, a, b)
	require.NoError(t, err)
	ab, err := Compose(a, b)
	require.NoError(t, err)
	nested, err := Compose(ab, c)
	require.NoError(t, err)
	require.True(t, abc == cab && abc == nested)
	require.ElementsMatch(t, []Event{a, b, c}, abc.Events())
	require.Equal(t, AddRemove, abc.relation())
	require.True(t, strings.HasPrefix(abc.String(), `[{"version"`))
	require.Nil(t, Composed{}.Events())

	// Twice the same is twice as much, and equal mechanisms of different events are one part.
	twice, err := Compose(a, a, Laplace{4, 2, AddRemove}, Repeated{a, 5})
	require.NoError(t, err)
	require.Equal(t, []leaf{{laplaceNoise{.5}, 8}}, twice.lower())

	var parts, whole RDP
	for _, e := range []Event{a, b} {
		require.NoError(t, parts.Add(e, 20))
	}
	require.NoError(t, parts.Add(Pure{.1, AddRemove}, 60))
	require.NoError(t, whole.Add(abc, 20))
	require.InEpsilon(t, epsilon(t, &parts, 1e-6), epsilon(t, &whole, 1e-6), 1e-9)

	for name, events := range map[string][]Event{
		"none": {}, "nil": {nil}, "pointer": {&a}, "relations": {a, Laplace{2, 1, ReplaceOne}},
		"many": slices.Repeat([]Event{a}, maxEvents+1), "count": {Repeated{a, 1 << 62}, a}, "counts": {Repeated{a, 1 << 62}, Repeated{a, 1 << 62}, a},
	} {
		_, err := Compose(events...)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	most, err := Compose(slices.Repeat([]Event{a}, maxEvents)...)
	require.NoError(t, err)
	require.Equal(t, []leaf{{laplaceNoise{.5}, maxEvents}}, most.lower())
	_, err = Compose(most, a)
	require.ErrorIs(t, err, ErrInvalid)

	// Depth is counted through both kinds of composite events, and the deepest valid one can be read back.
	deep := Event(a)
	for i := range maxDepth {
		data, err := MarshalEvent(deep)
		require.NoError(t, err)
		back, err := UnmarshalEvent(data)
		require.NoError(t, err)
		require.True(t, deep == back)
		require.Equal(t, i, nesting(deep))
		if i%2 == 0 {
			deep = Repeated{deep, 2}
		} else if deep, err = Compose(deep, b); err != nil {
			require.NoError(t, err)
		}
	}
	_, err = Compose(deep, Repeated{deep, 2})
	require.ErrorIs(t, err, ErrInvalid)
	data := strings.Repeat(`{"version":1,"type":"repeated","params":{"count":1,"event":`, 3000) + strings.Repeat("}}", 3000)
	_, err = UnmarshalEvent([]byte(data))
	require.ErrorContains(t, err, "nested")
}

// Events with an infinite loss keep their delta apart, with its count.
func TestApproximateDelta(t *testing.T) {
	t.Parallel()
	var r RDP
	require.NoError(t, r.Add(Approximate{.5, 1e-8, AddRemove}, 50))
	_, err := r.Epsilon(5e-7)
	require.ErrorIs(t, err, ErrInvalid, "that much is lost for certain")
	require.Greater(t, epsilon(t, &r, 1e-5), 18.9454580966)
	delta, err := r.Delta(1000)
	require.NoError(t, err)
	require.InEpsilon(t, 50e-8, delta.Upper, 1e-9)
	require.GreaterOrEqual(t, delta.Upper, 50*1e-8)
}

// Equal events have equal bits whatever the sign of their zeros.
func TestNegativeZero(t *testing.T) {
	t.Parallel()
	zero := math.Copysign(0, -1)
	for _, pair := range [][2]Event{
		{Approximate{zero, 1e-9, AddRemove}, Approximate{0, 1e-9, AddRemove}},
		{Approximate{1, zero, AddRemove}, Approximate{1, 0, AddRemove}},
		{ZeroConcentrated{zero, 1, AddRemove}, ZeroConcentrated{0, 1, AddRemove}},
		{Sampled{zero, Laplace{1, 1, AddRemove}}, Sampled{0, Laplace{1, 1, AddRemove}}},
	} {
		a, err := MarshalEvent(pair[0])
		require.NoError(t, err)
		b, err := MarshalEvent(pair[1])
		require.NoError(t, err)
		require.Equal(t, string(b), string(a))
	}
}

// Everything stays finite from the smallest to the largest parameters, and more noise never costs more.
func TestEventExtremes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(11, 12))
	orders := []float64{1 + 0x1p-52, 1 + 0x1p-44, 1.5, 2, 3.7, 100, 1e4, 1e8, 0x1p40}
	for range 300 {
		eps := math.Exp(math.Log(minLoss) + rng.Float64()*math.Log(maxLoss/minLoss))
		n := 1 + rng.IntN(1<<rng.IntN(31))
		q := math.Exp(-140 * rng.Float64())
		for _, pair := range [][2]Event{
			{Laplace{1, eps, AddRemove}, Laplace{1, eps * 1.01, AddRemove}},
			{DiscreteLaplace{float64(n) / eps, n, AddRemove}, DiscreteLaplace{float64(n) / eps / 1.01, n, AddRemove}},
			{DiscreteGaussian{float64(n) / eps, n, AddRemove}, DiscreteGaussian{float64(n) / eps / 1.01, n, AddRemove}},
			{Exponential{eps, AddRemove}, Exponential{eps * 1.01, AddRemove}},
			{Pure{eps, AddRemove}, Pure{eps * 1.01, AddRemove}},
			{RandomizedResponse{2 + n/2, q, ReplaceOne}, RandomizedResponse{2 + n/2, q * .99, ReplaceOne}},
			{RandomizedResponse{2 + n/2, q, ReplaceSpecial}, RandomizedResponse{2 + n/2, q * .99, ReplaceSpecial}},
			{Sampled{q, Laplace{1, eps, AddRemove}}, Sampled{min(1, q*1.01), Laplace{1, eps, AddRemove}}},
		} {
			if pair[0].Validate() != nil || pair[1].Validate() != nil {
				continue
			}
			last := 0.0
			for _, order := range orders {
				name := fmt.Sprintf("%+v order %v", pair[0], order)
				less, err := Renyi(pair[0], order)
				require.NoError(t, err)
				more, err := Renyi(pair[1], order)
				require.NoError(t, err)
				require.True(t, less > 0 && !math.IsInf(more, 0), name)
				require.GreaterOrEqual(t, more, less*(1-1e-11), name)
				require.GreaterOrEqual(t, less, last*(1-1e-11), name)
				last = less
			}
		}
	}
}

func FuzzUnmarshalEvent(f *testing.F) {
	for _, e := range allEvents(f) {
		data, err := MarshalEvent(e)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"version":1,"type":"composed","params":{"events":[]}}`))
	f.Add([]byte(`{"version":1,"type":"repeated","params":{"event":null,"count":9223372036854775807}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := UnmarshalEvent(data)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		require.NoError(t, e.Validate())
		canonical, err := MarshalEvent(e)
		require.NoError(t, err)
		back, err := UnmarshalEvent(canonical)
		require.NoError(t, err)
		require.True(t, e == back, "%s", canonical)
		d, err := Renyi(e, 2.5)
		require.NoError(t, err)
		require.GreaterOrEqual(t, d, 0.0)
	})
}

// A filter by rho takes every event that has one, at that price.
func TestEventsWithRho(t *testing.T) {
	t.Parallel()
	b := Budget{1, 1e-6}
	for _, c := range []struct {
		e   Event
		rho float64
	}{
		{Laplace{20, 1, AddRemove}, .05 - 1 + math.Exp(-.05)}, {DiscreteLaplace{20, 1, AddRemove}, .05 * math.Tanh(.025)},
		{DiscreteGaussian{20, 1, AddRemove}, 1. / 800}, {Pure{.05, AddRemove}, .05 * math.Tanh(.025)}, {PermuteAndFlip{.05, AddRemove}, .05 * math.Tanh(.025)},
		{Exponential{.05, AddRemove}, .05 * .05 / 8}, {ZeroConcentrated{.001, 0, AddRemove}, .001}, {Approximate{.05, 0, AddRemove}, .05 * math.Tanh(.025)},
	} {
		f, err := NewConcentratedFilter(b, AddRemove)
		require.NoError(t, err)
		n, err := f.Remaining(c.e)
		require.NoError(t, err, "%+v", c.e)
		all, err := f.Remaining(ZeroConcentrated{1e-6, 0, AddRemove})
		require.NoError(t, err)
		require.InDelta(t, float64(all)*1e-6/c.rho, float64(n), 2, "%+v", c.e)
	}
	f, err := NewConcentratedFilter(b, AddRemove)
	require.NoError(t, err)
	for _, e := range []Event{
		Approximate{.05, 1e-9, AddRemove}, ZeroConcentrated{.001, 1e-9, AddRemove}, Sampled{.1, Laplace{20, 1, AddRemove}},
	} {
		require.ErrorIs(t, f.Spend(e), ErrInvalid, "%+v", e)
	}
}
