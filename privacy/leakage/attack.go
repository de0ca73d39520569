package leakage

import (
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
	"github.com/surefoot-ml/surefoot/privacy/leakage/internal/beta"
)

// Attack is how often an attack that the caller ran was right, on records in the data, beside how often it would have been anyhow: for
// attribute inference, reconstruction and extraction. [Matches] and [Within] count hits.
type Attack struct {
	// Hits are on records that the model was trained on, independent ones.
	Hits Proportion
	// Baseline are hits of the same attack on records that the model was not trained on, or of one that did not see the model. It may be
	// left zero if Kappa is known.
	Baseline Proportion
	// Kappa is the probability of a hit without the model, above 0 and below 1, where it is known and not estimated.
	Kappa float64
}

// Validate accepts hits with either a baseline or a kappa.
func (a Attack) Validate() error {
	if err := a.Hits.Validate(); err != nil {
		return fmt.Errorf("hits: %w", err)
	}
	if a.Baseline == (Proportion{}) {
		if !(a.Kappa > 0 && a.Kappa < 1) {
			return invalid("Kappa", a.Kappa, "above 0 and below 1, where there is no Baseline")
		}
		return nil
	}
	if a.Kappa != 0 {
		return invalid("Kappa", a.Kappa, "0 beside a Baseline")
	}
	if err := a.Baseline.Validate(); err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	return nil
}

// Advantage returns a confidence interval for the probability of a hit less that of the baseline: it misses with a probability of at most
// alpha. The attack shows leakage only if its lower end is above 0.
func (a Attack) Advantage(alpha float64) (Interval, error) {
	if err := a.check(0, alpha); err != nil {
		return Interval{}, err
	}
	if a.Kappa > 0 {
		return Interval{below1(a.Hits.lower(alpha/2).X - a.Kappa), above1(a.Hits.upper(alpha/2).X - a.Kappa)}, nil
	}
	return Interval{
		below1(a.Hits.lower(alpha/4).X - a.Baseline.upper(alpha/4).X),
		above1(a.Hits.upper(alpha/4).X - a.Baseline.lower(alpha/4).X),
	}, nil
}

func below1(v float64) float64 { return max(-1, math.Nextafter(v, -1)) }
func above1(v float64) float64 { return min(1, math.Nextafter(v, 1)) }

// Epsilon returns a lower bound on epsilon at delta: to say "in the data" where the attack hits is a test for membership, whose false
// positive rate is the baseline. It exceeds the true epsilon with a probability of at most alpha.
func (a Attack) Epsilon(delta, alpha float64) (float64, error) {
	if err := a.check(delta, alpha); err != nil {
		return 0, err
	}
	return a.rates(alpha).epsilon(delta), nil
}

// Mu returns the same bound on the mu of a mechanism whose trade-off curve is that of mu-GDP: it inverts [ReconstructionLimit].
func (a Attack) Mu(alpha float64) (float64, error) {
	if err := a.check(0, alpha); err != nil {
		return 0, err
	}
	return a.rates(alpha).mu(), nil
}

func (a Attack) check(delta, alpha float64) error {
	if err := a.Validate(); err != nil {
		return err
	}
	if err := checkDelta(delta); err != nil {
		return err
	}
	return checkAlpha(alpha)
}

func (a Attack) rates(alpha float64) errorRates {
	if a.Kappa > 0 {
		return errorRates{beta.Point{X: a.Kappa, Y: 1 - a.Kappa}, mirror(a.Hits.lower(alpha))}
	}
	return errorRates{a.Baseline.upper(alpha / 2), mirror(a.Hits.lower(alpha / 2))}
}

// ReconstructionLimit bounds the probability of a reconstruction from above under mu-GDP, where it is at most kappa without the model, 0 <
// kappa < 1: Phi(Phi^-1(kappa)+mu) (Hayes, Mahloujifar, Balle 2023, "Bounding training data reconstruction in DP-SGD"; the reconstruction
// robustness of Balle, Cherubin, Hayes 2022).
func ReconstructionLimit(kappa, mu float64) (float64, error) {
	if !(kappa > 0 && kappa < 1) {
		return 0, invalid("kappa", kappa, "above 0 and below 1")
	}
	if !(mu >= 0 && mu <= 1e30) {
		return 0, invalid("mu", mu, "0 to 1e30")
	}
	if mu < 1e-30 {
		mu = 1e-30
	}
	_, hi, err := normal.Gaussian{Mu: mu}.Power(kappa)
	return hi, err
}

// Matches counts the guesses that are the truth, of attributes or of extracted text.
func Matches[T comparable](guesses, truth []T) (Proportion, error) {
	if len(guesses) != len(truth) {
		return Proportion{}, invalid("number of guesses", len(guesses), fmt.Sprintf("%d, one per truth", len(truth)))
	}
	p := Proportion{Trials: len(truth)}
	for i, g := range guesses {
		if g == truth[i] {
			p.Successes++
		}
	}
	return p, p.Validate()
}

// Within counts the distances of at most eta, of reconstructions from what they should be; which distance, and which eta, must be fixed
// before they are looked at.
func Within(distances []float64, eta float64) (Proportion, error) {
	if !(eta >= 0) {
		return Proportion{}, invalid("eta", eta, "a number from 0")
	}
	p := Proportion{Trials: len(distances)}
	for i, d := range distances {
		if !(d >= 0) {
			return Proportion{}, invalid(fmt.Sprintf("distances[%d]", i), d, "a number from 0")
		}
		if d <= eta {
			p.Successes++
		}
	}
	return p, p.Validate()
}
