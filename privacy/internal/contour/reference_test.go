package contour

import (
	"encoding/json"
	"math"
	"math/big"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// testdata/reference.json: eps(delta) and delta(at) of random compositions to 20 or more digits, computed with 50-digit arithmetic
// (Python, mpmath and fixed-point integers) by the contour integral with parameters of its own (other c, alias and tail margins e^-62,
// quadrature e^-95), each case twice on two lines that agree to 1e-19. Every float64 in the file is exact.
type reference struct {
	Parts     []Part
	Mu2       float64
	Direction string
	Delta     float64
	Eps       string
	At        float64
	DeltaAt   string `json:"delta_at"`
}

func (r reference) composition() (Composition, Direction) {
	if r.Direction == "add" {
		return Composition{Parts: r.Parts, Mu2: r.Mu2}, Add
	}
	return Composition{Parts: r.Parts, Mu2: r.Mu2}, Remove
}

func references(t *testing.T) []reference {
	data, err := os.ReadFile("testdata/reference.json")
	require.NoError(t, err)
	var all []reference
	require.NoError(t, json.Unmarshal(data, &all))
	require.Greater(t, len(all), 100)
	return all
}

// holds reports whether b contains the decimal number.
func holds(t *testing.T, b Bound, decimal string) bool {
	v, _, err := big.ParseFloat(decimal, 10, 200, big.ToNearestEven)
	require.NoError(t, err)
	return big.NewFloat(b.Lower).Cmp(v) <= 0 && big.NewFloat(b.Upper).Cmp(v) >= 0
}

func TestReference(t *testing.T) {
	t.Parallel()
	var w Workspace
	refused, wide := 0, 0
	all := references(t)
	for _, r := range all {
		c, d := r.composition()
		b, err := w.Epsilon(c, d, r.Delta)
		if err != nil {
			require.ErrorIs(t, err, ErrNoCertificate)
			refused++
			continue
		}
		require.True(t, holds(t, b, r.Eps), "eps %+v: %+v, true %s", r, b, r.Eps)
		if b.width() > 1e-8 {
			wide++
		}
		b, err = w.Delta(c, d, r.At)
		if err != nil {
			require.ErrorIs(t, err, ErrNoCertificate)
			refused++
			continue
		}
		require.True(t, holds(t, b, r.DeltaAt), "delta %+v: %+v, true %s", r, b, r.DeltaAt)
	}
	require.LessOrEqual(t, refused, len(all)/20)
	require.LessOrEqual(t, wide, len(all)/20)
}

// Each error term carries weight: without it some intervals miss the truth. The plans are degraded where the term would be
// too small to be seen.
func TestReferenceNoticesMissingTerms(t *testing.T) {
	t.Parallel()
	faults := []struct {
		name    string
		degrade func(p *plan)
		drop    func(s *series)
	}{
		{"rounding", func(*plan) {}, func(s *series) { s.errK, s.fixed, s.slope = 0, 0, 0 }},
		{"truncation", func(p *plan) { p.nodes = p.nodes*2/5 + 2 }, func(s *series) { s.logTail = math.Inf(-1) }},
		{"alias", func(p *plan) { p.h *= 2.5; p.nodes = p.nodes*2/5 + 2 }, func(s *series) { s.period *= 1e4 }},
		{"quadrature", func(p *plan) { p.scale = 1.7 }, func(s *series) { s.errK, s.fixed = 1e-12, 1e-12*s.amp[0] }},
	}
	all := references(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var w Workspace
			missed, answered := 0, 0
			for _, r := range all {
				c, d := r.composition()
				require.NoError(t, w.load(c))
				pl := w.lay(d, c.Mu2, 0)
				p, err := pl.forDelta(r.Delta)
				if err != nil || p.nodes > 2000 {
					continue
				}
				f.degrade(&p)
				p.h = few(p.h)
				if w.prove(&p, d, c.Mu2, 0) != nil {
					continue
				}
				if whole, err := w.series.invert(&p); err == nil {
					require.True(t, holds(t, whole, r.Eps), "%+v: %+v", r, whole) // the degraded plan itself is sound
				}
				f.drop(&w.series)
				if b, err := w.series.invert(&p); err == nil {
					answered++
					if !holds(t, b, r.Eps) {
						missed++
					}
				}
			}
			require.Greater(t, missed, answered/20, "of %d", answered)
		})
	}
}

// Intervals for one value from different lines, spacings and grids all contain the truth, whatever their width.
func TestContainmentAcrossPlans(t *testing.T) {
	t.Parallel()
	changes := []func(p *plan){
		func(p *plan) { p.c = few(p.c * 0.8) },
		func(p *plan) { p.c = few(p.c * 1.25) },
		func(p *plan) { p.h = few(p.h * 0.6); p.nodes = p.nodes * 5 / 3 },
		func(p *plan) { p.h = few(p.h * 1.4); p.nodes = p.nodes*5/7 + 1 },
		func(p *plan) { p.h = few(2 * math.Pi / (9 * math.Sqrt(p.vr))) }, // the usual rule; its upper ends stay sound
		func(p *plan) { p.scale = 0.6 },
		func(p *plan) { p.scale = 1.3 },
		func(p *plan) { p.nodes = p.nodes * 3 / 4 },
		func(p *plan) { p.high = few((p.c + p.high) / 2) },
	}
	var w Workspace
	answers := 0
	for i, r := range references(t) {
		if i%3 > 0 && os.Getenv("CONTOUR_LONG") == "" {
			continue
		}
		c, d := r.composition()
		require.NoError(t, w.load(c))
		for _, cut := range [...]float64{0, 1e-9, 1e-6} {
			if cut > 0 && d == Add {
				continue
			}
			pl := w.lay(d, c.Mu2, cut*r.Delta)
			base, err := pl.forDelta(r.Delta)
			if err != nil || base.nodes > 1500 {
				continue
			}
			for j, change := range changes {
				p := base
				change(&p)
				if !(p.high > p.c) {
					p.high = few(p.c * 1.5)
				}
				if w.prove(&p, d, c.Mu2, cut*r.Delta) != nil {
					continue
				}
				b, err := w.series.invert(&p)
				if err != nil {
					continue
				}
				answers++
				require.True(t, holds(t, b, r.Eps), "change %d, cut %g, %+v: %+v", j, cut, r, b)
			}
		}
	}
	require.Greater(t, answers, 250)
}
