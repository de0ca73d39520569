package contour

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGolden compares with the shared reference cases: narrow intervals of another implementation, which must meet ours, and values of
// other accountants, good to rel_tol or 1e-5.
func TestGolden(t *testing.T) {
	t.Parallel()
	const dir = "../../../../shared/data/accounting/"
	data, err := os.ReadFile(dir + "golden.json")
	if err != nil {
		t.Skip("no shared reference data beside the repository")
	}
	var file struct{ Cases []json.RawMessage }
	require.NoError(t, json.Unmarshal(data, &file))
	data, err = os.ReadFile(dir + "certified.json")
	require.NoError(t, err)
	var certified map[string]struct {
		Lower float64
		Upper *float64
	}
	require.NoError(t, json.Unmarshal(data, &certified))

	var w Workspace
	answered := 0
	for _, raw := range file.Cases {
		var head struct{ Family string }
		require.NoError(t, json.Unmarshal(raw, &head))
		if head.Family != "poisson_gaussian" && head.Family != "hetero" {
			continue
		}
		type part struct {
			Q, Sigma float64
			Steps    int64
		}
		var c struct {
			ID string
			part
			Delta  float64
			Parts  []part
			Expect struct {
				Truth struct {
					Eps      *float64
					EpsUpper *float64 `json:"eps_upper"`
					RelTol   float64  `json:"rel_tol"`
					Trusted  bool
				}
			}
		}
		require.NoError(t, json.Unmarshal(raw, &c))
		if len(c.Parts) == 0 {
			c.Parts = []part{c.part}
		}
		var comp Composition
		for _, p := range c.Parts {
			switch {
			case p.Q == 1:
				comp.Mu2 += float64(p.Steps) / (p.Sigma * p.Sigma)
			case p.Q > 0:
				comp.Parts = append(comp.Parts, Part{Rate: p.Q, Sigma: p.Sigma, Count: p.Steps})
			}
		}
		remove, errRemove := w.Epsilon(comp, Remove, c.Delta)
		add, errAdd := w.Epsilon(comp, Add, c.Delta)
		if errRemove != nil || errAdd != nil {
			continue
		}
		answered++
		lower, upper := max(remove.Lower, add.Lower), max(remove.Upper, add.Upper)
		known := certified[c.ID]
		require.GreaterOrEqual(t, upper, known.Lower, c.ID)
		if known.Upper != nil {
			require.LessOrEqual(t, lower, *known.Upper, c.ID)
		}
		truth := c.Expect.Truth
		if truth.Trusted && truth.Eps != nil {
			require.InDelta(t, *truth.Eps, upper, *truth.Eps*max(truth.RelTol, 1e-5), c.ID)
		}
		if truth.Trusted && truth.EpsUpper != nil {
			require.LessOrEqual(t, lower, *truth.EpsUpper, c.ID)
		}
	}
	require.GreaterOrEqual(t, answered, 100)
}

// Certified values of another implementation (remove, q = 0.01, sigma = 1, delta = 1e-5).
func TestCertifiedValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		count        int64
		lower, upper float64
	}{
		{1e2, .71803566133647, .71803566134113},
		{1e3, 1.8282366665151, 1.8282366665180},
		{1e4, 6.1877123899508, 6.1877123899913},
		{1e5, 25.573106986001, 25.573106987081},
		{1e6, 139.03027255356, 139.03027258632},
	} {
		b, err := Composition{Parts: []Part{{Rate: 0.01, Sigma: 1, Count: c.count}}}.Epsilon(Remove, 1e-5)
		require.NoError(t, err)
		require.LessOrEqual(t, b.Lower, c.upper)
		require.GreaterOrEqual(t, b.Upper, c.lower)
		require.Less(t, b.width(), 1e-9)
	}
}

// single is delta(eps) of one execution, in closed form.
func single(d Direction, q, sigma, eps float64) float64 {
	tail := func(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }
	if d == Remove {
		x := sigma*sigma*math.Log1p(math.Expm1(eps)/q) + 0.5
		return (1-q)*tail(x/sigma) + q*tail((x-1)/sigma) - math.Exp(eps)*tail(x/sigma)
	}
	if eps >= -math.Log1p(-q) {
		return 0
	}
	x := sigma*sigma*math.Log((math.Exp(-eps)-1+q)/q) + 0.5
	return tail(-x/sigma) - math.Exp(eps)*((1-q)*tail(-x/sigma)+q*tail((1-x)/sigma))
}

// One execution has no need of the contour, but where it answers it is right.
func TestSingleExecution(t *testing.T) {
	t.Parallel()
	answers := 0
	for _, q := range []float64{1e-3, 0.01, 0.1, 0.3, 0.6, 0.8253619517564322, 0.99} {
		for _, sigma := range []float64{0.32111016883876603, 0.7, 1, 3, 10} {
			for _, delta := range []float64{1e-3, 1e-6, 9.1e-11} {
				for _, d := range []Direction{Remove, Add} {
					b, err := Composition{Parts: []Part{{Rate: q, Sigma: sigma, Count: 1}}}.Epsilon(d, delta)
					if err != nil {
						require.ErrorIs(t, err, ErrNoCertificate)
						continue
					}
					answers++
					slack := 1e-9 * delta
					if b.Upper > 0 { // eps(delta) <= upper: delta(upper) <= delta
						require.LessOrEqual(t, single(d, q, sigma, b.Upper), delta+slack, "%v %v %v %v %+v", q, sigma, delta, d, b)
					} else {
						require.LessOrEqual(t, single(d, q, sigma, 0), delta+slack)
					}
					if b.Lower > 0 {
						require.GreaterOrEqual(t, single(d, q, sigma, b.Lower), delta-slack, "%v %v %v %v %+v", q, sigma, delta, d, b)
					}
				}
			}
		}
	}
	require.Greater(t, answers, 60)
}

// Intervals that an earlier implementation got wrong.
func TestFormerlyWrong(t *testing.T) {
	t.Parallel()
	// without the end part of Theorem 3 the answer is off by 1e-4
	b, err := Composition{Parts: []Part{{Rate: 0.02306820982561325, Sigma: 2.1736299607737064, Count: 2}}}.Epsilon(Add, 3.9498741713795103e-7)
	require.NoError(t, err)
	require.LessOrEqual(t, b.Lower, .0321342501737)
	require.GreaterOrEqual(t, b.Upper, .0321342501736)
	// Inf*0 in the alias term passed for a lower bound
	for _, d := range []Direction{Remove, Add} {
		const q, sigma, delta = 0.8253619517564322, 0.32111016883876603, 9.1e-11
		b, err = Composition{Parts: []Part{{Rate: q, Sigma: sigma, Count: 1}}}.Epsilon(d, delta)
		if err == nil {
			require.LessOrEqual(t, single(d, q, sigma, b.Upper), delta*(1+1e-9))
			require.GreaterOrEqual(t, single(d, q, sigma, b.Lower), delta*(1-1e-9))
		} else {
			require.ErrorIs(t, err, ErrNoCertificate)
		}
	}
}

// A line too far right for its spacing: the sum is biased upwards, which no test of its tail sees (q=.01, sigma=1.1, T=10, eps .2717363284).
func TestAliasOfLineTooFarRight(t *testing.T) {
	t.Parallel()
	const truth = .2717363284
	var w Workspace
	require.NoError(t, w.load(Composition{Parts: []Part{{Rate: 0.01, Sigma: 1.1, Count: 10}}}))
	const cut = 1e-7 * 1e-5 // with the far losses cut off: the second maximum of the tilted law outweighs all else at c = 12
	pl := w.lay(Remove, 0, cut)
	long, err := pl.forDelta(1e-5)
	require.NoError(t, err)
	for _, period := range []float64{3.5, 4.17, 6, 12} {
		_, _, _, ok := pl.at(12)
		require.True(t, ok)
		h := few(2 * math.Pi / period)
		p := plan{c: 12, h: h, nodes: int(float64(long.nodes) * long.h / h), high: 13, eps: truth, logDel: math.Log(1e-5), vr: 1, scale: 1, tail: -30, count: 10}
		require.NoError(t, w.prove(&p, Remove, 0, cut))
		estimate, _, ok := w.series.root(truth, p.logDel)
		require.True(t, ok)
		if period == 3.5 {
			require.Greater(t, estimate, truth+0.01) // the bias itself
		}
		b, err := w.series.invert(&p)
		if err != nil {
			continue
		}
		require.GreaterOrEqual(t, b.Upper, truth)
		require.LessOrEqual(t, b.Lower, truth)
	}
}

// Cases where estimates of contour integrals agreed with themselves and were wrong.
func TestConvergedButWrong(t *testing.T) {
	t.Parallel()
	b, err := Composition{Parts: []Part{{Rate: 0.01, Sigma: 1.1, Count: 1}}}.Epsilon(Remove, 1e-5) // .138503 was reported
	if err == nil {
		require.LessOrEqual(t, b.Lower, .14229068820)
		require.GreaterOrEqual(t, b.Upper, .14229068818)
	}
	b, err = Composition{Parts: []Part{{Rate: 1e-4, Sigma: 0.6, Count: 100}}}.Epsilon(Remove, 1e-8) // .53567 was reported
	if err == nil {
		require.LessOrEqual(t, b.Lower, .52526)
	}
}
