package lattice

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// rounds is n, or fewer where they take long.
func rounds(n int) int {
	if underRace {
		return n / 8
	}
	return n
}

// TestFoldRareJumps: masses far below the rounding of the mass without a jump, against a convolution of positive numbers.
func TestFoldRareJumps(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(51, 52))
	for range rounds(40) {
		count := 1 + rng.IntN(6)
		rare := math.Exp(-5 - 25*rng.Float64())
		p := PMF{Step: 0.05, First: -3, Mass: make([]float64, 2+rng.IntN(60))}
		for k := range p.Mass {
			p.Mass[k] = rare * rng.Float64() * math.Exp(-0.3*float64(k))
		}
		p.Mass[rng.IntN(min(6, len(p.Mass)))] = 1 - rare
		exact := []float64{1}
		for range count {
			next := make([]float64, len(exact)+len(p.Mass)-1)
			for i, a := range exact {
				for j, b := range p.Mass {
					next[i+j] += a * b
				}
			}
			exact = next
		}
		for _, upper := range []bool{true, false} {
			f, err := fold([]power{{p, count}}, 2*rng.Float64(), int64(-3*count-2), plan512(t), upper)
			require.NoError(t, err)
			got := f.masses(upper)
			for k, m := range exact {
				g := got[k+2]
				if upper {
					require.GreaterOrEqual(t, g, m*(1-1e-14), "jumps %v, count %d, point %d", rare, count, k)
				} else {
					require.LessOrEqual(t, g, m*(1+1e-14), "jumps %v, count %d, point %d", rare, count, k)
				}
				require.InDelta(t, m, g, 1e-12*rare*math.Exp(2)+1e-11*m, "jumps %v, count %d, point %d", rare, count, k)
			}
		}
	}
}

// TestClippedTop: laws whose greatest losses count as infinite above and as one loss below still enclose delta, whether or not there is a hole.
func TestClippedTop(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(53, 54))
	curveOf := func(p PMF) func(eps float64) float64 {
		c := newCurve(p)
		return func(eps float64) float64 { return c.at(eps, true) + p.Inf }
	}
	for i := range rounds(60) {
		q, s := math.Exp(-9*rng.Float64()), 0.4+2*rng.Float64()
		m := poisson(t, q, s, false)
		exact := newSingle(m)
		far := math.Exp(-2 - 25*rng.Float64())
		step := 0.2 * math.Exp(-5*rng.Float64())
		c := m.whole()
		up, low, err := c.discretize(step, 1e-20, far, math.Inf(-1))
		require.NoError(t, err)
		u, l := curveOf(up), curveOf(low)
		for e := -1.0; e < 12; e += 0.13 {
			d := exact.delta(e)
			require.GreaterOrEqual(t, u(e), d.Lower*(1-1e-9), "case %d: q %v s %v far %v step %v eps %v", i, q, s, far, step, e)
			require.LessOrEqual(t, l(e), d.Upper*(1+1e-9)+1e-14, "case %d: q %v s %v far %v step %v eps %v", i, q, s, far, step, e)
		}
		// A hole, wherever the top begins: no output may count twice.
		a := m.lo - 3*s*rng.Float64()
		c.hole, c.a, c.b = true, a, a+8*s*rng.Float64()
		_, low, err = c.discretize(step, 1e-20, far, math.Inf(-1))
		require.NoError(t, err)
		var sum float64
		for _, v := range low.Mass {
			sum += v
		}
		require.LessOrEqual(t, sum, 1+1e-12, "case %d", i)
	}
}

// TestRareJumps: runs of few and rare jumps that left a wide interval once, by rounding, by a period made long by jumps that count in full
// anyway, or by a bulk that was taken apart needlessly. Lattices of all sizes must agree.
func TestRareJumps(t *testing.T) {
	t.Parallel()
	for i, row := range []struct {
		q, s  float64
		count int
		delta float64
		width float64
	}{
		{1.948e-6, .6058, 4, 2.6e-12, 3e-4}, {8.238e-6, .8199, 18, 2.17e-12, 3e-4}, {2.636e-5, 1.207, 29683, 1.31e-12, 2e-2},
		{1.77e-5, .9849, 35, 3.65e-6, 2e-3}, {5.584e-4, .8035, 17, 5.19e-4, 3e-3}, {1.131e-3, .5231, 2, 2.13e-12, 3e-4},
	} {
		if underRace && i > 1 {
			break
		}
		for _, add := range []bool{false, true} {
			parts := []Part{{Law: poisson(t, row.q, row.s, add), Count: row.count}}
			rough, err := EpsilonWithin(parts, row.delta, 1)
			require.NoError(t, err)
			b, err := Epsilon(parts, row.delta)
			require.NoError(t, err)
			require.LessOrEqual(t, b.Upper-b.Lower, row.width*b.Upper, "%+v %v", row, b)
			require.LessOrEqual(t, max(rough.Lower, b.Lower), min(rough.Upper, b.Upper), "%+v %v %v", row, rough, b)
			plans, err := newPlans(parts, row.delta, false)
			require.NoError(t, err)
			for _, whole := range []bool{false, true} {
				p := plans[0]
				p.whole = whole
				require.NoError(t, p.clip(b.Lower))
				p.aim(b.Lower)
				p.far *= 1e4 // costs width, not soundness
				for n := 1 << 10; n <= 1<<14; n *= 4 {
					c, err := p.compose(n)
					require.NoError(t, err)
					x, err := c.Epsilon(row.delta)
					require.NoError(t, err)
					require.LessOrEqual(t, max(x.Lower, b.Lower), min(x.Upper, b.Upper), "%+v: %d points %v, %v", row, n, x, b)
				}
			}
		}
	}
}

// TestEpsilons: where the greatest is asked for, every interval holds its own answer, and the greatest is known as well as if alone.
func TestEpsilons(t *testing.T) {
	t.Parallel()
	lists := [][]Part{
		{{Law: poisson(t, .004, .35, false), Count: 30}},
		{{Law: poisson(t, .004, .35, true), Count: 30}},
	}
	both, err := Epsilons(lists, 1e-6, 0)
	require.NoError(t, err)
	var want [2]Bound
	for i := range lists {
		want[i], err = Epsilon(lists[i], 1e-6)
		require.NoError(t, err)
		require.LessOrEqual(t, max(both[i].Lower, want[i].Lower), min(both[i].Upper, want[i].Upper))
	}
	require.Equal(t, want[0], both[0])
	require.Less(t, both[1].Upper, both[0].Lower)
	again, err := Epsilons(lists, 1e-6, 2*both[0].Upper)
	require.NoError(t, err)
	require.GreaterOrEqual(t, again[0].Upper-again[0].Lower, both[0].Upper-both[0].Lower, "nothing is gained by more")

	deltas, err := Deltas(lists, 1, 0)
	require.NoError(t, err)
	for i := range lists {
		d, err := Delta(lists[i], 1)
		require.NoError(t, err)
		require.LessOrEqual(t, max(deltas[i].Lower, d.Lower), min(deltas[i].Upper, d.Upper))
	}
	require.LessOrEqual(t, deltas[0].Upper-deltas[0].Lower, good*deltas[0].Upper)
}
