package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/surefoot-ml/surefoot/privacy/leakage"
)

// report is what a run leaves behind, as text and as JSON.
type report struct {
	Task     string   `json:"task"`
	Unit     string   `json:"unit"` // what one protected example is
	Classes  []string `json:"classes"`
	Examples int      `json:"examples"`
	Heldout  int      `json:"heldout"`
	Settings settings `json:"settings"`
	Private  bool     `json:"private"` // false: noise came from a key
	Ended    string   `json:"ended"`

	Accuracy struct {
		Private    float64 `json:"private"`
		NonPrivate float64 `json:"non_private,omitempty"`
		Majority   float64 `json:"majority"`
	} `json:"accuracy"`

	Privacy struct {
		Epsilon float64 `json:"epsilon"` // upper bound
		Budget  float64 `json:"budget"`
		Delta   float64 `json:"delta"`
		Method  string  `json:"method"`
		Left    int64   `json:"left"` // further steps that the budget admits
	} `json:"privacy"`

	Canaries *leakage.Report `json:"canaries,omitempty"` // what they show, at least

	Steps struct {
		Applied  int `json:"applied"`
		Charged  int `json:"charged"`  // by this process
		Released int `json:"released"` // by this process
		Before   int `json:"before"`   // charged by earlier processes
		Retries  int `json:"retries"`
		GaveUp   int `json:"gave_up"` // batches that used up their attempts and were begun again
	} `json:"steps"`

	Incidents []incident `json:"incidents"`
	Breaker   int        `json:"breaker_opened"`

	Carbon struct {
		KWh        float64  `json:"kwh"`
		Grams      float64  `json:"grams"`
		UnknownKWh float64  `json:"unknown_kwh"`
		Mean       float64  `json:"mean_intensity"`
		Intensity  string   `json:"intensity_source"`
		Energy     string   `json:"energy_source"`
		Pauses     uint64   `json:"pauses"`
		Paused     string   `json:"paused"` // in the time of the intensity
		Speed      float64  `json:"speed"`
		Notes      []string `json:"notes,omitempty"`
	} `json:"carbon"`

	Memory string `json:"memory,omitempty"` // what the resource gate saw last

	Audit   audited `json:"audit"`
	Trail   string  `json:"trail"`
	Ledger  string  `json:"ledger"`
	Plot    string  `json:"plot,omitempty"`
	Seconds float64 `json:"seconds"`
}

func (r *report) json() ([]byte, error) { return json.MarshalIndent(r, "", "  ") }

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

// write prints the report for a person.
func (r *report) write(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }

	fmt.Fprintf(t, "\n%s\n", r.Task)
	row("  data", "%d examples for training, %d held out, %d classes", r.Examples, r.Heldout, len(r.Classes))
	row("", "protected: each %s in the training part; how many there are, and the held-out part, count as public", r.Unit)
	row("  ended", "%s, after %.1f s", r.Ended, r.Seconds)
	row("  accuracy, held out", "%s private", percent(r.Accuracy.Private))
	if r.Accuracy.NonPrivate > 0 {
		row("", "%s without privacy, %s for the commonest class (both computed without noise, to compare)",
			percent(r.Accuracy.NonPrivate), percent(r.Accuracy.Majority))
	} else {
		row("", "%s for the commonest class", percent(r.Accuracy.Majority))
	}
	if r.Private {
		row("  privacy", "ε ≤ %.4f of %g at δ = %.3g, by %s", r.Privacy.Epsilon, r.Privacy.Budget, r.Privacy.Delta, r.Privacy.Method)
	} else {
		row("  privacy", "NONE: noise was drawn from a key, which makes runs repeatable. The accountant shows ε %.4f", r.Privacy.Epsilon)
	}
	row("", "noise multiplier %g, clip %g, sampling %d of %d; the budget admits %d more steps",
		r.Settings.Noise, r.Settings.Clip, r.Settings.Batch, r.Examples, r.Privacy.Left)
	if c := r.Canaries; c != nil {
		row("  canaries", "%d, of which %d are in the training part: they show ε ≥ %.4f at confidence %g, %v", c.Members+c.NonMembers, c.Members, c.Epsilon, c.Confidence, c.Verdict)
	}
	row("  steps", "%d applied; %d charged, %d of them released noise, %d attempts were retries", r.Steps.Applied, r.Steps.Charged, r.Steps.Released, r.Steps.Retries)
	if r.Steps.Before > 0 {
		row("", "%d charges by earlier processes of this run", r.Steps.Before)
	}
	if r.Steps.GaveUp > 0 {
		row("", "%d batches used up their attempts and were begun again", r.Steps.GaveUp)
	}
	for i, in := range r.Incidents {
		name := ""
		if i == 0 {
			name = "  attempts gone wrong"
		}
		row(name, "%3d %s; %d retried, %d in steps that succeeded", in.Met, in.Way, in.Retried, in.Saved)
	}
	if r.Breaker > 0 {
		row("", "    the breaker opened %d times", r.Breaker)
	}
	row("  energy", "%.4g Wh (%s)", 1000*r.Carbon.KWh, r.Carbon.Energy)
	row("  carbon", "%.3g gCO2e at %.0f g/kWh on average (%s)", r.Carbon.Grams, r.Carbon.Mean, r.Carbon.Intensity)
	if r.Carbon.UnknownKWh > 0 {
		row("", "%.4g Wh at unknown intensity are not in it", 1000*r.Carbon.UnknownKWh)
	}
	row("", "paused %d times, for %s of the time of the intensity, which passed %g times as fast", r.Carbon.Pauses, r.Carbon.Paused, r.Carbon.Speed)
	for _, note := range r.Carbon.Notes {
		row("", "%s", note)
	}
	if r.Memory != "" {
		row("  memory", "%s", r.Memory)
	}
	row("  audit", "%d entries verified, head %s", r.Audit.Entries, r.Audit.Head)
	row("", "by the trail alone: %d charges, ε %.4f, last step %d", r.Audit.Charges, r.Audit.Epsilon, r.Audit.Applied)
	for _, s := range r.Audit.Held {
		row("", "✓ %s", s)
	}
	for _, s := range r.Audit.Broken {
		row("", "✗ NOT SO: %s", s)
	}
	row("  files", "%s", r.Trail)
	row("", "%s", r.Ledger)
	if r.Plot != "" {
		row("", "%s", r.Plot)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String()+"\n")
	return err
}

// progress is the live line of a run.
type progress struct {
	w     io.Writer
	live  bool // rewrite one line, on a terminal
	every int  // otherwise, a line every so many steps
	last  time.Time
	width int
}

// show prints the state after a step.
func (p *progress) show(step, steps int, format string, args ...any) {
	if p.w == nil {
		return
	}
	if p.live {
		if time.Since(p.last) < 100*time.Millisecond && step != steps {
			return
		}
	} else if step%p.every != 0 && step != steps {
		return
	}
	p.last = time.Now()
	p.print(fmt.Sprintf("step %d/%d  ", step, steps)+fmt.Sprintf(format, args...), p.live)
}

// note prints a line of its own.
func (p *progress) note(format string, args ...any) {
	if p.w != nil {
		p.print(fmt.Sprintf(format, args...), false)
	}
}

func (p *progress) print(line string, stay bool) {
	n := len([]rune(line))
	if p.live {
		line = "\r" + line + strings.Repeat(" ", max(0, p.width-n))
	}
	if stay {
		p.width = n
	} else {
		line += "\n"
		p.width = 0
	}
	fmt.Fprint(p.w, line)
}
