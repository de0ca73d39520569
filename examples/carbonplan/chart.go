package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/surefoot-ml/surefoot/carbon"
	"github.com/surefoot-ml/surefoot/examples/internal/plot"
)

// show plans a single start and draws it.
func (q *question) show(out io.Writer, s *series) error {
	start := s.slots(history)
	if q.start != "" {
		at, err := time.Parse("2006-01-02T15:04Z07:00", q.start)
		if err != nil {
			return fmt.Errorf("-start %q is not a time like 2022-06-01T08:00Z", q.start)
		}
		start = int(math.Floor(float64(at.Sub(s.from)) / float64(s.step)))
	}
	j, err := q.newJob(s, start)
	if err != nil {
		return err
	}
	if _, err := q.replay(s, []*job{j}); err != nil {
		return err
	}
	o, err := j.outcome(s)
	if err != nil {
		return err
	}
	end := s.time(start + len(j.prices))
	fmt.Fprintf(out, "%s, %v of work from %s to %s, a start costs %v\n", s.zone, q.work, s.time(start).Format("2006-01-02 15:04"), end.Format("2006-01-02 15:04 MST"), q.resume)
	fmt.Fprintln(out, "Planned slot by slot on the zone's own past. Upper lines: intensity. Lower lines: # runs, - run-now would.")
	fmt.Fprintln(out)
	j.chart(out, s, o.climatology, o.now)
	fmt.Fprintln(out)
	now := j.total(o.now)
	for _, row := range []struct {
		name string
		run  []bool
	}{{"run-now", o.now}, {"planned", o.climatology}, {"limit", o.limit}, {"window", o.window}, {"kmin", o.kmin}, {"threshold", o.threshold}} {
		cost, starts := carbon.Cost(j.prices, row.run, j.cost, false)
		fmt.Fprintf(out, "  %-10s %8.1f g/kWh on average, starts included; %2d starts; saved %6.2f %%\n", row.name, cost/float64(j.work), starts, 100*(1-cost/now))
	}
	if q.svg == "" {
		return nil
	}
	return q.draw1(s, j, o)
}

// chart prints a line of bars per day of UTC, one per hour or slot, whichever is longer, and below what ran.
func (j *job) chart(out io.Writer, s *series, run, now []bool) {
	bars := []rune("▁▂▃▄▅▆▇█")
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range j.prices {
		low, high = min(low, p), max(high, p)
	}
	cell := max(s.step, time.Hour)
	type column struct {
		sum     float64
		count   int
		run, at bool
	}
	for day := s.time(j.start).Truncate(24 * time.Hour); day.Before(s.time(j.start + len(j.prices))); day = day.Add(24 * time.Hour) {
		cols := make([]column, int(24*time.Hour/cell))
		for i, p := range j.prices {
			at := s.time(j.start + i).Sub(day)
			if at < 0 || at >= 24*time.Hour {
				continue
			}
			c := &cols[at/cell]
			c.sum += p
			c.count++
			c.run = c.run || run[i]
			c.at = c.at || now[i]
		}
		var upper, lower strings.Builder
		for _, c := range cols {
			bar, mark := ' ', ' '
			if c.count > 0 {
				bar = bars[0]
				if high > low {
					bar = bars[min(len(bars)-1, int((c.sum/float64(c.count)-low)/(high-low)*float64(len(bars))))]
				}
			}
			switch {
			case c.run:
				mark = '#'
			case c.at:
				mark = '-'
			}
			upper.WriteRune(bar)
			lower.WriteRune(mark)
		}
		fmt.Fprintf(out, "  %s  %s\n              %s\n", day.Format("2006-01-02"), upper.String(), strings.TrimRight(lower.String(), " "))
	}
	fmt.Fprintf(out, "  %s %.0f g/kWh ... %s %.0f g/kWh\n", string(bars[0]), low, string(bars[len(bars)-1]), high)
}

// draw1 writes the chart of one start.
func (q *question) draw1(s *series, j *job, o outcome) (err error) {
	n := len(j.prices)
	hours := make([]float64, n)
	for i := range hours {
		hours[i] = float64(i) * s.step.Hours()
	}
	ran := func(run []bool) []float64 {
		y := make([]float64, n)
		for i := range y {
			y[i] = math.NaN()
			if run[i] || i > 0 && run[i-1] {
				y[i] = j.prices[i]
			}
		}
		return y
	}
	sum := func(run []bool) []float64 {
		y := make([]float64, n)
		total, running := 0.0, false
		for i := range y {
			if run[i] {
				total += j.prices[i]
				if !running {
					total += j.cost
				}
			}
			running = run[i]
			y[i] = total * s.step.Hours()
		}
		return y
	}
	chart := &plot.Chart{
		Title:    fmt.Sprintf("%v of work in %s, from %s", q.work, s.zone, s.time(j.start).Format("2006-01-02 15:04 MST")),
		Subtitle: fmt.Sprintf("planned slot by slot on the zone's own past; %v of slack, a start costs %v", q.slack, q.resume),
		XLabel:   "hours since the start",
		Panels: []plot.Panel{
			{Title: "intensity, g/kWh", FromZero: true, Lines: []plot.Line{
				{Name: "all hours", X: hours, Y: j.prices, Faint: true},
				{Name: "planned", X: hours, Y: ran(o.climatology)},
			}},
			{Title: "emitted so far, g per kW", FromZero: true, Lines: []plot.Line{
				{Name: "planned", X: hours, Y: sum(o.climatology)},
				{Name: "run-now", X: hours, Y: sum(o.now)},
				{Name: "limit", X: hours, Y: sum(o.limit)},
			}},
		},
	}
	f, err := os.OpenFile(q.svg, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	return chart.WriteSVG(f)
}
