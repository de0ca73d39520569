package ledger

import (
	"fmt"
	"math"
	"slices"
)

const (
	maxAccounts = 1024 // of one request
	maxCount    = 1 << 40
)

// book is the state of a ledger: what follows from its records, in their order, and from nothing else. A record is checked against all
// rules before it is applied, when it is new and when it is replayed.
type book struct {
	id           [16]byte
	begun        bool // there was a genesis
	accounts     []*account
	accountNames map[string]int
	jobs         []*work
	jobNames     map[string]int
	last         uint64               // number of the last reservation
	open         map[uint64]*reserved // by number
	spare        []*reserved
}

// account is an account with its balances. For every sum of a measure that needs all to fit, spent+reserved <= cap at all times; of the
// others at least one fits.
type account struct {
	accountRecord
	quantities      []quantity
	spent, reserved []int64
	retired         bool
	told            []float64 // thresholds
}

// work is a job.
type work struct {
	name        string
	incarnation uint64
	notPrivate  bool
	rows        []row // of accounts that it ever reserved from
}

// row is what a job has of an account.
type row struct {
	account         int
	spent, reserved []int64
}

// reserved is an open reservation.
type reserved struct {
	job   int
	count int64
	whole bool
	parts []part
}

func newBook() *book {
	return &book{accountNames: map[string]int{}, jobNames: map[string]int{}, open: map[uint64]*reserved{}}
}

// corrupt is the error of check. Those that a caller can bring about are found before a record is made.
func corrupt(format string, args ...any) error { return refuse(ErrCorrupt, format, args...) }

// apply is check and do.
func (b *book) apply(r *record) error {
	if err := b.check(r); err != nil {
		return err
	}
	b.do(r)
	return nil
}

// check refuses a record that breaks a rule. It changes nothing.
func (b *book) check(r *record) error {
	if b.begun == (r.kind == kindGenesis) {
		return corrupt("the first record, and it alone, begins a ledger")
	}
	switch r.kind {
	case kindAccount:
		return b.checkAccount(&r.account)
	case kindJob:
		return b.checkJob(r.name, r.incarnation)
	case kindReserve:
		return b.checkReserve(r)
	case kindResolve:
		return b.checkResolve(r)
	case kindDone:
		for i, number := range r.numbers {
			if _, ok := b.open[number]; !ok || slices.Contains(r.numbers[:i], number) {
				return corrupt("reservation %d is not open", number)
			}
		}
	case kindRetire:
		if r.index >= len(b.accounts) || b.accounts[r.index].retired {
			return corrupt("account %d cannot be retired", r.index)
		}
	case kindNotPrivate:
		if r.index >= len(b.jobs) || b.jobs[r.index].notPrivate {
			return corrupt("job %d cannot be marked", r.index)
		}
	case kindTold:
		if r.index >= len(b.accounts) || !(r.threshold > 0 && r.threshold <= 1) || slices.Contains(b.accounts[r.index].told, r.threshold) {
			return corrupt("threshold %v of account %d cannot be told", r.threshold, r.index)
		}
	}
	return nil
}

func (b *book) checkAccount(a *accountRecord) error {
	own, err := a.Account.normal()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if _, known := b.accountNames[a.Name]; known || !own.equal(a.Account) {
		return corrupt("account %q is there twice or not in its normal form", a.Name)
	}
	if drop := len(a.Orders) - len(a.counted); drop < 0 || !slices.Equal(a.Orders[drop:], a.counted) {
		return corrupt("account %q counts orders %v of %v", a.Name, a.counted, a.Orders)
	}
	all, err := a.Measure.quantities(a.counted)
	if err != nil || len(all) == 0 || len(all) != len(a.caps) {
		return corrupt("account %q has %d sums and %d caps", a.Name, len(all), len(a.caps))
	}
	most := int64(maxCap)
	if a.Measure.any() {
		most = maxOrderCap
	}
	for _, c := range a.caps {
		if c < 1 || c > most {
			return corrupt("account %q has a cap of %d units", a.Name, c)
		}
	}
	return nil
}

func (b *book) checkJob(name string, incarnation uint64) error {
	before := uint64(0)
	if i, known := b.jobNames[name]; known {
		before = b.jobs[i].incarnation
	} else if err := checkText("job", name, 1); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if incarnation != before+1 {
		return corrupt("incarnation %d of job %q follows %d", incarnation, name, before)
	}
	return nil
}

func (b *book) checkReserve(r *record) error {
	if r.number != b.last+1 {
		return corrupt("reservation %d follows %d", r.number, b.last)
	}
	if r.index >= len(b.jobs) || b.jobs[r.index].incarnation != r.incarnation {
		return corrupt("reservation %d of incarnation %d of job %d", r.number, r.incarnation, r.index)
	}
	if r.count < 1 || r.count > maxCount || len(r.parts) < 1 {
		return corrupt("reservation %d of %d executions from %d accounts", r.number, r.count, len(r.parts))
	}
	for i := range r.parts {
		p := &r.parts[i]
		if p.account >= len(b.accounts) || i > 0 && p.account <= r.parts[i-1].account {
			return corrupt("reservation %d from account %d", r.number, p.account)
		}
		a := b.accounts[p.account]
		if a.retired || len(p.amounts) != len(a.caps) || a.Unit != b.accounts[r.parts[0].account].Unit {
			return corrupt("reservation %d from account %q", r.number, a.Name)
		}
		for i, amount := range p.amounts {
			if amount < 0 || amount > a.caps[i]+1 || amount > math.MaxInt64-a.reserved[i] {
				return corrupt("reservation %d of %d units from account %q", r.number, amount, a.Name)
			}
		}
		if _, fits := a.fits(p.amounts); !fits {
			return corrupt("reservation %d exceeds account %q", r.number, a.Name)
		}
	}
	return nil
}

// checkResolve: a reservation ends once. What was used counts, and the rest comes back only from a reservation that can be split.
func (b *book) checkResolve(r *record) error {
	v, ok := b.open[r.number]
	if !ok {
		return corrupt("reservation %d is not open", r.number)
	}
	least, most := v.count, v.count
	switch r.outcome {
	case committed:
		if !v.whole {
			least = 0
		}
	case released:
		least, most = 0, 0
	case expired:
	default:
		return corrupt("reservation %d ends by %d", r.number, r.outcome)
	}
	if r.count < least || r.count > most {
		return corrupt("reservation %d of %d executions ends with %d", r.number, v.count, r.count)
	}
	return nil
}

// fits reports whether amounts fit beside what is spent and reserved; if not, which sum came closest or failed.
func (a *account) fits(amounts []int64) (int, bool) {
	closest, ratio := 0, math.Inf(1)
	for i, amount := range amounts {
		used := add(a.spent[i], a.reserved[i])
		if ok := used <= a.caps[i] && amount <= a.caps[i]-used; ok == a.Measure.any() {
			return i, ok
		}
		if r := (float64(used) + float64(amount)) / float64(a.caps[i]); r < ratio && amount <= a.caps[i] { // else it stands for more
			closest, ratio = i, r
		}
	}
	return closest, !a.Measure.any()
}

// level is the part of the budget that is spent or reserved: of the sum that has the most where all must fit, else of that with the least.
func (a *account) level() float64 {
	level := 0.0
	for i, c := range a.caps {
		v := min(1, float64(add(a.spent[i], a.reserved[i]))/float64(c))
		if i == 0 || (v < level) == a.Measure.any() {
			level = v
		}
	}
	return level
}

// do applies a record that was checked.
func (b *book) do(r *record) {
	switch r.kind {
	case kindGenesis:
		b.id, b.begun = r.id, true
	case kindAccount:
		b.addAccount(r.account)
	case kindJob:
		i, known := b.jobNames[r.name]
		if !known {
			i = len(b.jobs)
			b.jobNames[r.name] = i
			b.jobs = append(b.jobs, &work{name: r.name})
		}
		b.jobs[i].incarnation = r.incarnation
		b.spendAll(func(v *reserved) bool { return v.job == i })
	case kindReserve:
		b.last = r.number
		b.reserve(r.number, r.index, r.count, r.whole, r.parts)
	case kindResolve:
		b.settle(r.number, r.count)
	case kindDone:
		for _, number := range r.numbers {
			b.commit(number)
		}
	case kindRetire:
		b.accounts[r.index].retired = true
	case kindBoot:
		b.spendAll(func(*reserved) bool { return true })
	case kindNotPrivate:
		b.jobs[r.index].notPrivate = true
	case kindTold:
		a := b.accounts[r.index]
		a.told = append(a.told, r.threshold)
	}
}

func (b *book) addAccount(of accountRecord) {
	all, _ := of.Measure.quantities(of.counted) // checked
	n := len(all)
	b.accountNames[of.Name] = len(b.accounts)
	b.accounts = append(b.accounts, &account{accountRecord: of, quantities: all, spent: make([]int64, n), reserved: make([]int64, n)})
}

func (b *book) reserve(number uint64, job int, count int64, whole bool, parts []part) {
	v := b.blank(len(parts))
	v.job, v.count, v.whole = job, count, whole
	for i, p := range parts {
		own := &v.parts[i]
		own.account, own.amounts = p.account, append(own.amounts[:0], p.amounts...)
		a, w := b.accounts[p.account], b.jobs[job].row(p.account, len(p.amounts))
		for k, amount := range p.amounts {
			a.reserved[k] += amount
			w.reserved[k] += amount
		}
	}
	b.open[number] = v
}

// blank returns memory for a reservation.
func (b *book) blank(parts int) *reserved {
	var v *reserved
	if n := len(b.spare); n > 0 {
		v, b.spare = b.spare[n-1], b.spare[:n-1]
	} else {
		v = new(reserved)
	}
	v.parts = slices.Grow(v.parts[:0], parts)[:parts]
	return v
}

// settle ends a reservation of which used executions count.
func (b *book) settle(number uint64, used int64) {
	v := b.open[number]
	for _, p := range v.parts {
		a, w := b.accounts[p.account], b.jobs[v.job].row(p.account, len(p.amounts))
		for k, amount := range p.amounts {
			spent := amount
			if amount <= a.caps[k] { // else it stands for more than it says
				spent = share(amount, used, v.count)
			}
			if used == 0 {
				spent = 0
			}
			a.reserved[k], w.reserved[k] = a.reserved[k]-amount, w.reserved[k]-amount
			a.spent[k], w.spent[k] = add(a.spent[k], spent), add(w.spent[k], spent)
		}
	}
	delete(b.open, number)
	if len(b.spare) < 1024 {
		b.spare = append(b.spare, v)
	}
}

// commit ends a reservation that was used in full.
func (b *book) commit(number uint64) { b.settle(number, b.open[number].count) }

// spendAll commits open reservations: nobody is there any more who could say that nothing left them. The order does not matter to sums.
func (b *book) spendAll(which func(*reserved) bool) {
	for number, v := range b.open {
		if which(v) {
			b.commit(number)
		}
	}
}

func (w *work) row(account, sums int) *row {
	for i := range w.rows {
		if w.rows[i].account == account {
			return &w.rows[i]
		}
	}
	w.rows = append(w.rows, row{account, make([]int64, sums), make([]int64, sums)})
	return &w.rows[len(w.rows)-1]
}
