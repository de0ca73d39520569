package contour

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomLaw draws a law, a line and, now and then in the remove direction, a cut.
func randomLaw(r *rand.Rand) (law, float64) {
	q := math.Exp(-6 * r.Float64() * r.Float64())
	d := Direction(r.IntN(2))
	l := newLaw(Part{Rate: min(q, 0.97), Sigma: math.Exp(-1 + 2.5*r.Float64()), Count: 1}, d)
	c := few(math.Exp(-1 + 4*r.Float64()))
	if d == Remove {
		c = few(min(c, 10*l.sigma*l.sigma+2))
		if r.IntN(3) == 0 {
			l.cut = math.Ceil(64*(1+4*r.Float64())) / 64
		}
	}
	return l, c
}

// direct sums phi at t on a grid by the library's functions.
func direct(g *grid, t float64) complex128 {
	var sum complex128
	for j, wt := range g.wt {
		sum += complex(wt, 0) * cmplx.Exp(complex(0, t*g.ell[j]))
	}
	return sum
}

// Theorem 3: on coarse steps the true error is visible, and within the bound.
func TestStripBoundsQuadrature(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 1))
	var fine, coarse grid
	var st strip
	tight, useful := 0, 0
	for range 600 {
		l, c := randomLaw(r)
		base := coarseStep(&l, c)
		if !fine.fill(&l, c, few(base/16), 45, maxGrid) {
			continue
		}
		step := few(base * (0.15 + r.Float64()))
		if !coarse.fill(&l, c, step, 45, maxGrid) || len(coarse.wt) < 3 {
			continue
		}
		st.measure(&coarse, &l, c)
		for _, s := range [...]float64{0, 0.5, 2, 5, 12, 30} {
			x := s / math.Sqrt(fine.vr) * r.Float64()
			if x*fine.step*l.s > 0.7 { // the fine grid is the truth
				continue
			}
			// sums in the scale of the coarse Z
			ratio := math.Exp(fine.logZ - coarse.logZ)
			got := cmplx.Abs(direct(&coarse, x) - direct(&fine, x)*complex(ratio, 0))
			bound := st.alpha(x)
			slack := 1e-12
			if fine.cut { // the midpoint error of the fine rule itself
				slack += 2e-2 * got
			}
			require.LessOrEqual(t, got, bound*max(1, ratio)+slack, "law %+v c %g t %g step %g", l, c, x, step)
			if bound < 1e-2 {
				useful++
				if got > 1e-4*bound && got > 1e-12 {
					tight++
				}
			}
		}
	}
	require.Greater(t, useful, 300)
	require.Greater(t, tight, 50) // bounds of nothing prove nothing
}

// Theorem 2: |phi| stays below the shift bound from t on.
func TestShiftBoundsTail(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 1))
	var g grid
	var st strip
	useful := 0
	for range 400 {
		l, c := randomLaw(r)
		if !g.fill(&l, c, few(coarseStep(&l, c)/12), 45, maxGrid) {
			continue
		}
		st.measure(&g, &l, c)
		for range 3 {
			x := 8 * r.Float64() / math.Sqrt(g.vr)
			theta := 2.9 * r.Float64() * r.Float64()
			fine := 1e-6
			if r.IntN(2) == 0 {
				fine = 1e3 // any stride must do
			}
			b := shiftBound(&g, &l, &st, theta, fine, x, 1e-9)
			if b >= 0 {
				continue
			}
			useful++
			for _, f := range [...]float64{1, 1.05, 1.3, 2, 3.7} {
				if x*f*g.step*l.s > 1 {
					break
				}
				got := cmplx.Abs(direct(&g, x*f))
				slack := 1e-10
				if g.cut {
					slack = 1e-3
				}
				require.LessOrEqual(t, got, math.Exp(b)+slack, "law %+v c %g t %g theta %g", l, c, x*f, theta)
			}
		}
	}
	require.Greater(t, useful, 200)
}

// The rotations agree with direct evaluation to a small part of their bound, also for small angles, where the error must be
// proportional to the angle.
func TestPhases(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 1))
	for _, n := range []int{1, 2, 63, 64, 65, 200} {
		g := grid{ell: make([]float64, n), wt: make([]float64, n)}
		var sum, size float64
		for i := range n {
			g.ell[i] = r.NormFloat64()
			g.wt[i] = r.Float64()
			sum += g.wt[i]
		}
		const m = 0.125
		for i := range n {
			g.wt[i] /= sum
			size += g.wt[i] * math.Abs(g.ell[i]-m)
		}
		for _, h := range []float64{0x1p-30, 0x1p-8, 0.3} {
			for _, nodes := range []int{1, 2, 3, 7, 81, 500} {
				var p phases
				re, im := make([]float64, nodes), make([]float64, nodes)
				p.add(&g, 1, m, h, re, im)
				for k := range nodes {
					var a, b float64
					for i, wt := range g.wt {
						c, s := turn(float64(k) * h * (g.ell[i] - m))
						a += wt * c
						b += wt * s
					}
					bound := rotation(float64(n)) * size * float64(k) * h
					require.LessOrEqual(t, math.Hypot(re[k]-a, im[k]-b), bound, "n %d h %g k %d", n, h, k)
				}
			}
		}
	}
}

// Theorem 1: the sum exceeds delta by no more than the alias bound, and never lies below.
func TestAliasBound(t *testing.T) {
	t.Parallel()
	var w Workspace
	visible := 0
	for _, c := range []Composition{
		{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: 1000}}},
		{Parts: []Part{{Rate: 0.2, Sigma: 2, Count: 40}}, Mu2: 0.1},
		{Mu2: 1},
	} {
		for _, d := range []Direction{Remove, Add} {
			truth, err := c.Delta(d, 1)
			require.NoError(t, err)
			require.NoError(t, w.load(c))
			pl := w.lay(d, c.Mu2, 0)
			p, err := pl.forEps(1)
			require.NoError(t, err)
			last := p.h * float64(p.nodes)
			for _, f := range []float64{1.5, 2, 2.5, 3, 4} {
				q := p
				q.h = few(p.h * f)
				q.nodes = int(last/q.h) + 2
				require.NoError(t, w.prove(&q, d, c.Mu2, 0))
				v, _ := w.series.logAt(1)
				sum, alias := math.Exp(v), w.series.alias(1, 0)
				require.GreaterOrEqual(t, sum, truth.Lower*(1-1e-9))
				require.LessOrEqual(t, sum, truth.Upper+alias)
				if sum > 1.001*truth.Upper {
					visible++
				}
			}
		}
	}
	require.Greater(t, visible, 5)
}
