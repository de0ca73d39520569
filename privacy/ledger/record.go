package ledger

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/privacy"
)

// An entry of the journal is a version, a kind and the fields of that kind: whole numbers as uvarints, floats as their bits, text
// with its length. There is one way to write a record, and nothing may follow it.
const recordVersion = 1

const (
	kindGenesis    = 1 + iota // a new ledger
	kindAccount               // a new account
	kindJob                   // a job was opened: the reservations of its older incarnations are spent
	kindReserve               // a reservation
	kindResolve               // a reservation was committed, released or expired
	kindRetire                // an account takes no charges any more
	kindBoot                  // the ledger was opened: all open reservations are spent
	kindNotPrivate            // a job draws noise that can be predicted
	kindTold                  // a threshold of an account was told
	kindDone                  // reservations were committed in full
	lastKind       = kindDone
)

// maxDone is how many commits gather before they are recorded.
const maxDone = 64

// outcome is how a reservation ended.
type outcome byte

const (
	committed outcome = 1
	released  outcome = 2
	expired   outcome = 3
)

// record is one change. The fields of its kind are set.
type record struct {
	kind        byte
	id          [16]byte      // genesis: of the ledger; reserve: of its content
	account     accountRecord // account
	name        string        // job
	incarnation uint64        // job, reserve
	index       int           // retire, told: the account; reserve, notPrivate: the job
	number      uint64        // reserve, resolve: of the reservation
	step        uint64        // reserve
	count       int64         // reserve: executions; resolve: those that were used
	whole       bool          // reserve: cannot be committed in part
	parts       []part        // reserve
	outcome     outcome       // resolve
	threshold   float64       // told
	numbers     []uint64      // done: of reservations
}

// accountRecord is an account with what was made of its cap, which a later version might compute otherwise.
type accountRecord struct {
	Account
	counted []float64 // orders
	caps    []int64
}

// part is what a reservation takes from one account.
type part struct {
	account int
	amounts []int64
}

func (r *record) append(b []byte) []byte {
	b = append(b, recordVersion, r.kind)
	switch r.kind {
	case kindGenesis:
		b = append(b, r.id[:]...)
	case kindAccount:
		b = r.account.append(b)
	case kindJob:
		b = binary.AppendUvarint(appendText(b, r.name), r.incarnation)
	case kindReserve:
		b = binary.AppendUvarint(b, r.number)
		b = binary.AppendUvarint(b, uint64(r.index))
		b = binary.AppendUvarint(b, r.incarnation)
		b = binary.AppendUvarint(b, r.step)
		b = append(b, r.id[:]...)
		b = appendReservation(b, r.count, r.whole, r.parts)
	case kindResolve:
		b = binary.AppendUvarint(b, r.number)
		b = binary.AppendUvarint(append(b, byte(r.outcome)), uint64(r.count))
	case kindRetire, kindNotPrivate:
		b = binary.AppendUvarint(b, uint64(r.index))
	case kindTold:
		b = appendFloat(binary.AppendUvarint(b, uint64(r.index)), r.threshold)
	case kindDone:
		b = binary.AppendUvarint(b, uint64(len(r.numbers)))
		for _, n := range r.numbers {
			b = binary.AppendUvarint(b, n)
		}
	}
	return b
}

// decode reads a record. It reuses the memory of the last one for what it can.
func (r *record) decode(b []byte) error {
	d := decoder{b: b}
	if v := d.byte(); d.err == nil && v != recordVersion {
		return fmt.Errorf("%w: record of version %d, this is version %d", ErrCorrupt, v, recordVersion)
	}
	*r = record{kind: d.byte(), parts: r.parts[:0], numbers: r.numbers[:0]}
	switch r.kind {
	case kindGenesis:
		d.bytes(r.id[:])
	case kindAccount:
		r.account.decode(&d)
	case kindJob:
		r.name, r.incarnation = d.text(), d.uint()
	case kindReserve:
		r.number, r.index, r.incarnation, r.step = d.uint(), d.index(), d.uint(), d.uint()
		d.bytes(r.id[:])
		r.count, r.whole, r.parts = d.reservation(r.parts)
	case kindResolve:
		r.number, r.outcome, r.count = d.uint(), outcome(d.byte()), d.int()
	case kindRetire, kindNotPrivate:
		r.index = d.index()
	case kindTold:
		r.index, r.threshold = d.index(), d.float()
	case kindDone:
		for range d.length(maxDone) {
			r.numbers = append(r.numbers, d.uint())
		}
	case kindBoot:
	default:
		d.fail("record of kind %d", r.kind)
	}
	return d.end()
}

func (a *accountRecord) append(b []byte) []byte {
	b = appendText(appendText(b, a.Name), a.Unit)
	b = append(b, byte(a.Measure), byte(a.Relation))
	b = appendFloat(appendFloat(b, a.Epsilon), a.Delta)
	for _, orders := range [][]float64{a.Orders, a.counted} {
		b = binary.AppendUvarint(b, uint64(len(orders)))
		for _, order := range orders {
			b = appendFloat(b, order)
		}
	}
	return appendAmounts(b, a.caps)
}

func (a *accountRecord) decode(d *decoder) {
	a.Name, a.Unit = d.text(), d.text()
	a.Measure, a.Relation = Measure(d.byte()), privacy.Relation(d.byte())
	a.Epsilon, a.Delta = d.float(), d.float()
	for _, orders := range []*[]float64{&a.Orders, &a.counted} {
		n := d.length(maxOrders)
		*orders = nil
		for range n {
			*orders = append(*orders, d.float())
		}
	}
	a.caps = d.amounts(nil)
}

func appendReservation(b []byte, count int64, whole bool, parts []part) []byte {
	b = binary.AppendUvarint(b, uint64(count))
	b = append(b, flag(whole))
	b = binary.AppendUvarint(b, uint64(len(parts)))
	for _, p := range parts {
		b = appendAmounts(binary.AppendUvarint(b, uint64(p.account)), p.amounts)
	}
	return b
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func appendAmounts(b []byte, amounts []int64) []byte {
	b = binary.AppendUvarint(b, uint64(len(amounts)))
	for _, a := range amounts {
		b = binary.AppendUvarint(b, uint64(a))
	}
	return b
}

// decoder cuts fields off b until the first that is not there, after which it gives zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
	}
	d.b = nil
}

func (d *decoder) end() error {
	if len(d.b) > 0 {
		d.fail("%d bytes too many", len(d.b))
	}
	return d.err
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail("a field is missing")
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) flag() bool {
	c := d.byte()
	if c > 1 {
		d.fail("a flag is %d", c)
	}
	return c == 1
}

func (d *decoder) bytes(into []byte) {
	if len(d.b) < len(into) {
		d.fail("a field is missing")
		return
	}
	d.b = d.b[copy(into, d.b):]
}

func (d *decoder) uint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 {
		v := d.b[0]
		d.b = d.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || d.b[n-1] == 0 { // missing, too long, or longer than needed
		d.fail("a number is malformed")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v := d.uint()
	if v > math.MaxInt64 {
		d.fail("a number is too large")
		return 0
	}
	return int64(v)
}

func (d *decoder) index() int {
	v := d.uint()
	if v > math.MaxInt32 {
		d.fail("an index is too large")
		return 0
	}
	return int(v)
}

func (d *decoder) length(most int) int {
	v := d.uint()
	if v > uint64(most) || v > uint64(len(d.b)) { // what follows takes a byte each at least
		d.fail("a list of %d", v)
		return 0
	}
	return int(v)
}

func (d *decoder) text() string {
	n := d.length(maxName)
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) float() float64 {
	if len(d.b) < 8 {
		d.fail("a field is missing")
		return 0
	}
	f := math.Float64frombits(binary.LittleEndian.Uint64(d.b))
	d.b = d.b[8:]
	if math.IsNaN(f) || math.IsInf(f, 0) {
		d.fail("a number is %v", f)
		return 0
	}
	return f
}

func (d *decoder) amounts(into []int64) []int64 {
	for range d.length(maxOrders) {
		into = append(into, d.int())
	}
	return into
}

func (d *decoder) reservation(reuse []part) (count int64, whole bool, parts []part) {
	count, whole, parts = d.int(), d.flag(), reuse[:0]
	for range d.length(maxAccounts) {
		var p part
		if n := len(parts); n < cap(parts) {
			p = parts[:n+1][n] // its memory
		}
		p.account, p.amounts = d.index(), d.amounts(p.amounts[:0])
		parts = append(parts, p)
	}
	return count, whole, parts
}
