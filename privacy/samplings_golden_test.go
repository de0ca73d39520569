package privacy

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

type samplingCase struct {
	ID, Family      string
	Q, Sigma, Delta float64
	Sensitivities   []float64
	Probs           []float64
	Steps, N        int
	MaxBatch        int `json:"max_batch"`
	Bands           int
	Iterations      int
	Mean, Shape     float64
	StepCounts      json.RawMessage `json:"step_counts"`
	Expect          struct {
		Orders []float64
		RDP    []string
		PLD    *struct {
			Upper float64 `json:"eps_upper"`
		}
		Google *struct{ Eps float64 } `json:"rdp_google"`
		Tight  *struct{ Eps float64 }
		Exact  *struct{ Eps string }
		Rounds int
	}
}

func samplingCases(t *testing.T, family string) []samplingCase {
	data, err := os.ReadFile("../../shared/data/accounting/golden.json")
	if err != nil {
		t.Skip("no shared reference data beside the repository")
	}
	var file struct{ Cases []json.RawMessage }
	require.NoError(t, json.Unmarshal(data, &file))
	var cases []samplingCase
	for _, raw := range file.Cases {
		var head struct{ Family string }
		require.NoError(t, json.Unmarshal(raw, &head))
		if head.Family == family {
			var c samplingCase
			require.NoError(t, json.Unmarshal(raw, &c))
			cases = append(cases, c)
		}
	}
	require.NotEmpty(t, cases)
	return cases
}

func rdpEpsilon(t *testing.T, delta float64, n int, events ...Event) float64 {
	var r RDP
	for _, e := range events {
		require.NoError(t, r.Add(e, n))
	}
	got, err := r.Epsilon(delta)
	require.NoError(t, err)
	return got.Upper
}

// The published bound of 2019, exact in the reference, is above the curve everywhere; the curve is above the pair that lies below any bound.
func TestGoldenFixedSize(t *testing.T) {
	t.Parallel()
	for _, c := range samplingCases(t, "rdp_wor_gaussian") {
		records := 1000000
		batch := int(math.Round(c.Q * 1e6))
		for i, order := range c.Expect.Orders {
			got, err := Renyi(FixedSize{batch, records, noised(2*c.Sigma, ReplaceOne)}, order) // the reference's sigma is per distance
			require.NoError(t, err)
			old, err := strconv.ParseFloat(c.Expect.RDP[i], 64)
			require.NoError(t, err)
			require.LessOrEqual(t, got, old*(1+1e-12), "%s order %v", c.ID, order)
			below, err := Renyi(FixedSize{batch, records, noised(2*c.Sigma, AddRemove)}, order)
			require.NoError(t, err)
			require.GreaterOrEqual(t, got, below*(1-1e-12), "%s order %v", c.ID, order)
		}
	}
}

func TestGoldenTree(t *testing.T) {
	t.Parallel()
	for _, c := range samplingCases(t, "tree_aggregation") {
		var counts []int
		if err := json.Unmarshal(c.StepCounts, &counts); err != nil {
			var one int
			require.NoError(t, json.Unmarshal(c.StepCounts, &one))
			counts = []int{one}
		}
		// A record is in one of the trees: the deepest stands for all.
		tree := Tree{slices.Max(counts), 1, 1, noised(c.Sigma, ReplaceSpecial)}
		exact, err := strconv.ParseFloat(c.Expect.Exact.Eps, 64)
		require.NoError(t, err)
		got := rdpEpsilon(t, c.Delta, 1, tree)
		require.GreaterOrEqual(t, got, exact, c.ID)
		require.LessOrEqual(t, got, c.Expect.Google.Eps*(1+1e-6), c.ID)
	}
}

func TestGoldenSamplings(t *testing.T) {
	t.Parallel()
	for _, c := range samplingCases(t, "amplified_bandmf") {
		e := Banded{c.Bands, c.Iterations, c.Q, noised(c.Sigma, AddRemove)}
		require.EqualValues(t, c.Expect.Rounds, e.lower()[0].count, c.ID)
		got := rdpEpsilon(t, c.Delta, 1, e)
		require.GreaterOrEqual(t, got, c.Expect.Tight.Eps, c.ID)
		require.LessOrEqual(t, got, c.Expect.Google.Eps*(1+1e-6), c.ID)
	}
	for _, c := range samplingCases(t, "poisson_gaussian_replace_one") {
		got := rdpEpsilon(t, c.Delta, c.Steps, Poisson{c.Q, noised(c.Sigma, ReplaceOne)})
		require.GreaterOrEqual(t, got, c.Expect.Tight.Eps, c.ID)
		require.LessOrEqual(t, got, 1.5*c.Expect.Tight.Eps+.2, c.ID)
	}
	for _, c := range samplingCases(t, "mixture_of_gaussians") {
		var list []Component
		for i, s := range c.Sensitivities {
			list = append(list, Component{s, c.Probs[i]})
		}
		m, err := NewMixture(c.Sigma, AddRemove, list...)
		require.NoError(t, err)
		got := rdpEpsilon(t, c.Delta, c.Steps, m)
		require.Greater(t, got, c.Expect.PLD.Upper*(1-1e-4), "%s: its lattice adds no more than that", c.ID)
		require.Less(t, got, 1.2*c.Expect.PLD.Upper, c.ID)
	}
	for _, c := range samplingCases(t, "truncated_poisson_gaussian") {
		e := TruncatedPoisson{c.Q, c.MaxBatch, c.N, noised(c.Sigma, AddRemove)}
		got := rdpEpsilon(t, c.Delta, c.Steps, e)
		require.Greater(t, got, rdpEpsilon(t, c.Delta, c.Steps, sampled(c.Q, c.Sigma)), c.ID)
	}
	for _, c := range samplingCases(t, "repeat_and_select") {
		require.Equal(t, 1.0, c.Shape)
		run := Repeated{sampled(c.Q, c.Sigma), int64(c.Steps)}
		got := rdpEpsilon(t, c.Delta, 1, Select{Event: run, Shape: c.Shape, Gamma: 1 / c.Mean})
		require.LessOrEqual(t, got, c.Expect.Google.Eps, c.ID)
		require.GreaterOrEqual(t, got, rdpEpsilon(t, c.Delta, 1, run), "the best of several runs tells more than one run")
	}
}

// The lattice gives the tight values, and the curves lie above.
func TestSamplingLaws(t *testing.T) {
	t.Parallel()
	if slow {
		t.Skip("arithmetic alone: minutes under the race detector")
	}
	if testing.Short() {
		t.Skip("a few seconds")
	}
	mixture, err := NewMixture(1, AddRemove, Component{0, .5}, Component{1, .3}, Component{2, .2})
	require.NoError(t, err)
	for _, c := range []struct {
		event     Event
		n         int
		delta     float64
		want, tol float64
	}{
		{FixedSize{1, 100, noised(2, ReplaceOne)}, 1000, 1e-5, 2.1989126, 1e-4},
		{Poisson{.01, noised(1, ReplaceOne)}, 1000, 1e-5, 2.8434403, 1e-4},
		{mixture, 10, 1e-5, 21.0196566, 1e-4},
		{Group{4, sampled(.01, 2)}, 1000, 1e-5, 2.893385, 1e-4},
		{TruncatedPoisson{.01, 110, 10000, noised(2, AddRemove)}, 1000, 1e-6, 1.182759, 1e-4},
		{TruncatedPoisson{.01, 150, 10000, noised(1, ReplaceOne)}, 1000, 1e-6, 3.219113, 1e-4},
		{Tree{100, 1, 1, noised(1, ReplaceSpecial)}, 1, 1e-5, 14.191229927516, 1e-4},
	} {
		var p PLD
		require.NoError(t, p.Add(c.event, c.n))
		got, err := p.Epsilon(c.delta)
		require.NoError(t, err, "%+v", c.event)
		require.InEpsilon(t, c.want, got.Upper, c.tol, "%+v", c.event)
		require.Greater(t, rdpEpsilon(t, c.delta, c.n, c.event), got.Upper*(1-1e-6), "%+v", c.event)
	}
}
