package privacy

import "math"

// Tree releases all prefix sums of a stream of steps by noisy sums over the complete nodes of a binary tree (Kairouz, McMahan, Song,
// Thakkar, Thakurta, Xu 2021, "Practical and private (deep) learning without sampling or shuffling", arXiv 2103.00039): one event for
// the whole tree, however many of its nodes have been released. Trees that are begun anew, as at every epoch, are one Tree each.
type Tree struct {
	// Steps is the number of leaves.
	Steps int `json:"steps"`
	// Participations is the largest number of steps that one record contributes to.
	Participations int `json:"participations"`
	// Spacing is the smallest distance of two such steps, 1 for consecutive ones.
	Spacing int `json:"spacing"`
	// Gaussian is the noise of one node, and the bound on the contribution of one record to one step.
	Gaussian Gaussian `json:"gaussian"`
}

const maxTreeSteps = 1 << 24

// Validate accepts Steps from 1 to 2^24, Participations from 1 to 1024, Spacing from 1 to 2^24 and a valid Gaussian not under AddRemove: a
// record more would shift the steps of the others.
func (t Tree) Validate() error {
	if t.Steps < 1 || t.Steps > maxTreeSteps {
		return &InvalidError{"Tree.Steps", t.Steps, "a whole number from 1 to 2^24"}
	}
	if t.Participations < 1 || t.Participations > 1024 {
		return &InvalidError{"Tree.Participations", t.Participations, "a whole number from 1 to 1024"}
	}
	if t.Spacing < 1 || t.Spacing > maxTreeSteps {
		return &InvalidError{"Tree.Spacing", t.Spacing, "a whole number from 1 to 2^24"}
	}
	if err := t.Gaussian.Validate(); err != nil {
		return err
	}
	if t.Gaussian.Relation == AddRemove {
		return &InvalidError{"Tree.Gaussian.Relation", AddRemove, "ReplaceSpecial or ReplaceOne"}
	}
	return scaledGaussian(t.Gaussian, t.Sensitivity()).Validate()
}

func (Tree) kind() string         { return "tree" }
func (t Tree) relation() Relation { return t.Gaussian.Relation }

// lower: all nodes together are one Gaussian, at the distance of the vector of what the record adds to each node.
func (t Tree) lower() []leaf { return scaledGaussian(t.Gaussian, t.Sensitivity()).lower() }

// scaledGaussian is g with its sensitivity multiplied.
func scaledGaussian(g Gaussian, factor float64) Gaussian {
	g.Clip = up(g.Clip*factor, 1)
	return g
}

// Sensitivity is how far one record moves the vector of all nodes, in units of that of one step, rounded up: the root of the largest sum
// over the complete nodes of the square of the participations below. It is exact but for rounding where the search is affordable, else an
// upper bound.
func (t Tree) Sensitivity() float64 {
	k := min(t.Participations, (t.Steps-1)/t.Spacing+1)
	if k == 1 {
		depth := 0 // a leaf of the largest complete node has the most nodes above it
		for n := t.Steps; n > 0; n /= 2 {
			depth++
		}
		return root(depth)
	}
	s := treeSearch{spacing: t.Spacing, memo: make(map[treeState][]treeOutcome)}
	squares, ok := s.forest(t.Steps, k)
	if !ok {
		squares = relaxedTree(t.Steps, k, t.Spacing)
	}
	return root(squares)
}

// root returns the square root rounded up.
func root(n int) float64 {
	r := math.Sqrt(float64(n))
	if r == math.Trunc(r) && r < 1<<26 {
		return r
	}
	return up(r, 1)
}

// treeState is a complete node of 2^level leaves that holds count participations, none in its first `from` leaves.
type treeState struct{ level, count, from int }

// treeOutcome is what a pattern in a node leads to: its sum of squares, and how many leaves after the node are barred by it.
type treeOutcome struct{ squares, carry int }

type treeSearch struct {
	spacing, work int
	memo          map[treeState][]treeOutcome
}

const maxTreeWork = 1 << 19

// outcomes returns those of which no other has both more squares and less carry.
func (s *treeSearch) outcomes(at treeState) []treeOutcome {
	size := 1 << at.level
	at.from = min(at.from, s.spacing+size)
	if at.count == 0 {
		return []treeOutcome{{0, max(0, at.from-size)}}
	}
	if at.from+(at.count-1)*s.spacing >= size {
		return nil
	}
	if at.count == 1 { // the earliest leaf bars the fewest
		return []treeOutcome{{at.level + 1, max(0, at.from+s.spacing-size)}}
	}
	if known, ok := s.memo[at]; ok {
		return known
	}
	var all []treeOutcome
	for left := 0; left <= at.count && s.work < maxTreeWork; left++ {
		s.work++
		for _, a := range s.outcomes(treeState{at.level - 1, left, at.from}) {
			for _, b := range s.outcomes(treeState{at.level - 1, at.count - left, a.carry}) {
				all = pareto(all, treeOutcome{a.squares + b.squares + at.count*at.count, b.carry})
				s.work++
			}
		}
	}
	s.memo[at] = all
	return all
}

func pareto(all []treeOutcome, x treeOutcome) []treeOutcome {
	kept := all[:0]
	for _, y := range all {
		if y.squares >= x.squares && y.carry <= x.carry {
			return all
		}
		if !(x.squares >= y.squares && x.carry <= y.carry) {
			kept = append(kept, y)
		}
	}
	return append(kept, x)
}

// forest returns the largest sum over the complete trees that the steps fall into, and whether the search came to its end.
func (s *treeSearch) forest(steps, most int) (squares int, ok bool) {
	type state struct{ count, carry int }
	best := map[state]int{{0, 0}: 0}
	for level := 30; level >= 0; level-- {
		if steps>>level&1 == 0 {
			continue
		}
		next := make(map[state]int)
		for at, sum := range best {
			for n := 0; n <= most-at.count && s.work < maxTreeWork; n++ {
				s.work++
				for _, o := range s.outcomes(treeState{level, n, at.carry}) {
					to := state{at.count + n, o.carry}
					next[to] = max(next[to], sum+o.squares)
				}
			}
		}
		best = next
	}
	for _, sum := range best {
		squares = max(squares, sum)
	}
	return squares, s.work < maxTreeWork
}

// relaxedTree bounds the sum by what a node of any size can hold, whatever its neighbours hold.
func relaxedTree(steps, most, spacing int) int {
	var node []int // by count, of the current level
	level := 0
	forest := make([]int, most+1)
	for size := 1; size <= steps; size, level = size*2, level+1 {
		room := min(most, (size-1)/spacing+1)
		next := make([]int, room+1)
		for n := 1; n <= room; n++ {
			for left := 0; left <= n && level > 0; left++ {
				if left < len(node) && n-left < len(node) {
					next[n] = max(next[n], node[left]+node[n-left])
				}
			}
			next[n] += n * n
		}
		node = next
		if steps&size != 0 {
			sum := make([]int, most+1)
			for have, squares := range forest {
				for n := 0; n < len(node) && have+n <= most; n++ {
					sum[have+n] = max(sum[have+n], squares+node[n])
				}
			}
			forest = sum
		}
	}
	best := 0
	for _, squares := range forest {
		best = max(best, squares)
	}
	return best
}
