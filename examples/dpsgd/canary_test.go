package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/privacy/leakage"
)

// The audit of a private run stays below what the accountant says, also when the run was stopped and resumed.
func TestCanariesOfAPrivateRun(t *testing.T) {
	t.Parallel()
	o := testOptions(t, "-canaries", "600", "-not-private-key", "11", "-epsilon", "12")
	r := mustTrain(t, t.Context(), o, nil)
	if r.Canaries == nil || r.Canaries.Verdict != leakage.Consistent || !(r.Canaries.Epsilon <= r.Privacy.Epsilon) {
		t.Fatalf("%v, accounted %g", r.Canaries, r.Privacy.Epsilon)
	}
	if info, err := os.Stat(o.path(canariesName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}

	o.resume, o.given = true, map[string]bool{}
	o.set = settings{}
	again := mustTrain(t, t.Context(), o, nil)
	if again.Steps.Applied != r.Steps.Applied || again.Canaries == nil || again.Canaries.Epsilon != r.Canaries.Epsilon {
		t.Fatalf("%v, %v", again.Canaries, r.Canaries)
	}
	if err := os.WriteFile(o.path(canariesName), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := train(t.Context(), o, toy(), &progress{}); err == nil || !strings.Contains(err.Error(), canariesName) {
		t.Fatalf("other coins: %v", err)
	}
}

type everythingIsPaid struct{}

func (everythingIsPaid) Spend(privacy.Event) error { return nil }

// The same audit finds out a run whose noise is switched off while its accountant goes on as if it were not.
func TestCanariesFindMissingNoise(t *testing.T) {
	t.Parallel()
	o := testOptions(t, "-canaries", "600", "-not-private-key", "12")
	c, err := o.openCanaries(toy().Dim, "")
	if err != nil {
		t.Fatal(err)
	}
	data := c.plant(toy())
	proper, err := newLearner(data, o.set, everythingIsPaid{}, o.key)
	if err != nil {
		t.Fatal(err)
	}
	var accountant privacy.Best
	if err := accountant.Add(proper.event(), o.set.Steps); err != nil {
		t.Fatal(err)
	}
	claim, err := accountant.Epsilon(1e-5)
	if err != nil {
		t.Fatal(err)
	}
	for _, noise := range []float64{o.set.Noise, 1.0 / 32} { // the least that an accumulator takes: as good as none
		set := o.set
		set.Noise = noise
		l, err := newLearner(data, set, everythingIsPaid{}, o.key)
		if err != nil {
			t.Fatal(err)
		}
		for step := range set.Steps {
			if _, err := l.step(t.Context(), step+1); err != nil {
				t.Fatal(err)
			}
		}
		found, err := c.audit(l.model, claim.Upper, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("noise %g: ε >= %.3f, accounted %.3f: %v", noise, found.Epsilon, claim.Upper, found.Verdict)
		if missing := noise < o.set.Noise; (found.Verdict == leakage.Refuted) != missing || (found.Epsilon > claim.Upper) != missing {
			t.Fatal(found)
		}
	}
}

func TestCanariesAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := parse([]string{"-canaries", "-1"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	o := testOptions(t, "-canaries", "3")
	if _, err := train(t.Context(), o, toy(), &progress{}); err == nil || !strings.Contains(err.Error(), "canaries") {
		t.Fatalf("%v", err)
	}
}
