package privacy

import (
	"encoding/json"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func noised(sigma float64, r Relation) Gaussian { return Gaussian{sigma, 1, r} }

// samplings has valid events of every type of this group.
func samplings(t testing.TB) []Event {
	mixture, err := NewMixture(2, AddRemove, Component{0, .5}, Component{1, .25}, Component{1.5, .25})
	require.NoError(t, err)
	toeplitz, err := NewToeplitz(Run{64, 4, 8, noised(3, ReplaceOne)}, 1, -.5, .25)
	require.NoError(t, err)
	return []Event{
		Poisson{.01, noised(1, ReplaceOne)}, Poisson{.01, noised(1, ReplaceSpecial)}, Poisson{1, noised(1, ReplaceOne)},
		FixedSize{10, 1000, noised(2, AddRemove)}, FixedSize{10, 1000, noised(2, ReplaceOne)}, FixedSize{7, 7, noised(2, ReplaceOne)},
		WithReplacement{4, 1000, noised(4, AddRemove)}, mixture,
		Group{3, Poisson{.01, noised(2, AddRemove)}}, Group{3, noised(2, ReplaceOne)}, Group{2, Pure{.1, AddRemove}},
		Group{2, ZeroConcentrated{.1, 0, AddRemove}},
		Tree{100, 5, 20, noised(5, ReplaceSpecial)}, toeplitz, SqrtToeplitz{Run{64, 4, 8, noised(3, ReplaceSpecial)}, 8},
		Banded{4, 400, .04, noised(1, AddRemove)},
		TruncatedPoisson{.01, 120, 10000, noised(1, AddRemove)}, TruncatedPoisson{.01, 120, 10000, noised(1, ReplaceOne)},
		Allocation{10, 3, 2, false, noised(1, ReplaceSpecial)}, Allocation{100, 1, 2, true, noised(4, ReplaceSpecial)},
		Select{Event: Repeated{sampled(.01, 1), 10}, Shape: 1, Gamma: .1}, Select{Event: noised(2, AddRemove), Mean: 10},
	}
}

// Curves against values from an independent program with 30 digits.
func TestSamplingCurves(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/sampling_curves.json")
	require.NoError(t, err)
	var file struct {
		ReplaceOne []struct {
			Q, Sigma, Order float64
			Want            string
		} `json:"replace_one"`
		Mixture []struct {
			Components   [][2]float64
			Sigma, Order float64
			Remove, Add  string
		}
		FixedSize []struct {
			Batch, Records int
			Sigma, Order   float64
			Want           string
		} `json:"fixed_size"`
		AllocationAdd []struct {
			Sigma, Order float64
			Steps        int
			Want         string
		} `json:"allocation_add"`
	}
	require.NoError(t, json.Unmarshal(data, &file))
	// above requires got >= want, in exact arithmetic on the decimal text, and got close to it.
	above := func(want string, got, tolerance float64, c any) {
		exact, ok := new(big.Float).SetPrec(200).SetString(want)
		require.True(t, ok)
		exact.Mul(exact, big.NewFloat(1-1e-19)) // the text is rounded
		require.GreaterOrEqual(t, new(big.Float).SetFloat64(got).Cmp(exact), 0, "%+v: %v", c, got)
		value, _ := exact.Float64()
		require.InEpsilon(t, value, got, tolerance, "%+v", c)
	}
	for _, c := range file.ReplaceOne {
		got, err := Renyi(Poisson{c.Q, noised(c.Sigma, ReplaceOne)}, c.Order)
		require.NoError(t, err)
		above(c.Want, got, 2e-12, c)
	}
	for _, c := range file.Mixture {
		var list []Component
		for _, x := range c.Components {
			list = append(list, Component{x[0], x[1]})
		}
		m, err := NewMixture(c.Sigma, AddRemove, list...)
		require.NoError(t, err)
		got, err := Renyi(m, c.Order)
		require.NoError(t, err)
		worst := c.Remove
		if number(t, json.RawMessage(c.Add)) > number(t, json.RawMessage(c.Remove)) {
			worst = c.Add
		}
		above(worst, got, 2e-12, c)
		law := m.lower()[0].mechanism.(mixedGaussian)
		remove, add := law.pairs()
		for want, p := range map[string]pair{c.Remove: remove, c.Add: add} {
			k, ok := p.logMoment(c.Order)
			require.True(t, ok)
			above(want, divergence(k, c.Order), 2e-12, c)
		}
	}
	for _, c := range file.FixedSize {
		e := FixedSize{c.Batch, c.Records, noised(c.Sigma, ReplaceOne)}
		k := e.lower()[0].mechanism.(replacedGaussian).profile(c.Order)
		above(c.Want, divergence(k, c.Order), 2e-12, c)
		got, err := Renyi(e, c.Order)
		require.NoError(t, err)
		require.LessOrEqual(t, got, divergence(k, c.Order)*(1+1e-14))
	}
	for _, c := range file.AllocationAdd {
		k, ok := allocated{c.Steps, c.Sigma}.add(c.Order, 0.01)
		require.True(t, ok)
		value := number(t, json.RawMessage(c.Want))
		require.GreaterOrEqual(t, divergence(k, c.Order), value*(1-1e-7), "%+v", c)
		require.InEpsilon(t, value, divergence(k, c.Order), 2e-3, "%+v", c)
	}
}

// The three quadratures agree with the sampled Gaussian where they describe the same mechanism, over the range they serve; the error they
// add covers what a far too coarse grid really errs.
func TestPairQuadrature(t *testing.T) {
	t.Parallel()
	if slow {
		t.Skip("arithmetic alone: minutes under the race detector")
	}
	seen := 0
	for _, q := range []float64{1e-30, 1e-6, .01, .3, .999} {
		for _, sigma := range []float64{.3, 1, 8, 1e4} {
			for _, a := range []float64{1 + 1e-9, 1.3, 2, 7, 40.5, 200} {
				want := sampledGaussian{q, sigma}.logMoment(a)
				remove := pair{[]float64{0, 1 / sigma}, []float64{1 - q, q}, []float64{1, 0}}
				add := pair{remove.shift, remove.q, remove.p}
				got, ok := remove.logMoment(a)
				require.True(t, ok)
				require.InEpsilon(t, want, got, 2e-12, "%v %v %v", q, sigma, a)
				back, ok := add.logMoment(a)
				require.True(t, ok)
				require.LessOrEqual(t, back, got*(1+1e-11), "%v %v %v", q, sigma, a)
				replaced := replaceOneGaussian{q, sigma}.logMoment(a)
				require.GreaterOrEqual(t, replaced, got*(1-1e-12))
				require.LessOrEqual(t, replaced, sampledGaussian{1, sigma / 2}.logMoment(a)*(1+1e-12))
				for _, accuracy := range []float64{1, 3, 8, 20} {
					coarse, rest, ok := remove.trapezoid(a, accuracy)
					require.True(t, ok)
					require.GreaterOrEqual(t, coarse, want*(1-1e-12), "%v %v %v", q, sigma, a)
					if rest < 1 {
						seen++
					}
				}
				half := replacedGaussian{q, sigma}
				k := half.logMoment(a)
				require.GreaterOrEqual(t, k, want*(1-1e-12), "the pair of AddRemove is one that the curve covers")
				for _, accuracy := range []float64{4, 8, 20} {
					if coarse, _, ok := half.trapezoid(a, accuracy); ok {
						require.GreaterOrEqual(t, coarse, min(k, coarse+1)*(1-1e-12), "%v %v %v", q, sigma, a)
					}
				}
			}
		}
	}
	require.Greater(t, seen, 50)
}

// The bound of the privacy profile where the expansion is smaller.
func TestProfileValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ q, sigma, order, want float64 }{
		{.01, 2, 2, 2.80639291e-4}, {.01, 4, 2, 3.90791247e-5}, {.01, 4, 16, 3.14022137e-4}, {.001, 2, 8, 1.16539696e-5},
	} {
		got := replacedGaussian{c.q, c.sigma / 2}.profile(c.order)
		require.InEpsilon(t, c.want, divergence(got, c.order), 5e-9, "%+v", c)
	}
}

// Values of the published closed sums and bounds, to the digits given.
func TestSamplingValues(t *testing.T) {
	t.Parallel()
	replaced := func(batch, records int, sigma float64) Event {
		return FixedSize{batch, records, noised(sigma, ReplaceOne)}
	}
	group := func(k int, q, sigma float64) Event { return Group{k, sampled(q, sigma)} }
	allocation := func(sigma float64, steps int) Event {
		return Allocation{steps, 1, 1, false, noised(sigma, ReplaceSpecial)}
	}
	for _, c := range []struct {
		event Event
		order float64
		want  float64
	}{
		{replaced(1, 100, 2), 16, 3.08785078},
		{replaced(5, 100, 6), 16, 2.96164595e-3},
		{replaced(1, 10, 10), 32, 7.73699275e-3},
		{FixedSize{1, 100, noised(2, ReplaceSpecial)}, 2.5, 3.5148915e-4},
		{FixedSize{1, 100, noised(2, AddRemove)}, 2, 1.71813422e-4},
		{FixedSize{5, 100, noised(6, AddRemove)}, 16, 2.56334652e-3},
		{group(2, .01, 1), 2, 6.9922733527e-4},
		{group(2, .01, 1), 4, 1.5938751756e-3},
		{group(4, .01, 2), 2, 4.5830966721e-4},
		{group(4, .01, 2), 4, 9.4030225642e-4},
		{group(8, .001, 1), 2, 1.1131929920e-4},
		{group(8, .001, 1), 4, 54.31727743},
		{allocation(1, 8), 2, .194567294548},
		{allocation(1, 8), 5, .669443748149},
		{allocation(1, 100), 8, .076510022805},
		{allocation(2, 64), 16, .0356425796091},
		{allocation(.8, 1000), 6, .0115350555058},
		{allocation(2, 1000), 32, .00454745713974},
		{Select{Event: noised(2, AddRemove), Mean: 10}, 5, 3.207876},
	} {
		got, err := Renyi(c.event, c.order)
		require.NoError(t, err)
		require.InEpsilon(t, c.want, got, 3e-7, "%+v order %v", c.event, c.order)
		if m, ok := c.event.lower()[0].mechanism.(allocated); ok {
			require.InEpsilon(t, c.want*(c.order-1), m.remove(c.order), 1e-11)
		}
	}
	for _, c := range [][4]int{
		{8, 2, 1, 14}, {8, 2, 3, 12}, {8, 2, 4, 10}, {16, 2, 4, 14}, {16, 4, 4, 36}, {12, 3, 4, 13}, {13, 3, 2, 20}, {100, 5, 20, 50},
	} {
		got := Tree{c[0], c[1], c[2], noised(1, ReplaceSpecial)}.Sensitivity()
		require.InDelta(t, float64(c[3]), got*got, 1e-12*float64(c[3]), "%v", c)
	}
	run := func(n, k, b int) Run { return Run{n, k, b, noised(1, ReplaceSpecial)} }
	for _, c := range []struct{ n, want float64 }{
		{1, 1}, {2, 1.25}, {10, 1.7913439416}, {100, 2.5313521126}, {1000, 3.2650030807}, {10000, 3.9980102911}, {1e6, 5.4638893666},
	} {
		got := SqrtToeplitz{run(int(c.n), 1, 1), int(c.n)}.Sensitivity()
		require.InEpsilon(t, c.want, got*got, 1e-9)
	}
	for _, c := range []struct {
		got, want float64
	}{
		{SqrtToeplitz{run(12, 3, 4), 12}.Sensitivity(), 2.899591384},
		{SqrtToeplitz{run(12, 3, 2), 12}.Sensitivity(), 3.249926607},
		{SqrtToeplitz{run(16, 2, 5), 16}.Sensitivity(), 2.294048231},
		{SqrtToeplitz{run(12, 3, 4), 3}.Sensitivity(), 2.042516830},
		{run(14, 2, 3).sensitivity([]float64{1, 2, 3}), 5.291502622},
		{run(14, 2, 3).dense([]float64{1, 2, 3}, 2), 5.291502622},
		{run(12, 3, 2).dense([]float64{1, .5, .375, .3125, .2734375, .24609375, .2255859375, .20947265625, .196380615234375, .1854705810546875, .176197052001953125, .1681880950927734375}, 3), 3.265745},
	} {
		require.InEpsilon(t, c.want, c.got, 2e-7)
	}
	for _, c := range []struct {
		batch                         int
		q, sigma, probability, inside float64
	}{
		{150, .01, 1, 1.64838851e-6, .00981820}, {120, .01, 1, .0275314631, .00963893}, {110, .01, 2, .169136002, .00949272},
	} {
		m := TruncatedPoisson{c.q, c.batch, 10000, noised(c.sigma, AddRemove)}.lower()[0].mechanism.(blended)
		require.InEpsilon(t, c.probability, m.hi, 1e-8)
		require.LessOrEqual(t, m.lo, m.hi)
		require.InEpsilon(t, m.lo, m.hi, 1e-9)
		require.InDelta(t, c.inside, m.full.(sampledGaussian).q, 1e-8)
	}
}

func TestSamplingIdentities(t *testing.T) {
	t.Parallel()
	equal := func(want, got Event, name string) {
		t.Helper()
		for _, order := range []float64{1.5, 2, 9.3} {
			a, err := Renyi(want, order)
			require.NoError(t, err, name)
			b, err := Renyi(got, order)
			require.NoError(t, err, name)
			require.InEpsilon(t, a, b, 1e-10, name)
			require.GreaterOrEqual(t, b, a*(1-1e-12), name)
		}
	}
	special := noised(2, ReplaceSpecial)
	equal(noised(1, AddRemove), Poisson{1, noised(2, ReplaceOne)}, "a sure record is at distance 2")
	equal(sampled(.1, 2), Poisson{.1, special}, "a zero is an absent record")
	equal(sampled(.1, 1), FixedSize{10, 100, noised(2, AddRemove)}, "a record displaces another")
	equal(noised(1, AddRemove), FixedSize{10, 10, noised(2, ReplaceSpecial)}, "all records")
	equal(sampled(.01, 1), WithReplacement{1, 100, noised(2, AddRemove)}, "one draw")
	one, err := NewMixture(4, ReplaceSpecial, Component{0, .875}, Component{2, .0625}, Component{2, .0625})
	require.NoError(t, err)
	equal(sampled(.125, 2), one, "a mixture of two shifts")
	certain, err := NewMixture(4, AddRemove, Component{2, 1})
	require.NoError(t, err)
	equal(noised(2, AddRemove), certain, "a mixture of one shift")
	equal(sampled(.1, 2), Group{1, sampled(.1, 2)}, "a group of one")
	equal(noised(1, ReplaceOne), Group{4, noised(4, ReplaceOne)}, "a group of a Gaussian")
	equal(Pure{.5, AddRemove}, Group{5, Pure{.1, AddRemove}}, "a group of pure steps")
	equal(ZeroConcentrated{.9, 0, AddRemove}, Group{3, ZeroConcentrated{.1, 0, AddRemove}}, "a group of concentrated steps")
	equal(noised(1, AddRemove), Group{3, Poisson{1, noised(3, AddRemove)}}, "a group that is always drawn")
	equal(Repeated{sampled(.1, 2), 4}, Banded{3, 10, .1, noised(2, AddRemove)}, "ten steps are four turns")
	equal(noised(1, AddRemove), Tree{8, 1, 1, noised(2, ReplaceSpecial)}, "four levels")
	equal(Poisson{.1, special}, TruncatedPoisson{.1, 100, 100, special}, "never truncated")
	equal(FixedSize{10, 100, special}, TruncatedPoisson{1, 10, 100, special}, "always truncated")
	equal(Repeated{noised(2, ReplaceSpecial), 6}, Allocation{2, 2, 3, false, special}, "every step")
	equal(noised(1, ReplaceSpecial), Allocation{1, 1, 4, true, special}, "one step, one assignment")
	equal(must(t)(Compose(Allocation{3, 1, 1, false, special}, Allocation{3, 1, 1, false, special}, Allocation{4, 1, 1, false, special})),
		Allocation{10, 3, 1, false, special}, "parts of the epoch")
	equal(Allocation{10, 1, 1, false, noised(1, ReplaceSpecial)}, Allocation{10, 1, 4, true, special}, "kept for four epochs")

	kept, err := Renyi(Allocation{10, 1, 4, true, special}, 3)
	require.NoError(t, err)
	drawn, err := Renyi(Allocation{10, 1, 4, false, special}, 3)
	require.NoError(t, err)
	require.Less(t, drawn, kept)
	require.InDelta(t, 10, Select{Shape: 1, Gamma: .1}.Runs(), 1e-12)
	require.InDelta(t, 9.9773, Select{Gamma: .027}.Runs(), 1e-4)
	require.InDelta(t, 9.4162, Select{Shape: 2, Gamma: .18}.Runs(), 1e-4)
}

func must(t *testing.T) func(Composed, error) Composed {
	return func(c Composed, err error) Composed {
		require.NoError(t, err)
		return c
	}
}

// Divergences are above 0, finite at small orders, and do not decrease with the order or where less noise, a larger rate or more records of
// one person are given; no extreme makes a NaN.
func TestSamplingMonotone(t *testing.T) {
	t.Parallel()
	if slow {
		t.Skip("arithmetic alone: minutes under the race detector")
	}
	chains := map[string]func(i int) Event{
		"rate":     func(i int) Event { return Poisson{math.Pow(10, float64(i-6)), noised(1.3, ReplaceOne)} },
		"noise":    func(i int) Event { return Poisson{.03, noised(8/(1+float64(i)), ReplaceOne)} },
		"batch":    func(i int) Event { return FixedSize{1 + 100*i, 601, noised(2, ReplaceOne)} },
		"group":    func(i int) Event { return Group{1 + i, sampled(.01, 2)} },
		"limit":    func(i int) Event { return TruncatedPoisson{.1, 160 - 10*i, 1000, noised(2, AddRemove)} },
		"epoch":    func(i int) Event { return Allocation{200 >> i, 1, 1, false, noised(1.5, ReplaceSpecial)} },
		"draws":    func(i int) Event { return WithReplacement{1 + i, 5000, noised(3, AddRemove)} },
		"selected": func(i int) Event { return Select{Event: sampled(.01, 2), Shape: 1, Gamma: .5 / float64(i+1)} },
	}
	for name, event := range chains {
		for _, order := range []float64{1 + 1e-9, 2, 3.7, 1e4 + .5} {
			if name == "limit" && order > 3 {
				continue // a small batch is less likely to hold the record
			}
			last := 0.0
			for i := 0; i < 7; i += 2 {
				got, err := Renyi(event(i), order)
				require.NoError(t, err, name)
				require.Greater(t, got, 0.0, "%s %d order %v", name, i, order)
				require.GreaterOrEqual(t, got, last*(1-1e-10), "%s %d order %v", name, i, order)
				last = got
			}
		}
		for _, i := range []int{0, 5} {
			last := 0.0
			for x := -30.0; x < 35; x += 6.1 {
				order := 1 + math.Exp2(x)
				got, err := Renyi(event(i), order)
				require.NoError(t, err, name)
				require.False(t, math.IsNaN(got), name)
				if name != "selected" { // its bound has log E[K]/(a-1)
					require.GreaterOrEqual(t, got, last*(1-1e-6), "%s %d order %v", name, i, order)
				}
				last = got
			}
		}
	}
}

func TestSamplingsRefuse(t *testing.T) {
	t.Parallel()
	special, add := noised(2, ReplaceSpecial), noised(2, AddRemove)
	for _, e := range []Event{
		Poisson{.1, Gaussian{}}, Poisson{math.NaN(), add}, Poisson{1.1, add},
		FixedSize{}, FixedSize{0, 10, add}, FixedSize{11, 10, special}, FixedSize{10, 10, add}, FixedSize{-1, -1, special},
		WithReplacement{}, WithReplacement{1, 10, special}, WithReplacement{0, 10, add},
		Mixture{}, Group{}, Group{0, add}, Group{2, nil}, Group{2, Poisson{.1, noised(1, ReplaceOne)}}, Group{2, Group{2, add}}, Group{2, &add},
		Group{2, ZeroConcentrated{.1, .1, AddRemove}}, Group{2, Pure{1e6, AddRemove}}, Group{1 << 20, Gaussian{1, 1e99, AddRemove}},
		Tree{}, Tree{8, 1, 1, add}, Tree{0, 1, 1, special}, Tree{8, 0, 1, special}, Tree{8, 1, 0, special},
		Toeplitz{}, SqrtToeplitz{}, SqrtToeplitz{Run{8, 1, 1, add}, 8}, SqrtToeplitz{Run{8, 1, 1, special}, 9}, SqrtToeplitz{Run{8, 1, 1, special}, 0},
		Banded{}, Banded{0, 1, .1, add}, Banded{1, 0, .1, add}, Banded{1, 1, 2, add},
		TruncatedPoisson{}, TruncatedPoisson{.1, 11, 10, add}, TruncatedPoisson{math.NaN(), 5, 10, add}, TruncatedPoisson{.1, 0, 10, add},
		Allocation{}, Allocation{10, 1, 1, false, add}, Allocation{10, 11, 1, false, special}, Allocation{10, 1, 0, false, special},
		Select{}, Select{Event: add}, Select{Event: add, Mean: 10, Gamma: .1}, Select{Event: add, Gamma: 1}, Select{Event: add, Mean: math.Inf(1)},
		Select{Event: add, Shape: math.NaN(), Gamma: .1}, Select{Event: Approximate{1, 1e-6, AddRemove}, Mean: 10}, Select{Event: &add, Mean: 10},
	} {
		require.ErrorIs(t, e.Validate(), ErrInvalid, "%+v", e)
		_, err := MarshalEvent(e)
		require.Error(t, err, "%+v", e)
		var r RDP
		require.ErrorIs(t, r.Add(e, 1), ErrInvalid, "%+v", e)
	}
	for name, components := range map[string][]Component{
		"none": nil, "half": {{1, .5}}, "negative": {{-1, .5}, {1, .5}}, "negative weight": {{0, 1.5}, {1, -.5}}, "NaN": {{1, math.NaN()}},
		"NaN shift": {{math.NaN(), 1}}, "infinite": {{math.Inf(1), 1}}, "no shift": {{0, 1}}, "many": make([]Component, 129),
	} {
		if name == "many" {
			for i := range components {
				components[i] = Component{float64(i), 1. / 129}
			}
		}
		_, err := NewMixture(1, AddRemove, components...)
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	_, err := NewMixture(1, ReplaceOne, Component{1, 1})
	require.ErrorIs(t, err, ErrInvalid)
	for _, c := range [][]float64{nil, {0, 1}, {math.NaN()}, {1, math.Inf(1)}, {1, 1e60}, make([]float64, 5000)} {
		_, err := NewToeplitz(Run{8, 1, 1, special}, c...)
		require.ErrorIs(t, err, ErrInvalid)
	}
	fixed, err := MarshalEvent(Allocation{10, 1, 2, true, special})
	require.NoError(t, err)
	_, err = UnmarshalEvent([]byte(strings.Replace(string(fixed), `"fixed":true,`, "", 1)))
	require.ErrorIs(t, err, ErrInvalid, "leaving it out would make the run cheaper")
}

// Rounding of weights never makes a mixture cheaper, whichever way their sum is off.
func TestMixtureRounds(t *testing.T) {
	t.Parallel()
	for _, off := range []float64{1 - 9e-10, 1, 1 + 9e-10} {
		m, err := NewMixture(1, AddRemove, Component{2, .1 * off}, Component{0, .7 * off}, Component{1, .2 * off})
		require.NoError(t, err)
		list := decodeComponents(m.lower()[0].mechanism.(mixedGaussian).list)
		require.Len(t, list, 3)
		require.GreaterOrEqual(t, list[2].Weight, .1*(1-1e-15))
		require.GreaterOrEqual(t, list[1].Weight+list[2].Weight, .3*(1-1e-15))
		require.InDelta(t, 1, list[0].Weight+list[1].Weight+list[2].Weight, 1e-15)
	}
	rare := TruncatedPoisson{.01, 400, 10000, noised(1, AddRemove)}
	require.Greater(t, rare.lower()[0].infinite(), 0.0)
	require.Less(t, rare.lower()[0].infinite(), 1e-15)
	law := binomialMixture(1000000, .3, .001)
	list := decodeComponents(law.list)
	require.LessOrEqual(t, len(list), maxComponents)
	require.Less(t, law.infinite(), 1e-25)
	mean := 0.0
	for _, x := range list {
		mean += x.Weight * x.Shift
	}
	require.Greater(t, mean, 300.0)
	require.Less(t, mean, 300.1)
	exact := decodeComponents(binomialMixture(4, .25, 1).list)
	for j, want := range []float64{81, 108, 54, 12, 1} {
		require.InEpsilon(t, want/256, exact[j].Weight, 1e-13)
	}
}
