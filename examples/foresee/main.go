// Foresee plays a recorded trace of a resource, one row after the other as if it were live, and tells when an alarm would
// have been raised and how long the resource was then expected to last.
//
//	go run ./foresee -trace leak.csv -limit 1 -svg leak.svg
//
// See README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "foresee:", err)
		os.Exit(1)
	}
}

// question is what is asked on the command line.
type question struct {
	trace, svg string
	limit      float64
	horizon    time.Duration
	every      int
	confidence float64
}

func run(args []string, in io.Reader, out io.Writer) (err error) {
	var q question
	flags := flag.NewFlagSet("foresee", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&q.trace, "trace", "", "CSV `file` with the header t,value or t,value,limit; - reads standard input")
	flags.Float64Var(&q.limit, "limit", math.NaN(), "the limit, where the trace has none")
	flags.DurationVar(&q.horizon, "horizon", 0, "how long before the limit an alarm is wanted (default 30 times the median step of the trace)")
	flags.IntVar(&q.every, "every", 0, "also print the forecast of every so many rows")
	flags.Float64Var(&q.confidence, "confidence", 0, "least confidence of a forecast, 0 to 1 (default that of the library)")
	flags.StringVar(&q.svg, "svg", "", "write a chart to this `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case q.trace == "":
		return errors.New("-trace is missing")
	case math.IsInf(q.limit, 0) || q.limit <= 0:
		return fmt.Errorf("-limit %v is not positive", q.limit)
	case q.horizon < 0:
		return fmt.Errorf("-horizon %v is negative", q.horizon)
	case q.every < 0:
		return fmt.Errorf("-every %d is negative", q.every)
	case !(q.confidence >= 0 && q.confidence <= 1):
		return fmt.Errorf("-confidence %v is not from 0 to 1", q.confidence)
	}
	name := "standard input"
	if q.trace != "-" {
		file, err := os.Open(q.trace)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // it is only read
		in, name = file, q.trace
	}
	t, err := read(in, q.limit)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(t.samples) == 0 {
		return fmt.Errorf("%s: no values", name)
	}
	if q.horizon == 0 {
		q.horizon = 30 * t.step()
	}
	told, err := q.play(t, out)
	if err != nil || q.svg == "" {
		return err
	}
	return q.draw(t, told)
}
