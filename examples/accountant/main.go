// Accountant is a calculator for differential privacy: it says what a training run costs by every method side by side, finds the noise,
// the number of steps or the sampling rate for a target, and draws epsilon over the steps.
//
//	go run ./accountant -records 60000 -batch 256 -noise 1.1 -epochs 20
//	go run ./accountant -records 60000 -batch 256 -epochs 20 -target 3
//	go run ./accountant -jsonl < cases.jsonl
//
// See README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/surefoot-ml/surefoot/examples/internal/jsonl"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "accountant:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("accountant", flag.ContinueOnError)
	flags.SetOutput(out)
	var p plan
	p.flags(flags)
	lines := flags.Bool("jsonl", false, "read one case per line from standard input, write one answer per line")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *lines {
		return jsonl.Answer(in, out, maxLine, answer, wrong)
	}
	return p.report(out)
}

const maxLine = 64 << 20 // bytes: a heterogeneous run may hold many parts

func wrong(a Answer, err error) Answer { return Answer{ID: a.ID, NS: a.NS, Error: err.Error()} }
