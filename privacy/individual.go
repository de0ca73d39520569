package privacy

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
)

// Individual accounts for every record by the norm of what it contributes, and leaves a record out for good before it would exceed
// the budget: records with small gradients stay longer than the worst case allows (Feldman, Zrnic 2021, "Individual privacy accounting
// via a Rényi filter", Theorem 4.5; Yu et al. 2023, "Individual privacy accounting for differentially private SGD").
//
// The guarantee is the budget, for every record, under these conditions: events compare datasets by AddRemove or ReplaceSpecial; a record takes
// part in a step only if [Individual.Admit] said so for that step; whether it does depends on that record and on earlier releases alone,
// so nothing that is released, no mean over the records still active either, may be divided by a count of them. Which records
// are active, how many, and what each has spent is private: it must not be released or acted on in the open.
//
// All methods are safe for concurrent use; an Individual must not be copied.
type Individual struct {
	budget  Budget
	measure measure

	mu    sync.Mutex
	scale scale    // guarded by mu, as below
	spent []uint64 // of budgetUnits, per record; over budgetUnits once a record was left out
}

const (
	normLevels = 256
	leftOut    = budgetUnits + 1
)

// scale turns the norm of a contribution into a cost.
type scale struct {
	clip  float64
	costs [normLevels + 1]uint64 // of a norm of at most i/normLevels of clip
}

// NewIndividual accounts for records numbered from 0, each of which may contribute to executions of plan, a Gaussian or a Poisson.
func NewIndividual(b Budget, plan Event, records int) (*Individual, error) {
	if records < 1 {
		return nil, &InvalidError{"records", records, "1 or more"}
	}
	f, err := NewFilter(b, plan)
	if err != nil {
		return nil, err
	}
	v := &Individual{budget: b, measure: f.measure, spent: make([]uint64, records)}
	if _, ok := plan.(Gaussian); ok {
		if v.measure, err = measureOf(measureGaussian, 0, b); err != nil {
			return nil, err
		}
	}
	return v, v.Use(plan)
}

// Use makes the following steps executions of e, a Gaussian or a Poisson. An Individual made for a Gaussian takes Gaussians only.
func (v *Individual) Use(e Event) error {
	own, err := valid(e)
	if err != nil {
		return err
	}
	g, ok := own.(Gaussian)
	p, sampled := own.(Poisson)
	if sampled {
		g = p.Gaussian
	}
	if !ok && !sampled || g.Relation == ReplaceOne {
		return &InvalidError{"Event", own, "a Gaussian or a Poisson under add_remove or replace_special"}
	}
	s := scale{clip: g.Clip}
	for i := range s.costs[1:] {
		part := g
		part.Clip = up(g.Clip*float64(i+1)/normLevels, 2)
		var level Event = part
		if sampled {
			level = Poisson{p.Rate, part}
		}
		var h history
		x, err := h.entry(level)
		if err != nil {
			return err
		}
		if s.costs[i+1], err = v.measure.cost(x); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.scale = s
	return nil
}

// Admit charges a record for the step that is about to run, and reports whether it may take part. norm is the L2 norm of what it
// contributes, after clipping. Call it once per step and record before the step releases anything; with Poisson sampling for every record,
// drawn or not, with the norm that it has or, where that is unknown, the clip. Norms above the clip are an error.
func (v *Individual) Admit(record int, norm float64) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if record < 0 || record >= len(v.spent) {
		return false, &InvalidError{"record", record, fmt.Sprintf("0 to %d", len(v.spent)-1)}
	}
	if !(norm >= 0 && norm <= v.scale.clip) {
		return false, &InvalidError{"norm", norm, fmt.Sprintf("a number from 0 to the clip %g", v.scale.clip)}
	}
	level := int(min(math.Ceil(up(norm/v.scale.clip*normLevels, 2)), normLevels))
	if norm == 0 {
		level = 0
	}
	cost := v.scale.costs[level]
	if v.spent[record] > budgetUnits || cost > budgetUnits-v.spent[record] {
		v.spent[record] = leftOut
		return false, nil
	}
	v.spent[record] += cost
	return true, nil
}

// Spent returns the epsilon that one record has spent, at the budget's delta; Upper is the budget's epsilon once it was left out. It is
// as private as the record.
func (v *Individual) Spent(record int) (Interval, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if record < 0 || record >= len(v.spent) {
		return Interval{}, &InvalidError{"record", record, fmt.Sprintf("0 to %d", len(v.spent)-1)}
	}
	units := v.spent[record]
	switch {
	case units == 0:
		return Interval{Method: "nothing spent", Converged: true}, nil
	case units > budgetUnits:
		return Interval{Upper: v.budget.Epsilon, Method: v.measure.String() + " filter, left out", Converged: true}, nil
	}
	upper := v.measure.epsilon(up(float64(units)/budgetUnits*v.measure.limit, 4), v.budget.Delta)
	return Interval{Upper: min(upper, v.budget.Epsilon), Method: v.measure.String() + " filter", Converged: true}, nil
}

const individualMagic = "surefoot individual 1\n"

// State returns what every record has spent, 8 bytes each, for a checkpoint. It is private.
func (v *Individual) State() ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var b bytes.Buffer
	b.WriteString(individualMagic)
	for _, x := range [...]float64{v.budget.Epsilon, v.budget.Delta, v.measure.Order} {
		b.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)))
	}
	b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(v.spent))))
	for _, units := range v.spent {
		b.Write(binary.LittleEndian.AppendUint64(nil, units))
	}
	sum := sha256.Sum256(b.Bytes())
	b.Write(sum[:])
	return b.Bytes(), nil
}

// Restore continues from a State of as many records under the same budget and measure: afterwards every record has spent at least what it
// has spent there. On error nothing has changed.
func (v *Individual) Restore(data []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	size := len(individualMagic) + 8*(4+len(v.spent))
	if len(data) != size+sha256.Size || !bytes.HasPrefix(data, []byte(individualMagic)) {
		return fmt.Errorf("%w individual state: %d bytes, want %d for %d records", ErrInvalid, len(data), size+sha256.Size, len(v.spent))
	}
	if sha256.Sum256(data[:size]) != [sha256.Size]byte(data[size:]) {
		return fmt.Errorf("%w individual state: the digest does not fit: it was damaged or edited", ErrInvalid)
	}
	words := data[len(individualMagic):size]
	next := func() uint64 {
		x := binary.LittleEndian.Uint64(words)
		words = words[8:]
		return x
	}
	for _, want := range [...]float64{v.budget.Epsilon, v.budget.Delta, v.measure.Order} {
		if got := math.Float64frombits(next()); got != want {
			return &InvalidError{"state's budget or order", got, fmt.Sprint(want)}
		}
	}
	if n := next(); n != uint64(len(v.spent)) {
		return &InvalidError{"state's records", n, fmt.Sprint(len(v.spent))}
	}
	for i := range v.spent {
		v.spent[i] = max(v.spent[i], min(next(), leftOut))
	}
	return nil
}
