package lattice

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// shared reads one file of the reference data beside the repository, or skips.
func shared(t *testing.T, name string, to any) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "data", "accounting", name))
	if err != nil {
		t.Skip("no shared reference data beside the repository")
	}
	require.NoError(t, json.Unmarshal(data, to))
}

type goldenCase struct {
	ID, Family    string
	Q, Sigma      float64
	Delta         float64
	Steps         json.RawMessage
	Sensitivities []float64
	Probs         []float64
	Parts         []struct {
		Q, Sigma float64
		Steps    int
	}
	Expect struct {
		Truth *struct {
			Eps     *float64
			RelTol  float64 `json:"rel_tol"`
			Trusted bool
		}
		Tight *struct{ Eps float64 }
		PLD   *struct {
			EpsUpper float64 `json:"eps_upper"`
		}
	}
}

func golden(t *testing.T, families ...string) []goldenCase {
	var file struct{ Cases []goldenRaw }
	shared(t, "golden.json", &file)
	var out []goldenCase
	for _, raw := range file.Cases {
		for _, f := range families {
			if raw.Family == f {
				var c goldenCase
				require.NoError(t, json.Unmarshal(raw.data, &c))
				out = append(out, c)
			}
		}
	}
	return out
}

// goldenRaw keeps a case undecoded: families differ in the types of their fields.
type goldenRaw struct {
	Family string
	data   []byte
}

func (g *goldenRaw) UnmarshalJSON(b []byte) error {
	var head struct{ Family string }
	err := json.Unmarshal(b, &head)
	g.Family, g.data = head.Family, append([]byte(nil), b...)
	return err
}

func (c *goldenCase) parts(t *testing.T, add bool) []Part {
	if len(c.Parts) > 0 {
		var out []Part
		for _, p := range c.Parts {
			out = append(out, Part{Law: poisson(t, p.Q, p.Sigma, add), Count: p.Steps})
		}
		return out
	}
	var n int
	require.NoError(t, json.Unmarshal(c.Steps, &n))
	return []Part{{Law: poisson(t, c.Q, c.Sigma, add), Count: n}}
}

// TestGolden: the intervals meet the certified ones of an independent prototype and hold the trusted references.
func TestGolden(t *testing.T) {
	t.Parallel()
	var certified map[string]struct {
		Lower float64
		Upper *float64
	}
	shared(t, "certified.json", &certified)
	met := 0
	for i, c := range golden(t, "poisson_gaussian", "hetero") {
		if os.Getenv("SUREFOOT_CASES") == "" && (i%14 != 1 || underRace && i%28 != 1) { // all of them take a minute
			continue
		}
		var b Bound
		for _, add := range []bool{false, true} {
			d, err := Epsilon(c.parts(t, add), c.Delta)
			require.NoError(t, err, c.ID)
			b = Bound{max(b.Lower, d.Lower), max(b.Upper, d.Upper)}
		}
		t.Logf("%s: %v, relative width %.1e", c.ID, b, (b.Upper-b.Lower)/b.Upper)
		want, ok := certified[c.ID]
		if !ok {
			continue
		}
		met++
		require.False(t, want.Upper != nil && *want.Upper < b.Lower, "%s: %v, certified %v..%v", c.ID, b, want.Lower, want.Upper)
		require.GreaterOrEqual(t, b.Upper, want.Lower, "%s: %v", c.ID, b)
		if tr := c.Expect.Truth; tr != nil && tr.Trusted && tr.Eps != nil {
			require.GreaterOrEqual(t, b.Upper, *tr.Eps*(1-max(tr.RelTol, 1e-5)), c.ID)
			require.LessOrEqual(t, b.Lower, *tr.Eps*(1+max(tr.RelTol, 1e-5)), c.ID)
		}
	}
	require.Greater(t, met, 1)
}

func TestGoldenReplaceOne(t *testing.T) {
	t.Parallel()
	for _, c := range golden(t, "poisson_gaussian_replace_one") {
		var n int
		require.NoError(t, json.Unmarshal(c.Steps, &n))
		m, err := PoissonReplaceOne(c.Q, c.Sigma)
		require.NoError(t, err)
		b, err := Epsilon([]Part{{Law: m, Count: n}}, c.Delta)
		require.NoError(t, err)
		require.InEpsilon(t, c.Expect.Tight.Eps, b.Upper, 2e-3, c.ID)
		require.LessOrEqual(t, b.Lower, c.Expect.Tight.Eps*(1+1e-8), c.ID)
		require.GreaterOrEqual(t, b.Upper, c.Expect.Tight.Eps*(1-1e-8), c.ID)
	}
}

// TestGoldenMixture: the reference is an upper bound only, on a grid of 1e-4 or so.
func TestGoldenMixture(t *testing.T) {
	t.Parallel()
	for _, c := range golden(t, "mixture_of_gaussians") {
		var n int
		require.NoError(t, json.Unmarshal(c.Steps, &n))
		var mix []Component
		for i, p := range c.Probs {
			mix = append(mix, Component{p, c.Sensitivities[i]})
		}
		var b Bound
		for _, pq := range [][2][]Component{{mix, {{1, 0}}}, {{{1, 0}}, mix}} {
			m, err := NewMixture(pq[0], pq[1], c.Sigma)
			require.NoError(t, err)
			d, err := Epsilon([]Part{{Law: m, Count: n}}, c.Delta)
			require.NoError(t, err)
			b = Bound{max(b.Lower, d.Lower), max(b.Upper, d.Upper)}
		}
		require.LessOrEqual(t, b.Lower, c.Expect.PLD.EpsUpper)
		require.InEpsilon(t, c.Expect.PLD.EpsUpper, b.Upper, 1e-3)
		require.False(t, math.IsInf(b.Upper, 1))
	}
}
