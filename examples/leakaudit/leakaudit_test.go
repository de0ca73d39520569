package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/examples/internal/jsonl"
)

func answers(t *testing.T, lines ...string) []map[string]any {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run([]string{"-jsonl"}, strings.NewReader(strings.Join(lines, "\n")), &out))
	var all []map[string]any
	s := bufio.NewScanner(&out)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var a map[string]any
		require.NoError(t, json.Unmarshal(s.Bytes(), &a))
		all = append(all, a)
	}
	require.Len(t, all, len(lines))
	return all
}

// columns are what a question holds; all else in the reference rows are results.
var columns = map[string][]string{
	"one_run":  {"m", "guesses", "correct", "delta", "significance"},
	"binomial": {"k", "n", "alpha"},
	"two_run":  {"fn", "n_pos", "fp", "n_neg", "alpha", "delta"},
	"scores":   {"gen"},
	"lira":     {"x", "in_scores", "out_scores"},
	"rmia":     {"p_target_x", "p_out_refs_x", "p_target_z", "p_out_refs_z"},
	"gdp":      {"mu", "delta"},
}

// tolerance is how far a result may be from the reference value.
func tolerance(kind, path string, want float64) float64 {
	switch {
	case strings.HasPrefix(path, "p_at_eps"):
		return 1e-9 * want
	case kind == "one_run" && path == "eps_lb_one_run", path == "eps_one_run_bonf":
		return 2e-6
	case strings.Contains(path, "fdp"), path == "eps_gdp":
		return 1e-4
	case path == "eps_bayes_zb":
		return 2e-3 // the integral of the reference is off by 0.0019 in the row without errors
	case strings.Contains(path, "skewnorm"):
		return 0.05 * want
	case kind == "gdp":
		return 1e-9
	case kind == "binomial":
		return 1e-10 * want
	}
	return 1e-10
}

// agree compares the results of a reference row with an answer.
func agree(t *testing.T, kind, path string, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		require.True(t, ok, "%s %s: %v", kind, path, got)
		for k, v := range want {
			if k == "note" || k == "params" || k == "score_transform" {
				continue
			}
			sub := k
			if path != "" {
				sub = path + "." + k
			}
			require.Contains(t, m, k, "%s %s", kind, sub)
			agree(t, kind, sub, v, m[k])
		}
	case []any:
		list, ok := got.([]any)
		require.True(t, ok && len(list) == len(want), "%s %s: %v", kind, path, got)
		for i := range want {
			agree(t, kind, path, want[i], list[i])
		}
	case float64:
		v, ok := got.(float64)
		require.True(t, ok, "%s %s: %v", kind, path, got)
		require.LessOrEqual(t, math.Abs(v-want), tolerance(kind, path, math.Abs(want)), "%s %s: %v, want %v", kind, path, v, want)
	default:
		require.Equal(t, want, got, "%s %s", kind, path)
	}
}

// Every reference row is answered, with and without its results in the question.
func TestReferenceRows(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "leakage", "golden_audit.json"))
	if err != nil {
		t.Skip("no reference rows here:", err)
	}
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &all))
	count := 0
	for kind, raw := range all {
		if kind == "meta" {
			continue
		}
		var rows []map[string]any
		if json.Unmarshal(raw, &rows) != nil {
			var row map[string]any
			require.NoError(t, json.Unmarshal(raw, &row))
			rows = append(rows, row)
		}
		for _, row := range rows {
			count++
			want := map[string]any{}
			bare := map[string]any{"kind": kind, "id": count}
			for k, v := range row {
				switch asked := contains(columns[kind], k); {
				case asked:
					bare[k] = v
				case k != "score_transform" && k != "note":
					want[k] = v
				}
			}
			if kind == "lira" {
				bare["logit"] = map[string]any{"p": row["logit"].(map[string]any)["p"]}
			}
			if kind == "exposure" {
				var questions []any
				for _, r := range row["exact_rank"].([]any) {
					r := r.(map[string]any)
					questions = append(questions, map[string]any{"space": r["space"], "rank": r["rank"]})
					one := answers(t, encode(t, map[string]any{"kind": kind, "space": r["space"], "rank": r["rank"]}))[0]
					agree(t, kind, "", r, one)
				}
				bare["exact_rank"] = questions
				s := row["sampled"].(map[string]any)
				bare["sampled"] = map[string]any{"ref_log_perplexity": s["ref_log_perplexity"], "canary": s["canary"]}
				delete(s, "ref_log_perplexity")
				delete(s, "canary")
			}
			got := answers(t, encode(t, bare))[0]
			require.NotContains(t, got, "error", "%v", bare)
			require.Equal(t, kind, got["kind"])
			require.EqualValues(t, count, got["id"])
			agree(t, kind, "", want, got)

			if kind == "exposure" {
				continue // its results are beside its fields, in the same lists
			}
			full := map[string]any{"kind": kind, "id": count}
			for k, v := range row {
				full[k] = v
			}
			require.Equal(t, got, answers(t, encode(t, full))[0], "results in the question are ignored")
		}
	}
	require.Equal(t, 17+22+6+4+1+1+1+10, count)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}

func TestScoresOfALine(t *testing.T) {
	t.Parallel()
	got := answers(t, `{"kind":"scores","in_scores":[3,4,5,4.5,3.5,6,7,3.2],"out_scores":[0,1,0.5,0.2,-1,0.7,0.3,2],"eps_cp_explicit_thr":{"threshold":2.5}}`)[0]
	require.Equal(t, 1.0, got["auc_mann_whitney"])
	require.Equal(t, 2.5, got["eps_cp_explicit_thr"].(map[string]any)["threshold"])
	require.Greater(t, got["eps_cp_explicit_thr"].(map[string]any)["eps"], 0.4)
	require.Nil(t, got["tpr_ci_at_fpr"].(map[string]any)["0.1"], "eight non-members cannot measure it")
	u := 1 - math.Pow(0.05/4, 1./8) // two rules, two bounds each
	require.InDelta(t, math.Log((1-u-1e-5)/u), got["eps_corrected"], 1e-9)
}

func TestHostileLines(t *testing.T) {
	t.Parallel()
	for line, field := range map[string]string{
		`no question`:                "line: ",
		`[]`:                         "",
		`null`:                       "kind: missing",
		`{}`:                         "kind: missing",
		`{"kind":"mia"}`:             `kind: "mia"`,
		`{"kind":7}`:                 "kind: ",
		`{"kind":"one_run"}`:         "m: missing",
		`{"kind":"one_run","m":"7"}`: "m: a string",
		`{"kind":"one_run","m":1.5}`: "m: a number 1.5",
		`{"kind":"one_run","m":10,"guesses":11,"correct":1}`:                       "Guesses = 11",
		`{"kind":"one_run","m":10,"guesses":10,"correct":-1}`:                      "Correct = -1",
		`{"kind":"one_run","m":10,"guesses":10,"correct":10,"delta":2}`:            "delta = 2",
		`{"kind":"one_run","m":10,"guesses":10,"correct":10,"significance":0}`:     "alpha = 0",
		`{"kind":"one_run","m":10000000,"guesses":10,"correct":10}`:                "m: 10000000",
		`{"kind":"one_run","m":10,"guesses":10,"correct":10,"p_at_eps":{"x":1}}`:   "p_at_eps: ",
		`{"kind":"one_run","m":10,"guesses":10,"correct":10,"p_at_eps":{"NaN":1}}`: "epsilon = NaN",
		`{"kind":"binomial","k":3}`:                                                "n: missing",
		`{"kind":"binomial","k":3,"n":2}`:                                          "Successes = 3",
		`{"kind":"binomial","k":0,"n":0}`:                                          "Trials = 0",
		`{"kind":"two_run","fn":1,"n_pos":2,"fp":1}`:                               "n_neg: missing",
		`{"kind":"two_run","fn":1,"n_pos":2,"fp":1,"n_neg":1e99}`:                  "n_neg: ",
		`{"kind":"scores"}`: "in_scores: missing",
		`{"kind":"scores","in_scores":[1],"out_scores":[[1]]}`:         "out_scores: ",
		`{"kind":"scores","in_scores":[],"out_scores":[1]}`:            "members = 0",
		`{"kind":"scores","in_scores":["NaN"],"out_scores":[1]}`:       "in_scores: ",
		`{"kind":"scores","gen":{"n_in":10}}`:                          "gen.n_out: missing",
		`{"kind":"scores","gen":{"n_in":1000000000,"n_out":1}}`:        "gen.n_in: ",
		`{"kind":"scores","gen":{"n_in":1,"n_out":1,"decimals":99}}`:   "gen.decimals: ",
		`{"kind":"scores","gen":{"n_in":1,"n_out":1,"first3_in":[5]}}`: "gen.first3_in: ",
		`{"kind":"lira"}`:                            "x: missing",
		`{"kind":"lira","x":[1],"out_scores":[1]}`:   "out_scores: ",
		`{"kind":"lira","x":[1],"out_scores":[[1]]}`: "out[0]",
		`{"kind":"lira","logit":{"p":[0.5,1]}}`:      "logit.p[1]",
		`{"kind":"rmia","p_target_x":[0.5]}`:         "p_out_refs_x: missing",
		`{"kind":"rmia","p_target_x":[2],"p_out_refs_x":[[1]],"p_target_z":[1],"p_out_refs_z":[[1]]}`: "x.Target[0]",
		`{"kind":"exposure"}`:                                       "exact_rank or sampled: missing",
		`{"kind":"exposure","rank":3}`:                              "space: missing",
		`{"kind":"exposure","rank":3,"space":2}`:                    "rank = 3",
		`{"kind":"exposure","sampled":{"canary":1}}`:                "sampled.ref_log_perplexity: missing",
		`{"kind":"exposure","exact_rank":[{"space":1}]}`:            "exact_rank[0].rank: missing",
		`{"kind":"exposure","canary":1,"ref_log_perplexity":[1,1]}`: "gaussian_extrapolation",
		`{"kind":"gdp","mu":1}`:                                     "delta: missing",
		`{"kind":"gdp","mu":1,"delta":0}`:                           "delta = 0",
		`{"kind":"gdp","mu":-1,"delta":0.1}`:                        "mu = -1",
	} {
		got := answers(t, line)[0]
		require.Contains(t, got["error"], field, line)
	}
	// The lines after a bad one, or a long one, are answered; the end of the last line may be missing.
	var out bytes.Buffer
	in := "x\n\n" + strings.Repeat("y", 3000) + "\r\n" + `{"kind":"gdp","mu":1,"delta":1e-5}` + "\r\n" + strings.Repeat("z", 3000)
	require.NoError(t, jsonl.Answer(strings.NewReader(in), &out, 1000, answer, wrong))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 4)
	require.Contains(t, lines[1], "line: longer than 1000 bytes")
	require.Contains(t, lines[2], `"eps":4.377178`)
	require.Contains(t, lines[3], "longer")
	require.ErrorIs(t, jsonl.Answer(failing{}, &out, 10, answer, wrong), io.ErrClosedPipe)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"kind":"one_run","m":10,"guesses":10,"correct":10}`))
	f.Add([]byte(`{"kind":"scores","in_scores":[1,2],"out_scores":[0,1]}`))
	f.Add([]byte(`{"kind":"exposure","sampled":{"canary":1,"ref_log_perplexity":[2,3]}}`))
	f.Add([]byte(`{"kind":"rmia","p_target_x":[1],"p_out_refs_x":[[1]],"p_target_z":[1],"p_out_refs_z":[[1]]}`))
	f.Add([]byte(`{"kind":"lira","x":[1],"out_scores":[[1,2]],"logit":{"p":[0.5]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.Contains(line, []byte("000")) {
			t.Skip("large counts take their time")
		}
		_, err := json.Marshal(answer(line))
		require.NoError(t, err, "an answer is always JSON")
	})
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestFriendlyAudit(t *testing.T) {
	t.Parallel()
	var members, others, canaries strings.Builder
	members.WriteString("# scores\n\n")
	for i := range 300 {
		fmt.Fprintf(&members, "%g\n", -(float64(i*37%300)/100 + 2.5))
		fmt.Fprintf(&others, "%g\n", -(float64(i*91%300) / 100))
		fmt.Fprintf(&canaries, "%g, %d\n", float64(i*37%300)+float64(i%2)*1000, i%2)
	}
	in, out, coins := write(t, "in", members.String()), write(t, "out", others.String()), write(t, "canaries", canaries.String())
	roc := filepath.Join(t.TempDir(), "roc.svg")
	var text bytes.Buffer
	require.NoError(t, run([]string{"-members", in, "-non-members", out, "-losses", "-claim", "2", "-roc", roc, "-fpr", "0.001, 0.1"}, nil, &text))
	for _, want := range []string{"the claimed epsilon of 2 is refuted", "method: clopper_pearson, 300 members", "AUC 0.98", "so few non-members", "at FPR 0.1, true value"} {
		require.Contains(t, text.String(), want)
	}
	svg, err := os.ReadFile(roc)
	require.NoError(t, err)
	for _, want := range []string{">0.01<", ">allowed by the claim<", ">guessing<", "false positive rate"} {
		require.Contains(t, string(svg), want)
	}
	info, err := os.Stat(roc)
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077)

	for _, args := range [][]string{{"-split", "1"}, {"-threshold", "-3", "-method", "jeffreys"}, {"-method", "gaussian"}, {"-method", "bayesian", "-split", "7"}} {
		text.Reset()
		require.NoError(t, run(append(args, "-members", in, "-non-members", out, "-losses"), nil, &text))
		require.Contains(t, text.String(), "epsilon is at least")
	}

	text.Reset()
	require.NoError(t, run([]string{"-canaries", coins, "-claim", "3", "-json"}, nil, &text))
	var found struct {
		Report struct {
			Verdict  string
			Severity int
			Epsilon  float64 `json:"epsilon_lower"`
		}
		AUC float64
	}
	require.NoError(t, json.Unmarshal(text.Bytes(), &found))
	require.Equal(t, "refuted", found.Report.Verdict)
	require.Equal(t, 3, found.Report.Severity)
	require.Greater(t, found.Report.Epsilon, 3.0)
	require.Equal(t, 1.0, found.AUC)
	text.Reset()
	require.NoError(t, run([]string{"-canaries", coins}, nil, &text))
	require.Contains(t, text.String(), "not independent")

	bad := write(t, "bad", "1\nx\n")
	coin := write(t, "coin", "1,2\n")
	for want, args := range map[string][]string{
		"want -members":         {},
		"unexpected argument":   {"x"},
		":2: score: \"x\"":      {"-members", bad, "-non-members", out},
		"neither 0 nor 1":       {"-canaries", coin},
		"goes without":          {"-canaries", coin, "-members", in},
		"no such file":          {"-members", in + "x", "-non-members", out},
		"-method":               {"-members", in, "-non-members", out, "-method", "best"},
		"-fpr":                  {"-members", in, "-non-members", out, "-fpr", "2"},
		"-confidence":           {"-members", in, "-non-members", out, "-confidence", "95"},
		"choose one":            {"-members", in, "-non-members", out, "-threshold", "1", "-split", "1"},
		"is no seed":            {"-members", in, "-non-members", out, "-split", "x"},
		"is no number":          {"-members", in, "-non-members", out, "-threshold", "x"},
		"number of nonMembers":  {"-members", in, "-non-members", write(t, "empty", "")},
		"Method = clopper_pear": {"-canaries", coins, "-method", "clopper_pearson"},
	} {
		require.ErrorContains(t, run(args, nil, io.Discard), want, "%q", args)
	}
}

// A result that JSON cannot hold, or that would not fit the memory, ends its own line and no other.
func TestBadResultsEndTheirLineAlone(t *testing.T) {
	t.Parallel()
	gammas := make([]string, 4000)
	for i := range gammas {
		gammas[i] = fmt.Sprintf(`"%d":[]`, i+1)
	}
	ones := "[" + strings.Repeat("0.5,", 3999) + "0.5]"
	lines := []string{
		`{"kind":"lira","id":"a","x":[-1e200],"out_scores":[[1e-10,0]]}`,
		`{"kind":"exposure","canary":-1e15,"ref_log_perplexity":[1,2,3,4,5,6,7,8,9,10,11]}`,
		`{"kind":"rmia","p_target_x":` + ones + `,"p_out_refs_x":[[0.5]],"p_target_z":[0.5],"p_out_refs_z":[[0.5]],"scores_by_offline_a_then_gamma":{"0.0":{` + strings.Join(gammas, ",") + `}}}`,
		`{"kind":"gdp","mu":1,"delta":1e-5}`,
	}
	var out bytes.Buffer
	require.NoError(t, jsonl.Answer(strings.NewReader(strings.Join(lines, "\n")), &out, 1<<20, answer, wrong))
	answers := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, answers, len(lines))
	for i, a := range answers {
		require.Equal(t, i%2 == 0, strings.Contains(a, `"error"`), a)
	}
	require.Contains(t, answers[0], `"id":"a"`)
}
