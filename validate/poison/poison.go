// Package poison gives hints at labelled texts that somebody may have tampered with: n-grams that go with one label as a planted
// trigger does ([Triggers]), sources whose labels are distributed unlike those of the others ([Sources]), and rows whose text
// speaks against their label ([Flips]). For rows with the same words and different labels see package validate/neardup.
//
// For most uses make a [Triggers] and a [Sources], add every row to both while the data stream by, and look at their reports.
// Flips takes two passes. All of them merge, take bounded memory and hold no randomness.
//
// Hints are advice for people. A test tells what chance does not explain; it does not tell why. The words of a subject go
// with its label, too, so that a list of triggers has to be read, unless it is made of the rows that do not fit their label,
// as in the example of [Review]: for those Alpha is no promise, since it is by their words that they do not fit, but in 240 clean
// data sets of 2000 rows no trigger was reported. A trigger in 0.5 % of the rows, all of them taken from the other label,
// was found so in 56 of 60 data sets in which a fifth of the words belong to a label, and in 1 of 60 with 3 %, where words say little.
// In one pass, with half of the rows under either label, it was found in 2 % of 2000 rows always, and in 1 % in 22 of 60, though
// not among the first where words of a subject are more frequent.
//
// On data whose texts and labels have nothing to do with each other nothing is listed, but for a stated probability. Every report
// holds what was tested, how often, and the threshold that followed.
package poison

import (
	"errors"
	"fmt"
	"math"
)

var (
	// ErrOptions is matched by the errors for options that make no sense.
	ErrOptions = errors.New("poison: impossible options")
	// ErrMerge is matched by the errors for two of different options, or of more labels than they allow.
	ErrMerge = errors.New("poison: different options do not merge")
)

// limit is a number of an Options struct.
type limit struct {
	name             string
	value            *int
	usual, min, most int
}

func fill(limits ...limit) error {
	for _, l := range limits {
		if *l.value == 0 {
			*l.value = l.usual
		}
		if *l.value < l.min || *l.value > l.most {
			return fmt.Errorf("%w: %s is %d, must be in [%d, %d]", ErrOptions, l.name, *l.value, l.min, l.most)
		}
	}
	return nil
}

// share fills in a number that must be in (0, most].
func share(name string, value *float64, usual, most float64) error {
	if *value == 0 {
		*value = usual
	}
	if !(*value > 0 && *value <= most) {
		return fmt.Errorf("%w: %s is %v, must be in (0, %v]", ErrOptions, name, *value, most)
	}
	return nil
}

const longestName = 256 // bytes of a label or source

// names numbers labels or sources, up to a limit.
type names struct {
	limit  int
	list   []string
	number map[string]int
}

func newNames(limit int) names { return names{limit: limit, number: map[string]int{}} }

// of returns the number of a name, or -1 for the empty one and those that have no place.
func (n *names) of(name string) int {
	if i, ok := n.number[name]; ok {
		return i
	}
	if name == "" || len(n.list) == n.limit || len(name) > longestName {
		return -1
	}
	name = string([]byte(name)) // the caller's may be part of a large row
	n.number[name] = len(n.list)
	n.list = append(n.list, name)
	return len(n.list) - 1
}

// fits returns an error if there is no place for all names of o.
func (n *names) fits(o *names) error {
	all := len(n.list)
	for _, name := range o.list {
		if _, ok := n.number[name]; !ok {
			all++
		}
	}
	if all > n.limit {
		return fmt.Errorf("%w: %d names, must be at most %d", ErrMerge, all, n.limit)
	}
	return nil
}

// merge returns the numbers here of all names of o, which fit.
func (n *names) merge(o *names) []int {
	to := make([]int, len(o.list))
	for i, name := range o.list {
		to[i] = n.of(name)
	}
	return to
}

// grown returns a slice of at least n counts.
func grown(counts []int64, n int) []int64 {
	for len(counts) < n {
		counts = append(counts, 0)
	}
	return counts
}

// logChoose returns ln C(n, k).
func logChoose(n, k int64) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// logHypergeometric returns ln P(X >= a) for the number X of marked ones among c that are drawn of n, of which marked are:
// Fisher's exact test on one side. a must be possible.
func logHypergeometric(a, c, marked, n int64) float64 {
	first := logChoose(marked, a) + logChoose(n-marked, c-a) - logChoose(n, c)
	sum, term := 1.0, 1.0
	for x := a; x < min(c, marked); x++ {
		term *= float64(marked-x) * float64(c-x) / (float64(x+1) * float64(n-marked-c+x+1))
		sum += term
		if term < 1e-17*sum {
			break
		}
	}
	return min(0, first+math.Log(sum))
}
