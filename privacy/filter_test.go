package privacy

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

type admitter interface {
	Admit(ctx context.Context) (token uint64, err error)
	Done(token uint64, err error)
}

var _ admitter = (*Charge)(nil)

func newFilter(t *testing.T, b Budget, plan Event) *Filter {
	t.Helper()
	f, err := NewFilter(b, plan)
	require.NoError(t, err)
	return f
}

func remaining(t *testing.T, f *Filter, e Event) int {
	t.Helper()
	n, err := f.Remaining(e)
	require.NoError(t, err)
	return n
}

// The filter admits as many executions of its plan as the accountant at the best of all orders, and not one more.
func TestFilterAdmitsTheWholeBudget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		plan Event
		b    Budget
	}{
		{sampled(.01, 1), Budget{2.1013221312346246, 1e-5}}, // the best-order epsilon of 1000 steps
		{sampled(.01, 1), Budget{8, 1e-8}},
		{sampled(.004, .8), Budget{3, 1e-5}},
		{sampled(.05, 2), Budget{15, 1e-6}},
		{sampled(.001, 4), Budget{.05, 1e-5}},
		{Gaussian{StdDev: 30, Clip: 1, Relation: AddRemove}, Budget{1, 1e-6}},
		{Gaussian{StdDev: 30, Clip: .5, Relation: ReplaceOne}, Budget{1, 1e-6}},
		{Gaussian{StdDev: 1e-3, Clip: 1, Relation: AddRemove}, Budget{1e9, 1e-6}},
	} {
		f := newFilter(t, c.b, c.plan)
		n := remaining(t, f, c.plan)
		require.Positive(t, n)
		fits := func(n int) bool {
			var r RDP
			require.NoError(t, r.Add(c.plan, n))
			return epsilon(t, &r, c.b.Delta) <= c.b.Epsilon
		}
		require.True(t, fits(n), "%+v: %d executions exceed the budget", c, n)
		require.False(t, fits(n+1+n/1e6), "%+v: more than %d executions would fit", c, n)

		require.NoError(t, f.SpendN(c.plan, n))
		require.LessOrEqual(t, f.Spent().Upper, c.b.Epsilon)
		require.Greater(t, f.Spent().Upper, c.b.Epsilon*float64(n)/float64(n+2)*.9)
		require.Zero(t, remaining(t, f, c.plan))

		err := f.Spend(c.plan)
		var full *ExhaustedError
		require.ErrorAs(t, err, &full)
		require.ErrorIs(t, err, ErrExhausted)
		require.False(t, errors.Is(err, ErrInvalid))
		require.True(t, full.Permanent() && full.Neutral())
		require.Equal(t, c.plan, full.Event)
		require.Equal(t, f.Order(), full.Order)
		require.Greater(t, full.Spent+full.Requested, full.Limit)
		require.LessOrEqual(t, full.Spent, full.Limit)
		require.Contains(t, err.Error(), "privacy: budget exhausted: spent ")
	}
}

// Charges far below the resolution of a float64 sum are not lost: 10^7 of them cost at least their exact sum.
func TestSmallChargesAddUp(t *testing.T) {
	t.Parallel()
	big, small := sampled(.5, .5), sampled(1e-9, 50)
	f := newFilter(t, Budget{100, 1e-6}, big)
	require.NoError(t, f.Spend(big))
	before := f.spent
	one := newFilter(t, Budget{100, 1e-6}, big)
	require.NoError(t, one.Spend(small))
	require.Positive(t, one.spent, "an event that costs anything costs a unit at least")
	for range 1000 {
		require.NoError(t, f.Spend(small))
	}
	require.NoError(t, f.SpendN(small, 10_000_000))
	require.Equal(t, before+10_001_000*one.spent, f.spent)
}

func TestFilterRefusesBadBudgets(t *testing.T) {
	t.Parallel()
	plan := sampled(.01, 1)
	for _, b := range []Budget{{}, {1, 0}, {0, 1e-5}, {-1, 1e-5}, {math.NaN(), 1e-5}, {math.Inf(1), 1e-5}, {1, 1}, {1, math.NaN()}, {1e-3, 1e-5}} {
		_, err := NewFilter(b, plan)
		require.ErrorIs(t, err, ErrInvalid, "%+v", b)
	}
	_, err := NewFilter(Budget{1, 1e-5}, sampled(0, 1))
	require.ErrorIs(t, err, ErrInvalid, "a plan that costs nothing fixes no order")
}

func TestZeroFilterRefuses(t *testing.T) {
	t.Parallel()
	e := sampled(.01, 1)
	for _, f := range []*Filter{nil, {}} {
		for _, e := range []Event{e, sampled(0, 1)} {
			require.ErrorIs(t, f.Spend(e), ErrExhausted)
			require.False(t, f.Admits(e, 1))
			require.Zero(t, remaining(t, f, e))
			_, err := f.For(e).Admit(t.Context())
			require.ErrorIs(t, err, ErrExhausted)
		}
		require.Zero(t, f.Spent().Upper)
		require.Zero(t, f.Budget())
		require.Zero(t, f.Order())
		_, err := f.State()
		require.ErrorIs(t, err, ErrInvalid)
		state, err := newFilter(t, Budget{1, 1e-5}, e).State()
		require.NoError(t, err)
		require.ErrorIs(t, f.Restore(state), ErrInvalid)
	}
}

func TestAllOrNothing(t *testing.T) {
	t.Parallel()
	e := sampled(.01, 1)
	f := newFilter(t, Budget{2, 1e-5}, e)
	n := remaining(t, f, e)
	require.ErrorIs(t, f.SpendN(e, n+1), ErrExhausted)
	require.ErrorIs(t, f.SpendN(e, math.MaxInt), ErrExhausted)
	require.Equal(t, n, remaining(t, f, e))
	require.Zero(t, f.Spent().Upper)
	require.True(t, f.Admits(e, n))
	require.False(t, f.Admits(e, n+1))
	require.False(t, f.Admits(e, -1))
	require.ErrorIs(t, f.SpendN(e, -1), ErrInvalid)
	require.NoError(t, f.SpendN(sampled(0, 1), math.MaxInt), "what costs nothing is free")
	require.Equal(t, math.MaxInt, remaining(t, f, sampled(0, 2)))
	require.Equal(t, n, remaining(t, f, e))
}

// Every attempt is charged, a failed one too; a refused or cancelled one is not.
func TestChargePerAttempt(t *testing.T) {
	t.Parallel()
	e := sampled(.01, 1)
	f := newFilter(t, Budget{2, 1e-5}, e)
	n := remaining(t, f, e)
	c := f.For(e)
	for i, outcome := range []error{nil, errors.New("step failed"), context.Canceled, &ExhaustedError{}} {
		token, err := c.Admit(t.Context())
		require.NoError(t, err)
		c.Done(token, outcome)
		require.Equal(t, n-1-i, remaining(t, f, e))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Admit(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, n-4, remaining(t, f, e))
}

func TestConcurrentSpendNeverExceeds(t *testing.T) {
	t.Parallel()
	e := sampled(.01, 1)
	f := newFilter(t, Budget{1.3, 1e-5}, e)
	n := remaining(t, f, e)
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range n/32 + 1 {
				if f.Spend(e) == nil {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, n, admitted.Load())
}

func TestFilterResumes(t *testing.T) {
	t.Parallel()
	e, other := sampled(.01, 1), sampled(.02, 1.5)
	b := Budget{3, 1e-5}
	whole := newFilter(t, b, e)
	require.NoError(t, whole.SpendN(e, 700))
	require.NoError(t, whole.SpendN(other, 50))

	first := newFilter(t, b, e)
	require.NoError(t, first.SpendN(other, 20))
	require.NoError(t, first.SpendN(e, 400))
	early, err := first.State()
	require.NoError(t, err)
	second := newFilter(t, b, other) // another plan: a fresh filter takes over the order
	require.NotEqual(t, first.Order(), second.Order())
	require.NoError(t, second.Restore(early))
	require.Equal(t, first.Order(), second.Order())
	require.NoError(t, second.SpendN(e, 300))
	require.NoError(t, second.SpendN(other, 30))

	want, err := whole.State()
	require.NoError(t, err)
	got, err := second.State()
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
	require.Equal(t, whole.Spent(), second.Spent())
	require.Equal(t, remaining(t, whole, e), remaining(t, second, e))

	// An older checkpoint changes nothing.
	require.NoError(t, second.Restore(early))
	again, err := second.State()
	require.NoError(t, err)
	require.Equal(t, string(want), string(again))

	// Another budget, and another order after spending, are refused.
	require.ErrorIs(t, newFilter(t, Budget{4, 1e-5}, e).Restore(early), ErrInvalid)
	spent := newFilter(t, b, other)
	require.NoError(t, spent.Spend(other))
	require.ErrorIs(t, spent.Restore(early), ErrInvalid)
	require.Equal(t, 1, int(spent.history.entries[other].count))
}

// A filter is a set of counts and a sum; the model keeps them as such, and asks the accountant whether the budget was kept.
func FuzzFilter(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 250, 4, 17, 90, 91, 92, 7, 7, 7})
	f.Add([]byte("charge before release"))
	events := []Event{
		sampled(.01, 1), sampled(.02, 1.1), sampled(.3, 3), sampled(0, 1), Gaussian{StdDev: 20, Clip: 1, Relation: AddRemove},
		Gaussian{StdDev: 20, Clip: 1, Relation: ReplaceOne}, sampled(-1, 1), &Poisson{}, nil,
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		budget := Budget{2, 1e-5}
		filter := newFilter(t, budget, events[0])
		order := filter.Order()
		counts := map[Event]int{}
		var old []byte
		for _, op := range ops {
			e := events[int(op)%len(events)]
			n := int(op) / len(events)
			before := filter.spent
			switch op % 5 {
			case 0:
				old, _ = filter.State()
			case 1:
				fresh := newFilter(t, budget, events[0])
				state, err := filter.State()
				require.NoError(t, err)
				require.NoError(t, fresh.Restore(state))
				require.Equal(t, filter.spent, fresh.spent)
				filter = fresh
			case 2:
				if old != nil {
					require.NoError(t, filter.Restore(old))
					require.Equal(t, before, filter.spent)
				}
			default:
				can := filter.Admits(e, n)
				left, leftErr := filter.Remaining(e)
				spend := func() error { return filter.SpendN(e, n) }
				if n == 1 {
					spend = func() error { return filter.Spend(e) }
				}
				err := spend()
				require.Equal(t, can, err == nil)
				if err != nil {
					require.Equal(t, before, filter.spent)
					require.Equal(t, leftErr == nil, errors.Is(err, ErrExhausted))
					continue
				}
				require.GreaterOrEqual(t, left, n)
				counts[e] += n
			}
		}
		require.Equal(t, order, filter.Order())
		var r RDP
		for e, n := range counts {
			require.NoError(t, r.Add(e, n))
		}
		exact, err := r.Renyi(order)
		require.NoError(t, err)
		require.LessOrEqual(t, epsilonAt(order-1, exact*(order-1), budget.Delta), budget.Epsilon*(1+1e-12))
		require.GreaterOrEqual(t, filter.measure.shown(filter.spent), exact*(1-1e-12))
	})
}

func FuzzRestore(f *testing.F) {
	e := sampled(.01, 1)
	var r RDP
	if err := errors.Join(r.Add(e, 3), r.Add(Gaussian{StdDev: 2, Clip: 1, Relation: AddRemove}, 5)); err != nil {
		f.Fatal(err)
	}
	saved, err := r.State()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(saved)
	filter, err := NewFilter(Budget{2, 1e-5}, e)
	if err != nil {
		f.Fatal(err)
	}
	if err := filter.SpendN(e, 5); err != nil {
		f.Fatal(err)
	}
	saved, err = filter.State()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(saved)
	f.Fuzz(func(t *testing.T, data []byte) {
		var r RDP
		require.NoError(t, r.Add(e, 2))
		before := epsilon(t, &r, 1e-5)
		if err := r.Restore(data); err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			require.Equal(t, before, epsilon(t, &r, 1e-5))
		} else {
			require.GreaterOrEqual(t, epsilon(t, &r, 1e-5), before)
			state, err := r.State()
			require.NoError(t, err)
			var again RDP
			require.NoError(t, again.Restore(state))
			require.Equal(t, epsilon(t, &r, 1e-5), epsilon(t, &again, 1e-5))
		}
		filter := newFilter(t, Budget{2, 1e-5}, e)
		require.NoError(t, filter.Spend(e))
		spent, left := filter.spent, remaining(t, filter, e)
		if err := filter.Restore(data); err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			require.Equal(t, spent, filter.spent)
		}
		require.GreaterOrEqual(t, filter.spent, spent)
		require.LessOrEqual(t, remaining(t, filter, e), left)
		_ = newFilter(t, Budget{2, 1e-5}, e).Restore(data)
	})
}

// sealed puts the digest into a state.
func sealed(t *testing.T, text string) string {
	t.Helper()
	var s state
	require.NoError(t, json.Unmarshal([]byte(text), &s), text)
	var err error
	s.Digest, err = s.digest()
	require.NoError(t, err)
	data, err := json.Marshal(s)
	require.NoError(t, err)
	return string(data)
}

func TestHostileStates(t *testing.T) {
	t.Parallel()
	const gaussian, poisson = `{"std_dev":1,"clip":1,"relation":"add_remove"}`, `{"rate":0.01,"gaussian":{"std_dev":1,"clip":1,"relation":"add_remove"}}`
	event := func(kind, params, count string) string {
		return `{"event":{"version":1,"type":"` + kind + `","params":` + params + `},"count":` + count + `}`
	}
	rdp := func(events string) string {
		return sealed(t, `{"version":2,"kind":"accountant","events":[`+events+`]}`)
	}
	good := event("poisson", poisson, "3")
	require.NoError(t, new(RDP).Restore([]byte(rdp(good))))
	for _, bad := range []string{
		``, `null`, `[]`, `{}`, `1`, rdp(good) + `x`, rdp(good) + rdp(good), rdp(good + `,` + good),
		strings.Replace(rdp(good), `"count":3`, `"count":2`, 1), // edited
		sealed(t, `{"version":1,"kind":"accountant","events":[]}`), sealed(t, `{"version":2,"kind":"filter","events":[]}`),
		`{"version":2,"kind":"accountant","events":[],"more":1}`, sealed(t, `{"version":2,"kind":"accountant","events":[],"filter":{}}`),
		rdp(event("poisson", gaussian, "3")), rdp(event("gaussian", poisson, "3")), rdp(event("poison", poisson, "3")),
		rdp(strings.Replace(good, `"version":1`, `"version":2`, 1)),
		rdp(event("gaussian", `{"std_dev":1,"clip":1,"relation":""}`, "3")),
		rdp(event("gaussian", `{"std_dev":1,"clip":1}`, "3")),
		rdp(event("gaussian", `{"std_dev":-1,"clip":1,"relation":"add_remove"}`, "3")),
		rdp(event("gaussian", gaussian, "0")), rdp(event("gaussian", gaussian, "-3")),
		rdp(good + `,` + event("gaussian", `{"std_dev":1,"clip":1,"relation":"replace_one"}`, "3")),
	} {
		var r RDP
		require.ErrorIs(t, r.Restore([]byte(bad)), ErrInvalid, bad)
		require.Zero(t, epsilon(t, &r, 1e-5))
	}
	// Counts beyond the budget, and a spend above what the counts explain, both stand.
	f := newFilter(t, Budget{2, 1e-5}, sampled(.01, 1))
	state := func(spent, count string) []byte {
		return []byte(sealed(t, `{"version":2,"kind":"filter","filter":{"budget":{"epsilon":2,"delta":1e-05},"measure":{"name":"renyi","order":8},"spent":`+spent+`},"events":[`+
			event("poisson", poisson, count)+`,`+event("poisson", strings.Replace(poisson, "0.01", "0.02", 1), "1")+`]}`))
	}
	require.ErrorIs(t, f.Restore(state("1152921504606846977", "1")), ErrInvalid)
	require.NoError(t, f.Restore(state("0", "9223372036854775807")))
	require.Zero(t, remaining(t, f, sampled(.01, 1)))
	require.Zero(t, remaining(t, f, sampled(.02, 1)), "every event has a cost after a restore")
	f = newFilter(t, Budget{2, 1e-5}, sampled(.01, 1))
	require.NoError(t, f.Restore(state("1152921504606846976", "1")))
	require.Zero(t, remaining(t, f, sampled(.01, 1)))
}

// The filter stays sound when the schedule depends on what was released: a random adaptive run never passes the budget at its order.
func TestAdaptiveRun(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	f := newFilter(t, Budget{3, 1e-6}, sampled(.01, 1))
	var r RDP
	for f.Admits(sampled(.001, 2), 1) {
		e := sampled(math.Exp(-8*rng.Float64()), .5+3*rng.Float64())
		if f.Spend(e) == nil {
			require.NoError(t, r.Step(e))
		} else {
			require.NoError(t, f.SpendN(sampled(.001, 2), 1+remaining(t, f, sampled(.001, 2))/3))
		}
	}
	k, err := r.Renyi(f.Order())
	require.NoError(t, err)
	require.LessOrEqual(t, epsilonAt(f.Order()-1, k*(f.Order()-1), 1e-6), 3.0)
}

func BenchmarkSpend(b *testing.B) {
	b.ReportAllocs()
	e := sampled(1e-6, 10)
	f, err := NewFilter(Budget{8, 1e-5}, e)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_ = f.Spend(e)
	}
}

func BenchmarkNewFilter(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = NewFilter(Budget{8, 1e-5}, sampled(.01, 1))
	}
}
