package audit_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/surefoot-ml/surefoot/audit"
)

// open opens a log in a new directory.
func open(opts audit.Options) (trail *audit.Log, dir string, remove func()) {
	parent, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	dir = filepath.Join(parent, "run")
	if trail, err = audit.Open(dir, opts); err != nil {
		log.Fatal(err)
	}
	return trail, dir, func() { os.RemoveAll(parent) }
}

func Example() {
	trail, dir, remove := open(audit.Options{})
	defer remove()
	ctx := context.Background()
	for step := 1; step <= 3; step++ {
		seq, err := trail.Append(ctx, audit.Event{
			Kind: audit.KindCharge,
			Run:  "resnet-7",
			Data: map[string]any{"step": step, "sigma": 1.1, "q": 0.01},
		})
		if err != nil {
			log.Fatal(err) // the charge is not on record: do not release anything
		}
		fmt.Println("recorded", seq)
	}
	key, head := trail.Key(), trail.Head() // keep these elsewhere
	if err := trail.Close(); err != nil {
		log.Fatal(err)
	}

	report, err := audit.Verify(dir, audit.Trust{Keys: []string{key}, Heads: []audit.Head{head}})
	fmt.Println(report.Entries, "entries,", err)
	// Output:
	// recorded 2
	// recorded 3
	// recorded 4
	// 4 entries, <nil>
}

// An older copy of a log is a valid log. A head that was kept elsewhere shows what is missing.
func ExampleVerify() {
	trail, dir, remove := open(audit.Options{})
	defer remove()
	ctx := context.Background()
	if _, err := trail.Append(ctx, audit.Event{Kind: audit.KindNote, Data: "started"}); err != nil {
		log.Fatal(err)
	}
	if err := trail.Close(); err != nil {
		log.Fatal(err)
	}
	copied := dir + "-copy"
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		log.Fatal(err)
	}

	trail, err := audit.Open(dir, audit.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := trail.Append(ctx, audit.Event{Kind: audit.KindNote, Data: "stopped by hand"}); err != nil {
		log.Fatal(err)
	}
	head := trail.Head()
	if err := trail.Close(); err != nil {
		log.Fatal(err)
	}

	_, err = audit.Verify(copied, audit.Trust{})
	fmt.Println(err)
	_, err = audit.Verify(copied, audit.Trust{Heads: []audit.Head{head}})
	fmt.Println(err.(*audit.HeadError).Want == head, err.(*audit.HeadError).Have.Size)
	// Output:
	// <nil>
	// true 2
}

// One entry is shown to somebody who has the public key and nothing else.
func ExampleProve() {
	trail, dir, remove := open(audit.Options{Origin: "example.com/runs/7"})
	defer remove()
	seq, err := trail.Append(context.Background(), audit.Event{Data: audit.Compliance{Rule: "GDPR Art. 30", Verdict: "PASS"}})
	if err != nil {
		log.Fatal(err)
	}
	key := trail.Key()
	if err := trail.Close(); err != nil {
		log.Fatal(err)
	}
	proof, err := audit.Prove(dir, seq)
	if err != nil {
		log.Fatal(err)
	}
	text, _ := proof.MarshalText()

	var received audit.Proof
	if err := received.UnmarshalText(text); err != nil {
		log.Fatal(err)
	}
	entry, head, err := received.Check(key)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s, entry %d of %d\n", entry.Kind, entry.Data, entry.Seq, head.Size)
	// Output:
	// compliance {"rule":"GDPR Art. 30","verdict":"PASS"}, entry 2 of 2
}

func ExampleRecorder() {
	trail, dir, remove := open(audit.Options{})
	defer remove()
	// In a Runner: Record: rec, and rec among the Gates, so that no batch runs once the trail is gone.
	rec, err := audit.NewRecorder(trail, "resnet-7")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if _, err := rec.Admit(ctx); err != nil {
		log.Fatal(err)
	}
	rec.RecordAttempt(ctx, 12, 1, 0, 80*time.Millisecond, fmt.Errorf("loss is NaN\nat layer 3"))
	rec.RecordAttempt(ctx, 12, 2, time.Second, 75*time.Millisecond, nil)
	rec.RecordBatch(ctx, 12, 2, time.Second, 155*time.Millisecond, nil)
	if err := trail.Close(); err != nil {
		log.Fatal(err)
	}

	for e, err := range audit.Select(audit.Entries(dir), audit.Query{Run: "resnet-7"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Seq, e.Kind, e.Run, string(e.Data))
	}
	// Output:
	// 2 step resnet-7 {"attempt":1,"batch":12,"error":"loss is NaN\\nat layer 3","run_ns":80000000,"wait_ns":0}
	// 3 step resnet-7 {"attempt":2,"batch":12,"run_ns":75000000,"wait_ns":1000000000}
	// 4 batch resnet-7 {"attempts":2,"batch":12,"run_ns":155000000,"wait_ns":1000000000}
}
