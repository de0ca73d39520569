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
	sides []*lattice.Composed // none where nothing was spent
	sharp bool
	made  bool
}

// Distribution returns the law of everything recorded so far, sharpest for epsilons at about delta, 0 < delta < 1.
func (p *PLD) Distribution(delta float64) (*Distribution, error) {
	if err := checkDelta("delta", delta); err != nil {
		return nil, err
	}
	m := makeupOf(p.snapshot())
	if m.empty() {
		return &Distribution{made: true}, nil
	}
	laws, err := m.laws()
	if err != nil {
		return nil, err
	}
	d := &Distribution{sides: make([]*lattice.Composed, len(laws)), sharp: m.sharp, made: true}
	errs := make([]error, len(laws))
	var wg sync.WaitGroup
	for i, parts := range laws {
		wg.Go(func() { d.sides[i], errs[i] = lattice.Compose(parts, delta) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, &NoBoundError{Method: methodLattice, Reason: "the composition", Cause: err}
		}
	}
	return d, nil
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
	return (&makeup{sharp: d.sharp}).interval(b, methodLattice)
}

const (
	kindDistribution    = "distribution"
	distributionVersion = 1
)

// distributionState is a saved Distribution.
type distributionState struct {
	Version int      `json:"version"`
	Kind    string   `json:"kind"`
	Sharp   bool     `json:"sharp"`
	Sides   [][]byte `json:"sides"`
	Digest  []byte   `json:"digest"` // SHA-256 of the state without it: against damage, not against an enemy
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
	s := distributionState{Version: distributionVersion, Kind: kindDistribution, Sharp: d.sharp, Sides: make([][]byte, len(d.sides))}
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
	own := Distribution{sharp: s.Sharp, made: true, sides: make([]*lattice.Composed, len(s.Sides))}
	for i, side := range s.Sides {
		own.sides[i] = new(lattice.Composed)
		if err := own.sides[i].UnmarshalBinary(side); err != nil {
			return refuse(err)
		}
	}
	*d = own
	return nil
}
