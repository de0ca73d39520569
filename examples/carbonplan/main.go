// Carbonplan plans a job on a recorded trace of carbon intensity, as it would have been planned then, and measures what
// planning saves.
//
//	go run ./carbonplan -trace trace.csv.gz -zone DE -work 24h -slack 168h -resume 0.1h -svg plan.svg
//	go run ./carbonplan -trace trace.csv.gz -zone DE -work 24h -slack 168h -resume 0.1h -starts 200 -seed 1 -json
//
// See README.md.
package main

import (
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/surefoot-ml/surefoot/carbon"
)

// history is how much of the trace comes before any start: what the resume cost and the bounds of the thresholds are
// taken from, and what the planner has seen.
const history = 31 * 24 * time.Hour

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "carbonplan:", err)
		os.Exit(1)
	}
}

// question is what is asked on the command line.
type question struct {
	trace, zone         string
	work, slack, resume time.Duration
	limit               float64
	start               string
	svg                 string
	starts              int
	seed                uint64
	json                bool
}

func run(args []string, out io.Writer) error {
	var q question
	flags := flag.NewFlagSet("carbonplan", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&q.trace, "trace", "", "CSV `file` of intensities, .gz if it ends so: a time column (UTC), then one column per zone")
	flags.StringVar(&q.zone, "zone", "", "`name` of the zone's column")
	flags.DurationVar(&q.work, "work", 24*time.Hour, "how long the job runs")
	flags.DurationVar(&q.slack, "slack", 168*time.Hour, "how much later than at once it may end")
	flags.DurationVar(&q.resume, "resume", 0, "energy of each start, the first one too, in time of running")
	flags.Float64Var(&q.limit, "cap", 0, "regret cap: how much worse than run-now the job may come out, as a `share`; 0 is none")
	flags.StringVar(&q.start, "start", "", "`time` of the start, like 2022-06-01T08:00Z (default 31 days into the trace)")
	flags.StringVar(&q.svg, "svg", "", "write a chart to this `file`")
	flags.IntVar(&q.starts, "starts", 0, "evaluate that many starts, drawn at random")
	flags.Uint64Var(&q.seed, "seed", 1, "seed of the starts")
	flags.BoolVar(&q.json, "json", false, "with -starts: print one JSON object")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := q.check(); err != nil {
		return err
	}
	s, err := read(q.trace, q.zone)
	if err != nil {
		return err
	}
	if q.starts > 0 {
		return q.evaluate(out, s)
	}
	return q.show(out, s)
}

func (q *question) check() error {
	switch {
	case q.trace == "":
		return errors.New("-trace is missing")
	case q.zone == "":
		return errors.New("-zone is missing")
	case q.work <= 0:
		return fmt.Errorf("-work %v is not positive", q.work)
	case q.slack < 0:
		return fmt.Errorf("-slack %v is negative", q.slack)
	case q.resume < 0:
		return fmt.Errorf("-resume %v is negative", q.resume)
	case !(q.limit >= 0 && q.limit <= 1e6):
		return fmt.Errorf("-cap %v is not a share", q.limit)
	case max(q.work, q.slack, q.resume) > longest:
		return fmt.Errorf("-work, -slack and -resume must be at most %v", longest)
	case q.starts < 0 || q.starts > 1<<20:
		return fmt.Errorf("-starts %d is not in 0..%d", q.starts, 1<<20)
	case q.json && q.starts == 0:
		return errors.New("-json needs -starts")
	case q.svg != "" && q.starts > 0, q.start != "" && q.starts > 0:
		return errors.New("-svg and -start are for a single start, not for -starts")
	}
	return nil
}

// series is a trace as one value per slot, NaN in a gap.
type series struct {
	zone  string
	from  time.Time
	step  time.Duration
	value []float64
}

func read(path, zone string) (*series, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		defer z.Close()
		r = z
	}
	tr, err := carbon.ReadTrace(r, carbon.TraceOptions{Zone: zone})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	from, to := tr.Span()
	s := &series{zone: zone, step: tr.Spacing()}
	if s.step < time.Minute || (24*time.Hour)%s.step != 0 {
		return nil, fmt.Errorf("%s: a step of %v is not a part of a day of at least a minute", path, s.step)
	}
	s.from = from.Truncate(s.step)
	const most = 1 << 22
	if to.Sub(s.from)/s.step > most {
		return nil, fmt.Errorf("%s: more than %d slots", path, most)
	}
	for at := s.from; at.Before(to); at = at.Add(s.step) {
		v := math.NaN()
		if p, err := at0(tr, at); err == nil {
			v = p
		}
		s.value = append(s.value, v)
	}
	return s, nil
}

func (s *series) time(slot int) time.Time { return s.from.Add(time.Duration(slot) * s.step) }

// longest bounds the times of a job.
const longest = 10 * 365 * 24 * time.Hour

// slots is how many slots a time takes, rounded up.
func (s *series) slots(d time.Duration) int { return int((d + s.step - 1) / s.step) }
