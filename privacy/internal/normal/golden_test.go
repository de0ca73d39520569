package normal

import (
	"encoding/json"
	"math"
	"math/big"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

type goldenCase struct {
	ID, Family      string
	Q, Sigma, Delta float64
	Mu              float64
	TargetEps       float64 `json:"target_eps"`
	Steps           json.RawMessage
	Expect          struct {
		Exact *struct{ Eps string }
		Truth *struct {
			Eps     *float64
			RelTol  float64 `json:"rel_tol"`
			Trusted bool
		}
		Eps     json.RawMessage
		Sigma   json.RawMessage
		DeltaAt [][2]json.RawMessage `json:"delta_at"`
	}
}

// float reads a number or a string; a string below the range of float64 is 0.
func float(t *testing.T, raw json.RawMessage) float64 {
	t.Helper()
	s := string(raw)
	if unquoted, err := strconv.Unquote(s); err == nil {
		s = unquoted
	}
	v, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return v
}

// digits requires lo and hi to agree with a reference of 12 digits at least.
func digits(t *testing.T, want, lo, hi float64, id string) {
	t.Helper()
	require.InEpsilon(t, want, lo, 1e-12, id)
	require.InEpsilon(t, want, hi, 1e-12, id)
}

func TestGolden(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../../shared/data/accounting/golden.json")
	if err != nil {
		t.Skip("no shared reference data beside the repository")
	}
	var file struct{ Cases []json.RawMessage }
	require.NoError(t, json.Unmarshal(data, &file))
	seen := map[string]int{}
	for _, raw := range file.Cases {
		var head struct{ Family string }
		require.NoError(t, json.Unmarshal(raw, &head))
		switch head.Family {
		case "gaussian", "gdp_convert", "calib_gaussian", "poisson_gaussian":
		default:
			continue
		}
		var c goldenCase
		require.NoError(t, json.Unmarshal(raw, &c))
		steps := 1
		if len(c.Steps) > 0 {
			require.NoError(t, json.Unmarshal(c.Steps, &steps))
		}
		switch c.Family {
		case "calib_gaussian":
			lo, hi, err := MaxMu(c.TargetEps, c.Delta)
			require.NoError(t, err)
			digits(t, float(t, c.Expect.Sigma), 1/hi, 1/lo, c.ID)
		case "poisson_gaussian":
			if steps != 1 || c.Expect.Truth == nil || c.Expect.Truth.Eps == nil || !c.Expect.Truth.Trusted {
				continue
			}
			lo, hi, err := Sampled{c.Q, c.Sigma}.Epsilon(c.Delta, Remove)
			require.NoError(t, err)
			require.InEpsilon(t, *c.Expect.Truth.Eps, lo, c.Expect.Truth.RelTol, c.ID)
			require.InEpsilon(t, *c.Expect.Truth.Eps, hi, c.Expect.Truth.RelTol, c.ID)
		default:
			g, want := Gaussian{c.Mu}, 0.0
			if c.Family == "gaussian" {
				g.Mu = math.Sqrt(float64(steps)) / c.Sigma
				want = float(t, json.RawMessage(c.Expect.Exact.Eps))
			} else {
				want = float(t, c.Expect.Eps)
			}
			lo, hi, err := g.Epsilon(c.Delta)
			require.NoError(t, err)
			digits(t, want, lo, hi, c.ID)
			for _, at := range c.Expect.DeltaAt {
				eps, want := float(t, at[0]), float(t, at[1])
				lo, hi, err := g.Delta(eps)
				require.NoError(t, err)
				if want < 1e-300 {
					require.True(t, lo <= want && hi <= max(5e-324, want*(1+1e-12)), "%s: [%v, %v]", c.ID, lo, hi)
					continue
				}
				digits(t, want, lo, hi, c.ID)
			}
		}
		seen[c.Family]++
	}
	require.Equal(t, map[string]int{"gaussian": 24, "gdp_convert": 12, "calib_gaussian": 3, "poisson_gaussian": 1}, seen)
}

// The single steps of the package's own table of 25-digit values lie inside the intervals.
func TestOracle(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../testdata/oracle.json")
	require.NoError(t, err)
	var file struct {
		Epsilon []struct {
			Parts []struct {
				Q, Sigma float64
				Steps    int
			}
			Delta       float64
			Remove, Add string
		}
	}
	require.NoError(t, json.Unmarshal(data, &file))
	single, zero := 0, 0
	for _, c := range file.Epsilon {
		var runs []Run
		for _, p := range c.Parts {
			runs = append(runs, Run{Sampled{p.Q, p.Sigma}, p.Steps})
		}
		variation, err := VariationBound(runs...)
		require.NoError(t, err)
		if variation <= c.Delta {
			require.True(t, c.Remove == "0" && c.Add == "0", "%+v", c)
			zero++
		}
		if len(runs) > 1 || runs[0].Steps > 1 {
			continue
		}
		single++
		for dir, text := range map[Direction]string{Remove: c.Remove, Add: c.Add} {
			want, _, err := big.ParseFloat(text, 10, 100, big.ToNearestEven)
			require.NoError(t, err)
			lo, hi, err := runs[0].Epsilon(c.Delta, dir)
			require.NoError(t, err)
			contains(t, lo, hi, want, 0x1p-48, "%+v, %v", c, dir)
		}
	}
	require.Greater(t, single, 10)
	require.Greater(t, zero, 5)
}
