package ledger

import (
	"math"
	"slices"
	"time"

	"github.com/surefoot-ml/surefoot/privacy"
)

// Report is the state of a ledger at one moment, for people and as JSON. Amounts in it are exact whole numbers of units.
type Report struct {
	// Ledger is the ID of the ledger.
	Ledger string `json:"ledger"`
	// Entry is the number of the last entry of the journal that is counted.
	Entry    uint64          `json:"entry"`
	Accounts []AccountReport `json:"accounts"`
	Jobs     []JobReport     `json:"jobs"`
}

// AccountReport is the state of an account.
type AccountReport struct {
	Account
	// Guarantee is what holds whatever the jobs did and will do: the whole interaction is within it. Pure accounts have a delta of 0.
	Guarantee privacy.Budget `json:"guarantee"`
	// Running is an upper bound on the epsilon, at the delta of the guarantee, of what is spent and reserved, by the measure of the account; 0
	// before the first charge. It is for display. When the moment of looking, or of stopping, depends on what was released, what holds is Guarantee.
	// For Basic accounts see the Balance of delta too.
	Running float64 `json:"running_epsilon"`
	// Used is the part of the budget that is spent or reserved, from 0 to 1.
	Used float64 `json:"used"`
	// Accountant and Conversion say how the charges are added up, and how the caps follow from the guarantee.
	Accountant string    `json:"accountant"`
	Conversion string    `json:"conversion"`
	Balances   []Balance `json:"balances"`
	// Dropped are orders of a Renyi account at which its budget leaves nothing.
	Dropped []float64 `json:"dropped_orders,omitempty"`
	Retired bool      `json:"retired,omitempty"`
	// NotPrivate is set where a job that draws predictable noise has charged the account: what it released protects nobody.
	NotPrivate bool `json:"not_private,omitempty"`
}

// Balance is one of the sums of an account, in units: 1e12 to the nat (or to one mu²), 1e18 to a delta of 1.
type Balance struct {
	Quantity string  `json:"quantity"` // "epsilon", "delta", "rho", "mu²" or "renyi"
	Order    float64 `json:"order,omitempty"`
	PerOne   int64   `json:"units_per_one"`
	Cap      int64   `json:"cap"`
	Spent    int64   `json:"spent"`
	Reserved int64   `json:"reserved"`
}

// Remaining is what is neither spent nor reserved, in units.
func (b Balance) Remaining() int64 { return max(0, b.Cap-add(b.Spent, b.Reserved)) }

// JobReport is what a job has spent and reserved.
type JobReport struct {
	Name        string     `json:"name"`
	Incarnation uint64     `json:"incarnation"`
	NotPrivate  bool       `json:"not_private,omitempty"`
	Accounts    []JobShare `json:"accounts"`
}

// JobShare is what a job has of an account, by its sums.
type JobShare struct {
	Account  string    `json:"account"`
	Balances []Balance `json:"balances"` // Cap is that of the account
}

// Report returns the state. It changes nothing. What an expired reservation holds counts as spent.
func (l *Ledger) Report() (Report, error) {
	if l == nil {
		return Report{}, ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := l.ticket.Seq()
	if entry == 0 {
		entry, _ = l.journal.Last()
	}
	late := map[uint64]bool{}
	now := time.Now()
	for number, h := range l.handles {
		late[number] = !h.deadline.IsZero() && !now.Before(h.deadline)
	}
	return l.book.report(entry, late), nil
}

// report counts open reservations that are late as spent.
func (b *book) report(entry uint64, late map[uint64]bool) Report {
	r := Report{Ledger: hexID(b.id), Entry: entry, Accounts: []AccountReport{}, Jobs: []JobReport{}}
	for _, a := range b.accounts {
		r.Accounts = append(r.Accounts, a.report())
	}
	for _, w := range b.jobs {
		jr := JobReport{Name: w.name, Incarnation: w.incarnation, NotPrivate: w.notPrivate, Accounts: []JobShare{}}
		for _, row := range w.rows {
			a := b.accounts[row.account]
			jr.Accounts = append(jr.Accounts, JobShare{a.Name, a.balances(row.spent, row.reserved)})
			r.Accounts[row.account].NotPrivate = r.Accounts[row.account].NotPrivate || w.notPrivate
		}
		r.Jobs = append(r.Jobs, jr)
	}
	for number, v := range b.open {
		if !late[number] {
			continue
		}
		for _, p := range v.parts {
			shares := r.Jobs[v.job].Accounts
			at := slices.IndexFunc(shares, func(s JobShare) bool { return s.Account == b.accounts[p.account].Name })
			for k, amount := range p.amounts {
				for _, balance := range []*Balance{&r.Accounts[p.account].Balances[k], &shares[at].Balances[k]} {
					balance.Reserved, balance.Spent = balance.Reserved-amount, add(balance.Spent, amount)
				}
			}
		}
	}
	return r
}

func (a *account) balances(spent, reserved []int64) []Balance {
	all := make([]Balance, len(a.quantities))
	for i, q := range a.quantities {
		all[i] = Balance{q.name, q.order, q.perOne, a.caps[i], spent[i], reserved[i]}
	}
	return all
}

func (a *account) report() AccountReport {
	used := make([]int64, len(a.caps))
	for i := range used {
		used[i] = add(a.spent[i], a.reserved[i])
	}
	r := AccountReport{
		Account: a.Account, Guarantee: a.budget(), Used: a.level(),
		Accountant: a.Measure.accountant(), Conversion: a.Measure.conversion(len(a.counted)),
		Balances: a.balances(a.spent, a.reserved), Retired: a.retired, Dropped: a.Orders[:len(a.Orders)-len(a.counted)],
	}
	r.Orders, r.Dropped = slices.Clone(r.Orders), slices.Clone(r.Dropped)
	for _, n := range used {
		if n > 0 { // by any order: a filter that still admits is within its budget
			r.Running = min(a.Epsilon, a.Measure.epsilon(a.quantities, a.Delta, used))
			break
		}
	}
	if math.IsNaN(r.Running) {
		r.Running = a.Epsilon
	}
	return r
}

// Account returns the state of one account.
func (r Report) Account(name string) (AccountReport, bool) {
	i := slices.IndexFunc(r.Accounts, func(a AccountReport) bool { return a.Name == name })
	if i < 0 {
		return AccountReport{}, false
	}
	return r.Accounts[i], true
}

// Job returns the state of one job.
func (r Report) Job(name string) (JobReport, bool) {
	i := slices.IndexFunc(r.Jobs, func(j JobReport) bool { return j.Name == name })
	if i < 0 {
		return JobReport{}, false
	}
	return r.Jobs[i], true
}
