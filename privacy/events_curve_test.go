package privacy

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every curve against its definition, evaluated with 60 to 160 digits: never below, and within 1e-11 above where it is exact.
func TestEventCurves(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/renyi.json")
	require.NoError(t, err)
	var file struct {
		Cases []struct {
			Event        json.RawMessage
			Exact, Above [][2]json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal(data, &file))
	check := func(e Event, at [2]json.RawMessage, slack float64) {
		order := number(t, at[0])
		var digits string
		require.NoError(t, json.Unmarshal(at[1], &digits))
		truth, _, err := big.ParseFloat(digits, 10, 200, big.ToNearestEven)
		require.NoError(t, err)
		got, err := Renyi(e, order)
		require.NoError(t, err)
		require.GreaterOrEqual(t, big.NewFloat(got).Cmp(truth), 0, "%+v order %v: %v is below %s", e, order, got, digits)
		want, _ := truth.Float64()
		require.LessOrEqual(t, got, want*(1+slack), "%+v order %v", e, order)
	}
	for _, c := range file.Cases {
		e, err := UnmarshalEvent(c.Event)
		require.NoError(t, err)
		for _, at := range c.Exact {
			check(e, at, 1e-11)
		}
		for _, at := range c.Above {
			slack := .08 // interpolated between whole orders
			switch order := number(t, at[0]); {
			case order < 2:
				slack = 6
			case order < 3:
				slack = .7
			}
			check(e, at, slack)
		}
	}
	require.Greater(t, len(file.Cases), 80)
}

// The curves are convex across their branches, and below those of the pure and of the concentrated mechanism that they are said to be.
func TestEventCurvesAreConvex(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	for range 4000 {
		eps := math.Exp(-27 + 40*rng.Float64())
		k := 2 + rng.IntN(20)
		p := math.Exp(-30 * rng.Float64() * rng.Float64())
		decay := math.Exp(-20 + 24*rng.Float64())
		shift := math.Floor(math.Exp(20 * rng.Float64()))
		for _, m := range []mechanism{
			pureLoss{eps}, laplaceNoise{eps}, boundedRange{eps}, answers{k, p, true}, answers{k, p, false}, geometricNoise{decay, shift},
			discreteNoise{1 / decay, 1},
		} {
			// K is convex and K(0) = 0.
			c := math.Exp2(-40 + 78*rng.Float64())
			a, b, d := 1+c, 1+c*1.001, 1+c*1.002
			ka, kb, kd := m.logMoment(a), m.logMoment(b), m.logMoment(d)
			require.Positive(t, ka, "%#v order %v", m, a)
			require.GreaterOrEqual(t, kb, ka*(b-1)/(a-1)*(1-1e-12), "%#v order %v", m, a)
			require.LessOrEqual(t, kb, (ka*(d-b)+kd*(b-a))/(d-a)*(1+1e-12), "%#v order %v", m, a)
			if p, ok := m.(interface{ pure() float64 }); ok {
				require.LessOrEqual(t, ka, pureLoss{p.pure()}.logMoment(a)*(1+1e-12), "%#v order %v", m, a)
			}
			if z, ok := m.(interface{ concentrated() float64 }); ok {
				require.LessOrEqual(t, ka, z.concentrated()*(a-1)*a*(1+1e-11), "%#v order %v", m, a)
			}
		}
	}
}

// Next to order 1 the curve over c is the mean loss, and over c·(c+1) the rho of those whose rho is claimed to be that mean.
func TestConcentratedIsTheMeanLoss(t *testing.T) {
	t.Parallel()
	const c = 0x1p-44
	for _, eps := range []float64{1e-6, .1, 1, 5, 40} {
		require.InEpsilon(t, laplaceNoise{eps}.concentrated()*c*(1+c), laplaceNoise{eps}.logMoment(1+c), 1e-9)
		require.InEpsilon(t, pureLoss{eps}.concentrated()*c*(1+c), pureLoss{eps}.logMoment(1+c), 1e-9)
	}
	require.InEpsilon(t, discreteNoise{3, 2}.concentrated()*c*(1+c), discreteNoise{3, 2}.logMoment(1+c), 1e-9)
}

// The discrete Gaussian of a small deviation is well below the continuous one at orders between those that shift it by whole steps.
func TestDiscreteGaussianIsNotContinuous(t *testing.T) {
	t.Parallel()
	e := DiscreteGaussian{StdDev: .3, Sensitivity: 1, Relation: AddRemove}
	half, err := Renyi(e, 1.5)
	require.NoError(t, err)
	require.Less(t, half, 1.5/(2*.09)*.84)
	whole, err := Renyi(e, 2)
	require.NoError(t, err)
	require.InEpsilon(t, 2/(2*.09), whole, 1e-13)
	large := DiscreteGaussian{StdDev: 1e7, Sensitivity: 1 << 30, Relation: ReplaceOne}
	got, err := Renyi(large, 3)
	require.NoError(t, err)
	require.InEpsilon(t, 3*math.Pow(0x1p31/1e7, 2)/2, got, 1e-13)
}

// Sampling reaches both ends of the rate, grows with it, and small rates amplify by about their square.
func TestSampledRates(t *testing.T) {
	t.Parallel()
	for _, base := range []Event{
		Laplace{1, 1, AddRemove}, DiscreteLaplace{2, 3, AddRemove}, DiscreteGaussian{1.5, 1, AddRemove},
	} {
		for _, order := range []float64{1.0001, 1.7, 2, 3.3, 8, 100.5, 8191.5, 8192, 8192.5, 1e7} {
			whole, err := Renyi(base, order)
			require.NoError(t, err)
			last := 0.0
			for _, q := range []float64{0, 1e-300, 1e-9, 1e-3, .2, .9, 1} {
				got, err := Renyi(Sampled{q, base}, order)
				require.NoError(t, err)
				require.GreaterOrEqual(t, got, last*(1-1e-11), "%v rate %v order %v", base, q, order)
				require.LessOrEqual(t, got, whole)
				last = got
			}
			require.Equal(t, whole, last)
		}
		two, err := Renyi(base, 2)
		require.NoError(t, err)
		small, err := Renyi(Sampled{1e-6, base}, 2)
		require.NoError(t, err)
		require.InEpsilon(t, 1e-12*math.Expm1(two), small, 1e-9)
	}
}

func BenchmarkEventCurves(b *testing.B) {
	for name, m := range map[string]mechanism{
		"pure": pureLoss{1}, "laplace": laplaceNoise{1}, "discrete laplace": geometricNoise{1, 3}, "discrete gaussian": discreteNoise{1, 1},
		"exponential": boundedRange{1}, "answers": answers{4, .5, true}, "sampled laplace": sampledNoise{.01, laplaceNoise{1}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = m.logMoment(32.5)
			}
		})
	}
}
