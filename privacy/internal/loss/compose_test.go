package loss

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

func composed(t *testing.T, a *Atoms, err error, steps int) *Composed {
	t.Helper()
	require.NoError(t, err)
	c, err := a.Compose(steps)
	require.NoError(t, err)
	return c
}

// tight checks that an interval holds a reference value known to tol and is narrower than 1e-9.
func tight(t *testing.T, c *Composed, delta, want, tol float64) {
	t.Helper()
	lo, hi, err := c.Epsilon(delta)
	require.NoError(t, err)
	require.LessOrEqual(t, lo, hi)
	require.LessOrEqual(t, lo, want*(1+tol))
	require.GreaterOrEqual(t, hi, want*(1-tol))
	require.Less(t, hi-lo, 1e-9*hi)
}

// The closed forms and exact columns of the project's fact sheet (sections 7.3, 7.4, 7.8), computed with mpmath.
func TestExactCompositions(t *testing.T) {
	t.Parallel()
	dp := func(eps, delta float64) func() (*Atoms, error) {
		return func() (*Atoms, error) { return ApproximateDP(eps, delta) }
	}
	rr := func(p float64, k int) func() (*Atoms, error) {
		return func() (*Atoms, error) { return RandomizedResponse(p, k) }
	}
	dl := func(a float64, s int) func() (*Atoms, error) {
		return func() (*Atoms, error) { return DiscreteLaplace(a, s) }
	}
	dg := func(sigma float64, s int) func() (*Atoms, error) {
		return func() (*Atoms, error) { return DiscreteGaussian(sigma, s) }
	}
	for _, c := range []struct {
		name       string
		law        func() (*Atoms, error)
		steps      int
		delta, eps float64
		tol        float64
	}{
		{"pure", dp(0.1, 0), 30, 1e-5, 2.1101544, 2e-8},
		{"approximate", dp(0.1, 1e-7), 30, 1e-5, 2.1481376, 2e-8},
		{"ten", dp(0.5, 1e-8), 10, 1e-6, 4.9998969, 1e-8},
		{"five", dp(1, 0), 5, 1e-5, 4.9999521, 1e-8},
		{"response 4", rr(0.5, 4), 10, 1e-5, 16.0932790, 2e-9},
		{"response 2", rr(0.5, 2), 10, 1e-5, 10.9859453, 2e-9},
		{"response 10", rr(0.9, 10), 20, 1e-6, 9.5063980, 4e-9},
		{"laplace 1", dl(0.5, 1), 1, 1e-6, 0.4999983935, 1e-10},
		{"laplace 20", dl(0.5, 1), 20, 1e-6, 9.9867978696, 1e-11},
		{"laplace wide", dl(0.2, 2), 20, 1e-6, 7.8294394145, 1e-11},
		{"gaussian", dg(2, 1), 1, 1e-5, 2.0113398, 2e-8},
		{"small sigma", dg(0.5, 1), 1, 1e-6, 9.9962477, 5e-9},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, err := c.law()
			tight(t, composed(t, a, err, c.steps), c.delta, c.eps, c.tol)
		})
	}
	// Peer values that round every loss up to a grid of 1e-4.
	for _, c := range []struct {
		law        func() (*Atoms, error)
		steps      int
		delta, eps float64
	}{{dg(2, 1), 50, 1e-5, 20.678828}, {dg(10, 3), 10, 1e-6, 4.602895}} {
		a, err := c.law()
		lo, hi, err := composed(t, a, err, c.steps).Epsilon(c.delta)
		require.NoError(t, err)
		require.LessOrEqual(t, hi, c.eps+1e-6)
		require.Greater(t, lo, c.eps-1e-4*float64(c.steps))
	}
}

func TestGoldenCompositions(t *testing.T) {
	t.Parallel()
	for _, r := range references(t, "randomized_response") {
		a, err := RandomizedResponse(r.P, r.K)
		want, ok := r.exact(t)
		require.True(t, ok)
		tight(t, composed(t, a, err, r.Steps), r.Delta, want, 1e-12)
	}
	for _, r := range references(t, "eps_delta_dp") {
		a, err := ApproximateDP(r.Eps0, r.Delta0)
		want, ok := r.exact(t)
		require.True(t, ok)
		tight(t, composed(t, a, err, r.Steps), r.Delta, want, 2e-11)
	}
	for _, r := range references(t, "discrete_laplace") {
		a, err := DiscreteLaplace(r.A, r.Sensitivity)
		lo, hi, err := composed(t, a, err, r.Steps).Epsilon(r.Delta)
		require.NoError(t, err)
		require.LessOrEqual(t, lo, r.Expect.PLD.Upper*(1+1e-13), r.ID)
		require.GreaterOrEqual(t, hi, r.Expect.Optimistic.Lower*(1-1e-13), r.ID)
		require.Less(t, hi-lo, 1e-10*hi, r.ID)
	}
	for _, r := range references(t, "discrete_gaussian") {
		a, err := DiscreteGaussian(r.Sigma, r.Sensitivity)
		require.NoError(t, err)
		if r.Q < 1 {
			continue
		}
		lo, hi, err := composed(t, a, err, r.Steps).Epsilon(r.Delta)
		require.NoError(t, err)
		require.LessOrEqual(t, hi, r.Expect.PLD.Upper*(1+1e-9), r.ID)
		require.GreaterOrEqual(t, lo, r.Expect.PLD.Upper*(1-1e-5), r.ID)
	}
}

// Trinomial composition in exact rational arithmetic (p and 1-p are dyadic).
func TestComposeAgainstRationals(t *testing.T) {
	t.Parallel()
	const steps = 9
	hi, lo, zero := big.NewRat(5, 8), big.NewRat(1, 8), big.NewRat(2, 8) // p = 1/2, k = 4
	law := []*big.Rat{lo, zero, hi}
	mass := []*big.Rat{big.NewRat(1, 1)}
	for range steps {
		next := make([]*big.Rat, len(mass)+2)
		for i := range next {
			next[i] = new(big.Rat)
		}
		for i, x := range mass {
			for j, y := range law {
				next[i+j].Add(next[i+j], new(big.Rat).Mul(x, y))
			}
		}
		mass = next
	}
	a, err := RandomizedResponse(0.5, 4)
	c := composed(t, a, err, steps)
	for cut := -steps; cut < steps; cut++ { // e^eps = 5^cut 3/2
		u := big.NewRat(3, 2)
		for range max(cut, -cut) {
			if cut > 0 {
				u.Mul(u, big.NewRat(5, 1))
			} else {
				u.Quo(u, big.NewRat(5, 1))
			}
		}
		want := new(big.Rat)
		for i, m := range mass {
			ratio := new(big.Rat).SetInt64(1)
			for range max(i-steps, steps-i) {
				ratio.Mul(ratio, big.NewRat(1, 5))
			}
			if i < steps {
				ratio.Inv(ratio)
			}
			if v := new(big.Rat).Sub(big.NewRat(1, 1), ratio.Mul(ratio, u)); v.Sign() > 0 {
				want.Add(want, v.Mul(v, m))
			}
		}
		exact, _ := want.Float64()
		lo, hi, err := c.Delta(float64(cut)*math.Log(5) + math.Log(1.5))
		require.NoError(t, err)
		require.LessOrEqual(t, lo, exact*(1+1e-13))
		require.GreaterOrEqual(t, hi, exact*(1-1e-13))
		require.LessOrEqual(t, hi-lo, 1e-11*exact)
	}
}

func TestComposeLarge(t *testing.T) {
	t.Parallel()
	a, err := ApproximateDP(1e-3, 0)
	c := composed(t, a, err, 1_000_000) // near a Gaussian of mu = 1
	lo, hi, err := c.Epsilon(1e-5)
	require.NoError(t, err)
	require.InEpsilon(t, 4.377178095681223, hi, 1e-3)
	require.Less(t, hi-lo, 1e-8)
	// At delta = 1e-300 the answer is still an enclosure.
	lo, hi, err = c.Epsilon(1e-200)
	require.NoError(t, err)
	require.Less(t, hi-lo, 1e-6*hi)
	// Compositions that cannot be done are refused.
	g, err := DiscreteGaussian(2000, 1)
	require.NoError(t, err)
	_, err = g.Compose(1_000_000)
	require.ErrorIs(t, err, ErrTooLarge)
	s, _, err := g.Poisson(0.1)
	require.NoError(t, err)
	_, err = s.Compose(2)
	require.ErrorIs(t, err, ErrParameter)
	// The mass at infinity is a floor.
	b, err := ApproximateDP(1, 1e-3)
	_, hi, err = composed(t, b, err, 10).Epsilon(1e-3)
	require.NoError(t, err)
	require.True(t, math.IsInf(hi, 1))
}
