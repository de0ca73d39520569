package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"
	"time"

	"github.com/surefoot-ml/surefoot/examples/internal/plot"
	"github.com/surefoot-ml/surefoot/privacy"
)

// plan is a training run as people describe it.
type plan struct {
	records, batch, steps int
	rate, noise, clip     float64
	epochs, delta, target float64
	relation              string
	fixed                 bool
	svg, tradeoff         string
}

func (p *plan) flags(f *flag.FlagSet) {
	f.IntVar(&p.records, "records", 60000, "number of records of the data set")
	f.IntVar(&p.batch, "batch", 256, "expected batch size")
	f.Float64Var(&p.rate, "rate", 0, "sampling rate, instead of batch/records")
	f.Float64Var(&p.noise, "noise", 1.1, "noise multiplier: standard deviation of the noise over the clip norm")
	f.IntVar(&p.steps, "steps", 0, "number of steps, instead of epochs")
	f.Float64Var(&p.epochs, "epochs", 20, "number of epochs")
	f.Float64Var(&p.delta, "delta", 0, "delta; default 0.1/records, rounded down to a power of ten")
	f.Float64Var(&p.target, "target", 0, "epsilon to calibrate for; the run is then described without its noise")
	f.StringVar(&p.relation, "relation", "add_remove", "neighbouring relation: add_remove, replace_one or replace_special")
	f.BoolVar(&p.fixed, "fixed", false, "batches of a fixed size, drawn without replacement, instead of Poisson sampling")
	f.StringVar(&p.svg, "svg", "", "file for a chart of epsilon over the steps")
	f.StringVar(&p.tradeoff, "tradeoff", "", "file for a chart of what a membership attack can reach")
	p.clip = 1
}

// resolve fills in what follows from the rest.
func (p *plan) resolve() error {
	if p.records < 1 || p.batch < 1 || p.batch > p.records {
		return fmt.Errorf("a batch of %d from %d records", p.batch, p.records)
	}
	if p.rate == 0 {
		p.rate = float64(p.batch) / float64(p.records)
	}
	if p.steps == 0 {
		p.steps = int(math.Ceil(p.epochs / p.rate))
	}
	if p.delta == 0 {
		p.delta = math.Pow(10, math.Floor(math.Log10(0.1/float64(p.records))))
	}
	return nil
}

func (p *plan) event(noise float64) (privacy.Event, error) {
	g := privacy.Gaussian{StdDev: noise, Clip: 1}
	if err := g.Relation.UnmarshalText([]byte(p.relation)); err != nil {
		return nil, err
	}
	if p.fixed {
		return privacy.FixedSize{Batch: p.batch, Records: p.records, Gaussian: g}, nil
	}
	return privacy.Poisson{Rate: p.rate, Gaussian: g}, nil
}

func (p *plan) report(out io.Writer) error {
	if err := p.resolve(); err != nil {
		return err
	}
	if p.target != 0 {
		if err := p.calibrate(out); err != nil {
			return err
		}
	}
	e, err := p.event(p.noise)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d steps at rate %.6g with noise multiplier %.6g, %s, delta %.3g\n\n", p.steps, p.rate, p.noise, p.relation, p.delta)
	best, err := methods(out, e, p.steps, p.delta)
	if err != nil {
		return err
	}
	meaning(out, privacy.Budget{Epsilon: best.Upper, Delta: p.delta}, p.records)
	if err := p.sweep(out); err != nil {
		return err
	}
	if p.svg != "" {
		if err := p.chart(e); err != nil {
			return err
		}
	}
	if p.tradeoff != "" {
		return p.attack(e)
	}
	return nil
}

// methods prints every method that applies, and returns the best bound.
func methods(out io.Writer, e privacy.Event, steps int, delta float64) (privacy.Interval, error) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "method\tepsilon at least\tepsilon at most\ttime\thow")
	row := func(name string, a privacy.Accountant) (privacy.Interval, error) {
		start := time.Now()
		if err := a.Add(e, steps); err != nil {
			return privacy.Interval{}, err
		}
		eps, err := a.Epsilon(delta)
		took := time.Since(start).Round(time.Microsecond)
		if err != nil {
			fmt.Fprintf(w, "%s\t\t\t%v\t%v\n", name, took, err)
			return eps, err
		}
		fmt.Fprintf(w, "%s\t%.9g\t%.9g\t%v\t%s\n", name, eps.Lower, eps.Upper, took, eps.Method)
		return eps, nil
	}
	for _, m := range []struct {
		name string
		a    privacy.Accountant
	}{{"moments", new(privacy.Moments)}, {"rdp", new(privacy.RDP)}, {"gdp", new(privacy.GDP)}, {"pld", new(privacy.PLD)}, {"tight", new(privacy.Tight)}} {
		_, _ = row(m.name, m.a) // a method that does not apply says so in its row
	}
	best, err := row("best", new(privacy.Best))
	return best, errors.Join(err, w.Flush())
}

// meaning prints what the guarantee promises to a person.
func meaning(out io.Writer, b privacy.Budget, records int) {
	if b.Validate() != nil { // nothing was spent
		return
	}
	fmt.Fprintf(out, "\nWhoever knows all other records and sees every released model:\n")
	fmt.Fprintf(out, "  tells whether a record took part at most %.3g %% better than by guessing (true minus false positive rate)\n", 100*b.Advantage())
	fmt.Fprintf(out, "  finds at most %.3g %% of the members when falsely accusing 0.1 %%\n", 100*b.TruePositiveRate(1e-3))
	fmt.Fprintf(out, "  moves from a belief of 1 %% to at most %.3g %%, from 50 %% to at most %.3g %%\n", 100*b.Posterior(.01), 100*b.Posterior(.5))
	for _, w := range b.Warnings(records) {
		fmt.Fprintln(out, "warning:", w)
	}
}

func (p *plan) calibrate(out io.Writer) error {
	if _, err := p.event(1); err != nil {
		return err
	}
	start := time.Now()
	c, err := privacy.CalibrateNoise(privacy.Budget{Epsilon: p.target, Delta: p.delta}, p.steps, func(noise float64) privacy.Event {
		e, _ := p.event(noise) // the relation was checked
		return e
	})
	if err != nil {
		return err
	}
	p.noise = c.Value
	fmt.Fprintf(out, "noise multiplier %.12g reaches epsilon %.12g (target %.6g) after %d evaluations in %v\n\n",
		c.Value, c.Achieved.Upper, p.target, c.Evaluations, time.Since(start).Round(time.Microsecond))
	return nil
}

// sweep prints epsilon for noises and lengths around the plan.
func (p *plan) sweep(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\nsteps\t")
	var events []privacy.Event
	for _, f := range []float64{.6, .8, 1, 1.25, 1.6} {
		e, err := p.event(f * p.noise)
		if err != nil {
			return err
		}
		events = append(events, e)
		fmt.Fprintf(w, "noise %.4g\t", f*p.noise)
	}
	fmt.Fprintln(w)
	var steps []int
	for _, f := range []float64{.25, .5, 1, 2} {
		steps = append(steps, max(1, int(f*float64(p.steps))))
	}
	table, err := privacy.Sweep(p.delta, steps, events...)
	if err != nil {
		return err
	}
	for i, row := range table {
		fmt.Fprintf(w, "%d\t", steps[i])
		for _, eps := range row {
			fmt.Fprintf(w, "%.4g\t", eps.Upper)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

func epsilon(e privacy.Event, steps int, delta float64) (privacy.Interval, error) {
	var best privacy.Best
	if err := best.Add(e, steps); err != nil {
		return privacy.Interval{}, err
	}
	return best.Epsilon(delta)
}

// chart draws epsilon over the steps by the best and by the Rényi bound.
func (p *plan) chart(e privacy.Event) error {
	const points = 60
	tight, rdp := plot.Line{Name: "best"}, plot.Line{Name: "Rényi"}
	last := 0
	for i := 1; i <= points; i++ {
		n := int(math.Round(math.Pow(float64(i)/points, 2) * float64(p.steps)))
		if n <= last {
			continue
		}
		last = n
		eps, err := epsilon(e, n, p.delta)
		if err != nil {
			return err
		}
		var r privacy.RDP
		if err := r.Add(e, n); err != nil {
			return err
		}
		loose, err := r.Epsilon(p.delta)
		if err != nil {
			return err
		}
		tight.X, tight.Y = append(tight.X, float64(n)), append(tight.Y, eps.Upper)
		rdp.X, rdp.Y = append(rdp.X, float64(n)), append(rdp.Y, loose.Upper)
	}
	panel := plot.Panel{Title: "epsilon (nats), upper bounds", Lines: []plot.Line{tight, rdp}, FromZero: true}
	if p.target != 0 {
		panel.Limits = []plot.Limit{{Name: "target", Y: p.target}}
	}
	return write(p.svg, &plot.Chart{
		Title:    "What the run costs",
		Subtitle: fmt.Sprintf("rate %.4g, noise multiplier %.4g, %s, delta %.3g", p.rate, p.noise, p.relation, p.delta),
		XLabel:   "steps", Panels: []plot.Panel{panel},
	})
}

func write(path string, c *plot.Chart) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(c.WriteSVG(f), f.Close())
}
