package ledger

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/privacy"
)

// exact is n·cost·perOne as a fraction.
func exact(cost float64, perOne, n int64) *big.Rat {
	r := new(big.Rat)
	r.SetFloat64(cost)
	return r.Mul(r, new(big.Rat).SetInt(new(big.Int).Mul(big.NewInt(perOne), big.NewInt(n))))
}

// TestPricesAreRoundedUpOnce: trap 5. The amount for n executions is at least their exact cost, and less than one unit more.
func TestPricesAreRoundedUpOnce(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		cost := math.Ldexp(r.Float64(), -r.IntN(1100))
		n := r.Int64N(maxCount)>>r.IntN(40) + 1
		perOne := int64(unitsPerNat)
		if r.IntN(3) == 0 {
			perOne = unitsPerDelta
		}
		p, err := priceOf(cost, perOne)
		require.NoError(t, err)
		got, ok := p.times(n)
		want := exact(cost, perOne, n)
		if !ok {
			require.Equal(t, 1, want.Cmp(new(big.Rat).SetInt64(math.MaxInt64)))
			continue
		}
		more := new(big.Rat).Sub(new(big.Rat).SetInt64(got), want)
		require.GreaterOrEqual(t, more.Sign(), 0, "%v × %d = %d", cost, n, got)
		require.LessOrEqual(t, more.Cmp(big.NewRat(1, 1)), 0, "%v × %d = %d", cost, n, got)
		if cost > 0 {
			require.Positive(t, got, "no cost is lost")
		}
	}
}

func TestPriceEdges(t *testing.T) {
	t.Parallel()
	for _, cost := range []float64{5e-324, 1e-300, 1e-12} {
		p, err := priceOf(cost, unitsPerNat)
		require.NoError(t, err)
		one, ok := p.times(1)
		require.True(t, ok)
		require.EqualValues(t, 1, one)
	}
	p, err := priceOf(0, unitsPerNat)
	require.NoError(t, err)
	require.Equal(t, price{}, p)
	for _, cost := range []float64{math.Inf(1), math.MaxFloat64, 1e19, 1e10} {
		p, err := priceOf(cost, unitsPerNat)
		require.NoError(t, err)
		_, ok := p.times(1)
		require.False(t, ok)
		_, ok = p.times(maxCount)
		require.False(t, ok)
	}
	for _, cost := range []float64{-1, math.NaN(), math.Inf(-1), -5e-324} {
		_, err := priceOf(cost, unitsPerNat)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

func TestCapsAreRoundedDown(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		limit := math.Ldexp(r.Float64(), r.IntN(50)-25)
		got, err := capOf(limit, unitsPerNat)
		want := exact(limit, unitsPerNat, 1)
		if err != nil {
			require.True(t, limit > 4e6 || limit < 1e-12)
			continue
		}
		less := want.Sub(want, new(big.Rat).SetInt64(got))
		require.GreaterOrEqual(t, less.Sign(), 0)
		require.Negative(t, less.Cmp(big.NewRat(1, 1)))
	}
	for _, limit := range []float64{0, -1, math.NaN(), math.Inf(1), 9e-13, 5e6} {
		_, err := capOf(limit, unitsPerNat)
		require.ErrorIs(t, err, ErrInvalid, "%v", limit)
	}
}

// TestSharesCoverWhatWasUsed: a part of a reservation costs at least what its executions cost.
func TestSharesCoverWhatWasUsed(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		p := price{r.Uint64N(1e9), r.Uint64()}
		n := r.Int64N(1e9) + 1
		used := r.Int64N(n + 1)
		amount, ok := p.times(n)
		require.True(t, ok)
		least, ok := p.times(used)
		require.True(t, ok)
		got := share(amount, used, n)
		require.GreaterOrEqual(t, got, least)
		require.LessOrEqual(t, got, min(least+1, amount))
	}
	require.EqualValues(t, int64(maxCap+1), share(maxCap+1, maxCount, maxCount))
}

func TestSumsStayWhereTheyOverflowed(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, 5, add(2, 3))
	require.Equal(t, int64(math.MaxInt64), add(math.MaxInt64-1, 2))
	require.Equal(t, int64(math.MaxInt64), add(math.MaxInt64, math.MaxInt64))
}

// TestSmallestCharges: 300,000 charges of a cost far below a unit, in a balance that is nearly full, each count.
func TestSmallestCharges(t *testing.T) {
	t.Parallel()
	b := newBook()
	require.NoError(t, b.apply(&record{kind: kindGenesis}))
	require.NoError(t, b.apply(&record{kind: kindAccount, account: accountRecord{pureAccount("a", 4e6), nil, []int64{4e18}}}))
	require.NoError(t, b.apply(&record{kind: kindJob, name: "j", incarnation: 1}))
	put := func(amount int64) error {
		if err := b.apply(&record{kind: kindReserve, number: b.last + 1, incarnation: 1, count: 1, parts: []part{{0, []int64{amount}}}}); err != nil {
			return err
		}
		return b.apply(&record{kind: kindResolve, number: b.last, outcome: committed, count: 1})
	}
	require.NoError(t, put(4e18-3e5))
	p, err := priceOf(1e-300, unitsPerNat)
	require.NoError(t, err)
	one, _ := p.times(1)
	for range 300_000 {
		require.True(t, put(one) == nil)
	}
	require.EqualValues(t, 4e18, b.accounts[0].spent[0])
	require.ErrorIs(t, put(one), ErrCorrupt)
}

func TestMeasureText(t *testing.T) {
	t.Parallel()
	for m := Pure; m <= Renyi; m++ {
		text, err := m.MarshalText()
		require.NoError(t, err)
		var back Measure
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, m, back)
	}
	require.Equal(t, "Measure(9)", Measure(9).String())
	_, err := Measure(0).MarshalText()
	require.ErrorIs(t, err, ErrInvalid)
	var m Measure
	require.ErrorIs(t, m.UnmarshalText([]byte("pld")), ErrInvalid)
}

// TestRenyiCaps: trap 7. A list of orders costs log(length) at each, an order of its own nothing, and both are at least the caps of the
// plain Markov conversion.
func TestRenyiCaps(t *testing.T) {
	t.Parallel()
	b := privacy.Budget{Epsilon: 2, Delta: 1e-6}
	grid := []float64{1.5, 2, 4, 8, 16, 32, 64, 256}
	orders, caps, err := Renyi.caps(b, grid)
	require.NoError(t, err)
	require.NotEmpty(t, orders)
	require.Equal(t, grid[len(grid)-len(orders):], orders, "the lowest are dropped")
	k := float64(len(orders))
	for i, a := range orders {
		markov := b.Epsilon - math.Log(k/b.Delta)/(a-1)
		require.GreaterOrEqual(t, float64(caps[i])/unitsPerNat, markov, "order %v", a)
		_, alone, err := Renyi.caps(b, []float64{a})
		require.NoError(t, err)
		require.InDelta(t, math.Log(k)/(a-1), float64(alone[0]-caps[i])/unitsPerNat, 1e-9, "order %v", a)
		of, err := privacy.RenyiMeasure(a)
		require.NoError(t, err)
		require.LessOrEqual(t, of.Epsilon(float64(caps[i])/unitsPerNat, b.Delta/k), b.Epsilon*(1+1e-12))
	}
	dropped := grid[len(grid)-len(orders)-1]
	of, err := privacy.RenyiMeasure(dropped)
	require.NoError(t, err)
	_, err = of.Limit(privacy.Budget{Epsilon: b.Epsilon, Delta: b.Delta / (k + 1)})
	require.Error(t, err, "one more would leave nothing at the lowest")
	_, _, err = Renyi.caps(b, []float64{1.1, 1.2})
	require.ErrorIs(t, err, ErrInvalid)
}

// TestRunningIsWithinTheGuarantee: full accounts show their epsilon and no more.
func TestRunningIsWithinTheGuarantee(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		account Account
		event   privacy.Event
	}{
		{pureAccount("a", 1), pure(1e-4)},
		{Account{Name: "a", Measure: Basic, Relation: privacy.AddRemove, Epsilon: 1, Delta: 1e-6}, privacy.Approximate{Epsilon: 1e-4, Delta: 1e-12, Relation: privacy.AddRemove}},
		{Account{Name: "a", Measure: Concentrated, Relation: privacy.AddRemove, Epsilon: 1, Delta: 1e-6}, gaussian(100)},
		{Account{Name: "a", Measure: Gaussian, Relation: privacy.AddRemove, Epsilon: 1, Delta: 1e-6}, gaussian(100)},
		{renyiAccount("a", 12), gaussian(100)},
		{renyiAccount("a", 4, 8, 16, 32), gaussian(100)},
	} {
		l, j, _ := fresh(t, tt.account)
		f, err := l.Remaining(tt.event, "a")
		require.NoError(t, err)
		require.Positive(t, f.Executions)
		require.Equal(t, "a", f.Account)
		r, err := j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: tt.event, Count: f.Executions})
		require.NoError(t, err)
		require.NoError(t, r.Commit())
		_, err = j.Reserve(ctx, Request{Accounts: []string{"a"}, Event: tt.event, Count: 1})
		require.ErrorIs(t, err, ErrExhausted)
		report, err := l.Report()
		require.NoError(t, err)
		require.LessOrEqual(t, report.Accounts[0].Running, tt.account.Epsilon)
		require.Greater(t, report.Accounts[0].Running, tt.account.Epsilon*0.98, "%v", tt.account.Measure)
	}
}

// TestFiltersAgree: an account admits as often as the filter of package privacy of the same measure.
func TestFiltersAgree(t *testing.T) {
	t.Parallel()
	b := privacy.Budget{Epsilon: 2, Delta: 1e-6}
	renyi, err := privacy.NewFilter(b, sampled())
	require.NoError(t, err)
	rho, err := privacy.NewConcentratedFilter(b, privacy.AddRemove)
	require.NoError(t, err)
	mu, err := privacy.NewGaussianFilter(b, privacy.AddRemove)
	require.NoError(t, err)
	for _, tt := range []struct {
		filter  *privacy.Filter
		account Account
		event   privacy.Event
	}{
		{renyi, renyiAccount("a", renyi.Order()), sampled()},
		{rho, Account{Name: "a", Measure: Concentrated, Relation: privacy.AddRemove, Epsilon: 2, Delta: 1e-6}, gaussian(30)},
		{mu, Account{Name: "a", Measure: Gaussian, Relation: privacy.AddRemove, Epsilon: 2, Delta: 1e-6}, gaussian(30)},
	} {
		l, _, _ := fresh(t, tt.account)
		want, err := tt.filter.Remaining(tt.event)
		require.NoError(t, err)
		got, err := l.Remaining(tt.event, "a")
		require.NoError(t, err)
		require.InDelta(t, want, got.Executions, 1+1e-7*float64(want), "%v", tt.account.Measure)
	}
}
