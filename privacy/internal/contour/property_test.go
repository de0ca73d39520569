package contour

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	c := distinct(100)
	for i := range c.Parts {
		c.Parts[i].Count = int64(1 + i%3)
	}
	c.Mu2 = 0.03
	var w Workspace
	for _, d := range []Direction{Remove, Add} {
		want, err := w.Epsilon(c, d, 1e-6)
		require.NoError(t, err)
		shuffled := Composition{Parts: slices.Clone(c.Parts), Mu2: c.Mu2}
		r := rand.New(rand.NewPCG(1, 1))
		r.Shuffle(len(shuffled.Parts), func(i, j int) {
			shuffled.Parts[i], shuffled.Parts[j] = shuffled.Parts[j], shuffled.Parts[i]
		})
		first := shuffled.Parts[0]
		for first.Count > 1 { // one part in pieces
			first.Count--
			shuffled.Parts[0].Count--
			shuffled.Parts = append(shuffled.Parts, Part{Rate: first.Rate, Sigma: first.Sigma, Count: 1})
		}
		got, err := shuffled.Epsilon(d, 1e-6) // with buffers of its own
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestBitsDoNotDependOnProcessors(t *testing.T) {
	c := distinct(200)
	want, err := c.Epsilon(Remove, 1e-5)
	require.NoError(t, err)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	got, err := c.Epsilon(Remove, 1e-5)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// A part in two, with multipliers one ulp apart, is the same composition within the assumption on Sigma.
func TestSplitParts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 1))
	var w Workspace
	answers := 0
	for range 36 {
		p := Part{Rate: math.Exp(-4 * r.Float64()), Sigma: math.Exp(2.3*r.Float64() - 0.5), Count: 20 + int64(math.Exp(9*r.Float64()))}
		delta := math.Exp(-25 * r.Float64())
		for _, d := range []Direction{Remove, Add} {
			one, err1 := w.Epsilon(Composition{Parts: []Part{p}}, d, delta)
			a, b := p, p
			a.Count = 1 + r.Int64N(p.Count-1)
			b.Count -= a.Count
			b.Sigma = math.Nextafter(b.Sigma, 100)
			two, err2 := w.Epsilon(Composition{Parts: []Part{a, b}}, d, delta)
			if err1 != nil || err2 != nil {
				continue
			}
			answers++
			require.LessOrEqual(t, one.Lower, two.Upper, "%+v", p)
			require.LessOrEqual(t, two.Lower, one.Upper, "%+v", p)
		}
	}
	require.Greater(t, answers, 50)
}

// The true eps grows with parts and counts and falls with delta and sigma; so intervals cannot be ordered the other way round.
func TestMonotone(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 1))
	var w Workspace
	answers := 0
	for range 26 {
		p := Part{Rate: 0.9 * math.Exp(-4*r.Float64()), Sigma: math.Exp(2.3*r.Float64() - 0.5), Count: 10 + int64(math.Exp(9*r.Float64()))}
		delta := math.Exp(-3 - 20*r.Float64())
		more, noisier, denser := p, p, p
		more.Count += 1 + p.Count/50
		noisier.Sigma *= 1.01
		denser.Rate *= 1.01
		for _, d := range []Direction{Remove, Add} {
			base, err := w.Epsilon(Composition{Parts: []Part{p}}, d, delta)
			if err != nil {
				continue
			}
			atLeast := func(c Composition, delta float64) {
				if b, err := w.Epsilon(c, d, delta); err == nil {
					answers++
					require.GreaterOrEqual(t, b.Upper, base.Lower, "%+v %v %g: %+v", c, d, delta, b)
				}
			}
			atLeast(Composition{Parts: []Part{more}}, delta)
			atLeast(Composition{Parts: []Part{denser}}, delta)
			atLeast(Composition{Parts: []Part{p}, Mu2: 0.01}, delta)
			atLeast(Composition{Parts: []Part{p, {Rate: 0.01, Sigma: 3, Count: 5}}}, delta)
			atLeast(Composition{Parts: []Part{p}}, delta*0.9)
			if b, err := w.Epsilon(Composition{Parts: []Part{noisier}}, d, delta); err == nil {
				require.LessOrEqual(t, b.Lower, base.Upper)
			}
		}
	}
	require.Greater(t, answers, 150)
}

// delta(eps(delta)) comes back to delta.
func TestDeltaInvertsEpsilon(t *testing.T) {
	t.Parallel()
	c := Composition{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: 5000}, {Rate: 0.02, Sigma: 2, Count: 300}}, Mu2: 0.01}
	for _, d := range []Direction{Remove, Add} {
		for _, delta := range []float64{1e-2, 1e-5, 1e-9, 1e-15, 1e-40} {
			e, err := c.Epsilon(d, delta)
			require.NoError(t, err)
			low, err := c.Delta(d, e.Upper)
			require.NoError(t, err)
			require.LessOrEqual(t, low.Lower, delta)
			high, err := c.Delta(d, e.Lower)
			require.NoError(t, err)
			require.GreaterOrEqual(t, high.Upper, delta)
			require.InEpsilon(t, delta, high.Upper, 1e-6)
		}
	}
}

// q -> 1 meets the Gaussian, and so does the Gaussian part alone: mu = 1, delta(1) = Phi(-1/2) - e Phi(-3/2).
func TestGaussianLimit(t *testing.T) {
	t.Parallel()
	tail := func(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }
	want := tail(0.5) - math.E*tail(1.5)
	for _, c := range []Composition{{Mu2: 1}, {Parts: []Part{{Rate: 1 - 1e-12, Sigma: 10, Count: 100}}}, {Parts: []Part{{Rate: 1 - 1e-12, Sigma: 10, Count: 50}}, Mu2: 0.5}} {
		for _, d := range []Direction{Remove, Add} {
			b, err := c.Delta(d, 1)
			require.NoError(t, err)
			require.InEpsilon(t, want, b.Upper, 1e-9)
			require.InEpsilon(t, want, b.Lower, 1e-9)
		}
	}
}

func TestInput(t *testing.T) {
	t.Parallel()
	ok := Part{Rate: 0.01, Sigma: 1, Count: 100}
	for _, p := range []Part{
		{0, 1, 1}, {1, 1, 1}, {-0.1, 1, 1}, {math.NaN(), 1, 1}, {math.Inf(1), 1, 1},
		{0.1, 0, 1}, {0.1, -1, 1}, {0.1, math.NaN(), 1}, {0.1, math.Inf(1), 1}, {0.1, 1, -1}, {0.1, 1, 1<<53 + 1},
	} {
		_, err := Composition{Parts: []Part{ok, p}}.Epsilon(Remove, 1e-5)
		require.Error(t, err, "%+v", p)
		require.NotErrorIs(t, err, ErrNoCertificate)
	}
	for _, mu2 := range []float64{-1, math.NaN(), math.Inf(1)} {
		_, err := Composition{Parts: []Part{ok}, Mu2: mu2}.Delta(Add, 1)
		require.Error(t, err)
	}
	for _, x := range []float64{math.NaN(), math.Inf(1), -1, 1, 0, 2} {
		_, err := Composition{Parts: []Part{ok}}.Epsilon(Remove, x)
		require.Error(t, err)
	}
	for _, x := range []float64{math.NaN(), math.Inf(1), -1} {
		_, err := Composition{Parts: []Part{ok}}.Delta(Remove, x)
		require.Error(t, err)
	}
	_, err := Composition{Parts: []Part{ok}}.Epsilon(Direction(7), 1e-5)
	require.Error(t, err)
	_, err = Composition{Parts: []Part{{0.1, 1, 1 << 53}, {0.1, 1, 1 << 53}}}.Epsilon(Remove, 1e-5)
	require.Error(t, err)

	// out of the range of the method, or below the total variation: defined either way
	for _, p := range []Part{{5e-324, 1, 1}, {0.5, 5e-324, 1}, {0.5, 1e-3, 10}, {0.5, 1e300, 10}, {1e-150, 1, 1}, {1 - 0x1p-53, 1, 3}, {0.5, 1e6, 1 << 53}} {
		for _, d := range []Direction{Remove, Add} {
			for _, delta := range []float64{5e-324, 1e-300, 1e-18, 1e-5, 1 - 0x1p-53} {
				b, err := Composition{Parts: []Part{p}}.Epsilon(d, delta)
				if err != nil {
					require.ErrorIs(t, err, ErrNoCertificate)
					continue
				}
				require.True(t, b.Lower >= 0 && b.Lower <= b.Upper && b.Upper < math.Inf(1), "%+v %+v", p, b)
			}
		}
	}
	for _, c := range []Composition{{}, {Parts: []Part{{0.5, 1, 0}}}} {
		b, err := c.Epsilon(Add, 1e-5)
		require.NoError(t, err)
		require.Equal(t, Bound{}, b)
		b, err = c.Delta(Remove, 0)
		require.NoError(t, err)
		require.Equal(t, Bound{}, b)
	}
	b, err := Composition{Parts: []Part{{1e-4, 1, 10}}}.Epsilon(Remove, 1e-3) // total variation below 1e-3
	require.NoError(t, err)
	require.Equal(t, Bound{}, b)
	b, err = Composition{Parts: []Part{{0.1, 1, 10}}}.Delta(Add, 1.1) // beyond the largest loss, -10 log(0.9)
	require.NoError(t, err)
	require.Equal(t, Bound{}, b)
}

// A NaN or an infinity in any number of the proof ends in an error or in a wider interval, never in a wrong one.
func TestPoisonFailsClosed(t *testing.T) {
	t.Parallel()
	c := Composition{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: 1000}}}
	truth, err := c.Epsilon(Remove, 1e-5)
	require.NoError(t, err)
	at, err := c.Delta(Remove, 1)
	require.NoError(t, err)
	var w Workspace
	require.NoError(t, w.load(c))
	pl := w.lay(Remove, 0, 0)
	p, err := pl.forDelta(1e-5)
	require.NoError(t, err)
	fields := []func(s *series) *float64{
		func(s *series) *float64 { return &s.k },
		func(s *series) *float64 { return &s.errK },
		func(s *series) *float64 { return &s.m },
		func(s *series) *float64 { return &s.kHigh },
		func(s *series) *float64 { return &s.period },
		func(s *series) *float64 { return &s.cutMass },
		func(s *series) *float64 { return &s.logTail },
		func(s *series) *float64 { return &s.amp[0] },
		func(s *series) *float64 { return &s.amp[7] },
		func(s *series) *float64 { return &s.phase[3] },
		func(s *series) *float64 { return &s.fixed },
		func(s *series) *float64 { return &s.slope },
		func(s *series) *float64 { return &s.h },
	}
	for i, field := range fields {
		for _, poison := range []float64{math.NaN(), math.Inf(1)} {
			require.NoError(t, w.prove(&p, Remove, 0, 0))
			*field(&w.series) = poison
			if math.IsInf(poison, 1) && i == 4 {
				continue // an infinite period is a claim, not a poison
			}
			b, err := w.series.invert(&p)
			b, err = b.judge(err)
			if err == nil {
				require.LessOrEqual(t, b.Lower, truth.Upper, "field %d", i)
				require.GreaterOrEqual(t, b.Upper, truth.Lower, "field %d", i)
			}
			b, err = w.series.evaluate(&p, 1)
			b, err = b.judge(err)
			if err == nil {
				require.LessOrEqual(t, b.Lower, at.Upper, "field %d", i)
				require.GreaterOrEqual(t, b.Upper, at.Lower, "field %d", i)
			}
		}
	}
}

// The search for the root does not escape into the noise far right of it, and finds the root from either side.
func TestRootFromAfar(t *testing.T) {
	t.Parallel()
	c := Composition{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: 1000}}}
	var w Workspace
	require.NoError(t, w.load(c))
	pl := w.lay(Remove, 0, 0)
	p, err := pl.forDelta(1e-5)
	require.NoError(t, err)
	require.NoError(t, w.prove(&p, Remove, 0, 0))
	for _, start := range []float64{-20, -3, 0, 1.8, 4, 9, 40} {
		eps, slope, ok := w.series.root(start, p.logDel)
		require.True(t, ok, "%g", start)
		require.InDelta(t, 1.82823666651658, eps, 1e-9)
		require.Positive(t, slope)
	}
}

// Calling again with the same workspace allocates nothing once the buffers fit.
func TestWorkspaceReuse(t *testing.T) {
	c := Composition{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: 1000}}}
	var w Workspace
	call := func() {
		for _, d := range [...]Direction{Remove, Add} {
			if _, err := w.Epsilon(c, d, 1e-5); err != nil {
				t.Fatal(err)
			}
		}
	}
	call()
	require.LessOrEqual(t, testing.AllocsPerRun(10, call), 16.0) // closures and the sorted copy
}

func FuzzEpsilon(f *testing.F) {
	f.Add(0.01, 1.0, int64(1000), 1e-5, 0.0)
	f.Add(1e-6, 0.3, int64(1), 1e-12, 0.0)
	f.Add(0.999, 20.0, int64(1e6), 0.5, 1.0)
	f.Add(0.001, 0.7, int64(100), 1e-8, 1e-3)
	f.Fuzz(func(t *testing.T, q, sigma float64, count int64, delta, mu2 float64) {
		var w Workspace
		c := Composition{Parts: []Part{{Rate: q, Sigma: sigma, Count: count}}, Mu2: mu2}
		var upper, lower float64
		for _, d := range []Direction{Remove, Add} {
			b, err := w.Epsilon(c, d, delta)
			if err == nil {
				require.True(t, b.Lower >= 0 && b.Lower <= b.Upper && b.Upper <= math.MaxFloat64, "%+v", b)
				upper, lower = b.Upper, b.Lower
				if e, err := w.Delta(c, d, upper); err == nil {
					require.LessOrEqual(t, e.Lower, delta)
				}
				if e, err := w.Delta(c, d, lower); err == nil && lower > 0 {
					require.GreaterOrEqual(t, e.Upper, delta)
				}
			}
		}
	})
}
