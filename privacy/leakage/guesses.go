package leakage

import (
	"fmt"
	"slices"
)

// Guesses says how many canaries are guessed: the In ones with the highest scores to be in the data, the Out ones with the lowest not to be.
type Guesses struct {
	In  int `json:"in"`
	Out int `json:"out"`
}

func (g Guesses) total() int { return g.In + g.Out }

// DefaultGuesses returns what is tried for m canaries when nothing else was fixed: all, a third, a ninth, and so on down to some ten of
// them, as many on one end as on the other. Each is tried with alpha over their number, some log3(m/3). For an attack that knows members
// but not non-members, such as offline [LiRA], guesses on the upper end alone are better.
func DefaultGuesses(m int) []Guesses {
	list := []Guesses{{(m + 1) / 2, m / 2}}
	for r := m / 3; r >= 10; r /= 3 {
		list = append(list, Guesses{r - r/2, r / 2})
	}
	return list
}

// checkGuesses wants a list without repetitions that fits m canaries.
func checkGuesses(list []Guesses, m int) error {
	if len(list) == 0 || len(list) > 1000 {
		return invalid("number of Guesses", len(list), "1 to 1000")
	}
	for i, g := range list {
		if g.In < 0 || g.Out < 0 || g.In > m || g.Out > m-g.In || g.total() == 0 {
			return invalid(fmt.Sprintf("Guesses[%d]", i), g, fmt.Sprintf("1 to %d guesses in all", m))
		}
		if slices.Contains(list[:i], g) {
			return invalid(fmt.Sprintf("Guesses[%d]", i), g, "no guess twice")
		}
	}
	return nil
}

// ranking is the canaries by their scores, groups of equal scores together. It depends on the scores alone: to break a tie by the place in
// a list would let an order by membership in.
type ranking struct {
	total int
	ends  []int // ends[k] is the number of canaries in the lowest k groups
	in    []int // in[k] is how many of them are in the data
}

func rank(scores []float64, in []bool) ranking {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case scores[a] < scores[b]:
			return -1
		case scores[a] > scores[b]:
			return 1
		}
		return 0
	})
	r := ranking{total: len(scores), ends: []int{0}, in: []int{0}}
	count := 0
	for k, i := range order {
		if in[i] {
			count++
		}
		if k+1 == len(order) || scores[order[k+1]] != scores[i] {
			r.ends = append(r.ends, k+1)
			r.in = append(r.in, count)
		}
	}
	return r
}

// count makes the guesses. Where a cut goes through a group of equal scores, the whole group is abstained from, and these guesses count as
// wrong: the number of guesses remains the one that was fixed.
func (r ranking) count(g Guesses) OneRun {
	low, exact := slices.BinarySearch(r.ends, g.Out) // the most groups that fit
	if !exact {
		low--
	}
	high, _ := slices.BinarySearch(r.ends, r.total-g.In) // the fewest that leave room for no more
	correct := r.ends[low] - r.in[low] + r.in[len(r.in)-1] - r.in[high]
	return OneRun{Canaries: r.total, Guesses: g.total(), Correct: correct}
}
