// Auditverify is the stranger who reads an audit log: it verifies the whole of it, proves one entry, checks such a proof without the log,
// lists entries and exports them. Its exit status is the verdict.
//
//	go run ./auditverify verify -key 'example.com/log+…' -head 17:9f86… dpsgd/out/trail
//	go run ./auditverify list -kind charge,refusal dpsgd/out/trail
//	go run ./auditverify prove -seq 7 dpsgd/out/trail > entry.tlog-proof
//	go run ./auditverify check -key 'example.com/log+…' entry.tlog-proof
//
// See README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/surefoot-ml/surefoot/audit"
)

// Exit statuses.
const (
	passed  = 0
	failed  = 1 // the log or the proof is not what it should be
	unknown = 2 // that could not be found out
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

const usage = `usage: auditverify COMMAND [flags] PATH

  verify  LOG     verify every file of a log, or of a mirror of it
  list    LOG     show entries (-kind, -run, -correlation, -from, -to, -first, -last)
  export  LOG     write entries as lines of JSON, or with -format csv
  prove   LOG     write a proof of the entry -seq
  check   PROOF   verify a proof, with -key alone
  show    LOG     show the public key and the head, to be kept elsewhere

auditverify COMMAND -h lists the flags. The exit status is 0 if the log or proof passes, 1 if not, 2 if that could not be found out.
`

func run(args []string, out, errs io.Writer) int {
	commands := map[string]func(*flag.FlagSet, []string, io.Writer) error{
		"verify": verify, "list": list, "export": export, "prove": prove, "check": check, "show": show,
	}
	var name string
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	command := commands[name]
	if command == nil {
		fmt.Fprint(errs, usage)
		return unknown
	}
	flags := flag.NewFlagSet("auditverify "+name, flag.ContinueOnError)
	flags.SetOutput(errs)
	checked := &checkedWriter{w: out}
	err := command(flags, args, checked)
	if errors.Is(err, flag.ErrHelp) { // no verdict
		return unknown
	}
	if err == nil && checked.err != nil {
		fmt.Fprintln(errs, "auditverify: write:", checked.err)
		return unknown
	}
	if err == nil {
		return passed
	}
	fmt.Fprintln(errs, "auditverify:", err)
	return verdict(err)
}

// checkedWriter keeps the first error, so that no command has to look at each line.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// verdict tells a log that does not pass from one that could not be read.
func verdict(err error) int {
	var damage *audit.DamageError
	var head *audit.HeadError
	var proof *proofError
	if errors.As(err, &damage) || errors.As(err, &head) || errors.As(err, &proof) ||
		errors.Is(err, audit.ErrKey) || errors.Is(err, audit.ErrWitness) {
		return failed
	}
	return unknown
}

// proofError is a proof that does not hold.
type proofError struct{ err error }

func (e *proofError) Error() string { return e.err.Error() }
func (e *proofError) Unwrap() error { return e.err }

// texts is a flag that may be given more than once.
type texts []string

func (t *texts) String() string { return strings.Join(*t, ",") }

func (t *texts) Set(s string) error {
	*t = append(*t, s)
	return nil
}

// keys is texts of which each is a public key.
type keys texts

func (k *keys) String() string { return (*texts)(k).String() }

func (k *keys) Set(s string) error {
	if _, err := note.NewVerifier(s); err != nil {
		return err
	}
	return (*texts)(k).Set(s)
}

// trust adds the flags of what is known from elsewhere.
func trust(flags *flag.FlagSet) *audit.Trust {
	var t audit.Trust
	flags.Var((*keys)(&t.Keys), "key", "a public `key` of the log, or one that handed over to it (repeatable)")
	flags.Func("head", "a `head` that the log once had, as size:hash (repeatable)", func(s string) error {
		h, err := audit.ParseHead(s)
		t.Heads = append(t.Heads, h)
		return err
	})
	flags.Var((*texts)(&t.Witnesses), "witness", "a public `key` of a witness that has to have signed (repeatable)")
	flags.IntVar(&t.Quorum, "quorum", 0, "how `many` of the witnesses have to (default all)")
	return &t
}

// query adds the flags that select entries.
func query(flags *flag.FlagSet) *audit.Query {
	var q audit.Query
	flags.Func("kind", "`kinds` to select, separated by commas", func(s string) error {
		for _, k := range strings.Split(s, ",") {
			q.Kinds = append(q.Kinds, audit.Kind(k))
		}
		return nil
	})
	flags.StringVar(&q.Run, "run", "", "`run` to select")
	flags.StringVar(&q.Correlation, "correlation", "", "correlation `id` to select")
	at := func(name, what string, to *time.Time) {
		flags.Func(name, what, func(s string) (err error) {
			*to, err = time.Parse(time.RFC3339, s)
			return err
		})
	}
	at("from", "first `time` to select, such as 2026-03-01T12:00:00Z", &q.From)
	at("to", "`time` from which nothing is selected", &q.To)
	flags.Uint64Var(&q.First, "first", 0, "first `number` to select")
	flags.Uint64Var(&q.Last, "last", 0, "last `number` to select")
	return &q
}

// parse reads the flags and the one argument.
func parse(flags *flag.FlagSet, args []string) (path string, err error) {
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	if flags.NArg() != 1 {
		return "", fmt.Errorf("%s needs one path, not %d", flags.Name(), flags.NArg())
	}
	return flags.Arg(0), nil
}

func verify(flags *flag.FlagSet, args []string, out io.Writer) error {
	t := trust(flags)
	path, err := parse(flags, args)
	if err != nil {
		return err
	}
	began := time.Now()
	rep, err := audit.Verify(path, *t)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d entries, %s to %s\n", rep.Entries, rep.First.Format(time.RFC3339), rep.Last.Format(time.RFC3339))
	fmt.Fprintf(out, "head    %s\n", rep.Head)
	fmt.Fprintf(out, "signed  %d entries by %s\n", rep.Signed.Size, rep.Key)
	if rep.Pruned > 0 {
		fmt.Fprintf(out, "pruned  %d entries, on record in the log\n", rep.Pruned)
	}
	if len(rep.Cosigned) > 0 {
		fmt.Fprintf(out, "witness %d entries by %s\n", rep.Witnessed.Size, strings.Join(rep.Cosigned, ", "))
	}
	if rep.Torn > 0 {
		fmt.Fprintf(out, "torn    %d bytes at the end, left by a crash or being written\n", rep.Torn)
	}
	fmt.Fprintf(out, "passes  in %v\n", time.Since(began).Round(time.Millisecond))
	for _, missing := range unknowns(t) {
		fmt.Fprintln(out, "        but", missing)
	}
	return nil
}

// unknowns says what a verdict does not cover.
func unknowns(t *audit.Trust) (all []string) {
	if len(t.Keys) == 0 {
		all = append(all, "without -key the log itself says whose key has signed it")
	}
	if len(t.Heads) == 0 && len(t.Witnesses) == 0 {
		all = append(all, "without -head or -witness an older copy of the whole log passes too")
	}
	return all
}

func show(flags *flag.FlagSet, args []string, out io.Writer) error {
	path, err := parse(flags, args)
	if err != nil {
		return err
	}
	rep, err := audit.Verify(path, audit.Trust{})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "-key %s\n-head %s\n", rep.Key, rep.Head)
	return nil
}

func list(flags *flag.FlagSet, args []string, out io.Writer) error {
	t, q := trust(flags), query(flags)
	path, err := parse(flags, args)
	if err != nil {
		return err
	}
	if _, err := audit.Verify(path, *t); err != nil { // before anything of it is shown
		return err
	}
	for e, err := range audit.Select(audit.Entries(path), *q) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, e)
	}
	return nil
}

func export(flags *flag.FlagSet, args []string, out io.Writer) error {
	t, q := trust(flags), query(flags)
	formats := []string{"json", "csv"}
	format := flags.String("format", "json", "json or csv")
	path, err := parse(flags, args)
	if err != nil {
		return err
	}
	if !slices.Contains(formats, *format) {
		return fmt.Errorf("-format %q is not json or csv", *format)
	}
	if _, err := audit.Verify(path, *t); err != nil {
		return err
	}
	selected := audit.Select(audit.Entries(path), *q)
	if *format == "csv" {
		return audit.ExportCSV(out, selected)
	}
	return audit.ExportJSON(out, selected)
}

func prove(flags *flag.FlagSet, args []string, out io.Writer) error {
	seq := flags.Uint64("seq", 0, "`number` of the entry")
	path, err := parse(flags, args)
	if err != nil {
		return err
	}
	p, err := audit.Prove(path, *seq)
	if err != nil {
		return err
	}
	text, err := p.MarshalText()
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

func check(flags *flag.FlagSet, args []string, out io.Writer) error {
	var trusted keys
	flags.Var(&trusted, "key", "a public `key` of the log (repeatable)")
	path, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(trusted) == 0 {
		return errors.New("check needs -key")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var p audit.Proof
	if err := p.UnmarshalText(text); err != nil {
		return &proofError{err}
	}
	e, head, err := p.Check(trusted...)
	if err != nil {
		return &proofError{err}
	}
	fmt.Fprintln(out, e)
	fmt.Fprintf(out, "is entry %d of the log with head %s\n", e.Seq, head)
	return nil
}
