package privacy

import (
	"fmt"
	"math"
	"slices"
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
	// ReplaceSpecial compares datasets in which one record is or is not replaced by a record that contributes nothing: the number of
	// records, and every batch, stay as they are.
	ReplaceSpecial Relation = 3
)

func (r Relation) String() string {
	switch r {
	case AddRemove:
		return "add_remove"
	case ReplaceOne:
		return "replace_one"
	case ReplaceSpecial:
		return "replace_special"
	}
	return fmt.Sprintf("Relation(%d)", uint8(r))
}

// MarshalText returns the name of a relation that is set.
func (r Relation) MarshalText() ([]byte, error) {
	if !slices.Contains(relations(), r) {
		return nil, &InvalidError{"Relation", r, wantRelation}
	}
	return []byte(r.String()), nil
}

// UnmarshalText accepts the names of the relations, nothing else.
func (r *Relation) UnmarshalText(text []byte) error {
	for _, known := range relations() {
		if string(text) == known.String() {
			*r = known
			return nil
		}
	}
	return &InvalidError{"Relation", string(text), wantRelation}
}

const wantRelation = "add_remove, replace_one or replace_special"

func relations() []Relation { return []Relation{AddRemove, ReplaceOne, ReplaceSpecial} }

// Event is one execution of a randomised mechanism, by value. Events are comparable and usable as map keys. No type outside this
// package is an event, nor is a pointer to one.
type Event interface {
	// Validate returns an *InvalidError that names the first field that is out of range, or nil.
	Validate() error
	// kind names the type in JSON.
	kind() string
	relation() Relation
	// lower returns what a valid event is accounted as; nothing if it costs nothing.
	lower() []leaf
}

// leaf is count independent executions of a mechanism.
type leaf struct {
	mechanism
	count int64
}

// mechanism is what the accountants know of an event: a comparable value, equal for events that cost the same.
type mechanism interface {
	// logMoment returns an upper bound on K(order-1) = (order-1)·D, D the Rényi divergence of the order, the larger of the two
	// directions; +Inf where nothing is known. It is conditional on a finite privacy loss.
	logMoment(order float64) float64
	// infinite is the probability of an infinite privacy loss, rounded up.
	infinite() float64
}

// Gaussian adds Gaussian noise to a sum over records.
type Gaussian struct {
	// StdDev is the standard deviation of the noise in every coordinate, in the unit of Clip.
	StdDev float64 `json:"std_dev"`
	// Clip bounds the L2 norm of the contribution of one record, rounding included.
	Clip float64 `json:"clip"`
	// Relation says which datasets are compared; it must be set.
	Relation Relation `json:"relation"`
}

// Poisson applies Gaussian to a batch that each record enters independently. Under ReplaceSpecial it costs what it does under
// AddRemove; under ReplaceOne both values of the record enter with the one Rate, and it costs more.
type Poisson struct {
	// Rate is the probability, or an upper bound on the probability, that a record enters the batch. 0 costs nothing, 1 is Gaussian.
	Rate     float64  `json:"rate"`
	Gaussian Gaussian `json:"gaussian"`
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
	if !slices.Contains(relations(), g.Relation) {
		return &InvalidError{"Gaussian.Relation", g.Relation, wantRelation}
	}
	if m := g.Multiplier(); !(m >= minMultiplier && m <= maxMultiplier) {
		return &InvalidError{"Gaussian.Multiplier", m, "a number from 1e-6 to 1e12"}
	}
	return nil
}

// Validate accepts a Rate from 0 to 1 and a valid Gaussian.
func (p Poisson) Validate() error {
	if !(p.Rate >= 0 && p.Rate <= 1) {
		return &InvalidError{"Poisson.Rate", p.Rate, "a number from 0 to 1"}
	}
	return p.Gaussian.Validate()
}

// canonical returns the event held in e. It refuses nil and pointers, whose values may change after they were charged, and types that
// embed an event. The event does not escape, so that a caller may pass a struct without allocating.
func canonical(e Event) (Event, error) {
	switch e := e.(type) {
	case Gaussian:
		return e, nil
	case Poisson:
		return e, nil
	case Laplace:
		return e, nil
	case DiscreteLaplace:
		return e, nil
	case DiscreteGaussian:
		return e, nil
	case RandomizedResponse:
		return e, nil
	case Exponential:
		return e, nil
	case PermuteAndFlip:
		return e, nil
	case Pure:
		return e, nil
	case Approximate:
		e.Epsilon, e.Delta = e.Epsilon+0, e.Delta+0 // -0 is 0
		return e, nil
	case ZeroConcentrated:
		e.Rho, e.Xi = e.Rho+0, e.Xi+0
		return e, nil
	case Sampled:
		own, err := canonical(e.Event)
		return Sampled{e.Rate + 0, own}, err
	case Repeated:
		own, err := canonical(e.Event)
		return Repeated{own, e.Count}, err
	case Composed:
		return e, nil
	case FixedSize:
		return e, nil
	case WithReplacement:
		return e, nil
	case Mixture:
		return e, nil
	case Group:
		own, err := canonical(e.Event)
		return Group{e.Size, own}, err
	case Tree:
		return e, nil
	case Toeplitz:
		return e, nil
	case SqrtToeplitz:
		return e, nil
	case Banded:
		return e, nil
	case TruncatedPoisson:
		return e, nil
	case Allocation:
		return e, nil
	case Select:
		own, err := canonical(e.Event)
		return Select{own, e.Mean + 0, e.Shape + 0, e.Gamma + 0}, err
	case nil:
		return nil, &InvalidError{"Event", "nil", "an event of this package"}
	}
	return nil, &InvalidError{"Event", "of another type", "an event of this package, by value"}
}

// valid is canonical and Validate in one.
func valid(e Event) (Event, error) {
	own, err := canonical(e) // e itself would escape through the call of Validate
	if err != nil {
		return nil, err
	}
	return own, own.Validate()
}

func (Gaussian) kind() string         { return "gaussian" }
func (g Gaussian) relation() Relation { return g.Relation }
func (g Gaussian) lower() []leaf      { return []leaf{{sampledGaussian{1, g.Multiplier()}, 1}} }

func (Poisson) kind() string         { return "poisson" }
func (p Poisson) relation() Relation { return p.Gaussian.Relation }

// lower rounds towards more divergence: Multiplier is rounded down, and a rate so small that its square could underflow is rounded up
// (the divergence does not decrease in the rate).
func (p Poisson) lower() []leaf {
	if p.Rate == 0 {
		return nil
	}
	q := max(p.Rate, 1e-60)
	if p.Gaussian.Relation == ReplaceOne && q < 1 {
		return []leaf{{replaceOneGaussian{q, 2 * p.Gaussian.Multiplier()}, 1}}
	}
	return []leaf{{sampledGaussian{q, p.Gaussian.Multiplier()}, 1}}
}
