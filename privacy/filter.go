package privacy

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"
)

// budgetUnits is the whole budget of a Filter. Costs are whole numbers of units, rounded up: sums are exact in any order.
const budgetUnits = 1 << 60

// Filter is a budget that cannot be overspent.
//
// It adds up one measure of privacy loss, fixed when it is made, and refuses the event that would exceed what converts to the
// budget: the Rényi divergence at one order ([NewFilter]), the parameter rho of zero-concentrated privacy ([NewConcentratedFilter]) or the
// mu² of plain Gaussians ([NewGaussianFilter]). That is sound when every event is chosen after seeing what earlier ones released
// (Feldman, Zrnic 2021, "Individual privacy accounting via a Rényi filter"; Whitehouse et al. 2023, "Fully adaptive composition in
// differential privacy"; Smith, Thakurta 2022, "Fully adaptive composition for Gaussian differential privacy"): the whole interaction
// is (Epsilon, Delta)-differentially private. Changing the order halfway would break the argument, so nothing does; and stopping where
// the tight epsilon of the events so far reaches a limit is no filter at all.
//
// Charge before release, once per execution, retries included. There is no refund.
//
// The zero Filter and a nil *Filter have no budget and refuse everything. All methods are safe for concurrent use; a Filter must
// not be copied.
type Filter struct {
	budget Budget

	mu      sync.Mutex
	measure measure // guarded by mu, as all below
	spent   uint64  // of budgetUnits
	history history
	over    bool // the history costs more than the budget
}

// NewFilter returns a filter for b by Rényi divergence at the order that admits the most executions of plan. Other events may be spent
// too, at that order. It is an *InvalidError if plan costs nothing, for it then fixes no order, or if b does not admit plan even once.
func NewFilter(b Budget, plan Event) (*Filter, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	f := &Filter{budget: b}
	x, err := f.history.entry(plan)
	if err != nil {
		return nil, err
	}
	if len(x.parts) == 0 {
		return nil, &InvalidError{"plan", x.event, "an event that costs something"}
	}
	// The capacity is concave and increasing in c, K convex: their quotient has one maximum where it is positive.
	order, value, _ := minimise(func(order float64) float64 {
		limit := capacityAt(order-1, b)
		if limit <= 0 {
			return math.Inf(1)
		}
		return -limit / x.logMoment(order)
	}, startRung)
	if !(value <= -1) {
		return nil, &InvalidError{"Budget", b, fmt.Sprintf("at least the cost of one execution of %+v", x.event)}
	}
	if f.measure, err = measureOf(measureRenyi, order, b); err != nil {
		return nil, err
	}
	if _, err := f.measure.cost(x); err != nil {
		return nil, err
	}
	f.history.relation = x.event.relation()
	return f, nil
}

// NewConcentratedFilter returns a filter for b under r by zero-concentrated differential privacy (Bun, Steinke 2016): it needs no plan,
// and takes events with a rho only: Gaussians, discrete Gaussians, pure and zero-concentrated ones.
func NewConcentratedFilter(b Budget, r Relation) (*Filter, error) {
	return newFixed(measureConcentrated, b, r)
}

// NewGaussianFilter returns a filter for b under r by Gaussian differential privacy (Dong, Roth, Su 2022), exact for plain Gaussians, the
// only events it takes.
func NewGaussianFilter(b Budget, r Relation) (*Filter, error) {
	return newFixed(measureGaussian, b, r)
}

func newFixed(name string, b Budget, r Relation) (*Filter, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	if !slices.Contains(relations(), r) {
		return nil, &InvalidError{"Relation", r, wantRelation}
	}
	m, err := measureOf(name, 0, b)
	if err != nil {
		return nil, err
	}
	f := &Filter{budget: b, measure: m}
	f.history.relation = r
	return f, nil
}

// Budget returns the budget that the filter enforces.
func (f *Filter) Budget() Budget {
	if f == nil {
		return Budget{}
	}
	return f.budget
}

// Order returns the Rényi order at which the filter adds up, 0 if it adds up something else.
func (f *Filter) Order() float64 {
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.measure.Order
}

// Spend charges one execution of e. Call it before anything of that execution is released. The error is an *ExhaustedError if it
// does not fit, an *InvalidError if e is not a valid event of the filter's relation; nothing is charged then.
func (f *Filter) Spend(e Event) error {
	if f != nil {
		f.mu.Lock()
		if x := f.history.repeats(e); x != nil && x.count < math.MaxInt64 && x.cost <= budgetUnits-f.spent {
			x.count++
			f.spent += x.cost
			f.mu.Unlock()
			return nil
		}
		f.mu.Unlock()
	}
	return f.SpendN(e, 1)
}

// SpendN charges n executions of e at once, all or nothing; n = 0 only validates.
func (f *Filter) SpendN(e Event, n int) error {
	if n < 0 {
		return &InvalidError{"count", n, "0 or more"}
	}
	if f == nil {
		own, err := valid(e)
		if err != nil {
			return err
		}
		return &ExhaustedError{Event: own, Count: n}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := f.entry(e)
	if err != nil {
		return err
	}
	units, fits := f.fits(x, n)
	if !fits {
		return &ExhaustedError{
			Event: x.event, Count: n, Measure: f.measure.Name, Order: f.measure.Order,
			Spent: f.measure.shown(f.spent), Requested: f.measure.shown(x.cost) * float64(n), Limit: f.measure.shown(f.units()),
		}
	}
	if err := f.history.add(x, int64(n)); err != nil {
		return err
	}
	f.spent += units
	return nil
}

// Admits reports whether SpendN(e, n) would succeed now.
func (f *Filter) Admits(e Event, n int) bool {
	if f == nil || n < 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := f.entry(e)
	if err != nil {
		return false
	}
	_, fits := f.fits(x, n)
	return fits
}

// Remaining returns how many more executions of e fit, exactly; math.MaxInt for an event that costs nothing.
func (f *Filter) Remaining(e Event) (int, error) {
	if f == nil {
		_, err := valid(e)
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := f.entry(e)
	if err != nil {
		return 0, err
	}
	if x.cost == 0 {
		if f.units() == 0 {
			return 0, nil
		}
		return math.MaxInt, nil
	}
	return int(min((f.units()-f.spent)/x.cost, math.MaxInt)), nil
}

// Spent returns the epsilon of what was charged so far, at the budget's delta and the filter's order.
//
// It is a running figure, to be shown beside the budget. When the moment of looking, or of stopping, depends on what was released,
// what holds is Budget, not Spent.
func (f *Filter) Spent() Interval {
	if f == nil {
		return Interval{Method: "nothing spent", Converged: true}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spent == 0 {
		return Interval{Method: "nothing spent", Converged: true}
	}
	total, upper := up(float64(f.spent)/budgetUnits*f.measure.limit, 4), f.budget.Epsilon
	if f.over { // Restore brought more than the budget
		upper = math.Inf(1)
		sum := 0.0
		for _, x := range f.history.sorted() {
			one, err := f.measure.of(&x)
			if err != nil {
				return Interval{Upper: upper, Method: f.measure.String()}
			}
			sum = up(sum+ceil(x.count)*one, 4)
		}
		total = max(total, sum)
	}
	return Interval{Upper: min(f.measure.epsilon(total, f.budget.Delta), upper), Method: f.measure.String() + " filter", Converged: true}
}

// units is the whole budget, 0 for the zero Filter.
func (f *Filter) units() uint64 {
	if f.measure == (measure{}) {
		return 0
	}
	return budgetUnits
}

// entry adds the cost in the filter's measure.
func (f *Filter) entry(e Event) (*entry, error) {
	x, err := f.history.entry(e)
	if err != nil {
		return nil, err
	}
	if x.count == 0 && f.measure != (measure{}) {
		if x.cost, err = f.measure.cost(x); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (f *Filter) fits(x *entry, n int) (units uint64, ok bool) {
	hi, lo := bits.Mul64(x.cost, uint64(n))
	total := f.units()
	return lo, total != 0 && hi == 0 && lo <= total-f.spent
}

// Charge charges a filter for one execution around every attempt of a step.
type Charge struct {
	filter *Filter
	event  Event
}

// For returns a Charge of e. An event that f refuses is refused by Admit.
func (f *Filter) For(e Event) *Charge { return &Charge{f, e} }

// Admit charges one execution, unless ctx is done. Every attempt is charged, because a failed attempt may have released something.
func (c *Charge) Admit(ctx context.Context) (token uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("privacy: not charged: %w", err)
	}
	return 0, c.filter.Spend(c.event)
}

// Done keeps the charge, whatever the outcome.
func (c *Charge) Done(token uint64, err error) {}

// State returns the filter as JSON, for a checkpoint. A ledger that records each charge before the release is safer: what was
// spent after a checkpoint is not in it.
func (f *Filter) State() ([]byte, error) {
	if f == nil {
		return nil, &InvalidError{"Filter", "nil", "a filter made by NewFilter"}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.measure == (measure{}) {
		return nil, &InvalidError{"Filter", "zero", "a filter made by NewFilter"}
	}
	return encodeState("filter", &filterState{f.budget, f.measure, f.spent}, f.history.sorted())
}

// Restore continues from a State of a filter with the same budget. It never lowers what is spent: every event counts at least as
// often as before and as in the state. A filter that has spent nothing takes over the measure of the state, any other must have
// the same. On error nothing has changed; saved states are checked strictly, so they may come from outside.
func (f *Filter) Restore(data []byte) error {
	s, h, err := decodeState("filter", data)
	if err != nil {
		return err
	}
	if f == nil {
		return &InvalidError{"Filter", "nil", "a filter made by NewFilter"}
	}
	saved := s.Filter
	if saved.Spent > budgetUnits {
		return &InvalidError{"spent", saved.Spent, fmt.Sprintf("at most %d", uint64(budgetUnits))}
	}
	m, err := measureOf(saved.Measure.Name, saved.Measure.Order, saved.Budget)
	if err != nil {
		return err
	}
	for _, x := range h.entries { // outside the lock: a state from outside may hold many events
		if x.cost, err = m.cost(x); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.measure == (measure{}) || saved.Budget != f.budget {
		return &InvalidError{"state's Budget", saved.Budget, fmt.Sprintf("the %v of the filter", f.budget)}
	}
	if m != f.measure && f.spent != 0 {
		return &InvalidError{"state's measure", m, fmt.Sprintf("the %v in which the filter has spent", f.measure)}
	}
	if err := f.history.raise(h); err != nil {
		return err
	}
	f.measure = m // what it held at another measure cost nothing, in this one too
	sum := uint64(0)
	for _, x := range f.history.entries {
		hi, lo := bits.Mul64(x.cost, uint64(x.count))
		if hi != 0 {
			lo = budgetUnits + 1
		}
		f.over = f.over || lo > budgetUnits-sum
		sum += min(lo, budgetUnits-sum)
	}
	f.spent = max(f.spent, saved.Spent, sum)
	return nil
}
