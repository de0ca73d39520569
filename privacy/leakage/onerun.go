package leakage

import (
	"github.com/surefoot-ml/surefoot/privacy/leakage/internal/beta"
)

// OneRun is the outcome of guessing which canaries were in the data of one training run: of Canaries, each included by a fair coin of its
// own, at most Guesses were guessed in or out, the others abstained from, and Correct guesses were right.
//
// The number of guesses must be fixed before the coins are looked at. What picks the best of several is no bound: [AuditCanaries] corrects
// for it.
type OneRun struct {
	Canaries int `json:"canaries"`
	Guesses  int `json:"guesses"`
	Correct  int `json:"correct"`
}

// Validate accepts 1 to 9,000,000 canaries, 1 to Canaries guesses and 0 to Guesses correct ones.
func (o OneRun) Validate() error {
	if err := checkCount("Canaries", o.Canaries, 1, maxCount); err != nil {
		return err
	}
	if err := checkCount("Guesses", o.Guesses, 1, o.Canaries); err != nil {
		return err
	}
	return checkCount("Correct", o.Correct, 0, o.Guesses)
}

// PValue bounds from above the probability of so many correct guesses, or more, if the run is (epsilon, delta)-DP with respect to each
// canary: Steinke, Nasr, Jagielski 2023, "Privacy auditing with one (1) training run", Theorem 5.2. With W the number of heads in Guesses
// tosses of a coin with bias e^epsilon/(1+e^epsilon), it is P(W >= v) + 2·m·delta·max_i P(v > W >= v-i)/i.
func (o OneRun) PValue(epsilon, delta float64) (float64, error) {
	if err := o.Validate(); err != nil {
		return 0, err
	}
	if err := checkEpsilon(epsilon); err != nil {
		return 0, err
	}
	if err := checkDelta(delta); err != nil {
		return 0, err
	}
	return o.pValue(epsilon, delta), nil
}

func (o OneRun) pValue(epsilon, delta float64) float64 {
	if o.Correct == 0 {
		return 1
	}
	bias := beta.Logistic(epsilon)
	p, _ := beta.Tail(bias, float64(o.Correct), float64(o.Guesses-o.Correct+1))
	if delta > 0 {
		p += 2 * float64(o.Canaries) * delta * o.slope(bias)
	}
	if p *= 1 + 2*beta.Err; !(p < 1) {
		return 1
	}
	return p
}

// slope bounds max_i P(v > W >= v-i)/i from above: the largest mean of the i probabilities below v. Going down from v, the probabilities
// of W rise to its mode and fall from there. While they rise, the mean does not exceed the last of them; so the first that does not exceed
// the mean of those before lies beyond the mode, as do all that follow, and the mean only falls from there.
func (o OneRun) slope(bias beta.Point) float64 {
	const negligible = 1e-250
	n, v := o.Guesses, o.Correct
	k := v - 1
	mass := beta.Mass(bias, k, n)
	if mass < negligible && float64(k) > float64(n)*bias.X {
		// Far above the mode: what lies above the first of note adds up to less than n·negligible.
		low, high := int(float64(n)*bias.X), k // the mass at high is negligible, that at low near the mode is not
		for high-low > 1 {
			if mid := low + (high-low)/2; beta.Mass(bias, mid, n) < negligible {
				high = mid
			} else {
				low = mid
			}
		}
		k = low
		mass = beta.Mass(bias, k, n)
	}
	odds := bias.Y / bias.X
	sum, mean := 0.0, 0.0
	steps := 0.0
	for ; k >= 0; k-- {
		if mass <= mean {
			break
		}
		sum += mass
		mean = sum / float64(v-k)
		mass *= float64(k) / float64(n-k+1) * odds
		steps++
	}
	return mean*(1+beta.Err+4*0x1p-52*steps) + float64(n)*negligible
}

// Epsilon returns a lower bound on the epsilon at delta of the run: it exceeds the true one with a probability of at most alpha. It is 0
// where nothing can be said.
//
// Proof: the bound is an epsilon at which [OneRun.PValue] was found to be at most alpha. If the run were (e, delta)-DP for an e below it, it
// would be (Epsilon, delta)-DP as well, of which so many correct guesses have a probability of at most alpha.
func (o OneRun) Epsilon(delta, alpha float64) (float64, error) {
	if err := o.check(delta, alpha); err != nil {
		return 0, err
	}
	return o.epsilon(0, delta, alpha), nil
}

func (o OneRun) check(delta, alpha float64) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if err := checkDelta(delta); err != nil {
		return err
	}
	return checkAlpha(alpha)
}

// epsilon is the bound if it is above the floor, or else the floor.
func (o OneRun) epsilon(floor, delta, alpha float64) float64 {
	return largest(floor, func(e float64) bool { return o.pValue(e, delta) <= alpha })
}

// largest returns the largest number from floor on that is rejected, to 13 digits, or floor. Every number that it returns was rejected
// itself or is the floor, whether or not the set of those is an interval.
func largest(floor float64, rejected func(float64) bool) float64 {
	if !rejected(floor) {
		return floor
	}
	low, step := floor, 1.0
	for low+step < 1e4 && rejected(low+step) {
		low += step
		step *= 2
	}
	for high := low + step; high-low > 1e-13*max(1, low); {
		if mid := (low + high) / 2; rejected(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}
