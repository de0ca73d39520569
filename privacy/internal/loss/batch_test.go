package loss

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func gaussianCurve(mu float64) func(eps float64) float64 {
	return func(eps float64) float64 {
		return math.Max(0, 0.5*math.Erfc((eps/mu-mu/2)/math.Sqrt2)-math.Exp(eps)*0.5*math.Erfc((eps/mu+mu/2)/math.Sqrt2))
	}
}

func TestBatchDominates(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 8 {
		sigma, q := math.Exp(2.5*r.Float64()-1), math.Exp(-6*r.Float64())
		step := math.Pow(10, -1-1.5*r.Float64())
		slackened := func(f func(float64) float64) func(float64) (lo, hi float64) {
			return func(eps float64) (lo, hi float64) { // the difference of the tails errs by 1e-14
				return f(eps)*(1-1e-9) - 1e-14*(1+math.Exp(eps)), f(eps)*(1+1e-9) + 1e-14*(1+math.Exp(eps))
			}
		}
		remove := poissonCurve(gaussianCurve(2/sigma), q, false)
		add := poissonCurve(gaussianCurve(2/sigma), q, true)
		law, err := FixedBatch(sigma, q)
		require.NoError(t, err)
		dominates(t, law, step, 1e-14, slackened(func(eps float64) float64 { return math.Max(remove(eps), add(eps)) }), someEps(r, 5))
		low, high, err := FixedBatchZeroOut(sigma, q)
		require.NoError(t, err)
		near := gaussianCurve(1 / sigma)
		dominates(t, low, step, 1e-14, slackened(poissonCurve(near, q, false)), someEps(r, 5))
		dominates(t, high, step, 1e-14, slackened(poissonCurve(near, q, true)), someEps(r, 5))
		replace, err := TruncatedPoissonReplace(1000, q, 1000, sigma)
		require.NoError(t, err)
		dominates(t, replace, step, 1e-14, slackened(opposedCurve(1/sigma, q)), someEps(r, 5))
	}
}

// opposedCurve integrates the hockey stick of the replace-one pair of Poisson sampling.
func opposedCurve(mu, q float64) func(eps float64) float64 {
	return func(eps float64) float64 {
		const h = 4e-3
		sum := 0.0
		n := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
		o := opposed{mu, q}
		from := o.at(eps) // the integrand vanishes there: integrate to the right of the kink
		top := 12 + mu
		m := int((top-from)/h) &^ 1
		if m < 2 {
			return 0
		}
		w := (top - from) / float64(m)
		for i := 0; i <= m; i++ {
			x := from + float64(i)*w
			f := (1-q)*n(x) + q*n(x-mu) - math.Exp(eps)*((1-q)*n(x)+q*n(x+mu))
			switch {
			case i == 0 || i == m:
			case i%2 == 1:
				f *= 4
			default:
				f *= 2
			}
			sum += f * w / 3
		}
		return sum
	}
}

// The table of section 1.3 of the fact sheet: [lower by the pair of section 1.1, upper], peers' and own grids of 1e-4 to 1e-3.
func TestFixedBatchTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q, sigma     float64
		steps        int
		delta        float64
		upper, lower float64
		step, window float64
		long         bool
	}{
		{.01, 2, 1, 1e-5, 0.199450, 0.199450, 1e-3, 4, false},
		{.01, 2, 100, 1e-5, 0.768008, 0.718037, 2e-3, 4, false},
		{.01, 2, 1000, 1e-5, 2.198926, 1.828265, 3e-3, 4, false},
		{.01, 4, 1000, 1e-5, 0.718584, 0.622049, 2e-3, 2, false},
		{.001, 1, 1000, 1e-6, 4.283742, 4.235123, 6e-3, 8, false},
		{.001, .8, 10000, 1e-6, 16.319195, 15.252252, 3e-2, 22, false},
		{.1, 10, 500, 1e-5, 1.913788, 1.806218, 1e-3, 5, true},
	} {
		if c.long && !sweep() {
			continue
		}
		law, err := FixedBatch(c.sigma, c.q)
		require.NoError(t, err)
		lo, hi := bracket(t, law, c.step, c.steps, c.window, c.delta)
		t.Logf("q %v sigma %v T %d: [%.6f, %.6f], table %.6f %.6f", c.q, c.sigma, c.steps, lo, hi, c.lower, c.upper)
		require.InEpsilon(t, c.upper, hi, 1e-2)
		require.Greater(t, hi, c.upper*(1-1e-4))
		require.LessOrEqual(t, lo, c.lower*(1+1e-5))
	}
}

func TestTruncation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n        int64
		q        float64
		batch    int64
		full, q0 float64
	}{
		{1e4, .01, 150, 1.64838851e-6, .00981820},
		{1e4, .01, 120, .0275314631, .00963893},
		{1e4, .01, 110, .169136002, .00949272},
	} {
		full, inside, err := truncation(c.n, c.q, c.batch)
		require.NoError(t, err)
		require.LessOrEqual(t, full.lo, full.hi)
		require.Less(t, full.hi-full.lo, 1e-11*full.hi)
		require.InEpsilon(t, c.full, full.hi, 3e-9)
		require.InEpsilon(t, c.q0, inside, 1e-6)
	}
	// Far tails keep their relative accuracy: P[Bin(999, 0.01) >= 100] by the ratio of its terms.
	full, _, err := truncation(1000, 0.01, 100)
	require.NoError(t, err)
	term, sum := 0.0, 0.0
	for j := 100; j <= 999; j++ {
		if j == 100 {
			a, _ := math.Lgamma(1000)
			b, _ := math.Lgamma(101)
			d, _ := math.Lgamma(900)
			term = math.Exp(a - b - d + 100*math.Log(0.01) + 899*math.Log1p(-0.01))
		}
		sum += term
		term *= float64(999-j) / float64(j+1) * 0.01 / 0.99
	}
	require.InEpsilon(t, sum, full.hi, 1e-10)
	require.Less(t, sum, 1e-55)
}

// Table of section 2 and the golden family: published values are upper bounds of the looser second pair.
func TestTruncatedPoisson(t *testing.T) {
	t.Parallel()
	eval := func(n int64, q float64, batch int64, sigma float64, steps int, delta, step, window float64) float64 {
		remove, add, err := TruncatedPoisson(n, q, batch, sigma)
		require.NoError(t, err)
		_, a := bracket(t, remove, step, steps, window, delta)
		_, b := bracket(t, add, step, steps, window, delta)
		return math.Max(a, b)
	}
	require.InEpsilon(t, 0.364084, eval(1e4, .01, 150, 1, 1, 1e-6, 1e-3, 4), 1e-4)
	require.InEpsilon(t, 2.137604, eval(1e4, .01, 150, 1, 1000, 1e-6, 5e-3, 5), 1e-2)
	require.InEpsilon(t, 6.451731, eval(1e4, .01, 120, 1, 1000, 1e-6, 5e-3, 9), 1e-2)
	require.InEpsilon(t, 1.182761, eval(1e4, .01, 110, 2, 1000, 1e-6, 2e-3, 3), 1e-2)
	replace, err := TruncatedPoissonReplace(1e4, .01, 110, 2)
	require.NoError(t, err)
	_, hi := bracket(t, replace, 2e-3, 1000, 4, 1e-6)
	t.Logf("replace one, batch 110: %.6f (peer's looser or other pair 1.781198, plain 1.374506)", hi)
	require.Greater(t, hi, 1.374506)
	for _, r := range references(t, "truncated_poisson_gaussian") {
		got := eval(r.N, r.Q, r.MaxBatch, r.Sigma, r.Steps, r.Delta, math.Min(6e-3, r.Q/2), r.Expect.PLD.Upper+2)
		t.Logf("%s %.6f peer %.6f", r.ID, got, r.Expect.PLD.Upper)
		require.LessOrEqual(t, got, r.Expect.PLD.Upper*(1+2e-2), r.ID)
	}
}

// A batch that holds everyone is never cut down: plain Poisson sampling, whose remove direction is known to 12 digits from a
// certified contour integral.
func TestUntruncated(t *testing.T) {
	t.Parallel()
	remove, add, err := TruncatedPoisson(1000, 0.01, 1000, 1)
	require.NoError(t, err)
	for _, c := range []struct {
		steps int
		want  float64
		step  float64
		width float64
	}{{100, .718035661344, 2e-3, 1e-2}, {1000, 1.828236666517, 3e-3, 3e-2}} {
		lo, hi := bracket(t, remove, c.step, c.steps, 4, 1e-5)
		require.LessOrEqual(t, lo, c.want)
		require.GreaterOrEqual(t, hi, c.want)
		require.Less(t, hi-lo, c.width*hi)
		_, over := bracket(t, add, c.step, c.steps, 4, 1e-5)
		require.Less(t, over, hi)
		t.Logf("T %d [%.6f, %.6f] truth %.6f", c.steps, lo, hi, c.want)
	}
}

// Zeroing a record costs less than replacing it, and at least what Poisson sampling costs (.622049, the pair of zero others).
func TestFixedBatchZeroOut(t *testing.T) {
	t.Parallel()
	remove, add, err := FixedBatchZeroOut(2, 0.01)
	require.NoError(t, err)
	lo, hi := bracket(t, remove, 4e-3, 1000, 4, 1e-5)
	_, over := bracket(t, add, 4e-3, 1000, 4, 1e-5)
	t.Logf("zero out [%.5f, %.5f], add below %.5f", lo, hi, over)
	require.LessOrEqual(t, lo, 0.622049*(1+1e-4))
	require.Less(t, hi, 1.58)
	require.Greater(t, hi, 1.55)
	require.Less(t, over, hi)
}
