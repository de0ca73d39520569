package privacy

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Component is one outcome of a Mixture.
type Component struct {
	// Shift is how far a record moves the sum, in the unit of StdDev; 0 or more.
	Shift float64 `json:"shift"`
	// Weight is the probability of that.
	Weight float64 `json:"weight"`
}

// Mixture adds Gaussian noise to a sum that one record moves by a random distance: P = sum of Weight·N(Shift, StdDev²) if the record is there,
// Q = N(0, StdDev²) if it is not. A record may move a sum of vectors in any direction: the lengths of the moves are what counts
// (Choquette-Choo, Ganesh, Steinke, Thakurta 2023, "Privacy amplification for matrix mechanisms", arXiv 2310.15526, Corollary 4.7).
// NewMixture makes it; the zero Mixture is invalid.
type Mixture struct {
	stdDev float64
	shared Relation
	list   string // shift:weight, by shift: a Mixture is comparable
}

const maxComponents = 128

// NewMixture returns the mixture of the components, at most 128 with different shifts, in any order. The weights must sum to 1 to 1e-9;
// they are scaled to do so exactly, in favour of the larger shifts. stdDev and the shifts are from 1e-100 to 1e100, shifts also 0,
// and the largest shift is from 1e-12 to 1e6 times stdDev. The relation r is AddRemove or ReplaceSpecial.
func NewMixture(stdDev float64, r Relation, components ...Component) (Mixture, error) {
	list := slices.Clone(components)
	slices.SortFunc(list, func(a, b Component) int { return cmp.Compare(a.Shift, b.Shift) })
	merged := list[:0]
	for _, x := range list {
		if !(x.Weight >= 0 && x.Weight <= 2) {
			return Mixture{}, &InvalidError{"Component.Weight", x.Weight, "a number from 0 to 1"}
		}
		if last := len(merged) - 1; last >= 0 && merged[last].Shift == x.Shift {
			merged[last].Weight = up(merged[last].Weight+x.Weight, 1)
			continue
		}
		if x.Weight > 0 {
			x.Shift += 0 // -0 is 0
			merged = append(merged, x)
		}
	}
	m := Mixture{stdDev: stdDev, shared: r, list: encodeComponents(merged)}
	return m, m.Validate()
}

// StdDev is the standard deviation of the noise.
func (m Mixture) StdDev() float64 { return m.stdDev }

// Components returns the components by increasing shift.
func (m Mixture) Components() []Component { return decodeComponents(m.list) }

// Validate accepts what NewMixture accepts.
func (m Mixture) Validate() error {
	if err := checkLength("Mixture.StdDev", m.stdDev); err != nil {
		return err
	}
	if m.shared != AddRemove && m.shared != ReplaceSpecial {
		return &InvalidError{"Mixture.Relation", m.shared, "AddRemove or ReplaceSpecial"}
	}
	list := m.Components()
	if len(list) < 1 || len(list) > maxComponents {
		return &InvalidError{"number of components", len(list), "a number from 1 to 128"}
	}
	sum := 0.0
	for _, x := range list {
		if x.Shift != 0 {
			if err := checkLength("Component.Shift", x.Shift); err != nil {
				return err
			}
		}
		sum += x.Weight
	}
	if !(math.Abs(sum-1) <= 1e-9) {
		return &InvalidError{"sum of the weights", sum, "1, to 1e-9"}
	}
	if d := list[len(list)-1].Shift / m.stdDev; !(d >= 1e-12 && d <= 1e6) {
		return &InvalidError{"largest Shift over StdDev", d, "a number from 1e-12 to 1e6"}
	}
	return nil
}

// String returns the parameters and the components as shift:weight.
func (m Mixture) String() string {
	return "std_dev " + strconv.FormatFloat(m.stdDev, 'g', -1, 64) + " " + m.shared.String() + " " + m.list
}

func (Mixture) kind() string         { return "mixture" }
func (m Mixture) relation() Relation { return m.shared }

// lower divides every weight by a sum below 1 and leaves it otherwise, which gives no shift less than its share.
func (m Mixture) lower() []leaf {
	list := m.Components()
	sum := 0.0
	for _, x := range list {
		sum += x.Weight
	}
	sum = min(1, sum*(1-4*maxComponents*ulp))
	for i := range list {
		list[i] = Component{over(list[i].Shift, m.stdDev), up(list[i].Weight/sum, 2)}
	}
	return []leaf{{mixed(list, 0), 1}}
}

type mixtureJSON struct {
	StdDev     float64     `json:"std_dev"`
	Relation   Relation    `json:"relation"`
	Components []Component `json:"components"`
}

// MarshalJSON writes {"std_dev", "relation", "components"}, the components by increasing shift.
func (m Mixture) MarshalJSON() ([]byte, error) {
	return json.Marshal(mixtureJSON{m.stdDev, m.shared, m.Components()})
}

// UnmarshalJSON reads what MarshalJSON writes, with known fields only.
func (m *Mixture) UnmarshalJSON(data []byte) error {
	var v mixtureJSON
	if err := strict(data, &v); err != nil {
		return err
	}
	own, err := NewMixture(v.StdDev, v.Relation, v.Components...)
	if err != nil {
		return err
	}
	*m = own
	return nil
}

func encodeComponents(list []Component) string {
	var b strings.Builder
	for i, x := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.FormatFloat(x.Shift, 'g', -1, 64))
		b.WriteByte(':')
		b.WriteString(strconv.FormatFloat(x.Weight, 'g', -1, 64))
	}
	return b.String()
}

func decodeComponents(s string) []Component {
	var list []Component
	for field := range strings.FieldsSeq(s) {
		shift, weight, _ := strings.Cut(field, ":")
		var x Component
		x.Shift, _ = strconv.ParseFloat(shift, 64) // as they were written
		x.Weight, _ = strconv.ParseFloat(weight, 64)
		list = append(list, x)
	}
	return list
}
