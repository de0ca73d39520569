package privacy

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/surefoot-ml/surefoot/privacy/internal/lattice"
)

// Distribution is the law of the privacy loss of a composition, known from both sides in both directions: computed once, it answers any
// number of questions in microseconds, also after a restart, sharpest near the delta it was made for. It does not change and is safe for concurrent use. A
// nil and the zero Distribution answer with an error.
type Distribution struct {
	sides    []*lattice.Composed // none where nothing was spent
	relation Relation            // of the events, 0 if there was none
	sharp    bool
	rounded  bool
	made     bool
}

// Distribution returns the law of everything recorded so far, sharpest for epsilons at about delta, 0 < delta < 1.
func (p *PLD) Distribution(delta float64) (*Distribution, error) {
	if err := checkDelta("delta", delta); err != nil {
		return nil, err
	}
	entries := p.snapshot()
	m := makeupOf(entries)
	d := &Distribution{sharp: m.sharp, rounded: m.rounded || len(m.others) > 0, made: true}
	if len(entries) > 0 {
		d.relation = entries[0].event.relation()
	}
	if m.empty() {
		return d, nil
	}
	laws, err := m.laws()
	if err != nil {
		return nil, err
	}
	if err := d.compose(laws, delta); err != nil {
		return nil, err
	}
	return d, nil
}

// ComposeDistributions returns the law of all of ds together, all under one relation, sharpest at about delta. One that is listed twice
// counts twice. Every composition widens what is known a little: where the events are known, compose them instead.
func ComposeDistributions(delta float64, ds ...*Distribution) (*Distribution, error) {
	if err := checkDelta("delta", delta); err != nil {
		return nil, err
	}
	all := &Distribution{sharp: true, made: true}
	width := 0
	for i, d := range ds {
		if d == nil || !d.made {
			return nil, &InvalidError{fmt.Sprintf("Distribution %d", i), "none", "one made by PLD.Distribution"}
		}
		if all.relation != 0 && d.relation != 0 && all.relation != d.relation {
			return nil, &InvalidError{fmt.Sprintf("Relation of distribution %d", i), d.relation, "the " + all.relation.String() + " of the earlier ones"}
		}
		all.relation = max(all.relation, d.relation)
		all.sharp = all.sharp && d.sharp
		all.rounded = all.rounded || d.rounded
		width = max(width, len(d.sides))
	}
	sides := make([][]lattice.Part, width)
	for _, d := range ds {
		for i := range sides {
			if len(d.sides) > 0 {
				sides[i] = append(sides[i], lattice.Part{Prior: d.sides[min(i, len(d.sides)-1)], Count: 1}) // one may stand for both directions
			}
		}
	}
	if err := all.compose(sides, delta); err != nil {
		return nil, err
	}
	return all, nil
}

// compose makes the sides of d, at once.
func (d *Distribution) compose(sides [][]lattice.Part, delta float64) error {
	d.sides = make([]*lattice.Composed, len(sides))
	errs := make([]error, len(sides))
	var wg sync.WaitGroup
	for i, parts := range sides {
		wg.Go(func() { d.sides[i], errs[i] = lattice.Compose(parts, delta) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return &NoBoundError{Method: methodLattice, Reason: "the composition", Cause: err}
		}
	}
	return nil
}

// Epsilon encloses the epsilon at delta, 0 < delta < 1.
func (d *Distribution) Epsilon(delta float64) (Interval, error) {
	if err := checkDelta("delta", delta); err != nil {
		return Interval{}, err
	}
	return d.larger(func(c *lattice.Composed) (lattice.Bound, error) { return c.Epsilon(delta) })
}

// Delta encloses the delta at eps >= 0.
func (d *Distribution) Delta(eps float64) (Interval, error) {
	if err := checkEpsilon(eps); err != nil {
		return Interval{}, err
	}
	return d.larger(func(c *lattice.Composed) (lattice.Bound, error) { return c.Delta(eps) })
}

func (d *Distribution) larger(ask func(*lattice.Composed) (lattice.Bound, error)) (Interval, error) {
	if d == nil || !d.made {
		return Interval{}, &InvalidError{"Distribution", "none", "one made by PLD.Distribution"}
	}
	if len(d.sides) == 0 {
		return nothing(), nil
	}
	var b bounds
	for _, side := range d.sides {
		one, err := ask(side)
		if err != nil {
			return Interval{}, &NoBoundError{Method: methodLattice, Reason: fmt.Sprintf("a distribution of %d directions", len(d.sides)), Cause: err}
		}
		b = b.larger(bounds{one.Lower, one.Upper})
	}
	return (&makeup{sharp: d.sharp, rounded: d.rounded}).interval(b, methodLattice)
}

const (
	kindDistribution    = "distribution"
	distributionVersion = 1
)

// distributionState is a saved Distribution.
type distributionState struct {
	Version  int      `json:"version"`
	Kind     string   `json:"kind"`
	Relation Relation `json:"relation,omitempty"`
	Sharp    bool     `json:"sharp"`
	Rounded  bool     `json:"rounded,omitempty"`
	Sides    [][]byte `json:"sides"`
	Digest   []byte   `json:"digest"` // SHA-256 of the state without it: against damage, not against an enemy
}

func (s distributionState) digest() ([]byte, error) {
	s.Digest = nil
	data, err := json.Marshal(s)
	sum := sha256.Sum256(data)
	return sum[:], err
}

// MarshalBinary returns d for a file.
func (d *Distribution) MarshalBinary() ([]byte, error) {
	if d == nil || !d.made {
		return nil, &InvalidError{"Distribution", "none", "one made by PLD.Distribution"}
	}
	s := distributionState{
		Version: distributionVersion, Kind: kindDistribution, Relation: d.relation, Sharp: d.sharp, Rounded: d.rounded,
		Sides: make([][]byte, len(d.sides)),
	}
	for i, side := range d.sides {
		data, err := side.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("privacy: %w", err)
		}
		s.Sides[i] = data
	}
	var err error
	if s.Digest, err = s.digest(); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// UnmarshalBinary takes what MarshalBinary wrote. On error nothing has changed. The bytes are checked for damage, not for truth: whoever
// can write them decides the answers.
func (d *Distribution) UnmarshalBinary(data []byte) error {
	refuse := func(err error) error { return fmt.Errorf("%w distribution: %w", ErrInvalid, err) }
	var s distributionState
	if err := strict(data, &s); err != nil {
		return refuse(err)
	}
	if s.Version != distributionVersion || s.Kind != kindDistribution || len(s.Sides) > 2 {
		return refuse(fmt.Errorf("version %d of kind %q with %d directions", s.Version, s.Kind, len(s.Sides)))
	}
	if want, err := s.digest(); err != nil || string(want) != string(s.Digest) {
		return refuse(errors.Join(err, errors.New("the digest does not fit: it was damaged or edited")))
	}
	own := Distribution{relation: s.Relation, sharp: s.Sharp, rounded: s.Rounded, made: true, sides: make([]*lattice.Composed, len(s.Sides))}
	for i, side := range s.Sides {
		own.sides[i] = new(lattice.Composed)
		if err := own.sides[i].UnmarshalBinary(side); err != nil {
			return refuse(err)
		}
	}
	*d = own
	return nil
}
