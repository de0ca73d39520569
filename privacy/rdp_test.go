package privacy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func epsilon(t *testing.T, r *RDP, delta float64) float64 {
	t.Helper()
	got, err := r.Epsilon(delta)
	require.NoError(t, err)
	require.Zero(t, got.Lower)
	require.NotEmpty(t, got.Method)
	return got.Upper
}

// Eight schedules for which accountants in use reported down to a seventh of the truth. rdp is the exact Rényi epsilon at integer
// orders 2 to 1024 (Mironov, Talwar, Zhang 2019, with the conversion used here); truth is the exact epsilon of the composition:
// inverse Laplace transform of its privacy profile (Alghamdi et al. 2023, arXiv 2208.09595), the analytic Gaussian for rate 1.
var eightSchedules = []struct {
	q, sigma   float64
	steps      int
	delta      float64
	rdp, truth float64
}{
	{.01, 1.1, 1000, 1e-5, 1.725, 1.51536191666},
	{.01, 1.1, 10000, 1e-5, 5.654, 5.19258344588},
	{256. / 60000, 1.1, 14062, 1e-5, 2.597, 2.38159692142},
	{.01, .5, 1000, 1e-5, 15.47, 13.36082398534},
	{.001, 1, 10000, 1e-6, .980, .55513966793},
	{1, 10, 100, 1e-5, 4.753, 4.377178095681},
	{.02, 1.5, 5000, 1e-5, 5.165, 4.76524957485},
	{.01, 4, 10000, 1e-5, 1.035, .94686680076},
}

func TestEpsilonNeverBelowTruth(t *testing.T) {
	t.Parallel()
	var integers []float64
	for a := 2.0; a <= 1024; a++ {
		integers = append(integers, a)
	}
	for _, c := range eightSchedules {
		grid, err := NewRDP(integers...)
		require.NoError(t, err)
		var all RDP
		for _, r := range []*RDP{grid, &all} {
			require.NoError(t, r.Add(sampled(c.q, c.sigma), c.steps))
			require.GreaterOrEqual(t, epsilon(t, r, c.delta), c.truth, "%+v", c)
		}
		require.InEpsilon(t, c.rdp, epsilon(t, grid, c.delta), 6e-4, "%+v: the figure has 4 digits", c)
		require.LessOrEqual(t, epsilon(t, &all, c.delta), epsilon(t, grid, c.delta)*(1+1e-9), "%+v", c)
	}
}

// Infimum over real orders from 50-digit curves; the last has its optimum near order 10^4, beyond the usual grids, for which
// accountants that stop at order 1024 report .0193, and its true value is .0017425.
func TestEpsilonAtBestOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q, sigma, delta float64
		steps           int
		want            float64
	}{
		{.01, 1, 1e-5, 1000, 2.1013221312346246},
		{.07191, 2.069, 6.88e-6, 598285, 535.7735940601588},
		{.5, 5, 1e-5, 10000, 96.74720731820085},
		{1.374e-5, 4.424, 2.03e-7, 807, .01906256148363237},
	} {
		var r RDP
		require.NoError(t, r.Add(sampled(c.q, c.sigma), c.steps))
		require.InEpsilon(t, c.want, epsilon(t, &r, c.delta), 1e-6)
		got, err := r.Epsilon(c.delta)
		require.NoError(t, err)
		require.True(t, got.Converged)
	}
	var r RDP
	require.NoError(t, r.Add(sampled(.001, 100), 1000))
	require.Less(t, epsilon(t, &r, 1e-12), .0193/2)
	require.Greater(t, epsilon(t, &r, 1e-12), .0017425)
}

func TestReplaceOneIsTwiceTheDistance(t *testing.T) {
	t.Parallel()
	var one, two RDP
	require.NoError(t, one.Add(Gaussian{StdDev: 4, Clip: 1, Relation: ReplaceOne}, 3))
	require.NoError(t, two.Add(Gaussian{StdDev: 4, Clip: 2, Relation: AddRemove}, 3))
	require.Equal(t, epsilon(t, &two, 1e-5), epsilon(t, &one, 1e-5))

	var r RDP // sigma 2 at distance 2 is mu = 1: the exact epsilon is 4.377178095681223
	require.NoError(t, r.Step(Gaussian{StdDev: 2, Clip: 1, Relation: ReplaceOne}))
	require.Greater(t, epsilon(t, &r, 1e-5), 4.377178095681223)
	require.Less(t, epsilon(t, &r, 1e-5), 4.377178095681223*1.1)
}

func TestInvalidChangesNothing(t *testing.T) {
	t.Parallel()
	good := sampled(.01, 1)
	nan, inf := math.NaN(), math.Inf(1)
	type embedded struct{ Gaussian }
	for name, e := range map[string]Event{
		"nil": nil, "pointer": &good, "embedded": embedded{good.Gaussian}, "zero": Gaussian{}, "zero sampled": Poisson{},
		"rate nan": sampled(nan, 1), "rate negative": sampled(-1e-9, 1), "rate above 1": sampled(1+1e-15, 1), "rate inf": sampled(inf, 1),
		"sigma nan": sampled(.01, nan), "sigma 0": sampled(.01, 0), "sigma negative": sampled(.01, -1), "sigma inf": sampled(.01, inf),
		"clip nan":       Gaussian{StdDev: 1, Clip: nan, Relation: AddRemove},
		"clip 0":         Gaussian{StdDev: 1, Clip: 0, Relation: AddRemove},
		"clip inf":       Gaussian{StdDev: 1, Clip: inf, Relation: AddRemove},
		"no relation":    Gaussian{StdDev: 1, Clip: 1},
		"odd relation":   Gaussian{StdDev: 1, Clip: 1, Relation: 7},
		"too little":     Gaussian{StdDev: 1e-7, Clip: 1, Relation: AddRemove},
		"too much":       Gaussian{StdDev: 1e13, Clip: 1, Relation: AddRemove},
		"other relation": Gaussian{StdDev: 1, Clip: 1, Relation: ReplaceOne},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r RDP
			require.NoError(t, r.Add(good, 10))
			before, err := r.State()
			require.NoError(t, err)
			f, err := NewFilter(Budget{1, 1e-5}, good)
			require.NoError(t, err)
			require.NoError(t, f.Spend(good))
			left, err := f.Remaining(good)
			require.NoError(t, err)

			for _, err := range []error{r.Step(e), r.Add(e, 0), f.Spend(e), f.SpendN(e, 0)} {
				var invalid *InvalidError
				require.ErrorAs(t, err, &invalid)
				require.ErrorIs(t, err, ErrInvalid)
				require.NotEmpty(t, invalid.Field)
				require.True(t, invalid.Permanent() && invalid.Neutral())
			}
			require.False(t, f.Admits(e, 1))
			_, err = f.Remaining(e)
			require.ErrorIs(t, err, ErrInvalid)
			if name != "other relation" {
				_, err = Renyi(e, 2)
				require.ErrorIs(t, err, ErrInvalid)
			}
			after, err := r.State()
			require.NoError(t, err)
			require.Equal(t, string(before), string(after))
			still, err := f.Remaining(good)
			require.NoError(t, err)
			require.Equal(t, left, still)
		})
	}
	var r RDP
	require.ErrorIs(t, r.Add(good, -1), ErrInvalid)
	require.NoError(t, r.Add(good, math.MaxInt))
	require.ErrorIs(t, r.Step(good), ErrInvalid, "the count would overflow")
	require.EqualError(t, (&RDP{}).Step(sampled(2, 1)), "privacy: Poisson.Rate = 2, want a number from 0 to 1")
	for _, delta := range []float64{0, 1, -1e-5, 2, nan, inf} {
		_, err := r.Epsilon(delta)
		require.ErrorIs(t, err, ErrInvalid, "delta %v", delta)
	}
	for _, eps := range []float64{-1, nan, inf} {
		_, err := r.Delta(eps)
		require.ErrorIs(t, err, ErrInvalid, "eps %v", eps)
	}
	for _, order := range []float64{1, .5, 0, -2, nan, inf} {
		_, err := NewRDP(2, order)
		require.ErrorIs(t, err, ErrInvalid)
		_, err = Renyi(good, order)
		require.ErrorIs(t, err, ErrInvalid)
		_, err = r.Renyi(order)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

func TestNothingSpent(t *testing.T) {
	t.Parallel()
	var r RDP
	require.Zero(t, epsilon(t, &r, 1e-9))
	require.NoError(t, r.Add(sampled(.5, 1), 0))
	require.NoError(t, r.Add(sampled(0, 1), 1000))
	require.Zero(t, epsilon(t, &r, 1e-9))
	delta, err := r.Delta(0)
	require.NoError(t, err)
	require.Zero(t, delta.Upper)
}

func TestExtremes(t *testing.T) {
	t.Parallel()
	if slow {
		t.Skip("arithmetic alone: minutes under the race detector")
	}
	for _, sigma := range []float64{1e-6, 1e-3, .1, 1, 1e3, 1e6, 1e12} {
		for _, q := range []float64{1e-9, .01, 1} {
			for _, n := range []int{1, 1000, math.MaxInt} {
				for _, delta := range []float64{1e-300, 1e-5, .999999} {
					var r RDP
					require.NoError(t, r.Add(sampled(q, sigma), n))
					eps := epsilon(t, &r, delta)
					require.False(t, math.IsNaN(eps) || math.IsInf(eps, 0) || eps < 0, "q %v sigma %v n %v delta %v: %v", q, sigma, n, delta, eps)
				}
			}
		}
	}
	// Orders just above 1 neither give a free epsilon of 0 nor a smaller one than the best order.
	near, err := NewRDP(1+1e-8, 1.001)
	require.NoError(t, err)
	var all RDP
	for _, r := range []*RDP{near, &all} {
		require.NoError(t, r.Add(sampled(.01, 1), 1000))
	}
	require.GreaterOrEqual(t, epsilon(t, near, 1e-5), epsilon(t, &all, 1e-5))
	short, err := near.Epsilon(1e-5)
	require.NoError(t, err)
	require.False(t, short.Converged, "the best order lies beyond the list")
	// A delta too small for a float64 is not 0.
	var r RDP
	require.NoError(t, r.Step(Gaussian{StdDev: 1, Clip: 1, Relation: AddRemove}))
	delta, err := r.Delta(1000)
	require.NoError(t, err)
	require.Positive(t, delta.Upper)
}

func TestMonotone(t *testing.T) {
	t.Parallel()
	eps := func(q, sigma float64, n int, delta float64) float64 {
		var r RDP
		require.NoError(t, r.Add(sampled(q, sigma), n))
		return epsilon(t, &r, delta)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	const slack = 1 + 1e-8 // of the search
	for range 60 {
		q, sigma := math.Exp(-10*rng.Float64()), .4+5*rng.Float64()
		n, delta := 1+rng.IntN(100000), math.Exp(-30*rng.Float64()-1)
		base := eps(q, sigma, n, delta)
		require.GreaterOrEqual(t, base*slack, eps(q, sigma, n, delta*1.5))
		require.GreaterOrEqual(t, base*slack, eps(q, sigma*1.1, n, delta))
		require.GreaterOrEqual(t, base*slack, eps(q*.9, sigma, n, delta))
		require.GreaterOrEqual(t, eps(q, sigma, n+1+n/10, delta)*slack, base)
	}
}

// Epsilon and Delta invert each other.
func TestDeltaInverts(t *testing.T) {
	t.Parallel()
	var r RDP
	require.NoError(t, r.Add(sampled(.01, 1), 1000))
	for _, delta := range []float64{1e-2, 1e-5, 1e-12, 1e-18} {
		back, err := r.Delta(epsilon(t, &r, delta))
		require.NoError(t, err)
		require.InEpsilon(t, delta, back.Upper, 1e-5)
	}
}

// Equal histories give equal bits, in whatever order and batches, with or without questions in between, and after a restart.
func TestEqualHistoriesEqualBits(t *testing.T) {
	t.Parallel()
	counts := map[Event]int{
		sampled(.01, 1): 300, sampled(.02, 1.3): 200, sampled(.01, 1.3): 7, sampled(0, 1): 5,
		Gaussian{StdDev: 9, Clip: .3, Relation: AddRemove}: 2,
	}
	var bulk RDP
	for e, n := range counts {
		require.NoError(t, bulk.Add(e, n))
	}
	want := epsilon(t, &bulk, 1e-5)
	state, err := bulk.State()
	require.NoError(t, err)

	for seed := range uint64(5) {
		var deck []Event
		for e, n := range counts {
			for range n {
				deck = append(deck, e)
			}
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		r := new(RDP)
		for i, e := range deck {
			require.NoError(t, r.Step(e))
			switch i {
			case 100, 200:
				epsilon(t, r, 1e-7)
				_, err := r.Delta(.3)
				require.NoError(t, err)
			case 300:
				saved, err := r.State()
				require.NoError(t, err)
				r = new(RDP)
				require.NoError(t, r.Restore(saved))
			}
		}
		require.Equal(t, math.Float64bits(want), math.Float64bits(epsilon(t, r, 1e-5)))
		got, err := r.State()
		require.NoError(t, err)
		require.Equal(t, string(state), string(got))
	}
}

func TestRestoreNeverLowers(t *testing.T) {
	t.Parallel()
	var r RDP
	require.NoError(t, r.Add(sampled(.01, 1), 100))
	old, err := r.State()
	require.NoError(t, err)
	require.NoError(t, r.Add(sampled(.01, 1), 900))
	require.NoError(t, r.Step(sampled(.02, 1)))
	want := epsilon(t, &r, 1e-5)
	require.NoError(t, r.Restore(old))
	require.Equal(t, want, epsilon(t, &r, 1e-5))
}

func TestSumsRoundUp(t *testing.T) {
	t.Parallel()
	require.Equal(t, 0x1p53, ceil(1<<53))
	require.Equal(t, 0x1p53+2, ceil(1<<53+1))
	require.Equal(t, 0x1p63, ceil(math.MaxInt64))
	var r RDP
	for i := range 1000 {
		require.NoError(t, r.Step(sampled(.001, 1+float64(i)/1000)))
	}
	got, err := r.Renyi(8)
	require.NoError(t, err)
	var exact compensated
	for i := range 1000 {
		one, err := Renyi(sampled(.001, 1+float64(i)/1000), 8)
		require.NoError(t, err)
		exact.add(one * (1 - 0x1p-50)) // what Renyi itself rounds up
	}
	require.GreaterOrEqual(t, got, exact.value())
	require.InEpsilon(t, exact.value(), got, 1e-12)
}

func TestConcurrentSteps(t *testing.T) {
	t.Parallel()
	var r RDP
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 500 {
				if err := r.Step(sampled(.01, 1+float64((i+w)%3))); err != nil {
					t.Error(err)
				}
				if i%100 == 0 {
					if _, err := r.Epsilon(1e-5); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	total := int64(0)
	for _, e := range r.snapshot() {
		total += e.count
	}
	require.EqualValues(t, 4000, total)
}

func TestStepAllocatesNothing(t *testing.T) {
	var r RDP
	e := sampled(.01, 1)
	require.NoError(t, r.Step(e))
	require.Zero(t, testing.AllocsPerRun(1000, func() { _ = r.Step(e) }))
	f, err := NewFilter(Budget{8, 1e-5}, e)
	require.NoError(t, err)
	require.NoError(t, f.Spend(e))
	require.Zero(t, testing.AllocsPerRun(1000, func() { _ = f.Spend(e) }))
	charge := f.For(e)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		token, _ := charge.Admit(t.Context())
		charge.Done(token, nil)
	}))
}

func BenchmarkStep(b *testing.B) {
	b.ReportAllocs()
	var r RDP
	e := sampled(.01, 1)
	for b.Loop() {
		_ = r.Step(e)
	}
}

func BenchmarkEpsilon(b *testing.B) {
	for _, distinct := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("distinct=%d", distinct), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var r RDP
				for i := range distinct {
					_ = r.Add(sampled(.01, 1+float64(i)/1e4), 10000/distinct)
				}
				_, _ = r.Epsilon(1e-5)
			}
		})
	}
	for _, distinct := range []int{1, 4} {
		b.Run(fmt.Sprintf("warm,distinct=%d", distinct), func(b *testing.B) {
			b.ReportAllocs()
			var r RDP
			for i := range distinct {
				_ = r.Add(sampled(.01, 1+float64(i)/10), 10000)
			}
			for b.Loop() {
				_, _ = r.Epsilon(1e-5)
			}
		})
	}
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		var r RDP
		for b.Loop() {
			_ = r.Step(sampled(.01, 1))
			_, _ = r.Epsilon(1e-5)
		}
	})
}

func BenchmarkRenyi(b *testing.B) {
	for _, order := range []float64{1.5, 7.5, 8, 100.5, 1024} {
		b.Run(fmt.Sprintf("order=%v", order), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Renyi(sampled(.01, 1), order)
			}
		})
	}
}
