// Leakaudit bounds from below what a training run gave away, by the scores of a membership attack that somebody ran.
//
//	go run ./leakaudit -members in.txt -non-members out.txt -delta 1e-5 -claim 3 -roc roc.svg
//	go run ./leakaudit -canaries scores.csv -delta 1e-5 -claim 3
//	go run ./leakaudit -jsonl < questions.jsonl
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
		return answerAll(in, out, maxLine)
	}
	return a.run(out)
}

// maxLine is the longest line that is read, for some half a million scores.
const maxLine = 16 << 20

// answerAll answers line by line. A bad line is answered with its error, and does not end the run.
func answerAll(in io.Reader, out io.Writer, limit int) error {
	r := bufio.NewReaderSize(in, 1<<16)
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	for {
		line, tooLong, err := readLine(r, limit)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		end := err != nil
		if tooLong || len(line) > 0 {
			result := answer(line)
			if tooLong {
				result = map[string]any{"error": fmt.Sprintf("line: longer than %d bytes", limit)}
			}
			err := enc.Encode(result)
			if bad := (*json.UnsupportedValueError)(nil); errors.As(err, &bad) { // nothing of it was written
				for name := range result {
					if name != "kind" && name != "id" {
						delete(result, name)
					}
				}
				result["error"] = "result: not a finite number"
				err = enc.Encode(result)
			}
			if err != nil {
				return err
			}
			if err := w.Flush(); err != nil { // a reader may wait for each answer
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// readLine reads up to the end of the line, and keeps nothing of one that is too long.
func readLine(r *bufio.Reader, limit int) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if err == nil {
			line = line[:max(0, len(line)-1)]
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
		}
		if len(line) > limit {
			line, tooLong = nil, true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}
