package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/surefoot-ml/surefoot/examples/internal/jsonl"
	"github.com/surefoot-ml/surefoot/validate/sink"
	"github.com/surefoot-ml/surefoot/validate/threat"
)

// maxText is the longest line that is judged, in bytes.
const maxText = 1 << 20

// tooLong is the class of a line beyond that.
const tooLong threat.Class = "too_long"

// verdict is what is said of a line.
type verdict struct {
	Line  int          `json:"line"` // from 1
	Flag  bool         `json:"flag"`
	Class threat.Class `json:"class"`
	Safe  string       `json:"safe"` // as it may be used at the sink; empty where it may not
}

// place is where texts are to be used.
type place struct {
	judge func(string) threat.Class
	safe  func(string) (string, error)
}

func places() map[string]place {
	return map[string]place{
		"sql": {threat.SQL, func(s string) (string, error) { return sink.Literal(sink.MySQL, s) }},
		"html": {threat.HTML, func(s string) (string, error) {
			return sink.HTML(s), nil
		}},
		"shell": {threat.Shell, func(s string) (string, error) {
			if !utf8.ValidString(s) {
				return "", errors.New("JSON cannot hold it")
			}
			return sink.Shell(s)
		}},
		"path": {threat.Path, sink.Path},
		"text": {threat.Text, func(s string) (string, error) { return sink.Log(s, 0), nil }},
	}
}

// scanSink judges lines as texts to be used at a place, from files or from in. What is flagged is no error: it is advice, and safe is
// safe without it.
func scanSink(in io.Reader, out io.Writer, name string, files []string, asJSON bool) error {
	p, ok := places()[name]
	if !ok {
		return fmt.Errorf("-sink %q is none of %s", name, strings.Join(slices.Sorted(maps.Keys(places())), ", "))
	}
	s := sinkScan{place: p, out: bufio.NewWriter(out), counts: map[threat.Class]int{}, asJSON: asJSON}
	s.enc = json.NewEncoder(s.out)
	s.enc.SetEscapeHTML(false)
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, file := range files {
		if err := s.file(in, file); err != nil {
			return err
		}
	}
	if !asJSON {
		s.summary()
	}
	return s.out.Flush()
}

// sinkScan is a scan under way.
type sinkScan struct {
	place
	out    *bufio.Writer
	enc    *json.Encoder
	lines  int
	counts map[threat.Class]int
	asJSON bool
}

func (s *sinkScan) file(in io.Reader, name string) error {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	return jsonl.Lines(in, maxText, func(line []byte, long bool) error {
		s.lines++
		v := verdict{Line: s.lines}
		if long {
			v.Class = tooLong
		} else {
			text := string(line)
			v.Class = s.judge(text)
			v.Safe, _ = s.safe(text) // empty where it is refused
		}
		v.Flag = v.Class != threat.None
		s.counts[v.Class]++
		return s.write(v, line)
	})
}

// write prints a verdict at once: a reader may wait for it.
func (s *sinkScan) write(v verdict, line []byte) error {
	switch {
	case s.asJSON:
		if err := s.enc.Encode(v); err != nil {
			return err
		}
	case v.Flag:
		if _, err := fmt.Fprintf(s.out, "%6d  %-10s %s\n", v.Line, v.Class, sink.Log(string(line), 120)); err != nil {
			return err
		}
	default:
		return nil
	}
	return s.out.Flush()
}

func (s *sinkScan) summary() {
	fmt.Fprintf(s.out, "%d lines, %d flagged\n", s.lines, s.lines-s.counts[threat.None])
	for _, c := range slices.Sorted(maps.Keys(s.counts)) {
		if c != threat.None {
			fmt.Fprintf(s.out, "%8d %s\n", s.counts[c], c)
		}
	}
}
