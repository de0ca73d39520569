package privacy

import (
	"cmp"
	"fmt"
	"math"
)

// Relation says which two datasets a guarantee compares.
//
// The zero Relation is none: an event without a relation is refused, so that forgetting it cannot halve an epsilon.
type Relation uint8

const (
	// AddRemove compares datasets that differ by the presence of one record.
	AddRemove Relation = 1
	// ReplaceOne compares datasets of one size that differ in the value of one record; a sum then moves by up to 2*Clip.
	ReplaceOne Relation = 2
)

func (r Relation) String() string {
	switch r {
	case AddRemove:
		return "add_remove"
	case ReplaceOne:
		return "replace_one"
	}
	return fmt.Sprintf("Relation(%d)", uint8(r))
}

// Event is one execution of a randomised mechanism: [Gaussian] or [Poisson], by value. Events are comparable and usable as map
// keys. No type outside this package is an event.
type Event interface {
	// Validate returns an *InvalidError that names the first field that is out of range, or nil.
	Validate() error
	key() key
}

// Gaussian adds Gaussian noise to a sum over records.
type Gaussian struct {
	// StdDev is the standard deviation of the noise in every coordinate, in the unit of Clip.
	StdDev float64
	// Clip bounds the L2 norm of the contribution of one record, rounding included.
	Clip float64
	// Relation says which datasets are compared; it must be set.
	Relation Relation
}

// Poisson applies Gaussian to a batch that each record enters independently. Only AddRemove is accounted for.
type Poisson struct {
	// Rate is the probability, or an upper bound on the probability, that a record enters the batch. 0 costs nothing, 1 is Gaussian.
	Rate     float64
	Gaussian Gaussian
}

const (
	// Outside of these a quotient of two inputs could lose its sign or its magnitude.
	minLength, maxLength         = 1e-100, 1e100
	minMultiplier, maxMultiplier = 1e-6, 1e12
)

// Sensitivity is the largest L2 distance between the sums over two related datasets: Clip, or 2*Clip under ReplaceOne.
func (g Gaussian) Sensitivity() float64 {
	if g.Relation == ReplaceOne {
		return 2 * g.Clip
	}
	return g.Clip
}

// Multiplier is the noise multiplier, StdDev over Sensitivity, rounded down.
func (g Gaussian) Multiplier() float64 {
	s := g.Sensitivity()
	m := g.StdDev / s
	if math.FMA(m, s, -g.StdDev) > 0 {
		return math.Nextafter(m, 0)
	}
	return m
}

// Validate accepts lengths from 1e-100 to 1e100, a set Relation and a noise multiplier from 1e-6 to 1e12.
func (g Gaussian) Validate() error {
	const lengths = "a number from 1e-100 to 1e100"
	if !(g.StdDev >= minLength && g.StdDev <= maxLength) {
		return &InvalidError{"Gaussian.StdDev", g.StdDev, lengths}
	}
	if !(g.Clip >= minLength && g.Clip <= maxLength) {
		return &InvalidError{"Gaussian.Clip", g.Clip, lengths}
	}
	if g.Relation != AddRemove && g.Relation != ReplaceOne {
		return &InvalidError{"Gaussian.Relation", g.Relation, "AddRemove or ReplaceOne"}
	}
	if m := g.Multiplier(); !(m >= minMultiplier && m <= maxMultiplier) {
		return &InvalidError{"Gaussian.Multiplier", m, "a number from 1e-6 to 1e12"}
	}
	return nil
}

// Validate accepts a Rate from 0 to 1 and a valid Gaussian under AddRemove.
func (p Poisson) Validate() error {
	if !(p.Rate >= 0 && p.Rate <= 1) {
		return &InvalidError{"Poisson.Rate", p.Rate, "a number from 0 to 1"}
	}
	if err := p.Gaussian.Validate(); err != nil {
		return err
	}
	if p.Gaussian.Relation != AddRemove {
		return &InvalidError{"Poisson.Gaussian.Relation", p.Gaussian.Relation, "AddRemove"}
	}
	return nil
}

type kind uint8

const (
	kindGaussian kind = 1
	kindPoisson  kind = 2
)

// key is an event as one concrete comparable type: comparing keys needs neither reflection nor allocation.
type key struct {
	kind         kind
	relation     Relation
	rate         float64
	stdDev, clip float64
}

func (g Gaussian) key() key {
	return key{kind: kindGaussian, relation: g.Relation, rate: 1, stdDev: g.StdDev, clip: g.Clip}
}

func (p Poisson) key() key {
	k := p.Gaussian.key()
	k.kind, k.rate = kindPoisson, p.Rate
	return k
}

// keyOf refuses nil and pointers to events: a pointer has the methods too, but its value may change after it was charged.
// The event does not escape, so that a caller may pass a struct without allocating.
func keyOf(e Event) (key, error) {
	switch e := e.(type) {
	case Gaussian:
		return e.key(), nil
	case Poisson:
		return e.key(), nil
	case nil:
		return key{}, &InvalidError{"Event", "nil", "a Gaussian or a Poisson"}
	}
	return key{}, &InvalidError{"Event", "of another type", "a Gaussian or a Poisson by value"}
}

func (k key) event() Event {
	g := Gaussian{StdDev: k.stdDev, Clip: k.clip, Relation: k.relation}
	if k.kind == kindPoisson {
		return Poisson{Rate: k.rate, Gaussian: g}
	}
	return g
}

// compare orders keys, so that sums over them have one order whatever the history.
func (k key) compare(o key) int {
	return cmp.Or(
		cmp.Compare(k.relation, o.relation), cmp.Compare(k.rate, o.rate), cmp.Compare(k.stdDev, o.stdDev), cmp.Compare(k.clip, o.clip),
		cmp.Compare(k.kind, o.kind),
	)
}
