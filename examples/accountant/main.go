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
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
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
		return answerAll(in, out)
	}
	return p.report(out)
}

const maxLine = 64 << 20 // a heterogeneous run may hold many parts

// answerAll answers line by line. A bad line is answered with its error, and does not end the run.
func answerAll(in io.Reader, out io.Writer) error {
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := enc.Encode(answer(lines.Bytes())); err != nil {
			return err
		}
		if err := w.Flush(); err != nil { // a reader may wait for each answer
			return err
		}
	}
	return lines.Err()
}
