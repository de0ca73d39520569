package gpu

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/surefoot-ml/surefoot/resources"
)

// outlier is the robust z-score from which on a value is taken for an outlier: Iglewicz and Hoaglin, How to Detect and
// Handle Outliers (1993).
const outlier = 3.5

// Pace is how a worker of a group keeps up.
type Pace struct {
	// Step is its median step time. Absent when it has no steps.
	Step resources.Value[time.Duration]
	// Score is the robust z-score of Step within the group; positive is slower.
	Score resources.Value[float64]
	// Slower is how much slower than the median worker it is: 0.1 is 10 %.
	Slower resources.Value[float64]
	// Straggler is set for a score above 3.5, if it is slower by at least the share that was asked for. That share alone
	// decides where more than half of the group have the very same time, as with coarse clocks.
	Straggler bool
}

// Paces compares the workers of a group by their latest step times, some tens each: each counts with its median, so that
// one slow step does not make a straggler. It takes three workers with steps to tell one; up to half of the group may be
// slow without hiding in each other's company. slower is the least share of time that matters, 0.05 if 0.
//
// In a synchronous group all workers end a step together, because the fast ones wait: measure the time before the barrier
// (or the collective operation), not the whole step.
func Paces(steps [][]time.Duration, slower float64) ([]Pace, error) {
	if !(slower >= 0) {
		return nil, fmt.Errorf("gpu: slower %v is not a share", slower)
	}
	if slower == 0 {
		slower = 0.05
	}
	out := make([]Pace, len(steps))
	var medians []float64
	for i, times := range steps {
		for _, d := range times {
			if d < 0 {
				return nil, fmt.Errorf("gpu: worker %d has a step of %v", i, d)
			}
		}
		if len(times) > 0 {
			m := median(times)
			out[i].Step = value(m)
			medians = append(medians, float64(m))
		}
	}
	if len(medians) == 0 {
		return out, nil
	}
	middle, distance, _ := spread(medians)
	scores := Scores(medians)
	for i := range out {
		p := &out[i]
		if !p.Step.OK {
			continue
		}
		p.Score, scores = value(scores[0]), scores[1:]
		if middle > 0 {
			p.Slower = value(float64(p.Step.V)/middle - 1)
		}
		p.Straggler = len(medians) >= 3 && (p.Score.V > outlier || distance == 0) && p.Slower.OK && p.Slower.V >= slower
	}
	return out, nil
}

// Scores returns the robust z-score of each value: its distance from the median over the scaled median distance. Where
// more than half of the values are the same, the mean distance stands in; where all are, the scores are 0. NaN and
// infinities score NaN and do not count. Use it for anything that should be alike across a group, such as clocks or temperatures of GPUs.
//
// Source: Iglewicz and Hoaglin (1993): 0.6745 (x - median) / MAD, and (x - median) / (1.2533 mean deviation).
func Scores(values []float64) []float64 {
	out := make([]float64, len(values))
	var known []float64
	for _, v := range values {
		if finite(v) {
			known = append(known, v)
		}
	}
	if len(known) == 0 {
		for i := range out {
			out[i] = math.NaN()
		}
		return out
	}
	middle, distance, mean := spread(known)
	scale := distance / 0.6745
	if scale == 0 {
		scale = 1.2533 * mean
	}
	for i, v := range values {
		switch {
		case !finite(v):
			out[i] = math.NaN()
		case v != middle:
			out[i] = (v - middle) / scale
		}
	}
	return out
}

// spread returns the median, and the median and the mean of the distances from it.
func spread(values []float64) (middle, distance, mean float64) {
	middle = median(values)
	distances := make([]float64, len(values))
	for i, v := range values {
		distances[i] = math.Abs(v - middle)
		mean += distances[i] / float64(len(values))
	}
	return middle, median(distances), mean
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// median of a slice that is not empty; it is left as it is.
func median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	low, high := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	return low + (high-low)/2
}
