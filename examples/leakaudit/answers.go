package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/surefoot-ml/surefoot/privacy/leakage"
)

// mostCanaries is the largest number of canaries that a line may speak of: seconds, for the Gaussian bound.
const mostCanaries = 1_000_000

func (q *question) oneRun() (map[string]any, error) {
	if err := missing(need("m", q.M), need("guesses", q.Guesses), need("correct", q.Correct)); err != nil {
		return nil, err
	}
	if *q.M > mostCanaries {
		return nil, fmt.Errorf("m: %d is more than %d", *q.M, mostCanaries)
	}
	delta, alpha := or(q.Delta, 0), or(q.Significance, 0.05)
	o := leakage.OneRun{Canaries: *q.M, Guesses: *q.Guesses, Correct: *q.Correct}
	at := []string{"0.0", "0.5", "1.0", "2.0", "4.0"}
	if q.At != nil {
		at = at[:0]
		for eps := range q.At {
			at = append(at, eps)
		}
	}
	p := numbers{result: map[string]any{}}
	for _, text := range at {
		eps, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("p_at_eps: %q is no number", text)
		}
		v, err := o.PValue(eps, delta)
		p.put(text, v, err)
	}
	table, err := p.done()
	if err != nil {
		return nil, err
	}
	n := numbers{result: map[string]any{"p_at_eps": table, "eps_lb_fdp_gauss": nil}}
	eps, err := o.Epsilon(delta, alpha)
	n.put("eps_lb_one_run", eps, err)
	if delta > 0 { // a Gaussian mechanism has no epsilon without
		eps, err = o.GaussianEpsilon(delta, alpha)
		n.put("eps_lb_fdp_gauss", eps, err)
	}
	return n.done()
}

func (q *question) binomial() (map[string]any, error) {
	if err := missing(need("k", q.K), need("n", q.N)); err != nil {
		return nil, err
	}
	p, alpha := leakage.Proportion{Successes: *q.K, Trials: *q.N}, or(q.Alpha, 0.05)
	n := numbers{result: map[string]any{}}
	v, err := p.ClopperPearson(alpha)
	n.interval("cp_two_sided", v, err)
	v, err = p.Jeffreys(alpha)
	n.interval("jeffreys_two_sided", v, err)
	upper, err := p.Upper(alpha)
	n.put("cp_upper_one_sided", upper, err)
	lower, err := p.Lower(alpha)
	n.put("cp_lower_one_sided", lower, err)
	return n.done()
}

func (q *question) twoRun() (map[string]any, error) {
	if err := missing(need("fn", q.FN), need("n_pos", q.NPos), need("fp", q.FP), need("n_neg", q.NNeg)); err != nil {
		return nil, err
	}
	delta, alpha := or(q.Delta, 0), or(q.Alpha, 0.05)
	t := leakage.TwoRun{FalseNegatives: *q.FN, Members: *q.NPos, FalsePositives: *q.FP, NonMembers: *q.NNeg}
	n := numbers{result: map[string]any{}}
	eps, err := t.ClopperPearson(delta, alpha)
	n.put("eps_cp", eps, err)
	eps, err = t.Jeffreys(delta, alpha)
	n.put("eps_jeffreys", eps, err)
	eps, err = t.Bayesian(delta, alpha)
	n.put("eps_bayes_zb", eps, err)
	return n.done()
}

func (q *question) lira() (map[string]any, error) {
	result := map[string]any{}
	if q.Logit != nil {
		phi := make([]float64, len(q.Logit.P))
		for i, p := range q.Logit.P {
			var err error
			if phi[i], err = leakage.Logit(p); err != nil {
				return nil, fmt.Errorf("logit.p[%d]: %w", i, err)
			}
		}
		result["logit"] = map[string]any{"p": q.Logit.P, "phi": phi}
		if q.X == nil {
			return result, nil
		}
	}
	if err := missing(needList("x", q.X), needList("out_scores", q.Out)); err != nil {
		return nil, err
	}
	out, err := rows("out_scores", q.Out)
	if err != nil {
		return nil, err
	}
	if result["offline_log_cdf"], err = (leakage.LiRA{}).Offline(q.X, out); err != nil {
		return nil, fmt.Errorf("out_scores: %w", err)
	}
	if len(q.In) == 0 {
		return result, nil
	}
	in, err := rows("in_scores", q.In)
	if err != nil {
		return nil, err
	}
	for name, l := range map[string]leakage.LiRA{"online_per_example_var": {}, "online_global_var": {Shared: true}} {
		if result[name], err = l.Online(q.X, in, out); err != nil {
			return nil, fmt.Errorf("in_scores: %w", err)
		}
	}
	return result, nil
}

func rows(name string, raw json.RawMessage) (list [][]float64, err error) {
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%s: want a list of lists of numbers", name)
	}
	return list, nil
}

// maxResults bounds the scores that one line may ask for.
const maxResults = 10_000_000

func (q *question) rmia() (map[string]any, error) {
	if err := missing(needList("p_target_x", q.TargetX), needList("p_out_refs_x", q.RefsX),
		needList("p_target_z", q.TargetZ), needList("p_out_refs_z", q.RefsZ)); err != nil {
		return nil, err
	}
	wanted := map[string][]string{}
	for a, gammas := range q.RMIA {
		for gamma := range gammas {
			wanted[a] = append(wanted[a], gamma)
		}
	}
	if q.RMIA == nil {
		for _, a := range []string{"0.0", "0.3", "0.5", "1.0"} {
			wanted[a] = []string{"1.0", "2.0"}
		}
	}
	results := 0
	for _, gammas := range wanted {
		results += len(gammas) * len(q.TargetX)
	}
	if results > maxResults {
		return nil, fmt.Errorf("scores_by_offline_a_then_gamma: %d results, want at most %d", results, maxResults)
	}
	x, z := leakage.References{Target: q.TargetX, Models: q.RefsX}, leakage.References{Target: q.TargetZ, Models: q.RefsZ}
	all := map[string]map[string][]float64{}
	for as, gammas := range wanted {
		a, err := strconv.ParseFloat(as, 64)
		if err != nil {
			return nil, fmt.Errorf("scores_by_offline_a_then_gamma: %q is no number", as)
		}
		all[as] = map[string][]float64{}
		for _, gs := range gammas {
			gamma, err := strconv.ParseFloat(gs, 64)
			if err != nil || gamma == 0 {
				return nil, fmt.Errorf("scores_by_offline_a_then_gamma.%s: %q is no number above 0", as, gs)
			}
			if all[as][gs], err = (leakage.RMIA{Gamma: gamma}).Offline(x, z, a); err != nil {
				return nil, fmt.Errorf("rmia: %w", err)
			}
		}
	}
	return map[string]any{"scores_by_offline_a_then_gamma": all}, nil
}

func (q *question) exposure() (map[string]any, error) {
	result := map[string]any{}
	if q.ExactRank != nil {
		list := []map[string]any{}
		for i, r := range q.ExactRank {
			one, err := r.exposure()
			if err != nil {
				return nil, fmt.Errorf("exact_rank[%d].%w", i, err)
			}
			list = append(list, one)
		}
		result["exact_rank"] = list
	}
	if q.Sampled != nil {
		one, err := q.Sampled.exposure()
		if err != nil {
			return nil, fmt.Errorf("sampled.%w", err)
		}
		result["sampled"] = one
	}
	var err error
	switch {
	case q.rank != rank{}:
		result, err = q.rank.exposure()
	case q.Canary != nil || q.References != nil:
		result, err = q.sampled.exposure()
	case len(result) == 0:
		err = missing(field{"exact_rank or sampled", false})
	}
	return result, err
}

func (r rank) exposure() (map[string]any, error) {
	if err := missing(need("space", r.Space), need("rank", r.Rank)); err != nil {
		return nil, err
	}
	n := numbers{result: map[string]any{"space": *r.Space, "rank": *r.Rank}}
	bits, err := leakage.Exposure(*r.Rank, *r.Space)
	n.put("exposure", bits, err)
	return n.done()
}

func (s sampled) exposure() (map[string]any, error) {
	if err := missing(needList("ref_log_perplexity", s.References), need("canary", s.Canary)); err != nil {
		return nil, err
	}
	e, err := leakage.NewSampledExposure(*s.Canary, s.References)
	if err != nil {
		return nil, fmt.Errorf("ref_log_perplexity: %w", err)
	}
	n := numbers{result: map[string]any{}}
	n.put("rank_estimate_exposure", e.ByRank(), nil)
	lower, err := e.Lower(0.05)
	n.put("exposure_lower_95", lower, err)
	gauss, err := e.Gaussian()
	n.put("gaussian_extrapolation", gauss, err)
	if skew, err := e.SkewNormal(); err == nil { // it needs more references than the others
		n.result["skewnorm_scipy_fit"] = map[string]any{"exposure": skew}
	}
	return n.done()
}

func (q *question) gaussian() (map[string]any, error) {
	if err := missing(need("mu", q.Mu), need("delta", q.Delta)); err != nil {
		return nil, err
	}
	n := numbers{result: map[string]any{}}
	eps, err := leakage.EpsilonOfMu(*q.Mu, *q.Delta)
	n.put("eps", eps, err)
	return n.done()
}
