package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/surefoot-ml/surefoot/privacy/leakage"
)

// mostScores is the largest number of scores on either side that a line may hold.
const mostScores = 100_000

// generator is a recipe for scores: quantiles of the normal law at numbers of a linear congruential generator, shifted and rounded.
type generator struct {
	NIn      *int      `json:"n_in"`
	NOut     *int      `json:"n_out"`
	SeedIn   uint64    `json:"seed_in"`
	SeedOut  uint64    `json:"seed_out"`
	Shift    float64   `json:"shift_in"`
	Decimals int       `json:"decimals"`
	FirstIn  []float64 `json:"first3_in"`
	FirstOut []float64 `json:"first3_out"`
}

func (g *generator) scores() (in, out []float64, err error) {
	if err := missing(need("gen.n_in", g.NIn), need("gen.n_out", g.NOut)); err != nil {
		return nil, nil, err
	}
	if g.Decimals < 0 || g.Decimals > 15 {
		return nil, nil, fmt.Errorf("gen.decimals: %d is not 0 to 15", g.Decimals)
	}
	if in, err = g.draw("in", *g.NIn, g.SeedIn, g.Shift, g.FirstIn); err != nil {
		return nil, nil, err
	}
	out, err = g.draw("out", *g.NOut, g.SeedOut, 0, g.FirstOut)
	return in, out, err
}

func (g *generator) draw(side string, n int, state uint64, shift float64, first []float64) ([]float64, error) {
	if n < 1 || n > mostScores {
		return nil, fmt.Errorf("gen.n_%s: %d is not 1 to %d", side, n, mostScores)
	}
	unit := math.Pow(10, float64(g.Decimals))
	scores := make([]float64, n)
	for i := range scores {
		state = state*6364136223846793005 + 1442695040888963407
		u := (float64(state>>11) + 0.5) / (1 << 53)
		scores[i] = math.RoundToEven((math.Sqrt2*math.Erfinv(2*u-1)+shift)*unit) / unit
	}
	if len(first) > n || !slices.Equal(first, scores[:len(first)]) {
		return nil, fmt.Errorf("gen.first3_%s: %v is not what the recipe gives", side, first)
	}
	return scores, nil
}

func (q *question) scores() (map[string]any, error) {
	in, out, err := q.samples()
	if err != nil {
		return nil, err
	}
	if len(in) > mostScores || len(out) > mostScores {
		return nil, fmt.Errorf("in_scores, out_scores: %d and %d are more than %d", len(in), len(out), mostScores)
	}
	s, err := leakage.NewScores(in, out)
	if err != nil {
		return nil, err
	}
	delta, alpha := or(q.Delta, 1e-5), or(q.Alpha, 0.05)
	n := numbers{result: map[string]any{}}
	n.put("auc_mann_whitney", s.AUC(), nil)
	v, err := s.AUCInterval(alpha)
	n.interval("auc_ci", v, err)
	n.put("auc_hull", s.HullAUC(), nil)
	n.put("max_accuracy", s.Accuracy(), nil)
	raw, hull, power := map[string]float64{}, map[string]float64{}, map[string]any{}
	for _, text := range []string{"0.0", "0.001", "0.01", "0.1"} {
		fpr, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		if raw[text], err = s.TPR(fpr); err != nil {
			return nil, err
		}
		if fpr == 0 {
			continue
		}
		if hull[text], err = s.HullTPR(fpr); err != nil {
			return nil, err
		}
		power[text] = nil
		if v, err := s.Power(fpr, alpha); err == nil {
			power[text] = [2]float64{v.Lower, v.Upper}
		} else if !errors.Is(err, leakage.ErrTooFew) {
			return nil, err
		}
	}
	n.result["tpr_raw_at_fpr"], n.result["tpr_hull_at_fpr"], n.result["tpr_ci_at_fpr"] = raw, hull, power

	threshold := 1.0
	if q.Explicit != nil {
		threshold = or(q.Explicit.Threshold, threshold)
	}
	at, err := s.At(threshold)
	if err != nil {
		return nil, err
	}
	eps, _, err := directions(at, delta, alpha)
	if err != nil {
		return nil, err
	}
	n.result["eps_cp_explicit_thr"] = map[string]float64{"threshold": threshold, "eps": eps}
	r, err := leakage.AuditScores(s, leakage.Ranks{}, leakage.Config{Alpha: alpha, Delta: delta})
	n.put("eps_corrected", r.Epsilon, err)
	r, err = leakage.AuditScores(s, leakage.Ranks{}, leakage.Config{Method: leakage.MethodGaussian, Alpha: alpha, Delta: delta})
	n.put("eps_gdp_corrected", r.Epsilon, err)
	if n.err == nil {
		n.err = byHull(&n, s.Hull(), delta, alpha)
	}
	return n.done()
}

func (q *question) samples() (in, out []float64, err error) {
	if q.Gen != nil {
		return q.Gen.scores()
	}
	if err := missing(needList("gen or in_scores", q.In), needList("out_scores", q.Out)); err != nil {
		return nil, nil, err
	}
	if json.Unmarshal(q.In, &in) != nil {
		return nil, nil, errors.New("in_scores: want a list of numbers")
	}
	if json.Unmarshal(q.Out, &out) != nil {
		return nil, nil, errors.New("out_scores: want a list of numbers")
	}
	return in, out, nil
}

// maxCorners bounds the work of byHull; a hundred thousand scores of a Gaussian have some fifty.
const maxCorners = 512

// byHull fills in the columns of other tools, to compare with: the best corner of the ROC hull, with a correction for the number of corners.
// That number and the corners depend on the scores, so these are no bounds, only near to them: the simulations behind this library's own
// found 7 % of failures where 5 % were allowed. The corrected ones are the bounds.
func byHull(n *numbers, hull []leakage.Point, delta, alpha float64) error {
	if len(hull) > maxCorners {
		return fmt.Errorf("scores: %d corners of the ROC hull, want at most %d", len(hull), maxCorners)
	}
	part := alpha / float64(len(hull))
	var one, both, mu, oneRun, gaussian float64
	for _, p := range hull {
		low, high, err := directions(p.TwoRun, delta, part)
		if err != nil {
			return err
		}
		one, both = max(one, low), max(both, low, high)
		m, err := p.Mu(part)
		if err != nil {
			return err
		}
		mu = max(mu, m)
		positives := p.Members - p.FalseNegatives
		guesses := leakage.OneRun{Canaries: p.Members + p.NonMembers, Guesses: positives + p.FalsePositives, Correct: positives}
		if guesses.Guesses == 0 {
			continue
		}
		eps, err := guesses.Epsilon(delta, part)
		if err != nil {
			return err
		}
		oneRun = max(oneRun, eps)
		if delta > 0 {
			if eps, err = guesses.GaussianEpsilon(delta, part); err != nil {
				return err
			}
			gaussian = max(gaussian, eps)
		}
	}
	n.result["n_hull_thresholds"] = len(hull)
	n.put("eps_cp_bonferroni", one, nil)
	n.put("eps_cp_bonferroni_two_sided", both, nil)
	n.put("eps_one_run_bonf", oneRun, nil)
	if delta > 0 {
		n.put("eps_one_run_fdp_bonf", gaussian, nil)
		eps, err := leakage.EpsilonOfMu(mu, delta)
		n.put("eps_gdp", eps, err)
	}
	return n.err
}

// directions are the epsilons that TPR over FPR and TNR over FNR show, with alpha/2 for each of the two error rates.
func directions(t leakage.TwoRun, delta, alpha float64) (positive, negative float64, err error) {
	alarms := leakage.Proportion{Successes: t.FalsePositives, Trials: t.NonMembers}
	missed := leakage.Proportion{Successes: t.FalseNegatives, Trials: t.Members}
	fpr, err := alarms.Upper(alpha / 2)
	if err != nil {
		return 0, 0, err
	}
	fnr, err := missed.Upper(alpha / 2)
	if err != nil {
		return 0, 0, err
	}
	ratio := func(power, size float64) float64 {
		if !(power-delta > size) {
			return 0
		}
		return math.Log((power - delta) / size)
	}
	return ratio(1-fnr, fpr), ratio(1-fpr, fnr), nil
}
