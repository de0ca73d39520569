package main

import (
	"fmt"
	"math"

	"github.com/surefoot-ml/surefoot/examples/internal/plot"
	"github.com/surefoot-ml/surefoot/privacy"
)

// attack draws what a membership attack can reach at most, on logarithmic axes, beside guessing.
func (p *plan) attack(e privacy.Event) error {
	var best privacy.Best
	if err := best.Add(e, p.steps); err != nil {
		return err
	}
	var rates []float64
	for x := -5.0; x <= 0; x += .125 {
		rates = append(rates, math.Pow(10, x))
	}
	points, err := privacy.Tradeoff(&best, rates...)
	if err != nil {
		return err
	}
	bound, guess := plot.Line{Name: "any attack, at most"}, plot.Line{Name: "guessing", Faint: true}
	for _, o := range points {
		x := math.Log10(o.FPR)
		bound.X, bound.Y = append(bound.X, x), append(bound.Y, math.Log10(o.TPR))
		guess.X, guess.Y = append(guess.X, x), append(guess.Y, x)
	}
	return write(p.tradeoff, &plot.Chart{
		Title:    "What a membership attack can reach",
		Subtitle: fmt.Sprintf("%d steps at rate %.4g, noise multiplier %.4g, %s", p.steps, p.rate, p.noise, p.relation),
		XLabel:   "log10 of the false positive rate",
		Panels:   []plot.Panel{{Title: "log10 of the true positive rate", Lines: []plot.Line{bound, guess}}},
	})
}
