// Top shows what the library sees of the machine: the host beside what this container may use of it, and the GPUs where
// there are any. It does so anew at an interval, in place on a terminal and as plain blocks or JSON lines elsewhere.
//
//	go run ./top
//	go run ./top -n 5 -interval 2s -disk /data
//	go run ./top -json -n 1
//
// See README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/surefoot-ml/surefoot/resources"
	"github.com/surefoot-ml/surefoot/resources/gpu"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, isTerminal(os.Stdout))
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "top:", err)
		os.Exit(1)
	}
}

// isTerminal reports whether f is a terminal, on which a picture may be drawn over the one before.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// options are the flags.
type options struct {
	interval time.Duration
	n        int
	disk     string
	json     bool
}

// frame is all that is known at one time.
type frame struct {
	Sample resources.Sample
	GPUs   []board // nil: not known; empty: none
	// NoGPUs says why GPUs are not known, Errors what else could not be read.
	NoGPUs string   `json:",omitempty"`
	Errors []string `json:",omitempty"`
}

// board is a GPU and what is wrong with it.
type board struct {
	gpu.Device
	Health []gpu.Finding
}

func run(ctx context.Context, args []string, out io.Writer, live bool) error {
	var o options
	flags := flag.NewFlagSet("top", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.DurationVar(&o.interval, "interval", time.Second, "time between two looks")
	flags.IntVar(&o.n, "n", 0, "end after that many looks; 0 is when interrupted")
	flags.StringVar(&o.disk, "disk", ".", "`path` on the file system to watch")
	flags.BoolVar(&o.json, "json", false, "print one JSON object per line")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.interval < 10*time.Millisecond:
		return fmt.Errorf("-interval %v is less than 10ms", o.interval)
	case o.n < 0:
		return fmt.Errorf("-n %d is negative", o.n)
	}
	return o.watch(ctx, out, live && !o.json)
}

// watch looks until it has looked n times or ctx is done, which is no error: it is how one leaves.
func (o *options) watch(ctx context.Context, out io.Writer, live bool) (err error) {
	sampler, err := resources.NewSampler(resources.SamplerConfig{Disk: o.disk})
	if err != nil {
		return err
	}
	reader, err := gpu.NewReader(gpu.Config{})
	if err != nil {
		return err
	}
	defer func() { // a driver or a file system that hangs does not keep us
		end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err = errors.Join(err, sampler.Close(end), reader.Close(end))
	}()

	// Rates are between two looks: the first one is only looked at.
	look(ctx, sampler, reader)
	ticker := time.NewTicker(o.interval)
	defer ticker.Stop()
	w := bufio.NewWriter(out)
	for i := 0; o.n == 0 || i < o.n; i++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		f := look(ctx, sampler, reader)
		if ctx.Err() != nil {
			return nil
		}
		switch {
		case o.json:
			err = json.NewEncoder(w).Encode(f)
		case live:
			_, err = fmt.Fprintf(w, "\x1b[H\x1b[J%s", f.text()) // home, and clear what is below
		default:
			_, err = fmt.Fprintf(w, "%s\n", f.text())
		}
		if err = errors.Join(err, w.Flush()); err != nil {
			return err
		}
	}
	return nil
}

// look reads everything once.
func look(ctx context.Context, sampler *resources.Sampler, reader *gpu.Reader) frame {
	var f frame
	sample, err := sampler.Sample(ctx)
	f.Sample, f.Errors = sample, lines(err)
	devices, err := reader.Read(ctx)
	if devices == nil && err != nil {
		f.NoGPUs = err.Error()
		return f
	}
	f.Errors = append(f.Errors, lines(err)...)
	f.GPUs = []board{}
	for _, d := range devices {
		f.GPUs = append(f.GPUs, board{Device: d, Health: gpu.Health(d, time.Time{})})
	}
	return f
}

// lines takes joined errors apart.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []string
		for _, e := range joined.Unwrap() {
			out = append(out, e.Error())
		}
		return out
	}
	return []string{err.Error()}
}
