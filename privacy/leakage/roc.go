package leakage

import (
	"fmt"
	"math"
	"slices"
)

// Point is a rule "a score of at least Threshold is a member's" with what it did on the scores at hand. These are descriptions, no bounds.
type Point struct {
	Threshold float64
	FPR       float64
	TPR       float64
	TwoRun
}

// ROC returns the empirical ROC curve, one point for each distinct score, from the rule that takes nothing for a member's (with threshold
// +Inf) to the one that takes everything.
func (s *Scores) ROC() []Point {
	points := []Point{s.point(math.Inf(1), 0, 0)}
	i, j := len(s.members), len(s.others)
	for i > 0 || j > 0 {
		v := math.Inf(-1)
		if i > 0 {
			v = s.members[i-1]
		}
		if j > 0 {
			v = max(v, s.others[j-1])
		}
		for i > 0 && s.members[i-1] == v {
			i--
		}
		for j > 0 && s.others[j-1] == v {
			j--
		}
		points = append(points, s.point(v, len(s.members)-i, len(s.others)-j))
	}
	return points
}

func (s *Scores) point(threshold float64, truePositives, falsePositives int) Point {
	t := TwoRun{len(s.members) - truePositives, len(s.members), falsePositives, len(s.others)}
	return Point{threshold, t.alarms().Rate(), float64(truePositives) / float64(t.Members), t}
}

// Hull returns the corners of the upper convex hull of the ROC curve: what rules reach that toss a coin between two thresholds. It is
// chosen by looking, and the best of its points is no bound.
func (s *Scores) Hull() []Point {
	hull := make([]Point, 0, 16)
	for _, p := range s.ROC() {
		for len(hull) >= 2 && !left(hull[len(hull)-2], hull[len(hull)-1], p) {
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, p)
	}
	return hull
}

// left reports whether b lies strictly above the line from a to c, in counts, which are exact: below 2^24, their products fit.
func left(a, b, c Point) bool {
	dx1, dy1 := int64(b.FalsePositives-a.FalsePositives), int64(a.FalseNegatives-b.FalseNegatives)
	dx2, dy2 := int64(c.FalsePositives-b.FalsePositives), int64(b.FalseNegatives-c.FalseNegatives)
	return dy1*dx2 > dy2*dx1
}

// TPR is the largest true positive rate on these scores of a threshold with a false positive rate of at most fpr on them. It is chosen by
// looking; [Scores.Power] has the confidence interval.
func (s *Scores) TPR(fpr float64) (float64, error) {
	if !(fpr >= 0 && fpr <= 1) {
		return 0, invalid("fpr", fpr, "0 to 1")
	}
	allowed := s.allowed(fpr)
	if allowed == len(s.others) {
		return 1, nil
	}
	limit := s.others[len(s.others)-1-allowed]
	return float64(len(s.members)-notAbove(s.members, limit)) / float64(len(s.members)), nil
}

// allowed is the number of false positives that a rate allows; a rate that is a rounded k/n allows k.
func (s *Scores) allowed(fpr float64) int {
	n := len(s.others)
	k := int(fpr * float64(n))
	if k < n && float64(k+1)/float64(n) <= fpr {
		k++
	}
	return k
}

// HullTPR is the true positive rate of the hull at a false positive rate.
func (s *Scores) HullTPR(fpr float64) (float64, error) {
	if !(fpr >= 0 && fpr <= 1) {
		return 0, invalid("fpr", fpr, "0 to 1")
	}
	hull := s.Hull()
	i, exact := slices.BinarySearchFunc(hull, fpr, func(p Point, f float64) int {
		if p.FPR < f || p.FPR == f { // the last of those at one rate
			return -1
		}
		return 1
	})
	if exact || i == len(hull) {
		return hull[len(hull)-1].TPR, nil
	}
	if i == 0 {
		return 0, nil
	}
	a, b := hull[i-1], hull[i]
	return a.TPR + (fpr-a.FPR)/(b.FPR-a.FPR)*(b.TPR-a.TPR), nil
}

// HullAUC is the area under the hull.
func (s *Scores) HullAUC() float64 {
	area := 0.0
	hull := s.Hull()
	for i := 1; i < len(hull); i++ {
		area += (hull[i].FPR - hull[i-1].FPR) * (hull[i].TPR + hull[i-1].TPR) / 2
	}
	return area
}

// Accuracy is the largest share of the scores at hand that a threshold puts on the right side. It is chosen by looking.
func (s *Scores) Accuracy() float64 {
	most := 0
	for _, p := range s.ROC() {
		most = max(most, p.Members-p.FalseNegatives+p.NonMembers-p.FalsePositives)
	}
	return float64(most) / float64(len(s.members)+len(s.others))
}

// Power returns a confidence interval for the true positive rate at a false positive rate: for the height of the true ROC curve, of two
// laws from which the scores were drawn independently. It misses with a probability of at most alpha. An fpr that so few non-members
// cannot measure, below 1/NonMembers, is refused with [ErrTooFew].
//
// Proof: with U_(k) the k-th smallest of n uniform numbers, "above the k+1 highest of the non-members" has a false positive rate of at most
// U_(k+1), and "at least the k-th highest" one of at least U_(k), both with the law of beta quantiles. So ranks can be fixed, before
// looking, whose rules have rates below and above fpr with a probability of 1-alpha/4 each. The members were drawn independently of these
// thresholds: Clopper-Pearson holds for their true positive rates. The curve rises, so that it lies between the two.
func (s *Scores) Power(fpr, alpha float64) (Interval, error) {
	if !(fpr >= 0 && fpr <= 1) {
		return Interval{}, invalid("fpr", fpr, "0 to 1")
	}
	if err := checkAlpha(alpha); err != nil {
		return Interval{}, err
	}
	n := len(s.others)
	if fpr < 1/float64(n) {
		return Interval{}, fmt.Errorf("%w: a false positive rate of %v needs %.0f non-members, not %d", ErrTooFew, fpr, math.Ceil(1/fpr), n)
	}
	power := Interval{0, 1}
	part := alpha / 4
	// The most false positives, k, whose upper bound is at most fpr, and the fewest whose lower bound is at least fpr.
	k := search(n, func(k int) bool { return Proportion{k, n}.upper(part).X > fpr })
	if k--; k >= 0 {
		limit := s.others[n-1-k]
		power.Lower = Proportion{len(s.members) - notAbove(s.members, limit), len(s.members)}.lower(part).X
	}
	if k := search(n+1, func(k int) bool { return Proportion{k, n}.lower(part).X >= fpr }); k >= 1 && k <= n {
		limit := s.others[n-k]
		power.Upper = Proportion{len(s.members) - below(s.members, limit), len(s.members)}.upper(part).X
	}
	return power, nil
}

// search returns the first k in [0, n) that has a property which all that follow have, or n.
func search(n int, has func(int) bool) int {
	low, high := 0, n
	for low < high {
		if mid := low + (high-low)/2; has(mid) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}
