// Scan judges what a training job is about to take in: a data set, a file of weights, or lines that will be used in SQL, HTML, a shell,
// as paths or as text.
//
//	go run ./scan -data train.jsonl
//	go run ./scan -model weights.pt -json
//	go run ./scan -sink html -json < names.txt
//
// The exit status is 0 if nothing is wrong, 1 if something is, and 2 if that could not be found out. See README.md.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// Exit statuses.
const (
	good    = 0
	bad     = 1
	unknown = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, in io.Reader, out, errs io.Writer) int {
	flags := flag.NewFlagSet("scan", flag.ContinueOnError)
	flags.SetOutput(errs)
	data := flags.String("data", "", "a data set: a `file` that ends in .jsonl, .ndjson or .csv, or one of these in .gz")
	text := flags.String("text", "", "with -data: the `column` of the texts, to look for those that are nearly the same")
	label := flags.String("label", "", "with -text: the `column` of their labels, to look for what goes with a label as a planted trigger does")
	model := flags.String("model", "", "a `file` of weights: safetensors, GGUF, a pickle, what torch or numpy wrote")
	place := flags.String("sink", "", "a `place` where lines of standard input, or of the files given, will be used: sql, html, shell, path or text")
	digest := flags.String("sha256", "", "the `digest` that the file of weights must have")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	if err := flags.Parse(args); err != nil {
		return unknown
	}
	err := errors.New("scan needs one of -data, -model and -sink; only the last takes files as arguments")
	switch {
	case *place != "" && *data+*model == "":
		err = scanSink(in, out, *place, flags.Args(), *asJSON)
	case flags.NArg() > 0 || *place != "" || (*data == "") == (*model == ""):
	case *data != "":
		err = scanData(out, *data, *text, *label, *asJSON)
	default:
		err = scanModel(out, *model, *digest, *asJSON)
	}
	if err == nil {
		return good
	}
	fmt.Fprintln(errs, "scan:", err)
	var found *badError
	if errors.As(err, &found) {
		return bad
	}
	return unknown
}

// badError is a verdict.
type badError struct{ err error }

func (e *badError) Error() string { return e.err.Error() }
func (e *badError) Unwrap() error { return e.err }

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
