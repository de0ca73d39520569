// Scan judges what a training job is about to take in: a data set, or a file of weights.
//
//	go run ./scan -data train.jsonl
//	go run ./scan -model weights.pt -json
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

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("scan", flag.ContinueOnError)
	flags.SetOutput(errs)
	data := flags.String("data", "", "a data set: a `file` that ends in .jsonl, .ndjson or .csv, or one of these in .gz")
	model := flags.String("model", "", "a `file` of weights: safetensors, GGUF, a pickle, what torch or numpy wrote")
	digest := flags.String("sha256", "", "the `digest` that the file of weights must have")
	asJSON := flags.Bool("json", false, "print the report as JSON")
	if err := flags.Parse(args); err != nil {
		return unknown
	}
	err := errors.New("scan needs one of -data and -model, and no further arguments")
	switch {
	case flags.NArg() > 0 || (*data == "") == (*model == ""):
	case *data != "":
		err = scanData(out, *data, *asJSON)
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
