package leakage

import (
	"math"
	"slices"
)

// Scores are the scores of an attack on members and on non-members, higher for what it takes for a member. Make one with [NewScores];
// negate losses before.
type Scores struct {
	members, others           []float64 // sorted
	givenMembers, givenOthers []float64 // in the order given, which a split keeps to
}

// NewScores copies the scores. Infinite ones are in order; NaN and an empty list are refused.
func NewScores(members, nonMembers []float64) (*Scores, error) {
	m, err := sorted("members", members)
	if err != nil {
		return nil, err
	}
	n, err := sorted("nonMembers", nonMembers)
	if err != nil {
		return nil, err
	}
	return &Scores{m, n, slices.Clone(members), slices.Clone(nonMembers)}, nil
}

func sorted(field string, values []float64) ([]float64, error) {
	if err := checkCount("number of "+field, len(values), 1, maxCount); err != nil {
		return nil, err
	}
	if err := checkNumbers(field, values); err != nil {
		return nil, err
	}
	values = slices.Clone(values)
	slices.Sort(values)
	return values, nil
}

// Members is the number of members' scores.
func (s *Scores) Members() int { return len(s.members) }

// NonMembers is the number of non-members' scores.
func (s *Scores) NonMembers() int { return len(s.others) }

// At counts the errors of the rule that takes a score of at least the threshold for a member's. The threshold must be fixed before the
// scores are looked at.
func (s *Scores) At(threshold float64) (TwoRun, error) {
	if math.IsNaN(threshold) {
		return TwoRun{}, invalid("threshold", threshold, "a number")
	}
	return TwoRun{below(s.members, threshold), len(s.members), len(s.others) - below(s.others, threshold), len(s.others)}, nil
}

// below counts the sorted values under a limit.
func below(values []float64, limit float64) int {
	n, _ := slices.BinarySearch(values, limit)
	return n
}

// notAbove counts the sorted values up to a limit.
func notAbove(values []float64, limit float64) int {
	n, _ := slices.BinarySearchFunc(values, limit, func(v, l float64) int {
		if v <= l {
			return -1
		}
		return 1
	})
	return n
}

// AUC is the area under the empirical ROC curve: the share of pairs in which the member's score is the higher one, equal ones counted half.
func (s *Scores) AUC() float64 {
	sum := 0.0
	less, upTo := 0, 0
	for _, v := range s.members {
		for less < len(s.others) && s.others[less] < v {
			less++
		}
		for upTo < len(s.others) && s.others[upTo] <= v {
			upTo++
		}
		sum += float64(less) + float64(upTo-less)/2
	}
	return sum / float64(len(s.members)) / float64(len(s.others))
}

// AUCInterval returns a confidence interval for the area under the true ROC curve, of two laws from which the scores were drawn
// independently: it misses with a probability of at most alpha. It assumes nothing else of the laws.
//
// Proof: the empirical area is a mean, over matchings, of means of n = min(members, non-members) independent values in [0, 1] (Hoeffding
// 1963, section 5b), so that its exponential moments are at most those of such a mean; Chernoff's bound with the divergence of two coins
// follows.
func (s *Scores) AUCInterval(alpha float64) (Interval, error) {
	if err := checkAlpha(alpha); err != nil {
		return Interval{}, err
	}
	n := float64(min(len(s.members), len(s.others)))
	auc := s.AUC()
	limit := math.Log(2/alpha)/n*(1+1e-9) + 1e-12
	return Interval{chernoff(auc, limit), 1 - chernoff(1-auc, limit)}, nil
}

// chernoff returns the smallest q <= mean whose coin has a divergence of at most limit from that of the mean, rounded down.
func chernoff(mean, limit float64) float64 {
	low, high := 0.0, mean
	for range 60 {
		if q := (low + high) / 2; divergence(mean, q) > limit {
			low = q
		} else {
			high = q
		}
	}
	return low
}

// divergence is the Kullback-Leibler divergence of coins p and q.
func divergence(p, q float64) float64 {
	d := 0.0
	if p > 0 {
		d += p * math.Log(p/q)
	}
	if p < 1 {
		d += (1 - p) * math.Log((1-p)/(1-q))
	}
	return d
}
