package loss

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// FuzzLaws builds every law from any parameters: it is refused, or both sides are sane and the upper curve is nowhere
// below the lower one; refusals carry a sentinel.
func FuzzLaws(f *testing.F) {
	f.Add(uint8(0), 0.5, 1.0, 3, 0.01)
	f.Add(uint8(3), 1.0, 1e-5, 1, 0.1)
	f.Add(uint8(6), 2.0, 0.1, 2, 0.001)
	f.Add(uint8(9), 0.7, 0.01, 40, 0.05)
	f.Add(uint8(11), 1.0, 0.3, 8, 0.02)
	f.Add(uint8(5), math.Inf(1), math.NaN(), -1, 0.0)
	f.Fuzz(func(t *testing.T, kind uint8, x, y float64, n int, step float64) {
		const tail = 1e-12
		var laws []lattice.Law
		var err error
		atoms := func(a *Atoms, e error) {
			if err = e; err == nil {
				laws = append(laws, a)
				if r, s, e := a.Poisson(y); e == nil {
					laws = append(laws, r, s)
				}
			}
		}
		switch kind % 12 {
		case 0:
			atoms(RandomizedResponse(x, n))
		case 1:
			r, s, e := RandomizedResponseZeroOut(x, n)
			if err = e; err == nil {
				laws = append(laws, r, s)
			}
		case 2:
			atoms(ApproximateDP(x, y))
		case 3:
			atoms(DiscreteLaplace(x, n%200))
		case 4:
			if x > 50 {
				return // many outcomes: slow, nothing new
			}
			atoms(DiscreteGaussian(x, n%100))
		case 5:
			l, e := Laplace(x)
			if err = e; err == nil {
				laws = append(laws, l)
			}
		case 6:
			r, s, e := PoissonLaplace(x, y)
			if err = e; err == nil {
				laws = append(laws, r, s)
			}
		case 7:
			l, e := Exponential(x)
			if err = e; err == nil {
				laws = append(laws, l)
			}
		case 8:
			l, e := FixedBatch(x, y)
			if err = e; err == nil {
				laws = append(laws, l)
			}
		case 9:
			r, s, e := TruncatedPoisson(int64(n%10000), y, int64(n%97), x)
			if err = e; err == nil {
				laws = append(laws, r, s)
				l, e := TruncatedPoissonReplace(int64(n%10000), y, int64(n%97), x)
				require.NoError(t, e)
				laws = append(laws, l)
			}
		case 10:
			r, s, e := FixedBatchZeroOut(x, y)
			if err = e; err == nil {
				laws = append(laws, r, s)
			}
		case 11:
			r, s, e := NewAllocation(x, n%50)
			if err = e; err == nil {
				laws = append(laws, r, s)
			}
		}
		if err != nil {
			refused(t, err)
			return
		}
		if step < 1e-3 {
			step = 1e-3 // keep one run short
		}
		for _, l := range laws {
			up, down, err := l.Discretize(step, tail)
			if err != nil {
				refused(t, err)
				continue
			}
			sane(t, up, true)
			sane(t, down, false)
			u := folded{up.Step, up.Offset, up.First, up.Mass, up.Inf}
			d := folded{down.Step, down.Offset, down.First, down.Mass, down.Inf}
			for _, eps := range []float64{-1, -1e-3, 0, 1e-4, 0.1, 1, 7} {
				require.GreaterOrEqual(t, u.delta(eps), d.delta(eps)*(1-1e-9)-1e-14, "eps %v", eps)
			}
		}
	})
}

func refused(t *testing.T, err error) {
	t.Helper()
	for _, known := range []error{ErrParameter, ErrTooLarge} {
		if errors.Is(err, known) {
			return
		}
	}
	require.NoError(t, err)
}

// FuzzCompose: enclosures are ordered, and inverse to each other.
func FuzzCompose(f *testing.F) {
	f.Add(uint8(0), 0.5, 1e-7, 3, 10, 1e-5)
	f.Add(uint8(1), 0.9, 0.0, 10, 20, 1e-6)
	f.Add(uint8(2), 0.2, 0.0, 2, 7, 1e-9)
	f.Add(uint8(3), 1.5, 0.0, 2, 5, 1e-3)
	f.Fuzz(func(t *testing.T, kind uint8, x, y float64, k, steps int, delta float64) {
		var a *Atoms
		var err error
		switch kind % 4 {
		case 0:
			a, err = ApproximateDP(x, y)
		case 1:
			a, err = RandomizedResponse(x, k)
		case 2:
			a, err = DiscreteLaplace(x, k%20)
		case 3:
			if x > 10 {
				return
			}
			a, err = DiscreteGaussian(x, k%20)
		}
		if err != nil {
			refused(t, err)
			return
		}
		c, err := a.Compose(steps % 200)
		if err != nil {
			refused(t, err)
			return
		}
		lo, hi, err := c.Epsilon(delta)
		if err != nil {
			refused(t, err)
			return
		}
		require.True(t, lo >= 0 && lo <= hi, "[%v, %v]", lo, hi)
		if math.IsInf(hi, 0) {
			return
		}
		below, above, err := c.Delta(hi)
		require.NoError(t, err)
		require.True(t, below <= above && above <= delta, "%v <= %v <= %v", below, above, delta)
		if lo > 0 {
			below, above, err = c.Delta(lo)
			require.NoError(t, err)
			require.True(t, below >= delta*(1-1e-9) && below <= above, "%v >= %v", below, delta)
		}
	})
}
