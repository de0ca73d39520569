package privacy

import (
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

type goldenCase struct {
	ID, Family      string
	Q, Sigma, Delta float64
	Mu              float64
	Steps           json.RawMessage
	Orders, RDP     []float64
	Parts           []struct {
		Q, Sigma float64
		Steps    int
	}
	N      int
	A, B   float64
	Q0     float64 `json:"q0"`
	Sigma0 float64 `json:"sigma0"`
	Expect goldenExpect
}

type goldenExpect struct {
	Orders     []float64
	RDP        json.RawMessage
	RDPOptimal *struct{ Eps, Order float64 } `json:"rdp_optimal"`
	Truth      *struct {
		Eps     *float64
		RelTol  float64 `json:"rel_tol"`
		Trusted bool
	}
	Tight    *struct{ Eps float64 }
	Exact    *struct{ Eps string }
	DeltaAt  [][2]json.RawMessage `json:"delta_at"`
	Eps      json.RawMessage
	CLT      *struct{ Eps float64 } `json:"gdp_clt"`
	EpsPlain float64                `json:"eps_cks_plain"`
}

func golden(t *testing.T, families ...string) []goldenCase {
	data, err := os.ReadFile("../../shared/data/accounting/golden.json")
	if err != nil {
		t.Skip("no shared reference data beside the repository")
	}
	var file struct{ Cases []json.RawMessage }
	require.NoError(t, json.Unmarshal(data, &file))
	var cases []goldenCase
	for _, raw := range file.Cases {
		var head struct{ Family string }
		require.NoError(t, json.Unmarshal(raw, &head))
		for _, f := range families {
			if f == head.Family {
				var c goldenCase
				require.NoError(t, json.Unmarshal(raw, &c))
				cases = append(cases, c)
			}
		}
	}
	require.NotEmpty(t, cases)
	return cases
}

func (c *goldenCase) steps(t *testing.T) int {
	n, err := strconv.Atoi(string(c.Steps))
	require.NoError(t, err)
	return n
}

func number(t *testing.T, raw json.RawMessage) float64 {
	s := string(raw)
	if unquoted, err := strconv.Unquote(s); err == nil {
		s = unquoted
	}
	v, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return v
}

func TestGoldenCurves(t *testing.T) {
	t.Parallel()
	for _, c := range golden(t, "rdp_poisson_gaussian") {
		var want []json.RawMessage
		require.NoError(t, json.Unmarshal(c.Expect.RDP, &want))
		for i, order := range c.Expect.Orders {
			exact := number(t, want[i])
			got, err := Renyi(sampled(c.Q, c.Sigma), order)
			require.NoError(t, err)
			require.InEpsilon(t, exact, got, 1e-12, "%s order %v", c.ID, order)
			require.GreaterOrEqual(t, got, exact*(1-0x1p-52), "%s order %v", c.ID, order)
		}
	}
}

func TestGoldenEpsilon(t *testing.T) {
	t.Parallel()
	for _, c := range golden(t, "poisson_gaussian", "hetero") {
		var r RDP
		for _, p := range c.Parts {
			require.NoError(t, r.Add(sampled(p.Q, p.Sigma), p.Steps))
		}
		if c.Parts == nil {
			require.NoError(t, r.Add(sampled(c.Q, c.Sigma), c.steps(t)))
		}
		got, err := r.Epsilon(c.Delta)
		require.NoError(t, err)
		best := c.Expect.RDPOptimal
		require.LessOrEqual(t, got.Upper, best.Eps*(1+1e-6), c.ID)
		if best.Order < 2e4 { // the reference stopped searching there
			require.GreaterOrEqual(t, got.Upper, best.Eps*(1-1e-6), c.ID)
		}
		if truth := c.Expect.Truth; truth.Trusted && truth.Eps != nil {
			require.GreaterOrEqual(t, got.Upper, *truth.Eps, c.ID)
		}
	}
	for _, c := range golden(t, "hetero_schedule") {
		var r RDP
		for i := range c.N {
			x := float64(i) / float64(c.N)
			require.NoError(t, r.Step(sampled(c.Q0*(1+c.A*x), c.Sigma0*(1+c.B*x))))
		}
		got, err := r.Epsilon(c.Delta)
		require.NoError(t, err)
		require.Greater(t, got.Upper, c.Expect.Tight.Eps)
		require.Less(t, got.Upper, 1.2840474197432792, "dp_accounting's grid of orders is coarser")
	}
}

func TestGoldenGaussian(t *testing.T) {
	t.Parallel()
	for _, c := range golden(t, "gaussian") {
		var r RDP
		require.NoError(t, r.Add(Gaussian{StdDev: c.Sigma, Clip: 1, Relation: AddRemove}, c.steps(t)))
		got, err := r.Epsilon(c.Delta)
		require.NoError(t, err)
		exact, err := strconv.ParseFloat(c.Expect.Exact.Eps, 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, got.Upper, exact, c.ID)
		for _, at := range c.Expect.DeltaAt {
			delta, err := r.Delta(number(t, at[0]))
			require.NoError(t, err)
			require.GreaterOrEqual(t, delta.Upper, number(t, at[1]), c.ID)
		}
	}
}

// The conversion alone, against 14 curves given at 13 orders.
func TestGoldenConversion(t *testing.T) {
	t.Parallel()
	for _, c := range golden(t, "rdp_convert") {
		best := math.Inf(1)
		for i, order := range c.Orders {
			best = min(best, epsilonAt(order-1, c.RDP[i]*(order-1), c.Delta))
		}
		require.InDelta(t, c.Expect.EpsPlain, best, 1e-12*max(1, c.Expect.EpsPlain), c.ID)
	}
}
