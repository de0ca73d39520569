package privacy

import (
	"fmt"
	"math"
)

// Advantage returns an upper bound on the membership advantage of any attack, its true positive rate minus its false positive rate
// (Yeom et al. 2018; Kairouz, Oh, Viswanath 2015): (e^eps - 1 + 2·delta)/(e^eps + 1). It is 1 for an invalid budget.
func (b Budget) Advantage() float64 {
	if b.Validate() != nil {
		return 1
	}
	return min(1, up(math.Tanh(b.Epsilon/2)+2*b.Delta/(math.Exp(b.Epsilon)+1), 8))
}

// TruePositiveRate returns an upper bound on the true positive rate of any membership attack with false positive rate fpr, in [0, 1]:
// min(e^eps·fpr + delta, 1 - e^-eps·(1-delta-fpr)) (Kairouz, Oh, Viswanath 2015). It is 1 where an argument is invalid.
func (b Budget) TruePositiveRate(fpr float64) float64 {
	if b.Validate() != nil || !(fpr >= 0 && fpr <= 1) {
		return 1
	}
	few := up(math.Exp(b.Epsilon)*fpr, 4) + b.Delta
	many := 1 - math.Exp(-b.Epsilon)*(1-b.Delta-fpr)*(1-8*ulp)
	if math.IsNaN(few) { // Inf·0
		few = b.Delta
	}
	return min(1, up(min(few, many), 4))
}

// Posterior returns an upper bound on the belief, from a prior in [0, 1], that a record took part, of somebody who sees the output and
// knows all other records: prior·e^eps/(1 + prior·(e^eps-1)). It holds for pure privacy, and else for all outputs but those on which the privacy loss
// exceeds Epsilon; where Delta bounds the tail of the loss, as it does for every accountant here up to a conversion, these have probability
// about Delta. It is 1 where an argument is invalid.
func (b Budget) Posterior(prior float64) float64 {
	if b.Validate() != nil || !(prior >= 0 && prior <= 1) {
		return 1
	}
	if prior == 0 {
		return 0
	}
	return min(1, up(prior/(prior+(1-prior)*math.Exp(-b.Epsilon)), 12))
}

// Warnings says, in sentences, what is wrong with a budget for a dataset of the given number of records; none is not a promise.
func (b Budget) Warnings(records int) []string {
	var w []string
	if err := b.Validate(); err != nil {
		return []string{err.Error()}
	}
	if records <= 0 {
		return []string{(&InvalidError{"records", records, "1 or more"}).Error()}
	}
	n := float64(records)
	switch {
	case b.Delta >= 1/n:
		w = append(w, fmt.Sprintf("delta %.3g is at least 1/records = %.3g: releasing one random record in full would satisfy it; choose it well below, such as %.1g",
			b.Delta, 1/n, 0.1/n))
	case b.Delta*n > 0.1:
		w = append(w, fmt.Sprintf("delta %.3g is above 0.1/records = %.3g; choose it well below one over the number of records", b.Delta, 0.1/n))
	}
	if b.Epsilon > 10 {
		w = append(w, fmt.Sprintf("epsilon %.4g bounds an attack's true positive rate at a false positive rate of 0.1 %% by %.3g only: there is no worst-case protection left",
			b.Epsilon, b.TruePositiveRate(1e-3)))
	}
	if b.Epsilon < 1 && b.Delta > 1e-4 {
		w = append(w, fmt.Sprintf("delta %.3g is large beside epsilon %.3g: the failure probability dominates the guarantee", b.Delta, b.Epsilon))
	}
	return w
}

// Sweep encloses the epsilon at delta of every number of steps of every event, as a table with a row per number of steps and a column
// per event.
func Sweep(delta float64, steps []int, events ...Event) ([][]Interval, error) {
	table := make([][]Interval, len(steps))
	for i, n := range steps {
		table[i] = make([]Interval, len(events))
		for j, e := range events {
			var err error
			if table[i][j], err = boundOf(e, n, delta); err != nil {
				return nil, fmt.Errorf("privacy: %d × %+v: %w", n, e, err)
			}
		}
	}
	return table, nil
}
