//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain runs the process that TestKill starts, and kills.
func TestMain(m *testing.M) {
	dir := os.Getenv("SUREFOOT_LEDGER_VICTIM")
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := victim(dir); err != nil {
		fmt.Fprintln(os.Stderr, "victim:", err)
		os.Exit(3)
	}
}

// victim spends from several goroutines until it is killed. Into the file "out" it writes what became of its charges, one line at a time,
// always before it goes on: an output that was released after its charge was granted, what it is about to give back, what it was told.
func victim(dir string) error {
	l, err := Open(filepath.Join(dir, "ledger"), Config{SnapshotBytes: 32 << 10})
	if err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(dir, "out"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(out, format+"\n", args...); err != nil { // one write, which survives the process
			fail(err)
		}
	}
	j, err := l.OpenJob(ctx, "job")
	if err != nil {
		return err
	}
	say("job %d", j.Incarnation())
	small := fmt.Sprint("small", j.Incarnation()) // an account that these goroutines exhaust
	if err := l.CreateAccount(ctx, pureAccount(small, 10.0/64)); err != nil {
		return err
	}
	say("account %s", small)
	meter, err := j.Meter(MeterConfig{Accounts: []string{"big"}, Lease: 32})
	if err != nil {
		return err
	}
	for w := range 2 {
		go func() { // ends with the process
			for i := 0; ; i++ {
				accounts, count := []string{"big"}, int64(i%3+1)
				if (i+w)%4 == 0 {
					accounts = []string{small, "big"}
				}
				r, err := j.Reserve(ctx, Request{Accounts: accounts, Event: pure(1.0 / 64), Count: count, Step: uint64(w + 2*i + 1)})
				if errors.Is(err, ErrExhausted) && len(accounts) == 2 {
					continue
				}
				fail(err)
				if i%5 == 0 {
					say("back %s %d", strings.Join(accounts, ","), count) // before it is given back
					fail(r.Release(ctx))
					continue
				}
				say("out %s %d", strings.Join(accounts, ","), count)
				if i%7 > 0 {
					fail(r.Commit())
				}
			}
		}()
	}
	go func() {
		for {
			lease, err := j.Lease(ctx, Request{Accounts: []string{"big"}, Event: pure(1.0 / 64), Count: 16})
			fail(err)
			for range 5 {
				fail(lease.Charge())
				say("out big 1")
			}
			fail(lease.Close(ctx))
		}
	}()
	go func() {
		for {
			fail(meter.Spend(pure(1.0 / 64)))
			say("out big 1")
		}
	}()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone, too
	return nil
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "victim:", err)
		os.Exit(4)
	}
}

// told is what the lines of all victims add up to, in steps.
type told struct {
	read     int64
	rest     []byte
	outputs  map[string]int64
	accounts []string
	job      uint64
	lines    map[string]int
}

func (o *told) follow(t testing.TB, f *os.File) {
	more, err := io.ReadAll(io.NewSectionReader(f, o.read, 1<<40))
	require.NoError(t, err)
	o.read += int64(len(more))
	o.rest = append(o.rest, more...)
	for {
		line, rest, whole := bytes.Cut(o.rest, []byte("\n"))
		if !whole {
			return
		}
		o.rest = rest
		w := strings.Fields(string(line))
		o.lines[w[0]]++
		switch w[0] {
		case "job":
			n, err := strconv.ParseUint(w[1], 10, 64)
			require.NoError(t, err)
			require.Greater(t, n, o.job, "an incarnation is given twice")
			o.job = n
		case "account":
			o.accounts = append(o.accounts, w[1])
		case "out":
			n, err := strconv.ParseInt(w[2], 10, 64)
			require.NoError(t, err)
			for _, a := range strings.Split(w[1], ",") {
				o.outputs[a] += n
			}
		}
	}
}

// TestKill kills a process again and again. SUREFOOT_KILLS sets how often; .ci/run asks for 500.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 60
	if testing.Short() {
		kills = 10
	}
	if s := os.Getenv("SUREFOOT_KILLS"); s != "" {
		var err error
		kills, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	dir := t.TempDir()
	at := filepath.Join(dir, "ledger")
	l, err := Open(at, Config{Create: true})
	require.NoError(t, err)
	require.NoError(t, l.CreateAccount(ctx, pureAccount("big", 1e6)))
	require.NoError(t, l.Close())
	f, err := os.OpenFile(filepath.Join(dir, "out"), os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	defer f.Close()
	o := &told{outputs: map[string]int64{}, accounts: []string{"big"}, lines: map[string]int{}}
	r := rand.New(rand.NewPCG(3, 4))
	torn, orphans, early, full := 0, 0, 0, 0
	start := time.Now()
	for k := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SUREFOOT_LEDGER_VICTIM="+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		if k%10 == 9 { // at any moment, also while it opens the ledger
			early++
			<-time.After(time.Duration(r.Int64N(int64(20 * time.Millisecond))))
		} else {
			_, err = bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err, "%s", &stderr)
			<-time.After(time.Duration(r.Int64N(int64(8 * time.Millisecond))))
		}
		require.NoError(t, cmd.Process.Kill())
		require.ErrorContains(t, cmd.Wait(), "killed", "%s", &stderr)
		_ = stdin.Close()
		o.follow(t, f)

		l, err := Open(at, Config{})
		require.NoError(t, err)
		if l.Recovery().Cut > 0 {
			torn++
		}
		orphans += l.Recovery().Orphans
		report, err := l.Report()
		require.NoError(t, err)
		for _, name := range o.accounts {
			a, ok := report.Account(name)
			require.True(t, ok, "an acknowledged account is lost")
			b := a.Balances[0]
			require.GreaterOrEqual(t, b.Spent, o.outputs[name]*faultStep, "what was let out of %s is not covered, kill %d", name, k)
			require.LessOrEqual(t, b.Spent, b.Cap)
			require.Zero(t, b.Reserved)
		}
		job, ok := report.Job("job")
		require.True(t, ok || o.job == 0)
		require.GreaterOrEqual(t, job.Incarnation, o.job, "an acknowledged incarnation is lost")
		require.NoError(t, l.Close())
		if k%20 == 0 || k == kills-1 {
			verified, err := Verify(at)
			require.NoError(t, err)
			verified.Entry, report.Entry = 0, 0
			require.Equal(t, report, verified, "recovery is idempotent")
		}
	}
	l, err = Open(at, Config{})
	require.NoError(t, err)
	report, err := l.Report()
	require.NoError(t, err)
	for _, a := range report.Accounts {
		if a.Name != "big" && a.Used > 0.85 {
			full++
		}
	}
	spent, _ := balance(t, l, "big")
	require.NoError(t, l.Close())
	t.Logf("%d kills (%d while opening or later at any moment) in %v: %d outputs and %d releases on record, %d open reservations spent, "+
		"%d torn ends, %d small accounts of which %d were exhausted; released %.0f of %.0f steps spent",
		kills, early, time.Since(start).Round(time.Millisecond), o.lines["out"], o.lines["back"], orphans, torn, len(o.accounts)-1, full,
		float64(o.outputs["big"]), float64(spent)/float64(faultStep))
	require.Positive(t, o.lines["out"])
	require.Positive(t, orphans)
}
