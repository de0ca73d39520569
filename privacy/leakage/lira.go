package leakage

import (
	"fmt"
	"math"
	"slices"

	"github.com/surefoot-ml/surefoot/privacy/internal/normal"
)

// Logit returns log(p/(1-p)) of the probability p that a model gives to the right answer: a number that is nearly normal over models.
func Logit(p float64) (float64, error) {
	if !(p > 0 && p < 1) {
		return 0, invalid("p", p, "above 0 and below 1")
	}
	return math.Log(p) - math.Log1p(-p), nil
}

// LogitOfLoss is Logit of the probability exp(-loss), without losing the digits of a small loss: for the cross entropy of one example, in
// nats.
func LogitOfLoss(loss float64) (float64, error) {
	if !(loss > 0 && loss <= math.MaxFloat64) {
		return 0, invalid("loss", loss, "a finite number above 0")
	}
	return -loss - math.Log(-math.Expm1(-loss)), nil
}

// LiRA scores membership by the likelihood ratio of two normal laws, fitted to what reference models gave each example (Carlini et al. 2022,
// "Membership inference attacks from first principles"). Its scores are higher for what looks like a member. What all numbers are is the
// caller's choice, [Logit]s usually.
type LiRA struct {
	// Shared gives all examples one standard deviation, the mean of theirs: better below some 64 reference models.
	Shared bool
}

// Online returns log N(target; in) - log N(target; out) for each example: in[i] are the values of reference models trained with example i and
// out[i] of those trained without it, at least two of each.
func (l LiRA) Online(target []float64, in, out [][]float64) ([]float64, error) {
	with, err := l.fit("in", target, in)
	if err != nil {
		return nil, err
	}
	without, err := l.fit("out", target, out)
	if err != nil {
		return nil, err
	}
	scores := make([]float64, len(target))
	for i, x := range target {
		scores[i] = with[i].logDensity(x) - without[i].logDensity(x)
	}
	return scores, checkNumbers("score", scores)
}

// Offline returns log Phi((target-mean)/deviation) for each example, with the values of reference models trained without it: one-sided, so
// that a value far below them is no sign of a member.
func (l LiRA) Offline(target []float64, out [][]float64) ([]float64, error) {
	without, err := l.fit("out", target, out)
	if err != nil {
		return nil, err
	}
	scores := make([]float64, len(target))
	for i, x := range target {
		if scores[i], err = logPhi((x - without[i].mean) / without[i].deviation); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

type bell struct{ mean, deviation float64 }

func (b bell) logDensity(x float64) float64 {
	z := (x - b.mean) / b.deviation
	return -z*z/2 - math.Log(b.deviation)
}

// fit returns mean and deviation (over n, not n-1) of each row.
func (l LiRA) fit(field string, target []float64, rows [][]float64) ([]bell, error) {
	if err := checkCount("number of targets", len(target), 1, maxCount); err != nil {
		return nil, err
	}
	if len(rows) != len(target) {
		return nil, invalid("rows of "+field, len(rows), fmt.Sprintf("%d, one per target", len(target)))
	}
	if err := checkFinite("target", target); err != nil {
		return nil, err
	}
	bells := make([]bell, len(rows))
	shared := 0.0
	for i, row := range rows {
		name := fmt.Sprintf("%s[%d]", field, i)
		if len(row) < 2 {
			return nil, fmt.Errorf("%w: %s has %d reference models, want at least 2", ErrTooFew, name, len(row))
		}
		if err := checkFinite(name, row); err != nil {
			return nil, err
		}
		bells[i] = fitBell(row)
		shared += bells[i].deviation / float64(len(rows))
	}
	for i := range bells {
		if l.Shared {
			bells[i].deviation = shared
		}
		if !(bells[i].deviation > 0 && bells[i].deviation <= math.MaxFloat64) {
			return nil, invalid(fmt.Sprintf("deviation of %s[%d]", field, i), bells[i].deviation, "values that differ, of a finite spread")
		}
	}
	return bells, nil
}

func fitBell(row []float64) bell {
	if slices.Min(row) == slices.Max(row) { // without the rounding of a mean
		return bell{row[0], 0}
	}
	n := float64(len(row))
	mean := 0.0
	for _, v := range row {
		mean += v / n
	}
	sum := 0.0
	for _, v := range row {
		sum += (v - mean) * (v - mean) / n
	}
	return bell{mean, math.Sqrt(sum)}
}

// ByMask takes the values of k reference models for each example apart by whether the example was in the data of the model: what the mask
// says counts, whatever the value is.
func ByMask(values [][]float64, member [][]bool) (in, out [][]float64, err error) {
	if len(member) != len(values) {
		return nil, nil, invalid("rows of member", len(member), fmt.Sprintf("%d, one per row of values", len(values)))
	}
	in, out = make([][]float64, len(values)), make([][]float64, len(values))
	for i, row := range values {
		if len(member[i]) != len(row) || len(row) != len(values[0]) {
			return nil, nil, invalid(fmt.Sprintf("columns of row %d", i), fmt.Sprintf("%d values, %d memberships", len(row), len(member[i])),
				fmt.Sprintf("%d of each, as in the first row", len(values[0])))
		}
		for j, v := range row {
			if member[i][j] {
				in[i] = append(in[i], v)
			} else {
				out[i] = append(out[i], v)
			}
		}
	}
	return in, out, nil
}

func checkFinite(field string, values []float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return invalid(fmt.Sprintf("%s[%d]", field, i), v, "a finite number")
		}
	}
	return nil
}

// logPhi is log Phi(z), without the limits of Phi.
func logPhi(z float64) (float64, error) {
	if z < -1e90 {
		return math.Inf(-1), nil
	}
	lo, hi, err := normal.LogSF(-z)
	return lo + (hi-lo)/2, err
}
