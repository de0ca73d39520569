package leakage

import "github.com/surefoot-ml/surefoot/privacy/leakage/internal/beta"

// Interval is a range of values; what it is a confidence interval for, the function that returns it says.
type Interval struct {
	Lower float64 `json:"lower"`
	Upper float64 `json:"upper"`
}

// Proportion is a count of successes in independent trials with one unknown probability.
//
// Bounds are rounded outward by some 1e-10 of themselves at most, so that they are never tighter than the exact ones.
type Proportion struct {
	Successes int `json:"successes"`
	Trials    int `json:"trials"`
}

// Validate accepts 1 to 9,000,000 trials and 0 to Trials successes.
func (p Proportion) Validate() error {
	if err := checkCount("Trials", p.Trials, 1, maxCount); err != nil {
		return err
	}
	return checkCount("Successes", p.Successes, 0, p.Trials)
}

// Rate is the observed share of successes.
func (p Proportion) Rate() float64 { return float64(p.Successes) / float64(p.Trials) }

// ClopperPearson returns the exact two-sided confidence interval for the probability: it misses with a probability of at most alpha,
// alpha/2 on each side (Clopper, Pearson 1934).
func (p Proportion) ClopperPearson(alpha float64) (Interval, error) {
	if err := p.check(alpha); err != nil {
		return Interval{}, err
	}
	return Interval{p.lower(alpha / 2).X, p.upper(alpha / 2).X}, nil
}

// Lower returns the exact one-sided lower confidence bound: it exceeds the probability with a probability of at most alpha.
func (p Proportion) Lower(alpha float64) (float64, error) {
	if err := p.check(alpha); err != nil {
		return 0, err
	}
	return p.lower(alpha).X, nil
}

// Upper returns the exact one-sided upper confidence bound.
func (p Proportion) Upper(alpha float64) (float64, error) {
	if err := p.check(alpha); err != nil {
		return 0, err
	}
	return p.upper(alpha).X, nil
}

// Jeffreys returns the two-sided credible interval under the prior Beta(1/2, 1/2), with 0 and 1 as its ends where no success or no failure
// was seen. Its coverage is alpha on average over probabilities, not for each: it is no confidence interval.
func (p Proportion) Jeffreys(alpha float64) (Interval, error) {
	if err := p.check(alpha); err != nil {
		return Interval{}, err
	}
	mirror := Proportion{p.Trials - p.Successes, p.Trials}
	return Interval{mirror.jeffreysUpper(alpha / 2).Y, p.jeffreysUpper(alpha / 2).X}, nil
}

func (p Proportion) check(alpha float64) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return checkAlpha(alpha)
}

// upper is the largest probability of which so few successes are not rarer than alpha: P(Bin(n, u) <= k) = alpha, which is a quantile of
// Beta(k+1, n-k), here of the mirrored law, whose tail alpha is the lower one.
func (p Proportion) upper(alpha float64) beta.Point {
	if p.Successes == p.Trials {
		return beta.Point{X: 1, Y: 0}
	}
	lo, _ := beta.Quantile(alpha, float64(p.Trials-p.Successes), float64(p.Successes+1))
	return mirror(lo)
}

func (p Proportion) lower(alpha float64) beta.Point {
	return mirror(Proportion{p.Trials - p.Successes, p.Trials}.upper(alpha))
}

func (p Proportion) jeffreysUpper(alpha float64) beta.Point {
	if p.Successes == p.Trials {
		return beta.Point{X: 1, Y: 0}
	}
	lo, _ := beta.Quantile(alpha, float64(p.Trials-p.Successes)+0.5, float64(p.Successes)+0.5)
	return mirror(lo)
}

func mirror(p beta.Point) beta.Point { return beta.Point{X: p.Y, Y: p.X} }
