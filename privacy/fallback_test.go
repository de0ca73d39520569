package privacy

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy/internal/contour"
	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
)

// run is one random case of the survey.
type run struct {
	q, sigma, delta float64
	steps           int
}

// refused draws the next case of which the contour leaves a direction open, and returns what is known of both.
func refused(t testing.TB, draw func() run) (c run, m makeup, sides [2]side) {
	var work contour.Workspace
	for {
		c = draw()
		var all recorder
		require.NoError(t, all.Add(sampled(c.q, c.sigma), c.steps))
		m = makeupOf(all.snapshot())
		for i, d := range directions() {
			sides[i] = side{bounds: unknown()}
			b, how, err := m.tight(d, methods{
				step: func(s normal.Sampled, d normal.Direction) (lo, hi float64, err error) { return s.Epsilon(c.delta, d) },
				contour: func(x contour.Composition, d contour.Direction) (contour.Bound, error) {
					return work.Epsilon(x, d, c.delta)
				},
			})
			if err == nil {
				sides[i].learn(b, how)
			}
		}
		if sides[0].width() > sharpEnough || sides[1].width() > sharpEnough {
			return c, m, sides
		}
	}
}

func (c run) lattice() methods {
	return methods{lattice: func(sides [][]lattice.Part, floor float64) ([]bounds, error) {
		return latticeEpsilon(sides, c.delta, floor)
	}}
}

// TestFallbackSurvey logs widths and times of the lattice where the contour refuses; SUREFOOT_SURVEY is the number of cases of each kind.
// For the time of one core run it with GOMAXPROCS=1.
func TestFallbackSurvey(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("SUREFOOT_SURVEY"))
	if err != nil {
		t.Skip("SUREFOOT_SURVEY is not set")
	}
	rng := rand.New(rand.NewPCG(77, 78))
	log := func(lo, hi float64) float64 { return math.Exp(math.Log(lo) + rng.Float64()*math.Log(hi/lo)) }
	for _, kind := range []struct {
		name string
		draw func() run
	}{
		{"whole range", func() run { return run{log(1e-6, 1), log(.3, 20), log(1e-12, 1e-2), int(log(1, 1e6))} }},
		{"rare jumps", func() run { return run{log(1e-6, 1e-3), log(.4, 2), log(1e-12, 1e-5), int(log(10, 1e5))} }},
		{"few steps", func() run { return run{log(1e-3, 1), log(.3, 1), log(1e-10, 1e-3), int(log(2, 100))} }},
	} {
		var widths, times []float64
		for range n {
			c, m, sides := refused(t, kind.draw)
			start := time.Now()
			require.NoError(t, m.sharpen(&sides, c.lattice()), "%+v", c)
			times = append(times, time.Since(start).Seconds()*1e3)
			w := sides[0].larger(sides[1].bounds).width()
			widths = append(widths, w)
			if !(w < 1e-2) {
				t.Logf("%+v: relative width %.1e", c, w)
			}
		}
		slices.Sort(widths)
		slices.Sort(times)
		at := func(v []float64, p float64) float64 { return v[int(p*float64(len(v)-1))] }
		t.Logf("%s: width p10 %.1e p50 %.1e p90 %.1e p95 %.1e max %.1e; ms p50 %.0f p90 %.0f p95 %.0f max %.0f", kind.name,
			at(widths, .1), at(widths, .5), at(widths, .9), at(widths, .95), at(widths, 1), at(times, .5), at(times, .9), at(times, .95), at(times, 1))
	}
}

// Runs that the contour leaves to the lattice, both directions from nothing. Peers on the like of them: Google's PLD accountant 1.1-1.6 s, Opacus' PRV
// .09-7.4 s, neither of them certified.
func BenchmarkFallback(b *testing.B) {
	for _, c := range []run{
		{.0014, .6748, 4.11e-6, 12}, {.03085, .3354, 1.88e-7, 49}, {1e-4, .6, 1e-6, 1000},
		{1.948e-6, .6058, 2.6e-12, 4}, {2.638e-5, .6641, 1.42e-9, 30586}, {2.636e-5, 1.207, 1.31e-12, 29683},
	} {
		b.Run(strconv.Itoa(c.steps), func(b *testing.B) {
			_, m, known := refused(b, func() run { return c })
			b.ReportAllocs()
			for b.Loop() {
				sides := known
				require.NoError(b, m.sharpen(&sides, c.lattice()))
			}
		})
	}
}
