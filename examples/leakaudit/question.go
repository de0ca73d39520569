package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/privacy/leakage"
)

// question is one line of input, in the format that README.md documents. Fields of other kinds, unknown ones and results are ignored.
type question struct {
	ID   json.RawMessage `json:"id"`
	Kind string          `json:"kind"`

	M            *int                       `json:"m"`
	Guesses      *int                       `json:"guesses"`
	Correct      *int                       `json:"correct"`
	Delta        *float64                   `json:"delta"`
	Significance *float64                   `json:"significance"`
	At           map[string]json.RawMessage `json:"p_at_eps"`

	K     *int     `json:"k"`
	N     *int     `json:"n"`
	Alpha *float64 `json:"alpha"`

	FN   *int `json:"fn"`
	NPos *int `json:"n_pos"`
	FP   *int `json:"fp"`
	NNeg *int `json:"n_neg"`

	Gen      *generator      `json:"gen"`
	In       json.RawMessage `json:"in_scores"`  // a list for scores, a list of rows for lira
	Out      json.RawMessage `json:"out_scores"` // the same
	Explicit *struct {
		Threshold *float64 `json:"threshold"`
	} `json:"eps_cp_explicit_thr"`

	X     []float64 `json:"x"`
	Logit *struct {
		P []float64 `json:"p"`
	} `json:"logit"`

	TargetX []float64                             `json:"p_target_x"`
	RefsX   [][]float64                           `json:"p_out_refs_x"`
	TargetZ []float64                             `json:"p_target_z"`
	RefsZ   [][]float64                           `json:"p_out_refs_z"`
	RMIA    map[string]map[string]json.RawMessage `json:"scores_by_offline_a_then_gamma"`

	ExactRank []rank   `json:"exact_rank"`
	Sampled   *sampled `json:"sampled"`
	rank
	sampled

	Mu *float64 `json:"mu"`
}

type rank struct {
	Space *float64 `json:"space"`
	Rank  *float64 `json:"rank"`
}

type sampled struct {
	References []float64 `json:"ref_log_perplexity"`
	Canary     *float64  `json:"canary"`
}

// answer answers one line of input, whatever it holds.
func answer(line []byte) map[string]any {
	var q question
	var result map[string]any
	err := json.Unmarshal(line, &q)
	if err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			err = fmt.Errorf("%s: a %s is not what belongs there", wrong.Field, wrong.Value)
		} else {
			err = fmt.Errorf("line: not a question: %w", err)
		}
	} else {
		result, err = q.answer()
	}
	if err != nil {
		result = map[string]any{"error": err.Error()}
	}
	if q.Kind != "" {
		result["kind"] = q.Kind
	}
	if q.ID != nil {
		result["id"] = q.ID
	}
	return result
}

func (q *question) answer() (map[string]any, error) {
	switch q.Kind {
	case "one_run":
		return q.oneRun()
	case "binomial":
		return q.binomial()
	case "two_run":
		return q.twoRun()
	case "scores":
		return q.scores()
	case "lira":
		return q.lira()
	case "rmia":
		return q.rmia()
	case "exposure":
		return q.exposure()
	case "gdp":
		return q.gaussian()
	case "":
		return nil, errors.New("kind: missing")
	}
	return nil, fmt.Errorf("kind: %q is none of one_run, binomial, two_run, scores, lira, rmia, exposure, gdp", q.Kind)
}

// field is a value that must be there.
type field struct {
	name    string
	present bool
}

func need[T any](name string, p *T) field         { return field{name, p != nil} }
func needList[T any](name string, list []T) field { return field{name, len(list) > 0} }

func missing(fields ...field) error {
	for _, f := range fields {
		if !f.present {
			return fmt.Errorf("%s: missing", f.name)
		}
	}
	return nil
}

func or(p *float64, usual float64) float64 {
	if p == nil {
		return usual
	}
	return *p
}

// numbers makes a result of pairs of a name and a number with its error. One that is not finite is left out: JSON has none.
type numbers struct {
	result map[string]any
	err    error
}

func (n *numbers) put(name string, v float64, err error) {
	if n.err == nil && err != nil {
		n.err = fmt.Errorf("%s: %w", name, err)
	}
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		n.result[name] = v
	}
}

func (n *numbers) interval(name string, v leakage.Interval, err error) {
	if n.err == nil && err != nil {
		n.err = fmt.Errorf("%s: %w", name, err)
	}
	n.result[name] = [2]float64{v.Lower, v.Upper}
}

func (n *numbers) done() (map[string]any, error) {
	if n.err != nil {
		return nil, n.err
	}
	return n.result, nil
}
