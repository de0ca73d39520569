package ledger

import (
	"encoding/binary"
	"math"
	"slices"
)

// A snapshot is the book after some record: a version, then its fields in the way of records. Open reservations are in the order of
// their numbers, so that equal books give equal bytes.
const snapshotVersion = 1

func (b *book) append(to []byte) []byte {
	to = append(append(to, snapshotVersion), b.id[:]...)
	to = binary.AppendUvarint(to, uint64(len(b.accounts)))
	for _, a := range b.accounts {
		to = a.accountRecord.append(to)
		to = appendAmounts(appendAmounts(append(to, flag(a.retired)), a.spent), a.reserved)
		to = binary.AppendUvarint(to, uint64(len(a.told)))
		for _, t := range a.told {
			to = appendFloat(to, t)
		}
	}
	to = binary.AppendUvarint(to, uint64(len(b.jobs)))
	for _, w := range b.jobs {
		to = append(binary.AppendUvarint(appendText(to, w.name), w.incarnation), flag(w.notPrivate))
		to = binary.AppendUvarint(to, uint64(len(w.rows)))
		for _, r := range w.rows {
			to = appendAmounts(appendAmounts(binary.AppendUvarint(to, uint64(r.account)), r.spent), r.reserved)
		}
	}
	to = binary.AppendUvarint(to, b.last)
	numbers := make([]uint64, 0, len(b.open))
	for n := range b.open {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	to = binary.AppendUvarint(to, uint64(len(numbers)))
	for _, n := range numbers {
		v := b.open[n]
		to = binary.AppendUvarint(binary.AppendUvarint(to, n), uint64(v.job))
		to = appendReservation(to, v.count, v.whole, v.parts)
	}
	return to
}

// decodeBook reads a snapshot. It refuses one that no sequence of records leads to, as far as that can be seen.
func decodeBook(data []byte) (*book, error) {
	d := decoder{b: data}
	if v := d.byte(); d.err == nil && v != snapshotVersion {
		return nil, corrupt("snapshot of version %d, this is version %d", v, snapshotVersion)
	}
	b := newBook()
	b.begun = true
	d.bytes(b.id[:])
	for range d.length(math.MaxInt32) {
		b.decodeAccount(&d)
	}
	for range d.length(math.MaxInt32) {
		b.decodeJob(&d)
	}
	b.last = d.uint()
	before := uint64(0)
	for range d.length(math.MaxInt32) {
		number, job := d.uint(), d.index()
		count, whole, parts := d.reservation(nil)
		if number <= before || number > b.last || job >= len(b.jobs) || count < 1 || count > maxCount || len(parts) == 0 {
			d.fail("open reservation %d of job %d", number, job)
		}
		for i, p := range parts {
			if p.account >= len(b.accounts) || len(p.amounts) != len(b.accounts[p.account].caps) || i > 0 && p.account <= parts[i-1].account {
				d.fail("open reservation %d from account %d", number, p.account)
				break
			}
		}
		if d.err != nil {
			break
		}
		before = number
		b.open[number] = &reserved{job, count, whole, parts}
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	return b, b.audit()
}

func (b *book) decodeAccount(d *decoder) {
	if d.err != nil {
		return
	}
	var of accountRecord
	of.decode(d)
	retired, spent, reserved := d.flag(), d.amounts(nil), d.amounts(nil)
	var told []float64
	for range d.length(math.MaxInt32) {
		t := d.float()
		if !(t > 0 && t <= 1) || slices.Contains(told, t) {
			d.fail("a threshold of %v", t)
		}
		told = append(told, t)
	}
	if d.err == nil {
		d.err = b.checkAccount(&of)
	}
	if d.err == nil && (len(spent) != len(of.caps) || len(reserved) != len(of.caps)) {
		d.fail("account %q has %d sums", of.Name, len(spent))
	}
	if d.err != nil {
		return
	}
	b.addAccount(of)
	a := b.accounts[len(b.accounts)-1]
	a.retired, a.spent, a.reserved, a.told = retired, spent, reserved, told
}

func (b *book) decodeJob(d *decoder) {
	if d.err != nil {
		return
	}
	w := &work{name: d.text(), incarnation: d.uint(), notPrivate: d.flag()}
	for range d.length(math.MaxInt32) {
		r := row{d.index(), d.amounts(nil), d.amounts(nil)}
		twice := slices.ContainsFunc(w.rows, func(o row) bool { return o.account == r.account })
		if r.account >= len(b.accounts) || twice || len(r.spent) != len(b.accounts[r.account].caps) || len(r.reserved) != len(r.spent) {
			d.fail("job %q has %d sums of account %d", w.name, len(r.spent), r.account)
			return
		}
		w.rows = append(w.rows, r)
	}
	if _, known := b.jobNames[w.name]; known || w.incarnation == 0 || checkText("job", w.name, 1) != nil {
		d.fail("job %q, incarnation %d", w.name, w.incarnation)
		return
	}
	b.jobNames[w.name] = len(b.jobs)
	b.jobs = append(b.jobs, w)
}

// audit recounts: what is reserved is the sum of the open reservations, the balances are the sums of the rows of the jobs, and no cap
// is exceeded.
func (b *book) audit() error {
	again := make([]account, len(b.accounts))
	for i, a := range b.accounts {
		again[i] = account{spent: make([]int64, len(a.caps)), reserved: make([]int64, len(a.caps))}
		if _, fits := a.fits(make([]int64, len(a.caps))); !fits {
			return corrupt("account %q exceeds its cap", a.Name)
		}
	}
	open := make(map[[2]int][]int64) // by job and account
	for _, v := range b.open {
		for _, p := range v.parts {
			key := [2]int{v.job, p.account}
			if open[key] == nil {
				open[key] = make([]int64, len(p.amounts))
			}
			for k, amount := range p.amounts {
				open[key][k] = add(open[key][k], amount)
			}
		}
	}
	for j, w := range b.jobs {
		for _, r := range w.rows {
			for k := range r.spent {
				of := open[[2]int{j, r.account}]
				if of == nil {
					of = make([]int64, len(r.spent))
				}
				if r.reserved[k] != of[k] {
					return corrupt("job %q has %d units reserved of account %d, and %d open", w.name, r.reserved[k], r.account, of[k])
				}
				again[r.account].spent[k] = add(again[r.account].spent[k], r.spent[k])
				again[r.account].reserved[k] = add(again[r.account].reserved[k], r.reserved[k])
			}
			delete(open, [2]int{j, r.account})
		}
	}
	if len(open) > 0 {
		return corrupt("a job without a row has open reservations")
	}
	for i, a := range b.accounts {
		for k := range a.caps {
			if a.spent[k] != again[i].spent[k] || a.reserved[k] != again[i].reserved[k] || a.reserved[k] == math.MaxInt64 {
				return corrupt("account %q has %d units spent and %d reserved, its jobs %d and %d", a.Name,
					a.spent[k], a.reserved[k], again[i].spent[k], again[i].reserved[k])
			}
		}
	}
	return nil
}
