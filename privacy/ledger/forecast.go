package ledger

import (
	"fmt"
	"math"
	"time"

	"github.com/surefoot-ml/surefoot/privacy"
)

// Planned is a stretch of a plan: Count executions of Event, or one reservation of Count executions as a whole at Delta, if that is not 0.
type Planned struct {
	Event privacy.Event
	Count int64
	Delta float64
}

// Forecast says how far a plan gets.
type Forecast struct {
	// Executions of the plan that fit, in its order, when each stretch is charged in one request. What other jobs will take is not known.
	Executions int64 `json:"executions"`
	// Complete is set if all of the plan fits.
	Complete bool `json:"complete"`
	// Account, Quantity and Order name what runs out first: for Renyi accounts the order that bears most. Empty if all fits.
	Account  string  `json:"account,omitempty"`
	Quantity string  `json:"quantity,omitempty"`
	Order    float64 `json:"order,omitempty"`
	// Left is the time that the executions take at the given rate, 0 without one.
	Left time.Duration `json:"left,omitempty"`
}

// Forecast tells how far a plan gets with what is now neither spent nor reserved in these accounts: exactly, by bisection over the planned
// executions, not from the slope of a curve. perSecond is the measured rate of executions, or 0. It is a forecast, and no bound on anything.
func (l *Ledger) Forecast(accounts []string, plan []Planned, perSecond float64) (Forecast, error) {
	if !(perSecond >= 0 && perSecond <= math.MaxFloat64) {
		return Forecast{}, fmt.Errorf("%w: %v executions per second", ErrInvalid, perSecond)
	}
	orders := make([]*order, len(plan))
	total := int64(0)
	for i, p := range plan {
		if p.Count < 1 {
			return Forecast{}, fmt.Errorf("%w: Planned.Count = %d, want 1 or more", ErrInvalid, p.Count)
		}
		o, err := l.order(Request{Accounts: accounts, Event: p.Event, Count: p.Count, Delta: p.Delta})
		if err != nil {
			return Forecast{}, err
		}
		if total += p.Count; total > maxCount {
			return Forecast{}, fmt.Errorf("%w: a plan of more than 2^40 executions", ErrInvalid)
		}
		orders[i] = o
	}
	if l == nil {
		return Forecast{}, ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list, err := l.known.Load().accountsOf(accounts)
	if err != nil {
		return Forecast{}, err
	}
	f := Forecast{Executions: math.MaxInt64}
	for k, at := range list {
		a := l.book.accounts[at]
		if a.retired {
			return Forecast{}, refuse(ErrRetired, "%q", a.Name)
		}
		if n, sum := a.reach(orders, k, total); n < f.Executions {
			q := a.quantities[sum]
			f.Executions, f.Account, f.Quantity, f.Order = n, a.Name, q.name, q.order
		}
	}
	if f.Executions >= total {
		f = Forecast{Executions: total, Complete: true}
	}
	if perSecond > 0 {
		f.Left = time.Duration(min(float64(f.Executions)/perSecond*1e9, math.MaxInt64/2))
	}
	return f, nil
}

// Remaining is how many more executions of an event fit in one request, at most 2^40, and what runs out first.
func (l *Ledger) Remaining(e privacy.Event, accounts ...string) (Forecast, error) {
	return l.Forecast(accounts, []Planned{{Event: e, Count: maxCount}}, 0)
}

// reach is how many executions of a plan an account bears, the k-th of the orders' accounts, and the sum that binds: costs grow along the plan,
// so what does not fit does not fit later either.
func (a *account) reach(plan []*order, k int, total int64) (n int64, binding int) {
	fits := func(n int64) (int, bool) {
		sums := make([]int64, len(a.caps))
		for _, o := range plan {
			count := min(o.Count, n)
			if o.unit == nil && count < o.Count {
				break // not even begun
			}
			n -= count
			for i := range sums {
				if o.unit == nil {
					sums[i] = add(sums[i], o.parts[k].amounts[i])
				} else if count > 0 {
					sums[i] = add(sums[i], a.clamp(i, o.unit[k][i], count))
				}
			}
			if n == 0 {
				break
			}
		}
		for i := range sums {
			sums[i] = min(sums[i], a.caps[i]+1)
		}
		return a.fits(sums)
	}
	binding, ok := fits(total)
	if ok {
		return math.MaxInt64, 0
	}
	low, high := int64(0), total
	if sum, ok := fits(0); !ok {
		return 0, sum
	}
	for high-low > 1 {
		mid := low + (high-low)/2
		if sum, ok := fits(mid); ok {
			low = mid
		} else {
			high, binding = mid, sum
		}
	}
	// A whole is taken all or not at all.
	done := int64(0)
	for _, o := range plan {
		if o.unit == nil && done+o.Count > low {
			return min(done, low), binding
		}
		if done += o.Count; done >= low {
			break
		}
	}
	return low, binding
}
