package leakage

import (
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
)

// Mu returns a lower bound on the mu of the run, under the assumption that its trade-off curve with respect to each canary is that of
// mu-GDP, as that of the plain Gaussian mechanism is: if the mu is smaller, the bound exceeds it with a probability of at most alpha. It
// refutes claims of that form and says nothing about the epsilon of other mechanisms.
//
// It is the recursion of Mahloujifar, Melis, Chaudhuri 2024, "Auditing f-differential privacy in one run", for two answers per canary.
func (o OneRun) Mu(alpha float64) (float64, error) {
	if err := o.check(0, alpha); err != nil {
		return 0, err
	}
	return o.mu(0, alpha), nil
}

// GaussianEpsilon returns the epsilon at delta > 0 of the mu-GDP that [OneRun.Mu] refutes.
func (o OneRun) GaussianEpsilon(delta, alpha float64) (float64, error) {
	if err := o.check(delta, alpha); err != nil {
		return 0, err
	}
	return epsilonOfMu(o.mu(0, alpha), delta)
}

func (o OneRun) mu(floor, alpha float64) float64 {
	return largest(floor, func(mu float64) bool { return o.refutesMu(mu, alpha) })
}

// refutesMu reports whether so many correct guesses are impossible with a probability above alpha under mu-GDP. In a share of at most
// right/(right+wrong) of cases k or more guesses are right; following the curve from Correct down to no correct guess gives more cases
// than there are.
//
// The curve is rounded down. The sums grow with every point of it but the first, by summation by parts, as the weights i/(c'-i) fall with
// i: so they are rounded down as well, up to their own additions, which the last comparison has room for.
func (o OneRun) refutesMu(mu, alpha float64) bool {
	share := float64(o.Guesses) / float64(o.Canaries)
	right := alpha * float64(o.Correct) / float64(o.Canaries)
	wrong := alpha * float64(o.Guesses-o.Correct) / float64(o.Canaries)
	z := math.NaN()
	for i := o.Correct - 1; i >= 0; i-- {
		z = quantileNear(right, z)
		next := lowerTail(z-mu) * (1 - 1e-11)
		if !(next > wrong) {
			break // neither changes from here on
		}
		right = min(1, right+float64(i)/float64(o.Guesses-i)*(next-wrong))
		wrong = next
	}
	return right+wrong > share*(1+1e-9)
}

// lowerTail is Phi(z), good to 1e-12 of itself for z above -37.
func lowerTail(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// quantileNear returns the z with Phi(z) = p by Newton's method on log Phi, from a guess if that lies below: log Phi is concave, so that from
// there every iterate lies below the root and above the one before. It is -Inf for p below 1e-290.
func quantileNear(p, guess float64) float64 {
	switch {
	case !(p > 1e-290):
		return math.Inf(-1)
	case p >= 1:
		return math.Inf(1)
	case p > 0.5:
		return -quantileNear(1-p, math.NaN())
	}
	target := math.Log(p)
	z := -math.Sqrt(-2 * target) // Phi(z) <= exp(-z²/2)/2
	if guess > z && lowerTail(guess) <= p {
		z = guess
	}
	for range 60 {
		tail := lowerTail(z)
		density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
		step := (target - math.Log(tail)) * tail / density
		z += step
		if math.Abs(step) <= 0x1p-50*(1+math.Abs(z)) {
			break
		}
	}
	return z
}

// EpsilonOfMu returns the epsilon at delta > 0 of a mechanism whose trade-off curve is that of mu-GDP, 0 <= mu <= 1e30, rounded down: what a
// bound on mu says of such a mechanism.
func EpsilonOfMu(mu, delta float64) (float64, error) {
	if !(mu >= 0 && mu <= 1e30) {
		return 0, invalid("mu", mu, "0 to 1e30")
	}
	if !(delta < 1) {
		return 0, invalid("delta", delta, "above 0 and below 1")
	}
	return epsilonOfMu(mu, delta)
}

func epsilonOfMu(mu, delta float64) (float64, error) {
	if !(delta > 0) {
		return 0, invalid("delta", delta, "above 0: a Gaussian mechanism has no epsilon without")
	}
	if !(mu > 1e-30) {
		return 0, nil
	}
	eps, _, err := normal.Gaussian{Mu: mu}.Epsilon(delta)
	return max(0, eps), err
}

// upperQuantile returns a number not above the z with 1-Phi(z) = p, from p and 1-p.
func upperQuantile(p, rest float64) float64 {
	if p <= 0.5 {
		lo, _, err := normal.Quantile(p)
		if err != nil {
			return math.Inf(-1)
		}
		return lo
	}
	_, hi, err := normal.Quantile(rest)
	if err != nil {
		return math.Inf(-1)
	}
	return -hi
}
