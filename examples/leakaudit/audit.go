package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/surefoot-ml/surefoot/examples/internal/plot"
	"github.com/surefoot-ml/surefoot/privacy/leakage"
)

// audit is the friendly mode: files of scores in, a report out.
type audit struct {
	members, others, canaries string
	losses, json              bool
	cfg                       leakage.Config
	confidence                float64
	method, threshold         string
	split                     string
	rates, roc                string
}

func (a *audit) flags(f *flag.FlagSet) {
	f.StringVar(&a.members, "members", "", "`file` of the scores of members, one number per line")
	f.StringVar(&a.others, "non-members", "", "`file` of the scores of non-members")
	f.StringVar(&a.canaries, "canaries", "", "`file` of canaries, \"score,in\" per line, where in is 1 for those that a fair coin put into the data, or 0")
	f.BoolVar(&a.losses, "losses", false, "the scores are losses: lower for what looks like a member")
	f.Float64Var(&a.cfg.Delta, "delta", 1e-5, "delta")
	f.Float64Var(&a.cfg.Claim, "claim", 0, "epsilon that an accountant gave at delta, to compare with")
	f.Float64Var(&a.confidence, "confidence", 0.95, "of the bounds")
	f.StringVar(&a.method, "method", "", "one_run, one_run_gaussian; clopper_pearson, gaussian, jeffreys, bayesian (default the first that fits)")
	f.StringVar(&a.threshold, "threshold", "", "`score` from which on members are assumed, if it was fixed before the scores were looked at")
	f.StringVar(&a.split, "split", "", "`seed` to choose the threshold on one half of the scores and test it on the other")
	f.StringVar(&a.rates, "fpr", "0.001,0.01,0.1", "false positive `rates` to give the true positive rate for")
	f.BoolVar(&a.json, "json", false, "print the report as JSON")
	f.StringVar(&a.roc, "roc", "", "`file` to draw the ROC curve to, as SVG with logarithmic axes")
}

// findings are what is printed.
type findings struct {
	Report leakage.Report    `json:"report"`
	AUC    float64           `json:"auc"`
	Range  *leakage.Interval `json:"auc_interval,omitempty"`
	Rates  []rate            `json:"tpr_at_fpr"`
}

type rate struct {
	FPR   float64           `json:"fpr"`
	TPR   float64           `json:"tpr"`
	Range *leakage.Interval `json:"interval"` // nothing where there are too few non-members
}

func (a *audit) run(out io.Writer) error {
	a.cfg.Alpha = 1 - a.confidence
	if !(a.cfg.Alpha > 0 && a.cfg.Alpha < 1) {
		return fmt.Errorf("-confidence %v: want a number above 0 and below 1", a.confidence)
	}
	if a.method != "" {
		if err := a.cfg.Method.UnmarshalText([]byte(a.method)); err != nil {
			return fmt.Errorf("-method: %w", err)
		}
	}
	members, others, report, err := a.audit()
	if err != nil {
		return err
	}
	s, err := leakage.NewScores(members, others)
	if err != nil {
		return err
	}
	found := findings{Report: report, AUC: s.AUC()}
	if a.canaries == "" { // scores of one run are not independent draws: no intervals for their rates
		v, err := s.AUCInterval(a.cfg.Alpha)
		if err != nil {
			return err
		}
		found.Range = &v
	}
	for _, text := range strings.Split(a.rates, ",") {
		r, err := a.rate(s, strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("-fpr: %w", err)
		}
		found.Rates = append(found.Rates, r)
	}
	if a.roc != "" {
		if err := a.draw(s); err != nil {
			return err
		}
	}
	if a.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(found)
	}
	return found.print(out)
}

// audit reads the files and bounds epsilon.
func (a *audit) audit() (members, others []float64, r leakage.Report, err error) {
	switch {
	case a.canaries != "" && (a.members != "" || a.others != "" || a.threshold != "" || a.split != ""):
		return nil, nil, r, errors.New("-canaries goes without -members, -non-members, -threshold and -split")
	case a.canaries != "":
		scores, in, err := a.readCanaries()
		if err != nil {
			return nil, nil, r, err
		}
		for i, v := range scores {
			if in[i] {
				members = append(members, v)
			} else {
				others = append(others, v)
			}
		}
		r, err = leakage.AuditCanaries(scores, in, nil, a.cfg)
		return members, others, r, err
	case a.members == "" || a.others == "":
		return nil, nil, r, errors.New("want -members and -non-members, or -canaries; see -h")
	}
	if members, err = a.read(a.members); err != nil {
		return nil, nil, r, err
	}
	if others, err = a.read(a.others); err != nil {
		return nil, nil, r, err
	}
	s, err := leakage.NewScores(members, others)
	if err != nil {
		return nil, nil, r, err
	}
	sel, err := a.selection()
	if err != nil {
		return nil, nil, r, err
	}
	r, err = leakage.AuditScores(s, sel, a.cfg)
	return members, others, r, err
}

func (a *audit) selection() (leakage.Selection, error) {
	switch {
	case a.threshold != "" && a.split != "":
		return nil, errors.New("-threshold and -split are two ways: choose one")
	case a.threshold != "":
		v, err := strconv.ParseFloat(a.threshold, 64)
		if err != nil {
			return nil, fmt.Errorf("-threshold: %q is no number", a.threshold)
		}
		if a.losses {
			v = -v
		}
		return leakage.Fixed{Threshold: v}, nil
	case a.split != "":
		seed, err := strconv.ParseUint(a.split, 0, 64)
		if err != nil {
			return nil, fmt.Errorf("-split: %q is no seed", a.split)
		}
		return leakage.Split{Seed: seed}, nil
	}
	return leakage.Ranks{}, nil
}

func (a *audit) rate(s *leakage.Scores, text string) (rate, error) {
	fpr, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return rate{}, fmt.Errorf("%q is no number", text)
	}
	r := rate{FPR: fpr}
	if r.TPR, err = s.TPR(fpr); err != nil || a.canaries != "" {
		return r, err
	}
	v, err := s.Power(fpr, a.cfg.Alpha)
	if errors.Is(err, leakage.ErrTooFew) {
		return r, nil
	}
	r.Range = &v
	return r, err
}

func (f findings) print(out io.Writer) error {
	var b strings.Builder
	b.WriteString(f.Report.String())
	fmt.Fprintf(&b, "\nAUC %.4f%s\n", f.AUC, inWords(f.Range))
	for _, r := range f.Rates {
		note := inWords(r.Range)
		if r.Range == nil && f.Range != nil {
			note = ", of no meaning with so few non-members"
		}
		fmt.Fprintf(&b, "TPR %.4f at FPR %g%s\n", r.TPR, r.FPR, note)
	}
	if f.Range == nil {
		b.WriteString("These rates describe the canaries of one run, whose scores are not independent: they have no intervals.\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func inWords(v *leakage.Interval) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf(", true value %.4f to %.4f", v.Lower, v.Upper)
}

// read reads numbers, one per line. Empty lines and those that start with # are left out.
func (a *audit) read(path string) ([]float64, error) {
	var values []float64
	err := lines(path, func(text string) error {
		v, err := a.number(text)
		values = append(values, v)
		return err
	})
	return values, err
}

func (a *audit) readCanaries() (scores []float64, in []bool, err error) {
	err = lines(a.canaries, func(text string) error {
		score, coin, ok := strings.Cut(text, ",")
		if !ok {
			return fmt.Errorf("%q: want \"score,in\"", text)
		}
		v, err := a.number(strings.TrimSpace(score))
		if err != nil {
			return err
		}
		switch coin = strings.TrimSpace(coin); coin {
		case "0", "1":
			scores, in = append(scores, v), append(in, coin == "1")
			return nil
		}
		return fmt.Errorf("in: %q is neither 0 nor 1", coin)
	})
	return scores, in, err
}

func (a *audit) number(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) {
		return 0, fmt.Errorf("score: %q is no number", text)
	}
	if a.losses {
		v = -v
	}
	return v, nil
}

func lines(path string, each func(text string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	n := 1
	for ; s.Scan(); n++ {
		text := strings.TrimSpace(s.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if err := each(text); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", path, n, err)
	}
	return nil
}

// draw draws the ROC curve over what the claim allows.
func (a *audit) draw(s *leakage.Scores) error {
	curve, guess := plot.Line{Name: "attack"}, plot.Line{Name: "guessing", Faint: true}
	least := 1.0
	for _, p := range s.ROC() {
		if n := len(curve.Y); n > 0 { // a step: the rate holds until the next threshold
			curve.X, curve.Y = append(curve.X, p.FPR), append(curve.Y, curve.Y[n-1])
		}
		curve.X, curve.Y = append(curve.X, p.FPR), append(curve.Y, p.TPR)
		if p.FPR > 0 {
			least = min(least, p.FPR)
		}
	}
	allowed := plot.Line{Name: "allowed by the claim"}
	for x := math.Floor(math.Log10(least)); x <= 0; x += 1. / 16 {
		fpr := math.Pow(10, x)
		guess.X, guess.Y = append(guess.X, fpr), append(guess.Y, fpr)
		if a.cfg.Claim > 0 {
			e := math.Exp(a.cfg.Claim)
			most := min(e*fpr+a.cfg.Delta, 1-max(0, 1-a.cfg.Delta-fpr)/e, 1)
			allowed.X, allowed.Y = append(allowed.X, fpr), append(allowed.Y, most)
		}
	}
	all := []plot.Line{guess, curve}
	if a.cfg.Claim > 0 {
		all = append(all, allowed)
	}
	chart := plot.Chart{
		Title:    "Membership attack",
		Subtitle: fmt.Sprintf("%d members, %d non-members, AUC %.4f", s.Members(), s.NonMembers(), s.AUC()),
		XLabel:   "false positive rate",
		LogX:     true,
		Panels:   []plot.Panel{{Title: "true positive rate", Lines: all, LogY: true}},
	}
	f, err := os.OpenFile(a.roc, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(chart.WriteSVG(f), f.Close())
}
