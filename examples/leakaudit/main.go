// Leakaudit bounds from below what a training run gave away, by the scores of a membership attack that somebody ran.
//
//	go run ./leakaudit -members in.txt -non-members out.txt -delta 1e-5 -claim 3 -roc roc.svg
//	go run ./leakaudit -canaries scores.csv -delta 1e-5 -claim 3
//	go run ./leakaudit -jsonl < questions.jsonl
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
		fmt.Fprintln(os.Stderr, "leakaudit:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("leakaudit", flag.ContinueOnError)
	flags.SetOutput(out)
	var a audit
	a.flags(flags)
	lines := flags.Bool("jsonl", false, "read one question per line from standard input, write one answer per line")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *lines {
		return jsonl.Answer(in, out, maxLine, answer, wrong)
	}
	return a.run(out)
}

// maxLine is the longest line that is read, for some half a million scores.
const maxLine = 16 << 20

// wrong keeps of an answer what it answers.
func wrong(a map[string]any, err error) map[string]any {
	kept := map[string]any{"error": err.Error()}
	for _, name := range []string{"kind", "id"} {
		if v, ok := a[name]; ok {
			kept[name] = v
		}
	}
	return kept
}
