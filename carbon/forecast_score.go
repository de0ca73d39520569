package carbon

import (
	"math"
	"time"
)

// Score says how good the forecasts of a [Learner] at one horizon have been so far. Every forecast is scored, as it was
// made, when its slot is observed.
type Score struct {
	Horizon time.Duration
	Count   int
	MAE     float64 // mean absolute error, g/kWh
	WAPE    float64 // sum of the absolute errors over the sum of the values
	Bias    float64 // mean of forecast minus value, g/kWh
	// Cover50, Cover80, Cover90 and Cover95 are the shares of values inside the central interval of that probability.
	Cover50, Cover80, Cover90, Cover95 float64
}

// tally is a Score in sums.
type tally struct {
	count            int
	abs, sum, offset float64
	inside           [len(levels) / 2]int // of the interval between level i and its mirror image
}

func (t *tally) add(mean, v, scale float64, q *[len(levels)]float64) {
	t.count++
	t.abs += math.Abs(v - mean)
	t.sum += v
	t.offset += mean - v
	for i := range t.inside {
		low, high := max(0, mean+scale*q[i]), max(0, mean+scale*q[len(levels)-1-i])
		if v >= low && v <= high {
			t.inside[i]++
		}
	}
}

// Scores returns the scores so far by horizon, shortest first.
func (l *Learner) Scores() []Score {
	out := make([]Score, len(l.nodes))
	for i := range l.nodes {
		n := &l.nodes[i]
		out[i] = n.score.score(time.Duration(n.ahead) * l.cfg.Step)
	}
	return out
}

func (t *tally) score(horizon time.Duration) Score {
	s := Score{Horizon: horizon, Count: t.count}
	if t.count == 0 {
		return s
	}
	c := float64(t.count)
	s.MAE, s.Bias = t.abs/c, t.offset/c
	if t.sum > 0 {
		s.WAPE = t.abs / t.sum
	}
	s.Cover95, s.Cover90 = float64(t.inside[0])/c, float64(t.inside[1])/c
	s.Cover80, s.Cover50 = float64(t.inside[2])/c, float64(t.inside[3])/c
	return s
}

// ResetScores starts the scores anew, for instance after the learner has been fed its past.
func (l *Learner) ResetScores() {
	for i := range l.nodes {
		l.nodes[i].score = tally{}
	}
}
