package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/surefoot-ml/surefoot/examples/internal/plot"
)

// report sums up a run that has ended; what the trail says about it is filled in by whoever reads that.
func (r *run) report(ended string) (*report, error) {
	rep := &report{
		Task: r.data.Name, Unit: r.data.Unit, Classes: r.data.Classes, Examples: len(r.data.Train), Heldout: len(r.data.Heldout),
		Settings: r.set, Private: r.key == 0, Ended: ended,
		Incidents: r.trail.incidents, Breaker: r.opened, Memory: r.memory(),
		Trail: r.path(trailName), Ledger: r.path(budgetName), Plot: r.path(plotName),
	}
	_, rep.Accuracy.Private = r.learner.model.Evaluate(r.data.Heldout)
	_, rep.Accuracy.Majority = r.data.Majority()

	spent, err := r.budget.spent()
	rep.Privacy.Epsilon, rep.Privacy.Method = spent.Running, spent.Accountant
	rep.Privacy.Budget, rep.Privacy.Delta = r.set.Epsilon, r.set.Delta
	left, leftErr := r.budget.ledger.Remaining(r.budget.event, account)
	rep.Privacy.Left = left.Executions
	rep.Steps.Applied, rep.Steps.Charged, rep.Steps.Released = r.learner.applied, r.budget.charged, r.budget.released
	rep.Steps.Before, rep.Steps.Retries, rep.Steps.GaveUp = r.before, r.trail.retries, r.gaveUp

	totals, c := r.power.meter.Totals(), &rep.Carbon
	c.KWh, c.Grams, c.UnknownKWh = totals.KWh+r.earlier.Joules/3.6e6, float64(totals.Grams)+r.earlier.Grams, totals.UnknownKWh+r.earlier.Unknown
	if known := c.KWh - c.UnknownKWh; known > 0 {
		c.Mean = c.Grams / known
	}
	var intensities, energies []string
	for _, s := range totals.Shares {
		if s.Basis != 0 {
			intensities = appendNew(intensities, marked(s.Source, s.Basis.String()))
		}
		if s.EnergyEstimated {
			energies = appendNew(energies, marked(s.Energy, "estimate"))
		} else {
			energies = appendNew(energies, marked(s.Energy, "metered"))
		}
	}
	c.Intensity, c.Energy = strings.Join(intensities, "; "), strings.Join(energies, "; ")
	stats := r.gate.Stats()
	c.Pauses, c.Paused, c.Speed, c.Notes = stats.Pauses, stats.Paused.Round(time.Minute).String(), r.speed, r.notes
	return rep, errors.Join(err, leftErr)
}

// marked says how a figure is known, unless its source does so itself.
func marked(source, basis string) string {
	if strings.HasPrefix(source, "estimate") {
		return source
	}
	return source + ", " + basis
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// draw writes the plot of loss and ε.
func (r *run) draw(path string) error {
	if len(r.curve.step) == 0 {
		return nil
	}
	chart := plot.Chart{
		Title:    "Private training on " + r.data.Name,
		Subtitle: fmt.Sprintf("noise multiplier %g, %d of %d examples per step", r.set.Noise, r.set.Batch, len(r.data.Train)),
		XLabel:   "step",
		Panels: []plot.Panel{
			{Title: "loss on held-out examples", Lines: []plot.Line{{X: r.curve.step, Y: r.curve.loss}}},
			{
				Title: fmt.Sprintf("ε spent, at δ = %.3g", r.set.Delta), FromZero: true,
				Lines:  []plot.Line{{X: r.curve.step, Y: r.curve.epsilon}},
				Limits: []plot.Limit{{Name: fmt.Sprintf("budget ε = %g", r.set.Epsilon), Y: r.set.Epsilon}},
			},
		},
	}
	for _, step := range r.trail.steps {
		chart.Marks = append(chart.Marks, plot.Mark{Name: "attempt failed, step retried", X: float64(step)})
	}
	for _, step := range r.curve.paused {
		chart.Marks = append(chart.Marks, plot.Mark{Name: "paused for carbon", X: float64(step)})
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := chart.WriteSVG(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
