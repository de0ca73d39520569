// Package jsonl answers questions that come one on a line with answers that are JSON on a line each.
package jsonl

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Answer reads questions of at most limit bytes until the input ends. A line that is too long, or an answer that is no JSON (a number
// that is not finite), is answered with what wrong makes of the error, and does not end the run. Empty lines are passed over.
func Answer[A any](in io.Reader, out io.Writer, limit int, answer func(line []byte) A, wrong func(A, error) A) error {
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	return Lines(in, limit, func(line []byte, tooLong bool) error {
		var a A
		switch {
		case tooLong:
			a = wrong(a, fmt.Errorf("line: longer than %d bytes", limit))
		case len(line) == 0:
			return nil
		default:
			a = answer(line)
		}
		err := enc.Encode(a)
		if bad := (*json.UnsupportedValueError)(nil); errors.As(err, &bad) { // nothing of it was written
			err = enc.Encode(wrong(a, errors.New("result: not a finite number")))
		}
		if err != nil {
			return err
		}
		return w.Flush() // a reader may wait for each answer
	})
}

// Lines calls fn with each line, without its end (LF or CRLF), or without a line where it is longer than limit bytes, in memory
// for one line. The line is good until fn returns. Lines ends with the first error, of the reader or of fn.
func Lines(in io.Reader, limit int, fn func(line []byte, tooLong bool) error) error {
	r := bufio.NewReaderSize(in, 1<<16)
	var line []byte
	for {
		var tooLong bool
		var err error
		line, tooLong, err = readLine(r, line[:0], limit)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err == nil || len(line) > 0 || tooLong {
			if ferr := fn(line, tooLong); ferr != nil {
				return ferr
			}
		}
		if err != nil {
			return nil
		}
	}
}

// readLine reads up to the end of the line, and keeps nothing of one that is too long.
func readLine(r *bufio.Reader, line []byte, limit int) (_ []byte, tooLong bool, err error) {
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
			line, tooLong = line[:0], true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}
