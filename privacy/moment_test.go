package privacy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func sampled(q, sigma float64) Poisson {
	return Poisson{Rate: q, Gaussian: Gaussian{StdDev: sigma, Clip: 1, Relation: AddRemove}}
}

// exactCurve holds divergences computed with 50 to 80 digits (mpmath: binomial sum at integer orders, trapezoid rule on the analytic
// integrand at the others). The small rates are those at which summing A and subtracting 1 is wrong by percents; the orders near 1
// are those for which absolute values of alternating series terms give up to 7 % too much; 1024 and above overflow binomials.
var exactCurve = []struct{ q, sigma, order, want float64 }{
	{2e-7, 3, 2, 4.700762749674535e-15},
	{3e-8, 1.2, 2, 9.02336590251485e-16},
	{2e-7, 3, 2.5, 5.875953508851851e-15},
	{2e-6, 2, 1.7, 9.656862365901505e-13},
	{1e-5, 5, 8, 1.6324350192867256e-11},
	{1e-5, 0.5, 1.25, 3.3290248960840233e-9},
	{1e-5, 0.5, 8, 2.8423709765253574},
	{1e-5, 0.5, 1024, 2036.4758204534413},
	{.01, 1, 1.1, 9.241471084686958e-5},
	{.01, 1, 1.5, 1.2725374332744983e-4},
	{.1, 1, 1.1, 8.098568468073839e-3},
	{.1, 1, 1.25, 9.408440725993634e-3},
	{.1, 1, 1.5, 1.1734592196685236e-2},
	{.01, 1, 1024, 507.39032818},
}

func TestRenyiExact(t *testing.T) {
	t.Parallel()
	for _, c := range exactCurve {
		got, err := Renyi(sampled(c.q, c.sigma), c.order)
		require.NoError(t, err)
		tolerance := 1e-12
		if c.order == 1024 && c.q == .01 {
			tolerance = 1e-11 // the reference has 11 digits
		} else {
			require.GreaterOrEqual(t, got, c.want*(1-0x1p-52), "%+v is below the exact value", c)
		}
		require.InEpsilon(t, c.want, got, tolerance, "%+v", c)
	}
}

// Two independent methods meet at integer orders, over the whole range in which both are used.
func TestQuadratureMeetsBinomial(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		m := sampledGaussian{math.Exp(-20 * rng.Float64()), math.Exp(math.Log(0.08) + rng.Float64()*math.Log(1e4/0.08))}
		n := 2 + int(math.Exp(rng.Float64()*math.Log(900)))
		quad, ok := m.quadrature(float64(n))
		require.True(t, ok, "%+v order %d", m, n)
		require.InEpsilon(t, m.binomial(n), quad, 1e-12, "%+v order %d", m, n)
	}
}

// With a step far too coarse for use the trapezoid rule must still err by no more than the derived bound, and for that bound to be
// worth testing it must err by something.
func TestQuadratureErrorBound(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, q := range []float64{1e-6, 1e-3, .1, .9, .9999} {
		for _, sigma := range []float64{.3, .5, 1, 3, 20, 500} {
			for _, order := range []float64{1 + 1e-8, 1.01, 1.5, 1.99, 2, 2.5, 7.3, 40, 333.3} {
				m := sampledGaussian{q, sigma}
				exact, ok := m.quadrature(order)
				require.True(t, ok)
				for _, accuracy := range []float64{0.5, 1, 2, 4, 8, 16} {
					coarse, ok := m.trapezoid(order, m.step(order, accuracy))
					require.True(t, ok)
					got := math.Abs(math.Expm1(min(coarse, 600))/math.Expm1(min(exact, 600)) - 1)
					if exact > 600 {
						got = math.Abs(math.Expm1(coarse - exact))
					}
					require.LessOrEqual(t, got, math.Exp(-accuracy)+1e-10, "%+v order %v", m, order)
					if got > 1e-4*math.Exp(-accuracy) {
						seen++
					}
				}
			}
		}
	}
	require.Greater(t, seen, 50, "the coarse grids were all exact: nothing was tested")
}

func TestRenyiEdges(t *testing.T) {
	t.Parallel()
	for _, sigma := range []float64{1e-3, 1e-2, .1, .5, 1, 30, 1e3, 1e6} {
		for _, order := range []float64{1 + 1e-8, 1.001, 1.5, 2, 2.0000001, 3.7, 1024, 1024.5, 1030, 4096, 20000, 1e6 + .5} {
			plain, err := Renyi(Gaussian{StdDev: sigma, Clip: 1, Relation: AddRemove}, order)
			require.NoError(t, err)
			require.InEpsilon(t, order/(2*sigma*sigma), plain, 1e-13)
			require.GreaterOrEqual(t, plain, order/(2*sigma*sigma))

			last := 0.0
			for _, q := range []float64{0, 1e-300, 1e-9, 1e-4, .01, .3, .999, 1} {
				name := fmt.Sprintf("q %v sigma %v order %v", q, sigma, order)
				got, err := Renyi(sampled(q, sigma), order)
				require.NoError(t, err)
				require.False(t, math.IsNaN(got) || math.IsInf(got, 0), name)
				require.Equal(t, q == 0, got == 0, name)
				require.LessOrEqual(t, got, plain, name)
				require.GreaterOrEqual(t, got, last*(1-1e-12), "%s: smaller than at a smaller rate", name)
				last = got
			}
			require.Equal(t, plain, last, "q = 1 is the plain Gaussian")
		}
	}
}

// Below sigma = 0.01 the grids are too large: the closed form stands in, and must stay above the exact sum.
func TestClosedFormIsAbove(t *testing.T) {
	t.Parallel()
	for _, sigma := range []float64{.002, .05, .5, 2} {
		for _, q := range []float64{1e-6, .01, .5, .99} {
			m := sampledGaussian{q, sigma}
			for n := 2; n < 200; n += 13 {
				require.GreaterOrEqual(t, m.closed(float64(n)), m.binomial(n)*(1-1e-12), "%+v order %d", m, n)
			}
			for _, a := range []float64{1.0001, 1.3, 1.9, 2.5, 6.01} {
				if exact, ok := m.quadrature(a); ok {
					require.GreaterOrEqual(t, m.closed(a), exact*(1-1e-12), "%+v order %v", m, a)
				}
			}
		}
	}
	got, err := Renyi(sampled(.01, 1e-3), 2.5)
	require.NoError(t, err)
	require.InEpsilon(t, 2.5/2e-6+2.5/1.5*math.Log(.01), got, 1e-9, "one mode dominates: its value is a/(2s²) + a/(a-1)·log q")
}

func TestRenyiMonotone(t *testing.T) {
	t.Parallel()
	for _, q := range []float64{1e-6, .01, .4} {
		for _, sigma := range []float64{.4, 1, 8} {
			last := 0.0
			for x := -25.0; x < 12; x += .37 {
				got, err := Renyi(sampled(q, sigma), 1+math.Exp2(x))
				require.NoError(t, err)
				require.GreaterOrEqual(t, got, last*(1-1e-12))
				wider, err := Renyi(sampled(q, sigma*1.01), 1+math.Exp2(x))
				require.NoError(t, err)
				require.Less(t, wider, got)
				last = got
			}
		}
	}
}
