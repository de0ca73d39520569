package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/examples/dpsgd/internal/dataset"
	"github.com/surefoot-ml/surefoot/privacy/ledger"
)

// toy is a data set of three classes that can be learned.
func toy() *dataset.Dataset {
	rng := rand.New(rand.NewPCG(3, 4))
	d := &dataset.Dataset{Name: "toy", Unit: "point", Classes: []string{"a", "b", "c"}, Dim: 13}
	for i := range 600 {
		x := dataset.Example{Label: rng.IntN(3)}
		for f := range int32(12) {
			if int(f)%3 == x.Label || rng.Float64() < 0.3 {
				x.Index, x.Value = append(x.Index, f), append(x.Value, float32(0.2+0.2*rng.Float64()))
			}
		}
		x.Index, x.Value = append(x.Index, 12), append(x.Value, 0.5)
		if i%5 == 0 {
			d.Heldout = append(d.Heldout, x)
		} else {
			d.Train = append(d.Train, x)
		}
	}
	return d
}

// testOptions are those of a run that takes a second.
func testOptions(t *testing.T, args ...string) *options {
	t.Helper()
	o, err := parse(append([]string{
		"-out", t.TempDir(), "-steps", "48", "-batch", "60", "-noise", "1.5", "-epsilon", "60", "-quiet",
		"-baseline=false", "-speed", "1000000", "-deadline", "50ms", "-checkpoint-every", "10",
	}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.defaults(settings{Clip: 1, Rate: 0.5, Momentum: 0.5}, 480)
	return o
}

// weights are those of the last checkpoint of a run.
func weights(t *testing.T, o *options) []byte {
	t.Helper()
	c, err := loadCheckpoint(o.path(checkpointName))
	if err != nil {
		t.Fatal(err)
	}
	return c.Weights
}

func mustTrain(t *testing.T, ctx context.Context, o *options, w io.Writer) *report {
	t.Helper()
	r, err := train(ctx, o, toy(), &progress{w: w, every: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Audit.Broken) > 0 || len(r.Audit.Held) < 5 {
		t.Fatalf("held %q, broken %q", r.Audit.Held, r.Audit.Broken)
	}
	return r
}

// With noise keyed to the step, faults leave no trace in the weights: every failed attempt was undone, and its repetition
// did what it would have done.
func TestFaultsLeaveNoTraceInTheWeights(t *testing.T) {
	t.Parallel()
	calm := testOptions(t, "-not-private-key", "7", "-faults=false")
	without := mustTrain(t, t.Context(), calm, nil)
	if without.Steps.Retries != 0 || without.Steps.Applied != 48 || without.Private {
		t.Fatalf("calm run: %+v", without.Steps)
	}
	for seed := range 3 {
		rough := testOptions(t, "-not-private-key", "7", "-fault-seed", fmt.Sprint(seed))
		with := mustTrain(t, t.Context(), rough, nil)
		if with.Steps.Retries < 6 || with.Steps.Charged != 48+with.Steps.Retries-refusals(with) || with.Breaker < 1 {
			t.Fatalf("rough run %d: %+v, breaker opened %d times", seed, with.Steps, with.Breaker)
		}
		if !slices.Equal(weights(t, calm), weights(t, rough)) {
			t.Fatalf("weights of run %d with faults differ from those without", seed)
		}
	}
	other := testOptions(t, "-not-private-key", "8", "-faults=false")
	mustTrain(t, t.Context(), other, nil)
	if slices.Equal(weights(t, calm), weights(t, other)) {
		t.Fatal("the key does not matter: the comparison shows nothing")
	}
}

// refusals is how many attempts the breaker refused: they were not charged.
func refusals(r *report) int {
	for _, in := range r.Incidents {
		if in.Way == wayRefused {
			return in.Met
		}
	}
	return 0
}

// In a private run a retried step draws fresh noise, and is charged again.
func TestPrivateRunsDiffer(t *testing.T) {
	t.Parallel()
	a, b := testOptions(t), testOptions(t)
	ra, rb := mustTrain(t, t.Context(), a, nil), mustTrain(t, t.Context(), b, nil)
	if !ra.Private || !rb.Private || ra.Steps.Charged <= 48 {
		t.Fatalf("%+v", ra.Steps)
	}
	if slices.Equal(weights(t, a), weights(t, b)) {
		t.Fatal("two private runs have the same noise")
	}
	if ra.Accuracy.Private < ra.Accuracy.Majority+0.2 {
		t.Fatalf("learned nothing: %.3f, majority %.3f", ra.Accuracy.Private, ra.Accuracy.Majority)
	}
}

// after is a writer that calls a function when a line with a word is written.
type after struct {
	word string
	do   func()
}

func (a after) Write(p []byte) (int, error) {
	if strings.Contains(string(p), a.word) {
		a.do()
	}
	return len(p), nil
}

// A run that is stopped and resumed ends with the weights of one that was not, and with all charges of both halves.
func TestResume(t *testing.T) {
	t.Parallel()
	whole := testOptions(t, "-not-private-key", "9", "-faults=false")
	mustTrain(t, t.Context(), whole, nil)

	o := testOptions(t, "-not-private-key", "9")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := mustTrain(t, ctx, o, after{"step 17/", cancel})
	if first.Steps.Applied < 17 || first.Steps.Applied >= 48 || !strings.Contains(first.Ended, "-resume") {
		t.Fatalf("ended %q after %d steps", first.Ended, first.Steps.Applied)
	}
	if _, err := train(t.Context(), o, toy(), &progress{}); err == nil || !strings.Contains(err.Error(), "-resume") {
		t.Fatalf("began anew over a run: %v", err)
	}
	o.resume, o.given = true, map[string]bool{}
	second := mustTrain(t, t.Context(), o, nil)
	if second.Steps.Applied != 48 || second.Steps.Before != first.Steps.Charged {
		t.Fatalf("%+v after %+v", second.Steps, first.Steps)
	}
	if second.Privacy.Epsilon <= first.Privacy.Epsilon {
		t.Fatalf("ε fell from %v to %v", first.Privacy.Epsilon, second.Privacy.Epsilon)
	}
	if second.Carbon.KWh < first.Carbon.KWh {
		t.Fatalf("energy fell from %v to %v kWh", first.Carbon.KWh, second.Carbon.KWh)
	}
	if !slices.Equal(weights(t, whole), weights(t, o)) {
		t.Fatal("weights differ from those of the run that was not stopped")
	}
	other := toy()
	other.Train = other.Train[1:]
	if _, err := train(t.Context(), o, other, &progress{}); err == nil || !strings.Contains(err.Error(), "other data") {
		t.Fatalf("went on with other data: %v", err)
	}
	o.given = map[string]bool{"noise": true}
	if _, err := train(t.Context(), o, toy(), &progress{}); err == nil || !strings.Contains(err.Error(), "-noise is fixed") {
		t.Fatalf("the budget's parameters were changed: %v", err)
	}
}

// Losing the checkpoint does not give the budget back.
func TestLostCheckpointRestoresNoBudget(t *testing.T) {
	t.Parallel()
	o := testOptions(t, "-epsilon", "8", "-faults=false")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := mustTrain(t, ctx, o, after{"step 17/", cancel})
	if err := os.Remove(o.path(checkpointName)); err != nil {
		t.Fatal(err)
	}
	o.resume, o.given = true, map[string]bool{}
	second := mustTrain(t, t.Context(), o, nil)
	if second.Steps.Before != first.Steps.Charged || second.Privacy.Epsilon < first.Privacy.Epsilon || second.Privacy.Epsilon > 8 {
		t.Fatalf("ε %v after %v, %+v", second.Privacy.Epsilon, first.Privacy.Epsilon, second.Steps)
	}
}

// A ledger that was deleted is not a full budget, and one that the trail does not know keeps what it spent.
func TestLostLedgerIsNoBudget(t *testing.T) {
	t.Parallel()
	o := testOptions(t, "-epsilon", "8", "-faults=false")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := mustTrain(t, ctx, o, after{"step 17/", cancel})
	spent := filepath.Join(t.TempDir(), "spent")
	if err := os.Rename(o.path(budgetName), spent); err != nil {
		t.Fatal(err)
	}
	o.resume, o.given = true, map[string]bool{}
	if _, err := train(t.Context(), o, toy(), &progress{}); !errors.Is(err, ledger.ErrMissing) {
		t.Fatalf("%v", err)
	}
	anew := testOptions(t, "-epsilon", "8", "-faults=false")
	if err := os.CopyFS(anew.path(budgetName), os.DirFS(spent)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(anew.path(budgetName), 0o700); err != nil {
		t.Fatal(err)
	}
	second := mustTrain(t, t.Context(), anew, nil)
	if second.Privacy.Epsilon <= first.Privacy.Epsilon || second.Audit.Epsilon >= second.Privacy.Epsilon {
		t.Fatalf("ε %v after %v, the trail shows %v", second.Privacy.Epsilon, first.Privacy.Epsilon, second.Audit.Epsilon)
	}
}

// The run ends, in order, at the step that would overspend.
func TestBudgetEndsTheRun(t *testing.T) {
	t.Parallel()
	o := testOptions(t, "-epsilon", "3")
	r := mustTrain(t, t.Context(), o, nil)
	if r.Steps.Applied >= 48 || !strings.Contains(r.Ended, "budget") || r.Privacy.Left != 0 {
		t.Fatalf("ended %q after %d steps with %d left", r.Ended, r.Steps.Applied, r.Privacy.Left)
	}
	if r.Privacy.Epsilon > 3 || r.Privacy.Epsilon < 2.5 {
		t.Fatalf("ε %v of 3", r.Privacy.Epsilon)
	}
}

// A trail that lost its newest entries is found out before anything more is released.
func TestCutTrailIsNotResumed(t *testing.T) {
	t.Parallel()
	o := testOptions(t, "-faults=false")
	older := filepath.Join(t.TempDir(), trailName)
	for _, step := range []string{"step 6/", "step 17/"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		mustTrain(t, ctx, o, after{step, cancel})
		if !o.resume { // a whole copy, which is a valid log by itself
			if err := os.CopyFS(older, os.DirFS(o.path(trailName))); err != nil {
				t.Fatal(err)
			}
		}
		o.resume, o.given = true, map[string]bool{}
	}
	if err := errors.Join(os.RemoveAll(o.path(trailName)), os.Rename(older, o.path(trailName))); err != nil {
		t.Fatal(err)
	}
	if _, err := train(t.Context(), o, toy(), &progress{}); err == nil || !strings.Contains(err.Error(), "the trail was cut") {
		t.Fatalf("%v", err)
	}
}

const childEnv = "SUREFOOT_DPSGD_CHILD"

func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		child(strings.Split(args, " "))
		return
	}
	os.Exit(m.Run())
}

// child trains in a process of its own, until it is killed.
func child(args []string) {
	o, err := parse(args, os.Stderr)
	if err != nil {
		panic(err)
	}
	o.defaults(settings{Clip: 1, Rate: 0.5, Momentum: 0.5}, 480)
	if _, err = train(context.Background(), o, toy(), &progress{w: os.Stdout, every: 1}); err != nil {
		panic(err)
	}
}

// Whatever moment a process is killed at, its trail holds a charge for every step that it had shown.
func TestKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	out := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	args := "-out " + out + " -steps 400 -batch 60 -noise 1.5 -epsilon 100 -baseline=false -speed 1000000 -deadline 50ms -checkpoint-every 7"
	rng := rand.New(rand.NewPCG(5, 6))
	shown, kills := 0, 0
	for ; kills < 12; kills++ {
		cmd := exec.Command(os.Args[0])
		line := args
		if kills > 0 {
			line = "-out " + out + " -resume -baseline=false -speed 1000000 -deadline 50ms -checkpoint-every 7"
		}
		cmd.Env = append(os.Environ(), childEnv+"="+line)
		cmd.Stderr = os.Stderr
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(pipe)
		for n := 1 + rng.IntN(20); n > 0 && lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "step ") && strings.Contains(lines.Text(), "loss") {
				shown++
				n--
			}
		}
		_ = cmd.Process.Kill()
		for lines.Scan() {
			if strings.Contains(lines.Text(), "loss") {
				shown++
			}
		}
		_ = cmd.Wait()
	}
	charges := 0
	for e, err := range audit.Entries(filepath.Join(out, trailName)) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == audit.KindCharge {
			charges++
		}
	}
	t.Logf("%d kills, %d steps shown, %d charges", kills, shown, charges)
	if charges < shown {
		t.Fatalf("%d steps shown, %d charged", shown, charges)
	}
	o := testOptions(t)
	o.out, o.resume, o.given = out, true, map[string]bool{}
	r := mustTrain(t, t.Context(), o, nil)
	if r.Steps.Before != charges || r.Steps.Applied != 400 && !strings.Contains(r.Ended, "budget") {
		t.Fatalf("%+v, %s", r.Steps, r.Ended)
	}
}

// A step that nobody has paid for does not draw noise.
func TestUnpaidReleaseIsRefused(t *testing.T) {
	t.Parallel()
	o := testOptions(t, "-not-private-key", "1")
	r := &run{options: o, data: toy(), progress: &progress{}}
	if err := r.openLearner(); err != nil {
		t.Fatal(err)
	}
	b := r.budget
	b.event, r.learner.faults = r.learner.event(), nil
	if _, err := r.learner.step(t.Context(), 1); !errors.Is(err, errUncharged) {
		t.Fatalf("%v", err)
	}
	b.paid.Store(true)
	if _, err := r.learner.step(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := r.learner.step(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "step 1 after step 1") {
		t.Fatalf("a step was applied twice: %v", err)
	}
	if _, err := r.learner.step(t.Context(), 2); !errors.Is(err, errUncharged) {
		t.Fatalf("one charge paid for two releases: %v", err)
	}
	b.paid.Store(true)
	b.event.Gaussian.StdDev *= 2
	if _, err := r.learner.step(t.Context(), 2); !errors.Is(err, errUncharged) {
		t.Fatalf("a cheaper charge paid: %v", err)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	table := filepath.Join(t.TempDir(), "adult.csv")
	rng := rand.New(rand.NewPCG(1, 1))
	var rows strings.Builder
	for range 400 {
		income, hours := "<=50K", 20+rng.IntN(25)
		if rng.IntN(3) == 0 {
			income, hours = ">50K", 45+rng.IntN(30)
		}
		fmt.Fprintf(&rows, "%d,Private,%d,Bachelors,13,Never-married,Sales,Unmarried,Black,Female,0,0,%d,United-States,%s\n",
			20+rng.IntN(60), 20000+rng.IntN(100000), hours, income)
	}
	if err := os.WriteFile(table, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace.csv")
	if err := os.WriteFile(trace, []byte("time,XX\n2026-01-01T00:00Z,300\n2026-01-01T01:00Z,500\n2026-01-01T02:00Z,200\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "new")
	var stdout, stderr strings.Builder
	err := command(t.Context(), []string{
		"-data", table, "-out", out, "-steps", "12", "-batch", "40", "-noise", "2", "-epsilon", "20", "-json",
		"-carbon", trace, "-speed", "60",
	}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var r report
	if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil {
		t.Fatal(err)
	}
	if r.Steps.Applied != 12 || r.Unit != "person" || r.Accuracy.NonPrivate < 0.9 || !strings.Contains(r.Carbon.Intensity, "trace.csv") {
		t.Fatalf("%s", &stdout)
	}
	saved, err := os.ReadFile(filepath.Join(out, "report.json"))
	if err != nil || strings.TrimSpace(string(saved)) != strings.TrimSpace(stdout.String()) {
		t.Fatalf("report.json differs from what was printed: %v", err)
	}
	var text strings.Builder
	if err := r.write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ε ≤", "gCO2e", "✓ no step was applied twice", "run.svg"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &text)
		}
	}
	for _, name := range []string{trailName, budgetName, checkpointName, plotName, "report.json"} {
		info, err := os.Stat(filepath.Join(out, name))
		want := os.FileMode(0o600)
		if name == trailName || name == budgetName {
			want = 0o700
		}
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestCommandRefuses(t *testing.T) {
	t.Parallel()
	table := filepath.Join(t.TempDir(), "adult.csv")
	row := "39,Private,77516,Bachelors,13,Never-married,Sales,Unmarried,White,Male,0,0,%d,United-States,<=50K\n"
	var rows strings.Builder
	for i := range 90 {
		fmt.Fprintf(&rows, row, 1+i)
	}
	if err := os.WriteFile(table, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"two sources":        {[]string{"-carbon", "x.csv", "-carbon-live"}, "choose one"},
		"stray argument":     {[]string{"adult.csv"}, "is not a flag"},
		"no such data":       {[]string{"-data", "/nowhere/adult.csv"}, "adult.csv"},
		"nothing to resume":  {[]string{"-data", table, "-resume", "-out", t.TempDir()}, "nothing to resume"},
		"no noise":           {[]string{"-data", table, "-out", t.TempDir(), "-noise", "0"}, "noise"},
		"everything at once": {[]string{"-data", table, "-out", t.TempDir(), "-steps", "-3", "-momentum", "7"}, "momentum"},
		"no such trace":      {[]string{"-data", table, "-batch", "9", "-out", t.TempDir(), "-carbon", "/nowhere/x.csv"}, "x.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := command(t.Context(), tt.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
