package leakage

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAttackBeatsItsBaseline(t *testing.T) {
	t.Parallel()
	strong := Attack{Hits: Proportion{180, 200}, Baseline: Proportion{40, 200}}
	v, err := strong.Advantage(0.05)
	require.NoError(t, err)
	require.True(t, v.Lower > 0.5 && v.Lower < 0.7 && v.Upper > 0.7 && v.Upper < 0.85, "%v", v)
	eps, err := strong.Epsilon(0, 0.05)
	require.NoError(t, err)
	same, err := TwoRun{20, 200, 40, 200}.ClopperPearson(0, 0.05)
	require.NoError(t, err)
	require.InDelta(t, same, eps, 1e-9, "a hit is a test for membership")

	weak := Attack{Hits: Proportion{40, 200}, Baseline: Proportion{40, 200}}
	v, err = weak.Advantage(0.05)
	require.NoError(t, err)
	require.True(t, v.Lower < 0 && v.Upper > 0)
	eps, err = weak.Epsilon(0, 0.05)
	require.NoError(t, err)
	require.Zero(t, eps)

	for name, a := range map[string]Attack{
		"no baseline": {Hits: Proportion{1, 2}}, "both": {Hits: Proportion{1, 2}, Baseline: Proportion{1, 2}, Kappa: 0.1},
		"no hits": {Baseline: Proportion{1, 2}}, "kappa": {Hits: Proportion{1, 2}, Kappa: 1}, "baseline": {Hits: Proportion{1, 2}, Baseline: Proportion{3, 2}},
	} {
		require.ErrorIs(t, a.Validate(), ErrInvalid, name)
		require.ErrorIs(t, second(a.Advantage(0.05)), ErrInvalid, name)
		require.ErrorIs(t, second(a.Mu(0.05)), ErrInvalid, name)
	}
}

// The bound on mu inverts the limit of reconstruction.
func TestReconstructionLimit(t *testing.T) {
	t.Parallel()
	limit, err := ReconstructionLimit(0.1, 2)
	require.NoError(t, err)
	require.InDelta(t, lowerTail(normalQuantile(0.1)+2), limit, 1e-12)
	limit, err = ReconstructionLimit(0.1, 0)
	require.NoError(t, err)
	require.InDelta(t, 0.1, limit, 1e-12)
	a := Attack{Hits: Proportion{150, 200}, Kappa: 0.1}
	mu, err := a.Mu(0.05)
	require.NoError(t, err)
	low, err := a.Hits.Lower(0.05)
	require.NoError(t, err)
	limit, err = ReconstructionLimit(0.1, mu)
	require.NoError(t, err)
	require.InDelta(t, low, limit, 1e-9)
	require.LessOrEqual(t, mu, normalQuantile(low)-normalQuantile(0.1)+1e-12)
}

func TestHitsAreCounted(t *testing.T) {
	t.Parallel()
	p, err := Matches([]string{"a", "b", "c"}, []string{"a", "x", "c"})
	require.NoError(t, err)
	require.Equal(t, Proportion{2, 3}, p)
	p, err = Within([]float64{0, 0.5, 0.6, math.Inf(1)}, 0.5)
	require.NoError(t, err)
	require.Equal(t, Proportion{2, 4}, p)
	require.ErrorIs(t, second(Matches([]int{1}, []int{})), ErrInvalid)
	require.ErrorIs(t, second(Matches([]int{}, []int{})), ErrInvalid)
	require.ErrorIs(t, second(Within(nil, 1)), ErrInvalid)
	require.ErrorIs(t, second(Within([]float64{-1}, 1)), ErrInvalid)
}

func TestExposureOfACanary(t *testing.T) {
	t.Parallel()
	refs := make([]float64, 1023)
	for i := range refs {
		refs[i] = float64(i%33) - 16 // symmetric about 0
	}
	e, err := NewSampledExposure(-100, refs)
	require.NoError(t, err)
	require.Equal(t, 10.0, e.ByRank())
	lower, err := e.Lower(0.05)
	require.NoError(t, err)
	require.InDelta(t, -math.Log2(-math.Expm1(math.Log(0.05)/1023)), lower, 1e-9)
	g, err := e.Gaussian()
	require.NoError(t, err)
	require.Greater(t, g, 60.0)

	e, err = NewSampledExposure(100, refs)
	require.NoError(t, err)
	require.Zero(t, e.ByRank(), "behind all others")
	for _, f := range []func() (float64, error){e.Gaussian, e.SkewNormal, func() (float64, error) { return e.Lower(0.05) }} {
		v, err := f()
		require.NoError(t, err)
		require.InDelta(t, 0, v, 1e-9)
	}
	flat, err := NewSampledExposure(0, []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
	require.NoError(t, err)
	require.ErrorIs(t, second(flat.Gaussian()), ErrTooFew)
	require.ErrorIs(t, second(flat.SkewNormal()), ErrTooFew)
	few, err := NewSampledExposure(0, []float64{1, 2, 3})
	require.NoError(t, err)
	require.ErrorIs(t, second(few.SkewNormal()), ErrTooFew)
	for _, c := range [][2]float64{{0, 10}, {11, 10}, {1, 0.5}, {1, math.Inf(1)}} {
		require.ErrorIs(t, second(Exposure(c[0], c[1])), ErrInvalid)
	}
	require.ErrorIs(t, second(NewSampledExposure(math.Inf(1), refs)), ErrInvalid)
	require.ErrorIs(t, second(NewSampledExposure(1, nil)), ErrInvalid)
}

// A fit recovers a law that is known, far into its tail on either side.
func TestSkewNormalRecoversItsLaw(t *testing.T) {
	t.Parallel()
	for _, shape := range []float64{-4, -1, 0, 2, 6} {
		law := skewNormal{3, 2, shape}
		var values []float64
		low, high := -20.0, 25.0
		for i := range 400 { // its quantiles
			a, b := low, high
			for range 60 {
				if mid := (a + b) / 2; math.Exp(law.logCDF(mid)) < (float64(i)+0.5)/400 {
					a = mid
				} else {
					b = mid
				}
			}
			values = append(values, a)
		}
		fit := fitSkewNormal(values)
		for _, x := range []float64{-1, 0, 3} {
			require.InEpsilon(t, law.logCDF(x), fit.logCDF(x), 0.12, "shape %g, x %g: %+v", shape, x, fit)
		}
	}
	// At shape 0 it is the normal law, at 1 the law of the larger of two.
	for _, z := range []float64{-30, -5, -1, 0, 2} {
		plain, err := logPhi(z)
		require.NoError(t, err)
		require.InDelta(t, plain, skewNormal{0, 1, 0}.logCDF(z), 1e-8*math.Abs(plain))
		require.InDelta(t, 2*plain, skewNormal{0, 1, 1}.logCDF(z), 1e-8*math.Abs(plain))
	}
}

func TestROCOfAHandfulOfScores(t *testing.T) {
	t.Parallel()
	s, err := NewScores([]float64{3, 2, 2, 0}, []float64{2, 1, math.Inf(-1)})
	require.NoError(t, err)
	require.Equal(t, 4, s.Members())
	require.Equal(t, 3, s.NonMembers())
	var tp, fp []int
	for _, p := range s.ROC() {
		tp, fp = append(tp, p.Members-p.FalseNegatives), append(fp, p.FalsePositives)
	}
	require.Equal(t, []int{0, 1, 3, 3, 4, 4}, tp)
	require.Equal(t, []int{0, 0, 1, 2, 2, 3}, fp)
	require.InDelta(t, (3+2.5+2.5+1)/12, s.AUC(), 1e-15)
	hull := s.Hull()
	require.Equal(t, []float64{math.Inf(1), 3, 2, 0, math.Inf(-1)}, thresholds(hull)[:5])
	for fpr, want := range map[float64]float64{0: 0.25, 1. / 3: 0.75, 0.5: 0.75, 2. / 3: 1, 1: 1} {
		got, err := s.TPR(fpr)
		require.NoError(t, err)
		require.Equal(t, want, got, "%g", fpr)
		h, err := s.HullTPR(fpr)
		require.NoError(t, err)
		require.GreaterOrEqual(t, h, got-1e-15)
	}
	v, err := s.AUCInterval(0.05)
	require.NoError(t, err)
	require.True(t, v.Lower >= 0 && v.Lower < s.AUC() && v.Upper > s.AUC() && v.Upper <= 1)
	require.InDelta(t, 6./7, s.Accuracy(), 0.01+1./7)
}

func thresholds(points []Point) (list []float64) {
	for _, p := range points {
		list = append(list, p.Threshold)
	}
	return list
}
