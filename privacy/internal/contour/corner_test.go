package contour

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Many unlike parts are planned with representatives whose weights can be off by orders of magnitude: the plan may then put delta far
// above 1. Such a plan is refused; it once had a negative number of nodes.
func TestPlanOfUnlikeParts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		var c Composition
		for range 100 {
			c.Parts = append(c.Parts, Part{math.Exp(-20 * r.Float64()), math.Exp(-3 + 8*r.Float64()), 1 + r.Int64N(100)})
		}
		for _, d := range []Direction{Remove, Add} {
			var w Workspace
			require.NoError(t, w.load(c))
			pl := w.lay(d, 0, 0)
			p, err := pl.forEps(0.5)
			if err != nil {
				require.ErrorIs(t, err, ErrNoCertificate)
				continue
			}
			require.True(t, p.h > 0 && p.nodes >= 2, "seed %d: h = %g, %d nodes", seed, p.h, p.nodes)
		}
	}
}

// The total variation of denormal rates and deltas is not rounded down.
func TestVariationOfDenormalRates(t *testing.T) {
	t.Parallel()
	// 3 * 2^-1074 * erf(1/(2 sqrt 2)) = 1.15 * 2^-1074
	_, err := Composition{Parts: []Part{{0x1p-1074, 1, 3}}}.Epsilon(Remove, 0x1p-1074)
	require.ErrorIs(t, err, ErrNoCertificate)
}

// The work is bounded over all parts of a chunk together, not only for each of them: a hundred parts once took many seconds.
func TestWorkIsSummed(t *testing.T) {
	t.Parallel()
	var w Workspace
	require.NoError(t, w.load(Composition{Parts: []Part{{0.01, 1, 1000}}}))
	pl := w.lay(Remove, 0, 0)
	p, err := pl.forDelta(1e-5)
	require.NoError(t, err)
	require.NoError(t, w.prove(&p, Remove, 0, 0))
	spent := w.totals[0].work
	require.Positive(t, spent)
	l := newLaw(w.parts[0], Remove)
	part := func(before float64) error {
		w.totals[0].reset(p.nodes)
		w.totals[0].work = before
		return w.scratch[0].part(&w.totals[0], &l, &p, 0, 2)
	}
	require.NoError(t, part(p.work-spent))
	require.ErrorIs(t, part(p.work-spent+1), ErrNoCertificate)
	require.ErrorIs(t, part(math.NaN()), ErrNoCertificate)
}
