// Dpsgd is a real private training run, wrapped in the library while things go wrong.
//
// It learns, with differential privacy, to tell from the text of a Go function which area of the standard library the
// function comes from: on the source that every Go installation has, or on the UCI Adult census table (-data). Meanwhile a
// seeded plan makes steps fail, panic, diverge and hang; a carbon gate pauses the run when the grid is dirty; and Ctrl-C
// ends it with a checkpoint from which -resume goes on. It exits with status 1 if anything did not hold: a release that was
// not charged, a step applied twice, a gap in the audit trail, an overspent budget.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/adult"
	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/corpus"
	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process as usual
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "dpsgd:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	data      string
	out       string
	resume    bool
	set       settings
	given     map[string]bool // flags that the user set
	faults    bool
	faultSeed uint64
	key       uint64
	baseline  bool
	json      bool
	quiet     bool

	trace    string
	zone     string
	column   string
	live     bool
	origin   string
	speed    float64
	pause    float64
	resumeAt float64
	maxPause time.Duration
	watts    float64
	pue      float64

	deadline time.Duration
	every    int
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{given: map[string]bool{}}
	f := flag.NewFlagSet("dpsgd", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.data, "data", "", "UCI Adult table `file` (csv or csv.gz) to learn from, instead of the Go standard library")
	f.StringVar(&o.out, "out", "", "`directory` for the trail, the checkpoint, report.json and run.svg (default a new temporary one)")
	f.BoolVar(&o.resume, "resume", false, "go on from the checkpoint in -out, with what its trail says is left of the budget")
	f.IntVar(&o.set.Steps, "steps", 0, "training steps (default depends on the data)")
	f.IntVar(&o.set.Batch, "batch", 0, "expected batch size")
	f.Float64Var(&o.set.Noise, "noise", 0, "noise multiplier: standard deviation of the noise over the clip norm")
	f.Float64Var(&o.set.Clip, "clip", 0, "L2 norm to which each example's gradient is clipped")
	f.Float64Var(&o.set.Rate, "rate", 0, "learning rate")
	f.Float64Var(&o.set.Momentum, "momentum", 0, "momentum, 0 to 1")
	f.Float64Var(&o.set.Epsilon, "epsilon", 3, "privacy budget ε: training stops before it is exceeded")
	f.Float64Var(&o.set.Delta, "delta", 0, "δ (default 1e-5, or 1/n if that is smaller)")
	f.IntVar(&o.set.Canaries, "canaries", 0, "audit the run with this `number` of made-up examples, half of which are in the training part")
	f.BoolVar(&o.faults, "faults", true, "make steps fail, according to a plan drawn from -fault-seed")
	f.Uint64Var(&o.faultSeed, "fault-seed", 1, "`seed` of the fault plan")
	f.Uint64Var(&o.key, "not-private-key", 0, "draw batches and noise from this `key`, so that runs can be repeated: NOT PRIVATE")
	f.BoolVar(&o.baseline, "baseline", true, "also train without privacy, to compare")
	f.BoolVar(&o.json, "json", false, "print the report as JSON")
	f.BoolVar(&o.quiet, "quiet", false, "no progress")
	f.StringVar(&o.trace, "carbon", "", "replay the carbon intensities of a CSV `file` (csv or csv.gz)")
	f.StringVar(&o.zone, "zone", "", "`zone` of the trace (default its only one)")
	f.StringVar(&o.column, "carbon-column", "", "`header` of the values in the trace (default that of the zone)")
	f.BoolVar(&o.live, "carbon-live", false, "ask NESO for the present intensity of Great Britain: needs the network, runs in real time")
	f.StringVar(&o.origin, "carbon-start", "", "`time` of the intensity at the start, RFC 3339 (default the start of the trace, or 15:00)")
	f.Float64Var(&o.speed, "speed", 3600, "how many times faster than this run the time of the intensity passes")
	f.Float64Var(&o.pause, "pause", 0, "pause above this intensity, g/kWh (default depends on the source)")
	f.Float64Var(&o.resumeAt, "resume-below", 0, "resume at or below this intensity, g/kWh")
	f.DurationVar(&o.maxPause, "max-pause", 6*time.Hour, "longest pause, in the time of the intensity")
	f.Float64Var(&o.watts, "watts", 0, "power of one busy core, W (default 4)")
	f.Float64Var(&o.pue, "pue", 0, "power usage effectiveness of the building (default 1)")
	f.DurationVar(&o.deadline, "deadline", time.Second, "deadline of one attempt of a step")
	f.IntVar(&o.every, "checkpoint-every", 25, "steps between checkpoints")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("argument %q is not a flag", f.Arg(0))
	}
	f.Visit(func(fl *flag.Flag) { o.given[fl.Name] = true })
	if o.given["not-private-key"] && o.key == 0 {
		return nil, errors.New("-not-private-key 0 is no key")
	}
	if o.live && o.trace != "" {
		return nil, errors.New("-carbon and -carbon-live are two sources: choose one")
	}
	return o, nil
}

// command runs the program.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	p := &progress{w: stderr, live: isTerminal(stderr), every: 25}
	if o.quiet {
		p.w = nil
	}
	data, defaults, err := load(ctx, o.data, p)
	if err != nil {
		return err
	}
	o.defaults(defaults, len(data.Train))
	if o.out == "" {
		if o.out, err = os.MkdirTemp("", "surefoot-dpsgd-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(o.out, 0o700); err != nil {
		return err
	}
	p.note("%s: %d examples, %d held out, %d classes", data.Name, len(data.Train), len(data.Heldout), len(data.Classes))
	r, err := train(ctx, o, data, p)
	if r == nil {
		return err
	}
	text, jsonErr := r.json()
	if err = errors.Join(err, jsonErr); jsonErr != nil {
		return err
	}
	err = errors.Join(err, writeFile(o.path("report.json"), text))
	if o.json {
		_, printErr := fmt.Fprintf(stdout, "%s\n", text)
		return errors.Join(err, printErr)
	}
	return errors.Join(err, r.write(stdout))
}

// load reads the data set, and says what settings suit it.
func load(ctx context.Context, path string, p *progress) (*dataset.Dataset, settings, error) {
	if path != "" {
		data, sum, err := adult.Load(ctx, path)
		if err == nil && sum.Unknown > 0 {
			p.note("%d rows with unknown values left out", sum.Unknown)
		}
		return data, adultDefaults, err
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, settings{}, fmt.Errorf("go env GOROOT: %w", err)
	}
	data, sum, err := corpus.Load(ctx, strings.TrimSpace(string(root)), corpus.Buckets)
	if err == nil {
		p.note("%d files with %d functions, %d of them distinct", sum.Files, sum.Functions, sum.Examples)
	}
	return data, corpusDefaults, err
}

// defaults fills in what the user did not set.
func (o *options) defaults(d settings, n int) {
	fill := func(name string, value *float64, other float64) {
		if !o.given[name] {
			*value = other
		}
	}
	if !o.given["steps"] {
		o.set.Steps = d.Steps
	}
	if !o.given["batch"] {
		o.set.Batch = d.Batch
	}
	fill("noise", &o.set.Noise, d.Noise)
	fill("clip", &o.set.Clip, d.Clip)
	fill("rate", &o.set.Rate, d.Rate)
	fill("momentum", &o.set.Momentum, d.Momentum)
	fill("delta", &o.set.Delta, min(1e-5, 1/float64(n)))
	if o.live {
		o.speed = 1
	}
}

// isTerminal reports whether w is a terminal, on which a line may be rewritten.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
