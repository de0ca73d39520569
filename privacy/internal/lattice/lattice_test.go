package lattice

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func poisson(t testing.TB, q, s float64, add bool) *Mixture {
	m, err := Poisson(q, s, add)
	require.NoError(t, err)
	return m
}

// gaussian is the closed form of delta (Balle and Wang 2018) for mu = shift/sigma, good to about 1e-14 relative here.
func gaussian(mu, eps float64) float64 {
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	return phi(mu/2-eps/mu) - math.Exp(eps)*phi(-mu/2-eps/mu)
}

// TestSmallDelta: the table of dp accounting by FFT without a tilt, which falls below the truth from 1e-10 on (trap T5).
func TestSmallDelta(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		q, sigma float64
		count    int
		delta    float64
		exact    float64 // rounded to 8 or 10 decimals
		tol      float64
	}{
		{1, 20, 400, 1e-6, 4.88655412, 5e-9}, {1, 20, 400, 1e-8, 5.77609838, 5e-9}, {1, 20, 400, 1e-10, 6.54792407, 5e-9},
		{1, 20, 400, 1e-12, 7.23849442, 5e-9}, {1, 20, 400, 1e-13, 7.56019846, 5e-9}, {1, 20, 400, 1e-14, 7.86873630, 5e-9},
		{.01, 1, 1000, 1e-6, 2.1245151712, 5e-11}, {.01, 1, 1000, 1e-8, 2.6978679345, 5e-11},
		{.01, 1, 1000, 1e-10, 3.2904437509, 5e-11}, {.01, 1, 1000, 1e-12, 3.9142981560, 5e-11}, {.01, 1, 1000, 1e-14, 4.5437019886, 5e-11},
	} {
		b, err := Epsilon([]Part{{Law: poisson(t, row.q, row.sigma, false), Count: row.count}}, row.delta)
		require.NoError(t, err)
		require.GreaterOrEqual(t, b.Upper, row.exact-row.tol, "%+v", row)
		require.LessOrEqual(t, b.Lower, row.exact+row.tol, "%+v", row)
		require.Less(t, b.Upper-b.Lower, 5e-4*b.Upper, "%+v", row)
	}
}

// TestGaussian: against the closed form, delta down to about 1e-21 (trap T23: tails set no floor there).
func TestGaussian(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		sigma float64
		count int
		eps   float64
	}{{1, 1, 1}, {5, 1, 1}, {2, 4, 3}, {.7, 3, 20}, {20, 400, 2}, {20, 400, 9.9}, {100, 10000, 4}, {1e3, 1, .002}, {.05, 2, 600}} {
		m, err := NewMixture([]Component{{1, 1}}, []Component{{1, 0}}, row.sigma)
		require.NoError(t, err)
		b, err := Delta([]Part{{Law: m, Count: row.count}}, row.eps)
		require.NoError(t, err)
		want := gaussian(math.Sqrt(float64(row.count))/row.sigma, row.eps)
		require.GreaterOrEqual(t, b.Upper, want*(1-1e-7), "%+v", row)
		require.LessOrEqual(t, b.Lower, want*(1+1e-7), "%+v", row)
		require.Less(t, b.Upper-b.Lower, 1e-3*b.Upper, "%+v %v", row, b)
	}
}

// TestRegressions holds the cases that broke an earlier certificate: a forgotten end term, a NaN in the alias term, an
// alias from the right (trap T6), a self-check that agreed on a wrong value (T7), rare jumps (T9).
func TestRegressions(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		q, sigma float64
		count    int
		delta    float64
		add      bool
		eps, tol float64
	}{
		{.02306820982561325, 2.1736299607737064, 2, 3.9498741713795103e-7, true, .0321342501736, 1e-12},
		{.01, 1.1, 10, 1e-5, false, .2717363284, 1e-10},
		{.01, 1, 100, 1e-5, false, .71803566133, 1e-10},
	} {
		b, err := Epsilon([]Part{{Law: poisson(t, row.q, row.sigma, row.add), Count: row.count}}, row.delta)
		require.NoError(t, err)
		require.LessOrEqual(t, b.Lower, row.eps+row.tol, "%+v", row)
		require.GreaterOrEqual(t, b.Upper, row.eps-row.tol, "%+v", row)
		require.Less(t, b.Upper-b.Lower, 5e-4*b.Upper, "%+v", row)
	}
}

// TestTilt: any tilt is sound, a bad one only wide (trap T6).
func TestTilt(t *testing.T) {
	t.Parallel()
	const truth = .2717363284
	parts := []Part{{Law: poisson(t, .01, 1.1, false), Count: 10}}
	for _, row := range [][2]float64{{6, 7}, {8, 5.25}, {12, 3.5}, {12, 8}, {2, 3}, {1, 40}, {25, 2}} {
		p, err := newPlan(parts, 1e-5, upperSide)
		require.NoError(t, err)
		p.aim(.27)
		p.tilt, p.period = row[0], row[1]
		for _, n := range []int{1 << 9, 1 << 12} {
			c, err := p.compose(n)
			if err != nil {
				continue // a refusal is no number
			}
			b, err := c.Epsilon(1e-5)
			require.NoError(t, err)
			require.LessOrEqual(t, b.Lower, truth+1e-10, "%v", row)
			require.GreaterOrEqual(t, b.Upper, truth-1e-10, "%v", row)
		}
	}
}

// draw is a random composition: every fifth has several parts.
func draw(t testing.TB, rng *rand.Rand, maxCount float64, add bool) (parts []Part, delta float64) {
	lu := func(a, b float64) float64 { return math.Exp(math.Log(a) + rng.Float64()*math.Log(b/a)) }
	n := 1
	if rng.IntN(5) == 0 {
		n = 2 + rng.IntN(3)
	}
	for range n {
		var m *Mixture
		var err error
		q, s := lu(1e-6, 1), lu(.3, 20)
		switch rng.IntN(8) {
		case 0:
			m, err = PoissonReplaceOne(q, s)
		case 1:
			w := rng.Float64()
			mix, base := []Component{{1 - q, 0}, {q * w, 1}, {q * (1 - w), 2 * rng.Float64()}}, []Component{{1, 0}}
			if add {
				mix, base = base, mix
			}
			m, err = NewMixture(mix, base, s)
		default:
			m, err = Poisson(q, s, add)
		}
		require.NoError(t, err)
		parts = append(parts, Part{Law: m, Count: int(lu(1, maxCount))})
	}
	return parts, lu(1e-12, 1e-2)
}

// cases is the number of random cases: few in a plain run, more when asked for.
func cases(t *testing.T, few, short int) int {
	if v, err := strconv.Atoi(os.Getenv("SUREFOOT_CASES")); err == nil && v > 0 {
		return v
	}
	if testing.Short() || underRace {
		return short
	}
	return few
}

// TestSizesMeet: lattices of different sizes, and delta and eps, never contradict each other.
func TestSizesMeet(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(21, 22))
	answers := 0
	for i := range cases(t, 40, 10) {
		parts, delta := draw(t, rng, 1e6, i%2 == 0)
		p, err := newPlan(parts, delta, upperSide)
		require.NoError(t, err)
		meet := Bound{0, math.Inf(1)}
		for _, n := range []int{1 << 8, 1 << 9, 1 << 11} {
			c, err := p.compose(n)
			if err != nil {
				continue
			}
			b, err := c.Epsilon(delta)
			require.NoError(t, err)
			if b.Upper < math.Inf(1) {
				answers++
				p.follow(b)
			}
			meet = Bound{max(meet.Lower, b.Lower), min(meet.Upper, b.Upper)}
			require.LessOrEqual(t, meet.Lower, meet.Upper, "case %d: %v of n=%d, delta %v", i, b, n, delta)
		}
	}
	require.Positive(t, answers)
}

// TestSingleStep: the lattice against the closed form for one step.
func TestSingleStep(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(23, 24))
	for i := range cases(t, 400, 15) {
		parts, delta := draw(t, rng, 1.5, i%2 == 0)
		m := parts[0].Law.(*Mixture)
		p, err := newPlan(parts[:1], delta, upperSide)
		require.NoError(t, err)
		exact := newSingle(m)
		if i%20 == 0 {
			want := crossing(exact.delta, delta)
			require.LessOrEqual(t, want.Lower, want.Upper)
			require.Less(t, want.Upper-want.Lower, 1e-7*want.Upper+1e-8, "case %d", i)
			p.aim(want.Lower)
		}
		c, err := p.compose(1 << 8)
		if err != nil {
			continue
		}
		for _, f := range []float64{0, .6, 1.3} {
			e := f * p.guess
			d, err := c.Delta(e)
			require.NoError(t, err)
			want := exact.delta(e)
			require.LessOrEqual(t, d.Lower, want.Upper, "case %d eps %v: lattice %v, closed form %v", i, e, d, want)
			require.GreaterOrEqual(t, d.Upper, want.Lower, "case %d eps %v: lattice %v, closed form %v", i, e, d, want)
		}
	}
}

// TestSingleClosedForm checks the closed form itself against error functions.
func TestSingleClosedForm(t *testing.T) {
	t.Parallel()
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	for _, q := range []float64{1e-3, .1, .7} {
		for _, s := range []float64{.5, 1, 3} {
			for _, eps := range []float64{.01, .3, 2} {
				x := s*s*math.Log1p(math.Expm1(eps)/q) + .5
				want := (1-q)*phi(-x/s) + q*phi((1-x)/s) - math.Exp(eps)*phi(-x/s)
				b := newSingle(poisson(t, q, s, false)).delta(eps)
				require.LessOrEqual(t, b.Lower, want+1e-15)
				require.GreaterOrEqual(t, b.Upper, want-1e-15)
				require.Less(t, b.Upper-b.Lower, 1e-11*b.Upper+1e-30, "q=%v s=%v eps=%v", q, s, eps)
			}
		}
	}
}

// TestCounts: splitting a part into two of the same law changes nothing that is certified (trap T4).
func TestCounts(t *testing.T) {
	t.Parallel()
	m := poisson(t, .002, .8, false)
	a, err := Epsilon([]Part{{Law: m, Count: 300}}, 1e-6)
	require.NoError(t, err)
	b, err := Epsilon([]Part{{Law: m, Count: 100}, {Law: m, Count: 200}}, 1e-6)
	require.NoError(t, err)
	require.LessOrEqual(t, max(a.Lower, b.Lower), min(a.Upper, b.Upper))
	require.Less(t, b.Upper-b.Lower, 1e-3*b.Upper)
	c, err := Epsilon([]Part{{Law: m, Count: 301}}, 1e-6)
	require.NoError(t, err)
	require.Greater(t, c.Upper, a.Lower)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	m := poisson(t, .01, 1, false)
	nan, inf := math.NaN(), math.Inf(1)
	for _, d := range []float64{0, 1, -1, nan, inf} {
		_, err := Epsilon([]Part{{Law: m, Count: 1}}, d)
		require.ErrorIs(t, err, ErrParameter)
	}
	for _, e := range []float64{-1, nan, inf} {
		_, err := Delta([]Part{{Law: m, Count: 2}}, e)
		require.ErrorIs(t, err, ErrParameter)
	}
	for _, parts := range [][]Part{{{}}, {{Law: m}}, {{Law: m, Count: -1}}, {{Law: m, Prior: &Composed{}, Count: 1}}, {{Law: m, Count: math.MaxInt32}}} {
		_, err := Compose(parts, 1e-5)
		require.ErrorIs(t, err, ErrParameter)
	}
	for _, row := range [][2]float64{{0, 1}, {-.1, 1}, {1.1, 1}, {nan, 1}, {.5, 0}, {.5, nan}, {.5, inf}, {.5, -1}} {
		_, err := Poisson(row[0], row[1], false)
		require.ErrorIs(t, err, ErrParameter)
		_, err = PoissonReplaceOne(row[0], row[1])
		require.ErrorIs(t, err, ErrParameter)
	}
	for _, p := range [][]Component{nil, {{.5, 0}}, {{1, nan}}, {{nan, 0}}, {{-1, 0}, {2, 1}}, {{.5, -1}, {.5, 1}}} {
		_, err := NewMixture(p, []Component{{1, 0}}, 1)
		require.ErrorIs(t, err, ErrParameter, "%v", p)
	}
	var none *Composed
	_, err := none.Delta(1)
	require.ErrorIs(t, err, ErrParameter)
	_, err = none.Epsilon(.5)
	require.ErrorIs(t, err, ErrParameter)
	b, err := Epsilon(nil, 1e-5)
	require.NoError(t, err)
	require.Zero(t, b)
	d, err := (&Composed{}).Delta(0)
	require.NoError(t, err)
	require.Zero(t, d)
}

// bad is a law that breaks its contract.
type bad struct{ mass float64 }

func (b bad) Discretize(step, tail float64) (upper, lower PMF, err error) {
	p := PMF{Step: step, Mass: []float64{b.mass, 0.5}}
	return p, p, nil
}

func TestForeignLaw(t *testing.T) {
	t.Parallel()
	for _, m := range []float64{math.NaN(), math.Inf(1), -1, 3} {
		_, err := Epsilon([]Part{{Law: bad{m}, Count: 3}}, 1e-5)
		require.Error(t, err)
	}
	// Randomized response at eps0 = 1 is on the lattice of step 2: an exact law.
	p := math.E / (1 + math.E)
	b, err := Epsilon([]Part{{Law: response{p}, Count: 4}}, 1e-3)
	require.NoError(t, err)
	want := 0.0
	for k, c := range []float64{1, 4, 6, 4, 1} { // k answers of loss -1
		w := c * math.Pow(p, float64(4-k)) * math.Pow(1-p, float64(k))
		want += w * max(0, 1-math.Exp(b.Upper-float64(4-2*k)))
	}
	require.InDelta(t, 1e-3, want, 1e-5)
	require.GreaterOrEqual(t, want, 0.0)
	require.LessOrEqual(t, want, 1e-3*(1+1e-9))
}

// response is binary randomized response of loss +1 with probability p, else -1, put on any lattice by its cells.
type response struct{ p float64 }

func (r response) Discretize(step, tail float64) (upper, lower PMF, err error) {
	p := PMF{Step: 2, Offset: 1, First: -1, Mass: []float64{1 - r.p, r.p}}
	upper, lower, err = (&factor{p, p}).discretize(step)
	return upper, lower, err
}
