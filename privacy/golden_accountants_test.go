package privacy

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

func certified(t *testing.T) map[string]struct{ Lower, Upper float64 } {
	data, err := os.ReadFile("../../shared/data/accounting/certified.json")
	if err != nil {
		t.Skip("no shared reference data beside the repository")
	}
	var c map[string]struct{ Lower, Upper float64 }
	require.NoError(t, json.Unmarshal(data, &c))
	return c
}

func record(t *testing.T, a Accountant, c *goldenCase) {
	t.Helper()
	for _, p := range c.Parts {
		require.NoError(t, a.Add(sampled(p.Q, p.Sigma), p.Steps))
	}
	if c.Parts == nil {
		require.NoError(t, a.Add(sampled(c.Q, c.Sigma), c.steps(t)))
	}
}

// 116 compositions: the interval meets the one of an independent certificate, and the reference value within its tolerance.
func TestGoldenBest(t *testing.T) {
	t.Parallel()
	other := certified(t)
	sweep := os.Getenv("SUREFOOT_SWEEP") != ""
	tight, wide, refused := 0, 0, 0
	for _, c := range golden(t, "poisson_gaussian", "hetero") {
		var b Best
		var exact Tight
		var r RDP
		for _, a := range []Accountant{&b, &exact, &r} {
			record(t, a, &c)
		}
		if _, err := exact.Epsilon(c.Delta); err != nil {
			refused++
			if !sweep && (slow || testing.Short() || refused%3 > 0) {
				continue // the lattice takes its time
			}
		}
		got := ask(t, &b, c.Delta)
		require.LessOrEqual(t, got.Upper, ask(t, &r, c.Delta).Upper, c.ID)
		certificate, ok := other[c.ID]
		require.True(t, ok, c.ID)
		require.LessOrEqual(t, got.Lower, certificate.Upper, c.ID)
		require.GreaterOrEqual(t, got.Upper, certificate.Lower, c.ID)
		if truth := c.Expect.Truth; truth.Trusted && truth.Eps != nil {
			encloses(t, got, *truth.Eps, max(truth.RelTol, 1e-5), c.ID)
			if got.Converged {
				require.InDelta(t, *truth.Eps, got.Upper, max(truth.RelTol, 1e-5, narrow)**truth.Eps, c.ID)
			}
		}
		if !got.Converged {
			wide++
		}
		in, err := exact.Epsilon(c.Delta)
		if err != nil {
			require.ErrorIs(t, err, ErrNoBound, c.ID)
			continue
		}
		tight++
		require.LessOrEqual(t, in.Lower, certificate.Upper, c.ID)
		require.GreaterOrEqual(t, in.Upper, certificate.Lower, c.ID)
		require.LessOrEqual(t, in.Upper-in.Lower, 1e-6*in.Upper, c.ID)
	}
	require.GreaterOrEqual(t, tight, 102, "answers of the contour")
	require.LessOrEqual(t, wide, 9, "wide answers")
}

// Plain Gaussians are exact, whoever accounts for them.
func TestGoldenGaussianExact(t *testing.T) {
	t.Parallel()
	for _, c := range golden(t, "gaussian") {
		for name, a := range map[string]Accountant{"GDP": new(GDP), "Tight": new(Tight), "Best": new(Best)} {
			require.NoError(t, a.Add(plain(c.Sigma), c.steps(t)))
			exact := number(t, json.RawMessage(c.Expect.Exact.Eps))
			got := ask(t, a, c.Delta)
			encloses(t, got, exact, 1e-14, c.ID+name)
			require.InEpsilon(t, exact, got.Upper, 1e-12, c.ID+name)
			for _, at := range c.Expect.DeltaAt {
				want := number(t, at[1])
				if want < 1e-290 { // beyond the normal range of float64
					continue
				}
				d, err := a.Delta(number(t, at[0]))
				require.NoError(t, err, c.ID+name)
				encloses(t, d, want, 1e-12, c.ID+name)
				require.InEpsilon(t, want, d.Upper, 1e-10, c.ID+name)
			}
		}
	}
	for _, c := range golden(t, "gdp_convert") {
		var g GDP
		require.NoError(t, g.Step(plain(1/c.Mu)))
		want := number(t, json.RawMessage(c.Expect.Eps))
		got := ask(t, &g, c.Delta)
		encloses(t, got, want, 1e-13, c.ID)
		require.InEpsilon(t, want, got.Upper, 1e-8, c.ID)
		mu, err := g.Mu()
		require.NoError(t, err)
		encloses(t, mu, c.Mu, 1e-15, c.ID)
	}
}

// The central limit reproduces the figures of other libraries, which lie on either side of the truth, and its type keeps them from
// being taken for bounds.
func TestCentralLimitIsNoBound(t *testing.T) {
	t.Parallel()
	require.False(t, reflect.TypeFor[Estimate]().AssignableTo(reflect.TypeFor[Interval]()))
	require.False(t, reflect.TypeFor[Estimate]().ConvertibleTo(reflect.TypeFor[Interval]()))
	require.False(t, reflect.TypeFor[Estimate]().ConvertibleTo(reflect.TypeFor[float64]()))
	var g GDP
	require.NoError(t, g.Add(sampled(.01, 1), 1000))
	_, err := g.Epsilon(1e-5)
	require.ErrorIs(t, err, ErrNoBound)
	require.ErrorContains(t, err, "not a plain Gaussian")
	_, err = g.Delta(1)
	require.ErrorIs(t, err, ErrNoBound)
	got, err := g.CentralLimit(1e-5)
	require.NoError(t, err)
	require.Equal(t, "central limit", got.Method)
	require.InDelta(t, 1.61771, got.Value, 1e-5)
	require.Less(t, got.Value, 1.8282366665151)
	for _, c := range golden(t, "poisson_gaussian") {
		if c.Expect.CLT == nil || c.Expect.CLT.Eps < 1e-9 {
			continue
		}
		var g GDP
		record(t, &g, &c)
		got, err := g.CentralLimit(c.Delta)
		require.NoError(t, err)
		require.InEpsilon(t, c.Expect.CLT.Eps, got.Value, 1e-6, c.ID)
	}
}

// The eight schedules of rdp_test.go: no accountant is below the truth, those that enclose it do, and figures that were once reported lie
// below every lower bound but one.
func TestNoAccountantIsBelowTruth(t *testing.T) {
	t.Parallel()
	reported := []float64{.759, .824, .755, 2.27, .400, 5.2, .779, .182}
	answers := 0
	for i, c := range eightSchedules {
		for name, a := range accountants() {
			if name == "PLD" && (slow || testing.Short()) {
				continue
			}
			require.NoError(t, a.Add(sampled(c.q, c.sigma), c.steps))
			got, err := a.Epsilon(c.delta)
			if name == "GDP" && c.q != 1 {
				require.ErrorIs(t, err, ErrNoBound)
				continue
			}
			if name == "PLD" && err != nil {
				require.ErrorIs(t, err, ErrNoBound)
				continue
			}
			require.NoError(t, err, name)
			encloses(t, got, c.truth, 1e-11, name)
			switch name {
			case "Tight", "Best":
				require.InEpsilon(t, c.truth, got.Upper, 1e-9, "%s %+v", name, c)
				require.True(t, c.q == 1 || reported[i] < got.Lower, "%s %+v", name, c)
			case "PLD":
				require.InEpsilon(t, c.truth, got.Upper, 1e-3, "%s %+v", name, c)
				answers++
			}
		}
	}
	require.True(t, slow || testing.Short() || answers >= 7, "%d answers of the lattice", answers)
}

// Replacing one record by another is a pair of its own, twice as far apart.
func TestGoldenReplaceOne(t *testing.T) {
	t.Parallel()
	for _, c := range golden(t, "poisson_gaussian_replace_one") {
		e := Poisson{Rate: c.Q, Gaussian: Gaussian{StdDev: c.Sigma, Clip: 1, Relation: ReplaceOne}}
		for name, a := range map[string]Accountant{"RDP": new(RDP), "Best": new(Best), "Tight": new(Tight)} {
			require.NoError(t, a.Add(e, c.steps(t)))
			got, err := a.Epsilon(c.Delta)
			if name == "Tight" && c.Q < 1 {
				require.ErrorIs(t, err, ErrNoBound)
				continue
			}
			require.NoError(t, err, c.ID+name)
			encloses(t, got, c.Expect.Tight.Eps, 1e-7, c.ID+name)
			if _, ok := any(replaceOneGaussian{}).(lawful); ok && name == "Best" {
				require.InEpsilon(t, c.Expect.Tight.Eps, got.Upper, 1e-3, c.ID)
			}
		}
	}
	// One step at rate 1, sigma 2 and distance 2 is the Gaussian of mu 1.
	var b Best
	require.NoError(t, b.Step(Poisson{Rate: 1, Gaussian: Gaussian{StdDev: 2, Clip: 1, Relation: ReplaceOne}}))
	require.InEpsilon(t, 4.377178095681223, ask(t, &b, 1e-5).Upper, 1e-9)
}
