package ledger

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/surefoot-ml/surefoot/privacy"
)

// pricing is what an event costs, worked out once: it does not depend on the balances.
type pricing struct {
	event    privacy.Event // as the account's measure takes it, by value
	relation privacy.Relation
	digest   [sha256.Size]byte // of its JSON
	by       map[tariff][]price
}

// tariff is a way of charging: a measure, and of Renyi the account whose orders count.
type tariff struct {
	measure Measure
	account int
}

// prices caches pricings. A schedule that changes at every step would fill it for ever, so it starts anew now and then.
type prices struct {
	mu    sync.RWMutex
	known map[privacy.Event]*pricing
}

const maxPrices = 4096

// event validates an event and gives it a pricing.
func (p *prices) event(e privacy.Event) (*pricing, error) {
	relation, err := privacy.RelationOf(e) // first: it refuses what cannot be a key of a map, and pointers
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	p.mu.RLock()
	known := p.known[e]
	p.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	text, err := privacy.MarshalEvent(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	known = &pricing{event: e, relation: relation, digest: sha256.Sum256(text), by: map[tariff][]price{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxPrices || p.known == nil {
		p.known = map[privacy.Event]*pricing{}
	}
	p.known[e] = known
	return known, nil
}

// under refuses an account of another relation.
func (e *pricing) under(a *account) error {
	if e.relation != a.Relation {
		return fmt.Errorf("%w: event under %v, account %q is under %v", ErrInvalid, e.relation, a.Name, a.Relation)
	}
	return nil
}

// of returns what one execution adds to each sum of an account.
func (p *prices) of(e *pricing, a *account, index int) ([]price, error) {
	if err := e.under(a); err != nil { // the tariff does not know the relation
		return nil, err
	}
	key := tariff{measure: a.Measure}
	if a.Measure == Renyi {
		key.account = index + 1
	}
	p.mu.RLock()
	known := e.by[key]
	p.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	made := make([]price, len(a.quantities))
	for i, q := range a.quantities {
		cost, err := costOf(e.event, a.Measure, q)
		if err != nil {
			return nil, fmt.Errorf("%w: account %q: %w", ErrInvalid, a.Name, err)
		}
		if made[i], err = priceOf(cost, q.perOne); err != nil {
			return nil, fmt.Errorf("account %q: %w", a.Name, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e.by[key] = made
	return made, nil
}

func costOf(e privacy.Event, m Measure, q quantity) (float64, error) {
	if m != Pure && m != Basic {
		return q.measure.Cost(e)
	}
	eps, delta, err := privacy.Basic(e)
	switch {
	case err != nil:
		return 0, err
	case q.name == "delta":
		return delta, nil
	case m == Pure && delta > 0:
		return 0, fmt.Errorf("%w: an event with delta %v, this account is for pure ones", ErrInvalid, delta)
	}
	return eps, nil
}

// bill is what count executions take from an account in one request.
func bill(unit []price, count int64, a *account) []int64 {
	amounts := make([]int64, len(unit))
	for i, p := range unit {
		amounts[i] = a.clamp(i, p, count)
	}
	return amounts
}

// clamp is the amount of a sum, or one unit more than its cap where it exceeds that: it does not fit then, and no sum overflows soon.
func (a *account) clamp(i int, p price, count int64) int64 {
	n, ok := p.times(count)
	if !ok || n > a.caps[i] {
		return a.caps[i] + 1
	}
	return n
}

// whole is the bill for count executions fixed in advance, at a delta of their own, by the best accountant: the loss of their adaptive
// composition is dominated by that of the events' own laws, because these do not depend on what was released.
func whole(e privacy.Event, count int64, delta float64, a *account) ([]int64, privacy.Interval, error) {
	if a.Measure != Basic {
		return nil, privacy.Interval{}, fmt.Errorf("%w: Request.Delta = %v is for %v accounts, %q is %v", ErrInvalid, delta, Basic, a.Name, a.Measure)
	}
	if count > math.MaxInt {
		return nil, privacy.Interval{}, fmt.Errorf("%w: %d executions on this machine", ErrInvalid, count)
	}
	var best privacy.Best
	if err := best.Add(e, int(count)); err != nil {
		return nil, privacy.Interval{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	in, err := best.Epsilon(delta)
	if err != nil {
		return nil, in, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var unit [2]price
	for i, cost := range []float64{in.Upper, delta} {
		if unit[i], err = priceOf(cost, a.quantities[i].perOne); err != nil {
			return nil, in, err
		}
	}
	return bill(unit[:], 1, a), in, nil
}

// exhausted describes why amounts do not fit, sum being the one that fits finds. The lock must be held.
func (b *book) exhausted(account, sum int, amounts []int64, unit []price, count int64) error {
	a := b.accounts[account]
	requested := func(i int) float64 {
		if unit == nil {
			return float64(amounts[i])
		}
		return unit[i].float() * float64(count) // what exceeds a cap was cut short in amounts
	}
	if a.Measure.any() && unit != nil {
		ratio := math.Inf(1)
		for i, c := range a.caps {
			if r := (float64(add(a.spent[i], a.reserved[i])) + requested(i)) / float64(c); r < ratio {
				sum, ratio = i, r
			}
		}
	}
	q := a.quantities[sum]
	return &ExhaustedError{
		Account: a.Name, Quantity: q.name, Order: q.order, Requested: requested(sum) / float64(q.perOne),
		Spent: inUnits(a.spent[sum], q.perOne, math.Inf(1)), Reserved: inUnits(a.reserved[sum], q.perOne, math.Inf(1)),
		Cap: inUnits(a.caps[sum], q.perOne, 0),
	}
}

// room is how many more executions fit, at most limit. The lock must be held.
func (a *account) room(unit []price, limit int64) int64 {
	fits := func(n int64) bool {
		_, ok := a.fits(bill(unit, n, a))
		return ok
	}
	if fits(limit) {
		return limit
	}
	low, high := int64(0), limit // low fits, high does not
	for high-low > 1 {
		mid := low + (high-low)/2
		if fits(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// directory is what never changes of the accounts there are.
type directory struct {
	names    map[string]int
	accounts []*account
}

func (d *directory) find(account string) (int, error) {
	i, ok := d.names[account]
	if !ok {
		return 0, refuse(ErrUnknown, "%q", account)
	}
	return i, nil
}

// accountsOf returns the accounts of a request in the order of their numbers, and what is wrong with the list.
func (d *directory) accountsOf(names []string) ([]int, error) {
	if n := len(names); n < 1 || n > maxAccounts {
		return nil, fmt.Errorf("%w: %d accounts, want 1 to %d", ErrInvalid, n, maxAccounts)
	}
	list := make([]int, len(names))
	for i, name := range names {
		var err error
		if list[i], err = d.find(name); err != nil {
			return nil, err
		}
	}
	slices.Sort(list)
	for i, at := range list {
		a, first := d.accounts[at], d.accounts[list[0]]
		if i > 0 && at == list[i-1] {
			return nil, fmt.Errorf("%w: account %q is named twice", ErrInvalid, a.Name)
		}
		if a.Unit != first.Unit {
			return nil, fmt.Errorf("%w: account %q is about %q, %q about %q", ErrInvalid, a.Name, a.Unit, first.Name, first.Unit)
		}
	}
	return list, nil
}
