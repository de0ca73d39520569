package privacy

import "encoding/json"

// Group is what an event costs a group of up to Size records that are changed together, such as those of one user: each related dataset
// differs in Size records where it differed in one. Group privacy of a guarantee that was obtained for single records is exponentially
// worse in delta; the guarantee of a Group is for the group, at the delta asked.
//
// Event is a Gaussian, a Poisson under AddRemove or ReplaceSpecial whose records enter independently of each other, a Pure or a
// ZeroConcentrated.
type Group struct {
	// Size is the largest number of records in a group.
	Size  int
	Event Event
}

const maxGroup = 1 << 20

// Validate accepts a Size from 1 to 2^20 and a valid Event of those types whose multiple is valid too.
func (g Group) Validate() error {
	if g.Size < 1 || g.Size > maxGroup {
		return &InvalidError{"Group.Size", g.Size, "a whole number from 1 to 2^20"}
	}
	switch e := g.Event.(type) {
	case Gaussian, Pure, ZeroConcentrated:
		if err := e.Validate(); err != nil {
			return err
		}
		if z, ok := e.(ZeroConcentrated); ok && z.Xi > 0 {
			return &InvalidError{"Group.Event's Xi", z.Xi, "0"}
		}
		return g.multiple().Validate()
	case Poisson:
		if err := e.Validate(); err != nil {
			return err
		}
		if e.Gaussian.Relation == ReplaceOne {
			return &InvalidError{"Group.Event's Relation", ReplaceOne, "AddRemove or ReplaceSpecial for a Poisson"}
		}
		return Group{g.Size, e.Gaussian}.Validate()
	}
	return &InvalidError{"Group.Event", g.Event, "a Gaussian, Poisson, Pure or ZeroConcentrated"}
}

func (Group) kind() string { return "group" }

func (g Group) relation() Relation {
	if g.Event == nil {
		return 0
	}
	return g.Event.relation()
}

// multiple is the event for one record that costs what Event costs the group: the records move a sum Size times as far, and the Rényi
// losses of Size changes in a row are at most Size·eps or have the curve of Size²·rho (Bun, Steinke 2016, "Concentrated differential
// privacy", arXiv 1605.02065, Proposition 27, for Xi = 0).
func (g Group) multiple() Event {
	k := float64(g.Size)
	switch e := g.Event.(type) {
	case Gaussian:
		e.Clip = up(e.Clip*k, 1)
		return e
	case Pure:
		e.Epsilon = up(e.Epsilon*k, 1)
		return e
	case ZeroConcentrated:
		e.Rho = up(e.Rho*k*k, 2)
		return e
	}
	return g.Event
}

// lower: of the records of a group j enter a batch, j from Binomial(Size, Rate), and move the sum by up to j·Clip: a mixture (Ganesh
// 2024, "Tight group-level DP guarantees for DP-SGD with sampling via mixture of Gaussians mechanisms", arXiv 2401.10294, Theorem 3.1).
func (g Group) lower() []leaf {
	if p, ok := g.Event.(Poisson); ok {
		if g.Size == 1 || p.Rate == 0 {
			return p.lower()
		}
		unit := over(1, p.Gaussian.Multiplier())
		return []leaf{{binomialMixture(int64(g.Size), max(p.Rate, 1e-30), unit), 1}}
	}
	return g.multiple().lower()
}

type groupJSON struct {
	Size  int             `json:"size"`
	Event json.RawMessage `json:"event"`
}

// MarshalJSON writes {"size", "event"}, the event as MarshalEvent does.
func (g Group) MarshalJSON() ([]byte, error) {
	return wrap(g.Event, func(event json.RawMessage) any { return groupJSON{g.Size, event} })
}

// UnmarshalJSON reads what MarshalJSON writes, with known fields only.
func (g *Group) UnmarshalJSON(data []byte) error {
	var v groupJSON
	e, err := unwrap(data, &v, &v.Event)
	if err != nil {
		return err
	}
	*g = Group{v.Size, e}
	return nil
}
